"""`keras-freq report`."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from keras_freq._cli._command import when_interrupted
from keras_freq._cli._data import open_chosen
from keras_freq._cli._models import open_model
from keras_freq._cli._numbers import flat_numbers
from keras_freq._cli._options import DataOptions, ModelOptions, ResultOptions, RunOptions
from keras_freq._cli._output import Output
from keras_freq._cli._subject import Subject, look_at, open_subject

if TYPE_CHECKING:
    from keras_freq._core.classifier import Classifier

_QUICK, _FULL = 1000, 10000
_FOLDER = Path("frequency-report")
# As they are written here; known without an import of Keras.
SECTIONS = (
    "bands",
    "heat-map",
    "gradients",
    "swap",
    "cue-conflict",
    "critical-band",
    "shortcuts",
    "sufficient-maps",
    "corruptions",
    "attacks",
    "unknown",
)


def report(
    model: ModelOptions,
    data: DataOptions,
    run: RunOptions,
    result: ResultOptions,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Another model of the same classes, which needs no options; may be given several times. "
            "'cifar10/*' is all reference networks whose weights are here.",
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full/--quick", help="Hours in place of minutes: all sections, more images and settings."
        ),
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            help=f"Some of {', '.join(SECTIONS)}, with commas between. cue-conflict, critical-band and "
            "sufficient-maps are measured with --full or where they are named here."
        ),
    ] = None,
    unknown: Annotated[
        str | None, typer.Option(metavar="DATA", help="Images of other classes: are they told apart?")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the report that was stopped in --out.")
    ] = False,
    executor: Annotated[
        str,
        typer.Option(metavar="local|ray", help="Who measures: this process, or workers of a Ray cluster."),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="The Ray cluster; auto: the one of this machine. By default one is started for this run.",
        ),
    ] = None,
) -> int:
    """All measurements of a model on one page, with findings in plain words.

    --out is a folder, frequency-report by default: open its index.html. It is written again after every
    section.

    \b
    keras-freq report my_model.keras photos/test --value-range 0,255
    keras-freq report cifar10/standard cifar10_mini --n 200 --only bands,attacks --out report
    keras-freq report new.keras photos/test --against old.keras --baseline old/report.json
    keras-freq report my_model.keras cifar10 --against 'cifar10/*'
    """
    wanted = _read_sections(only)
    if executor not in ("local", "ray"):
        raise ValueError(f"--executor must be local or ray. Received: --executor {executor}")
    if address is not None and executor != "ray":
        raise ValueError(f"--address needs --executor ray. Received: --address {address}")
    folder = result.out or _FOLDER
    output = Output.open("report", dataclasses.replace(result, out=folder))
    if not output.is_folder:
        raise ValueError(f"--out must be a folder. Received: --out {folder}")
    limit = _FULL if full else _QUICK
    subject = open_subject(model, data, run, n=limit, say=output.say)
    others = {
        name: _open_other(name, model, subject, run, output) for name in _expand(against or (), model.model)
    }
    strangers = None
    if unknown is not None:
        chosen = dataclasses.replace(data, data=unknown, classes=None)
        opened = open_chosen(chosen, n=limit, image_size=subject.size)
        strangers = opened.arranged(subject.classifier.choose_data_format()).images
    from keras_freq._report import report as measure
    from keras_freq.evaluate import RayWorkers

    count = len(subject.clean.count_per_class)
    names = subject.data.classes
    with contextlib.ExitStack() as stack:
        stack.enter_context(when_interrupted(f"what is done stands in {folder}; go on with --resume"))
        workers = None if executor == "local" else stack.enter_context(RayWorkers(address=address))
        found = measure(
            subject.classifier,
            subject.data.pair,
            against=others or None,
            classes=names if len(names) == count else None,
            only=wanted,
            full=full,
            n=len(subject.data.labels),
            seed=data.seed,
            unknown=strangers,
            to=folder,
            resume=resume,
            command=shlex.join(["keras-freq", *sys.argv[1:]]),
            executor=workers or "local",
        )
    print(found.to_json() if output.json else found, end="" if output.json else "\n", flush=True)
    output.say(f"written  {folder / 'index.html'}")
    return output.judge(flat_numbers(found))


def _read_sections(only: str | None) -> list[str] | None:
    """The sections of `--only`, by their names in Python."""
    if only is None:
        return None
    names = [name.strip().replace("_", "-") for name in only.split(",")]
    if not set(names) <= {"clean", *SECTIONS}:
        raise ValueError(
            f"--only must be some of {', '.join(SECTIONS)}, with commas between. Received: --only {only}"
        )
    return [name.replace("-", "_") for name in names]


def _expand(against: Iterable[str], own: str) -> list[str]:
    """The other models, a pattern of reference networks written out without the model itself."""
    from keras_freq import models

    names: list[str] = []
    for word in against:
        if not any(sign in word for sign in "*?[") or Path(word).exists():
            names.append(word)
            continue
        here = [one.name for one in models.references() if one.file is not None]
        found = [name for name in here if fnmatch.fnmatchcase(name, word) and name != own]
        if not found:
            raise ValueError(
                f"--against must name models; of reference networks there are {', '.join(here)}. "
                f"Received: --against {word}"
            )
        names += found
    return list(dict.fromkeys(names))


def _open_other(
    name: str, options: ModelOptions, subject: Subject, run: RunOptions, output: Output
) -> Classifier:
    """Another model, of which everything is found out by itself."""
    opened = open_model(name, imports=options.imports or ())
    try:
        other = look_at(opened, subject.data, batch_size=run.batch_size)
    except ValueError as error:
        raise ValueError(f"{error}, for the other model, --against {name}") from error
    for line in other.assumed:
        output.say(line.replace("model    ", "against  ", 1))
    return other.classifier
