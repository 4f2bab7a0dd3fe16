"""Grouped convolutions: the numbers and the weights of Keras' own, one convolution a group."""

import keras
import numpy as np
import pytest

from keras_freq.models import GroupedConv2D

to_numpy = keras.ops.convert_to_numpy


def convolved(x, kernel, strides, groups):
    """Unpadded grouped convolution, channels last, in float64 from its definition."""
    x, kernel = np.asarray(x, "float64"), np.asarray(kernel, "float64")
    inputs, outputs = x.shape[-1] // groups, kernel.shape[-1] // groups
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
    windows = windows[:, ::strides, ::strides]
    parts = [
        np.einsum(
            "nhwcij,ijco->nhwo",
            windows[..., g * inputs : (g + 1) * inputs, :, :],
            kernel[..., g * outputs : (g + 1) * outputs],
        )
        for g in range(groups)
    ]
    return np.concatenate(parts, axis=-1)


@pytest.mark.parametrize(("groups", "strides"), [(1, 1), (2, 2), (3, 1), (6, 2)])
def test_each_group_sees_its_own_channels(groups, strides, rng):
    x = rng.standard_normal((2, 7, 10, 6)).astype("float32")
    layer = GroupedConv2D(12, 3, groups=groups, strides=strides, use_bias=True, data_format="channels_last")
    layer.build(x.shape)
    bias = rng.standard_normal(12)
    layer.set_weights([layer.get_weights()[0], bias])
    expected = convolved(x, layer.get_weights()[0], strides, groups) + bias
    y = to_numpy(layer(x))
    assert y.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(y, expected, atol=1e-5)


@pytest.mark.parametrize("options", [{"padding": "same"}, {"dilation_rate": 2}, {"activation": "relu"}])
def test_options_and_weights_are_those_of_keras(options, rng):
    x = rng.standard_normal((2, 7, 10, 4)).astype("float32")
    options = {"groups": 2, "data_format": "channels_last", **options}
    ours, theirs = GroupedConv2D(6, 3, **options), keras.layers.Conv2D(6, 3, **options)
    ours.build(x.shape)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(to_numpy(ours(x)), to_numpy(theirs(x)), atol=1e-5)


def test_channels_first(rng):
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no convolution with channels first on a CPU")
    x = rng.standard_normal((2, 7, 10, 4)).astype("float32")
    layer = GroupedConv2D(6, 3, groups=2, data_format="channels_first")
    y = to_numpy(layer(np.moveaxis(x, -1, 1)))
    expected = convolved(x, layer.get_weights()[0], 1, 2)
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), expected, atol=1e-5)


@pytest.mark.parametrize("jit", [False, True])
def test_it_trains_like_keras_own(jit, rng):
    """One step of gradient descent moves both kernels alike, compiled and not."""
    x = rng.standard_normal((4, 6, 5, 4)).astype("float32")
    y = rng.standard_normal((4, 6, 5, 6)).astype("float32")
    after = []
    for kind in (GroupedConv2D, keras.layers.Conv2D):
        inputs = keras.Input((6, 5, 4))
        layer = kind(6, 3, groups=2, padding="same", data_format="channels_last")
        model = keras.Model(inputs, layer(inputs))
        start = np.random.default_rng(1).standard_normal(layer.kernel.shape)
        model.set_weights([start, np.zeros(6)])
        model.compile(
            keras.optimizers.SGD(0.5), "mse", jit_compile=jit and keras.backend.backend() != "torch"
        )
        model.train_on_batch(x, y)
        after.append(model.get_weights())
    assert np.abs(after[0][0] - start).max() > 1e-3
    for ours, theirs in zip(*after, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_it_is_saved_with_its_options(rng, tmp_path):
    inputs = keras.Input((None, None, 4))
    model = keras.Model(inputs, GroupedConv2D(6, (3, 1), groups=2, strides=2)(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = rng.standard_normal((2, 9, 8, 4)).astype("float32")
    np.testing.assert_array_equal(to_numpy(again(x)), to_numpy(model(x)))
    assert again.layers[-1].groups == 2
    assert model.layers[-1].kernel.shape == (3, 1, 2, 6)


def test_channels_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="divisible by the number of groups"):
        GroupedConv2D(6, 3, groups=4)
    with pytest.raises(ValueError, match="divisible by the number of groups"):
        GroupedConv2D(6, 3, groups=2, data_format="channels_last").build((None, 8, 8, 3))
