"""`keras-freq versions`."""

from __future__ import annotations

import importlib
import json as javascript
import os
import platform
from importlib import metadata
from typing import Annotated

import typer

from keras_freq._cli._command import explain
from keras_freq._cli._start import start_keras

_LIBRARIES = (
    "keras-freq",
    "keras",
    "tensorflow",
    "jax",
    "jaxlib",
    "torch",
    "numpy",
    "scipy",
    "pillow",
    "matplotlib",
    "foolbox",
    "tensorflow-datasets",
    "datasets",
    "typer",
)


def versions(
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
    backend: Annotated[str | None, typer.Option(help="tensorflow, jax or torch.")] = None,
) -> None:
    """Libraries, backend, devices: for a report of a bug.

    \b
    keras-freq versions
    """
    try:
        chosen = start_keras(backend)
        devices = list_devices()
    except ImportError as error:  # a broken installation is what is looked into
        chosen, devices = explain(error), []
    known: dict[str, str | int | list[str]] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 0,
        "backend": chosen,
        "devices": devices,
    }
    known |= {name: version for name in _LIBRARIES if (version := _installed(name))}
    if json:
        print(javascript.dumps(known))
        return
    for name, value in known.items():
        print(f"{name:<20} {', '.join(value) if isinstance(value, list) else value}")


def list_devices() -> list[str]:
    """What the active backend computes on."""
    import keras

    name = keras.backend.backend()
    library = importlib.import_module(name)
    if name == "tensorflow":
        return [device.name for device in library.config.list_logical_devices()]
    if name == "jax":
        return [f"{device} ({device.device_kind})" for device in library.devices()]
    count = library.cuda.device_count()
    return [f"cuda:{index} ({library.cuda.get_device_name(index)})" for index in range(count)] or ["cpu"]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
