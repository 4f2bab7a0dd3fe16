"""The same network in every convention of ordinary Keras models: the same numbers, or one clear line."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_freq as kf

CLASSES, SIDE = 3, 16
MEAN, STD = np.array([0.49, 0.48, 0.45], "float32"), np.array([0.25, 0.24, 0.26], "float32")
ANSWERED = np.array([-9.17, -8.82, 11.84])  # a bias with which every class is answered
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """24 images as bytes, with energy in every band."""
    generator = np.random.default_rng(0)
    ramp = (
        np.linspace(60, 190, SIDE)[None, :, None, None] + 30 * (np.arange(24) % CLASSES)[:, None, None, None]
    )
    return np.clip(ramp + 25 * generator.standard_normal((24, SIDE, SIDE, 3)), 0, 255).astype("uint8")


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """Three of four of which the network finds."""
    return CLASSES - 1 - np.arange(24) % CLASSES


def body(x, last="logits", activation=None):
    """From pixels on [0, 1] to the outputs; all networks of this file have the same weights."""
    x = layers.Conv2D(4, 3, strides=2, name="conv")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return layers.Dense(CLASSES, activation=activation, name=last)(x)


def every_layer(model: keras.Model):
    for layer in model.layers:
        yield from every_layer(layer) if isinstance(layer, keras.Model) else [layer]


def with_weights(model: keras.Model) -> keras.Model:
    """Weights that follow from the names and shapes of the layers alone."""
    for layer in every_layer(model):
        if layer.name in ("conv", "logits") and layer.weights:
            generator = np.random.default_rng(len(layer.name))
            kernel, bias = (2 * generator.standard_normal(w.shape) for w in layer.get_weights())
            layer.set_weights([kernel, ANSWERED if layer.name == "logits" else bias])
    return model


def functional(make, shape=(SIDE, SIDE, 3)) -> keras.Model:
    inputs = keras.Input(shape)
    return with_weights(keras.Model(inputs, make(inputs)))


class Subclassed(keras.Model):
    """A model of which Keras knows neither shapes nor the last operation."""

    def __init__(self, inner, link=None):
        super().__init__()
        self.inner, self.link = inner, link

    def call(self, x):
        outputs = self.inner(x)
        return outputs if self.link is None else self.link(outputs)


def plain():
    return functional(body)


def on_std():
    """Takes images less their mean, divided by their deviation, and has the numbers of `plain`."""
    return functional(lambda x: body(x * STD + MEAN))


def normalize():
    return layers.Normalization(mean=list(MEAN), variance=list(STD**2))


def normalized(images=None, divisor=1, **options) -> keras.Model:
    """Begins with a `Normalization`, adapted to images, and has the numbers of `plain`."""
    layer = layers.Normalization(**options)
    if images is not None:
        layer.adapt(images(np.random.default_rng(1).integers(40, 200, (8, SIDE, SIDE, 3)).astype("uint8")))

    def undo(x):
        x = layer(x)
        deviation = ops.sqrt(layer.variance)
        x = (x - layer.mean) / deviation if layer.invert else x * deviation + layer.mean
        return body(x / divisor)

    return functional(undo)


def behind(*first) -> keras.Model:
    """Layers in front of `plain`."""
    return with_weights(keras.Sequential([keras.Input((SIDE, SIDE, 3)), *first, plain()]))


# name -> (what is measured, the images that it is given as, from bytes)
UNIT = lambda x: x / np.float32(255)  # noqa: E731
SCALED = lambda x: x.astype("float32")  # noqa: E731
BYTES = lambda x: x  # noqa: E731
KINDS = {
    "unit": (plain, UNIT),
    "sequential": (lambda: with_weights(keras.Sequential([keras.Input((SIDE, SIDE, 3)), plain()])), UNIT),
    "subclassed": (lambda: Subclassed(plain()), UNIT),
    "rescaling, bytes": (lambda: functional(lambda x: body(layers.Rescaling(1 / 255)(x))), BYTES),
    "rescaling, floats": (lambda: functional(lambda x: body(layers.Rescaling(1 / 255)(x))), SCALED),
    "rescaling to -1": (
        lambda: functional(lambda x: body(layers.Rescaling(1 / 127.5, offset=-1)(x) / 2 + 0.5)),
        BYTES,
    ),
    "normalization": (
        lambda: functional(lambda x: body(normalize()(x) * STD + MEAN)),
        UNIT,
    ),
    "normalization, adapted": (lambda: normalized(UNIT), UNIT),
    "normalization, adapted to floats": (lambda: normalized(SCALED, 255), SCALED),
    "normalization, adapted to bytes": (lambda: normalized(SCALED, 255), BYTES),
    "normalization, one mean": (lambda: normalized(UNIT, axis=None), UNIT),
    "normalization, one mean of floats": (lambda: normalized(SCALED, 255, axis=None), SCALED),
    "normalization, a mean per pixel": (lambda: normalized(SCALED, 255, axis=(1, 2, 3)), SCALED),
    "normalization, inverse": (
        lambda: normalized(mean=list(MEAN / 2), variance=list(STD), invert=True),
        UNIT,
    ),
    "normalization by 255": (lambda: behind(layers.Normalization(mean=0.0, variance=255.0**2)), SCALED),
    "normalization that does nothing": (
        lambda: behind(layers.Normalization(mean=0.0, variance=1.0), layers.Rescaling(1 / 255)),
        SCALED,
    ),
    "normalization behind a rescaling": (
        lambda: behind(
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.Normalization(mean=list(2 * MEAN - 1), variance=list(4 * STD**2)),
            layers.Rescaling(list(STD), offset=list(MEAN)),
        ),
        SCALED,
    ),
    "rescaling behind a normalization": (
        lambda: behind(normalize(), layers.Rescaling(list(STD), offset=list(MEAN))),
        UNIT,
    ),
    "rescaling to bytes and back": (lambda: behind(layers.Rescaling(255.0), layers.Rescaling(1 / 255)), UNIT),
    "preprocessing model": (
        lambda: behind(keras.Sequential([layers.Resizing(SIDE, SIDE), layers.Rescaling(1 / 255)])),
        SCALED,
    ),
    "augmenting model": (
        lambda: behind(
            keras.Sequential([layers.RandomFlip(), layers.GaussianNoise(0.1)]), layers.Rescaling(1 / 255)
        ),
        SCALED,
    ),
    "crop": (lambda: behind(layers.CenterCrop(SIDE, SIDE), layers.Resizing(SIDE, SIDE)), UNIT),
    "division": (lambda: functional(lambda x: body(x / 255)), BYTES),
    "lambda": (lambda: behind(layers.Lambda(lambda x: x / 255)), BYTES),
    "declared lambda": (
        lambda: kf.Classifier(behind(layers.Lambda(lambda x: x / 255)), value_range=(0, 255)),
        SCALED,
    ),
    "declared, bytes": (lambda: kf.Classifier(plain(), value_range=(0, 1)), BYTES),
    "declared, -1 to 1": (
        lambda: kf.Classifier(functional(lambda x: body(x / 2 + 0.5)), value_range=(-1, 1)),
        lambda x: UNIT(x) * 2 - 1,
    ),
    "preprocess": (
        lambda: kf.Classifier(
            on_std(), preprocess=layers.Normalization(mean=list(MEAN), variance=list(STD**2))
        ),
        BYTES,
    ),
    "caffe": (
        lambda: kf.Classifier(
            functional(lambda x: body(ops.flip(x + np.float32(100), axis=-1) / 255)),
            preprocess=lambda x: ops.flip(x, axis=-1) * 255 - 100,
        ),
        UNIT,
    ),
    "softmax in the last layer": (lambda: functional(lambda x: body(x, activation="softmax")), UNIT),
    "softmax layer": (lambda: functional(lambda x: layers.Softmax()(body(x))), UNIT),
    "softmax operation": (lambda: functional(lambda x: ops.softmax(body(x))), UNIT),
    "softmax behind": (
        lambda: keras.Sequential([keras.Input((SIDE, SIDE, 3)), plain(), layers.Activation("softmax")]),
        UNIT,
    ),
    "one of two outputs": (
        lambda: kf.Classifier(functional(lambda x: [body(x), layers.Flatten()(x)]), output=0),
        UNIT,
    ),
    "one of a dictionary": (
        lambda: kf.Classifier(
            functional(lambda x: {"other": layers.Flatten()(x), "head": body(x, activation="softmax")}),
            output="head",
        ),
        UNIT,
    ),
    "channels first": (
        lambda: functional(lambda x: body(layers.Permute((2, 3, 1))(x)), (3, SIDE, SIDE)),
        lambda x: UNIT(x).transpose(0, 3, 1, 2),
    ),
    "wrapper of training": (lambda: kf.APRModel(functional(lambda x: body(x, activation="softmax"))), UNIT),
}
# Probabilities that nothing can be taken off: measured where no gradient is needed.
OPAQUE = {
    "softmax inside a subclass": (lambda: Subclassed(plain(), ops.softmax), UNIT),
}


def with_policy(policy: str, make=plain) -> keras.Model:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return make()
    finally:
        keras.config.set_dtype_policy(before)


def adapted() -> keras.Model:
    """A model whose variables are not those that it was made with: LoRA's are added."""
    model = plain()
    for layer in model.layers[-1], model.get_layer("conv"):
        layer.enable_lora(2)
        layer.lora_kernel_b.assign(0.01 * np.ones(layer.lora_kernel_b.shape))
    return model


