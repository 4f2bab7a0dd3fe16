import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_freq.models import resnet_cifar, small_resnet

MAKERS = {
    "small_resnet": small_resnet,
    "resnet20": lambda *args, **kwargs: resnet_cifar(20, *args, **kwargs),
}


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


def batch_norm(channels):
    return 2 * channels


def six_n_plus_two(depth, classes=10):
    """Parameters of the network of depth 6 n + 2 whose shortcuts have none."""
    n = (depth - 2) // 6
    count = 3 * 16 * 9 + batch_norm(16)
    before = 16
    for width in (16, 32, 64):
        for _ in range(n):
            count += 9 * before * width + 9 * width * width + 2 * batch_norm(width)
            before = width
    return count + 64 * classes + classes


def weighted(model):
    """The layers that give a network its depth: convolutions and the last layer, without shortcuts."""
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    return [layer for layer in model.layers if isinstance(layer, kinds) and "shortcut" not in layer.name]


@pytest.mark.parametrize(
    ("depth", "count"),
    [
        (20, six_n_plus_two(20)),
        pytest.param(32, six_n_plus_two(32), marks=pytest.mark.slow),
        pytest.param(18, 11_173_962, marks=pytest.mark.slow),
        pytest.param(50, 23_520_842, marks=pytest.mark.slow),
    ],
)
def test_parameters_and_depth_are_the_known_ones(depth, count):
    model = resnet_cifar(depth)
    assert trainable(model) == count
    assert len(weighted(model)) == depth
    assert model.name == f"resnet{depth}_cifar"
    assert model.output_shape == (None, 10)


def test_parameters_of_the_small_network():
    width = 8
    count = 3 * width * 9
    for index in (1, 2, 3):
        before, after = width * 2 ** (index - 1), width * 2**index
        count += before * after * (1 + 9) + 9 * after * after + batch_norm(before) + batch_norm(after)
    count += batch_norm(8 * width) + 8 * width * 10 + 10
    model = small_resnet(width=width)
    assert trainable(model) == count
    assert len(weighted(model)) == 8


def test_the_formula_gives_the_published_counts():
    assert six_n_plus_two(20) == 269_722
    assert six_n_plus_two(32) == 464_154


@pytest.mark.parametrize(
    ("kind", "shape"), [("small_resnet", (31, 45, 3)), ("small_resnet", (28, 28, 1)), ("resnet20", (9, 8, 4))]
)
def test_logits_for_any_size_and_channels(kind, shape, rng):
    model = MAKERS[kind](shape, classes=7, mean=0.5, std=0.25)
    logits = model.predict(rng.random((3, *shape), dtype="float32"), verbose=0)
    assert logits.shape == (3, 7)
    assert np.isfinite(logits).all()
    # Logits and no probabilities: the last layer is linear.
    assert model.layers[-1].activation is keras.activations.linear
    assert not np.allclose(logits.sum(axis=1), 1)


@pytest.mark.parametrize("kind", MAKERS)
def test_height_and_width_may_be_open(kind):
    model = MAKERS[kind]((None, None, 3))
    assert model.input_shape == (None, None, None, 3)
    assert model.compute_output_shape((2, 17, 40, 3)) == (2, 10)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_first_layer_normalizes(kind, images):
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    model = MAKERS[kind](mean=mean, std=std)
    first = model.layers[1]
    assert isinstance(first, keras.layers.Normalization)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(first(images)),
        (images - np.array(mean)) / np.array(std),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("normalization", ["batch", None])
def test_batch_normalization_is_optional_and_models_save_and_load(kind, normalization, images, tmp_path):
    model = MAKERS[kind](normalization=normalization)
    found = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert bool(found) == (normalization == "batch")
    assert all(layer.use_bias == (normalization is None) for layer in convolutions)
    logits = model.predict(images, verbose=0)
    assert np.abs(logits).max() < 50
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(images, verbose=0), logits, rtol=1e-5, atol=1e-5)


def test_convolutions_start_with_the_variance_of_he():
    model = small_resnet()
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel.shape[-1] >= 32:
            kernel = keras.ops.convert_to_numpy(layer.kernel)
            fan_in = np.prod(kernel.shape[:3])
            assert kernel.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.15)


