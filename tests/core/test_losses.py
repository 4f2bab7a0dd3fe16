import keras
import numpy as np
import pytest
from keras import ops

from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.losses import cross_entropy, nan_where_infinite


def oracle(logits, weights):
    """The definition in float64."""
    logits = logits.astype("float64")
    top = logits.max(-1, keepdims=True)
    total = top + np.log(np.exp(logits - top).sum(-1, keepdims=True))
    return (weights * (total - logits)).sum(-1)


def tensor(array):
    return ops.convert_to_tensor(array)


def to_numpy(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("scale", [0.1, 1, 30, 3000])
@pytest.mark.parametrize("shape", [(7, 5), (3, 7, 5), (7, 2)])
def test_equals_the_definition(scale, shape, rng):
    logits = (scale * rng.standard_normal(shape)).astype("float32")
    labels = rng.integers(0, shape[-1], shape[-2]).astype("int32")
    one_hot = np.eye(shape[-1])[labels]
    expected = oracle(logits, one_hot)
    np.testing.assert_allclose(
        to_numpy(cross_entropy(tensor(logits), tensor(labels))), expected, rtol=2e-6, atol=1e-12
    )
    weights = rng.random(shape).astype("float32")
    np.testing.assert_allclose(
        to_numpy(cross_entropy(tensor(logits), tensor(weights))), oracle(logits, weights), rtol=5e-6
    )


@pytest.mark.parametrize("form", ["indices", "one-hot"])
@pytest.mark.parametrize("margin", [-60.0, -1.0, 0.5, 12.0, 40.0, 80.0])
def test_keeps_the_gradient_of_an_image_that_the_model_is_sure_of(form, margin):
    logits = np.array([[margin, 0.0, -1.0, 0.3]], "float32")
    exact = np.exp(logits.astype("float64") - logits.max())
    exact /= exact.sum()
    exact[0, 0] = -exact[0, 1:].sum()
    label = np.array([0], "int32") if form == "indices" else np.eye(4, dtype="float32")[:1]
    gradient = input_gradient(lambda z: ops.sum(cross_entropy(z, tensor(label))), tensor(logits))
    np.testing.assert_allclose(to_numpy(gradient), exact, rtol=1e-5, atol=1e-37)


def test_ties_and_excluded_classes():
    logits = np.array([[2.0, 2.0, -np.inf], [1.0, -np.inf, -np.inf]], "float32")
    labels = np.array([1, 0], "int32")
    np.testing.assert_allclose(
        to_numpy(cross_entropy(tensor(logits), tensor(labels))), [np.log(2), 0], rtol=1e-6
    )
    gradient = input_gradient(lambda z: ops.sum(cross_entropy(z, tensor(labels))), tensor(logits))
    np.testing.assert_allclose(to_numpy(gradient), [[0.5, -0.5, 0], [0, 0, 0]], atol=1e-7)
    excluded = to_numpy(cross_entropy(tensor(logits), tensor(np.array([2, 2], "int32"))))
    assert np.isposinf(excluded).all()
    np.testing.assert_array_equal(np.isnan(to_numpy(nan_where_infinite(tensor(logits)))), [True, True])


def test_half_precision_is_computed_in_float32():
    logits = ops.cast(tensor(np.array([[10.0, 0.0]], "float32")), "float16")
    found = cross_entropy(logits, tensor(np.array([0])))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(to_numpy(found), np.log1p(np.exp(-10)), rtol=1e-6)
