"""Learned maps: the gradient against differences, shares to the bin, frequencies that are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core.feeds import ModelFeed
from keras_freq.shortcuts._mask_learning import Pairs, compile_mask_gradient, smooth

SIDE, CLASSES = 12, 3
# One frequency for each class, vertical and horizontal.
FREQUENCIES = ((2, 1), (0, 4), (5, -3))


def wave(u: int, v: int, phase: float = 0.0, side: int = SIDE) -> np.ndarray:
    rows, columns = np.indices((side, side))
    return np.cos(2 * np.pi * (u * rows + v * columns) / side + phase)


def reader(gain: float = 1.0) -> keras.Model:
    """Logits are sums over the image times the waves of the classes."""
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(), keras.layers.Dense(CLASSES, use_bias=False)]
    )
    kernel = np.stack([wave(*one).ravel() for one in FREQUENCIES], axis=1)
    model.layers[-1].set_weights([gain * kernel.astype("float32")])
    return model


def waves(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images that hold the wave of their class, and noise at all other frequencies."""
    labels = np.arange(count) % CLASSES
    own = np.stack([wave(*FREQUENCIES[label]) for label in labels])
    noise = np.random.default_rng(seed).standard_normal((count, SIDE, SIDE))
    return np.clip(0.5 + 0.05 * own + 0.05 * noise, 0, 1)[..., None].astype("float32"), labels


