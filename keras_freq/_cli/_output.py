"""Where a result goes: to the screen, to files, through the gate."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_freq._cli._command import tell
from keras_freq._cli._gate import Gate
from keras_freq._cli._numbers import flat_numbers
from keras_freq._cli._options import ResultOptions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FILES = (".json", ".csv", ".png")


@dataclass(frozen=True)
class Output:
    """What was asked for of a result.

    Attributes:
        command: Name of the sub-command, after which the files are called.
        json: Whether stdout takes JSON alone.
        out: Folder or file, or `None`.
        gate: Conditions.
    """

    command: str
    json: bool
    out: Path | None
    gate: Gate

    @classmethod
    def open(cls, command: str, options: ResultOptions) -> Output:
        """Reads the options, and sees that the folder can be written to, before anything is measured."""
        gate = Gate.read(options.fail_if, options.baseline, options.tolerance, options.junit)
        output = cls(command, options.json, options.out and options.out.expanduser(), gate)
        folders = [options.junit.parent] if options.junit else []
        if output.out is not None:
            folders.append(output.out if output.is_folder else output.out.parent)
        for folder in folders:
            check_writable(folder)
        return output

    @property
    def is_folder(self) -> bool:
        """Whether `out` is a folder."""
        return self.out is not None and (self.out.is_dir() or self.out.suffix.lower() not in _FILES)

    @property
    def say(self) -> Callable[[str], None]:
        """Takes what a person reads: to stdout, or to stderr where that is for JSON."""
        return tell if self.json else print

    def deliver(self, result: Any, draw: Callable[[], Figure] | None = None) -> int:
        """Prints and writes a result, then judges it.

        Args:
            result: With `to_json`, `to_csv` and numbers that `flat_numbers` knows.
            draw: Makes its figure.

        Returns:
            The exit code.
        """
        numbers = flat_numbers(result)
        print(result.to_json() if self.json else result, end="" if self.json else "\n", flush=True)
        for path in self.write(result, draw, numbers):
            self.say(f"written  {path}")
        return self.judge(numbers)

    def judge(self, numbers: dict[str, float]) -> int:
        """The exit code of numbers, whose findings are told."""
        return self.gate.judge(numbers, suite=f"keras-freq {self.command}")

    def write(
        self,
        result: Any,
        draw: Callable[[], Figure] | None,
        numbers: dict[str, float],
        name: str | None = None,
    ) -> list[Path]:
        """The files of a result, in the folder or the one that was named."""
        if self.out is None:
            return []
        from keras_freq._core.files import write_whole

        name = name or self.command
        paths = [self.out / f"{name}{ending}" for ending in _FILES] if self.is_folder else [self.out]
        for path in list(paths):
            if path.suffix.lower() == ".json":
                result.to_json(path)
            elif path.suffix.lower() == ".csv":
                result.to_csv(path)
            elif draw is not None:
                write_whole(path, png(draw()))
            else:
                paths.remove(path)
        if self.is_folder and numbers:
            text = json.dumps({"command": self.command, "numbers": numbers}, indent=2)
            paths.append(write_whole(self.out / f"{name}.numbers.json", text + "\n"))
        return paths

    def checkpoint(self, resume: bool) -> Path | None:
        """Where a long sweep keeps what it has measured: beside its results; `None` without `--out`.

        Raises:
            ValueError: If there is an unfinished one and `resume` is not asked for, or nothing to resume.
        """
        if self.out is None:
            if resume:
                raise ValueError("--resume needs the --out of the run that was stopped. Received: no --out")
            return None
        path = (self.out / self.command if self.is_folder else self.out).with_suffix(".checkpoint")
        if path.exists() and path.stat().st_size and not resume:
            raise ValueError(
                "An unfinished run is kept beside the results: go on with --resume, or remove the file. "
                f"Received: {path}"
            )
        return path


def check_writable(folder: Path) -> None:
    """Makes a folder, and sees that files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            f"Results must go to a folder that can be written to; name another with --out. "
            f"Received: {folder} ({error.strerror or error})"
        ) from error


def png(figure: Figure) -> bytes:
    """A figure as the bytes of a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=150)
    return content.getvalue()
