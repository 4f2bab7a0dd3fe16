"""`keras-freq filter`."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_freq._cli._command import FINE, WRONG, explain, tell, when_interrupted
from keras_freq._cli._output import check_writable
from keras_freq._cli._start import start_keras


def filter_images(
    images: Annotated[
        Path,
        typer.Argument(metavar="IMAGE_OR_FOLDER", help="An image, or a folder of them at any depth."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the parts.", show_default=False)],
    radius: Annotated[float, typer.Option(min=0, help="Cut-off, bins from the middle of the spectrum.")] = 8,
    kind: Annotated[str, typer.Option(help="ideal, gaussian, butterworth or square.")] = "ideal",
    cycles: Annotated[
        bool, typer.Option("--cycles", help="The radius is in cycles per pixel, 0 to .71.")
    ] = False,
    backend: Annotated[str | None, typer.Option(help="tensorflow, jax or torch.")] = None,
) -> int:
    """Low- and high-frequency parts of images as PNG.

    The high part, which is dark, stands on middle gray.

    \b
    keras-freq filter photo.jpg --radius 8 --out parts
    keras-freq filter photos --radius .1 --cycles --out parts
    """
    if not images.exists():
        raise FileNotFoundError(f"There is no such image or folder. Received: {images}")
    check_writable(out)
    start_keras(backend)
    from keras_freq._core.files import write_whole
    from keras_freq._core.progress import progress_bar
    from keras_freq.data._image_files import image_endings, read_image
    from keras_freq.spectral import split_bands

    paths = [images]
    if images.is_dir():
        found = sorted(images.rglob("*"))
        paths = [path for path in found if path.suffix.lower() in image_endings() and out not in path.parents]
        if not paths:
            raise ValueError(f"The folder must hold image files. Received: {images}")
    root, written, broken = images if images.is_dir() else images.parent, 0, 0
    with progress_bar(None, "filter", "image", total=len(paths)) as advance:
        for path in paths:
            with when_interrupted(f"the parts of {written} images are in {out}"):
                try:
                    pixels = read_image(path)[None] / 255.0
                except ValueError as error:
                    tell(f"error: {explain(error)}")
                    broken += 1
                    continue
                units = "cycles_per_pixel" if cycles else "index"
                low, high = split_bands(pixels, radius, kind=kind, units=units)  # type: ignore[arg-type]
                for name, part in (("low", low[0]), ("high", high[0] + 0.5)):
                    target = out / path.relative_to(root).parent / f"{path.stem}-{name}.png"
                    write_whole(target, _png(part))
            written += 1
            advance(1)
    print(f"written  low and high parts of {written} images to {out}")
    return WRONG if broken else FINE


def _png(pixels: Any) -> bytes:
    import numpy as np
    from PIL import Image

    from keras_freq._core.pixels import to_bytes

    content = io.BytesIO()
    Image.fromarray(to_bytes(np.asarray(pixels)[None])[0]).save(content, "PNG")
    return content.getvalue()
