"""VGG, AlexNet, the vision transformer and widths of ResNets: published counts, any size, training, files."""

from __future__ import annotations

import doctest
import inspect

import keras
import numpy as np
import pytest

import keras_freq
from keras_freq.models import (
    ClassToken,
    PositionEmbedding,
    alexnet_small,
    resnet_cifar,
    vgg16_bn,
    vit,
)

to_numpy = keras.ops.convert_to_numpy

# Small enough to run everywhere.
MAKERS = {
    "vgg16_bn": lambda *args, **kwargs: vgg16_bn(*args, width=2, **kwargs),
    "alexnet_small": lambda *args, **kwargs: alexnet_small(*args, width=4, **kwargs),
    "vit": lambda shape=(32, 32, 3), *args, **kwargs: vit(
        shape, *args, patch=8, width=8, depth=2, heads=2, **kwargs
    ),
}
# Counts are the same on all backends, and shapes are Keras' own business.
costly = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX compiles the initialization of every shape"
)


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def predict(model, x):
    # JAX compiles a model as a whole faster than operation by operation.
    return model.predict(x, verbose=0) if keras.backend.backend() == "jax" else to_numpy(model(x))


def vgg16_count(width=64, classes=10, normalization=True):
    """Column D of table 1 of the paper, with scale and offset of a normalization."""
    count, before = 0, 3
    for convolutions, times in ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8)):
        for _ in range(convolutions):
            after = times * width
            count += 9 * before * after + after + (2 * after if normalization else 0)
            before = after
    return count + before * classes + classes


def alexnet_count(width=64, classes=10):
    count, before = 0, 3
    for times in (1, 3, 6, 4, 4):
        count += 9 * before * times * width + times * width
        before = times * width
    for units in (16 * width, 16 * width, classes):
        count += before * units + units
        before = units
    return count


