"""In which order classes are learned, from their F1 over training."""

from __future__ import annotations

import numpy as np

from keras_freq._core.checks import check_number


def first_learned(f1: np.ndarray, *, threshold: float = 0.5) -> tuple[int, ...]:
    """The classes in the order in which their F1 first reached a threshold.

    Of classes that reached it at the same measurement the one with the higher F1 is in front. Classes that
    never did are left out.

    Args:
        f1: F1 of each class at each measurement, `(measurements, classes)`: `EarlyLearning.f1`, say.
        threshold: F1, in (0, 1].

    Returns:
        Class indices.

    Raises:
        ValueError: If `f1` is of another rank, or the threshold lies outside (0, 1].

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023 (which classes are learned first).

    Example:
        >>> keras_freq.shortcuts.first_learned(np.array([[0.1, 0.6, 0.2], [0.7, 0.8, 0.3]]))
        (1, 0)
    """
    check_number(threshold, "threshold", above=0, most=1)
    f1 = np.asarray(f1, "float64")
    if f1.ndim != 2:
        raise ValueError(f"`f1` must have the shape (measurements, classes). Received: f1.shape={f1.shape}")
    if not f1.size:
        return ()
    reached = f1 >= threshold
    first = np.where(reached.any(axis=0), reached.argmax(axis=0), len(f1))
    score = f1[np.minimum(first, len(f1) - 1), np.arange(f1.shape[1])]
    order = np.lexsort((-score, first))
    return tuple(int(label) for label in order if first[label] < len(f1))
