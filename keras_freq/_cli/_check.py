"""`keras-freq check`."""

from __future__ import annotations

import json as javascript
from pathlib import Path
from typing import Annotated

import typer

from keras_freq._cli._command import FINE, FOUND
from keras_freq._cli._data import HUGGING_FACE, open_data
from keras_freq._cli._start import start_keras


def check(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="A folder of classes, or any other DATA.", show_default=False),
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
    backend: Annotated[str | None, typer.Option(help="tensorflow, jax or torch.")] = None,
) -> int:
    """Reads every image, and says which files are broken.

    The exit code is 1 where one is.

    \b
    keras-freq check photos
    keras-freq check images.npz
    """
    start_keras(backend)
    from keras_freq.data import check as check_files
    from keras_freq.data._npz import is_array_folder

    folder = Path(data).expanduser()
    broken, splits = [], {}
    if (
        folder.is_dir()
        and not is_array_folder(folder)
        and not any((folder / x).exists() for x in HUGGING_FACE)
    ):
        from keras_freq.data._folder_layout import lay_out

        layout = lay_out(folder)
        splits = {name: _count(layout.classes, labels) for name, (_, labels) in layout.files.items()}
        broken = check_files(folder)
    else:
        for split in ("train", "test"):
            try:
                opened = open_data(data, split=split)
            except ValueError as error:
                if "`split` must be" not in str(error):
                    raise
                continue
            splits[split] = _count(opened.classes, opened.labels)
    whole = sum(count for counts in splits.values() for count in counts.values()) - len(broken)
    if json:
        print(javascript.dumps({"whole": whole, "broken": broken, "splits": splits}))
        return FOUND if broken else FINE
    for split, counts in splits.items():
        least, most = (f(counts, key=counts.__getitem__) for f in (min, max))
        print(
            f"{split:<8} {sum(counts.values())} images of {len(counts)} classes, "
            f"{counts[least]} ({least}) to {counts[most]} ({most}) each"
        )
    for line in broken:
        print(f"broken   {line}")
    print(f"{whole} images are whole, {len(broken)} are not")
    return FOUND if broken else FINE


def _count(classes: tuple[str, ...], labels) -> dict[str, int]:
    """Images by class."""
    return {name: int((labels == label).sum()) for label, name in enumerate(classes)}
