"""What training wrappers see of wrong pixels before they train, whatever the data are."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from tests.refusals import refused

FEEDS = ["arrays", "PyDataset", "generator", "tf.data", "tensors"]


@pytest.fixture
def model():
    classifier = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3, kernel_initializer="zeros")]
    )
    wrapped = kf.APRModel(classifier, single=kf.layers.APRSingle(seed=0))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    wrapped.compile(keras.optimizers.SGD(0.1), loss)
    return wrapped


class Batches(keras.utils.PyDataset):
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = slice(4 * index, 4 * index + 4)
        return self.x[rows], self.y[rows]


def feed(kind, x, y):
    """Arguments of `fit` for one epoch over twelve images in batches of four."""
    if kind == "arrays":
        return {"x": x, "y": y, "batch_size": 4, "shuffle": False}
    if kind == "tensors":
        tensors = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
        return {"x": tensors[0], "y": tensors[1], "batch_size": 4, "shuffle": False}
    if kind == "PyDataset":
        return {"x": Batches(x, y), "shuffle": False}
    if kind == "generator":
        return {
            "x": (pair for pair in [(x[i : i + 4], y[i : i + 4]) for i in (0, 4, 8)]),
            "steps_per_epoch": 3,
        }
    tf = pytest.importorskip("tensorflow")
    return {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(4), "shuffle": False}


@pytest.mark.parametrize("kind", FEEDS)
def test_wrong_pixels_stop_training_in_one_line(kind, model):
    x, y = np.random.default_rng(0).random((12, 8, 8, 3), dtype="float32"), np.arange(12) % 3
    for broken in (np.where(x == x[1, 2, 3, 0], np.float32("nan"), x), x * 255):
        before = model.get_weights()
        with refused(match="finite|value_range"):
            model.fit(**feed(kind, broken, y), verbose=0)
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_every_feed_trains_alike(model):
    """No batch is lost or read in another order by the look at the first."""
    x, y = np.random.default_rng(0).random((12, 8, 8, 3), dtype="float32"), np.arange(12) % 3
    start, ends = model.get_weights(), []
    for kind in FEEDS:
        model.single.seed_generator.state.assign([0, 0])
        model.set_weights(start)
        model.fit(**feed(kind, x, y), verbose=0)
        ends.append(model.classifier.get_weights()[0])
    assert np.abs(ends[0]).max() > 0
    for kind, end in zip(FEEDS, ends, strict=True):
        np.testing.assert_allclose(end, ends[0], atol=1e-6, err_msg=kind)


def test_a_look_asks_a_dataset_for_one_batch_more(model):
    """What the look costs: batch 0 of a `PyDataset`, and nothing of a generator."""
    x, y = np.random.default_rng(0).random((12, 8, 8, 3), dtype="float32"), np.arange(12) % 3
    asked = []

    class Asked(Batches):
        def __getitem__(self, index):
            asked.append(index)
            return super().__getitem__(index)

    def ask(trained):
        asked.clear()
        trained.fit(Asked(x, y), shuffle=False, verbose=0)
        return sorted(asked)

    model.classifier.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert ask(model) == sorted([0, *ask(model.classifier)])
    drawn = []

    def batches():
        for rows in range(0, 12, 4):
            drawn.append(rows)
            yield x[rows : rows + 4], y[rows : rows + 4]

    model.fit(batches(), steps_per_epoch=3, verbose=0)
    assert drawn == [0, 4, 8]


def test_a_shuffled_dataset_keeps_its_order():
    tf = pytest.importorskip("tensorflow")
    from keras_freq.training._first_images import FirstImages

    def dataset():
        x = tf.zeros((12, 8, 8, 3))
        return tf.data.Dataset.from_tensor_slices((x, tf.range(12))).shuffle(12, seed=3).batch(4)

    seen = []
    looked = FirstImages(seen.append, 4).look(dataset())
    assert looked.element_spec == dataset().element_spec
    assert int(looked.cardinality()) == 3
    plain = dataset()
    for _ in range(2):
        orders = [np.concatenate([y for _, y in one.as_numpy_iterator()]) for one in (looked, plain)]
        np.testing.assert_array_equal(*orders)
    assert len(seen) == 2  # once an epoch
    assert not np.array_equal(orders[0], np.arange(12))
