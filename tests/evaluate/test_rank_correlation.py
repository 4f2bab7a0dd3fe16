"""Spearman's rank correlation by hand and beside SciPy."""

import numpy as np
import pytest

from keras_freq.evaluate import rank_correlation

pytestmark = pytest.mark.once


def test_by_hand():
    assert rank_correlation([1, 2, 3], [10, 100, 1000]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [0, -5, -6]) == pytest.approx(-1)
    # Without ties r = 1 - 6 sum d^2 / (n (n^2 - 1)), here with d = 1, -2, 1, 0.
    assert rank_correlation([1, 2, 3, 4], [2, 0, 2.5, 3]) == pytest.approx(1 - 6 * 2 / 60)
    assert np.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))


def test_as_scipy_has_it_with_ties(rng):
    stats = pytest.importorskip("scipy.stats")
    first, second = rng.integers(0, 6, 50), rng.integers(0, 6, 50) / 7
    assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ([1], [1], "(1,) and (1,)"),
        ([1, 2], [1, 2, 3], "(2,) and (3,)"),
        ([[1, 2]], [[1, 2]], "(1, 2) and (1, 2)"),
        ([1, np.nan], [1, 2], "NaN or infinity"),
    ],
)
def test_refused(first, second, says):
    with pytest.raises(ValueError, match="Received: ") as error:
        rank_correlation(first, second)
    assert says in str(error.value)
