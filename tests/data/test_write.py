"""Storing image sets: what is read back is what was given, and nothing half done is left."""

import os

import keras
import numpy as np
import pytest

from keras_freq.data import iterate_batches, load, write_npz, write_tfds
from tests.data.test_load import run_python
from tests.refusals import refused

pytestmark = pytest.mark.once
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 6, 3), dtype="uint8")
LABELS = (np.arange(30) * 7 % 3).astype("int64")
CLASSES = ("round", "square one", "long")
TRAIN, TEST = (IMAGES[:20], LABELS[:20]), (IMAGES[20:], LABELS[20:])


def assert_same(data, split, images, labels):
    found, classes = data.arrays(split)
    np.testing.assert_array_equal(np.rint(found * 255).astype("uint8"), images)
    np.testing.assert_array_equal(classes, labels)


def test_a_file_is_read_back_as_it_was(tmp_path):
    path = write_npz(tmp_path / "new" / "set.npz", train=TRAIN, test=TEST, classes=CLASSES)
    assert path == tmp_path / "new" / "set.npz"
    data = load(path, batch_size=8)
    assert (data.name, data.classes, data.input_shape) == ("set", CLASSES, (8, 6, 3))
    assert_same(data, "train", *TRAIN)
    assert_same(data, "test", *TEST)
    with np.load(path) as stored:
        assert {key: stored[key].dtype.kind for key in stored} == {
            "x_train": "u",
            "y_train": "i",
            "x_test": "u",
            "y_test": "i",
            "classes": "U",
        }
    assert [file.name for file in path.parent.iterdir()] == ["set.npz"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_floats_are_rounded_to_the_nearest_byte(tmp_path, dtype):
    levels = np.arange(256, dtype="float64").repeat(12).reshape(256, 2, 2, 3)
    offsets = np.where(np.arange(256) < 128, 0.3, -0.3)[:, None, None, None]
    if dtype == "float16":  # its steps near 1 are an eighth of a byte
        offsets = 0
    images = ((levels + offsets) / 255).astype(dtype)
    path = write_npz(tmp_path / "set.npz", test=(images, np.arange(256)))
    with np.load(path) as stored:
        np.testing.assert_array_equal(stored["x_test"], levels)
    assert load(path).train is None


def test_a_file_is_whole_or_not_there_and_is_not_replaced_unasked(tmp_path, monkeypatch):
    path = tmp_path / "set.npz"
    savez = np.savez

    def broken(file, **arrays):
        savez(file, **arrays)
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(OSError, match="No space"):
        write_npz(path, test=TEST)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    write_npz(path, test=TEST)
    with pytest.raises(FileExistsError, match=r"overwrite=True. Received: path=.*set.npz"):
        write_npz(path, test=TRAIN)
    assert_same(load(path), "test", *TEST)
    write_npz(path, test=TRAIN, overwrite=True)
    assert_same(load(path), "test", *TRAIN)


@pytest.mark.parametrize("write", ["npz", "tfds"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"`train` or `test` must be given.*Received: neither"),
        ({"train": IMAGES}, r"`train` must be a pair \(images, labels\). Received: train of type ndarray"),
        ({"train": (IMAGES, LABELS[:3])}, r"same length. Received: 30 images, 3 labels in train"),
        (
            {"train": TRAIN, "test": (IMAGES[:, :4], LABELS)},
            r"one shape. Received: train of shape",
        ),
        ({"test": (IMAGES * 2.0, LABELS)}, r"must lie in \[0, 1\].*Received: values from 0 to 510"),
        ({"test": (IMAGES / 255 - 0.1, LABELS)}, r"must lie in \[0, 1\].*Received: values from -0.1"),
        ({"test": (IMAGES * np.nan, LABELS)}, r"must be finite. Received: NaN"),
        ({"test": (IMAGES[:0], LABELS[:0])}, r"must not be empty"),
        ({"test": (300 + IMAGES.astype(int), LABELS)}, r"0 to 255.*Received: dtype int64"),
        ({"test": (IMAGES, LABELS - 1)}, r"at least 0. Received: smallest label -1"),
        ({"test": TEST, "classes": ["a", "b"]}, r"must name every label. Received: 2 names, largest label 2"),
        ({"test": TEST, "classes": ["a", "b", "a"]}, r"each only once. Received: classes=\['a', 'b', 'a'\]"),
        ({"test": TEST, "classes": ["a", "b\n", "c"]}, r"a line of its own"),
        ({"test": TEST, "classes": "abc"}, r"one name for each class.*Received: classes='abc'"),
    ],
)
def test_what_is_no_image_set_is_refused(tmp_path, write, options, message):
    store = {"npz": lambda: write_npz(tmp_path / "set.npz", **options)}
    store["tfds"] = lambda: write_tfds("images", tmp_path, **options)
    with refused(match=message):
        store[write]()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "options", "message"),
    [
        ({"name": "My-Set"}, {}, r"`name` must hold small letters.*Received: name='My-Set'"),
        ({"name": "a/b"}, {}, r"`name` must hold small letters.*Received: name='a/b'"),
        ({}, {"version": "1.0"}, r"`version` must be three numbers.*Received: version='1.0'"),
        ({}, {"file_format": "csv"}, r"'tfrecord' or 'array_record'. Received: file_format='csv'"),
        ({}, {"shards": 11}, r"at most the images of a split, 10. Received: shards=11"),
        ({}, {"shards": 0}, r"`shards`.*at least 1. Received: shards=0"),
        ({}, {"description": None}, r"`description` must be text. Received: description=None"),
    ],
)
def test_wrong_options_of_a_tfds_set_are_one_line(tmp_path, words, options, message):
    with pytest.raises(ValueError, match=message):
        write_tfds(**({"name": "images", "data_dir": tmp_path} | words), train=TRAIN, test=TEST, **options)
    with pytest.raises(ValueError, match=r"1, 3 or 4 channels. Received: 2 channels"):
        write_tfds("images", tmp_path, test=(IMAGES[..., :2], LABELS))
    with pytest.raises(ValueError, match=r"`path` must end in .npz. Received: path="):
        write_npz(tmp_path / "set", test=TEST)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def stored(request, tmp_path_factory):
    pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_datasets")
    root = tmp_path_factory.mktemp(request.param)
    options = {"train": TRAIN, "test": TEST, "classes": CLASSES, "file_format": request.param}
    folder = write_tfds("several_files", root, shards=4, description="Shapes.", **options)
    return root, folder, request.param


