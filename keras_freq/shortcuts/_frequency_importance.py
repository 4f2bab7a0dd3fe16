"""How much each class of a model needs each frequency."""

from __future__ import annotations

import os
from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_whole
from keras_freq._core.journal import SweepJournal, weights_digest
from keras_freq._core.result import versions
from keras_freq.shortcuts._class_losses import LOSSES
from keras_freq.shortcuts._frequency_groups import FrequencyGroups
from keras_freq.shortcuts._importance_result import FrequencyImportance, groups_of
from keras_freq.shortcuts._removal_estimate import removal_estimate
from keras_freq.shortcuts._removal_sweep import key_of, sweep
from keras_freq.shortcuts._search_images import SearchImages

METHODS = ("exact", "hybrid", "gradient")
MIRRORS = ("conjugate", "reference")
# Images of one forward pass by default: a larger step is slower on CPUs.
_PER_STEP = 128


def frequency_importance(
    model: keras.Model,
    images: Any,
    labels: Any,
    *,
    patch: int = 1,
    method: Literal["exact", "hybrid", "gradient"] = "exact",
    mirror: Literal["conjugate", "reference"] = "conjugate",
    loss: Literal["cross_entropy", "logit"] = "cross_entropy",
    exact_share: float = 0.3,
    check: int = 32,
    seed: int = 0,
    per_step: int | None = None,
    data_format: str = "channels_last",
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
        images: `(n, height, width, channels)`, floats in [0, 1] or uint8, of any size and number of channels.
        labels: Class indices or one-hot rows. Each image counts for its own class only.
        patch: Side of the blocks of bins that are removed together, counted from DC. 1 removes single pairs.
        method: `"exact"` passes all images through the model once for each group. `"gradient"` is an
            approximation, the first term of the Taylor series, all frequencies from one backward pass; it
            finds where a model is sensitive better than the order. `"hybrid"` is one too: exact for
            `exact_share` of the groups, those with the most power in the images, the gradient for the rest.
            DC is exact always.
        mirror: `"conjugate"`, or `"reference"` for the blocks of the published code, of which most for
            `patch > 1` are removed by half and some bins never; for even sides that are multiples of `patch`.
        loss: `"cross_entropy"`, or `"logit"`, the logit of the own class with its sign changed, which does
            not saturate where a model is sure.
        exact_share: Share of the groups that `"hybrid"` measures, in (0, 1].
        check: At so many groups, drawn at random, an approximation is compared with exact values; 0: none.
        seed: Seed of that draw.
        per_step: Images times groups in one forward pass, default 128: the bound of the memory.
        data_format: `"channels_last"` or `"channels_first"`.
        checkpoint: Path of a file that keeps what is measured, a line for some thousand forward passes. A
            later call with the same settings, weights and images goes on from it and ends with the same
            numbers; others are refused. It stays when all is done.
        progress: Show a progress bar with the time left; `None`: on a terminal where tqdm is installed.

    Returns:
        A `FrequencyImportance`: `.maps` `(classes, height, width)`, `.dc` apart, `.rank_correlation` of an
        approximation. Its values do not depend on `per_step`, up to float32 rounding.

    Raises:
        ValueError: If an option is not one of those above, the images are empty or not finite, labels do not
            fit the model, the model returns probabilities, or `checkpoint` is of another run.
        TypeError: If `model` is not a Keras model.

    Source: Wang, Veldhuis, Brune, Strisciuglio, "What do neural networks learn in image classification? A
        frequency shortcut perspective", ICCV 2023, section 3.
        Differs from the original: the increase of the loss is given, not the loss, with the same ranking;
        mirrored blocks are right for every `patch`; each pair is measured once, and all are.

    Example:

    >>> x, y = data.arrays("train", limit=1000)
    >>> importance = keras_freq.shortcuts.frequency_importance(model, x, y, patch=2)
    >>> importance.maps.shape
    (10, 32, 32)
    >>> maps = keras_freq.shortcuts.dominant_frequency_map(importance, 0.05)
    >>> report = keras_freq.shortcuts.shortcut_report(model, data.test, maps)
    """
    check_whole(patch, "patch")
    check_choice(method, "method", METHODS)
    check_choice(mirror, "mirror", MIRRORS)
    check_choice(loss, "loss", LOSSES)
    check_whole(seed, "seed", least=0)
    per_step = _PER_STEP if per_step is None else check_whole(per_step, "per_step")
    if isinstance(exact_share, bool) or not 0 < exact_share <= 1:
        raise ValueError(f"`exact_share` must be a number in (0, 1]. Received: exact_share={exact_share!r}")
    if isinstance(check, bool) or not isinstance(check, (int, np.integer)) or check < 0:
        raise ValueError(f"`check` must be a whole number of at least 0. Received: check={check!r}")
    # Batches of one size, so that little is filled up.
    batches = -(-len(labels) // min(per_step, 64))
    count = max(1, -(-len(labels) // max(1, batches)))
    found = SearchImages(images, labels, model, batch_size=count, data_format=data_format)
    if patch > max(found.size):
        raise ValueError(
            f"`patch` must be at most the side of the images, {max(found.size)}. Received: patch={patch}"
        )
    groups = groups_of(found.size, int(patch), mirror)
    settings = {
        "exact_share": float(exact_share) if method == "hybrid" else None,
        "check": int(check) if method != "exact" else None,
        "seed": int(seed),
        "per_step": int(per_step),
        "data_format": data_format,
    }
    run = None
    if checkpoint is not None:
        run = {"patch": int(patch), "method": method, "mirror": mirror, "loss": loss, **settings}
        run |= {"backend": keras.backend.backend(), "weights": weights_digest(model), "images": found.digest}
    journal = SweepJournal(checkpoint, run or {}, what="frequency_importance")
    estimate, wanted, sampled, forwards = None, np.arange(len(groups)), np.zeros(0, int), 0
    if method != "exact":
        estimate, wanted, sampled = _estimated(model, found, groups, method, loss, settings, progress)
        forwards = found.n
    forwards += sweep(
        model,
        found,
        groups,
        np.union1d(wanted, sampled),
        journal,
        loss=loss,
        groups_per_step=max(1, per_step // count),
        data_format=data_format,
        progress=progress,
    )
    exact, clean, accuracy = _measured(journal, groups, found)
    correlation: tuple[float, ...] = ()
    values = exact
    if estimate is not None:
        values = estimate
        values[:, wanted] = exact[:, wanted]
        correlation = tuple(
            _spearman(a, b) for a, b in zip(values[:, sampled], exact[:, sampled], strict=True)
        )
    return FrequencyImportance(
        model=model.name,
        n=found.n,
        settings=settings,
        versions=versions(),
        size=tuple(map(int, found.size)),
        patch=int(patch),
        mirror=mirror,
        method=method,
        loss=loss,
        values=tuple(map(tuple, values.tolist())),
        clean_loss=tuple(clean.tolist()),
        clean_accuracy=tuple(accuracy.tolist()),
        count_per_class=tuple(found.count_per_class.tolist()),
        measured=len(wanted),
        checked=len(sampled),
        rank_correlation=correlation if len(sampled) else (),
        forwards=forwards,
        found_on=found.found_on,
    )


def _estimated(
    model: keras.Model,
    images: SearchImages,
    groups: FrequencyGroups,
    method: str,
    loss: str,
    settings: dict[str, Any],
    progress: bool | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First-order values `(classes, groups)`, the groups to be measured, and those to be compared at."""
    estimate, power = removal_estimate(
        model, images, loss=loss, data_format=settings["data_format"], progress=progress
    )
    power = groups.gathered(power[images.count_per_class > 0])[:, 1:]
    # Classes count alike, whatever the contrast of their images.
    power = (power / np.maximum(power.sum(axis=1, keepdims=True), 1e-30)).mean(axis=0)
    others = 1 + np.argsort(-power, kind="stable")
    share = settings["exact_share"] if method == "hybrid" else 0
    wanted = np.sort(np.append(0, others[: int(np.ceil(share * len(others)))]))
    size = min(settings["check"], len(others))
    sampled = np.sort(np.random.default_rng(settings["seed"]).choice(others, size, replace=False))
    return groups.gathered(estimate), wanted, sampled


def _measured(
    journal: SweepJournal, groups: FrequencyGroups, images: SearchImages
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Increase of the mean loss `(classes, groups)`, NaN where not measured; loss and accuracy before."""
    nothing = np.full(2 * images.classes, np.nan)
    rows = [journal.rows["clean"], *(journal.rows.get(key_of(g), nothing) for g in range(len(groups)))]
    sums = np.array(rows, "float64").reshape(len(rows), 2, images.classes)
    with np.errstate(invalid="ignore"):
        means = sums / images.count_per_class
    return (means[1:, 0] - means[0, 0]).T, means[0, 0], means[0, 1]


def _spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation; NaN where all values of one are the same."""
    if not len(first) or np.isnan(first).any() or np.isnan(second).any():
        return float("nan")
    ranks = [_ranks(values) for values in (first, second)]
    deviations = [np.std(rank) for rank in ranks]
    if 0 in deviations:
        return float("nan")
    centred = [rank - rank.mean() for rank in ranks]
    return float(np.mean(centred[0] * centred[1]) / (deviations[0] * deviations[1]))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0, the same for equal values."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[place]
