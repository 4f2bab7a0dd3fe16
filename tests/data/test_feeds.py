"""Data gone through batch by batch, and the first look of a model at them."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core.feeds import Feed, ModelFeed
from tests.refusals import refused


def in_batches(images, labels, size=3):
    return [(images[i : i + size], labels[i : i + size]) for i in range(0, len(images), size)]


class Counted(keras.utils.PyDataset):
    """Batches, and which of them were read."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.read = batches, []

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        self.read.append(index)
        return self.batches[index]


class Worn:
    """An iterable, not an iterator, that is empty after one pass all the same."""

    def __init__(self, batches):
        self._batches = iter(batches)

    def __iter__(self):
        return self._batches


class Shifting:
    """Other data at every pass."""

    def __init__(self, *passes):
        self._passes = iter(passes)

    def __iter__(self):
        return iter(next(self._passes))


def test_the_first_batch_is_read_at_once_and_nothing_twice(images, labels):
    source = Counted(in_batches(images, labels))
    feed = Feed(source)
    assert source.read == [0]
    assert (feed.batch_size, feed.image_shape, feed.size, feed.channels) == (3, (32, 32, 3), (32, 32), 3)
    batches = list(feed)
    assert source.read == [0, 1, 2]
    assert [valid for *_, valid in batches] == [3, 3, 2]
    np.testing.assert_array_equal(np.concatenate([x[:v] for x, _, v in batches]), images)
    assert feed.n == 8
    assert feed.labels.tolist() == labels.tolist()
    assert feed.count_per_class.tolist() == [2, 2, 2, 2]
    assert source.read == [0, 1, 2]
    assert len(list(feed)) == 3
    assert source.read == [0, 1, 2] * 2


def test_a_generator_serves_for_one_pass(images, labels):
    feed = Feed(batch for batch in in_batches(images, labels))
    assert sum(valid for *_, valid in feed) == 8
    assert feed.n == 8
    with pytest.raises(ValueError, match="`data` must be readable again for another pass"):
        list(feed)


@pytest.mark.parametrize("kind", ["arrays", "batches", "generator"])
def test_the_first_n_are_held(kind, images, labels):
    data = (images, labels) if kind == "arrays" else in_batches(images, labels)
    feed = Feed(iter(data) if kind == "generator" else data, n=5)
    for _ in range(2):
        batches = list(feed)
        assert [len(x) for x, _, _ in batches] == ([5] if kind == "arrays" else [3, 3])
        np.testing.assert_array_equal(np.concatenate([x[:v] for x, _, v in batches]), images[:5])
    assert feed.labels.tolist() == labels[:5].tolist()
    with pytest.raises(ValueError, match=r"number of images, here 8\. Received: n=9"):
        Feed(data, n=9)
    with pytest.raises(ValueError, match="`n` must be a whole number"):
        Feed(data, n=0)


def test_all_in_memory(images, labels):
    for data in ((images, labels), in_batches(images, labels)):
        feed = Feed(data)
        for count in (8, 4):
            x, y = (feed if count == 8 else Feed(data, n=count)).arrays()
            np.testing.assert_array_equal(x, images[:count])
            assert y.tolist() == labels[:count].tolist()


def test_images_alone(images):
    feed = Feed(images, needs_labels=False, data_format="channels_first")
    assert (feed.size, feed.channels) == ((32, 3), 32)
    assert feed.labels.tolist() == [0] * 8
    with pytest.raises(TypeError, match="`donors` must be a tuple of arrays"):
        Feed(images, name="donors")


def test_the_digest_follows_the_content_alone(images, labels):
    whole = Feed((images, labels)).digest()
    on_the_way = Feed(in_batches(images, labels), batch_size=2, hashed=True)
    on_the_way.read_through()
    assert on_the_way.digest() == whole == Feed(in_batches(images, labels)).digest()
    assert Feed((images, labels[::-1])).digest() != whole
    assert Feed((images[::-1], labels)).digest() != whole


def test_other_data_at_a_later_pass_are_refused(images, labels):
    batches, turned = in_batches(images, labels), in_batches(images[::-1], labels)
    for others, hashed in ((batches[:2], False), (turned, False), (turned, True)):
        feed = Feed(Shifting(batches, batches, others), hashed=hashed)
        feed.read_through()
        feed.read_through()
        with refused("your feed is shuffled or augmented anew", match=r"in the same order, at every pass"):
            feed.read_through()


