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


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_rescaling_of_open_size(data_format):
    last = data_format == "channels_last"
    inputs = keras.Input((None, None, 3) if last else (3, None, None))
    options = [{"per": per, "data_format": data_format} for per in ("image", "channel")]
    model = keras.Model(inputs, [kf.spectral.rescale(inputs, "minmax", **each) for each in options])
    for size in SIZES:
        x = draw(size) if last else draw(size).transpose(0, 3, 1, 2)
        for result, each in zip(model.predict(x, verbose=0), options, strict=True):
            np.testing.assert_allclose(result, kf.spectral.rescale(x, "minmax", **each), atol=1e-6)


def test_bad_radius_is_refused_where_the_size_is_open():
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def filtered(images):
        return kf.spectral.low_pass(images, -1)

    with pytest.raises(ValueError, match="`radius` must be a number of at least 0"):
        filtered.get_concrete_function()


AUGMENTATIONS = {
    "APRSingle": lambda **k: kf.layers.APRSingle(seed=0, **k),
    "APRPair": lambda **k: kf.layers.APRPair(probability=1.0, seed=0, **k),
    "AugMix": lambda **k: kf.layers.AugMix(seed=0, **k),
    "CropFlip": lambda **k: kf.layers.CropFlip(seed=0, **k),
    "CropFlip_reflect": lambda **k: kf.layers.CropFlip(mode="reflect", seed=0, **k),
    "FDAPair": lambda **k: kf.layers.FDAPair(beta=0.1, seed=0, **k),
    "HybridPair": lambda **k: kf.layers.HybridPair(
        probability=1.0, kernel_size=5, recombine_amplitude=True, seed=0, **k
    ),
    "SpectralDropout": lambda **k: kf.layers.SpectralDropout(0.4, probability=0.6, seed=0, **k),
    "SpectralDensityEnhancement": lambda **k: kf.layers.SpectralDensityEnhancement(
        [np.random.default_rng(k).normal(size=s) for k, s in enumerate(((3, 3, 3, 4), 4, (3, 3, 4, 3), 3))],
        radius=4,
        **k,
    ),
}


def trace_with_open_size(layer, shape):
    """The layer's function of images and draws as TensorFlow traces it without knowing the size."""
    tf = pytest.importorskip("tensorflow")
    signature = [tf.TensorSpec(shape)]
    if hasattr(layer, "draw_shape"):
        signature.append(tf.TensorSpec(layer.draw_shape(4, 3)))
    elif hasattr(layer, "draw_shape_of"):
        signature.append(tf.TensorSpec((4, None, None)))
    return tf.function(layer.transform, input_signature=signature)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_are_the_same_where_the_size_is_open(name, data_format):
    tf = pytest.importorskip("tensorflow")
    layer = AUGMENTATIONS[name](data_format=data_format)
    last = data_format == "channels_last"
    traced = trace_with_open_size(layer, (None, None, None, 3) if last else (None, 3, None, None))
    for size in SIZES:
        x = np.random.default_rng(1).random((4, *size, 3)).astype("float32")
        arguments = [tf.constant(x if last else x.transpose(0, 3, 1, 2))]
        if hasattr(layer, "draw_shape_of"):
            draws = np.random.default_rng(2).random(layer.draw_shape_of(arguments[0], 4))
            arguments.append(tf.constant(draws.astype("float32")))
        different = np.abs(traced(*arguments).numpy() - layer.transform(*arguments).numpy()) > 2e-5
        # Levels next to a rounding edge may fall either way.
        assert different.mean() < 2e-3


def test_many_channels_where_the_size_is_open():
    tf = pytest.importorskip("tensorflow")
    traced = tf.function(kf.spectral.recombine, input_signature=[tf.TensorSpec((2, None, None, 6))] * 2)
    a, p = np.random.default_rng(0).random((2, 2, 12, 9, 6))
    expected = kf.spectral.recombine(a, p)
    result = traced(tf.constant(a, "float32"), tf.constant(p, "float32"))
    np.testing.assert_allclose(result.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: kf.layers.FourierNoise(), "give keras.Input the size"),
        (lambda: kf.layers.RandomResizedCrop(8), "give keras.Input the size"),
        (lambda: kf.layers.FrequencyMask(np.ones((8, 8))), "give keras.Input the size"),
        (lambda: kf.layers.SpectralDensityEnhancement(masks="reference"), "give keras.Input the size"),
        (lambda: kf.layers.APRPair(method="matmul"), '`method="matmul"` needs images of a known height'),
    ],
)
def test_layers_that_need_the_size_say_so(layer, words):
    function = trace_with_open_size(layer(), (4, None, None, 3))
    with pytest.raises(ValueError, match=words) as error:
        function.get_concrete_function()
    assert "Received: " in str(error.value)


def test_augmentations_in_fit_for_many_sizes():
    inputs = keras.Input((None, None, 3))
    x = inputs
    for name in ("CropFlip", "APRPair", "FDAPair", "HybridPair"):
        x = AUGMENTATIONS[name]()(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", "mse")
    for size in SIZES:
        history = model.fit(draw(size), np.zeros((2, 2), "float32"), verbose=0)
        assert np.isfinite(history.history["loss"]).all()
