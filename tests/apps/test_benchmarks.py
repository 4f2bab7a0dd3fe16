from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from apps.benchmarks import plain
from apps.benchmarks.config import Benchmarks
from apps.benchmarks.experiment import COMPARISONS, benchmarks
from apps.benchmarks.timing import time_pair
from apps.runner import Run, load_config
from tests.oracles import spectral as oracle

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "benchmarks" / "cpu.yaml"


def test_the_configuration_holds_the_defaults():
    assert load_config(Benchmarks, CONFIG) == Benchmarks()


def test_ratio_is_the_others_time_over_ours():
    pair = time_pair(lambda: time.sleep(0.002), lambda: time.sleep(0.02), repeats=3, inner=2)
    assert 3 < pair.ratio < 12
    assert pair.ours < pair.other


def test_the_plain_ways_do_what_ours_do(images):
    mask = oracle.distance(32, 32) < 8
    np.testing.assert_allclose(plain.low_pass(images, mask), oracle.filtered(images, mask), atol=1e-6)
    levels = np.round(images * 255).astype("uint8")
    results = [plain.apr_single(image, seed) for seed, image in enumerate(levels)]
    assert all(r.shape == (32, 32, 3) and r.dtype == np.uint8 for r in results)
    assert plain.apr_single_batch(levels) == 8


@pytest.mark.slow
def test_every_comparison_ends_up_in_the_table(tmp_path, capsys):
    config = Benchmarks(
        output=str(tmp_path / "run"), repeats=1, batch_size=8, eval_images=16, attack_images=4, attack_steps=2
    )
    run = Run.start("benchmarks", config)
    benchmarks(run, config)
    text = (tmp_path / "run" / "benchmarks.md").read_text()
    assert {record["stage"] for record in run.records} == set(COMPARISONS)
    for word in (
        "LowPass",
        "APRSingle",
        "ResNet-18",
        "band accuracy",
        "PGD",
        "import keras_freq",
        "CPU cores",
    ):
        assert word in text
    assert text in capsys.readouterr().out
