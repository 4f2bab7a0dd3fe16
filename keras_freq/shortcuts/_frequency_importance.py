"""How much each class of a model needs each frequency."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_number, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.identity import identify
from keras_freq._core.journal import SweepJournal
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import choose_batch_size, sweep_items
from keras_freq.evaluate import rank_correlation
from keras_freq.shortcuts._class_losses import LOSSES, compile_class_losses
from keras_freq.shortcuts._frequency_groups import FrequencyGroups, group_frequencies
from keras_freq.shortcuts._frequency_maps import digest_images
from keras_freq.shortcuts._removal import estimate_removal, remove_waves

METHODS = ("exact", "hybrid", "gradient")
MIRRORS = ("conjugate", "reference")
# Images of one forward pass by default: a larger step is slower on CPUs.
_PER_STEP = 128
# Images of a pass, about: a line of the journal costs less than a hundredth of them.
_IMAGES_PER_PASS = 4096
# Memory of the waves of a pass.
_BYTES_PER_PASS = 1 << 27


@dataclass(frozen=True, kw_only=True)
class FrequencyImportance(Result):
    """How much the loss of each class rises when frequencies are removed from its images.

    The numbers stand in `values`, by class and group of frequencies; the maps are made from them.

    Attributes:
        size: Height and width of the images.
        patch: Side of the blocks of bins that are removed together.
        mirror: `"conjugate"` or `"reference"`.
        method: `"exact"`, `"hybrid"` or `"gradient"`; the last two are approximations.
        loss: `"cross_entropy"` or `"logit"`.
        values: Mean increase of the loss over the images of the class, `(classes, groups)`, the groups from
            DC outward; the first is DC alone. NaN for a class without an image.
        clean_loss: Mean loss of each class with nothing removed.
        clean_accuracy: Share of each class that is recognized with nothing removed.
        count_per_class: Images of each class.
        measured: How many groups were measured exactly, DC among them.
        undefined: Undefined outputs, of images whole and without frequencies; they count as wrong.
        forwards: Images passed through the model by this call, filling included, not counting what a
            checkpoint held; not compared.
        checked: Groups at which an approximation was compared with exact values, DC apart; 0: none.
        rank_correlation: Spearman's rank correlation there, for each class; empty where nothing was compared.
        found_on: Digests of the images that were searched on; not exported.

    Example:
        >>> importance = kf.shortcuts.frequency_importance(model, images, labels, patch=8, method="gradient")
        >>> importance.maps.shape, importance.dc.shape, len(importance.rank_correlation)
        ((4, 32, 32), (4,), 4)
    """

    size: tuple[int, int]
    patch: int
    mirror: str
    method: str
    loss: str
    values: tuple[tuple[float, ...], ...]
    clean_loss: tuple[float, ...]
    clean_accuracy: tuple[float, ...]
    count_per_class: tuple[int, ...]
    measured: int
    checked: int = 0
    undefined: int = 0
    rank_correlation: tuple[float, ...] = ()
    forwards: int = field(default=0, compare=False)
    found_on: frozenset[bytes] = field(default=frozenset(), repr=False, metadata={"export": False})

    @property
    def groups(self) -> FrequencyGroups:
        """The groups that were removed."""
        return group_frequencies(self.size, self.patch, self.mirror)

    @property
    def dc(self) -> np.ndarray:
        """Mean increase of the loss of each class without the mean of its images, `(classes,)`.

        Always measured exactly: it is far outside first order.
        """
        return np.array(self.values, "float64")[:, 0]

    @property
    def maps(self) -> np.ndarray:
        """Mean increase of the loss of each class at each bin, float64 `(classes, height, width)`.

        DC is at `(height // 2, width // 2)`. With `mirror="reference"` some bins are never removed: there the
        map holds minus the clean loss, so that they rank last, as published.
        """
        return self.groups.spread(np.array(self.values, "float64"), -np.array(self.clean_loss, "float64"))

    def rows(self) -> list[dict[str, Any]]:
        """One row per class and group: centered indices of one of its bins, its frequency, the importance."""
        groups, rows = self.groups, []
        bins = groups.gather(np.ones(self.size))
        for label, values in enumerate(self.values):
            for group, value in enumerate(values):
                i, j = int(groups.rows[group, 0]), int(groups.columns[group, 0])
                place = {"i": i, "j": j, "u": i - self.size[0] // 2, "v": j - self.size[1] // 2}
                rows.append({"class": label, **place, "bins": float(bins[group]), "importance": value})
        return rows


def frequency_importance(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    patch: int = 1,
    method: Literal["exact", "hybrid", "gradient"] = "exact",
    mirror: Literal["conjugate", "reference"] = "conjugate",
    loss: Literal["cross_entropy", "logit"] = "cross_entropy",
    exact_share: float = 0.3,
    check: int = 32,
    seed: int = 0,
    per_step: int | None = None,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> FrequencyImportance:
    """Increase of the loss of each class when a frequency is removed from its images.

    `I_c(B) = mean over x of class c of L(x without B) - L(x)`, where `B` is a conjugate pair of frequencies,
    or all pairs of a block, removed from every channel. Each pair is removed once, those of row and column 0
    and of Nyquist frequencies too. A pair is taken out by projection on its cosine and sine, which needs no
    transform: `x' = x - sum_k <x, e_k> e_k`.

    Search on images that the shortcut test will not use: `keras_freq.shortcuts.shortcut_report` refuses maps
    that were found on its own images.

    Args:
        model: Keras classifier that returns logits. It runs in inference mode.
        images: `(n, height, width, channels)`, of any size and number of channels; or without `labels` data
            that can be read again: arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`.
        labels: Class indices or one-hot rows. Each image counts for its own class only.
        patch: Side of the blocks of bins that are removed together, counted from DC. 1 removes single pairs.
        method: `"exact"` passes all images through the model once for each group. `"gradient"` is an
            approximation, the first term of the Taylor series, all frequencies from one backward pass; it
            finds where a model is sensitive better than the order. `"hybrid"` is one too: exact for
            `exact_share` of the groups, those with the most power in the images, the gradient for the rest.
            DC is exact always.
        mirror: `"conjugate"`, or `"reference"` for the blocks of the published code, of which most for
            `patch > 1` are removed by half and some bins never; for even sides that are multiples of `patch`.
            For `patch > 1` the two rank otherwise: Spearman's correlation between them was .37 to .62.
        loss: `"cross_entropy"`, or `"logit"`, the logit of the own class with its sign changed, which does
            not saturate where a model is sure.
        exact_share: Share of the groups that `"hybrid"` measures, in (0, 1].
        check: Number of groups, drawn at random, at which an approximation is compared with exact values.
        seed: Seed of that draw.
        per_step: Images times groups in one forward pass, default 128: the bound of the memory.
        mean: What a removed DC leaves behind, on [0, 1], one number or one for each channel: it is
            subtracted before every mask and added after it. `None`: the mean of the model's first
            `Normalization`, else 0, as when normalized images are filtered. 0 filters pixels: images without
            DC are black.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        checkpoint: Path of a file that keeps what is measured, one line per pass over the images, some
            thousand of them at least. A later call with the same settings, weights and images goes on from
            it and ends with the same numbers; others are refused. It stays when all is done.
        progress: Show a progress bar with the time left; `None`: on a terminal.

    Returns:
        A `FrequencyImportance`: `.maps` `(classes, height, width)`, `.dc` apart, `.rank_correlation` of an
        approximation. Its values do not depend on `per_step`, up to float32 rounding.

    Raises:
        ValueError: If an option is not one of those above, the images are empty or not finite, labels do not
            fit the model, the model returns probabilities, or `checkpoint` is of another run.
        TypeError: If `model` is not a Keras model.

    Source: Wang, Veldhuis, Brune, Strisciuglio, "What do neural networks learn in image classification? A
        frequency shortcut perspective", ICCV 2023, section 3.
        Differs from the original: the increase of the loss is given, not the loss, which ranks the same;
        mirrored blocks are right for every `patch`, so that for `patch > 1` the ranking is not the published
        one, which `mirror="reference"` gives; each pair is measured once, and all are.

    Example:
        >>> importance = kf.shortcuts.frequency_importance(model, images[:4], labels[:4], patch=8)
        >>> importance.maps.shape
        (4, 32, 32)
        >>> maps = kf.shortcuts.dominant_frequency_map(importance, 0.05)
        >>> report = kf.shortcuts.shortcut_report(model, (images[4:], labels[4:]), maps)
    """
    patch, seed, check = (
        check_whole(patch, "patch"),
        check_whole(seed, "seed", least=0),
        check_whole(check, "check", least=0),
    )
    check_choice(method, "method", METHODS)
    check_choice(mirror, "mirror", MIRRORS)
    check_choice(loss, "loss", LOSSES)
    per_step = _PER_STEP if per_step is None else check_whole(per_step, "per_step")
    exact_share = check_number(exact_share, "exact_share", above=0, most=1)
    feed = ModelFeed(
        model,
        images if labels is None else (images, labels),
        batch_size=choose_batch_size(images if labels is None else (images, labels), min(per_step, 64)),
        data_format=data_format,
        needs_gradients=method != "exact",
        needs_logits=True,
        hashed=checkpoint is not None,
    )
    if patch > max(feed.size):
        raise ValueError(
            f"`patch` must be at most the side of the images, {max(feed.size)}. Received: patch={patch}"
        )
    found_on = digest_images(feed)
    data_format, fill = feed.data_format, feed.model.fill_of_dc(mean, feed.channels)
    groups = group_frequencies(feed.size, patch, mirror)
    settings = {
        "exact_share": exact_share if method == "hybrid" else None,
        "check": check if method != "exact" else None,
        "seed": seed,
        "per_step": per_step,
        "mean": tuple(fill.tolist()),
        **feed.settings,
    }
    run: dict[str, Any] = {}
    if checkpoint is not None:
        run = {"patch": patch, "method": method, "mirror": mirror, "loss": loss, **settings}
        run |= {
            "rows": "loss, correct, undefined",
            "backend": keras.backend.backend(),
            **identify(feed.model),
            "images": feed.digest(),
        }
    journal = SweepJournal(checkpoint, run, what="frequency_importance")

    estimate, exact_groups, compared, forwards = None, np.arange(len(groups)), np.zeros(0, int), 0
    if method != "exact":
        estimate, power = (
            groups.gather(maps) for maps in estimate_removal(feed, fill, loss=loss, progress=progress)
        )
        forwards = feed.n
        exact_groups, compared = _choose_groups(
            power[feed.count_per_class > 0], exact_share if method == "hybrid" else 0, check, seed
        )
    measured = np.union1d(exact_groups, compared)
    remove = compile_class_losses(
        feed.model,
        functools.partial(remove_waves, mean=fill, data_format=data_format),
        what=("remove", data_format, *fill.tolist()),
        loss=loss,
    )

    def count(waves: Any, batch: int, valid: int) -> Any:
        nonlocal forwards
        forwards += len(waves) * batch
        return waves

    items = {"clean": None, **{str(group): int(group) for group in measured}}
    groups_per_step = min(max(1, per_step // feed.batch_size), len(items))
    total = len(items) * feed.n
    done = sum(key in journal.rows for key in items) * feed.n
    with progress_bar(progress, "frequency importance", total=total, done=done) as advance:
        sums = sweep_items(
            items,
            feed,
            remove,
            draw=count,
            load=lambda few: to_tensor(groups.make_waves(few)),
            per_step=groups_per_step,
            per_pass=groups_per_step * _count_steps(groups, groups_per_step, feed.n),
            journal=journal,
            advance=advance,
        )
    with np.errstate(invalid="ignore"):
        clean, *means = sums / feed.count_per_class
    exact = np.full((feed.classes, len(groups)), np.nan)
    exact[:, measured] = np.stack([mean[0] - clean[0] for mean in means], axis=1)
    values = exact
    if estimate is not None:
        values = estimate
        values[:, exact_groups] = exact[:, exact_groups]
    correlation = (_compare_ranks(values[c, compared], exact[c, compared]) for c in range(feed.classes))
    return FrequencyImportance(
        model=feed.model.name,
        n=feed.n,
        settings=settings,
        versions=versions(),
        size=feed.size,
        patch=patch,
        mirror=mirror,
        method=method,
        loss=loss,
        values=tuple(map(tuple, values.tolist())),
        clean_loss=tuple(clean[0].tolist()),
        clean_accuracy=tuple(clean[1].tolist()),
        count_per_class=tuple(feed.count_per_class.tolist()),
        measured=len(exact_groups),
        checked=len(compared),
        undefined=int(sums[:, 2].sum()),
        rank_correlation=tuple(correlation) if len(compared) else (),
        forwards=forwards,
        found_on=found_on,
    )


def _choose_groups(power: np.ndarray, share: float, check: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The groups to be measured, DC and the strongest, and those at which an estimate is compared.

    `power` is `(classes, groups)`.
    """
    power = power[:, 1:]
    # Classes count alike, whatever the contrast of their images.
    power = (power / np.maximum(power.sum(axis=1, keepdims=True), 1e-30)).mean(axis=0)
    others = 1 + np.argsort(-power, kind="stable")
    measured = np.append(0, others[: int(np.ceil(share * len(others)))])
    compared = np.random.default_rng(seed).choice(others, min(check, len(others)), replace=False)
    return np.sort(measured), np.sort(compared)


def _count_steps(groups: FrequencyGroups, groups_per_step: int, n: int) -> int:
    """Steps of a pass over the data, within bounds of images and of memory."""
    enough = math.ceil(_IMAGES_PER_PASS / (groups_per_step * n))
    size = 8 * groups_per_step * groups.rows.shape[1] * math.prod(groups.size)
    return max(1, min(enough, _BYTES_PER_PASS // size))


def _compare_ranks(first: np.ndarray, second: np.ndarray) -> float:
    """The rank correlation; NaN for a class without an image, and where a single value leaves none."""
    if len(first) < 2 or np.isnan(first).any() or np.isnan(second).any():
        return float("nan")
    return rank_correlation(first, second)
