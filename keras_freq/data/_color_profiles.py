"""Pictures whose files say what their numbers mean, in the colors of sRGB."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np

# What Pillow calls the color spaces of profiles; those of others are for no picture that it reads.
_MODES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}
# A profile that moves no color by more levels is sRGB, whatever its name: profiles round it differently.
_SAME = 2


def to_srgb(image: Any, profile: bytes | None) -> Any:
    """A picture of Pillow in mode RGB, as a viewer shows it.

    Args:
        image: Of 8 bits, without transparency.
        profile: The ICC profile in its file. One that is sRGB, that is broken, or that is of another color
            space than the picture changes nothing.

    Raises:
        ValueError: If there is a profile and Pillow was built without littlecms2, which reads them.
    """
    if profile:
        gray = image.mode in ("1", "L")
        transform = _find_transform(profile, "L" if gray else "CMYK" if image.mode == "CMYK" else "RGB")
        if transform is not None:
            return transform.apply(image.convert(transform.input_mode))
    return image.convert("RGB")


@functools.lru_cache(maxsize=64)  # the files of a set have few different ones
def _find_transform(profile: bytes, mode: str) -> Any:
    """The transform of pictures of that mode to sRGB, or None where they stay as they are."""
    from PIL import Image, ImageCms, features

    if not features.check("littlecms2"):
        raise ValueError("it has a color profile, and this Pillow was built without littlecms2 to apply it")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = _MODES.get(source.profile.xcolor_space, "")
        if space != mode and (space, mode) != ("RGB", "L"):  # gray is a color, and not the other way round
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), space, "RGB")
    except (OSError, ImageCms.PyCMSError):  # viewers leave a broken profile out
        return None
    if space == "CMYK":
        return transform
    levels = np.arange(0, 256, 15, dtype="uint8")
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    before = Image.fromarray(colors if space == "RGB" else np.ascontiguousarray(colors[..., 0]))
    moved = np.asarray(transform.apply(before)).astype(int) - np.asarray(before.convert("RGB"))
    return None if np.abs(moved).max() <= _SAME else transform
