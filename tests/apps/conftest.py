"""What the tests of all apps share; `tests.apps.running` runs them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder that is the current one: runs, and the store of networks, lie below it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def shared_store(tmp_path_factory) -> Path:
    """A store for the whole session, for tests that ask for one network each: ``store=...``."""
    return tmp_path_factory.mktemp("networks")
