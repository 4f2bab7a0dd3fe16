"""Starts Keras: chooses the backend, and keeps the notices of the frameworks off the screen."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")


def start_keras(backend: str | None = None) -> str:
    """Imports Keras and registers the layers and models of the package.

    Args:
        backend: The one that was asked for; `None`: that of KERAS_BACKEND, else of Keras' own configuration
            where it is installed, else the first that is.

    Returns:
        The backend, and why it.

    Raises:
        ValueError: If there is no such backend, or Keras runs on another one already.
        ImportError: If none is installed.
    """
    name, reason = _choose(backend)
    if "keras" in sys.modules:
        running = importlib.import_module("keras").backend.backend()
        if backend is not None and running != name:
            raise ValueError(f"Keras runs on {running} already. Received: --backend {name}")
        name, reason = running, "already imported"
    if importlib.util.find_spec(name) is None:
        raise ImportError(
            f"The backend must be installed: pip install 'keras-freq[{name}]'; installed are "
            f"{', '.join(_installed()) or 'none'}. Received: {name} ({reason})"
        )
    os.environ["KERAS_BACKEND"] = name
    first = "keras" not in sys.modules
    with _quiet() if first else contextlib.nullcontext():
        if first:
            import keras

            keras.ops.add(1.0, 1.0)  # the first operation looks for devices, which is as loud
        for part in ("layers", "models", "training"):
            importlib.import_module(f"keras_freq.{part}")
    return f"{name} ({reason})"


def _choose(wanted: str | None) -> tuple[str, str]:
    given = wanted or os.environ.get("KERAS_BACKEND")
    source = "--backend" if wanted else "KERAS_BACKEND"
    if given:
        if given not in BACKENDS:
            raise ValueError(f"The backend must be one of {', '.join(BACKENDS)}. Received: {source} {given}")
        return given, f"of {source}"
    installed, configured = _installed(), _configured()
    if configured in installed:
        return str(configured), "of Keras' configuration"
    if not installed:
        raise ImportError(
            "A backend of Keras must be installed: pip install 'keras-freq[tensorflow]', or [jax], or "
            "[torch]. Received: none"
        )
    return installed[0], "the first that is installed"


def _installed() -> list[str]:
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def _configured() -> str | None:
    """The backend in Keras' configuration, which Keras itself writes when it is first imported."""
    folder = os.environ.get("KERAS_HOME")
    path = (Path(folder) if folder else Path.home() / ".keras") / "keras.json"
    try:
        return json.loads(path.read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):  # none yet, or none that Keras could read
        return None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Turns the frameworks' logs down to errors, and holds back what they write while they are imported.

    TensorFlow's libraries write notices at load time that no setting turns off, straight to the file
    descriptor. They are shown after all when the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    # On processors without AVX-512 TensorFlow leaves its fast convolutions off: four times slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Waiting threads of PyTorch's OpenMP otherwise spin: far slower on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as notices:
        os.dup2(notices.fileno(), 2)
        try:
            yield
            for name in ("tensorflow", "jax", "absl"):
                logging.getLogger(name).setLevel(logging.ERROR)
        except Exception:
            os.dup2(kept, 2)
            notices.seek(0)
            os.write(2, notices.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
