"""What an evaluation returns: numbers, how many images they stand for, and how they were made."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_type_hints, overload

import keras
import numpy as np

from keras_freq._core.checks import show
from keras_freq._core.files import write_whole
from keras_freq._core.stored import decode, encode, equal, fits

if TYPE_CHECKING:
    import pandas

# So many numbers of a series stand in `str`, and these settings, which move no number, do not.
_ITEMS = 8
_SILENT = ("batch_size", "data_format", "per_step")
# Of the JSON files; a reader refuses another one.
_FORMAT = 1
# Every class by the name that its JSON carries: the bare one for the package's own.
_CLASSES: dict[str, type[Record]] = {}


@dataclass(frozen=True)
class Record:
    """Base of what the package measures and keeps: compared by value, written to JSON and read from it."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Before the decorator of the subclass, whose own `==` would stumble over arrays and NaN.
        if "__eq__" not in vars(cls):
            cls.__eq__ = Record.__eq__  # type: ignore[method-assign]  # the same one for every subclass
        own = cls.__module__.startswith("keras_freq.")
        _CLASSES[cls.__name__ if own else f"{cls.__module__}.{cls.__qualname__}"] = cls

    def __eq__(self, other: object) -> bool:
        """Equality of all compared fields: arrays by value, NaN equal to NaN."""
        if type(self) is not type(other):
            return NotImplemented
        names = [field.name for field in fields(self) if field.compare]
        return all(equal(getattr(self, name), getattr(other, name)) for name in names)

    def __str__(self) -> str:
        """What it is, and the headline numbers, in a few lines."""
        head = self._headline()
        pairs = {name: value for name, value in head.items() if not isinstance(value, Mapping)}
        lines = textwrap.wrap(", ".join(f"{name} = {_short(value)}" for name, value in pairs.items()), 100)
        for name, value in head.items():
            if isinstance(value, Mapping):
                items = [f"{_short(key)}: {_short(item)}" for key, item in value.items()]
                more = [f"... ({len(items)} in all)"] if len(items) > _ITEMS else []
                lines.append(f"{name}: {', '.join(items[:_ITEMS] + more)}")
        return "\n  ".join([type(self).__name__, *lines])

    def _headline(self) -> dict[str, Any]:
        """The numbers that `str` shows: one line for all that are single, one for each mapping."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.compare}
        return {name: value for name, value in values.items() if isinstance(value, (bool, int, float, str))}

    def to_dict(self) -> dict[str, Any]:
        """All numbers and settings as plain Python values. Images are left out."""
        return {
            field.name: _plain(getattr(self, field.name))
            for field in fields(self)
            if field.metadata.get("export", True)
        }

    def rows(self) -> list[dict[str, Any]]:
        """The numbers as flat rows, one dictionary per row: what `to_csv` writes."""
        return [
            {name: value for name, value in self.to_dict().items() if not isinstance(value, (list, dict))}
        ]

    @overload
    def to_json(self, path: None = None) -> str: ...
    @overload
    def to_json(self, path: str | os.PathLike) -> None: ...
    def to_json(self, path: str | os.PathLike | None = None) -> str | None:
        """Writes every field, images included, so that `from_json` reads the result back, equal.

        The file is strict JSON with one line per field, and holds what `to_dict()` computes from them too.
        Numbers that are not finite stand as "NaN", "Infinity" and "-Infinity", arrays as base64 of their
        compressed bytes.

        Args:
            path: Where to write, whole or not at all; missing folders are made. Default: return the text.

        Returns:
            The text where no path was given.

        Raises:
            TypeError: If a field holds something else than numbers, texts, None, arrays or collections of
                them.

        Example:
            >>> result = keras_freq.evaluate.accuracy(model, data)
            >>> result.to_json("accuracy.json")
            >>> keras_freq.evaluate.Result.from_json("accuracy.json") == result
            True
        """
        document = {"result": _name(type(self)), "format": _FORMAT, **_fields(self)}
        document |= {name: _finite(value) for name, value in self.to_dict().items() if name not in document}
        lines = (
            f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in document.items()
        )
        text = "{\n" + ",\n".join(lines) + "\n}\n"
        if path is None:
            return text
        write_whole(path, text)
        return None

    @classmethod
    def from_json(cls, source: str | os.PathLike) -> Self:
        """Reads what `to_json` wrote.

        Args:
            source: Path of the file, or its text, which begins with a brace.

        Returns:
            The result, equal to the one that was written, of the class that it had.

        Raises:
            OSError: If the file cannot be read.
            ValueError: If it is damaged, was not written by `to_json`, or holds a result of another class or
                of a later version.

        Example:
            >>> text = keras_freq.evaluate.accuracy(model, data).to_json()
            >>> type(keras_freq.evaluate.Result.from_json(text)).__name__
            'AccuracyResult'
        """
        text = source if isinstance(source, str) and source.lstrip().startswith("{") else None
        place = f"source={os.fspath(source)!r}" if text is None else f"a text of {len(text)} characters"
        content = Path(source).read_bytes() if text is None else text
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"The JSON of a result is damaged or is none. Received: {place}") from error
        if not (isinstance(document, dict) and isinstance(document.get("result"), str)):
            raise ValueError(f"`source` must be JSON that `to_json` wrote. Received: {place}")
        name, version = document.pop("result"), document.pop("format", None)
        if version != _FORMAT:
            raise ValueError(
                f"`source` must have format {_FORMAT}; a later one needs a later version of keras_freq. "
                f"Received: {place} with format={show(version)}"
            )
        kind = _class_named(name)
        if kind is None or not issubclass(kind, cls):
            raise ValueError(
                f"`source` must hold a result of class {cls.__name__}. Received: {place} of class {name}"
            )
        try:
            return _build(kind, document)
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
            raise ValueError(f"The JSON of a result is damaged ({error}). Received: {place}") from error

    def to_dataframe(self) -> pandas.DataFrame:
        """`rows()` as a pandas DataFrame.

        Returns:
            The data frame: one row per row of `rows()`, with the same columns.

        Raises:
            ImportError: If pandas is not installed.

        Example:
            >>> keras_freq.evaluate.accuracy(model, data).to_dataframe().columns.tolist()
            ['model', 'class', 'accuracy', 'n']
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError(
                f"`to_dataframe` needs pandas: pip install pandas. Received: {error}"
            ) from error
        return pandas.DataFrame(self.rows())

    def to_csv(self, path: str | os.PathLike) -> None:
        """Writes `rows()` with a header line."""
        rows = self.rows()
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(path, text.getvalue())