def quantized(mode: str, activation: str | None = None) -> keras.Model:
    model = functional(lambda x: body(x, activation=activation))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*`quantize`")  # a layer that Keras leaves as it is
        model.quantize(mode)
    return model


# The same network in fewer bits: numbers close to its own, and those of `evaluate` and `predict` to the last
# image. Keras hands gradients through what it quantizes as if it were not.
ROUNDED = {
    "mixed_float16": lambda: with_policy("mixed_float16"),
    "mixed_bfloat16": lambda: with_policy("mixed_bfloat16"),
    "float16": lambda: with_policy("float16"),
    "mixed_float16, rescaling": lambda: with_policy(
        "mixed_float16", lambda: functional(lambda x: body(layers.Rescaling(255.0)(x) / 255))
    ),
    "softmax in float32": lambda: with_policy(
        "mixed_float16", lambda: functional(lambda x: layers.Softmax(dtype="float32")(body(x)))
    ),
    "lora": adapted,
    "int8": lambda: quantized("int8"),
    "int8, softmax": lambda: quantized("int8", "softmax"),
}


# In which every measurement is tried; in the others those that cost little.
FULL = (
    "rescaling, bytes",
    "normalization behind a rescaling",
    "declared, -1 to 1",
    "preprocess",
    "softmax in the last layer",
    "channels first",
)


