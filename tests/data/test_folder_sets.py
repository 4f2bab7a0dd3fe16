"""Folders of image files: layouts, the order of classes and files, sizes, broken files."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_freq.data import check, iterate_batches, load
from tests.refusals import refused

Image = pytest.importorskip("PIL.Image")
CLASSES = ("ant", "bee", "cat")


def picture(label, number, size=(6, 5)):
    image = np.full((*size, 3), 40 * label + number, "uint8")
    image[0, :, 0] = 255
    return image


def write(folder, count=4, size=(6, 5), ending="png", classes=CLASSES):
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(picture(label, number, size)).save(folder / name / f"{number}.{ending}")
    return folder


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "set" / "train", 4)
    write(tmp_path / "set" / "val", 2)
    (tmp_path / "set" / "val" / "ant" / ".hidden.png").write_text("no image")
    (tmp_path / "set" / "val" / ".cache").mkdir()
    return tmp_path / "set"


def whole(images):
    return np.rint(images * 255).astype("uint8")


def test_train_and_validation_of_a_folder(folder):
    data = load(folder, batch_size=5)
    assert (data.name, data.classes, data.input_shape) == ("set", CLASSES, (6, 5, 3))
    assert data.taken == {"train": "train", "test": "val"}
    images, labels = data.arrays("test")
    # One of each class in turn, so that the first few hold them all.
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]
    for image, label, number in zip(whole(images), labels, [0, 0, 0, 1, 1, 1], strict=True):
        np.testing.assert_array_equal(image, picture(label, number))
    assert data.arrays("train", limit=3)[1].tolist() == [0, 1, 2]
    batches = list(iterate_batches(data.test))
    assert [valid for *_, valid in batches] == [5, 1]
    np.testing.assert_array_equal(batches[0][0], images[:5])
    order = np.random.default_rng([0, 0]).permutation(12)
    assert isinstance(data.train, keras.utils.PyDataset)
    np.testing.assert_array_equal(data.train[0][1], order[:5] % 3)


def test_a_single_split_is_there_to_measure_on(tmp_path):
    data = load(write(tmp_path / "renditions", ending="jpg"), image_size=(4, 4))
    assert data.train is None
    assert data.input_shape == (4, 4, 3)
    assert len(data.arrays("test")[1]) == 12


def test_the_classes_are_those_named_in_that_order(folder):
    data = load(folder, classes=("cat", "ant"))
    assert data.classes == ("cat", "ant")
    images, labels = data.arrays("test")
    assert labels.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(whole(images)[0], picture(2, 0))
    # A broken file of another class is never opened.
    (folder / "train" / "bee" / "0.png").write_text("no image")
    assert load(folder, classes=["cat", "ant"]).arrays("train")[0].shape == (8, 6, 5, 3)


def test_bytes_take_a_quarter_of_the_memory(folder):
    data = load(folder)
    images, labels = data.arrays("test", dtype="uint8")
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, whole(data.arrays("test")[0]))
    assert labels.dtype == np.int32
    with pytest.raises(ValueError, match=r"`dtype` must be one of 'float32', 'uint8'.*dtype='int8'"):
        data.arrays("test", dtype="int8")


def test_fit_takes_it(folder):
    data = load(folder, batch_size=4)
    model = keras.Sequential([keras.Input((6, 5, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(data.train, validation_data=data.test, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    assert data.train.epoch == 1


def test_gray_and_transparent_files_are_read_in_color(tmp_path):
    folder = write(tmp_path / "set", 1)
    Image.fromarray(picture(0, 0)[..., 1]).save(folder / "ant" / "0.png")
    Image.fromarray(np.dstack([picture(1, 0), picture(1, 0)[..., :1]])).save(folder / "bee" / "0.png")
    images, _ = load(folder).arrays("test", dtype="uint8")
    np.testing.assert_array_equal(images[0], np.repeat(picture(0, 0)[..., 1:2], 3, axis=-1))
    opacity = picture(1, 0)[..., :1] / 255
    np.testing.assert_allclose(images[1], picture(1, 0) * opacity + 255 * (1 - opacity), atol=1)


def one_file(folder, image, name="0.png", **options):
    """What is read of one file."""
    (folder / "a").mkdir()
    image.save(folder / "a" / name, **options)
    return load(folder).arrays("test", dtype="uint8")[0][0]


@pytest.mark.once
@pytest.mark.parametrize("name", ["0.png", "0.tif", "0.pgm"])
def test_gray_levels_of_16_bits_are_kept(tmp_path, name):
    levels = np.linspace(0, 65535, 600).reshape(20, 30).astype("uint16")
    image = one_file(tmp_path, Image.fromarray(levels), name)
    assert len(np.unique(image)) == 256
    np.testing.assert_allclose(image[..., 0], levels / 257, atol=0.5)


@pytest.mark.once
def test_pixels_that_8_bits_would_spoil_are_refused(tmp_path):
    for number, array in enumerate((np.full((4, 4), 0.5, "float32"), np.full((4, 4), 70000, "int32"))):
        with refused(match=r"0\.tif \(.*of mode [FI]"):
            (tmp_path / str(number)).mkdir()
            one_file(tmp_path / str(number), Image.fromarray(array), "0.tif")


@pytest.mark.once
def test_a_picture_stands_as_a_viewer_shows_it(tmp_path):
    """Upright, and on white where a palette is transparent, without a warning."""
    (tmp_path / "turned").mkdir()
    wide = Image.fromarray(picture(0, 7, (4, 8)))
    exif = wide.getexif()
    exif[0x0112] = 6  # turned by a quarter
    image = one_file(tmp_path / "turned", wide, exif=exif)
    np.testing.assert_array_equal(image, np.rot90(picture(0, 7, (4, 8)), -1))
    (tmp_path / "palette").mkdir()
    indices = Image.fromarray(np.arange(16, dtype="uint8").reshape(4, 4) % 2, mode="P")
    indices.putpalette([10, 20, 30, 40, 50, 60])
    image = one_file(tmp_path / "palette", indices, transparency=bytes([0, 255]))
    assert image.reshape(-1, 3)[:2].tolist() == [[255, 255, 255], [40, 50, 60]]


@pytest.mark.once
def test_all_kinds_that_pillow_opens_are_read_and_others_are_told(folder):
    for ending in ("jfif", "jpe", "jp2", "tga", "ppm"):
        Image.fromarray(picture(0, 9)).save(folder / "val" / "ant" / f"9.{ending}")
    (folder / "val" / "ant" / "notes.txt").write_text("no image")
    (folder / "val" / "ant" / "deeper").mkdir()
    (folder / "val" / "stray.png").write_text("of no class")
    os.mkfifo(folder / "train" / "bee" / "pipe.png")
    with pytest.warns(UserWarning, match=r"^4 entries of .*set are left out.*: 2 of .png, ") as caught:
        data = load(folder)
    assert len(caught) == 1
    assert data.arrays("test")[1].tolist().count(0) == 2 + 5


@pytest.mark.once
def test_broken_files_are_listed_before_a_training(folder):
    assert check(folder) == []
    (folder / "val" / "bee" / "1.png").write_bytes(b"no image")
    (folder / "train" / "cat" / "2.png").write_bytes(b"")
    faults = check(folder)
    assert len(faults) == 2
    assert [str(folder / part) in fault for part, fault in zip(("train/cat", "val/bee"), faults, strict=True)]


@pytest.mark.once
def test_tiny_imagenet_as_it_is_unpacked(tmp_path):
    root = tmp_path / "tiny-imagenet-200"
    for name in ("n01", "n02"):
        (root / "train" / name / "images").mkdir(parents=True)
        (root / "train" / name / f"{name}_boxes.txt").write_text("boxes")
        Image.fromarray(picture(1, 1)).save(root / "train" / name / "images" / f"{name}_0.JPEG")
    for part in ("val", "test"):
        (root / part / "images").mkdir(parents=True)
    lines = []
    for number, name in enumerate(("n02", "n01", "n02")):
        Image.fromarray(picture(2, number)).save(root / "val" / "images" / f"val_{number}.JPEG", quality=100)
        lines.append(f"val_{number}.JPEG\t{name}\t0\t0\t62\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    data = load(root)
    assert data.classes == ("n01", "n02")
    assert len(data.arrays("train")[1]) == 2
    images, labels = data.arrays("test", dtype="uint8")
    assert labels.tolist() == [0, 1, 1]
    assert [int(np.median(image)) for image in images] == pytest.approx([81, 80, 82], abs=3)


@pytest.mark.once
@pytest.mark.parametrize("content", [b"", b"no image", "cut"])
def test_a_broken_file_is_named_in_one_line(folder, content):
    path = folder / "val" / "bee" / "1.png"
    if content == "cut":
        noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype="uint8")
        Image.fromarray(noise).save(path)
        content = path.read_bytes()[:3000]
    path.write_bytes(content)
    data = load(folder)
    with refused(match=r"must be a whole image. Received: .*1\.png \("):
        data.arrays("test")


def test_sizes_that_differ_need_a_size(folder):
    Image.fromarray(picture(1, 3, (9, 12))).save(folder / "train" / "bee" / "3.png")
    with pytest.raises(ValueError, match=r"pass image_size=.*9 x 12 in .*3\.png, 6 x 5 in the first"):
        load(folder).arrays("train")
    assert load(folder, image_size=4).arrays("train")[0].shape == (12, 4, 4, 3)


def test_text_is_a_folder_where_it_is_a_path(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    for name in ("./set", str(folder), "set/val", Path("set")):
        assert load(name).classes == CLASSES
    assert load("set").classes == CLASSES  # its folders hold images
    write(folder.parent / "cifar10_mini")
    assert len(load("cifar10_mini").classes) == 10


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda f: None, {"classes": ("ant", "dog")}, r"Received: none for 'dog' in .*train$"),
        (lambda f: os.remove(f / "val" / "cat" / "0.png"), {}, None),
        (lambda f: [p.unlink() for p in (f / "val" / "cat").iterdir()], {}, r"none for 'cat' in .*val$"),
        (lambda f: (f / "train" / "dog").mkdir(), {}, r"none for 'dog' in .*train$"),
        (lambda f: None, {"feed": "tf.data"}, r"read without tf\.data.*Received: feed='tf\.data'$"),
        (lambda f: None, {"classes": "ant"}, "`classes` must be None or .*classes='ant'$"),
        (lambda f: None, {"classes": ("ant", "ant")}, r"each once. Received: classes=\('ant', 'ant'\)$"),
        (lambda f: None, {"classes": ()}, r"Received: classes=\(\)$"),
        (lambda f: None, {"classes": ("../train/ant",)}, r"without a way out.*Received: '../train/ant'$"),
        (lambda f: None, {"download": "no"}, r"`download` must be.*download='no'$"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(folder, change, options, message):
    change(folder)
    if message is None:
        assert len(load(folder, **options).arrays("test")[1]) == 5
        return
    with refused(match=message):
        load(folder, **options)


def test_a_missing_or_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder. Received: name='.*nowhere'"):
        load(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"must hold train/<class>/ and test/<class>/.*without folders"):
        load(tmp_path)
