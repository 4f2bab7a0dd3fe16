import keras
import numpy as np
import pytest

from keras_freq.callbacks import ShortcutMaskEvaluation
from keras_freq.shortcuts import shortcut_report
from keras_freq.spectral import disk_mask
from tests.refusals import refused

MASKS = np.stack([disk_mask(32, 32, radius) for radius in (2, 4, 8, 16)])


@pytest.fixture
def compiled(classifier, eagerly):
    classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **eagerly)
    return classifier


def fit(model, images, labels, test, epochs=3):
    return model.fit(images, labels, batch_size=4, epochs=epochs, verbose=0, callbacks=[test]).history


def test_rates_of_the_classes(compiled, images, labels):
    test = ShortcutMaskEvaluation((images, labels), MASKS, every=3, prefix="val_", per_step=16)
    assert (test.epochs, test.tpr.shape) == ((), (0, 0))
    history = fit(compiled, images, labels, test)
    report = shortcut_report(compiled, (images, labels), MASKS)
    assert test.epochs == (3,)
    np.testing.assert_array_equal(test.tpr, [report.tpr])
    np.testing.assert_array_equal(test.fpr, [report.fpr])
    assert history["val_shortcut_fpr"] == [pytest.approx(report.fpr.mean())]
    assert history["val_clean_tpr"] == [pytest.approx(report.clean_tpr.mean())]


def test_classes_without_images_and_rates_that_are_not_asked_for_are_left_out(compiled, images, labels):
    few = (images[labels < 2], labels[labels < 2])
    test = ShortcutMaskEvaluation(few, MASKS, others=False)
    history = fit(compiled, images, labels, test, epochs=1)
    assert np.isnan(test.tpr[0]).tolist() == [False, False, True, True]
    assert history["shortcut_tpr"] == [pytest.approx(test.tpr[0, :2].mean())]
    assert "shortcut_fpr" not in history


def test_masks_that_fit_neither_images_nor_model_are_refused_before_training(compiled, images, labels):
    for masks in (MASKS[:3], MASKS[:, 1:, 1:][:, ::-1, ::-1], np.ones((4, 16, 16))):
        with refused(match=r"`maps` must have the shape \(4, 32, 32\)"):
            fit(compiled, images, labels, ShortcutMaskEvaluation((images, labels), masks))
    assert int(compiled.optimizer.iterations) == 0
