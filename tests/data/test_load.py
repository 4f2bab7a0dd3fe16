import hashlib
import importlib.resources
import io
import subprocess
import sys
import textwrap
import zipfile

import keras
import numpy as np
import pytest

from keras_freq.data import ArrayBatches, iterate_batches, load
from keras_freq.data._npz import decode_residuals
from tests.refusals import refused

BACKEND = keras.backend.backend()
SHA256 = "ae628cb43efd88b7a2b79b67db7dcbf360eb9de758177cbb8972ba299eb3b29d"


@pytest.fixture(scope="module")
def mini():
    return load("cifar10_mini", feed="pydataset")


def bytes_of(images):
    return np.rint(images * 255).astype("uint8")


@pytest.mark.once
def test_the_bundled_file_is_the_published_one_and_has_a_card():
    folder = importlib.resources.files("keras_freq.data") / "samples"
    assert hashlib.sha256((folder / "cifar10_mini.npz").read_bytes()).hexdigest() == SHA256
    card = (folder / "cifar10_mini.md").read_text(encoding="utf-8")
    for word in (SHA256, "Krizhevsky", "2009", "states no license", "withdrew"):
        assert word in card


def test_the_sample_is_balanced_and_in_unit_range(mini):
    for split, count in (("train", 200), ("test", 100)):
        images, labels = mini.arrays(split)
        assert images.shape == (10 * count, 32, 32, 3)
        assert images.dtype == np.float32
        assert labels.dtype == np.int32
        assert np.bincount(labels).tolist() == [count] * 10
        assert images.min() == 0.0
        assert images.max() == 1.0
    assert mini.input_shape == (32, 32, 3)
    assert len(mini.classes) == 10
    assert mini.classes[0] == "airplane"


def test_the_decoded_pixels_have_the_statistics_of_cifar10(mini):
    # Decoding gone wrong in any channel or direction would leave noise around 0.5 with a deviation of 0.29.
    images, _ = mini.arrays("train")
    np.testing.assert_allclose(images.mean((0, 1, 2)), [0.4914, 0.4822, 0.4465], atol=0.01)
    np.testing.assert_allclose(images.std((0, 1, 2)), [0.2470, 0.2435, 0.2616], atol=0.01)
    steps = np.abs(np.diff(images, axis=1)).mean(), np.abs(np.diff(images, axis=2)).mean()
    assert max(steps) < 0.08


@pytest.mark.once
def test_residuals_decode_exactly(rng):
    images = rng.integers(0, 256, (3, 7, 5, 3), dtype="uint8")
    planes = images.transpose(3, 0, 1, 2).copy()
    planes[0] -= planes[1]
    planes[2] -= planes[1]
    rows = np.diff(planes, axis=-2, prepend=np.uint8(0))
    residuals = np.diff(rows, axis=-1, prepend=np.uint8(0))
    np.testing.assert_array_equal(decode_residuals(residuals), images)


@pytest.mark.parametrize("feed", ["pydataset", "tf.data"])
def test_both_feeds_hold_the_same_images(feed, mini):
    if feed == "tf.data":
        pytest.importorskip("tensorflow")
    data = load("cifar10_mini", feed=feed, batch_size=300, seed=3)
    images, labels = mini.arrays("test")
    batches = list(iterate_batches(data.test))
    assert [valid for *_, valid in batches] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate([x[:v] for x, _, v in batches]), images)
    np.testing.assert_array_equal(np.concatenate([y[:v] for _, y, v in batches]), labels)
    # The training feed holds every image once, in another order.
    shuffled = np.concatenate([y[:v] for _, y, v in iterate_batches(data.train)])
    _, stored = mini.arrays("train")
    assert np.bincount(shuffled).tolist() == [200] * 10
    assert not np.array_equal(shuffled, stored)
    x, y = next(iter(data.train))
    assert keras.backend.standardize_dtype(x.dtype) == "float32"
    assert keras.backend.standardize_dtype(y.dtype) == "int32"


@pytest.mark.parametrize("feed", ["pydataset", "tf.data"])
def test_the_order_follows_from_the_seed(feed):
    if feed == "tf.data":
        pytest.importorskip("tensorflow")

    def first_labels(seed):
        keras.utils.set_random_seed(0)
        return np.asarray(next(iter(load("cifar10_mini", feed=feed, seed=seed).train))[1]).tolist()

    assert first_labels(1) == first_labels(1)
    assert first_labels(1) != first_labels(2)


