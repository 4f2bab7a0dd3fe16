"""APRModel: the published loss in training, the bare classifier otherwise."""

import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.training._apr_model import Halves
from tests.refusals import refused

to_numpy = keras.ops.convert_to_numpy


def compiled(model, rate=0.1, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"], **options)
    return model


def cross_entropy(logits, labels):
    logits = logits - logits.max(1, keepdims=True)
    return np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels])


@keras.saving.register_keras_serializable(package="keras_freq_tests")
class Reverse(keras.Layer):
    """A pair layer without randomness: the batch backwards, each image mirrored."""

    def call(self, images, training=True):
        return keras.ops.flip(keras.ops.flip(images, 0), 2)


def test_loss_is_the_sum_over_both_halves(classifier, images, labels):
    model = compiled(kf.APRModel(classifier, pair=Reverse()))
    clean, mixed = (to_numpy(classifier(x)) for x in (images, images[::-1, :, ::-1]))
    expected = cross_entropy(clean, labels) + cross_entropy(mixed, labels)
    accuracy = np.mean(clean.argmax(1) == labels)
    history = model.fit(images, labels, batch_size=8, epochs=1, verbose=0, shuffle=False).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert history["accuracy"][0] == pytest.approx(accuracy)


def test_loss_is_the_mean_where_that_is_asked_for(classifier, images, labels):
    """Added losses count once in either; the model that is saved says which it was."""
    clean, mixed = (to_numpy(classifier(x)) for x in (images, images[::-1, :, ::-1]))
    expected = (cross_entropy(clean, labels) + cross_entropy(mixed, labels)) / 2
    kernel = classifier.trainable_variables[0]
    kernel.regularizer = keras.regularizers.L2(0.5)
    expected += 0.5 * np.sum(to_numpy(kernel) ** 2)
    model = compiled(kf.APRModel(classifier, pair=Reverse(), reduction="mean"))
    history = model.fit(images, labels, batch_size=8, epochs=1, verbose=0, shuffle=False).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert model.get_config()["reduction"] == "mean"
    with refused(match="`reduction` must be .*Received: reduction='max'$"):
        kf.APRModel(classifier, pair=Reverse(), reduction="max")


def test_weights_move_as_by_hand(classifier, images, labels, eagerly):
    """One SGD step on the doubled batch with the mean loss and twice the rate is the same step."""
    by_hand = keras.models.clone_model(classifier)
    by_hand.set_weights(classifier.get_weights())
    both = np.concatenate([images, images[::-1, :, ::-1]])
    compiled(by_hand, 0.2, **eagerly)
    by_hand.fit(both, np.tile(labels, 2), batch_size=16, epochs=1, verbose=0, shuffle=False)
    compiled(kf.APRModel(classifier, pair=Reverse())).fit(
        images, labels, batch_size=8, verbose=0, shuffle=False
    )
    for ours, theirs in zip(classifier.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6)


def test_weight_decay_counts_once(images, labels):
    def net():
        keras.utils.set_random_seed(0)
        dense = keras.layers.Dense(4, kernel_regularizer=keras.regularizers.L2(0.5))
        return keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), dense])

    plain = net()
    decay = 0.5 * np.sum(plain.get_weights()[0] ** 2)
    logits = to_numpy(plain(images))
    mixed = to_numpy(plain(images[::-1, :, ::-1]))
    expected = cross_entropy(logits, labels) + cross_entropy(mixed, labels) + decay
    model = compiled(kf.APRModel(net(), pair=Reverse()))
    history = model.fit(images, labels, batch_size=8, verbose=0, shuffle=False).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_sample_weights_reach_both_halves(classifier, images, labels):
    weights = np.array([1, 0, 0, 0, 0, 0, 0, 0], "float32")
    clean, mixed = to_numpy(classifier(images))[:1], to_numpy(classifier(images[::-1, :, ::-1]))[:1]
    expected = (cross_entropy(clean, labels[:1]) + cross_entropy(mixed, labels[:1])) / 8
    model = compiled(kf.APRModel(classifier, pair=Reverse()))
    history = model.fit(images, labels, sample_weight=weights, batch_size=8, verbose=0, shuffle=False).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)


