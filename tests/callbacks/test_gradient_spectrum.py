import keras
import numpy as np
import pytest

from keras_freq.callbacks import GradientSpectrum
from keras_freq.evaluate import gradient_spectrum_map, input_gradient_spectrum

KEYS = ["gradient_low", "gradient_mid", "gradient_high"]


@pytest.fixture
def data(rng):
    return rng.random((20, 12, 10, 1), dtype="float32"), (np.arange(20) % 3).astype("int32")


def network():
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((12, 10, 1)),
            keras.layers.Conv2D(2, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(3),
        ]
    )
    model.compile(keras.optimizers.Adam(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def train(data, callbacks, epochs=4):
    model = network()
    history = model.fit(*data, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, history.history


def test_spectra_as_one_map(data):
    """Live and from checkpoints: the same map."""
    weights = []

    class Weights(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(self.model.get_weights())

    options = {"center": "pixel", "bins": "inner", "n": 15, "batch_size": 8}
    gradients = GradientSpectrum(data, every=2, **options)
    assert gradients.spectra.shape == (0, 0)
    with pytest.raises(ValueError, match=r"before the first measurement\. Received: no measurement"):
        gradients.result()
    model, history = train(data, [gradients, Weights()])
    assert sorted(history) == sorted(["loss", *KEYS])
    results = []
    for epoch, during in gradients.history:
        model.set_weights(weights[epoch])
        results.append(input_gradient_spectrum(model, data, **options))
        assert during == results[-1]
        assert during.n == 15
    assert gradients.epochs == (2, 4)
    assert gradients.result() == gradient_spectrum_map(results, epochs=(2, 4))
    np.testing.assert_array_equal(gradients.spectra, gradients.result().spectra)
    assert gradients.spectra.shape == (2, len(results[0].radii))
    assert np.ptp(gradients.spectra, axis=0).max() > 0


def test_in_mixed_precision(data):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        gradients = GradientSpectrum(data)
        model, history = train(data, [gradients], epochs=2)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.compute_dtype == "float16"
    assert np.isfinite(gradients.spectra).all()
    assert np.isfinite([history[key] for key in KEYS]).all()
    assert gradients.result().undefined == (0, 0)
    # The same weights in float32.
    plain = network()
    plain.set_weights(model.get_weights())
    wanted = input_gradient_spectrum(plain, data)
    np.testing.assert_allclose(gradients.spectra[-1], wanted.mean, atol=0.05)
