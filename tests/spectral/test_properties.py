"""What must hold for any image of any size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_freq.spectral as spectral

pytestmark = pytest.mark.once
sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))
radii = st.floats(0, 15)
kinds = st.sampled_from(["ideal", "gaussian", "butterworth", "square"])
quick = settings(max_examples=25, deadline=None)


def draw(size, seed, channels=2, batch=3):
    return np.random.default_rng(seed).random((batch, *size, channels))


@quick
@given(sizes, radii, kinds, st.integers(0, 99))
def test_low_and_high_add_up(size, radius, kind, seed):
    x = draw(size, seed)
    low, high = spectral.split_bands(x, radius, kind=kind)
    np.testing.assert_allclose(low + high, x, atol=1e-12)
    np.testing.assert_allclose(spectral.high_pass(x, radius, kind=kind), high, atol=2e-7)


@quick
@given(sizes, radii, radii, st.integers(0, 99))
def test_rings_are_a_partition(size, a, b, seed):
    x, (a, b) = draw(size, seed), sorted((a, b))
    parts = [spectral.low_pass(x, a), spectral.band_pass(x, a, b), spectral.high_pass(x, b)]
    np.testing.assert_allclose(sum(parts), x, atol=1e-12)


@quick
@given(sizes, radii, st.integers(0, 99))
def test_ideal_filters_are_idempotent(size, radius, seed):
    once = spectral.low_pass(draw(size, seed), radius)
    np.testing.assert_allclose(spectral.low_pass(once, radius), once, atol=1e-12)


@quick
@given(sizes, radii, kinds, st.integers(0, 99))
def test_filters_are_linear(size, radius, kind, seed):
    x, y = draw(size, seed), draw(size, seed + 1)
    combined = spectral.low_pass(2.5 * x - y, radius, kind=kind)
    parts = 2.5 * spectral.low_pass(x, radius, kind=kind) - spectral.low_pass(y, radius, kind=kind)
    np.testing.assert_allclose(combined, parts, atol=1e-12)


@quick
@given(sizes, radii, st.integers(0, 99))
def test_images_and_channels_do_not_mix(size, radius, seed):
    x = draw(size, seed)
    alone = spectral.low_pass(x[1:2, ..., 1:2], radius)
    np.testing.assert_allclose(spectral.low_pass(x, radius)[1:2, ..., 1:2], alone, atol=1e-12)


@quick
@given(sizes, st.integers(0, 99))
def test_parseval(size, seed):
    x = draw(size, seed)
    energy = (spectral.amplitude(x) ** 2).sum((1, 2)) / (size[0] * size[1])
    np.testing.assert_allclose(energy, (x**2).sum((1, 2)), rtol=1e-9, atol=1e-11)


@quick
@given(sizes, st.sampled_from(["chw", "hw"]), st.integers(0, 99))
def test_recombining_with_itself_changes_nothing(size, axes, seed):
    x = draw(size, seed, channels=3)
    np.testing.assert_allclose(spectral.recombine(x, x, axes=axes), x, atol=1e-9)


@quick
@given(sizes, st.integers(0, 99))
def test_recombination_has_the_amplitude_asked_for(size, seed):
    a, b = draw(size, seed), draw(size, seed + 1)
    result = spectral.recombine(a, b, axes="hw")
    found, wanted, donor = (spectral.amplitude(images) for images in (result, a, b))
    # A float32 phase is as exact as its bin is far from 0.
    told = donor > 1e-3 * donor.max()
    assert np.sum(~told) <= max(1, 0.1 * told.size)
    np.testing.assert_allclose(found[told], wanted[told], rtol=1e-4, atol=1e-5)


@quick
@given(st.integers(1, 40))
def test_mirror_is_an_involution_that_keeps_dc(n):
    mirror = spectral.mirror_index(n)
    np.testing.assert_array_equal(mirror[mirror], np.arange(n))
    assert mirror[n // 2] == n // 2


@quick
@given(sizes, st.floats(0, 25), st.floats(0, 25), kinds)
def test_all_masks_are_hermitian_and_between_0_and_1(size, a, b, kind):
    from keras_freq.spectral._masks import band_mask

    a, b = sorted((a, b))
    mask = band_mask(*size, a, b, kind=kind)
    assert spectral.is_hermitian(mask, tolerance=1e-6)
    assert mask.min() >= -1e-6
    assert mask.max() <= 1


@quick
@given(sizes, st.integers(0, 99))
def test_symmetrize_is_what_the_real_part_does(size, seed):
    rng = np.random.default_rng(seed)
    x, mask = rng.random((1, *size, 1)), rng.random(size)
    shifted = np.fft.ifftshift(mask)[None, :, :, None]
    dropped = np.fft.ifft2(np.fft.fft2(x, axes=(1, 2)) * shifted, axes=(1, 2)).real
    np.testing.assert_allclose(spectral.apply_mask(x, mask, symmetrize="mean"), dropped, atol=1e-6)
    for how in ("mean", "min", "max"):
        assert spectral.is_hermitian(spectral.symmetrize(mask, how))


@quick
@given(sizes, st.data())
def test_fourier_basis_has_norm_1_and_one_pair(size, data):
    i, j = data.draw(st.integers(0, size[0] - 1)), data.draw(st.integers(0, size[1] - 1))
    phase = data.draw(st.floats(-4, 4))
    basis = spectral.fourier_basis(*size, i, j, phase)
    assert np.sum(basis**2) == pytest.approx(1)
    centered = np.abs(np.fft.fftshift(np.fft.fft2(basis)))
    partner = (spectral.mirror_index(size[0])[i], spectral.mirror_index(size[1])[j])
    found = {tuple(map(int, place)) for place in np.argwhere(centered > 1e-6 * centered.max())}
    assert found == {(i, j), tuple(map(int, partner))}


def test_counts_of_the_published_sizes():
    counts = {4: 45, 8: 193, 12: 437, 16: 793, 20: 995, 23: 1024}
    assert {r: int(spectral.disk_mask(32, 32, r).sum()) for r in counts} == counts
    for size, bins in ((32, 20), (64, 43), (224, 156)):
        radii, _ = spectral.azimuthal_radii(size, size, center="pixel", bins="inner")
        assert len(radii) == bins
        assert radii[0] == 1
    np.testing.assert_array_equal(spectral.azimuthal_radii(32, 32)[0], np.arange(23))


def test_gain_at_the_cut_off():
    assert spectral.gaussian_mask(32, 32, 4)[16, 20] == pytest.approx(np.exp(-0.5))
    assert spectral.butterworth_mask(32, 32, 4, order=5)[16, 20] == pytest.approx(0.5)
    assert spectral.disk_mask(32, 32, 4)[16, 20] == 0
    assert spectral.disk_mask(32, 32, 4.001)[16, 20] == 1


def test_cycles_per_pixel_treat_the_axes_alike():
    mask = spectral.disk_mask(20, 40, 0.25, units="cycles_per_pixel")
    assert mask[10 + 4, 20] == 1
    assert mask[10 + 5, 20] == 0
    assert mask[10, 20 + 9] == 1
    assert mask[10, 20 + 10] == 0


def test_masks_are_cached_and_cannot_be_written():
    mask = spectral.disk_mask(32, 32, 4)
    assert mask is spectral.disk_mask(32, 32, 4)
    with pytest.raises(ValueError, match="read-only"):
        mask[0, 0] = 1


def test_radial_functions_have_their_profile():
    distance = spectral.radial_distance(32, 32)
    radii, _ = spectral.azimuthal_radii(32, 32)
    np.testing.assert_allclose(spectral.azimuthal_average(np.floor(distance)), radii, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_flat_density_is_0(dtype):
    for grid in (np.zeros((1, 12, 9, 3)), np.eye(1, 12 * 9).reshape(1, 12, 9, 1) / 0.7):
        density = spectral.spectral_density(grid.astype(dtype))
        np.testing.assert_array_equal(density, 0)  # neither rounding nor NaN
    faint = spectral.spectral_density(1e-6 * np.random.default_rng(2).random((1, 12, 9, 3)).astype(dtype))
    assert (faint.min(), faint.max()) == (0, 1)
