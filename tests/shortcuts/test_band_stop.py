import itertools

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.evaluate import predict_logits
from keras_freq.shortcuts import band_stop
from tests.oracles import adcs as oracle
from tests.oracles import shortcuts
from tests.refusals import refused

PAIRS = tuple(itertools.combinations((1, 2, 3, 4), 2))


def predictions(model, images, mask):
    model = kf.Classifier(model, value_range=(-9, 9))  # filtered images leave [0, 1]
    logits = predict_logits(model, shortcuts.filtered(images, mask).astype("float32"))
    tied = (logits == logits.max(axis=1, keepdims=True)).sum(axis=1) > 1
    return np.where(tied, -1, logits.argmax(axis=1))


def check(result, model, images, labels, edges, stopped, keep_dc=True):
    size = images.shape[1:3]
    whole = predictions(model, images, np.ones(size))
    assert result.edges == edges
    assert result.stopped == stopped
    for index, bands in enumerate(stopped):
        found = predictions(model, images, oracle.band_mask(*size, edges, bands, keep_dc))
        change = oracle.relative_confusion(labels, whole, found, 4)
        np.testing.assert_allclose(result.change[index], change)
        recognized = [(found[labels == c] == c).mean() for c in range(4)]
        np.testing.assert_allclose(result.tpr[index], recognized)


def test_every_pair_by_hand(classifier, images, labels):
    result = band_stop(classifier, (images, labels))
    check(result, classifier, images, labels, (0.0, 4.0, 8.0, 12.0), PAIRS)
    assert (result.n, result.count_per_class) == (8, (2, 2, 2, 2))
    np.testing.assert_allclose(result.change.sum(axis=-1), 0, atol=1e-9)
    for per_step, batch_size in ((1, None), (5, 3), (400, 8)):
        assert band_stop(classifier, (images, labels), per_step=per_step, batch_size=batch_size) == result


@pytest.mark.parametrize("keep_dc", [True, False])
def test_own_bands(classifier, images, labels, keep_dc):
    edges, stopped = (0.0, 2.5, 9.0), ((1,), (3, 2), (1, 2, 3))
    result = band_stop(classifier, (images, labels), stopped, edges=edges, keep_dc=keep_dc)
    check(result, classifier, images, labels, edges, stopped, keep_dc)
    assert result.settings["keep_dc"] is keep_dc


def test_pairs_of_fewer_bands(classifier, images, labels):
    assert band_stop(classifier, (images, labels), edges=(0, 8, 12)).stopped == ((1, 2), (1, 3), (2, 3))
    assert band_stop(classifier, (images, labels), edges=(0,)).stopped == ((1,),)


@pytest.mark.parametrize("planted", [1, 2, 3, 4])
def test_a_class_survives_where_its_frequency_stays(rng, planted):
    height, width = 16, 12
    # Of a width of 12 the bands begin at 0, 1.5, 3 and 4.5; the last reaches to the corner.
    frequency = {1: (1, 0), 2: (0, 2), 3: (3, 2), 4: (7, 5)}[planted]
    angle = (
        2
        * np.pi
        * (frequency[0] * np.arange(height)[:, None] / height + frequency[1] * np.arange(width) / width)
    )
    wave = np.cos(angle).astype("float32")[None, :, :, None]
    images = np.concatenate([0.5 + 0.1 * wave, np.full_like(wave, 0.5), 0.5 + 0.2 * wave])
    labels = np.array([1, 0, 1])
    model = keras.Sequential([keras.Input((height, width, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    kernel = np.stack([np.zeros(height * width), wave.ravel()], axis=1)
    model.layers[-1].set_weights([kernel, np.array([1.0, 0])])
    result = band_stop(model, (images, labels))
    assert result.clean_confusion == ((1, 0), (0, 2))
    for bands, change, rate in zip(result.stopped, result.change, result.tpr, strict=True):
        lost = planted in bands
        np.testing.assert_allclose(change, [[0, 0], [100, -100]] if lost else np.zeros((2, 2)))
        np.testing.assert_allclose(rate, [1, 0] if lost else [1, 1])


def test_classes_without_images_channels_first_and_rows(classifier, images):
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    result = band_stop(classifier, (images, labels))
    assert np.isnan(result.change[:, 2:]).all()
    assert np.isnan(result.tpr[:, 2:]).all()
    assert np.isfinite(result.change[:, :2]).all()
    model = keras.Sequential([keras.Input((3, 32, 32)), keras.layers.Permute((2, 3, 1)), classifier])
    first = band_stop(model, (images.transpose(0, 3, 1, 2), labels), data_format="channels_first")
    assert first.confusion == result.confusion
    assert len(result.rows()) == 6 * 16
    row = next(r for r in result.rows() if (r["stopped"], r["class"], r["predicted"]) == ("2+4", 1, 3))
    assert row["change"] == result.change[4, 1, 3]
    assert row["count"] - row["clean"] == row["change"] * 5 / 100


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stopped": [(5,)]}, "tuples of bands from 1 to 4, each once. Received: \\(5,\\)"),
        ({"stopped": [(0, 1)]}, "from 1 to 4"),
        ({"stopped": [(1, 1)]}, "each once"),
        ({"stopped": [(1.5,)]}, "each once"),
        ({"stopped": [()]}, "each once"),
        ({"stopped": []}, "at least one tuple of bands"),
        ({"stopped": (1, 2)}, "at least one tuple of bands"),
        ({"stopped": 2}, "at least one tuple of bands from 1 to 4. Received: 2"),
        ({"stopped": [(3,)], "edges": (0, 4)}, "from 1 to 2"),
        ({"edges": (1, 4)}, "`edges` must ascend from 0"),
        ({"edges": (0, 4, 4)}, "`edges` must ascend from 0"),
        ({"edges": ()}, "`edges` must ascend from 0"),
        ({"edges": "wide"}, "`edges` must ascend from 0 .* Received: edges='wide'"),
        ({"per_step": 0}, "`per_step` must be a whole number"),
        ({"data_format": "nhwc"}, "`data_format` must be one of"),
    ],
)
def test_refuses_bad_input(classifier, images, labels, changed, message):
    with refused(match=message):
        band_stop(classifier, (images, labels), **changed)


def test_refuses_labels_beyond_the_model(classifier, images):
    with pytest.raises(ValueError, match="from 0 to 3, the model's outputs"):
        band_stop(classifier, (images, np.full(8, 4)))
