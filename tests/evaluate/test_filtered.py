"""Any metric of any model on filtered images: NumPy's numbers; on whole ones those of `model.evaluate`."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_freq as kf
from keras_freq.evaluate import Result, filtered
from tests.oracles import spectral as oracle
from tests.refusals import refused

SIDE = 16


def shapes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Bright squares (class 1) and disks (class 2) on noise, and the class of every pixel."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    images = 0.3 + 0.1 * rng.standard_normal((count, SIDE, SIDE, 3))
    truth = np.zeros((count, SIDE, SIDE), "int32")
    for image, classes in zip(images, truth, strict=True):
        y, x, label = *rng.integers(4, SIDE - 4, 2), rng.integers(1, 3)
        apart = np.maximum(abs(rows - y), abs(columns - x)) if label == 1 else np.hypot(rows - y, columns - x)
        inside = apart < 3.6
        image[inside] += (0.5, 0.1, 0.1) if label == 1 else (0.1, 0.1, 0.5)
        classes[inside] = label
    return np.clip(images, 0, 1).astype("float32"), truth


@pytest.fixture
def segmenter() -> keras.Model:
    """Learns in a second which pixels are of which shape."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(12, 5, padding="same", activation="relu"),
            layers.Conv2D(12, 3, padding="same", activation="relu"),
            layers.Conv2D(3, 1),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    model.fit(*shapes(160), batch_size=32, epochs=6, shuffle=False, verbose=0)
    return model


def iou():
    return keras.metrics.MeanIoU(num_classes=3, sparse_y_pred=False, name="iou")


def numpy_iou(truth: np.ndarray, answers: np.ndarray) -> float:
    pairs = [(truth == k, answers == k) for k in range(3)]
    return float(np.mean([(a & b).sum() / (a | b).sum() for a, b in pairs]))


def test_a_segmentation_network(segmenter):
    images, truth = shapes(50, seed=1)
    mask = kf.spectral.ring_mask(SIDE, SIDE, 1, 3) + 0.5 * kf.spectral.disk_mask(SIDE, SIDE, 1)
    result = filtered(
        segmenter,
        (images, truth),
        metric={"iou": iou, "right": keras.metrics.SparseCategoricalAccuracy()},
        radii=(2, 5),
        bands=[(1, 4), (4, np.inf)],
        masks={"ring": mask},
        mean=(0.4, 0.3, 0.4),
        batch_size=16,
    )
    segmenter.compile(loss=segmenter.loss, metrics=[iou(), keras.metrics.SparseCategoricalAccuracy()])
    wanted = segmenter.evaluate(images, truth, batch_size=16, verbose=0, return_dict=True)
    assert result.clean["iou"] == pytest.approx(wanted["iou"], abs=1e-6)
    assert result.clean["right"] == pytest.approx(wanted["sparse_categorical_accuracy"], abs=1e-6)
    assert result.clean["iou"] > 0.6
    assert result.n == 50
    # A mean per channel, and every filter, as NumPy has them in float64.
    fill = np.array((0.4, 0.3, 0.4))
    disk = {radius: (oracle.distance(SIDE, SIDE) < radius) * 1.0 for radius in (1, 2, 4, 5)}
    everything = np.ones((SIDE, SIDE))
    for found, gains in (
        (result.low, (disk[2], disk[5])),
        (result.high, (everything - disk[2], everything - disk[5])),
        (result.band, (disk[4] - disk[1], everything - disk[4])),
        (result.masked, (mask,)),
    ):
        assert len(found["iou"]) == len(gains)
        for value, right, gain in zip(found["iou"], found["right"], gains, strict=True):
            seen = (oracle.filtered(images - fill, gain) + fill).astype("float32")
            answers = segmenter.predict(seen, verbose=0).argmax(axis=-1)
            assert value == pytest.approx(numpy_iou(truth, answers), abs=2e-3)
            assert right == pytest.approx(np.mean(answers == truth), abs=1e-3)
    assert result.low["iou"][0] < result.clean["iou"]  # blurred shapes have no edges


