"""MixtureModel: Keras' layers of images and labels inside the compiled step."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_freq as kf
from keras_freq.training import MixtureModel, MixUpModel
from tests.refusals import refused

to_numpy, to_tensor = keras.ops.convert_to_numpy, keras.ops.convert_to_tensor
# Keras' MixUp asks JAX for int64, which JAX answers with a warning.
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")


def cut_mix(seed=0):
    return keras.layers.CutMix(factor=(1.0, 1.0), seed=seed)


def compiled(model, **options):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], **options)
    return model


@keras.saving.register_keras_serializable(package="keras_freq_tests")
class Halve(keras.layers.Layer):
    """A mixture without a random number."""

    def call(self, data, training=True):
        return {"images": data["images"] / 2, "labels": data["labels"]}


class Keep(keras.layers.Layer):
    """A mixture of each image with itself."""

    def call(self, data, training=True):
        return data


def flat_classifier(classes):
    return keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(classes)])


def test_cut_mix_mixes_labels_as_it_mixes_areas():
    """Image `i` is constant `i` and of class `i`: each pixel and each weight tells where it is from."""
    count = 128
    images = np.ones((count, 32, 32, 3), "float32") * np.arange(count, dtype="float32")[:, None, None, None]
    model = MixtureModel(flat_classifier(count), cut_mix())
    mixed, shares = map(to_numpy, model.prepare(to_tensor(images), to_tensor(np.arange(count))))
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    assert shares.min() >= 0
    assert ((shares > 0).sum(1) <= 2).all()
    errors = []
    for own, (image, share) in enumerate(zip(mixed[..., 0], shares, strict=True)):
        assert set(np.unique(image)) <= set(np.flatnonzero(share)) | {own}
        errors.append(np.mean(image == own) - share[own])
        rows, columns = np.nonzero(image != own)
        if len(rows):  # one rectangle
            assert np.ptp(rows) + 1 == len(set(rows))
            assert len(rows) == len(set(rows)) * len(set(columns))
    # Keras weighs labels by a rectangle with fractional corners: half a row and a column off at most, twice.
    assert np.abs(errors).max() < 2 / 32
    assert np.abs(errors).mean() < 0.02
    assert shares[np.arange(count), np.arange(count)].mean() == pytest.approx(0.5, abs=0.08)


def test_in_fit_with_any_batch_size(classifier, images, labels):
    """The last batch holds two images; new mixtures every epoch, also where the step is compiled once."""

    def history(labels):
        net = keras.models.clone_model(classifier)
        net.set_weights(classifier.get_weights())
        model = compiled(MixtureModel(net, cut_mix(), augment=kf.layers.CropFlip(1, seed=2)))
        model.optimizer.learning_rate = 0.0
        result = model.fit(images, labels, batch_size=3, epochs=3, verbose=0, shuffle=False).history
        return result["loss"], model.evaluate(images, labels, verbose=0)

    sparse, dense = history(labels), history(np.eye(4, dtype="float32")[labels])
    assert sparse[0] == pytest.approx(dense[0], rel=1e-5)
    assert len(set(sparse[0])) == 3  # nothing is learned: only the draws differ
    assert sparse[1] == pytest.approx(dense[1], rel=1e-5)


def test_in_fit_from_tf_data_of_unknown_batch_size(classifier, images, labels):
    tf = pytest.importorskip("tensorflow")
    model = compiled(MixtureModel(classifier, cut_mix()))
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(3)
    assert dataset.element_spec[0].shape[0] is None
    assert np.isfinite(model.fit(dataset, verbose=0, epochs=2).history["loss"]).all()


def test_inference_is_the_bare_classifier(classifier, images, labels):
    model = compiled(MixtureModel(classifier, cut_mix()))
    np.testing.assert_array_equal(to_numpy(model(images)), to_numpy(classifier(images)))
    expected = np.mean(to_numpy(classifier(images)).argmax(1) == labels)
    assert model.evaluate(images, labels, verbose=0)[1] == pytest.approx(expected)


def test_mix_up_model_is_the_model_of_that_mixture(classifier, images, labels):
    x, y = to_tensor(images), to_tensor(labels)
    one = MixUpModel(classifier, alpha=0.3, seed=5).prepare(x, y)
    other = MixtureModel(classifier, keras.layers.MixUp(0.3, seed=5)).prepare(x, y)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


@pytest.mark.parametrize("kind", ["CutMix", "MixUpModel"])
def test_saved_and_loaded(kind, classifier, images, labels, tmp_path, eagerly):
    augment = kf.layers.CropFlip(1, seed=2)
    model = (
        MixUpModel(classifier, alpha=0.4, seed=7, augment=augment)
        if kind == "MixUpModel"
        else MixtureModel(classifier, cut_mix(), augment=augment)
    )
    compiled(model, **eagerly).fit(images, labels, batch_size=4, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.get_config().keys() == model.get_config().keys()
    assert again.evaluate(images, labels, verbose=0) == pytest.approx(
        model.evaluate(images, labels, verbose=0), rel=1e-5
    )
    assert int(again.optimizer.iterations) == 2
    assert np.isfinite(again.fit(images, labels, verbose=0).history["loss"]).all()


def test_files_of_mix_up_models_keep_their_names(classifier, images, tmp_path):
    h5py = pytest.importorskip("h5py")
    model = MixUpModel(classifier, seed=7)
    model.build(images.shape)
    model.save_weights(tmp_path / "model.weights.h5")
    names = []
    with h5py.File(tmp_path / "model.weights.h5") as file:
        file.visit(names.append)
    assert any(name.startswith("classifier/") for name in names)
    assert not any(name.startswith("mixture") for name in names)
    assert "mixture" not in model.get_config()


@pytest.mark.parametrize("form", ["batch", "column", "floats"])
def test_one_output_takes_probabilities_of_the_second_class(form, images, labels):
    """As the classifier by itself where nothing is mixed, in training and in evaluation."""
    given = labels % 2
    given = {"batch": given, "column": given[:, None], "floats": given[:, None].astype("float32")}[form]

    def fit(wrap):
        keras.utils.set_random_seed(0)
        model = wrap(flat_classifier(1))
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        metrics = [keras.metrics.BinaryAccuracy(threshold=0.0)]
        model.compile(keras.optimizers.SGD(0.05), loss, metrics=metrics)
        history = model.fit(images, given, batch_size=4, epochs=2, verbose=0, shuffle=False).history
        return history["loss"], history["binary_accuracy"], model.evaluate(images, given, verbose=0)

    expected = fit(lambda net: net)
    for one, other in zip(fit(lambda net: MixtureModel(net, Keep())), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    # Images as bright as their labels tell how they were mixed.
    bright = np.ones_like(images) * (labels % 2).astype("float32")[:, None, None, None]
    mixed, shares = MixUpModel(flat_classifier(1), seed=0).prepare(to_tensor(bright), to_tensor(given))
    assert shares.shape == (8, 1)
    np.testing.assert_allclose(to_numpy(shares)[:, 0], to_numpy(mixed).mean((1, 2, 3)), atol=1e-5)
    assert ((to_numpy(shares) > 0.01) & (to_numpy(shares) < 0.99)).any()


def test_a_distribution_stays_as_it_is(images):
    """What `prepare` has made is not read as class indices by the loss."""
    for classes in (1, 4):
        keras.utils.set_random_seed(0)
        model = MixUpModel(flat_classifier(classes), alpha=1.0, seed=0)
        kind = "BinaryCrossentropy" if classes == 1 else "CategoricalCrossentropy"
        loss = getattr(keras.losses, kind)(from_logits=True)
        model.compile("sgd", loss)
        mixed, shares = model.prepare(to_tensor(images), to_tensor(np.arange(8) % max(classes, 2)))
        assert ((to_numpy(shares) > 0.01) & (to_numpy(shares) < 0.99)).any()
        logits = model(mixed)
        found, expected = model.compute_loss(mixed, shares, logits), loss(shares, logits)
        np.testing.assert_allclose(*(to_numpy(ops.stop_gradient(value)) for value in (found, expected)))


def test_labels_and_losses_of_another_number_of_classes_are_refused(images, labels):
    binary = keras.losses.BinaryCrossentropy(from_logits=True)
    for loss in ("categorical_crossentropy", keras.losses.CategoricalCrossentropy(from_logits=True)):
        with refused("`loss` must take the probability of the second class"):
            MixUpModel(flat_classifier(1)).compile("sgd", loss)
    one = MixUpModel(flat_classifier(1))
    one.compile("sgd", binary)
    with refused("Labels must be probabilities (batch,), or one-hot rows (batch, 1)"):
        one.prepare(to_tensor(images), to_tensor(np.eye(2)[labels % 2]))
    with refused("Labels must be class indices (batch,), or one-hot rows (batch, 4)"):
        MixUpModel(flat_classifier(4)).prepare(to_tensor(images), to_tensor(np.eye(5)[labels]))


def test_a_layer_of_ones_own(classifier, images, labels):
    mixed, shares = MixtureModel(classifier, Halve()).prepare(to_tensor(images), to_tensor(labels))
    np.testing.assert_allclose(to_numpy(mixed), images / 2, atol=1e-7)
    np.testing.assert_array_equal(to_numpy(shares), np.eye(4)[labels])


def test_maps_must_be_those_of_the_classes(classifier, images, labels):
    maps = np.stack([kf.spectral.disk_mask(32, 32, radius) for radius in (2, 4, 6, 8)])
    for count in (2, 3):
        with refused("`mixture` must have a map for each of the 4 classes"):
            MixtureModel(classifier, kf.layers.ClassFrequencies(maps[:count]))
    with refused("`mixture` must have a map for each of the 2 classes"):
        MixtureModel(flat_classifier(1), kf.layers.ClassFrequencies(maps))
    MixtureModel(flat_classifier(1), kf.layers.ClassFrequencies(maps[:2]))
    model = compiled(MixtureModel(classifier, kf.layers.ClassFrequencies(maps, probability=1, seed=0)))
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"]).all()


def test_what_is_no_mixture_is_refused(classifier, images, labels):
    with pytest.raises(TypeError, match=r"`mixture` must be a Keras layer\. Received: type=NoneType"):
        MixtureModel(classifier, None)

    class Images(keras.layers.Layer):
        def call(self, data, training=True):
            return data["images"]

    with pytest.raises(ValueError, match=r"keys 'images' and 'labels'\. Received: .* from 'bare'"):
        MixtureModel(classifier, Images(name="bare")).prepare(to_tensor(images), to_tensor(labels))
    with pytest.raises(ValueError, match="`loss` must take distributions"):
        MixtureModel(classifier, cut_mix()).compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="Received: images alone"):
        compiled(MixtureModel(classifier, cut_mix())).fit(images, verbose=0)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="XLA of TensorFlow")
def test_xla_is_refused_where_it_cannot_draw(classifier):
    with pytest.raises(ValueError, match="`jit_compile` must be False or 'auto' on TensorFlow"):
        compiled(MixtureModel(classifier, cut_mix()), jit_compile=True)
    assert not compiled(MixtureModel(classifier, cut_mix())).jit_compile
