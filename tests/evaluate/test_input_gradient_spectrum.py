"""Spectra of input gradients against closed forms in float64, and what they must not depend on."""

import keras
import numpy as np
import pytest

from keras_freq.data import ArrayBatches
from keras_freq.evaluate import GradientSpectrumResult, gradient_spectrum_map, input_gradient_spectrum
from keras_freq.spectral import azimuthal_radii, fourier_basis
from tests.oracles import gradient_spectrum as oracle
from tests.refusals import refused


def linear(size, weights, bias=None):
    """Classifier `flatten(x) @ weights + bias`."""
    model = keras.Sequential(
        [keras.Input(size), keras.layers.Flatten(), keras.layers.Dense(weights.shape[1])], name="linear"
    )
    model.set_weights([weights, np.zeros(weights.shape[1]) if bias is None else bias])
    return model


def problem(size, count=11, classes=3, gain=0.3):
    """A linear classifier, images, labels and the model's weights in float64."""
    generator = np.random.default_rng(7)
    weights = generator.normal(0, gain, (np.prod(size), classes)).astype("float32")
    bias = generator.normal(size=classes).astype("float32")
    images = generator.random((count, *size), dtype="float32")
    return linear(size, weights, bias), images, generator.integers(0, classes, count), (weights, bias)


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ((32, 32, 3), {}),
        ((32, 32, 3), {"center": "pixel", "bins": "inner"}),
        ((9, 6, 2), {"bins": "inner", "units": "index", "normalize": False}),
        ((7, 10, 1), {"center": "pixel", "units": "index", "normalize": False}),
        ((7, 10, 1), {"units": "cycles_per_pixel"}),
    ],
)
def test_equals_the_oracle(size, options):
    model, images, labels, weights = problem(size)
    result = input_gradient_spectrum(model, (images, labels), batch_size=4, **options)
    expected = oracle.profiles(oracle.linear_gradients(images, labels, *weights), **options)
    top = expected.max()
    np.testing.assert_allclose(np.array(result.mean) / top, expected.mean(axis=0) / top, atol=3e-6)
    np.testing.assert_allclose(np.array(result.deviation) / top, expected.std(axis=0) / top, atol=3e-6)
    places = {name: value for name, value in options.items() if name != "normalize"}
    radii, counts = azimuthal_radii(*size[:2], **places)
    assert result.radii == tuple(radii)
    assert result.counts == tuple(counts)
    assert len(result.mean) == len(radii) == (20 if places and size[0] == 32 else len(radii))
    assert (result.n, result.flat, result.undefined, result.size) == (11, 0, 0, size[:2])


@pytest.mark.parametrize("normalize", [True, False])
def test_images_that_the_model_is_sure_of_keep_their_digits(normalize):
    """Losses of about 1e-9 and less, where float32 has `1 - p_y = 0`."""
    model, images, _, (weights, bias) = problem((8, 8, 1))
    bias = np.array([25.0, 0, 3], "float32")
    model.set_weights([weights, bias])
    labels = np.zeros(len(images), "int32")
    result = input_gradient_spectrum(model, (images, labels), normalize=normalize)
    gradients = oracle.linear_gradients(images, labels, weights, bias)
    assert np.abs(gradients).max() < 1e-7
    expected = oracle.profiles(gradients, normalize=normalize).mean(axis=0)
    np.testing.assert_allclose(result.mean, expected, rtol=2e-5, atol=1e-5 * expected.max())


