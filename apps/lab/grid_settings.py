"""Settings of a grid: networks, seeds, measurements, each with each. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, ClassVar, Literal

from apps.lab.config import as_dict, read_words
from apps.lab.errors import RunError, one_line
from apps.lab.settings import Data, Repeated, Training, check_least


@dataclasses.dataclass(frozen=True)
class Variant:
    """One kind of network: the recipe `training` with what `changes` say, each ``key=value``."""

    name: str
    changes: tuple[str, ...] = ()

    def recipe(self, common: Training) -> Training:
        """The recipe of this network."""
        recipe: Training = read_words(Training, self.changes, like=as_dict(common))
        return recipe


_POWER = re.compile(r"(?<![\w.])(\d+)(\.\d+)?e([-+]?)(\d+)(?![\w.])", re.IGNORECASE)


def _as_yaml(power: re.Match[str]) -> str:
    """To YAML 1e-3 and 1.0e3 are text, and 1.0e-3 and 1.0e+3 numbers."""
    whole, fraction, sign, exponent = power.groups()
    return f"{whole}{fraction or '.0'}e{sign or '+'}{exponent}"


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One measurement: a function of `keras_freq.evaluate` with its options, each ``key=value``."""

    name: str
    function: str
    options: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """The options by name."""
        import yaml

        pairs = [option.partition("=") for option in self.options]
        return {name: yaml.safe_load(_POWER.sub(_as_yaml, text)) for name, _, text in pairs}

    def __post_init__(self):
        import yaml

        wrong = [option for option in self.options if not option.partition("=")[0].isidentifier()]
        if wrong or any("=" not in option for option in self.options):
            raise ValueError(
                f"`options` of a measurement are written key=value. Received: options={list(self.options)}"
            )
        try:
            _ = self.values
        except yaml.YAMLError as error:
            raise ValueError(
                f"`options` of a measurement must be YAML ({one_line(error)}). "
                f"Received: options={list(self.options)}"
            ) from error


@dataclasses.dataclass(frozen=True)
class Grid(Repeated):
    """Trains every network of a list with every seed, and measures each of them in every way of another list.

    `networks`: each a `name` and `changes` of the recipe `training`, ``key=value``. `measurements`: each a
    `name`, a `function` of `keras_freq.evaluate` that takes a model and test images, and its `options`.
    `units`: the folder where what was measured is kept, by digest; processes and machines that share it and
    `store` share the work.
    `executor`: `local`, in this process, or `ray`, on the cluster at `address` (null: one is started here),
    where a unit of work takes `cpus`, `gpus` and `memory` bytes. A unit is given up after so many `tries`;
    the others go on.
    """

    # Where and by whom the work is done: a run may be gone on with elsewhere.
    PLACES: ClassVar[tuple[str, ...]] = ("units", "executor", "address", "cpus", "gpus", "memory", "tries")

    data: Data = dataclasses.field(default_factory=Data)
    networks: tuple[Variant, ...] = (Variant("standard"),)
    measurements: tuple[Measurement, ...] = ()
    training: Training = dataclasses.field(default_factory=Training)
    units: str = "runs/units"
    executor: Literal["local", "ray"] = "local"
    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    memory: int | None = None
    tries: int = 3

    def __post_init__(self):
        super().__post_init__()
        for name, least in (("cpus", 0), ("gpus", 0), ("memory", 1), ("tries", 1)):
            check_least(name, getattr(self, name), least)
        for name in ("networks", "measurements"):
            names = [one.name for one in getattr(self, name)]
            files = {re.sub(" +", "-", one) for one in names}  # as results are kept
            if (name == "networks" and not names) or len(files) < len(names):
                raise ValueError(f"`{name}` must have names, each once in a folder. Received: {name}={names}")
            # TensorFlow takes no spaces in the name of a network.
            allowed = r"[A-Za-z0-9][\w.-]*" if name == "networks" else r"(?!training$)[A-Za-z0-9][\w .-]*"
            wrong = [one for one in names if not re.fullmatch(f"{allowed}(?<![ .-])", one, re.ASCII)]
            if wrong:
                more = "" if name == "networks" else ", spaces between them, and be other than training"
                raise ValueError(
                    f"the names of `{name}` must be of letters, digits, and between them _ - .{more}. "
                    f"Received: name={wrong[0]}"
                )
        if self.address is not None and self.executor != "ray":
            raise ValueError(
                f"`address` is that of a Ray cluster: add executor=ray. Received: address={self.address}"
            )
        for variant in self.networks:
            try:
                variant.recipe(self.training)
            except RunError as error:
                raise ValueError(f"`changes` of the network {variant.name}: {error}") from error
