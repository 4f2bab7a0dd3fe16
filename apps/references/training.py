"""Trains the reference networks seed by seed, tests them, and keeps weights, outcomes and what is known."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Run, RunError
from apps.lab.files import write_whole
from apps.lab.images import Images, load_images
from apps.lab.networks import NETWORKS, arguments
from apps.lab.outcomes import Outcomes, digest_of_labels, write_outcomes
from apps.lab.recipe import recipe
from apps.lab.references import REFERENCES
from apps.lab.report import values, write_report
from apps.lab.settings import Training
from apps.lab.store import held
from apps.lab.train import trained
from apps.lab.training_sets import training_set
from apps.lab.versions import versions
from apps.references.config import References
from apps.references.looking import conditions, swap_outcomes

# The weights that come with the package.
PACKAGE = Path(str(kf.models.__file__)).parent / "weights"
TERMS = (
    "Apache-2.0, as the package. Trained on CIFAR-10 (Krizhevsky, Learning Multiple Layers of Features from "
    "Tiny Images, 2009)."
)


def train(run: Run, config: References) -> None:
    recipes = {row: REFERENCES[row].recipe(config.training) for row in config.rows}
    for settings in recipes.values():
        if not isinstance(NETWORKS[settings.network].maker, str):  # a record could not say how to make it
            raise RunError(
                "`training.network` must be one of keras_freq.models. "
                f"Received: training.network={settings.network}"
            )
    images = load_images(run, config.data, most_bytes=0)  # bytes
    corrupted = corrupted_copies(run, config.corrupted, images)
    for seed in config.all_seeds:  # all rows of one seed first: a comparison of two needs no more
        for row in config.rows:
            settings = recipes[row]
            classes = len(images.classes)
            shown = _shown(run, row, images, seed)
            model, history = trained(run, row, settings, shown, classes=classes, seed=seed, anew=True)
            known = run.measured(f"{row}/seed{seed}/training")[0]
            content = pack(model)
            restore(model, content)
            label = f"{row}/seed{seed}"
            outcomes = look_at(run, model, images, corrupted, label, attacked=config.attacked)
            known = known | {"history": history}
            one = _describe(config, row, seed, settings, model, outcomes, known, content)
            run.measure(f"{row}/seed{seed}/summary", _summary, one)
            if config.folder is not None:
                _keep(config, row, one, content, outcomes)
    _report(run, config, len(images.test[1]))


def _shown(run: Run, row: str, images: Images, seed: int) -> tuple[np.ndarray, np.ndarray]:
    pixels, labels = images.train
    folder = run.folder / "kernels"
    return training_set(REFERENCES[row].images, pixels, labels, seed=seed, folder=folder), labels


def pack(model: keras.Model) -> bytes:
    """The weights as an .npz: trained ones in half precision, statistics and fixed kernels in single."""
    halves = {id(variable) for variable in model.trainable_variables}
    arrays = {
        f"weight.{index:05d}": keras.ops.convert_to_numpy(variable).astype(
            "float16" if id(variable) in halves else "float32"
        )
        for index, variable in enumerate(model.weights)
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def restore(model: keras.Model, content: bytes) -> None:
    """Gives the model the weights as they were packed: what is measured is what others get."""
    with np.load(io.BytesIO(content)) as stored:
        model.set_weights([stored[name].astype("float32") for name in sorted(stored.files)])


def corrupted_copies(run: Run, name: str, images: Images) -> Path:
    """The folder of the corrupted copies of the test images, written where they are not there yet."""
    pixels, labels = images.test
    folder = Path(name)
    run.say(f"corrupted copies of the {len(labels)} test images: {folder}")
    kf.data.write_corrupted(pixels, labels, folder, seed=0)
    return folder


def look_at(
    run: Run, model: keras.Model, images: Images, corrupted: Path, label: str, *, attacked: int
) -> Outcomes:
    """Every condition is one stage of the run, so that a look that was cut short goes on where it was."""
    pixels, labels = images.test
    weights = digest_of_weights(model)
    (known,) = run.measure(f"{label}/weights", lambda: {"measure": "weights", "value": weights})
    if known["value"] != weights:
        raise RunError(
            f"{run.folder} has looked at other weights: start a new run without --resume. "
            f"Received: {label} with the weights {weights[:16]}, in place of {known['value'][:16]}"
        )
    right: dict[str, np.ndarray] = {}
    predicted: dict[str, np.ndarray] = {}
    asked = conditions(model, pixels, labels, corrupted=corrupted, attacked=attacked)
    for name, predict in asked:
        found = run.arrays(f"{label}/{name}", lambda p=predict: {"classes": p()})["classes"]
        right[name] = found == labels[: len(found)]
        if name == "clean":
            predicted[name] = found
    predicted |= run.arrays(f"{label}/swap", swap_outcomes, model, pixels, labels)
    note = {"labels": digest_of_labels(labels), "attack": "PGD, 20 steps", "corruptions": "seed 0"}
    return Outcomes(right, predicted, note)


def digest_of_weights(model: keras.Model) -> str:
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()


def _describe(
    config: References,
    row: str,
    seed: int,
    settings: Training,
    model: keras.Model,
    outcomes: Outcomes,
    known: dict[str, Any],
    content: bytes,
) -> kf.models.Reference:
    name = f"{config.data.name}/{row}"
    found = versions()
    robust = {
        condition.removeprefix("attacked "): round(outcomes.rate(condition), 6)
        for condition in outcomes.right
        if condition.startswith("attacked ")
    }
    return kf.models.Reference(
        name=name,
        seed=seed,
        network=str(NETWORKS[settings.network].maker),
        options=json.loads(
            json.dumps(arguments(settings, tuple(model.input_shape[1:]), model.output_shape[-1]))
        ),
        recipe=json.loads(json.dumps(_recipe(row, settings))),
        n=len(outcomes.right["clean"]),
        accuracy=round(outcomes.rate("clean"), 6),
        corruption_error=round(outcomes.mean_error("corrupted "), 6),
        robust_accuracy=robust,
        robust_n=min(config.attacked, len(outcomes.right["clean"])),
        minutes=round(known["training_minutes"], 1),
        command=f"python -m apps.references train configs/references/cifar10.yaml rows=[{row}] seed={seed}",
        made_with={key: str(found[key]) for key in ("keras", "backend", "backend_version", "keras_freq")},
        terms=TERMS,
        file=f"{name.replace('/', '-')}-{seed}.npz",
        sha256=hashlib.sha256(content).hexdigest(),
        digest=known["origin"],
        history=known["history"],
    )


def _recipe(row: str, settings: Training) -> dict[str, Any]:
    """The settings, and what was shown in place of the training images."""
    shown = REFERENCES[row].images
    return recipe(settings) | ({} if shown is None else {"images": shown})


def _summary(one: kf.models.Reference) -> list[dict[str, Any]]:
    common = {"network": one.name.split("/")[1], "seed": one.seed}
    rows = [{"measure": "accuracy", "value": one.accuracy, "n": one.n}]
    rows.append({"measure": "corruption error", "value": one.corruption_error, "n": one.n})
    rows += [
        {"measure": f"accuracy, {attack}", "value": value, "n": one.robust_n}
        for attack, value in one.robust_accuracy.items()
    ]
    return [common | row for row in rows]


def _keep(config: References, row: str, one: kf.models.Reference, content: bytes, outcomes: Outcomes) -> None:
    """Writes outcomes, weights if wanted, and the index, in which a network has one place."""
    folder, stem = Path(str(config.folder)), str(one.file).removesuffix(".npz")
    write_outcomes(folder / "outcomes" / f"{stem}.npz", outcomes)
    if not config.weights:
        one = dataclasses.replace(one, file=None, sha256=None)
    elif row in config.packaged and one.seed == 0:
        folder = PACKAGE
    if config.weights:
        write_whole(folder / str(one.file), content)
    # Other processes train other rows, and keep them in the same index.
    with held(Path(config.store) / ".locks" / "references", lambda: None):
        known = kf.models.References.read(folder)
        others = [other for other in known if (other.name, other.seed) != (one.name, one.seed)]
        records = sorted([*others, one], key=lambda other: (other.name, other.seed))
        kf.models.References(networks=tuple(records)).write(folder)


def _report(run: Run, config: References, n: int) -> None:
    measures = ("accuracy", "corruption error", "accuracy, linf 1/255", "accuracy, l2 0.25")
    table = [
        [
            REFERENCES[row].label,
            *(" ".join(f"{x:.3f}" for x in values(run, network=row, measure=name)) for name in measures),
        ]
        for row in config.rows
    ]
    head = ("network", *measures)
    write_report(run, "Reference networks", [], (f"n = {n}, seeds side by side", head, table))
