"""Does a model that is 80 % sure get 80 % right?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_freq._core.checks import check_choice, check_flag, check_labels, check_whole
from keras_freq._core.classifier import is_model
from keras_freq._core.compiled import compile_logits
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import sweep_batches

KINDS = ("ece", "rms", "mce")
BINNINGS = ("uniform", "quantile")
# More than any diagram shows.
MOST_BINS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class CalibrationResult(Result):
    """Calibration of a classifier; `float(result)` is the error of the kind that was asked for.

    Attributes:
        value: The error of kind `kind`.
        kind: `"ece"`, `"rms"` or `"mce"`.
        edges: Edges of the bins, one more than bins; bin `b` holds confidences above `edges[b]`, up to
            `edges[b + 1]`.
        counts: Images in each bin.
        accuracies: Share of the images in each bin that are classified rightly; NaN for an empty bin.
        confidences: Mean confidence in each bin; NaN for an empty bin.
        accuracy: Share of all images that are classified rightly.
        confidence: Mean confidence in all images.

    Example:
        >>> logits = keras_freq.evaluate.predict_logits(model, images)
        >>> result = keras_freq.evaluate.calibration_error(logits, labels, bins=10)
        >>> len(result.edges), sum(result.counts)
        (11, 8)
    """

    value: float
    kind: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    accuracies: tuple[float, ...]
    confidences: tuple[float, ...]
    accuracy: float
    confidence: float

    def __float__(self) -> float:
        return self.value

    def rows(self) -> list[dict[str, Any]]:
        """One row for each bin."""
        bins = zip(self.edges, self.edges[1:], self.counts, self.accuracies, self.confidences, strict=False)
        names = ("above", "up_to", "count", "accuracy", "confidence")
        return [
            {"model": self.model, **dict(zip(names, row, strict=True)), self.kind: self.value, "n": self.n}
            for row in bins
        ]


def calibration_error(
    outputs: Any,
    labels: Any,
    *,
    bins: int = 15,
    kind: str = "ece",
    binning: str = "uniform",
    from_logits: bool = True,
    model: str | None = None,
) -> CalibrationResult:
    """How far confidence and accuracy lie apart, over bins of confidence.

    The confidence `c` of an image is its largest probability. With `a_b` the accuracy, `c_b` the mean
    confidence and `w_b` the share of the images in bin `b`: `ece = sum(w_b |a_b - c_b|)`,
    `rms = sqrt(sum(w_b (a_b - c_b)^2))`, `mce = max |a_b - c_b|` over the bins that hold images.

    Bins are closed above: `edges[b] < c <= edges[b + 1]`, the first one closed below too.

    * `"uniform"`: edges 0, 1 / bins, ..., 1.
    * `"quantile"`: edge `b` is the smallest confidence that at least `b / bins` of the images do not exceed,
      0 and 1 the outer edges. Equal confidences always share a bin, so the order of the images does not
      matter; many of them leave bins empty. `bins=n // 100` makes bins of about 100 images.

    Args:
        outputs: Logits or probabilities `(n, classes)`, finite; or a Keras model, or a `Classifier` of one.
        labels: True classes `(n,)`; for a model the data, in any form that `accuracy` takes.
        bins: Number of bins.
        kind: `"ece"`, `"rms"` or `"mce"`.
        binning: `"uniform"` or `"quantile"`.
        from_logits: `False` if `outputs` are probabilities: rows at least 0 that sum to 1.
        model: Name kept in the result.

    Returns:
        A `CalibrationResult` with the bins, which are the data of a reliability diagram.

    Raises:
        ValueError: If shapes do not fit, values are not finite, labels are not among the classes,
            probabilities are given for logits or the reverse, or an option is unknown.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 2 (uniform bins).

    Example:
        >>> logits = np.array([[0.0, 4.0], [1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
        >>> result = keras_freq.evaluate.calibration_error(logits, [1, 1, 1, 0], bins=5)
        >>> round(float(result), 3), result.counts, result.accuracy
        (0.229, (0, 0, 0, 1, 3), 0.75)
    """
    check_flag(from_logits, "from_logits")
    check_choice(kind, "kind", KINDS)
    check_choice(binning, "binning", BINNINGS)
    bins = check_whole(bins, "bins", most=MOST_BINS)
    settings: dict[str, Any] = {"bins": bins, "kind": kind, "binning": binning, "from_logits": from_logits}
    if is_model(outputs):
        feed = ModelFeed(outputs, labels, needs_logits=True, strict=False)
        run, from_logits = compile_logits(feed.model), True
        steps = sweep_batches(feed, lambda images, *_: run(images))
        outputs = np.concatenate([found[:valid] for (_, valid), found in steps])
        labels, model = feed.labels, model or feed.model.name
        settings |= feed.settings
    logits = _check_outputs(outputs)
    labels = check_labels(labels, *logits.shape)
    confidence = _find_confidence(logits, from_logits)
    correct = logits.argmax(axis=-1) == labels
    edges = np.linspace(0, 1, bins + 1)
    if binning == "quantile":
        # Whole numbers: b * n / bins in floats may come out above the count that it equals.
        ranks = -(-np.arange(1, bins) * len(confidence) // bins)
        edges[1:-1] = np.sort(confidence)[ranks - 1]
    place = np.searchsorted(edges[1:-1], confidence, side="left")
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    right = np.bincount(place, weights=correct, minlength=bins)[filled] / counts[filled]
    sure = np.bincount(place, weights=confidence, minlength=bins)[filled] / counts[filled]
    gap, weight = np.abs(right - sure), counts[filled] / len(labels)
    value = {
        "ece": np.sum(weight * gap),
        "rms": np.sqrt(np.sum(weight * gap**2)),
        "mce": np.max(gap),
    }[kind]
    return CalibrationResult(
        model=model,
        n=len(labels),
        settings=settings,
        versions=versions(),
        value=float(value),
        kind=kind,
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        accuracies=_spread(right, filled),
        confidences=_spread(sure, filled),
        accuracy=float(correct.mean()),
        confidence=float(confidence.mean()),
    )


def _spread(values: np.ndarray, filled: np.ndarray) -> tuple[float, ...]:
    """The values of the filled bins in their places among all bins; NaN for the empty ones."""
    every = np.full(filled.shape, np.nan)
    every[filled] = values
    return tuple(every.tolist())


def _check_outputs(outputs: ArrayLike) -> np.ndarray:
    values = np.asarray(outputs)
    if values.dtype.name == "bfloat16":
        values = values.astype("float32")
    if values.ndim != 2 or not len(values) or values.shape[1] < 2 or values.dtype.kind not in "fiu":
        raise ValueError(
            "`outputs` must be real numbers of shape (n, classes), with at least one image and two classes. "
            f"Received: outputs of shape {values.shape}, dtype {values.dtype}"
        )
    values = values.astype("float64")
    if not np.isfinite(values).all():
        count = (~np.isfinite(values)).sum()
        raise ValueError(f"`outputs` must be finite. Received: outputs with {count} NaN or infinite")
    return values


def _find_confidence(outputs: np.ndarray, from_logits: bool) -> np.ndarray:
    """The largest probability of each row."""
    probabilities = outputs.min() >= 0 and np.abs(outputs.sum(axis=-1) - 1).max() < 1e-3
    if from_logits and probabilities:
        raise ValueError(
            "`outputs` must be logits unless from_logits=False. Received: from_logits=True and rows that are "
            "at least 0 and sum to 1"
        )
    if not from_logits and not probabilities:
        raise ValueError(
            "`outputs` must be rows of at least 0 that sum to 1 with from_logits=False. Received: rows that "
            f"sum to {outputs.sum(axis=-1).min():.6g} to {outputs.sum(axis=-1).max():.6g}, "
            f"smallest value {outputs.min():.6g}"
        )
    if not from_logits:
        return np.minimum(outputs.max(axis=-1), 1.0)
    return 1 / np.exp(outputs - outputs.max(axis=-1, keepdims=True)).sum(axis=-1)
