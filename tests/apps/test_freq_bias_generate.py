"""Writing SCR and WCR copies: errors, the experiment in miniature, and a run that was cut short."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias import copies
from apps.lab.images import Images
from tests.apps import running
from tests.apps.running import numbers

TINY = """
seed: 0
data: {name: Two.npz}
kernels: {filters: 2, kernel_size: 3, epochs: 1, batch_size: 20}
folder: copies
"""


TWO = ("airplane", "automobile")


def originals(**limits):
    """The images of two classes by split."""
    data = kf.data.load("cifar10_mini")
    arrays = {split: data.arrays(split, limit=limit) for split, limit in limits.items()}
    return {split: (x[y < 2], y[y < 2]) for split, (x, y) in arrays.items()}


@pytest.fixture(autouse=True)
def miniature(here):
    (here / "tiny.yaml").write_text(TINY)
    kf.data.write_npz("Two.npz", **originals(train=100, test=60), classes=list(TWO))


def finish(*words):
    return running.finish("freq_bias", "generate", *words)


@pytest.fixture
def quick(monkeypatch):
    """Copies without training: high frequencies doubled, clipped. Counts how often they are made."""
    calls = []

    def made(run, kernels, images, name):
        calls.append(name)

        def changed(x):
            return np.clip(x + kf.spectral.high_pass(x, kernels.radius), 0, 1)

        class Kernels:
            history = {"loss": [0.5, 0.4]}  # noqa: RUF012

        classes = (None,) if name == "wcr" else tuple(np.unique(images.train[1]).tolist())
        return kf.cdes.EnhancedImages(
            changed(images.train[0]),
            images.train[1],
            changed(images.test[0]),
            images.test[1],
            (Kernels,) * len(classes),
            classes,
        )

    monkeypatch.setattr(copies, "enhance", made)
    return calls


@pytest.mark.once
def test_names_are_those_that_tfds_takes():
    arrays = (np.zeros((1, 8, 8, 3), "float32"), np.zeros(1, "int32"))
    for name, expected in (
        ("cifar10", "cifar10_scr"),
        ("My-Set/fog_1:2.0", "my_set_fog_1_2_0_scr"),
        ("10 birds", "images_10_birds_scr"),
    ):
        assert copies.copy_name(Images(name, ("a",), arrays, arrays), "scr") == expected


@pytest.mark.once
def test_copies_in_another_order_are_noticed():
    x = kf.data.load("cifar10_mini").arrays("test", limit=40)[0]
    louder = np.clip(0.1 + 0.8 * x + kf.spectral.high_pass(x, 10), 0, 1)
    assert copies.places_kept(x, louder, 10) == 1
    assert copies.places_kept(x, np.roll(louder, 1, axis=0), 10) == 0
    swapped = louder.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    assert copies.places_kept(x, swapped, 10) == pytest.approx(38 / 40)
    assert copies.places_kept(np.full((2, 8, 8, 3), 0.5, "float32"), np.zeros((2, 8, 8, 3)), 10) == 1


@pytest.mark.once
def test_files_of_others_are_left_alone_and_said_before_anything_is_made(here, quick):
    (here / "copies").mkdir()
    (here / "copies" / "two_wcr.npz").write_text("mine")
    words = ["freq_bias", "generate", "tiny.yaml", "tfds=false"]
    message = "two_wcr.npz is there already: choose another folder with folder=NAME"
    running.refuse(message, *words, "output=out")
    message = "`folder` must be one that can be made"
    running.refuse(message, *words, "output=out2", "folder=tiny.yaml/copies")
    assert quick == []
    assert (here / "copies" / "two_wcr.npz").read_text() == "mine"


@pytest.mark.once
def test_what_is_written_is_read_back_and_reported(here, quick):
    finish("tiny.yaml", "output=out", "examples=2", "tfds=false")
    assert quick == ["scr", "wcr"]
    arrays = originals(train=100, test=60)
    for name, split in itertools.product(("scr", "wcr"), arrays):
        x, y = arrays[split]
        expected = np.clip(x + kf.spectral.high_pass(x, 10), 0, 1)
        data = kf.data.load(here / "copies" / f"two_{name}.npz")
        images, labels = data.arrays(split)
        assert data.classes == TWO
        np.testing.assert_array_equal(labels, y)
        np.testing.assert_allclose(images, expected, atol=0.5001 / 255)
    records = running.records(here / "out")
    kept = [r["value"] for r in records if r["stage"].endswith("/read")]
    assert kept == [1.0] * 8
    # By hand: the distance of one class.
    x, y = arrays["test"]
    label = int(y[0])
    radii, _ = kf.spectral.azimuthal_radii(32, 32, bins="inner")
    target = kf.cdes.target_density(len(radii), size=32)
    squares = (kf.spectral.spectral_density(x[y == label], bins="inner") - target) ** 2
    (found,) = [
        r
        for r in records
        if (r["stage"], r.get("split"), r.get("class")) == ("original/density", "test", TWO[label])
    ]
    assert found["value"] == pytest.approx(np.sqrt(squares.mean(axis=1)).mean(), rel=1e-5)
    above = np.sqrt(squares[:, radii > 10].mean(axis=1)).mean()
    assert found["above the radius"] == pytest.approx(above, rel=1e-5)
    assert {"images", "images-2", "densities"} == {p.stem for p in (here / "out" / "figures").glob("*.png")}
    summary = (here / "out" / "summary.md").read_text()
    assert "labels kept 1, places kept 1" in summary
    # Doubled high frequencies come nearer to the target's second peak.
    assert summary.count("above the radius") >= 2
    means = {r["set"]: r["above the radius"] for r in records if r.get("class") == "all" and "split" in r}
    assert means["scr"] < means["original"]


@pytest.mark.once
def test_a_run_that_was_cut_short_ends_with_the_same_numbers(here, monkeypatch, capsys, quick):
    words = ("tiny.yaml", "tfds=false", "data.train_images=10", "data.test_images=6")
    finish(*words, "output=straight", "folder=a")
    write, calls = kf.data.write_npz, []

    def interrupted(path, **options):
        calls.append(path)
        found = write(path, **options)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(kf.data, "write_npz", interrupted)
    assert running.call("freq_bias", "generate", *words, "output=out", "folder=b") == 130
    assert f"python -m apps.freq_bias generate --resume {here / 'out'}" in capsys.readouterr().err
    finish("--resume", "out")
    assert [Path(path).stem for path in calls] == ["two_scr", *["two_wcr"] * 2]

    def of(folder):
        return [r for r in numbers(here / folder) if r["stage"] != "folder"]

    assert of("out") == of("straight")
    for name in ("scr", "wcr"):
        one, two = (kf.data.load(here / k / f"two_{name}.npz").arrays("train") for k in "ab")
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    assert not (here / "b" / "two_scr").exists()


@pytest.mark.once
@pytest.mark.slow
def test_the_experiment_in_miniature(here):
    pytest.importorskip("tensorflow_datasets")
    printed = finish("tiny.yaml", "output=out")
    records = running.records(here / "out")
    losses = [r for r in records if r["measure"] == "loss of the kernels"]
    assert [r["class"] for r in losses] == ["airplane", "automobile", "all"]
    assert all(np.isfinite(r["value"]) for r in losses)
    assert [r["value"] for r in records if r["measure"] == "labels kept"] == [1.0] * 4
    assert [r["value"] for r in records if r["measure"] == "TFDS equals the file"] == [1.0] * 4
    assert min(r["value"] for r in records if r["measure"] == "places kept") > 0.9
    kernels = {path.stem for path in (here / "out" / "kernels" / "scr").glob("*.npz")}
    assert kernels == {"class_0", "class_1"}
    for name in ("scr", "wcr"):
        assert kf.data.load(f"two_{name}", data_dir=here / "copies").classes == ("airplane", "automobile")
    assert {"images", "densities"} == {p.stem for p in (here / "out" / "figures").glob("*.png")}
    summary = (here / "out" / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert "summary.md" in printed
