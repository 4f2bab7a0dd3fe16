"""`keras-freq bands`."""

from __future__ import annotations

from typing import Annotated

import typer

from keras_freq._cli._options import DataOptions, ModelOptions, ResultOptions, RunOptions
from keras_freq._cli._output import Output
from keras_freq._cli._subject import open_subject
from keras_freq._cli._texts import read_numbers


def bands(
    model: ModelOptions,
    data: DataOptions,
    run: RunOptions,
    result: ResultOptions,
    radii: Annotated[
        str, typer.Option(help="Cut-off radii, bins from the middle of the spectrum.")
    ] = "4,8,12,16",
) -> int:
    """Accuracy on low and on high frequencies, by radius.

    Without --n all images are taken.

    \b
    keras-freq bands cifar10/standard cifar10_mini --radii 4,8,12,16 --out bands
    keras-freq bands my_model.keras photos/test --fail-if 'low_8 < .8'
    """
    output, cuts = Output.open("bands", result), read_numbers(radii, "--radii")
    if min(cuts) < 0:
        raise ValueError(f"--radii must be at least 0. Received: --radii {radii}")
    subject = open_subject(model, data, run, say=output.say)
    from keras_freq import evaluate, plots

    measured = evaluate.band_accuracy(
        subject.classifier, subject.data.pair, radii=cuts, batch_size=run.batch_size, progress=None
    )
    return output.deliver(measured, lambda: plots.band_accuracy(measured))