def test_tf_data_gives_every_epoch_another_order():
    pytest.importorskip("tensorflow")
    train = load("cifar10_mini", feed="tf.data", batch_size=2000).train
    (_, first), (_, second) = (next(iter(train)) for _ in range(2))
    assert not np.array_equal(first, second)


def test_auto_takes_tf_data_on_tensorflow_only():
    data = load("cifar10_mini")
    assert isinstance(data.train, ArrayBatches) == (BACKEND != "tensorflow")
    assert isinstance(data.test, ArrayBatches) == (BACKEND != "tensorflow")


@pytest.mark.parametrize("feed", ["auto", "pydataset", "tf.data"])
def test_fit_takes_every_feed(feed):
    if feed == "tf.data":
        pytest.importorskip("tensorflow")
    data = load("cifar10_mini", feed=feed, batch_size=500)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.AveragePooling2D(8),
            keras.layers.Flatten(),
            keras.layers.Dense(10),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(data.train, epochs=3, validation_data=data.test, shuffle=False, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert 0.1 < history["val_accuracy"][-1] < 0.5


def test_arrays_take_a_limit_and_keep_the_stored_order(mini):
    images, labels = mini.arrays("test", limit=5)
    every, all_labels = mini.arrays("test")
    assert images.shape == (5, 32, 32, 3)
    np.testing.assert_array_equal(images, every[:5])
    np.testing.assert_array_equal(labels, all_labels[:5])


# Simulates an environment without TensorFlow: every finder says that there is none.
WITHOUT_TENSORFLOW = textwrap.dedent(
    """
    import sys

    class Without:
        def __init__(self, finder):
            self.finder = finder
        def __getattr__(self, name):
            return getattr(self.finder, name)
        def find_spec(self, name, path=None, target=None):
            return None if name.split(".")[0] == "tensorflow" else self.finder.find_spec(name, path, target)

    sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
    """
)


def run_python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is the backend")
def test_without_tensorflow_the_sample_loads_and_trains():
    code = WITHOUT_TENSORFLOW + textwrap.dedent(
        """
        import keras, keras_freq.data
        data = keras_freq.data.load("cifar10_mini", batch_size=500)
        model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.fit(data.train, validation_data=data.test, verbose=0)
        try:
            keras_freq.data.load("cifar10_mini", feed="tf.data")
        except ImportError as error:
            print(error)
        print("tensorflow" in sys.modules)
        """
    )
    result = run_python(code)
    assert result.returncode == 0, result.stderr
    message, imported = result.stdout.strip().splitlines()
    assert "needs TensorFlow" in message
    assert "Received: feed='tf.data'" in message
    assert imported == "False"


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow is the backend")
def test_with_tensorflow_installed_it_is_not_imported():
    code = textwrap.dedent(
        """
        import sys, keras_freq.data as data
        batches = list(data.iterate_batches(data.load("cifar10_mini").train))
        print(len(batches), sorted({"tensorflow", "tensorflow_datasets"} & set(sys.modules)))
        """
    )
    result = run_python(code)
    assert result.stdout.strip() == "16 []", result.stderr


@pytest.fixture
def write(tmp_path):
    def save(**arrays):
        path = tmp_path / "own.npz"
        np.savez(path, **arrays)
        return path

    return save


IMAGES, LABELS = np.arange(4 * 6 * 5 * 3, dtype="uint8").reshape(4, 6, 5, 3), np.array([0, 1, 2, 1])


def test_plain_npz_loads(write):
    path = write(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2], y_test=LABELS[:2, None])
    data = load(path, feed="pydataset", batch_size=3)
    assert data.name == "own"
    assert data.input_shape == (6, 5, 3)
    assert data.classes == ("0", "1", "2")
    assert len(data.train) == 2
    images, labels = data.arrays("test")
    np.testing.assert_array_equal(bytes_of(images), IMAGES[:2])
    np.testing.assert_array_equal(labels, [0, 1])


