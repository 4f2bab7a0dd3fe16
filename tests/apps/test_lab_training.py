"""The tables of networks and of augmentations, schedules and the loss of the lab's one trainer."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.lab.augmentations import ROWS, wrap, write_maps
from apps.lab.cropping import NormalizedPair
from apps.lab.networks import STATISTICS, classifier
from apps.lab.schedules import learning_rate
from apps.lab.settings import Augmentations, Crop, Training
from apps.lab.train import batches, compile_for

SHAPE = (32, 32, 3)
to_numpy = keras.ops.convert_to_numpy


def small(**options):
    return Training(width=2, crop=Crop(padding=4, fill=128 / 255), **options)


def network(training, name="network"):
    return classifier(training, SHAPE, 4, seed=0, name=name)


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_way_to_train(row):
    maps = write_maps(np.ones((4, *SHAPE[:2]))) if ROWS[row].mapped else ""
    training = small(augmentation=row, augmentations=Augmentations(maps=maps))
    model = network(training, row)
    wrapper = wrap(model, training, SHAPE, seed=0)
    assert wrapper.classifier is model
    assert wrapper.name == f"{row}_training"
    if row in ("mix_up", "cut_mix"):
        mixture = {"mix_up": keras.layers.MixUp, "cut_mix": keras.layers.CutMix}[row]
        assert isinstance(wrapper, kf.training.MixtureModel)
        assert isinstance(wrapper.mixture, mixture)
        return
    if ROWS[row].mapped:
        assert isinstance(wrapper.mixture, kf.layers.ClassFrequencies)
        assert wrapper.mixture.how == {"dfm_x": "keep_other", "dfm_dropped": "drop_own"}[row]
        return
    if row in ("amplitude_drop", "amplitude_uncertainty"):
        kinds = {"amplitude_drop": kf.training.AmplitudeDropModel}
        kinds |= {"amplitude_uncertainty": kf.training.AmplitudeUncertaintyModel}
        assert isinstance(wrapper, kinds[row])
        assert isinstance(wrapper.augment, kf.layers.CropFlip)
        return
    if row in ("spectral_low", "spectral_high"):
        assert isinstance(wrapper, kf.training.SpectralRegularizer)
        assert wrapper.towards == row.removeprefix("spectral_")
        assert isinstance(wrapper.augment, kf.layers.CropFlip)
        return
    pairs = {"apr_p": kf.layers.APRPair, "apr_sp": kf.layers.APRPair, "fda": kf.layers.FDAPair}
    pairs |= {"standard_twice": kf.layers.CropFlip}
    pairs |= dict.fromkeys(("hybrid_augment", "hybrid_augment_pp"), kf.layers.HybridPair)
    assert type(wrapper.pair) is pairs.get(row, type(None))
    if row.startswith("hybrid"):
        assert wrapper.pair.recombine_amplitude == (row == "hybrid_augment_pp")
    assert (wrapper.single is not None) == (row in ("apr_s", "apr_sp"))
    after = {
        "cutout": keras.layers.RandomErasing,
        "aug_mix": kf.layers.AugMix,
        "rand_augment": keras.layers.RandAugment,
        "fourier_noise": kf.layers.FourierNoise,
        "gaussian_noise": keras.layers.GaussianNoise,
        "spectral_dropout": kf.layers.SpectralDropout,
    }
    layers = wrapper.augment.layers if row in after else [wrapper.augment]
    kinds = [kf.layers.CropFlip, after[row]] if row in after else [kf.layers.CropFlip]
    assert [type(layer) for layer in layers] == kinds


@pytest.mark.once
@pytest.mark.parametrize("row", [name for name, row in ROWS.items() if row.whole])
def test_rows_with_a_model_of_their_own_take_no_crops_to_a_size(row):
    with pytest.raises(ValueError, match=f"`training.crop.size` must be null for {row}"):
        Training(augmentation=row, crop=Crop(area=(0.1, 1.0), size=32))


@pytest.mark.once
def test_batches_are_mirrored_in_turn_where_the_recipe_says_so(images, labels):
    in_turn = Training(crop=Crop(padding=2, flip="alternating"), batch_size=8)
    feed = batches(in_turn, images, labels, seed=0)
    pictures = []
    for epoch in (0, 1):
        feed.epoch = epoch
        pictures.append(feed[0][0])
    first, second = pictures
    assert all((one[:, ::-1] == second).all(axis=(1, 2, 3)).any() for one in first)
    assert type(batches(Training(batch_size=8), images, labels, seed=0)) is kf.data.ArrayBatches


@pytest.mark.slow
@pytest.mark.parametrize("row", ["cutout", "cut_mix"])
def test_rows_of_keras_layers_train(row, images, labels):
    training = small(augmentation=row, learning_rate=0.01)
    model = network(training)
    wrapper = wrap(model, training, SHAPE, seed=0)
    wrapper.build((None, *SHAPE))
    compile_for(wrapper, training, steps=2, classes=4)
    before = [to_numpy(v) for v in model.trainable_variables]
    history = wrapper.fit(images, labels, batch_size=4, epochs=1, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
    after = [to_numpy(v) for v in model.trainable_variables]
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    expected = to_numpy(model(images, training=False))
    np.testing.assert_allclose(wrapper.predict(images, verbose=0), expected, atol=1e-5)


def test_cutout_erases_a_quarter_of_every_image(images):
    strengths = Augmentations(hole=0.0)
    training = Training(width=2, augmentation="cutout", augmentations=strengths, crop=Crop(padding=0))
    layer = wrap(network(training), training, SHAPE, seed=0).augment
    erased = to_numpy(layer(images + 0.1, training=True)) == 0
    np.testing.assert_allclose(erased.mean(axis=(1, 2, 3)), 0.25, atol=0.04)


def test_weight_decay_is_half_the_squared_weights_times_its_strength(images, labels):
    plain, decayed = (network(small()) for _ in range(2))
    for model, strength in ((plain, 0.0), (decayed, 0.25)):
        compile_for(model, small(weight_decay=strength), steps=1, classes=4)
    norm = sum(np.sum(to_numpy(v) ** 2) for v in plain.trainable_variables)
    losses = [model.evaluate(images, labels, verbose=0)[0] for model in (plain, decayed)]
    assert losses[1] - losses[0] == pytest.approx(0.125 * norm, rel=1e-4)


def test_schedules():
    rate = learning_rate(Training(epochs=10, learning_rate=0.4, schedule="cyclic", peak=0.25), steps=4)
    assert [float(rate(step)) for step in (0, 5, 10, 25, 40)] == pytest.approx([0, 0.2, 0.4, 0.2, 0])
    again = type(rate).from_config(rate.get_config())
    assert float(again(7)) == float(rate(7))
    steps = Training(schedule="steps", milestones=(2, 3), factor=0.5, learning_rate=1.0)
    assert [float(learning_rate(steps, 10)(step)) for step in (0, 20, 21, 31)] == [1, 1, 0.5, 0.25]
    assert learning_rate(Training(learning_rate=0.3), 10) == 0.3


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_that_of_the_network_alone(policy):
    model = network(small(precision=policy))
    assert any(layer.compute_dtype == policy.removeprefix("mixed_") for layer in model.layers)
    assert all(keras.backend.standardize_dtype(v.dtype) == "float32" for v in model.trainable_variables)
    assert keras.config.dtype_policy().name == "float32"


def large(**options):
    """Training on crops of 32 from larger images, as on ImageNet."""
    strengths = Augmentations(pair=0.5, pair_space="normalized")
    crop = Crop(area=(0.08, 1.0), size=32, center=224 / 256)
    return Training(width=2, statistics="imagenet", augmentations=strengths, crop=crop, **options)


def test_apr_p_is_computed_on_normalized_images(images):
    images = images * np.linspace(0.1, 1, 8, dtype="float32")[:, None, None, None]
    mean, std = (np.array(x, "float32") for x in STATISTICS["imagenet"])

    def pair():
        return kf.layers.APRPair(probability=1, derangement=True, seed=0)

    layer = NormalizedPair(pair(), mean=mean.tolist(), std=std.tolist())
    expected = to_numpy(pair()((images - mean) / std, training=True))
    mixed = to_numpy(layer(images, training=True))
    np.testing.assert_allclose((mixed - mean) / std, expected, atol=2e-4)
    pixels = to_numpy(pair()(images, training=True))
    assert np.abs(mixed - pixels).mean() > 0.005  # another amplitude, not a matter of scale
    np.testing.assert_array_equal(to_numpy(layer(images, training=False)), images)
    again = NormalizedPair.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.once
@pytest.mark.slow
def test_crops_of_large_images_are_augmented_in_the_order_of_the_authors(monkeypatch):
    training = large(augmentation="apr_sp")
    model = network(training)
    wrapper = wrap(model, training, (40, 40, 3), seed=0)
    wrapper.build((None, 40, 40, 3))
    called = []
    for name in ("crop", "single", "augment", "pair", "classifier"):
        layer = getattr(wrapper, name)

        def record(*args, name=name, inner=layer.call, **kwargs):
            called.append((name, tuple(args[0].shape)))
            return inner(*args, **kwargs)

        monkeypatch.setattr(layer, "call", record)
    images = np.random.default_rng(0).random((6, 40, 40, 3)).astype("float32")
    wrapper(images, training=True)
    crop = (6, 32, 32, 3)
    assert called == [
        ("crop", (6, 40, 40, 3)),
        ("single", crop),
        ("augment", crop),
        ("pair", crop),
        ("classifier", (12, 32, 32, 3)),
    ]
    assert wrapper.pair.pair.probability == 0.5
    middle = wrapper.crop.middle(images)
    np.testing.assert_allclose(
        to_numpy(wrapper(images, training=False)), to_numpy(model(middle)), rtol=1e-4, atol=1e-5
    )


@pytest.mark.once
@pytest.mark.slow
def test_resnet50_takes_pixels_and_gives_logits():
    training = Training(network="resnet50_imagenet", statistics="imagenet")
    model = classifier(training, SHAPE, 1000, seed=0, name="resnet")
    assert model.count_params() == 25_636_712
    pixels = np.random.default_rng(0).random((2, *SHAPE)).astype("float32")
    mean, std = (np.array(x, "float32") for x in STATISTICS["imagenet"])
    expected = to_numpy(model.layers[-1]((pixels - mean) / std, training=False))
    np.testing.assert_allclose(to_numpy(model(pixels, training=False)), expected, rtol=1e-3, atol=1e-4)
    assert np.abs(expected.sum(axis=1) - 1).min() > 1e-3  # no softmax
