"""ADCS maps: the experiment in miniature, cut short and gone on with."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_shortcuts import adcs
from tests.apps import running
from tests.apps.running import interrupt, records

TINY = """\
data: {name: cifar10_mini, train_images: 200, test_images: 10}
split: train
images_per_class: null
"""


@pytest.mark.once
def test_in_miniature_and_again_after_a_kill(here):
    (here / "adcs.yaml").write_text(TINY)
    with interrupt(kf.shortcuts, "adcs", when=lambda *args, ties=None, **options: ties == -1):
        assert running.call("freq_shortcuts", "adcs", "adcs.yaml", "output=out") == 130
    out = here / "out"
    kept = records(out)
    assert {record["stage"] for record in kept} == {"data", "adcs/ours", "adcs/ours/numbers"}
    running.finish("freq_shortcuts", "adcs", "--resume", "out")
    found = records(out)
    assert found[: len(kept)] == kept

    images, labels = kf.data.load("cifar10_mini").arrays("train", limit=200)
    for form, options, top in (("ours", {}, 9), ("published", adcs.FORMS["published"], 8)):
        maps = kf.shortcuts.adcs(images, labels, classes=10, **options).maps
        rows = [record for record in found if record["stage"] == f"adcs/{form}/numbers"]
        assert [r["n"] for r in rows if r["measure"] == "highest"] == np.bincount(labels).tolist()
        for measure, expected in (
            ("lowest", maps.min(axis=(1, 2))),
            ("highest", maps.max(axis=(1, 2))),
            ("above all others", (maps == top).mean(axis=(1, 2))),
        ):
            values = [r["value"] for r in rows if r["measure"] == measure]
            np.testing.assert_allclose(values, expected)
        assert top - 18 <= maps.min()
        assert maps.max() <= top
    assert {path.stem for path in (out / "figures").glob("*.png")} == {"adcs_ours", "adcs_published"}
    summary = (out / "summary.md").read_text()
    for words in ("our form, range -9 to 9", "published form, range -10 to 8", "saturates at 8"):
        assert words in summary


def test_classes_without_images(here):
    (here / "adcs.yaml").write_text(TINY.replace("200", "12"))
    running.finish("freq_shortcuts", "adcs", "adcs.yaml", "published=false", "output=out")
    labels = kf.data.load("cifar10_mini").arrays("train", limit=12)[1]
    there = len(set(labels.tolist()))
    assert there < 10
    assert f"our form, range {1 - there} to {there - 1}" in (here / "out" / "summary.md").read_text()
