"""MixUpModel: Keras' own mix-up inside the compiled step, the bare classifier otherwise."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.training import MixUpModel

to_numpy = keras.ops.convert_to_numpy
# Keras' layer asks JAX for int64, which JAX answers with a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")


def compiled(model, rate=0.1):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
    return model


def test_images_and_labels_are_mixed_alike(classifier):
    """A batch whose image `i` is constant `i / 8`, so that the mean of an image tells its mixture."""
    images = np.ones((8, 32, 32, 3), "float32") * (np.arange(8, dtype="float32") / 8)[:, None, None, None]
    labels = np.arange(8) % 4
    model = MixUpModel(classifier, alpha=1.0, seed=0)
    mixed, shares = map(
        to_numpy, model.prepare(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels))
    )
    assert shares.shape == (8, 4)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert ((shares > 0.01) & (shares < 0.99)).any(), "no image was mixed"
    for image, own, share in zip(mixed[:, 0, 0, 0] * 8, range(8), shares, strict=True):
        weight = share[own % 4]
        if weight > 0.999:
            continue  # mixed with its own class, or not at all
        other = (image - weight * own) / (1 - weight)
        assert other == pytest.approx(round(float(other)), abs=2e-3)
        assert share[round(float(other)) % 4] == pytest.approx(1 - weight, abs=1e-5)


def test_it_learns_from_indices_and_from_one_hot_labels_alike(classifier, images, labels):
    def history(labels):
        net = keras.models.clone_model(classifier)
        net.set_weights(classifier.get_weights())
        model = compiled(MixUpModel(net, seed=3, augment=kf.layers.CropFlip(1, seed=2)))
        result = model.fit(images, labels, batch_size=4, epochs=2, verbose=0, shuffle=False)
        return result.history, model.evaluate(images, labels, verbose=0)

    sparse, dense = history(labels), history(np.eye(4, dtype="float32")[labels])
    assert sparse[0]["loss"] == pytest.approx(dense[0]["loss"], rel=1e-5)
    assert sparse[0]["loss"][0] != sparse[0]["loss"][1]
    assert sparse[1] == pytest.approx(dense[1], rel=1e-5)


def test_inference_is_the_bare_classifier(classifier, images, labels):
    model = compiled(MixUpModel(classifier, seed=0))
    logits = to_numpy(classifier(images)).astype("float64")
    loss, accuracy = model.evaluate(images, labels, verbose=0)
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(8), labels]
    assert loss == pytest.approx(expected.mean(), rel=1e-5)
    assert accuracy == pytest.approx(np.mean(logits.argmax(1) == labels))
    np.testing.assert_array_equal(to_numpy(model(images)), to_numpy(classifier(images)))


def test_config_round_trip(classifier):
    model = MixUpModel(classifier, alpha=0.4, seed=7)
    again = MixUpModel.from_config(model.get_config())
    assert (again.alpha, again.seed, again.augment) == (0.4, 7, None)


@pytest.mark.parametrize("alpha", [0, -1, float("inf"), "1", True])
def test_a_wrong_alpha_is_one_line(alpha, classifier):
    with pytest.raises(ValueError, match=r"`alpha` must be a finite number above 0\. Received: alpha="):
        MixUpModel(classifier, alpha=alpha)


@pytest.mark.parametrize(
    "loss",
    ["sparse_categorical_crossentropy", keras.losses.SparseCategoricalCrossentropy(from_logits=True)],
    ids=["name", "object"],
)
def test_a_loss_of_class_indices_is_refused(loss, classifier):
    with pytest.raises(ValueError, match="`loss` must take distributions"):
        MixUpModel(classifier).compile("sgd", loss)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA of TensorFlow")
def test_xla_is_refused_where_it_cannot_draw(classifier):
    model = MixUpModel(classifier)
    with pytest.raises(ValueError, match="`jit_compile` must be False or 'auto' on TensorFlow"):
        model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=True)
    assert not compiled(model).jit_compile