def test_batch_normalization_sees_both_halves(images, labels):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.BatchNormalization(momentum=0.0, name="bn")(inputs)
    net = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(x)))

    @keras.saving.register_keras_serializable(package="keras_freq_tests")
    class Darker(keras.Layer):
        def call(self, images, training=True):
            return images * 0.5

    compiled(kf.APRModel(net, pair=Darker())).fit(images, labels, batch_size=8, verbose=0)
    mean = to_numpy(net.get_layer("bn").moving_mean)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)) * 0.75, rtol=1e-4)


def test_inference_is_the_bare_classifier(classifier, images, labels):
    model = compiled(
        kf.APRModel(classifier, single=kf.layers.APRSingle(seed=0), pair=kf.layers.APRPair(seed=0))
    )
    expected = to_numpy(classifier(images))
    np.testing.assert_array_equal(to_numpy(model(images)), expected)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)
    loss, accuracy = model.evaluate(images, labels, verbose=0)
    assert loss == pytest.approx(cross_entropy(expected, labels), rel=1e-5)
    assert accuracy == pytest.approx(np.mean(expected.argmax(1) == labels))
    halves = model(images, training=True)
    assert isinstance(halves, Halves)
    assert halves.clean.shape == halves.mixed.shape == (8, 4)


def test_without_pair_there_is_one_half(classifier, images, labels):
    model = compiled(kf.APRModel(classifier, augment=keras.layers.RandomFlip("horizontal", seed=0)))
    assert model(images, training=True).shape == (8, 4)
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"]).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_everything_together_learns(policy, images, labels):
    keras.config.set_dtype_policy(policy)
    try:
        inputs = keras.Input((32, 32, 3))
        x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(inputs))
        net = keras.Model(inputs, keras.layers.Dense(2)(x))
        bright = np.clip(images + 0.3 * (labels % 2)[:, None, None, None], 0, 1)
        model = kf.APRModel(
            net,
            single=kf.layers.APRSingle(seed=0, operations=["rotate", "shear_x"]),
            augment=keras.Sequential([keras.layers.RandomFlip("horizontal", seed=0)]),
            pair=kf.layers.APRPair(seed=0),
        )
        compiled(model, 0.05)
        before = model.evaluate(bright, labels % 2, verbose=0)[0]
        losses = model.fit(bright, labels % 2, batch_size=3, epochs=15, verbose=0).history["loss"]
        after = model.evaluate(bright, labels % 2, verbose=0)[0]
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(losses).all()
    assert after < before


@pytest.mark.slow
def test_saved_loaded_in_a_new_process_and_trained_on(tmp_path, classifier, images, labels, eagerly):
    single, pair = kf.layers.APRSingle(seed=0), kf.layers.APRPair(seed=0)
    model = compiled(kf.APRModel(classifier, single=single, pair=pair), **eagerly)
    model.fit(images, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", x=images, y=labels)
    program = """
import sys, keras, numpy as np
import keras_freq
model = keras.saving.load_model(sys.argv[1] + "/model.keras")
data = np.load(sys.argv[1] + "/data.npz")
np.save(sys.argv[1] + "/logits.npy", model.predict(data["x"], verbose=0))
assert np.isfinite(model.fit(data["x"], data["y"], verbose=0).history["loss"]).all()
"""
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), model.predict(images, verbose=0), atol=1e-6)


def test_bad_parts():
    net = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(TypeError, match=r"`classifier` must be a Keras model.*Received: type=Dense"):
        kf.APRModel(keras.layers.Dense(2))
    with pytest.raises(TypeError, match=r"`pair` must be a Keras layer or None.*Received: type=function"):
        kf.APRModel(net, pair=lambda x: x)
