"""`keras-freq corrupt`."""

from __future__ import annotations

import json as javascript
from pathlib import Path
from typing import Annotated

import typer

from keras_freq._cli._command import tell, when_interrupted
from keras_freq._cli._data import open_chosen
from keras_freq._cli._options import DataOptions
from keras_freq._cli._output import check_writable
from keras_freq._cli._start import start_keras
from keras_freq._cli._texts import read_whole_numbers

_LAYOUTS = {"cifar-c": "arrays", "imagenet-c": "files"}


def corrupt(
    data: DataOptions,
    out: Annotated[Path, typer.Option(help="Folder of the corrupted copies.", show_default=False)],
    corruptions: Annotated[
        str, typer.Option(help="standard, all, cifar10_bar, imagenet_bar, or names: fog,jpeg_compression.")
    ] = "standard",
    severities: Annotated[str, typer.Option(help="Some of 1 to 5.")] = "1,2,3,4,5",
    layout: Annotated[
        str, typer.Option(help="cifar-c: arrays, one file a corruption; imagenet-c: folders of image files.")
    ] = "cifar-c",
    table: Annotated[str, typer.Option(help="Strengths: auto, cifar or imagenet.")] = "auto",
    jpeg: Annotated[int | None, typer.Option(help="Quality of the JPEG files; 0: none.")] = None,
    frost: Annotated[
        Path | None, typer.Option(help="Folder of photographs of ice.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that corrupt; 0: this one.")] = 0,
    backend: Annotated[str | None, typer.Option(help="tensorflow, jax or torch.")] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print what was written as JSON, and nothing else.")
    ] = False,
) -> None:
    """Corrupted copies, laid out as CIFAR-10-C or ImageNet-C.

    Without --n all images are taken. A run that was stopped goes on with the same command.

    \b
    keras-freq corrupt cifar10_mini --out cifar10_mini-c --corruptions fog,contrast
    keras-freq corrupt photos --image-size 224 --out photos-c --layout imagenet-c
    """
    if layout not in _LAYOUTS:
        raise ValueError(f"--layout must be one of {', '.join(_LAYOUTS)}. Received: --layout {layout}")
    levels = read_whole_numbers(severities, "--severities")
    check_writable(out)
    start_keras(backend)
    from keras_freq.data import write_corrupted

    names = name_corruptions(corruptions)
    opened = open_chosen(data)
    say = tell if json else print
    say(f"data     {opened.name}, {opened.note}; {len(names)} corruptions at {len(levels)} severities")
    ordered = list(opened.classes) == sorted(opened.classes)
    with when_interrupted(f"what is whole stays in {out}; the same command goes on"):
        written = write_corrupted(
            opened.images,
            opened.labels,
            out,
            corruptions=names,
            severities=levels,
            seed=data.seed,
            table=table,
            jpeg=jpeg,
            frost=frost,
            layout=_LAYOUTS[layout],  # type: ignore[arg-type]
            classes=opened.classes if layout == "imagenet-c" and ordered else None,
            workers=workers,
        )
    if json:
        print(javascript.dumps({"folder": str(out), "written": [str(path) for path in written]}))
    say(f"written  {len(written)} of them to {out}" if written else f"{out} has all of them already")


def name_corruptions(text: str) -> tuple[str, ...]:
    """The corruptions of names and groups, each once.

    Raises:
        ValueError: If one is unknown.
    """
    from keras_freq import data

    groups = {
        "standard": data.CORRUPTIONS,
        "all": data.CORRUPTIONS + data.EXTRA_CORRUPTIONS,
        "cifar10_bar": data.CIFAR10_BAR_CORRUPTIONS,
        "imagenet_bar": data.IMAGENET_BAR_CORRUPTIONS,
    }
    names = [name for word in text.split(",") for name in groups.get(word.strip(), (word.strip(),))]
    known = {name for group in groups.values() for name in group}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"--corruptions must hold {', '.join(groups)}, or some of {', '.join(sorted(known))}. "
            f"Received: {', '.join(unknown)}"
        )
    return tuple(dict.fromkeys(names))