def look(model, images, labels) -> dict[str, np.ndarray]:
    """The measurements that cost little."""
    data = (images, labels)
    return {
        "accuracy": kf.evaluate.accuracy(model, data).correct_per_class,
        "calibration": float(kf.evaluate.calibration_error(model, data)),
    }


def measure(model, images, labels) -> dict[str, np.ndarray]:
    """The others that need no gradient."""
    data = (images, labels)
    maps = np.stack([kf.spectral.disk_mask(SIDE, SIDE, radius) for radius in (3, 4, 5)])
    bands = kf.evaluate.band_accuracy(model, data, radii=(3,), mean=0.4)
    accuracy = keras.metrics.SparseCategoricalAccuracy
    parts = kf.evaluate.filtered(model, data, metric={"right": accuracy}, radii=(3,), mean=0.4)
    return {
        "scores": kf.evaluate.class_scores(model, data).confusion,
        "bands": (bands.clean, *bands.low, *bands.high),
        "conflict": kf.evaluate.cue_conflict(model, data, radii=(3,), draws=0).low,
        "any metric": (*parts.clean.values(), *parts.low["right"], *parts.high["right"]),
        "corruptions": kf.evaluate.corruption_error(
            model, data, corruptions=("contrast",), severities=(3,), progress=False
        ).errors,
        "heat map": kf.evaluate.fourier_heat_map(
            model, data, epsilon=4, window=1, progress=False
        ).correct_per_class,
        "swap": kf.evaluate.amplitude_swap(model, data).accuracy,
        "critical band": kf.evaluate.critical_band(
            model, data, centers=(1, 2, 3), deviations=(0.1,), draws=0
        ).accuracy,
        "report": kf.shortcuts.shortcut_report(model, data, maps, mean=0).confusion,
        "importance": kf.shortcuts.frequency_importance(
            model, images, labels, patch=8, mean=0.4, progress=False
        ).values,
        "hfss": kf.shortcuts.hfss(model, images, labels, budgets=(3,), mean=0, progress=False).top_losses,
    }


