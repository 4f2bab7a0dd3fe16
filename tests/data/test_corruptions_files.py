"""Corrupted copies on disk, in the layout of CIFAR-10-C."""

import json

import numpy as np
import pytest

from keras_freq._core import files
from keras_freq.data import CORRUPTIONS, corrupt, read_corrupted, write_corrupted
from keras_freq.data._corruptions import write, write_files
from tests.refusals import refused

pytestmark = pytest.mark.once
NAMES = ("fog", "glass_blur", "contrast")


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (7, 12, 10, 3), dtype="uint8")


LABELS = np.array([3, 1, 4, 1, 5, 9, 2])


def test_round_trip(tmp_path, images, monkeypatch):
    monkeypatch.setattr(write, "_BATCH", 3)
    written = write_corrupted(images, LABELS, tmp_path / "new" / "copy", corruptions=NAMES, seed=4)
    folder = tmp_path / "new" / "copy"
    assert [path.name for path in written] == ["labels.npy", "fog.npy", "glass_blur.npy", "contrast.npy"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [path.name for path in written] + ["corruptions.json"]
    )
    # The layout that other readers expect.
    stored, labels = np.load(folder / "fog.npy"), np.load(folder / "labels.npy")
    assert stored.shape == (35, 12, 10, 3)
    assert stored.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.tile(LABELS, 5))
    for name in NAMES:
        for severity in (1, 3, 5):
            read, again = read_corrupted(folder, name, severity)
            assert isinstance(read, np.memmap)
            np.testing.assert_array_equal(again, LABELS)
            np.testing.assert_array_equal(read, corrupt(images, name, severity, seed=4))


def test_an_interrupted_call_goes_on(tmp_path, images, monkeypatch):
    calls = []

    def failing(batch, name, severity, start, options):
        calls.append((name, severity))
        if len(calls) == 8:
            raise KeyboardInterrupt
        return corrupt(batch, name, severity, start=start, **options)

    monkeypatch.setattr(write, "corrupt_to_bytes", failing)
    with pytest.raises(KeyboardInterrupt):
        write_corrupted(images, LABELS, tmp_path, corruptions=NAMES)
    assert {path.name for path in tmp_path.iterdir()} == {"corruptions.json", "labels.npy", "fog.npy"}
    before = (tmp_path / "fog.npy").stat().st_mtime_ns
    written = write_corrupted(images, LABELS, tmp_path, corruptions=NAMES)
    assert [path.name for path in written] == ["glass_blur.npy", "contrast.npy"]
    assert (tmp_path / "fog.npy").stat().st_mtime_ns == before
    assert [name for name, _ in calls[8:]] == ["glass_blur"] * 5 + ["contrast"] * 5
    assert write_corrupted(images, LABELS, tmp_path, corruptions=NAMES) == ()
    np.testing.assert_array_equal(
        read_corrupted(tmp_path, "glass_blur", 2)[0], corrupt(images, "glass_blur", 2)
    )
    # A file cut short by another program is written again.
    np.save(tmp_path / "contrast.npy", np.load(tmp_path / "contrast.npy")[:-1])
    assert [path.name for path in write_corrupted(images, LABELS, tmp_path, corruptions=NAMES)] == [
        "contrast.npy"
    ]


def test_some_severities_of_float_images_with_many_classes(tmp_path, images):
    floats = (images / 255).astype("float32")
    write_corrupted(floats, LABELS + 500, tmp_path, corruptions=["contrast"], severities=(5, 2))
    assert np.load(tmp_path / "labels.npy").dtype == np.int64
    read, labels = read_corrupted(tmp_path, "contrast", 5, severities=(2, 5))
    np.testing.assert_array_equal(labels, LABELS + 500)
    np.testing.assert_array_equal(read, corrupt(images, "contrast", 5))
    with pytest.raises(ValueError, match=r"one of 2, 5.*severity=3"):
        read_corrupted(tmp_path, "contrast", 3, severities=(2, 5))


def test_a_folder_without_our_record_is_read(tmp_path, images):
    np.save(tmp_path / "brightness.npy", np.concatenate([images] * 5))
    np.save(tmp_path / "labels.npy", np.tile(LABELS, 5).astype("int64"))
    read, labels = read_corrupted(str(tmp_path), "brightness", 2)
    np.testing.assert_array_equal(read, images)
    assert labels.dtype == np.int64