def vit_count(side, patch, width, depth, classes=10):
    """Section 3.1 of the paper: patches, class token, positions; attention, network and norms a layer."""
    tokens = (side // patch) ** 2 + 1
    start = 3 * patch * patch * width + width + width + tokens * width
    attention = 4 * (width * width + width)
    network = width * 4 * width + 4 * width + 4 * width * width + width
    return start + depth * (attention + network + 4 * width) + 2 * width + width * classes + classes


def resnet18_count(width=64, classes=10):
    count, before = 27 * width + 2 * width, width
    for stage in range(4):
        after = width * 2**stage
        for _ in range(2):
            count += 9 * before * after + 9 * after * after + 4 * after
            count += before * after + 2 * after if before != after else 0
            before = after
    return count + before * classes + classes


def test_the_formulas_give_the_known_counts():
    # Of torchvision: the convolutions and norms of vgg16_bn, and vit_b_16.
    assert vgg16_count() == 14_723_136 + 5_130 == 14_728_266
    assert vit_count(224, 16, 768, 12, 1000) == 86_567_656
    assert resnet18_count() == 11_173_962
    assert alexnet_count() == 3_574_602


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (MAKERS["vgg16_bn"], vgg16_count(2)),
        pytest.param(
            lambda: vgg16_bn(width=2, normalization=None, classes=4),
            vgg16_count(2, 4, False),
            marks=costly,
        ),
        (MAKERS["alexnet_small"], alexnet_count(4)),
        (MAKERS["vit"], vit_count(32, 8, 8, 2)),
        pytest.param(lambda: resnet_cifar(18, width=2), resnet18_count(2), marks=costly),
        pytest.param(vgg16_bn, vgg16_count(), marks=costly),
        pytest.param(alexnet_small, alexnet_count(), marks=costly),
        pytest.param(
            lambda: vit((24, 32, 3), patch=8, width=12, depth=3, heads=3),
            vit_count(24, 8, 12, 3) + 3 * 12,
            marks=costly,
        ),
        pytest.param(lambda: resnet_cifar(20, width=16), 269_722, marks=costly),
        pytest.param(lambda: vit(classes=1000, patch=16), 86_567_656, marks=costly),
    ],
)
def test_parameters_are_the_known_ones(make, count):
    assert trainable(make()) == count


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("vgg16_bn", (9, 33, 1)),
        pytest.param("vgg16_bn", (1, 2, 3), marks=costly),
        ("alexnet_small", (31, 45, 3)),
        pytest.param("alexnet_small", (3, 1, 4), marks=costly),
        ("vit", (17, 9, 1)),
        pytest.param("vit", (5, 24, 4), marks=costly),
    ],
)
def test_logits_for_any_size_and_channels(kind, shape, rng):
    mean, std = np.linspace(0.1, 0.4, shape[2]), np.linspace(0.5, 0.3, shape[2])
    sides = shape[:2] if kind == "vit" else (None, None)
    model = MAKERS[kind]((*sides, shape[2]), classes=7, mean=mean.tolist(), std=std.tolist())
    x = rng.random((2, *shape), dtype="float32")
    logits = predict(model, x)
    assert logits.shape == (2, 7)
    assert np.isfinite(logits).all()
    # Logits and no probabilities: the last layer is linear.
    assert model.layers[-1].activation is keras.activations.linear
    first = model.layers[1]
    assert isinstance(first, keras.layers.Normalization)
    np.testing.assert_allclose(to_numpy(first(x)), (x - mean) / std, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_batch_gives_a_finite_loss_and_moves_the_weights(kind, images, labels):
    model = MAKERS[kind]((16, 16, 3), classes=4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Tracing takes TensorFlow longer than the step.
    eagerly = keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile="auto", run_eagerly=eagerly)
    before = [to_numpy(v) for v in model.trainable_variables]
    assert np.isfinite(model.train_on_batch(images[:, ::2, ::2], labels))
    moved = 0
    for old, variable in zip(before, model.trainable_variables, strict=True):
        new = to_numpy(variable)
        assert np.isfinite(new).all()
        moved += np.abs(new - old).max() > 1e-7
    # A bias in front of a normalization, or of the keys of an attention, has no effect and no gradient; and
    # neither of two channels may be active.
    without = {"vgg16_bn": 18, "alexnet_small": 0, "vit": 2}[kind]
    assert moved >= len(before) - without


@pytest.mark.parametrize("kind", MAKERS)
def test_models_save_and_load(kind, images, tmp_path):
    model = MAKERS[kind]()
    logits = predict(model, images[:2])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predict(again, images[:2]), logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", MAKERS)
def test_mixed_precision_gives_float32_logits(kind, images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = MAKERS[kind]()
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[3].compute_dtype == "bfloat16"
    assert model.layers[-1].input.dtype == "bfloat16"
    logits = predict(model, images[:2])
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_channels_last_whatever_keras_is_configured_for():
    configured = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        assert MAKERS["vgg16_bn"]().get_layer("pool").input.shape == (None, 1, 1, 16)
        assert MAKERS["alexnet_small"]().get_layer("pool").input.shape == (None, 2, 2, 16)
        assert MAKERS["vit"]((30, 31, 3)).get_layer("patches").output.shape == (None, 4, 4, 8)
    finally:
        keras.config.set_image_data_format(configured)


@pytest.mark.parametrize(
    ("kind", "count"),
    [("alexnet_small", 2), *(pytest.param(*row, marks=costly) for row in (("vgg16_bn", 1), ("vit", 5)))],
)
def test_dropout_is_seeded_and_optional(kind, count):
    def dropouts(**options):
        layers = MAKERS[kind](**options).layers
        return [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]

    assert dropouts(dropout=0.0) == []
    ones = np.ones((4, 250), "float32")
    draws = [
        [to_numpy(layer(ones, training=True)) for layer in dropouts(dropout=0.5, seed=seed)]
        for seed in (7, 7, 8)
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    # One seed, and yet each layer drops others.
    assert len({draw.tobytes() for draw in draws[0]}) == count
    assert not np.array_equal(draws[2][0], draws[0][0])


def test_the_transformer_reads_the_class_token_and_knows_places(images):
    model = MAKERS["vit"]()
    token, positions = model.get_layer("class_token"), model.get_layer("positions")
    assert isinstance(token, ClassToken)
    assert isinstance(positions, PositionEmbedding)
    assert positions.positions.shape == (1, 17, 8)
    sequence = np.arange(2 * 16 * 8, dtype="float32").reshape(2, 16, 8)
    longer = to_numpy(token(sequence))
    np.testing.assert_array_equal(longer[:, 1:], sequence)
    np.testing.assert_array_equal(longer[1, 0], to_numpy(token.token)[0, 0])
    assert token.compute_output_shape((None, None, 8)) == (None, None, 8)
    # Patches in another order are another image, but only by the vectors of their places.
    x = images[:1]
    moved = np.roll(x, 8, axis=2)
    assert np.abs(predict(model, x) - predict(model, moved)).max() > 1e-5
    positions.positions.assign(0 * positions.positions)
    np.testing.assert_allclose(predict(model, x), predict(model, moved), atol=1e-4)


def test_places_need_a_known_length():
    with pytest.raises(ValueError, match=r"known length.*Received: input_shape=\(None, None, 8\)"):
        PositionEmbedding().build((None, None, 8))


@pytest.mark.parametrize("name", ["vgg16_bn", "alexnet_small", "vit", "ClassToken", "PositionEmbedding"])
def test_example(name):
    names = {"np": np, "keras": keras, "keras_freq": keras_freq}
    text = inspect.getdoc(getattr(keras_freq.models, name))
    example = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    assert example.examples
    output = []
    doctest.DocTestRunner(verbose=False).run(example, out=output.append)
    assert not output, "".join(output)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (vgg16_bn, {"width": 0}, "`width` must be .*Received: width=0$"),
        (vgg16_bn, {"normalization": "layer"}, "`normalization` must be .*normalization='layer'"),
        (vgg16_bn, {"input_shape": (32, 32)}, r"`input_shape` must be .*input_shape=\(32, 32\)"),
        (alexnet_small, {"width": 1.5}, r"`width` must be .*Received: width=1\.5$"),
        (alexnet_small, {"dropout": 1}, "`dropout` must be .*Received: dropout=1$"),
        (alexnet_small, {"classes": 1}, "`classes` must be .*Received: classes=1$"),
        (vit, {"patch": 0}, "`patch` must be .*Received: patch=0$"),
        (vit, {"depth": True}, "`depth` must be .*Received: depth=True$"),
        (vit, {"heads": 5}, "`width` must be a multiple of heads=5. Received: width=768$"),
        (vit, {"input_shape": (None, 8, 3)}, r"known height and width. Received: .*\(None, 8, 3\)$"),
        (vit, {"seed": -1}, "`seed` must be .*Received: seed=-1$"),
        (vit, {"std": 0}, "`std` must be greater than 0.*Received: std=0"),
        (lambda **o: resnet_cifar(18, **o), {"width": 0}, "`width` must be .*Received: width=0$"),
    ],
)
def test_bad_arguments_give_one_line(make, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        make(**arguments)
    assert "\n" not in str(error.value)