@pytest.mark.parametrize("objective", ["probability", "cross_entropy"])
@pytest.mark.parametrize("size", [(12, 12), (9, 7), (8, 5)])
def test_the_gradient_is_that_of_the_loss_by_the_mask(size, objective):
    generator = np.random.default_rng(1)
    images = generator.random((5, *size, 2)).astype("float32")
    kernel = generator.standard_normal((size[0] * size[1] * 2, 3)).astype("float32") / 4
    model = keras.Sequential(
        [keras.Input((*size, 2)), keras.layers.Flatten(), keras.layers.Dense(3, use_bias=False)]
    )
    model.layers[-1].set_weights([kernel])
    weights = np.array([0.5, 0.5, -0.2, -0.3, 0.1], "float32")
    mean, labels = np.array([0.4, 0.3]), np.array([1, 0, 1, 2, 1])
    pairs = Pairs(size, 0.4, "keep")
    mask = pairs.keep(np.arange(len(pairs))[::2]).astype("float64")

    def loss(mask):
        spectrum = np.fft.fft2(images.astype("float64") - mean, axes=(1, 2))
        kept = np.fft.ifft2(spectrum * np.fft.ifftshift(mask)[None, :, :, None], axes=(1, 2)).real + mean
        logits = kept.reshape(5, -1) @ kernel.astype("float64")
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(5), labels]
        return (weights * (losses if objective == "cross_entropy" else 1 - np.exp(-losses))).sum()

    feed = ModelFeed(model, (images, np.zeros(5, int)))
    found = pairs.gather(
        compile_mask_gradient(feed, mean, objective)(images, labels, weights, mask.astype("float32"))
    )
    for pair in range(len(pairs)):
        change = pairs.keep(np.array([pair])).astype("float64")
        change[size[0] // 2, size[1] // 2] = 0
        expected = (loss(mask + 1e-5 * change) - loss(mask - 1e-5 * change)) / 2e-5
        assert found[pair] == pytest.approx(expected, rel=1e-3, abs=2e-5)


@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.2, 0.5, 1])
@pytest.mark.parametrize("size", [(12, 12), (9, 7), (8, 5)])
@pytest.mark.parametrize("dc", ["keep", "drop"])
def test_masks_keep_their_share_in_whole_pairs(size, fraction, dc):
    pairs = Pairs(size, fraction, dc)
    mask = pairs.keep(pairs.choose(np.random.default_rng(0).standard_normal(len(pairs))))
    room = max(1, int(fraction * size[0] * size[1]))
    assert room - 2 <= mask.sum() <= room
    assert mask[size[0] // 2, size[1] // 2] == (dc == "keep")
    np.testing.assert_array_equal(mask, kf.spectral.symmetrize(mask))
    assert set(np.unique(mask)) <= {0, 1}
    values = np.ones(size)
    values[size[0] // 2, size[1] // 2] = 0
    assert pairs.gather(values).sum() == size[0] * size[1] - 1


@pytest.mark.parametrize("temperature", [0.5, 0.01])
@pytest.mark.parametrize("size", [(12, 12), (9, 7)])
def test_soft_masks_keep_their_share_and_their_slope_is_that_of_the_gains(size, temperature):
    generator = np.random.default_rng(3)
    pairs = Pairs(size, 0.3, "keep")
    scores = generator.standard_normal(len(pairs))
    gains = pairs.soften(scores, temperature)
    assert pairs.draw(gains).sum() == pytest.approx(int(0.3 * size[0] * size[1]), rel=1e-5)
    assert (np.diff(gains[np.argsort(scores)]) >= 0).all()
    weights = generator.standard_normal(len(pairs))  # a loss that is linear in the gains
    slope = pairs.descend(weights, gains) / temperature
    for one in range(0, len(pairs), 5):
        change = 1e-4 * temperature * (np.arange(len(pairs)) == one)
        losses = [pairs.soften(scores + sign * change, temperature) @ weights for sign in (1, -1)]
        assert slope[one] == pytest.approx((losses[0] - losses[1]) / (2e-4 * temperature), rel=1e-3, abs=1e-6)
    np.testing.assert_array_equal(Pairs(size, 1, "keep").soften(scores, temperature), np.ones(len(pairs)))


@pytest.mark.parametrize("specificity", [0.0, 1.0])
def test_frequencies_that_tell_the_class_are_found(specificity):
    images, labels = waves(90)
    maps = kf.shortcuts.learned_map(
        reader(0.2),
        images,
        labels,
        fraction=0.03,
        specificity=specificity,
        steps=60,
        images_per_step=30,
        start="noise",
        mean=0.5,
        progress=False,
    )
    assert maps.method == "learned"
    assert (maps.masks.sum(axis=(1, 2)) <= int(0.03 * SIDE**2)).all()
    for mask, (u, v) in zip(maps.masks, FREQUENCIES, strict=True):
        assert mask[SIDE // 2 + u, SIDE // 2 + v] == 1
    report = kf.shortcuts.shortcut_report(reader(0.2), waves(60, seed=1), maps, mean=0.5)
    assert report.tpr.min() > 0.9


def test_the_mask_of_a_network_has_the_frequencies_of_all_classes(tmp_path):
    images, labels = waves(90)
    options = {"steps": 60, "images_per_step": 30, "start": "noise", "mean": 0.5, "progress": False}
    options |= {"scope": "network", "fraction": 7.5 / SIDE**2, "checkpoint": tmp_path / "mask.jsonl"}
    maps = kf.shortcuts.learned_map(reader(0.2), images, labels, **options)
    (mask,) = {one.tobytes() for one in maps.masks}
    expected = np.zeros((SIDE, SIDE), "float32")
    expected[SIDE // 2, SIDE // 2] = 1
    for u, v in FREQUENCIES:
        expected[SIDE // 2 + u, SIDE // 2 + v] = expected[SIDE // 2 - u, SIDE // 2 - v] = 1
    np.testing.assert_array_equal(maps.masks[0], expected)
    seen = kf.spectral.apply_mask(images - np.float32(0.5), expected) + np.float32(0.5)
    logits = kf.evaluate.predict_logits(reader(0.2), seen)
    assert np.mean(logits.argmax(axis=1) == labels) > 0.95
    # Read back, it is the same; specificity is of no account; a path has the mask at its end.
    again = kf.shortcuts.learned_map(reader(0.2), images, labels, specificity=3, **options)
    assert again.masks[0].tobytes() == mask
    options |= {"checkpoint": None, "fractions": (0.2, options.pop("fraction"))}
    path = kf.shortcuts.learned_path(reader(0.2), images, labels, **options)
    np.testing.assert_array_equal(path[options["fractions"][1]].masks[2], expected)


def test_the_start_by_power_is_the_ranking_by_power():
    images, labels = waves(30)
    images[labels == 1] += (
        0.2 * wave(3, 3)[..., None].astype("float32") * (0.5 - 0.5 * (images[labels == 1] > 0.7))
    )
    options = {"fraction": 0.03, "images_per_step": 4, "learning_rate": 1e-6, "mean": 0.5, "progress": False}
    maps = kf.shortcuts.learned_map(reader(), np.clip(images, 0, 1), labels, steps=1, **options)
    power = np.abs(np.fft.fft2(np.clip(images, 0, 1)[labels == 1][..., 0].astype("float64") - 0.5)) ** 2
    power = np.fft.fftshift(power.mean(axis=0))
    power[SIDE // 2, SIDE // 2] = np.inf
    ranked = kf.shortcuts.dominant_frequency_map(power[None], 0.03, ties="exact")
    np.testing.assert_array_equal(maps.masks[1], ranked.masks[0])


def test_the_same_seed_gives_the_same_maps_and_a_class_without_images_none():
    images, labels = waves(30)
    images, labels = images[labels != 2], labels[labels != 2]
    options = {"steps": 5, "images_per_step": 8, "start": "noise", "fraction": 0.1, "progress": False}
    one, two, other = (
        kf.shortcuts.learned_map(reader(), images, labels, seed=seed, **options) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.masks, two.masks)
    assert (one.masks != other.masks).any()
    assert one.masks[2].sum() == 0


def test_a_run_that_was_stopped_goes_on_with_the_next_class(tmp_path, monkeypatch):
    images, labels = waves(30)
    options = {"steps": 4, "images_per_step": 6, "fraction": 0.1, "progress": False}
    whole = kf.shortcuts.learned_map(reader(), images, labels, **options)
    checkpoint = tmp_path / "maps.jsonl"
    from keras_freq.shortcuts import _learned_map

    class Stopping(_learned_map.ScoreAdam):
        steps = 0

        def step(self, gradient, rate):
            Stopping.steps += 1
            if Stopping.steps == 7:
                raise KeyboardInterrupt
            return super().step(gradient, rate)

    with monkeypatch.context() as patched:
        patched.setattr(_learned_map, "ScoreAdam", Stopping)
        with pytest.raises(KeyboardInterrupt):
            kf.shortcuts.learned_map(reader(), images, labels, checkpoint=checkpoint, **options)
    assert len(checkpoint.read_bytes().splitlines()) == 2  # what it is of, and the first class
    Stopping.steps = 100
    with monkeypatch.context() as patched:
        patched.setattr(_learned_map, "ScoreAdam", Stopping)
        again = kf.shortcuts.learned_map(reader(), images, labels, checkpoint=checkpoint, **options)
    assert Stopping.steps == 108, "the first class was learned again"
    np.testing.assert_array_equal(again.masks, whole.masks)
    with pytest.raises(ValueError, match="checkpoint"):
        kf.shortcuts.learned_map(reader(), images, labels, checkpoint=checkpoint, **options | {"steps": 5})


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"fraction": 0}, "`fraction`"),
        ({"fraction": 1.5}, "`fraction`"),
        ({"specificity": -1}, "`specificity`"),
        ({"objective": "rate"}, "`objective`"),
        ({"scope": "image"}, "`scope` must be one of 'class', 'network'"),
        ({"steps": 0}, "`steps`"),
        ({"images_per_step": 0}, "`images_per_step`"),
        ({"images_per_step": 10**9}, "`images_per_step` must be a whole number from 1 to 65536"),
        ({"learning_rate": 0}, "`learning_rate`"),
        ({"temperatures": (0.1, 0)}, "`temperatures`"),
        ({"temperatures": (0.1,)}, "`temperatures` must be two numbers"),
        ({"start": "best"}, "`start`"),
        ({"dc": "rank"}, "`dc`"),
        ({"seed": -1}, "`seed`"),
    ],
)
def test_wrong_options_are_refused(option, message):
    images, labels = waves(6)
    with pytest.raises(ValueError, match=message):
        kf.shortcuts.learned_map(reader(), images, labels, progress=False, **option)


def test_other_classes_must_be_there_where_they_count():
    images, labels = waves(9)
    own = labels == 1
    with pytest.raises(ValueError, match=r"`specificity` above 0 needs images of two classes at least"):
        kf.shortcuts.learned_map(reader(), images[own], labels[own], progress=False)
    maps = kf.shortcuts.learned_map(
        reader(), images[own], labels[own], specificity=0, steps=2, images_per_step=2, progress=False
    )
    assert maps.masks.sum(axis=(1, 2)).tolist()[::2] == [0, 0]


def test_a_path_of_one_share_is_the_map_and_a_longer_one_begins_with_it():
    images, labels = waves(30)
    options = {"steps": 6, "images_per_step": 8, "start": "noise", "seed": 3, "progress": False}
    alone = kf.shortcuts.learned_map(reader(), images, labels, fraction=0.3, **options)
    path = kf.shortcuts.learned_path(reader(), images, labels, fractions=(0.3, 0.1, 0.05), **options)
    assert list(path) == [0.3, 0.1, 0.05]
    np.testing.assert_array_equal(path[0.3].masks, alone.masks)
    for share, maps in path.items():
        room = int(share * SIDE**2)
        assert ((room - 2 <= maps.masks.sum(axis=(1, 2))) & (maps.masks.sum(axis=(1, 2)) <= room)).all()


@pytest.mark.parametrize("fractions", [(0.1, 0.3), (0.1, 0.1), (), (0.1, 0), (2, 0.1)])
def test_shares_of_a_path_fall(fractions):
    images, labels = waves(6)
    with pytest.raises(ValueError, match="`fractions` must"):
        kf.shortcuts.learned_path(reader(), images, labels, fractions=fractions, progress=False)


@pytest.mark.parametrize("objective", ["probability", "cross_entropy"])
def test_more_weight_for_other_classes_mistakes_fewer_of_them(objective):
    images, labels = waves(90)
    rates = []
    for specificity in (0, 4):
        maps = kf.shortcuts.learned_map(
            reader(0.2),
            images,
            labels,
            fraction=0.03,
            objective=objective,
            specificity=specificity,
            steps=40,
            images_per_step=30,
            start="noise",
            mean=0.5,
            progress=False,
        )
        report = kf.shortcuts.shortcut_report(reader(0.2), waves(60, seed=1), maps, mean=0.5)
        rates.append(report.fpr.mean())
    assert rates[1] <= rates[0]


@pytest.mark.once
@pytest.mark.parametrize("size", [(12, 12), (9, 7)])
def test_smoothed_slopes_are_gaussian_means_of_all_bins_but_dc(size):
    values = np.random.default_rng(2).standard_normal(size)
    center = size[0] // 2, size[1] // 2
    assert smooth(values, 0) is values
    found = smooth(values, 1.5)
    # The periodic Gaussian, by its sum over copies of the plane.
    rows, columns = (
        np.stack([np.exp(-(((np.arange(side) + turn * side) / 1.5) ** 2) / 2) for turn in range(-6, 7)]).sum(
            0
        )
        for side in size
    )
    for y, x in ((0, 0), center, (3, 4)):
        weights = np.outer(np.roll(rows, y), np.roll(columns, x))
        weights[center] = 0
        assert found[y, x] == pytest.approx((weights * values).sum() / weights.sum(), rel=1e-3)
    np.testing.assert_allclose(smooth(np.where(values == values[center], 1e9, 3.0), 1.5), 3)
    assert np.isfinite(smooth(values, 1e-6)).all()


def test_smoothed_masks_hold_together(tmp_path):
    images, labels = waves(24)
    options = {"fraction": 0.2, "steps": 20, "images_per_step": 8, "start": "noise", "mean": 0.5}
    options |= {"progress": False, "checkpoint": tmp_path / "maps.jsonl"}

    def edges(masks: np.ndarray) -> float:
        return sum(np.abs(np.diff(masks, axis=axis)).sum() for axis in (1, 2))

    rough = kf.shortcuts.learned_map(reader(0.2), images, labels, **options)
    with pytest.raises(ValueError, match="smoothing"):
        kf.shortcuts.learned_map(reader(0.2), images, labels, smoothing=1.5, **options)
    options["checkpoint"] = None
    smoothed = kf.shortcuts.learned_map(reader(0.2), images, labels, smoothing=1.5, **options)
    np.testing.assert_allclose(smoothed.share, rough.share, atol=2 / SIDE**2)
    assert edges(smoothed.masks) < 0.7 * edges(rough.masks)