def test_a_tfds_set_of_several_files_is_read_back_in_order(stored):
    root, folder, file_format = stored
    assert folder == root / "several_files" / "1.0.0"
    assert len(list(folder.glob(f"*-train.{file_format}-*-of-00004"))) == 4
    # Neither a download folder nor what was written on the way is left.
    assert [path.name for path in root.iterdir()] == ["several_files"]
    assert [path.name for path in folder.parent.iterdir()] == ["1.0.0"]
    data = load("several_files", data_dir=root, batch_size=8)
    assert (data.classes, data.input_shape) == (CLASSES, (8, 6, 3))
    assert isinstance(data.test, keras.utils.PyDataset) == (file_format == "array_record")
    assert_same(data, "train", *TRAIN)
    assert_same(data, "test", *TEST)
    labels = np.concatenate([y[:valid] for _, y, valid in iterate_batches(data.train)])
    assert sorted(labels) == sorted(TRAIN[1])
    assert labels.tolist() != TRAIN[1].tolist()


@pytest.mark.filterwarnings("ignore")
def test_tfds_itself_reads_it(stored):
    import tensorflow_datasets as tfds

    root, folder, file_format = stored
    builder = tfds.builder_from_directory(folder)
    assert builder.info.description == "Shapes."
    assert builder.info.supervised_keys == ("image", "label")
    assert builder.info.features["label"].names == list(CLASSES)
    if file_format == "array_record":
        source = tfds.data_source("several_files", data_dir=root, split="train")
        read = [(source[place]["image"], source[place]["label"]) for place in range(len(source))]
    else:
        dataset = tfds.load("several_files", data_dir=root, split="train", as_supervised=True)
        read = list(dataset.as_numpy_iterator())
    np.testing.assert_array_equal(np.stack([image for image, _ in read]), TRAIN[0])
    np.testing.assert_array_equal([label for _, label in read], TRAIN[1])


