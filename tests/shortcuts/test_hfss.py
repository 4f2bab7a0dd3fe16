"""Hierarchical search: against its definition, on a planted mask, resumed, and what it refuses."""

import keras
import numpy as np
import pytest

from keras_freq._core.journal import SweepJournal
from keras_freq.evaluate import predict_logits
from keras_freq.shortcuts import hfss
from keras_freq.shortcuts._hfss_masks import StageMasks
from keras_freq.spectral import is_hermitian
from tests.oracles import hfss as oracle
from tests.refusals import refused

FEW = {"budgets": (12, 9), "patches": (3, 1), "top": 3, "seed": 2}


def linear(size, classes, channels=1, weights=None):
    """A linear classifier of the pixels."""
    model = keras.Sequential(
        [keras.Input((*size, channels)), keras.layers.Flatten(), keras.layers.Dense(classes)], name="linear"
    )
    if weights is None:
        weights = np.random.default_rng(7).standard_normal((np.prod(size) * channels, classes))
    model.set_weights([weights, np.zeros(classes)])
    return model


def samples(size, classes, count=13, channels=1):
    generator = np.random.default_rng(8)
    images = generator.random((count, *size, channels), dtype="float32")
    return images, np.arange(count) % classes


@pytest.mark.parametrize(
    ("size", "channels", "mirror"), [((8, 8), 2, "conjugate"), ((8, 8), 1, "n-1-i"), ((9, 6), 1, "conjugate")]
)
def test_equals_the_oracle(size, channels, mirror):
    model = linear(size, 3, channels)
    images, labels = samples(size, 3, channels=channels)
    labels[labels == 2] = 1  # a class without images
    found = hfss(model, images, labels, mirror=mirror, per_step=10, **FEW)
    weights = model.get_weights()[0].astype("float64")
    masks = StageMasks(size, FEW["patches"], share=0.6, grid="all", mirror=mirror, seed=2)
    indices, losses = oracle.search(
        lambda x: x.reshape(len(x), -1) @ weights, images, labels, masks, FEW["budgets"], 3
    )
    assert found.top_masks == tuple(tuple(map(tuple, stage)) for stage in indices)
    for ours, expected in zip(found.top_losses, losses, strict=True):
        for c in (0, 1):
            np.testing.assert_allclose(ours[c], expected[c], rtol=2e-5)
        assert np.size(ours[2]) == 0
    assert found.count_per_class == (5, 8, 0)
    for c in (0, 1):
        mask = masks.mask(1, indices[1][c][0])
        partner = oracle.masked(np.ones((1, *size, 1)), mask)  # DC alone: the map keeps it or not
        assert np.allclose(partner, mask[size[0] // 2, size[1] // 2])
        np.testing.assert_allclose(
            oracle.masked(images, np.asarray(found.maps)[c]), oracle.masked(images, mask), atol=1e-12
        )
    assert all(is_hermitian(mask) for mask in np.asarray(found.maps))
    assert found.maps.masks[2].sum() == 0
    np.testing.assert_allclose(
        found.clean_losses[:2],
        oracle.class_losses(lambda x: x.reshape(len(x), -1) @ weights, images, labels, np.ones(size))[:2],
        rtol=2e-5,
    )
    np.testing.assert_allclose(found.share, np.asarray(found.maps).mean(axis=(1, 2)))
    assert found.forwards == 13 * (1 + 12 + 9)


def test_finds_a_planted_mask():
    """Each class is recognized by the frequencies of one 4x4 patch; a map of chance would hold 0.2 of it."""
    size, classes = (16, 16), 3
    rows, columns = np.array([(5, 6, 2), (9, 4, 11)])
    planted = np.zeros((classes, *size), bool)
    generator = np.random.default_rng(0)
    patterns = np.zeros((classes, *size))
    for c in range(classes):
        spectrum = np.zeros(size, complex)
        inside = (slice(rows[c], rows[c] + 2), slice(columns[c], columns[c] + 2))
        spectrum[inside] = np.exp(2j * np.pi * generator.random((2, 2)))
        pattern = np.real(np.fft.ifft2(np.fft.ifftshift(spectrum)))
        patterns[c] = pattern / np.linalg.norm(pattern)
        planted[c] = np.abs(np.fft.fftshift(np.fft.fft2(patterns[c]))) > 1e-9
        assert planted[c].sum() == 8
    model = linear(size, classes, weights=8 * patterns.reshape(classes, -1).T)
    labels = np.arange(24) % classes
    images = 0.5 + patterns[labels] + 0.05 * generator.standard_normal((24, *size))
    found = hfss(model, images[..., None].astype("float32"), labels, budgets=(60, 80, 120), top=5)
    assert found.patches == (4, 2, 1)
    held = [mask[where].mean() for mask, where in zip(np.asarray(found.maps), planted, strict=True)]
    assert np.max(found.share) < 0.3
    assert np.min(held) >= 0.75
    assert np.mean(held) > 0.85
    # Little is lost to the mask: the loss stays far below that of guessing.
    assert np.max(found.best_losses[-1]) < 0.5 * np.log(classes)


def test_numbers_do_not_depend_on_how_the_search_is_cut():
    model = linear((8, 8), 3)
    images, labels = samples((8, 8), 3)
    whole = hfss(model, images, labels, **FEW)
    for options in ({"per_step": 1}, {"per_step": 9, "batch_size": 4}, {"per_step": 64, "batch_size": 13}):
        other = hfss(model, images, labels, **FEW, **options)
        np.testing.assert_allclose(other.best_losses, whole.best_losses, rtol=2e-5)
        np.testing.assert_array_equal(other.maps, whole.maps)
    first = hfss(
        linear((1, 8), 3, channels=8),  # the same weights, channels in front
        np.moveaxis(images, -1, 1),
        labels,
        data_format="channels_first",
        **FEW,
    )
    np.testing.assert_array_equal(first.maps, whole.maps)
    assert [len(stage[0]) for stage in whole.top_losses] == [3, 3]
    assert len(whole.rows()) == 2 * 3


def test_killed_and_resumed_equals_the_unbroken_run(tmp_path, monkeypatch):
    model = linear((8, 8), 3)
    images, labels = samples((8, 8), 3)
    options = {**FEW, "budgets": (90, 70), "per_step": 20, "batch_size": 5}
    unbroken = hfss(model, images, labels, **options)
    path, add, passes = tmp_path / "search.jsonl", SweepJournal.add, []

    def interrupted(self, rows):
        passes.append(len(rows))
        if len(passes) == 6:
            raise KeyboardInterrupt
        add(self, rows)

    with monkeypatch.context() as patch:
        patch.setattr(SweepJournal, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            hfss(model, images, labels, checkpoint=path, **options)
    assert len(path.read_text().splitlines()) == 1 + 5
    # A kill in the middle of a line.
    path.write_text(path.read_text() + '{"1,64": [0.1, 0')
    passes.clear()
    monkeypatch.setattr(SweepJournal, "add", lambda self, rows: passes.append(len(rows)) or add(self, rows))
    resumed = hfss(model, images, labels, checkpoint=path, **options)
    assert passes == [32, 6]  # of 1, 32, 32, 26, 32, 32, 6 masks
    assert resumed == unbroken
    np.testing.assert_array_equal(resumed.maps, unbroken.maps)
    with pytest.raises(ValueError, match=r"where share is 0\.6, here 0\.5"):
        hfss(model, images, labels, checkpoint=path, share=0.5, **options)
    with pytest.raises(ValueError, match="where images is"):
        hfss(model, images[::-1], labels, checkpoint=path, **options)


def test_a_network_is_searched(classifier, images, labels):
    found = hfss(classifier, images, labels, budgets=(4, 4), top=2)
    assert found.patches == (8, 4)
    assert np.isfinite(found.best_losses).all()
    logits = predict_logits(classifier, images).astype("float64")
    losses = np.log(np.exp(logits).sum(axis=-1)) - logits[np.arange(8), labels]
    np.testing.assert_allclose(found.clean_losses, [losses[labels == c].mean() for c in range(4)], rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budgets": ()}, "`budgets` must be a sequence of whole numbers, one for each stage"),
        ({"budgets": 100}, "`budgets` must be a sequence of whole numbers"),
        ({"budgets": (10, 0)}, "`budgets` must be a whole number of at least 1. Received: budgets=0"),
        (
            {"patches": (4,), "budgets": (10, 10)},
            "one number for each stage. Received: 1 patches and 2 budgets",
        ),
        ({"patches": (4, 0.5), "budgets": (9, 9)}, "`patches` must be a whole number of at least 1"),
        ({"share": 0}, "`share` must be a finite number in (0, 1). Received: share=0"),
        ({"share": 1.0}, "`share` must be a finite number in (0, 1)"),
        ({"top": 0}, "`top` must be a whole number of at least 1"),
        ({"grid": "other"}, "`grid` must be one of 'all', 'aligned', 'shifted', 'union'"),
        ({"mirror": "mean"}, "`mirror` must be one of 'conjugate', 'n-1-i'"),
        ({"seed": -1}, "`seed` must be"),
        ({"per_step": 0}, "`per_step` must be a whole number of at least 1"),
        ({"batch_size": 20, "per_step": 10}, "`batch_size` must be at most per_step=10"),
        ({"data_format": "nhwc"}, "`data_format` must be one of"),
    ],
)
def test_wrong_arguments_are_one_line(options, message):
    images, labels = samples((6, 6), 2)
    with refused(message, match="must"):
        hfss(linear((6, 6), 2), images, labels, **options)


def test_wrong_images_are_refused():
    model, (images, labels) = linear((6, 6), 2), samples((6, 6), 2)
    with pytest.raises(ValueError, match="labels from 0 to 5"):
        hfss(model, images, np.where(labels == 1, 5, 0), budgets=(2,))
    with pytest.raises(ValueError, match="NaN"):
        hfss(model, np.full_like(images, np.nan), labels, budgets=(2,))
    with pytest.raises(ValueError, match="empty"):
        hfss(model, images[:0], labels[:0], budgets=(2,))
