"""`report`: measures the sections one by one, keeps what is done, and writes the page after each."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_freq._core import processes
from keras_freq._core.checks import check_flag, check_whole, show
from keras_freq._core.classifier import Classifier, is_model
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.files import lock_folder, write_whole
from keras_freq._core.identity import identify, weights_digest
from keras_freq._core.pixels import to_bytes
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Record, versions
from keras_freq._report._folder import remove_written, write_folder
from keras_freq._report._look import PICTURES, Look
from keras_freq._report._record import LookedAt, Report
from keras_freq._report._sample import draw_sample
from keras_freq._report._sections import SECTIONS, check_sections
from keras_freq.evaluate import RayWorkers, predict_logits

_QUICK, _FULL = 1000, 10000


@dataclass(frozen=True, kw_only=True)
class _Part(Record):
    """A section that is done."""

    results: dict[str, Any]
    seconds: float


def report(
    model: keras.Model | Classifier,
    data: Any,
    *,
    against: Any = None,
    classes: Sequence[str] | None = None,
    only: Sequence[str] | None = None,
    full: bool = False,
    n: int | None = None,
    seed: int = 0,
    unknown: Any = None,
    to: str | os.PathLike | None = None,
    resume: bool = False,
    command: str | None = None,
    executor: str | RayWorkers = "local",
    progress: bool | None = None,
) -> Report:
    """Looks at a model from all sides: which frequencies it uses, whether it cheats, what misleads it.

    The sections are `clean`, `bands`, `heat_map`, `gradients`, `swap`, `shortcuts`, `corruptions`, `attacks`
    and `unknown`, and with `full` or where they are asked for `cue_conflict`, `critical_band` and
    `sufficient_maps`; each is a function of `keras_freq.evaluate` or `keras_freq.shortcuts` with fixed
    settings, on the same images. Every number is that function's.

    Args:
        model: Keras classifier, or a `keras_freq.Classifier`.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches. `n` images are drawn from all of them, evenly.
        against: Other models of the same classes to compare with: one, several, or a dictionary by name.
        classes: Names of the classes; default their numbers.
        only: Some of the sections; the clean images are always measured.
        full: All sections, with more images, frequencies, steps and severities: hours where the default takes
            minutes.
        n: How many images, at most; default 1000, or 10000 with `full`.
        seed: Of the choice of images, corruptions, pairs and attacks.
        unknown: Images of other classes, for the section `unknown`.
        to: Folder for the page `index.html`, `report.json`, tables (CSV) and figures (PNG, SVG), written
            again after every section.
        resume: Take from the folder what an earlier call has measured of the same model with the same images
            and settings, and go on with the rest.
        command: The command that repeats it, shown on the page.
        executor: `"local"`; `"ray"`: as many workers as a Ray cluster on this machine has room for; or
            `keras_freq.evaluate.RayWorkers`, which are kept. The numbers are the same.
        progress: Show progress bars, and how long it will take; `None`: on a terminal.

    Returns:
        A `Report`.

    Raises:
        ValueError: If an argument is out of range, a section is unknown, the names of the classes are not as
            many as the model's outputs, `resume` meets a report on something else, or as in `band_accuracy`.
        TypeError: If a model is not a Keras model.
        ImportError: If `executor` is `"ray"`, and Ray is not installed.

    Example:
        >>> report = kf.report(model, data, only=("bands",), to="report")
        >>> report.n, len(report.findings()), report.findings()[3].verdict
        (8, 5, 'missing')
    """
    for name, flag in (("full", full), ("resume", resume)):
        check_flag(flag, name)
    check_whole(seed, "seed", least=0)
    if executor not in ("local", "ray") and not isinstance(executor, RayWorkers):
        raise ValueError(
            "`executor` must be 'local', 'ray' or keras_freq.evaluate.RayWorkers. "
            f"Received: executor={show(executor)}"
        )
    if to is not None and processes.count() > 1:
        raise ValueError(
            "`to` is written by one process: leave it out, or let one of them call `report` inside "
            f"keras_freq.evaluate.alone(). Received: to={show(to)} in {processes.count()} processes"
        )
    if resume and to is None:
        raise ValueError("`resume` needs the folder of the earlier call, `to`. Received: to=None")
    wanted = check_sections(only, full=full)
    if only is None and unknown is None:
        wanted = tuple(name for name in wanted if name != "unknown")
    n = check_whole(_FULL if full else _QUICK, "n") if n is None else check_whole(n, "n")
    models = _name_models(model, against)
    images, labels = draw_sample(data, n, seed)
    if unknown is not None:
        alone = (unknown, np.zeros(len(unknown), "int32")) if hasattr(unknown, "shape") else unknown
        unknown = draw_sample(alone, n, seed)[0]
    looks = [
        _make_look(one, images, labels, full=full, seed=seed, unknown=unknown, progress=progress)
        for one in models.values()
    ]
    names = _check_classes(classes, looks)
    first = ModelFeed(looks[0].model, looks[0].first(PICTURES))
    pictures = first.arrays()[0]
    if first.data_format == "channels_first":
        pictures = np.moveaxis(pictures, 1, -1)
    if pictures.shape[-1] not in (1, 3):  # no picture has as many
        pictures = pictures[..., : 3 if pictures.shape[-1] > 3 else 1]
    settings = {"n": len(images), "full": full, "seed": seed, "only": wanted, "command": command}

    done = [
        LookedAt(
            name=name,
            digest=weights_digest(look.model.core),
            assumed=_assumed(look),
            results={},
            missing={},
            seconds={},
        )
        for name, look in zip(models, looks, strict=True)
    ]

    def current() -> Report:
        return Report(
            models=tuple(done),
            labels=looks[0].labels.astype("int64"),
            classes=names,
            pictures=to_bytes(np.clip(pictures, 0, 1)),
            settings=settings,
            versions=versions(),
        )

    folder, drawn = None if to is None else Path(to), dict[Any, Any]()
    digests = [one.digest for one in done]
    places = [
        None if folder is None else folder / "parts" / _key(*both)
        for both in zip(looks, digests, strict=True)
    ]
    if resume and folder is not None and (folder / "report.json").is_file():
        _check_resumed(folder, places)
    with _hold(folder, resume), _Progress(progress, looks, wanted) as bar:

        def take(index: int, section: str, part: _Part | str) -> None:
            done[index] = _add_part(done[index], section, part)
            bar.add(section, looks[index])
            if folder is not None:
                write_folder(current(), folder, drawn, model=index, section=section)

        with contextlib.ExitStack() as stack:
            if executor == "ray":
                executor = stack.enter_context(RayWorkers())
            run = _run_here if isinstance(executor, str) else executor.run
            run(_measure_sections, looks, places, wanted, processes.Here(take))
    return current()


def _run_here(function: Callable[..., Any], *args: Any) -> None:
    function(*args)


def _measure_sections(
    looks: list[Look],
    places: list[Path | None],
    wanted: tuple[str, ...],
    take: Callable[[int, str, _Part | str], Any],
) -> None:
    """Measures the sections of all models; `take` is told of each, or why it is missing."""
    for index, (look, kept) in enumerate(zip(looks, places, strict=True)):
        for section in wanted:
            take(index, section, SECTIONS[section].refuses(look) or _measure_section(section, look, kept))


def _measure_section(section: str, look: Look, kept: Path | None) -> _Part:
    """A section of a model; read where it is kept, else measured."""
    if kept is None:
        return _measure_part(section, look)
    file, sweeps = kept / f"{section}.json", kept / "sweeps"

    def begin() -> _Part | None:
        if file.is_file():
            return _Part.from_json(file)
        sweeps.mkdir(parents=True, exist_ok=True)
        return None

    part = processes.take_from_first(begin)
    if part is None:
        part = _measure_part(section, dataclasses.replace(look, checkpoints=sweeps))
        if processes.index() == 0:
            write_whole(file, part.to_json())
            shutil.rmtree(sweeps, ignore_errors=True)
    return part


def _measure_part(section: str, look: Look) -> _Part:
    begun = time.perf_counter()
    results = SECTIONS[section].measure(look)
    return _Part(results=results, seconds=time.perf_counter() - begun)


def _add_part(done: LookedAt, section: str, part: _Part | str) -> LookedAt:
    """What is known of a model with one more section, or why it is missing."""
    if isinstance(part, str):
        return dataclasses.replace(done, missing=done.missing | {section: part})
    return dataclasses.replace(
        done,
        results=done.results | {section: part.results},
        seconds=done.seconds | {section: part.seconds},
    )


def _name_models(model: Any, against: Any) -> dict[str, Any]:
    """All models by name; equal names get a number."""
    if against is None:
        others: dict[str | None, Any] = {}
    elif isinstance(against, Mapping):
        others = dict(against)
    else:
        listed = [against] if is_model(against) or not isinstance(against, Sequence) else list(against)
        others = {}
        for one in listed:
            others[_free_name(_own_name(one), others)] = one
    named = {_free_name(_own_name(model), others): model}
    for name, one in others.items():
        if not is_model(one):
            raise TypeError(
                f"`against` must hold Keras models or keras_freq.Classifier. Received: {name}={show(one)}"
            )
        named[str(name)] = one
    return named


def _own_name(model: Any) -> str:
    if isinstance(model, (str, os.PathLike)):
        return Path(model).stem
    return str(getattr(model, "name", None) or type(model).__name__)


def _free_name(name: str, taken: Mapping) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free


def _make_look(model: Any, images: np.ndarray, labels: np.ndarray, **options: Any) -> Look:
    """A look at a model, after the checks that need the images."""
    feed = ModelFeed(model, (images, labels), needs_logits=True)
    labels = feed.labels
    return Look(
        model=feed.model,
        images=images,
        labels=labels,
        size=feed.size,
        classes=feed.classes,
        **options,
    )


def _assumed(look: Look) -> dict[str, Any]:
    return {name: value for name, value in look.model.settings.items() if value is not None}


def _check_classes(classes: Sequence[str] | None, looks: list[Look]) -> tuple[str, ...]:
    counts = {look.classes for look in looks}
    if len(counts) > 1:
        raise ValueError(
            f"`against` must have models of the same classes. Received: models of {sorted(counts)} classes"
        )
    (count,) = counts
    if classes is None:
        return tuple(str(label) for label in range(count))
    names = tuple(str(name) for name in classes)
    if len(names) != count:
        raise ValueError(
            f"`classes` must have a name for each of the model's {count} classes. "
            f"Received: classes with {len(names)} names"
        )
    return names


def _key(look: Look, digest: str) -> str:
    """Name of what is kept of a model: another model, other images or settings have another."""
    data = hashlib.sha256(np.ascontiguousarray(look.images).data)
    data.update(np.ascontiguousarray(look.labels).data)
    if look.unknown is not None:
        data.update(np.ascontiguousarray(look.unknown).data)
    declared = [digest, identify(look.model), repr(look.model.mean), repr(sorted(_assumed(look).items()))]
    what = [*declared, data.hexdigest(), look.full, look.seed, versions()]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def _check_resumed(folder: Path, places: list[Path | None]) -> None:
    """Refuses to write over a report that is none on these models."""
    if not any(place is not None and place.is_dir() for place in places):
        raise ValueError(
            "`resume` goes on with a report on the same models, images and settings by the same versions: "
            f"give another folder, or leave it out to measure anew. Received: resume=True, to={str(folder)!r}"
        )


@contextlib.contextmanager
def _hold(folder: Path | None, resume: bool) -> Iterator[None]:
    """Holds the folder for one process, without what earlier calls have kept unless it is resumed.

    Figures and tables are written again from what is kept.
    """
    if folder is None:
        yield
        return
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`to` must be a folder. Received: to={str(folder)!r}")
    folder.mkdir(parents=True, exist_ok=True)
    with lock_folder(folder, "figures", "tables", "parts", "parts/*"):
        remove_written(folder)
        if not resume and (folder / "parts").is_dir():
            shutil.rmtree(folder / "parts")
        yield


class _Progress:
    """A bar over all sections of all models, in images, with a word on how long it will take."""

    def __init__(self, show: bool | None, looks: list[Look], wanted: tuple[str, ...]):
        self._show = sys.stderr.isatty() if show is None else check_flag(show, "progress")
        self._looks, self._wanted = looks, wanted
        self._stack = contextlib.ExitStack()
        self._advance: Callable[[int], None] = lambda count: None

    def __enter__(self) -> _Progress:
        total = sum(self._cost(name, look) for look in self._looks for name in self._wanted)
        if self._show:
            seconds = total * _seconds_per_image(self._looks[0])
            print(f"about {_minutes(seconds)} for {len(self._looks[0].images)} images", file=sys.stderr)
        self._advance = self._stack.enter_context(progress_bar(self._show, "report", total=total))
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def add(self, section: str, look: Look) -> None:
        """A section is done."""
        self._advance(self._cost(section, look))

    @staticmethod
    def _cost(section: str, look: Look) -> int:
        known = SECTIONS[section]
        return 0 if known.refuses(look) else round(known.forwards(look))


def _seconds_per_image(look: Look) -> float:
    """Of a forward pass, once it is compiled."""
    images = look.images[:256]
    predict_logits(look.model, images)
    begun = time.perf_counter()
    predict_logits(look.model, images)
    return (time.perf_counter() - begun) / len(images)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds / 10)) * 10} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
