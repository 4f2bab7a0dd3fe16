"""How few frequencies are enough for a class: learned maps beside rankings, power and plain disks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import keras_freq as kf
from apps.freq_shortcuts.config import PRETRAINED, Frontier, MaskSearch
from apps.freq_shortcuts.efficientnet_lite import cut_head, find_places, load_efficientnet_lite0
from apps.freq_shortcuts.images import load_images
from apps.freq_shortcuts.maps import journal
from apps.lab import Run, RunError
from apps.lab.errors import one_line
from apps.lab.images import Images, as_floats
from apps.lab.report import cells, write_report
from apps.lab.statistics import Difference, Samples, compare, holm

Masks = dict[float, np.ndarray]
Data = tuple[np.ndarray, np.ndarray]


def frontier(run: Run, config: Frontier) -> None:
    images = load_images(run, config.data)
    count = len(images.classes)
    search = choose_balanced(*images.train, config.search_per_class, count)
    test = choose_balanced(*images.test, config.test_per_class, count)
    networks = {name: load_network(name, images) for name in config.networks}
    found = {name: _look(run, config, name, model, search, test) for name, model in networks.items()}
    _draw(run, config, found, test[1])
    _report(run, config, found, test[1])


def load_network(name: str, images: Images) -> keras.Model:
    """A reference network, or the one of ImageNet with the outputs of the images' classes."""
    if name != PRETRAINED:
        try:
            return kf.models.reference(name)
        except ValueError as error:
            raise RunError(f"`networks`: {one_line(error)}") from error
    return cut_head(load_efficientnet_lite0(images.shape[0]), find_places(images.classes))


def choose_balanced(pixels: np.ndarray, labels: np.ndarray, count: int, classes: int) -> Data:
    """The first `count` images of every class, in the order of the set."""
    places = [np.flatnonzero(labels == label)[:count] for label in range(classes)]
    if min(map(len, places)) < count:
        raise RunError(
            "`search_per_class` and `test_per_class` must be at most what every class has. "
            f"Received: {count}, of {min(map(len, places))} images of a class"
        )
    chosen = np.sort(np.concatenate(places))
    return as_floats(pixels[chosen]), labels[chosen]


