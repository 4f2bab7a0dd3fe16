"""Hierarchical frequency shortcut search: a few frequencies that a class is recognized by."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_number, check_whole, show
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.identity import identify
from keras_freq._core.journal import SweepJournal
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import choose_batch_size, sweep_items
from keras_freq.shortcuts._class_losses import compile_class_losses
from keras_freq.shortcuts._frequency_maps import FrequencyMaps, digest_images
from keras_freq.shortcuts._hfss_masks import GRIDS, MIRRORS, ROUNDINGS, StageMasks, choose_patches
from keras_freq.shortcuts._masked_images import apply_masks, compute_spectra, halve_masks

# Images per compiled step by default: a larger step is slower on CPUs.
_IMAGES_PER_STEP = 128
# Masks per pass over the data, at least; the images are read and transformed once for them.
_MASKS_PER_PASS = 32


@dataclass(frozen=True, kw_only=True)
class HFSSResult(Result):
    """Dominant frequency maps of a hierarchical search.

    Losses are means of the cross-entropy over the search images of a class that keep only a mask, in nats;
    NaN for a class without images, whose map is empty.

    Attributes:
        maps: The best mask of the last stage for each class, as `FrequencyMaps`.
        patches: Side of the patches of each stage, in bins.
        budgets: Masks tried at each stage.
        clean_losses: Losses of the images as they are, `(classes,)`.
        top_losses: Losses of the kept masks, best first: `top_losses[stage][class]`.
        top_masks: Indices of the same masks within their stage.
        count_per_class: Search images of each class.
        undefined: Undefined outputs, of images whole and masked; their losses are NaN.
        forwards: Images that went through the model, the unfiltered ones included.

    Example:
        >>> result = kf.shortcuts.hfss(model, images, labels, budgets=(4, 4), top=2)
        >>> result.patches, result.best_losses.shape, len(result.top_masks[0][0])
        ((8, 4), (2, 4), 2)
    """

    maps: FrequencyMaps = field(repr=False, compare=False, metadata={"export": False})
    patches: tuple[int, ...]
    budgets: tuple[int, ...]
    clean_losses: tuple[float, ...]
    top_losses: tuple[tuple[tuple[float, ...], ...], ...]
    top_masks: tuple[tuple[tuple[int, ...], ...], ...]
    count_per_class: tuple[int, ...]
    forwards: int
    undefined: int = 0

    @property
    def share(self) -> np.ndarray:
        """Part of the bins that each class' map keeps, `(classes,)`."""
        return self.maps.share

    @property
    def best_losses(self) -> np.ndarray:
        """Loss of the best mask of each stage and class, `(stages, classes)`."""
        return np.array(
            [[losses[0] if losses else np.nan for losses in stage] for stage in self.top_losses], "float64"
        )

    def to_dict(self) -> dict[str, Any]:
        """All numbers and settings as plain Python values, with the kept share and the masks."""
        maps = {"share": np.asarray(self.share).tolist(), "masks": np.asarray(self.maps).tolist()}
        return {**super().to_dict(), **maps}

    def rows(self) -> list[dict[str, Any]]:
        """One row per stage and class."""
        return [
            {
                "stage": stage + 1,
                "class": index,
                "patch": self.patches[stage],
                "budget": self.budgets[stage],
                "best_loss": loss,
                "clean_loss": self.clean_losses[index],
                "images": self.count_per_class[index],
                "model": self.model,
                "n": self.n,
            }
            for stage, losses in enumerate(self.best_losses.tolist())
            for index, loss in enumerate(losses)
        ]

    def _headline(self) -> dict[str, Any]:
        losses = dict(enumerate(self.best_losses[-1]))
        return {"forwards": self.forwards, "share by class": dict(enumerate(self.share)), "best loss": losses}


