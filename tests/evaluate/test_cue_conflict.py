"""By which frequencies a model decides, against NumPy and on models of which it is known."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.evaluate import Result, cue_conflict, predict_logits
from keras_freq.evaluate._cue_conflict import find_balance
from tests.oracles import spectral as oracle
from tests.refusals import refused


@keras.saving.register_keras_serializable(package="tests")
class Waves(keras.layers.Layer):
    """Tells four classes by the sign of each of two waves of one frequency, along rows and along columns."""

    def __init__(self, frequency=2, **kwargs):
        super().__init__(**kwargs)
        self.frequency = frequency

    def call(self, images):
        found = [
            keras.ops.sum(images * one[None, :, :, None].astype("float32"), axis=(1, 2, 3))
            for one in waves(self.frequency)
        ]
        down, across = found
        return keras.ops.stack([-down - across, down - across, across - down, down + across], axis=-1)


def waves(frequency: int, size: int = 16) -> list[np.ndarray]:
    line = np.cos(2 * np.pi * frequency * np.arange(size) / size)
    return [np.broadcast_to(line[:, None], (size, size)), np.broadcast_to(line, (size, size))]


def reader(frequency: int) -> keras.Model:
    return keras.Sequential([keras.Input((16, 16, 1)), Waves(frequency)])


@pytest.fixture
def data(rng):
    """Both waves of 2 and of 6 cycles tell the class, 0 to 3."""
    labels = rng.integers(0, 4, 41)
    signs = np.stack([2 * (labels % 2) - 1, 2 * (labels // 2) - 1])
    images = 0.5 + sum(
        0.1 * sign[:, None, None] * wave
        for frequency in (2, 6)
        for sign, wave in zip(signs, waves(frequency), strict=True)
    )
    return images[..., None].astype("float32"), labels


@pytest.mark.parametrize("frequency", [2, 6])
def test_a_reader_of_one_frequency_follows_its_part(data, frequency):
    """It is blind to all else: below its frequency it sees the one image, above it the other."""
    radii = (0, 1, 4, 9, 30)
    result = cue_conflict(reader(frequency), data, radii=radii, batch_size=16, draws=50)
    low = [float(radius > frequency) for radius in radii]
    assert result.clean == 1
    assert list(result.low) == low
    assert list(result.high) == [1 - one for one in low]
    assert result.neither == (0,) * 5
    assert result.low_bias == result.low
    assert result.balance == {2: 2.5, 6: 6.5}[frequency]
    assert result.intervals["balance"] == ((result.balance,) * 2,)
    assert result.undefined == 0
    pairs = result.pairs
    np.testing.assert_array_equal(pairs.high_labels, data[1][pairs.partners])
    assert sorted(pairs.partners) == list(range(41))  # each once


@pytest.mark.parametrize("kind", ["ideal", "gaussian"])
@pytest.mark.parametrize("clip", [None, (0.3, 0.7)])
def test_decisions_are_those_of_the_formula(classifier, images, labels, kind, clip):
    radii = (3, 7.5)
    result = cue_conflict(
        classifier, (images, labels), radii=radii, kind=kind, clip=clip, batch_size=3, seed=2, draws=0
    )
    pairs = result.pairs
    other = images[pairs.partners].astype("float64")
    wide = kf.Classifier(classifier, value_range=(-9, 9))
    apart = oracle.distance(32, 32)
    for place, radius in enumerate(radii):
        mask = (apart < radius) * 1.0 if kind == "ideal" else np.exp(-0.5 * (apart / radius) ** 2)
        mixed = oracle.filtered(images.astype("float64"), mask) + oracle.filtered(other, 1 - mask)
        mixed = mixed if clip is None else np.clip(mixed, *clip)
        seen = predict_logits(wide, mixed.astype("float32")).argmax(axis=-1)
        np.testing.assert_array_equal(pairs.predictions[place], seen)
        assert result.low[place] == np.mean(seen == labels)
        assert result.high[place] == np.mean(seen == labels[pairs.partners])
        assert result.low[place] + result.high[place] + result.neither[place] == pytest.approx(1)
    assert result.intervals == {}


def test_the_ends_are_the_two_images(classifier, images, labels):
    result = cue_conflict(classifier, (images, labels), radii=(0, 40), draws=0)
    pairs = result.pairs
    np.testing.assert_array_equal(pairs.predictions[0], pairs.whole_predictions[pairs.partners])
    np.testing.assert_array_equal(pairs.predictions[1], pairs.whole_predictions)
    assert result.high[0] == result.low[1] == result.clean


def test_intervals_hold_the_shares_and_shrink(rng):
    labels = np.arange(400) % 4
    images = rng.random((400, 16, 16, 1)).astype("float32")  # nothing to see: all four by chance
    few = cue_conflict(reader(3), (images, labels), radii=(4,), n=100)
    many = cue_conflict(reader(3), (images, labels), radii=(4,))
    for result in (few, many):
        for name in ("low", "high", "neither", "low_bias"):
            ((low, high),) = result.intervals[name]
            assert low <= getattr(result, name)[0] <= high
        share, n = result.low[0], result.n
        low, high = result.intervals["low"][0]
        assert high - low == pytest.approx(2 * 1.96 * np.sqrt(share * (1 - share) / n), rel=0.25)


def test_feeds_seeds_and_json(classifier, images, labels):
    options = {"radii": (4, 8), "draws": 10}
    whole = cue_conflict(classifier, (images, labels), **options)
    parts = cue_conflict(classifier, kf.data.ArrayBatches(images, labels, batch_size=3), **options)
    np.testing.assert_array_equal(whole.pairs.partners, parts.pairs.partners)
    np.testing.assert_array_equal(whole.pairs.predictions, parts.pairs.predictions)
    assert whole.intervals == parts.intervals
    again = Result.from_json(whole.to_json())
    assert again == whole
    np.testing.assert_array_equal(again.pairs.predictions, whole.pairs.predictions)
    others = [cue_conflict(classifier, (images, labels), seed=seed, **options).pairs for seed in range(1, 4)]
    assert any((other.partners != whole.pairs.partners).any() for other in others)
    assert [row["radius"] for row in whole.rows()] == [4, 8]
    assert {"low_from", "low_bias_to", "n"} <= set(whole.rows()[0])
    assert "pairs" not in whole.to_dict()


@pytest.mark.once
def test_balance_lies_on_the_line():
    bias = np.array(
        [[0.1, 0.3, 0.7, 0.9], [0.6, 0.7, 0.8, 0.9], [0.1, 0.2, 0.3, 0.4], [0.2, np.nan, 0.5, 0.1]]
    )
    np.testing.assert_allclose(find_balance(bias, (2, 4, 8, 16)), [6, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(find_balance(bias[0, ::-1], (16, 8, 4, 2)), 6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"radii": ()}, "`radii` must hold at least one"),
        ({"radii": (-1,)}, "`radii`"),
        ({"units": "pixels"}, "`units` must be one of"),
        ({"kind": "box"}, "`kind` must be one of"),
        ({"clip": (1, 0)}, "the lower first"),
        ({"seed": -1}, "`seed`"),
        ({"draws": -1}, "`draws`"),
        ({"n": 99}, "`n` must be at most"),
        (
            {"data": (np.zeros((3, 16, 16, 1), "float32"), [1, 1, 1])},
            "two classes at least.*3 images of class 1",
        ),
    ],
)
def test_refuses(data, options, says):
    with refused(match=says):
        cue_conflict(reader(2), **{"data": data, **options})
