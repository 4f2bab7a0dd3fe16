"""Intervals, tests and verdicts against other ways to compute them."""

import itertools

import numpy as np
import pytest
from scipy import stats

from apps.lab.measures import measure, samples
from apps.lab.outcomes import Outcomes, read_outcomes, write_outcomes
from apps.lab.statistics import (
    Difference,
    Samples,
    compare,
    exchange_test,
    holm,
    resample,
    verdict,
)

pytestmark = pytest.mark.once


def plain(values):
    values = np.atleast_2d(values).astype("float64")
    return Samples(values, np.ones_like(values))


def test_resampled_sums_are_those_of_drawn_rows(rng):
    columns = rng.normal(size=(50, 3))
    sums = resample(columns, draws=4000, rng=rng)
    assert sums.shape == (4000, 3)
    np.testing.assert_allclose(sums.mean(axis=0), columns.sum(axis=0), atol=0.6)
    np.testing.assert_allclose(sums.std(axis=0), np.sqrt(50) * columns.std(axis=0), rtol=0.05)
    constant = resample(np.ones((7, 1)), draws=10, rng=rng)
    np.testing.assert_array_equal(constant, np.full((10, 1), 7.0))


def test_an_interval_of_one_seed_is_the_normal_one(rng):
    first, second = rng.random(4000) < 0.5, rng.random(4000) < 0.6
    found = compare(plain(first), plain(second), draws=4000)
    differences = second.astype(float) - first
    half = 1.96 * differences.std() / np.sqrt(4000)
    assert found.value == pytest.approx(differences.mean())
    assert found.low == pytest.approx(differences.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(differences.mean() + half, abs=0.15 * half)
    assert (found.seeds, found.n) == (1, 4000)
    assert compare(plain(first), plain(second), draws=4000) == found  # seeded


def test_few_seeds_that_disagree_widen_the_interval(rng):
    base = rng.random((3, 2000)) < 0.5
    alike = compare(plain(base), plain(base | (rng.random((3, 2000)) < 0.2)), draws=2000)
    shift = np.array([[0.0], [0.2], [0.4]])
    apart = compare(plain(base), plain(base | (rng.random((3, 2000)) < shift)), draws=2000)
    assert apart.value == pytest.approx(alike.value, abs=0.02)
    assert apart.high - apart.low > 3 * (alike.high - alike.low)


def test_a_ratio_counts_among_its_own_images():
    above = np.array([[1, 0, 0, 1]])
    below = np.array([[1, 0, 1, 1]])
    assert Samples(above, below).rate == pytest.approx(2 / 3)
    found = compare(Samples(above, below), Samples(below, below), draws=500)
    assert found.value == pytest.approx(1 / 3)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_the_exchange_test_is_mcnemar_for_right_and_wrong(rng):
    first, second = rng.random(300) < 0.5, rng.random(300) < 0.58
    gained, lost = int((second & ~first).sum()), int((first & ~second).sum())
    wanted = stats.binomtest(gained, gained + lost).pvalue
    assert exchange_test(second.astype(float) - first, draws=10, rng=rng) == pytest.approx(wanted)
    assert compare(plain(first), plain(second), draws=50).p == pytest.approx(wanted)


def test_the_exchange_test_against_all_exchanges(rng):
    differences = rng.normal(0.4, 1, 12)
    all_signs = np.array(list(itertools.product([-1, 1], repeat=12)))
    wanted = np.mean(np.abs(all_signs @ differences) >= abs(differences.sum()) - 1e-9)
    assert exchange_test(differences, draws=20_000, rng=rng) == pytest.approx(wanted, abs=0.02)
    assert exchange_test(np.zeros(4), draws=10, rng=rng) == 1


def test_draws_that_tie_with_what_was_seen_count(rng):
    differences = np.array([13, 7, -13]) / 67 / 75  # no sum of theirs is nearer to 0
    assert exchange_test(differences, draws=1000, rng=rng) == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == [0.2]


@pytest.mark.parametrize(
    ("low", "high", "p", "direction", "words"),
    [
        (0.05, 0.15, 0.01, "higher", "shown"),
        (0.05, 0.15, 0.01, "lower", "opposite"),
        (-0.15, -0.05, 0.01, "lower", "shown"),
        (-0.05, 0.25, 0.01, "higher", "not shown (half-width 0.150)"),
        (0.05, 0.15, 0.2, "higher", "not shown (half-width 0.050)"),
        (0.001, 0.009, 0.01, "higher", "not shown (below 0.02)"),
    ],
)
def test_verdicts_follow_from_a_rule(low, high, p, direction, words):
    found = Difference(0.5, 0.5 + (low + high) / 2, low, high, p, 3, 100)
    assert verdict(found, p, direction=direction, smallest=0.02) == words


@pytest.fixture
def outcomes(rng):
    right = {
        "clean": rng.random(21) < 0.8,
        "low 4": rng.random(21) < 0.3,
        "attacked linf 1/255": np.ones(5, bool),
    }
    for name, severity in itertools.product(("fog", "snow"), (1, 2)):
        right[f"corrupted {name} {severity}"] = rng.random(21) < 0.6
    swap = {name: rng.integers(0, 3, 21).astype("uint8") for name in ("swap", "swap phase", "swap amplitude")}
    return Outcomes(right, swap, {"seed": 0})


def test_outcomes_are_read_as_they_were_written(outcomes, tmp_path):
    write_outcomes(tmp_path / "one.npz", outcomes)
    again = read_outcomes(tmp_path / "one.npz")
    assert list(again.right) == list(outcomes.right)
    for kind in ("right", "predicted"):
        for name, bits in getattr(outcomes, kind).items():
            found = getattr(again, kind)[name]
            assert found.dtype == bits.dtype
            np.testing.assert_array_equal(found, bits)
    assert again.note["seed"] == 0


def test_measures_by_hand(outcomes):
    right = outcomes.right
    assert samples([outcomes], "accuracy").rate == pytest.approx(right["clean"].mean())
    assert samples([outcomes], "accuracy low 4").rate == pytest.approx(right["low 4"].mean())
    assert samples([outcomes], "accuracy attacked linf 1/255").rate == 1
    fog = 1 - np.mean([right["corrupted fog 1"], right["corrupted fog 2"]])
    snow = 1 - np.mean([right["corrupted snow 1"], right["corrupted snow 2"]])
    assert samples([outcomes], "error fog").rate == pytest.approx(fog)
    assert samples([outcomes, outcomes], "corruption error").rate == pytest.approx((fog + snow) / 2)
    assert outcomes.mean_error("corrupted ") == pytest.approx((fog + snow) / 2)
    swap, phase, amplitude = (outcomes.predicted[n] for n in ("swap", "swap phase", "swap amplitude"))
    differ = phase != amplitude
    assert samples([outcomes], "follows phase").rate == pytest.approx((swap == phase)[differ].mean())
    assert samples([outcomes], "follows amplitude").rate == pytest.approx((swap == amplitude)[differ].mean())
    with pytest.raises(ValueError, match=r"a measure must be .* Received: blur"):
        measure(outcomes, "blur")
