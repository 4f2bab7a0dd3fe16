"""The nine operations against Pillow, which the published code calls one image at a time."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_freq.layers._operations import OPERATIONS, apply_operations
from tests.oracles import pillow

to_numpy = keras.ops.convert_to_numpy
ARRAY = pytest.param(np.asarray, marks=pytest.mark.once)


def draw(batch, height=32, width=32, seed=0):
    """Smooth images with few levels, many levels and flat ones, and parameters for them."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(40, 200, width)[None, None, :, None] + np.linspace(0, 50, height)[None, :, None, None]
    images = np.clip(
        ramp * rng.uniform(0.2, 1.1, (batch, 1, 1, 3)) + rng.normal(0, 12, (batch, height, width, 3)), 0, 255
    )
    images[0] = 77
    images[1] = np.where(images[1] > 100, 200, 10)
    return images.astype("uint8"), rng.uniform(0.1, 3, batch), rng.choice([-1.0, 1.0], batch)


def apply(images, choice, strength, sign, convert, operations=OPERATIONS):
    arguments = (np.asarray(a, dtype="float32") for a in (images, choice, strength, sign))
    return to_numpy(apply_operations(*(convert(a) for a in arguments), operations))


@pytest.mark.parametrize("convert", [ARRAY, keras.ops.convert_to_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [(32, 32), (17, 30)], ids=str)
def test_equals_pillow(name, convert, size):
    images, strength, sign = draw(24, *size)
    choice = np.full(24, OPERATIONS.index(name))
    result = apply(images, choice, strength, sign, convert)
    expected = np.stack(
        [
            pillow.operate(Image.fromarray(x), name, s, g)
            for x, s, g in zip(images, strength, sign, strict=True)
        ]
    )
    difference = np.abs(result - expected)
    # Pillow's own float rounding misses some whole numbers, and then cuts a level off.
    assert difference.max() <= (1 if name in ("autocontrast", "rotate", "shear_x", "shear_y") else 0)
    assert (difference > 0).mean() < 0.005


def test_each_image_gets_its_own_operation():
    images, strength, sign = draw(18)
    choice = np.arange(18) % 9
    together = apply(images, choice, strength, sign, keras.ops.convert_to_tensor)
    for k in range(18):
        alone = apply(images[k : k + 1], choice[k : k + 1], strength[k : k + 1], sign[k : k + 1], np.asarray)
        np.testing.assert_allclose(together[k], alone[0], atol=1)


def test_a_subset_of_operations_has_indices_of_its_own():
    images, strength, sign = draw(4)
    alone = apply(images, np.zeros(4), strength, sign, np.asarray, ("solarize",))
    of_nine = apply(images, np.full(4, OPERATIONS.index("solarize")), strength, sign, np.asarray)
    np.testing.assert_array_equal(alone, of_nine)


def test_results_are_whole_levels():
    images, strength, sign = draw(36, seed=3)
    result = apply(images, np.arange(36) % 9, strength, sign, keras.ops.convert_to_tensor)
    np.testing.assert_array_equal(result, np.round(result))
    assert result.min() >= 0
    assert result.max() <= 255


@pytest.mark.parametrize("convert", [ARRAY, keras.ops.convert_to_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize("name", ["rotate", "solarize"])
def test_an_operation_that_stands_twice_is_done_both_times(name, convert):
    images, strength, sign = draw(6)
    first, second = (
        apply(images, np.full(6, place), strength, sign, convert, (name, "translate_x", name))
        for place in (0, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, images)


@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels(channels):
    """Of four, the last one is no transparency."""
    images, strength, sign = draw(18)
    images = np.concatenate([images, images[..., :1] // 2], axis=-1)[..., :channels]
    choice = np.arange(18) % 9
    array, tensor = (
        apply(images, choice, strength, sign, convert)
        for convert in (np.asarray, keras.ops.convert_to_tensor)
    )
    assert np.abs(array - tensor).max() <= 1
