"""Accuracy by band, against filtering first and measuring then."""

import functools

import keras
import numpy as np
import pytest

from keras_freq.evaluate import accuracy, band_accuracy
from keras_freq.spectral import high_pass, low_pass, rescale
from tests.refusals import refused


@pytest.fixture
def data(rng):
    return rng.random((22, 16, 16, 3), dtype="float32"), (np.arange(22) % 4).astype("int32")


@pytest.fixture
def model():
    """A linear classifier with large weights, so that bands change its mind."""
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(4)], name="linear"
    )
    generator = np.random.default_rng(3)
    model.set_weights([generator.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("kind", ["ideal", "gaussian", "butterworth", "square"])
def test_equals_filtering_first(model, data, kind):
    radii = (0, 2, 4.5, 30)
    result = band_accuracy(model, data, radii=radii, kind=kind, batch_size=8)
    assert result.radii == radii
    assert result.n == 22
    assert result.clean == float(accuracy(model, data))
    for radius, low, high in zip(radii, result.low, result.high, strict=True):
        kept, rest = (functools.partial(part, radius=radius, kind=kind) for part in (low_pass, high_pass))
        assert low == float(accuracy(model, data, transform=kept))
        assert high == float(accuracy(model, data, transform=rest))


def test_cycles_per_pixel(data):
    x = np.concatenate([data[0], data[0]], axis=2)
    model = keras.Sequential([keras.Input((16, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    options = {"radii": (0.1, 0.25), "units": "cycles_per_pixel"}
    result = band_accuracy(model, (x, data[1]), **options)
    assert result.units == "cycles_per_pixel"
    for radius, low in zip(result.radii, result.low, strict=True):
        kept = functools.partial(low_pass, radius=radius, units="cycles_per_pixel")
        assert low == float(accuracy(model, (x, data[1]), transform=kept))
    with refused("`units`"):
        band_accuracy(model, (x, data[1]), units="pixels")


def test_counts(model, data):
    result = band_accuracy(model, data, radii=(2, 4))
    assert np.shape(result.low_correct_per_class) == np.shape(result.high_correct_per_class) == (2, 4)
    assert sum(result.low_correct_per_class[0]) / 22 == result.low[0]
    assert sum(result.high_correct_per_class[1]) / 22 == result.high[1]
    assert sum(result.clean_correct_per_class) / 22 == result.clean
    assert result.count_per_class == (6, 6, 5, 5)


def test_a_radius_beyond_the_corner_keeps_all_or_nothing(model, data):
    result = band_accuracy(model, data, radii=100)
    assert result.radii == (100.0,)
    assert result.low[0] == result.clean
    bias = model.get_weights()[1]
    assert result.high[0] == pytest.approx(np.mean(data[1] == bias.argmax()))


def test_channels_first(model, data):
    first = keras.Sequential([keras.Input((3, 16, 16)), keras.layers.Permute((2, 3, 1)), model])
    images = np.moveaxis(data[0], -1, 1)
    found = band_accuracy(first, (images, data[1]), radii=(2, 4), data_format="channels_first")
    expected = band_accuracy(model, data, radii=(2, 4))
    assert (found.low, found.high, found.clean) == (expected.low, expected.high, expected.clean)


@pytest.mark.parametrize("size", [(15, 16), (13, 9)])
def test_odd_and_oblong_images(size, rng):
    model = keras.Sequential([keras.Input((*size, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    data = rng.random((7, *size, 1), dtype="float32"), np.arange(7) % 3
    result = band_accuracy(model, data, radii=(3,))
    assert result.low[0] == pytest.approx(float(accuracy(model, (low_pass(data[0], 3), data[1]))))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_one_compilation_for_all_radii_and_calls(data, counting):
    model, runs = counting((16, 16, 3), 4)
    for radii in ((1, 2, 3, 4), (5, 6)):
        band_accuracy(model, data, radii=radii, batch_size=8)
    assert len(runs) == 2  # one for the clean images, one for all masks


@pytest.mark.parametrize("mode", ["none", "clip", "max", "minmax", "uint8_wrap"])
def test_rescales_the_filtered_images_alone(model, data, mode):
    images, labels = data
    result = band_accuracy(model, data, radii=(2, 5), rescale=mode, batch_size=8)
    assert result.settings["rescale"] == mode
    assert result.clean == float(accuracy(model, data))
    for radius, low, high in zip(result.radii, result.low, result.high, strict=True):
        for found, part in ((low, low_pass), (high, high_pass)):
            filtered = lambda x, part=part, radius=radius: rescale(part(x, radius), mode)  # noqa: E731
            assert found == float(accuracy(model, data, transform=filtered))
    first = keras.Sequential([keras.Input((3, 16, 16)), keras.layers.Permute((2, 3, 1)), model])
    turned = np.moveaxis(images, -1, 1), labels
    found = band_accuracy(first, turned, radii=(2, 5), rescale=mode, data_format="channels_first")
    assert (found.low, found.high) == (result.low, result.high)


def test_rescalings_do_not_share_what_is_compiled(data):
    """A model that asks whether an image goes beyond 0.9: each rescaling answers in its own way."""

    class Brightest(keras.layers.Layer):
        def call(self, images):
            top = keras.ops.max(images, axis=(1, 2, 3))
            return keras.ops.stack([0.9 - top, top - 0.9], axis=1)

    model = keras.Sequential([keras.Input((16, 16, 3)), Brightest()])
    images, ones = 0.5 * data[0], np.ones(22, "int32")
    for _ in range(2):  # the second time from what was kept
        found = {
            mode: band_accuracy(model, (images, ones), radii=(3,), rescale=mode)
            for mode in ("none", "max", "minmax", "clip", "uint8_wrap")
        }
        assert [found[mode].high[0] for mode in found] == [0, 1, 1, 0, 1]
        assert all(result.clean == 0 for result in found.values())


def test_kept_predictions_are_those_that_were_counted(model, data, tmp_path):
    images, labels = data[0].copy(), data[1]
    result = band_accuracy(model, data, radii=(2, 5), batch_size=8, keep_predictions=True)
    found = result.predictions
    assert found["clean"].shape == (22,)
    assert found["low"].shape == found["high"].shape == (2, 22)
    assert float((found["clean"] == labels).mean()) == result.clean
    assert tuple((found["low"] == labels).mean(axis=1)) == result.low
    assert tuple((found["high"] == labels).mean(axis=1)) == result.high
    assert result == band_accuracy(model, data, radii=(2, 5), batch_size=8)
    assert "predictions" not in result.to_dict()
    result.to_json(tmp_path / "kept.json")
    again = type(result).from_json(tmp_path / "kept.json")
    np.testing.assert_array_equal(again.predictions["high"], found["high"])
    weights = model.get_weights()
    model.set_weights([np.full_like(weights[0], np.nan), weights[1]])
    undefined = band_accuracy(model, (images, labels), radii=(2,), keep_predictions=True)
    assert (undefined.predictions["low"] == -1).all()


def test_whether_predictions_are_kept_is_true_or_false(model, data):
    with refused("keep_predictions"):
        band_accuracy(model, data, keep_predictions="yes")
