"""A function for some images of a batch: what is computed, and where."""

import keras
import numpy as np
import pytest

from keras_freq.layers import APRSingle, AugMix
from keras_freq.layers import _apply_where as module
from keras_freq.layers._apply_where import apply_where, can_be_grouped
from keras_freq.layers._operations import OPERATIONS, apply_operations, operations
from keras_freq.spectral._backend import library_of

BACKEND = keras.backend.backend()
to_numpy = keras.ops.convert_to_numpy


def compile_here(function):
    """As `fit` compiles it on processors; PyTorch compiles nothing there."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    return function


def compute_all(monkeypatch):
    for place in (module, operations):
        monkeypatch.setattr(place, "can_be_grouped", lambda images: False)


def make_levels(batch, seed=0):
    rng = np.random.default_rng(seed)
    return np.floor(rng.uniform(0, 256, (batch, 12, 10, 3))).astype("float32")


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_chosen_images_alone_are_changed(batch, share):
    images = make_levels(batch)
    chosen = np.arange(batch) < share * batch
    amount = np.arange(batch).astype("float32")[:, None, None, None]

    def function(images, chosen, amount):
        return apply_where(chosen, lambda images, amount: images + amount, images, amount)

    result = compile_here(function)(*(keras.ops.convert_to_tensor(x) for x in (images, chosen, amount)))
    assert np.array_equal(to_numpy(result), np.where(chosen[:, None, None, None], images + amount, images))
    assert np.array_equal(function(images, chosen, amount), to_numpy(result))


def test_on_processors_only_they_are_computed():
    def count(images):
        """The number of images that are computed together, in the place of each."""
        return images * 0 + library_of(images).cast(keras.ops.shape(images)[0], "float32")

    chosen = np.arange(8) < 3
    result = compile_here(lambda images, chosen: apply_where(chosen, count, images))(
        keras.ops.convert_to_tensor(make_levels(8)), keras.ops.convert_to_tensor(chosen)
    )
    together = {"tensorflow": 3, "jax": 1, "torch": 8}[BACKEND]
    assert set(to_numpy(result)[:3].ravel()) == {together}
    assert np.array_equal(to_numpy(result)[3:], make_levels(8)[3:])


@pytest.mark.parametrize("names", [OPERATIONS, ("equalize", "rotate", "equalize"), ("solarize",)], ids=len)
def test_grouped_operations_are_those_of_all_images(names, monkeypatch):
    rng = np.random.default_rng(1)
    choice = (np.arange(27) % len(names)).astype("float32")
    strength, sign = rng.uniform(0.1, 10, 27).astype("float32"), np.where(np.arange(27) % 2, 1.0, -1.0)
    arguments = make_levels(27), choice, strength, sign.astype("float32")
    tensors = [keras.ops.convert_to_tensor(x) for x in arguments]
    grouped = to_numpy(compile_here(lambda *tensors: apply_operations(*tensors, names))(*tensors))
    compute_all(monkeypatch)
    whole = to_numpy(compile_here(lambda *tensors: apply_operations(*tensors, names))(*tensors))
    assert np.abs(grouped - whole).max() <= 1
    assert (grouped != whole).mean() < 1e-3


@pytest.mark.parametrize("layer", [APRSingle, AugMix])
def test_a_layer_draws_the_same_either_way(layer, monkeypatch):
    # Levels that no rounding of coordinates decides: an affine map of a gradient would.
    layer = layer(operations=("posterize", "translate_x", "solarize", "autocontrast"))
    images = keras.ops.convert_to_tensor(make_levels(16) / 255)
    grouped = to_numpy(compile_here(lambda images: layer.apply_stateless(images, 3))(images))
    compute_all(monkeypatch)
    whole = to_numpy(compile_here(lambda images: layer.apply_stateless(images, 3))(images))
    assert np.abs(grouped - whole).max() <= 1.01 / 255
    assert (np.abs(grouped - whole) > 1e-5).mean() < 1e-3


def test_a_gradient_passes_to_the_images_that_are_left():
    images, chosen = make_levels(4), np.asarray([True, False, True, False])

    def total(images):
        return keras.ops.sum(apply_where(keras.ops.convert_to_tensor(chosen), lambda x: 3 * x, images))

    tensor = keras.ops.convert_to_tensor(images)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = compile_here(total)(tensor)
        gradient = tape.gradient(value, tensor)
    elif BACKEND == "jax":
        import jax

        gradient = jax.jit(jax.grad(total))(tensor)
    else:
        tensor = tensor.clone().requires_grad_()
        total(tensor).backward()
        gradient = tensor.grad
    expected = np.where(chosen, 3.0, 1.0)[:, None, None, None] * np.ones_like(images)
    assert np.array_equal(to_numpy(gradient), expected)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="TensorFlow's graphs")
def test_xla_and_accelerators_want_every_shape_beforehand(monkeypatch):
    """The private name of TensorFlow that this rests on is watched here."""
    import tensorflow as tf

    images = tf.zeros((2, 4, 4, 3))
    seen = {}

    def trace(name, **options):
        def look(images):
            seen[name] = can_be_grouped(images)
            return images

        return tf.function(look, **options)

    trace("plain")(images)
    trace("by XLA", jit_compile=True)(images)
    inner = trace("inside")
    tf.function(lambda images: inner(images), jit_compile=True)(images)
    next(iter(tf.data.Dataset.from_tensors(images).map(trace("pipeline"))))
    assert seen == {"plain": True, "by XLA": False, "inside": False, "pipeline": True}
    layer = APRSingle()
    compiled = tf.function(lambda images: layer.apply_stateless(images, 5), jit_compile=True)
    assert compiled(images).shape == images.shape
    gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda: [gpu])
    assert not can_be_grouped(images)


@pytest.mark.skipif(BACKEND != "jax", reason="JAX's devices")
def test_devices_that_share_a_batch_compute_all(monkeypatch):
    import jax

    images = keras.ops.zeros((2, 4, 4, 3))
    assert can_be_grouped(images)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert not can_be_grouped(images)
    monkeypatch.undo()
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    try:
        assert not can_be_grouped(images)
    finally:
        keras.distribution.set_distribution(before)


def test_arrays_and_pytorch_are_not_grouped():
    assert not can_be_grouped(make_levels(1))
    if BACKEND == "torch":
        assert not can_be_grouped(keras.ops.zeros((2, 4, 4, 3)))
