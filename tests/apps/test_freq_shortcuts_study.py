"""Study and transfer: settings, both in miniature, and runs that were cut short."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import keras_freq as kf
from apps.freq_shortcuts import maps
from apps.freq_shortcuts.__main__ import EXPERIMENTS
from apps.lab import RunError, load_config
from tests.apps import running
from tests.apps.running import numbers

CONFIGS = running.CONFIGS / "freq_shortcuts"
NAMES = ("study", "transfer")
TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 80, test_images: 40}
training: {network: small_resnet, width: 2, epochs: 2, batch_size: 40, schedule: constant, validation: 0.0}
search: {images_per_class: 2, patch: 8, fraction: 0.1}
"""
MINIATURES = {
    "study": "networks: [small_resnet, alexnet_small]\nwidths: [2, 2]\naugmentations: [standard]\n",
    "transfer": "augmentations: [standard]\ncorruptions: [contrast]\n",
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(TINY + text)


def call(*words):
    return running.call("freq_shortcuts", *words)


@pytest.mark.parametrize("name", NAMES)
def test_the_protocol_is_the_published_one(name):
    paper = load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.yaml")
    small = load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.cpu.yaml")
    training = paper.training
    assert (training.learning_rate, training.momentum, training.nesterov) == (0.01, 0.9, True)
    assert (training.batch_size, training.epochs, training.schedule) == (64, 200, "plateau")
    assert (training.patience, training.factor, training.validation) == (10, 0.1, 0.1)
    assert paper.data.classes[7] == "n02391049"  # zebra
    assert (len(paper.data.classes), paper.data.image_size) == (10, 224)
    assert (paper.search.fraction, paper.search.patch, paper.search.split) == (0.05, 2, "separate")
    assert (training.crop.padding, training.crop.area, training.statistics) == (4, (0.08, 1), "imagenet10")
    assert (small.training.crop.padding, small.training.crop.area, small.training.schedule) == (
        4,
        None,
        "steps",
    )
    assert (small.training.statistics, small.data.fallback) == ("cifar10", "cifar10_mini")
    if name == "study":
        header = (CONFIGS / "study.yaml").read_text()
        assert " ".join(f"{rate:.2f}".lstrip("0") if rate else "0" for rate in maps.PUBLISHED) in header


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("study", "networks=[lenet]", "`networks` must hold some of small_resnet"),
        ("study", "widths=[1]", "`widths` must hold one number for each of the 5 networks"),
        ("study", "augmentations=[]", "`augmentations` must hold some of standard"),
        ("study", "search.fraction=2", "`search.fraction` must be above 0 and below 1"),
        ("study", "training.validation=0", "`training.schedule` plateau needs validation images"),
        ("study", "data.classes=[cat]", "`data.classes` must name at least two classes"),
        ("transfer", "severity=0", "`severity` must lie in [1, 5]"),
    ],
)
def test_wrong_settings_are_one_line(name, word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


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


@pytest.mark.slow
def test_the_study_in_miniature_and_again_after_a_kill(here, monkeypatch, capsys):
    report, calls = kf.shortcuts.shortcut_report, []

    def interrupted(*args, **options):
        calls.append(None)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return report(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(kf.shortcuts, "shortcut_report", interrupted)
        assert call("study", "study.yaml", "output=out") == 130
    kept = numbers("out")
    stages = {r["stage"] for r in kept}
    assert stages >= {"small_resnet-standard/seed0/disk/rates", "alexnet_small-standard/seed0/own/rates"}
    assert call("study", "--resume", "out") == 0, capsys.readouterr().err
    records = numbers("out")
    assert records[: len(kept)] == kept
    for network in ("small_resnet", "alexnet_small"):
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
    for words in ("small ResNet", "AlexNet-small", "2 of 10, mean TPR 0.29", "low-pass of the same share"):
        assert words in summary


@pytest.mark.slow
def test_transfer_in_miniature(here, capsys):
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
    assert call("transfer", "transfer.yaml", *words) == 0, capsys.readouterr().err
    records = numbers("out")
    for name, n in (
        ("test images", 40),
        ("contrast", 40),
        ("numbered.npz", 50),
        ("renditions", 10),
    ):
        found = [r for r in records if r.get("set") == name and r["masks"] == "own"]
        assert len(found) == 5 * 10
        assert {r["n"] for r in found} == {n}
    assert "before" in (here / "out" / "summary.md").read_text()
    assert call("transfer", "transfer.yaml", "other=[nowhere]", "output=other") == 2
    assert "nowhere" in capsys.readouterr().err
