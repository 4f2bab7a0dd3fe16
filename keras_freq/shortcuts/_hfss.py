"""Hierarchical frequency shortcut search: a few frequencies that a class is recognised by."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_whole
from keras_freq._core.compiled import to_tensor
from keras_freq._core.journal import SweepJournal, weights_digest
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import versions
from keras_freq.shortcuts._class_losses import compile_class_losses
from keras_freq.shortcuts._frequency_maps import FrequencyMaps
from keras_freq.shortcuts._hfss_masks import GRIDS, MIRRORS, StageMasks, default_patches
from keras_freq.shortcuts._hfss_result import HFSSResult
from keras_freq.shortcuts._masked_images import half_planes, masked_copies, spectra_of
from keras_freq.shortcuts._search_images import SearchImages

# Images a compiled step by default: a larger step is slower on CPUs.
_IMAGES_PER_STEP = 128
# Masks between two writes of the checkpoint, at least; the images are read and transformed once for them.
_MASKS_PER_PASS = 32
# The host runs ahead of an accelerator by at most this many steps.
_AHEAD = 16


def hfss(
    model: keras.Model,
    images: Any,
    labels: Any,
    *,
    patches: Sequence[int] | None = None,
    budgets: Sequence[int] = (1000, 2000, 4000, 8000),
    share: float = 0.6,
    top: int = 10,
    grid: str = "all",
    mirror: str = "conjugate",
    seed: int = 0,
    per_step: int | None = None,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> HFSSResult:
    """Dominant frequency maps by hierarchical frequency shortcut search.

    Each stage tries `budgets[stage]` random masks that keep a part `share` of the patches of the spectrum;
    from the second stage on a mask is multiplied by one of the stage before, of a class drawn uniformly, and
    of its `top` masks drawn uniformly. A mask's loss for class `c` is the mean cross-entropy

    `L_c(m) = mean over images x of class c of CE(model(irfft2(m * rfft2(x))), c)`,

    of all classes from one forward pass. The `top` masks of lowest loss are kept for each class; the best one
    of the last stage is the map of the class. About `share ** stages` of the bins are left.

    DC is sampled like the other frequencies, as published: with patches of more than one bin it goes with a
    patch beside it, and the images of a mask without it have the mean 0.

    Mask `index` of `stage` (both from 0) is drawn from `numpy.random.default_rng([seed, stage, index])`, so
    that masks are never stored and do not depend on how the search is cut into steps.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference mode, with the
            weights that it has at the time.
        images: Search images `(n, height, width, channels)`, of any size; best not those that the maps are
            tested on.
        labels: Their classes, whole numbers `(n,)`, or one-hot rows.
        patches: Side of the square patches of each stage, in bins; cut at the border where they do not divide
            the spectrum. By default a quarter of the shorter side, then halves (made even, down to 1): 8, 4,
            2, 1 for 32 pixels; 56, 28, 14, 8, 4, 2 for 224 with six budgets.
        budgets: Masks of each stage.
        share: Part of the patches that a mask keeps, above 0 and below 1. The authors' code has 0.8 where the
            paper has 0.6.
        top: Masks that are kept for each class.
        grid: Where the patches lie: `"aligned"` at the border of the spectrum, `"shifted"` by half a patch,
            `"union"` of one of each with half the share, or `"all"`: the three in turn, as published.
        mirror: Only one half of the plane is sampled. `"conjugate"` gives the other half its conjugate
            partners, so that every mask is Hermitian. `"n-1-i"` is the published mirror, one bin off for even
            sizes; taking the real part then halves what the two halves do not share, and the maps hold 0.5
            there.
        seed: Seed of all masks.
        per_step: Images times masks of one forward pass, which bounds the memory. Default 128; 64 to 256 is
            best on CPUs, more on an accelerator.
        batch_size: Images of one batch, at most `per_step`; by default as many as cut the images evenly.
        data_format: `"channels_last"` or `"channels_first"`.
        checkpoint: Path of a file that keeps what is measured. A later call with the same settings, weights
            and images goes on from it, with the numbers of an unbroken run bit for bit; others are refused.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        An `HFSSResult`: `.maps` for `shortcut_report`, `.share`, `.best_losses`, `.top_losses`, `.forwards`.
        Equal under another `per_step` or `batch_size` up to float32 rounding (which may break a near tie).

    Raises:
        ValueError: If patches and budgets do not fit together, an argument is out of its range, the images or
            labels do not fit the model, or `checkpoint` is of another run.
        TypeError: If `model` is not a Keras model.

    Source: Wang, Veldhuis and Strisciuglio, "Do ImageNet-trained models learn shortcuts? The impact of
    frequency shortcuts on generalization", CVPR 2025, section 3. Differs from the original: the mirror is the
    conjugate one, all is seeded, losses are exact means over images, any size and number of classes is taken.

    Example:

    >>> found = keras_freq.shortcuts.hfss(model, images, labels, budgets=(100, 200, 400, 800))
    >>> found.maps.masks.shape, found.best_losses.shape
    ((10, 32, 32), (4, 10))
    """
    patches, budgets = _check_stages(patches, budgets)
    share, top, seed = _check_share(share), check_whole(top, "top"), check_whole(seed, "seed", least=0)
    check_choice(grid, "grid", GRIDS)
    check_choice(mirror, "mirror", MIRRORS)
    per_step = _IMAGES_PER_STEP if per_step is None else check_whole(per_step, "per_step")
    batch_size = _batch_size(batch_size, per_step, images)
    data = SearchImages(images, labels, model, batch_size=batch_size, data_format=data_format)
    patches = patches or default_patches(*data.size, len(budgets))
    settings = {
        "patches": patches,
        "budgets": budgets,
        "share": share,
        "top": top,
        "grid": grid,
        "mirror": mirror,
        "seed": seed,
        "per_step": per_step,
        "batch_size": batch_size,
        "data_format": data_format,
    }
    run = {}
    if checkpoint is not None:
        run = {**settings, "backend": keras.backend.backend(), "n": data.n, "image size": data.size}
        run |= {"weights": weights_digest(model), "images": data.digest}
    journal = SweepJournal(checkpoint, run, what="hfss")
    masks = StageMasks(data.size, patches, share=share, grid=grid, mirror=mirror, seed=seed)
    step = _MaskedLosses(model, data, per_step=per_step, batch_size=batch_size, data_format=data_format)

    losses, indices = [], []
    counts = {"total": data.n * (1 + sum(budgets)), "done": data.n * len(journal.rows)}
    with progress_bar(progress, "HFSS", "image pass", **counts) as advance:
        gain = functools.partial(_gain, masks)
        clean = _measured(step, journal, ["clean"], gain, advance)[0]
        for stage, budget in enumerate(budgets):
            sums = _measured(step, journal, [f"{stage},{k}" for k in range(budget)], gain, advance)
            best = [
                np.argsort(column, kind="stable")[:top].tolist() if count else []
                for column, count in zip(sums.T, data.count_per_class, strict=True)
            ]
            losses.append([_means(sums[ks, c], data, c) for c, ks in enumerate(best)])
            indices.append(tuple(map(tuple, best)))
            masks.keep(best)
    last = len(budgets) - 1
    maps = [masks.gain(last, ks[0]) if ks else np.zeros(data.size, "float32") for ks in indices[-1]]
    return HFSSResult(
        model=model.name,
        n=data.n,
        settings=settings,
        versions=versions(),
        maps=FrequencyMaps(np.stack(maps), method="hfss", found_on=data.found_on),
        patches=patches,
        budgets=budgets,
        clean_losses=tuple(_means(clean[[c]], data, c)[0] for c in range(data.classes)),
        top_losses=tuple(map(tuple, losses)),
        top_masks=tuple(indices),
        count_per_class=tuple(data.count_per_class.tolist()),
        forwards=counts["total"],
    )


class _MaskedLosses:
    """Summed cross-entropy by class of images that keep only a mask, for many masks.

    The spectrum of a batch is computed once for all masks of a pass; a compiled step multiplies it by a few
    of them, transforms back and runs the model.
    """

    def __init__(self, model, data, *, per_step, batch_size, data_format):
        self._data, self._data_format = data, data_format
        self.masks_per_step = max(1, per_step // batch_size)
        self.masks_per_pass = -(-_MASKS_PER_PASS // self.masks_per_step) * self.masks_per_step
        shape = (data.channels, *data.size)
        self._step = compile_class_losses(
            model,
            functools.partial(masked_copies, shape=shape, data_format=data_format),
            what=("hfss", shape, data_format, self.masks_per_step, batch_size),
        )

    def __call__(self, gains: list[np.ndarray], advance) -> np.ndarray:
        """Sums `(masks, classes)`, float64, of centred masks."""
        groups = [to_tensor(group) for group in self._groups(gains)]
        sums = np.zeros((len(groups), self.masks_per_step, self._data.classes))
        waiting = []
        for images, labels, valid in self._data:
            spectra = spectra_of(images, self._data_format)
            for index, group in enumerate(groups):
                waiting.append((index, self._step(spectra, labels, valid, group)))
                if len(waiting) >= _AHEAD:
                    _fetch(waiting, sums)
        _fetch(waiting, sums)
        advance(self._data.n * len(gains))
        return sums.reshape(-1, self._data.classes)[: len(gains)]

    def _groups(self, gains: list[np.ndarray]) -> Iterator[np.ndarray]:
        """The masks of each step as half planes, the last ones filled with zeros."""
        half = half_planes(gains)
        for start in range(0, len(half), self.masks_per_step):
            group = np.zeros((self.masks_per_step, *half.shape[1:]), "float32")
            part = half[start : start + self.masks_per_step]
            group[: len(part)] = part
            yield group


def _fetch(waiting: list, sums: np.ndarray) -> None:
    """Adds what the device has computed to the sums, in float64."""
    for index, result in waiting:
        sums[index] += ops.convert_to_numpy(result)[:, 0]
    waiting.clear()


def _measured(step: _MaskedLosses, journal: SweepJournal, keys: list[str], gain, advance) -> np.ndarray:
    """Sums `(masks, classes)` of the masks of these names, those measured before read from the journal."""
    todo = [key for key in keys if key not in journal.rows]
    for start in range(0, len(todo), step.masks_per_pass):
        part = todo[start : start + step.masks_per_pass]
        sums = step([gain(key) for key in part], advance)
        journal.add(dict(zip(part, sums.tolist(), strict=True)))
    return np.array([journal.rows[key] for key in keys])


def _gain(masks: StageMasks, key: str) -> np.ndarray:
    return np.ones(masks.size, "float32") if key == "clean" else masks.gain(*map(int, key.split(",")))


def _means(sums: np.ndarray, data: SearchImages, index: int) -> tuple[float, ...]:
    count = data.count_per_class[index]
    return tuple((sums / count).tolist()) if count else (float("nan"),) * len(sums)


def _batch_size(batch_size: int | None, per_step: int, images: Any) -> int:
    if batch_size is None:
        # Batches of about half a step: two masks a step, and the last batch nearly full.
        count = max(1, len(images) if hasattr(images, "__len__") else 1)  # what is no array is refused later
        batches = -(-count // max(1, per_step // 2))
        return -(-count // batches)
    if check_whole(batch_size, "batch_size") > per_step:
        raise ValueError(
            f"`batch_size` must be at most per_step={per_step}, the images of one forward pass. "
            f"Received: batch_size={batch_size}"
        )
    return int(batch_size)


def _check_stages(patches: Any, budgets: Any) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    budgets = tuple(check_whole(budget, "budgets") for budget in _sequence(budgets, "budgets"))
    if patches is None:
        return None, budgets
    patches = tuple(check_whole(patch, "patches") for patch in _sequence(patches, "patches"))
    if len(patches) != len(budgets):
        raise ValueError(
            "`patches` and `budgets` must hold one number for each stage. "
            f"Received: {len(patches)} patches and {len(budgets)} budgets"
        )
    return patches, budgets


def _sequence(values: Any, name: str) -> Sequence:
    if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray)) or not len(values):
        raise ValueError(
            f"`{name}` must be a sequence of whole numbers, one for each stage. Received: {name}={values!r}"
        )
    return values


def _check_share(share: Any) -> float:
    if isinstance(share, bool) or not isinstance(share, (Real, np.number)) or not 0 < share < 1:
        raise ValueError(f"`share` must be a number above 0 and below 1. Received: share={share!r}")
    return float(share)
