"""Shows a network of somebody else what the reference networks were shown, and makes a folder to send in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras

import keras_freq as kf
from apps.lab import Run, RunError
from apps.lab.contributed import Contribution, write_contribution
from apps.lab.images import load_images
from apps.lab.report import write_report
from apps.lab.versions import versions
from apps.references.config import Look
from apps.references.training import corrupted_copies, digest_of_weights, look_at


def look(run: Run, config: Look) -> None:
    images = load_images(run, config.data, most_bytes=0)  # bytes
    model = open_network(config.model, config.value_range)
    if model.output_shape != (None, len(images.classes)):
        raise RunError(
            f"`model` must have {len(images.classes)} outputs, the classes of {images.name}. "
            f"Received: outputs of shape {model.output_shape}"
        )
    corrupted = corrupted_copies(run, config.corrupted, images)
    outcomes = look_at(run, model, images, corrupted, "look", attacked=config.attacked)
    found = versions()
    recipe: dict[str, Any] = {
        "name": config.name,
        "network": config.network,
        "trained": config.trained,
        "minutes": config.minutes,
        "data": config.data.name,
        "weights": digest_of_weights(model),
        "versions": {key: str(found[key]) for key in ("keras", "backend", "backend_version", "keras_freq")},
    }
    folder = Path(config.folder)
    write_contribution(folder, Contribution(json.loads(json.dumps(recipe)), outcomes))
    rows = [[name, f"{outcomes.rate(name):.3f}"] for name in outcomes.right if "corrupted" not in name]
    rows.append(["corruption error", f"{outcomes.mean_error('corrupted '):.3f}"])
    write_report(run, config.name, [], (f"n = {len(images.test[1])}", ("measure", "rate"), rows))
    run.say(f"to send in: {folder}; python -m apps.lab check {folder}")


def open_network(source: str, value_range: tuple[float, float]) -> keras.Model:
    """A `.keras` file or a reference network, as a model of pixels in [0, 1]."""
    try:
        model = kf.Classifier(source).model if source.endswith(".keras") else kf.models.reference(source)
    except (FileNotFoundError, ValueError) as error:
        raise RunError(f"{error}") from error
    low, high = value_range
    if (low, high) == (0, 1):
        return model
    shape = model.input_shape[1:]
    scaled = [keras.Input(shape), keras.layers.Rescaling(high - low, offset=low), model]
    return keras.Sequential(scaled, name=model.name)
