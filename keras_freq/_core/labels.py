"""Class labels in one checked form."""

from __future__ import annotations

from typing import Any

import numpy as np

# More classes than any set of images has; a label beyond is an identifier or a mistake.
MOST_CLASSES = 1 << 20


def class_indices(labels: Any) -> np.ndarray:
    """Labels as int64 class indices of shape `(batch,)`.

    Taken are whole numbers of shape `(batch,)` or `(batch, 1)` and one-hot rows `(batch, classes)`.

    Args:
        labels: Array of labels.

    Returns:
        int64 array of shape `(batch,)`, every entry at least 0.

    Raises:
        ValueError: If the labels are soft, negative, not whole numbers, beyond a million, or of another rank.

    Example:
        >>> class_indices([[0.0, 1.0], [1.0, 0.0]]).tolist()
        [1, 0]
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iuf":
        raise ValueError(f"Labels must be class indices or one-hot rows. Received: dtype {labels.dtype}")
    if labels.ndim == 2 and labels.shape[1] > 1:
        # Two comparisons in place of a sum: rows such as [0.5, 0.5] sum to one as well.
        if not (np.isin(labels, (0, 1)).all() and (np.count_nonzero(labels, axis=1) == 1).all()):
            raise ValueError(
                "Labels of rank 2 must be one-hot rows (a single 1, the rest 0): pass the one class of each "
                "image, of soft labels the largest, labels.argmax(-1). "
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
    if labels.size and labels.max() >= MOST_CLASSES:
        raise ValueError(
            f"Labels must be below {MOST_CLASSES}, since numbers are kept for every class up to the largest. "
            f"Received: largest label {labels.max()}"
        )
    return labels.astype("int64")
