"""The layer with trained kernels: in a model, in a pipeline, saved, trained further."""

import json

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.cdes._kernel_model import initial_kernels
from keras_freq.layers import SpectralDensityEnhancement

to_numpy = keras.ops.convert_to_numpy
KERNELS = initial_kernels(3, 5, 7, seed=0)


def test_it_is_the_function(images):
    expected = kf.spectral.enhance_density(images, KERNELS, radius=6)
    layer = SpectralDensityEnhancement(KERNELS, radius=6)
    np.testing.assert_allclose(to_numpy(layer(images)), expected, atol=1e-5)
    first = SpectralDensityEnhancement(KERNELS, radius=6, data_format="channels_first")
    result = to_numpy(first(images.transpose(0, 3, 1, 2))).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_without_kernels_it_changes_nothing(images):
    layer = SpectralDensityEnhancement(channels=3, filters=4, kernel_size=3, rescale="none")
    np.testing.assert_allclose(to_numpy(layer(images)), images, atol=2e-6)


def test_config_gives_the_shapes_and_the_file_the_kernels(tmp_path, images):
    layer = SpectralDensityEnhancement(KERNELS, radius=6, masks="reference", name="given")
    config = json.loads(json.dumps(layer.get_config()))
    again = SpectralDensityEnhancement.from_config(config)
    assert again.get_config() == layer.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in layer.weights]
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_precision(policy, images):
    expected = kf.spectral.enhance_density(images, KERNELS)
    inputs = keras.Input((32, 32, 3))
    layer = SpectralDensityEnhancement(KERNELS, dtype=policy)
    assert {w.dtype for w in layer.weights} == {"float32"}
    model = keras.Model(inputs, layer(inputs))
    result = model(images)
    assert keras.backend.standardize_dtype(result.dtype) == policy.removeprefix("mixed_")
    difference = np.abs(to_numpy(keras.ops.cast(result, "float32")) - expected)
    assert difference.max() < {"mixed_float16": 1e-3, "mixed_bfloat16": 8e-3}[policy]


def test_inside_tf_data(images):
    tf = pytest.importorskip("tensorflow")
    layer = SpectralDensityEnhancement(KERNELS)
    dataset = tf.data.Dataset.from_tensor_slices(images)
    batches = list(dataset.batch(4).map(layer).as_numpy_iterator())
    np.testing.assert_allclose(np.concatenate(batches), to_numpy(layer(images)), atol=1e-5)
    single = np.stack(list(dataset.map(layer).as_numpy_iterator()))
    np.testing.assert_allclose(single, np.concatenate(batches), atol=1e-5)


@pytest.mark.parametrize("trainable", [False, True])
def test_kernels_train_only_where_asked(trainable, images, labels):
    layer = SpectralDensityEnhancement(KERNELS, trainable=trainable)
    assert len(layer.trainable_weights) == (4 if trainable else 0)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(layer(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(4)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss)
    history = model.fit(images[:6], labels[:6], batch_size=3, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    moved = [np.abs(to_numpy(w) - k).max() for w, k in zip(layer.weights, KERNELS, strict=True)]
    assert np.isfinite(moved).all()
    assert (moved[0] > 0) == trainable


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 2}, "`filters` must be at least `channels`, 3"),
        ({"kernel_size": 4}, "with an odd size"),
        ({"channels": 0}, "`channels` must be a whole number of at least 1"),
        ({"masks": "other"}, "`masks` must be one of"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        SpectralDensityEnhancement(**options)


def test_images_of_other_channels_are_refused():
    with pytest.raises(ValueError, match="must have the 3 channels that the kernels are for"):
        SpectralDensityEnhancement(KERNELS)(np.zeros((1, 8, 8, 1), "float32"))


@pytest.mark.parametrize("rescale", ["minmax", "clip", "none"])
def test_bytes_are_read_on_the_scale_of_the_kernels(images, rescale):
    pixels = np.rint(255 * images).astype("uint8")
    layer = SpectralDensityEnhancement(KERNELS, rescale=rescale)
    wanted = to_numpy(layer(pixels / np.float32(255)))
    result = layer(pixels)
    np.testing.assert_allclose(to_numpy(result) / 255, wanted, atol=1e-4)
    # Another layer, and a classifier in training, take them for bytes.
    again = kf.layers.SpectralDensityEnhancement(KERNELS, rescale=rescale)
    np.testing.assert_allclose(to_numpy(again(result)) / 255, to_numpy(again(wanted)), atol=1e-3)
    inputs = keras.Input((32, 32, 3))
    declared = kf.Classifier(keras.Model(inputs, keras.layers.Flatten()(inputs)), value_range=(0, 1))
    seen = to_numpy(
        kf.training.APRModel(declared, augment=layer)(keras.ops.convert_to_tensor(pixels), training=True)
    )
    np.testing.assert_allclose(seen, wanted.reshape(len(images), -1), atol=1e-4)
