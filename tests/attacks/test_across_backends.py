"""The same weights and images give the same logits and adversarial pixels on every backend."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.attacks import across_backends

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="run once, from the TensorFlow process"
    ),
]


@pytest.fixture(scope="module")
def given():
    generator = np.random.default_rng(0)
    arrays = {}
    for index, weight in enumerate(across_backends.network().weights):
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        values = generator.standard_normal(weight.shape) * np.sqrt(2 / fan_in)
        if "variance" in weight.path or "gamma" in weight.path:
            values = 1 + 0.1 * np.abs(values)
        arrays[f"w{index}"] = values.astype("float32")
    ramp = np.linspace(0.2, 0.8, 32)[None, :, None, None]
    images = np.clip(ramp + 0.15 * generator.standard_normal((32, 32, 32, 3)), 0, 1).astype("float32")
    return {**arrays, "images": images, "labels": generator.integers(0, 10, 32)}


@pytest.fixture(scope="module")
def here(given):
    return across_backends.measure(given)


@pytest.fixture(scope="module", params=["jax", "torch"])
def there(request, given, tmp_path_factory):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    np.savez(folder / "given.npz", **given)
    subprocess.run(
        [sys.executable, across_backends.__file__, folder / "given.npz", folder / "found.npz"],
        env={**os.environ, "KERAS_BACKEND": request.param, "PYTHONPATH": str(Path(__file__).parents[2])},
        check=True,
        timeout=300,
    )
    found = dict(np.load(folder / "found.npz"))
    assert str(found["backend"]) == request.param
    return found


def test_logits_agree(here, there):
    scale = np.abs(here["logits"]).max()
    assert scale > 0.1
    assert np.abs(here["logits"] - there["logits"]).max() <= 1e-5 * scale


def test_pgd_pixels_agree(given, here, there):
    assert np.abs(here["linf"] - given["images"]).max() > 0.03
    same = np.abs(here["linf"] - there["linf"]) < 1e-6
    assert same.mean() >= 0.995, f"{same.mean():.5f} of the pixels agree"


def test_l2_pgd_agrees(here, there):
    assert np.mean(np.abs(here["l2"] - there["l2"]) < 1e-4) >= 0.995
