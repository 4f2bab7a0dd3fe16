"""`keras-freq shortcuts`."""

from __future__ import annotations

from typing import Annotated

import typer

from keras_freq._cli._command import when_interrupted
from keras_freq._cli._heat_map import left
from keras_freq._cli._options import DataOptions, ModelOptions, ResultOptions, RunOptions
from keras_freq._cli._output import Output
from keras_freq._cli._subject import open_subject

_IMAGES = 1000
_METHODS = ("exact", "hybrid", "gradient")
# Classes in one figure.
_MOST = 20


def shortcuts(
    model: ModelOptions,
    data: DataOptions,
    run: RunOptions,
    result: ResultOptions,
    fraction: Annotated[
        float, typer.Option(help="Share of the frequencies that the map of a class keeps.")
    ] = 0.05,
    patch: Annotated[
        int | None,
        typer.Option(min=1, help="Side of the blocks of bins; default 1 up to 64 pixels, else side / 32."),
    ] = None,
    method: Annotated[str, typer.Option(help="exact, or the approximations hybrid and gradient.")] = "exact",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was stopped in --out.")
    ] = False,
) -> int:
    """Which classes are known by a few frequencies alone.

    One half of the images makes the maps of frequencies, the other half tests them. Without --n 1000 images
    are taken.

    \b
    keras-freq shortcuts cifar10/standard cifar10_mini --n 200 --patch 4 --out shortcuts
    keras-freq shortcuts my_model.keras photos/test --fail-if 'shortcuts > 0'
    """
    if method not in _METHODS:
        raise ValueError(f"--method must be one of {', '.join(_METHODS)}. Received: --method {method}")
    if not 0 < fraction <= 1:
        raise ValueError(f"--fraction must lie in (0, 1]. Received: --fraction {fraction:g}")
    output = Output.open("shortcuts", result)
    checkpoint = output.checkpoint(resume)
    subject = open_subject(model, data, run, n=_IMAGES, say=output.say)
    import keras_freq.shortcuts as search
    from keras_freq import plots

    seen, unseen = subject.data.halves(data.seed)
    side = max(seen.images.shape[1:])
    blocks = patch or (1 if side <= 64 else side // 32)
    output.say(
        f"search   on {len(seen.labels)} images, test on {len(unseen.labels)} others; blocks of {blocks} x "
        f"{blocks} bins, {method}"
    )
    with when_interrupted(left(checkpoint)):
        importance = search.frequency_importance(
            subject.classifier,
            seen.images,
            seen.labels,
            patch=blocks,
            method=method,  # type: ignore[arg-type]  # checked there
            checkpoint=checkpoint,
        )
        maps = search.dominant_frequency_map(importance, fraction)
        report = search.shortcut_report(
            subject.classifier, unseen.pair, maps, batch_size=run.batch_size, progress=None
        )
    names = unseen.classes[: len(maps)] if len(unseen.classes) >= len(maps) else None

    def draw():
        shown = {report.method: maps.masks[:_MOST]}
        if len(maps) > _MOST:
            return plots.frequency_maps(shown, classes=names and names[:_MOST])
        return plots.frequency_maps(shown, classes=names, reports={report.method: report})

    if output.is_folder:
        for path in output.write(importance, None, {}, "importance"):
            output.say(f"written  {path}")
    code = output.deliver(report, draw)
    if checkpoint is not None:
        checkpoint.unlink()
    return code
