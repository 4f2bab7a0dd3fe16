"""``python -m apps.lab COMMAND``: trained networks, and what the reference networks show."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from apps.lab import cli
from apps.lab.cli import Experiment
from apps.lab.errors import RunError, one_line
from apps.lab.grid_settings import Grid
from apps.lab.logs import quiet_start

COMMANDS = {
    "grid": "grid GRID.yaml [key=value ...] [--resume [RUN_DIR]]: trains and measures the networks of a grid "
    "with several seeds, here or on a Ray cluster (executor=ray)",
    "networks": "networks [--folder FOLDER]: lists the trained networks in FOLDER (runs/networks)",
    "evidence": "evidence [--write]: tables and claims of the reference networks, from their outcomes; "
    "with --write they are put into apps/references/README.md",
    "leaderboard": "leaderboard [--out FOLDER] [SENT_IN ...]: one page of all measures of the reference "
    "networks, in FOLDER (runs/leaderboard), with networks that were sent in",
    "check": "check SENT_IN ...: whether folders of results that were sent in are whole and comparable",
}
EXPERIMENTS = {"grid": Experiment(Grid, "apps.lab.grid:grid")}
USAGE = "\n".join(f"python -m apps.lab {line}" for line in COMMANDS.values())


def command(words: list[str]) -> int:
    """The command with the words of its line, returning the exit status."""
    try:
        if words[:1] == ["grid"]:
            return cli.command("lab", EXPERIMENTS, words)
        if "-h" in words or "--help" in words:
            print(f"usage:\n{USAGE}")
            return 0
        if words[:1] == ["evidence"]:
            _show_evidence(words[1:])
        elif words[:1] == ["leaderboard"]:
            _write_leaderboard(words[1:])
        elif words[:1] == ["check"]:
            _check(words[1:])
        else:
            _list_networks(_parse(words))
        return 0
    except RunError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return error.code
    except (OSError, ValueError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _list_networks(folder: Path) -> None:
    with quiet_start():
        from apps.lab.listing import HEAD, list_networks
        from apps.lab.report import print_table
    rows = list_networks(folder)
    print_table(f"{len(rows)} networks in {folder}", HEAD, rows, whole=True)


def _show_evidence(words: list[str]) -> None:
    if words not in ([], ["--write"]):
        raise RunError(f"the command is python -m apps.lab evidence [--write]. Received: {' '.join(words)}")
    from apps.lab import beyond, evidence, shortcuts

    parts = {
        (evidence.BEGIN, evidence.END): evidence.render(evidence.read_networks()),
        beyond.MARKS: beyond.render(evidence.read_networks(beyond.OUTCOMES)),
        shortcuts.MARKS: shortcuts.render(evidence.read_networks(shortcuts.KEPT)),
    }
    print("\n".join(parts.values()), end="")
    if words:
        for marks, text in parts.items():
            evidence.write_readme(text, marks=marks)


def _write_leaderboard(words: list[str]) -> None:
    folder = "runs/leaderboard"
    if words[:1] == ["--out"] and len(words) > 1:
        folder, words = words[1], words[2:]
    elif words and words[0].startswith("--out="):
        folder, words = words[0].partition("=")[2], words[1:]
    if not folder or any(word.startswith("-") for word in words):
        raise RunError(
            "the command is python -m apps.lab leaderboard [--out FOLDER] [SENT_IN ...]. "
            f"Received: {' '.join(words)}"
        )
    from apps.lab import evidence, leaderboard

    networks = evidence.read_networks()
    print(leaderboard.write_leaderboard(Path(folder), networks, _read_sent_in(words, networks)))


def _check(words: list[str]) -> None:
    if not words or any(word.startswith("-") for word in words):
        raise RunError(f"the command is python -m apps.lab check SENT_IN .... Received: {' '.join(words)}")
    from apps.lab import evidence

    for word, one in zip(words, _read_sent_in(words, evidence.read_networks()), strict=True):
        print(f"{word}: {one.recipe['name']}, {len(one.outcomes.right)} conditions, whole and comparable")


def _read_sent_in(words: list[str], networks: Any) -> list[Any]:
    from apps.lab.contributed import read_contribution

    like = next(iter(next(iter(networks.values())).values()))
    return [read_contribution(Path(word), like) for word in words]


def _parse(words: list[str]) -> Path:
    if words[:1] != ["networks"]:
        raise RunError(
            f"there must be a command, one of {', '.join(COMMANDS)}. Received: {' '.join(words) or 'nothing'}"
        )
    folder = "runs/networks"
    if len(words) == 2 and words[1].startswith("--folder="):
        folder = words[1].partition("=")[2]
    elif len(words) == 3 and words[1] == "--folder":
        folder = words[2]
    elif len(words) > 1:
        raise RunError(
            f"the command is python -m apps.lab networks [--folder FOLDER]. Received: {' '.join(words)}"
        )
    if not Path(folder).is_dir():
        raise RunError(f"there must be a folder of trained networks. Received: {folder}")
    return Path(folder)


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
