"""Compiled logits and input gradients: current weights, one compilation, no leak."""

import gc
import weakref

import keras
import numpy as np
import pytest

from keras_freq._core.compiled import differentiable_logits
from keras_freq.attacks import compile_logits, compile_loss_gradient, pgd

EAGER = keras.backend.backend() == "torch"


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def test_logits_are_the_models(classifier, images):
    expected = to_numpy(classifier(images, training=False))
    np.testing.assert_allclose(to_numpy(compile_logits(classifier)(images)), expected, rtol=1e-5, atol=1e-6)


def test_inference_mode(images):
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Dropout(0.9), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    logits = compile_logits(model)
    np.testing.assert_array_equal(to_numpy(logits(images)), to_numpy(logits(images)))
    np.testing.assert_allclose(
        to_numpy(logits(images)), to_numpy(model(images, training=False)), rtol=1e-5, atol=1e-5
    )


def test_weights_are_current_after_more_training(classifier, images, labels):
    logits, gradient = compile_logits(classifier), compile_loss_gradient(classifier)
    before, slope = to_numpy(logits(images)), to_numpy(gradient(images, labels))
    classifier.compile(
        keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    for _ in range(2):  # the second fit deletes the arrays of the first on JAX
        classifier.fit(images, labels, epochs=2, verbose=0)
        now = to_numpy(logits(images))
        np.testing.assert_allclose(now, to_numpy(classifier(images, training=False)), rtol=1e-4, atol=1e-5)
        assert np.abs(now - before).max() > 1e-3
        assert np.abs(to_numpy(gradient(images, labels)) - slope).max() > 0
        before = now


def test_weights_are_current_after_set_weights(classifier, images):
    logits = compile_logits(classifier)
    logits(images)
    classifier.set_weights([np.zeros_like(weight) for weight in classifier.get_weights()])
    np.testing.assert_array_equal(to_numpy(logits(images)), np.zeros((8, 4)))


@pytest.mark.skipif(EAGER, reason="PyTorch runs eagerly")
def test_one_compilation_for_many_calls(counting, rng):
    model, runs = counting((8, 8, 3), 4)
    images = rng.random((6, 8, 8, 3), dtype="float32")
    for _ in range(4):
        compile_logits(model)(images + 0.0)
    assert len(runs) == 1
    for epsilon in (0.01, 0.02, 0.03):
        pgd(model, images, np.arange(6) % 4, epsilon=epsilon, steps=5)
    traced = len(runs)
    assert traced <= 3  # one more for the attack's step, which TensorFlow may trace twice for the gradient
    pgd(model, images, np.arange(6) % 4, epsilon=0.04, steps=9)
    assert len(runs) == traced


@pytest.mark.skipif(EAGER, reason="PyTorch runs eagerly")
def test_transform_arguments_do_not_recompile(counting, rng):
    model, runs = counting((8, 8, 3), 4)
    images = rng.random((6, 8, 8, 3), dtype="float32")
    logits = compile_logits(model, lambda x, gain: x * gain)
    values = [to_numpy(logits(images, np.float32(gain))) for gain in (0.0, 0.5, 1.0)]
    assert len(runs) == 1
    np.testing.assert_allclose(values[2], to_numpy(model(images)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(values[1], to_numpy(model(images * 0.5)), rtol=1e-5, atol=1e-6)


def test_a_model_with_new_weights_objects_is_compiled_anew(images):
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    assert to_numpy(compile_logits(model)(images)).shape == (8, 3)
    model.add(keras.layers.Dense(5))
    assert to_numpy(compile_logits(model)(images)).shape == (8, 5)


def test_unbuilt_model(images):
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3)])
    assert to_numpy(compile_logits(model)(images)).shape == (8, 3)


def test_model_can_be_collected(images):
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    compile_logits(model)(images)
    compile_loss_gradient(model)(images, np.zeros(8, "int32"))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_gradient_of_a_linear_model(rng):
    """For logits W x the gradient is W (softmax(W x) - onehot), in float64."""
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    images, labels = rng.random((5, 4, 4, 1), dtype="float32"), np.array([0, 1, 2, 0, 1])
    weights, bias = (array.astype("float64") for array in model.get_weights())
    logits = images.reshape(5, 16).astype("float64") @ weights + bias
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = ((softmax - np.eye(3)[labels]) @ weights.T).reshape(images.shape)
    np.testing.assert_allclose(to_numpy(compile_loss_gradient(model)(images, labels)), expected, atol=2e-6)


def test_gradient_of_an_image_does_not_depend_on_its_batch(classifier, images, labels):
    gradient = compile_loss_gradient(classifier)
    alone = to_numpy(gradient(images[:1], labels[:1]))
    np.testing.assert_allclose(to_numpy(gradient(images, labels))[:1], alone, rtol=1e-4, atol=1e-8)


@pytest.mark.skipif(not EAGER, reason="gradients of weights are kept on PyTorch only")
def test_weight_gradients_stay_empty_on_torch(classifier, images, labels):
    pgd(classifier, images, labels, epsilon=0.01, steps=2)
    x = keras.ops.convert_to_tensor(images).requires_grad_()
    differentiable_logits(classifier)(x).sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_mixed_precision_model_returns_float32(images, labels):
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Flatten(dtype="mixed_bfloat16"),
            keras.layers.Dense(3, dtype="mixed_bfloat16"),
        ]
    )
    assert to_numpy(compile_logits(model)(images)).dtype == np.float32
    assert np.isfinite(to_numpy(compile_loss_gradient(model)(images, labels % 3))).all()


@pytest.mark.parametrize("model", [None, "resnet", lambda x: x])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(TypeError, match=r"Keras model.*Received: model="):
        compile_logits(model)


def test_outputs_that_are_no_logits_are_refused(images):
    maps = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3)])
    with pytest.raises(ValueError, match=r"one tensor of logits.*Received: an output of shape"):
        compile_logits(maps)(images)
    inputs = keras.Input((32, 32, 3))
    flat = keras.layers.Flatten()(inputs)
    two = keras.Model(inputs, [keras.layers.Dense(3)(flat), keras.layers.Dense(3)(flat)])
    with pytest.raises(ValueError, match=r"has several outputs"):
        compile_logits(two)(images)