def score_images(taken: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What each image adds to the mean over classes of TPR - FPR, times the number of images, `(n,)`.

    `taken` is `(classes, n)`: whether the image is taken for the class under the class's mask. All classes
    have the same number of images.
    """
    own = taken[labels, np.arange(len(labels))].astype("float64")
    return own - (taken.sum(axis=0) - own) / (len(taken) - 1)


def _look(
    run: Run, config: Frontier, name: str, model: keras.Model, search: Data, test: Data
) -> dict[str, dict[float, Any]]:
    """`{method: {share: taken}}` of a network, `taken` as `score_images` wants it."""
    key = name.replace("/", "-")
    found: dict[str, dict[float, Any]] = {}
    for method, search_masks in _methods_of(config).items():
        masks = run.arrays(f"{key}-{method}-masks", find_masks, search_masks, run, key, model, search)
        if method == "hfss":
            run.measure(f"{key}-hfss-shares", _share_of, masks, name)
        found[method] = {
            share: run.arrays(
                f"{key}-{method}-{share:g}",
                take_images,
                model,
                test[0],
                masks[f"{share:g}"],
                label=f"{name} {method}",
            )["taken"]
            for share in config.fractions
        }
        run.say(
            f"{name}, {method}: " + ", ".join(_rates(found[method][s], test[1]) for s in config.fractions)
        )
    return found


def list_methods(config: MaskSearch) -> dict[str, Callable[..., Masks]]:
    """What finds masks of every share, by name."""
    searches: dict[str, Callable[..., Masks]] = {
        "random": lambda *args: _cut(config, _random(config, *args)),
        "disk": lambda *args: _cut(config, _disk(*args)),
        "power": lambda *args: _cut(config, _power(*args)),
        "gradient": lambda *args: _cut(config, _importance(config, "gradient", *args)),
        "exact": lambda *args: _cut(config, _importance(config, "exact", *args)),
    }
    for weight in config.specificities:
        searches[f"learned-{weight:g}"] = lambda *args, weight=weight: _learned(config, weight, *args)
    return searches


def _methods_of(config: Frontier) -> dict[str, Callable[..., Masks]]:
    """The methods of `list_methods`, and HFSS where it has budgets."""
    hierarchical = {"hfss": lambda *args: _hfss(config, *args)} if config.budgets else {}
    return {**list_methods(config), **hierarchical}


def find_masks(search_masks: Callable[..., Masks], *args) -> dict[str, np.ndarray]:
    """The masks of a method by share, as a run keeps arrays."""
    return {f"{share:g}": masks for share, masks in search_masks(*args).items()}


def _cut(config: MaskSearch, ranking: np.ndarray) -> Masks:
    """The masks of a ranking; DC is in every one of them, as in the learned ones."""
    return {
        share: kf.shortcuts.dominant_frequency_map(ranking, share, ties="exact", dc="keep").masks
        for share in config.fractions
    }


def _random(config: MaskSearch, run: Run, key: str, model: keras.Model, search: Data) -> np.ndarray:
    size = search[0].shape[1:3]
    ranking = np.random.default_rng(config.seed).random((int(search[1].max()) + 1, *size))
    return np.stack([kf.spectral.symmetrize(one) for one in ranking])


def _disk(run: Run, key: str, model: keras.Model, search: Data) -> np.ndarray:
    distance = kf.spectral.radial_distance(*search[0].shape[1:3])
    return np.repeat(-np.asarray(distance)[None], int(search[1].max()) + 1, axis=0)


def _power(run: Run, key: str, model: keras.Model, search: Data) -> np.ndarray:
    """Mean power of each class over its images and channels."""
    images, labels = search
    power = [
        (np.abs(np.fft.fft2(images[labels == label], axes=(1, 2))) ** 2).mean(axis=(0, 3))
        for label in range(int(labels.max()) + 1)
    ]
    return np.stack([np.fft.fftshift(one) for one in power])


def _importance(
    config: MaskSearch, method: Any, run: Run, key: str, model: keras.Model, search: Data
) -> np.ndarray:
    checkpoint = journal(run, f"{key}-{method}")
    return kf.shortcuts.frequency_importance(
        model, *search, method=method, patch=config.patch, checkpoint=checkpoint
    ).maps


def _learned(
    config: MaskSearch, weight: float, run: Run, key: str, model: keras.Model, search: Data
) -> Masks:
    path = kf.shortcuts.learned_path(
        model,
        *search,
        fractions=config.fractions,
        specificity=weight,
        steps=config.steps,
        images_per_step=config.images_per_step,
        learning_rate=config.learning_rate,
        smoothing=config.smoothing,
        seed=config.seed,
        checkpoint=journal(run, f"{key}-learned-{weight:g}"),
    )
    return {share: maps.masks for share, maps in path.items()}


def _hfss(config: Frontier, run: Run, key: str, model: keras.Model, search: Data) -> Masks:
    """The maps of a search for each share, with DC, which the search may have left out."""
    found = {}
    for share in config.fractions:
        maps = kf.shortcuts.hfss(
            model,
            *search,
            budgets=config.budgets,
            share=share ** (1 / len(config.budgets)),
            seed=config.seed,
            checkpoint=journal(run, f"{key}-hfss-{share:g}"),
        ).maps
        found[share] = np.array(maps)
        found[share][:, maps.masks.shape[1] // 2, maps.masks.shape[2] // 2] = 1
    return found


def _share_of(masks: dict[str, np.ndarray], name: str) -> list[dict[str, Any]]:
    """What masks of about a share keep, means over the classes."""
    return [
        {"network": name, "measure": f"share of hfss for {share}", "value": float(kept.mean())}
        for share, kept in masks.items()
    ]


def take_images(
    model: keras.Model, images: np.ndarray, masks: np.ndarray, *, label: str
) -> dict[str, np.ndarray]:
    """Which images are taken for each class under its mask, `(classes, n)`."""
    taken = [
        model.predict(kf.spectral.apply_mask(images, mask), batch_size=250, verbose=0).argmax(axis=-1)
        == index
        for index, mask in enumerate(masks)
    ]
    return {"taken": np.stack(taken)}


def mean_rates(taken: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Means over the classes of TPR and FPR."""
    own = labels[None] == np.arange(len(taken))[:, None]
    return float((taken & own).sum() / own.sum()), float((taken & ~own).sum() / (~own).sum())


def _rates(taken: np.ndarray, labels: np.ndarray) -> str:
    return "{:.3f} / {:.3f}".format(*mean_rates(taken, labels))


def _compare(
    config: Frontier, found: dict[str, Any], labels: np.ndarray, first: str, second: str, shares: tuple
) -> Difference:
    """`second - first` of the mean over shares of TPR - FPR, paired over images, by network."""
    both = []
    for method in (first, second):
        scores = [
            np.mean([score_images(by[method][share], labels) for share in shares], axis=0)
            for by in found.values()
        ]
        both.append(Samples(np.stack(scores), np.ones((len(found), len(labels)))))
    return compare(both[0], both[1], seed=config.seed)


def _draw(run: Run, config: Frontier, found: dict[str, Any], labels: np.ndarray) -> None:
    shares = sorted(config.fractions)
    panels = {
        name: {
            method: [np.subtract(*mean_rates(by_share[share], labels)) for share in shares]
            for method, by_share in methods.items()
        }
        for name, methods in found.items()
    }
    figure = kf.plots.curves(
        panels,
        x=[100 * share for share in shares],
        xlabel="share of the frequencies, %",
        ylabel="TPR - FPR, mean over the classes",
        limits=None,
    )
    run.figure("frontier", figure)


def _report(run: Run, config: Frontier, found: dict[str, Any], labels: np.ndarray) -> None:
    shares = config.fractions
    rows = [
        [name, method, *(_rates(by_share[share], labels) for share in shares)]
        for name, methods in found.items()
        for method, by_share in methods.items()
    ]
    head = ["network", "maps", *(f"{100 * share:g} %" for share in shares)]
    learned = f"learned-{config.specificities[0]:g}"
    others = [name for name in _methods_of(config) if not name.startswith("learned")]
    compared = []
    for title, chosen in (("all shares", shares), *((f"{100 * share:g} %", (share,)) for share in shares)):
        differences = [_compare(config, found, labels, other, learned, chosen) for other in others]
        adjusted = holm([one.p for one in differences])
        for other, one, p in zip(others, differences, adjusted, strict=True):
            interval = f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})"
            compared.append([title, other, f"{one.first:.3f}", f"{one.second:.3f}", interval, f"{p:.2g}"])
    shares_of_hfss = []
    if config.budgets:
        title = "Shares that the maps of HFSS have, means over the classes"
        each = [
            [name, *cells(run, map("share of hfss for {:g}".format, shares), 3, network=name)]
            for name in found
        ]
        shares_of_hfss = [(title, [head[0], *head[2:]], each)]
    against = f"TPR - FPR of {learned} less that of others, {len(found)} networks, n = {len(labels)}"
    write_report(
        run,
        "How few frequencies are enough",
        [],
        ("TPR / FPR, means over the classes", head, rows),
        (against, ("share", "other", "other's", "learned", "difference, 95 %", "p"), compared),
        *shares_of_hfss,
    )
