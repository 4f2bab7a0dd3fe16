"""What each layer promises, whatever it computes."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_freq as kf

to_numpy = keras.ops.convert_to_numpy
MASK = kf.spectral.symmetrize(np.random.default_rng(0).random((32, 32)))
FILTERS = {
    "LowPass": lambda **k: kf.layers.LowPass(8, **k),
    "HighPass": lambda **k: kf.layers.HighPass(8, kind="gaussian", **k),
    "BandPass": lambda **k: kf.layers.BandPass(3, 9, kind="butterworth", order=3, **k),
    "BandPass_open": lambda **k: kf.layers.BandPass(3, float("inf"), kind="square", **k),
    "FrequencyMask": lambda **k: kf.layers.FrequencyMask(MASK, **k),
}
AUGMENTATIONS = {
    "APRSingle": lambda **k: kf.layers.APRSingle(**{"seed": 3, **k}),
    # The nine operations are compiled once, in APRSingle.
    "APRSingle_wrap": lambda **k: kf.layers.APRSingle(
        **{
            "seed": 3,
            "overflow": "wrap",
            "axes": "hw",
            "operations": ["rotate", "posterize"],
            "applied": 0.7,
            **k,
        }
    ),
    "APRPair": lambda **k: kf.layers.APRPair(**{"seed": 3, "probability": 0.9, **k}),
    "APRPair_sample": lambda **k: kf.layers.APRPair(**{"seed": 3, "scope": "sample", "clip": (0, 1), **k}),
    "AugMix": lambda **k: kf.layers.AugMix(
        **{"seed": 3, "chains": 2, "operations": ["translate_x", "posterize"], **k}
    ),
    "CropFlip": lambda **k: kf.layers.CropFlip(**{"seed": 3, **k}),
    "CropFlip_reflect": lambda **k: kf.layers.CropFlip(**{"seed": 3, "mode": "reflect", **k}),
    "FDAPair": lambda **k: kf.layers.FDAPair(**{"seed": 3, "beta": 0.1, **k}),
    "FourierNoise": lambda **k: kf.layers.FourierNoise(**{"seed": 3, "distribution": "exponential", **k}),
    "HybridPair": lambda **k: kf.layers.HybridPair(**{"seed": 3, "probability": 0.9, **k}),
    "SpectralDropout": lambda **k: kf.layers.SpectralDropout(**{"seed": 3, "rate": 0.3, **k}),
    "HybridPair_amplitude": lambda **k: kf.layers.HybridPair(
        **{"seed": 3, "scope": "sample", "clip": (0, 1), "recombine_amplitude": True, **k}
    ),
}
LAYERS = {**FILTERS, **AUGMENTATIONS}
every_layer = pytest.mark.parametrize("name", LAYERS)
every_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS)
# TensorFlow runs it whatever the backend: another one beside it shows that the layers ask it for nothing.
of_tf_data = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="what tf.data runs is tested on TensorFlow and PyTorch"
)


def compiled_function(function):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def training(layer):
    return {"training": True} if hasattr(layer, "seed") else {}


@every_layer
def test_config_round_trip(name):
    layer = LAYERS[name](name="given", data_format="channels_first")
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert again.get_config() == layer.get_config()
    assert again.name == "given"


@every_layer
def test_shape_and_type(name, images):
    layer = LAYERS[name]()
    assert layer.compute_output_shape((None, 32, 32, 3)) == (None, 32, 32, 3)
    symbolic = layer(keras.Input((32, 32, 3)))
    assert symbolic.shape == (None, 32, 32, 3)
    assert symbolic.dtype == "float32"
    assert layer(images, **training(layer)).shape == images.shape
    assert not layer.trainable_variables


@every_layer
def test_odd_and_not_square(name):
    if name == "FrequencyMask":
        layer = kf.layers.FrequencyMask(kf.spectral.disk_mask(17, 30, 4))
    else:
        layer = LAYERS[name]()
    for channels in (1, 4):
        x = np.random.default_rng(0).random((4, 17, 30, channels)).astype("float32")
        y = to_numpy(layer(x, **training(layer)))
        assert y.shape == x.shape
        assert np.isfinite(y).all()


@pytest.mark.parametrize("name", FILTERS)
def test_channels_first(name, images):
    last = to_numpy(LAYERS[name](data_format="channels_last")(images))
    first = to_numpy(LAYERS[name](data_format="channels_first")(images.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), last, atol=2e-6)


@every_augmentation
def test_channels_first_stateless(name, images):
    last = to_numpy(LAYERS[name](data_format="channels_last").apply_stateless(images, 5))
    first = LAYERS[name](data_format="channels_first").apply_stateless(images.transpose(0, 3, 1, 2), 5)
    different = np.abs(to_numpy(first).transpose(0, 2, 3, 1) - last) > 1e-5
    assert different.mean() < (0.1 if "wrap" in name else 1e-3)


@every_layer
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_precision(name, policy, images):
    if policy == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless configured")
    layer, reference = LAYERS[name](dtype=policy), LAYERS[name]()
    x = images.astype("float64") if policy == "float64" else images
    y = layer(x, **training(layer))
    assert keras.backend.standardize_dtype(y.dtype) == keras.DTypePolicy(policy).compute_dtype
    expected = to_numpy(reference(images, **training(reference)))
    difference = np.abs(to_numpy(keras.ops.cast(y, "float32")) - expected)
    if "wrap" in name:  # a value that falls on the other side of 0 comes out at 255
        difference = np.minimum(difference, 1 - difference)
    # A rounding step of a level or of half precision; never the error of a half-precision transform.
    limit = {"mixed_float16": 2e-3, "mixed_bfloat16": 1.6e-2, "float64": 1e-5}[policy]
    limit += 1 / 255 if "wrap" in name else 0
    assert np.quantile(difference, 0.97) < limit * max(1, np.abs(expected).max())


@every_layer
def test_integer_images(name):
    x = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("uint8")
    layer = LAYERS[name](**({"value_range": (0, 255)} if name.startswith("APRSingle") else {}))
    y = to_numpy(layer(x, **training(layer)))
    assert y.dtype == "float32"
    if name.startswith("APRSingle"):
        assert y.min() >= 0
        assert y.max() <= 255
        np.testing.assert_allclose(y, np.round(y), atol=1e-3)


@every_layer
def test_compiled(name, images):
    layer = LAYERS[name]()
    inputs = [keras.ops.convert_to_tensor(images)]
    if name in AUGMENTATIONS:
        shape = layer.draw_shape_of(images, len(images))
        inputs.append(keras.ops.convert_to_tensor(np.random.default_rng(5).random(shape).astype("float32")))
    difference = np.abs(
        to_numpy(compiled_function(layer.transform)(*inputs)) - to_numpy(layer.transform(*inputs))
    )
    # Levels next to a rounding edge may fall either way.
    assert (difference > 2e-5).mean() < (0.1 if "wrap" in name else 2e-3)


@every_layer
def test_in_fit_with_any_batch_size_and_a_new_draw_every_step(name, images, labels):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(8)(LAYERS[name]()(inputs)))
    model = keras.Model(inputs, keras.layers.Dense(4)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    jit = "auto" if keras.backend.backend() == "torch" else True
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=jit)
    history = model.fit(images[:3], labels[:3], batch_size=3, epochs=4, verbose=0, shuffle=False)
    losses = history.history["loss"]
    assert np.isfinite(losses).all()
    # Nothing is learned: the loss of the same images moves with what is drawn alone.
    assert (len(set(losses)) > 1) == (name in AUGMENTATIONS)
    assert model(images[:5]).shape == (5, 4)


@every_layer
@of_tf_data
def test_inside_tf_data(name, images):
    tf = pytest.importorskip("tensorflow")
    layer = LAYERS[name]()
    dataset = tf.data.Dataset.from_tensor_slices(images)
    mapped = dataset.batch(4).map(layer)
    assert tuple(mapped.element_spec.shape) == (None, 32, 32, 3)
    batches = list(mapped.as_numpy_iterator())
    assert [b.shape for b in batches] == [(4, 32, 32, 3)] * 2
    if name in FILTERS:
        np.testing.assert_allclose(np.concatenate(batches), to_numpy(layer(images)), atol=2e-6)
        for training in (True, False, None):
            told = dataset.batch(4).map(lambda x, t=training: layer(x, training=t))
            np.testing.assert_array_equal(list(told.as_numpy_iterator()), batches)
    else:
        again = list(mapped.as_numpy_iterator())
        assert not np.array_equal(batches[0], again[0])
        off = dataset.batch(4).map(lambda x: layer(x, training=False))
        np.testing.assert_array_equal(np.concatenate(list(off.as_numpy_iterator())), images)
    if "Pair" not in name:
        single = np.stack(list(dataset.map(layer).as_numpy_iterator()))
        assert single.shape == images.shape


@every_augmentation
@of_tf_data
def test_stateless_pipelines_repeat_in_parallel(name, images):
    tf = pytest.importorskip("tensorflow")
    layer = LAYERS[name]()

    def pipeline():
        seeds = tf.data.Dataset.random(seed=7, rerandomize_each_iteration=True).batch(2)
        dataset = tf.data.Dataset.from_tensor_slices(np.tile(images, (4, 1, 1, 1))).batch(4)
        return tf.data.Dataset.zip(dataset, seeds).map(layer.apply_stateless, num_parallel_calls=8)

    def epoch(dataset):
        return np.concatenate(list(dataset.as_numpy_iterator()))

    one, other = pipeline(), pipeline()
    first, second = epoch(one), epoch(one)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(epoch(other), first)
    np.testing.assert_array_equal(epoch(other), second)


@every_augmentation
def test_identity_outside_training(name, images):
    layer = LAYERS[name]()
    np.testing.assert_array_equal(to_numpy(layer(images, training=False)), images)
    inputs = keras.Input((32, 32, 3))
    model = keras.Model(inputs, layer(inputs))
    np.testing.assert_allclose(model.predict(images, verbose=0), images, atol=1e-7)


@every_augmentation
def test_floats_of_another_range_are_refused_where_strengths_depend_on_it(name, images):
    layer = LAYERS[name]()
    for far in (255 * images, images * 4 - 2):
        if layer.checks_range:
            with pytest.raises(ValueError, match=r"floats in value_range=\(0, 1\).*Received: values from"):
                LAYERS[name]()(far, training=True)
            wide = LAYERS[name](value_range=(-2, 255))(far, training=True)
        else:
            wide = layer(far, training=True)
        assert np.isfinite(to_numpy(wide)).all()
    assert ("value_range" in layer.get_config()) == layer.checks_range
    empty = images.copy()
    empty[1, 2, 3, 0] = np.nan
    with pytest.raises(ValueError, match="finite floats"):
        LAYERS[name]()(empty, training=True)
    np.testing.assert_array_equal(to_numpy(layer(255 * images, training=False)), 255 * images)


@every_augmentation
def test_new_draw_every_call_and_same_stream_for_same_seed(name, images):
    one, same, other = LAYERS[name](), LAYERS[name](), LAYERS[name](seed=4)
    first, second = (to_numpy(one(images, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(to_numpy(same(images, training=True)), first)
    np.testing.assert_array_equal(to_numpy(same(images, training=True)), second)
    assert not np.array_equal(to_numpy(other(images, training=True)), first)


@every_augmentation
def test_stateless_depends_on_the_seed_alone(name, images):
    layer = LAYERS[name]()
    first = to_numpy(layer.apply_stateless(images, 11))
    layer(images, training=True)
    np.testing.assert_array_equal(to_numpy(layer.apply_stateless(images, 11)), first)
    assert not np.array_equal(to_numpy(layer.apply_stateless(images, 12)), first)


@every_augmentation
def test_stateless_takes_pairs_and_single_images(name, images, labels):
    layer = LAYERS[name]()
    alone = to_numpy(layer.apply_stateless(images, 11))
    x, y = layer.apply_stateless((keras.ops.convert_to_tensor(images), labels), 11)
    np.testing.assert_array_equal(to_numpy(x), alone)
    assert y is labels
    weights = np.ones(8)
    assert layer.apply_stateless((images, labels, weights), np.int64(11))[2] is weights
    if "Pair" in name:
        with pytest.raises(ValueError, match="needs a batch"):
            layer.apply_stateless(images[0], 11)
    else:
        single = to_numpy(layer.apply_stateless((keras.ops.convert_to_tensor(images[0]), 3), 11)[0])
        np.testing.assert_array_equal(single, to_numpy(layer.apply_stateless(images[:1], 11))[0])


@every_augmentation
@of_tf_data
def test_stateless_takes_pairs_and_single_images_in_tf_data(name, images, labels):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow" and name.startswith(("APRSingle", "AugMix")):
        pytest.skip("the longest to trace; `test_inside_tf_data` and the pipelines above have them")
    layer = LAYERS[name]()

    def run(*parts, batched):
        dataset = tf.data.Dataset.from_tensor_slices(parts[0] if len(parts) == 1 else parts)
        dataset = dataset.batch(4) if batched else dataset
        seeds = tf.data.Dataset.random(seed=7).batch(2)
        return list(tf.data.Dataset.zip(dataset, seeds).map(layer.apply_stateless).as_numpy_iterator())

    for batched in (True,) if "Pair" in name else (True, False):
        alone, pairs = run(images, batched=batched), run(images, labels, batched=batched)
        np.testing.assert_array_equal([x for x, _ in pairs], alone)
        np.testing.assert_array_equal(np.ravel([y for _, y in pairs]), labels)
    # One integer is a seed there too, the same for every element.
    dataset = tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)
    same = [
        list(dataset.map(lambda x, y: layer.apply_stateless((x, y), 5)).as_numpy_iterator()) for _ in range(2)
    ]
    np.testing.assert_array_equal([x for x, _ in same[0]], [x for x, _ in same[1]])


def test_stateless_refuses_what_is_no_seed_or_no_images(images):
    layer = kf.layers.CropFlip(seed=0)
    for seed in (True, 1.5, None, (1, 2)):
        with pytest.raises(TypeError, match="`seed` must be an integer"):
            layer.apply_stateless(images, seed)
    with pytest.raises(ValueError, match=r"Received: images=\(\)"):
        layer.apply_stateless((), 3)


@pytest.mark.slow
def test_saved_and_loaded_in_a_new_process(tmp_path, images):
    """All layers in one model: outputs in inference and the next random draws are those of the original."""
    inputs = keras.Input((32, 32, 3))
    x = inputs
    for name in ("LowPass", "BandPass_open", "FrequencyMask", *AUGMENTATIONS):
        # Nobody chains so many: they would leave the range by more than a filter rings.
        x = keras.layers.ReLU(max_value=1)(LAYERS[name](name=name.lower())(x))
    model = keras.Model(inputs, kf.layers.RandomResizedCrop(20, seed=3)(x))
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "x.npy", images)
    program = """