def test_residual_npz_of_one_split_becomes_test(write):
    residuals = np.zeros((3, 4, 6, 5), "uint8")
    residuals[1, :, 0, 0] = 7  # green 7 everywhere, and so red and blue
    data = load(write(r=residuals, y=LABELS, classes=["a", "b", "c"]), feed="pydataset")
    assert data.train is None
    assert data.classes == ("a", "b", "c")
    assert (bytes_of(data.arrays("test")[0]) == 7).all()
    with pytest.raises(ValueError, match=r"one of 'test'.*split='train'"):
        data.arrays("train")


def test_gray_images_gain_an_axis_and_floats_keep_their_values(write):
    gray = np.linspace(0, 1, 4 * 6 * 5).reshape(4, 6, 5)
    data = load(write(x_train=gray, y_train=LABELS, x_test=gray, y_test=LABELS), feed="pydataset")
    assert data.input_shape == (6, 5, 1)
    np.testing.assert_allclose(data.arrays("train")[0][..., 0], gray, atol=1e-7)


@pytest.mark.once
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": IMAGES, "b": LABELS}, r"x_train.*Received: .*own\.npz with the keys \['a', 'b'\]"),
        ({"x_train": IMAGES, "y_train": LABELS[:3]}, "4 images, 3 labels"),
        ({"x_train": IMAGES * 1.0, "y_train": LABELS}, r"lie in \[0, 1\].*Received: values from 0 to"),
        ({"x_train": IMAGES[0, 0], "y_train": LABELS}, "rank 4.*Received"),
        ({"x_train": IMAGES, "y_train": np.array(["cat"] * 4)}, "class indices.*Received"),
        ({"x_train": np.array([None, {}]), "y_train": LABELS}, r"Received: .*own\.npz'.*Object arrays"),
        ({"x_train": np.float32(3), "y_train": LABELS}, "rank 4.*Received"),
        ({"x": IMAGES, "y": LABELS * 10**9}, "below 1048576.*Received: largest label 2000000000"),
        ({"x": IMAGES, "y": LABELS - 1}, "at least 0.*Received: smallest label -1"),
        ({"x": IMAGES, "y": LABELS + 0.5}, "whole numbers.*Received"),
        ({"x": IMAGES, "y": LABELS, "classes": ["a", "b", "a"]}, "must differ.*Received: 'a' twice"),
        ({"x": IMAGES, "y": LABELS, "classes": [["a", "b", "c"]]}, r"one row of text.*shape \(1, 3\)"),
        ({"x": IMAGES, "y": LABELS, "classes": [1, 2, 3]}, "one row of text.*Received: int64"),
        ({"r_train": IMAGES, "y_train": LABELS}, r"Residuals must be uint8 of shape \(3, n.*Received"),
        ({"x": IMAGES, "y": LABELS, "classes": ["a", "b"]}, "2 names, largest label 2"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :4], "y_test": LABELS},
            "one shape.*Received",
        ),
    ],
)
def test_a_bad_npz_gives_one_line(write, arrays, message):
    with refused(match=message):
        load(write(**arrays), feed="pydataset")


def test_a_missing_or_broken_npz_gives_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such .*Received: name='.*none\.npz'"):
        load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with refused(match=r"must be a whole \.npz archive.*Received"):
        load(tmp_path / "text.npz")
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, IMAGES)
    with refused(match=r"Received: name='.*single\.npz' \(it is a single array\)"):
        load(tmp_path / "single.npz")


@pytest.mark.once
def test_scalars_are_one_line_with_the_path(tmp_path):
    np.savez(tmp_path / "scalar.npz", x=np.float32(3), y=np.int64(2))
    with refused(match=r"^Images must have rank 4.*, in .*scalar\.npz$"):
        load(tmp_path / "scalar.npz")


@pytest.mark.once
def test_a_damaged_npz_gives_one_line_with_its_path(tmp_path):
    """Every byte of a small archive flipped once: the same data, other data of the same form, or one line."""
    path, flipped = tmp_path / "good.npz", tmp_path / "flipped.npz"
    np.savez_compressed(path, x=IMAGES, y=LABELS)
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        flipped.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        message = None
        try:
            load(flipped, feed="pydataset")
        except ValueError as error:
            message = str(error)
        assert message is None or ("flipped.npz" in message and "\n" not in message)
    for cut in range(0, len(content), 50):
        flipped.write_bytes(content[:cut])
        with refused("flipped.npz"):
            load(flipped, feed="pydataset")


