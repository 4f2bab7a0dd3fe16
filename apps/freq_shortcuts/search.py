"""The images that dominant frequencies are searched on."""

from __future__ import annotations

import numpy as np

from apps.freq_shortcuts.config import Search
from apps.lab import RunError
from apps.lab.images import Images


def search_images(images: Images, search: Search, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of the search, as many of every class, in the stored order.

    Training images by default, those that are held out for validation among them, as published: as many of a
    class as `search.images_per_class` says, or as the test set has, drawn with the seed. With `search.split`
    `test` they are test images.

    Raises:
        RunError: If a class has fewer images than are asked for.
    """
    pixels, labels = images.test if search.split == "test" else images.train
    rows = []
    for label in range(len(images.classes)):
        own = np.flatnonzero(labels == label)
        wanted = search.images_per_class
        if wanted is None:
            wanted = min(len(own), int((images.test[1] == label).sum()))
        elif wanted > len(own):
            split = "test" if search.split == "test" else "training"
            raise RunError(
                f"`search.images_per_class` must be at most the number of {split} images of each class, "
                f"{len(own)} of {images.classes[label]}. Received: search.images_per_class={wanted}"
            )
        rows.append(np.random.default_rng([seed, label]).permutation(own)[:wanted])
    rows = np.sort(np.concatenate(rows))
    return pixels[rows], labels[rows]
