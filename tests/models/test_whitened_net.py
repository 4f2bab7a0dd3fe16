"""The whitening kernel against its definition, and what the whitened network starts as."""

import keras
import numpy as np
import pytest

from keras_freq.models import PassThrough, ScaledBias, whitened_net, whitening_kernel
from tests.refusals import refused

to_numpy = keras.ops.convert_to_numpy


@pytest.fixture
def photographs(rng):
    """Smooth images, whose neighbors are alike."""
    noise = rng.random((40, 14, 12, 3))
    for axis in (1, 2):
        noise = sum(np.roll(noise, shift, axis) for shift in range(3)) / 3
    return noise.astype("float32")


def patches(images, size):
    """Every patch as a vector, in the order of a kernel's entries."""
    _, height, width, _ = images.shape
    found = [
        images[:, y : y + size, x : x + size].reshape(len(images), -1)
        for y in range(height - size + 1)
        for x in range(width - size + 1)
    ]
    return np.concatenate(found).astype("float64")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_filters_whiten_patches(size, photographs):
    mean, std = (0.5, 0.4, 0.6), (0.2, 0.3, 0.25)
    kernel = whitening_kernel(photographs, size=size, mean=mean, std=std, epsilon=1e-9)
    count = 3 * size**2
    assert kernel.shape == (size, size, 3, 2 * count)
    assert kernel.dtype == np.float32
    np.testing.assert_array_equal(kernel[..., :count], -kernel[..., count:])
    found = patches((photographs - np.array(mean)) / np.array(std), size)
    outputs = found @ kernel[..., :count].reshape(-1, count).astype("float64")
    np.testing.assert_allclose(outputs.T @ outputs / len(found), np.eye(count), atol=1e-3)
    norms = np.linalg.norm(kernel[..., :count].reshape(-1, count), axis=0)
    assert (np.diff(norms) > 0).all()  # largest variance, and so smallest filter, first


def test_bytes_are_what_they_are_as_floats_and_epsilon_bounds_the_filters(photographs):
    stored = np.rint(photographs * 255).astype("uint8")
    np.testing.assert_allclose(
        whitening_kernel(stored), whitening_kernel(stored / np.float32(255)), atol=1e-4
    )
    black = whitening_kernel(np.zeros((2, 4, 4, 3), "uint8"), epsilon=0.25)
    np.testing.assert_allclose(np.linalg.norm(black.reshape(12, -1), axis=0), 2, rtol=1e-5)


def test_pass_through_hands_the_first_channels_on():
    kernel = to_numpy(PassThrough()((3, 3, 2, 5)))
    wanted = np.zeros((3, 3, 2, 2))
    wanted[1, 1] = np.eye(2)
    np.testing.assert_array_equal(kernel[..., :2], wanted)
    bound = 1 / np.sqrt(3 * 3 * 2)
    assert 0.8 * bound < np.abs(kernel[..., 2:]).max() <= bound
    narrower = to_numpy(PassThrough()((3, 3, 4, 2)))
    np.testing.assert_array_equal(narrower[1, 1], np.eye(4, 2))
    assert np.abs(narrower).sum() == 2


def test_scaled_bias_learns_as_with_the_square_of_the_rate(rng):
    x = rng.normal(size=(6, 3)).astype("float32")
    wanted = rng.normal(size=(6, 3)).astype("float32")
    layer = ScaledBias(8.0)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(0.001), "mse", run_eagerly=True)
    model.train_on_batch(x, wanted)
    gradient = 2 * (x - wanted).sum(axis=0) / x.size
    np.testing.assert_allclose(8 * to_numpy(layer.bias), -64 * 0.001 * gradient, rtol=1e-4)
    again = ScaledBias.from_config(layer.get_config())
    assert again.scale == 8.0
    with refused(match=r"`scale` must be .*Received: scale=0$"):
        ScaledBias(0)


def test_the_network_starts_from_its_images(photographs):
    model = whitened_net(images=photographs, width=4, mean=0.5, std=0.25)
    kernel = to_numpy(model.get_layer("whitening").kernel)
    np.testing.assert_array_equal(kernel, whitening_kernel(photographs, mean=0.5, std=0.25))
    assert all("whitening/kernel" not in variable.path for variable in model.trainable_variables)
    assert any("whitening_bias" in variable.path for variable in model.trainable_variables)
    # Without images the pixels of a patch, and their negatives, come through.
    plain = to_numpy(whitened_net(width=4).get_layer("whitening").kernel).reshape(12, 24)
    np.testing.assert_array_equal(plain, np.concatenate([np.eye(12), -np.eye(12)], axis=1))


@pytest.mark.once
def test_parameters_by_hand():
    """Kernels, biases, moving means and variances."""

    def count(width):
        total, before = 2 * 2 * 3 * 24 + 24, 24
        for after in (width, 4 * width, 4 * width):
            total += 9 * before * after + 9 * after * after + 2 * after + 4 * after
            before = after
        return total + before * 10

    assert whitened_net().count_params() == count(64) == 1_973_944
    assert whitened_net(width=32).count_params() == count(32)


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "`size` must be .*Received: size=0$"),
        ({"size": 5}, "sides of at least `size`=5 pixels"),
        ({"epsilon": 0}, "`epsilon` must be .*Received: epsilon=0$"),
        ({"mean": (1, 2)}, r"`mean` must be .*Received: mean=\(1, 2\)$"),
    ],
)
def test_bad_arguments(arguments, message):
    with refused(match=message):
        whitening_kernel(np.zeros((2, 4, 4, 3), "uint8"), **arguments)