def test_progress_is_shown(tmp_path, images, capsys):
    pytest.importorskip("tqdm")
    write_corrupted(images, LABELS, tmp_path / "a", corruptions=["fog"], progress=True)
    assert "Corrupting" in capsys.readouterr().err
    write_corrupted(images, LABELS, tmp_path / "b", corruptions=["fog"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": LABELS[:3]}, "same length.*7 images, 3 labels"),
        ({"labels": LABELS + 0.5}, "whole numbers"),
        ({"images": np.zeros((12, 10, 3))}, r"\(batch, height, width, channels\).*\(12, 10, 3\)"),
        ({"images": np.full((7, 12, 10, 3), 2.0)}, r"\[0, 1\]"),
        ({"corruptions": "fog"}, "list of names.*corruptions='fog'"),
        ({"corruptions": ()}, "list of names"),
        ({"corruptions": ["fog", "fogg"]}, "did you mean 'fog'"),
        ({"severities": (0, 1)}, r"1 to 5.*severities=\(0, 1\)"),
        ({"severities": 3}, "severities=3"),
        ({"severities": ()}, "1 to 5"),
        ({"seed": -1}, "seed=-1"),
        ({"table": "big"}, "table='big'"),
        ({"jpeg": 100}, "jpeg=100"),
    ],
)
def test_bad_input_writes_nothing(tmp_path, images, changed, message):
    arguments = {"images": images, "labels": LABELS, "folder": tmp_path / "copy", "corruptions": NAMES}
    with refused(match=message):
        write_corrupted(**(arguments | changed))
    assert not (tmp_path / "copy").exists()


def test_folders_are_not_mixed(tmp_path, images):
    write_corrupted(images, LABELS, tmp_path / "copy", corruptions=["contrast"])
    for images_, options, what in (
        (images, {"seed": 1}, "seed"),
        (images, {"jpeg": 85}, "jpeg"),
        (images, {"table": "large"}, "table, jpeg"),
        (images[::-1], {}, "crc32"),
        (images, {"severities": (1, 2)}, "severities"),
    ):
        with pytest.raises(ValueError, match=f"other images or settings \\({what}\\).*Received: folder="):
            write_corrupted(images_, LABELS, tmp_path / "copy", corruptions=["fog"], **options)
    with pytest.raises(ValueError, match=r"settings \(labels\)"):
        write_corrupted(images, LABELS + 1, tmp_path / "copy", corruptions=["fog"])
    (tmp_path / "copy" / "corruptions.json").write_text("{")
    with pytest.raises(ValueError, match="other images or settings"):
        write_corrupted(images, LABELS, tmp_path / "copy", corruptions=["fog"])
    (tmp_path / "copy" / "corruptions.json").unlink()
    with pytest.raises(ValueError, match="another origin"):
        write_corrupted(images, LABELS, tmp_path / "copy", corruptions=["fog"])


def test_the_record_says_what_the_folder_holds(tmp_path, images):
    write_corrupted(images, LABELS, tmp_path, corruptions=["contrast"], seed=3)
    record = json.loads((tmp_path / "corruptions.json").read_text())
    assert record["images"] == [7, 12, 10, 3]
    assert record["seed"] == 3
    assert record["table"] == "small"
    assert record["jpeg"] == 0
    # Folders of the time before images went through JPEG hold no word of it.
    (tmp_path / "corruptions.json").write_text(json.dumps({**record, "table": "auto", "jpeg": None}))
    with pytest.raises(ValueError, match=r"settings \(table, jpeg\)"):
        write_corrupted(images, LABELS, tmp_path, corruptions=["fog"], seed=3)


def test_the_photographs_of_frost_belong_to_the_settings(tmp_path, images):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "ice").mkdir()
    for level in (90, 200):
        image.new("RGB", (64, 64), (level,) * 3).save(tmp_path / "ice" / "one.png")
        options = {"corruptions": ["frost"], "severities": (5,), "frost": tmp_path / "ice"}
        write_corrupted(images, LABELS, tmp_path / str(level), **options)
        written = read_corrupted(tmp_path / str(level), "frost", 5)[0]
        np.testing.assert_allclose(written, np.clip(0.75 * images + 0.45 * level, 0, 255), atol=0.51)
    for other in ({"frost": None}, {}):
        with pytest.raises(ValueError, match=r"settings \(frost\)"):
            write_corrupted(images, LABELS, tmp_path / "90", **(options | other))