def attack(model, images, labels) -> dict[str, np.ndarray]:
    """Those that need one. Strengths are for pixels on [0, 1], whatever the convention."""
    data, sizes = (images, labels), (4 / 255, 16 / 255)
    return {
        "spectrum": kf.evaluate.input_gradient_spectrum(model, data).mean,
        "own": kf.evaluate.adversarial_accuracy(
            model, data, engine="own", epsilons=sizes, steps=2, progress=False
        ).accuracy,
        "foolbox": kf.evaluate.adversarial_accuracy(
            model, data, attack="fgsm", epsilons=sizes, progress=False
        ).accuracy,
        "first order": kf.shortcuts.frequency_importance(
            model, images, labels, patch=8, method="gradient", mean=0, check=0, progress=False
        ).values,
        "sufficient": kf.shortcuts.sufficient_maps(
            model, images, fractions=(0.6, 0.3), steps=1, mean=0, progress=False
        ).kept,
    }


@pytest.fixture(scope="module")
def expected(pixels, labels):
    given = plain(), UNIT(pixels), labels
    return {**look(*given), **measure(*given), **attack(*given)}


@pytest.mark.parametrize("name", [*KINDS, *OPAQUE])
def test_every_measurement_is_the_same(name, pixels, labels, expected):
    make, convert = {**KINDS, **OPAQUE}[name]
    given = make(), convert(pixels), labels
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        found = look(*given)
        if name in FULL or name in OPAQUE:
            found |= measure(*given)
        if name in FULL or ("softmax" in name and name in KINDS):
            found |= attack(*given)
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], rtol=2e-3, atol=2e-4, err_msg=f"{name}: {key}")


@pytest.mark.parametrize("name", ROUNDED)
def test_fewer_bits(name, pixels, labels, expected):
    model, images = ROUNDED[name](), UNIT(pixels)
    model.compile(loss=LOSS, metrics=["accuracy"])
    answers = model.predict(images, verbose=0).argmax(axis=-1)
    confusion = np.zeros((CLASSES, CLASSES), int)
    np.add.at(confusion, (labels, answers), 1)
    wanted = np.mean(answers == labels)
    found = look(model, images, labels)
    if name == "int8, softmax":
        found |= measure(model, images, labels) | attack(model, images, labels)
    scores = kf.evaluate.class_scores(model, (images, labels))
    assert np.array_equal(scores.confusion, confusion)
    assert float(kf.evaluate.accuracy(model, (images, labels))) == pytest.approx(wanted, abs=1e-6)
    assert model.evaluate(images, labels, verbose=0)[1] == pytest.approx(wanted, abs=1e-6)
    spectrum = kf.evaluate.input_gradient_spectrum(model, (images, labels)).mean
    np.testing.assert_allclose(spectrum, expected["spectrum"], rtol=0.2, atol=0.03)
    for key in set(found) & {"calibration", "importance", "hfss", "first order"}:
        np.testing.assert_allclose(found[key], expected[key], rtol=0.1, atol=0.15, err_msg=key)
    for key in set(found) & {"bands", "corruptions", "own", "foolbox"}:
        np.testing.assert_allclose(found[key], expected[key], atol=3 / 24, err_msg=key)


