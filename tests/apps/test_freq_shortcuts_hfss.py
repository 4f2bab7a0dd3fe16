"""HFSS and rankings: settings, search images, cuts, and the experiment in miniature, cut short."""

from __future__ import annotations

import numpy as np
import pytest

from apps.freq_shortcuts import config, hfss, hfss_report
from apps.freq_shortcuts.maps import search_images
from apps.lab import RunError, load_config
from apps.lab.images import Images
from keras_freq._core.journal import SweepJournal
from tests.apps import running
from tests.apps.running import records

CONFIGS = running.CONFIGS / "freq_shortcuts"
TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 120, test_images: 40}
training: {network: small_resnet, width: 2, epochs: 1, batch_size: 40, schedule: constant, validation: 0.0}
methods: [hfss, exact, gradient]
search: {images_per_class: 2, patch: 8}
stages: {patches: [8, 4], budgets: [40, 33], top: 2}
fractions: [0.1]
thresholds: [0.1, 0.5]
corruptions: [contrast]
"""


@pytest.fixture(autouse=True)
def miniature(here):
    (here / "tiny.yaml").write_text(TINY)


def call(*words):
    return running.call("freq_shortcuts", "hfss", *words)


def numbers(folder):
    """Records without what a clock says."""
    return [
        {k: v for k, v in r.items() if k != "stage_records"}
        for r in running.numbers(folder)
        if r["measure"] != "minutes"
    ]


def test_the_protocol_is_the_published_one():
    paper = load_config(config.Compare, CONFIGS / "hfss.yaml")
    small = load_config(config.Compare, CONFIGS / "hfss.cpu.yaml")
    assert (paper.training.network, paper.training.epochs) == ("resnet18", 200)
    assert (paper.stages.patches, paper.stages.budgets) == ((8, 4, 2, 1), (1000, 2000, 4000, 8000))
    assert (paper.stages.share, paper.stages.top, paper.search.split) == (0.6, 10, "separate")
    assert paper.fgsm == pytest.approx(4 / 255)
    assert (small.training.network, small.data.fallback) == ("small_resnet", "cifar10_mini")
    for kind in ("yaml", "cpu.yaml"):
        header = (CONFIGS / f"hfss.{kind}").read_text()
        for rates in hfss_report.PUBLISHED.values():
            assert " ".join(f"{rate:.2f}".lstrip("0") if rate else "0" for rate in rates) in header


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
    cut = hfss.cut_ranking(scores, hfss.shares_of(masks))
    kept = cut.sum(axis=(1, 2))
    # Whole pairs: one bin fewer where DC is not among them.
    assert kept[0] in (8, 9)
    assert kept[1] <= 1
    assert kept[2] == 0
    assert hfss.cut_ranking(scores, np.full(3, 0.2)).mean(axis=(1, 2)) == pytest.approx([0.2] * 3, abs=0.03)


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
    found = records(out)
    for method, cut in (("hfss", hfss_report.SAME), ("exact", hfss_report.SAME), ("gradient", "0.1")):
        for name in ("clean", "contrast", "fgsm"):
            rates = [r for r in found if r["stage"] == f"{method}/{cut}/{name}/seed0/rates"]
            assert len(rates) == 5 * 10
            assert all(0 <= r["value"] <= 1 for r in rates if r["value"] == r["value"])
    costs = {r["method"]: r["value"] for r in found if r["measure"] == "forwards"}
    assert costs["hfss"] == 20 * (1 + 40 + 33)
    assert costs["exact"] > costs["gradient"] == 20 * 3
    # Minutes of the search that was killed are not known.
    assert {r["method"] for r in found if r["measure"] == "minutes"} == {"exact", "gradient"}
    figures = {path.stem for path in (out / "figures").glob("*.png")}
    assert figures >= {"maps", "degree"}
    summary = (out / "summary.md").read_text()
    for words in ("HFSS keeps a higher TPR than the exact ranking", "0.628 against 0.286", "as many bins"):
        assert words in summary
