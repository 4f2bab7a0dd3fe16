import numpy as np
import pytest

from keras_freq.shortcuts._frequency_groups import group_conjugates, group_published
from keras_freq.spectral import mirror_index
from tests.oracles import shortcuts as oracle

pytestmark = pytest.mark.once
SIZES = [(6, 6), (5, 7), (8, 5), (1, 4)]


@pytest.mark.parametrize("patch", [1, 2, 3])
@pytest.mark.parametrize("size", SIZES)
def test_every_pair_is_in_one_group(size, patch):
    groups = group_conjugates(*size, patch)
    expected = {frozenset(map(tuple, places)) for places in oracle.blocks(*size, patch)}
    found = {frozenset(map(tuple, np.argwhere(groups.of_bin == g))) for g in range(len(groups))}
    assert found == expected
    assert np.argwhere(groups.of_bin == 0).tolist() == [[size[0] // 2, size[1] // 2]]
    mirrored = groups.of_bin[np.ix_(mirror_index(size[0]), mirror_index(size[1]))]
    np.testing.assert_array_equal(mirrored, groups.of_bin)
    np.testing.assert_array_equal(groups.gather(np.ones(size)), np.bincount(groups.of_bin.ravel()))


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("size", SIZES)
def test_waves_are_an_orthonormal_basis_of_the_images(size, patch):
    groups = group_conjugates(*size, patch)
    waves = groups.make_waves(range(len(groups))).reshape(-1, size[0] * size[1])
    waves = waves[np.abs(waves).sum(axis=1) > 0]
    assert len(waves) == size[0] * size[1]
    np.testing.assert_allclose(waves @ waves.T, np.eye(len(waves)), atol=1e-6)


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_reference_groups_remove_what_the_published_slices_remove(patch, rng):
    groups = group_published(8, 8, patch)
    images = rng.random((2, 8, 8, 1))
    flat = images[..., 0].reshape(2, -1)
    places = [(r, k) for r in range(8 // patch) for k in range(8 // (2 * patch) + 1)]
    assert len(groups) == 1 + len(places)
    for group, (r, k) in enumerate(places, start=1):
        waves = groups.make_waves([group])[0].astype("float64")
        rest = flat - flat @ waves.T @ waves
        expected = oracle.filtered(images, oracle.published_block(8, 8, patch, r, k))
        np.testing.assert_allclose(rest.reshape(2, 8, 8), expected[..., 0], atol=1e-6)


def test_reference_groups_have_the_counts_of_the_published_code():
    for patch, positions, empty in ((1, 25312, 111), (2, 6384, 220)):
        groups = group_published(224, 224, patch)
        assert len(groups) == 1 + positions
        assert (groups.of_bin < 0).sum() == empty
    halved = (group_published(224, 224, 1).weights == 0.5).any(axis=1)
    assert halved.sum() == 333


def test_reference_groups_need_even_sides():
    for size, patch in (((7, 8), 1), ((8, 8), 3)):
        with pytest.raises(ValueError, match=r"needs even sides .* Received: images of"):
            group_published(*size, patch)
