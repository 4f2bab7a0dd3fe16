"""AmplitudeDropModel: amplitudes that drive the loss up go, phases stay; else the bare classifier."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.spectral._dft import rfft2
from keras_freq.training import AmplitudeDropModel
from keras_freq.training._amplitude_drop_model import keep_amplitudes
from tests.oracles import gradient_spectrum
from tests.training.test_spectral_regularizer import compiled, linear

to_numpy = keras.ops.convert_to_numpy


def slopes(images, gradients):
    """Derivative of a loss by each amplitude, by definition: the wave of that phase against the gradient."""
    height, width = images.shape[1:3]
    phases = np.angle(np.fft.fft2(np.float64(images), axes=(1, 2)))
    y, x = np.mgrid[:height, :width]
    found = np.empty(phases.shape)
    for u in range(height):
        for v in range(width):
            turn = 2 * np.pi * (u * y / height + v * x / width)[None, :, :, None]
            wave = np.cos(phases[:, u : u + 1, v : v + 1] + turn)
            found[:, u, v] = (np.float64(gradients) * wave).sum((1, 2)) / (height * width)
    return found


@pytest.mark.parametrize("size", [(6, 6, 3), (7, 5, 1), (6, 5, 2)], ids=str)
@pytest.mark.parametrize("keep_mean", [False, True])
def test_what_stays_is_that_of_the_definition(size, keep_mean, rng):
    width = size[1]
    height = size[0]
    _, kernel, bias = linear(size)
    images, labels = rng.random((5, *size)).astype("float32"), np.array([0, 1, 2, 1, 0])
    gradients = gradient_spectrum.linear_gradients(images, labels, kernel, bias).astype("float32")
    slope = slopes(images, gradients)
    low, high = slope.min((1, 2), keepdims=True), slope.max((1, 2), keepdims=True)
    scaled = np.moveaxis((slope - low) / (high - low), -1, 1)[..., : width // 2 + 1]
    draws = rng.random(scaled.shape).astype("float32")
    expected = scaled <= draws
    for u in range(height):
        for v in {0, width // 2} if width % 2 == 0 else {0}:
            expected[:, :, u, v] = expected[:, :, min(u, (height - u) % height), v]
    expected[:, :, 0, 0] |= keep_mean
    planes = [keras.ops.convert_to_tensor(np.moveaxis(one, -1, 1)) for one in (images, gradients)]
    found = keep_amplitudes(
        rfft2(planes[0]), rfft2(planes[1]), keras.ops.convert_to_tensor(draws), width, keep_mean=keep_mean
    )
    assert (to_numpy(found) == expected).mean() > 0.998  # a draw may lie at a scaled slope, but for rounding
    assert 0.2 < expected.mean() < 0.8


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_training_images_lose_amplitudes_and_no_phase(layout, rng):
    model, *_ = linear((16, 16, 3))
    images, labels = rng.random((40, 16, 16, 3)).astype("float32"), np.arange(40) % 3
    if layout == "channels_first":
        inputs = keras.Input((3, 16, 16))
        model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
        model = kf.Classifier(model, data_format="channels_first")
        images = np.moveaxis(images, -1, 1)
    wrapper = AmplitudeDropModel(model, probability=0.7, seed=0)
    changed, same = wrapper.prepare(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels))
    changed = to_numpy(changed)
    np.testing.assert_array_equal(to_numpy(same), labels)
    axes = (1, 2) if layout == "channels_last" else (2, 3)
    before, after = np.fft.fft2(images, axes=axes), np.fft.fft2(changed, axes=axes)
    gone = np.abs(after) < 1e-3 * np.abs(before)
    moved = gone.any((1, 2, 3))
    assert 0.5 < moved.mean() < 0.9
    np.testing.assert_allclose(np.where(gone, 0, after - before), 0, atol=1e-3)
    assert 0.2 < gone[moved].mean() < 0.8
    np.testing.assert_allclose(changed.mean(axes), images.mean(axes), atol=1e-5)


def test_the_loss_falls_and_the_classifier_stays_the_bare_one(classifier, images, labels):
    model = compiled(AmplitudeDropModel(classifier, seed=0))
    history = model.fit(images, labels, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), model.classifier.predict(images, verbose=0)
    )


def test_one_seed_is_one_training(classifier, images, labels):
    start, ends = classifier.get_weights(), []
    for seed in (0, 0, 1):
        classifier.set_weights(start)
        model = compiled(AmplitudeDropModel(classifier, probability=1, seed=seed), run_eagerly=True)
        model.fit(images, labels, verbose=0, shuffle=False)
        ends.append(classifier.get_weights()[0])
    np.testing.assert_array_equal(ends[0], ends[1])
    assert np.abs(ends[0] - ends[2]).max() > 0


def test_it_is_saved(classifier, images, labels, tmp_path):
    model = compiled(AmplitudeDropModel(classifier, probability=0.2, keep_mean=False, seed=4))
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.probability, again.keep_mean, again.seed) == (0.2, False, 4)
    np.testing.assert_allclose(again.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probability": 1.2}, "`probability` must"),
        ({"keep_mean": 1}, "`keep_mean`"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_wrong_options_are_refused(classifier, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        AmplitudeDropModel(classifier, **options)
