"""Trained networks that come with the package."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_whole, show
from keras_freq._core.files import write_whole
from keras_freq._core.result import Record
from keras_freq.models._alexnet_small import alexnet_small
from keras_freq.models._all_conv import all_conv
from keras_freq.models._densenet_cifar import densenet_cifar
from keras_freq.models._resnet_cifar import resnet_cifar
from keras_freq.models._resnext_cifar import resnext_cifar
from keras_freq.models._small_resnet import small_resnet
from keras_freq.models._vgg16_bn import vgg16_bn
from keras_freq.models._vit import vit
from keras_freq.models._whitened_net import whitened_net
from keras_freq.models._wide_resnet import wide_resnet

INDEX = "references.json"
_MAKERS = {
    maker.__name__: maker
    for maker in (
        all_conv,
        alexnet_small,
        densenet_cifar,
        resnet_cifar,
        resnext_cifar,
        small_resnet,
        vgg16_bn,
        vit,
        whitened_net,
        wide_resnet,
    )
}
# The weights that come with the package.
PACKAGE = Path(__file__).parent / "weights"
_BROKEN = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True)
class Reference(Record):
    """What is known of a trained network; `keras_freq.models.reference(name, seed=seed)` gives the network.

    Attributes:
        name: Data set and way to train, such as ``"cifar10/apr_sp"``.
        seed: Seed of the training.
        network: Function of `keras_freq.models` that makes the network, with `options`.
        options: Its arguments.
        recipe: The settings of the training.
        n: Number of test images that the rates below stand for.
        accuracy: Share of the test images classified as labeled, with the weights as stored.
        corruption_error: Mean error under the 15 corruptions, severities 1 to 5, in [0, 1]; None: not
            measured.
        robust_accuracy: Accuracy under attack by norm and bound, such as ``"linf 1/255"``.
        robust_n: Number of test images that were attacked.
        minutes: Length of the training in minutes.
        command: Command that trains it again, from the root of the repository.
        made_with: Backend and versions of the training.
        terms: What the weights may be used for.
        file: Name of the file of weights, or None where only this record is there.
        sha256: Digest of that file.
        digest: Digest of what the network follows from but for backend and versions: recipe, training images
            and labels, classes, seed.
        history: Metric name to one number for each epoch of the training.

    Example:
        >>> known = keras_freq.models.references()[0]
        >>> known.name.split("/")[0], known.n
        ('cifar10', 10000)
    """

    name: str
    seed: int
    network: str
    options: Mapping[str, Any]
    recipe: Mapping[str, Any]
    n: int
    accuracy: float
    corruption_error: float | None = None
    robust_accuracy: Mapping[str, float] = field(default_factory=dict)
    robust_n: int = 0
    minutes: float
    command: str
    made_with: Mapping[str, str]
    terms: str
    file: str | None = None
    sha256: str | None = None
    digest: str = ""
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """One row."""
        attacks = {f"robust {name}": value for name, value in self.robust_accuracy.items()}
        return [
            {
                "name": self.name,
                "seed": self.seed,
                "network": self.network,
                "accuracy": self.accuracy,
                "corruption error": self.corruption_error,
                **attacks,
                "minutes": self.minutes,
                "weights": "here" if self.file else "to train",
            }
        ]


@dataclass(frozen=True, kw_only=True)
class References(Record):
    """The networks that are known; ``print`` shows a table, `rows()`, `to_csv` and the like have it too.

    Attributes:
        networks: One `Reference` for each network and seed, by name and seed.

    Example:
        >>> known = keras_freq.models.references()
        >>> len(str(known).splitlines()) == len(known) + 1
        True
    """

    networks: tuple[Reference, ...]

    def __iter__(self) -> Iterator[Reference]:
        return iter(self.networks)

    def __len__(self) -> int:
        return len(self.networks)

    def __getitem__(self, index: int) -> Reference:
        return self.networks[index]

    @classmethod
    def read(cls, folder: str | Path) -> References:
        """Those of one folder; none where it has no index."""
        return cls(networks=_read_index(Path(folder)))

    def write(self, folder: str | Path) -> None:
        """Writes the index of a folder, whole or not at all."""
        text = ",\n".join(one.to_json().strip() for one in self.networks)
        write_whole(Path(folder) / INDEX, f"[\n{text}\n]\n")

    def rows(self) -> list[dict[str, Any]]:
        """One row for each network."""
        return [row for one in self.networks for row in one.rows()]

    def __str__(self) -> str:
        rows = self.rows()
        head = list(dict.fromkeys(name for row in rows for name in row))
        lines = [head, *([_cell(row.get(name)) for name in head] for row in rows)]
        widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def references(*, folder: str | Path | None = None) -> References:
    """What is known of every reference network, those without weights here among them.

    Args:
        folder: Folder that holds more of them, as `apps.references` writes it. By default that of the
            repository, where the package is used from one.

    Returns:
        A sequence of `Reference`, which ``print`` shows as a table.

    Raises:
        ValueError: if an index cannot be read.

    Example:
        >>> {one.accuracy > 0.9 for one in keras_freq.models.references() if one.name == "cifar10/standard"}
        {True}
    """
    found: dict[tuple[str, int], Reference] = {}
    for place in _folders(folder):
        for one in _read_index(place):
            known = found.get((one.name, one.seed))
            if known is None or known.file is None:
                found[one.name, one.seed] = one
    return References(networks=tuple(found[key] for key in sorted(found)))


def reference(name: str, *, seed: int = 0, folder: str | Path | None = None) -> keras.Model:
    """A trained network: pixels in [0, 1] in, logits out.

    Its weights are stored in half precision where that costs no accuracy; their file is checked against its
    sha256 and holds plain arrays, no code.

    Args:
        name: Data set and way to train, such as ``"cifar10/standard"`` or ``"cifar10/apr_sp"``.
        seed: Seed of the training.
        folder: As of `keras_freq.models.references`.

    Returns:
        A `keras.Model`, `(batch, 32, 32, 3)` to `(batch, 10)` for CIFAR-10, not compiled, of any backend.

    Raises:
        ValueError: if there is no such network; if its weights are not here, with the command that trains
            it; if their file is damaged.

    Example:
        >>> model = keras_freq.models.reference("cifar10/standard")
        >>> model.output_shape
        (None, 10)
    """
    seed = check_whole(seed, "seed", least=0)
    known: dict[tuple[str, int], list[tuple[Path, Reference]]] = {}
    for place in _folders(folder):
        for one in _read_index(place):
            known.setdefault((one.name, one.seed), []).append((place, one))
    if not isinstance(name, str) or (name, seed) not in known:
        raise ValueError(_unknown(name, seed, list(known)))
    for place, one in known[name, seed]:
        if one.file is not None:
            return _load(one, place)
    command = known[name, seed][0][1].command
    raise ValueError(
        f"The weights of {name} with seed={seed} are not here; train them from the repository with: "
        f"{command} Received: name={name!r}, seed={seed}"
    )


def _load(one: Reference, folder: Path) -> keras.Model:
    """The network of a record, with its weights from a file in the folder."""
    arrays = _read_file(one, folder)
    if one.network not in _MAKERS:
        raise ValueError(
            f"The network of {one.name} must be one of {', '.join(_MAKERS)}. "
            f"Received: network={one.network!r}"
        )
    model = _MAKERS[one.network](name=one.name.replace("/", "-"), **_arguments(one.options))
    names = sorted(name for name in arrays if name.startswith("weight."))
    try:
        model.set_weights([arrays[name].astype("float32") for name in names])
    except _BROKEN as error:
        raise _damaged(one, folder, error) from error
    return model


def _read_file(one: Reference, folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, once it is seen to be the one that was stored."""
    try:
        content = (folder / str(one.file)).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != one.sha256:
            raise ValueError(f"sha256 {digest} in place of {one.sha256}")
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except _BROKEN as error:
        raise _damaged(one, folder, error) from error


