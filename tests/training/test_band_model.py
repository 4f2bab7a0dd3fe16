"""BandModel: filtered images in training, the bare classifier otherwise."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.training import BandModel

to_numpy = keras.ops.convert_to_numpy


def compiled(model, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], **options)
    return model


def test_a_training_step_is_a_step_on_the_filtered_images(classifier, images, labels, eagerly):
    band = kf.layers.HighPass(4)
    by_hand = keras.models.clone_model(classifier)
    by_hand.set_weights(classifier.get_weights())
    before = to_numpy(classifier(images))
    filtered = to_numpy(band(images))
    compiled(by_hand, **eagerly)
    expected = by_hand.fit(filtered, labels, batch_size=8, verbose=0, shuffle=False).history
    model = compiled(BandModel(classifier, band))
    np.testing.assert_array_equal(to_numpy(model(images)), before)
    history = model.fit(images, labels, batch_size=8, verbose=0, shuffle=False).history
    assert history["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    for a, b in zip(classifier.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)
    np.testing.assert_allclose(model.predict(images, verbose=0), to_numpy(classifier(images)), atol=1e-6)


def test_augmentation_comes_before_the_filter(classifier, images):
    @keras.saving.register_keras_serializable(package="keras_freq_tests")
    class Ones(keras.Layer):
        def call(self, images, training=True):
            return keras.ops.ones_like(images)

    model = BandModel(classifier, kf.layers.HighPass(2), augment=Ones())
    zeros = to_numpy(classifier(np.zeros_like(images)))
    np.testing.assert_allclose(to_numpy(model(images, training=True)), zeros, atol=1e-5)


def test_saved_and_loaded(tmp_path, classifier, images):
    model = BandModel(classifier, kf.layers.BandPass(2, 6))
    model.build((None, 32, 32, 3))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.band.low, loaded.band.high) == (2, 6)
    for training in (False, True):
        np.testing.assert_allclose(
            to_numpy(loaded(images, training=training)), to_numpy(model(images, training=training)), atol=1e-6
        )


def test_what_is_no_layer_is_refused(classifier):
    with pytest.raises(TypeError, match=r"`band` must be a Keras layer\. Received: band=None"):
        BandModel(classifier, None)
    with pytest.raises(TypeError, match=r"`band` must be a Keras layer or None\. Received: type=int"):
        BandModel(classifier, 8)
    with pytest.raises(TypeError, match="`classifier` must be a Keras model"):
        BandModel(None, kf.layers.LowPass(8))