@keras.saving.register_keras_serializable(package="tests")
class BoxScore(keras.metrics.Metric):
    """Of the most certain box of each image: its overlap with the nearest true one; kept in a plain list."""

    def __init__(self, **kwargs):
        super().__init__(name="box", **kwargs)
        self.overlaps: list[float] = []

    def update_state(self, y_true, y_pred, sample_weight=None):
        boxes, scores, truth = map(ops.convert_to_numpy, (y_pred["boxes"], y_pred["scores"], y_true["boxes"]))
        for own, certain, true, count in zip(
            boxes, scores, truth, ops.convert_to_numpy(y_true["count"]), strict=True
        ):
            self.overlaps.append(max(overlap(own[certain.argmax()], one) for one in true[:count]))

    def result(self):
        found = np.array(self.overlaps)
        return {"overlap": found.mean(), "found": np.mean(found > 0.1)}

    def reset_state(self):
        self.overlaps = []


def overlap(one, other) -> float:
    low, high = np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared))


@pytest.fixture
def detector() -> keras.Model:
    """Random weights; four boxes an image, with certainties, as a dictionary."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Flatten()(layers.Conv2D(4, 3, strides=2, activation="tanh")(inputs))
    corners = layers.Reshape((4, 4))(layers.Dense(16, activation="sigmoid")(x))
    low, size = corners[..., :2], corners[..., 2:]
    boxes = layers.Concatenate()([low, low + 0.1 + size])
    return keras.Model(inputs, {"boxes": boxes, "scores": layers.Dense(4)(x)}, name="detector")


@pytest.fixture
def boxes(rng) -> dict[str, np.ndarray]:
    low = 0.6 * rng.random((22, 3, 2))
    return {
        "boxes": np.concatenate([low, low + 0.2 + 0.5 * rng.random((22, 3, 2))], axis=-1),
        "count": rng.integers(1, 4, 22),
    }


def test_a_detector_with_its_own_metric(detector, boxes, rng):
    images = rng.random((22, SIDE, SIDE, 3)).astype("float32")
    mine = BoxScore()
    options = {"radii": (3,), "batch_size": 8}
    result = filtered(detector, (images, boxes), metric=mine, **options)
    assert mine.overlaps == []  # left as new
    reference = BoxScore()
    reference.update_state(boxes, detector.predict(images, verbose=0))
    wanted = reference.result()
    assert result.metrics == ("box.overlap", "box.found")
    assert result.clean == pytest.approx({f"box.{key}": value for key, value in wanted.items()}, abs=1e-5)
    low = BoxScore()
    low.update_state(boxes, detector.predict(np.asarray(kf.spectral.low_pass(images, 3)), verbose=0))
    assert result.low["box.overlap"][0] == pytest.approx(low.result()["overlap"], abs=1e-4)
    # One pass over the data for all filters, or one for each: the same.
    assert filtered(detector, (images, boxes), metric=BoxScore, **options) == result
    assert Result.from_json(result.to_json()) == result


def test_parts_of_dictionaries_and_what_stands_behind_the_model(detector, boxes, rng):
    images = rng.random((22, SIDE, SIDE, 3)).astype("float32")
    targets = {"boxes": np.repeat(boxes["boxes"][:, :1], 4, axis=1), "other": np.zeros(22)}
    result = filtered(
        detector,
        (images, targets),
        metric=[("boxes", keras.metrics.MeanAbsoluteError)],
        radii=None,
    )
    seen = detector.predict(images, verbose=0)["boxes"]
    wanted = np.abs(seen - targets["boxes"]).mean()
    assert result.clean == pytest.approx({"mean_absolute_error": wanted}, rel=1e-5)
    assert result.low == {"mean_absolute_error": ()}
    half = filtered(
        kf.Classifier(detector, output="boxes"),
        (images, targets["boxes"]),
        metric=keras.metrics.MeanAbsoluteError,
        radii=None,
        postprocess=lambda boxes: boxes / 2,
    )
    wanted = np.abs(seen / 2 - targets["boxes"]).mean()
    assert half.clean["mean_absolute_error"] == pytest.approx(wanted, rel=1e-5)


def small(units: int, activation=None) -> keras.Model:
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(4, 3, strides=3, activation="relu"),
            layers.Flatten(),
            layers.Dense(units, activation=activation),
        ]
    )


def test_several_labels_an_image(rng):
    """A sigmoid over several outputs: probabilities reach the metric as the model returns them."""
    images = rng.random((21, SIDE, SIDE, 3)).astype("float32")
    targets = rng.integers(0, 2, (21, 3)).astype("float32")
    model = small(3, "sigmoid")
    makers = [
        functools.partial(keras.metrics.AUC, multi_label=True, num_labels=3, num_thresholds=20, name="auc"),
        functools.partial(keras.metrics.F1Score, threshold=0.5, name="f1"),
        lambda: keras.metrics.BinaryAccuracy(name="right"),
    ]
    result = filtered(
        model, (images, targets), metric=[*makers, keras.losses.binary_crossentropy], radii=None, batch_size=8
    )
    model.compile(loss="mse", metrics=[*(make() for make in makers), keras.losses.binary_crossentropy])
    wanted = model.evaluate(images, targets, batch_size=8, verbose=0, return_dict=True)
    assert result.metrics == ("auc", "f1[0]", "f1[1]", "f1[2]", "right", "binary_crossentropy")
    for name in ("auc", "right", "binary_crossentropy"):
        assert result.clean[name] == pytest.approx(wanted[name], abs=1e-6)
    f1 = [result.clean[f"f1[{k}]"] for k in range(3)]
    np.testing.assert_allclose(f1, ops.convert_to_numpy(wanted["f1"]), atol=1e-6)


def test_regression_with_weights_and_bytes(rng):
    """Bytes reach the model as from `evaluate`; weights are those of `weighted_metrics`."""
    images = rng.integers(0, 256, (19, SIDE, SIDE, 3)).astype("uint8")
    targets, weights = rng.random((19, 2)).astype("float32"), rng.random(19).astype("float32")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 3)), layers.Rescaling(1 / 255), small(2)])
    model.compile(
        loss="mse",
        weighted_metrics=[keras.metrics.MeanAbsoluteError(name="mae"), keras.losses.mean_squared_error],
    )
    wanted = model.evaluate(images, targets, sample_weight=weights, batch_size=8, verbose=0, return_dict=True)
    metric = {"mae": keras.metrics.MeanAbsoluteError, "squared": keras.losses.mean_squared_error}
    result = filtered(model, (images, targets, weights), metric=metric, radii=(30,), batch_size=8)
    assert result.clean["mae"] == pytest.approx(wanted["mae"], rel=1e-5)
    assert result.clean["squared"] == pytest.approx(wanted["mean_squared_error"], rel=1e-5)
    assert result.low["mae"][0] == pytest.approx(wanted["mae"], rel=1e-4)  # a radius that keeps all
    assert result.settings["value_range"] == (0, 255)
    declared = filtered(
        small(2), (images, targets, weights), metric=metric, radii=None, value_range=(0, 1), batch_size=8
    )
    assert declared.clean == pytest.approx(result.clean, rel=1e-5)


@pytest.mark.parametrize("kind", ["PyDataset", "tf.data", "list", "generator", "dictionaries"])
def test_feeds(kind, rng):
    images, targets = rng.random((19, SIDE, SIDE, 3)).astype("float32"), rng.random((19, 2))
    model, metric = small(2), keras.metrics.MeanAbsoluteError
    options = {"metric": metric, "radii": (3, 5)}
    whole = filtered(model, (images, targets), **options)
    batches = [(images[k : k + 8], targets[k : k + 8]) for k in range(0, 19, 8)]
    if kind == "PyDataset":

        class Batches(keras.utils.PyDataset):
            def __len__(self):
                return len(batches)

            def __getitem__(self, index):
                return batches[index]

        data = Batches()
    elif kind == "tf.data":
        if keras.backend.backend() != "tensorflow":
            pytest.skip("needs TensorFlow")
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((images, targets)).batch(8)
    elif kind == "dictionaries":
        data = [{"image": x, "label": y} for x, y in batches]
    else:
        data = batches if kind == "list" else iter(batches)
    result = filtered(model, data, **options)
    assert result.n == 19
    assert result.clean == pytest.approx(whole.clean, rel=1e-5)
    np.testing.assert_allclose(
        [*result.low.values(), *result.high.values()], [*whole.low.values(), *whole.high.values()], rtol=1e-4
    )
    if kind == "generator":
        with refused(match="readable again for another pass"):
            filtered(model, iter(batches), metric=metric(), radii=(3,))
    else:
        again = filtered(model, data, metric=metric(), radii=(3, 5))
        assert again.clean == pytest.approx(result.clean, rel=1e-6)


def test_undefined_outputs_are_counted(rng):
    images = rng.random((9, SIDE, SIDE, 3)).astype("float32")
    images[:2] = 0
    inputs = keras.Input((SIDE, SIDE, 3))
    total = layers.Lambda(lambda x: ops.sum(x, axis=(1, 2, 3))[:, None], output_shape=(1,))(inputs)
    model = keras.Model(inputs, layers.Lambda(lambda x: x / x, output_shape=(1,))(total))
    result = filtered(
        model, (images, np.ones((9, 1))), metric=keras.metrics.MeanAbsoluteError, radii=None, batch_size=4
    )
    assert result.undefined == 2
    assert np.isnan(result.clean["mean_absolute_error"])
    assert "undefined: 2" in str(result)


def test_rows_and_words(rng):
    images, targets = rng.random((5, SIDE, SIDE, 3)).astype("float32"), rng.random((5, 2))
    result = filtered(
        small(2),
        (images, targets),
        metric=keras.losses.mean_absolute_error,
        radii=(3,),
        bands=[(2, 4)],
        masks=np.ones((2, SIDE, SIDE)),
    )
    assert [(row["filter"], row["at"]) for row in result.rows()] == [
        ("clean", ""),
        ("low", 3),
        ("high", 3),
        ("band", "2 to 4"),
        ("mask", "0"),
        ("mask", "1"),
    ]
    assert "mean_absolute_error, by band: 2 to 4: " in str(result)
    assert result.masked["mean_absolute_error"][0] == pytest.approx(
        result.clean["mean_absolute_error"], rel=1e-4
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"metric": "accuracy"}, "`metric` must be a Keras metric.*Received: metric='accuracy'"),
        ({"metric": len}, "`metric` must be a Keras metric"),
        ({"metric": []}, "`metric` must be a Keras metric"),
        ({"metric": lambda: 3}, "a function that makes a int"),
        ({"metric": [keras.metrics.MeanAbsoluteError] * 2}, "different names: pass a dictionary"),
        ({"metric": lambda y, p: ops.mean(p)}, r"one value for each image.*returns the shape \(\)"),
        (
            {"metric": ("boxes", keras.metrics.MeanAbsoluteError)},
            "key of a metric.*Received: 'boxes' with targets",
        ),
        ({"radii": (-1,)}, "`radii` must be"),
        ({"bands": [(3, 2)]}, "`bands` must be pairs.*larger"),
        ({"bands": 3}, "`bands` must be pairs"),
        ({"masks": np.ones((SIDE, SIDE))}, "`masks` must be a dictionary"),
        ({"masks": np.ones((1, 3, 3))}, "images' size"),
        ({"masks": {"a": np.tri(SIDE)}}, "Hermitian"),
        ({"postprocess": 3}, "`postprocess` must be a function"),
        ({"postprocess": lambda outputs: outputs, "batch_size": 0}, "`batch_size`"),
        ({"data": (np.zeros((4, SIDE, SIDE, 3)), np.zeros(3))}, r"one row for each image.*4 images.*\(3,\)"),
        ({"data": (np.full((4, SIDE, SIDE, 3), 7.0), np.zeros(4))}, "Images must lie in the range"),
        ({"data": (np.zeros((4, SIDE, SIDE, 3)),)}, "targets, weights.*Received: 1 parts"),
        ({"data": []}, "The data are empty"),
        ({"data": [3]}, "Every batch must be a tuple"),
        ({"data": (np.zeros((4, 9, 9, 3)), np.zeros(4))}, "which the model takes"),
    ],
)
def test_refuses(options, says, rng):
    data = rng.random((4, SIDE, SIDE, 3)).astype("float32"), rng.random((4, 2))
    with refused(match=says, error=(ValueError, TypeError)):
        filtered(small(2), **{"data": data, "metric": keras.metrics.MeanAbsoluteError, **options})


def test_outputs_without_the_batch_are_refused(rng):
    inputs = keras.Input((SIDE, SIDE, 3))
    total = layers.Lambda(lambda x: ops.sum(x, axis=(0, 1, 2)), output_shape=(3,))(inputs)
    with refused(match=r"the batch as its first axis.*\(3,\) for 4 images"):
        filtered(
            keras.Model(inputs, total),
            (rng.random((4, SIDE, SIDE, 3)).astype("float32"), rng.random(4)),
            metric=keras.metrics.MeanAbsoluteError,
        )


@keras.saving.register_keras_serializable(package="tests")
class Boxes(keras.metrics.Metric):
    """Of decoded boxes: how many there are, the mean of their certainties and of their corners."""

    def __init__(self, **kwargs):
        super().__init__(name="boxes", **kwargs)
        self.seen: list[np.ndarray] = []

    def update_state(self, y_true, y_pred, sample_weight=None):
        parts = [ops.convert_to_numpy(y_pred[key]) for key in ("boxes", "confidence", "num_detections")]
        for corners, certain, count in zip(*parts, strict=True):
            values = np.concatenate([corners, certain.reshape(-1, 1)], axis=1)[: int(count)]
            self.seen.append(np.array([count, *values.mean(axis=0)]))

    def result(self):
        return np.mean(self.seen, axis=0)

    def reset_state(self):
        self.seen = []


@pytest.mark.slow
def test_retinanet_of_keras_hub(rng):
    """With random weights; what KerasHub does in `predict`, decoding, is the `postprocess` here."""
    hub = pytest.importorskip("keras_hub")
    keras.utils.set_random_seed(0)
    backbone = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64, 64, 64],
        stackwise_num_blocks=[1, 1, 1, 1],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        image_shape=(64, 64, 3),
    )
    detector = hub.models.RetinaNetObjectDetector(
        backbone=hub.models.RetinaNetBackbone(
            image_encoder=backbone, min_level=3, max_level=5, use_p5=False, image_shape=(64, 64, 3)
        ),
        num_classes=3,
        bounding_box_format="xyxy",
        anchor_generator=hub.layers.AnchorGenerator(
            "xyxy", min_level=3, max_level=5, num_scales=3, aspect_ratios=[0.5, 1.0, 2.0], anchor_size=4.0
        ),
    )
    images = rng.random((5, 64, 64, 3)).astype("float32")
    targets = {"boxes": np.zeros((5, 2, 4)), "labels": np.zeros((5, 2))}

    raw = []

    def decode(outputs):  # of the images it takes the size alone
        raw.append({key: ops.convert_to_numpy(value) for key, value in outputs.items()})
        return detector.decode_predictions(outputs, images[: len(raw[-1]["cls_logits"])])

    result = filtered(detector, (images, targets), metric=Boxes, radii=(8,), postprocess=decode, batch_size=3)
    # Two batches of three conditions. Which boxes stay hangs on the last digit of random certainties, so that
    # what is decoded is compared for equal outputs.
    seen = images, np.asarray(kf.spectral.low_pass(images, 8)), np.asarray(kf.spectral.high_pass(images, 8))
    found = result.clean.values(), *([one[0] for one in part.values()] for part in (result.low, result.high))
    for place, (shown, numbers) in enumerate(zip(seen, found, strict=True)):
        wanted, batches = Boxes(), raw[place::3]
        for key, value in detector(shown, training=False).items():
            own = np.concatenate([batch[key] for batch in batches])
            np.testing.assert_allclose(own, ops.convert_to_numpy(value), rtol=1e-3, atol=2e-3)
        for batch in batches:
            outputs = {key: ops.convert_to_tensor(value) for key, value in batch.items()}
            decoded = detector.decode_predictions(outputs, images[: len(batch["cls_logits"])])
            wanted.update_state(targets, decoded)
        np.testing.assert_allclose([*numbers], wanted.result(), rtol=1e-5)
