"""What each training wrapper promises, however it trains."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq import training

WRAPPERS = {
    "APRModel": lambda c: training.APRModel(c, single=kf.layers.CropFlip(), pair=kf.layers.APRPair()),
    "AdversarialModel": lambda c: training.AdversarialModel(c, augment=kf.layers.CropFlip(), steps=1),
    "BandModel": lambda c: training.BandModel(c, kf.layers.LowPass(4)),
    "MixUpModel": lambda c: training.MixUpModel(c),
    "MixtureModel": lambda c: training.MixtureModel(c, keras.layers.CutMix()),
    "AmplitudeDropModel": lambda c: training.AmplitudeDropModel(c, augment=kf.layers.CropFlip(), seed=0),
    "AmplitudeUncertaintyModel": lambda c: training.AmplitudeUncertaintyModel(
        c, steps=1, augment=kf.layers.CropFlip(), seed=0
    ),
    "SpectralRegularizer": lambda c: training.SpectralRegularizer(c, augment=kf.layers.CropFlip()),
}
every_wrapper = pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)


@every_wrapper
def test_shapes_and_layers_are_those_of_the_classifier(wrap, classifier):
    model = wrap(classifier)
    assert model.input_shape == classifier.input_shape == (None, 32, 32, 3)
    assert model.output_shape == classifier.output_shape == (None, 4)
    count = len(classifier.layers)
    assert model.layers[-count:] == classifier.layers
    assert all(isinstance(layer, keras.Layer) for layer in model.layers[:-count])
    assert len(model.layers) - count == {"APRModel": 2}.get(type(model).__name__, 1)
    assert classifier not in model.layers
    assert model.get_layer(classifier.layers[1].name) is classifier.layers[1]
    assert kf.Classifier(model).value_range == kf.Classifier(classifier).value_range
    with pytest.raises(AttributeError):
        model.layers = []


@every_wrapper
def test_a_saved_wrapper_keeps_the_weights_of_all_its_layers(wrap, classifier, images, tmp_path):
    model = wrap(classifier)
    model.build((None, 32, 32, 3))
    expected = model.predict(images, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(again.predict(images, verbose=0), expected, atol=1e-6)
    assert again.output_shape == (None, 4)
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]


def test_weights_of_an_augmentation_are_saved_too(classifier, images, tmp_path):
    kernels = [np.random.default_rng(0).normal(size=s) for s in ((3, 3, 3, 4), 4, (3, 3, 4, 3), 3)]
    band = kf.layers.SpectralDensityEnhancement(kernels)
    model = training.BandModel(classifier, band)
    model.build((None, 32, 32, 3))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for one, other in zip(band.get_weights(), again.band.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@every_wrapper
def test_a_classifier_without_shapes_has_none_here(wrap, images):
    @keras.saving.register_keras_serializable(package="keras_freq_tests")
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.head = keras.layers.Dense(4)

        def call(self, images):
            return self.head(keras.ops.mean(images, axis=(1, 2)))

    model = wrap(Subclassed())
    with pytest.raises(AttributeError, match="input_shape"):
        _ = model.input_shape
    assert model.predict(images, verbose=0).shape == (8, 4)
    assert model.layers[-1] is model.classifier.head
    wrap(keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)]))  # not built yet


@every_wrapper
@pytest.mark.parametrize("kind", ["list", "dict"])
def test_several_outputs_are_refused(wrap, kind):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(inputs)
    heads = {name: keras.layers.Dense(2, name=name)(x) for name in ("class", "aux")}
    model = keras.Model(inputs, heads if kind == "dict" else list(heads.values()), name="two")
    with pytest.raises(ValueError, match="The model has several outputs: name one") as error:
        wrap(model)
    message = str(error.value)
    assert "\n" not in message
    assert "Received: model='two' with the outputs" in message
    assert "aux" in message
    wrap(keras.Model(inputs, model.outputs[0]))
