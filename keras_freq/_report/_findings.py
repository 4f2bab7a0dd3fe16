"""What the numbers say in plain words, each sentence by a rule that stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_freq._core.result import Record
from keras_freq._report._statistics import (
    Interval,
    difference_interval,
    paired_interval,
    share_interval,
)

# The smallest difference of shares that a finding speaks of.
MATTERS = 0.1


@dataclass(frozen=True, kw_only=True)
class Finding(Record):
    """One answer about a model.

    Attributes:
        key: `"high_frequencies"`, `"blur"`, `"amplitude"`, `"shortcuts"` or `"changes"`.
        verdict: `"yes"`, `"no"`, `"unclear"`: the images were not enough to tell, or `"missing"`: it was not
            measured.
        title: The answer in a few words.
        text: The answer with its numbers.
        number: The number that decided, or `None`.
        interval: Its 95 % interval, or `None`.
        rule: How the verdict follows from the interval.

    Example:
        >>> report = kf.report(model, data, only=("bands",))
        >>> [finding.key for finding in report.findings()][:2]
        ['high_frequencies', 'blur']
    """

    key: str
    verdict: str
    title: str
    text: str
    number: float | None
    interval: tuple[float, float] | None
    rule: str


def find(
    results: Mapping[str, Mapping[str, Any]], labels: np.ndarray, classes: tuple[str, ...]
) -> tuple[Finding, ...]:
    """The five findings, of the sections that were measured."""
    return tuple(rule(results, labels, classes) for rule in _RULES)


def _high_frequencies(results, labels, classes) -> Finding:
    rule = (
        f"Yes where the whole interval lies more than {MATTERS} above the share of the most frequent class, "
        "no where it lies below that."
    )
    if "bands" not in results:
        return _missing("high_frequencies", "High frequencies", "bands", rule)
    bands = results["bands"]["bands"]
    index = _at(bands.radii, 2 / 8)
    share, n = bands.high[index], bands.n
    low, high = interval = share_interval(sum(bands.high_correct_per_class[index]), n)
    limit = max(bands.count_per_class) / n + MATTERS
    verdict = "yes" if low > limit else "no" if high < limit else "unclear"
    titles = {
        "yes": "Reads high frequencies",
        "no": "Hardly reads high frequencies alone",
        "unclear": "High frequencies: not enough images to tell",
    }
    text = (
        f"{share:.2f} of {n} images are still right without the lowest {bands.radii[index]:g} rings of their "
        f"spectrum ({_show(interval)}); {bands.clean:.2f} are right as they are, and "
        f"{limit - MATTERS:.2f} would be if the most frequent class were always named."
    )
    return _answer("high_frequencies", verdict, titles[verdict], text, share, interval, rule)


def _blur(results, labels, classes) -> Finding:
    rule = f"Yes where the whole interval of the loss lies above {MATTERS}, no where it lies below."
    if "bands" not in results:
        return _missing("blur", "Low frequencies", "bands", rule)
    bands = results["bands"]["bands"]
    index = _at(bands.radii, 4 / 8)
    clean, low = (bands.predictions[key] == labels for key in ("clean", "low"))
    cost = float(clean.mean() - low[index].mean())
    below, above = interval = paired_interval(clean, low[index])
    verdict = "yes" if below > MATTERS else "no" if above < MATTERS else "unclear"
    titles = {
        "yes": "Needs more than the low frequencies",
        "no": "Low frequencies are enough",
        "unclear": "Low frequencies: not enough images to tell",
    }
    text = (
        f"With the lowest {bands.radii[index]:g} rings alone, a strong blur, {bands.low[index]:.2f} of "
        f"{bands.n} images are right for {bands.clean:.2f} as they are: a loss of {cost:.2f} "
        f"({_show(interval)}, paired over the images)."
    )
    return _answer("blur", verdict, titles[verdict], text, cost, interval, rule)


def _amplitude(results, labels, classes) -> Finding:
    rule = f"Yes where the whole interval lies above {MATTERS}, no where it lies below."
    if "swap" not in results:
        return _missing("amplitude", "Amplitude and phase", "swap", rule)
    swap = results["swap"]["swap"]
    title = "Amplitude: not enough images to tell"
    if not swap.n_differ:
        text = "The model puts the two images of no pair into different classes, so that nothing can be told."
        return _answer("amplitude", "unclear", title, text, None, None, rule)
    share = swap.follows_amplitude
    low, high = interval = share_interval(share * swap.n_differ, swap.n_differ)
    verdict = "yes" if low > MATTERS else "no" if high < MATTERS else "unclear"
    titles = {"yes": "Led astray by the amplitude", "no": "Follows the phase", "unclear": title}
    text = (
        f"Of {swap.n_differ} images with the phase of one image and the amplitude of another, which the "
        f"model takes for different classes, {share:.2f} are seen as the amplitude's ({_show(interval)}), "
        f"{swap.follows_phase:.2f} as the phase's, which holds the shapes, and {swap.follows_neither:.2f} as "
        "neither."
    )
    return _answer("amplitude", verdict, titles[verdict], text, share, interval, rule)


def _shortcuts(results, labels, classes) -> Finding:
    rule = (
        f"A class counts where at least half of its images are recognized under its own map, at most "
        f"{MATTERS} of the others are taken for it there (where that was measured), and the interval of the "
        "difference to a disk around DC of the same share, widened for the number of classes, lies above 0. "
        "Unclear where none counts and a class has fewer than 20 images in the test."
    )
    if "shortcuts" not in results:
        return _missing("shortcuts", "Frequency shortcuts", "shortcuts", rule)
    report, disks = (results["shortcuts"][key] for key in ("shortcuts", "disks"))
    counts, number = np.array(report.count_per_class), len(report.count_per_class)
    own, disk = (np.diag(np.array(one.own_confusion)) for one in (report, disks))
    tpr, fpr, disk_tpr = report.tpr, report.fpr, disks.tpr
    # Nothing is known of the others where only the images of each class were filtered.
    mistaken = np.nan_to_num(fpr, nan=0.0)
    lows = [
        difference_interval(own[label], n, disk[label], n, level=1 - 0.05 / number)[0]
        for label, n in enumerate(counts)
    ]
    found = [
        label
        for label in range(number)
        if tpr[label] >= 0.5 and mistaken[label] <= MATTERS and lows[label] > 0
    ]
    best = max(found or range(number), key=lambda label: tpr[label] - mistaken[label])
    share = float(np.mean(report.share))
    others = f", {fpr[best]:.2f} of the others are taken for it" if report.others else ""
    rates = (
        f"{classes[best]}: {tpr[best]:.2f} of {counts[best]} images under its own map "
        f"({_show(share_interval(own[best], counts[best]))}), {disk_tpr[best]:.2f} under a disk of the same "
        f"share{others}."
    )
    if found:
        verdict, title = "yes", f"Knows {len(found)} of {number} classes by {share:.0%} of the frequencies"
        text = f"{_names(found, classes)}. Most clearly {rates}"
    else:
        verdict = "no" if counts.min() >= 20 else "unclear"
        title = (
            f"No class is known by {share:.0%} of the frequencies alone"
            if verdict == "no"
            else "Shortcuts: not enough images to tell"
        )
        text = (
            f"No class meets the rule, with {_range(counts)} images of each in the test. Nearest is {rates}"
        )
    return _answer("shortcuts", verdict, title, text, float(len(found)), None, rule)


def _changes(results, labels, classes) -> Finding:
    rule = (
        f"Yes where the whole interval of what corruptions cost lies above {MATTERS}, no where it lies "
        "below; without corruptions the same of the attack at 1/255."
    )
    if "corruptions" in results:
        found = results["corruptions"]["corruptions"]
        wrong = found.predictions["corrupted"] != labels[: found.n]
        per_image = wrong.mean(axis=(0, 1))
        number = found.mean - found.clean_error
        interval = paired_interval(per_image, found.predictions["clean"] != labels[: found.n])
        worst = max(found.by_corruption.items(), key=lambda item: item[1])
        text = (
            f"Under {len(found.corruptions)} common corruptions {found.mean:.2f} of {found.n} images are "
            f"wrong for {found.clean_error:.2f} as they are: {number:.2f} more ({_show(interval)}, paired "
            f"over the images). {worst[0].replace('_', ' ').capitalize()} costs most: {worst[1]:.2f} wrong."
        )
        if "attacks" in results:
            text += f" {_attacked(results['attacks']['attacks'])}"
    elif "attacks" in results:
        attack = results["attacks"]["attacks"]
        index = _nearest(attack.epsilons, 1 / 255)
        right, clean = sum(attack.correct_per_class[index]), sum(attack.clean_correct_per_class)
        number = (clean - right) / attack.n
        interval = difference_interval(clean, attack.n, right, attack.n)
        text = _attacked(attack)
    else:
        return _missing("changes", "Corruptions and attacks", "corruptions", rule)
    low, high = interval
    verdict = "yes" if low > MATTERS else "no" if high < MATTERS else "unclear"
    titles = {
        "yes": "Small changes of the images mislead it",
        "no": "Withstands small changes of the images",
        "unclear": "Small changes: not enough images to tell",
    }
    return _answer("changes", verdict, titles[verdict], text, number, interval, rule)


_RULES: tuple[Callable[[Any, np.ndarray, tuple[str, ...]], Finding], ...] = (
    _high_frequencies,
    _blur,
    _amplitude,
    _shortcuts,
    _changes,
)


def _answer(
    key: str, verdict: str, title: str, text: str, number: float | None, interval: Interval | None, rule: str
) -> Finding:
    return Finding(
        key=key, verdict=verdict, title=title, text=text, number=number, interval=interval, rule=rule
    )


def _missing(key: str, title: str, section: str, rule: str) -> Finding:
    return _answer(
        key,
        "missing",
        f"{title}: not looked at",
        f"The section {section!r} was not measured.",
        None,
        None,
        rule,
    )


def _attacked(attack: Any) -> str:
    index = _nearest(attack.epsilons, 1 / 255)
    interval = share_interval(sum(attack.correct_per_class[index]), attack.n)
    return (
        f"When an attack may change every pixel by {attack.epsilons[index] * 255:g} of 255 levels, "
        f"{attack.accuracy[index]:.2f} of {attack.n} images stay right ({_show(interval)})."
    )


def _nearest(values: tuple[float, ...], wanted: float) -> int:
    return int(np.argmin(np.abs(np.array(values) - wanted)))


def _at(radii: tuple[float, ...], share: float) -> int:
    """Index of the radius next to this share of the largest, which is half the side of the images."""
    return _nearest(radii, max(radii) * share)


def _range(counts: np.ndarray) -> str:
    least, most = int(counts.min()), int(counts.max())
    return str(least) if least == most else f"{least} to {most}"


def _names(found: list[int], classes: tuple[str, ...]) -> str:
    names = [classes[label] for label in found[:8]]
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return ", ".join(names) + more


def _show(interval: Interval) -> str:
    low, high = (round(bound, 2) + 0.0 for bound in interval)  # no minus before 0.00
    return f"95 % interval {low:.2f} to {high:.2f}"
