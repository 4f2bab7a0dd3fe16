"""Class labels: one checked form, and the fixed permutation that destroys them."""

from __future__ import annotations

from typing import Any

import numpy as np


def class_indices(labels: Any) -> np.ndarray:
    """Labels as int64 class indices of shape `(batch,)`.

    Taken are whole numbers of shape `(batch,)` or `(batch, 1)` and one-hot rows `(batch, classes)`.

    Args:
        labels: Array of labels.

    Returns:
        int64 array of shape `(batch,)`, every entry at least 0.

    Raises:
        ValueError: If the labels are soft, negative, not whole numbers, or of another rank.

    Example:

    >>> class_indices([[0.0, 1.0], [1.0, 0.0]])
    array([1, 0])
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iuf":
        raise ValueError(f"Labels must be class indices or one-hot rows. Received: dtype {labels.dtype}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        # Two comparisons in place of a sum: rows such as [0.5, 0.5] sum to one as well.
        if not (np.isin(labels, (0, 1)).all() and (np.count_nonzero(labels, axis=1) == 1).all()):
            raise ValueError(
                "Labels of rank 2 must be one-hot rows (a single 1, the rest 0), not soft labels. "
                f"Received: labels of shape {labels.shape}, first row {labels[0].tolist()[:10]}"
            )
        return labels.argmax(axis=1).astype("int64")
    if labels.ndim == 2:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(
            "Labels must have shape (batch,), (batch, 1) or one-hot (batch, classes). "
            f"Received: labels of shape {labels.shape}"
        )
    if labels.dtype.kind == "f" and not (np.isfinite(labels).all() and (labels == np.floor(labels)).all()):
        raise ValueError(
            f"Labels must be whole numbers. Received: labels starting with {labels[:5].tolist()}"
        )
    if labels.size and labels.min() < 0:
        raise ValueError(f"Labels must be at least 0. Received: smallest label {labels.min()}")
    return labels.astype("int64")


def shuffle_labels(labels: Any, *, seed: int = 0) -> np.ndarray:
    """Permutes labels once and for good, so that nothing but memory can fit them.

    Every label is kept, so the class counts are too; on average one label in `classes` stays by chance.

    Args:
        labels: Labels along the first axis: class indices `(n,)` or one-hot `(n, classes)`.
        seed: Seed of the permutation. The same seed and length give the same permutation.

    Returns:
        A permuted copy with the shape and dtype of `labels`.

    Raises:
        ValueError: If `labels` is a scalar or empty.

    Source: Wang, Wu, Huang, Xing, High-Frequency Component Helps Explain the Generalization of Convolutional
    Neural Networks, CVPR 2020, section 4 (after Zhang et al., ICLR 2017).
    Differs from the original: the permutation follows from `seed` alone.

    Example:

    >>> shuffled = keras_freq.data.shuffle_labels(np.arange(10) % 2, seed=1)
    >>> int(shuffled.sum())
    5
    """
    labels = np.asarray(labels)
    if labels.ndim == 0 or len(labels) == 0:
        raise ValueError(f"`labels` must hold at least one label. Received: labels of shape {labels.shape}")
    return labels[np.random.default_rng(seed).permutation(len(labels))]
