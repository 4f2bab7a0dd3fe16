"""Layers that remove frequencies from images: at random, or those of a class."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from tests.refusals import refused

to_numpy, to_tensor = keras.ops.convert_to_numpy, keras.ops.convert_to_tensor


def natural(batch, size, seed=0):
    height, width = size
    ramp = np.linspace(0.2, 0.8, height)[None, :, None, None]
    noise = np.random.default_rng(seed).standard_normal((batch, height, width, 3))
    return (ramp + 0.1 * noise).astype("float32")


def spectra(images):
    return np.fft.fft2(np.float64(images), axes=(1, 2))


def planted_maps(classes, size, seed=0):
    masks = np.random.default_rng(seed).random((classes, *size)) < 0.2
    return np.stack([kf.spectral.symmetrize(mask.astype("float32"), "max") for mask in masks])


@pytest.mark.parametrize("size", [(8, 8), (9, 6), (7, 5), (6, 9)], ids=str)
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_dropout_equals_numpy(size, rate):
    images = natural(6, size)
    layer = kf.layers.SpectralDropout(rate, probability=0.6)
    draws = np.random.default_rng(1).random(layer.draw_shape_of(images, 6)).astype("float32")
    expected = np.float64(images).copy()
    height, width = size
    for image, draw in zip(expected, draws, strict=True):
        if draw[0, 0] >= 0.6:
            continue
        kept = np.ones(size)
        for u in range(height):
            for v in range(width):
                pair = min((u, v), ((height - u) % height, (width - v) % width), key=lambda k: (k[1], k[0]))
                kept[u, v] = pair == (0, 0) or draw[pair] >= rate
        spectrum = np.fft.fft2(image, axes=(0, 1)) * kept[..., None]
        filtered = np.fft.ifft2(spectrum, axes=(0, 1))
        assert np.abs(filtered.imag).max() < 1e-12
        image[:] = filtered.real
    np.testing.assert_allclose(
        to_numpy(layer.transform(to_tensor(images), to_tensor(draws))), expected, atol=2e-6
    )


def test_dropout_removes_its_share_of_the_pairs_and_keeps_the_mean():
    images = natural(64, (32, 32))
    dropped = to_numpy(kf.layers.SpectralDropout(0.25, seed=0)(images))
    gone = np.abs(spectra(dropped)) < 1e-4 * np.abs(spectra(images))
    assert not gone[:, 0, 0].any()
    assert gone.all(-1).mean() == pytest.approx(0.25, abs=0.01)
    assert (gone.all(-1) == gone.any(-1)).mean() > 0.999  # the same for all channels
    share = gone.all(-1).mean((1, 2))
    assert 0.15 < share.min() < share.max() < 0.35
    np.testing.assert_allclose(dropped.mean((1, 2)), images.mean((1, 2)), atol=1e-5)


def test_some_images_lose_nothing():
    images = natural(200, (8, 8))
    layer = kf.layers.SpectralDropout(0.5, probability=0.3, clip=(0.3, 0.7), seed=0)
    changed = np.abs(to_numpy(layer(images)) - np.clip(images, 0.3, 0.7)).max((1, 2, 3)) > 1e-3
    assert 0.2 < changed.mean() < 0.4


@pytest.mark.parametrize("rate", [-0.1, 1.0, "half"])
def test_wrong_rates_are_refused(rate):
    with pytest.raises((TypeError, ValueError), match="`rate` must be"):
        kf.layers.SpectralDropout(rate)


@pytest.mark.parametrize("how", ["keep_other", "drop_own"])
@pytest.mark.parametrize("size", [(8, 8), (9, 6)], ids=str)
@pytest.mark.parametrize("layout", ["channels_last", "channels_first"])
def test_class_frequencies_equal_numpy(how, size, layout):
    images, labels = natural(12, size), np.arange(12) % 3
    maps = planted_maps(3, size)
    layer = kf.layers.ClassFrequencies(maps, how=how, probability=0.7, data_format=layout)
    draws = np.random.default_rng(1).random((2, 12)).astype("float32")
    expected = np.float64(images).copy()
    for image, label, draw, coin in zip(expected, labels, *draws, strict=True):
        if coin >= 0.7:
            continue
        others = [other % 3 for other in range(label + 1, label + 3)]
        chosen = others[int(draw * 2)] if how == "keep_other" else label
        gain = np.fft.ifftshift(maps[chosen] if how == "keep_other" else 1 - maps[chosen])
        gain[0, 0] = 1
        image[:] = np.fft.ifft2(np.fft.fft2(image, axes=(0, 1)) * gain[..., None], axes=(0, 1)).real
    turned = images if layout == "channels_last" else images.transpose(0, 3, 1, 2)
    for given in (labels, labels[:, None], np.eye(3, dtype="float32")[labels]):
        found = to_numpy(layer.transform(to_tensor(turned), to_tensor(given), to_tensor(draws)))
        found = found if layout == "channels_last" else found.transpose(0, 2, 3, 1)
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_each_other_class_is_drawn_equally_often():
    size, classes = (8, 8), 4
    masks = np.zeros((classes, *size), "float32")
    for label in range(classes):  # a wave of its own for each class
        masks[label, 4, 4 + label] = masks[label, 4, 4 - label] = 1
    masks[0, 4, 4] = 0
    masks[0, 5, 5] = masks[0, 3, 3] = 1
    images, labels = natural(3000, size), np.arange(3000) % classes
    layer = kf.layers.ClassFrequencies(masks, probability=1, seed=0)
    found = layer({"images": images, "labels": labels})
    power = np.abs(spectra(to_numpy(found["images"]))).sum(-1) > 1e-3
    places = [(1, 1), (0, 1), (0, 2), (0, 3)]
    shown = np.stack([power[:, u, v] for u, v in places], 1)
    assert (shown.sum(1) == 1).all()
    assert not shown[np.arange(3000), labels].any()
    for label in range(classes):
        counts = shown[labels == label].sum(0)
        assert sorted(counts)[0] == 0
        assert min(sorted(counts)[1:]) > 180
    np.testing.assert_array_equal(to_numpy(found["labels"]), labels)


def test_maps_of_this_library_are_taken_and_saved(tmp_path):
    maps = kf.shortcuts.FrequencyMaps(planted_maps(4, (8, 8)))
    layer = kf.layers.ClassFrequencies(maps, how="drop_own", probability=1, seed=3)
    again = kf.layers.ClassFrequencies.from_config(layer.get_config())
    inputs = {"images": natural(5, (8, 8)), "labels": np.arange(5) % 4}
    for _ in range(2):
        np.testing.assert_array_equal(to_numpy(layer(inputs)["images"]), to_numpy(again(inputs)["images"]))
    still = layer(inputs, training=False)["images"]
    np.testing.assert_array_equal(to_numpy(still), inputs["images"])


@pytest.mark.parametrize("how", ["keep_other", "drop_own"])
def test_labels_without_a_map_are_refused(how):
    images = natural(4, (8, 8))
    layer = kf.layers.ClassFrequencies(planted_maps(3, (8, 8)), how=how, probability=1, seed=0)
    for labels in ([0, 1, 2, 3], [-1, 0, 1, 2], [0.0, 1.0, 2.0, float("nan")]):
        for given in (np.array(labels), np.array(labels)[:, None]):
            with refused("Labels must be from 0 to 2, the classes that have maps"):
                layer({"images": images, "labels": given})
    for width in (2, 4):
        with refused("Labels must have a weight for each of the 3 classes that have maps"):
            layer({"images": images, "labels": np.eye(width)[[0, 1, 0, 1]]})


def test_the_width_of_weights_is_looked_at_where_nothing_has_values():
    tf = pytest.importorskip("tensorflow")
    layer = kf.layers.ClassFrequencies(planted_maps(3, (8, 8)), seed=0)
    data = {"images": natural(4, (8, 8)), "labels": np.eye(4, dtype="float32")}
    with pytest.raises(ValueError, match="Labels must have a weight for each of the 3 classes"):
        tf.data.Dataset.from_tensor_slices(data).batch(2).map(layer)


def test_a_probability_is_that_of_the_second_of_two_classes():
    images, labels = natural(4, (8, 8)), np.array([0, 1, 1, 0])
    layer = kf.layers.ClassFrequencies(planted_maps(2, (8, 8)), how="drop_own", probability=1)
    given = labels, np.array([[0.4], [0.6], [0.9], [0.0]], "float32")
    one, other = (to_numpy(layer({"images": images, "labels": each})["images"]) for each in given)
    np.testing.assert_array_equal(one, other)


def test_bytes_are_filtered_as_bytes():
    images = (natural(4, (8, 8)) * 255).clip(0, 255).astype("uint8")
    layer = kf.layers.ClassFrequencies(planted_maps(2, (8, 8)), probability=1, seed=0)
    found = to_numpy(layer({"images": images, "labels": np.arange(4) % 2})["images"])
    assert found.dtype == "float32"
    np.testing.assert_allclose(found.mean((1, 2)), images.mean((1, 2)), atol=1e-3)


def test_it_trains_as_a_mixture(classifier, images, labels):
    layer = kf.layers.ClassFrequencies(planted_maps(4, (32, 32)), seed=0)
    model = kf.training.MixtureModel(classifier, layer, augment=kf.layers.CropFlip(seed=0))
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    history = model.fit(images, labels, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_it_works_in_a_pipeline_of_any_backend(images, labels):
    tf = pytest.importorskip("tensorflow")
    layer = kf.layers.ClassFrequencies(planted_maps(4, (32, 32)), probability=1, seed=0)
    data = tf.data.Dataset.from_tensor_slices({"images": images, "labels": labels}).batch(4).map(layer)
    for batch in data:
        assert batch["images"].shape == (4, 32, 32, 3)
        first = batch["images"].numpy()
    assert np.abs(first - images[4:]).max() > 0.01
    np.testing.assert_allclose(first.mean((1, 2)), images[4:].mean((1, 2)), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"maps": np.ones((8, 8))}, "`maps` must be masks"),
        ({"maps": np.ones((1, 8, 8))}, "two classes"),
        ({"maps": np.full((2, 8, 8), 2.0)}, "between 0 and 1"),
        ({"maps": np.eye(8)[None].repeat(2, 0)[:, :, ::-1] * [0, 1, 0, 0, 0, 0, 0, 0]}, "Hermitian|symmetr"),
        ({"maps": np.ones((2, 8, 8)), "how": "keep_own"}, "`how` must be"),
        ({"maps": np.ones((2, 8, 8)), "probability": 2}, "`probability` must be"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        kf.layers.ClassFrequencies(**options)


def test_wrong_inputs_are_refused(images, labels):
    layer = kf.layers.ClassFrequencies(np.ones((4, 8, 8)))
    with pytest.raises(TypeError, match="dictionary with the keys"):
        layer(images)
    with pytest.raises(TypeError, match=r"Received: \['images'\]"):
        layer({"images": images})
    with pytest.raises(ValueError, match="size of the maps, 8 x 8"):
        layer({"images": images, "labels": labels})
    with pytest.raises(ValueError, match="needs a batch"):
        layer.transform(images[0], labels[:1], np.zeros((2, 1)))
