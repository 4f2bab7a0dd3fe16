"""AmplitudeUncertaintyModel: the lowest amplitudes move against the network; else the bare classifier."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.training import AmplitudeUncertaintyModel
from keras_freq.training._amplitude_uncertainty_model import find_waves
from tests.training.test_spectral_regularizer import compiled, linear

to_numpy = keras.ops.convert_to_numpy


def move(planes, a, b, share):
    """By the definition, with whole spectra: amplitudes of the window with another mean and deviation."""
    height, width = planes.shape[2:]
    spectrum = np.fft.fft2(np.float64(planes))
    rows, columns = (np.abs(np.fft.fftfreq(n, 1 / n)).round() for n in (height, width))
    inside = np.outer(
        rows <= min(share * height / 2, (height - 1) // 2),
        columns <= min(share * width / 2, (width - 1) // 2),
    )
    amplitude = np.abs(spectrum)
    mean = amplitude[..., inside].mean(-1)[..., None, None]
    deviation = amplitude[..., inside].std(-1, ddof=1)[..., None, None]
    other_mean = mean + a * (mean.std(0, ddof=1) + 1e-4)
    other_deviation = deviation + b * (deviation.std(0, ddof=1) + 1e-4)
    whitened = (amplitude - mean) / (deviation + 1e-4)
    moved = np.where(inside, whitened * (other_deviation + 1e-4) + other_mean, amplitude)
    return np.fft.ifft2(moved * np.exp(1j * np.angle(spectrum)))


@pytest.mark.parametrize("size", [(8, 8), (9, 7), (6, 11), (32, 32)], ids=str)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_what_changes_is_that_of_the_definition(size, share, rng):
    planes = rng.random((4, 2, *size)).astype("float32")
    if min(share * side for side in size) < 2:
        share = 0.3
    a, b = rng.standard_normal((2, 4, 2, 1, 1))
    expected = move(planes, a, b, share)
    np.testing.assert_allclose(expected.imag, 0, atol=1e-12)
    first, second = to_numpy(find_waves(keras.ops.convert_to_tensor(planes), share=share))
    np.testing.assert_allclose(planes + a * first + b * second, expected.real, atol=2e-5)


def test_images_without_light_are_no_trouble():
    waves = to_numpy(find_waves(keras.ops.zeros((3, 1, 8, 8)), share=0.5))
    assert np.isfinite(waves).all()
    one = to_numpy(find_waves(keras.ops.ones((1, 1, 8, 8)), share=0.5))
    assert np.isfinite(one).all()


@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_the_lowest_amplitudes_move_and_nothing_else(layout, rng):
    model, *_ = linear((16, 16, 3))
    # Far from the range's ends, so that nothing is clipped but where the two pixels are.
    images = (0.5 + 0.01 * rng.random((60, 16, 16, 3))).astype("float32")
    images[0, 0, 0], images[0, 0, 1] = 0, 1
    labels = np.arange(60) % 3
    if layout == "channels_first":
        inputs = keras.Input((3, 16, 16))
        model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
        model = kf.Classifier(model, data_format="channels_first")
        images = np.moveaxis(images, -1, 1)
    wrapper = AmplitudeUncertaintyModel(model, probability=0.7, share=0.3, seed=0)
    changed, same = wrapper.prepare(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels))
    changed = to_numpy(changed)
    np.testing.assert_array_equal(to_numpy(same), labels)
    if layout == "channels_first":
        changed, images = np.moveaxis(changed, 1, -1), np.moveaxis(images, 1, -1)
    moved = (np.abs(changed - images) > 1e-6).any((1, 2, 3))
    assert 0.5 < moved.mean() < 0.9
    assert changed.min() >= images.min()
    assert changed.max() <= images.max()
    difference = np.abs(np.fft.fft2(changed[1:] - images[1:], axes=(1, 2)))
    distance = np.abs(np.fft.fftfreq(16, 1 / 16))
    inside = np.maximum(distance[:, None], distance[None]) <= 2
    assert difference[:, ~inside].max() < 1e-4 < 1e-2 < difference[:, inside].max()


def test_every_step_goes_against_the_network(rng):
    """Of a linear network: the sign of the slope of the loss along either wave."""
    model, kernel, bias = linear((12, 12, 1))
    images = rng.random((6, 12, 12, 1)).astype("float32")
    images[0, 0, 0], images[0, 0, 1] = -9, 9  # of the others nothing is clipped
    labels = np.arange(6) % 3
    tensors = [keras.ops.convert_to_tensor(part) for part in (images, labels)]

    def loss(x):
        logits = np.float64(x).reshape(len(x), -1) @ np.float64(kernel).reshape(-1, 3) + bias
        return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(x)), labels]

    options = {"probability": 1, "share": 0.4, "seed": 0}
    drawn, one, five = (
        to_numpy(AmplitudeUncertaintyModel(model, steps=steps, **options).prepare(*tensors)[0])
        for steps in (0, 1, 5)
    )
    assert (loss(one) > loss(drawn))[1:].all()
    assert (loss(five) > loss(one))[1:].all()
    first, second = to_numpy(find_waves(keras.ops.convert_to_tensor(images.transpose(0, 3, 1, 2)), share=0.4))
    waves = [wave.transpose(0, 2, 3, 1) for wave in (first, second)]
    signs = [np.sign(loss(drawn + 1e-4 * wave) - loss(drawn - 1e-4 * wave)) for wave in waves]
    step = sum(sign[:, None, None, None] * wave for sign, wave in zip(signs, waves, strict=True))
    np.testing.assert_allclose((one - drawn)[1:], step[1:], atol=1e-4)


def test_the_loss_falls_and_the_classifier_stays_the_bare_one(classifier, images, labels):
    model = compiled(AmplitudeUncertaintyModel(classifier, steps=1, seed=0))
    history = model.fit(images, labels, epochs=10, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    np.testing.assert_array_equal(
        model.predict(images, verbose=0), model.classifier.predict(images, verbose=0)
    )


def test_it_is_saved(classifier, images, labels, tmp_path):
    options = {"probability": 0.2, "share": 0.5, "steps": 1, "step_size": 0.5, "seed": 4}
    model = compiled(AmplitudeUncertaintyModel(classifier, **options))
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert {name: getattr(again, name) for name in options} == options
    np.testing.assert_allclose(again.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probability": 1.2}, "`probability` must"),
        ({"share": 0}, "`share` must"),
        ({"share": 1}, "`share` must"),
        ({"steps": -1}, "`steps` must"),
        ({"step_size": -1}, "`step_size` must"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_wrong_options_are_refused(classifier, options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        AmplitudeUncertaintyModel(classifier, **options)
