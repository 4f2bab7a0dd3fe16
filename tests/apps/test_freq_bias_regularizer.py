"""Regularized input gradients: in miniature, its shares against a plain sum, a run that was cut short."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias.regularizer import SHARES, _share
from apps.lab.images import Images
from tests.apps import running
from tests.apps.running import interrupt, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 40, test_images: 20}
training: {network: tiny, epochs: 1, batch_size: 20, learning_rate: 0.05, schedule: constant}
severities: [5]
radii: [4, 8]
"""


@pytest.fixture(autouse=True)
def miniature(here):
    (here / "tiny.yaml").write_text(TINY)


@pytest.mark.once
def test_what_cannot_be_is_one_line():
    for word, message in {
        "rows=[apr_p]": "`rows` must hold some of standard, spectral_low, spectral_high",
        "radii=[-1]": "`radii` must hold at least one number",
        "training.augmentations.regularizer=-1": "`augmentations.regularizer` must lie in [0, 1000]",
    }.items():
        running.refuse(message, "freq_bias", "regularizer", "tiny.yaml", word, "output=out")


def test_shares_are_those_of_the_gradients_of_all_images(rng):
    """More images than are looked at in one call; the gradient of a linear classifier is known."""
    pixels, labels = rng.random((130, 12, 12, 1), dtype="float32"), (np.arange(130) % 2).astype("int32")
    kernel = rng.standard_normal((144, 2)).astype("float32") / 12
    model = keras.Sequential(
        [keras.Input((12, 12, 1)), keras.layers.Flatten(), keras.layers.Dense(2, use_bias=False)]
    )
    model.layers[-1].set_weights([kernel])
    # Of two classes the gradient of the loss is a multiple of the difference of their weights.
    power = np.abs(np.fft.fft2((kernel[:, 0] - kernel[:, 1]).astype("float64").reshape(12, 12))) ** 2
    power[0, 0] = 0
    frequency = np.fft.fftfreq(12, 1 / 12)
    distance = np.hypot(*np.meshgrid(frequency, frequency, indexing="ij"))
    expected = {"low": power[distance >= 2].sum(), "high": power[distance < 4].sum()}
    images = Images("waves", ("a", "b"), (pixels, labels), (pixels, labels))
    for towards in SHARES.values():
        assert _share(model, images, towards) == pytest.approx(expected[towards] / power.sum(), rel=1e-4)


@pytest.mark.slow
@pytest.mark.once
def test_in_miniature_and_after_an_interruption():
    words = ["regularizer", "tiny.yaml", "rows=[standard,spectral_low]"]
    printed = running.finish("freq_bias", *words, "output=straight")
    assert "summary.md" in printed
    values = [r["value"] for r in running.records("straight") if isinstance(r["value"], float)]
    assert len(values) >= 2 * 11
    assert all(0 <= value <= 1 for value in values)
    summary = Path("straight/summary.md").read_text()
    assert "Regularized to low frequencies" in summary
    assert {path.stem for path in Path("straight/figures").glob("*.png")} == {"regularizer"}
    with interrupt(kf.evaluate, "corruption_error", at=2):
        assert running.call("freq_bias", *words, "output=out", "store=elsewhere") == 130
    running.finish("freq_bias", "regularizer", "--resume", "out")
    assert numbers("out") == numbers("straight")
