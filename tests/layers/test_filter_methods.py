"""How the filter layers compute the DFT, and what that is for: exports without an FFT."""

import warnings

import keras
import numpy as np
import pytest

import keras_freq as kf

to_numpy = keras.ops.convert_to_numpy
MASK = kf.spectral.symmetrize(np.random.default_rng(0).random((20, 18)))
FILTERS = {
    "LowPass": lambda **k: kf.layers.LowPass(4, **k),
    "HighPass": lambda **k: kf.layers.HighPass(4, kind="gaussian", **k),
    "BandPass": lambda **k: kf.layers.BandPass(2, 6, kind="butterworth", **k),
    "FrequencyMask": lambda **k: kf.layers.FrequencyMask(MASK, **k),
}
every_filter = pytest.mark.parametrize("name", FILTERS)


@pytest.fixture
def pixels(rng):
    return rng.random((2, 20, 18, 3)).astype("float32")


@every_filter
def test_methods_agree(name, pixels):
    expected = FILTERS[name](dtype="float32").transform(pixels.astype("float64"))
    for method in ("auto", "fft", "matmul"):
        layer = FILTERS[name](method=method)
        np.testing.assert_allclose(to_numpy(layer(pixels)), expected, atol=3e-6)
        again = type(layer).from_config(layer.get_config())
        assert again.method == method


@every_filter
def test_configurations_of_before_have_the_method_chosen(name):
    config = FILTERS[name]().get_config()
    assert config.pop("method") == "auto"
    assert type(FILTERS[name]()).from_config(config).method == "auto"


@every_filter
def test_unknown_method_is_refused(name):
    with pytest.raises(ValueError, match=r"`method`.*Received: method='dft'"):
        FILTERS[name](method="dft")


def convert(model, way, folder):
    """The bytes of a LiteRT model, of built-in operations alone."""
    import tensorflow as tf

    if way == "export":
        model.export(folder / "model.tflite", format="litert", verbose=False)
        return (folder / "model.tflite").read_bytes()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return converter.convert()


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the converter reads TensorFlow's models")
@pytest.mark.parametrize("way", ["export", "converter"])
@every_filter
def test_exports_to_litert_without_an_fft(name, way, pixels, tmp_path):
    import tensorflow as tf

    inputs = keras.Input((20, 18, 3))
    x = keras.layers.Conv2D(4, 3)(FILTERS[name](method="matmul")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))
    content = convert(model, way, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow's interpreter tells of its successor
        interpreter = tf.lite.Interpreter(model_content=content)
    operations = {detail["op_name"] for detail in interpreter._get_ops_details()}
    assert "BATCH_MATMUL" in operations
    assert not any("FFT" in operation or operation.startswith("Flex") for operation in operations)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, pixels.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, pixels)
    interpreter.invoke()
    outputs = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    np.testing.assert_allclose(outputs, model.predict(pixels, verbose=0), atol=1e-5)


@pytest.mark.parametrize("method", ["fft", "matmul"])
def test_a_batch_of_none_stays_one(method):
    none = keras.ops.zeros((0, 8, 6, 3))
    for layer in (kf.layers.LowPass(2, method=method), kf.layers.BandPass(1, 3, method=method)):
        assert tuple(layer(none).shape) == (0, 8, 6, 3)
    for layer in (kf.layers.APRSingle(), kf.layers.APRPair(), kf.layers.AugMix(), kf.layers.HybridPair()):
        assert tuple(layer(none, training=True).shape) == (0, 8, 6, 3)
    assert tuple(kf.spectral.recombine(none, none, method=method).shape) == (0, 8, 6, 3)
    assert tuple(kf.spectral.spectral_density(none).shape) == (0, 6)
    assert tuple(kf.spectral.high_pass(none, 2, method=method).shape) == (0, 8, 6, 3)
    assert tuple(kf.spectral.amplitude(none, method=method).shape) == (0, 8, 6, 3)
