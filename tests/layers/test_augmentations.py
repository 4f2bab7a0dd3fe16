"""What the three augmentations compute."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_freq as kf
from keras_freq.layers._operations import OPERATIONS
from tests.oracles import pillow
from tests.oracles import spectral as oracle

to_numpy = keras.ops.convert_to_numpy


def natural(batch=60, size=32, seed=0):
    """Smooth colored images on 256 levels, in [0, 1]."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((batch, size, size, 3))
    smooth = kf.spectral.low_pass(noise, 4, kind="gaussian")
    smooth = (smooth - smooth.min((1, 2), keepdims=True)) / np.ptp(smooth, axis=(1, 2), keepdims=True)
    return (np.round(smooth * 255) / 255).astype("float32")


def apr_single_by_pillow(image, draws, overflow):
    """APR-S of one image, with the numbers that the layer drew."""
    levels = np.round(image * 255).astype("uint8")

    def operate(levels, which, how_strong, sign):
        name = OPERATIONS[int(which * 9)]
        strength = 0.1 + 2.9 * how_strong
        return pillow.operate(Image.fromarray(levels), name, strength, -1 if sign < 0.5 else 1)

    first = operate(levels, *draws[:3])
    if draws[6] >= 0.5:
        return first
    second = operate(first, *draws[3:6])
    amplitude_of, phase_of = (second, first) if draws[7] < 0.5 else (first, second)
    mixed = oracle.recombined(amplitude_of[None], phase_of[None], "chw")[0]
    if overflow == "wrap":
        return np.trunc(mixed).astype("int64") % 256
    return np.clip(np.round(mixed), 0, 255)


@pytest.mark.parametrize("overflow", ["clip", "wrap"])
def test_apr_single_equals_pillow_and_numpy(overflow):
    x = natural()
    draws = np.random.default_rng(1).random((len(x), 8)).astype("float32")
    layer = kf.layers.APRSingle(overflow=overflow)
    result = (
        to_numpy(layer.transform(keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(draws))) * 255
    )
    expected = np.stack([apr_single_by_pillow(image, d, overflow) for image, d in zip(x, draws, strict=True)])
    difference = np.abs(result - expected)
    if overflow == "wrap":
        difference = np.minimum(difference, 256 - difference)
    # One level apart where Pillow cuts a level off or a value lies on a rounding edge; never more than a few.
    assert np.quantile(difference, 0.98) < (1.01 if overflow == "wrap" else 0.01)
    assert difference.max() < 8


def test_apr_single_draws_as_published():
    layer = kf.layers.APRSingle(seed=0, probability=0)
    x = keras.ops.convert_to_tensor(np.tile(natural(1), (900, 1, 1, 1)))
    distinct = np.unique(to_numpy(layer(x, training=True)).reshape(900, -1), axis=0)
    # Autocontrast, equalize, posterize and the whole-pixel moves repeat; shears are all different.
    assert 150 < len(distinct) < 500


def test_apr_single_recombines_half_of_the_images():
    x, draws = natural(400, size=16), np.random.default_rng(0).random((400, 8)).astype("float32")
    options = {"operations": ["shear_x"], "level": 10}
    always, never, half = (
        kf.layers.APRSingle(probability=p, **options).transform(x, draws) for p in (1, 0, 0.5)
    )
    recombined = (half != never).any((1, 2, 3))
    np.testing.assert_array_equal(half[recombined], always[recombined])
    assert recombined.mean() == pytest.approx(0.5, abs=0.08)


def test_apr_single_leaves_the_images_that_it_is_not_applied_to():
    x, draws = natural(400, size=16), np.random.default_rng(0).random((400, 9)).astype("float32")
    options = {"operations": ["shear_x"], "level": 10, "probability": 1}
    always, partly = (kf.layers.APRSingle(applied=p, **options).transform(x, draws) for p in (1, 0.9))
    changed = (partly != x).any((1, 2, 3))
    np.testing.assert_array_equal(changed, draws[:, 8] < np.float32(0.9))
    np.testing.assert_array_equal(partly[changed], always[changed])
    layer = kf.layers.APRSingle(applied=0, seed=0)
    np.testing.assert_array_equal(to_numpy(layer(x, training=True)), x)
    assert layer.get_config()["applied"] == 0


