import keras
import numpy as np
import pytest
from PIL import Image

from keras_freq._core.feeds import Feed
from keras_freq.data import ArrayBatches, iterate_batches
from tests.refusals import refused

N, SIZE = 10, 4


@pytest.fixture
def arrays(rng):
    return rng.random((N, 6, 5, 3), dtype="float32"), np.arange(N) % 3


def in_batches(images, labels, size=SIZE):
    return [(images[i : i + size], labels[i : i + size]) for i in range(0, len(images), size)]


class Custom(keras.utils.PyDataset):
    def __init__(self, batches, **kwargs):
        super().__init__(**kwargs)
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def as_tf_dataset(images, labels):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(SIZE)


def as_torch_loader(images, labels):
    torch = pytest.importorskip("torch")
    dataset = torch.utils.data.TensorDataset(torch.tensor(images), torch.tensor(labels))
    return torch.utils.data.DataLoader(dataset, batch_size=SIZE)


def backend_tensors(images, labels):
    return [tuple(map(keras.ops.convert_to_tensor, batch)) for batch in in_batches(images, labels)]


def torch_tensors(images, labels):
    torch = pytest.importorskip("torch")
    return [(torch.tensor(x, requires_grad=True), torch.tensor(y)) for x, y in in_batches(images, labels)]


def tf_tensors(images, labels):
    tf = pytest.importorskip("tensorflow")
    return [(tf.constant(x), tf.constant(y)) for x, y in in_batches(images, labels)]


def jax_arrays(images, labels):
    jnp = pytest.importorskip("jax.numpy")
    return [[jnp.asarray(x), jnp.asarray(y)] for x, y in in_batches(images, labels)]


FEEDS = {
    "array batches": lambda x, y: ArrayBatches(x, y, batch_size=SIZE),
    "PyDataset": lambda x, y: Custom(in_batches(x, y)),
    "PyDataset with workers": lambda x, y: Custom(in_batches(x, y), workers=2),
    "tf.data": as_tf_dataset,
    "torch loader": as_torch_loader,
    "generator": lambda x, y: (batch for batch in in_batches(x, y)),
    "list": lambda x, y: in_batches(x, y),
    "tuple of batches": lambda x, y: tuple(in_batches(x, y)),
    "one-hot": lambda x, y: in_batches(x, np.eye(3, dtype="float32")[y]),
    "float64": lambda x, y: in_batches(x.astype("float64"), y.astype("float64")),
    "backend tensors": backend_tensors,
    "torch tensors": torch_tensors,
    "tf tensors": tf_tensors,
    "jax arrays": jax_arrays,
}


@pytest.mark.parametrize("kind", FEEDS)
def test_every_feed_gives_the_same_padded_batches(kind, arrays):
    images, labels = arrays
    batches = list(iterate_batches(FEEDS[kind](images, labels)))
    assert [valid for *_, valid in batches] == [4, 4, 2]
    for x, y, _ in batches:
        assert x.shape == (SIZE, 6, 5, 3)
        assert x.dtype == np.float32
        assert y.shape == (SIZE,)
        assert y.dtype == np.int64
    np.testing.assert_array_equal(np.concatenate([x[:v] for x, _, v in batches]), images)
    np.testing.assert_array_equal(np.concatenate([y[:v] for _, y, v in batches]), labels)
    # The filling is the last image, so that it costs nothing new and stays finite.
    np.testing.assert_array_equal(batches[-1][0][2:], images[[-1, -1]])


def test_arrays_take_a_batch_size_and_default_to_128(arrays):
    images, labels = arrays
    assert [(x.shape[0], v) for x, _, v in iterate_batches((images, labels), batch_size=6)] == [
        (6, 6),
        (6, 4),
    ]
    many = np.zeros((130, 2, 2, 1), "float32"), np.zeros(130, int)
    assert [(x.shape[0], v) for x, _, v in iterate_batches(many)] == [(128, 128), (128, 2)]
    assert [v for *_, v in iterate_batches([images, labels.tolist()], batch_size=10)] == [10]


def test_longer_batches_are_cut_to_the_first(arrays):
    images, labels = arrays
    feed = [(images[:3], labels[:3]), (images[3:], labels[3:])]
    batches = list(iterate_batches(feed))
    assert [(x.shape[0], v) for x, _, v in batches] == [(3, 3), (3, 3), (3, 3), (3, 1)]
    np.testing.assert_array_equal(np.concatenate([x[:v] for x, _, v in batches]), images)
    assert [(x.shape[0], v) for x, _, v in iterate_batches(feed, batch_size=2)][:2] == [(2, 2), (2, 1)]


def test_bytes_are_scaled_and_channels_first_passes_through():
    images = np.full((2, 3, 8, 6), 255, "uint8")
    ((x, _, _),) = iterate_batches([(images, [0, 1])])
    assert x.shape == (2, 3, 8, 6)
    assert (x == 1.0).all()


def test_bfloat16_tensors_become_float32():
    images = keras.ops.cast(np.full((2, 4, 4, 1), 0.5), "bfloat16")
    ((x, _, _),) = iterate_batches([(images, np.array([0, 1]))])
    assert x.dtype == np.float32
    assert (x == 0.5).all()


def test_reading_does_not_advance_a_shuffled_feed(arrays):
    feed = ArrayBatches(*arrays, batch_size=SIZE, shuffle=True, seed=1)
    first, second = ([y.tolist() for _, y, _ in iterate_batches(feed)] for _ in range(2))
    assert first == second
    assert feed.epoch == 0


