"""``python -m apps.lab networks [--folder FOLDER]``: which trained networks are there."""

from __future__ import annotations

import sys
from pathlib import Path

from apps.lab.errors import RunError, one_line
from apps.lab.logs import quiet_start

USAGE = "python -m apps.lab networks [--folder FOLDER]"


def command(words: list[str]) -> int:
    """The command with the words of its line, returning the exit status."""
    try:
        if "-h" in words or "--help" in words:
            print(f"usage: {USAGE}\n\nLists the trained networks in FOLDER (runs/networks).")
            return 0
        folder = _parse(words)
        with quiet_start():
            from apps.lab.listing import HEAD, list_networks
            from apps.lab.report import print_table
        rows = list_networks(folder)
        print_table(f"{len(rows)} networks in {folder}", HEAD, rows, whole=True)
        return 0
    except RunError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return error.code


def _parse(words: list[str]) -> Path:
    if words[:1] != ["networks"]:
        raise RunError(f"the command is {USAGE}. Received: {' '.join(words) or 'nothing'}")
    folder = "runs/networks"
    if len(words) == 2 and words[1].startswith("--folder="):
        folder = words[1].partition("=")[2]
    elif len(words) == 3 and words[1] == "--folder":
        folder = words[2]
    elif len(words) > 1:
        raise RunError(f"the command is {USAGE}. Received: {' '.join(words)}")
    if not Path(folder).is_dir():
        raise RunError(f"there must be a folder of trained networks. Received: {folder}")
    return Path(folder)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
