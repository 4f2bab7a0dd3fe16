"""The wide, dense, grouped and all convolutional networks: published counts, any size, training, files."""

from __future__ import annotations

import doctest
import inspect
import itertools

import keras
import numpy as np
import pytest

import keras_freq
from keras_freq.models import (
    BatchStatisticsNormalization,
    GroupedConv2D,
    all_conv,
    densenet_cifar,
    resnext_cifar,
    wide_resnet,
)

to_numpy = keras.ops.convert_to_numpy

# Small enough to run everywhere.
MAKERS = {
    "wide_resnet": lambda *args, **kwargs: wide_resnet(10, 1, *args, **kwargs),
    "all_conv": lambda *args, **kwargs: all_conv(*args, width=8, **kwargs),
    "densenet": lambda *args, **kwargs: densenet_cifar(10, 4, *args, **kwargs),
    "densenet_bc": lambda *args, **kwargs: densenet_cifar(
        10, 4, *args, bottleneck=True, compression=0.5, **kwargs
    ),
    "resnext": lambda *args, **kwargs: resnext_cifar(11, 2, 4, *args, **kwargs),
}


# JAX compiles the initialization of every shape; counts are the same on all backends.
costly = pytest.mark.slow if keras.backend.backend() == "jax" else ()


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def convolutions(model):
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def predict(model, x):
    # JAX compiles a model as a whole faster than operation by operation.
    return model.predict(x, verbose=0) if keras.backend.backend() == "jax" else to_numpy(model(x))


# The counts from the papers' descriptions. `norm(c)`: scale and offset of a batch normalization.


def norm(channels):
    return 2 * channels


def wide_resnet_count(depth, width, classes=10):
    """Table 1 of the paper with one normalization in front of every 3 x 3 convolution but the first, and one
    in front of the average."""
    blocks = (depth - 4) // 6
    widths = [16, 16 * width, 32 * width, 64 * width]
    count = 3 * 3 * 3 * 16
    for before, after in itertools.pairwise(widths):
        first = norm(before) + 9 * before * after + norm(after) + 9 * after * after
        other = 2 * (norm(after) + 9 * after * after)
        shortcut = before * after if before != after else 0
        count += first + shortcut + (blocks - 1) * other
    return count + norm(widths[-1]) + widths[-1] * classes + classes


