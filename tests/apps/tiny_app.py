"""A small app for the lab's tests: trains two epochs, measures four numbers, may be slow or fail."""

from __future__ import annotations

import dataclasses
import signal
import time

from apps.lab import Claim, Experiment, main


class InterruptsAtItsEnd:
    """Ctrl-C inside a finalizer, where Python prints the exception and goes on."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@dataclasses.dataclass(frozen=True)
class Training:
    epochs: int = 2
    learning_rate: float = 1e-2


@dataclasses.dataclass(frozen=True)
class Tiny:
    """Settings of the tiny app."""

    seed: int = 0
    output: str | None = None
    fail: str = ""
    seconds: float = 0.0
    radii: tuple[int, ...] = (4, 8)
    training: Training = dataclasses.field(default_factory=Training)

    def __post_init__(self):
        if self.seconds < 0:
            raise ValueError(f"`seconds` must be at least 0. Received: seconds={self.seconds}")


def tiny(run, config):
    for radius in run.sweep(config.radii, "radii"):

        def compute(radius=radius):
            time.sleep(config.seconds)
            if config.fail == "value" and radius == 8:
                raise ValueError("`radius` must be even. Received: radius=8\nand more")
            if config.fail == "lost interrupt" and radius == 4:
                InterruptsAtItsEnd()
            if config.fail == "disk" and radius == 8:
                raise OSError(28, "No space left on device")
            if config.fail == "memory" and radius == 8:
                raise MemoryError("Unable to allocate 4.00 TiB for an array")
            return [{"radius": radius, "kind": kind, "value": radius / 7} for kind in ("low", "high")]

        run.measure(f"band/{radius}", compute)
    run.summary("Tiny", [Claim("low | high", "-", "0.5", 3, ("band",), (config.seed,))])


if __name__ == "__main__":
    main("tiny", Experiment(Tiny, "__main__:tiny"))
