"""Figures, tables and claims of the comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import Compare
from apps.freq_shortcuts.maps import PUBLISHED as RANKING
from apps.freq_shortcuts.maps import STRONG, by_class
from apps.lab import Claim, Run
from apps.lab.images import Images
from apps.lab.networks import NETWORKS
from apps.lab.report import markdown, mean_and_range, order, print_table, values

# TPR by class on images of ImageNet-10 that keep a class' map of about 5 % of the bins, ResNet-18 [paper].
PUBLISHED = {"hfss": (0.88, 0, 0.52, 0.98, 0.90, 0.26, 0.78, 0.70, 0.76, 0.50), "exact": RANKING}
LABELS = {"hfss": "HFSS", "exact": "exact ranking", "hybrid": "hybrid", "gradient": "gradient"}
RANKINGS = {
    "exact": "exact ranking of single frequencies",
    "hybrid": "hybrid ranking (an approximation)",
    "gradient": "first-order ranking (an approximation)",
}
SAME = "share of HFSS"


def kept(config: Compare) -> list[tuple[str, str]]:
    """Every method with what its maps keep: as much as HFSS, or a share of the bins."""
    pairs = []
    for method in config.methods:
        if method == "hfss":
            pairs.append((method, SAME))
            continue
        if "hfss" in config.methods:
            pairs.append((method, SAME))
        pairs += [(method, f"{fraction:g}") for fraction in config.fractions]
    return pairs


def kept_by(config: Compare, method: str) -> str:
    return next(cut for name, cut in kept(config) if name == method)


def _mean(run: Run, measure: str, **wanted) -> np.ndarray:
    """The mean over the classes for every seed."""
    return np.nanmean(by_class(run, measure, **wanted), axis=1)


def _curves(run: Run, config: Compare, method: str, name: str) -> list[kf.shortcuts.ShortcutCurve]:
    """The degree of shortcut learning under the method's maps, one curve a seed."""
    wanted = {"method": method, "kept": kept_by(config, method), "set": name}
    clean, filtered = (by_class(run, measure, **wanted) for measure in ("clean_tpr", "tpr"))
    return [
        kf.shortcuts.shortcut_curve(whole, left, config.thresholds)
        for whole, left in zip(clean, filtered, strict=True)
    ]


def draw(run: Run, config: Compare, images: Images, maps: dict[str, kf.shortcuts.FrequencyMaps]) -> None:
    """The maps of the first seed, and the degree of shortcut learning."""
    figure = kf.plots.frequency_maps(
        {f"{LABELS[method]} ({masks.share.mean():.1%})": masks for method, masks in maps.items()},
        classes=images.classes,
        title=f"Dominant frequencies (share of the bins), {NETWORKS[config.training.network].label}, "
        f"seed {config.seed}",
    )
    run.figure("maps", figure)
    names = _set_names(config)
    figure = kf.plots.curves(
        {
            _short(name): {
                LABELS[method]: [curve.shortcut_classes for curve in _curves(run, config, method, name)]
                for method in config.methods
            }
            for name in names
        },
        x=config.thresholds,
        xlabel="threshold",
        ylabel="shortcut classes",
        limits=(0, len(images.classes)),
        title="Classes with a TPR above the threshold on filtered images, as many bins kept by all"
        if "hfss" in config.methods
        else "Classes with a TPR above the threshold on filtered images",
    )
    run.figure("degree", figure)
    method = config.methods[0]
    panels = {_short(name): _groups(_curves(run, config, method, name)) for name in names}
    if all(panels.values()):
        figure = kf.plots.curves(
            panels,
            x=config.thresholds,
            xlabel="threshold",
            ylabel="mean TPR",
            title=f"Shortcut classes (TPR above the threshold on filtered images) and the others, "
            f"maps of {LABELS[method]}",
        )
        run.figure("curve", figure)


