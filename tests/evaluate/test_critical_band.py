"""Critical-band masking against NumPy, and on models whose channel is known."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.evaluate._channel import find_thresholds, fit_channel

CENTERS = (1.75, 3.5, 7.0, 14.0)
DEVIATIONS = (0.02, 0.04, 0.08, 0.16)


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    pool = keras.layers.AveragePooling2D(4)
    return keras.Sequential([keras.Input((32, 32, 3)), pool, keras.layers.Flatten(), keras.layers.Dense(4)])


@keras.saving.register_keras_serializable(package="tests")
class Reader(keras.layers.Layer):
    """Tells the sign of a wave of two cycles from the sum over the image times a template."""

    def __init__(self, frequency=2, gain=40.0, **kwargs):
        super().__init__(**kwargs)
        self.frequency, self.gain = frequency, gain
        self.template = wave(frequency)[None, :, :, None].astype("float32")

    def call(self, images):
        found = keras.ops.sum(images * self.template, axis=(1, 2, 3))
        return self.gain * keras.ops.stack([-found, found], axis=-1)


def wave(frequency: int, size: int = 32) -> np.ndarray:
    return np.broadcast_to(np.cos(2 * np.pi * frequency * np.arange(size) / size), (size, size))


def reader(frequency: int) -> keras.Model:
    return keras.Sequential([keras.Input((32, 32, 3)), Reader(frequency)])


def waves(frequency: int, count: int = 200, amplitude: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(count) % 2
    signs = np.where(labels, 1, -1)[:, None, None, None]
    images = 0.5 + amplitude * signs * wave(frequency)[None, :, :, None] * np.ones(3)
    return images.astype("float32"), labels


def test_noise_is_of_its_octave_alone():
    noise = kf.data.octave_noise(24, 48, (2, 4, 8), count=3, seed=1)
    assert noise.shape == (3, 3, 24, 48)
    assert noise.dtype == "float32"
    np.testing.assert_allclose((noise.astype("float64") ** 2).mean(axis=(2, 3)), 1, rtol=1e-5)
    power = np.abs(np.fft.fft2(noise.astype("float64"))) ** 2
    rows, columns = np.fft.fftfreq(24)[:, None], np.fft.fftfreq(48)[None, :]
    distance = 24 * np.hypot(rows, columns)
    for place, center in enumerate((2, 4, 8)):
        inside = (distance >= center / np.sqrt(2)) & (distance < center * np.sqrt(2))
        assert power[:, place][:, ~inside].sum() < 1e-9 * power[:, place].sum()
        assert (power[:, place][:, inside] > 0).all()
    one = kf.data.octave_noise(24, 48, 4, count=3, seed=1)
    np.testing.assert_array_equal(one, noise[:, 1])
    assert (kf.data.octave_noise(24, 48, 4, count=3, seed=2) != one).any()


@pytest.mark.parametrize("center", [0, -1, 22.7, 100, float("nan"), 0.01])
def test_octaves_without_frequencies_are_refused(center):
    with pytest.raises(ValueError, match="`centers`"):
        kf.data.octave_noise(32, 32, center)


def test_accuracies_are_those_of_numpy(model, images, labels):
    size = images.shape[1]
    centers = (1.75, 3.5, 7.0)
    result = kf.evaluate.critical_band(
        model, (images, labels), centers=centers, seed=3, batch_size=3, draws=5
    )
    gray = (images.astype("float64") * (0.299, 0.587, 0.114)).sum(axis=-1)
    low = 0.449 + 0.2 * (gray - gray.mean(axis=(1, 2), keepdims=True))
    white = np.stack(
        [
            np.random.default_rng([3, 0, k]).standard_normal((size, size), dtype="float32")
            for k in range(len(images))
        ]
    )
    distance = size * np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None])
    for place, center in enumerate(centers):
        mask = (distance >= center / np.sqrt(2)) & (distance < center * np.sqrt(2))
        noise = np.fft.ifft2(np.fft.fft2(white) * mask).real
        noise /= np.sqrt((noise**2).mean(axis=(1, 2), keepdims=True))
        for step, deviation in enumerate(DEVIATIONS):
            seen = np.clip(low + deviation * noise, 0, 1)[..., None].repeat(3, axis=-1).astype("float32")
            expected = np.mean(kf.evaluate.predict_logits(model, seen).argmax(axis=1) == labels)
            assert result.accuracy[place][step] == pytest.approx(expected, abs=1e-9)
    assert result.n == len(images)


def test_a_reader_of_one_frequency_is_masked_by_its_octave():
    found = {
        frequency: kf.evaluate.critical_band(
            reader(frequency), waves(frequency), centers=CENTERS, contrast=0.02, criterion=0.8, draws=100
        )
        for frequency in (2, 7)
    }
    for frequency, result in found.items():
        assert result.unmasked == result.clean == 1
        own = int(np.argmax(result.sensitivities))
        assert CENTERS[own] / np.sqrt(2) <= frequency < CENTERS[own] * np.sqrt(2)
        # Other octaves hold nothing of the template, so noise there changes nothing.
        others = [value for place, value in enumerate(result.sensitivities) if place != own]
        assert others == [0, 0, 0]
        assert np.isnan(result.thresholds).sum() == 3
        assert result.bandwidth < 1.5
        low, high = result.intervals["center"]
        assert low <= result.center <= high
    assert found[2].center < 3.5 < found[7].center


def test_thresholds_lie_on_the_lines_between_the_points():
    accuracy = np.array(
        [[0.9, 0.7, 0.3, 0.1], [0.9, 0.9, 0.9, 0.9], [0.4, 0.3, 0.2, 0.1], [0.9, 0.4, 0.6, 0.2]]
    )
    found = find_thresholds(accuracy, np.array(0.8), DEVIATIONS, 0.5)
    expected = [
        2 ** (np.log2(0.04) + 0.5),  # half-way from .7 to .3
        np.nan,  # never
        2 ** (np.log2(0.01) + 0.75),  # from .8 at half of the smallest to .4
        2 ** (np.log2(0.08) + 0.25),  # the largest noise above the criterion counts
    ]
    np.testing.assert_allclose(found, expected)
    assert np.isnan(find_thresholds(accuracy, np.array(0.5), DEVIATIONS, 0.5)).all()


@pytest.mark.parametrize(("center", "width", "height"), [(7, 1.0, 3.0), (20, 2.0, 2.0), (3, 0.5, 3.5)])
def test_the_channel_that_made_them_is_found(center, width, height):
    centers = 1.75 * 2.0 ** np.arange(7)
    shape = height * np.exp(-((np.log2(centers) - np.log2(center)) ** 2) / (2 * width**2))
    found = fit_channel((0.16 / 2**shape)[None], centers, DEVIATIONS)
    assert np.log2(found["center"][0] / center) == pytest.approx(0, abs=0.01)
    assert found["bandwidth"][0] == pytest.approx(2 * np.sqrt(2 * np.log(2)) * width, rel=0.01)
    assert found["peak"][0] == pytest.approx(2**height / 0.16, rel=0.01)
    none = fit_channel(np.full((2, 7), np.nan), centers, DEVIATIONS)
    assert all(np.isnan(values).all() for values in none.values())


def test_channels_are_fitted_one_by_one(rng):
    thresholds = np.exp(rng.normal(np.log(0.05), 0.7, (230, 4)))
    thresholds[rng.random(thresholds.shape) < 0.1] = np.nan
    several = fit_channel(thresholds, CENTERS, DEVIATIONS)
    for row in (0, 99, 100, 229):
        one = fit_channel(thresholds[row : row + 1], CENTERS, DEVIATIONS)
        for name, values in one.items():
            np.testing.assert_array_equal(values[0], several[name][row])


def test_accuracy_below_the_criterion_leaves_nothing_to_fit(model, images, labels):
    result = kf.evaluate.critical_band(
        model, (images, (labels + 1) % 4), centers=(2, 4, 8), criterion=0.99, draws=10, contrast=0.01
    )
    assert np.isnan(result.thresholds).all()
    assert np.isnan([result.center, result.bandwidth, result.peak]).all()
    assert np.isnan(result.intervals["center"]).all()
    assert result.sensitivities == (0, 0, 0)


def test_batches_change_nothing(model, images, labels):
    options = {"centers": (2, 4, 8), "draws": 20, "seed": 1, "criterion": 0.2}
    whole = kf.evaluate.critical_band(model, (images, labels), batch_size=len(images), **options)
    parts = kf.evaluate.critical_band(model, (images, labels), batch_size=3, **options)
    assert whole.accuracy == parts.accuracy
    for name, interval in whole.intervals.items():
        np.testing.assert_array_equal(interval, parts.intervals[name])
        values = whole.drawn[name]
        assert values.shape == (20,)
        np.testing.assert_array_equal(interval, np.nanquantile(values, (0.025, 0.975)))
    assert kf.evaluate.Result.from_json(whole.to_json()).accuracy == whole.accuracy


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"centers": (2, 4)}, "`centers` must be at least 3 different numbers, ascending"),
        ({"centers": (4, 2, 8)}, "ascending"),
        ({"deviations": ()}, "`deviations`"),
        ({"deviations": (0.1, 0.1)}, "ascending"),
        ({"contrast": 0}, "`contrast`"),
        ({"contrast": 2}, "`contrast`"),
        ({"level": -1}, "`level`"),
        ({"criterion": 1}, "`criterion`"),
        ({"draws": -1}, "`draws`"),
        ({"gray": 1}, "`gray`"),
        ({"seed": -1}, "`seed`"),
        ({"centers": (2, 4, 60)}, "`centers` must be octaves"),
    ],
)
def test_wrong_options_are_refused(model, images, labels, option, message):
    with pytest.raises((ValueError, TypeError), match=message.replace("(", "\\(")):
        kf.evaluate.critical_band(model, (images, labels), **option)