def test_the_first_n_of_a_shuffled_feed_are_refused(images, labels):
    batches, turned = in_batches(images, labels), in_batches(images[::-1], labels)
    with refused("The first `n` images are others at every pass: `data` are shuffled"):
        Feed(Shifting(batches, turned), n=5)
    assert Feed(Shifting(batches, batches), n=5).n == 5
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(8, seed=1).batch(4)
    with refused("shuffled or augmented anew"):
        Feed(dataset, n=5)
    still = tf.data.Dataset.from_tensor_slices((images, labels))
    assert Feed(still.shuffle(8, seed=1, reshuffle_each_iteration=False).batch(4), n=5).n == 5


def test_the_range_of_the_model(classifier, images, labels):
    ModelFeed(classifier, (images, labels)).read_through()
    with pytest.raises(ValueError, match="range that the model takes, 0 to 1"):
        ModelFeed(classifier, (images + 1, labels))
    feed = ModelFeed(classifier, (2 * images - 1, labels), value_range=(-1, 1))
    np.testing.assert_allclose(feed.arrays()[0], images, atol=1e-6)


class Unknown(keras.Model):
    """Nobody can tell its outputs without running it."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, images):
        return self.inner(images)


def test_a_model_is_run_where_its_outputs_are_unknown_alone(classifier, images, labels, monkeypatch):
    runs = []
    monkeypatch.setattr(
        "keras_freq._core.feeds.compile_logits",
        lambda model: lambda x: runs.append(model) or model.model(x, training=False),
    )
    wrapped = kf.APRModel(classifier)
    for model, count in ((classifier, 0), (wrapped, 0), (Unknown(classifier), 1)):
        assert ModelFeed(model, (images, labels)).classes == 4
        assert len(runs) == count
    assert ModelFeed(classifier, (images, labels), needs_logits=True).classes == 4
    assert len(runs) == 1  # its last layer is linear


def test_labels_are_looked_at_before_anything_is_measured(classifier, images, labels):
    with pytest.raises(ValueError, match="from 0 to 3, the model's outputs"):
        ModelFeed(classifier, (images, labels + 1))
    with pytest.raises(ValueError, match="from 0 to 3, the model's outputs"):
        ModelFeed(classifier, in_batches(images, labels + 1), n=8)
    feed = ModelFeed(classifier, in_batches(images, labels + 1))
    with pytest.raises(ValueError, match="from 0 to 3, the model's outputs"):
        list(feed)
    assert sum(valid for *_, valid in ModelFeed(classifier, (images, labels + 1), needs_labels=False)) == 8


def test_probabilities_are_refused_where_gradients_are_needed(classifier, images, labels):
    ending = keras.Sequential([classifier, keras.layers.Softmax()])
    assert (
        ModelFeed(ending, (images, labels), needs_gradients=True).settings["outputs"]
        == "logits before the softmax"
    )
    hidden = Unknown(ending)
    assert ModelFeed(hidden, (images, labels)).classes == 4
    known = ModelFeed(hidden, (images, labels), needs_logits=True)
    assert known.settings["outputs"] == "log probabilities"
    with pytest.raises(ValueError, match="must return logits"):
        ModelFeed(hidden, (images, labels), needs_gradients=True)


def test_one_output_is_two_classes_and_no_model_is_refused(images, labels):
    one = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    assert ModelFeed(one, (images, labels % 2)).classes == 2
    with pytest.raises(TypeError, match="Received: model=None"):
        ModelFeed(None, (images, labels))


def test_a_check_finds_what_would_stop_a_later_measurement(classifier, images, labels):
    broken = images.copy()
    broken[-1, 0, 0, 0] = np.nan
    good = in_batches(images, labels)
    ModelFeed(classifier, good).check()
    ModelFeed(classifier, (images, labels), n=4).check()
    for data, says in (
        (in_batches(broken, labels), "finite"),
        (in_batches(images, np.append(labels[:-1], 4)), "from 0 to 3"),
        (iter(good), "readable again at every epoch"),
        (Worn(good), "read only once"),
    ):
        with refused(match=says):
            ModelFeed(classifier, data).check()
    # Held are the first images alone: what follows them is not needed.
    ModelFeed(classifier, in_batches(broken, labels), n=6).check()
    with pytest.raises(ValueError, match="readable again"):
        ModelFeed(classifier, iter(good), n=4).check()


@pytest.mark.parametrize("shape", [(8, 16, 32, 3), (8, 32, 32, 1)])
def test_images_that_the_model_does_not_take(shape, classifier, labels):
    with pytest.raises(ValueError, match=r"shape \(32, 32, 3\), which the model takes") as error:
        ModelFeed(classifier, (np.zeros(shape, "float32"), labels))
    assert str(error.value).endswith(f"Received: images of shape {shape[1:]}")
    any_size = keras.Sequential([keras.Input((None, None, shape[-1])), keras.layers.GlobalMaxPool2D()])
    any_size.add(keras.layers.Dense(4))
    assert ModelFeed(any_size, (np.zeros(shape, "float32"), labels)).classes == 4