def test_weights_in_fewer_bits_are_seen(pixels, labels):
    """Quantization and LoRA replace variables: what was compiled before is not used again."""
    model, data = functional(lambda x: body(x, activation="softmax")), (UNIT(pixels), labels)
    before = kf.evaluate.predict_logits(model, data[0])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*`quantize`")
        model.quantize("int8")
    quantized = kf.evaluate.predict_logits(model, data[0])
    assert 0 < np.abs(quantized - before).max() < 0.5
    np.testing.assert_allclose(
        ops.softmax(quantized), model.predict(data[0], verbose=0), rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", OPAQUE)
def test_gradients_of_probabilities_are_refused(name, pixels, labels):
    model = OPAQUE[name][0]()
    for function in (kf.evaluate.input_gradient_spectrum, kf.evaluate.adversarial_accuracy):
        with pytest.raises(ValueError, match="must return logits"):
            function(model, (UNIT(pixels), labels))


@pytest.mark.parametrize("name", [name for name in KINDS if "declared" not in name and name != "caffe"])
def test_accuracy_is_that_of_evaluate(name, pixels, labels):
    make, convert = KINDS[name]
    model = make()
    if isinstance(model, kf.Classifier):
        pytest.skip("what is declared, `model.evaluate` does not know")
    model.compile(loss=LOSS, metrics=["accuracy"])
    wanted = model.evaluate(convert(pixels), labels, verbose=0, batch_size=7)[1]
    assert float(kf.evaluate.accuracy(model, (convert(pixels), labels))) == pytest.approx(wanted, abs=1e-6)


def test_bytes_are_given_to_a_model_as_they_are_and_it_is_told(pixels, labels):
    model = plain()
    model.compile(loss=LOSS, metrics=["accuracy"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = kf.evaluate.accuracy(model, (pixels, labels))
    assert float(result) == pytest.approx(model.evaluate(pixels, labels, verbose=0)[1])
    assert result.settings["value_range"] == (0, 255)
    normalized = KINDS["normalization"][0]()
    with pytest.warns(UserWarning, match=r"value_range=\(0, 1\)"):
        kf.evaluate.accuracy(normalized, (pixels, labels))
    assert all(
        "value_range=(0, 1)" in str(warning.message) for warning in caught if warning.category is UserWarning
    )


def test_a_model_that_is_right_on_unit_pixels_alone_is_told():
    """Right: 1.0 for the model with a rescaling inside; without it the warning names the remedy."""
    weights = [np.array([[-1.0, 1.0]] * 3), np.array([1.5, -1.5])]
    labels = np.arange(20) % 2
    images = np.tile(np.where(labels, 180, 80).astype("uint8")[:, None, None, None], (1, 16, 16, 3))

    def network(*first):
        head = [layers.GlobalAveragePooling2D(), layers.Dense(2)]
        model = keras.Sequential([keras.Input((16, 16, 3)), *first, *head])
        model.layers[-1].set_weights(weights)
        return model

    inside, outside = network(layers.Rescaling(1 / 255)), network()
    assert float(kf.evaluate.accuracy(inside, (images, labels))) == 1.0
    with pytest.warns(UserWarning, match=r"10 of the first 20, but for 20 on \[0, 1\]"):
        assert float(kf.evaluate.accuracy(outside, (images, labels))) == 0.5
    assert float(kf.evaluate.accuracy(kf.Classifier(outside, value_range=(0, 1)), (images, labels))) == 1.0


@pytest.mark.parametrize("activation", ["sigmoid", None])
def test_one_output_is_two_classes(activation, pixels, labels):
    inputs = keras.Input((SIDE, SIDE, 3))
    outputs = layers.Dense(1, activation=activation)(layers.GlobalAveragePooling2D()(inputs))
    model = keras.Model(inputs, outputs)
    model.layers[-1].set_weights([np.ones((3, 1)), np.array([-1.5])])
    images, two = UNIT(pixels), (labels > 0).astype(int)
    threshold = 0.5 if activation else 0.0
    model.compile(loss="binary_crossentropy", metrics=[keras.metrics.BinaryAccuracy(threshold=threshold)])
    wanted = model.evaluate(images, two, verbose=0)[1]
    assert float(kf.evaluate.accuracy(model, (images, two))) == pytest.approx(wanted)
    assert kf.evaluate.predict_logits(model, images).shape == (24, 2)
    data = (images, two)
    for engine in ("foolbox", "own"):
        robust = kf.evaluate.adversarial_accuracy(model, data, engine=engine, steps=2, progress=False)
        assert robust.clean == pytest.approx(wanted)
        assert robust.accuracy[-1] <= robust.clean
    worst = kf.evaluate.worst_case_accuracy(model, data, steps=2, queries=5, progress=False)
    assert worst.clean == pytest.approx(wanted)


def same_as_evaluate(model, images, labels):
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    wanted = model.evaluate(images, labels, verbose=0)[1]
    assert float(kf.evaluate.accuracy(model, (images, labels))) == pytest.approx(wanted)
    return kf.evaluate.predict_logits(model, images)


def test_a_head_that_was_replaced_is_the_one_that_is_measured(pixels, labels):
    images, head = UNIT(pixels), layers.Dense(CLASSES, activation="softmax")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Conv2D(4, 3), layers.Flatten(), head])
    declared = kf.Classifier(model)
    before = same_as_evaluate(model, images, labels)
    model.pop()
    model.add(layers.Dense(CLASSES, activation="softmax", kernel_initializer="ones", bias_initializer="ones"))
    after = same_as_evaluate(model, images, labels)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_array_equal(kf.evaluate.predict_logits(declared, images), after)
    model.pop()
    model.add(layers.Dense(CLASSES + 4, activation="softmax"))
    assert kf.evaluate.predict_logits(declared, images).shape == (24, CLASSES + 4)


def test_an_activation_that_was_taken_off_is_no_longer_there(pixels):
    images = UNIT(pixels)
    model = functional(lambda x: body(x, activation="softmax"))
    before = kf.evaluate.predict_logits(model, images)
    model.layers[-1].activation = keras.activations.linear
    np.testing.assert_allclose(kf.evaluate.predict_logits(model, images), before, rtol=1e-5, atol=1e-5)
    assert kf.evaluate.accuracy(model, (images, np.zeros(24, int))).settings["outputs"] == "logits"


@pytest.mark.parametrize("kind", ["weights", "constants"])
def test_what_stands_in_front_is_that_of_the_time_of_the_call(kind, pixels):
    images, network = UNIT(pixels), plain()
    front = layers.Normalization() if kind == "constants" else layers.Conv2D(3, 1)
    if kind == "constants":
        front.adapt(images)
    declared = kf.Classifier(network, preprocess=front)
    kf.evaluate.predict_logits(declared, images)
    if kind == "constants":
        front.adapt(0.2 * images + 0.4)
    else:
        front.set_weights([weight + 0.5 for weight in front.get_weights()])
    wanted = ops.convert_to_numpy(network(front(images), training=False))
    np.testing.assert_allclose(kf.evaluate.predict_logits(declared, images), wanted, rtol=1e-4, atol=1e-4)


def test_a_path_is_loaded(tmp_path, pixels, labels):
    model = plain()
    model.save(tmp_path / "model.keras")
    data = (UNIT(pixels), labels)
    assert kf.evaluate.accuracy(str(tmp_path / "model.keras"), data) == kf.evaluate.accuracy(model, data)


on_torch = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="a torch module needs the PyTorch backend"
)