def test_apr_single_keeps_its_range_and_levels():
    x = natural() * 4 - 2
    y = to_numpy(kf.layers.APRSingle(seed=0, value_range=(-2, 2), probability=1)(x, training=True))
    assert y.min() >= -2 - 1e-6
    assert y.max() <= 2 + 1e-6
    levels = (y + 2) / 4 * 255
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)


@pytest.mark.parametrize("axes", ["chw", "hw"])
def test_apr_pair_keeps_phase_and_takes_amplitude_of_the_batch(axes):
    x = natural(12)
    y = to_numpy(kf.layers.APRPair(probability=1, axes=axes, seed=0)(x, training=True))
    candidates = np.stack([oracle.recombined(np.tile(a[None], (12, 1, 1, 1)), x, axes) for a in x])
    errors = np.abs(candidates - y).max((2, 3, 4))
    partner = errors.argmin(0)
    # In float32 the phase of a bin that is almost empty is a little uncertain.
    assert errors.min(0).max() < 2e-4
    assert sorted(partner) == list(range(12))


def test_apr_pair_scope():
    x = natural(16, size=8)

    def changed(layer):
        return [(np.abs(to_numpy(layer(x, training=True)) - x).max((1, 2, 3)) > 1e-4) for _ in range(40)]

    batch = np.stack(changed(kf.layers.APRPair(seed=0, derangement=True)))
    assert set(batch.mean(1)) == {0.0, 1.0}
    assert batch.mean() == pytest.approx(0.6, abs=0.25)
    sample = np.stack(changed(kf.layers.APRPair(seed=0, scope="sample", derangement=True)))
    assert sample.mean() == pytest.approx(0.6, abs=0.08)
    assert 0 < sample.mean(1).std() < 0.3


def test_apr_pair_derangement_and_probabilities():
    x = natural(6, size=8)
    layer = kf.layers.APRPair(probability=1, derangement=True, seed=0)
    for _ in range(10):
        assert (np.abs(to_numpy(layer(x, training=True)) - x).max((1, 2, 3)) > 1e-4).all()
    np.testing.assert_allclose(to_numpy(kf.layers.APRPair(probability=0)(x, training=True)), x, atol=1e-7)


def test_apr_pair_clips_only_when_asked():
    x = natural(16)
    free = to_numpy(kf.layers.APRPair(probability=1, seed=0)(x, training=True))
    clipped = to_numpy(kf.layers.APRPair(probability=1, seed=0, clip=(0, 1))(x, training=True))
    assert free.min() < 0 or free.max() > 1
    np.testing.assert_allclose(clipped, np.clip(free, 0, 1), atol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (9, 8), (7, 7)])
def test_fourier_noise_is_one_wave_of_the_given_norm(size):
    x = np.zeros((40, *size, 3), "float32")
    noise = to_numpy(kf.layers.FourierNoise(strength=2.5, seed=0)(x, training=True)).astype("float64")
    np.testing.assert_allclose(np.sqrt((noise**2).sum((1, 2))), 2.5, rtol=1e-5)
    spectra = np.abs(np.fft.fft2(noise, axes=(1, 2)))
    lit = (spectra > 1e-3 * spectra.max((1, 2), keepdims=True)).sum((1, 2))
    assert set(np.unique(lit)) <= {1, 2}
    assert np.abs(noise.sum((1, 2))).max() < 1e-3  # DC is not drawn by default
    assert len({tuple(np.argwhere(s > 1e-3 * s.max())[0]) for s in spectra[..., 0]}) > 10


