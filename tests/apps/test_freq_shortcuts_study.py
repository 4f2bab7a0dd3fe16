"""Study and transfer: both in miniature, and a run that was cut short."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import keras_freq as kf
from apps.freq_shortcuts import maps
from apps.freq_shortcuts.study import name_lines
from tests.apps import running
from tests.apps.running import interrupt, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 80, test_images: 40}
training: {network: tiny, epochs: 2, batch_size: 40, schedule: constant, validation: 0.0}
search: {images_per_class: 2, patch: 8, fraction: 0.1}
"""
MINIATURES = {
    "study": "networks: [tiny, tiny_too]\nwidths: [2, 2]\naugmentations: [standard]\n",
    "transfer": "augmentations: [standard]\ncorruptions: [contrast]\n",
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(TINY + text)


@pytest.mark.once
def test_the_control_keeps_as_many_bins(rng):
    values = rng.random((3, 9, 8))
    found = kf.shortcuts.dominant_frequency_map(values + values[:, ::-1], 0.2)
    disks = maps.disks(found)
    for mask, disk in zip(found.masks, disks, strict=True):
        assert kf.spectral.is_hermitian(disk)
        distance = kf.spectral.radial_distance(9, 8)
        assert distance[disk > 0].max() < distance[disk == 0].min()
        assert 0 <= disk.sum() - mask.sum() <= 8  # a whole circle more at most
    empty = kf.shortcuts.FrequencyMaps(np.zeros((1, 9, 8), "float32"))
    assert maps.disks(empty).sum() == 0


@pytest.mark.once
def test_a_class_without_test_images_has_no_line():
    rates = np.array([[0.1, np.nan, 0.2], [0.3, np.nan, np.nan]])
    assert list(name_lines(rates, ["a", "b", "c"])) == ["a", "c"]


@pytest.mark.slow
def test_the_study_in_miniature_and_again_after_a_kill(here):
    with interrupt(kf.shortcuts, "shortcut_report", at=5):
        assert running.call("freq_shortcuts", "study", "study.yaml", "output=out") == 130
    kept = numbers("out")
    stages = {r["stage"] for r in kept}
    assert stages >= {"tiny-standard/seed0/disk/rates", "tiny_too-standard/seed0/own/rates"}
    running.finish("freq_shortcuts", "study", "--resume", "out")
    records = numbers("out")
    assert records[: len(kept)] == kept
    for network in ("tiny", "tiny_too"):
        for masks in ("own", "first", "disk"):
            found = [r for r in records if r["stage"] == f"{network}-standard/seed0/{masks}/rates"]
            assert len(found) == 5 * 10
            assert {r["n"] for r in found} == {40}
            assert all(0 <= r["value"] <= 1 for r in found if r["value"] == r["value"])
    out = here / "out"
    share = [r["value"] for r in records if r.get("masks") == "own" and r["measure"] == "share"]
    assert min(share) >= 0.1 - 1 / 1024
    assert {r["epoch"] for r in records if r.get("masks") == "growth" and "epoch" in r} == {1, 2}
    assert {path.stem for path in (out / "figures").glob("*.png")} == {"maps", "filtered", "growth"}
    summary = (out / "summary.md").read_text()
    for words in (
        "tiny network",
        "another tiny network",
        "2 of 10, mean TPR 0.29",
        "low-pass of the same share",
    ):
        assert words in summary


@pytest.mark.once
def test_widths_that_a_network_lacks_are_told_before_any_training(here):
    message = "`training.width` must be null for densenet. Received: training.width=3"
    words = ("networks=[tiny, densenet]", "widths=[2, 3]", "output=out")
    running.refuse(message, "freq_shortcuts", "study", "study.yaml", *words)
    synthetic = running.CONFIGS / "freq_shortcuts" / "synthetic.yaml"
    words = ("networks=[tiny, densenet]", "training.width=3", "output=out")
    running.refuse(message, "freq_shortcuts", "synthetic", synthetic, *words)


@pytest.mark.slow
def test_transfer_in_miniature(here, shared_store):
    classes = kf.data.load("cifar10_mini").classes
    for place, name in enumerate(("plane", *classes[1:])):
        (here / "renditions" / name).mkdir(parents=True)
        levels = np.full((40, 36, 3), 20 * place, "uint8")
        Image.fromarray(levels).save(here / "renditions" / name / "0.png")
    order = ["plane", *classes[1:]]
    # A set that numbers its classes, as CIFAR-10.1 does.
    x, y = kf.data.load("cifar10_mini").arrays("test", limit=50)
    np.savez(here / "numbered.npz", x_test=x, y_test=y, classes=[str(label) for label in range(10)])
    words = ["other=[numbered.npz]", "renditions=renditions", "output=out"]
    words.append(f"rendition_classes=[{','.join(order)}]")
    running.finish("freq_shortcuts", "transfer", "transfer.yaml", *words, f"store={shared_store}")
    records = numbers("out")
    for name, n in (("test images", 40), ("contrast", 40), ("numbered.npz", 50), ("renditions", 10)):
        found = [r for r in records if r.get("set") == name and r["masks"] == "own"]
        assert len(found) == 5 * 10
        assert {r["n"] for r in found} == {n}
    assert "before" in (here / "out" / "summary.md").read_text()
    wrong = ["other=[nowhere]", "output=other"]
    running.refuse("nowhere", "freq_shortcuts", "transfer", "transfer.yaml", *wrong)
