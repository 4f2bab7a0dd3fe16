from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_freq.callbacks import EarlyLearning
from keras_freq.callbacks._early_learning import first_learned
from keras_freq.evaluate import class_scores


def fit(model, images, labels, callbacks, *, epochs=3, **options):
    keras.utils.set_random_seed(3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, **options)
    return model.fit(images, labels, batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks)


def test_measures_the_weights_of_each_step_and_leaves_training_alone(classifier, images, labels):
    start = classifier.get_weights()
    early = EarlyLearning((images, labels), every=2, iterations=7, prefix="val_")
    with_it = fit(classifier, images, labels, [early])
    weights = classifier.get_weights()
    classifier.set_weights(start)
    without = fit(classifier, images, labels, [])
    for one, other in zip(weights, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert with_it.history["loss"] == without.history["loss"]
    assert early.steps == (2, 4, 6, 7)
    assert early.f1.shape == (4, 4)
    assert with_it.history["val_macro_f1"] == pytest.approx(
        [early.f1[1].mean(), early.f1[3].mean(), early.f1[3].mean()]
    )
    # Step 4 ends the first epoch.
    classifier.set_weights(start)
    fit(classifier, images, labels, [], epochs=1)
    assert early.history[1][1].confusion == class_scores(classifier, (images, labels)).confusion


def test_the_order_in_which_classes_are_learned():
    f1 = np.array([[0.1, 0.6, 0.5, 0.2], [0.5, 0.4, 0.9, 0.3], [0.9, 0.9, 0.9, 0.4]])
    assert first_learned(f1) == (1, 2, 0)
    assert first_learned(f1, 0.9) == (2, 0, 1)
    assert first_learned(f1, 1.0) == ()
    assert EarlyLearning((np.zeros((1, 4, 4, 1)), [0])).first_learned() == ()
    with pytest.raises(ValueError, match=r"`threshold` must be a number in \(0, 1\]"):
        first_learned(f1, 0)


def test_refuses_bad_input(classifier, images, labels):
    with pytest.raises(ValueError, match="Received: every=0"):
        EarlyLearning((images, labels), every=0)
    with pytest.raises(ValueError, match=r"Received: iterations=0\.5"):
        EarlyLearning((images, labels), iterations=0.5)
    with pytest.raises(ValueError, match="readable again"):
        EarlyLearning(iter([(images, labels)]))
    if keras.backend.backend() != "torch":  # which has no such steps
        with pytest.raises(ValueError, match=r"steps_per_execution=1\. Received: steps_per_execution=2"):
            fit(classifier, images, labels, [EarlyLearning((images, labels))], steps_per_execution=2)