def test_fourier_noise_reaches_every_frequency_of_its_band():
    layer = kf.layers.FourierNoise(seed=0, band=(0, 2))
    noise = to_numpy(layer(np.zeros((600, 6, 6, 1), "float32"), training=True))[..., 0]
    spectra = np.fft.fftshift(np.abs(np.fft.fft2(noise)), axes=(1, 2))
    lit = (spectra > 1e-3).any(0)
    np.testing.assert_array_equal(lit, kf.spectral.radial_distance(6, 6) < 2)


def test_fourier_noise_exponential_strength():
    layer = kf.layers.FourierNoise(seed=0, strength=3, distribution="exponential")
    noise = to_numpy(layer(np.zeros((800, 8, 8, 3), "float32"), training=True))
    norms = np.sqrt((noise**2).sum((1, 2))).ravel()
    assert norms.mean() == pytest.approx(3, rel=0.1)
    assert norms.std() == pytest.approx(3, rel=0.15)
    clipped = to_numpy(kf.layers.FourierNoise(strength=50, seed=0, clip=(0, 1))(natural(4), training=True))
    assert clipped.min() >= 0
    assert clipped.max() <= 1


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_crop_flip_is_pad_crop_and_flip(mode):
    x = natural(50, size=9)
    draws = np.random.default_rng(0).random((3, 50)).astype("float32")
    layer = kf.layers.CropFlip(3, mode=mode, fill=0.25)
    result = to_numpy(layer.transform(keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(draws)))
    options = {"mode": "constant", "constant_values": 0.25} if mode == "constant" else {"mode": "reflect"}
    for image, moved, (down, right, mirrored) in zip(x, result, draws.T, strict=True):
        top, left = int(down * 7), int(right * 7)
        expected = np.pad(image, ((3, 3), (3, 3), (0, 0)), **options)[top : top + 9, left : left + 9]
        np.testing.assert_array_equal(moved, expected[:, ::-1] if mirrored < 0.5 else expected)


def test_crop_flip_draws_every_shift_and_both_sides():
    x = np.zeros((900, 5, 5, 1), "float32")
    x[:, 2, 1] = 1
    moved = to_numpy(kf.layers.CropFlip(1, seed=0)(x, training=True))
    places = np.argwhere(moved[..., 0] == 1)[:, 1:]
    found, counts = np.unique(places, axis=0, return_counts=True)
    assert len(found) == 3 * 5  # columns 0 to 2, and mirrored 2 to 4
    assert counts.min() > 20
    still = to_numpy(kf.layers.CropFlip(0, flip=False)(x, training=True))
    np.testing.assert_array_equal(still, x)


def test_a_draw_next_to_1_stays_inside():
    """float32 rounds 513 times the largest number below 1 to 513: one more than there are frequencies."""
    x = keras.ops.zeros((2, 32, 32, 1))
    edge = keras.ops.convert_to_tensor(np.full((3, 2, 1), np.nextafter(np.float32(1), np.float32(0))))
    noise = to_numpy(kf.layers.FourierNoise(strength=1, band=(0, 99)).transform(x, edge))
    np.testing.assert_allclose(np.sqrt((noise**2).sum((1, 2))), 1, rtol=1e-5)
    moved = to_numpy(kf.layers.CropFlip(1, flip=False).transform(x + 1, edge[..., 0]))
    assert moved.sum() == 2 * 31 * 31


def test_values_that_come_in_are_of_the_scale_of_floats_also_for_bytes(images):
    pixels = np.rint(255 * images).astype("uint8")
    floats = to_numpy(kf.layers.CropFlip(16, fill=128 / 255, seed=0)(images))
    bytes_in = to_numpy(kf.layers.CropFlip(16, fill=128 / 255, seed=0)(pixels))
    assert np.abs(bytes_in - 255 * floats).max() < 0.51
    wide = to_numpy(kf.layers.CropFlip(16, fill=128, seed=0)(255 * images))  # floats of another range
    assert np.abs(wide - 255 * floats).max() < 1e-3
