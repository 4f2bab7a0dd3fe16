"""Accuracy and logits over all kinds of feeds, padded batches included."""

import keras
import numpy as np
import pytest

from keras_freq.data import ArrayBatches
from keras_freq.evaluate import accuracy, predict_logits
from keras_freq.spectral import low_pass


@pytest.fixture
def data(rng):
    return rng.random((23, 32, 32, 3), dtype="float32"), (np.arange(23) % 4).astype("int32")


@pytest.fixture
def expected(classifier, data):
    return keras.ops.convert_to_numpy(classifier(data[0], training=False))


def feeds(data):
    images, labels = data
    yield "arrays", data
    yield "PyDataset", ArrayBatches(images, labels, batch_size=5)
    yield "list", [(images[k : k + 7], labels[k : k + 7]) for k in range(0, 23, 7)]
    yield "generator", ((images[k : k + 7], labels[k : k + 7]) for k in range(0, 23, 7))
    yield "one-hot", (images, np.eye(4)[labels])
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        yield "tf.data", tf.data.Dataset.from_tensor_slices(data).batch(6)


def test_accuracy_of_every_feed(classifier, data, expected):
    right = expected.argmax(-1) == data[1]
    for name, feed in feeds(data):
        result = accuracy(classifier, feed)
        assert float(result) == result.accuracy == pytest.approx(right.mean()), name
        assert result.n == 23
        assert result.count_per_class == (6, 6, 6, 5)
        assert result.correct_per_class == tuple(np.bincount(data[1][right], minlength=4))
        assert result.model == "tiny"


@pytest.mark.parametrize("batch_size", [1, 4, 23, 100])
def test_filling_is_not_counted(classifier, data, expected, batch_size):
    right = (expected.argmax(-1) == data[1]).mean()
    assert float(accuracy(classifier, data, batch_size=batch_size)) == pytest.approx(right)


def test_logits(classifier, data, expected):
    for feed in (data, data[0]):
        found = predict_logits(classifier, feed, batch_size=6)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_transform_is_applied(classifier, data):
    filtered = low_pass(data[0], 4)
    expected = (predict_logits(classifier, filtered).argmax(-1) == data[1]).mean()
    result = accuracy(classifier, data, transform=lambda images: low_pass(images, 4))
    assert float(result) == pytest.approx(expected)


def test_a_diverged_model_is_wrong_everywhere(classifier, data):
    classifier.set_weights([np.full_like(weight, np.nan) for weight in classifier.get_weights()])
    assert float(accuracy(classifier, (data[0], np.zeros(23, int)))) == 0


def test_agrees_with_keras(classifier, data):
    classifier.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    theirs = classifier.evaluate(*data, verbose=0, return_dict=True)["accuracy"]
    assert float(accuracy(classifier, data)) == pytest.approx(theirs, abs=1e-6)


def test_many_batches(classifier, rng):
    """More steps than the host may run ahead."""
    images, labels = rng.random((40, 32, 32, 3), dtype="float32"), np.arange(40) % 4
    right = predict_logits(classifier, images).argmax(-1) == labels
    assert float(accuracy(classifier, (images, labels), batch_size=1)) == pytest.approx(right.mean())


def test_progress_bar(classifier, data, capsys):
    pytest.importorskip("tqdm")
    accuracy(classifier, data, progress=True)
    assert "accuracy" in capsys.readouterr().err
    accuracy(classifier, data)
    assert capsys.readouterr().err == ""
