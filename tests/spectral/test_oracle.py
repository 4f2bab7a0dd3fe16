"""Every function of `spectral` against float64 NumPy: arrays and tensors, by FFT and by matrix products."""

import keras
import numpy as np
import pytest

import keras_freq.spectral as spectral
from tests.oracles import spectral as oracle

SIZES = [(31, 31), (32, 32), (33, 20)]
TOLERANCE = 2e-6
to_numpy = keras.ops.convert_to_numpy


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def x(request):
    return np.random.default_rng(1).random((2, *request.param, 3)).astype("float32")


ARRAY = pytest.param(np.asarray, marks=pytest.mark.once)


@pytest.fixture(params=[ARRAY, keras.ops.convert_to_tensor], ids=["array", "tensor"])
def convert(request):
    return request.param


@pytest.fixture(params=["fft", "matmul"])
def method(request):
    return request.param


def close(result, expected, scale=1.0):
    result = to_numpy(result)
    assert result.dtype == "float32"
    np.testing.assert_allclose(result / scale, expected / scale, rtol=0, atol=TOLERANCE)


def test_radial_filters(x, convert, method):
    distance = oracle.distance(*x.shape[1:3])
    close(spectral.low_pass(convert(x), 5, method=method), oracle.filtered(x, distance < 5))
    close(spectral.high_pass(convert(x), 5, method=method), oracle.filtered(x, distance >= 5))
    ring = (distance >= 3) & (distance < 7.5)
    close(spectral.band_pass(convert(x), 3, 7.5, method=method), oracle.filtered(x, ring))


