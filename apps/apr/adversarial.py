"""Adversarial training with recombination, and the worst case of several attacks an image."""

from __future__ import annotations

import dataclasses

import keras

import keras_freq as kf
from apps.apr.config import Adversarial
from apps.apr.networks import train_row
from apps.lab import Claim, Run, RunError
from apps.lab.augmentations import ROWS
from apps.lab.images import Images, check_counts, load_images
from apps.lab.networks import NETWORKS
from apps.lab.report import cells, compare, lines, values, write_report
from apps.lab.settings import Training

PUBLISHED = "APR-SP: clean .8430, after APGD-CE .4890, AutoAttack .4570 (1000 images) [author]"
ATTACKS = {
    "pgd_ce": "after PGD on cross-entropy",
    "pgd_margin": "and PGD on the margin",
    "deepfool": "and DeepFool",
    "square": "and Square",
}


def adversarial(run: Run, config: Adversarial) -> None:
    if config.auto_attack and keras.backend.backend() != "torch":
        raise RunError(
            "`auto_attack` needs PyTorch: set KERAS_BACKEND=torch. "
            f"Received: auto_attack=true with KERAS_BACKEND={keras.backend.backend()}"
        )
    images = load_images(run, config.data)
    check_counts(images, attack_images=config.attack_images)
    for row in config.rows:
        for seed in config.all_seeds:
            name, record = f"{config.network}/{row}/seed{seed}", {"row": row, "seed": seed}
            model = train_row(run, _recipe(config, row), row, images, seed=seed)
            run.measure(f"{name}/attacks", _attack, config, model, images, record)
            if config.auto_attack:
                run.measure(f"{name}/auto_attack", _auto_attack, config, model, images, record)
    _draw(run, config)
    _report(run, config)


def _recipe(config: Adversarial, row: str) -> Training:
    """The recipe with what the row has of its own."""
    training = config.training
    applied = config.singles.get(row, training.augmentations.applied)
    return dataclasses.replace(
        training,
        epochs=config.epochs.get(row, training.epochs),
        learning_rate=config.rates.get(row, training.learning_rate),
        augmentations=dataclasses.replace(training.augmentations, applied=applied),
    )


def _attack(config: Adversarial, model: keras.Model, images: Images, record: dict) -> list[dict]:
    clean = kf.evaluate.accuracy(model, images.test)
    result = kf.evaluate.worst_case_accuracy(
        model,
        images.test,
        epsilon=config.epsilon,
        attacks=config.attacks,
        steps=config.attack_steps,
        restarts=config.restarts,
        queries=config.queries,
        n=config.attack_images,
        seed=record["seed"],
    )
    rows = [{"measure": "clean accuracy", "value": clean.accuracy, "n": clean.n}]
    for attack, accuracy in zip(config.attacks, result.after, strict=True):
        rows.append({"measure": f"after {attack}", "value": accuracy, "n": result.n})
    return [{**record, **row} for row in rows]


def _auto_attack(config: Adversarial, model: keras.Model, images: Images, record: dict) -> dict:
    result = kf.evaluate.auto_attack_accuracy(
        model, images.test, epsilon=config.epsilon, n=config.attack_images, seed=record["seed"]
    )
    return {**record, "measure": "after AutoAttack", "value": result.accuracy, "n": result.n}


def _measures(config: Adversarial) -> dict[str, str]:
    """Measure to heading, in the order of the attacks."""
    found = {"clean accuracy": "clean"} | {f"after {attack}": ATTACKS[attack] for attack in config.attacks}
    return found | ({"after AutoAttack": "AutoAttack"} if config.auto_attack else {})


def _clean_n(run: Run) -> int:
    return next(r["n"] for r in run.records if r["measure"] == "clean accuracy")


def _draw(run: Run, config: Adversarial) -> None:
    measures = _measures(config)
    drawn = {ROWS[row].label: lines(run, measures, row=row) for row in config.rows}
    sizes = f"n = {_clean_n(run)} clean, {config.attack_images} attacked"
    figure = kf.plots.curves(
        {"": drawn},
        x=range(len(measures)),
        xlabel="attacks that an image withstands (0: clean)",
        ylabel="accuracy",
        limits=None,
        title=f"Adversarial training, ball of {255 * config.epsilon:.3g}/255\n{sizes}",
    )
    run.figure("adversarial", figure)


def _report(run: Run, config: Adversarial) -> None:
    measures = _measures(config)
    head = ["row", "training accuracy", *measures.values()]
    rows = [[ROWS[row].label, *cells(run, ("training accuracy", *measures), row=row)] for row in config.rows]
    claims, worst = [], list(measures)[-1]
    for row in config.rows:
        if row == "standard" or "standard" not in config.rows:
            continue
        for measure in ("clean accuracy", worst):
            claims.append(_compare_rows(run, config, row, measure))
    notes = (
        f"Network: {NETWORKS[config.network].label}, trained in {config.training.precision}. Every column "
        "counts the images that withstood the attacks of the columns before it too. The row Standard is "
        f"adversarial training without recombination. Clean: n = {_clean_n(run)}; attacked: the first "
        f"{config.attack_images} of them."
    )
    title = "Accuracy, the worst case of all attacks so far"
    write_report(run, "APR: adversarial training", claims, (title, head, rows), notes=notes)


def _compare_rows(run: Run, config: Adversarial, row: str, measure: str) -> Claim:
    what = "clean accuracy" if measure == "clean accuracy" else "accuracy under the worst of all attacks"
    label = ROWS[row].label
    return compare(
        f"{label} raises the {what} (adversarial training)",
        (label, values(run, row=row, measure=measure)),
        ("without", values(run, row="standard", measure=measure)),
        published=PUBLISHED if row == "apr_sp" else "-",
        n=next(r["n"] for r in run.records if r["measure"] == measure),
        stages=(f"{config.network}/{row}/", f"{config.network}/standard/"),
    )
