from __future__ import annotations

import time

import numpy as np
import pytest

from apps.benchmarks import imports, plain, training
from apps.benchmarks.config import Benchmarks
from apps.benchmarks.experiment import COMPARISONS, benchmarks
from apps.benchmarks.timing import time_pair
from apps.lab import Run
from tests.oracles import hfss as search_oracle
from tests.oracles import spectral as oracle


@pytest.mark.once
def test_ratio_is_the_others_time_over_ours():
    pair = time_pair(lambda: time.sleep(0.002), lambda: time.sleep(0.02), repeats=3, inner=2)
    assert 3 < pair.ratio < 12
    assert pair.ours < pair.other


@pytest.mark.once
def test_the_plain_ways_do_what_ours_do(images):
    mask = oracle.distance(32, 32) < 8
    np.testing.assert_allclose(plain.low_pass(images, mask), oracle.filtered(images, mask), atol=1e-6)
    levels = np.round(images * 255).astype("uint8")
    results = [plain.apr_single(image, seed) for seed, image in enumerate(levels)]
    assert all(r.shape == (32, 32, 3) and r.dtype == np.uint8 for r in results)
    assert plain.apr_single_batch(levels) == 8


@pytest.mark.once
def test_the_plain_ranking_does_what_is_published(rng):
    images, labels = rng.random((6, 8, 8, 3)), np.array([0, 0, 1, 1, 1, 1])
    weights = rng.standard_normal((192, 3))
    seen = []

    def logits_of(x):
        seen.append(len(x))
        return x.reshape(len(x), -1) @ weights

    mask = plain.without_block(8, 2, 3, 1)
    assert np.argwhere(mask == 0).tolist() == [[2, 3], [6, 5]]
    batches = [(images[:2], labels[:2]), (images[2:4], labels[2:4]), (images[4:], labels[4:])]
    expected = search_oracle.class_losses(logits_of, images, labels, mask)
    seen.clear()
    losses = [plain.class_loss(batches, label, mask, logits_of) for label in (0, 1)]
    np.testing.assert_allclose(losses, expected[:2])
    # Batches that hold the class, whole.
    assert seen == [2, 2, 2]
    mixed = plain.class_loss([(images[:4], labels[:4])], 0, mask, logits_of)
    assert seen[-1] == 4
    assert mixed == pytest.approx((expected[0] + np.log(3)) / 2)


@pytest.fixture
def config(tmp_path):
    return Benchmarks(
        output=str(tmp_path / "run"),
        repeats=1,
        batch_size=8,
        eval_images=16,
        attack_images=4,
        attack_steps=2,
        search_images=20,
        search_patch=16,
        search_blocks=1,
    )


@pytest.mark.slow
def test_every_comparison_ends_up_in_the_table(tmp_path, config, monkeypatch):
    # The other networks compile for long, and processes that import Keras are not of this backend alone.
    monkeypatch.setattr(training, "NETWORKS", {"small_resnet": training.NETWORKS["small_resnet"]})
    monkeypatch.delitem(COMPARISONS, "import")
    run = Run.start("benchmarks", config)
    benchmarks(run, config)
    text = (tmp_path / "run" / "benchmarks.md").read_text()
    assert {record["stage"] for record in run.records} == set(COMPARISONS)
    for word in ("LowPass", "APRSingle", "band accuracy", "PGD", "ranking of frequencies", "CPU cores"):
        assert word in text


@pytest.mark.once
@pytest.mark.slow
def test_imports_are_timed(config):
    (record,) = imports.import_time(config, ())
    assert record["what"] == "import keras_freq after import keras"
    assert float(record["ours"].split()[0]) < float(record["other"].split()[0])
