"""Error under corruptions: by hand, from files, from TFDS; and the mean relative to a reference."""

import dataclasses
import zlib

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.data import CORRUPTIONS, corrupt, write_corrupted
from keras_freq.evaluate import corruption_error, mean_corruption_error
from keras_freq.evaluate._mean_corruption_error import ALEXNET
from tests.refusals import refused

NAMES = ("gaussian_noise", "contrast", "glass_blur")


@pytest.fixture
def levels(images):
    return np.rint(images * 255).astype("uint8")


def by_hand(model, levels, labels, name, severity, seed=0):
    pixels = corrupt(levels, name, severity, seed=seed).astype("float32") / 255
    logits = keras.ops.convert_to_numpy(model(pixels, training=False))
    return np.mean(logits.argmax(-1) != labels)


def test_every_cell_is_the_error_on_those_images(classifier, levels, labels):
    result = corruption_error(
        classifier, (levels, labels), corruptions=NAMES, severities=(5, 1), seed=3, batch_size=3
    )
    assert result.corruptions == NAMES
    assert result.severities == (1, 5)
    assert [result.settings[key] for key in ("seed", "table", "jpeg")] == [3, "small", 0]
    expected = [[by_hand(classifier, levels, labels, n, s, seed=3) for s in (1, 5)] for n in NAMES]
    np.testing.assert_allclose(result.errors, expected, atol=1e-12)
    assert result.mean == float(result) == pytest.approx(np.mean(expected))
    assert result.by_corruption["contrast"] == pytest.approx(np.mean(expected[1]))
    clean = keras.ops.convert_to_numpy(classifier(levels / np.float32(255), training=False))
    assert result.clean_error == pytest.approx(np.mean(clean.argmax(-1) != labels))
    assert result.n == 8
    rows = result.rows()
    assert len(rows) == 1 + 3 * 2
    assert rows[0]["corruption"] == "none"
    assert [row["error"] for row in rows[1:]] == [error for row in result.errors for error in row]


def test_a_feed_gives_what_arrays_give(classifier, levels, labels):
    options = {"corruptions": ("fog", "shot_noise"), "severities": (2,), "seed": 1}
    arrays = corruption_error(classifier, (levels, labels), **options)
    feed = kf.data.ArrayBatches(levels, labels, batch_size=5)
    listed = [(levels[:4] / np.float32(255), labels[:4]), (levels[4:] / np.float32(255), labels[4:])]
    assert corruption_error(classifier, feed, **options).errors == arrays.errors
    assert corruption_error(classifier, listed, **options).errors == arrays.errors


def test_workers_change_no_number(classifier, levels, labels):
    options = {"corruptions": ("fog", "frost"), "severities": (2, 4), "seed": 1, "batch_size": 3}
    here, there = (
        corruption_error(classifier, (levels, labels), keep_predictions=True, workers=workers, **options)
        for workers in (0, 2)
    )
    assert there.errors == here.errors
    assert np.array_equal(there.predictions["corrupted"], here.predictions["corrupted"])


