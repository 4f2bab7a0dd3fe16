import numpy as np
import pytest

from keras_freq._core.pixels import to_bytes, unit_float32

pytestmark = pytest.mark.once


def test_every_byte_comes_back():
    levels = np.arange(256, dtype="uint8").reshape(4, 8, 8, 1)
    floats = unit_float32(levels)
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, levels / 255.0, rtol=1e-7)
    np.testing.assert_array_equal(to_bytes(floats), levels)
    assert to_bytes(levels) is levels


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_are_rounded_to_the_nearest_byte_and_clipped(dtype):
    values = np.array([-0.2, 0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1, 1.7], dtype)
    assert to_bytes(values).tolist() == [0, 0, 0, 1, 255, 255, 255]
    assert unit_float32(values).dtype == np.float32


def test_many_images_are_worked_on_in_pieces(rng):
    images = rng.random((2500, 2, 2, 1))
    np.testing.assert_array_equal(to_bytes(images), np.rint(images * 255))
