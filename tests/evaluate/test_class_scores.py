import keras
import numpy as np
import pytest

from keras_freq.evaluate import accuracy, class_scores, predict_logits


def test_equals_scikit_learn(classifier, images, labels):
    metrics = pytest.importorskip("sklearn.metrics")
    scores = class_scores(classifier, (images, labels), batch_size=3)
    predicted = predict_logits(classifier, images).argmax(axis=1)
    np.testing.assert_array_equal(
        scores.confusion, metrics.confusion_matrix(labels, predicted, labels=range(4))
    )
    precision, recall, f1, count = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(4), zero_division=0
    )
    np.testing.assert_allclose(scores.precision, precision)
    np.testing.assert_allclose(scores.recall, recall)
    np.testing.assert_allclose(scores.f1, f1)
    np.testing.assert_array_equal(scores.count_per_class, count)
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