def densenet_count(depth, growth, bottleneck, compression, stem, classes=10):
    """Section 3 of the paper: composite functions, transitions, the last normalization."""
    channels, count = stem, 27 * stem
    for block in range(3):
        for _ in range((depth - 4) // (6 if bottleneck else 3)):
            if bottleneck:
                inner = 4 * growth
                count += norm(channels) + channels * inner + norm(inner) + 9 * inner * growth
            else:
                count += norm(channels) + 9 * channels * growth
            channels += growth
        if block < 2:
            kept = int(channels * compression)
            count += norm(channels) + channels * kept
            channels = kept
    return count + norm(channels) + channels * classes + classes


def resnext_count(depth, cardinality, width, classes=10):
    """Section 5.3 of the paper. A group has `D / cardinality` channels in and out."""
    before, count = 64, 27 * 64 + norm(64)
    for stage in range(3):
        inner, after = cardinality * width * 2**stage, 256 * 2**stage
        group = inner // cardinality
        for _ in range((depth - 2) // 9):
            if before != after:
                count += before * after + norm(after)
            count += before * inner + norm(inner) + cardinality * 9 * group * group + norm(inner)
            count += inner * after + norm(after)
            before = after
    return count + 1024 * classes + classes


def all_conv_count(width=96, classes=10, normalization=True):
    """Table 1 of the paper: every convolution with a bias, the last one replaced by a linear layer."""
    count, before = 0, 3
    for after, size in [(width, 3)] * 3 + [(2 * width, 3)] * 4 + [(2 * width, 1)] * 2:
        count += size * size * before * after + after + (norm(after) if normalization else 0)
        before = after
    return count + before * classes + classes


@pytest.mark.parametrize(
    ("count", "known", "published"),
    [
        # The papers' own, rounded to millions.
        (wide_resnet_count(40, 2), 2_243_546, 2.2),
        (wide_resnet_count(40, 4), 8_949_210, 8.9),
        (wide_resnet_count(16, 8), 10_961_370, 11.0),
        (wide_resnet_count(28, 10), 36_479_194, 36.5),
        (densenet_count(40, 12, False, 1, 16), 1_019_722, 1.0),
        (densenet_count(100, 12, False, 1, 16), 6_979_642, 7.0),
        (densenet_count(100, 24, False, 1, 16), 27_249_082, 27.2),
        (densenet_count(100, 12, True, 0.5, 24), 769_162, 0.8),
        (densenet_count(250, 24, True, 0.5, 48), 15_324_406, 15.3),
        (densenet_count(190, 40, True, 0.5, 80), 25_624_430, 25.6),
        (resnext_count(29, 8, 64), 34_426_698, 34.4),
        (resnext_count(29, 16, 64), 68_155_210, 68.1),
        (all_conv_count(), 1_409_674, 1.4),
    ],
)
def test_the_formulas_give_the_published_counts(count, known, published):
    assert count == known
    # Papers cut or round: 68.155 is 68.1 in one, 8.949 is 8.9 in another.
    assert abs(count / 1e6 - published) < 0.06


@pytest.mark.parametrize(
    ("make", "count"),
    [
        (MAKERS["wide_resnet"], wide_resnet_count(10, 1)),
        (MAKERS["densenet"], densenet_count(10, 4, False, 1, 16)),
        (MAKERS["densenet_bc"], densenet_count(10, 4, True, 0.5, 8)),
        (MAKERS["resnext"], resnext_count(11, 2, 4)),
        (MAKERS["all_conv"], all_conv_count(8)),
        (lambda: all_conv(width=8, normalization=None, classes=4), all_conv_count(8, 4, False)),
        (lambda: all_conv(width=8, downsampling="stride"), all_conv_count(8)),
        pytest.param(lambda: wide_resnet(10, 3, classes=7), wide_resnet_count(10, 3, 7), marks=costly),
        pytest.param(
            lambda: densenet_cifar(7, 5, compression=0.3, stem=9),
            densenet_count(7, 5, False, 0.3, 9),
            marks=costly,
        ),
        pytest.param(lambda: resnext_cifar(20, 3, 5, classes=7), resnext_count(20, 3, 5, 7), marks=costly),
    ],
)
def test_small_networks_have_the_counts_of_the_formulas(make, count):
    assert trainable(make()) == count


@pytest.mark.parametrize(
    ("make", "count", "depth"),
    [
        pytest.param(wide_resnet, 2_243_546, 40, marks=costly),
        pytest.param(densenet_cifar, 1_019_722, 40, marks=costly),
        pytest.param(resnext_cifar, resnext_count(29, 4, 32), 29, marks=costly),
        pytest.param(all_conv, 1_409_674, 10, marks=costly),
        pytest.param(lambda: densenet_cifar(stem=24), 1_059_298, 40, marks=pytest.mark.slow),
        pytest.param(
            lambda: densenet_cifar(100, bottleneck=True, compression=0.5),
            769_162,
            100,
            marks=pytest.mark.slow,
        ),
        pytest.param(lambda: resnext_cifar(29, 8, 64), 34_426_698, 29, marks=pytest.mark.slow),
        pytest.param(lambda: wide_resnet(28, 10), 36_479_194, 28, marks=pytest.mark.slow),
    ],
)
def test_published_networks_have_their_counts_and_depth(make, count, depth):
    model = make()
    assert trainable(model) == count
    # The wide network's depth is that of all convolutions. The others' leaves out the shortcuts and has the
    # last layer.
    names = [layer.name for layer in convolutions(model)]
    if "wide" not in model.name:
        names = [name for name in names if "shortcut" not in name] + ["logits"]
    assert len(names) == depth


@pytest.mark.parametrize(
    ("make", "name", "layer", "shape"),
    [
        (lambda: wide_resnet(10, 1), "wide_resnet10_1", "last_relu", (8, 8, 64)),
        (lambda: densenet_cifar(10, 4), "densenet10_4", "last_relu", (8, 8, 40)),
        (lambda: resnext_cifar(11, 2, 4), "resnext11_2x4d", "stage3_block1_relu", (8, 8, 1024)),
        (lambda: all_conv(width=8), "all_conv", "stage3_conv3", (6, 6, 16)),
        (lambda: all_conv(width=8, downsampling="stride", name="mine"), "mine", "stage3_conv3", (6, 6, 16)),
    ],
)
def test_name_and_last_feature_map_of_a_cifar_image(make, name, layer, shape):
    model = make()
    assert model.name == name
    assert model.get_layer(layer).output.shape[1:] == shape


def test_shortcuts_of_the_wide_network_start_from_activated_features():
    model = wide_resnet(10, 1)
    names = [layer.name for layer in model.layers if "shortcut" in layer.name]
    # With width 1 the first stage has the channels of the stem, and its shortcut is the identity.
    assert names == ["stage2_block1_shortcut", "stage3_block1_shortcut"]
    shortcut, main = model.get_layer(names[0]), model.get_layer("stage2_block1_conv1_pad")
    assert shortcut.input is main.input
    assert main.input is model.get_layer("stage2_block1_relu1").output


def test_a_dense_layer_passes_on_all_that_came_before(images):
    model = MAKERS["densenet"]()
    part = keras.Model(model.input, [model.get_layer(f"block1_layer{i}_concat").output for i in (1, 2)])
    first, second = (to_numpy(y) for y in part(images[:2]))
    assert first.shape[-1] == 16 + 4
    assert second.shape[-1] == 16 + 8
    np.testing.assert_array_equal(second[..., :20], first)


def test_the_grouped_convolutions_have_the_cardinality():
    model = MAKERS["resnext"]()
    found = [layer for layer in model.layers if isinstance(layer, GroupedConv2D)]
    assert [(layer.groups, layer.filters) for layer in found] == [(2, 8), (2, 16), (2, 32)]
    # A cardinality of 1 is an ordinary bottleneck, which needs no class of ours.
    assert not any(isinstance(layer, GroupedConv2D) for layer in resnext_cifar(11, 1, 8).layers)


def test_the_activation_of_the_all_convolutional_network(images):
    model = MAKERS["all_conv"]()
    before = model.get_layer("stage1_conv1_norm").output
    after = model.get_layer("stage1_conv2").input
    x, y = (to_numpy(v) for v in keras.Model(model.input, [before, after])(images[:2]))
    np.testing.assert_allclose(y, x / (1 + np.exp(-1.702 * x.astype("float64"))), atol=1e-6)
    assert y.min() < 0


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("wide_resnet", (31, 45, 3)),
        ("all_conv", (9, 14, 1)),
        ("densenet", (17, 9, 1)),
        ("densenet_bc", (5, 3, 4)),
        ("resnext", (11, 6, 3)),
    ],
)
def test_logits_for_any_size_and_channels(kind, shape, rng):
    mean, std = np.linspace(0.1, 0.4, shape[2]), np.linspace(0.5, 0.3, shape[2])
    model = MAKERS[kind]((None, None, shape[2]), classes=7, mean=mean.tolist(), std=std.tolist())
    assert model.input_shape == (None, None, None, shape[2])
    x = rng.random((2, *shape), dtype="float32")
    logits = predict(model, x)
    assert logits.shape == (2, 7)
    assert np.isfinite(logits).all()
    # Logits and no probabilities: the last layer is linear.
    assert model.layers[-1].activation is keras.activations.linear
    assert not np.allclose(logits.sum(axis=1), 1)
    first = model.layers[1]
    assert isinstance(first, keras.layers.Normalization)
    np.testing.assert_allclose(to_numpy(first(x)), (x - mean) / std, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_batch_gives_a_finite_loss_and_moves_every_weight(kind, images, labels):
    model = MAKERS[kind]((16, 16, 3), classes=4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    # Tracing takes TensorFlow longer than the step.
    eagerly = keras.backend.backend() == "tensorflow"
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile="auto", run_eagerly=eagerly)
    before = [to_numpy(v) for v in model.trainable_variables]
    value = model.train_on_batch(images[:, ::2, ::2], labels)
    assert np.isfinite(value)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        new = to_numpy(variable)
        assert np.isfinite(new).all()
        # A bias in front of a batch normalization has no effect and no gradient, but for rounding.
        if not (kind == "all_conv" and "conv" in variable.path and variable.name == "bias"):
            assert np.abs(new - old).max() > 1e-7, variable.path


@pytest.mark.parametrize("kind", MAKERS)
def test_models_save_and_load(kind, images, tmp_path):
    model = MAKERS[kind]()
    logits = predict(model, images[:2])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predict(again, images[:2]), logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", MAKERS)
def test_normalization_and_dropout_are_optional(kind, images):
    for normalization in ("batch_statistics", None):
        model = MAKERS[kind](normalization=normalization, dropout=0.0)
        kinds = {type(layer) for layer in model.layers}
        assert not kinds & {keras.layers.BatchNormalization, keras.layers.Dropout}
        assert (BatchStatisticsNormalization in kinds) == (normalization == "batch_statistics")
        biased = {layer.use_bias for layer in convolutions(model)}
        assert biased == {kind == "all_conv" or normalization is None}
    assert np.abs(predict(model, images[:2])).max() < 50


@pytest.mark.parametrize(("kind", "count"), [("wide_resnet", 3), ("all_conv", 2), ("densenet_bc", 8)])
def test_dropout_inside_is_seeded(kind, count):
    def dropouts(model):
        return [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]

    models = [MAKERS[kind](dropout=0.5, seed=seed) for seed in (7, 7, 8)]
    assert [len(dropouts(model)) for model in models] == [count, count, count]
    ones = np.ones((4, 250), "float32")
    draws = [[to_numpy(layer(ones, training=True)) for layer in dropouts(model)] for model in models]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.mean(np.array(draws[0]) > 0) == pytest.approx(0.5, abs=0.05)
    # One seed, and yet each layer drops others.
    assert len({draw.tobytes() for draw in draws[0]}) == count
    assert not np.array_equal(draws[2][0], draws[0][0])


def test_dropout_of_the_grouped_network_is_in_front_of_the_last_layer():
    layers = MAKERS["resnext"](dropout=0.5, seed=3).layers
    assert isinstance(layers[-2], keras.layers.Dropout)
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in layers) == 1


