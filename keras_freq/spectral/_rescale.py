"""Bringing filtered images back into a range, each image or channel by itself."""

from __future__ import annotations

from typing import Literal

from keras_freq._core.checks import DATA_FORMATS, check_choice
from keras_freq.spectral._backend import Array, ArrayLibrary, as_array, library_of, symbolic
from keras_freq.spectral._images import to_planes

Rescale = Literal["none", "clip", "max", "minmax", "uint8_wrap"]
MODES = ("none", "clip", "max", "minmax", "uint8_wrap")
PER = ("image", "channel")
# Maxima and ranges up to this are taken for 0: rounding leaves about as much where a filter leaves nothing.
GUARD = 1e-6


@symbolic()
def rescale(
    images: Array,
    mode: Rescale = "max",
    *,
    per: Literal["image", "channel"] = "image",
    data_format: str | None = None,
) -> Array:
    """Rescale every image, or every channel of it, by its own extremes.

    `"max"`: `y = x / max(x)`. `"minmax"`: `y = (x - min(x)) / (max(x) - min(x))`. `"clip"`: `y = min(max(x,
    0), 1)`. `"uint8_wrap"`: `y = (trunc(255 x) mod 256) / 255`. `"none"`: `y = x`.

    Args:
        images: `(batch, height, width, channels)` or one image without the batch axis; NumPy array or tensor,
            any floating or integer type.
        mode: `"max"`: an image whose maximum is at most 1e-6 is left as it is, since there is nothing to
            divide by; negative values stay negative. `"minmax"`: of an image whose values differ by at most
            1e-6 only the minimum is taken off, so that constant images become 0. `"clip"`: to [0, 1].
            `"uint8_wrap"`: what is left of images in [0, 1] after a cast to 8 bits that wraps around: a value
            just below 0 becomes 1, one just above 1 becomes 0, and fractions are cut off toward 0.
            `"none"`: the values as they are.
        per: What `"max"` and `"minmax"` take the extremes of: `"image"`, over height, width and channels, or
            `"channel"`, over height and width. The other modes treat every value alike.
        data_format: `"channels_last"`, `"channels_first"` or `None`, which means channels last. It makes a
            difference for `per="channel"` only.

    Returns:
        Images of the same shape and floating type (float32 for integer images, which are not scaled
        otherwise). Gradients flow through the extremes and are finite; those of `"uint8_wrap"` are 0.

    Raises:
        ValueError: if `mode`, `per` or `data_format` is unknown.

    Source: Wang et al., CVPR 2020: the published script for natural training divides every filtered image by
        its maximum. On the high-frequency part of CIFAR-10 that is a gain of about 2.5 (radius 4) to 20
        (radius 16). Lin, Gao and Sang, IJCAI 2022: the published CDES and HARS images are `"minmax"` with
        `per="channel"`; the published loader of high-passed test images casts them, about half of their
        values negative, to 8 bits, which is `"uint8_wrap"`.
        Differs from the original: images without a maximum above 0 are left alone, not divided by it, and
        constant ones are not divided by their range.

    Example:
        >>> x = np.array([0.0, 0.1, 0.2, 0.5]).reshape(1, 2, 2, 1)
        >>> keras_freq.spectral.rescale(x, "max").ravel()
        array([0. , 0.2, 0.4, 1. ])
        >>> x = np.array([-2.9, -0.5, 3.7, 256.2]).reshape(2, 2, 1) / 255
        >>> 255 * keras_freq.spectral.rescale(x, "uint8_wrap").ravel()
        array([254.,   0.,   3.,   0.])
    """
    check_choice(mode, "mode", MODES)
    check_choice(per, "per", PER)
    check_choice(data_format, "data_format", (None, *DATA_FORMATS))
    # Without extremes by channel it makes no difference which axis holds them: no transposing then.
    images = as_array(images)
    open_size = None in tuple(images.shape)
    layout = "channels_first" if per == "image" and not open_size else data_format or "channels_last"
    x, back = to_planes(images, layout, open_size=True)
    xp = library_of(x)
    if mode == "clip":
        return back(xp.clip(x, 0.0, 1.0))
    if mode == "uint8_wrap":
        return back(_wrap(xp, x))
    if mode == "none":
        return back(x)
    axes = (1, 2, 3) if per == "image" else (2, 3)
    scale = xp.max(x, axis=axes, keepdims=True)
    if mode == "minmax":
        lowest = xp.min(x, axis=axes, keepdims=True)
        x, scale = x - lowest, scale - lowest
    return back(x / xp.where(scale > GUARD, scale, xp.ones_like(scale)))


def _wrap(xp: ArrayLibrary, x: Array) -> Array:
    scaled = 255.0 * x
    # In floats, which every library treats alike: casts of negative floats to uint8 differ between them.
    size = xp.floor(xp.abs(scaled))
    whole = xp.where(scaled < 0, -size, size)
    # The last term is for TensorFlow, where steps alone have no gradient instead of 0.
    return (whole - 256.0 * xp.floor(whole / 256.0)) / 255.0 + 0.0 * x
