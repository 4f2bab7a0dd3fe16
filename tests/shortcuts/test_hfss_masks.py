"""Sampled patch masks: Hermitian, of the asked share, told by their seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_freq.shortcuts._hfss_masks import StageMasks, choose_patches, combine_mirrors, number_patches
from keras_freq.spectral import is_hermitian

pytestmark = pytest.mark.once
OPTIONS = {"share": 0.6, "grid": "all", "mirror": "conjugate", "seed": 3}


def stages(size, patches, count=12, parents=8, **options):
    """Masks of all stages, each going on from the first ones of the stage before."""
    masks = StageMasks(size, patches, **OPTIONS | options)
    for _ in patches[1:]:
        masks.keep([range(parents // 2), range(parents // 2, parents)])
    return masks, [[masks.mask(stage, k) for k in range(count)] for stage in range(len(patches))]


@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(4, 13),
    width=st.integers(4, 13),
    patch=st.integers(1, 5),
    grid=st.sampled_from(["aligned", "shifted", "union"]),
    seed=st.integers(0, 1000),
)
def test_every_mask_is_hermitian_at_any_size(height, width, patch, grid, seed):
    masks = StageMasks((height, width), (patch,), **OPTIONS | {"grid": grid, "seed": seed})
    mask = masks.mask(0, seed)
    assert mask.shape == (height, width)
    assert mask.dtype == bool
    assert is_hermitian(mask)
    np.testing.assert_array_equal(masks.gain(0, seed), mask)


@pytest.mark.parametrize("size", [(32, 32), (31, 31), (32, 20), (33, 24)])
def test_kept_share_is_that_of_the_stages(size):
    for grid, of_stage in (("aligned", 0.6), ("shifted", 0.6), ("union", 1 - 0.7**2)):
        _, drawn = stages(size, (8, 4, 2, 1), count=60, parents=60, grid=grid)
        for stage, masks in enumerate(drawn):
            assert np.mean(masks) == pytest.approx(of_stage ** (stage + 1), rel=0.15)


def test_later_masks_lie_inside_their_parents():
    masks, drawn = stages((16, 16), (4, 2, 1))
    for stage in (1, 2):
        for mask in drawn[stage]:
            inside = [not (mask & ~parent).any() for parent in drawn[stage - 1][:8]]
            assert any(inside)
    # A class without images has no masks, and is never drawn from.
    alone = StageMasks((16, 16), (4, 2), **OPTIONS)
    alone.keep([[], [5], []])
    assert not (alone.mask(1, 0) & ~masks.mask(0, 5)).any()


def test_a_mask_follows_from_its_seed_stage_and_index_alone():
    first, second = stages((16, 12), (4, 2))[1], stages((16, 12), (4, 2), count=3)[1]
    for many, few in zip(first, second, strict=True):
        np.testing.assert_array_equal(many[:3], few)
    other = stages((16, 12), (4, 2), seed=4)[1]
    assert not np.array_equal(first[0], other[0])
    assert len({mask.tobytes() for mask in first[1]}) == 12


def test_grids():
    """Patches of the aligned grid begin at the border, those of the shifted one half a patch before it."""
    aligned, shifted = (number_patches(16, 16, 4, half, "conjugate") for half in (False, True))
    assert len(np.unique(aligned)) == 2 * 4
    assert len(np.unique(aligned[4:8, 4:8])) == 1
    assert aligned[4, 4] != aligned[4, 8]
    assert len(np.unique(shifted[2:6, 2:6])) == 1
    assert shifted[2, 2] != shifted[2, 1]
    # The patch of the shifted grid in the middle goes around DC; of the aligned grid DC has its upper left.
    assert len(np.unique(shifted[7:10, 7:10])) == 1
    assert aligned[8, 8] == aligned[7, 7] != aligned[7, 8]
    in_turn = StageMasks((16, 16), (4,), **OPTIONS)
    for k, grid in enumerate(("aligned", "shifted", "union")):
        only = StageMasks((16, 16), (4,), **OPTIONS | {"grid": grid})
        np.testing.assert_array_equal(in_turn.mask(0, k), only.mask(0, k))
        numbers = {"aligned": aligned, "shifted": shifted}.get(grid)
        if numbers is not None:
            kept = {bool(v) for n in np.unique(numbers) for v in np.unique(only.mask(0, k)[numbers == n])}
            assert kept == {False, True}
            for n in np.unique(numbers):
                assert len(np.unique(only.mask(0, k)[numbers == n])) == 1


@pytest.mark.parametrize(("size", "orbits"), [((8, 8), 34), ((7, 7), 25), ((8, 5), 21)])
def test_patches_of_one_bin_are_conjugate_pairs(size, orbits):
    numbers = number_patches(*size, 1, False, "conjugate")
    assert len(np.unique(numbers)) == orbits
    assert np.bincount(numbers.ravel()).max() == 2
    np.testing.assert_array_equal(numbers, number_patches(*size, 1, True, "conjugate"))


def test_the_published_mirror_and_what_it_leaves_of_real_images():
    masks = StageMasks((16, 16), (4,), **OPTIONS | {"mirror": "n-1-i", "grid": "aligned"})
    mask = masks.mask(0, 1)
    np.testing.assert_array_equal(mask, mask[::-1, ::-1])
    assert not is_hermitian(mask)
    gain = masks.gain(0, 1)
    assert is_hermitian(gain)
    assert set(np.unique(gain)) == {0, 0.5, 1}
    image = np.random.default_rng(0).random((16, 16))
    spectrum = np.fft.fftshift(np.fft.fft2(image))
    through = [np.real(np.fft.ifft2(np.fft.ifftshift(spectrum * part))) for part in (mask, gain)]
    np.testing.assert_allclose(*through, atol=1e-12)
    odd = StageMasks((15, 15), (4,), **OPTIONS | {"mirror": "n-1-i"}).mask(0, 1)
    np.testing.assert_array_equal(combine_mirrors(odd), odd)


def test_default_patches_are_the_published_ones():
    assert choose_patches(32, 32, 4) == (8, 4, 2, 1)
    assert choose_patches(224, 224, 6) == (56, 28, 14, 8, 4, 2)
    assert choose_patches(3, 9, 2) == (1, 1)


def test_the_published_number_of_patches():
    """Cut off, not rounded."""
    for side, patch in ((16, 4), (13, 2), (9, 3)):
        nearest, down = (
            StageMasks((side, side), (patch,), **OPTIONS | {"grid": "aligned", "rounding": rounding})
            for rounding in ("nearest", "down")
        )
        numbers = number_patches(side, side, patch, False, "conjugate")
        count = int(numbers.max()) + 1
        for masks, wanted in ((nearest, round(0.6 * count)), (down, int(0.6 * count))):
            assert len(np.unique(numbers[masks.mask(0, 1)])) == wanted
