"""Image files of every kind that Pillow opens, as a viewer shows them."""

from __future__ import annotations

import functools
import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from keras_freq.data._color_profiles import to_srgb

# Formats that Pillow only recognizes, or opens with a program of others, and films.
_STUBS = {"BUFR", "EPS", "FITS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}


@functools.cache
def image_endings() -> tuple[str, ...]:
    """The endings of files that Pillow reads here, in lower case."""
    from PIL import Image

    Image.init()
    pairs = Image.registered_extensions().items()
    return tuple(sorted(end for end, kind in pairs if kind in Image.OPEN and kind not in _STUBS))


def read_image(path: Path) -> np.ndarray:
    """A file as uint8 `(height, width, 3)`, turned upright and on white where it is transparent.

    Gray levels of 16 bits become the nearest of 8 bits. Colors of an ICC profile in the file (Adobe RGB,
    Display P3, one of CMYK) become those of sRGB; a broken profile is left out, as viewers do.

    Raises:
        ValueError: If the file is no image, is cut short, or holds pixels that 8 bits would spoil, or
            if it has a color profile and Pillow was built without littlecms2.
    """
    from PIL import Image, ImageOps

    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError("it is no ordinary file")  # a pipe would be waited for
        with warnings.catch_warnings(), Image.open(path) as image:
            # Pillow warns of large pictures and of metadata that it cannot read; the pixels are whole.
            warnings.simplefilter("ignore")
            return _to_rgb(ImageOps.exif_transpose(image), Image)
    # Pillow raises SyntaxError for broken PNG files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"Every file must be a whole image. Received: {path} ({reason})") from error


def _to_rgb(image: Any, library: Any) -> np.ndarray:
    mode, profile = image.mode, image.info.get("icc_profile")
    if mode.startswith("I;16") or mode == "I":
        levels = np.asarray(image).astype("int64")
        if levels.min() < 0 or levels.max() > 65535:
            raise ValueError(f"whole numbers of mode {mode} beyond 16 bits: save it with 8 or 16 bits")
        image = library.fromarray(np.rint(levels / 257).astype("uint8"))  # 65535 is 255
    if mode == "F":
        raise ValueError("floats of mode F have no range: save it with 8 or 16 bits")
    if image.has_transparency_data:
        gray = mode in ("1", "L", "LA", "La")
        image = image.convert("RGBA")
        opacity = image.getchannel("A")
        image = to_srgb(image.getchannel("R") if gray else image.convert("RGB"), profile)
        image.putalpha(opacity)
        image = library.alpha_composite(library.new("RGBA", image.size, "white"), image)
        return np.asarray(image.convert("RGB"))
    return np.asarray(to_srgb(image, profile))
