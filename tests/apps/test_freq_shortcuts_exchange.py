"""Maps exchanged between networks: overlap, own against others', and the experiment in miniature."""

from __future__ import annotations

import numpy as np
import pytest

from apps.freq_shortcuts.exchange import compare_own, overlap
from tests.apps import running


@pytest.mark.once
def test_overlap_is_shared_bins_by_those_of_either_without_dc():
    first, second = np.zeros((2, 4, 4)), np.zeros((2, 4, 4))
    first[:, 2, 2] = second[:, 2, 2] = 1
    first[0, 0, :2] = second[0, 0, 1:3] = 1  # 1 of 3
    first[1, 1], second[1, 1] = 1, 1
    assert overlap(first, second) == pytest.approx((1 / 3 + 1) / 2)
    assert overlap(first, first) == 1
    assert first[0, 2, 2] == 1, "the masks stay as they are"


@pytest.mark.once
def test_own_maps_are_held_against_the_mean_of_the_others():
    labels = np.repeat([0, 1], 50)
    right = labels[None] == np.arange(2)[:, None]
    nobody = np.zeros((2, 100), bool)
    taken = {
        name: {f"exact of {other}": right if other == name else nobody for other in "abc"} for name in "abc"
    }
    found = compare_own(taken, "exact", labels)
    assert (found.first, found.second, found.value) == (0, 1, 1)
    assert found.p < 0.01
    same = {name: {f"exact of {other}": right for other in "abc"} for name in "abc"}
    assert compare_own(same, "exact", labels).value == 0


@pytest.mark.slow
@pytest.mark.once
def test_each_network_is_shown_the_maps_of_each(tmp_path):
    config = running.CONFIGS / "freq_shortcuts" / "exchange.yaml"
    told = running.finish(
        "freq_shortcuts",
        "exchange",
        config,
        "data.name=cifar10_mini",
        "networks=[cifar10/standard, cifar10/apr_sp]",
        "methods=[gradient]",
        "search_per_class=2",
        "test_per_class=3",
        "fractions=[0.05]",
        "patch=8",
        f"output={tmp_path / 'run'}",
    )
    assert "Jaccard index of the maps (gradient, without DC)" in told
    arrays = {path.stem for path in (tmp_path / "run" / "arrays").glob("*.npz")}
    names = ("cifar10-standard", "cifar10-apr_sp")
    assert arrays == {"disk-masks", "power-masks"} | {f"{name}-gradient-masks" for name in names} | {
        f"{name}-under-{of}"
        for name in names
        for of in ("disk", "power", *(f"gradient-of-{other}" for other in names))
    }
    assert "| others' | own | difference, 95 % | p |" in (tmp_path / "run" / "summary.md").read_text()