def test_a_tfds_set_is_replaced_only_when_asked(tmp_path, capsys, monkeypatch):
    pytest.importorskip("tensorflow")
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = write_tfds("images", tmp_path, test=(IMAGES[:4] / np.float32(255), np.eye(3)[[0, 2, 1, 1]]))
    data = load("images", data_dir=tmp_path)
    assert data.classes == ("0", "1", "2")
    assert data.train is None
    assert_same(data, "test", IMAGES[:4], [0, 2, 1, 1])
    with pytest.raises(FileExistsError, match=r"is there already.*overwrite=True. Received: name='images'"):
        write_tfds("images", tmp_path, test=TEST)

    prepare = tfds.core.GeneratorBasedBuilder.download_and_prepare

    def interrupted(self, **options):
        prepare(self, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tfds.core.GeneratorBasedBuilder, "download_and_prepare", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_tfds("images", tmp_path, test=TEST, overwrite=True)
        with pytest.raises(KeyboardInterrupt):
            write_tfds("others", tmp_path, test=TEST)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
    assert_same(load("images", data_dir=tmp_path), "test", IMAGES[:4], [0, 2, 1, 1])

    assert write_tfds("images", tmp_path, test=TEST, overwrite=True) == folder
    assert_same(load("images", data_dir=tmp_path), "test", *TEST)
    assert write_tfds("images", tmp_path, train=TRAIN, version="1.10.0") == tmp_path / "images" / "1.10.0"
    assert_same(load("images", data_dir=tmp_path), "train", *TRAIN)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("channels", [1, 4])
def test_gray_and_transparent_images_are_stored_too(tmp_path, channels):
    pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_datasets")
    images = np.random.default_rng(1).integers(0, 256, (5, 4, 7, channels), dtype="uint8")
    write_tfds("images", tmp_path, test=(images, np.arange(5)), file_format="array_record")
    assert_same(load("images", data_dir=tmp_path), "test", images, np.arange(5))


def test_a_missing_library_is_one_line_and_writes_nothing(tmp_path, monkeypatch):
    for module, message in (
        ("tensorflow_datasets", r"install keras-freq\[data\]. Received: name='images'"),
        ("tensorflow", r"Writing a TFDS set needs TensorFlow.*Received: name='images'"),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, module, None)
            with refused(match=message, error=ImportError):
                write_tfds("images", tmp_path, test=TEST)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_that_looks_like_a_set(tmp_path):
    pytest.importorskip("tensorflow")
    pytest.importorskip("tensorflow_datasets")
    code = (
        "import os, sys, numpy as np, tensorflow_datasets as tfds, keras_freq.data as d\n"
        "image = tfds.features.Image.encode_example\n"
        "def stop(self, example, count=[0]):\n"
        "    count[0] += 1\n"
        "    return os._exit(9) if count[0] > 25 else image(self, example)\n"
        "tfds.features.Image.encode_example = stop\n"
        "pair = np.zeros((20, 8, 8, 3), 'uint8'), np.arange(20)\n"
        "d.write_tfds('images', sys.argv[1], train=pair, test=pair)\n"
    )
    assert run_python(code, tmp_path).returncode == 9
    assert not (tmp_path / "images").exists() or not os.listdir(tmp_path / "images")
    with pytest.raises(FileNotFoundError):
        load("images", data_dir=tmp_path)
    write_tfds("images", tmp_path, train=TRAIN)
    assert_same(load("images", data_dir=tmp_path), "train", *TRAIN)
