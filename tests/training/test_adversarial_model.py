"""AdversarialModel: the published attack inside the compiled step, the bare classifier otherwise."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.training import AdversarialModel
from tests.refusals import refused

to_numpy = keras.ops.convert_to_numpy
EPSILON = 0.03


def compiled(model, rate=0.1, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"], **options)
    return model


def copy_of(classifier):
    copy = keras.models.clone_model(classifier)
    copy.set_weights(classifier.get_weights())
    return copy


def prepared(model, images, labels):
    moved, same = model.prepare(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels))
    np.testing.assert_array_equal(to_numpy(same), labels)
    return to_numpy(moved)


def losses(classifier, images, labels):
    logits = to_numpy(classifier(images)).astype("float64")
    return np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_attack_is_that_of_the_package(norm, classifier, images, labels):
    epsilon = EPSILON if norm == "linf" else 0.5
    model = AdversarialModel(classifier, epsilon=epsilon, steps=4, norm=norm, random_start=False)
    moved = prepared(model, images, labels)
    expected = kf.attacks.pgd(classifier, images, labels, epsilon=epsilon, steps=4, norm=norm)
    assert np.mean(np.abs(moved - expected) < 1e-5) > 0.995
    assert (losses(classifier, moved, labels) > losses(classifier, images, labels)).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_nothing_leaves_the_ball_or_the_bounds(norm, classifier, images, labels):
    model = AdversarialModel(classifier, epsilon=0.3, steps=2, step_size=1.0, norm=norm, seed=0)
    moved = prepared(model, images, labels)
    change = (moved - images).reshape(len(images), -1).astype("float64")
    size = np.abs(change).max(1) if norm == "linf" else np.sqrt(np.square(change).sum(1))
    assert size.max() <= 0.3 + 1e-6
    assert size.min() > 0.1
    assert moved.min() >= 0
    assert moved.max() <= 1


def front(kind):
    if kind == "Rescaling":
        return keras.layers.Rescaling(1 / 255)
    return keras.layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[3600.0] * 3)


@pytest.mark.parametrize("kind", ["Rescaling", "Normalization"])
def test_bounds_are_those_of_evaluation(kind, classifier, images, labels, eagerly):
    """Floats from 0 to 255, which the model's own first layer takes, are attacked there and not cut to 1."""
    net = keras.Sequential([keras.Input((32, 32, 3)), front(kind), classifier])
    pixels = np.round(images * 255).astype("float32")
    plain, declared = (
        AdversarialModel(one, epsilon=EPSILON, steps=2, seed=0)
        for one in (net, kf.Classifier(net, value_range=(0, 255)))
    )
    assert plain.bounds == kf.Classifier(net).settle_range(pixels).value_range == (0, 255)
    moved = prepared(plain, pixels, labels)
    np.testing.assert_array_equal(moved, prepared(declared, pixels, labels))
    assert 0.9 * 255 * EPSILON < np.abs(moved - pixels).max() <= 255 * EPSILON + 1e-3
    as_bytes = AdversarialModel(net, epsilon=EPSILON, steps=2, seed=0)
    np.testing.assert_array_equal(prepared(as_bytes, pixels.astype("uint8"), labels), moved)
    compiled(plain, **eagerly).fit(pixels, labels, verbose=0)
    with pytest.warns(UserWarning, match="which are black to it"):
        plain.fit(images, labels, verbose=0)


