"""HFSS and rankings: search images, cuts, and the experiment in miniature, cut short."""

from __future__ import annotations

import numpy as np
import pytest

from apps.freq_shortcuts import config, hfss, hfss_report
from apps.freq_shortcuts.maps import search_images
from apps.lab import RunError
from apps.lab.images import Images
from keras_freq._core.journal import SweepJournal
from tests.apps import running
from tests.apps.running import interrupt, records

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 120, test_images: 30}
training: {network: tiny, epochs: 1, batch_size: 40, schedule: constant, validation: 0.0}
methods: [hfss, exact, gradient]
search: {images_per_class: 2, patch: 8}
stages: {patches: [8, 4], budgets: [40, 33], top: 2}
fractions: [0.1]
thresholds: [0.1, 0.5]
corruptions: [contrast]
"""


def numbers(folder):
    """Records without what a clock says."""
    return [
        {k: v for k, v in r.items() if k != "stage_records"}
        for r in running.numbers(folder)
        if r["measure"] != "minutes"
    ]


@pytest.mark.once
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


@pytest.mark.once
def test_thresholds_rise(here):
    (here / "tiny.yaml").write_text(TINY)
    words = ("tiny.yaml", "thresholds=[0.5, 0.1]", "output=out")
    running.refuse("`thresholds` must rise", "freq_shortcuts", "hfss", *words)


@pytest.mark.once
def test_an_unknown_corruption_is_told_before_any_training(here):
    (here / "tiny.yaml").write_text(TINY)
    words = ("tiny.yaml", "corruptions=[fgo]", "output=out")
    running.refuse("Received: fgo", "freq_shortcuts", "hfss", *words)
    assert not any(record["stage"].endswith("/training") for record in records(here / "out"))


@pytest.mark.once
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


@pytest.mark.once
@pytest.mark.slow
def test_in_miniature_and_again_after_a_kill(here, capsys):
    (here / "tiny.yaml").write_text(TINY)
    with interrupt(SweepJournal, "add", at=4):
        assert running.call("freq_shortcuts", "hfss", "tiny.yaml", "output=out") == 130
    assert f"python -m apps.freq_shortcuts hfss --resume {here / 'out'}" in capsys.readouterr().err
    out = here / "out"
    kept = numbers(out)
    journal = (out / "checkpoints" / "search-hfss-seed0.jsonl").read_text()
    assert len(journal.splitlines()) == 1 + 3
    running.finish("freq_shortcuts", "hfss", "--resume", "out")
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
    (cost,) = (line for line in summary.splitlines() if line.startswith("| HFSS needs fewer"))
    assert "| 20 |" in cost  # search images
