"""Gradients, compilation, functional models and `tf.data`, on the active backend."""

import keras
import numpy as np
import pytest

import keras_freq.spectral as spectral
from tests.layers.test_every_layer import compiled_function

to_numpy = keras.ops.convert_to_numpy
FUNCTIONS = {
    "low_pass": lambda x: spectral.low_pass(x, 3),
    "high_pass": lambda x: spectral.high_pass(x, 3, kind="gaussian"),
    "band_pass": lambda x: spectral.band_pass(x, 2, 5, kind="butterworth"),
    "split_bands": lambda x: spectral.split_bands(x, 3)[1],
    "apply_mask": lambda x: spectral.apply_mask(x, spectral.ring_mask(8, 9, 1, 3)),
    "amplitude": spectral.amplitude,
    "phase": spectral.phase,
    "recombine": lambda x: spectral.recombine(
        x[::-1] if isinstance(x, np.ndarray) else keras.ops.flip(x, 0), x
    ),
    "recombine_hw": lambda x: spectral.recombine(x, x, axes="hw"),
    "spectral_density": spectral.spectral_density,
    "rescale_max": lambda x: spectral.rescale(x, "max"),
    "rescale_minmax": lambda x: spectral.rescale(x, "minmax"),
    "rescale_clip": lambda x: spectral.rescale(x - 0.5, "clip"),
    "rescale_none": lambda x: spectral.rescale(x, "none"),
    "rescale_channel": lambda x: spectral.rescale(x, "minmax", per="channel"),
    "rescale_wrap": lambda x: spectral.rescale(x - 0.5, "uint8_wrap"),
}
EDGE_CASES = {
    "noise": np.random.default_rng(0).random((2, 8, 9, 3)),
    "constant": np.full((2, 8, 9, 3), 0.5),
    "zero": np.zeros((2, 8, 9, 3)),
    "one pixel": np.eye(72).reshape(72, 8, 9, 1)[[3, 40]] * np.ones(3),
}


def assert_same(name, result, expected):
    if name == "phase":  # angles jump between -pi and pi at real bins; their cosines do not
        result, expected = np.cos(result), np.cos(expected)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(result / scale, expected / scale, atol=1e-4 if name == "phase" else 5e-6)


def gradient(function, x):
    """Gradient of the sum of squares of the output, and the loss, on the active backend."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(function(x) ** 2)
        return tape.gradient(loss, x).numpy()
    if backend == "jax":
        import jax

        return np.asarray(jax.grad(lambda x: (function(x) ** 2).sum())(jax.numpy.asarray(x)))
    import torch

    x = torch.tensor(x, requires_grad=True)
    (function(x) ** 2).sum().backward()
    return x.grad.numpy()


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("case", EDGE_CASES)
def test_gradients_are_finite(name, case):
    x = EDGE_CASES[case].astype("float32")
    result = gradient(FUNCTIONS[name], x)
    assert result.shape == x.shape
    assert np.isfinite(result).all()


@pytest.mark.parametrize(
    "name",
    [
        "low_pass",
        "amplitude",
        "recombine",
        "spectral_density",
        "rescale_max",
        "rescale_minmax",
        "rescale_channel",
    ],
)
def test_gradients_agree_with_differences(name):
    x = EDGE_CASES["noise"].astype("float32")
    direction = np.random.default_rng(1).standard_normal(x.shape)
    function, step = FUNCTIONS[name], 1e-5

    def loss(x):
        return np.sum(np.asarray(function(x), dtype="float64") ** 2)

    x64 = x.astype("float64")
    difference = (loss(x64 + step * direction) - loss(x64 - step * direction)) / (2 * step)
    assert np.sum(gradient(function, x) * direction) == pytest.approx(difference, rel=2e-3, abs=1e-4)


def test_the_gradient_of_a_cast_is_0():
    found = gradient(FUNCTIONS["rescale_wrap"], EDGE_CASES["noise"].astype("float32"))
    np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_equals_eager_and_numpy(name):
    x = EDGE_CASES["noise"].astype("float32")
    expected = np.asarray(FUNCTIONS[name](x))
    result = to_numpy(compiled_function(FUNCTIONS[name])(keras.ops.convert_to_tensor(x)))
    assert_same(name, result, expected)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="torch.compile")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Torchinductor:UserWarning")
def test_torch_compile():
    import torch

    x = torch.tensor(EDGE_CASES["noise"].astype("float32"))
    function = torch.compile(lambda x: spectral.low_pass(x, 3), backend="aot_eager")
    torch.testing.assert_close(function(x), spectral.low_pass(x, 3), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"recombine"}))
def test_functional_model_and_its_config(name):
    x = EDGE_CASES["noise"].astype("float32")
    inputs = keras.Input((8, 9, 3))
    outputs = FUNCTIONS[name](inputs)
    model = keras.Model(inputs, outputs)
    expected = np.asarray(FUNCTIONS[name](x))
    assert outputs.shape == (None, *expected.shape[1:])
    clone = keras.Model.from_config(model.get_config())
    for each in (model, clone):
        result = to_numpy(each(x))
        assert_same(name, result, expected)


def test_functional_model_of_two_tensors():
    a, b = (EDGE_CASES["noise"][::k].astype("float32") for k in (1, -1))
    inputs = [keras.Input((8, 9, 3)), keras.Input((8, 9, 3))]
    model = keras.Model(inputs, spectral.recombine(*inputs))
    np.testing.assert_allclose(to_numpy(model([a, b])), spectral.recombine(a, b), atol=2e-6)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"recombine"}))
def test_inside_tf_data(name):
    tf = pytest.importorskip("tensorflow")
    x = np.concatenate([EDGE_CASES["noise"]] * 2).astype("float32")
    expected = np.asarray(FUNCTIONS[name](x))
    dataset = tf.data.Dataset.from_tensor_slices(x)
    batched = np.concatenate(list(dataset.batch(3).map(FUNCTIONS[name]).as_numpy_iterator()))
    single = np.stack(list(dataset.map(FUNCTIONS[name]).as_numpy_iterator()))
    assert_same(name, batched, expected)
    assert_same(name, single, expected)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="keras.distribution")
@pytest.mark.slow
def test_a_distribution_computes_the_same_without_communication():
    """Eight virtual devices in a process of their own: they must exist before JAX starts."""
    import subprocess
    import sys

    program = """
import os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
import jax, keras, numpy as np
import keras_freq as kf
keras.distribution.set_distribution(keras.distribution.DataParallel())
x = np.random.default_rng(0).random((32, 16, 16, 3)).astype("float32")
y = np.arange(32) % 4
def train():
    keras.utils.set_random_seed(0)
    head = [keras.layers.Conv2D(4, 3), keras.layers.Flatten(), keras.layers.Dense(4)]
    model = keras.Sequential([kf.layers.HighPass(3), *head])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model.fit(x, y, batch_size=16, epochs=2, verbose=0, shuffle=False).history["loss"]
many = train()
keras.distribution.set_distribution(None)
np.testing.assert_allclose(many, train(), rtol=1e-5)
mesh = jax.sharding.Mesh(jax.devices(), ("batch",))
sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
step = jax.jit(lambda x: kf.spectral.low_pass(x, 4), in_shardings=sharding, out_shardings=sharding)
hlo = step.lower(x).compile().as_text()
assert "all-gather" not in hlo and "all-reduce" not in hlo
print("equal")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]
