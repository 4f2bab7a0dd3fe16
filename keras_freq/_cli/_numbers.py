"""The numbers of a result by name, flat, for conditions and baselines, and which way each is worse."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Beginnings of names. An accuracy is better when higher; so are those on one half of the frequencies.
_HIGHER = ("clean", "accuracy", "low_", "high_", "robust_", "auroc")
_LOWER = ("error", "shortcuts", "tpr_", "fpr_", "broken")


def better(name: str) -> str | None:
    """`"higher"` or `"lower"`; `None` where neither is better, and any change counts."""
    if name.startswith(_LOWER) or name.endswith("_error"):
        return "lower"
    return "higher" if name.startswith(_HIGHER) or name.endswith("_accuracy") else None


def flat_numbers(result: Any) -> dict[str, float]:
    """The numbers of a result of an evaluation, by name; those that are not defined are left out."""
    kind = type(result).__name__
    if kind == "BandAccuracyResult":
        pairs = [("low", result.low), ("high", result.high)]
        numbers = {
            f"{band}_{radius:g}": value
            for band, values in pairs
            for radius, value in zip(result.radii, values, strict=True)
        }
        numbers = {"clean": result.clean, **numbers}
    elif kind == "FourierHeatMapResult":
        rings = {f"error_{ring}": value for ring, value in result.ring_means().items()}
        numbers = {"clean": 1 - result.clean_error, **rings}
    elif kind == "ShortcutReport":
        numbers = {"clean": result.clean_accuracy, "shortcuts": float(len(result.shortcuts()))}
        numbers |= {f"tpr_{label}": float(rate) for label, rate in enumerate(result.tpr)}
        numbers |= {f"fpr_{label}": float(rate) for label, rate in enumerate(result.fpr)}
    elif kind == "AdversarialResult":
        levels = [name_epsilon(epsilon, result.norm) for epsilon in result.epsilons]
        numbers = {"clean": result.clean}
        numbers |= {f"robust_{x}": value for x, value in zip(levels, result.accuracy, strict=True)}
    elif kind == "SpectralDensityResult":
        numbers = {f"density_{ring}": value for ring, value in result.ring_means().items()}
    elif kind == "Report":
        numbers = result.numbers()
    elif kind == "AccuracyResult":
        numbers = {"clean": result.accuracy}
    else:
        raise TypeError(f"A result must be one of an evaluation. Received: {kind}")
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


def name_epsilon(epsilon: float, norm: str) -> str:
    """The size of an attack in a name: levels of 255 for L-infinity, `8`, else as it is, `0.5`."""
    return f"{round(epsilon * 255, 4):g}" if norm == "linf" else f"{epsilon:g}"


def read_numbers(path: Path) -> dict[str, float]:
    """The numbers of a baseline: what `--json` or `--out` wrote, or a JSON of names and numbers.

    Raises:
        ValueError: If the file holds none.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no such file. Received: --baseline {path}") from None
    except (OSError, ValueError) as error:
        raise ValueError(
            "`baseline` must be a whole JSON file, as --json or --out wrote it. "
            f"Received: --baseline {path} ({error})"
        ) from error
    if isinstance(document, Mapping) and "result" in document:
        from keras_freq._report import Report
        from keras_freq.evaluate import Result

        kind = Report if document["result"] == "Report" else Result
        try:
            return flat_numbers(kind.from_json(text))
        except (ValueError, TypeError) as error:
            raise ValueError(
                "`baseline` must be a whole result of this version: measure it anew. "
                f"Received: --baseline {path} ({error})"
            ) from error
    if isinstance(document, Mapping) and isinstance(document.get("numbers"), Mapping):
        document = document["numbers"]
    numbers = {
        str(name): float(value)
        for name, value in (document.items() if isinstance(document, Mapping) else ())
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
    if not numbers:
        raise ValueError(
            "`baseline` must be what --json or --out wrote, or a JSON of names and numbers. "
            f"Received: --baseline {path}"
        )
    return numbers
