"""Training wrappers of a `keras_freq.Classifier`: what it declares counts in fit, inference and files."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq import training

MEAN, DEVIATION = np.array([0.4, 0.5, 0.6], "float32"), np.array([0.2, 0.25, 0.3], "float32")


@keras.saving.register_keras_serializable("keras_freq_tests")
def standardize(pixels):
    return (pixels - MEAN) / DEVIATION


def normalization():
    return keras.layers.Normalization(mean=MEAN, variance=DEVIATION**2)


def crop():
    return kf.layers.CropFlip(seed=2, mode="reflect")


def several(value_range=(0, 1)):
    return keras.Sequential([crop(), kf.layers.APRSingle(seed=4, value_range=value_range)])


WRAPPERS = {
    "APRModel": lambda c, **r: training.APRModel(
        c, single=kf.layers.APRSingle(seed=1, **r), augment=crop(), pair=kf.layers.APRPair(seed=3)
    ),
    "APRModel without pair": lambda c, **r: training.APRModel(c, augment=several(**r)),
    "AdversarialModel": lambda c, **r: training.AdversarialModel(
        c, augment=several(**r), pair=kf.layers.APRPair(seed=3), steps=2, seed=5
    ),
    "AdversarialModel l2": lambda c, **r: training.AdversarialModel(
        c, norm="l2", epsilon=1, steps=1, random_start=False
    ),
    "BandModel": lambda c, **r: training.BandModel(c, kf.layers.LowPass(4), augment=several(**r)),
    "MixUpModel": lambda c, **r: training.MixUpModel(c, augment=several(**r), seed=6),
    "MixtureModel": lambda c, **r: training.MixtureModel(
        c, keras.layers.CutMix(seed=7), augment=several(**r)
    ),
    "AmplitudeDropModel": lambda c, **r: training.AmplitudeDropModel(c, augment=several(**r), probability=0),
    "AmplitudeUncertaintyModel": lambda c, **r: training.AmplitudeUncertaintyModel(
        c, augment=several(**r), probability=0, steps=1
    ),
    "SpectralRegularizer": lambda c, **r: training.SpectralRegularizer(c, augment=several(**r)),
}
# How a network that takes [0, 1] is declared, and the floats that it takes then.
DECLARED = {
    "bytes": ((0, 1), None),
    "wide": ((0, 255), None),
    "signed": ((-1, 1), None),
    "function": ((0, 1), standardize),
    "layer": ((0, 255), normalization),
}
PAIRS = [("APRModel without pair", kind) for kind in DECLARED]
PAIRS += [(name, "layer") for name in WRAPPERS if name != "APRModel without pair"]
every_pair = pytest.mark.parametrize(
    ("wrap", "kind"),
    [
        pytest.param(
            WRAPPERS[name],
            kind,
            id=f"{name}-{kind}",
            marks=[]
            if name in ("APRModel without pair", "AdversarialModel", "SpectralRegularizer")
            else pytest.mark.once,
        )
        for name, kind in PAIRS
    ],
)


def make(classifier, kind):
    """A classifier that is declared, and a plain model that computes the same of pixels on [0, 1]."""
    value_range, front = DECLARED[kind]
    low, high = value_range
    inputs = keras.Input((32, 32, 3))
    if front is None:
        pixels = keras.layers.Rescaling(1 / (high - low), -low / (high - low))(inputs)
        plain, given, front = classifier, keras.Model(inputs, classifier(pixels)), None
    else:
        front = front() if front is normalization else front
        plain, given = keras.Model(inputs, classifier(normalization()(inputs))), classifier
    return kf.Classifier(given, value_range=value_range, preprocess=front), plain


def fit(model, data):
    categorical = isinstance(model, training.MixtureModel)
    kind = "CategoricalCrossentropy" if categorical else "SparseCategoricalCrossentropy"
    model.compile(
        keras.optimizers.SGD(0.5), getattr(keras.losses, kind)(from_logits=True), metrics=["accuracy"]
    )
    history = model.fit(*data, batch_size=4, shuffle=False, verbose=0)
    return history.history["loss"]


@pytest.fixture
def as_bytes(images):
    return np.round(images * 255).astype("uint8")


@every_pair
def test_training_is_that_of_a_plain_model(wrap, kind, classifier, as_bytes, labels):
    start = classifier.get_weights()
    declared, plain = make(classifier, kind)
    wanted = fit(wrap(plain), (as_bytes / np.float32(255), labels))
    trained = classifier.get_weights()
    assert max(abs(one - other).max() for one, other in zip(start, trained, strict=True)) > 0.01
    low, high = declared.value_range
    floats = as_bytes / np.float32(255) * (high - low) + low
    # Augmentations see bytes as they come; floats in the range of the classifier.
    cases = [(as_bytes, (0, 1))] if kind == "layer" else [(as_bytes, (0, 1)), (floats, (low, high))]
    for given, value_range in cases:
        classifier.set_weights(start)
        found = fit(wrap(declared, value_range=value_range), (given, labels))
        np.testing.assert_allclose(found, wanted, rtol=2e-3)
        for one, other in zip(classifier.get_weights(), trained, strict=True):
            np.testing.assert_allclose(one, other, atol=2e-3)


@every_pair
def test_a_saved_file_keeps_what_is_declared(wrap, kind, classifier, as_bytes, labels, tmp_path):
    declared, plain = make(classifier, kind)
    model = wrap(declared)
    wanted = plain.predict(as_bytes / np.float32(255), verbose=0)
    np.testing.assert_allclose(model.predict(as_bytes, verbose=0), wanted, atol=1e-4)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_allclose(again.predict(as_bytes, verbose=0), wanted, atol=1e-4)
    assert again.get_config().keys() == model.get_config().keys()
    for one in (model, again):
        assert kf.Classifier(one).settings == declared.settings
        np.testing.assert_allclose(kf.evaluate.predict_logits(one, as_bytes), wanted, atol=1e-4)
        result = kf.evaluate.accuracy(one, (as_bytes, labels))
        assert float(result) == np.mean(wanted.argmax(-1) == labels)
    assert kf.Classifier(again, value_range=(0, 2)).value_range == (0, 2)


@pytest.mark.parametrize("kind", [dict, list])
@pytest.mark.parametrize("wrap", list(WRAPPERS.values())[-4:], ids=list(WRAPPERS)[-4:])
def test_one_of_several_outputs_is_trained(wrap, kind, classifier, images, labels):
    heads = {"other": keras.layers.Dense(2)(classifier.layers[-2].output), "class": classifier.output}
    heads = heads if kind is dict else list(heads.values())
    model = wrap(kf.Classifier(keras.Model(classifier.inputs, heads), output="class" if kind is dict else 1))
    assert model.output_shape == (None, 4)
    assert model.compute_output_shape((8, 32, 32, 3)) == (8, 4)
    start = classifier.get_weights()
    fit(model, (images, labels))
    assert abs(start[-1] - classifier.get_weights()[-1]).max() > 1e-3
    assert model.predict(images, verbose=0).shape == (8, 4)
    again = type(model).from_config(model.get_config())
    assert again.declared.output == model.declared.output


def test_augmentations_take_the_floats_of_the_classifier(classifier, images, labels):
    declared = kf.Classifier(classifier, value_range=(0, 255))
    model = training.APRModel(declared, single=kf.layers.APRSingle())
    with pytest.raises(
        ValueError, match=r"APRSingle must take .* value_range=\(0, 255\)\. Received: .*\(0, 1\)$"
    ):
        fit(model, (images, labels))
    fit(model, ((images * 255).astype("uint8"), labels))
    with pytest.raises(
        ValueError, match=r"`bounds` must be the declared value_range=\(0.0, 255.0\), or None"
    ):
        training.AdversarialModel(declared, bounds=(0, 1))
    assert training.AdversarialModel(declared).bounds == (0, 255)
    assert training.AdversarialModel(classifier).bounds == (0, 1)


def test_bytes_behind_a_layer_of_another_house_are_refused(classifier, as_bytes, labels):
    for augment in (
        [keras.layers.RandomFlip(), kf.layers.APRSingle()],
        [keras.Sequential([keras.layers.RandomFlip()]), kf.layers.APRSingle()],
        [keras.Model(classifier.inputs, kf.layers.APRSingle()(classifier.inputs[0]))],
    ):
        model = training.APRModel(classifier, augment=keras.Sequential(augment))
        with pytest.raises(ValueError, match="gets bytes as floats from 0 to 255, behind or in") as error:
            fit(model, (as_bytes, labels))
        assert "\n" not in str(error.value)
        fit(model, (as_bytes / np.float32(255), labels))
    wide = keras.Sequential([keras.layers.RandomFlip(), kf.layers.APRSingle(value_range=(0, 255))])
    fit(training.APRModel(classifier, augment=wide), (as_bytes, labels))


def test_an_attack_goes_for_the_logits_of_a_softmax(classifier, images, labels):
    softmax = keras.Sequential([classifier, keras.layers.Softmax()])
    wanted, _ = training.AdversarialModel(classifier, seed=0).prepare(
        *(keras.ops.convert_to_tensor(value) for value in (images, labels))
    )
    for given in (softmax, kf.Classifier(softmax)):
        found, _ = training.AdversarialModel(given, seed=0).prepare(
            *(keras.ops.convert_to_tensor(value) for value in (images, labels))
        )
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (found, wanted)), atol=1e-6)
    with pytest.raises(ValueError, match="must return logits"):
        training.AdversarialModel(kf.Classifier(classifier, from_logits=False))


def test_to_logits_keeps_what_is_declared(classifier, as_bytes):
    softmax = keras.Sequential([classifier, keras.layers.Softmax()])
    declared = kf.Classifier(softmax, value_range=(0, 1), mean=0.5)
    logits = kf.to_logits(declared)
    assert (logits.value_range, logits.mean, logits.from_logits) == ((0, 1), (0.5,), True)
    one, other = (kf.evaluate.predict_logits(given, as_bytes) for given in (logits, declared))
    np.testing.assert_allclose(one, other, atol=1e-6)
    plain = kf.Classifier(classifier)
    assert kf.to_logits(plain) is plain


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="modules of PyTorch")
def test_a_module_of_pytorch_is_trained(as_bytes, labels):
    import torch

    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    start = module[0].weight.detach().clone()
    model = training.APRModel(
        kf.Classifier(module, value_range=(0, 1)), augment=kf.layers.CropFlip(data_format="channels_first")
    )
    planes = np.moveaxis(as_bytes, -1, 1)
    fit(model, (planes, labels))
    assert abs(start - module[0].weight).max() > 1e-4
    wanted = module(torch.as_tensor(planes / np.float32(255), device=module[0].weight.device))
    np.testing.assert_allclose(
        model.predict(planes, verbose=0), keras.ops.convert_to_numpy(wanted), atol=1e-5
    )


def test_callbacks_measure_what_is_declared(classifier, as_bytes, labels):
    declared, plain = make(classifier, "layer")
    model = training.BandModel(declared, kf.layers.LowPass(4))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    bands = kf.callbacks.BandAccuracy((as_bytes, labels), radii=(4,))
    history = model.fit(as_bytes, labels, verbose=0, callbacks=[bands]).history
    wanted = np.mean(plain.predict(as_bytes / np.float32(255), verbose=0).argmax(-1) == labels)
    assert history["clean"][-1] == pytest.approx(wanted)
    assert model.evaluate(as_bytes, labels, verbose=0)[1] == pytest.approx(wanted)
    one, other = (
        kf.evaluate.adversarial_accuracy(
            given, (as_bytes, labels), attack="fgsm", epsilons=[8 / 255], engine="own"
        )
        for given in (model, declared)
    )
    assert (one.clean, one.settings["value_range"]) == (pytest.approx(wanted), (0, 255))
    np.testing.assert_array_equal(one.accuracy, other.accuracy)
