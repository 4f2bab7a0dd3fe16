"""What every network promises, whatever it is made of."""

import zipfile

import keras
import numpy as np
import pytest

from keras_freq.models import (
    BatchStatisticsNormalization,
    alexnet_small,
    all_conv,
    densenet_cifar,
    resnet_cifar,
    resnext_cifar,
    small_resnet,
    vgg16_bn,
    vit,
    whitened_net,
    wide_resnet,
)
from tests.refusals import refused

to_numpy = keras.ops.convert_to_numpy

# Small enough to run everywhere.
NETWORKS = {
    "small_resnet": lambda *args, **kwargs: small_resnet(*args, width=4, **kwargs),
    "whitened_net": lambda *args, **kwargs: whitened_net(*args, width=4, **kwargs),
    "resnet20": lambda *args, **kwargs: resnet_cifar(20, *args, width=2, **kwargs),
    "wide_resnet": lambda *args, **kwargs: wide_resnet(10, 1, *args, **kwargs),
    "all_conv": lambda *args, **kwargs: all_conv(*args, width=8, **kwargs),
    "densenet": lambda *args, **kwargs: densenet_cifar(10, 4, *args, **kwargs),
    "densenet_bc": lambda *args, **kwargs: densenet_cifar(
        10, 4, *args, bottleneck=True, compression=0.5, **kwargs
    ),
    "resnext": lambda *args, **kwargs: resnext_cifar(11, 2, 4, *args, **kwargs),
    "vgg16_bn": lambda *args, **kwargs: vgg16_bn(*args, width=2, **kwargs),
    "alexnet_small": lambda *args, **kwargs: alexnet_small(*args, width=4, **kwargs),
    "vit": lambda shape=(32, 32, 3), *args, **kwargs: vit(shape, *args, width=8, depth=2, heads=2, **kwargs),
}
every_network = pytest.mark.parametrize("kind", NETWORKS)


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def predict(model, x):
    # JAX compiles a model as a whole faster than operation by operation.
    return model.predict(x, verbose=0) if keras.backend.backend() == "jax" else to_numpy(model(x))


@every_network
def test_channels_last_whatever_keras_is_configured_for(kind):
    """Also the names, and the feature map of a CIFAR image in front of the average."""
    configured = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        model = NETWORKS[kind]()
    finally:
        keras.config.set_image_data_format(configured)
    name, shape = {
        "small_resnet": ("small_resnet", (4, 4, 32)),
        "whitened_net": ("whitened_net", (3, 3, 16)),
        "resnet20": ("resnet20_cifar", (8, 8, 8)),
        "wide_resnet": ("wide_resnet10_1", (8, 8, 64)),
        "all_conv": ("all_conv", (6, 6, 16)),
        "densenet": ("densenet10_4", (8, 8, 40)),
        "densenet_bc": ("densenet_bc10_4", (8, 8, 9)),
        "resnext": ("resnext11_2x4d", (8, 8, 1024)),
        "vgg16_bn": ("vgg16_bn", (1, 1, 16)),
        "alexnet_small": ("alexnet_small", (2, 2, 16)),
        "vit": ("vit", (4, 4, 8)),
    }[kind]
    assert model.name == name
    map_ = model.get_layer("patches").output if kind == "vit" else model.get_layer("pool").input
    assert map_.shape[1:] == shape
    assert model.output_shape == (None, 10)
    model = NETWORKS[kind](name="mine", dropout=0.5)
    assert model.name == "mine"
    inside = {"wide_resnet": 3, "all_conv": 2, "densenet": 8, "densenet_bc": 8, "alexnet_small": 2, "vit": 5}
    assert len(layers_of(model, keras.layers.Dropout)) == inside.get(kind, 1)
    # Where there is but one, it is in front of the last layer.
    assert kind in inside or isinstance(model.layers[-2], keras.layers.Dropout)


