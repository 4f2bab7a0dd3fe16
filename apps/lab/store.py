"""The store of trained networks: one folder for each, named by the digest of all that it follows from.

``runs/networks/<digest>/`` holds ``recipe.json`` (what the network follows from, who trained it, how it
ended), ``network.npz`` (weights and history of a finished training) or ``checkpoint.npz`` (the state of one
that was cut short), and what callbacks keep there. A network whose training was watched lies in
``<digest>-<watch digest>/``: what is measured on the way adds columns to the history and changes no weight,
so that one who does not ask for these columns is given either.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.lab.errors import RunError, one_line
from apps.lab.files import clear_halves, hold, read_arrays, read_checked, write_checked, write_whole
from apps.lab.interruption import stop_if_interrupted
from apps.lab.versions import versions

# Of `apps.lab.versions.versions()`: what the numbers of a training follow from.
_DEPENDENCIES = ("keras", "backend", "backend_version", "keras_freq")
# What reading a damaged or foreign file raises.
BROKEN = (OSError, ValueError, KeyError, TypeError, AttributeError)


def describe(value: Any) -> Any:
    """A description as plain JSON values; arrays become the digest of their type, shape and content."""
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(f"{value.dtype.name} {value.shape} ".encode())
        content.update(np.ascontiguousarray(value).reshape(-1).view("uint8").data)
        return content.hexdigest()
    if isinstance(value, Mapping):
        return {str(key): describe(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(
        "what a network follows from must be numbers, text, lists, dictionaries and arrays. "
        f"Received: {value!r}"
    )


def digest_of(value: Any, *, length: int = 16) -> str:
    """Hexadecimal digest of a description."""
    text = json.dumps(describe(value), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def origin_of(follows: Mapping[str, Any]) -> str:
    """Digest of what a network follows from but for backend and versions."""
    return digest_of({name: value for name, value in follows.items() if name not in _DEPENDENCIES})


def dependencies() -> dict[str, Any]:
    """The backend, and the versions that a trained network follows from."""
    found = versions()
    return {name: found[name] for name in _DEPENDENCIES}


class Kept:
    """One folder of the store.

    Attributes:
        folder: Path of the folder.
        digest: Digest of what the network follows from.
        follows: What it follows from, as plain values.
        watch: What was measured on the way, as plain values, or None.
    """

    def __init__(self, folder: Path, digest: str, follows: dict, watch: Any):
        self.folder, self.digest, self.follows, self.watch = folder, digest, follows, watch

    @property
    def checkpoint(self) -> Path:
        """Where `fit_resumably` keeps the state of the training."""
        return self.folder / "checkpoint.npz"

    @property
    def finished(self) -> bool:
        return (self.folder / "network.npz").exists()

    @property
    def recipe(self) -> dict[str, Any]:
        """`recipe.json`, once it is seen to be that of this network; else a RunError."""
        try:
            found = read_checked(self.folder / "recipe.json")
            same = found["follows from"] == self.follows and found["watch"] == self.watch
        except BROKEN as error:
            raise self._broken(error) from error
        if not same:
            raise self._broken(f"recipe.json of another network, {found.get('digest')}")
        return found

    def begin(self, about: Mapping[str, Any]) -> None:
        """Makes the folder, or sees to it that the one that is there belongs to this network."""
        clear_halves(self.folder)
        if self.folder.is_dir() and any(self.folder.iterdir()):
            _ = self.recipe
            return
        content = {"digest": self.digest, **about, "follows from": self.follows, "watch": self.watch}
        write_checked(self.folder / "recipe.json", content | {"versions": versions()})

    def finish(self, weights: list[np.ndarray], history: dict[str, list[float]], **facts: Any) -> None:
        """Keeps the weights and the history, and drops the state that a training goes on from."""
        note = np.asarray(json.dumps({"digest": self.digest, "history": history, "facts": facts}))
        arrays: dict[str, Any] = {f"weight.{i:05d}": array for i, array in enumerate(weights)}
        write_whole(self.folder / "network.npz", lambda file: np.savez(file, note=note, **arrays))
        self._close(facts)

    def read(self, shapes: list[tuple[int, ...]]) -> tuple[list[np.ndarray], dict[str, list[float]], dict]:
        """Weights (of these shapes), history and facts of a finished training; else a RunError."""
        recipe = self.recipe
        try:
            arrays = read_arrays(self.folder / "network.npz")
            note = json.loads(str(arrays.pop("note")))
            weights = [arrays[name] for name in sorted(arrays)]
            digest, history, facts = (note[name] for name in ("digest", "history", "facts"))
        except BROKEN as error:
            raise self._broken(error) from error
        if digest != self.digest or [array.shape for array in weights] != [tuple(s) for s in shapes]:
            raise self._broken("the weights of another network")
        if "finished" not in recipe:  # the process that trained it was killed in between
            self._close(facts)
        return weights, history, facts

    def _close(self, facts: Mapping[str, Any]) -> None:
        recipe = self.recipe
        ended = time.strftime("%Y-%m-%d %H:%M:%S")
        write_checked(self.folder / "recipe.json", recipe | {"finished": {**facts, "ended": ended}})
        self.checkpoint.unlink(missing_ok=True)

    def _broken(self, reason: BaseException | str) -> RunError:
        reason = one_line(reason) if isinstance(reason, BaseException) else reason
        return RunError(
            f"{self.folder} must hold the network {self.digest} as it was kept; remove the folder to train "
            f"it again. Received: {reason}",
            code=1,
        )


@contextlib.contextmanager
def open_network(
    store: str | Path,
    follows: Mapping[str, Any],
    *,
    watch: Any = None,
    say: Callable[[str], None] = print,
    label: str = "",
) -> Iterator[Kept]:
    """The folder of a network, finished, or held for this process alone so that it can train it.

    `follows` is all that the network follows from, `watch` what is to be measured on the way; None is content
    with whatever was measured. `say` is told where another process trains it, under the name `label`.
    """
    store, plain = Path(store), describe(follows)
    digest = digest_of(plain)
    watch = None if watch is None else describe(watch)
    name = digest if watch is None else f"{digest}-{digest_of(watch, length=8)}"
    own = Kept(store / name, digest, plain, watch)
    found = _finished(store, own)
    if found is not None:
        yield found
        return
    with held(
        store / ".locks" / digest, lambda: say(f"{label}: another process trains {own.folder}; waiting")
    ):
        yield _finished(store, own) or own


def _finished(store: Path, own: Kept) -> Kept | None:
    """The finished network, with the columns that were asked for."""
    if own.finished:
        return own
    if own.watch is None:
        for folder in sorted(store.glob(f"{own.digest}-*")):
            try:
                watch = read_checked(folder / "recipe.json")["watch"]
            except BROKEN:  # a broken folder with columns that nobody asked for
                continue
            other = Kept(folder, own.digest, own.follows, watch)
            if other.finished:
                return other
    return None


@contextlib.contextmanager
def held(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """Holds a network, or what else is in the store, for this process alone."""
    try:
        file = hold(path)
        if file is None:
            wait()
        while file is None:
            time.sleep(0.5)
            stop_if_interrupted()
            file = hold(path)
    except OSError as error:
        raise RunError(
            f"`store` must be a folder that can be written. Received: store={path.parent.parent} "
            f"({error.strerror})",
            code=1,
        ) from error
    with file:
        yield
