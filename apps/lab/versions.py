"""What a result depends on besides its settings."""

from __future__ import annotations

import importlib
import os
import platform
from importlib import metadata


def versions() -> dict[str, str | int | None]:
    """Versions of Python, Keras, its backend and the libraries the numbers come from, and the machine."""
    import keras

    backend = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": backend,
        "backend_version": str(importlib.import_module(backend).__version__),
        "numpy": _installed("numpy"),
        "foolbox": _installed("foolbox"),
        "keras_freq": _installed("keras-freq"),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
