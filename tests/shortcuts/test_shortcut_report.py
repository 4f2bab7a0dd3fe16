import dataclasses
import tracemalloc

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.evaluate import accuracy, predict_logits
from keras_freq.shortcuts import (
    FrequencyMaps,
    _shortcut_report,
    dominant_frequency_map,
    frequency_importance,
    shortcut_report,
)
from keras_freq.spectral import disk_mask
from tests.oracles import shortcuts as oracle
from tests.refusals import refused


@pytest.fixture
def maps(rng):
    return dominant_frequency_map(np.stack([disk_mask(32, 32, r) for r in (3, 5, 9, 14)]), 0.3)


def test_rates_by_hand(classifier, images, labels, maps):
    report = shortcut_report(classifier, (images, labels), maps, per_step=5)
    confusion = np.zeros((4, 4, 4), int)
    for c, mask in enumerate(maps.masks):
        wide = kf.Classifier(classifier, value_range=(-9, 9))  # filtered images leave [0, 1]
        predicted = predict_logits(wide, oracle.filtered(images, mask).astype("float32")).argmax(axis=1)
        np.add.at(confusion[c], (labels, predicted), 1)
    np.testing.assert_array_equal(report.confusion, confusion)
    tpr, fpr = oracle.rates(confusion)
    np.testing.assert_allclose(report.tpr, tpr)
    np.testing.assert_allclose(report.fpr, fpr)
    clean = np.zeros((4, 4), int)
    np.add.at(clean, (labels, predict_logits(classifier, images).argmax(axis=1)), 1)
    np.testing.assert_array_equal(report.clean_confusion, clean)
    expected = oracle.rates([clean] * 4)
    np.testing.assert_allclose(report.clean_tpr, expected[0])
    np.testing.assert_allclose(report.clean_fpr, expected[1])
    assert report.clean_accuracy == accuracy(classifier, (images, labels)).accuracy
    np.testing.assert_allclose(report.share, maps.share)
    assert (report.n, report.method, report.undefined) == (8, "given", (0,) * 4)


def test_rates_from_a_hand_made_confusion(classifier, images, labels, maps):
    report = shortcut_report(classifier, (images, labels), maps)
    counts = np.zeros((4, 4, 4), int)
    counts[:] = np.diag([2, 2, 2, 2])
    counts[1] = [[1, 1, 0, 0], [0, 2, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]]
    made = dataclasses.replace(
        report,
        confusion=tuple(tuple(map(tuple, part)) for part in counts.tolist()),
        own_confusion=tuple(tuple(part[c]) for c, part in enumerate(counts.tolist())),
    )
    np.testing.assert_allclose(made.tpr, [1, 1, 1, 1])
    np.testing.assert_allclose(made.fpr, [0, 3 / 6, 0, 0])
    assert made.shortcuts() == (0, 1, 2, 3)
    assert made.shortcuts(fpr=0.1) == (0, 2, 3)
    rows = made.rows()
    assert [row["tpr"] for row in rows] == [1, 1, 1, 1]
    assert rows[1]["fpr"] == 0.5


@pytest.mark.parametrize("per_step", [1, 3, 64])
def test_own_images_alone_give_the_same_tpr(classifier, images, labels, maps, per_step):
    whole = shortcut_report(classifier, (images, labels), maps)
    own = shortcut_report(classifier, (images, labels), maps, others=False, per_step=per_step)
    np.testing.assert_allclose(own.tpr, whole.tpr)
    np.testing.assert_array_equal(own.clean_confusion, whole.clean_confusion)
    assert own.own_confusion == whole.own_confusion
    assert own.own_confusion == tuple(part[c] for c, part in enumerate(whole.confusion))
    assert own.confusion == ()
    assert np.isnan(own.fpr).all()


def test_channels_first_and_uint8(classifier, images, labels, maps):
    whole = shortcut_report(classifier, (images, labels), maps)
    model = keras.Sequential([keras.Input((3, 32, 32)), keras.layers.Permute((2, 3, 1)), classifier])
    first = shortcut_report(model, (images.transpose(0, 3, 1, 2), labels), maps, data_format="channels_first")
    assert first.confusion == whole.confusion
    levels = np.round(255 * images).astype("uint8")
    assert (
        shortcut_report(classifier, (levels, labels), maps).confusion
        == shortcut_report(classifier, (levels / np.float32(255), labels), maps).confusion
    )


