"""RandomResizedCrop, against float64 and Pillow, and what every layer promises."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import keras_freq as kf
from tests.layers.test_every_layer import compiled_function
from tests.oracles.resized_crop import resized_box
from tests.refusals import refused

to_numpy = keras.ops.convert_to_numpy
BILINEAR = Image.Resampling.BILINEAR


def make(height=12, width=None, **options):
    return kf.layers.RandomResizedCrop(height, width, **{"seed": 3, **options})


def on_backend(layer, images, draws):
    return to_numpy(layer.transform(*(keras.ops.convert_to_tensor(x) for x in (images, draws))))


@pytest.mark.parametrize(("size", "out"), [((32, 32), (12, 12)), ((31, 20), (24, 40)), ((17, 50), (17, 9))])
def test_against_float64(size, out, rng):
    images = rng.random((9, *size, 3)).astype("float32")
    draws = rng.random((5, 9)).astype("float32")
    layer = make(*out)
    result = on_backend(layer, images, draws)
    assert result.shape == (9, *out, 3)
    for image, crop, box, flip in zip(
        images, result, np.stack(layer.boxes(draws, *size), axis=1), draws[4], strict=True
    ):
        expected = resized_box(image, *box, out)
        np.testing.assert_allclose(crop, expected[:, ::-1] if flip < 0.5 else expected, atol=5e-6)
    exact = layer.transform(images.astype("float64"), draws.astype("float64"))
    assert exact.dtype == "float64"
    np.testing.assert_allclose(exact, result, atol=5e-6)


def test_against_pillow(rng):
    levels = rng.integers(0, 256, (20, 60, 45, 3), "uint8")
    draws = rng.random((5, 20)).astype("float32")
    layer = make(16, 24, flip=False)
    result = on_backend(layer, (levels / 255).astype("float32"), draws)
    for image, crop, box in zip(levels, result, np.stack(layer.boxes(draws, 60, 45), 1), strict=True):
        top, left, tall, wide = (int(number) for number in box)
        cut = Image.fromarray(image).crop((left, top, left + wide, top + tall))
        expected = np.asarray(cut.resize((24, 16), BILINEAR))
        assert np.abs(255 * crop - expected).max() < 2


def test_the_boxes_have_the_areas_ratios_and_places_that_were_asked_for(rng):
    draws = rng.random((5, 4000))
    top, left, tall, wide = make(area=(0.1, 0.3), aspect=(0.5, 2)).boxes(draws, 200, 200)
    share, ratio = tall * wide / 200**2, wide / tall
    for values, low, high in ((share, 0.1, 0.3), (np.log2(ratio), -1, 1)):
        assert values.min() == pytest.approx(low, abs=0.02)
        assert values.max() == pytest.approx(high, abs=0.02)
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.02)
    assert top.min() == left.min() == 0
    assert (top + tall).max() == (left + wide).max() == 200
    np.testing.assert_array_equal(tall, np.round(tall))
    assert abs(np.corrcoef(top / (200 - tall), left / (200 - wide))[0, 1]) < 0.1


def test_a_box_that_does_not_fit_is_cut_to_the_image():
    draws = np.full((5, 1), 0.5)
    top, left, tall, wide = make(area=(1, 1), aspect=(1, 1)).boxes(draws, 20, 45)
    assert (top, tall, wide) == (0, 20, 30)
    assert left == 8
    edge = np.full((5, 1), np.nextafter(np.float32(1), np.float32(0)))
    top, left, tall, wide = make().boxes(edge, 513, 999)
    assert top + tall <= 513
    assert left + wide <= 999


def test_the_whole_image_at_its_own_size_is_left_alone(images):
    layer = make(32, area=(1, 1), aspect=(1, 1), flip=False)
    np.testing.assert_allclose(to_numpy(layer(images, training=True)), images, atol=1e-6)


def test_the_middle(rng, images):
    wide = rng.random((2, 32, 48, 3)).astype("float32")
    np.testing.assert_array_equal(to_numpy(make(28)(wide, training=False)), wide[:, 2:30, 10:38])
    levels = rng.integers(0, 256, (2, 64, 96, 3), "uint8")
    middle = to_numpy(make(28)(levels / np.float32(255), training=False))
    for image, crop in zip(levels, middle, strict=True):
        expected = np.asarray(Image.fromarray(image).resize((48, 32), BILINEAR))[2:30, 10:38]
        assert np.abs(255 * crop - expected).max() < 2
    whole = to_numpy(make(16, 8, center=1.0)(images, training=False))
    for image, crop in zip(images, whole, strict=True):
        # The pixels beside the box count too, as where the image is resized before it is cut.
        np.testing.assert_allclose(
            crop[:, 1:-1], resized_box(image, 0, 8, 32, 16, (16, 8))[:, 1:-1], atol=1e-6
        )
    first = to_numpy(make(20, data_format="channels_first")(images.transpose(0, 3, 1, 2), training=False))
    last = to_numpy(make(20)(images, training=False))
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), last, atol=1e-6)


def test_shapes_types_and_configuration(images):
    layer = make(12, 20, area=(0.2, 0.9), flip=False, data_format="channels_first", name="given")
    assert layer.compute_output_shape((None, 3, 32, 32)) == (None, 3, 12, 20)
    again = kf.layers.RandomResizedCrop.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.get_config() == layer.get_config()
    layer = make(12, 20)
    assert layer.compute_output_shape((32, 32, 3)) == (12, 20, 3)
    assert layer(keras.Input((32, 32, 3))).shape == (None, 12, 20, 3)
    assert layer((255 * images).astype("uint8"), training=True).shape == (8, 12, 20, 3)
    for policy, limit in (("mixed_float16", 2e-3), ("mixed_bfloat16", 8e-3)):
        half = make(12, 20, dtype=policy)(images, training=True)
        assert keras.backend.standardize_dtype(half.dtype) == keras.DTypePolicy(policy).compute_dtype
        difference = to_numpy(keras.ops.cast(half, "float32")) - to_numpy(make(12, 20)(images, training=True))
        assert np.abs(difference).max() < limit
    first = make(12, data_format="channels_first").apply_stateless(images.transpose(0, 3, 1, 2), 5)
    last = to_numpy(make(12).apply_stateless(images, 5))
    np.testing.assert_allclose(to_numpy(first).transpose(0, 2, 3, 1), last, atol=1e-6)


def test_a_new_draw_every_step_and_the_same_stream_for_the_same_seed(images):
    one, same, other = make(), make(), make(seed=4)
    first, second = (to_numpy(one(images, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    for expected in (first, second):
        np.testing.assert_array_equal(to_numpy(same(images, training=True)), expected)
    assert not np.array_equal(to_numpy(other(images, training=True)), first)
    np.testing.assert_array_equal(
        to_numpy(one.apply_stateless(images, 11)), to_numpy(same.apply_stateless(images, 11))
    )


def test_compiled_and_in_fit(images, labels, rng):
    layer = make()
    inputs = [keras.ops.convert_to_tensor(x) for x in (images, rng.random((5, 8)).astype("float32"))]
    np.testing.assert_allclose(
        to_numpy(compiled_function(layer.transform)(*inputs)), to_numpy(layer.transform(*inputs)), atol=1e-5
    )
    x = keras.Input((32, 32, 3))
    model = keras.Model(x, keras.layers.Dense(4)(keras.layers.Flatten()(layer(x))))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    jit = "auto" if keras.backend.backend() == "torch" else True
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=jit)
    history = model.fit(images[:3], labels[:3], batch_size=3, epochs=2, verbose=0, shuffle=False)
    first, second = history.history["loss"]
    assert np.isfinite([first, second]).all()
    assert first != second  # nothing is learned: a new draw at every step
    assert model.predict(images[:5], verbose=0).shape == (5, 4)


def test_inside_tf_data(images):
    tf = pytest.importorskip("tensorflow")
    layer = make()
    dataset = tf.data.Dataset.from_tensor_slices(images)
    mapped = dataset.batch(4).map(layer)
    assert tuple(mapped.element_spec.shape) == (None, 12, 12, 3)
    batches = list(mapped.as_numpy_iterator())
    assert [b.shape for b in batches] == [(4, 12, 12, 3)] * 2
    assert not np.array_equal(batches[0], next(mapped.as_numpy_iterator()))
    off = np.concatenate(list(dataset.batch(4).map(lambda x: layer(x, training=False)).as_numpy_iterator()))
    np.testing.assert_allclose(off, to_numpy(layer(images, training=False)), atol=1e-6)
    assert next(dataset.map(layer).as_numpy_iterator()).shape == (12, 12, 3)

    def pipeline():
        seeds = tf.data.Dataset.random(seed=7, rerandomize_each_iteration=True).batch(2)
        pairs = tf.data.Dataset.zip(dataset.batch(2), seeds)
        return pairs.map(layer.apply_stateless, num_parallel_calls=4)

    one, other = (np.concatenate(list(pipeline().as_numpy_iterator())) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 0}, "`height` must be a whole number of at least 1. Received: height=0"),
        ({"width": 2.5}, "`width` must be a whole number of at least 1. Received: width=2.5"),
        (
            {"area": (0, 1)},
            "`area` must be two numbers above 0 and up to 1, the lower first. Received: area=(0, 1)",
        ),
        ({"area": 0.5}, "Received: area=0.5"),
        (
            {"aspect": (2, 1)},
            "`aspect` must be two numbers above 0, the lower first. Received: aspect=(2, 1)",
        ),
        ({"center": 0}, "`center` must be a finite number in (0, 1]. Received: center=0"),
        ({"center": 1.5}, "`center` must be a finite number in (0, 1]. Received: center=1.5"),
    ],
)
def test_bad_arguments(options, message):
    with refused(message, match="Received"):
        make(**options)
