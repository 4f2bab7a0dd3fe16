"""`keras-freq demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from keras_freq._cli._options import DataOptions, ModelOptions, ResultOptions, RunOptions
from keras_freq._cli._report import report
from keras_freq._cli._start import start_keras

_MODEL, _OTHER, _DATA = "cifar10/standard", "cifar10/apr_sp", "cifar10_mini"


def demo(
    run: RunOptions,
    result: ResultOptions,
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="How many of the 1000 images.")] = 400,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the report that was stopped in --out.")
    ] = False,
) -> int:
    """A report on a network that comes with the package, beside one that was trained with APR-SP.

    \b
    keras-freq demo
    keras-freq demo --n 100 --out demo
    """
    start_keras(run.backend)
    from keras_freq.models import references

    here = {one.name for one in references() if one.file is not None}
    return report(
        ModelOptions(model=_MODEL),
        DataOptions(data=_DATA, n=n),
        run,
        result,
        against=[_OTHER] if _OTHER in here else None,
        resume=resume,
    )
