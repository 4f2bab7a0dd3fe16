"""Every network of the table is built at a small width and takes a step."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from apps.lab.augmentations import wrap
from apps.lab.networks import classifier
from apps.lab.settings import Crop, Training
from apps.lab.train import compile_for

WIDTHS = {
    "small_resnet": 2,
    "whitened_net": 2,
    "resnet18": 2,
    "resnet50": 2,
    "vgg16_bn": 2,
    "alexnet_small": 4,
    "vit": 8,
}
DEEP = ("resnet18", "resnet50", "vgg16_bn", "vit")


def variables(model):
    return [keras.ops.convert_to_numpy(variable) for variable in model.variables]


@pytest.mark.once
@pytest.mark.parametrize(
    "network", [pytest.param(n, marks=pytest.mark.slow if n in DEEP else ()) for n in WIDTHS]
)
def test_a_network_trains_a_step(network, rng):
    training = Training(
        network=network, width=WIDTHS[network], learning_rate=0.01, crop=Crop(padding=2, area=(0.5, 1.0))
    )
    pixels, labels = rng.random((8, 12, 12, 3), "float32"), np.arange(8) % 2
    model = classifier(training, (12, 12, 3), 2, seed=0, name="net")
    wrapper = wrap(model, training, (12, 12, 3), seed=0)
    wrapper.build((None, 12, 12, 3))
    compile_for(wrapper, training, steps=1, classes=2)
    # Tracing takes TensorFlow longer than the step.
    model.run_eagerly = wrapper.run_eagerly = keras.backend.backend() == "tensorflow"
    before = variables(model)
    logits = model.predict(pixels, verbose=0)
    assert logits.shape == (8, 2)
    np.testing.assert_allclose(wrapper.predict(pixels, verbose=0), logits, rtol=1e-5, atol=1e-5)
    values = wrapper.train_on_batch(pixels, labels, return_dict=True)
    assert np.isfinite([float(value) for value in values.values()]).all()
    moved = [np.abs(a - b).max() > 0 for a, b in zip(before, variables(model), strict=True)]
    assert np.mean(moved) > 0.5


@pytest.mark.once
def test_pixels_as_they_are_have_any_number_of_channels(rng):
    images = rng.random((2, 16, 16, 1), "float32")
    training = Training(width=2, statistics="none")
    model = classifier(training, images.shape[1:], 3, seed=0, name="gray")
    assert model(images).shape == (2, 3)