def _groups(curves: list[kf.shortcuts.ShortcutCurve]) -> dict[str, np.ndarray]:
    """Lines that have a point in every seed."""
    lines = {
        "shortcut classes": "shortcut_tpr",
        "shortcut classes, filtered": "shortcut_filtered_tpr",
        "other classes": "other_tpr",
        "other classes, filtered": "other_filtered_tpr",
    }
    found = {label: np.array([getattr(curve, name) for curve in curves]) for label, name in lines.items()}
    return {label: line for label, line in found.items() if np.isfinite(line).all(axis=0).any()}


def _set_names(config: Compare) -> list[str]:
    return ["clean", *config.corruptions, *(["fgsm"] if config.fgsm is not None else [])]


def report(run: Run, config: Compare, images: Images, searched: int) -> None:
    n = len(images.test[1])
    head = ["maps", "kept", "bins", "TPR", "FPR", "strong shortcuts", "forward passes", "minutes"]
    rows = [_row(run, config, method, cut) for method, cut in kept(config)]
    print_table(f"Filtered test images, n = {n}, means over the classes and the seeds", head, rows)
    clean = {"method": config.methods[0], "set": "clean", "kept": kept_by(config, config.methods[0])}
    unfiltered = (
        f"The same images as they are: TPR {mean_and_range(_mean(run, 'clean_tpr', **clean))}, "
        f"FPR {mean_and_range(_mean(run, 'clean_fpr', **clean))}. A strong shortcut is a class with "
        f"a TPR of at least {STRONG:g} on filtered images. Searched on {searched} images "
        f"({'the test images' if config.search.split == 'test' else 'training images'}); a forward pass is "
        "one image through the network; minutes are left out where a search went on after a kill."
    )
    for method in config.methods:
        correlation = values(run, method=method, measure="rank correlation")
        if len(correlation):
            unfiltered += (
                f" Rank correlation of {LABELS[method]} with exact values at random frequencies, mean over "
                f"the classes: {mean_and_range(correlation, 2)}."
            )
    classes = ["class", *(LABELS[method] for method in config.methods), "as they are"]
    per_class = markdown(classes, _class_rows(run, config, images))
    run.summary(
        "Frequency shortcuts: HFSS and rankings",
        [*_search_claims(run, config, n, searched), *_degree_claims(run, config, n)],
        notes="\n\n".join([markdown(head, rows), unfiltered, "TPR by class, as many bins:", per_class]),
    )


def _row(run: Run, config: Compare, method: str, cut: str) -> list[str]:
    wanted = {"method": method, "kept": cut, "set": "clean"}
    cost = [values(run, method=method, measure=measure) for measure in ("forwards", "minutes")]
    return [
        LABELS[method],
        ("stages" if method == "hfss" else "as HFSS") if cut == SAME else f"{float(cut):.1%}",
        mean_and_range(_mean(run, "share", **wanted)),
        mean_and_range(_mean(run, "tpr", **wanted)),
        mean_and_range(_mean(run, "fpr", **wanted)),
        mean_and_range(_strong(run, **wanted), 1),
        f"{cost[0].mean():,.0f}",
        mean_and_range(cost[1], 1) if len(cost[1]) == config.seeds else "-",
    ]


def _strong(run: Run, **wanted) -> np.ndarray:
    """Classes with a TPR of at least `STRONG`, for every seed."""
    return (by_class(run, "tpr", **wanted) >= STRONG).sum(axis=1)


def _class_rows(run: Run, config: Compare, images: Images) -> list[list[str]]:
    rates = [
        by_class(run, "tpr", method=method, kept=kept_by(config, method), set="clean")
        for method in config.methods
    ]
    first = config.methods[0]
    rates.append(by_class(run, "clean_tpr", method=first, kept=kept_by(config, first), set="clean"))
    return [
        [label, *(mean_and_range(rate[:, c], 2) for rate in rates)] for c, label in enumerate(images.classes)
    ]


