"""Models whose height and width are left open, over images of several sizes in one process.

TensorFlow traces a step for the second size with both sides unknown; elsewhere each size is known.
"""

import itertools

import keras
import numpy as np
import pytest

import keras_freq as kf

to_numpy = keras.ops.convert_to_numpy
SIZES = ((20, 20), (33, 17), (16, 26))
BANDS = {
    "index": ((kf.layers.LowPass, 5), (kf.layers.HighPass, 3), (kf.layers.BandPass, 2, 6)),
    "cycles_per_pixel": (
        (kf.layers.LowPass, 0.2),
        (kf.layers.HighPass, 0.0),
        (kf.layers.BandPass, 0.1, float("inf")),
    ),
}
ORACLES = {
    kf.layers.LowPass: kf.spectral.low_pass,
    kf.layers.HighPass: kf.spectral.high_pass,
    kf.layers.BandPass: kf.spectral.band_pass,
}


def draw(size, seed=0):
    return np.random.default_rng(seed).random((2, *size, 3)).astype("float32")


def test_filter_in_a_model_for_many_sizes():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3)(kf.layers.LowPass(4)(inputs))
    outputs = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    for size in SIZES:
        x = draw(size)
        y = kf.spectral.low_pass(x.astype("float64"), 4).astype("float32")
        for layer in model.layers[2:]:
            y = layer(y)
        expected = to_numpy(y)
        np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=2e-6)
        targets = np.zeros((2, 3), "float32")
        loss = float(np.mean(expected**2))
        assert model.evaluate(x, targets, verbose=0) == pytest.approx(loss, rel=1e-4)
        history = model.fit(x, targets, verbose=0)
        assert history.history["loss"][0] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_every_band_for_many_sizes(data_format):
    last = data_format == "channels_last"
    inputs = keras.Input((None, None, 3) if last else (3, None, None))
    kinds = ("ideal", "gaussian", "butterworth", "square")
    cases = [(kind, units, *band) for kind, units in itertools.product(kinds, BANDS) for band in BANDS[units]]
    outputs = [
        layer(*radii, kind=kind, order=3, units=units, data_format=data_format)(inputs)
        for kind, units, layer, *radii in cases
    ]
    model = keras.Model(inputs, outputs)
    for size in SIZES:
        x = draw(size) if last else draw(size).transpose(0, 3, 1, 2)
        for result, (kind, units, layer, *radii) in zip(model.predict(x, verbose=0), cases, strict=True):
            options = {"kind": kind, "order": 3, "units": units, "data_format": data_format}
            expected = ORACLES[layer](x.astype("float64"), *radii, **options)
            np.testing.assert_allclose(result, expected, atol=2e-6, err_msg=f"{layer} {radii} {options}")


@pytest.mark.parametrize("method", ["auto", "matmul"])
def test_functions_of_images_of_open_size(method):
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, kf.spectral.split_bands(inputs, 4, kind="gaussian", method=method))
    for size in SIZES:
        x = draw(size)
        expected = kf.spectral.split_bands(x.astype("float64"), 4, kind="gaussian")
        for result, right in zip(model.predict(x, verbose=0), expected, strict=True):
            np.testing.assert_allclose(result, right, atol=2e-6)


def test_bad_radius_is_refused_where_the_size_is_open():
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def filtered(images):
        return kf.spectral.low_pass(images, -1)

    with pytest.raises(ValueError, match="`radius` must be a number of at least 0"):
        filtered.get_concrete_function()
