"""How well a score tells known classes from unknown ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_number
from keras_freq._core.result import Result, versions


@dataclass(frozen=True, kw_only=True)
class OODResult(Result):
    """Detection of out-of-distribution images; all numbers lie in [0, 1], higher is better.

    Attributes:
        auroc: Chance that an in-distribution image scores higher than an out-of-distribution one, ties half.
        tnr: Share of the out-of-distribution images that are rejected at `threshold`.
        tpr: Share of the in-distribution images that are kept at `threshold`: at least what was asked for.
        threshold: Images that score at least this are taken for in-distribution ones.
        detection_accuracy: Mean of the two shares at the threshold that is best for it.
        aupr_in: Average precision with the in-distribution images as positives.
        aupr_out: Average precision with the out-of-distribution images as positives.
        n_in: In-distribution images.
        n_out: Out-of-distribution images.
        oscr: Area under the open-set classification rate; None where `correct` was not given.

    Example:
        >>> result = keras_freq.evaluate.ood_metrics([0.9, 0.8, 0.4], [0.5, 0.1])
        >>> result.n_in, result.n_out, result.threshold
        (3, 2, 0.4)
    """

    auroc: float
    tnr: float
    tpr: float
    threshold: float
    detection_accuracy: float
    aupr_in: float
    aupr_out: float
    n_in: int
    n_out: int
    oscr: float | None = None


def ood_metrics(
    scores_in: ArrayLike,
    scores_out: ArrayLike,
    *,
    tpr: float = 0.95,
    correct: ArrayLike | None = None,
    model: str | None = None,
) -> OODResult:
    """Detection metrics from scores of which a HIGHER one means MORE in-distribution.

    In-distribution images are the positives. At a threshold `t` an image is taken for one of them if its
    score is at least `t`: `TPR(t) = mean(in >= t)`, `FPR(t) = mean(out >= t)`, `TNR = 1 - FPR`.

    * `auroc = P(in > out) + P(in = out) / 2`.
    * `tnr` is `TNR(t)` at the highest `t` with `TPR(t) >= tpr`. Nothing is interpolated: `t` is the score of
      an image, so both shares are what a user of that threshold gets, and never is less kept than asked for.
    * `detection_accuracy = max over t of (TPR(t) + 1 - FPR(t)) / 2`, at least 0.5.
    * `aupr_in`, `aupr_out`: average precision, `sum over t of (recall(t) - recall(t')) precision(t)`, where
      `t'` is the next higher threshold; for `aupr_out` the positives are the out-of-distribution images and
      the scores are negated. Tied scores are one threshold.
    * `oscr`: area under the share of the in-distribution images that are kept and classified correctly, over
      `FPR`: `P(correct, in > out) + P(correct, in = out) / 2`. At most the accuracy, and at most `auroc`.

    Args:
        scores_in: Scores of the in-distribution images, finite, one each, as from `ood_scores`.
        scores_out: Scores of the out-of-distribution images.
        tpr: Share of the in-distribution images to keep, in (0, 1].
        correct: Whether each in-distribution image is classified correctly, booleans `(n_in,)`, for `oscr`.
        model: Name kept in the result.

    Returns:
        An `OODResult`. `auroc`, `aupr_in` and `aupr_out` are those of `roc_auc_score` and
        `average_precision_score` of scikit-learn.

    Raises:
        ValueError: If there are no scores on a side, they are not finite or not of rank 1, `tpr` lies
            outside (0, 1], or `correct` has not one boolean for each in-distribution image.

    Source: Chen et al., ICCV 2021, the table of out-of-distribution detection; `oscr`: Dhamija et al.,
        "Reducing Network Agnostophobia", NeurIPS 2018.
        Differs from the original: the published code takes the point of the curve with the TPR nearest to
        95 %, which may keep less than that.

    Example:
        >>> result = keras_freq.evaluate.ood_metrics([0.9, 0.8, 0.4], [0.5, 0.1])
        >>> round(result.auroc, 3), result.tnr, round(result.detection_accuracy, 3)
        (0.833, 0.5, 0.833)
    """
    inside, outside = _check_scores(scores_in, "scores_in"), _check_scores(scores_out, "scores_out")
    tpr = check_number(tpr, "tpr", above=0, most=1)
    oscr = None
    if correct is not None:
        right = np.sort(inside[_check_correct(correct, len(inside))])
        oscr = _count_above(right, np.sort(outside)) / len(inside) / len(outside)
    inside.sort()
    outside.sort()
    n_in, n_out = len(inside), len(outside)

    kept = max(1, int(np.ceil(tpr * n_in - 1e-9)))  # 0.95 times 20 is a whole number, but for rounding
    threshold = inside[n_in - kept]

    # Every score is a threshold; below them all everything is kept.
    thresholds = np.unique(np.concatenate([inside, outside]))
    true = n_in - np.searchsorted(inside, thresholds, side="left")
    false = n_out - np.searchsorted(outside, thresholds, side="left")
    detection = max(0.5, float(np.max(true / n_in + 1 - false / n_out)) / 2)
    return OODResult(
        model=model,
        n=n_in + n_out,
        settings={"tpr": tpr},
        versions=versions(),
        auroc=_count_above(inside, outside) / n_in / n_out,
        tnr=float(np.mean(outside < threshold)),
        tpr=float(np.mean(inside >= threshold)),
        threshold=float(threshold),
        detection_accuracy=detection,
        aupr_in=_compute_average_precision(true, false),
        aupr_out=_compute_average_precision(
            np.searchsorted(outside, thresholds, side="right")[::-1],
            np.searchsorted(inside, thresholds, side="right")[::-1],
        ),
        n_in=n_in,
        n_out=n_out,
        oscr=oscr,
    )


def _count_above(inside: np.ndarray, outside: np.ndarray) -> float:
    """Pairs in which the first score is higher; ties count half. `outside` is sorted."""
    both = (np.searchsorted(outside, inside, side=side).sum() for side in ("left", "right"))
    return float(sum(both)) / 2


def _check_correct(correct: Any, count: int) -> np.ndarray:
    array = np.asarray(correct)
    if array.dtype != bool or array.shape != (count,):
        raise ValueError(
            f"`correct` must hold one boolean for each of the {count} in-distribution images. "
            f"Received: correct of shape {array.shape}, dtype {array.dtype}"
        )
    return array


def _compute_average_precision(true: np.ndarray, false: np.ndarray) -> float:
    """From the counts of kept positives and negatives, from the loosest threshold to the strictest."""
    steps = true - np.append(true[1:], 0)
    return float(np.sum(steps * (true / (true + false))) / true[0])


def _check_scores(scores: Any, name: str) -> np.ndarray:
    array = np.asarray(scores)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "fiu":
        raise ValueError(
            f"`{name}` must be a list of real numbers, one for each image. "
            f"Received: {name} of shape {array.shape}, dtype {array.dtype}"
        )
    array = array.astype("float64")  # a copy
    if not np.isfinite(array).all():
        raise ValueError(
            f"`{name}` must be finite. Received: {name} with {(~np.isfinite(array)).sum()} NaN or infinite"
        )
    return array
