"""The Square Attack: in the ball, repeatable, independent of batches, and stronger with more queries."""

import keras
import numpy as np
import pytest

from keras_freq.attacks import square
from keras_freq.attacks._square import side_length
from keras_freq.evaluate import predict_logits
from tests.refusals import refused


@pytest.fixture
def linear():
    """Two classes; fooled at epsilon if the margin is below epsilon * |w_0 - w_1|_1."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.set_weights([0.2 * np.random.default_rng(3).standard_normal((192, 2)), np.zeros(2)])
    return model


@pytest.fixture
def gray(rng):
    return (0.4 + 0.2 * rng.random((7, 8, 8, 3))).astype("float32")


def margins(model, images, labels):
    logits = predict_logits(model, images)
    rows = np.arange(len(labels))
    own = logits[rows, labels]
    logits[rows, labels] = -np.inf
    return own - logits.max(1)


def test_it_fools_and_stays_in_the_ball(classifier, images):
    labels = predict_logits(classifier, images).argmax(1)
    found = square(classifier, images, labels, epsilon=0.1, queries=100)
    assert (predict_logits(classifier, found).argmax(1) != labels).mean() > 0.5
    assert (margins(classifier, found, labels) < margins(classifier, images, labels)).all()
    assert np.abs(found.astype("float64") - images).max() <= 0.1
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.dtype == "float32"


def test_more_queries_find_lower_margins(linear, gray):
    labels = predict_logits(linear, gray).argmax(1)
    kernel = linear.get_weights()[0].astype("float64")
    direction = kernel[:, 0] - kernel[:, 1]
    lowest = margins(linear, gray, labels) - 0.002 * np.abs(direction).sum()
    few, many = (
        margins(linear, square(linear, gray, labels, epsilon=0.002, queries=count), labels)
        for count in (5, 400)
    )
    assert (many <= few).all()
    assert many.mean() < few.mean()
    assert (many >= lowest - 1e-4).all(), "below what the ball allows"
    assert (many[many > 0] < 0.5 * margins(linear, gray, labels)[many > 0] + 0.5 * lowest[many > 0]).all()


def test_the_batch_size_changes_nothing_and_the_seed_does(linear, gray):
    labels = predict_logits(linear, gray).argmax(1)
    options = {"epsilon": 0.001, "queries": 20}
    whole = square(linear, gray, labels, **options)
    np.testing.assert_array_equal(square(linear, gray, labels, batch_size=3, **options), whole)
    assert (square(linear, gray, labels, seed=1, **options) != whole).any()


def test_channels_first_is_the_same_search(gray):
    kernel = np.random.default_rng(3).standard_normal((192, 2)).astype("float32")

    def net(first):
        inputs = keras.Input((3, 8, 8) if first else (8, 8, 3))
        x = keras.layers.Permute((2, 3, 1))(inputs) if first else inputs
        model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
        model.set_weights([kernel, np.zeros(2)])
        return model

    labels = predict_logits(net(False), gray).argmax(1)
    options = {"epsilon": 0.002, "queries": 20}
    first = square(
        net(True), np.moveaxis(gray, -1, 1).copy(), labels, data_format="channels_first", **options
    )
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), square(net(False), gray, labels, **options))


def test_starts_from_stripes_and_paints_squares(gray):
    """A model that never gives in keeps every image at its start: vertical stripes of the ball's ends."""
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.set_weights([np.zeros((192, 2)), np.array([2, 0])])
    found = square(model, gray, np.zeros(7, int), epsilon=0.05, queries=30)
    change = found - gray
    np.testing.assert_allclose(np.abs(change), 0.05, atol=1e-6)
    np.testing.assert_array_equal(np.sign(change), np.broadcast_to(np.sign(change[:, :1]), change.shape))
    assert len(np.unique(np.sign(change[:, 0]).reshape(7, -1), axis=0)) == 7


@pytest.mark.once
def test_the_schedule_is_that_of_the_paper():
    """CIFAR-10, 10,000 queries: p = 0.8, halved at 10, 50, 200, 1000, 2000, 4000, 6000, 8000."""
    shares = {1: 0.8, 10: 0.8, 11: 0.4, 51: 0.2, 201: 0.1, 1001: 0.05, 8001: 0.8 / 256, 9999: 0.8 / 256}
    for query, share in shares.items():
        assert side_length(query, 10_000, 32, 32) == max(1, round(32 * share**0.5))
        assert side_length(query * 2, 20_000, 32, 32) == side_length(query, 10_000, 32, 32)
    assert side_length(1, 100, 8, 40) == 8
    assert side_length(99, 100, 4, 4) == 1


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"epsilon": -1}, "`epsilon`"),
        ({"queries": 0}, "`queries`"),
        ({"seed": -1}, "`seed`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"bounds": (1, 0)}, "`bounds`"),
        ({"data_format": "nhwc"}, "`data_format`"),
        ({"labels": np.full(7, 5)}, "`labels`"),
        ({"images": np.full((7, 8, 8, 3), 2.0)}, "range that the model takes"),
    ],
)
def test_bad_input(bad, says, linear, gray):
    arguments = {"images": gray, "labels": np.zeros(7, int), "epsilon": 0.1, **bad}
    with refused(says):
        square(linear, **arguments)
