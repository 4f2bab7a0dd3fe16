"""`keras-freq heat-map`."""

from __future__ import annotations

from typing import Annotated

import typer

from keras_freq._cli._command import when_interrupted
from keras_freq._cli._options import DataOptions, ModelOptions, ResultOptions, RunOptions
from keras_freq._cli._output import Output
from keras_freq._cli._subject import open_subject

_IMAGES = 500


def heat_map(
    model: ModelOptions,
    data: DataOptions,
    run: RunOptions,
    result: ResultOptions,
    epsilon: Annotated[
        float,
        typer.Option(min=0, help="L2 norm of what is added, pixels on 0 to 1: 4 at 32 pixels, 15.7 at 224."),
    ] = 4.0,
    window: Annotated[
        int | None, typer.Option(min=0, help="Only frequencies so near to the middle; default all.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that was stopped in --out.")
    ] = False,
) -> int:
    """Error on images with one frequency added, for each one.

    Without --n 500 images are taken.

    \b
    keras-freq heat-map cifar10/standard cifar10_mini --n 200 --out heat
    keras-freq heat-map cifar10/standard cifar10_mini --n 200 --out heat --resume
    """
    output = Output.open("heat-map", result)
    checkpoint = output.checkpoint(resume)
    subject = open_subject(model, data, run, n=_IMAGES, say=output.say)
    from keras_freq import evaluate, plots

    with when_interrupted(left(checkpoint)):
        measured = evaluate.fourier_heat_map(
            subject.classifier,
            subject.data.pair,
            epsilon=epsilon,
            window=window,
            batch_size=run.batch_size,
            checkpoint=checkpoint,
        )
    code = output.deliver(measured, lambda: plots.heat_map({subject.classifier.name: measured}))
    if checkpoint is not None:
        checkpoint.unlink()
    return code


def left(checkpoint: object) -> str:
    """What an interrupted sweep leaves, in words."""
    if checkpoint is None:
        return "nothing is kept; with --out FOLDER what is measured is"
    return f"what is measured is kept in {checkpoint}; the same command with --resume goes on"
