"""Synthetic sets and early learning: both in miniature, and a run that was cut short."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_shortcuts import early
from tests.apps import running
from tests.apps.running import interrupt, numbers

TRAINING = "{network: tiny, batch_size: 20, iterations: 3}"
MINIATURES = {
    "synthetic": "seeds: 1\nbands: [4]\ntrain_per_class: 10\ntest_per_class: 5\n"
    f"networks: [tiny]\nevery: 2\ntraining: {TRAINING}\n",
    "learning": "seeds: 1\ndata: {name: cifar10_mini, train_images: 40, test_images: 30}\n"
    f"kinds: [original, high]\nradius: 4\nevery: 2\ntraining: {TRAINING}\n",
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(text)


@pytest.mark.once
def test_classes_learned_at_the_same_measurement():
    alone = np.array([[0.4, 0.0, 0.0, 0.5], [0.9, 0.9, 0.9, 0.9]])
    both = np.array([[0.4, 0.0, 0.0, 0.4], [0.5, 0.0, 0.0, 0.9], [0.9, 0.9, 0.9, 0.9]])
    assert not early.tied(alone)
    assert early.tied(both)
    assert not early.tied(np.full((2, 4), 0.4))


@pytest.mark.once
@pytest.mark.slow
def test_synthetic_in_miniature_and_again_after_a_kill(here):
    words = ["freq_shortcuts", "synthetic"]
    running.finish(*words, "synthetic.yaml", "output=straight", "store=elsewhere")
    # The last step, in the second epoch.
    with interrupt(kf.callbacks.EarlyLearning, "on_train_batch_end", at=3):
        assert running.call(*words, "synthetic.yaml", "output=out") == 130
    assert numbers("out") == []
    running.finish(*words, "--resume", "out")
    straight = numbers("straight")
    assert numbers("out") == straight
    found = [r for r in straight if r["stage"] == "tiny/b4/seed0"]
    assert len(found) == 4 * (1 + 1 + 6)
    assert all(0 <= r["value"] <= 1 for r in found if r["measure"] != "learned")
    out = here / "out"
    figures = {path.stem for path in (out / "figures").glob("*.png")}
    assert figures == {"images", "spectra", "early_tiny", "band_stop_tiny_b4"}
    assert "C3 first in B4: " in (out / "summary.md").read_text()


@pytest.mark.slow
def test_learning_in_miniature(here):
    running.finish("freq_shortcuts", "learning", "learning.yaml", "output=out")
    records = numbers("out")
    for kind in ("original", "high"):
        of_kind = [r for r in records if r.get("kind") == kind and r["measure"] != "training accuracy"]
        assert len(of_kind) == 10
    assert "high-passed, radius 4" in (here / "out" / "summary.md").read_text()