def test_images_beyond_the_bounds_are_refused(classifier, images, labels, eagerly):
    wide = (images - 0.5) / 0.2
    model = compiled(AdversarialModel(classifier, steps=1, augment=kf.layers.CropFlip()), **eagerly)
    before = classifier.get_weights()
    with refused("Images must lie in the bounds of the attack, 0 to 1"):
        model.fit(wide, labels, verbose=0)
    for one, other in zip(before, classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    compiled(AdversarialModel(classifier, steps=1, bounds=(-3, 3)), **eagerly).fit(wide, labels, verbose=0)
    # What an augmentation brings into the bounds is taken.
    rescale = keras.layers.Rescaling(0.2, 0.5)
    compiled(AdversarialModel(classifier, steps=1, augment=rescale), **eagerly).fit(wide, labels, verbose=0)


def test_random_starts_are_new_at_every_step_and_repeat_with_the_seed(classifier, images, labels):
    def draws(seed):
        model = AdversarialModel(classifier, epsilon=EPSILON, steps=1, step_size=0.0, seed=seed)
        return [prepared(model, images, labels) for _ in range(2)]

    first, second = draws(3)
    assert (first != second).mean() > 0.9
    np.testing.assert_array_equal(first, draws(3)[0])
    assert np.abs(first - images).max() > 0.9 * EPSILON
    np.testing.assert_allclose(first, np.clip(first, 0, 1))


def test_a_training_step_is_a_step_on_the_adversarial_images(classifier, images, labels, eagerly):
    by_hand, ours = compiled(copy_of(classifier), **eagerly), copy_of(classifier)
    moved = kf.attacks.pgd(classifier, images, labels, epsilon=EPSILON, steps=3)
    expected = by_hand.fit(moved, labels, batch_size=8, verbose=0, shuffle=False).history
    model = compiled(AdversarialModel(ours, epsilon=EPSILON, steps=3, random_start=False))
    history = model.fit(
        images, labels, batch_size=8, verbose=0, shuffle=False, validation_data=(images, labels)
    ).history
    for a, b in zip(ours.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    # Training is scored on the adversarial images, validation on the images as they are.
    assert history["loss"][0] == pytest.approx(expected["loss"][0], rel=1e-4)
    assert history["accuracy"][0] == pytest.approx(expected["accuracy"][0])
    assert history["val_loss"][0] == pytest.approx(losses(ours, images, labels).mean(), rel=1e-4)


def test_batch_normalization_sees_the_step_and_not_the_attack(images, labels):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.BatchNormalization(momentum=0.0, name="bn")(inputs)
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(x))
    net = keras.Model(inputs, keras.layers.Dense(4)(x))
    moved = kf.attacks.pgd(net, images, labels, epsilon=0.2, steps=2)
    compiled(AdversarialModel(net, epsilon=0.2, steps=2, random_start=False), 0.0).fit(
        images, labels, batch_size=8, verbose=0
    )
    mean = to_numpy(net.get_layer("bn").moving_mean)
    np.testing.assert_allclose(mean, moved.mean((0, 1, 2)), rtol=1e-4)
    assert np.abs(mean - images.mean((0, 1, 2))).max() > 1e-3


def test_random_draws_advance_inside_fit(classifier, images, labels):
    model = compiled(
        AdversarialModel(classifier, epsilon=EPSILON, steps=1, augment=kf.layers.CropFlip(2, seed=1), seed=0)
    )
    states = [model.seed_generator.state, model.augment.seed_generator.state]
    before = [to_numpy(state.value).copy() for state in states]
    weights = classifier.get_weights()
    model.fit(images, labels, batch_size=4, epochs=2, verbose=0)
    for state, old in zip(states, before, strict=True):
        assert (to_numpy(state.value) != old).any()
    assert any((new != old).any() for new, old in zip(classifier.get_weights(), weights, strict=True))


def test_inference_is_the_bare_classifier(classifier, images):
    model = AdversarialModel(classifier)
    expected = to_numpy(classifier(images))
    np.testing.assert_array_equal(to_numpy(model(images)), expected)
    compiled(model)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize("form", ["column", "one-hot"])
def test_other_forms_of_labels(form, classifier, images, labels):
    model = AdversarialModel(classifier, epsilon=EPSILON, steps=2, random_start=False)
    expected = prepared(model, images, labels)
    other = labels[:, None] if form == "column" else np.eye(4, dtype="float32")[labels]
    np.testing.assert_allclose(prepared(model, images, other), expected, atol=1e-6)


def mixed_pair(images, seed=4):
    """What a layer of this seed makes of the images in its first call."""
    return np.clip(to_numpy(kf.layers.APRPair(probability=1, seed=seed)(images)), 0, 1)


def test_pair_trains_on_both_halves(classifier, images, labels, eagerly):
    """One step is a step on the adversarial images of the batch and its mixed copy, as one batch."""
    by_hand, ours = compiled(copy_of(classifier), **eagerly), copy_of(classifier)
    both, twice = np.concatenate([images, mixed_pair(images)]), np.concatenate([labels, labels])
    moved = kf.attacks.pgd(classifier, both, twice, epsilon=EPSILON, steps=2)
    weights = np.linspace(0.5, 2, 8, dtype="float32")
    expected = by_hand.fit(
        moved, twice, sample_weight=np.tile(weights, 2), batch_size=16, verbose=0, shuffle=False
    ).history
    pair = kf.layers.APRPair(probability=1, seed=4)
    model = compiled(AdversarialModel(ours, epsilon=EPSILON, steps=2, random_start=False, pair=pair))
    history = model.fit(images, labels, sample_weight=weights, batch_size=8, verbose=0, shuffle=False).history
    for a, b in zip(ours.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert history["loss"][0] == pytest.approx(expected["loss"][0], rel=1e-4)
    assert history["accuracy"][0] == pytest.approx(expected["accuracy"][0])
    assert (to_numpy(pair.seed_generator.state.value) != [4, 0]).any(), "the pair must draw anew next time"


@pytest.mark.parametrize("form", ["indices", "one-hot"])
def test_pair_stays_in_the_ball_of_both_halves(form, classifier, images, labels):
    given = labels if form == "indices" else np.eye(4, dtype="float32")[labels]
    model = AdversarialModel(
        classifier, epsilon=EPSILON, steps=2, pair=kf.layers.APRPair(probability=1, seed=4), seed=0
    )
    moved, twice = model.prepare(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(given))
    moved, center = to_numpy(moved), np.concatenate([images, mixed_pair(images)])
    assert np.abs(center[8:] - images).max() > 0.1
    assert 0.9 * EPSILON < np.abs(moved - center).max() <= EPSILON + 1e-6
    assert moved.min() >= 0
    assert moved.max() <= 1
    np.testing.assert_array_equal(to_numpy(twice), np.concatenate([given, given]))


@pytest.mark.slow
def test_pair_behind_several_augmentations_and_batches_of_two_sizes(tmp_path, classifier, images, labels):
    single = kf.layers.APRSingle(operations=["rotate"], seed=1)
    augment = keras.Sequential([single, kf.layers.CropFlip(2, seed=2)])
    model = compiled(
        AdversarialModel(classifier, steps=1, augment=augment, pair=kf.layers.APRPair(seed=3), seed=0)
    )
    history = model.fit(images, labels, batch_size=5, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.pair, kf.layers.APRPair)
    assert loaded.copies == 2
    np.testing.assert_array_equal(to_numpy(loaded(images)), to_numpy(model(images)))


def test_a_config_without_pair_is_read(classifier):
    config = AdversarialModel(classifier, steps=3).get_config()
    del config["pair"]
    again = AdversarialModel.from_config(config)
    assert (again.pair, again.copies, again.steps) == (None, 1, 3)


def test_fgsm_with_a_random_start(classifier, images, labels):
    """`clip(clip(d + 10/255 sign g, -8/255, 8/255))` from a uniform `d`, as Wong et al. train."""
    epsilon, size = 8 / 255, 10 / 255
    options = {"epsilon": epsilon, "steps": 1, "random_start": True, "seed": 6}
    start = prepared(AdversarialModel(classifier, step_size=0.0, **options), images, labels)
    moved = prepared(AdversarialModel(classifier, step_size=size, **options), images, labels)
    sign = np.sign(to_numpy(kf.attacks.compile_loss_gradient(classifier)(start, labels)))
    delta = np.clip(start - images + size * sign, -epsilon, epsilon)
    expected = np.clip(images + delta, 0, 1)
    assert np.mean(np.abs(moved - expected) < 1e-5) > 0.999
    assert np.abs(start - images).max() > 0.9 * epsilon


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains(policy, images, labels):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.AveragePooling2D(8, dtype=policy)(inputs)
    x = keras.layers.Dense(4, dtype=policy)(keras.layers.Flatten(dtype=policy)(x))
    net = keras.Model(inputs, x)
    net.dtype_policy = keras.dtype_policies.get(policy)
    model = AdversarialModel(
        net, epsilon=EPSILON, steps=2, random_start=False, pair=kf.layers.APRPair(seed=4)
    )
    assert model.dtype_policy.name == policy
    before = net.get_weights()[0]
    assert isinstance(compiled(model).optimizer, keras.optimizers.LossScaleOptimizer) == (
        policy == "mixed_float16"
    )
    center = np.concatenate([images, to_numpy(kf.layers.APRPair(seed=4)(images)).clip(0, 1)])
    moved = to_numpy(model.prepare(*map(keras.ops.convert_to_tensor, (images, labels)))[0])
    assert moved.dtype == "float32"
    assert np.abs(moved - center).max() <= EPSILON + 1e-6
    # Nearly every pixel moved, and by the whole of epsilon: no gradient was lost in half precision.
    inner = (center > EPSILON) & (center < 1 - EPSILON)
    assert np.mean(np.abs(moved - center)[inner] > 0.99 * EPSILON) > 0.95
    history = model.fit(images, labels, batch_size=3, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.abs(net.get_weights()[0] - before).max() > 0


def test_saved_and_loaded(tmp_path, classifier, images):
    model = AdversarialModel(
        classifier, epsilon=0.1, steps=3, norm="l2", augment=kf.layers.CropFlip(2), seed=5
    )
    model.build((None, 32, 32, 3))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.epsilon, loaded.steps, loaded.norm, loaded.seed) == (0.1, 3, "l2", 5)
    assert isinstance(loaded.augment, kf.layers.CropFlip)
    np.testing.assert_array_equal(to_numpy(loaded(images)), to_numpy(model(images)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": -1}, "`epsilon` must be a finite number of at least 0"),
        ({"steps": 0}, "`steps` must be a whole number of at least 1. Received: steps=0"),
        ({"step_size": -0.1}, "`step_size` must be a finite number"),
        ({"norm": "l1"}, "`norm` must be one of 'linf', 'l2'. Received: norm='l1'"),
        ({"bounds": (1, 0)}, "`bounds` must be"),
        ({"pair": "apr"}, "`pair` must be a Keras layer or None. Received: type=str"),
        ({"augment": 3}, "`augment` must be a Keras layer or None. Received: type=int"),
    ],
)
def test_bad_options_are_one_line(options, message, classifier):
    with pytest.raises((ValueError, TypeError)) as caught:
        AdversarialModel(classifier, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_classifier_and_no_labels(classifier, images):
    with pytest.raises(TypeError, match="`classifier` must be a Keras model"):
        AdversarialModel("resnet")
    with pytest.raises(ValueError, match=r"AdversarialModel trains on \(images, labels\)"):
        compiled(AdversarialModel(classifier, steps=1)).fit(images, verbose=0)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch.compile of a whole step takes minutes")
def test_the_step_compiles_with_xla(classifier, images, labels):
    model = AdversarialModel(classifier, steps=2, seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=True)
    assert np.isfinite(model.fit(images, labels, batch_size=8, verbose=0).history["loss"]).all()
