"""What of a recipe a trained network follows from. Nothing here imports Keras."""

from __future__ import annotations

import dataclasses
from typing import Any

from apps.lab.augmentations import ROWS
from apps.lab.settings import Augmentations, Crop, Training

# A setting at this value does nothing and is left out: a new one leaves the recipes of before as they were.
_IDLE = {
    "width": None,
    "normalization": "published",
    "dropout": None,
    "statistics": "cifar10",
    "precision": "float32",
    "weight_decay": 0.0,
    "label_smoothing": 0.0,
    "validation": 0.0,
    "lookahead": 0,
    "begin": 0.0,
    "end": 0.0,
    "threshold": 0.0,
    "halves": "sum",
    "augmentation": "standard",
}
_IDLE_STRENGTHS = {"applied": 1.0, "overflow": "clip"}
_OF_SCHEDULE = {
    "constant": (),
    "steps": ("milestones", "factor"),
    "cosine": ("warmup",),
    "cyclic": ("peak", "begin", "end"),
    "plateau": ("factor", "patience", "threshold"),
}


def recipe(training: Training) -> dict[str, Any]:
    """The settings that matter, as plain values: those of other schedules, rows and attacks are left out."""
    names = ["network", "width", "normalization", "dropout", "statistics", "precision"]
    names += ["iterations" if training.iterations else "epochs", "batch_size", "optimizer", "learning_rate"]
    if training.optimizer == "sgd":
        names += ["momentum", "nesterov", "lookahead"]
    names += ["weight_decay"] + (["decoupled"] if training.weight_decay else [])
    names += ["label_smoothing", "schedule", *_OF_SCHEDULE[training.schedule]]
    names += ["validation", "augmentation", "halves"]
    found = {name: getattr(training, name) for name in names}
    found = {name: value for name, value in found.items() if name not in _IDLE or value != _IDLE[name]}
    strengths = ROWS[training.augmentation].strengths
    own = {name: getattr(training.augmentations, name) for name in strengths}
    own = {k: v for k, v in own.items() if k not in _IDLE_STRENGTHS or v != _IDLE_STRENGTHS[k]}
    groups = {
        "augmentations": own,
        "crop": {name: getattr(training.crop, name) for name in _of_crop(training.crop)},
        "adversary": dataclasses.asdict(training.adversary) if training.adversary.steps else {},
    }
    return found | {name: values for name, values in groups.items() if values}


def _of_crop(crop: Crop) -> tuple[str, ...]:
    names: tuple[str, ...] = ()
    if crop.padding is not None:
        names += ("padding", "mode") + (("fill",) if crop.mode == "constant" else ())
        names += ("flip",) if crop.flip != "random" else ()
    if crop.area is not None:
        names += ("area", "aspect")
    if crop.size is not None:
        names += ("size", "center")
    return names


def shorten(found: dict[str, Any]) -> str:
    """A recipe in a few words: ``small_resnet 16, apr_sp, sgd 0.05 cosine, 10 x 50``."""
    network = " ".join(str(found[name]) for name in ("network", "width") if name in found)
    parts = [network, *(str(found[name]) for name in ("normalization", "augmentation") if name in found)]
    for name, value in found.get("augmentations", {}).items():
        if value != getattr(Augmentations(), name):
            # Masks are written as their shape and all their bits.
            parts.append(f"{name} {str(value).partition(':')[0]}")
    if "dropout" in found:
        parts.append(f"dropout {found['dropout']:g}")
    if "adversary" in found:
        parts.append(f"adversary {found['adversary']['epsilon']:.3g} x {found['adversary']['steps']}")
    parts.append(f"{found['optimizer']} {found['learning_rate']:g} {found['schedule']}")
    length = f"{found['iterations']} steps" if "iterations" in found else f"{found['epochs']} epochs"
    return ", ".join([*parts, f"{length} of {found['batch_size']}"])
