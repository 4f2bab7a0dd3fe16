"""Masks by operations, for sizes that compiled code alone knows, are those of NumPy."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._masks import band_mask, blur_mask, low_pass_mask
from keras_freq.spectral._traced_masks import (
    traced_band_mask,
    traced_blur_mask,
    traced_disk,
    traced_low_pass_mask,
)

SIZES = [(8, 8), (7, 10), (9, 5)]


# JAX knows every size, and has no float64 by default.
@pytest.fixture(params=["numpy", "backend"] if keras.backend.backend() != "jax" else ["numpy"])
def traced(request):
    """Calls a function with the library, height and width as its whole numbers."""
    of = np.asarray if request.param == "numpy" else keras.ops.convert_to_tensor

    def call(function, height, width, *args, **options):
        sides = [of(np.int32(side)) for side in (height, width)]
        return keras.ops.convert_to_numpy(function(library_of(sides[0]), *sides, *args, **options))

    return call


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", ["ideal", "square", "gaussian", "butterworth"])
@pytest.mark.parametrize(("units", "radii"), [("index", (0, 2.5, 4)), ("cycles_per_pixel", (0, 0.2, 0.5))])
def test_low_passes_and_bands(traced, size, kind, units, radii):
    options = {"kind": kind, "order": 2.0, "units": units}
    for radius in radii:
        expected = low_pass_mask(*size, radius, **options)
        found = traced(traced_low_pass_mask, *size, radius, **options)
        assert found.dtype == "float32"
        np.testing.assert_allclose(found, expected, atol=1e-6)
    for low, high in ((radii[0], radii[1]), (radii[1], radii[2]), (radii[1], np.inf)):
        expected = band_mask(*size, low, high, **options)
        np.testing.assert_allclose(traced(traced_band_mask, *size, low, high, **options), expected, atol=1e-6)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("radius", [0, 1, 3])
def test_disks(traced, size, radius):
    """With an edge: whole radii have bins on it."""
    rows, columns = (np.arange(side) - side // 2 for side in size)
    expected = np.hypot(rows[:, None], columns) <= radius
    np.testing.assert_array_equal(traced(traced_disk, *size, lambda distance: distance <= radius), expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("sigma", "kernel_size"), [(0.5, 3), (1.2, 7), (1e-9, 3)])
def test_blurs(traced, size, sigma, kernel_size):
    expected = blur_mask(*size, sigma, kernel_size=kernel_size)
    np.testing.assert_allclose(traced(traced_blur_mask, *size, sigma, kernel_size), expected, atol=1e-6)


def test_an_infinite_radius_lets_everything_pass(traced):
    options = {"kind": "ideal", "order": 2.0, "units": "index"}
    assert traced(traced_low_pass_mask, 6, 6, np.inf, **options).all()
    assert kf.spectral.low_pass(np.ones((1, 6, 6, 1)), np.inf).all()