def _search_claims(run: Run, config: Compare, n: int, searched: int) -> Iterator[Claim]:
    """HFSS against each ranking with as many bins."""
    if "hfss" not in config.methods:
        return
    means = {method: np.mean(rates) for method, rates in PUBLISHED.items()}
    strong = {method: sum(rate >= STRONG for rate in rates) for method, rates in PUBLISHED.items()}
    for method in config.methods:
        if method == "hfss":
            continue
        wanted = [{"method": name, "kept": SAME, "set": "clean"} for name in ("hfss", method)]
        tprs = [_mean(run, "tpr", **w) for w in wanted]
        counts = [_strong(run, **w) for w in wanted]
        published = (
            f"mean TPR {means['hfss']:.3f} against {means['exact']:.3f}, strong shortcuts "
            f"{strong['hfss']} against {strong['exact']} (ImageNet-10, about 5 % of the bins) [paper]"
        )
        yield Claim(
            f"HFSS keeps a higher TPR than the {RANKINGS[method]} with as many bins",
            published if method == "exact" else "-",
            f"mean TPR {mean_and_range(tprs[0])} against {mean_and_range(tprs[1])}, strong shortcuts "
            f"{mean_and_range(counts[0], 1)} against {mean_and_range(counts[1], 1)}, bins "
            f"{mean_and_range(_mean(run, 'share', **wanted[0]))}: "
            + order(*tprs, higher="HFSS higher", lower="HFSS lower"),
            n,
            ("hfss/", f"{method}/"),
        )
    if "exact" in config.methods:
        costs = [values(run, method=name, measure="forwards") for name in ("hfss", "exact")]
        yield Claim(
            "HFSS needs fewer forward passes than the ranking of single frequencies",
            "9.2 against about 354 days (ImageNet, 1000 classes) [2nd]",
            f"{costs[0].mean():,.0f} against {costs[1].mean():,.0f} images: "
            + order(*(-cost for cost in costs), higher="HFSS fewer", lower="HFSS more"),
            searched,
            ("hfss/search", "exact/search"),
        )


def _degree_claims(run: Run, config: Compare, n: int) -> Iterator[Claim]:
    """Whether shortcut classes are recognized better than the others, at the middle threshold."""
    method = config.methods[0]
    at = len(config.thresholds) // 2
    clean = _curves_by_clean(run, config, method)
    for name in _set_names(config):
        parts = {"there": _curves(run, config, method, name)}
        if name != "clean":
            parts["on the clean images"] = clean[name]
        told = []
        for words, curves in parts.items():
            shortcut = np.array([curve.shortcut_tpr[at] for curve in curves])
            other = np.array([curve.other_tpr[at] for curve in curves])
            verdict = "a group is empty in some seed"
            if np.isfinite([shortcut, other]).all():
                verdict = order(
                    shortcut, other, higher="shortcut classes higher", lower="shortcut classes lower"
                )
            told.append(
                f"classes told by their TPR {words}: {mean_and_range(shortcut)} against "
                f"{mean_and_range(other)}, {verdict}"
            )
        yield Claim(
            f"Shortcut classes (TPR above {config.thresholds[at]:g} on filtered images, maps of "
            f"{LABELS[method]}) do better than the others: {_words(config, name)}",
            "-" if name == "clean" else "so on ImageNet-v2, ImageNet-C and under FGSM, no numbers [paper]",
            "; ".join(told),
            n,
            (f"{method}/",),
        )


def _curves_by_clean(run: Run, config: Compare, method: str) -> dict[str, list]:
    """Rates of each test set, the classes told apart by the clean images."""
    wanted = {"method": method, "kept": kept_by(config, method)}
    filtered = by_class(run, "tpr", set="clean", **wanted)
    return {
        name: [
            kf.shortcuts.shortcut_curve(tpr, own, config.thresholds)
            for tpr, own in zip(by_class(run, "clean_tpr", set=name, **wanted), filtered, strict=True)
        ]
        for name in _set_names(config)
    }


def _short(name: str) -> str:
    return {"clean": "test images", "fgsm": "FGSM"}.get(name, name.replace("_", " "))


def _words(config: Compare, name: str) -> str:
    if name == "clean":
        return "clean test images"
    if name == "fgsm" and config.fgsm is not None:
        return f"FGSM of {config.fgsm * 255:g}/255, attacked before the filter"
    return f"{name.replace('_', ' ')}, severity {config.severity}"
