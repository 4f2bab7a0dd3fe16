"""Sufficient maps: the gradient of each image, what is kept against NumPy, frequencies that are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core.feeds import ModelFeed
from keras_freq.shortcuts._mask_learning import Pairs
from keras_freq.shortcuts._sufficient_maps import _compile
from tests.shortcuts.test_learned_map import FREQUENCIES, SIDE, reader, waves

SHARES = (0.1, 0.03)
ROUNDING = 1e-6  # of a logit that is zero


@pytest.mark.parametrize("size", [(12, 12), (9, 7)])
def test_each_image_has_the_slope_of_its_own_mask(size):
    generator = np.random.default_rng(1)
    images = generator.random((3, *size, 2)).astype("float32")
    kernel = generator.standard_normal((size[0] * size[1] * 2, 3)).astype("float32") / 4
    model = keras.Sequential(
        [keras.Input((*size, 2)), keras.layers.Flatten(), keras.layers.Dense(3, use_bias=False)]
    )
    model.layers[-1].set_weights([kernel])
    mean, labels = np.array([0.4, 0.3]), np.array([2, 0, 1], "int32")
    pairs = Pairs(size, 0.4, "keep")
    gains = generator.random((3, len(pairs)))
    masks = np.stack([pairs.draw(one) for one in gains])

    def logits(masks):
        spectrum = np.fft.fft2(images.astype("float64") - mean, axes=(1, 2))
        kept = np.fft.ifft2(spectrum * np.fft.ifftshift(masks, axes=(1, 2))[..., None], axes=(1, 2)).real
        return (kept + mean).reshape(3, -1) @ kernel.astype("float64")

    def lost(masks):
        powers = np.exp(logits(masks))
        return 1 - powers[np.arange(3), labels] / powers.sum(axis=1)

    learn, see = _compile(ModelFeed(model, images, needs_labels=False), mean)
    np.testing.assert_allclose(see(images, masks), logits(masks.astype("float64")), rtol=1e-4, atol=1e-4)
    slopes = learn(images, labels, masks)
    for pair in range(0, len(pairs), 3):
        change = pairs.keep(np.array([pair])).astype("float64")
        change[size[0] // 2, size[1] // 2] = 0
        expected = (lost(masks + 1e-5 * change) - lost(masks - 1e-5 * change)) / 2e-5
        found = [pairs.gather(slope)[pair] for slope in slopes]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


def test_the_wave_that_tells_the_class_is_enough_and_what_is_kept_is_so():
    images, labels = waves(9)
    model = reader(0.2)
    found = kf.shortcuts.sufficient_maps(
        model, images, fractions=SHARES, steps=20, mean=0.5, batch_size=4, progress=False
    )
    assert found.answers == tuple(model.predict(images, verbose=0).argmax(axis=1).tolist())
    assert found.answers == tuple(labels.tolist())
    assert (found.share == 0.03).sum() >= 6
    own = [
        mask[SIDE // 2 + u, SIDE // 2 + v] for mask, (u, v) in zip(found.masks, FREQUENCIES * 3, strict=True)
    ]
    assert sum(own) >= 6
    power = np.abs(np.fft.fftshift(np.fft.fft2(images[..., 0].astype("float64") - 0.5), axes=(1, 2))) ** 2
    power[:, SIDE // 2, SIDE // 2] = np.inf
    strongest = kf.shortcuts.dominant_frequency_map(power, 0.03, ties="exact").masks
    parts = [
        kf.spectral.apply_mask(x[None] - 0.5, m)[0] + 0.5 for x, m in zip(images, strongest, strict=True)
    ]
    logits = model.predict(np.stack(parts), verbose=0)
    clear = np.ptp(np.sort(logits, axis=1)[:, -2:], axis=1) > ROUNDING
    assert clear.sum() >= 6
    right = logits.argmax(axis=1) == labels
    by_power = np.array([row[-1] for row in found.kept_by_power])
    np.testing.assert_array_equal(by_power[clear], right[clear])
    for image, mask, label, share in zip(images, found.masks, labels, found.share, strict=True):
        assert mask.sum() <= int(share * SIDE**2)
        kept = kf.spectral.apply_mask(image[None] - 0.5, mask.astype("float32")) + 0.5
        # A mask without any wave of a class that has none of the wrong ones either leaves a tie of zeros.
        logits = model.predict(kept, verbose=0)[0]
        assert logits[label] >= logits.max() - ROUNDING


def test_images_do_not_touch_each_other():
    images, _ = waves(5)
    options = {"fractions": (0.3, 0.05), "steps": 4, "mean": 0.5, "progress": False}
    together = kf.shortcuts.sufficient_maps(reader(), images, batch_size=5, **options)
    apart = kf.shortcuts.sufficient_maps(reader(), images, batch_size=2, **options)
    assert (together.masks != apart.masks).mean() < 0.02  # rounding can exchange two pairs
    assert together.answers == apart.answers


def test_another_answer_can_be_asked_for_and_may_not_be_had():
    images, labels = waves(6)
    other = (labels + 1) % 3
    found = kf.shortcuts.sufficient_maps(
        reader(), images, answers=other, fractions=(1.0,), steps=1, mean=0.5, progress=False
    )
    assert found.answers == tuple(other.tolist())
    assert not np.any(found.kept)
    assert found.share.tolist() == [1] * 6
    assert found.masks.min() == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"fractions": (0.1, 0.2)}, "`fractions` must fall"),
        ({"steps": 0}, "`steps`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"learning_rate": -1}, "`learning_rate`"),
        ({"temperatures": (1, 0)}, "`temperatures`"),
        ({"dc": "rank"}, "`dc`"),
        ({"answers": [0, 1]}, "`answers` must hold a class in"),
        ({"answers": [0, 1, 3]}, "from 0 to 3"),
        ({"answers": [0.0, 1.0, 2.0]}, "`answers` must hold a class in"),
    ],
)
def test_wrong_options_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        kf.shortcuts.sufficient_maps(reader(), waves(3)[0], progress=False, **option)
