import keras
import numpy as np
import pytest

from keras_freq.evaluate import accuracy, class_scores, predict_logits


def test_equals_the_definitions(classifier, images, labels):
    scores = class_scores(classifier, (images, labels), batch_size=3)
    predicted = predict_logits(classifier, images).argmax(axis=1)
    for label in range(4):
        own, taken = labels == label, predicted == label
        hits = np.sum(own & taken)
        assert scores.confusion[label] == tuple(np.bincount(predicted[own], minlength=4))
        assert scores.precision[label] == pytest.approx(hits / max(taken.sum(), 1))
        assert scores.recall[label] == pytest.approx(hits / own.sum())
        assert scores.f1[label] == pytest.approx(2 * hits / (own.sum() + taken.sum()))
        assert scores.count_per_class[label] == own.sum()
    assert scores.accuracy == accuracy(classifier, (images, labels)).accuracy


def test_scores_by_hand(classifier, images, labels):
    import dataclasses

    made = dataclasses.replace(
        class_scores(classifier, (images, labels)),
        n=10,
        confusion=((3, 1, 0, 0), (1, 1, 0, 0), (0, 2, 0, 0), (0, 0, 0, 0)),
        undefined=(0, 0, 2, 0),
    )
    np.testing.assert_allclose(made.precision, [3 / 4, 1 / 4, 0, 0])
    np.testing.assert_allclose(made.recall, [3 / 4, 1 / 2, 0, 0])
    np.testing.assert_allclose(made.f1, [3 / 4, 1 / 3, 0, 0])
    np.testing.assert_array_equal(made.count_per_class, [4, 2, 4, 0])
    assert made.accuracy == 0.4


def test_undefined_logits_are_missed(images, labels):
    inputs = keras.Input((32, 32, 3))
    layer = keras.layers.Dense(4, kernel_initializer=keras.initializers.Constant(np.inf))
    model = keras.Model(inputs, layer(keras.layers.GlobalAveragePooling2D()(inputs)))
    scores = class_scores(model, (images, labels))
    assert scores.undefined == (2, 2, 2, 2)
    np.testing.assert_array_equal(scores.f1, 0)
    assert scores.n == 8


def test_refuses_labels_beyond_the_outputs(classifier, images, labels):
    with pytest.raises(ValueError, match="`labels` must be from 0 to 3"):
        class_scores(classifier, (images, labels + 1))
