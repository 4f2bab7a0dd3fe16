"""ADCS maps: the configurations, and the experiment in miniature, cut short and gone on with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import keras_freq as kf
from apps.freq_shortcuts import adcs
from apps.freq_shortcuts.__main__ import EXPERIMENTS
from apps.lab import RunError, cli, load_config
from apps.lab.config import as_dict, differences
from apps.lab.files import read_records

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "freq_shortcuts"
TINY = "data: {name: cifar10_mini, train_images: 200, test_images: 10}\n"
ZEBRA = "n02391049"


def call(*words):
    return cli.command("freq_shortcuts", EXPERIMENTS, [str(word) for word in words])


def test_the_configurations_load_and_say_what_they_are():
    paper = load_config(EXPERIMENTS["adcs"].config, CONFIGS / "adcs.yaml")
    small = load_config(EXPERIMENTS["adcs"].config, CONFIGS / "adcs.cpu.yaml")
    assert (paper.data.name, paper.data.image_size, len(paper.data.classes)) == ("imagenet2012", 224, 10)
    assert paper.data.classes[7] == ZEBRA
    assert (small.data.name, small.data.fallback, small.data.train_images) == (
        "cifar10",
        "cifar10_mini",
        5000,
    )
    assert paper.published
    assert small.published
    written = yaml.safe_load((CONFIGS / "adcs.yaml").read_text())
    assert differences(written, as_dict(paper)) == []
    for kind in ("yaml", "cpu.yaml"):
        header = (CONFIGS / f"adcs.{kind}").read_text().split("seed:")[0]
        assert f"python -m apps.freq_shortcuts adcs configs/freq_shortcuts/adcs.{kind}" in header
        assert "ICCV 2023" in header
        assert "Minutes" in header
        assert "[mem]" not in header
        assert max(map(len, header.splitlines())) <= 165


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


def test_in_miniature_and_again_after_a_kill(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adcs.yaml").write_text(TINY)
    measured = kf.shortcuts.adcs

    def interrupted(*args, **options):
        if options.get("ties") == -1:
            raise KeyboardInterrupt
        return measured(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(adcs.kf.shortcuts, "adcs", interrupted)
        assert call("adcs", "adcs.yaml", "output=out") == 130
    out = tmp_path / "out"
    kept = read_records(out / "results.jsonl")
    assert {record["stage"] for record in kept} == {"data", "adcs/ours"}
    assert call("adcs", "--resume", "out") == 0, capsys.readouterr().err
    records = read_records(out / "results.jsonl")
    assert records[: len(kept)] == kept

    images, labels = kf.data.load("cifar10_mini").arrays("train", limit=200)
    for form, options, top in (("ours", {}, 9), ("published", adcs.FORMS["published"], 8)):
        maps = measured(images, labels, classes=10, **options).maps
        found = [record for record in records if record["stage"] == f"adcs/{form}"]
        assert [r["n"] for r in found if r["measure"] == "highest"] == np.bincount(labels).tolist()
        for measure, expected in (
            ("lowest", maps.min(axis=(1, 2))),
            ("highest", maps.max(axis=(1, 2))),
            ("above all others", (maps == top).mean(axis=(1, 2))),
        ):
            values = [r["value"] for r in found if r["measure"] == measure]
            np.testing.assert_allclose(values, expected)
        assert top - 18 <= maps.min()
        assert maps.max() <= top
    assert {path.stem for path in (out / "figures").glob("*.png")} == {"adcs_ours", "adcs_published"}
    summary = (out / "summary.md").read_text()
    for words in ("our form, range -9 to 9", "published form, range -10 to 8", "saturates at 8"):
        assert words in summary


def test_classes_without_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "adcs.yaml").write_text(TINY.replace("200", "12"))
    assert call("adcs", "adcs.yaml", "published=false", "output=out") == 0, capsys.readouterr().err
    labels = kf.data.load("cifar10_mini").arrays("train", limit=12)[1]
    there = len(set(labels.tolist()))
    assert there < 10
    assert f"our form, range {1 - there} to {there - 1}" in (tmp_path / "out" / "summary.md").read_text()
