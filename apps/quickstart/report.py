"""Figures, table and summary of the quickstart, each with one sentence on how to read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Claim, Run
from apps.lab.images import Images
from apps.lab.report import write_report
from apps.quickstart.config import Quickstart
from apps.quickstart.looking import maps_of

Looks = dict[str, dict[str, Any]]

# Name in files -> name in figures and tables, in the order of the columns.
NAMES = {"standard": "standard", "tuned": "fine-tuned", "beside": "APR-SP"}


class Row(NamedTuple):
    """One line of the table: what was measured, of how many images, and its value of one network."""

    words: str
    n: int
    value: Callable[[dict[str, Any]], float]


class Group(NamedTuple):
    """Lines of the table that are read together, and how."""

    heading: str
    reading: str
    rows: tuple[Row, ...]


def groups(looks: Looks, config: Quickstart) -> tuple[Group, ...]:
    """What the table holds."""
    any_look = looks["standard"]
    n = any_look["bands"].n
    radii = any_look["bands"].radii

    def band(part: str, place: int) -> Callable[[dict[str, Any]], float]:
        return lambda found: getattr(found["bands"], part)[place]

    def bands(part: str) -> tuple[Row, ...]:
        named = (f"{part}-passed, radius {radius:g}" for radius in radii)
        return tuple(Row(words, n, band(part, place)) for place, words in enumerate(named))

    def ring(name: str) -> Callable[[dict[str, Any]], float]:
        return lambda found: found["heat_map"].ring_means()[name]

    share, severity = f"{100 * config.measure.share:g} %", config.measure.severity
    return (
        Group(
            "accuracy by frequency",
            "Low-passed images keep the rings below the radius, high-passed ones the others: above chance on "
            "high-passed images is seeing what people do not see.",
            (Row("whole images", n, lambda f: f["bands"].clean), *bands("low"), *bands("high")),
        ),
        Group(
            "Fourier heat map: error",
            "A wave of one frequency is laid over the images: where the error is high, the network is misled "
            "by that frequency.",
            tuple(
                Row(f"{words} frequencies", any_look["heat_map"].n, ring(name))
                for words, name in (("low", "low"), ("middle", "mid"), ("high", "high"))
            ),
        ),
        Group(
            "phase of one image, amplitude of another",
            "People see the image that the phase comes from; a network that answers with the other one goes "
            "by amplitudes.",
            (
                Row("follows the phase", any_look["swap"].n_differ, lambda f: f["swap"].follows_phase),
                Row(
                    "follows the amplitude", any_look["swap"].n_differ, lambda f: f["swap"].follows_amplitude
                ),
            ),
        ),
        Group(
            "corruptions: error",
            "Noise, blur, weather and compression as cameras meet them: lower is more robust.",
            (
                Row(
                    f"mean of {len(any_look['corruptions'].corruptions)}, severity {severity}",
                    any_look["corruptions"].n,
                    lambda f: f["corruptions"].mean,
                ),
            ),
        ),
        Group(
            "frequency shortcuts",
            f"Each class keeps {share} of the frequencies: those that the network needs most for it, or as "
            "many of the lowest. Where the first suffice and the lowest do not, that class may be told by a "
            "shortcut; false alarms say how unspecific it is.",
            (
                Row("right with the class's frequencies", n, lambda f: f["shortcuts"].tpr.mean()),
                Row("false alarms with them", n, lambda f: np.nanmean(f["shortcuts"].fpr)),
                Row("right with a disk as large", n, lambda f: f["disks"].tpr.mean()),
                Row("false alarms with it", n, lambda f: np.nanmean(f["disks"].fpr)),
            ),
        ),
        Group(
            "attack: accuracy",
            "Projected gradient descent changes each pixel a little where it hurts most.",
            (
                Row(
                    f"PGD, {config.measure.epsilon:g}/255, {config.measure.attack_steps} steps",
                    any_look["attack"].n,
                    lambda f: f["attack"].accuracy[0],
                ),
            ),
        ),
    )


def draw(
    run: Run,
    config: Quickstart,
    images: Images,
    networks: dict[str, keras.Model],
    looks: Looks,
) -> None:
    """Draws the figures of the run folder."""
    names, classes = NAMES, images.classes
    found = {
        step: {names[name]: looks[name][step] for name in names}
        for step in ("bands", "heat_map", "corruptions")
    }
    run.figure("1_examples", _examples(config, images, networks))
    run.figure("2_bands", kf.plots.band_accuracy(found["bands"], chance=1 / len(classes)))
    title = f"Error under one wave, n = {looks['standard']['heat_map'].n}"
    run.figure("3_heat_maps", kf.plots.heat_map(found["heat_map"], title=title))
    few = images.test[0][: 4 * config.measure.examples], images.test[1][: 4 * config.measure.examples]
    swaps = {
        names[name]: kf.evaluate.amplitude_swap(
            kf.Classifier(networks[name], value_range=(0, 1)), few, seed=config.seed, keep_images=True
        )
        for name in names
    }
    swapped = kf.plots.amplitude_swap(swaps, examples=config.measure.examples, classes=classes)
    run.figure("4_amplitude_swap", swapped)
    run.figure("5_corruptions", kf.plots.corruption_table(found["corruptions"]))
    for name in names:
        maps = maps_of(looks[name], config)
        title = f"Frequencies that the {names[name]} network needs for each class"
        figure = kf.plots.frequency_maps(maps, classes=classes, reports=looks[name]["shortcuts"], title=title)
        run.figure(f"6_shortcuts_{name}", figure)


def _examples(config: Quickstart, images: Images, networks: dict[str, keras.Model]) -> Any:
    """Images and their low and high parts, with what each network sees in them."""
    (pixels, labels), classes = images.test, images.classes
    rows = _one_a_class(labels, config.measure.examples)
    radii = sorted(config.measure.radii)
    radius = radii[len(radii) // 2 - (len(radii) > 1)]
    shown = pixels[rows]
    low, high = (np.asarray(part(shown, radius)) for part in (kf.spectral.low_pass, kf.spectral.high_pass))
    forms = {"whole": shown, f"low-passed,\nradius {radius:g}": low, f"high-passed,\nradius {radius:g}": high}
    captions = {}
    for form, seen in forms.items():
        answers = [
            kf.evaluate.predict_logits(kf.Classifier(networks[name], value_range=(0, 1)), seen).argmax(axis=1)
            for name in NAMES
        ]
        captions[form] = [
            "\n".join(classes[answer] for answer in column) for column in zip(*answers, strict=True)
        ]
    # High parts have mean 0: gray is added to show them, not to what the networks see.
    forms[f"high-passed,\nradius {radius:g}"] = high + 0.5
    title = f"Answers of {', '.join(NAMES.values())}"
    return kf.plots.image_rows(forms, captions=captions, title=title)


def report(run: Run, config: Quickstart, looks: Looks) -> None:
    """The table with how to read it, and ``summary.md`` with the papers' claims beside the run's numbers."""
    found = groups(looks, config)
    table = ("Shares of the images", ["measured", "n", *NAMES.values()], list(_lines(found, looks)))
    for group in found:
        run.say(f"{group.heading}: {group.reading}")
    readings = "\n".join(f"- **{group.heading}.** {group.reading}" for group in found)
    notes = (
        "The standard and the APR-SP network come with the package, trained on all of CIFAR-10 with one "
        "recipe; the middle one is the standard network after "
        f"{config.training.epochs} epochs with APR-SP here. One seed, few images: s.e. counts the images "
        "alone. `python -m apps.lab evidence` has the two networks on all 10 000 test images.\n\n"
        f"How to read the table and the figures:\n\n{readings}"
    )
    write_report(
        run, "Quickstart: two networks by frequency, and a cure", _claims(looks, config), table, notes=notes
    )


def _lines(found: tuple[Group, ...], looks: Looks) -> Iterator[list[str]]:
    for group in found:
        yield [group.heading, *[""] * (len(NAMES) + 1)]
        for row in group.rows:
            yield [f"- {row.words}", str(row.n), *(f"{row.value(looks[name]):.3f}" for name in NAMES)]


def _claims(looks: Looks, config: Quickstart) -> list[Claim]:
    by_heading = {group.heading: group for group in groups(looks, config)}

    def compare(heading: str, row: int) -> tuple[str, int]:
        one = by_heading[heading].rows[row]
        numbers = {name: one.value(looks[name]) for name in NAMES}
        error = math.sqrt(sum(numbers[k] * (1 - numbers[k]) / one.n for k in ("standard", "beside")))
        values = ", ".join(f"{NAMES[name]} {numbers[name]:.3f}" for name in NAMES)
        return f"{values} (s.e. of a difference {error:.3f})", one.n

    heads = list(by_heading)
    bands = looks["standard"]["bands"]
    curve = "; ".join(
        " ".join(f"{letter}{radius:g} {value:.2f}" for radius, value in zip(bands.radii, values, strict=True))
        for letter, values in (("H", bands.high), ("L", bands.low))
    )
    every = tuple(f"{name}/" for name in NAMES)
    return [
        Claim(
            "A network with batch normalization, trained plainly, reads high-passed images far above chance "
            "(HFC, CVPR 2020)",
            "CIFAR-10, ResNet-32: H4 .65 H8 .55 H12 .39 H16 .18; L4 .38 L8 .70 L12 .81 L16 .84 [author]",
            f"standard network: {curve}",
            bands.n,
            ("standard/bands",),
        ),
        Claim(
            "With APR-SP the error under high-frequency waves falls (APR, ICCV 2021, after Yin et al.)",
            "Standard about .7 to .8 off the axes, APR-SP mostly below .4 [author, read off a figure]",
            *compare(heads[1], 2),
            tuple(f"{name}/heat_map" for name in NAMES),
        ),
        Claim(
            "With APR-SP a network follows the phase (APR, ICCV 2021)",
            "pictures",
            *compare(heads[2], 0),
            tuple(f"{name}/swap" for name in NAMES),
        ),
        Claim(
            "APR-SP makes a network more robust to corruptions (APR, ICCV 2021)",
            "ImageNet-C mCE, ResNet-50: standard 80.6, APR-SP 65.0 [author]; other data and size",
            *compare(heads[3], 0),
            tuple(f"{name}/corruptions" for name in NAMES),
        ),
        Claim(
            "No published claim without adversarial training: does APR-SP help against a small attack?",
            "-",
            *compare(heads[5], 0),
            tuple(f"{name}/attack" for name in NAMES),
        ),
        Claim(
            "No published claim: what do a few epochs with APR-SP cost on whole images?",
            "-",
            *compare(heads[0], 0),
            every,
        ),
    ]


def _one_a_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Places of the first image of each class, then of any images, `count` in all at most."""
    _, first = np.unique(labels, return_index=True)
    others = np.setdiff1d(np.arange(len(labels)), first)
    return np.concatenate([first, others])[:count]