def test_refuses_images_that_were_searched_on(classifier, images, labels):
    importance = frequency_importance(classifier, images[:5], labels[:5], patch=8)
    maps = dominant_frequency_map(importance, 0.2)
    with pytest.raises(ValueError, match=r"split='test' given\. Received: a batch with 5 of them"):
        shortcut_report(classifier, (images, labels), maps)
    assert shortcut_report(classifier, (images, labels), maps, split="test").n == 8
    assert shortcut_report(classifier, (images[5:], labels[5:]), maps).n == 3
    assert shortcut_report(classifier, (images, labels), maps.masks).method == "given"


def test_undefined_logits_count_for_no_class(images, labels, maps):
    inputs = keras.Input((32, 32, 3))
    sums = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(
        inputs, keras.layers.Dense(4, kernel_initializer=keras.initializers.Constant(np.inf))(sums)
    )
    report = shortcut_report(model, (images, labels), maps)
    assert report.undefined == (8,) * 4
    assert np.array(report.confusion).sum() == 0
    np.testing.assert_array_equal(report.tpr, 0)


def test_a_class_without_images_has_no_rate(classifier, images, maps):
    report = shortcut_report(classifier, (images, np.zeros(8, int)), maps)
    assert np.isnan(report.tpr[1:]).all()
    assert np.isnan(report.fpr[0])
    assert not np.isnan(report.tpr[0])


@pytest.mark.parametrize(
    ("masks", "changed", "message"),
    [
        (np.ones((3, 32, 32)), {}, "`maps` must have the shape \\(4, 32, 32\\)"),
        (np.ones((4, 32, 31)), {}, "Received: shape \\(4, 32, 31\\)"),
        (np.ones((32, 32)), {}, "`maps` must be finite masks of shape"),
        (np.full((4, 32, 32), np.nan), {}, "`maps` must be finite masks"),
        (
            np.triu(np.ones((32, 32)))[None].repeat(4, 0),
            {},
            "Received: masks of the classes \\[0, 1, 2, 3\\]",
        ),
        (np.ones((4, 32, 32)), {"split": "both"}, "`split` must be one of"),
        (np.ones((4, 32, 32)), {"per_step": 0}, "`per_step` must be"),
    ],
)
def test_refuses_bad_input(classifier, images, labels, masks, changed, message):
    with refused(match=message):
        shortcut_report(classifier, (images, labels), masks, **changed)


@pytest.mark.parametrize("per_step", [1, 8, 64])
def test_many_classes_have_the_same_rates(monkeypatch, classifier, images, labels, maps, per_step):
    whole = shortcut_report(classifier, (images, labels), maps, per_step=per_step, batch_size=3)
    monkeypatch.setattr(_shortcut_report, "WHOLE", 3)
    many = shortcut_report(classifier, (images, labels), maps, per_step=per_step, batch_size=3)
    assert many.confusion == ()
    np.testing.assert_array_equal(many.taken, [np.array(p)[:, c] for c, p in enumerate(whole.confusion)])
    assert many == dataclasses.replace(whole, confusion=(), taken=many.taken)
    np.testing.assert_array_equal(many.fpr, whole.fpr)
    assert many.shortcuts(0.5, 0.5) == whole.shortcuts(0.5, 0.5)
    assert many.from_json(many.to_json()) == many
    own = shortcut_report(classifier, (images, labels), maps, others=False)
    assert own.own_confusion == many.own_confusion


def test_answers_that_are_none_count_for_no_mask_of_many(monkeypatch, images, labels, maps):
    monkeypatch.setattr(_shortcut_report, "WHOLE", 3)
    for weight, lost in ((np.inf, "undefined"), (0.0, "ties")):
        start = keras.initializers.Constant(weight)
        layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4, kernel_initializer=start)]
        report = shortcut_report(
            keras.Sequential([keras.Input((32, 32, 3)), *layers]), (images, labels), maps
        )
        assert getattr(report, lost) == (8,) * 4
        assert np.sum(report.taken) == np.sum(report.own_confusion) == np.sum(report.clean_confusion) == 0


@pytest.mark.once
def test_memory_grows_with_the_square_of_the_classes(rng):
    classes, images = 400, rng.random((6, 4, 4, 1), "float32")
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(classes)])
    tracemalloc.start()
    report = shortcut_report(model, (images, np.arange(6)), np.ones((classes, 4, 4)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < classes**3  # a byte for each confusion; they are integers of eight
    # Masks that keep all change nothing.
    np.testing.assert_array_equal(report.taken, np.transpose(report.clean_confusion))
    assert np.sum(report.taken) == 6


def test_takes_maps_of_any_kind(classifier, images, labels):
    masks = np.ones((4, 32, 32), "float32")
    whole = shortcut_report(classifier, (images, labels), FrequencyMaps(masks, "hfss"))
    assert whole.method == "hfss"
    for part in whole.confusion:
        assert part == whole.clean_confusion