@dataclass(frozen=True, kw_only=True)
class Result(Record):
    """Base of the results: frozen, comparable, written to JSON and CSV whole or not at all.

    Attributes:
        model: Name of the model; None where there is none.
        n: Number of images measured.
        settings: The arguments that shaped the numbers.
        versions: Versions of keras_freq, Keras and the backend.

    Example:
        >>> result = keras_freq.evaluate.accuracy(model, data)
        >>> result.to_json("accuracy.json")
        >>> again = keras_freq.evaluate.Result.from_json("accuracy.json")
        >>> again == result, again.n
        (True, 8)
    """

    model: str | None
    n: int
    settings: dict[str, Any]
    versions: dict[str, str]

    def __str__(self) -> str:
        name, *lines = super().__str__().split("\n")
        of = "" if self.model is None else f" of {self.model!r}"
        for what in ("undefined", "ties"):
            if np.any(getattr(self, what, 0)):
                lines.append(f"  {what}: {_short(getattr(self, what))}")
        settings = [
            f"{key} = {_short(value)}"
            for key, value in self.settings.items()
            if key not in _SILENT and value is not None
        ]
        if settings:
            lines.append("  settings: " + textwrap.shorten(", ".join(settings), 200, placeholder=" ..."))
        return "\n".join([f"{name}{of}, n = {self.n}", *lines])

    def _headline(self) -> dict[str, Any]:
        own = super()._headline()
        return {name: value for name, value in own.items() if name not in ("model", "n", "undefined", "ties")}


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    backend = keras.backend.backend()
    module = sys.modules.get(backend)
    try:
        own = importlib.metadata.version("keras-freq")
    except importlib.metadata.PackageNotFoundError:  # run from a source folder
        own = "unknown"
    return {
        "keras_freq": own,
        "keras": keras.__version__,
        "backend": backend,
        backend: str(getattr(module, "__version__", "unknown")),
    }


def _short(value: Any) -> str:
    """A number with four digits; what holds numbers, with each of them so."""
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, (tuple, list, np.ndarray)):
        items = [_short(item) for item in value[:_ITEMS]]
        return f"({', '.join([*items, '...'] if len(value) > _ITEMS else items)})"
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return encode(value, _nested)


def _name(kind: type[Record]) -> str:
    return next(name for name, known in _CLASSES.items() if known is kind)


def _class_named(name: str) -> type[Record] | None:
    if name not in _CLASSES:  # parts are imported when first used; results stand in these
        for part in ("data", "evaluate", "shortcuts"):
            importlib.import_module(f"keras_freq.{part}")
    return _CLASSES.get(name)


def _fields(record: Record) -> dict[str, Any]:
    return {field.name: encode(getattr(record, field.name), _nested) for field in fields(record)}


def _nested(value: Any) -> dict[str, Any] | None:
    return {"$record": _name(type(value)), "fields": _fields(value)} if isinstance(value, Record) else None


def _build(kind: type[Record], document: dict[str, Any]) -> Any:
    hints, known, values = get_type_hints(kind), fields(kind), {}
    for field in known:
        if field.name in document:
            values[field.name] = value = decode(document[field.name], _read_nested)
            if not fits(value, hints[field.name]):
                raise ValueError(f"its {field.name} is of another kind")
        elif field.default is MISSING:  # a field with one may be younger than the file
            raise ValueError(f"it has no {field.name}")
    record = kind(**values)
    others = document.keys() - {field.name for field in known}
    if others and not others <= record.to_dict().keys():
        raise ValueError(f"it has an unknown {sorted(others - record.to_dict().keys())[0]}")
    return record


def _read_nested(name: str, document: dict[str, Any]) -> Any:
    kind = _class_named(name)
    if kind is None:
        raise ValueError(f"it holds a {name}")
    return _build(kind, document)