@pytest.mark.once
def test_a_header_that_promises_petabytes_is_not_believed(tmp_path):
    path = tmp_path / "huge.npz"
    header = io.BytesIO()
    form = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 32, 32, 3)}
    np.lib.format.write_array_header_1_0(header, form)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(100))
        archive.writestr("y.npy", b"")
    with refused(match=r"Received: .*huge\.npz'.*x promises 3072000000128 bytes"):
        load(path)


@pytest.mark.once
def test_medmnist_keys_and_an_ending_in_capitals(tmp_path):
    path = tmp_path / "blood.NPZ"
    with path.open("wb") as file:
        np.savez(
            file,
            train_images=IMAGES,
            train_labels=LABELS[:, None],
            val_images=IMAGES[:1],
            val_labels=LABELS[:1, None],
            test_images=IMAGES[:2],
            test_labels=LABELS[:2, None],
        )
    data = load(path, feed="pydataset")
    assert data.name == "blood"
    assert [len(data.arrays(split)[1]) for split in ("train", "test")] == [4, 2]


@pytest.mark.once
def test_labels_from_1_are_told(write):
    with pytest.warns(UserWarning, match="Class 0 has no image in .*own.npz"):
        load(write(x=IMAGES, y=LABELS + 1), feed="pydataset")


@pytest.mark.once
def test_a_near_name_is_offered(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'cifar10_mini'\? No prepared.*'cifar10_mnii'"):
        load("cifar10_mnii", data_dir=tmp_path)


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": 3}, "`name` must be .*Received: name=3"),
        ({"name": ""}, "`name` must be .*Received: name=''"),
        ({"feed": "grain"}, "`feed` must be .*Received: feed='grain'"),
        ({"batch_size": 0}, "`batch_size` must be .*Received: batch_size=0"),
        ({"seed": -1}, "`seed` must be .*Received: seed=-1"),
        ({"seed": None}, "`seed` must be .*Received: seed=None"),
        ({"image_size": 0}, "`image_size` must be .*Received: image_size=0"),
        ({"image_size": (8, 8, 3)}, "`image_size` must be .*Received"),
        ({"image_size": 64}, r"applies to TFDS sets.*32 x 32.*Received: image_size=\(64, 64\)"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message):
    with refused(match=message):
        load(**({"name": "cifar10_mini"} | arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "validation"}, r"`split` must be one of 'train', 'test'.*split='validation'"),
        ({"limit": 0}, "`limit` must be .*Received: limit=0"),
    ],
)
def test_bad_splits_and_limits_give_one_line(mini, arguments, message):
    with pytest.raises(ValueError, match=message):
        mini.arrays(**arguments)


@pytest.mark.once
def test_npy_files_are_a_set(tmp_path):
    keys = {"x_test": IMAGES, "y_test": LABELS, "train_images": IMAGES[:2], "train_labels": LABELS[:2]}
    for key, value in keys.items():
        np.save(tmp_path / f"{key}.npy", value)
    np.save(tmp_path / "other.npy", IMAGES)
    data = load(tmp_path)
    assert data.taken == {"test": "x_test", "train": "train_images"}
    images, labels = data.arrays("test", dtype="uint8")
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    for name in ("x_test", "y_test"):
        alone = load(str(tmp_path / f"{name}.npy"))
        assert (alone.train, alone.taken) == (None, {"test": "x_test"})
    (tmp_path / "alone").mkdir()
    np.save(tmp_path / "alone" / "images.npy", IMAGES)
    with pytest.raises(ValueError, match=r"labels beside them, .*Received: name='.*images\.npy'$"):
        load(str(tmp_path / "alone" / "images.npy"))
    with pytest.raises(FileNotFoundError, match=r"no such \.npy file"):
        load(str(tmp_path / "nothing.npy"))
    (tmp_path / "y_test.npy").write_bytes(b"\x93NUMPY cut")
    with pytest.raises(ValueError, match=r"y_test\.npy must be a whole \.npy file"):
        load(tmp_path)


def test_where_splits_were_taken_from(tmp_path):
    path = tmp_path / "medical.npz"
    np.savez(path, train_images=IMAGES, train_labels=LABELS, val_images=IMAGES, val_labels=LABELS)
    assert load(str(path)).taken == {"train": "train_images", "test": "val_images"}
    assert load("cifar10_mini").taken == {"train": "r_train", "test": "r_test"}
