"""Synthetic sets and early learning: settings, both in miniature, and a run that was cut short."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_shortcuts import early
from apps.freq_shortcuts.__main__ import EXPERIMENTS
from apps.lab import RunError, load_config
from tests.apps import running
from tests.apps.running import numbers

CONFIGS = running.CONFIGS / "freq_shortcuts"
TRAINING = "{network: small_resnet, width: 2, batch_size: 20, iterations: 3}"
MINIATURES = {
    "synthetic": "seeds: 1\nbands: [1, 4]\ntrain_per_class: 10\ntest_per_class: 5\n"
    f"networks: [small_resnet]\nevery: 2\ntraining: {TRAINING}\n",
    "learning": "seeds: 1\ndata: {name: cifar10_mini, train_images: 40, test_images: 30}\n"
    f"kinds: [original, high]\nradius: 4\nevery: 2\ntraining: {TRAINING}\n",
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(text)


def call(*words):
    return running.call("freq_shortcuts", *words)


@pytest.mark.parametrize("name", MINIATURES)
def test_the_protocol_is_the_published_one(name):
    training = load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.yaml").training
    small = load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.cpu.yaml").training
    assert (training.learning_rate, training.momentum, training.nesterov) == (0.01, 0.9, True)
    assert (training.batch_size, training.crop.padding, training.validation) == (64, None, 0)
    assert training.iterations == {"synthetic": 500, "learning": 1200}[name]
    assert (small.iterations, small.width, small.schedule, small.statistics) == (
        500,
        16,
        "constant",
        "cifar10",
    )


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("synthetic", "bands=[5]", "`bands` must hold at least one number, each in [1, 4]"),
        ("synthetic", "every=501", "`every` must lie in [1, 500]"),
        ("learning", "training.iterations=null", "`training.iterations` must be the number of steps"),
        ("learning", "kinds=[all]", "`kinds` must hold some of original, low, high"),
        ("learning", "radius=-1", "`radius` must be at least 0"),
    ],
)
def test_wrong_settings_are_one_line(name, word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_classes_learned_at_the_same_measurement():
    alone = np.array([[0.4, 0.0, 0.0, 0.5], [0.9, 0.9, 0.9, 0.9]])
    both = np.array([[0.4, 0.0, 0.0, 0.4], [0.5, 0.0, 0.0, 0.9], [0.9, 0.9, 0.9, 0.9]])
    assert not early.tied(alone)
    assert early.tied(both)
    assert not early.tied(np.full((2, 4), 0.4))


@pytest.mark.slow
def test_synthetic_in_miniature_and_again_after_a_kill(here, monkeypatch, capsys):
    assert call("synthetic", "synthetic.yaml", "output=straight", "store=elsewhere") == 0
    scores, calls = kf.callbacks.EarlyLearning.on_train_batch_end, []

    def interrupted(self, batch, logs=None):
        calls.append(batch)
        if len(calls) == 6:  # the last step of the second training, in its second epoch
            raise KeyboardInterrupt
        scores(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(kf.callbacks.EarlyLearning, "on_train_batch_end", interrupted)
        assert call("synthetic", "synthetic.yaml", "output=out") == 130
    kept, straight = numbers("out"), numbers("straight")
    label = "small_resnet/b1/seed0"
    assert {r["stage"] for r in kept} == {f"{label}/training", f"{label}/band_stop", label}
    assert call("synthetic", "--resume", "out") == 0, capsys.readouterr().err
    assert numbers("out") == straight
    for band in (1, 4):
        found = [r for r in straight if r["stage"] == f"small_resnet/b{band}/seed0"]
        assert len(found) == 4 * (1 + 1 + 6)
        assert all(0 <= r["value"] <= 1 for r in found if r["measure"] != "learned")
    out = here / "out"
    figures = {path.stem for path in (out / "figures").glob("*.png")}
    assert figures == {
        "images",
        "spectra",
        "early_small_resnet",
        "band_stop_small_resnet_b1",
        "band_stop_small_resnet_b4",
    }
    assert "C3 first in B1: " in (out / "summary.md").read_text()


@pytest.mark.slow
def test_learning_in_miniature(here, capsys):
    assert call("learning", "learning.yaml", "output=out") == 0, capsys.readouterr().err
    records = numbers("out")
    for kind in ("original", "high"):
        of_kind = [r for r in records if r.get("kind") == kind and r["measure"] != "training accuracy"]
        assert len(of_kind) == 10
    assert "high-passed, radius 4" in (here / "out" / "summary.md").read_text()
