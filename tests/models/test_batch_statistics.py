"""Batch statistics in inference."""

import keras
import numpy as np
import pytest

from keras_freq.evaluate import predict_logits
from keras_freq.models import BatchStatisticsNormalization, small_resnet

to_numpy = keras.ops.convert_to_numpy
EPSILON = 1e-3


def normalized(x, axis, gamma=1.0, beta=0.0):
    x = np.moveaxis(np.asarray(x, "float64"), axis, -1)
    axes = tuple(range(x.ndim - 1))
    y = (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPSILON) * gamma + beta
    return np.moveaxis(y, -1, axis)


def made(shape, axis=-1, **options):
    layer = BatchStatisticsNormalization(axis=axis, **options)
    layer.build((None, *shape[1:]))
    generator = np.random.default_rng(5)
    weights = [generator.uniform(0.5, 2, w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    return layer, weights


@pytest.mark.parametrize(
    ("shape", "axis"), [((6, 5, 4, 3), -1), ((6, 3, 5, 4), 1), ((6, 5, 4, 3), 2), ((9, 7), 1)]
)
def test_normalizes_with_the_batch_at_hand(shape, axis, rng):
    x = (3 * rng.standard_normal(shape) + 2).astype("float32")
    layer, weights = made(shape, axis)
    expected = normalized(x, axis, weights[0], weights[1])
    np.testing.assert_allclose(to_numpy(layer(x, training=False)), expected, atol=1e-5)
    np.testing.assert_allclose(to_numpy(layer(x)), expected, atol=1e-5)
    for old, new in zip(weights, layer.get_weights(), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-6)


def test_training_is_that_of_batch_normalization(rng):
    x = rng.standard_normal((6, 5, 4, 3)).astype("float32")
    layer, weights = made(x.shape)
    usual = keras.layers.BatchNormalization()
    usual.build(x.shape)
    usual.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        to_numpy(layer(x, training=True)), to_numpy(usual(x, training=True)), atol=1e-6
    )
    for a, b in zip(layer.get_weights(), usual.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert np.abs(layer.get_weights()[2] - weights[2]).max() > 1e-4
    # In inference training's own numbers come out once more, and only the usual layer asks the past.
    np.testing.assert_allclose(to_numpy(layer(x)), to_numpy(layer(x, training=True)), atol=1e-5)
    assert np.abs(to_numpy(usual(x)) - to_numpy(layer(x))).max() > 1e-2


def test_a_frozen_layer_uses_the_batch_and_learns_nothing(rng):
    x = rng.standard_normal((8, 4)).astype("float32")
    layer, weights = made(x.shape)
    layer.trainable = False
    np.testing.assert_allclose(
        to_numpy(layer(x, training=True)), normalized(x, -1, weights[0], weights[1]), atol=1e-5
    )
    np.testing.assert_allclose(layer.get_weights()[2], weights[2], rtol=1e-6)


def test_moments_are_computed_in_float32(rng):
    # In float16 the squares of these would be infinite.
    x = (1000 + 10 * rng.standard_normal((32, 8, 8, 3))).astype("float16")
    layer = BatchStatisticsNormalization(dtype="mixed_float16", center=False, scale=False)
    result = layer(x)
    assert keras.backend.standardize_dtype(result.dtype) == "float16"
    np.testing.assert_allclose(to_numpy(result), normalized(x, -1), atol=0.02)


def small_network(normalization):
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, strides=4),
            normalization(name="norm"),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4),
        ]
    )


def test_in_a_model_that_trains_predicts_and_is_saved(images, labels, tmp_path):
    model = small_network(BatchStatisticsNormalization)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=keras.backend.backend() != "torch")
    model.fit(images, labels, epochs=2, verbose=0)
    moving = model.get_layer("norm").get_weights()[2:]
    assert np.abs(moving[0]).max() > 0
    logits = to_numpy(model(images))
    halves = model.predict(images, batch_size=4, verbose=0)
    assert np.abs(halves - logits).max() > 1e-3  # an image is not alone
    np.testing.assert_allclose(halves[:4], to_numpy(model(images[:4])), rtol=1e-4, atol=1e-5)
    for old, new in zip(moving, model.get_layer("norm").get_weights()[2:], strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(logits, to_numpy(model(images, training=True)), rtol=1e-4, atol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(to_numpy(again(images)), logits, rtol=1e-4, atol=1e-5)


def test_evaluations_take_the_batch_as_it_is(images, labels):
    model = small_network(BatchStatisticsNormalization)
    expected = np.concatenate([to_numpy(model(images[:5])), to_numpy(model(images[[5, 6, 7, 7, 7]]))[:3]])
    # The last batch is filled up with copies of its last image, and the filling takes part.
    np.testing.assert_allclose(predict_logits(model, images, batch_size=5), expected, rtol=1e-4, atol=1e-5)


def test_a_network_takes_the_weights_of_one_with_the_usual_statistics(images):
    usual, model = (small_resnet(width=2, normalization=kind) for kind in ("batch", "batch_statistics"))
    model.set_weights(usual.get_weights())
    assert np.abs(to_numpy(model(images)) - to_numpy(usual(images))).max() > 1e-3


def test_renorm_is_refused():
    with pytest.raises(ValueError, match="`renorm` must be False"):
        BatchStatisticsNormalization(renorm=True)
