"""What every error of the package says: one line, with what was received at its end."""

import contextlib

import pytest


@contextlib.contextmanager
def refused(says="", *, match="", error=ValueError):
    """Within it something is refused; the line holds the text `says` and matches `match`."""
    with pytest.raises(error, match=match or None) as caught:
        yield caught
    line = str(caught.value)
    assert says in line
    assert "Received: " in line
    assert "\n" not in line