@pytest.mark.parametrize("frequency", [(0, 3), (5, 12), (9, 2)])
def test_a_planted_frequency_shows_in_its_band(frequency, rng):
    """The gradient of a model that weighs images by one cosine lies at that cosine's radius."""
    size = (18, 25, 2)
    i, j = frequency[0], size[1] // 2 + frequency[1]
    wave = np.repeat(fourier_basis(*size[:2], i + size[0] // 2 if i < 9 else 0, j)[..., None], 2, axis=-1)
    weights = np.stack([wave.ravel(), -wave.ravel()], axis=1)
    data = rng.random((5, *size), dtype="float32"), np.arange(5) % 2
    result = input_gradient_spectrum(linear(size, weights), data, units="index")
    band = result.radii.index(int(np.hypot(*frequency)))
    assert result.mean[band] == 1
    np.testing.assert_allclose(np.delete(result.mean, band), 0, atol=1e-5)
    np.testing.assert_allclose(result.deviation, 0, atol=1e-5)


def test_constant_and_zero_gradients_are_finite(rng):
    size = (12, 12, 1)
    data = rng.random((6, *size), dtype="float32"), np.arange(6) % 2
    even = linear(size, np.stack([np.ones(144), -np.ones(144)], axis=1) / 144)
    assert input_gradient_spectrum(even, data).mean[0] == 1  # DC alone
    np.testing.assert_allclose(input_gradient_spectrum(even, data).mean[1:], 0, atol=1e-5)
    # Without DC nothing is left but rounding noise, which must not be blown up.
    inner = input_gradient_spectrum(even, data, center="dc", bins="inner")
    assert (set(inner.mean), set(inner.deviation), inner.flat) == ({0.0}, {0.0}, 6)
    dead = linear(size, np.zeros((144, 2)))
    for normalize in (True, False):
        zero = input_gradient_spectrum(dead, data, normalize=normalize)
        assert (set(zero.mean), zero.flat, zero.undefined) == ({0.0}, 6, 0)


def test_gradients_that_are_not_finite_are_counted_and_left_out():
    model, images, labels, weights = problem((6, 6, 1), gain=3.0)
    images = images.copy()
    images[4] = 1.0
    inputs = keras.Input((6, 6, 1))
    bright = keras.ops.where(inputs >= 1, 3e38 * inputs, inputs)  # the logits overflow
    model = keras.Model(inputs, model(bright))
    result = input_gradient_spectrum(model, (images, labels), batch_size=4)
    others = np.arange(11) != 4
    expected = oracle.profiles(oracle.linear_gradients(images[others], labels[others], *weights))
    np.testing.assert_allclose(result.mean, expected.mean(axis=0), atol=3e-6)
    np.testing.assert_allclose(result.deviation, expected.std(axis=0), atol=3e-6)
    assert (result.n, result.undefined) == (11, 1)
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    none = input_gradient_spectrum(model, (images, labels))
    assert none.undefined == 11
    assert np.isnan(none.mean).all()
    assert np.isnan(none.deviation).all()


def test_filling_and_batches_do_not_count():
    model, images, labels, _ = problem((10, 7, 2), count=13)
    whole = input_gradient_spectrum(model, (images, labels), batch_size=13)
    feed = [(images[a:b], labels[a:b]) for a, b in ((0, 5), (5, 7), (7, 13))]
    for data, options in (
        (feed, {}),
        (ArrayBatches(images, labels, batch_size=5), {}),
        ((np.concatenate([images, 1 - images]), np.tile(labels, 2)), {"n": 13, "batch_size": 5}),
    ):
        other = input_gradient_spectrum(model, data, **options)
        np.testing.assert_allclose(other.mean, whole.mean, atol=2e-6)
        np.testing.assert_allclose(other.deviation, whole.deviation, atol=2e-6)
        assert other.n == 13


def test_channels_first():
    model, images, labels, _ = problem((8, 6, 3))
    first = keras.Sequential([keras.Input((3, 8, 6)), keras.layers.Permute((2, 3, 1)), model])
    found = input_gradient_spectrum(first, (np.moveaxis(images, -1, 1), labels), data_format="channels_first")
    np.testing.assert_allclose(found.mean, input_gradient_spectrum(model, (images, labels)).mean, atol=2e-6)
    assert found.size == (8, 6)


def test_a_network_with_convolutions(classifier, images, labels):
    """`|F|` at DC, which is band 0, is the change of the loss with brightness: a central difference."""
    raw = input_gradient_spectrum(classifier, (images[:1], labels[:1]), normalize=False)
    losses = []
    for shift in (0.01, -0.01):
        logits = keras.ops.convert_to_numpy(classifier(images[:1] + shift)).astype("float64")[0]
        losses.append(np.log(np.exp(logits).sum()) - logits[labels[0]])
    assert raw.counts[0] == 1
    assert raw.mean[0] == pytest.approx(abs(losses[0] - losses[1]) / 0.02, rel=0.03)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_one_compilation_for_all_batches_and_calls(counting):
    model, runs = counting((8, 8, 2), 3)
    data = np.random.default_rng(0).random((9, 8, 8, 2), dtype="float32"), np.arange(9) % 3
    first = input_gradient_spectrum(model, data, batch_size=4)
    compiled = len(runs)
    model.set_weights([-weight[::-1] for weight in model.get_weights()])
    second = input_gradient_spectrum(model, data, batch_size=4)
    assert len(runs) == compiled <= 2  # the step, and the logits of the first batch
    assert second.mean != first.mean


def test_map_of_checkpoints():
    model, images, labels, weights = problem((8, 8, 1))
    spectra = []
    for gain in (1.0, -0.5, 2.0):
        model.set_weights([gain * weight for weight in weights])
        spectra.append(input_gradient_spectrum(model, (images, labels), normalize=False))
    found = gradient_spectrum_map(spectra, epochs=(0, 1, 5))
    np.testing.assert_array_equal(found.spectra, [spectrum.mean for spectrum in spectra])
    assert (found.normalized.min(), found.normalized.max()) == (0, 1)
    np.testing.assert_allclose(
        found.normalized, (found.spectra - found.spectra.min()) / np.ptp(found.spectra), atol=1e-15
    )
    assert (found.epochs, found.n, found.radii) == ((0, 1, 5), 11, spectra[0].radii)
    assert gradient_spectrum_map(spectra).epochs == (1, 2, 3)
    assert len(found.rows()) == 3 * len(found.radii)
    assert found.rows()[-1] | {"mean": 0} == {
        "model": "linear",
        "epoch": 5,
        "radius": found.radii[-1],
        "mean": 0,
        "deviation": spectra[2].deviation[-1],
        "n": 11,
    }
    assert spectra[0].rows()[1]["bins"] == spectra[0].counts[1]
    for results, epochs, says in (
        ([], None, "results=[]"),
        (spectra, (1, 2), "epochs=(1, 2)"),
        (spectra, (1, 2, "three"), "'three'"),
        ([spectra[0], input_gradient_spectrum(model, (images, labels))], None, "normalize=True for number 1"),
        ([spectra[0], input_gradient_spectrum(model, (images, labels), n=3)], None, "n=3 for number 1"),
    ):
        with refused(says):
            gradient_spectrum_map(results, epochs=epochs)


@pytest.mark.once
def test_ring_means():
    radii, counts = azimuthal_radii(32, 16, units="cycles_per_pixel")
    mean = np.random.default_rng(0).random(len(radii))
    result = GradientSpectrumResult(
        model="any",
        n=1,
        settings={"units": "cycles_per_pixel"},
        versions={},
        size=(32, 16),
        radii=tuple(radii),
        counts=tuple(counts),
        mean=tuple(mean),
        deviation=(0.0,) * len(radii),
        flat=0,
        undefined=0,
    )
    rings = result.ring_means()
    assert rings["low"] == pytest.approx(mean[radii < 1 / 8].mean())
    assert rings["mid"] == pytest.approx(mean[(radii >= 1 / 8) & (radii < 1 / 4)].mean())
    assert rings["high"] == pytest.approx(mean[radii >= 1 / 4].mean())
    assert np.isnan(result.ring_means((0.5, 5.0))["high"])
    with pytest.raises(ValueError, match="Received: edges="):
        result.ring_means((0.3, 0.2))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"center": "middle"}, "center='middle'"),
        ({"bins": 20}, "bins=20"),
        ({"normalize": "minmax"}, "normalize='minmax'"),
        ({"data_format": "nhwc"}, "data_format='nhwc'"),
        ({"n": 0}, "n=0"),
        ({"n": 12}, "here 11. Received: n=12"),
        ({"data": []}, "empty"),
        ({"labels": 3}, "from 0 to 2"),
    ],
)
def test_bad_input(options, says):
    model, images, labels, _ = problem((6, 6, 1))
    options = dict(options)
    data = options.pop("data", (images, labels + options.pop("labels", 0)))
    with refused(says):
        input_gradient_spectrum(model, data, **options)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_stays_near_float32(policy, rng):
    images, labels = rng.random((24, 16, 16, 3), dtype="float32"), np.arange(24) % 4

    def network(dtype):
        layers = [
            keras.Input((16, 16, 3)),
            keras.layers.Conv2D(6, 3, activation="relu", dtype=dtype),
            keras.layers.GlobalAveragePooling2D(dtype=dtype),
            keras.layers.Dense(4, dtype=dtype),
        ]
        return keras.Sequential(layers)

    plain, mixed = network("float32"), network(policy)
    # Weights that make the network sure of half its answers: gradients of the cross-entropy that half
    # precision cannot hold.
    weights = [np.random.default_rng(8).normal(0, 0.6, part.shape) for part in plain.get_weights()]
    weights[-1] = np.array([60.0, 0, 60.0, 0])
    plain.set_weights(weights)
    mixed.set_weights(weights)
    wanted, found = (input_gradient_spectrum(model, (images, labels)) for model in (plain, mixed))
    assert found.undefined == wanted.undefined == 0
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.deviation).all()
    limit = 0.05 if policy == "mixed_bfloat16" else 0.02
    np.testing.assert_allclose(found.mean, wanted.mean, atol=limit)
    np.testing.assert_allclose(found.deviation, wanted.deviation, atol=limit)
    assert np.ptp(found.mean) > 0.1
