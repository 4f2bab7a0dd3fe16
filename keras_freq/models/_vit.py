"""The vision transformer."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from keras_freq._core.checks import check_whole, show
from keras_freq.models._blocks import FORMAT, conv, drop
from keras_freq.models._classifier import CIFAR10_MEAN, CIFAR10_STD, make_classifier
from keras_freq.models._tokens import ClassToken, PositionEmbedding


def vit(
    input_shape: tuple[int, int, int] = (224, 224, 3),
    classes: int = 10,
    *,
    patch: int = 8,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    dropout: float = 0.0,
    seed: int | None = None,
    mean: float | Sequence[float] = CIFAR10_MEAN,
    std: float | Sequence[float] = CIFAR10_STD,
    name: str = "vit",
) -> keras.Model:
    """A vision transformer: pixels in [0, 1] in, logits out.

    The image is cut into patches, each a token; a learned class token comes in front and a learned vector is
    added at each place. Layers of attention and of a GELU network four times as wide follow, both with layer
    normalization in front and a shortcut around; a linear layer reads the class token. The default is
    ViT-B/8; `patch=16` with 1000 classes is ViT-B/16 of 86,567,656 parameters. Images are channels last,
    whatever Keras is configured for.

    Args:
        input_shape: `(height, width, channels)`; height and width must be known, since each place has a
            vector of its own, and are filled up on the lower right to whole patches.
        classes: Number of classes, at least 2.
        patch: Side of a patch in pixels.
        width: Length of a token, a multiple of `heads`.
        depth: Number of layers.
        heads: Attention heads of each layer.
        dropout: Share of the features that is dropped in training from the tokens at the start and after each
            attention and network, from 0 to below 1. With 0 there are no such layers.
        seed: Seed of the dropout, for the same draws in every run.
        mean: Mean of the pixels, a number or one per channel. The default is that of CIFAR-10.
        std: Standard deviation of the pixels, likewise.
        name: Name of the model.

    Returns:
        A functional `keras.Model`: `(batch, height, width, channels)` in [0, 1] to logits `(batch, classes)`.
        Its first layer computes `(pixels - mean) / std`.

    Raises:
        ValueError: if an argument is not one of those above.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale",
        ICLR 2021, section 3.1 and table 1.

    Example:
        >>> keras_freq.models.vit((32, 32, 3), patch=8, width=8, depth=2, heads=2).output_shape
        (None, 10)
    """
    for argument, value in (("patch", patch), ("width", width), ("depth", depth), ("heads", heads)):
        check_whole(value, argument)
    if width % heads:
        raise ValueError(f"`width` must be a multiple of heads={heads}. Received: width={width}")

    def body(x):
        if None in x.shape[1:3]:
            raise ValueError(
                f"`input_shape` must have a known height and width. Received: input_shape={show(input_shape)}"
            )
        missing = [-side % patch for side in x.shape[1:3]]
        if any(missing):
            x = layers.ZeroPadding2D(tuple((0, m) for m in missing), data_format=FORMAT, name="fill")(x)
        x = conv(x, width, patch, strides=patch, padded=False, bias=True, name="patches")
        x = layers.Reshape((-1, width), name="tokens")(x)
        x = PositionEmbedding(name="positions")(ClassToken(name="class_token")(x))
        x = drop(x, dropout, seed, name="dropout")
        for index in range(1, depth + 1):
            x = _layer(x, width, heads, dropout, seed, name=f"layer{index}")
        return layers.LayerNormalization(epsilon=1e-6, name="last_norm")(x)[:, 0]

    return make_classifier(
        body, input_shape, classes, dropout=dropout, seed=seed, mean=mean, std=std, name=name
    )


def _layer(
    x: keras.KerasTensor, width: int, heads: int, dropout: float, seed: int | None, *, name: str
) -> keras.KerasTensor:
    """Normalize, attend, add; normalize, widen and narrow, add."""
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm1")(x)
    y = layers.MultiHeadAttention(heads, width // heads, name=f"{name}_attention")(y, y)
    x = layers.Add(name=f"{name}_add1")([x, drop(y, dropout, seed, name=f"{name}_dropout1")])
    y = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm2")(x)
    y = layers.Dense(4 * width, activation="gelu", name=f"{name}_wide")(y)
    y = layers.Dense(width, name=f"{name}_narrow")(y)
    return layers.Add(name=f"{name}_add2")([x, drop(y, dropout, seed, name=f"{name}_dropout2")])
