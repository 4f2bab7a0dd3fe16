"""Costs on paper: the passes of the formulas are those that are made, and the slowest part decides."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.benchmarks.config import Plan
from apps.benchmarks.plan import Work, cost, list_work
from keras_freq._report._look import Look
from keras_freq._report._sections import SECTIONS
from keras_freq.spectral._grid import one_of_each_pair
from tests.apps import running

pytestmark = pytest.mark.once


def passes(config, start):
    return next(work.passes for work in list_work(config) if work.name.startswith(start))


@pytest.mark.parametrize("side", [8, 9])
def test_searches_make_the_passes_of_the_formula(side, rng):
    model = kf.models.small_resnet((side, side, 3), classes=2, width=2)
    images, labels = rng.random((8, side, side, 3)).astype("float32"), np.arange(8) % 2
    config = Plan(images=8, size=side, classes=2, per_class=4, budgets=(3, 5))
    exact = kf.shortcuts.frequency_importance(model, images, labels, per_step=1)
    assert exact.forwards == passes(config, "exact ranking")
    found = kf.shortcuts.hfss(model, images, labels, budgets=(3, 5), patches=(4, 2), top=2)
    assert found.forwards == passes(config, "HFSS")
    assert one_of_each_pair(side, side, "upper").sum() * 8 == passes(config, "heat map, every wave")


def test_the_other_formulas_are_those_of_the_report(rng):
    model = kf.Classifier(kf.models.small_resnet((32, 32, 3), classes=2, width=2), value_range=(0, 1))
    images, labels = rng.random((40, 32, 32, 3)).astype("float32"), np.arange(40) % 2
    look = Look(model=model, images=images, labels=labels, size=(32, 32), classes=2, full=True)
    config = Plan(images=40, size=32, classes=2)
    assert passes(config, "corruptions") - 40 == SECTIONS["corruptions"].forwards(look)
    assert passes(config, "amplitude swap") == SECTIONS["swap"].forwards(look)
    assert passes(config, "spectrum") == SECTIONS["gradients"].forwards(look)
    bands = SECTIONS["bands"].forwards(look) / (1 + 2 * len(look.radii))
    assert passes(config, "bands, 10 radii") == 21 * bands


def test_the_slowest_part_decides():
    config = Plan(cores=2, bandwidth=1.0, size=100, line_ms=10)
    assert cost(config, Work("a", 7200, 0), 1.0, 1.0, 2) == (1.0, "device")
    hours, what = cost(config, Work("b", 1, 3e10 / 1e5), 1e9, 1.0, 1)
    assert (hours, what) == (pytest.approx(3e10 / 1e5 * 120000 / 1e9 / 3600), "bus")
    assert cost(config, Work("c", 1, 0, corrupted=7_200_000), 1e9, 2.0, 2) == (1.0, "cores")
    assert cost(config, Work("e", 128 * 1_200_000, 0), 1e9, 1.0, 2) == (1.0, "board")
    assert cost(config, Work("e", 128 * 1_200_000, 0), 1e9, 1.0, 1)[1] == "device"
    assert cost(config, Work("d", 1, 0, lines=360_000), 1e9, 1.0, 64) == (1.0, "journal")


def test_it_prints_hours_for_each_number_of_devices(tmp_path):
    told = running.finish(
        "benchmarks",
        "plan",
        running.CONFIGS / "benchmarks" / "plan.yaml",
        "rate=1000",
        "corruption_ms=20",
        "devices=[1, 8]",
        f"output={tmp_path / 'run'}",
    )
    assert "1e+03 images a second and device forward (given), 20 ms a corrupted image" in told.replace(
        "\n", " "
    )
    summary = (tmp_path / "run" / "summary.md").read_text()
    assert "| accuracy | 5e+04 | 0.014 | 0.0017 | device |  |" in summary


@pytest.mark.slow
def test_it_measures_what_is_not_given(tmp_path):
    told = running.finish(
        "benchmarks",
        "plan",
        running.CONFIGS / "benchmarks" / "plan.yaml",
        "size=32",
        "batch_size=4",
        f"output={tmp_path / 'run'}",
    )
    assert "ResNet-50, measured here" in told.replace("\n", " ")


@pytest.mark.parametrize("word", ["rate=0", "images=0", "size=4", "devices=[0]", "bandwidth=-1"])
def test_wrong_settings_are_refused(word):
    running.refuse(
        f"`{word.partition('=')[0]}` must",
        "benchmarks",
        "plan",
        running.CONFIGS / "benchmarks" / "plan.yaml",
        word,
    )