import sys, keras, numpy as np
import keras_freq
model = keras.saving.load_model(sys.argv[1] + "/model.keras")
x = np.load(sys.argv[1] + "/x.npy")
np.save(sys.argv[1] + "/off.npy", keras.ops.convert_to_numpy(model(x, training=False)))
np.save(sys.argv[1] + "/on.npy", keras.ops.convert_to_numpy(model(x, training=True)))
"""
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "off.npy"), to_numpy(model(images, training=False)))
    np.testing.assert_array_equal(np.load(tmp_path / "on.npy"), to_numpy(model(images, training=True)))


def test_bytes_stay_bytes_from_layer_to_layer(rng):
    """Behind a layer they are floats from 0 to 255, which only the layer before can know."""
    images = rng.integers(60, 200, (4, 32, 32, 3)).astype("uint8")

    def chain(value_range):
        chained = [
            kf.layers.CropFlip(mode="reflect", seed=1),
            kf.layers.LowPass(12),
            kf.layers.APRSingle(seed=2, value_range=value_range),
            kf.layers.APRPair(seed=3, probability=1.0, clip=value_range),
        ]

        def run(images):
            for layer in chained:
                images = layer(images, training=True) if layer is not chained[1] else layer(images)
            return images

        return run

    def agree(run_bytes, run_pixels):
        pixels = keras.ops.convert_to_tensor(images / np.float32(255))
        found, wanted = run_bytes(keras.ops.convert_to_tensor(images)), to_numpy(run_pixels(pixels))
        assert wanted.std() > 0.05
        # APRSingle rounds to bytes.
        np.testing.assert_allclose(to_numpy(found) / 255, wanted, atol=6e-3)

    agree(chain((0, 1)), chain((0, 1)))
    agree(compiled_function(chain((0, 1))), compiled_function(chain((0, 1))))


@every_layer
def test_arrays_become_what_tensors_become(name, images):
    """By NumPy alone, to one level."""
    layer = LAYERS[name]()
    generators = [np.random.default_rng([7, place]) for place in range(len(images))]
    result = layer.transform_arrays(images, generators)
    assert result.dtype == np.float32
    if name in FILTERS:
        expected = to_numpy(layer(images))
    else:
        one, two = (layer.draw_shape_of(images, batch) for batch in (1, 2))
        axis = int(np.flatnonzero(np.not_equal(one, two))[0])
        draws = [np.random.default_rng([7, place]).random(one, "float32") for place in range(len(images))]
        draws = keras.ops.convert_to_tensor(np.concatenate(draws, axis=axis))
        expected = to_numpy(layer.transform(keras.ops.convert_to_tensor(images), draws))
    difference = np.abs(result - expected)
    if "wrap" in name:  # a value that falls on the other side of 0 comes out at 255
        difference = np.minimum(difference, 1 - difference)
    assert difference.max() < 1.01 / 255
    assert (difference > 1e-5).mean() < (0.1 if "wrap" in name else 1e-3)


@pytest.mark.parametrize("name", ["APRSingle", "APRSingle_wrap", "AugMix"])
def test_calls_with_values_and_traced_ones_agree(name, images):
    """What computes only what was drawn where nothing is compiled."""
    layer = AUGMENTATIONS[name]()
    tensor = keras.ops.convert_to_tensor(images)
    if keras.backend.backend() == "torch":
        tensor.requires_grad_(True)
        traced = layer.apply_stateless(tensor, 5).detach()
        tensor = tensor.detach()
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        traced = tf.function(lambda x: layer.apply_stateless(x, 5))(tensor)  # XLA draws other numbers
    else:
        traced = compiled_function(lambda x: layer.apply_stateless(x, 5))(tensor)
    difference = np.abs(to_numpy(layer.apply_stateless(tensor, 5)) - to_numpy(traced))
    if "wrap" in name:
        difference = np.minimum(difference, 1 - difference)
    # A level that an affine map rounds otherwise is spread by `equalize`, which is rare.
    assert (difference.max(axis=(1, 2, 3)) > 1.01 / 255).sum() <= 1
    assert np.median(difference) < 1e-5
