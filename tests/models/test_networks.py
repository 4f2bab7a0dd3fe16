"""What single networks and their blocks are made of."""

import keras
import numpy as np
import pytest

from keras_freq.models import (
    ClassToken,
    GroupedConv2D,
    PositionEmbedding,
    all_conv,
    densenet_cifar,
    resnext_cifar,
    small_resnet,
    vit,
    wide_resnet,
)
from keras_freq.models._blocks import conv, pad_shortcut

to_numpy = keras.ops.convert_to_numpy


def test_shortcuts_without_parameters_pick_pixels_and_add_zero_channels(rng):
    inputs = keras.Input((7, 6, 4))
    model = keras.Model(inputs, pad_shortcut(inputs, 9, 2, name="shortcut"))
    x = rng.standard_normal((2, 7, 6, 4)).astype("float32")
    y = to_numpy(model(x))
    assert y.shape == (2, 4, 3, 9)
    np.testing.assert_array_equal(y[..., 2:6], x[:, ::2, ::2])
    assert (y[..., [0, 1, 6, 7, 8]] == 0).all()


def test_strided_convolutions_pad_evenly():
    # With ones as the kernel, even padding gives one mirrored pattern for a mirrored image of odd size.
    inputs = keras.Input((9, 9, 1))
    model = keras.Model(inputs, conv(inputs, 1, 3, strides=2, name="c"))
    model.set_weights([np.ones((3, 3, 1, 1), "float32")])
    y = to_numpy(model(np.ones((1, 9, 9, 1), "float32")))[0, ..., 0]
    assert y.shape == (5, 5)
    np.testing.assert_array_equal(y, y[::-1, ::-1])
    assert y[0, 0] == 4


def test_convolutions_start_with_the_variance_of_he():
    for layer in small_resnet().layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel.shape[-1] >= 32:
            kernel = to_numpy(layer.kernel)
            fan_in = np.prod(kernel.shape[:3])
            assert kernel.std() == pytest.approx(np.sqrt(2 / fan_in), rel=0.15)


def test_a_network_learns_a_handful_of_images(images, labels):
    model = small_resnet((16, 16, 3), classes=4, width=4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss, metrics=["accuracy"])
    history = model.fit(images[:, ::2, ::2], labels, epochs=15, batch_size=8, verbose=0).history
    assert history["accuracy"][-1] == 1.0


def test_shortcuts_of_the_wide_network_start_from_activated_features():
    model = wide_resnet(10, 1)
    names = [layer.name for layer in model.layers if "shortcut" in layer.name]
    # With width 1 the first stage has the channels of the stem, and its shortcut is the identity.
    assert names == ["stage2_block1_shortcut", "stage3_block1_shortcut"]
    shortcut, main = model.get_layer(names[0]), model.get_layer("stage2_block1_conv1_pad")
    assert shortcut.input is main.input
    assert main.input is model.get_layer("stage2_block1_relu1").output


def test_a_dense_layer_passes_on_all_that_came_before(images):
    model = densenet_cifar(10, 4)
    part = keras.Model(model.input, [model.get_layer(f"block1_layer{i}_concat").output for i in (1, 2)])
    first, second = (to_numpy(y) for y in part(images[:2]))
    assert first.shape[-1] == 16 + 4
    assert second.shape[-1] == 16 + 8
    np.testing.assert_array_equal(second[..., :20], first)


def test_the_grouped_convolutions_have_the_cardinality():
    found = [layer for layer in resnext_cifar(11, 2, 4).layers if isinstance(layer, GroupedConv2D)]
    assert [(layer.groups, layer.filters) for layer in found] == [(2, 8), (2, 16), (2, 32)]
    # A cardinality of 1 is an ordinary bottleneck, which needs no class of ours.
    assert not any(isinstance(layer, GroupedConv2D) for layer in resnext_cifar(11, 1, 8).layers)


def test_the_activation_of_the_all_convolutional_network(images):
    model = all_conv(width=8, downsampling="stride")
    assert model.get_layer("stage3_conv3").output.shape == (None, 6, 6, 16)
    before = model.get_layer("stage1_conv1_norm").output
    after = model.get_layer("stage1_conv2").input
    x, y = (to_numpy(v) for v in keras.Model(model.input, [before, after])(images[:2]))
    np.testing.assert_allclose(y, x / (1 + np.exp(-1.702 * x.astype("float64"))), atol=1e-6)
    assert y.min() < 0


def test_the_transformer_reads_the_class_token_and_knows_places(images):
    model = vit((32, 32, 3), width=8, depth=2, heads=2)
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
    x = np.concatenate([images[:1], np.roll(images[:1], 8, axis=2)])
    one, other = model.predict(x, verbose=0)
    assert np.abs(one - other).max() > 1e-5
    positions.positions.assign(0 * positions.positions)
    np.testing.assert_allclose(*model.predict(x, verbose=0), atol=1e-4)


def test_patches_are_cut_from_the_upper_left():
    patches = vit((30, 31, 3), width=8, depth=1, heads=2).get_layer("patches")
    assert patches.output.shape == (None, 4, 4, 8)
    with pytest.raises(ValueError, match=r"known length.*Received: input_shape=\(None, None, 8\)"):
        PositionEmbedding().build((None, None, 8))