def torch_module(*last):
    """`plain` in PyTorch, channels first."""
    import torch

    conv, head = (layer for layer in plain().layers if layer.weights)
    (kernel, bias), (weights, last_bias) = conv.get_weights(), head.get_weights()
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, stride=2),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(4, CLASSES),
        *last,
    )
    values = (kernel.transpose(3, 2, 0, 1), bias, weights.T, last_bias)
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(np.array(value)))
    return module


def wrapped():
    return layers.TorchModuleWrapper(torch_module(), output_shape=(None, CLASSES))


def first(x, convert=UNIT):
    return convert(x).transpose(0, 3, 1, 2)


TORCH = {
    "module": (torch_module, first),
    "module, bytes": (
        lambda: kf.Classifier(torch_module(), value_range=(0, 1)),
        lambda x: first(x, BYTES),
    ),
    "module behind a transposition": (
        lambda: kf.Classifier(
            torch_module(), preprocess=lambda x: x.permute(0, 3, 1, 2), data_format="channels_last"
        ),
        UNIT,
    ),
    "module in training mode": (lambda: torch_module().train(), first),
    "wrapper": (wrapped, first),
    "wrapper in a sequential model": (
        lambda: keras.Sequential([keras.Input((3, SIDE, SIDE)), wrapped()]),
        first,
    ),
    "wrapper in a functional model": (
        lambda: functional(
            lambda x: layers.Softmax()(wrapped()(layers.Permute((3, 1, 2))(layers.Rescaling(1 / 255)(x))))
        ),
        SCALED,
    ),
    "wrapper in a subclass": (
        lambda: kf.Classifier(Subclassed(wrapped()), data_format="channels_first"),
        first,
    ),
}


@on_torch
@pytest.mark.parametrize("name", TORCH)
def test_a_torch_module_gives_the_same(name, pixels, labels, expected):
    make, convert = TORCH[name]
    given = make(), convert(pixels), labels
    found = {**look(*given), **measure(*given), **attack(*given)}
    for key, value in found.items():
        np.testing.assert_allclose(value, expected[key], rtol=2e-3, atol=2e-4, err_msg=f"{name}: {key}")