def hfss(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    patches: Sequence[int] | None = None,
    budgets: Sequence[int] = (1000, 2000, 4000, 8000),
    share: float = 0.6,
    rounding: str = "nearest",
    top: int = 10,
    grid: str = "all",
    mirror: str = "conjugate",
    seed: int = 0,
    per_step: int | None = None,
    batch_size: int | None = None,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
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
    patch beside it, and the images of a mask without it have the mean `mean`.

    Mask `index` of `stage` (both from 0) is drawn from `numpy.random.default_rng([seed, stage, index])`, so
    that masks are never stored and do not depend on how the search is cut into steps.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference mode, with the
            weights that it has at the time.
        images: Search images `(n, height, width, channels)`, of any size; best not those that the maps are
            tested on. Without `labels` data that can be read again: arrays `(images, labels)`, a
            `tf.data.Dataset`, a `keras.utils.PyDataset`.
        labels: Their classes, whole numbers `(n,)`, or one-hot rows.
        patches: Side of the square patches of each stage, in bins; cut at the border where they do not divide
            the spectrum. By default a quarter of the shorter side, then halves (made even, down to 1): 8, 4,
            2, 1 for 32 pixels; 56, 28, 14, 8, 4, 2 for 224 with six budgets.
        budgets: Masks of each stage.
        share: Part of the patches that a mask keeps, above 0 and below 1. The authors' code has 0.8 where the
            paper has 0.6.
        rounding: Of the number of these patches: to the `"nearest"` whole number, or `"down"`, as published.
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
        mean: What a removed DC leaves behind, on [0, 1], one number or one for each channel: it is
            subtracted before every mask and added after it. `None`: the mean of the model's first
            `Normalization`, else 0, as when normalized images are filtered. 0 filters pixels: images without
            DC are black.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        checkpoint: Path of a file that keeps what is measured. A later call with the same settings, weights
            and images goes on from it, with the numbers of an unbroken run bit for bit; others are refused.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        An `HFSSResult`: `.maps` for `shortcut_report`, `.share`, `.best_losses`, `.top_losses`, `.forwards`.
        Equal under another `per_step` or `batch_size` up to float32 rounding (which may break a near tie).

    Raises:
        ValueError: If patches and budgets do not fit together, an argument is out of its range, the images or
            labels do not fit the model, or `checkpoint` is of another run.
        TypeError: If `model` is not a Keras model.

    Source: Wang, Veldhuis and Strisciuglio, "Do ImageNet-trained models learn shortcuts? The impact of
        frequency shortcuts on generalization", CVPR 2025, section 3.
        Differs from the original: the mirror is the conjugate one, all is seeded, losses are exact means over
        images, any size and number of classes is taken.

    Example:
        >>> result = kf.shortcuts.hfss(model, images, labels, budgets=(4, 4), top=2)
        >>> result.maps.masks.shape, result.best_losses.shape
        ((4, 32, 32), (2, 4))
    """
    patches, budgets = _check_stages(patches, budgets)
    share = check_number(share, "share", above=0, below=1)
    top, seed = check_whole(top, "top"), check_whole(seed, "seed", least=0)
    check_choice(rounding, "rounding", ROUNDINGS)
    check_choice(grid, "grid", GRIDS)
    check_choice(mirror, "mirror", MIRRORS)
    per_step = _IMAGES_PER_STEP if per_step is None else check_whole(per_step, "per_step")
    if batch_size is None:
        # Batches of about half a step: two masks per step, and the last batch nearly full.
        batch_size = choose_batch_size(images if labels is None else (images, labels), max(1, per_step // 2))
    elif check_whole(batch_size, "batch_size") > per_step:
        raise ValueError(
            f"`batch_size` must be at most per_step={per_step}, the images of one forward pass. "
            f"Received: batch_size={batch_size}"
        )
    feed = ModelFeed(
        model,
        images if labels is None else (images, labels),
        batch_size=batch_size,
        data_format=data_format,
        needs_logits=True,
        hashed=checkpoint is not None,
    )
    fill = feed.model.fill_of_dc(mean, feed.channels)
    found_on, data_format = digest_images(feed), feed.data_format
    patches = patches or choose_patches(*feed.size, len(budgets))
    settings = {
        "patches": patches,
        "budgets": budgets,
        "share": share,
        "rounding": rounding,
        "top": top,
        "grid": grid,
        "mirror": mirror,
        "seed": seed,
        "per_step": per_step,
        "batch_size": batch_size,
        "mean": tuple(fill.tolist()),
        **feed.settings,
    }
    run: dict[str, Any] = {}
    if checkpoint is not None:
        run = {**settings, "backend": keras.backend.backend(), "n": feed.n, "image size": feed.size}
        run["rows"] = "losses, undefined"
        run |= {**identify(feed.model), "images": feed.digest()}
    journal = SweepJournal(checkpoint, run, what="hfss")
    masks = StageMasks(
        feed.size, patches, share=share, rounding=rounding, grid=grid, mirror=mirror, seed=seed
    )
    shape, masks_per_step = (feed.channels, *feed.size), max(1, per_step // feed.batch_size)
    total, done = feed.n * (1 + sum(budgets)), feed.n * len(journal.rows)
    with progress_bar(progress, "HFSS", "image pass", total=total, done=done) as advance:
        measure = functools.partial(
            sweep_items,
            batches=feed,
            step=compile_class_losses(
                feed.model,
                functools.partial(apply_masks, mean=fill, shape=shape, data_format=data_format),
                what=("hfss", shape, data_format, *fill.tolist(), masks_per_step, feed.batch_size),
            ),
            load=lambda places: to_tensor(
                halve_masks(np.stack([_make_gain(masks, place) for place in places]))
            ),
            prepare=lambda images: compute_spectra(images, fill, data_format),
            fold=_add_losses,
            per_step=masks_per_step,
            per_pass=masks_per_step * math.ceil(_MASKS_PER_PASS / masks_per_step),
            journal=journal,
            advance=advance,
        )
        clean, undefined = np.split(measure({"clean": None})[0], [-1])
        losses, indices = [], []
        for stage, budget in enumerate(budgets):
            sums, failed = np.split(
                measure({f"{stage},{index}": (stage, index) for index in range(budget)}), [-1], axis=1
            )
            undefined = undefined + failed.sum()
            best = [
                np.argsort(column, kind="stable")[:top].tolist() if count else []
                for column, count in zip(sums.T, feed.count_per_class, strict=True)
            ]
            means = (sums[chosen, c] / feed.count_per_class[c] for c, chosen in enumerate(best))
            losses.append(tuple(tuple(mean.tolist()) for mean in means))
            indices.append(tuple(map(tuple, best)))
            masks.keep(best)
    last = len(budgets) - 1
    maps = [masks.gain(last, best[0]) if best else np.zeros(feed.size, "float32") for best in indices[-1]]
    with np.errstate(invalid="ignore"):
        clean_losses = clean / feed.count_per_class
    return HFSSResult(
        model=feed.model.name,
        n=feed.n,
        settings=settings,
        versions=versions(),
        maps=FrequencyMaps(np.stack(maps), method="hfss", found_on=found_on),
        patches=patches,
        budgets=budgets,
        clean_losses=tuple(clean_losses.tolist()),
        top_losses=tuple(losses),
        top_masks=tuple(indices),
        count_per_class=tuple(feed.count_per_class.tolist()),
        undefined=int(undefined.sum()),
        forwards=total,
    )


def _make_gain(masks: StageMasks, place: tuple[int, int] | None) -> np.ndarray:
    return np.ones(masks.size, "float32") if place is None else masks.gain(*place)


def _add_losses(total: Any, part: np.ndarray, labels: Any, valid: int) -> np.ndarray:
    """Summed losses of each mask and class, and behind them its undefined outputs, float64."""
    losses = np.column_stack([part[:, 0], part[:, 2].sum(axis=1)]).astype("float64")
    return losses if total is None else total + losses


def _check_stages(patches: Any, budgets: Any) -> tuple[tuple[int, ...] | None, tuple[int, ...]]:
    budgets = tuple(check_whole(budget, "budgets") for budget in _check_sequence(budgets, "budgets"))
    if patches is None:
        return None, budgets
    patches = tuple(check_whole(patch, "patches") for patch in _check_sequence(patches, "patches"))
    if len(patches) != len(budgets):
        raise ValueError(
            "`patches` and `budgets` must hold one number for each stage. "
            f"Received: {len(patches)} patches and {len(budgets)} budgets"
        )
    return patches, budgets


def _check_sequence(values: Any, name: str) -> tuple:
    if isinstance(values, (str, bytes)) or not isinstance(values, (Sequence, np.ndarray)) or not len(values):
        raise ValueError(
            f"`{name}` must be a sequence of whole numbers, one for each stage. "
            f"Received: {name}={show(values)}"
        )
    return tuple(values)