@pytest.mark.parametrize(
    ("kind", "channels", "sizes"),
    [
        ("small_resnet", 3, [(31, 45), (28, 28)]),
        ("resnet20", 4, [(9, 8)]),
        ("whitened_net", 4, [(31, 9), (32, 32)]),
        ("wide_resnet", 3, [(31, 45)]),
        ("all_conv", 1, [(9, 14)]),
        ("densenet", 1, [(17, 9)]),
        ("densenet_bc", 4, [(5, 3)]),
        ("resnext", 3, [(11, 6)]),
        ("vgg16_bn", 1, [(9, 33), (1, 2)]),
        ("alexnet_small", 4, [(31, 45), (3, 1)]),
        ("vit", 1, [(17, 9)]),
        ("vit", 4, [(5, 24)]),
    ],
)
def test_logits_for_any_size_and_channels(kind, channels, sizes, rng):
    mean, std = np.linspace(0.1, 0.4, channels), np.linspace(0.5, 0.3, channels)
    given = sizes[0] if kind == "vit" else (None, None)
    model = NETWORKS[kind]((*given, channels), classes=7, mean=mean.tolist(), std=std.tolist())
    assert model.input_shape == (None, *given, channels)
    for size in sizes:
        x = rng.random((2, *size, channels), dtype="float32")
        logits = predict(model, x)
        assert logits.shape == (2, 7)
        assert np.isfinite(logits).all()
        # Logits and no probabilities: the last layer is linear.
        assert not np.allclose(logits.sum(axis=1), 1)
    assert model.layers[-1].activation is keras.activations.linear
    first = model.layers[1]
    assert isinstance(first, keras.layers.Normalization)
    np.testing.assert_allclose(to_numpy(first(x)), (x - mean) / std, rtol=1e-5, atol=1e-6)


@every_network
def test_a_batch_gives_a_finite_loss_and_moves_the_weights(kind, images, labels):
    model = NETWORKS[kind]((16, 16, 3), classes=4)
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
    assert moved >= len(before) - {"all_conv": 9, "vgg16_bn": 18, "vit": 2}.get(kind, 0)


@every_network
def test_models_save_and_load(kind, images, tmp_path):
    model, x = NETWORKS[kind]((16, 16, 3)), images[:2, ::2, ::2]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predict(again, x), predict(model, x), rtol=1e-5, atol=1e-5)
    # Where no layer is the package's own, the file needs Keras alone.
    config = zipfile.ZipFile(tmp_path / "model.keras").read("config.json").decode()
    assert ("keras_freq" in config) == (kind in ("resnext", "vit", "whitened_net"))
    assert "Lambda" not in config


@every_network
def test_normalization_is_optional(kind, images):
    if kind == "vit":
        pytest.skip("a transformer normalizes each token on its own")
    for normalization in ("batch_statistics", None):
        model = NETWORKS[kind]((16, 16, 3), normalization=normalization, dropout=0.0)
        kinds = {type(layer) for layer in model.layers}
        assert not kinds & {keras.layers.BatchNormalization, keras.layers.Dropout}
        assert (BatchStatisticsNormalization in kinds) == (normalization == "batch_statistics")
        biased = {layer.use_bias for layer in layers_of(model, keras.layers.Conv2D)}
        always, never = kind in ("all_conv", "vgg16_bn", "alexnet_small"), kind == "whitened_net"
        assert biased == {not never and (always or normalization is None)}
    assert np.abs(predict(model, images[:2, ::2, ::2])).max() < 50


@pytest.mark.parametrize(
    "kind", ["small_resnet", "wide_resnet", "all_conv", "densenet_bc", "alexnet_small", "vit"]
)
def test_dropout_is_seeded(kind):
    models = [NETWORKS[kind]((16, 16, 3), dropout=0.5, seed=seed) for seed in (7, 7, 8)]
    ones = np.ones((4, 250), "float32")
    draws = [
        [to_numpy(layer(ones, training=True)) for layer in layers_of(model, keras.layers.Dropout)]
        for model in models
    ]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert np.mean(np.array(draws[0]) > 0) == pytest.approx(0.5, abs=0.05)
    # One seed, and yet each layer drops others.
    assert len({draw.tobytes() for draw in draws[0]}) == len(draws[0])
    assert not np.array_equal(draws[2][0], draws[0][0])