def test_soft_and_square_filters(x, convert, method):
    height, width = x.shape[1:3]
    distance = oracle.distance(height, width)
    gains = {
        "gaussian": np.exp(-(distance**2) / (2 * 4.5**2)),
        "butterworth": 1 / (1 + (distance / 4.5) ** 6),
        "square": np.maximum.outer(
            np.abs(np.arange(height) - height // 2), np.abs(np.arange(width) - width // 2)
        )
        < 4.5,
    }
    for kind, gain in gains.items():
        result = spectral.low_pass(convert(x), 4.5, kind=kind, order=3, method=method)
        close(result, oracle.filtered(x, gain))
        result = spectral.high_pass(convert(x), 4.5, kind=kind, order=3, method=method)
        close(result, oracle.filtered(x, 1.0 - gain))


def test_mask_without_axis_symmetry(x, convert, method):
    mask = spectral.symmetrize(np.random.default_rng(2).random(x.shape[1:3]))
    close(spectral.apply_mask(convert(x), mask, method=method), oracle.filtered(x, mask))


def test_mask_as_tensor(x, method):
    mask = spectral.symmetrize(np.random.default_rng(2).random(x.shape[1:3]))
    tensor = keras.ops.convert_to_tensor(mask)
    result = spectral.apply_mask(keras.ops.convert_to_tensor(x), tensor, method=method)
    close(result, oracle.filtered(x, mask))


def test_amplitude_and_phase(x, convert, method):
    expected = oracle.spectrum(x)
    scale = np.abs(expected).max()
    close(spectral.amplitude(convert(x), method=method), np.abs(expected), scale)
    # The angle of a weak bin is ill-conditioned: compare what it does, amplitude times exp(i * angle).
    angle = to_numpy(spectral.phase(convert(x), method=method))
    np.testing.assert_allclose(
        np.abs(expected) * np.exp(1j * angle) / scale, expected / scale, atol=TOLERANCE
    )


@pytest.mark.parametrize("axes", ["chw", "hw"])
def test_recombine(x, convert, method, axes):
    other = np.random.default_rng(3).random(x.shape).astype("float32")
    result = spectral.recombine(convert(x), convert(other), axes=axes, method=method)
    close(result, oracle.recombined(x, other, axes))


@pytest.mark.parametrize("axes", ["chw", "hw"])
def test_recombine_where_there_is_no_phase(x, convert, method, axes):
    """Gray images have none between the channels, even ones at DC alone: there the donor stays."""
    donor = np.random.default_rng(3).random(x.shape).astype("float32")
    gray = np.repeat(x[..., :1], x.shape[-1], axis=-1)
    for images in (gray, np.full_like(x, 0.5), np.zeros_like(x)):
        result = spectral.recombine(convert(donor), convert(images), axes=axes, method=method)
        close(result, oracle.recombined(donor, images, axes))
    # Nothing of the donor is lost where there is no phase at all.
    close(spectral.recombine(convert(donor), convert(np.zeros_like(x)), axes=axes, method=method), donor)


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_recombine_any_number_of_channels(channels, method):
    a, b = np.random.default_rng(3).random((2, 2, 8, 9, channels)).astype("float32")
    result = spectral.recombine(keras.ops.convert_to_tensor(a), keras.ops.convert_to_tensor(b), method=method)
    close(result, oracle.recombined(a, b, "chw"))


@pytest.mark.parametrize(
    ("center", "bins"), [("dc", "all"), ("dc", "inner"), ("pixel", "all"), ("pixel", "inner")]
)
def test_azimuthal_average_and_density(convert, method, center, bins):
    x = np.random.default_rng(4).random((2, 20, 33, 3)).astype("float32")
    profile = spectral.azimuthal_average(convert(x[..., 0]), center=center, bins=bins)
    close(profile, np.stack([oracle.azimuthal(m, center, bins) for m in x[..., 0]]))
    result = spectral.spectral_density(convert(x), center=center, bins=bins, method=method)
    np.testing.assert_allclose(to_numpy(result), oracle.density(x, center, bins), atol=1e-5)
    units = {"units": "cycles_per_pixel"}
    scaled = spectral.azimuthal_average(convert(x[..., 0]), center=center, bins=bins, **units)
    close(scaled, np.stack([oracle.azimuthal(m, center, bins, per_pixel=True) for m in x[..., 0]]))


@pytest.mark.slow
def test_large_images():
    x = np.random.default_rng(5).random((1, 224, 224, 3)).astype("float32")
    tensor = keras.ops.convert_to_tensor(x)
    mask = oracle.distance(224, 224) < 40
    close(spectral.low_pass(tensor, 40), oracle.filtered(x, mask))
    other = x[:, ::-1].copy()
    result = spectral.recombine(tensor, keras.ops.convert_to_tensor(other))
    close(result, oracle.recombined(x, other, "chw"))


def test_extreme_shapes(method):
    for size in ((5, 64), (1, 7), (1, 1), (2, 3)):
        x = np.random.default_rng(1).random((2, *size, 3)).astype("float32")
        expected = oracle.filtered(x, oracle.distance(*size) < 2)
        close(spectral.low_pass(x, 2, method=method), expected)
        close(spectral.recombine(x, x[::-1], method=method), oracle.recombined(x, x[::-1], "chw"))


def test_float64_stays_float64():
    x = np.random.default_rng(6).random((2, 9, 8, 3))
    result = spectral.low_pass(x, 3)
    assert result.dtype == "float64"
    np.testing.assert_allclose(result, oracle.filtered(x, oracle.distance(9, 8) < 3), atol=1e-13)
    if keras.backend.backend() != "jax":  # JAX has no float64 unless configured
        tensor = keras.ops.convert_to_tensor(x, dtype="float64")
        np.testing.assert_allclose(to_numpy(spectral.low_pass(tensor, 3)), result, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    x = keras.ops.cast(np.random.default_rng(7).random((2, 16, 16, 3)).astype("float32"), dtype)
    result = spectral.high_pass(x, 3)
    assert keras.backend.standardize_dtype(result.dtype) == dtype
    exact = oracle.filtered(to_numpy(keras.ops.cast(x, "float32")), oracle.distance(16, 16) >= 3)
    step = 2.0**-10 if dtype == "float16" else 2.0**-7
    np.testing.assert_allclose(to_numpy(keras.ops.cast(result, "float32")), exact, atol=step)


def test_integers_give_float32_and_do_not_wrap():
    x = np.random.default_rng(8).integers(0, 256, (2, 16, 16, 3)).astype("uint8")
    for images in (x, keras.ops.convert_to_tensor(x)):
        result = to_numpy(spectral.high_pass(images, 2))
        assert result.dtype == "float32"
        assert result.min() < -10
        np.testing.assert_allclose(result, oracle.filtered(x, oracle.distance(16, 16) >= 2), atol=1e-3)


def test_channels_first_and_single_images():
    x = np.random.default_rng(9).random((2, 12, 10, 3)).astype("float32")
    first = keras.ops.convert_to_tensor(x.transpose(0, 3, 1, 2))
    result = to_numpy(spectral.low_pass(first, 3, data_format="channels_first"))
    np.testing.assert_allclose(result.transpose(0, 2, 3, 1), spectral.low_pass(x, 3), atol=TOLERANCE)
    np.testing.assert_allclose(spectral.low_pass(x[0], 3), spectral.low_pass(x, 3)[0], atol=TOLERANCE)
    assert spectral.spectral_density(x[0]).shape == spectral.spectral_density(x).shape[1:]


@pytest.mark.parametrize("mode", ["none", "clip", "max", "minmax"])
def test_rescale(convert, mode):
    x = np.random.default_rng(10).standard_normal((6, 7, 5, 3)).astype("float32")
    x[1] = 0.4  # constant
    x[2] = 0
    x[3] = -np.abs(x[3])  # nothing above 0
    x[4] *= 1e-8  # what rounding leaves of an empty band
    expected = oracle.rescaled(x, mode)
    close(spectral.rescale(convert(x), mode), expected)
    for layout in ("channels_last", "channels_first"):
        close(spectral.rescale(convert(x), mode, data_format=layout), expected)
    close(spectral.rescale(convert(x[0]), mode), expected[0])


@pytest.mark.parametrize("mode", ["max", "minmax"])
def test_rescale_by_channel(convert, mode):
    x = np.random.default_rng(10).standard_normal((6, 7, 5, 3)).astype("float32")
    x[1] = 0.4  # constant
    x[2, :, :, 1] = 0  # one channel without anything, the others with
    x[3] = -np.abs(x[3])
    x[4, :, :, 2] *= 1e-8
    expected = oracle.rescaled(x, mode, per="channel")
    assert np.abs(expected - oracle.rescaled(x, mode)).max() > 0.1
    close(spectral.rescale(convert(x), mode, per="channel"), expected)
    close(spectral.rescale(convert(x), mode, per="channel", data_format="channels_last"), expected)
    turned = spectral.rescale(
        convert(x.transpose(0, 3, 1, 2)), mode, per="channel", data_format="channels_first"
    )
    close(turned, expected.transpose(0, 3, 1, 2))
    close(spectral.rescale(convert(x[0]), mode, per="channel"), expected[0])


def test_rescale_wraps_as_the_cast_to_eight_bits_does(convert):
    halves = (np.arange(-900, 900) + 0.5) / 255
    # Exact multiples are told from what lies a little below and above them.
    whole = np.arange(-900, 900) / 255
    x = np.concatenate([halves, whole * (1 - 1e-6), whole * (1 + 1e-6)]).astype("float32")
    x = x.reshape(6, 30, 30, 1)
    expected = oracle.rescaled(x, "uint8_wrap")
    assert (expected.min(), expected.max()) == (0, 1)
    for per in ("image", "channel"):
        close(spectral.rescale(convert(x), "uint8_wrap", per=per), expected)
    # Below 0 as in C: -1 / 255 becomes 255 / 255, and what is nearer to 0 becomes 0.
    by_hand = {-1.5: 255, -0.99: 0, -256.5: 0, -257.2: 255, 255.9: 255, 256.5: 0, 300.7: 44}
    some = np.array(list(by_hand), "float32").reshape(1, 7, 1) / 255
    np.testing.assert_allclose(
        255 * to_numpy(spectral.rescale(convert(some), "uint8_wrap")).ravel(),
        list(by_hand.values()),
        atol=1e-4,
    )


def test_rescale_leaves_images_of_eight_bits_as_they_are(convert):
    x = (np.arange(256, dtype="float32") / 255).reshape(1, 16, 16, 1)
    close(spectral.rescale(convert(x), "uint8_wrap"), x)


def test_rescale_of_images_without_a_range():
    flat, dark = np.full((1, 4, 4, 3), 0.4), np.full((1, 4, 4, 3), -0.2)
    np.testing.assert_array_equal(spectral.rescale(flat, "minmax"), 0 * flat)
    np.testing.assert_array_equal(spectral.rescale(flat, "max"), flat / 0.4)
    np.testing.assert_array_equal(spectral.rescale(dark, "max"), dark)
    np.testing.assert_array_equal(spectral.rescale(0 * flat, "max"), 0 * flat)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "bfloat16"])
@pytest.mark.parametrize("mode", ["none", "clip", "max", "minmax"])
def test_rescale_of_other_types(dtype, mode):
    x = np.random.default_rng(11).integers(0, 200, (2, 4, 4, 3))
    tensor = keras.ops.convert_to_tensor(x, dtype=dtype)
    result = spectral.rescale(tensor, mode)
    assert keras.backend.standardize_dtype(result.dtype) == ("float32" if dtype == "uint8" else dtype)
    values = to_numpy(keras.ops.cast(tensor, "float32"))
    tolerance = {"uint8": 1e-6, "float16": 1e-3, "bfloat16": 1e-2}[dtype]
    expected = oracle.rescaled(values, mode)
    np.testing.assert_allclose(
        to_numpy(keras.ops.cast(result, "float32")), expected, rtol=tolerance, atol=1e-3
    )


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"mode": "mean"}, "mode='mean'"),
        ({"per": "batch"}, "per='batch'"),
        ({"data_format": "nhwc"}, "'nhwc'"),
    ],
)
def test_rescale_refuses(options, received):
    with pytest.raises(ValueError, match="must be one of") as error:
        spectral.rescale(np.ones((1, 4, 4, 1)), **options)
    assert received in str(error.value)