def test_copies_go_through_jpeg(tmp_path, images):
    write_corrupted(images, LABELS, tmp_path, corruptions=["contrast"], severities=(2,), table="medium")
    expected = corrupt(images, "contrast", 2, table="medium", jpeg=85)
    np.testing.assert_array_equal(np.load(tmp_path / "contrast.npy"), expected)


def test_what_is_missing_or_wrong_is_named(tmp_path, images):
    def check(error, message, name="fog", severity=1, folder=tmp_path):
        with refused(match=message, error=error):
            read_corrupted(folder, name, severity)

    check(FileNotFoundError, "must be a folder.*nowhere", folder=tmp_path / "nowhere")
    check(FileNotFoundError, "no fog.npy in .*holds no .npy file")
    check(ValueError, "1, 2, 3, 4, 5.*severity=0", severity=0)
    np.save(tmp_path / "fog.npy", np.concatenate([images] * 5))
    check(FileNotFoundError, "no snow.npy in .*holds fog", name="snow")
    check(FileNotFoundError, "no labels.npy")
    np.save(tmp_path / "labels.npy", LABELS)
    check(ValueError, r"one length.*35 images, labels of shape \(7,\)")
    np.save(tmp_path / "labels.npy", np.tile(LABELS, 5)[:34])
    np.save(tmp_path / "fog.npy", np.concatenate([images] * 5)[:34])
    check(ValueError, "multiple of 5 severities.*34 images")
    np.save(tmp_path / "fog.npy", np.zeros((35, 12, 10, 3)))
    check(ValueError, r"uint8 images.*float64 of shape \(35, 12, 10, 3\)")
    (tmp_path / "fog.npy").write_bytes(b"\x93NUMPY\x01\x00v")
    check(ValueError, "whole .npy file")
    np.save(tmp_path / "fog.npy", np.array([{}]), allow_pickle=True)
    check(ValueError, "whole .npy file")


def test_all_standard_corruptions_are_written_by_default(tmp_path, images):
    pytest.importorskip("scipy")
    pytest.importorskip("PIL")
    write_corrupted(images[:2], LABELS[:2], tmp_path)
    assert {path.stem for path in tmp_path.glob("*.npy")} == {*CORRUPTIONS, "labels"}


@pytest.mark.parametrize("group", ["", "weather"])
def test_folders_of_image_files_are_read(tmp_path, images, group):
    from PIL import Image

    for severity in (1, 3):
        for number, (image, label) in enumerate(zip(corrupt(images, "fog", severity), LABELS, strict=True)):
            folder = tmp_path / group / "fog" / str(severity) / f"n{label:08}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number}.png")
    found, labels = read_corrupted(tmp_path, "fog", 3)
    assert (found.dtype, labels.dtype) == (np.uint8, np.int64)
    # Classes in alphabetical order; one file of each in turn.
    np.testing.assert_array_equal(labels, [0, 1, 2, 3, 4, 5, 0])
    order = [1, 6, 0, 2, 4, 5, 3]
    np.testing.assert_array_equal(found, corrupt(images, "fog", 3)[order])
    with refused("must be one of 1, 3, the folders"):
        read_corrupted(tmp_path, "fog", 2)
    with pytest.raises(FileNotFoundError, match=r"no snow\.npy in .* and no folder snow"):
        read_corrupted(tmp_path, "snow", 3)
    with pytest.raises(FileNotFoundError):
        read_corrupted(tmp_path, "../fog", 3)
    # Arrays win where both are there.
    write_corrupted(images[:2], LABELS[:2], tmp_path, corruptions=["fog"])
    assert len(read_corrupted(tmp_path, "fog", 3)[0]) == 2


def test_one_process_writes_to_a_folder(tmp_path, images):
    pytest.importorskip("fcntl")
    half = tmp_path / f".fog.npy.{'0f' * 8}.tmp"  # of a killed one
    half.write_bytes(b"half")
    own = tmp_path / ".notes.tmp"
    own.write_text("not ours")
    with files.lock_folder(tmp_path):
        assert not half.exists()
        with refused("in use"):
            write_corrupted(images, LABELS, tmp_path, corruptions=("fog",))
        assert sorted(path.name for path in tmp_path.iterdir()) == [".notes.tmp"]
    assert len(write_corrupted(images, LABELS, tmp_path, corruptions=("fog",))) == 2
    assert own.exists()


