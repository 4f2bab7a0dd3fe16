"""Which of two images a model follows, and how their partners are drawn."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_freq as kf
from keras_freq.data import ArrayBatches
from keras_freq.evaluate import amplitude_swap, predict_logits
from keras_freq.evaluate._image_pairs import choose_donors, permute_across_classes
from tests.oracles import spectral as oracle
from tests.refusals import refused


@pytest.fixture
def data(rng):
    """Forty images: the mean (an amplitude) tells the class from 0 to 3."""
    labels = rng.integers(0, 4, 40)
    pattern = rng.random((40, 8, 8, 3))
    images = (
        0.2 + 0.2 * labels[:, None, None, None] + 0.05 * (pattern - pattern.mean((1, 2, 3), keepdims=True))
    )
    return images.astype("float32"), labels


@pytest.fixture
def by_amplitude():
    """Sees the mean of an image, and nothing else: logits -(mean - (0.2 + 0.2 c))**2 up to what is shared."""
    inputs = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(4)(flat), name="means")
    centres = 0.2 + 0.2 * np.arange(4)
    model.set_weights([np.tile(2 * centres / 192, (192, 1)), -(centres**2)])
    return model


def test_a_model_of_means_follows_the_amplitude(by_amplitude, data):
    result = amplitude_swap(by_amplitude, data, batch_size=16)
    assert result.n == result.n_differ == 40
    assert (result.follows_phase, result.follows_amplitude, result.follows_neither) == (0, 1, 0)
    assert (result.clean, result.accuracy, result.donor_accuracy) == (1, 0, 1)
    assert (result.pairs.donor_labels != result.pairs.labels).all()
    np.testing.assert_array_equal(result.pairs.predictions, result.pairs.donor_labels)


def test_a_model_of_signs_follows_the_phase(data):
    """One bright row at a place that tells the class: a shift is phase alone."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 30)
    images = np.zeros((30, 8, 8, 1), "float32")
    images[np.arange(30), 2 * labels] = rng.uniform(0.5, 1, 30)[:, None, None]
    inputs = keras.Input((8, 8, 1))
    rows = keras.layers.Lambda(lambda x: x[:, ::2, 0, 0], output_shape=(4,))(inputs)
    result = amplitude_swap(keras.Model(inputs, rows), (images, labels))
    assert (result.follows_phase, result.follows_amplitude, result.follows_neither) == (1, 0, 0)
    assert (result.accuracy, result.donor_accuracy) == (1, 0)


@pytest.mark.parametrize("axes", ["chw", "hw"])
@pytest.mark.parametrize("clip", [None, (0.1, 0.6)])
def test_recombinations_are_those_of_the_formula(classifier, images, labels, axes, clip):
    result = amplitude_swap(
        classifier, (images, labels), axes=axes, clip=clip, batch_size=3, keep_images=True
    )
    pairs = result.pairs
    expected = oracle.recombined(pairs.amplitude_images, pairs.phase_images, axes)
    expected = expected if clip is None else np.clip(expected, *clip)
    np.testing.assert_allclose(pairs.images, expected, atol=1e-4)
    np.testing.assert_array_equal(pairs.phase_images, images)
    for name, part in (("phase_", images), ("amplitude_", pairs.amplitude_images), ("", pairs.images)):
        seen = predict_logits(kf.Classifier(classifier, value_range=(-9, 9)), part).argmax(-1)
        np.testing.assert_array_equal(getattr(pairs, f"{name}predictions"), seen)
    differ = pairs.phase_predictions != pairs.amplitude_predictions
    assert result.n_differ == differ.sum()
    assert result.accuracy == np.mean(pairs.predictions == labels)


