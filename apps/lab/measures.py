"""Measures of a network, image by image, from its outcomes. Nothing here imports Keras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apps.lab.outcomes import Outcomes
from apps.lab.statistics import Samples

# What the conditions of a measure begin with.
BEGINS = {"C-bar error": "bar ", "adapted error": "adapted "}


def measure(outcomes: Outcomes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What is counted, and among what, one number an image each.

    Names: ``accuracy``; ``error CORRUPTION`` and ``corruption error``, the mean of all; ``C-bar error``, the
    same of those of C-bar; ``adapted error``, under corruptions with the statistics of the batch; ``accuracy
    CONDITION`` of filtered or attacked images; ``follows phase`` and ``follows amplitude``, among the
    recombinations of two images that the network puts into different classes; ``low bias RADIUS``, among the
    decisions for one of the two classes of a conflict those for the class of the low frequencies.
    """
    right = outcomes.right
    if name == "accuracy":
        above = right["clean"].astype("float64")
    elif name in ("corruption error", *(f"error {one}" for one in corruptions(outcomes))):
        wanted = "corrupted " + ("" if name == "corruption error" else f"{name.removeprefix('error ')} ")
        found = [~bits for condition, bits in right.items() if condition.startswith(wanted)]
        above = np.mean(found, axis=0)
    elif name in BEGINS:
        found = [~bits for condition, bits in right.items() if condition.startswith(BEGINS[name])]
        above = np.mean(found, axis=0)
    elif name.startswith("low bias "):
        seen, low, high = (
            outcomes.predicted[f"conflict {one}"] for one in (name.removeprefix("low bias "), "low", "high")
        )
        return (seen == low).astype("float64"), ((seen == low) | (seen == high)).astype("float64")
    elif name in ("follows phase", "follows amplitude"):
        phase, amplitude = (outcomes.predicted[f"swap {part}"] for part in ("phase", "amplitude"))
        followed = phase if name == "follows phase" else amplitude
        differ = phase != amplitude
        return ((outcomes.predicted["swap"] == followed) & differ).astype("float64"), differ.astype("float64")
    elif name.startswith("accuracy ") and name.removeprefix("accuracy ") in right:
        above = right[name.removeprefix("accuracy ")].astype("float64")
    else:
        raise ValueError(
            f"a measure must be accuracy, corruption error, error CORRUPTION, C-bar error, adapted error, "
            f"accuracy CONDITION, follows phase, follows amplitude or low bias RADIUS. Received: {name}"
        )
    return above, np.ones_like(above)


def was_shown(outcomes: Outcomes, name: str) -> bool:
    """Whether a network has seen what the measure is of; not all have statistics of the batch."""
    if name.startswith("accuracy "):
        return name.removeprefix("accuracy ") in outcomes.right
    return name not in BEGINS or any(condition.startswith(BEGINS[name]) for condition in outcomes.right)


def corruptions(outcomes: Outcomes) -> tuple[str, ...]:
    """The corruptions that a network was shown."""
    names = (name.split(" ")[1] for name in outcomes.right if name.startswith("corrupted "))
    return tuple(dict.fromkeys(names))


def samples(networks: Sequence[Outcomes], name: str) -> Samples:
    """The measure of all networks of a row."""
    pairs = [measure(network, name) for network in networks]
    return Samples(np.array([above for above, _ in pairs]), np.array([below for _, below in pairs]))
