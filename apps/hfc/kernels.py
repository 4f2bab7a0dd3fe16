"""Experiment 4: kernels of the first layer, and what smoothing them does to accuracy and robustness."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.adversaries import ATTACKS, NAMES, train_both
from apps.hfc.config import Kernels
from apps.lab import Run
from apps.lab.images import Images, check_counts, load_images
from apps.lab.report import compare, mean_and_range, values, write_report


def kernels(run: Run, config: Kernels) -> None:
    images = load_images(run, config.data)
    check_counts(images, attack_images=config.attack_images, minimal_images=config.minimal_images)
    classifiers = train_both(run, config, images)
    steps = [(name, seed, rho) for name, seed in classifiers for rho in config.rhos]
    for name, seed, rho in run.sweep(steps, "attacking"):
        stage, record = f"{name}/seed{seed}/rho{rho:g}", {"network": name, "rho": rho, "seed": seed}
        # A copy only where something is left to measure: its compiled functions cost seconds.
        smoothed = functools.cache(
            functools.partial(
                kf.models.smooth_kernels, classifiers[name, seed], rho, normalize=config.normalize
            )
        )
        run.measure(f"{stage}/fixed", _attack, smoothed, images, config, record)
        run.measure(f"{stage}/minimal", _attack_minimally, smoothed, images, config, record)
    for (name, seed), model in classifiers.items():
        run.measure(f"{name}/seed{seed}/roughness", _measure_roughness, model, name, seed)
    _draw(run, config, classifiers)
    _report(run, config)


def _measure_roughness(model: keras.Model, name: str, seed: int) -> dict:
    kernel = first_kernel(model)
    record = {"network": name, "measure": "roughness", "seed": seed}
    return record | {"value": roughness(kernel), "filters": kernel.shape[-1]}


def first_kernel(model: keras.Model) -> np.ndarray:
    """Kernel of the first convolution, (height, width, channels, filters)."""
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    return keras.ops.convert_to_numpy(layer.kernel)


def roughness(kernel: np.ndarray) -> float:
    """Mean squared difference of neighbouring weights over the mean square of the weights.

    0 for constant kernels, 2 for weights drawn independently about zero, more where signs alternate.
    """
    kernel = np.asarray(kernel, "float64")
    steps = [np.square(np.diff(kernel, axis=axis)) for axis in (0, 1) if kernel.shape[axis] > 1]
    mean = sum(step.sum() for step in steps) / sum(step.size for step in steps)
    return float(mean / np.square(kernel).mean())


def _attack(smoothed: Callable[[], keras.Model], images: Images, config: Kernels, record: dict) -> list[dict]:
    """Clean accuracy on all test images, and accuracy under attacks of the fixed sizes."""
    model = smoothed()
    clean = kf.evaluate.accuracy(model, images.test)
    rows = [record | {"measure": "clean", "epsilon": 0.0, "value": clean.accuracy, "n": clean.n}]
    for attack in ATTACKS:
        result = kf.evaluate.adversarial_accuracy(
            model,
            images.test,
            attack=attack,
            epsilons=config.epsilons,
            steps=config.attack_steps,
            n=config.attack_images,
            batch_size=min(config.attack_images, 100),
            seed=record["seed"],
            progress=False,
        )
        rows += [
            record | {"measure": attack, "epsilon": epsilon, "value": value, "n": result.n}
            for epsilon, value in [(0.0, result.clean), *zip(result.epsilons, result.accuracy, strict=True)]
        ]
    return rows


def _attack_minimally(
    smoothed: Callable[[], keras.Model], images: Images, config: Kernels, record: dict
) -> list[dict]:
    """Accuracy by the size of the smallest adversarial that was found."""
    rows = []
    for attack in ATTACKS:
        result = kf.evaluate.minimal_adversarials(
            smoothed(),
            images.test,
            attack=attack,
            epsilons=config.minimal_epsilons,
            steps=config.attack_steps,
            n=config.minimal_images,
            batch_size=min(config.minimal_images, 100),
            seed=record["seed"],
            progress=False,
        )
        rows += [
            record
            | {"measure": f"minimal {attack}", "epsilon": epsilon}
            | {"value": result.accuracy_at(epsilon), "n": result.n}
            for epsilon in (0.0, *sorted(config.minimal_epsilons))
        ]
    return rows


def _draw(run: Run, config: Kernels, classifiers: dict) -> None:
    first = config.seed
    figure = kf.plots.kernels(
        {label: first_kernel(classifiers[name, first]) for name, label in NAMES.items()},
        title="Kernels of the first convolution",
    )
    run.figure("kernels", figure)
    rhos, panels = sorted(config.rhos), {}

    def over_rho(name: str, **wanted) -> np.ndarray:
        return np.stack([values(run, network=name, rho=rho, **wanted) for rho in rhos], axis=1)

    for name, label in NAMES.items():
        panels[label] = {"clean": over_rho(name, measure="clean")} | {
            f"{word} {epsilon:g}": over_rho(name, measure=attack, epsilon=epsilon)
            for attack, word in ATTACKS.items()
            for epsilon in config.epsilons
        }
    figure = kf.plots.curves(
        panels, x=rhos, xlabel=r"$\rho$", title="Smoothing the kernels of the first convolution"
    )
    run.figure("smoothing", figure)
    sizes = [0.0, *sorted(config.minimal_epsilons)]
    panels = {
        f"{word}, {label}": {
            f"ρ = {rho:g}": np.stack(
                [
                    values(run, network=name, rho=rho, measure=f"minimal {attack}", epsilon=size)
                    for size in sizes
                ],
                axis=1,
            )
            for rho in rhos
        }
        for attack, word in ATTACKS.items()
        for name, label in NAMES.items()
    }
    figure = kf.plots.curves(
        panels,
        x=sizes,
        xlabel="size (L-infinity)",
        columns=2,
        title="Share of the images that no adversarial of that size was found for",
    )
    run.figure("minimal", figure)


def _report(run: Run, config: Kernels) -> None:
    columns = [("clean", 0.0), *((attack, epsilon) for attack in ATTACKS for epsilon in config.epsilons)]
    head = ["network", "rho", "clean", *(f"{ATTACKS[a]} {e:g}" for a, e in columns[1:])]

    def cell(name: str, rho: float, measure: str, epsilon: float) -> np.ndarray:
        return values(run, network=name, rho=rho, measure=measure, epsilon=epsilon)

    rows = [
        [name, f"{rho:g}", *(mean_and_range(cell(name, rho, *column), 2) for column in columns)]
        for name in NAMES
        for rho in config.rhos
    ]
    rough = {name: values(run, network=name, measure="roughness") for name in NAMES}
    n = max(r["n"] for r in run.records if r.get("measure") == "clean")
    filters = next(r["filters"] for r in run.records if r.get("measure") == "roughness")
    claims = [
        compare(
            "The kernels of the adversarial network are smoother "
            f"(roughness of {filters} filters, 2 for random weights)",
            *rough.items(),
            published="shown by pictures only",
            higher="adversarial smoother",
            lower="adversarial rougher",
            n=filters,
            stages=tuple(f"{name}/" for name in NAMES),
        )
    ]
    base, strongest, epsilon = min(config.rhos), max(config.rhos), min(config.epsilons)
    for name in NAMES:
        for rho in [strongest] if strongest > base else []:
            for measure, size in (("clean", 0.0), ("fgsm", epsilon), ("linf_pgd", epsilon)):
                before, after = cell(name, base, measure, size), cell(name, rho, measure, size)
                word = "clean" if measure == "clean" else f"{ATTACKS[measure]} {size:g}"
                expected = "costs clean accuracy" if measure == "clean" else "raises robustness"
                claims.append(
                    compare(
                        f"Smoothing {expected} ({NAMES[name]}, rho {rho:g}, {word})",
                        (f"rho {rho:g}", after),
                        (f"rho {base:g}", before),
                        published="no figure that can be compared",
                        n=n if measure == "clean" else config.attack_images,
                        stages=(f"{name}/",),
                    )
                )
    notes = (
        f"Attacks through Foolbox on the first {config.attack_images} test images, fixed sizes, "
        f"{config.attack_steps} steps of PGD, no random start; smallest adversarials on the first "
        f"{config.minimal_images}. Kernels are {'' if config.normalize else 'not '}divided by 1 + 8 rho."
    )
    table = ("Accuracy, over the seeds", head, rows)
    write_report(run, "HFC: kernels and their smoothing", claims, table, notes=notes)