@pytest.mark.parametrize(
    "kind", ["small_resnet", "whitened_net", "all_conv", "resnext", "vgg16_bn", "alexnet_small", "vit"]
)
def test_mixed_precision_gives_float32_logits(kind, images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = NETWORKS[kind]((16, 16, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    convolution = layers_of(model, keras.layers.Conv2D)[-1]
    assert convolution.compute_dtype == "bfloat16"
    assert model.layers[-1].input.dtype == "bfloat16"
    logits = predict(model, images[:2, ::2, ::2])
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (32, 32)}, r"`input_shape` must be .*Received: input_shape=\(32, 32\)$"),
        ({"input_shape": 32}, "`input_shape` must be .*Received: input_shape=32$"),
        ({"input_shape": (32, 32, None)}, "`input_shape` must be .*Received"),
        ({"input_shape": (0, 32, 3)}, "`input_shape` must be .*Received"),
        ({"input_shape": (32, 32, 1)}, r"`mean` must be .* 1 input channels.*Received: mean=\(0\.49"),
        ({"classes": 1}, "`classes` must be .*Received: classes=1$"),
        ({"classes": 10.0}, r"`classes` must be .*Received: classes=10\.0$"),
        ({"normalization": "group"}, "`normalization` must be .*Received: normalization='group'$"),
        ({"normalization": False}, "`normalization` must be .*Received: normalization=False$"),
        ({"dropout": 1}, "`dropout` must be .*Received: dropout=1$"),
        ({"dropout": -0.1}, r"`dropout` must be .*Received: dropout=-0\.1$"),
        ({"dropout": float("nan")}, "`dropout` must be .*Received: dropout=nan$"),
        ({"dropout": None}, "`dropout` must be .*Received: dropout=None$"),
        ({"dropout": True}, "`dropout` must be .*Received: dropout=True$"),
        ({"seed": -1}, "`seed` must be .*Received: seed=-1$"),
        ({"seed": 0.5}, r"`seed` must be .*Received: seed=0\.5$"),
        ({"mean": "cifar"}, "`mean` must be .*Received: mean='cifar'$"),
        ({"mean": (0.5, np.nan, 0.5)}, "`mean` must be .*Received"),
        ({"std": 0}, "`std` must be greater than 0.*Received: std=0"),
        ({"std": (0.2, 0.2)}, "`std` must be .*Received"),
    ],
)
def test_bad_arguments_that_all_share(arguments, message):
    resnet20 = lambda **options: resnet_cifar(20, **options)  # noqa: E731
    makers = [
        small_resnet,
        whitened_net,
        resnet20,
        wide_resnet,
        all_conv,
        densenet_cifar,
        resnext_cifar,
        vgg16_bn,
    ]
    for make in [*makers, alexnet_small, *([] if "normalization" in arguments else [vit])]:
        with refused(match=message):
            make(**arguments)


@pytest.mark.once
@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (small_resnet, {"width": 0}, "`width` must be .*Received: width=0$"),
        (small_resnet, {"width": 1.5}, r"`width` must be .*Received: width=1\.5$"),
        (small_resnet, {"width": None}, "`width` must be .*Received: width=None$"),
        (small_resnet, {"width": True}, "`width` must be .*Received: width=True$"),
        (whitened_net, {"width": 0}, "`width` must be .*Received: width=0$"),
        (whitened_net, {"input_shape": (8, 32, 3)}, r"at least 9 .*Received: input_shape=\(8, 32, 3\)$"),
        (whitened_net, {"images": np.zeros((4, 9, 9, 1), "uint8")}, "the 3 channels .*images of 1 channels$"),
        (whitened_net, {"images": np.zeros((4, 9, 9), "uint8")}, "must have rank 4.*Received"),
        (resnet_cifar, {"depth": 18, "width": 0}, "`width` must be .*Received: width=0$"),
        *(
            (resnet_cifar, {"depth": depth}, r"`depth` must be one of 18, 20, 32, 50\. Received: depth=")
            for depth in (34, "18", None, True, 20.5)
        ),
        (wide_resnet, {"depth": 41}, r"`depth` must be 6n \+ 4 .*10 or 16\. Received: depth=41$"),
        (wide_resnet, {"depth": 4}, r"`depth` must be 6n \+ 4 .*Received: depth=4$"),
        (wide_resnet, {"depth": "40"}, r"`depth` must be 6n \+ 4 .*Received: depth='40'$"),
        (wide_resnet, {"depth": 16.0}, r"`depth` must be 6n \+ 4 .*Received: depth=16\.0$"),
        (wide_resnet, {"width": 0}, "`width` must be .*Received: width=0$"),
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
        (vgg16_bn, {"width": 0}, "`width` must be .*Received: width=0$"),
        (alexnet_small, {"width": 1.5}, r"`width` must be .*Received: width=1\.5$"),
        (vit, {"patch": 0}, "`patch` must be .*Received: patch=0$"),
        (vit, {"depth": True}, "`depth` must be .*Received: depth=True$"),
        (vit, {"heads": 5}, "`width` must be a multiple of heads=5. Received: width=768$"),
        (vit, {"input_shape": (None, 8, 3)}, r"known height and width. Received: .*\(None, 8, 3\)$"),
    ],
)
def test_bad_arguments_give_one_line(make, arguments, message):
    with refused(match=message):
        make(**arguments)
