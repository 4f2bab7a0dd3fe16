"""The published numbers of parameters, and the depths."""

import itertools

import keras
import numpy as np
import pytest

from keras_freq.models import (
    alexnet_small,
    all_conv,
    densenet_cifar,
    resnet_cifar,
    resnext_cifar,
    small_resnet,
    vgg16_bn,
    vit,
    wide_resnet,
)

pytestmark = pytest.mark.once

# The counts from the papers' descriptions. `norm(c)`: scale and offset of a normalization.


def norm(channels):
    return 2 * channels


def resnet_count(depth, width=16, classes=10):
    """Depth 6 n + 2, whose shortcuts have no parameters."""
    count, before = 27 * width + norm(width), width
    for after in (width, 2 * width, 4 * width):
        for _ in range((depth - 2) // 6):
            count += 9 * before * after + 9 * after * after + 2 * norm(after)
            before = after
    return count + before * classes + classes


def resnet18_count(width=64, classes=10):
    count, before = 27 * width + norm(width), width
    for stage in range(4):
        after = width * 2**stage
        for _ in range(2):
            count += 9 * before * after + 9 * after * after + 2 * norm(after)
            count += before * after + norm(after) if before != after else 0
            before = after
    return count + before * classes + classes


def small_resnet_count(width):
    count = 3 * width * 9
    for index in (1, 2, 3):
        before, after = width * 2 ** (index - 1), width * 2**index
        count += before * after * (1 + 9) + 9 * after * after + norm(before) + norm(after)
    return count + norm(8 * width) + 8 * width * 10 + 10


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


def vgg16_count(width=64, classes=10, normalization=True):
    """Column D of table 1 of the paper, with scale and offset of a normalization."""
    count, before = 0, 3
    for convolutions, times in ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8)):
        for _ in range(convolutions):
            after = times * width
            count += 9 * before * after + after + (norm(after) if normalization else 0)
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


@pytest.mark.parametrize(
    ("count", "known", "published"),
    [
        # The papers' own, rounded to millions.
        (resnet_count(20), 269_722, 0.27),
        (resnet_count(32), 464_154, 0.46),
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
        # Of torchvision: the convolutions and norms of vgg16_bn, and vit_b_16.
        (vgg16_count(), 14_723_136 + 5_130, 14.7),
        (vit_count(224, 16, 768, 12, 1000), 86_567_656, 86.6),
        (resnet18_count(), 11_173_962, 11.2),
        (alexnet_count(), 3_574_602, 3.6),
    ],
)
def test_the_formulas_give_the_published_counts(count, known, published):
    assert count == known
    # Papers cut or round: 68.155 is 68.1 in one, 8.949 is 8.9 in another.
    assert abs(count / 1e6 - published) < 0.06


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (lambda: small_resnet(width=8), small_resnet_count(8)),
        (lambda: resnet_cifar(18, width=2), resnet18_count(2)),
        (lambda: resnet_cifar(20, width=2), resnet_count(20, 2)),
        (lambda: wide_resnet(10, 1), wide_resnet_count(10, 1)),
        (lambda: wide_resnet(10, 3, classes=7), wide_resnet_count(10, 3, 7)),
        (lambda: densenet_cifar(10, 4), densenet_count(10, 4, False, 1, 16)),
        (
            lambda: densenet_cifar(10, 4, bottleneck=True, compression=0.5),
            densenet_count(10, 4, True, 0.5, 8),
        ),
        (lambda: densenet_cifar(7, 5, compression=0.3, stem=9), densenet_count(7, 5, False, 0.3, 9)),
        (lambda: resnext_cifar(11, 2, 4), resnext_count(11, 2, 4)),
        (lambda: resnext_cifar(20, 3, 5, classes=7), resnext_count(20, 3, 5, 7)),
        (lambda: all_conv(width=8), all_conv_count(8)),
        (lambda: all_conv(width=8, normalization=None, classes=4), all_conv_count(8, 4, False)),
        (lambda: all_conv(width=8, downsampling="stride"), all_conv_count(8)),
        (lambda: vgg16_bn(width=2), vgg16_count(2)),
        (lambda: vgg16_bn(width=2, normalization=None, classes=4), vgg16_count(2, 4, False)),
        (lambda: alexnet_small(width=4), alexnet_count(4)),
        (lambda: vit((32, 32, 3), width=8, depth=2, heads=2), vit_count(32, 8, 8, 2)),
        (lambda: vit((24, 32, 3), width=12, depth=3, heads=3), vit_count(24, 8, 12, 3) + 3 * 12),
    ],
)
def test_small_networks_have_the_counts_of_the_formulas(model, count):
    assert trainable(model()) == count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "count", "depth"),
    [
        (lambda: small_resnet(width=8), small_resnet_count(8), 8),
        (lambda: resnet_cifar(20), 269_722, 20),
        (lambda: resnet_cifar(32), 464_154, 32),
        (lambda: resnet_cifar(18), 11_173_962, 18),
        (lambda: resnet_cifar(50), 23_520_842, 50),
        (wide_resnet, 2_243_546, 40),
        (densenet_cifar, 1_019_722, 40),
        (
            lambda: densenet_cifar(22, bottleneck=True, compression=0.5),
            densenet_count(22, 12, True, 0.5, 24),
            22,
        ),
        (resnext_cifar, resnext_count(29, 4, 32), 29),
        (all_conv, 1_409_674, 10),
        (vgg16_bn, vgg16_count(), 14),
        (alexnet_small, alexnet_count(), 8),
    ],
)
def test_published_networks_have_their_counts_and_depth(make, count, depth):
    model = make()
    assert trainable(model) == count
    # The wide network's depth is that of all convolutions. The others' leaves out the shortcuts and has the
    # linear layers.
    kinds = keras.layers.Conv2D if "wide" in model.name else (keras.layers.Conv2D, keras.layers.Dense)
    names = [layer.name for layer in model.layers if isinstance(layer, kinds)]
    if "wide" not in model.name:
        names = [name for name in names if "shortcut" not in name]
    assert len(names) == depth
