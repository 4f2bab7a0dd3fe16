"""Figures, table and summary of the quickstart, from the records of a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import keras_freq as kf
from apps.lab import Claim, Run
from apps.lab.images import Images
from apps.lab.report import write_report
from apps.quickstart.config import Quickstart
from apps.quickstart.measure import add_noise

# Name in files -> name in figures and tables.
NAMES = {"plain": "plain", "apr_sp": "APR-SP"}
# measure -> how it is written with its setting
MEASURES = {
    "clean": "clean images",
    "Gaussian noise": "Gaussian noise, sigma {:g}",
    "low-passed": "low-passed, radius {:g}",
    "high-passed": "high-passed, radius {:g}",
    "LinfPGD": "LinfPGD (Foolbox), {:g}/255",
}


def draw(
    run: Run,
    config: Quickstart,
    images: Images,
    histories: dict[str, dict],
    bands: dict[str, kf.evaluate.BandAccuracyResult],
    attacks: dict[str, dict[str, np.ndarray]],
) -> None:
    """Draws the figures of the run folder."""
    (pixels, labels), classes = images.test, images.classes
    rows = _one_a_class(labels, config.measure.examples)
    radius = sorted(config.measure.radii)[len(config.measure.radii) // 2 - (len(config.measure.radii) > 1)]
    titles = [classes[labels[row]] for row in rows]
    run.figure("examples", kf.plots.filtered_examples(pixels[rows], radius=radius, titles=titles))
    sigma = max(config.measure.sigmas)
    noisy = add_noise(pixels, sigma, seed=config.seed)
    figure = kf.plots.spectrum(
        {"test images": pixels, f"with Gaussian noise, σ = {sigma:g}": noisy}, radii=config.measure.radii
    )
    run.figure("spectra", figure)
    title = f"{config.training.epochs} epochs of training (the loss of APR-SP adds up two halves)"
    curves = kf.plots.training_curves(histories, metrics=("accuracy", "loss"), title=title)
    run.figure("training", curves)
    named = {NAMES[name]: result for name, result in bands.items()}
    run.figure("band_accuracy", kf.plots.band_accuracy(named, chance=1 / len(classes)))
    for name, found in attacks.items():
        if len(found["labels"]):
            figure = kf.plots.adversarial_examples(
                kf.evaluate.AdversarialImages(
                    originals=found["originals"],
                    adversarials=found["adversarials"],
                    labels=found["labels"],
                    clean_predictions=found["labels"],  # what is kept was seen rightly before
                    predictions=found["predictions"],
                    epsilon=float(found["epsilons"][-1]) / 255,
                ),
                classes=classes,
                examples=len(found["labels"]),
                title=f"LinfPGD against the {NAMES[name]} network, ε = {found['epsilons'][-1]:g}/255",
            )
            run.figure(f"adversarials_{name}", figure)
    maps = {
        f"{NAMES[name]} ({int(found['fooled'])} images)": found["spectrum"] for name, found in attacks.items()
    }
    run.figure(
        "perturbation_spectra",
        kf.plots.spectrum(maps, radii=config.measure.radii, title="Mean spectrum of what LinfPGD adds"),
    )


def report(run: Run) -> None:
    """The table of both networks, and ``summary.md`` with the papers' claims beside the run's numbers."""
    sigma = max(s for m, s in _settings(run) if m == "Gaussian noise")
    epsilon = min(s for m, s in _settings(run) if m == "LinfPGD" and s > 0)
    high, low = (
        " ".join(
            f"{letter}{setting:g} {_record(run, 'plain', measure, setting)['value']:.2f}"
            for measure, setting in _settings(run)
            if measure == band
        )
        for letter, band in (("H", "high-passed"), ("L", "low-passed"))
    )
    low_radius = min(s for m, s in _settings(run) if m == "low-passed")
    n = _record(run, "plain", "clean", 0)["n"]
    both = ("plain/", "apr_sp/")
    claims = [
        Claim(
            "APR-SP makes a network more robust to corruptions (APR, ICCV 2021); here: Gaussian noise",
            "ImageNet-C mCE, ResNet-50: standard 80.6, APR-SP 65.0 [author]; other data and size",
            _compare(run, "Gaussian noise", sigma, f"accuracy at sigma {sigma:g}"),
            n,
            both,
        ),
        Claim(
            "Accuracy on clean images with APR-SP (APR, ICCV 2021)",
            "CIFAR-10, all of it: 96.1 % with APR-SP [2nd]",
            _compare(run, "clean", 0, "clean accuracy"),
            n,
            ("plain/training", "apr_sp/training"),
        ),
        Claim(
            "A network with batch normalisation, trained plainly, reads high-passed images far above chance "
            "(HFC, CVPR 2020)",
            "CIFAR-10, ResNet-32: H4 .65 H8 .55 H12 .39 H16 .18; L4 .38 L8 .70 L12 .81 L16 .84 [author]",
            f"plain network: {high}; {low}",
            n,
            ("plain/bands",),
        ),
        Claim(
            "No published claim: does APR-SP keep more accuracy on low-passed images?",
            "-",
            _compare(run, "low-passed", low_radius, f"accuracy at radius {low_radius:g}"),
            n,
            ("plain/bands", "apr_sp/bands"),
        ),
        Claim(
            "No published claim without adversarial training: does APR-SP help against a small attack?",
            "-",
            _compare(run, "LinfPGD", epsilon, f"LinfPGD accuracy at {epsilon:g}/255"),
            _record(run, "plain", "LinfPGD", epsilon)["n"],
            ("plain/linf_pgd", "apr_sp/linf_pgd"),
        ),
    ]
    rows = []
    for measure, setting in _settings(run):
        plain, apr = (_record(run, name, measure, setting) for name in NAMES)
        numbers = [f"{record['value']:.3f}" for record in (plain, apr)]
        difference = f"{apr['value'] - plain['value']:+.3f}"
        rows.append([_words(measure, setting), str(plain["n"]), *numbers, difference])
    notes = (
        "One seed: the standard errors (s.e.) count the sampling of test images alone, not of trainings. "
        "Filtered images are neither clipped nor rescaled. LinfPGD runs through Foolbox "
        "with absolute steps of 2.5 epsilon / steps and no random start."
    )
    table = ("Accuracy (one seed)", ["measured on", "n", *NAMES.values(), "difference"], rows)
    write_report(run, "Quickstart: plain training and APR-SP", claims, table, notes=notes)


def _compare(run: Run, measure: str, setting: float, what: str) -> str:
    """Both numbers, their difference in standard errors, and what that says."""
    plain, apr = (_record(run, name, measure, setting) for name in NAMES)
    n = plain["n"]
    error = math.sqrt(sum(r["value"] * (1 - r["value"]) / n for r in (plain, apr)))
    difference = apr["value"] - plain["value"]
    if abs(difference) <= 2 * error:
        verdict = "no clear difference"
    else:
        verdict = "APR-SP is better" if difference > 0 else "APR-SP is worse"
    values = f"plain {plain['value']:.3f}, APR-SP {apr['value']:.3f}"
    return f"{what}: {values}; {verdict} ({difference:+.3f}, s.e. {error:.3f})"


def _words(measure: str, setting: float) -> str:
    if measure == "LinfPGD" and setting == 0:
        return "first images, before the attack"
    return MEASURES[measure].format(setting)


def _settings(run: Run) -> list[tuple[str, float]]:
    """What was measured on the plain network, in the order of `MEASURES`."""
    found = [
        (r["measure"], r["setting"])
        for r in run.records
        if r.get("model") == "plain" and r["measure"] in MEASURES
    ]
    return sorted(found, key=lambda pair: (list(MEASURES).index(pair[0]), pair[1]))


def _record(run: Run, name: str, measure: str, setting: float) -> dict[str, Any]:
    wanted = {"model": name, "measure": measure, "setting": setting}
    return next(r for r in run.records if wanted.items() <= r.items())


def _one_a_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Places of the first image of each class, then of any images, `count` in all at most."""
    _, first = np.unique(labels, return_index=True)
    others = np.setdiff1d(np.arange(len(labels)), first)
    return np.concatenate([first, others])[:count]
