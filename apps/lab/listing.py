"""What is in the store of trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from apps.lab.errors import RunError
from apps.lab.files import read_checked
from apps.lab.recipe import shorten
from apps.lab.resumable import epochs_done
from apps.lab.store import BROKEN

HEAD = (
    "network",
    "recipe",
    "data",
    "seed",
    "backend",
    "train",
    "validation",
    "epochs",
    "minutes",
    "MB",
    "watched",
)


def list_networks(store: Path) -> list[tuple[str, ...]]:
    """One row of text a network, in the order of their digests; of a broken folder, why it is broken."""
    folders = [path for path in store.iterdir() if path.is_dir() and not path.name.startswith(".")]
    return [_row(folder) for folder in sorted(folders)]


def _row(folder: Path) -> tuple[str, ...]:
    try:
        recipe = read_checked(folder / "recipe.json")
        follows = recipe["follows from"]
        shown = (
            shorten(follows["recipe"]),
            str(recipe["data"]),
            str(follows["seed"]),
            f"{follows['backend']} {follows['backend_version']}",
            *_progress(folder, recipe, follows["recipe"]),
        )
    except (RunError, *BROKEN) as error:
        return (folder.name, f"broken: {type(error).__name__} {error}", *[""] * (len(HEAD) - 2))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return (folder.name, *shown, f"{size:.1f}", "" if recipe["watch"] is None else "yes")


def _progress(folder: Path, recipe: dict[str, Any], settings: dict[str, Any]) -> tuple[str, str, str, str]:
    """Accuracies, epochs and minutes; of a training that was cut short, the epochs that it has done."""
    ended = recipe.get("finished")
    if ended is not None:
        accuracies = (ended.get(f"{kind} accuracy") for kind in ("training", "validation"))
        train, validation = ("" if value is None else f"{value:.3f}" for value in accuracies)
        return train, validation, str(ended["epochs"]), f"{ended['minutes']:.1f}"
    checkpoint = folder / "checkpoint.npz"
    done = epochs_done(checkpoint) if checkpoint.exists() else 0
    of = settings.get("epochs", f"{settings.get('iterations')} steps")
    return "", "", f"{done} of {of}", ""