@pytest.mark.parametrize(("jpeg", "ending"), [(85, "JPEG"), (None, "png")])
def test_copies_as_image_files(tmp_path, images, jpeg, ending):
    options = {"corruptions": ("fog", "contrast"), "severities": (1, 3), "jpeg": jpeg, "layout": "files"}
    images = np.repeat(images, 2, axis=1)
    written = write_corrupted(images, LABELS, tmp_path / "copy", **options)
    folder = tmp_path / "copy"
    assert written == tuple(folder / n / s for n in ("fog", "contrast") for s in ("1", "3"))
    assert sorted(path.name for path in (folder / "fog" / "3").iterdir()) == list("123459")
    assert [path.name for path in (folder / "fog" / "3" / "1").iterdir()].count(f"1.{ending}") == 1
    order = [1, 6, 0, 2, 4, 5, 3]
    for severity in (1, 3):
        found, labels = read_corrupted(folder, "fog", severity)
        wanted = corrupt(images, "fog", severity, jpeg=jpeg or 0)
        np.testing.assert_array_equal(found, wanted[order])
        np.testing.assert_array_equal(labels, [0, 1, 2, 3, 4, 5, 0])
    assert write_corrupted(images, LABELS, folder, **options) == ()
    with refused("other images or settings (classes)"):
        write_corrupted(images, LABELS, folder, classes=[*"abcdefghij"], **options)


def test_image_files_that_were_cut_short_are_written_anew(tmp_path, images, monkeypatch):
    calls = []

    def failing(batch, name, severity, start, options):
        calls.append(severity)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return corrupt(batch, name, severity, start=start, **options)

    monkeypatch.setattr(write_files, "corrupt_to_bytes", failing)
    monkeypatch.setattr(write_files, "_BATCH", 3)
    names = [f"class {letter}" for letter in "abcdefghij"]
    options = {"corruptions": ("fog",), "layout": "files", "classes": names}
    with pytest.raises(KeyboardInterrupt):
        write_corrupted(images, LABELS, tmp_path, **options)
    assert [path.name for path in (tmp_path / "fog").iterdir()] == ["1"]
    (tmp_path / "fog" / ".2.0011223344556677.tmp" / "class a").mkdir(parents=True)  # of a killed process
    written = write_corrupted(images, LABELS, tmp_path, **options)
    assert [path.name for path in written] == ["2", "3", "4", "5"]
    assert len(list((tmp_path / "fog").iterdir())) == 5
    np.testing.assert_array_equal(read_corrupted(tmp_path, "fog", 2)[1], [0, 1, 2, 3, 4, 5, 0])


def test_names_of_folders_are_checked(tmp_path, images):
    for classes, says in (
        (["b", "a", *"cdefghij"], "alphabetical order"),
        (["a"], "must be 10 names"),
        (["../a", *"bcdefghij"], "must be 10 names"),
        ("abcdefghij", "must be 10 names"),
    ):
        with refused(says):
            write_corrupted(images, LABELS, tmp_path / "new", layout="files", classes=classes)
    with refused("of layout='files'"):
        write_corrupted(images, LABELS, tmp_path / "new", classes=[*"abcdefghij"])
    with refused("`layout` must be"):
        write_corrupted(images, LABELS, tmp_path / "new", layout="jpeg")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("layout", "jpeg"), [("arrays", None), ("files", 85), ("files", 0)])
def test_workers_write_the_same(tmp_path, images, monkeypatch, layout, jpeg):
    monkeypatch.setattr(write, "_BATCH", 3)
    monkeypatch.setattr(write_files, "_BATCH", 3)
    folders = [tmp_path / "here", tmp_path / "there"]
    for workers, folder in enumerate(folders):
        options = {"corruptions": ("fog", "frost"), "severities": (2, 4), "jpeg": jpeg, "layout": layout}
        write_corrupted(images, LABELS, folder, workers=workers, **options)
    here, there = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    )
    assert here == there
    assert len(here) >= 3
