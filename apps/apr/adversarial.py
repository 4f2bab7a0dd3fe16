"""Adversarial training with recombination, and the worst case of several attacks an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.apr.config import Adversarial, Training
from apps.apr.networks import LABELS as NETWORKS
from apps.apr.networks import classifier, train
from apps.apr.rows import LABELS, crop_and_flip, pair, single
from apps.lab import Claim, Run, RunError
from apps.lab.images import Images, load_images
from apps.lab.report import markdown, mean_and_range, order, print_table, values

PUBLISHED = "APR-SP: clean .8430, after APGD-CE .4890, AutoAttack .4570 (1000 images) [author]"
ATTACKS = {
    "pgd_ce": "after PGD on cross-entropy",
    "pgd_margin": "and PGD on the margin",
    "deepfool": "and DeepFool",
    "square": "and Square",
}


def adversarial(run: Run, config: Adversarial) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    if config.auto_attack and keras.backend.backend() != "torch":
        raise RunError(
            "`auto_attack` needs PyTorch: set KERAS_BACKEND=torch. "
            f"Received: auto_attack=true with KERAS_BACKEND={keras.backend.backend()}"
        )
    images = load_images(run, config.data)
    if config.attack_images > len(images.test[1]):
        raise RunError(
            "`attack_images` must be at most the number of test images, "
            f"{len(images.test[1])}. Received: attack_images={config.attack_images}"
        )
    for row in config.rows:
        for seed in config.all_seeds:
            name = f"{config.network}/{row}/seed{seed}"
            training = _training(config, row)
            model = classifier(
                config.network, images.shape, len(images.classes), training=training, seed=seed, name=row
            )
            train(
                run,
                name,
                _wrapped(config, row, model, seed=seed),
                images.train,
                training=training,
                seed=seed,
                config=config,
                record={"row": row},
            )
            run.measure(
                f"{name}/attacks",
                lambda model=model, row=row, seed=seed: _attacked(config, model, images, row=row, seed=seed),
            )
            if config.auto_attack:
                run.measure(
                    f"{name}/auto_attack",
                    lambda model=model, row=row, seed=seed: _auto_attacked(
                        config, model, images, row=row, seed=seed
                    ),
                )
    _draw(run, config)
    _report(run, config)


def _training(config: Adversarial, row: str) -> Training:
    return dataclasses.replace(
        config.training,
        epochs=config.epochs.get(row, config.training.epochs),
        learning_rate=config.rates.get(row, config.training.learning_rate),
    )


def _wrapped(config: Adversarial, row: str, model: keras.Model, *, seed: int) -> keras.Model:
    """One step from a random start, on the batch and, with APR-P, on its mixed copy."""
    chance = config.singles.get(row, config.augmentations.single)
    settings = dataclasses.replace(config.augmentations, single=chance)
    augment = crop_and_flip(settings, seed=seed)
    if row in ("apr_s", "apr_sp"):
        augment = keras.Sequential([single(settings, seed=seed), augment])
    mix = pair(settings, seed=seed) if row in ("apr_p", "apr_sp") else None
    return kf.training.AdversarialModel(
        model,
        epsilon=config.train_epsilon,
        steps=1,
        step_size=config.step_size,
        random_start=True,
        augment=augment,
        pair=mix,
        seed=seed,
        name=f"{model.name}_training",
    )


def _attacked(config: Adversarial, model: keras.Model, images: Images, **record) -> list[dict]:
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


def _auto_attacked(config: Adversarial, model: keras.Model, images: Images, **record) -> dict:
    result = kf.evaluate.auto_attack_accuracy(
        model, images.test, epsilon=config.epsilon, n=config.attack_images, seed=record["seed"]
    )
    return {**record, "measure": "after AutoAttack", "value": result.accuracy, "n": result.n}


def _measures(config: Adversarial) -> dict[str, str]:
    """Measure to heading, in the order of the attacks."""
    found = {"clean accuracy": "clean"} | {f"after {attack}": ATTACKS[attack] for attack in config.attacks}
    return found | ({"after AutoAttack": "AutoAttack"} if config.auto_attack else {})


def _draw(run: Run, config: Adversarial) -> None:
    measures = _measures(config)
    lines = {
        LABELS[row]: np.stack([values(run, row=row, measure=measure) for measure in measures], axis=1)
        for row in config.rows
    }
    figure = kf.plots.curves(
        {"": lines},
        x=range(len(measures)),
        xlabel="attacks that an image withstands (0: clean)",
        ylabel="accuracy",
        limits=None,
        title=f"Adversarial training, ball of {255 * config.epsilon:.3g}/255",
    )
    run.figure("adversarial", figure)


def _report(run: Run, config: Adversarial) -> None:
    measures = _measures(config)
    head = ["row", "training accuracy", *measures.values()]
    rows = [
        [
            LABELS[row],
            *(mean_and_range(values(run, row=row, measure=m)) for m in ("training accuracy", *measures)),
        ]
        for row in config.rows
    ]
    print_table(
        f"Accuracy, the worst case of all attacks so far, on {config.attack_images} images", head, rows
    )
    claims = []

    def found(row: str, measure: str) -> np.ndarray:
        return values(run, row=row, measure=measure)

    worst = list(measures)[-1]
    for row in config.rows:
        if row == "standard" or "standard" not in config.rows:
            continue
        for measure in ("clean accuracy", worst):
            n = next(r["n"] for r in run.records if r["measure"] == measure)
            claims.append(_claim(config, row, measure, found, n))
    notes = (
        f"Network: {NETWORKS[config.network]}, trained in {config.training.precision}. Every column counts "
        "the images that withstood the attacks of the columns before it too. The row Standard is adversarial "
        "training without recombination.\n\n"
    )
    title = "APR: adversarial training"
    run.say(str(run.summary(title, claims, notes=notes + markdown(head, rows))))


def _claim(config: Adversarial, row: str, measure: str, found: Callable, n: int) -> Claim:
    ours, theirs = found(row, measure), found("standard", measure)
    verdict = order(ours, theirs, higher="higher", lower="lower")
    what = "clean accuracy" if measure == "clean accuracy" else "accuracy under the worst of all attacks"
    return Claim(
        f"{LABELS[row]} raises the {what} (adversarial training)",
        PUBLISHED if row == "apr_sp" else "-",
        f"{LABELS[row]} {mean_and_range(ours)}, without {mean_and_range(theirs)}: {verdict}",
        n,
        (f"{config.network}/{row}/", f"{config.network}/standard/"),
        config.all_seeds,
    )
