"""Each network under the maps of each other: are dominant maps a property of the network, or of the data?"""

from __future__ import annotations

import numpy as np

from apps.freq_shortcuts.config import Exchange
from apps.freq_shortcuts.frontier import (
    choose_balanced,
    find_masks,
    list_methods,
    load_network,
    mean_rates,
    score_images,
    take_images,
)
from apps.freq_shortcuts.images import load_images
from apps.lab import Run
from apps.lab.report import write_report
from apps.lab.statistics import Difference, Samples, compare, holm

CONTROLS = ("disk", "power")  # of the data alone, the same for every network


def exchange(run: Run, config: Exchange) -> None:
    images = load_images(run, config.data)
    count = len(images.classes)
    search = choose_balanced(*images.train, config.search_per_class, count)
    test = choose_balanced(*images.test, config.test_per_class, count)
    searches, share = list_methods(config), f"{config.share:g}"
    masks: dict[str, np.ndarray] = {}
    networks = {name: load_network(name, images) for name in config.networks}
    for name, model in networks.items():
        key = name.replace("/", "-")
        for method in (*config.methods, *(CONTROLS if name == config.networks[0] else ())):
            stage = f"{key}-{method}-masks" if method in config.methods else f"{method}-masks"
            found = run.arrays(stage, find_masks, searches[method], run, key, model, search)
            masks[f"{method} of {name}" if method in config.methods else method] = found[share]
    taken = {
        name: {
            label: run.arrays(f"{name} under {label}", take_images, model, test[0], of, label=name)["taken"]
            for label, of in masks.items()
        }
        for name, model in networks.items()
    }
    _report(run, config, masks, taken, test[1])


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Jaccard index of two sets of masks, mean over the classes, without DC: 1 where they are the same."""
    height, width = first.shape[1:]
    both = [masks.astype(bool) for masks in (first, second)]
    for masks in both:
        masks[:, height // 2, width // 2] = False
    shared, either = (both[0] & both[1]).sum(axis=(1, 2)), (both[0] | both[1]).sum(axis=(1, 2))
    return float(np.mean(shared / np.maximum(either, 1)))


def compare_own(taken: dict[str, dict[str, np.ndarray]], method: str, labels: np.ndarray) -> Difference:
    """TPR - FPR under a network's own maps less that under those of the others, paired over the images."""
    own, others = [], []
    for name, by_map in taken.items():
        scores = {other: score_images(by_map[f"{method} of {other}"], labels) for other in taken}
        own.append(scores.pop(name))
        others.append(np.mean(list(scores.values()), axis=0))
    ones = np.ones((len(own), len(labels)))
    return compare(Samples(np.stack(others), ones), Samples(np.stack(own), ones))


def _report(
    run: Run,
    config: Exchange,
    masks: dict[str, np.ndarray],
    taken: dict[str, dict[str, np.ndarray]],
    labels: np.ndarray,
) -> None:
    networks = config.networks
    tables = []
    for method in config.methods:
        head = ["network", *(f"of {name.split('/')[-1]}" for name in networks), *CONTROLS]
        columns = [*(f"{method} of {name}" for name in networks), *CONTROLS]
        rates = [
            [name, *("{:.2f} / {:.2f}".format(*mean_rates(taken[name][one], labels)) for one in columns)]
            for name in networks
        ]
        tables.append((f"TPR / FPR under the maps ({method}, {100 * config.share:g} %)", head, rates))
        overlaps = [
            [name, *(f"{overlap(masks[f'{method} of {name}'], masks[one]):.2f}" for one in columns)]
            for name in networks
        ]
        tables.append((f"Jaccard index of the maps ({method}, without DC)", head, overlaps))
    differences = [compare_own(taken, method, labels) for method in config.methods]
    rows = [
        [
            method,
            f"{one.first:.3f}",
            f"{one.second:.3f}",
            f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})",
            f"{p:.2g}",
        ]
        for method, one, p in zip(
            config.methods, differences, holm([one.p for one in differences]), strict=True
        )
    ]
    title = f"TPR - FPR under own maps less under those of the others, {len(networks)} networks"
    head = ["maps", "others'", "own", "difference, 95 %", "p"]
    write_report(run, "Maps exchanged between networks", [], *tables, (title, head, rows))
