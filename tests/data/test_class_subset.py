"""Some classes of a set, in an order of one's own: arrays, TFDS files of both kinds, nothing else decoded."""

import keras
import numpy as np
import pytest

from keras_freq.data import iterate_batches, load
from tests.refusals import refused

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")

from keras_freq.data import write_tfds  # noqa: E402 (it needs TensorFlow)
from keras_freq.data._class_subset import choose_classes  # noqa: E402
from keras_freq.data._tfds_sets import TFDSet  # noqa: E402

NAMES = ("round", "square", "long", "wide")
IMAGES = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype="uint8")
LABELS = np.arange(30, dtype="int32") % 4
KEPT = ("wide", "round")
# What is left of them, in the stored order.
ROWS = {
    "train": [i for i in range(20) if i % 4 in (0, 3)],
    "test": [i for i in range(20, 30) if i % 4 in (0, 3)],
}


def new(rows):
    return [{3: 0, 0: 1}[int(LABELS[row])] for row in rows]


@pytest.fixture(scope="module", params=["npz", "tfrecord", "array_record"])
def source(request, tmp_path_factory):
    root = tmp_path_factory.mktemp(request.param)
    train, test = (IMAGES[:20], LABELS[:20]), (IMAGES[20:], LABELS[20:])
    if request.param == "npz":
        np.savez(
            root / "own.npz",
            x_train=train[0],
            y_train=train[1],
            x_test=test[0],
            y_test=test[1],
            classes=NAMES,
        )
        return request.param, {"name": str(root / "own.npz")}
    write_tfds("shapes", root, train=train, test=test, classes=NAMES, file_format=request.param)
    return request.param, {"name": "shapes", "data_dir": root}


def test_the_classes_are_kept_in_the_order_asked_for(source):
    _, arguments = source
    data = load(**arguments, classes=KEPT, batch_size=4)
    assert data.classes == KEPT
    for split, rows in ROWS.items():
        images, labels = data.arrays(split, dtype="uint8")
        np.testing.assert_array_equal(images, IMAGES[rows])
        assert labels.tolist() == new(rows)
        assert labels.dtype == np.int32
    assert data.arrays("train", limit=3)[1].tolist() == new(ROWS["train"][:3])
    for _ in range(2):  # what tf.data keeps of the first pass serves the second
        batches = list(iterate_batches(data.test))
        np.testing.assert_array_equal(
            np.concatenate([np.rint(x[:v] * 255) for x, _, v in batches]), IMAGES[ROWS["test"]]
        )
        assert np.concatenate([y[:v] for _, y, v in batches]).tolist() == new(ROWS["test"])
    shuffled = np.concatenate([y[:v] for _, y, v in iterate_batches(data.train)])
    assert sorted(shuffled.tolist()) == sorted(new(ROWS["train"]))


def test_all_classes_in_another_order(source):
    _, arguments = source
    data = load(**arguments, classes=NAMES[::-1])
    np.testing.assert_array_equal(data.arrays("test")[1], 3 - LABELS[20:])
    assert load(**arguments).classes == NAMES


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # of Keras, at the end of an open length
def test_fit_takes_a_part_of_the_classes(source):
    _, arguments = source
    data = load(**arguments, classes=KEPT, batch_size=4)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(data.train, validation_data=data.test, epochs=2, verbose=0, shuffle=False).history
    assert len(history["loss"]) == 2
    assert np.isfinite(history["loss"] + history["val_loss"]).all()


@pytest.mark.once
def test_images_of_other_classes_are_never_decoded(source, monkeypatch):
    kind, arguments = source
    decoded = []
    feature = tfds.features.Image
    if kind == "npz":
        return
    name = "decode_example" if kind == "tfrecord" else "decode_example_np"
    original = getattr(feature, name)

    def counted(self, encoded):
        if kind == "array_record":
            decoded.append(1)
            return original(self, encoded)
        # Once an example, inside tf.data.
        with tf.control_dependencies([tf.py_function(lambda: decoded.append(1), [], [])]):
            return original(self, tf.identity(encoded))

    monkeypatch.setattr(feature, name, counted)
    load(**arguments, classes=KEPT).arrays("train")
    assert len(decoded) == len(ROWS["train"])


@pytest.mark.once
@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ("round", "flat"),
            r"among the 4 of .* \(round, square, long, wide\). Received: classes with 'flat'$",
        ),
        (("round", "round"), "each once. Received"),
        ("round", "`classes` must be None or a sequence.*classes='round'"),
        ((0, 1), r"names of classes.*classes=\(0, 1\)"),
    ],
)
def test_bad_classes_are_one_line(source, classes, message):
    with refused(match=message):
        load(**source[1], classes=classes)


def test_a_split_without_any_of_them_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2], y_test=[0, 1])
    with pytest.raises(ValueError, match="Received: a split without any of 2, 3"):
        load(tmp_path / "a.npz", classes=("2", "3"))


@pytest.mark.once
def test_a_set_with_a_test_split_alone_and_two_configurations(tmp_path):
    """The form of CIFAR-10.1: two configurations, one split, classes without names."""
    for config, rows in (("v4", slice(0, 9)), ("v6", slice(0, 8))):
        write_tfds("cifar10_1", tmp_path / config, test=(IMAGES[rows], LABELS[rows]), version="1.1.0")
        (tmp_path / "sets" / "cifar10_1").mkdir(parents=True, exist_ok=True)
        (tmp_path / config / "cifar10_1").rename(tmp_path / "sets" / "cifar10_1" / config)
    with pytest.raises(ValueError, match=r"several configurations.*v4, v6.*Name one, as in 'cifar10_1/v4'"):
        load("cifar10_1", data_dir=tmp_path / "sets")
    data = load("cifar10_1/v6", data_dir=tmp_path / "sets")
    assert data.train is None
    assert data.classes == ("0", "1", "2", "3")
    images, labels = data.arrays("test", dtype="uint8")
    np.testing.assert_array_equal(images, IMAGES[:8])
    np.testing.assert_array_equal(labels, LABELS[:8])


def test_images_without_a_class_belong_to_none_of_them():
    subset = choose_classes(("c", "a"), ("a", "b", "c"), "letters")
    images, labels = np.arange(5)[:, None, None, None], np.array([2, -1, 0, 1, -1])
    kept, renumbered = subset.keep(images, labels)
    assert kept.ravel().tolist() == [0, 2]
    assert renumbered.tolist() == [0, 1]
    looked_up = tf.data.Dataset.from_tensor_slices(labels).map(lambda label: tf.constant(subset.table)[label])
    assert [int(label) for label in looked_up] == [0, -1, 1, -1, -1]


def test_the_test_images_of_imagenet_have_no_labels():
    class Info:
        splits = ("train", "validation", "test")

    class Builder:
        name, info = "imagenet2012", Info

    assert TFDSet(Builder, "image", "label").split_name("test") == "validation"
    Builder.name = "imagenette"
    assert TFDSet(Builder, "image", "label").split_name("test") == "test"
