"""What the numbers say in plain words, each sentence by a rule that stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_freq._report import _critical_band, _cue_conflict, _sufficient_maps
from keras_freq._report._finding import MATTERS, Finding, answer, at_share, missing, nearest, show
from keras_freq._report._statistics import Interval, difference_interval, paired_interval, share_interval

_KNOWS = (
    "Unclear where it lies below, and the model is not clearly right more often than by naming the most "
    "frequent class."
)


def find(
    results: Mapping[str, Mapping[str, Any]], labels: np.ndarray, classes: tuple[str, ...]
) -> tuple[Finding, ...]:
    """The five findings that every report has, and one more for each deep section that was measured."""
    found = [rule(results, labels, classes) for rule in _RULES]
    return (*found, *(rule(results[name][name]) for name, rule in _DEEP_RULES.items() if name in results))


def _high_frequencies(results, labels, classes) -> Finding:
    rule = (
        f"Yes where the whole interval lies more than {MATTERS} above the share of the most frequent class, "
        "no where it lies below that."
    )
    if "bands" not in results:
        return missing("high_frequencies", "High frequencies", "bands", rule)
    bands = results["bands"]["bands"]
    index = at_share(bands.radii, 2 / 8)
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
        f"spectrum ({show(interval)}); {bands.clean:.2f} are right as they are, and "
        f"{limit - MATTERS:.2f} would be if the most frequent class were always named."
    )
    return answer("high_frequencies", verdict, titles[verdict], text, share, interval, rule)


def _blur(results, labels, classes) -> Finding:
    rule = f"Yes where the whole interval of the loss lies above {MATTERS}, no where it lies below. {_KNOWS}"
    if "bands" not in results:
        return missing("blur", "Low frequencies", "bands", rule)
    bands = results["bands"]["bands"]
    index = at_share(bands.radii, 4 / 8)
    clean, low = (bands.predictions[key] == labels for key in ("clean", "low"))
    cost = float(clean.mean() - low[index].mean())
    interval = paired_interval(clean, low[index])
    verdict = _compare(interval)
    if verdict == "no" and not _knows(clean.sum(), bands.count_per_class):
        verdict = "unclear"
    titles = {
        "yes": "Needs more than the low frequencies",
        "no": "Low frequencies are enough",
        "unclear": f"Low frequencies: {_why_unclear(interval)}",
    }
    text = (
        f"With the lowest {bands.radii[index]:g} rings alone, a strong blur, {bands.low[index]:.2f} of "
        f"{bands.n} images are right for {bands.clean:.2f} as they are: a loss of {cost:.2f} "
        f"({show(interval)}, paired over the images)."
    )
    return answer("blur", verdict, titles[verdict], text, cost, interval, rule)


def _amplitude(results, labels, classes) -> Finding:
    rule = f"Yes where the whole interval lies above {MATTERS}, no where it lies below."
    if "swap" not in results:
        return missing("amplitude", "Amplitude and phase", "swap", rule)
    swap = results["swap"]["swap"]
    title = "Amplitude: not enough images to tell"
    if not swap.n_differ:
        text = "The model puts the two images of no pair into different classes, so that nothing can be told."
        return answer("amplitude", "unclear", title, text, None, None, rule)
    share = swap.follows_amplitude
    interval = share_interval(share * swap.n_differ, swap.n_differ)
    verdict = _compare(interval)
    follows = "Follows the phase" if swap.follows_phase > 0.5 else "Hardly led astray by the amplitude"
    titles = {"yes": "Led astray by the amplitude", "no": follows, "unclear": title}
    text = (
        f"Of {swap.n_differ} images with the phase of one image and the amplitude of another, which the "
        f"model takes for different classes, {share:.2f} are seen as the amplitude's ({show(interval)}), "
        f"{swap.follows_phase:.2f} as the phase's, which holds the shapes, and {swap.follows_neither:.2f} as "
        "neither."
    )
    return answer("amplitude", verdict, titles[verdict], text, share, interval, rule)


def _shortcuts(results, labels, classes) -> Finding:
    rule = (
        f"A class counts where at least half of its images are recognized under its own map, at most "
        f"{MATTERS} of the others are taken for it there (where that was measured), and the interval of the "
        "difference to a disk around DC of the same share, widened for the number of classes, lies above 0. "
        "Unclear where none counts and a class has fewer than 20 images in the test."
    )
    if "shortcuts" not in results:
        return missing("shortcuts", "Frequency shortcuts", "shortcuts", rule)
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
        f"({show(share_interval(own[best], counts[best]))}), {disk_tpr[best]:.2f} under a disk of the same "
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
    return answer("shortcuts", verdict, title, text, float(len(found)), None, rule)


def _changes(results, labels, classes) -> Finding:
    rule = (
        f"Yes where the whole interval of what corruptions cost, or attacks at 1/255, lies above {MATTERS}, "
        f"no where those of all that was measured lie below. {_KNOWS}"
    )
    costs = [
        cost(results[name][name], labels)
        for name, cost in (("corruptions", _cost_of_corruptions), ("attacks", _cost_of_attack))
        if name in results
    ]
    if not costs:
        return missing("changes", "Corruptions and attacks", "corruptions", rule)
    verdicts = [cost.verdict for cost in costs]
    verdict = "yes" if "yes" in verdicts else "no" if set(verdicts) == {"no"} else "unclear"
    decisive = costs[verdicts.index(verdict)]
    misled = [cost.name for cost in costs if cost.verdict == "yes"]
    titles = {
        "yes": f"Misled by {' and '.join(misled)}",
        "no": f"Withstands {' and '.join(cost.name for cost in costs)}",
        "unclear": f"Small changes: {_why_unclear(decisive.interval)}",
    }
    text = " ".join(cost.text for cost in costs)
    return answer("changes", verdict, titles[verdict], text, decisive.number, decisive.interval, rule)


@dataclass(frozen=True, kw_only=True)
class _Cost:
    """What a kind of change costs: more errors of images, with interval, verdict and words."""

    name: str
    number: float
    interval: Interval
    verdict: str
    text: str


def _cost_of_corruptions(found: Any, labels: np.ndarray) -> _Cost:
    labels = labels[: found.n]
    wrong, clean = (found.predictions[key] != labels for key in ("corrupted", "clean"))
    number = found.mean - found.clean_error
    interval = paired_interval(wrong.mean(axis=(0, 1)), clean)
    worst = max(found.by_corruption.items(), key=lambda item: item[1])
    text = (
        f"Under {len(found.corruptions)} common corruptions {found.mean:.2f} of {found.n} images are "
        f"wrong for {found.clean_error:.2f} as they are: {number:.2f} more ({show(interval)}, paired "
        f"over the images). {worst[0].replace('_', ' ').capitalize()} costs most: {worst[1]:.2f} wrong."
    )
    verdict = _compare(interval)
    if verdict == "no" and not _knows(found.n - clean.sum(), np.bincount(labels)):
        verdict = "unclear"
    return _Cost(name="corruptions", number=number, interval=interval, verdict=verdict, text=text)


def _cost_of_attack(attack: Any, labels: np.ndarray) -> _Cost:
    index = nearest(attack.epsilons, 1 / 255)
    right, clean = sum(attack.correct_per_class[index]), sum(attack.clean_correct_per_class)
    interval = difference_interval(clean, attack.n, right, attack.n)
    text = (
        f"When an attack may change every pixel by {attack.epsilons[index] * 255:g} of 255 levels, "
        f"{attack.accuracy[index]:.2f} of {attack.n} images stay right "
        f"({show(share_interval(right, attack.n))}) for {clean / attack.n:.2f} as they are."
    )
    verdict = _compare(interval)
    if verdict == "no" and not _knows(clean, attack.count_per_class):
        verdict = "unclear"
    number = (clean - right) / attack.n
    return _Cost(name="small attacks", number=number, interval=interval, verdict=verdict, text=text)


def _compare(interval: Interval) -> str:
    low, high = interval
    return "yes" if low > MATTERS else "no" if high < MATTERS else "unclear"


def _knows(right: float, count_per_class: Any) -> bool:
    """Whether a model is right more often than by naming one class: another has nothing to lose."""
    counts = np.asarray(count_per_class)
    return share_interval(float(right), int(counts.sum()))[0] > counts.max() / counts.sum()


def _why_unclear(interval: Interval) -> str:
    return "not enough images to tell" if _compare(interval) == "unclear" else "the model has nothing to lose"


_RULES: tuple[Callable[[Any, np.ndarray, tuple[str, ...]], Finding], ...] = (
    _high_frequencies,
    _blur,
    _amplitude,
    _shortcuts,
    _changes,
)


_DEEP_RULES: dict[str, Callable[[Any], Finding]] = {
    "cue_conflict": _cue_conflict.find,
    "critical_band": _critical_band.find,
    "sufficient_maps": _sufficient_maps.find,
}


def _range(counts: np.ndarray) -> str:
    least, most = int(counts.min()), int(counts.max())
    return str(least) if least == most else f"{least} to {most}"


def _names(found: list[int], classes: tuple[str, ...]) -> str:
    names = [classes[label] for label in found[:8]]
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return ", ".join(names) + more
