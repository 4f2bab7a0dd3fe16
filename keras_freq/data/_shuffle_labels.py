"""The fixed permutation of labels that destroys them."""

from __future__ import annotations

from typing import Any

import numpy as np


def shuffle_labels(labels: Any, *, seed: int = 0) -> np.ndarray:
    """Permutes labels once and for good, so that nothing but memory can fit them.

    Every label is kept, so the class counts are too; on average one label in `classes` stays by chance.

    Args:
        labels: Labels along the first axis: class indices `(n,)` or one-hot `(n, classes)`.
        seed: Seed of the permutation. The same seed and length give the same permutation.

    Returns:
        A permuted copy with the shape and dtype of `labels`.

    Raises:
        ValueError: if `labels` is a scalar or empty.

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