@pytest.mark.slow
def test_a_saved_model_needs_keras_alone(images, tmp_path):
    model = small_resnet(width=4)
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys, keras, numpy as np\n"
        "model = keras.saving.load_model(sys.argv[1] + '/model.keras')\n"
        "logits = model.predict(np.load(sys.argv[1] + '/images.npy'), verbose=0)\n"
        "np.save(sys.argv[1] + '/logits.npy', logits)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, env=os.environ
    )
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=1e-5, atol=1e-5)


def test_shortcuts_without_parameters_pick_pixels_and_add_zero_channels(rng):
    from keras_freq.models._blocks import pad_shortcut

    inputs = keras.Input((7, 6, 4))
    model = keras.Model(inputs, pad_shortcut(inputs, 9, 2, name="shortcut"))
    x = rng.standard_normal((2, 7, 6, 4)).astype("float32")
    y = keras.ops.convert_to_numpy(model(x))
    assert y.shape == (2, 4, 3, 9)
    np.testing.assert_array_equal(y[..., 2:6], x[:, ::2, ::2])
    assert (y[..., [0, 1, 6, 7, 8]] == 0).all()


def test_strided_convolutions_pad_evenly():
    from keras_freq.models._blocks import conv

    # With ones as the kernel, even padding gives one mirrored pattern for a mirrored image of odd size.
    inputs = keras.Input((9, 9, 1))
    model = keras.Model(inputs, conv(inputs, 1, 3, strides=2, name="c"))
    model.set_weights([np.ones((3, 3, 1, 1), "float32")])
    y = keras.ops.convert_to_numpy(model(np.ones((1, 9, 9, 1), "float32")))[0, ..., 0]
    assert y.shape == (5, 5)
    np.testing.assert_array_equal(y, y[::-1, ::-1])
    assert y[0, 0] == 4


@pytest.mark.slow
def test_it_learns_a_handful_of_images(images, labels):
    model = small_resnet(classes=4, width=8)
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(images, labels, epochs=25, batch_size=8, verbose=0).history
    assert history["accuracy"][-1] == 1.0


def test_mixed_precision_gives_float32_logits(images):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = small_resnet(width=4)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.layers[2].compute_dtype == "bfloat16"
    logits = model.predict(images, verbose=0)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


def test_channels_last_whatever_keras_is_configured_for(images):
    configured = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        model = small_resnet(width=4)
        assert model.predict(images, verbose=0).shape == (8, 10)
        assert resnet_cifar(20).get_layer("pool").input.shape == (None, 8, 8, 64)
    finally:
        keras.config.set_image_data_format(configured)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (32, 32)}, r"`input_shape` must be .*Received: input_shape=\(32, 32\)"),
        ({"input_shape": 32}, r"`input_shape` must be .*Received: input_shape=32"),
        ({"input_shape": (32, 32, None)}, "`input_shape` must be .*Received"),
        ({"input_shape": (0, 32, 3)}, "`input_shape` must be .*Received"),
        ({"input_shape": (32, 32, 1)}, r"`mean` must be .* 1 input channels.*Received: mean=\(0\.49"),
        ({"classes": 1}, r"`classes` must be .*Received: classes=1$"),
        ({"classes": 10.0}, r"`classes` must be .*Received: classes=10\.0"),
        ({"normalization": "layer"}, "`normalization` must be .*Received: normalization='layer'"),
        ({"normalization": False}, "`normalization` must be .*Received: normalization=False"),
        ({"mean": "cifar"}, "`mean` must be .*Received: mean='cifar'"),
        ({"mean": (0.5, np.nan, 0.5)}, "`mean` must be .*Received"),
        ({"std": 0}, "`std` must be greater than 0.*Received: std=0"),
        ({"std": (0.2, 0.2)}, "`std` must be .*Received"),
    ],
)
def test_bad_arguments_give_one_line(kind, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        MAKERS[kind](**arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("depth", [34, "18", None, True, 20.5])
def test_only_the_four_depths(depth):
    with pytest.raises(ValueError, match=r"`depth` must be one of 18, 20, 32, 50\. Received: depth="):
        resnet_cifar(depth)


@pytest.mark.parametrize("width", [0, 1.5, None, True])
def test_bad_width_gives_one_line(width):
    with pytest.raises(ValueError, match=r"`width` must be .*Received: width="):
        small_resnet(width=width)
