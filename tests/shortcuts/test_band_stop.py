from __future__ import annotations

import itertools

import numpy as np
import pytest

from keras_freq.evaluate import predict_logits
from keras_freq.shortcuts import band_stop
from keras_freq.spectral import radial_distance
from tests.oracles import shortcuts as oracle


def test_confusions_by_hand(classifier, images, labels, tmp_path):
    result = band_stop(classifier, (images, labels), per_step=11)
    assert result.edges == (0, 4, 8, 12)
    assert result.stopped == tuple(itertools.combinations((1, 2, 3, 4), 2))
    distance = radial_distance(32, 32)
    clean = np.zeros((4, 4), int)
    np.add.at(clean, (labels, predict_logits(classifier, images).argmax(axis=1)), 1)
    np.testing.assert_array_equal(result.clean_confusion, clean)
    for index, bands in enumerate(result.stopped):
        mask = np.ones((32, 32))
        for band in bands:
            inside = (distance >= 4 * (band - 1)) & ((distance < 4 * band) if band < 4 else True)
            mask[inside & (distance > 0)] = 0
        predicted = predict_logits(classifier, oracle.filtered(images, mask).astype("float32")).argmax(axis=1)
        counts = np.zeros((4, 4), int)
        np.add.at(counts, (labels, predicted), 1)
        np.testing.assert_array_equal(result.confusion[index], counts)
        np.testing.assert_allclose(result.change[index], 100 * (counts - clean) / 2)
        np.testing.assert_allclose(result.tpr[index], np.diag(counts) / 2)
    np.testing.assert_allclose(result.change.sum(axis=-1), 0)
    result.to_csv(tmp_path / "band_stop.csv")
    assert len((tmp_path / "band_stop.csv").read_text().splitlines()) == 1 + 6 * 16


def test_own_bands_and_dc(classifier, images, labels):
    low = band_stop(classifier, (images, labels), [(1,), (1, 2)], edges=(0, 20))
    assert low.confusion[1] == band_stop(classifier, (images, labels), [(1, 2)], edges=(0, 9)).confusion[0]
    nothing = band_stop(classifier, (images, labels), [(1, 2)], edges=(0, 9), keep_dc=False)
    zeros = predict_logits(classifier, 0 * images).argmax(axis=1)
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (labels, zeros), 1)
    np.testing.assert_array_equal(nothing.confusion[0], counts)
    empty = band_stop(classifier, (images, 0 * labels), [(4,)])
    assert np.isnan(empty.change[0, 1:]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stopped": [(5,)]}, r"from 1 to 4, each once. Received: \(5,\)"),
        ({"stopped": [(1, 1)]}, "each once"),
        ({"stopped": [()]}, "each once"),
        ({"stopped": []}, "at least one tuple of bands"),
        ({"stopped": "12"}, "at least one tuple of bands"),
        ({"edges": (1, 2)}, "`edges` must ascend from 0"),
        ({"edges": (0, 4, 4)}, "`edges` must ascend from 0"),
        ({"per_step": 0}, "`per_step` must be"),
    ],
)
def test_refuses_bad_input(classifier, images, labels, changed, message):
    with pytest.raises(ValueError, match=message) as error:
        band_stop(classifier, (images, labels), **changed)
    assert "\n" not in str(error.value)
