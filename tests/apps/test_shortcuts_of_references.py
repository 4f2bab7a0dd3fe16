"""What networks keep under few frequencies, and how that goes with their errors: of made-up networks."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from apps.lab import shortcuts
from apps.lab.evidence import name_row
from apps.lab.outcomes import Outcomes, write_outcomes

ROWS = ("standard", "apr_sp", "pgd", "cut_mix", "hars")
N = 200


def bits(share):
    return np.arange(N) < share * N


def keep(place, clean):
    """More is kept by the networks that come later."""
    right = {"clean": bits(clean)}
    lent = {}
    for number, method in enumerate(shortcuts.METHODS):
        right[f"kept {method}"] = bits(0.3 + 0.15 * place - 0.02 * number)
        lent[f"lent {method}"] = np.full(N, place, "uint8")
    return Outcomes(right, lent, {"share": 0.05, "classes": 11})


@pytest.fixture
def folder(tmp_path):
    for place, row in enumerate(ROWS):
        right = {"clean": bits(0.9), "attacked linf 1/255": bits(0.5 - 0.1 * place)}
        right |= {f"corrupted {name} 3": bits(0.8 - 0.05 * place) for name in ("fog", "snow")}
        write_outcomes(tmp_path / f"cifar10-{row}-0.npz", Outcomes(right, {}, {}))
    return tmp_path


@pytest.fixture
def networks():
    found = {row: {0: keep(place, 0.9)} for place, row in enumerate(ROWS)}
    found["hars"] = {0: keep(9, 0.3)}  # which reads no images as they are
    found["apr_sp"][1] = keep(5, 0.9)  # of whose errors nothing is known
    return found


@pytest.mark.once
def test_rates_are_those_of_the_bits(networks):
    head, standard, apr_sp, *_ = shortcuts.table(networks)
    assert head == ["trained with", "seeds", "clean", "learned", "power", "disk", "learned: TPR - FPR"]
    rates = [".300 / .000", ".280 / .000", ".260 / .000"]
    assert standard == [name_row("standard"), "1", ".900", *rates, ".300"]
    assert apr_sp[:4] == [name_row("apr_sp"), "2", ".900", ".725 / .300"]


@pytest.mark.once
def test_networks_that_read_images_and_whose_errors_are_known_are_related(networks, folder):
    points = shortcuts.read_points(networks, folder)
    assert list(points) == [name_row(row) for row in ROWS[:4]]
    np.testing.assert_allclose(points[name_row("pgd")], [[0.6 - 0.2], [0.9 - 0.7]], atol=1e-9)
    text = shortcuts.render(networks, folder)
    assert "over 4 ways to train (4 networks, those of an accuracy of at least 0.5;" in text
    assert "first 200 test images under a map of 5% of the frequencies" in text
    lines = {
        tuple(cells[:2]): cells for cells in (line.strip("| ").split(" | ") for line in text.splitlines())
    }
    # Those that keep more err more, in this order.
    assert lines["learned", "error that corruptions add"][2] == "+1.00 (+1.00 to +1.00)"
    assert "nan" not in text.lower()


@pytest.mark.once
def test_the_correlation_is_spearmans(networks, folder):
    rng = np.random.default_rng(0)
    lent = rng.permutation(4)
    for place, row in enumerate(ROWS[:4]):
        networks[row][0].predicted["lent learned"][:] = 0
        networks[row][0].predicted["lent learned"][: 20 * lent[place]] = 10
    chosen = {row: shortcuts._choose(networks, shortcuts.read_networks(folder))[row] for row in ROWS[:4]}
    looks = [each[0]["learned"] for each in chosen.values()]
    added = [each[0]["added error"] for each in chosen.values()]
    rows = {tuple(row[:2]): row for row in shortcuts.correlations(chosen)}
    told = rows["learned", "error that corruptions add"]
    assert float(told[2].split(" ")[0]) == pytest.approx(spearmanr(looks, added)[0], abs=0.006)
    assert rows["learned", "clean error"][3] == "-"
    assert told[3] == "-"  # all are equally right on clean images


@pytest.mark.once
def test_two_ways_to_train_are_too_few(networks, folder):
    few = {row: networks[row] for row in ROWS[:2]}
    assert "Spearman" not in shortcuts.render(few, folder)
