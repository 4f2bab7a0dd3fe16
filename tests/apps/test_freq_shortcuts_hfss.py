"""HFSS and rankings: settings, search images, cuts, and the experiment in miniature, cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from apps.freq_shortcuts import config, hfss_maps, hfss_report
from apps.freq_shortcuts.__main__ import EXPERIMENTS
from apps.freq_shortcuts.search import search_images
from apps.lab import RunError, cli, load_config
from apps.lab.config import as_dict, differences
from apps.lab.files import read_records
from apps.lab.images import Images
from keras_freq._core.journal import SweepJournal

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs" / "freq_shortcuts"
TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 120, test_images: 40}
training: {network: small_resnet, width: 2, epochs: 1, batch_size: 40, schedule: constant, validation: 0}
methods: [hfss, exact, gradient]
search: {images_per_class: 2, patch: 8}
stages: {patches: [8, 4], budgets: [40, 33], top: 2}
fractions: [0.1]
thresholds: [0.1, 0.5]
corruptions: [contrast]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def call(*words):
    return cli.command("freq_shortcuts", EXPERIMENTS, ["hfss", *map(str, words)])


def numbers(folder):
    """Records without what a clock says."""
    records = read_records(folder / "results.jsonl")
    return [
        {k: v for k, v in r.items() if k not in ("seconds", "stage_records")}
        for r in records
        if r["measure"] != "minutes"
    ]


def test_the_configurations_load_and_say_what_they_are():
    paper = load_config(config.Compare, CONFIGS / "hfss.yaml")
    small = load_config(config.Compare, CONFIGS / "hfss.cpu.yaml")
    assert (paper.training.network, paper.training.epochs) == ("resnet18", 200)
    assert (paper.stages.patches, paper.stages.budgets) == ((8, 4, 2, 1), (1000, 2000, 4000, 8000))
    assert (paper.stages.share, paper.stages.top, paper.search.split) == (0.6, 10, "separate")
    assert paper.fgsm == pytest.approx(4 / 255)
    assert (small.training.network, small.data.fallback) == ("small_resnet", "cifar10_mini")
    written = yaml.safe_load((CONFIGS / "hfss.yaml").read_text())
    assert [d for d in differences(written, as_dict(paper)) if d[0] != "store"] == []
    for kind in ("yaml", "cpu.yaml"):
        header = (CONFIGS / f"hfss.{kind}").read_text().split("seed:")[0]
        assert f"python -m apps.freq_shortcuts hfss configs/freq_shortcuts/hfss.{kind}" in header
        for rates in hfss_report.PUBLISHED.values():
            assert " ".join(f"{rate:.2f}".lstrip("0") if rate else "0" for rate in rates) in header
        assert "[mem]" not in header


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("methods=[best]", "`methods` must hold some of hfss, exact, hybrid, gradient"),
        ("stages.share=1.5", "`stages.share` must be above 0 and below 1"),
        ("stages.budgets=[]", "`stages.budgets` must hold a number of masks for each stage"),
        ("stages.patches=[0]", "`stages.patches` must be at least 1"),
        ("thresholds=[]", "`thresholds` must hold at least one number"),
        ("severity=6", "`severity` must lie in [1, 5]"),
        ("search.images_per_class=0", "`search.images_per_class` must be at least 1"),
    ],
)
def test_wrong_settings_are_one_line(word, message):
    with pytest.raises(RunError) as caught:
        load_config(config.Compare, CONFIGS / "hfss.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_search_images_are_stratified_and_seeded():
    generator = np.random.default_rng(0)
    train = generator.random((60, 4, 4, 1)), generator.integers(0, 3, 60)
    test = generator.random((12, 4, 4, 1)), np.arange(12) % 3
    images = Images("some", ("a", "b", "c"), train, test)
    pixels, labels = search_images(images, config.Search(images_per_class=5), seed=1)
    assert np.bincount(labels).tolist() == [5, 5, 5]
    rows = [int(np.flatnonzero((train[0] == pixel).all(axis=(1, 2, 3)))[0]) for pixel in pixels]
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(train[1][rows], labels)
    again, other = (search_images(images, config.Search(images_per_class=5), seed=s)[0] for s in (1, 2))
    np.testing.assert_array_equal(again, pixels)
    assert not np.array_equal(other, pixels)
    # As many as the test set has, or the test images themselves.
    assert np.bincount(search_images(images, config.Search(), seed=1)[1]).tolist() == [4, 4, 4]
    published = search_images(images, config.Search(split="test"), seed=1)
    np.testing.assert_array_equal(published[0], test[0])
    with pytest.raises(RunError, match="at most the number of test images of each class, 4 of a"):
        search_images(images, config.Search(images_per_class=5, split="test"), seed=1)


def test_rankings_are_cut_to_the_bins_of_hfss():
    masks = np.zeros((3, 9, 7), "float32")
    masks[0, 3:6, 2:5] = 1
    masks[1, 4, 3] = 1
    scores = np.random.default_rng(0).random((3, 9, 7))
    scores += scores[:, ::-1, ::-1]
    digests = np.arange(16, dtype="uint8").reshape(2, 8)
    searched = {("hfss", 0): {"values": masks, "digests": digests}}
    searched["exact", 0] = {"values": scores, "digests": digests}
    cut = hfss_maps.maps(searched, "exact", hfss_maps.SAME, 0)
    kept = cut.masks.sum(axis=(1, 2))
    # Whole pairs: one bin fewer where DC is not among them.
    assert kept[0] in (8, 9)
    assert kept[1] <= 1
    assert kept[2] == 0
    assert hfss_maps.maps(searched, "exact", "0.2", 0).share == pytest.approx([0.2] * 3, abs=0.03)
    assert cut.found_on == {bytes(range(8)), bytes(range(8, 16))}
    np.testing.assert_array_equal(hfss_maps.maps(searched, "hfss", hfss_maps.SAME, 0), masks)


@pytest.mark.slow
def test_in_miniature_and_again_after_a_kill(here, monkeypatch, capsys):
    add, passes = SweepJournal.add, []

    def interrupted(self, rows):
        passes.append(rows)
        if len(passes) == 4:
            raise KeyboardInterrupt
        add(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(SweepJournal, "add", interrupted)
        assert call("tiny.yaml", "output=out") == 130
    assert "python -m apps.freq_shortcuts hfss --resume out" in capsys.readouterr().err
    out = here / "out"
    kept = numbers(out)
    journal = (out / "checkpoints" / "search-hfss-seed0.jsonl").read_text()
    assert len(journal.splitlines()) == 1 + 3
    assert call("--resume", "out") == 0, capsys.readouterr().err
    assert numbers(out)[: len(kept)] == kept
    assert (out / "checkpoints" / "search-hfss-seed0.jsonl").read_text().startswith(journal)
    records = read_records(out / "results.jsonl")
    for method, cut in (("hfss", hfss_maps.SAME), ("exact", hfss_maps.SAME), ("gradient", "0.1")):
        for name in ("clean", "contrast", "fgsm"):
            found = [r for r in records if r["stage"] == f"{method}/{cut}/{name}/seed0"]
            assert len(found) == 5 * 10
            assert all(0 <= r["value"] <= 1 for r in found if r["value"] == r["value"])
    costs = {r["method"]: r["value"] for r in records if r["measure"] == "forwards"}
    assert costs["hfss"] == 20 * (1 + 40 + 33)
    assert costs["exact"] > costs["gradient"] == 20 * 3
    # Minutes of the search that was killed are not known.
    assert {r["method"] for r in records if r["measure"] == "minutes"} == {"exact", "gradient"}
    figures = {path.stem for path in (out / "figures").glob("*.png")}
    assert figures >= {"maps", "degree"}
    summary = (out / "summary.md").read_text()
    for words in ("HFSS keeps a higher TPR than the exact ranking", "0.628 against 0.286", "as many bins"):
        assert words in summary