x, y = np.zeros((4, 6, 5, 3), "float32"), np.zeros(4, int)
BAD = {
    "no data": (None, TypeError, "Received: NoneType"),
    "a bare array": (x, TypeError, "Received: ndarray of shape"),
    "a file name": ("cifar10", TypeError, "Received: str"),
    "a dictionary": ({"image": x, "answer": y}, ValueError, r"keys \['answer', 'image'\]"),
    "a dictionary of splits": ({"train": x, "test": y}, ValueError, r"keys \['test', 'train'\]"),
    "two names of images": ({"image": x, "img": x, "label": y}, ValueError, r"keys \['image', 'img', "),
    "a number": (3, TypeError, "Received: int"),
    "an empty list": ([], ValueError, "empty.*Received: 0 batches"),
    "an empty generator": ((b for b in ()), ValueError, "read only once"),
    "sample weights": ((x, y, y), ValueError, "Sample weights.*Received"),
    "a batch with weights": ([(x, y, y)], ValueError, "Sample weights.*Received"),
    "a batch of one": ([(x,)], ValueError, "Received: a batch of 1 elements"),
    "one array": ((x,), ValueError, "Received: a tuple of length 1"),
    "dictionary batches": ([{"image": x}], ValueError, r"keys \['image'\]"),
    "dictionary images": ([({"a": x}, y)], TypeError, r"keys \['a'\]"),
    "bare batches": ((b for b in [x]), TypeError, "Every batch.*ndarray of shape"),
    "single images": ([(x[0], y[0])], ValueError, r"rank 4.*\(6, 5, 3\)"),
    "no images": ([(x[:0], y[:0])], ValueError, r"empty.*\(0, 6, 5, 3\)"),
    "NaN": ([(x * np.nan, y)], ValueError, "finite.*Received: NaN"),
    "whole-number images": ([(300 + x.astype("int32"), y)], ValueError, "0 to 255.*int32"),
    "two shapes": ([(x, y), (x[:, :4], y)], ValueError, r"one shape.*\(6, 5, 3\), then \(4, 5, 3\)"),
    "a length mismatch": ([(x, y[:3])], ValueError, "4 images, 3 labels"),
    "arrays of two lengths": ((x, y[:3]), ValueError, "4 images, 3 labels"),
    "soft labels": ([(x, np.full((4, 2), 0.5))], ValueError, "one-hot"),
    "fractions as labels": ([(x, y + 0.5)], ValueError, "whole numbers"),
    "negative labels": ([(x, y - 1)], ValueError, "smallest label -1"),
    "ragged images": ([([[1.0], [1.0, 2.0]], y)], TypeError, "dense.*Received: list"),
}


@pytest.mark.once
@pytest.mark.parametrize("case", BAD)
def test_bad_data_give_one_line(case):
    data, kind, message = BAD[case]
    with refused("Received", match=message, error=kind):
        list(iterate_batches(data))


@pytest.mark.once
@pytest.mark.parametrize("size", [0, -2, 1.5, True, "8"])
def test_a_bad_batch_size_raises_at_the_call(size):
    with pytest.raises(ValueError, match=r"`batch_size`.*Received: batch_size="):
        iterate_batches((x, y), batch_size=size)


def test_infinite_feeds_that_say_so_are_refused():
    class Endless(keras.utils.PyDataset):
        num_batches = None

        def __getitem__(self, index):
            return x, y

    with pytest.raises(ValueError, match=r"infinite PyDataset.*Received: Endless"):
        iterate_batches(Endless())
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match=r"infinite tf.data.Dataset.*Received"):
        iterate_batches(tf.data.Dataset.from_tensors((x, y)).repeat())


class Table:
    """What is used of a Hugging Face Dataset: slices are dictionaries of lists."""

    features = ("img", "label")
    column_names = ("img", "label")

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, rows):
        return {"img": self.images[rows], "label": self.labels[rows]}


@pytest.mark.once
def test_dictionaries_and_tables_are_taken(arrays):
    images, labels = arrays
    wanted = [(a, b, valid) for a, b, valid in iterate_batches((images, labels), batch_size=SIZE)]
    pictures = [Image.fromarray((image * 255).astype("uint8")) for image in images]
    tf = pytest.importorskip("tensorflow")
    feeds = {
        "a dictionary of arrays": ({"image": images, "label": labels}, 1e-9),
        "batches": (
            [
                {"images": images[i : i + SIZE], "labels": labels[i : i + SIZE]}
                for i in range(0, len(images), SIZE)
            ],
            1e-9,
        ),
        "tf.data": (tf.data.Dataset.from_tensor_slices({"image": images, "label": labels}).batch(SIZE), 1e-9),
        "a table": (Table(pictures, labels.tolist()), 1 / 255),
    }
    for name, (feed, limit) in feeds.items():
        found = list(iterate_batches(feed, batch_size=SIZE))
        assert len(found) == len(wanted), name
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one[0], other[0], atol=limit, err_msg=name)
            assert one[1].tolist() == other[1].tolist()
    held = Feed(feeds["a table"][0], n=5, batch_size=SIZE)
    assert held.labels.tolist() == labels[:5].tolist()
    with refused("must have one shape"):
        list(iterate_batches(Table([np.zeros((4, 4, 3)), np.zeros((5, 4, 3))], [0, 1])))


def test_dictionary_and_unbatched_tf_datasets_are_refused():
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match=r"Of a dictionary.*keys \['image'\]"):
        list(iterate_batches(tf.data.Dataset.from_tensors({"image": x})))
    with pytest.raises(ValueError, match=r"batch the feed first"):
        list(iterate_batches(tf.data.Dataset.from_tensor_slices((x, y))))