@pytest.mark.parametrize("kind", ["all_conv", "resnext"])
def test_mixed_precision_gives_float32_logits(kind, images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = MAKERS[kind]()
    finally:
        keras.config.set_dtype_policy("float32")
    convolution = convolutions(model)[-1]
    assert convolution.compute_dtype == "bfloat16"
    assert convolution.input.dtype == "bfloat16"
    logits = predict(model, images[:2])
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("kind", MAKERS)
def test_channels_last_whatever_keras_is_configured_for(kind):
    configured = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        model = MAKERS[kind]()
        side = 6 if kind == "all_conv" else 8
        assert model.get_layer("pool").input.shape[1:3] == (side, side)
        assert model.output_shape == (None, 10)
    finally:
        keras.config.set_image_data_format(configured)


@pytest.mark.parametrize(
    "name", ["all_conv", "densenet_cifar", "resnext_cifar", "wide_resnet", "GroupedConv2D"]
)
def test_example(name):
    names = {"np": np, "keras": keras, "keras_freq": keras_freq}
    text = inspect.getdoc(getattr(keras_freq.models, name))
    example = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    assert example.examples
    output = []
    doctest.DocTestRunner(verbose=False).run(example, out=output.append)
    assert not output, "".join(output)


@pytest.mark.parametrize("make", [wide_resnet, all_conv, densenet_cifar, resnext_cifar])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (32, 32)}, r"`input_shape` must be .*Received: input_shape=\(32, 32\)"),
        ({"input_shape": (32, 32, 1)}, r"`mean` must be .* 1 input channels.*Received: mean=\(0\.49"),
        ({"classes": 1}, r"`classes` must be .*Received: classes=1$"),
        ({"normalization": "layer"}, "`normalization` must be .*Received: normalization='layer'"),
        ({"dropout": 1}, "`dropout` must be .*Received: dropout=1$"),
        ({"seed": -1}, "`seed` must be .*Received: seed=-1$"),
        ({"std": 0}, "`std` must be greater than 0.*Received: std=0"),
    ],
)
def test_bad_arguments_that_all_share(make, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        make(**arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (wide_resnet, {"depth": 41}, r"`depth` must be 6n \+ 4 .*10 or 16\. Received: depth=41$"),
        (wide_resnet, {"depth": 4}, r"`depth` must be 6n \+ 4 .*Received: depth=4$"),
        (wide_resnet, {"depth": "40"}, r"`depth` must be 6n \+ 4 .*Received: depth='40'$"),
        (wide_resnet, {"depth": 16.0}, r"`depth` must be 6n \+ 4 .*Received: depth=16\.0$"),
        (wide_resnet, {"width": 0}, "`width` must be .*Received: width=0$"),
        (wide_resnet, {"width": 1.5}, r"`width` must be .*Received: width=1\.5$"),
        (all_conv, {"width": True}, "`width` must be .*Received: width=True$"),
        (all_conv, {"downsampling": "mean"}, "`downsampling` must be .*Received: downsampling='mean'$"),
        (all_conv, {"input_shape": (8, 32, 3)}, r"at least 9 .*Received: input_shape=\(8, 32, 3\)$"),
        (densenet_cifar, {"depth": 41}, r"`depth` must be 3n \+ 4 .*7 or 10\. Received: depth=41$"),
        (densenet_cifar, {"depth": 43, "bottleneck": True}, r"`depth` must be 6n \+ 4 .*depth=43$"),
        (densenet_cifar, {"growth": 0}, "`growth` must be .*Received: growth=0$"),
        (densenet_cifar, {"stem": 0}, "`stem` must be .*Received: stem=0$"),
        (densenet_cifar, {"bottleneck": 1}, "`bottleneck` must be True or False.*bottleneck=1$"),
        (densenet_cifar, {"compression": 0}, "`compression` must be .*Received: compression=0$"),
        (densenet_cifar, {"compression": 1.5}, r"`compression` must be .*Received: compression=1\.5$"),
        (densenet_cifar, {"compression": True}, "`compression` must be .*Received: compression=True$"),
        (densenet_cifar, {"compression": float("nan")}, "`compression` must be .*compression=nan$"),
        (resnext_cifar, {"depth": 28}, r"`depth` must be 9n \+ 2 .*11 or 20\. Received: depth=28$"),
        (resnext_cifar, {"cardinality": 0}, "`cardinality` must be .*Received: cardinality=0$"),
        (resnext_cifar, {"width": "64d"}, "`width` must be .*Received: width='64d'$"),
    ],
)
def test_bad_arguments_give_one_line(make, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        make(**arguments)
    assert "\n" not in str(error.value)
