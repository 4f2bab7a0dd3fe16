"""Keeps the start-up notices of the frameworks off the screen."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
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
