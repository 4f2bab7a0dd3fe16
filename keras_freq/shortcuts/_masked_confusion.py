"""Confusions of images under several masks, a few masks a compiled step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.compiled import compile_function, to_tensor
from keras_freq.evaluate._class_scores import predicted_classes
from keras_freq.shortcuts._masked_images import half_planes, masked_copies, spectra_of

# The host runs ahead of an accelerator by at most this many steps.
_AHEAD = 16


class MaskedConfusion:
    """Counts predictions on images as they are and under each of some masks.

    Args:
        model: A built Keras classifier.
        masks: Float masks `(masks, height, width)`, Hermitian and of the size of the images.
        images: The first batch; all others have its shape.
        classes: Outputs of the model.
        per_step: Images times masks in one forward pass.
        data_format: `"channels_last"` or `"channels_first"`.
    """

    def __init__(
        self,
        model: keras.Model,
        masks: np.ndarray,
        images: np.ndarray,
        *,
        classes: int,
        per_step: int,
        data_format: str,
    ):
        last = data_format == "channels_last"
        height, width = images.shape[1:3] if last else images.shape[2:]
        shape = (images.shape[-1] if last else images.shape[1], int(height), int(width))
        self._format = data_format
        self._step = compile_function(
            model, ("predicted under masks", shape, data_format), _build(shape, data_format)
        )
        self._halves = half_planes(np.concatenate([np.ones_like(masks[:1]), masks]))
        self._per = min(max(1, per_step // len(images)), len(self._halves))
        self._groups: list[tuple[np.ndarray, Any]] = []
        self._waiting: list[tuple] = []
        self._classes = classes
        self._counts = np.zeros((0, classes, classes + 1), "int64")

    def add(self, images: np.ndarray, labels: np.ndarray, valid: int) -> None:
        """Counts a batch, of which the first `valid` images are real."""
        self._allocate(len(self._halves))
        if not self._groups:
            rows = np.arange(len(self._halves))
            for start in range(0, len(rows), self._per):
                part = rows[start : start + self._per]
                filled = np.append(part, np.repeat(part[-1:], self._per - len(part)))
                self._groups.append((part, to_tensor(self._halves[filled])))
        spectra = spectra_of(to_tensor(images), self._format)
        for rows, halves in self._groups:
            self._waiting.append((rows[:, None], labels[:valid], self._step(spectra, halves)))
        self._fetch(_AHEAD)

    def add_own(self, images: np.ndarray, labels: np.ndarray, valid: int) -> None:
        """Counts a batch as it is and with each image under the mask of its class alone.

        Of the masks one matrix is kept for all of them, since each has one row.
        """
        self._allocate(2)
        own = self._halves[1 + labels, 0, 0][:, None]
        spectra = spectra_of(to_tensor(images), self._format)
        predicted = self._step(spectra, np.stack([np.ones_like(own), own]))
        self._waiting.append((np.arange(2)[:, None], labels[:valid], predicted))
        self._fetch(_AHEAD)

    def counts(self) -> np.ndarray:
        """Counts `(1 + masks, classes, classes + 1)`: the images as they are first, rows the true classes.

        After `add_own` `(2, classes, classes + 1)`: the second matrix has row `c` under mask `c`. The last
        column counts images whose logits are NaN or infinite.
        """
        self._fetch(1)
        return self._counts

    def _allocate(self, matrices: int) -> None:
        if not len(self._counts):
            # One class more, for predictions that are none.
            self._counts = np.zeros((matrices, self._classes, self._classes + 1), "int64")

    def _fetch(self, least: int) -> None:
        if len(self._waiting) < least:
            return
        for rows, labels, predicted in self._waiting:
            # Masks and images that fill up a step come last.
            predicted = ops.convert_to_numpy(predicted)[: len(rows), : len(labels)]
            np.add.at(self._counts, (np.broadcast_to(rows, predicted.shape), labels[None], predicted), 1)
        self._waiting.clear()


@functools.lru_cache(maxsize=16)
def _build(shape: tuple[int, int, int], data_format: str) -> Callable:
    def step(forward, spectra, halves):
        logits = forward(masked_copies(spectra, halves, shape=shape, data_format=data_format))
        return ops.reshape(predicted_classes(logits), (-1, ops.shape(spectra[0])[0]))

    return step
