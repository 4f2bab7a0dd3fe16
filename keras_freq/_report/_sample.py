"""A sample of any data: so many images drawn evenly from all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_freq._core.batches import read_batches, wrap_arrays


def draw_sample(data: Any, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`n` images and labels, all equally likely, in mixed order, or all where there are not more.

    Everything is read once; `n` images are held, as the data hold them. The same seed draws the same ones
    from the same data.

    Args:
        data: Arrays `(images, labels)` or batches of them.
        n: How many.
        seed: Of the draw.

    Returns:
        Images and labels.
    """
    generator = np.random.default_rng(seed)
    images: list[np.ndarray] = []
    labels: list[Any] = []
    seen = 0
    for batch, classes, valid in read_batches(wrap_arrays(data, None), None, "data"):
        for image, label in zip(batch[:valid], classes[:valid], strict=True):
            # The k-th image takes a place among the n with the chance n / k: a reservoir.
            place = seen if seen < n else int(generator.integers(seen + 1))
            seen += 1
            if len(images) < n:
                images.append(np.array(image))
                labels.append(label)
            elif place < n:
                images[place], labels[place] = np.array(image), label
    order = generator.permutation(len(images))
    return np.stack([images[index] for index in order]), np.stack([labels[index] for index in order])
