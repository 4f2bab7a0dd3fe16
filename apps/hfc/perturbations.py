"""Experiment 6: where in the spectrum FGSM and PGD put their energy."""

from __future__ import annotations

import itertools

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.adversaries import ATTACKS, NAMES, train_both
from apps.hfc.config import Perturbations
from apps.lab import Run
from apps.lab.images import Images, check_counts, load_images
from apps.lab.report import cells, compare, values, write_report


def perturbations(run: Run, config: Perturbations) -> None:
    images = load_images(run, config.data, radii=config.radii)
    check_counts(images, attack_images=config.attack_images)
    classifiers = train_both(run, config, images)
    found = {}
    steps = [(name, seed, attack) for name, seed in classifiers for attack in ATTACKS]
    for name, seed, attack in run.sweep(steps, "attacking"):
        stage = f"{name}/seed{seed}/{attack}"
        model = classifiers[name, seed]
        arrays = found[name, seed, attack] = run.arrays(stage, _attack, model, images, config, attack, seed)
        run.measure(stage, _share_energy, arrays, config, name, seed, attack)
    _draw(run, config, found)
    _report(run, config, ring_shares(np.ones(images.shape[:2]), config.radii))


def _attack(
    model: keras.Model, images: Images, config: Perturbations, attack: str, seed: int
) -> dict[str, np.ndarray]:
    """Mean energy of the perturbations of the images that were right before, DC in the middle."""
    result = kf.evaluate.adversarial_accuracy(
        model,
        images.test,
        attack=attack,
        epsilons=(config.epsilon,),
        steps=config.attack_steps,
        n=config.attack_images,
        batch_size=min(config.attack_images, 100),
        seed=seed,
        keep_images=True,
        progress=False,
    )
    kept = result.images
    assert kept is not None  # they were asked for
    # Images that the network gets wrong by itself are not attacked.
    attacked = kept.clean_predictions == kept.labels
    change = (kept.adversarials - kept.originals)[attacked]
    energy = np.zeros(images.shape[:2])
    if len(change):
        energy = np.square(kf.spectral.amplitude(change).astype("float64")).mean(axis=(0, 3))
    return {
        "energy": energy,
        "attacked": np.asarray(int(attacked.sum())),
        "clean": np.asarray(result.clean),
        "robust": np.asarray(result.accuracy[-1]),
    }


def rings(radii: tuple[float, ...]) -> list[tuple[float, float]]:
    """The rings between ascending radii, from DC to the corners."""
    edges = [0.0, *(radius for radius in sorted(radii) if radius > 0), float("inf")]
    return list(itertools.pairwise(edges))


def ring_shares(energy: np.ndarray, radii: tuple[float, ...]) -> np.ndarray:
    """Share of the energy with `low <= d < high` for every ring; the shares add up to one.

    Args:
        energy: Energy of every bin, (height, width), DC in the middle.
        radii: Radii in index units that bound the rings.

    Returns:
        One share a ring of `rings(radii)`; NaN where there is no energy.
    """
    distance = kf.spectral.radial_distance(*energy.shape)
    total = energy.sum()
    parts = [energy[(low <= distance) & (distance < high)].sum() for low, high in rings(radii)]
    return np.asarray(parts) / total if total > 0 else np.full(len(parts), np.nan)


def _share_energy(
    arrays: dict[str, np.ndarray], config: Perturbations, name: str, seed: int, attack: str
) -> list[dict]:
    start = {"network": name, "attack": attack, "seed": seed, "n": int(arrays["attacked"])}
    shares = ring_shares(arrays["energy"], config.radii)
    rows = [
        start | {"measure": ring_name(low, high), "value": float(share)}
        for (low, high), share in zip(rings(config.radii), shares, strict=True)
        if np.isfinite(share)
    ]
    return [
        *rows,
        start | {"measure": "clean", "value": float(arrays["clean"]), "n": config.attack_images},
        start | {"measure": "robust", "value": float(arrays["robust"]), "n": config.attack_images},
    ]


def ring_name(low: float, high: float) -> str:
    return f"d >= {low:g}" if high == float("inf") else f"{low:g} <= d < {high:g}"


def _draw(run: Run, config: Perturbations, found: dict) -> None:
    maps = {
        f"{ATTACKS[attack]}, {NAMES[name]}": np.sqrt(
            np.mean([found[name, seed, attack]["energy"] for seed in config.all_seeds], axis=0)
        )
        for attack in ATTACKS
        for name in NAMES
    }
    epsilon = f"ε = {config.epsilon:g}"
    figure = kf.plots.spectrum(
        maps, radii=config.radii, title=f"Root mean square spectrum of perturbations, {epsilon}"
    )
    run.figure("spectra", figure)
    size = next(iter(maps.values())).shape
    radii = tuple(range(1, int(kf.spectral.radial_distance(*size).max()) + 2))
    count = len(config.all_seeds)
    panels = {
        word: {
            label: np.stack(
                [shares_inside(found[name, seed, attack]["energy"], radii) for seed in config.all_seeds]
            )
            for name, label in NAMES.items()
        }
        | {"white noise": np.tile(shares_inside(np.ones(size), radii), (count, 1))}
        for attack, word in ATTACKS.items()
    }
    # A network that is wrong about all images is not attacked: it has no energy to show.
    panels = {
        word: {label: line for label, line in lines.items() if np.isfinite(line).all()}
        for word, lines in panels.items()
    }
    figure = kf.plots.curves(
        panels,
        x=radii,
        xlabel="radius r (index units)",
        ylabel="share of the energy at d < r",
        title=f"Energy of the perturbations by frequency, {epsilon}",
    )
    run.figure("profiles", figure)


def shares_inside(energy: np.ndarray, radii: tuple[float, ...]) -> np.ndarray:
    """Share of the energy with `d < r` for every radius; NaN where there is no energy."""
    return np.cumsum(ring_shares(energy, radii))[: len(radii)]


def _report(run: Run, config: Perturbations, white: np.ndarray) -> None:
    names = [ring_name(*ring) for ring in rings(config.radii)]
    head = ["attack", "network", "clean", "under attack", *names]
    rows = []
    for attack, word in ATTACKS.items():
        for name in NAMES:
            measures = ("clean", "robust", *names)
            rows.append([word, name, *cells(run, measures, network=name, attack=attack)])
    rows.append(["white noise", "", "", "", *(f"{share:.3f}" for share in white)])
    claims = []
    for attack, word in ATTACKS.items():
        for place, measure in ((0, names[0]), (-1, names[-1])):
            natural, robust = (values(run, network=name, attack=attack, measure=measure) for name in NAMES)
            if not len(natural) or len(natural) != len(robust):
                continue
            more = "lower" if place == 0 else "higher"
            claims.append(
                compare(
                    f"{word} puts its energy into {more} frequencies against the "
                    f"{'adversarial' if place == 0 else 'natural'} network (share at {measure}, white noise "
                    f"{white[place]:.3f})",
                    ("adversarial", robust),
                    ("natural", natural),
                    published="no figure given",
                    higher="higher against the adversarial network",
                    lower="lower against the adversarial network",
                    n=config.attack_images,
                    stages=tuple(f"{name}/" for name in NAMES),
                )
            )
    notes = (
        f"Attacks through Foolbox, epsilon {config.epsilon:g}, {config.attack_steps} steps of PGD, no random "
        f"start, on those of the first {config.attack_images} test images that the network gets right."
    )
    table = ("Share of the energy by distance from DC, over the seeds", head, rows)
    write_report(run, "HFC: spectrum of perturbations", claims, table, notes=notes)
