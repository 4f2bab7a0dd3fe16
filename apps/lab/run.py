"""The run folder: settings, versions, results, figures and summary of a run that a kill does not undo."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import re
import shlex
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from apps.lab.config import as_dict, as_yaml, differences, load_config
from apps.lab.errors import RunError, one_line
from apps.lab.files import (
    append_records,
    as_lines,
    clear_halves,
    hold,
    read_arrays,
    read_checked,
    read_records,
    write_checked,
    write_whole,
)
from apps.lab.interruption import stop_if_interrupted, uninterrupted
from apps.lab.tables import escape
from apps.lab.versions import versions

if TYPE_CHECKING:
    from keras_freq.evaluate import Result

Kind = TypeVar("Kind", bound="Result")


@dataclasses.dataclass(frozen=True)
class Claim:
    """One row of ``summary.md``.

    Args:
        claim: What the paper says, in one sentence.
        paper: The paper's number with its evidence tag, ``"-"`` where it gives none that can be compared.
        ours: What this run measured.
        n: Number of images.
        stages: Beginnings of the stage names whose time the row adds up.
        seeds: The seeds it was measured with; none for those of the run.
    """

    claim: str
    paper: str
    ours: str
    n: int
    stages: tuple[str, ...]
    seeds: tuple[int, ...] = ()


class Run:
    """A run folder. `Run.start` makes a new one, `Run.resume` goes on with one.

    The folder holds ``config.yaml``, ``versions.json`` (with the seed), ``results.jsonl``, ``results.csv``,
    ``results/``, ``checkpoints/``, ``arrays/``, ``figures/`` and ``summary.md``. It is usable at any moment:
    every file is written whole or not at all.

    `app` is the name of the app, with its experiment where it has several.
    """

    def __init__(self, folder: Path, app: str, config: Any, *, lock: Any = None):
        self.folder = Path(folder)
        self.app = app
        self.config = config
        self.seed = int(config.seed)
        self._measuring = 0  # stages that are being measured, one inside another
        self._lock = lock or _lock(self.folder / ".lock")
        clear_halves(self.folder)
        records, damaged = read_records(self._jsonl)
        if damaged:
            numbers = ", ".join(map(str, damaged))
            print(
                f"warning: {self._jsonl}, line {numbers}: damaged; what stood there is measured again",
                file=sys.stderr,
            )
        # A stage counts once all its lines are there.
        sizes = Counter(record["stage"] for record in records)
        self.records: list[dict] = [r for r in records if sizes[r["stage"]] >= r["stage_records"]]
        if damaged or len(self.records) < len(records):
            write_whole(self._jsonl, as_lines(self.records))  # or the rest would be there twice

    @classmethod
    def start(cls, app: str, config: Any) -> Run:
        """Makes ``runs/<app>/<timestamp>-<backend>``, or ``config.output`` where that is set."""
        import keras

        folder = _new_folder(app, config, keras.backend.backend())
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Before anything is written: of several processes that start one folder, one has it.
            lock = _lock(folder / ".lock")
            _check_new(folder)
            write_whole(folder / "config.yaml", as_yaml(config))
            write_checked(folder / "versions.json", {"app": app, "seed": config.seed, **versions()})
        except OSError as error:
            raise RunError(
                f"the output folder must be one that can be written. Received: {folder} ({error.strerror})",
                code=1,
            ) from error
        return cls(folder, app, config, lock=lock)

    @classmethod
    def resume(cls, app: str, config: Any, folder: Path) -> Run:
        """Goes on with a folder that `start` made, if its settings and backend are the same."""
        import keras

        folder = Path(folder)
        try:
            made = _read_versions(folder)
            stored = load_config(type(config), folder / "config.yaml")
        except Exception as error:
            raise RunError(f"{folder} must be a run folder of {app}. Received: {one_line(error)}") from error
        if made.get("app") != app:
            raise RunError(f"{folder} must be a run folder of {app}. Received: one of {made.get('app')}")
        backend = keras.backend.backend()
        if made["backend"] != backend:
            raise RunError(
                f"{folder} was made with KERAS_BACKEND={made['backend']}: go on with the same. "
                f"Received: KERAS_BACKEND={backend}"
            )
        places = ("output", "store", *getattr(config, "PLACES", ()))
        changed = [d for d in differences(as_dict(stored), as_dict(config)) if d[0] not in places]
        if changed:
            raise RunError(
                f"{folder} was made with {', '.join(f'{k}={old}' for k, old, _ in changed[:3])}: "
                "go on with the same settings, or start a new run without --resume. "
                f"Received: {', '.join(f'{k}={new}' for k, _, new in changed[:3])}"
            )
        now = versions()
        other = [f"{k} {made[k]} then, {now[k]} now" for k in now if k in made and made[k] != now[k]]
        if other:
            print(
                f"warning: the numbers may differ from an unbroken run: {'; '.join(other)}", file=sys.stderr
            )
        run = cls(folder, app, config)
        (folder / "error.log").unlink(missing_ok=True)  # of the process that this one follows
        return run

    def close(self) -> None:
        """Lets the folder go: another run may take it, of this process too."""
        self._lock.close()

    def measured(self, stage: str) -> list[dict]:
        """The records of a stage; none where it was not measured yet."""
        return [record for record in self.records if record["stage"] == stage]

    def measure(self, stage: str, compute: Callable[..., dict | list[dict]], *args, **kwargs) -> list[dict]:
        """Measures once: stores the records of `compute(*args, **kwargs)`, or returns the stored ones.

        `compute` returns one flat dict a measured number, or a list of them (plain numbers and text). The
        records have ``stage``, ``stage_records`` (how many the stage has), ``seed`` and ``seconds`` added.
        The name of a stage is unique, such as ``"apr_sp/noise/0.1"``.
        """
        stop_if_interrupted()
        found = self.measured(stage)
        if found:
            return found
        start = time.perf_counter()
        self._measuring += 1
        try:
            rows = compute(*args, **kwargs)
        finally:
            self._measuring -= 1
        seconds = round(time.perf_counter() - start, 3)
        rows = [rows] if isinstance(rows, dict) else list(rows)
        if not rows:
            raise ValueError(f"stage {stage!r} must give at least one record. Received: none")
        records = []
        for row in rows:
            # A stage that went on after a kill brings its own time.
            share = row.get("seconds", seconds / len(rows))
            records.append(
                {"stage": stage, "stage_records": len(rows), "seed": self.seed}
                | {key: _plain(value) for key, value in row.items()}
                | {"seconds": round(float(share), 3)}
            )
        with uninterrupted():
            append_records(self._jsonl, records)
            self.records += records
            self._write_csv()
        return records

    def result(
        self, stage: str, compute: Callable[..., Kind], *args, seconds: float | None = None, **kwargs
    ) -> Kind:
        """Evaluates once: keeps what `compute(*args, **kwargs)` returns, a result of `keras_freq`, whole.

        It lies in ``results/<stage>.json``, and a record tells of it. What is returned is read from there at
        the first call too, so that a run that is gone on with sees the same (images are not kept). `seconds`:
        how long it took, where that was elsewhere.
        """
        import keras

        from keras_freq import Classifier
        from keras_freq.evaluate import Result

        *folders, last = map(_file_name, stage.split("/"))
        path = self.folder.joinpath("results", *folders, f"{last}.json")

        def keep() -> dict:
            # The networks of the lab take pixels on [0, 1], in whatever form the images are held.
            taken = [Classifier(a, value_range=(0, 1)) if isinstance(a, keras.Model) else a for a in args]
            result = compute(*taken, **kwargs)
            path.parent.mkdir(parents=True, exist_ok=True)
            result.to_json(path)
            file = path.relative_to(self.folder).as_posix()
            check = f"{zlib.crc32(path.read_bytes()):08x}"
            shown = {"measure": "result", "value": type(result).__name__, "n": result.n}
            took = {} if seconds is None else {"seconds": seconds}
            return {**shown, "file": file, "check": check, **took}

        (record, *_) = self.measure(stage, keep)
        try:
            content = path.read_bytes()
            check = f"{zlib.crc32(content):08x}"
            if record.get("check", check) != check:
                raise ValueError("it is damaged")
            found: Any = Result.from_json(content.decode("utf-8"))
            return found
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(
                f"{path} must hold the result of the stage {stage}: take the line of that stage out of "
                f"{self._jsonl}, and it is measured again. Received: {one_line(error)}",
                code=1,
            ) from error

    def arrays(
        self, name: str, compute: Callable[..., dict[str, np.ndarray]], *args, **kwargs
    ) -> dict[str, np.ndarray]:
        """Arrays of `compute(*args, **kwargs)`, computed once and kept in ``arrays/<name>.npz``.

        A record of the stage ``<name>/arrays`` tells how many there are, and how long they took.
        """
        path = self.folder / "arrays" / f"{_file_name(name)}.npz"
        if not path.exists():
            start, counted = time.perf_counter(), len(self.records)
            arrays: dict[str, Any] = {
                key: np.asarray(value) for key, value in compute(*args, **kwargs).items()
            }
            write_whole(path, lambda file: np.savez(file, **arrays))
            seconds = time.perf_counter() - start - sum(r["seconds"] for r in self.records[counted:])
            if not self._measuring:  # else the stage at hand counts them
                told = {"measure": "arrays", "value": len(arrays), "seconds": max(0.0, seconds)}
                self.measure(f"{name}/arrays", lambda: told)
        try:
            return read_arrays(path)
        except ValueError as error:
            raise RunError(
                f"{path} must hold the arrays of this run: remove it, and they are made again. "
                f"Received: {one_line(error)}",
                code=1,
            ) from error

    def checkpoint(self, name: str) -> Path:
        """Where `fit_resumably` keeps the state of one training."""
        return self.folder / "checkpoints" / f"{_file_name(name)}.npz"

    def figure(self, name: str, figure: Any) -> Path:
        """Writes a Matplotlib figure to ``figures/<name>.png``."""
        return write_whole(
            self.folder / "figures" / f"{_file_name(name)}.png",
            lambda file: figure.savefig(file, format="png"),
        )

    def sweep(self, items: Iterable, label: str) -> Iterator:
        """Goes through `items` with a progress bar (in a log file: a line now and then)."""
        items = list(items)
        with self.bar(len(items), label) as bar:
            for item in items:
                yield item
                bar.update()

    def bar(self, total: int, label: str) -> Any:
        """A progress bar to be updated; in a log file a line now and then."""
        from tqdm import tqdm

        terminal = sys.stderr.isatty()
        return tqdm(
            total=total,
            desc=label,
            mininterval=0.2 if terminal else 10.0,
            bar_format=None if terminal else "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}]\n",
        )

    def say(self, text: str) -> None:
        """Prints one line of progress at once."""
        print(text, flush=True)

    def minutes(self, *stages: str) -> float:
        """Minutes that the stages took whose names begin so (all of them by default), over all resumes."""
        stages = stages or ("",)
        return sum(r["seconds"] for r in self.records if r["stage"].startswith(stages)) / 60

    def summary(self, title: str, claims: list[Claim], *, notes: str = "") -> Path:
        """Writes ``summary.md``, and says so: one row a claim, then the notes, the settings, the figures."""
        made = _read_versions(self.folder)
        seeds = getattr(self.config, "all_seeds", (self.seed,))
        table = [["claim", "paper's number", "ours", "n", "seeds", "minutes"], ["---"] * 6]
        for claim in claims:
            by = ", ".join(map(str, claim.seeds or seeds))
            row = [
                claim.claim,
                claim.paper,
                claim.ours,
                str(claim.n),
                by,
                f"{self.minutes(*claim.stages):.1f}",
            ]
            table.append(list(map(escape, row)))
        figures = sorted(path.name for path in (self.folder / "figures").glob("[!.]*.png"))
        parts = [
            f"# {title}",
            "\n".join(f"| {' | '.join(row)} |" for row in table) if claims else "",
            notes,
            f"{self.minutes():.1f} minutes of measuring and training in all, on {made['backend']} "
            f"{made['backend_version']}, keras {made['keras']}, {made['cpu_count']} CPU cores, "
            f"{made['platform']}.",
            f"Settings: [config.yaml](config.yaml). Numbers: [results.csv](results.csv). "
            f"Versions: [versions.json](versions.json). Again: `{self.command()}`",
            "\n\n".join(f"![{name.removesuffix('.png')}](figures/{name})" for name in figures),
        ]
        path = write_whole(self.folder / "summary.md", "\n\n".join(part for part in parts if part) + "\n")
        self.say(str(path))
        return path

    def command(self, *, resume: bool = False) -> str:
        """The command line that goes on with this run, or makes it again."""
        words = ["python", "-m", *f"apps.{self.app}".split()]
        folder = self.folder.resolve()  # from wherever it is called
        words += ["--resume", str(folder)] if resume else [str(self.folder / "config.yaml")]
        if not resume and self.config.output:
            words.append("output=NEW_FOLDER")
        return shlex.join(words)

    @property
    def finished(self) -> bool:
        """Whether the summary, which comes last, is there."""
        return (self.folder / "summary.md").exists()

    @property
    def _jsonl(self) -> Path:
        return self.folder / "results.jsonl"

    def _write_csv(self) -> None:
        last = ["seed", "seconds", "stage", "stage_records"]
        columns = list(dict.fromkeys(key for record in self.records for key in record if key not in last))
        text = io.StringIO()
        writer = csv.DictWriter(text, [*columns, *last[:-1]], extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.records)
        write_whole(self.folder / "results.csv", text.getvalue())


def latest_unfinished(app: str, backend: str) -> Path:
    """The newest run folder of an app and backend under ``runs/`` that has no summary yet."""
    parent = _runs(app)
    folders = sorted(path.parent for path in parent.glob(f"*-{backend}*/versions.json"))
    unfinished = [folder for folder in folders if not (folder / "summary.md").exists()]
    if not unfinished:
        raise RunError(
            f"--resume needs a run that was cut short; name its folder: --resume RUN_DIR. "
            f"Received: {len(folders)} finished and 0 unfinished runs with {backend} in {parent}"
        )
    return unfinished[-1]


def _runs(app: str) -> Path:
    return Path("runs", *app.split())


def _new_folder(app: str, config: Any, backend: str) -> Path:
    if config.output:
        folder = Path(config.output)
        if folder.is_dir():
            _check_new(folder)
        if folder.exists() and not folder.is_dir():
            raise RunError(f"`output` must be a folder. Received: output={folder} (a file)")
        return folder
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder, count = _runs(app) / f"{stamp}-{backend}", 2
    while folder.exists():
        folder, count = _runs(app) / f"{stamp}-{backend}-{count}", count + 1
    return folder


def _check_new(folder: Path) -> None:
    """Refuses a folder with anything in it but what a start left that was killed before its last file."""
    names = {path.name for path in folder.iterdir() if not path.name.endswith(".part")}
    if names - {".lock", "config.yaml"} or names == {"config.yaml"}:
        raise RunError(
            "`output` must be a new or empty folder, or add --resume to go on with the run in it. "
            f"Received: output={folder}"
        )


def _read_versions(folder: Path) -> dict:
    """What `start` wrote down."""
    path = folder / "versions.json"
    try:
        made = read_checked(path)
        missing = {"backend", "backend_version", "keras", "cpu_count", "platform"} - set(made)
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{path} must be as the run wrote it. Received: {one_line(error)}", code=1) from error
    if missing:
        raise RunError(f"{path} must be as the run wrote it. Received: none of {sorted(missing)}", code=1)
    return made


def _lock(path: Path) -> Any:
    """Holds the folder for this process: two that write to one run would mix their numbers."""
    try:
        file = hold(path)
    except OSError as error:
        raise RunError(
            f"the output folder must be one that can be written. Received: {path.parent} ({error.strerror})",
            code=1,
        ) from error
    if file is None:
        raise RunError(f"{path.parent} is in use by another process. Received: --resume {path.parent}")
    return file


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    raise TypeError(f"a record must hold numbers and text only. Received: {value!r}")


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "unnamed"