def _damaged(one: Reference, folder: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split()) or type(error).__name__
    return ValueError(
        f"The weights of {one.name} must be as they were stored; fetch the file again. "
        f"Received: {folder / str(one.file)} ({reason})"
    )


def _read_index(folder: Path) -> tuple[Reference, ...]:
    """The records of a folder; none where it has no index."""
    path = folder / INDEX
    if not path.is_file():
        return ()
    try:
        return tuple(Reference.from_json(json.dumps(one)) for one in json.loads(path.read_text("utf-8")))
    except _BROKEN as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"The index of reference networks cannot be read. Received: {path} ({reason})"
        ) from error


def _folders(folder: str | Path | None) -> list[Path]:
    """The package's own, and the given one, or that of a clone."""
    own = PACKAGE
    if folder is None:
        return [own, Path(__file__).parents[2] / "apps" / "references" / "networks"]
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        raise ValueError(f"`folder` must hold {INDEX}. Received: folder={show(str(folder))}")
    return [own, folder]


def _arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}


def _unknown(name: Any, seed: int, known: list[tuple[str, int]]) -> str:
    names = sorted({one for one, _ in known})
    if name in names:
        seeds = sorted(number for one, number in known if one == name)
        return f"`seed` of {name} must be one of {', '.join(map(str, seeds))}. Received: seed={seed}"
    near = difflib.get_close_matches(name, names, n=1) if isinstance(name, str) else []
    hint = f"; did you mean {near[0]}?" if near else "."
    return f"`name` must be one of {', '.join(names) or 'none'}{hint} Received: name={show(name)}"