def test_feeds_seeds_and_first_n(by_amplitude, data):
    whole = amplitude_swap(by_amplitude, (data[0][:13], data[1][:13]), keep_images=True)
    for feed in (data, ArrayBatches(*data, batch_size=5)):
        part = amplitude_swap(by_amplitude, feed, n=13, keep_images=True)
        assert part.n == 13
        np.testing.assert_array_equal(part.pairs.amplitude_images, whole.pairs.amplitude_images)
    other = amplitude_swap(by_amplitude, data, n=13, seed=1, keep_images=True)
    assert not np.array_equal(other.pairs.amplitude_images, whole.pairs.amplitude_images)


def test_donors_of_another_set(by_amplitude, data, rng):
    images, labels = data
    unlabeled = amplitude_swap(by_amplitude, data, donors=images[:10], keep_images=True)
    assert unlabeled.donor_accuracy is None
    assert unlabeled.pairs.donor_labels is None
    used = np.abs(unlabeled.pairs.amplitude_images[:, None] - images[None, :10]).max((2, 3, 4)).argmin(1)
    np.testing.assert_array_equal(np.bincount(used), [4] * 10)
    np.testing.assert_array_equal(unlabeled.pairs.amplitude_predictions, labels[used])
    assert unlabeled.n_differ < 40  # nothing keeps an image from a donor of its class
    labeled = amplitude_swap(by_amplitude, data, donors=(images[:10], labels[:10]))
    assert labeled.donor_accuracy == 1
    assert (labeled.pairs.donor_labels != labels).all()


def test_no_pair_told_apart(data):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.set_weights([np.zeros((192, 4)), np.arange(4)])
    result = amplitude_swap(model, data)
    assert result.n_differ == 0
    assert np.isnan([result.follows_phase, result.follows_amplitude, result.follows_neither]).all()


def test_rows_and_equality(by_amplitude, data):
    result = amplitude_swap(by_amplitude, data, keep_images=True, progress=False)
    assert "pairs" not in result.to_dict()
    assert result.rows()[0]["follows_amplitude"] == 1
    assert result == amplitude_swap(by_amplitude, data, keep_images=True)


@pytest.mark.once
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=30), st.integers(0, 5))
def test_partners_are_of_another_class(labels, seed):
    labels = np.array(labels)
    images, generator = np.zeros((len(labels), 1, 1, 1)), np.random.default_rng(seed)
    if len(set(labels)) == 1:
        with pytest.raises(ValueError, match="two classes at least"):
            choose_donors(None, images, labels, generator)
        return
    chosen = choose_donors(None, images, labels, generator)[2]
    assert (labels[chosen] != labels).all()
    if np.bincount(labels).max() <= len(labels) / 2:
        assert sorted(chosen) == list(range(len(labels)))


def test_partners_come_from_all_other_classes():
    labels = np.repeat(np.arange(5), 200)
    chosen = permute_across_classes(labels, np.random.default_rng(0))
    table = np.zeros((5, 5), int)
    np.add.at(table, (labels, labels[chosen]), 1)
    assert (np.diag(table) == 0).all()
    assert table[~np.eye(5, dtype=bool)].min() > 30  # 50 expected


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"axes": "hwc"}, r"`axes` must be one of 'chw', 'hw'\. Received: axes='hwc'"),
        ({"data_format": "nhwc"}, "`data_format`.*'nhwc'"),
        ({"seed": -1}, "`seed`.*seed=-1"),
        ({"clip": (1, 0)}, "the lower first. Received: clip=\\(1, 0\\)"),
        ({"n": 99}, "`n` must be at most.*n=99"),
        ({"donors": "cifar100"}, "`donors` must be None, images, or a tuple.*type=str"),
        ({"donors": np.zeros((3, 9, 9, 3), "float32")}, r"images' shape \(8, 8, 3\).*shape=\(9, 9, 3\)"),
        ({"donors": (np.zeros((3, 8, 8, 3), "float32"), [1, 1, 1])}, "two classes at least.*all of class 1"),
    ],
)
def test_refuses(by_amplitude, data, options, says):
    with refused(match=says):
        amplitude_swap(by_amplitude, data, **options)
