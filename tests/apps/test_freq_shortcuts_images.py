"""The images of frequency shortcuts: some classes of a set, large ones as bytes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_shortcuts import images
from apps.freq_shortcuts.config import LabeledImages, Synthetic
from apps.lab import Run, RunError

LABELS = np.arange(32, dtype="int32") % 2
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 12, 12, 3), dtype="uint8")


def begin(name):
    return Run.start("freq_shortcuts", Synthetic(output=name))


@pytest.mark.once
def test_images_of_some_classes_large_ones_as_bytes(here, monkeypatch):
    kf.data.write_npz(
        here / "own.npz", train=(IMAGES, LABELS), test=(IMAGES[:8], LABELS[:8]), classes=["a", "b"]
    )
    settings = LabeledImages(name=str(here / "own.npz"), classes=("b", "a"), train_images=10)
    found = images.load_images(begin("floats"), settings)
    assert (found.name, found.classes, found.shape) == ("own", ("b", "a"), (12, 12, 3))
    assert found.train[0].dtype == np.float32
    np.testing.assert_array_equal(np.rint(255 * found.train[0]), IMAGES[:10])
    np.testing.assert_array_equal(found.train[1], 1 - LABELS[:10])
    # As float32 the 10 training images would take 17,280 bytes, the 8 test images 13,824.
    monkeypatch.setattr(images, "MOST_BYTES", 15_000)
    some = images.load_images(begin("bytes"), settings)
    assert (some.train[0].dtype, some.test[0].dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(some.train[0], IMAGES[:10])
    with pytest.raises(RunError, match=r"`classes` must be among the 2 of .*Received: classes with 'c'"):
        images.load_images(begin("wrong"), dataclasses.replace(settings, classes=("a", "c")))
    # The fallback has the classes too, at its own size.
    away = LabeledImages(
        name=str(here / "none.npz"), fallback="cifar10_mini", image_size=99, classes=("cat", "dog")
    )
    assert images.load_images(begin("away"), away).shape == (32, 32, 3)
