"""Results that others send in: a folder with what they are of, the outcomes, and the digests of both.

`recipe.json` says how the network was made, ``outcomes.npz`` holds what it said of every test image (see
`apps.lab.outcomes`), ``SHA256SUMS`` is what ``sha256sum -c`` reads. Nothing here imports Keras.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from apps.lab.errors import RunError, one_line
from apps.lab.files import write_json, write_whole
from apps.lab.outcomes import Outcomes, read_outcomes, write_outcomes

RECIPE, OUTCOMES, SUMS = "recipe.json", "outcomes.npz", "SHA256SUMS"
# Keys of the recipe, and the types of their values.
KEYS: dict[str, type | tuple[type, ...]] = {
    "name": str,
    "network": str,
    "trained": str,
    "minutes": (int, float, type(None)),
    "data": str,
    "weights": (str, type(None)),
    "versions": dict,
}


@dataclasses.dataclass(frozen=True)
class Contribution:
    """A network of somebody else.

    Args:
        recipe: What it is: `name`, `network`, how it was `trained`, `minutes`, the set of the `data`, the
            sha256 of the `weights`, the `versions` that looked at it.
        outcomes: What it said of the test images.
    """

    recipe: Mapping[str, Any]
    outcomes: Outcomes


def write_contribution(folder: Path, one: Contribution) -> None:
    """Writes the three files; the digests come last."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RECIPE, dict(one.recipe))
    write_outcomes(folder / OUTCOMES, one.outcomes)
    sums = "".join(f"{_digest(folder / name)}  {name}\n" for name in (RECIPE, OUTCOMES))
    write_whole(folder / SUMS, sums)


def read_contribution(folder: Path, like: Outcomes) -> Contribution:
    """The network of a folder, refused in one line unless it can stand beside a network with `like`."""
    _check_sums(folder)
    recipe = _read_recipe(folder / RECIPE)
    outcomes = read_outcomes(folder / OUTCOMES)
    _check_outcomes(folder, outcomes, like)
    return Contribution(recipe, outcomes)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check_sums(folder: Path) -> None:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        found = {name: _digest(folder / name) for name in (RECIPE, OUTCOMES)}
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(
            f"{folder} must hold {RECIPE}, {OUTCOMES} and {SUMS}. Received: {one_line(error)}"
        ) from error
    for name, digest in found.items():
        if sums.get(name) != digest:
            raise RunError(
                f"{folder / name} must have the digest that {SUMS} says. "
                f"Received: {digest[:16]}, for {str(sums.get(name))[:16]}"
            )


def _read_recipe(path: Path) -> dict[str, Any]:
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
        wrong = [key for key, kind in KEYS.items() if not isinstance(recipe[key], kind)]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} must be a JSON object with {', '.join(KEYS)}. Received: {one_line(error)}"
        ) from error
    if wrong or not recipe["name"].strip():
        key = wrong[0] if wrong else "name"
        raise RunError(f"{path} must say what `{key}` is. Received: {key}={recipe[key]!r}")
    return recipe


def _check_outcomes(folder: Path, outcomes: Outcomes, like: Outcomes) -> None:
    for name, bits in like.right.items():
        count = len(outcomes.right.get(name, ()))
        if count != len(bits):
            raise RunError(
                f"{folder / OUTCOMES} must hold {len(bits)} images under {name!r}, as the reference networks "
                f"have. Received: {count}"
            )
    more = [name for name in outcomes.right if name not in like.right]
    if more:  # a mean over corruptions would be one over others
        raise RunError(
            f"{folder / OUTCOMES} must hold the conditions of the reference networks alone. "
            f"Received: {more[0]!r} too"
        )
    for name, classes in like.predicted.items():
        count = np.size(outcomes.predicted.get(name, ()))
        if count != len(classes):
            raise RunError(
                f"{folder / OUTCOMES} must hold the classes of {name!r}, {len(classes)}. Received: {count}"
            )
    if outcomes.note.get("labels") != like.note.get("labels"):
        raise RunError(
            f"{folder / OUTCOMES} must be of the test images in the order of the reference networks. "
            f"Received: labels with the digest {outcomes.note.get('labels')}"
        )
