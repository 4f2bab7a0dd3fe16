import shutil
import socket

import keras
import numpy as np
import pytest

from keras_freq.data import _write_tfds, iterate_batches, load, write_tfds
from tests.data.test_load import BACKEND, WITHOUT_TENSORFLOW, run_python
from tests.refusals import refused

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")

TRAIN, TEST, CLASSES = 20, 10, ["round", "square", "long"]
IMAGES = np.random.default_rng(0).integers(0, 256, (TRAIN + TEST, 8, 8, 3), dtype="uint8")
LABELS = np.arange(TRAIN + TEST) % 3
OFFLINE = {"download_config": tfds.download.DownloadConfig(try_download_gcs=False)}


class _Tiny(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")
    SHAPE = (8, 8, 3)
    TEST_SPLIT = "validation"

    def _info(self):
        features = {
            "id": tfds.features.Text(),
            "image": tfds.features.Image(shape=self.SHAPE),
            "label": tfds.features.ClassLabel(names=CLASSES),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def image(self, i):
        return IMAGES[i]

    def _split_generators(self, dl_manager):
        return {"train": self._examples(0, TRAIN), self.TEST_SPLIT: self._examples(TRAIN, TRAIN + TEST)}

    def _examples(self, start, stop):
        for i in range(start, stop):
            yield i, {"id": str(i), "image": self.image(i), "label": int(LABELS[i])}

    def _generate_examples(self):
        raise NotImplementedError


class KerasFreqTiny(_Tiny):
    pass


class KerasFreqSizes(_Tiny):
    """Images of many sizes."""

    SHAPE = (None, None, 3)
    TEST_SPLIT = "test"

    def image(self, i):
        return np.repeat(np.repeat(IMAGES[i], 2 + i % 2, axis=0), 2, axis=1)


class KerasFreqText(_Tiny):
    """No images at all."""

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self, features=tfds.features.FeaturesDict({"text": tfds.features.Text()})
        )

    def _split_generators(self, dl_manager):
        return {"train": iter([(0, {"text": "hello"})])}


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def folder(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    for kind in (KerasFreqTiny, KerasFreqSizes, KerasFreqText):
        kind(data_dir=str(root), file_format=request.param).download_and_prepare(**OFFLINE)
    return root, request.param


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("nothing may be fetched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(tfds, "builder", refuse)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)


def test_a_prepared_set_loads_on_every_backend(folder, no_network):
    root, stored = folder
    data = load("keras_freq_tiny", data_dir=root, batch_size=8, seed=1)
    assert data.classes == tuple(CLASSES)
    assert data.input_shape == (8, 8, 3)
    # array_record has no tf.data reader and tfrecord has no other, whichever backend is active.
    assert isinstance(data.test, keras.utils.PyDataset) == (stored == "array_record")
    batches = list(iterate_batches(data.test))
    assert [valid for *_, valid in batches] == [8, 2]
    images = np.concatenate([x[:v] for x, _, v in batches])
    np.testing.assert_array_equal(np.rint(images * 255), IMAGES[TRAIN:])
    np.testing.assert_array_equal(np.concatenate([y[:v] for _, y, v in batches]), LABELS[TRAIN:])
    for split, part in (("train", slice(TRAIN)), ("test", slice(TRAIN, None))):
        images, labels = data.arrays(split)
        assert images.dtype == np.float32
        np.testing.assert_array_equal(np.rint(images * 255), IMAGES[part])
        np.testing.assert_array_equal(labels, LABELS[part])
    assert data.arrays("train", limit=3)[0].shape == (3, 8, 8, 3)


def test_the_training_feed_is_shuffled_by_the_seed(folder):
    root, _ = folder

    def labels(seed):
        keras.utils.set_random_seed(0)
        train = load("keras_freq_tiny", data_dir=root, batch_size=TRAIN, seed=seed).train
        return next(iterate_batches(train))[1].tolist()

    assert labels(1) == labels(1)
    assert sorted(labels(1)) == sorted(LABELS[:TRAIN].tolist())
    assert len({tuple(labels(seed)) for seed in range(4)} | {tuple(LABELS[:TRAIN])}) == 5


def test_fit_takes_it_and_every_epoch_has_its_order(folder):
    root, _ = folder
    data = load("keras_freq_tiny", data_dir=root, batch_size=8)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(data.train, validation_data=data.test, epochs=2, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"] + history["val_loss"]).all()
    if hasattr(data.train, "epoch"):
        assert data.train.epoch == 2
        order = np.random.default_rng([0, 2]).permutation(TRAIN)
        np.testing.assert_array_equal(data.train[0][1], LABELS[order[:8]])


def test_images_of_many_sizes_need_a_size(folder):
    root, _ = folder
    with pytest.raises(ValueError, match=r"vary in size: pass image_size=.*Received: image_size=None"):
        load("keras_freq_sizes", data_dir=root)
    data = load("keras_freq_sizes", data_dir=root, image_size=(12, 10), batch_size=4)
    assert data.input_shape == (12, 10, 3)
    for x, _, _ in iterate_batches(data.train):
        assert x.shape == (4, 12, 10, 3)
    assert data.arrays("test", limit=2)[0].shape == (2, 12, 10, 3)


def test_a_set_without_images_is_refused(folder):
    root, _ = folder
    with pytest.raises(ValueError, match=r"one uint8 Image and one ClassLabel.*Received: .*text \(Text\)"):
        load("keras_freq_text", data_dir=root)


def test_the_feed_that_the_files_do_not_allow_is_refused(folder):
    root, stored = folder
    feed = {"tfrecord": "pydataset", "array_record": "tf.data"}[stored]
    with pytest.raises(ValueError, match=rf"{stored}.*Received: feed='{feed}'"):
        load("keras_freq_tiny", data_dir=root, feed=feed)


@pytest.mark.once
def test_an_unprepared_set_is_never_fetched_unasked(tmp_path, monkeypatch, no_network):
    for arguments in ({"data_dir": tmp_path}, {}):
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
        with pytest.raises(FileNotFoundError, match=r"cifar10.*download=True.*Received") as error:
            load("cifar10", **arguments)
        assert str(tmp_path) in str(error.value)
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_download_prepares_the_set_once(tmp_path, monkeypatch):
    data = load("keras_freq_tiny", data_dir=tmp_path, download=True)
    assert (tmp_path / "keras_freq_tiny" / "1.0.0" / "dataset_info.json").is_file()
    # A set for a PyDataset is stored so that TensorFlow is not needed again.
    assert isinstance(data.train, keras.utils.PyDataset) == (BACKEND != "tensorflow")
    monkeypatch.setattr(tfds, "builder", None)
    again = load("keras_freq_tiny", data_dir=tmp_path, download=True)
    np.testing.assert_array_equal(again.arrays("test")[0], data.arrays("test")[0])


@pytest.mark.once
def test_an_unknown_name_with_download_gives_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"name of a TFDS set.*Received: name='keras_freq_nothing'"):
        load("keras_freq_nothing", data_dir=tmp_path, download=True)


@pytest.mark.once
def test_versions_and_configurations_are_found(tmp_path):
    from keras_freq.data._tfds_sets import find_prepared

    for folder in ("a/1.9.0", "a/1.10.0", "b/fog_1/1.0.0", "b/fog_2/1.0.0", "c/only/2.0.0"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "dataset_info.json").touch()
    assert find_prepared("a", tmp_path) == tmp_path / "a/1.10.0"
    assert find_prepared("a:1.9.0", tmp_path) == tmp_path / "a/1.9.0"
    assert find_prepared("a:3.0.0", tmp_path) is None
    assert find_prepared("b/fog_2", tmp_path) == tmp_path / "b/fog_2/1.0.0"
    assert find_prepared("c", tmp_path) == tmp_path / "c/only/2.0.0"
    assert find_prepared("d", tmp_path) is None
    with pytest.raises(ValueError, match=r"several configurations.*fog_1, fog_2.*Received: name='b'"):
        find_prepared("b", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is the backend")
def test_reading_needs_no_tensorflow_or_says_so(folder):
    root, stored = folder
    code = WITHOUT_TENSORFLOW + (
        "\nimport keras_freq.data as d"
        "\ntry:"
        "\n    data = d.load('keras_freq_tiny', data_dir=sys.argv[1])"
        "\n    print(sum(valid for *_, valid in d.iterate_batches(data.train)), 'tensorflow' in sys.modules)"
        "\nexcept ValueError as error:"
        "\n    print(error)"
    )
    result = run_python(code, root)
    if stored == "array_record":
        assert result.stdout.strip() == "20 False", result.stderr
    else:
        assert "only tf.data reads" in result.stdout, result.stderr
        assert "array_record" in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is the backend")
def test_reading_array_record_does_not_import_an_installed_tensorflow(folder):
    root, stored = folder
    if stored != "array_record":
        pytest.skip("tfrecord is read by TensorFlow")
    code = (
        "import sys, keras_freq.data as d\n"
        "train = d.load('keras_freq_tiny', data_dir=sys.argv[1]).train\n"
        "print(sum(valid for *_, valid in d.iterate_batches(train)), 'tensorflow' in sys.modules)"
    )
    assert run_python(code, root).stdout.strip() == "20 False"


def damage(path, how):
    content = path.read_bytes()
    if how == "missing":
        path.unlink()
    elif how == "flipped":
        flipped = np.frombuffer(content, "uint8").copy()
        flipped[150::97] ^= 255
        path.write_bytes(flipped.tobytes())
    else:
        path.write_bytes(content[: {"cut": len(content) // 2, "cut at the end": -9, "empty": 0}[how]])


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "cut at the end", "flipped"])
@pytest.mark.parametrize("kind", ["tfrecord", "array_record"])
def test_damaged_records_are_one_line_with_the_folder(tmp_path, kind, how):
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype="uint8")
    labels = np.arange(20) % 2
    folder = write_tfds("own", tmp_path, train=(images, labels), test=(images, labels), file_format=kind)
    assert load("own", data_dir=tmp_path).taken == {"train": "train", "test": "test"}
    damage(next(folder.glob("own-test.*record*")), how)
    with pytest.raises(
        ValueError, match=r"own.1\.0\.0 must be whole: prepare the set anew\. Received: "
    ) as error:
        load("own", data_dir=tmp_path).arrays("test")
    assert "\n" not in str(error.value)
    assert "node" not in str(error.value)


@pytest.mark.parametrize("how", ["missing", "empty", "cut", "cut at the end", "a record less", "length"])
def test_cut_records_are_told_before_a_training(tmp_path, how):
    """A tf.data feed reads them in `fit`, where TensorFlow tells them with the names of its nodes."""
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype="uint8")
    pair = images, np.arange(20) % 2
    folder = write_tfds("own", tmp_path, train=pair, test=pair, file_format="tfrecord")
    load("own", data_dir=tmp_path, feed="tf.data")
    path = next(folder.glob("own-train.*record*"))
    content = path.read_bytes()
    first = 16 + int.from_bytes(content[:8], "little")
    if how == "a record less":
        path.write_bytes(content[first:])
    elif how == "length":
        path.write_bytes(content[:first] + bytes([content[first] ^ 1]) + content[first + 1 :])
    else:
        damage(path, how)
    with refused(match=r"own.1\.0\.0 must be whole: prepare the set anew"):
        load("own", data_dir=tmp_path, feed="tf.data")


def test_a_set_without_its_features(tmp_path):
    """As an older TFDS left it: TFDS itself knows what is in it."""
    pair = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype="uint8"), np.arange(20) % 10
    for name, version in (("cifar10", "3.0.2"), ("own", "1.0.0")):
        (write_tfds(name, tmp_path, test=pair, version=version) / "features.json").unlink()
    images, labels = load("cifar10", data_dir=tmp_path).arrays("test", dtype="uint8")
    np.testing.assert_array_equal(images, pair[0])
    np.testing.assert_array_equal(labels, pair[1])
    with pytest.raises(ValueError, match=r"own.1\.0\.0 has no features\.json, and this TFDS does not know"):
        load("own", data_dir=tmp_path)


def test_a_kill_while_a_set_is_replaced_loses_none(tmp_path):
    """What a process leaves that dies behind the first of the two renames, and behind the second."""
    old, new = (np.full((10, 8, 8, 3), level, "uint8") for level in (10, 200))
    labels = np.arange(10) % 2
    folder = write_tfds("own", tmp_path, test=(old, labels))
    aside = folder.with_name(".1.0.0.replaced")
    folder.rename(aside)
    np.testing.assert_array_equal(load("own", data_dir=tmp_path).arrays("test", dtype="uint8")[0], old)
    assert list(folder.parent.iterdir()) == [folder]
    shutil.copytree(folder, aside)
    write_tfds("own", tmp_path, test=(new, labels), overwrite=True)
    assert list(folder.parent.iterdir()) == [folder]
    np.testing.assert_array_equal(load("own", data_dir=tmp_path).arrays("test", dtype="uint8")[0], new)
    # Between the two the old one waits under that name.
    with pytest.MonkeyPatch.context() as patch:
        moves = []
        patch.setattr(_write_tfds.os, "replace", lambda *pair: moves.append(pair) or shutil.move(*pair))
        write_tfds("own", tmp_path, test=(old, labels), overwrite=True)
    assert moves[-2] == (folder, aside)
    assert moves[-1][1] == folder
