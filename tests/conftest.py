"""Shared fixtures. The suite runs once per backend: KERAS_BACKEND=tensorflow|jax|torch pytest."""

import gc
import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# One thread a worker: two workers on two cores are several times faster so, torch above all.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "Agg")
# Apps turn it on for themselves; numbers of runs in here and in processes of their own are compared.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
if os.environ["KERAS_BACKEND"] == "torch":
    # On CPUs with AVX2 and no more, oneDNN 3.12 (in torch 2.13) writes beyond its memory in the backward pass
    # of strided 1x1 convolutions with fewer than eight channels, which the tiny networks of tests have.
    os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX")
# Tests build the same small functions over and over: XLA compiles each of them once for the whole run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.join(tempfile.gettempdir(), "keras_freq_test_xla"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# and what is compiled runs a few times on a few images: making it fast takes longer than it saves.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")

import keras
import numpy as np
import pytest


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")
    parser.addoption("--kills", type=int, default=2, help="how often tests/faults kills each kind of work")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


def pytest_collection_finish():
    # What is imported stays: looking through it for garbage again and again takes a tenth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def pytest_report_header():
    return f"keras {keras.__version__}, backend {keras.backend.backend()}, numpy {np.__version__}"


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def images(rng) -> np.ndarray:
    """Eight float32 images of 32x32x3 in [0, 1]: noise over a smooth ramp, so that every band holds
    energy."""
    ramp = np.linspace(0.2, 0.8, 32)[None, :, None, None]
    return np.clip(ramp + 0.15 * rng.standard_normal((8, 32, 32, 3)), 0, 1).astype("float32")


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(8, dtype="int32") % 4


@pytest.fixture
def counting():
    """Makes a linear classifier and the list of its traces: what each was for, in training or not."""

    def make(size: tuple[int, int, int], classes: int) -> tuple[keras.Model, list]:
        runs = []

        class Counting(keras.layers.Layer):
            def call(self, inputs, training=None):
                runs.append(training)
                return inputs

        layers = [keras.Input(size), Counting(), keras.layers.Flatten(), keras.layers.Dense(classes)]
        model = keras.Sequential(layers)
        runs.clear()
        return model, runs

    return make


@pytest.fixture
def eagerly() -> dict[str, bool]:
    """Options of `compile` where the step is not what is tested: TensorFlow traces longer than it trains."""
    return {"run_eagerly": keras.backend.backend() == "tensorflow"}


@pytest.fixture
def classifier() -> keras.Model:
    """A tiny classifier: pixels in [0, 1] in, four logits out."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(4)(x), name="tiny")
