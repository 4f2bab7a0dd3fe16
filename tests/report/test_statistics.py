"""Intervals of the findings, against SciPy and by hand."""

import numpy as np
import pytest
from scipy import stats

from keras_freq._report._statistics import (
    difference_interval,
    paired_interval,
    ratio_interval,
    share_interval,
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize(("count", "n"), [(0, 8), (3, 10), (54, 100), (1000, 1000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.995])
def test_a_share_has_wilsons_interval(count, n, level):
    expected = stats.binomtest(count, n).proportion_ci(level, method="wilson")
    assert share_interval(count, n, level=level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_difference_has_the_published_interval():
    # Newcombe 1998, table II, method 10: 56/70 - 48/80.
    assert difference_interval(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    low, high = difference_interval(48, 80, 56, 70)
    assert (low, high) == pytest.approx((-0.3339, -0.0524), abs=5e-5)


def test_a_paired_difference_is_that_of_agresti_and_min_for_bits(rng):
    right, other = rng.random(60) < 0.8, rng.random(60) < 0.6
    b, c, n = np.sum(right & ~other), np.sum(~right & other), 60 + 2
    middle = (b - c) / n
    half = 1.959964 * np.sqrt((b + c + 2) - (b - c) ** 2 / n) / n
    assert paired_interval(right, other) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_the_paired_interval_covers_what_it_says(rng):
    inside = 0
    for _ in range(400):
        draws = rng.random(80)
        right, other = draws < 0.7, (draws + 0.1 * rng.standard_normal(80)) < 0.6
        low, high = paired_interval(right, other)
        inside += low <= 0.1003 <= high  # the mean of 2e6 draws
    assert inside / 400 > 0.92


def test_equal_images_have_a_difference_of_zero_and_a_width():
    low, high = paired_interval(np.ones(50), np.ones(50))
    assert low < 0 < high
    assert low == -high


def test_shares_among_images_of_their_own_are_covered(rng):
    """Of two models that answer alike on many images, and that count among different ones."""
    inside, widths = 0, []
    for _ in range(300):
        easy = rng.random(300)
        among, other_among = rng.random(300) < 0.7, rng.random(300) < 0.5
        counted, other = easy < 0.6, (easy < 0.4) | (rng.random(300) < 0.1)
        low, high = ratio_interval(counted, among, other, other_among)
        inside += low <= 0.6 - (0.4 + 0.6 * 0.1) <= high
        widths.append(high - low)
    assert 0.91 <= inside / 300 <= 0.985
    assert 0.1 < np.mean(widths) < 0.3


def test_shares_among_all_are_those_of_pairs(rng):
    right, other, every = rng.random(200) < 0.8, rng.random(200) < 0.6, np.ones(200, bool)
    low, high = ratio_interval(right, every, other, every)
    assert (low + high) / 2 == pytest.approx(right.mean() - other.mean())
    close = paired_interval(right, other)  # of two images more
    assert (low, high) == (pytest.approx(close[0], abs=0.02), pytest.approx(close[1], abs=0.02))


def test_a_share_among_none_has_no_interval():
    none, every = np.zeros(5, bool), np.ones(5, bool)
    assert np.isnan(ratio_interval(every, none, every, every)).all()
    assert np.isnan(ratio_interval(every, every, every, none)).all()
