from __future__ import annotations

import keras
import numpy as np
import pytest

from keras_freq.callbacks import ShortcutMaskEvaluation
from keras_freq.shortcuts import shortcut_report
from keras_freq.spectral import disk_mask


def fit(model, images, labels, callbacks):
    keras.utils.set_random_seed(3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model.fit(images, labels, batch_size=4, epochs=3, verbose=0, callbacks=callbacks)


def test_reports_of_the_epochs_and_the_same_training(classifier, images, labels):
    masks = np.stack([disk_mask(32, 32, r) for r in (2, 4, 8, 16)])
    start = classifier.get_weights()
    test = ShortcutMaskEvaluation((images, labels), masks, every=2, prefix="val_", per_step=16)
    with_it = fit(classifier, images, labels, [test])
    weights = classifier.get_weights()
    classifier.set_weights(start)
    without = fit(classifier, images, labels, [])
    for one, other in zip(weights, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert with_it.history["loss"] == without.history["loss"]
    assert (test.epochs, test.tpr.shape, test.fpr.shape) == ((2,), (1, 4), (1, 4))
    for key in ("val_shortcut_tpr", "val_shortcut_fpr", "val_clean_tpr"):
        np.testing.assert_array_equal(np.isnan(with_it.history[key]), [True, False, True])
    report = test.history[0][1]
    assert with_it.history["val_shortcut_tpr"][1] == pytest.approx(np.nanmean(report.tpr))
    assert with_it.history["val_clean_tpr"][1] == pytest.approx(np.nanmean(report.clean_tpr))
    last = ShortcutMaskEvaluation((images, labels), masks)
    fit(classifier, images, labels, [last])
    assert last.history[-1][1].confusion == shortcut_report(classifier, (images, labels), masks).confusion


def test_refuses_bad_input(images, labels):
    masks = np.ones((4, 32, 32))
    with pytest.raises(ValueError, match="Received: every=0"):
        ShortcutMaskEvaluation((images, labels), masks, every=0)
    with pytest.raises(ValueError, match="readable again"):
        ShortcutMaskEvaluation(iter([(images, labels)]), masks)
    with pytest.raises(ValueError, match="must be Hermitian"):
        ShortcutMaskEvaluation((images, labels), np.triu(np.ones((32, 32)))[None])
