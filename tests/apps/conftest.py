"""What the tests of all apps share; `tests.apps.running` runs them."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import pytest

import tests.apps.tiny_network  # noqa: F401 (in the table of networks from here on)


@pytest.fixture(autouse=True)
def _eagerly(request):
    """TensorFlow traces a tiny experiment for longer than it runs; the library's own tests are compiled."""
    if keras.backend.backend() != "tensorflow" or request.node.get_closest_marker("compiled"):
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder that is the current one: runs, and the store of networks, lie below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory) -> Path:
    """``store=...`` of the whole session, of all its processes: each network is trained once."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "networks"
