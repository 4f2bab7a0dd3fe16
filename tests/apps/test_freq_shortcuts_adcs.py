"""ADCS maps: the configurations, and the experiment in miniature, cut short and gone on with."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_shortcuts import adcs
from apps.freq_shortcuts.__main__ import EXPERIMENTS
from apps.lab import RunError, load_config
from tests.apps import running
from tests.apps.running import records

CONFIGS = running.CONFIGS / "freq_shortcuts"
TINY = "data: {name: cifar10_mini, train_images: 200, test_images: 10}\n"
ZEBRA = "n02391049"


def call(*words):
    return running.call("freq_shortcuts", *words)


def test_the_protocol_is_the_published_one():
    paper = load_config(EXPERIMENTS["adcs"].config, CONFIGS / "adcs.yaml")
    small = load_config(EXPERIMENTS["adcs"].config, CONFIGS / "adcs.cpu.yaml")
    assert (paper.data.name, paper.data.image_size, len(paper.data.classes)) == ("imagenet2012", 224, 10)
    assert paper.data.classes[7] == ZEBRA
    assert (small.data.fallback, small.data.train_images, small.data.image_size) == (
        "cifar10_mini",
        5000,
        None,
    )
    assert paper.published
    assert small.published


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("channel=red", "`channel` must be one of mean, luma, sign_then_mean"),
        ("seed=-1", "`seed` must be at least 0"),
        ("data.image_size=4", "`data.image_size` must be at least 8"),
    ],
)
def test_wrong_settings_are_one_line(word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS["adcs"].config, CONFIGS / "adcs.cpu.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_in_miniature_and_again_after_a_kill(here, monkeypatch, capsys):
    (here / "adcs.yaml").write_text(TINY)
    measured = kf.shortcuts.adcs

    def interrupted(*args, **options):
        if options.get("ties") == -1:
            raise KeyboardInterrupt
        return measured(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(adcs.kf.shortcuts, "adcs", interrupted)
        assert call("adcs", "adcs.yaml", "output=out") == 130
    out = here / "out"
    kept = records(out)
    assert {record["stage"] for record in kept} == {"data", "adcs/ours", "adcs/ours/numbers"}
    assert call("adcs", "--resume", "out") == 0, capsys.readouterr().err
    found = records(out)
    assert found[: len(kept)] == kept

    images, labels = kf.data.load("cifar10_mini").arrays("train", limit=200)
    for form, options, top in (("ours", {}, 9), ("published", adcs.FORMS["published"], 8)):
        maps = measured(images, labels, classes=10, **options).maps
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


def test_classes_without_images(here, capsys):
    (here / "adcs.yaml").write_text(TINY.replace("200", "12"))
    assert call("adcs", "adcs.yaml", "published=false", "output=out") == 0, capsys.readouterr().err
    labels = kf.data.load("cifar10_mini").arrays("train", limit=12)[1]
    there = len(set(labels.tolist()))
    assert there < 10
    assert f"our form, range {1 - there} to {there - 1}" in (here / "out" / "summary.md").read_text()