@on_torch
def test_a_torch_module_is_refused_in_one_line(pixels, labels):
    import torch

    cases = [
        (torch_module(), UNIT, "must hold channels_first images"),
        (Subclassed(wrapped()), first, "must hold channels_last images"),
        (torch_module(), lambda x: first(x, SCALED), "value_range=(low, high)"),
        (torch_module(torch.nn.Softmax(dim=-1)), first, "must return logits"),
    ]
    for model, convert, told in cases:
        with pytest.raises(ValueError, match="Received:") as error:
            kf.evaluate.input_gradient_spectrum(model, (convert(pixels), labels))
        assert told in str(error.value)
        assert "\n" not in str(error.value)


@on_torch
def test_a_torch_module_is_measured(labels, pixels):
    import torch

    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 14 * 14, CLASSES)
    )
    images = UNIT(pixels).transpose(0, 3, 1, 2)
    with torch.no_grad():
        device = next(module.parameters()).device
        wanted = module(torch.tensor(images, device=device)).argmax(-1).cpu().numpy() == labels
    result = kf.evaluate.accuracy(module, (images, labels))
    assert float(result) == pytest.approx(wanted.mean())
    assert result.settings["data_format"] == "channels_first"
    assert kf.evaluate.band_accuracy(module, (images, labels), radii=(100,)).low[0] == float(result)


@on_torch
def test_a_torch_module_stays_in_the_mode_of_its_own_loop(labels, pixels):
    import torch

    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Dropout(0.5), torch.nn.Flatten()
    )
    module.append(torch.nn.Linear(4 * 14 * 14, CLASSES)).train()
    module[1].eval()  # frozen, say
    kf.evaluate.accuracy(module, (first(pixels, UNIT), labels))
    assert module.training
    assert [one.training for one in module] == [True, False, True, True, True]
    assert int(module[1].num_batches_tracked) == 0


REFUSED = {
    "beyond [0, 1]": (plain, SCALED, "value_range=(low, high)"),
    "division, floats": (lambda: functional(lambda x: body(x / 255)), SCALED, "value_range=(low, high)"),
    "lambda, floats": (lambda: behind(layers.Lambda(lambda x: x / 255)), SCALED, "value_range=(low, high)"),
    "several outputs": (lambda: functional(lambda x: [body(x), layers.Flatten()(x)]), UNIT, "output=..."),
    "multi-label": (lambda: functional(lambda x: body(x, activation="sigmoid")), UNIT, "to_logits"),
    "no such output": (
        lambda: kf.Classifier(functional(lambda x: [body(x), layers.Flatten()(x)]), output="c"),
        UNIT,
        "output='c'",
    ),
    "whole numbers beyond bytes": (plain, lambda x: x.astype("int32") * 2, "0 to 255"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_one_line(name, pixels, labels):
    make, convert, told = REFUSED[name]
    with pytest.raises(ValueError, match="Received:") as error:
        kf.evaluate.accuracy(make(), (convert(pixels), labels))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_declared_model_is_measured_in_training(pixels, labels):
    model = plain()
    model.compile("sgd", LOSS)
    declared = kf.Classifier(model, value_range=(0, 1))
    bands = kf.callbacks.BandAccuracy((pixels, labels), radii=(3,), model=declared)
    history = model.fit(UNIT(pixels), labels, verbose=0, callbacks=[bands])
    assert history.history["clean"] == [float(kf.evaluate.accuracy(model, (UNIT(pixels), labels)))]


def test_sizes_of_images_in_one_process():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3)(kf.layers.LowPass(4)(inputs))
    model = keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))
    for size in ((20, 20), (33, 17), (16, 16)):
        data = (np.random.default_rng(0).random((4, *size, 3), dtype="float32"), np.arange(4) % CLASSES)
        assert kf.evaluate.band_accuracy(model, data, radii=(4,)).n == 4
        assert kf.evaluate.fourier_heat_map(model, data, window=0, progress=False).n == 4
        assert kf.evaluate.input_gradient_spectrum(model, data).n == 4


@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_default_floats(floatx, pixels, labels, expected):
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    try:
        given = plain(), UNIT(pixels), labels
        found = {**look(*given), **measure(*given), **attack(*given)}
    finally:
        keras.config.set_floatx(before)
    assert set(found) == set(expected)
    if floatx == "float64":
        np.testing.assert_allclose(found["importance"], expected["importance"], rtol=1e-3, atol=1e-4)


