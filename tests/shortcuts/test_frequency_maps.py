import numpy as np
import pytest

from keras_freq.shortcuts import FrequencyMaps, dominant_frequency_map
from keras_freq.spectral import is_hermitian, mirror_index

pytestmark = pytest.mark.once


def symmetric(rng, size, classes=2):
    values = rng.standard_normal((classes, *size))
    return values + values[:, mirror_index(size[0])][:, :, mirror_index(size[1])]


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (6, 5)])
@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 1.0])
def test_keeps_the_largest_values_in_whole_pairs(size, fraction, rng):
    values = symmetric(rng, size)
    keep = max(1, int(fraction * size[0] * size[1]))
    for ties in ("include", "exact"):
        maps = dominant_frequency_map(values, fraction, ties=ties)
        assert maps.masks.dtype == np.float32
        for mask, part in zip(maps.masks, values, strict=True):
            assert is_hermitian(mask)
            assert set(np.unique(mask)) <= {0, 1}
            kept = part[mask > 0]
            if kept.size and (mask == 0).any():
                assert kept.min() > part[mask == 0].max() - 1e-12 or ties == "exact"
            count = int(mask.sum())
            assert keep <= count <= keep + 1 if ties == "include" else keep - 1 <= count <= keep


def test_ties_are_included_or_cut_nearest_to_dc_first():
    values = np.zeros((1, 5, 5))
    assert dominant_frequency_map(values, 0.2).masks.sum() == 25
    mask = dominant_frequency_map(values, 0.2, ties="exact").masks[0]
    expected = np.zeros((5, 5))
    expected[2, 1:4] = expected[1:4, 2] = 1
    np.testing.assert_array_equal(mask, expected)


def test_dc_is_ranked_kept_or_dropped(rng):
    values = symmetric(rng, (6, 6), classes=1)
    values[0, 3, 3] = values.min() - 1
    masks = {dc: dominant_frequency_map(values, 0.2, dc=dc).masks[0] for dc in ("rank", "keep", "drop")}
    assert [masks[dc][3, 3] for dc in ("rank", "keep", "drop")] == [0, 1, 0]
    values[0, 3, 3] = values.max() + 1
    assert dominant_frequency_map(values, 0.01).masks[0].sum() == 1
    assert dominant_frequency_map(values, 0.2, dc="drop").masks[0][3, 3] == 0


def test_one_sided_values_give_the_mask_of_the_real_part():
    values = np.zeros((1, 5, 5))
    values[0, 1, 4] = 1
    mask = dominant_frequency_map(values, 0.04).masks[0]
    assert mask[1, 4] == mask[3, 0] == 0.5
    assert mask.sum() == 1


def test_maps_are_arrays_too(rng):
    maps = FrequencyMaps(np.eye(4, dtype="float32")[None].repeat(3, 0))
    assert np.asarray(maps).shape == (3, 4, 4)
    assert np.asarray(maps, "float64").dtype == np.float64
    assert len(maps) == 3
    np.testing.assert_allclose(maps.share, 0.25)


@pytest.mark.parametrize(
    ("values", "changed", "message"),
    [
        (
            np.zeros((2, 4, 4)),
            {"fraction": 0},
            "`fraction` must be a finite number in \\(0, 1\\]. Received: fraction=0",
        ),
        (np.zeros((2, 4, 4)), {"fraction": 1.5}, "Received: fraction=1.5"),
        (np.zeros((2, 4, 4)), {"ties": "some"}, "`ties` must be one of"),
        (np.zeros((2, 4, 4)), {"dc": "zero"}, "`dc` must be one of"),
        (np.zeros((4, 4)), {}, "Received: shape \\(4, 4\\)"),
    ],
)
def test_refuses_bad_input(values, changed, message):
    with pytest.raises(ValueError, match=message):
        dominant_frequency_map(values, **changed)
