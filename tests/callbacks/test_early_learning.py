import keras
import numpy as np
import pytest

from keras_freq.callbacks import EarlyLearning
from keras_freq.evaluate import class_scores


def fit(model, images, labels, callbacks, *, epochs=3, **options):
    keras.utils.set_random_seed(3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, **options)
    return model.fit(images, labels, batch_size=2, epochs=epochs, verbose=0, callbacks=callbacks).history


def test_measures_the_weights_of_each_step(classifier, images, labels):
    start = classifier.get_weights()
    early = EarlyLearning((images, labels), every=2, iterations=7, prefix="val_")
    assert (early.f1.shape, early.first_learned()) == ((0, 0), ())
    history = fit(classifier, images, labels, [early])
    assert early.steps == (2, 4, 6, 7)
    assert early.f1.shape == (4, 4)
    # Step 4 ends the first epoch; the third has no measurement.
    assert history["val_macro_f1"] == pytest.approx([early.f1[1].mean(), early.f1[3].mean()])
    classifier.set_weights(start)
    fit(classifier, images, labels, [], epochs=1)
    assert early.history[1][1].confusion == class_scores(classifier, (images, labels)).confusion


def test_steps_go_on_counting(classifier, images, labels):
    early = EarlyLearning((images, labels), every=[3, 5], iterations=6)
    fit(classifier, images, labels, [early], epochs=1)
    assert early.steps == (3,)
    fit(classifier, images, labels, [early], epochs=1)
    assert early.steps == (3, 5, 6)


def test_the_order_in_which_classes_are_learned(images, labels):
    early = EarlyLearning((images, labels))
    for step, f1 in enumerate(([0.1, 0.6, 0.5, 0.2], [0.5, 0.4, 0.9, 0.3], [0.9, 0.9, 0.9, 0.4])):
        early.history.append((step, type("Scores", (), {"f1": np.array(f1)})))
    assert early.first_learned() == (1, 2, 0)
    assert early.first_learned(0.9) == (2, 0, 1)


def test_refuses_bad_input(classifier, images, labels):
    if keras.backend.backend() != "torch":  # which has no such steps
        with pytest.raises(ValueError, match=r"steps_per_execution=1\. Received: steps_per_execution=2"):
            fit(classifier, images, labels, [EarlyLearning((images, labels))], steps_per_execution=2)