@pytest.mark.once
def test_workers_and_channels_first(levels, labels):
    model = keras.Sequential([keras.Input((3, 32, 32)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model = kf.Classifier(model, data_format="channels_first")
    first = np.moveaxis(levels, -1, 1)
    options = {"corruptions": ("contrast",), "severities": (5,), "batch_size": 3}
    here, there = (corruption_error(model, (first, labels), workers=w, **options) for w in (0, 1))
    assert there.errors == here.errors


def test_jpeg_reaches_the_copies(classifier, levels, labels, tmp_path):
    options = {"corruptions": NAMES, "severities": (3,), "table": "large"}
    write_corrupted(levels, labels, tmp_path, **options)
    made = corruption_error(classifier, (levels, labels), **options)
    assert made.settings["jpeg"] == 85
    del options["table"]
    assert corruption_error(classifier, tmp_path, **options).errors == made.errors


@pytest.mark.once
def test_the_photographs_of_frost_reach_the_copies(classifier, levels, labels, tmp_path):
    from PIL import Image

    (tmp_path / "ice").mkdir()
    photograph = np.random.default_rng(0).integers(0, 256, (200, 180, 3)).astype("uint8")
    Image.fromarray(photograph).save(tmp_path / "ice" / "0.png")
    kinds = {"corruptions": ("frost", "fog"), "severities": (1, 5)}
    options = {**kinds, "calibration": "ece"}
    photographed = corruption_error(classifier, (levels, labels), frost=tmp_path / "ice", **options)
    write_corrupted(levels, labels, tmp_path / "copy", frost=tmp_path / "ice", **kinds)
    read = corruption_error(classifier, tmp_path / "copy", **options)
    assert (read.errors, read.calibration) == (photographed.errors, photographed.calibration)
    generated = corruption_error(classifier, (levels, labels), **options)
    assert photographed.calibration[0] != generated.calibration[0]
    assert photographed.calibration[1] == generated.calibration[1]
    assert generated.settings["frost"] is None
    assert photographed.settings["frost"] == zlib.crc32((tmp_path / "ice" / "0.png").read_bytes())
    with refused("`frost` must be a folder of photographs", error=FileNotFoundError):
        corruption_error(classifier, (levels, labels), frost=tmp_path / "nowhere", **options)


def test_a_folder_is_read_as_it_is(classifier, levels, labels, tmp_path):
    write_corrupted(levels, labels, tmp_path / "all", corruptions=NAMES)
    write_corrupted(levels, labels, tmp_path / "some", corruptions=NAMES, severities=(2, 4))
    own = corruption_error(classifier, (levels, labels), corruptions=NAMES, severities=(2, 4))
    for folder in ("all", "some"):
        read = corruption_error(classifier, tmp_path / folder, corruptions=NAMES, severities=(2, 4))
        assert read.errors == own.errors
        assert np.isnan(read.clean_error)
        assert read.n == 8
    from PIL import Image

    for name in NAMES:
        for severity in (2, 4):
            for number, (image, label) in enumerate(
                zip(corrupt(levels, name, severity), labels, strict=True)
            ):
                folder = tmp_path / "files" / name / str(severity) / f"class {label}"
                folder.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(folder / f"{number}.png")
    read = corruption_error(classifier, tmp_path / "files", corruptions=NAMES, severities=(2, 4))
    assert (read.errors, read.n) == (own.errors, 8)
    with pytest.raises(FileNotFoundError, match=r"There is no fog\.npy"):
        corruption_error(classifier, tmp_path / "all", corruptions=("contrast", "fog"))
    with pytest.raises(ValueError, match="must be one of 2, 4"):
        corruption_error(classifier, tmp_path / "some", corruptions=NAMES, severities=(2, 3))
    with pytest.raises(FileNotFoundError, match="must be a folder, or one of cifar10_corrupted"):
        corruption_error(classifier, "cifar10c")


def test_the_sets_of_tfds_are_read_as_they_are(classifier, levels, labels, tmp_path):
    tf = pytest.importorskip("tensorflow")
    tfds = pytest.importorskip("tensorflow_datasets")
    names = {"fog": "fog", "glass_blur": "frosted_glass_blur", "elastic_transform": "elastic"}
    features = tfds.features.FeaturesDict(
        {"image": tfds.features.Image(shape=(32, 32, 3)), "label": tfds.features.ClassLabel(num_classes=4)}
    )
    for name, theirs in names.items():
        pictures = {"image": corrupt(levels, name, 3), "label": labels.astype("int64")}
        tfds.dataset_builders.store_as_tfds_dataset(
            name="cifar10_corrupted",
            config=f"{theirs}_3",
            version="1.0.0",
            features=features,
            split_datasets={"test": tf.data.Dataset.from_tensor_slices(pictures)},
            data_dir=str(tmp_path),
            disable_shuffling=True,
        )
    options = {"corruptions": tuple(names), "severities": (3,)}
    read = corruption_error(classifier, "cifar10_corrupted", data_dir=tmp_path, **options)
    assert read.errors == corruption_error(classifier, (levels, labels), **options).errors
    pixels, again = kf.data.read_corrupted("cifar10_corrupted", "glass_blur", 3, data_dir=tmp_path)
    np.testing.assert_array_equal(pixels, corrupt(levels, "glass_blur", 3))
    np.testing.assert_array_equal(again, labels)
    with pytest.raises(FileNotFoundError, match="No prepared data set 'cifar10_corrupted/snow_3'"):
        corruption_error(
            classifier, "cifar10_corrupted", data_dir=tmp_path, corruptions=("fog", "snow"), severities=(3,)
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corruptions": ("fogg",)}, "did you mean 'fog'"),
        ({"corruptions": "fog"}, "must be a list of names"),
        ({"corruptions": ()}, "must be a list of names"),
        ({"severities": (0,)}, "must be a list of 1 to 5"),
        ({"workers": -1}, "`workers` must be a whole number of at least 0. Received: workers=-1"),
        ({"jpeg": 99}, "`jpeg` must be a whole number from 0 to 95. Received: jpeg=99"),
        ({"table": "tiny"}, "`table` must be one of 'auto', 'small', 'medium', 'large'"),
    ],
)
def test_wrong_options_are_one_line(classifier, levels, labels, options, message):
    with pytest.raises(ValueError, match=message):
        corruption_error(classifier, (levels, labels), **options)


def test_data_that_cannot_be_corrupted(classifier, levels, labels):
    with pytest.raises(ValueError, match=r"for every corruption.*can be read only once"):
        corruption_error(classifier, iter([(levels, labels)]))
    with pytest.raises(ValueError, match=r"range that the model takes, 0 to 1, .*Received: values from"):
        corruption_error(classifier, (levels.astype("float32"), labels))


def result_of(errors, severities=(1, 2, 3, 4, 5)):
    rows = tuple((error,) * len(severities) for error in errors.values())
    return kf.evaluate.CorruptionResult(
        model="m",
        n=1,
        settings={},
        versions={},
        corruptions=tuple(errors),
        severities=severities,
        errors=rows,
        clean_error=0.0,
        mean=float(np.mean(rows)),
    )


@pytest.mark.once
def test_mean_corruption_error_pairs_by_name():
    assert set(ALEXNET) == set(CORRUPTIONS)
    assert mean_corruption_error(result_of(ALEXNET)) == pytest.approx(1)
    reversed_order = dict(reversed(list(ALEXNET.items())))
    assert mean_corruption_error(result_of(reversed_order)) == pytest.approx(1)
    halved = {name: value / 2 if name == "fog" else value for name, value in ALEXNET.items()}
    assert mean_corruption_error(result_of(halved)) == pytest.approx((14 + 0.5) / 15)
    two, four = {"fog": 0.2, "snow": 0.4}, {"snow": 0.8, "fog": 0.8}
    assert mean_corruption_error(result_of(two), relative_to=four) == pytest.approx((0.25 + 0.5) / 2)
    assert mean_corruption_error(result_of(two), relative_to=result_of(four)) == pytest.approx(0.375)


@pytest.mark.once
def test_mean_corruption_error_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="needs the 15 corruptions"):
        mean_corruption_error(result_of({"fog": 0.2}))
    with pytest.raises(ValueError, match="needs the 15 corruptions"):
        mean_corruption_error(result_of(ALEXNET, severities=(1, 2)))
    with pytest.raises(ValueError, match=r"none for \['snow'\]"):
        mean_corruption_error(result_of({"snow": 0.2}), relative_to={"fog": 1})
    with pytest.raises(ValueError, match=r"none for \['snow'\]"):
        mean_corruption_error(result_of({"snow": 0.2}), relative_to={"snow": 0})
    with pytest.raises(ValueError, match="must hold the severities"):
        mean_corruption_error(result_of({"fog": 0.2}), relative_to=result_of({"fog": 1}, severities=(1,)))
    with pytest.raises(ValueError, match="Received: relative_to='vgg'"):
        mean_corruption_error(result_of({"fog": 0.2}), relative_to="vgg")


@pytest.mark.once
def test_relative_mean_corruption_error():
    """Against errors above the clean ones."""
    own = dataclasses.replace(result_of({"fog": 0.4, "snow": 0.6}), clean_error=0.2)
    other = dataclasses.replace(result_of({"snow": 0.9, "fog": 0.5}), clean_error=0.1)
    wanted = np.mean([(0.4 - 0.2) / (0.5 - 0.1), (0.6 - 0.2) / (0.9 - 0.1)])
    assert mean_corruption_error(own, relative_to=other, relative=True) == pytest.approx(wanted)
    mapping = {"fog": 0.5, "snow": 0.9, "clean": 0.1}
    assert mean_corruption_error(own, relative_to=mapping, relative=True) == pytest.approx(wanted)
    stored = dataclasses.replace(own, clean_error=float("nan"))
    found = mean_corruption_error(stored, relative_to=mapping, relative=True, clean_error=0.2)
    assert found == pytest.approx(wanted)
    alexnet = dataclasses.replace(result_of(ALEXNET), clean_error=0.43478)
    assert mean_corruption_error(alexnet, relative=True) == pytest.approx(1)
    with refused("clean error of `result`: pass clean_error="):
        mean_corruption_error(stored, relative_to=mapping, relative=True)
    with refused("clean error of `relative_to`: pass the key 'clean'"):
        mean_corruption_error(own, relative_to={"fog": 0.5, "snow": 0.9}, relative=True)
    with refused("Received: fog 0.5, clean 0.5"):
        mean_corruption_error(own, relative_to={**mapping, "clean": 0.5}, relative=True)


def test_top_errors(rng):
    """Right is an image whose class is among the `top` largest logits; of equal ones the first is larger."""
    table = rng.integers(0, 4, (16, 7)).astype("float32")
    table[3, 2] = np.nan
    labels = rng.integers(0, 7, 16)
    order = np.argsort(-table, axis=-1, kind="stable")
    images = np.zeros((16, 4, 4, 1), "uint8")
    images[:] = np.arange(0, 256, 16)[:, None, None, None]
    lookup = keras.layers.Embedding(256, 7, embeddings_initializer=keras.initializers.Constant(0.0))
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(
        inputs, lookup(keras.layers.Lambda(lambda x: keras.ops.round(255 * x[:, 0, 0, 0]))(inputs))
    )
    weights = np.zeros((256, 7), "float32")
    weights[::16] = table
    lookup.set_weights([weights])
    for top in (1, 3, 5):
        right = (order[:, :top] == labels[:, None]).any(axis=-1)
        right[3] = False
        heat = kf.evaluate.fourier_heat_map(
            kf.Classifier(model, value_range=(0, 1)), (images, labels), epsilon=0, window=1, top=top
        )
        assert heat.clean_error == pytest.approx(1 - right.mean())
        np.testing.assert_allclose(heat.error[np.isfinite(heat.error)], heat.clean_error)
        assert heat.settings["top"] == top
    declared = kf.Classifier(model, value_range=(0, 1))
    result = corruption_error(declared, (images, labels), corruptions=("fog",), severities=(1,), top=3)
    right = (order[:, :3] == labels[:, None]).any(axis=-1)
    right[3] = False
    assert result.clean_error == pytest.approx(1 - right.mean())
    with refused("`top` must be"):
        corruption_error(declared, (images, labels), corruptions=("fog",), severities=(1,), top=0)


@pytest.mark.parametrize("kind", ["ece", "rms"])
def test_calibration_by_corruption_and_severity(classifier, levels, labels, kind):
    options = {"corruptions": ("fog", "contrast"), "severities": (1, 4), "batch_size": 3}
    plain = corruption_error(classifier, (levels, labels), **options)
    assert (plain.calibration, plain.clean_calibration) == (None, None)
    softmax = keras.Sequential([classifier, keras.layers.Softmax()])
    for model in (classifier, softmax):
        result = corruption_error(model, (levels, labels), calibration=kind, **options)
        assert result.errors == plain.errors
        assert result.settings["calibration"] == kind
        for name, gaps in zip(options["corruptions"], result.calibration, strict=True):
            for severity, gap in zip(options["severities"], gaps, strict=True):
                logits = kf.evaluate.predict_logits(classifier, corrupt(levels, name, severity))
                wanted = float(kf.evaluate.calibration_error(logits, labels, kind=kind))
                assert gap == pytest.approx(wanted, abs=1e-6)
        clean = kf.evaluate.predict_logits(classifier, levels)
        wanted = float(kf.evaluate.calibration_error(clean, labels, kind=kind))
        assert result.clean_calibration == pytest.approx(wanted, abs=1e-6)
        assert result.rows()[0]["calibration error"] == result.clean_calibration
        assert kf.evaluate.CorruptionResult.from_json(result.to_json()) == result
    with refused("`calibration` must be"):
        corruption_error(classifier, (levels, labels), calibration="brier", **options)


def test_kept_predictions_are_those_that_were_counted(classifier, levels, labels):
    options = {"corruptions": NAMES, "severities": (1, 5), "batch_size": 3, "keep_predictions": True}
    result = corruption_error(classifier, (levels, labels), **options)
    assert result.predictions["corrupted"].shape == (3, 2, 8)
    wrong = (result.predictions["corrupted"] != labels).mean(axis=-1)
    np.testing.assert_allclose(wrong, result.errors, atol=1e-12)
    assert float((result.predictions["clean"] != labels).mean()) == pytest.approx(result.clean_error)
    both = corruption_error(classifier, (levels, labels), **options, calibration="ece")
    np.testing.assert_array_equal(both.predictions["corrupted"], result.predictions["corrupted"])
    assert "predictions" not in result.to_dict()


class Inner(keras.layers.Layer):
    """Holds a normalization where `model.layers` does not show it."""

    def __init__(self, kind):
        super().__init__()
        self.normalization = kind(name="second")

    def call(self, x, training=None):
        return self.normalization(x, training=training)


def normalizing(kind=keras.layers.BatchNormalization):
    keras.utils.set_random_seed(4)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(6, 3, strides=2)(inputs)
    x = keras.layers.ReLU()(kind(name="first")(x))
    x = Inner(kind)(keras.layers.Conv2D(6, 3, strides=2)(x))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    model = keras.Model(inputs, keras.layers.Dense(4, activation="softmax")(x))
    generator = np.random.default_rng(2)
    model.set_weights([w + 0.3 * generator.uniform(0, 1, w.shape) for w in model.get_weights()])
    return model


def test_statistics_of_the_batch_stand_beside_the_moving_ones(levels, labels):
    """As of a network whose layers normalize so; nothing of the model is changed, the errors least of all."""
    usual, always = normalizing(), normalizing(kf.models.BatchStatisticsNormalization)
    options = {"corruptions": ("contrast", "gaussian_noise"), "severities": (2, 5), "calibration": "ece"}
    weights = usual.get_weights()
    plain = corruption_error(usual, (levels, labels), batch_size=4, **options)
    result = corruption_error(usual, (levels, labels), batch_size=4, adapt=True, **options)
    wanted = corruption_error(always, (levels, labels), batch_size=4, **options)
    assert (result.errors, result.clean_error, result.calibration) == (
        plain.errors,
        plain.clean_error,
        plain.calibration,
    )
    assert (result.adapted_errors, result.adapted_clean_error) == (wanted.errors, wanted.clean_error)
    assert result.adapted_mean == wanted.mean
    assert result.settings["adapt"] == 4  # images per batch
    assert plain.adapted_errors is plain.adapted_mean is None
    assert [row["adapted error"] for row in result.rows()[1:3]] == list(wanted.errors[0])
    for one, other in zip(weights, usual.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    pixels = levels / np.float32(255)
    logits = kf.evaluate.predict_logits(kf.Classifier(usual).normalized_by_batch, pixels)
    moved = kf.evaluate.predict_logits(usual, pixels)
    np.testing.assert_allclose(logits, kf.evaluate.predict_logits(always, pixels), atol=1e-5)
    assert np.abs(logits - moved).max() > 0.1
    assert kf.evaluate.Result.from_json(result.to_json()) == result
    options["calibration"] = None
    kept = corruption_error(
        usual, (levels, labels), batch_size=4, adapt=True, keep_predictions=True, **options
    )
    for name, errors in (("adapted", kept.adapted_errors), ("corrupted", kept.errors)):
        np.testing.assert_allclose((kept.predictions[name] != labels).mean(axis=-1), errors)
    assert (kept.predictions["adapted clean"] != labels).mean() == pytest.approx(kept.adapted_clean_error)
    assert (kept.adapted_errors, kept.errors) == (result.adapted_errors, result.errors)


def test_a_shorter_last_batch_is_filled_up_with_the_one_before(levels, labels):
    model = normalizing(kf.models.BatchStatisticsNormalization)
    images, truth = levels[[*range(8), 3, 5]], labels[[*range(8), 3, 5]]
    result = corruption_error(
        normalizing(), (images, truth), corruptions=("fog",), severities=(3,), batch_size=4, adapt=True
    )
    pixels = corrupt(images, "fog", 3, seed=0).astype("float32") / 255
    windows = [model.predict_on_batch(pixels[rows]) for rows in ([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 6, 7])]
    seen = np.concatenate(windows).argmax(axis=-1)[:10]
    assert result.adapted_errors == ((pytest.approx(np.mean(seen != truth)),),)


def test_adapting_needs_a_normalization(classifier, levels, labels):
    with refused("must have a layer of batch normalization"):
        corruption_error(classifier, (levels, labels), corruptions=("fog",), severities=(3,), adapt=True)
