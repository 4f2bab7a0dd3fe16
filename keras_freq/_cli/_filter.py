"""`keras-freq filter`."""

from __future__ import annotations

import io
import json as javascript
from collections import Counter
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
    json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON, and nothing else.")
    ] = False,
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

    paths, root = [images], images.parent
    if images.is_dir():
        within = [path for path in sorted(images.rglob("*")) if out.resolve() not in path.resolve().parents]
        paths, root = [path for path in within if path.suffix.lower() in image_endings()], images
        if not paths:
            raise ValueError(f"The folder must hold image files. Received: {images}")
    alike = Counter(path.with_suffix("") for path in paths)
    written: list[str] = []
    broken: list[str] = []
    with progress_bar(None, "filter", "image", total=len(paths)) as advance:
        for path in paths:
            with when_interrupted(f"the parts of {len(written) // 2} images are in {out}"):
                try:
                    pixels = read_image(path)[None] / 255.0
                except ValueError as error:
                    tell(f"error: {explain(error)}")
                    broken.append(str(path))
                    continue
                units = "cycles_per_pixel" if cycles else "index"
                low, high = split_bands(pixels, radius, kind=kind, units=units)  # type: ignore[arg-type]
                # a.jpg beside a.png keeps its ending, so that neither replaces the other.
                name = path.stem if alike[path.with_suffix("")] == 1 else path.name
                for kept, part in (("low", low[0]), ("high", high[0] + 0.5)):
                    target = out / path.relative_to(root).parent / f"{name}-{kept}.png"
                    written.append(str(write_whole(target, _png(part))))
            advance(1)
    if json:
        print(javascript.dumps({"written": written, "broken": broken}))
    else:
        print(f"written  low and high parts of {len(written) // 2} images to {out}")
    return WRONG if broken else FINE


def _png(pixels: Any) -> bytes:
    import numpy as np
    from PIL import Image

    from keras_freq._core.pixels import to_bytes

    content = io.BytesIO()
    Image.fromarray(to_bytes(np.asarray(pixels)[None])[0]).save(content, "PNG")
    return content.getvalue()
