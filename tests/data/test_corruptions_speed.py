"""How much faster the slow corruptions are than one image at a time: `--slow -s` shows the table."""

import time

import numpy as np
import pytest

from keras_freq.data import corrupt
from keras_freq.data._corruptions import draws
from keras_freq.data._corruptions.catalog import CATALOG
from keras_freq.data._npz import read_sample

pytestmark = pytest.mark.once
pytest.importorskip("scipy")
pytest.importorskip("PIL")
oracles = pytest.importorskip("tests.oracles.corruptions")

NAMES = ("glass_blur", "motion_blur", "elastic_transform")


def plain(images, name, severity):
    """Bytes to bytes with the oracle, which computes each image on its own."""
    values = CATALOG[name].parameters(severity, table="auto", side=min(images.shape[1:3]))
    rngs = draws.seed_generators(name, severity, seed=0, places=range(len(images)))
    results = [
        getattr(oracles, name)(image / 255, rng, *values) for image, rng in zip(images, rngs, strict=True)
    ]
    return np.rint(np.clip(results, 0, 1) * 255).astype("uint8")


def milliseconds(function, images):
    """Least processor time an image of three calls, and the last result; other programs count less so."""
    times = []
    for _ in range(3):
        start = time.process_time()
        result = function(images)
        times.append(time.process_time() - start)
    return min(times) / len(images) * 1e3, result


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("side", "count", "plain_count"), [(32, 500, 25), (224, 4, 1)])
def test_speed(name, side, count, plain_count, record_property):
    photos = read_sample()[0]["test"][0][:count]
    images = photos.repeat(side // 32, axis=1).repeat(side // 32, axis=2)
    for severity in (1, 2, 3, 4, 5):
        ours, results = milliseconds(lambda x, s=severity: corrupt(x, name, s), images)
        theirs, expected = milliseconds(lambda x, s=severity: plain(x, name, s), images[:plain_count])
        line = f"{ours:.3f} ms, one at a time {theirs:.2f} ms, {theirs / ours:.1f} times"
        print(f"{name} {severity}, {side} px: {line}")
        record_property(f"severity {severity}", line)
        assert np.abs(results[:plain_count].astype(int) - expected).max() <= 1
