import keras
import numpy as np
import pytest

from keras_freq.callbacks import FourierHeatMap
from tests.refusals import refused


def test_logs_the_mean_and_the_rings_inside_the_window(classifier, images, labels, eagerly):
    heat = FourierHeatMap((images, labels), epsilon=1.0, n=6, window=5)
    classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **eagerly)
    history = classifier.fit(images, labels, epochs=1, verbose=0, callbacks=[heat]).history
    result, rings = heat.history[0][1], heat.history[0][1].ring_means()
    assert result.n == 6
    assert history["fourier_error"] == [pytest.approx(np.nanmean(result.error))]
    assert [history["fourier_error_low"], history["fourier_error_mid"]] == [[rings["low"]], [rings["mid"]]]
    assert np.isnan(rings["high"])
    assert "fourier_error_high" not in history


def test_what_does_not_suit_the_images_is_refused_before_training(classifier, images, labels):
    classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for options, says in (
        ({"n": 8, "window": 16}, "window=16"),
        ({"n": 9}, "n=9"),
        ({"n": 8, "bounds": (0, 0.5)}, "0 to 0.5"),
    ):
        with refused(says):
            classifier.fit(images, labels, verbose=0, callbacks=[FourierHeatMap((images, labels), **options)])
    assert int(classifier.optimizer.iterations) == 0