def test_undefined_outputs_are_wrong_and_counted(pixels, labels):
    data = (UNIT(pixels), labels)
    broken = Subclassed(plain(), lambda z: z + ops.where(ops.arange(CLASSES) == 1, float("nan"), 0.0))
    result = kf.evaluate.accuracy(broken, data)
    assert (float(result), result.undefined) == (0.0, 24)
    importance = kf.shortcuts.frequency_importance(broken, *data, patch=8, progress=False)
    assert importance.clean_accuracy == (0.0,) * CLASSES
    excluded = Subclassed(plain(), lambda z: z + ops.where(ops.arange(CLASSES) == 1, -float("inf"), 0.0))
    result = kf.evaluate.accuracy(excluded, data)
    assert result.undefined == 0
    assert float(result) > 0


def test_ties_are_an_answer_for_accuracy_alone(pixels, labels):
    data = (UNIT(pixels), labels)
    tied = Subclassed(plain(), ops.zeros_like)
    assert float(kf.evaluate.accuracy(tied, data)) == pytest.approx(1 / 3)  # class 0, as argmax and Keras say
    maps = np.ones((CLASSES, SIDE, SIDE))
    report = kf.shortcuts.shortcut_report(tied, data, maps)
    assert report.tpr.tolist() == report.fpr.tolist() == [0.0] * CLASSES
    assert report.ties == (24,) * CLASSES


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_ties_are_those_of_the_probabilities(activation, dtype, pixels, labels):
    """A softmax rounds more than its logits: what `evaluate` counts is what the model returns."""
    classes = 1 if activation == "sigmoid" else CLASSES
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 3)), layers.Flatten(), layers.Dense(classes, activation, dtype=dtype)]
    )
    kernel, bias = model.get_weights()
    model.set_weights([kernel * (1e-9 if dtype == "float32" else 4e-4), bias])
    labels = np.minimum(labels, max(classes - 1, 1))
    metric = keras.metrics.BinaryAccuracy() if classes == 1 else "accuracy"
    model.compile(loss="binary_crossentropy" if classes == 1 else LOSS, metrics=[metric])
    wanted = model.evaluate(UNIT(pixels), labels, verbose=0)[1]
    assert float(kf.evaluate.accuracy(model, (UNIT(pixels), labels))) == pytest.approx(wanted, abs=1e-6)
    outputs = model.predict(UNIT(pixels), verbose=0)
    hits = outputs[:, 0] > 0.5 if classes == 1 else outputs.argmax(axis=-1)
    assert np.mean(hits == labels) == pytest.approx(wanted, abs=1e-6)
    spectrum = kf.evaluate.input_gradient_spectrum(model, (UNIT(pixels), labels))
    assert np.isfinite(spectrum.mean).all()


def test_a_removed_mean_is_that_of_the_first_normalization(pixels, labels):
    normalized = KINDS["normalization"][0]()
    data = (UNIT(pixels), labels)
    stopped = kf.shortcuts.band_stop(normalized, data, [(1, 2, 3, 4)], keep_dc=False)
    assert stopped.settings["mean"] == pytest.approx(MEAN.tolist(), abs=1e-6)
    gray = np.broadcast_to(MEAN, (24, SIDE, SIDE, 3))
    wanted = kf.evaluate.class_scores(normalized, (gray, labels)).confusion
    assert stopped.confusion[0] == wanted
    black = kf.shortcuts.band_stop(normalized, data, [(1, 2, 3, 4)], keep_dc=False, mean=0)
    assert black.confusion[0] == kf.evaluate.class_scores(normalized, (0 * gray, labels)).confusion


def test_a_mean_per_pixel_is_no_mean_of_channels(pixels, labels):
    model = KINDS["normalization, a mean per pixel"][0]()
    with pytest.raises(ValueError, match="Received: 768 means") as error:
        kf.shortcuts.band_stop(model, (SCALED(pixels), labels), [(1, 2, 3, 4)])
    assert "\n" not in str(error.value)


def test_a_layer_beside_one_logit_is_refused(pixels, labels):
    inputs = keras.Input((SIDE, SIDE, 3))
    hidden = layers.Dense(4, name="hidden")(layers.GlobalAveragePooling2D()(inputs))
    data = (UNIT(pixels), (labels > 0).astype(int))
    with pytest.raises(ValueError, match="two classes or more"):
        kf.evaluate.fourier_heat_map(
            keras.Model(inputs, layers.Dense(1)(hidden)), data, layer="hidden", window=0
        )
