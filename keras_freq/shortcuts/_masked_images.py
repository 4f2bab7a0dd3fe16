"""Images under many masks: the spectrum of a batch once, then a product and a way back for each mask."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from keras import ops

from keras_freq._core.batches import Batch
from keras_freq._core.compiled import compile_function, to_tensor
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.sweep import sweep_items
from keras_freq.evaluate._predictions import choose_classes, is_tied
from keras_freq.spectral._dft import half_mask, irfft2, rfft2

# Images of one forward pass by default: a larger step is slower on CPUs.
IMAGES_PER_STEP = 128


def halve_masks(masks: np.ndarray) -> np.ndarray:
    """The halves of centered masks `(masks, height, width)` that a half spectrum is multiplied by.

    Returns:
        float32 `(masks, 1, 1, height, width // 2 + 1)`, to be broadcast over images and channels.
    """
    halves = np.stack([half_mask(mask, *mask.shape) for mask in masks]).astype("float32")
    return halves[:, None, None]


def compute_spectra(images: Any, mean: np.ndarray, data_format: str) -> tuple[Any, Any]:
    """Half spectra `(re, im)` of a batch less `mean`, `(batch, channels, height, columns)`."""
    planes = ops.transpose(images, (0, 3, 1, 2)) if data_format == "channels_last" else images
    return rfft2(planes - ops.reshape(mean, (-1, 1, 1)))


def apply_masks(
    spectra: tuple, halves: Any, mean: Any, *, shape: tuple[int, int, int], data_format: str
) -> Any:
    """Every image under every mask, `(masks * batch, ...)`, all images under the first mask in front.

    Args:
        spectra: What `compute_spectra` returns.
        halves: What `halve_masks` returns, as a tensor.
        mean: What was subtracted from each channel, `(channels,)`, and comes back.
        shape: Channels, height and width of the images.
        data_format: Layout of the result.
    """
    re, im = spectra
    planes = ops.reshape(irfft2(re * halves, im * halves, *shape[1:]), (-1, *shape))
    planes = planes + ops.reshape(mean, (-1, 1, 1))
    return ops.transpose(planes, (0, 2, 3, 1)) if data_format == "channels_last" else planes


def count_confusions(
    feed: ModelFeed,
    masks: np.ndarray,
    *,
    per_step: int,
    mean: np.ndarray,
    own: bool = False,
    batches: Iterable[Batch] | None = None,
    advance: Callable[[int], Any] | None = None,
) -> np.ndarray:
    """Counts predictions on images as they are and under each of some masks, in one pass over the data.

    Args:
        feed: The images with their labels, and the model.
        masks: Float masks `(masks, height, width)`, Hermitian and of the size of the images.
        per_step: Images times masks in one forward pass.
        mean: What is subtracted from each channel before the masks and added after them, `(channels,)`.
        own: Whether each image goes under the mask of its class alone. One matrix is kept for all masks,
            since each has one row.
        batches: Batches of the feed, where they are looked at on their way.
        advance: Told how many images are done, each counted once for every matrix.

    Returns:
        Counts, int64 `(1 + masks, classes, classes + 2)`: first the images as they are, rows the true
        classes; with `own` `(2, classes, classes + 2)`, where the second matrix has row `c` under mask `c`.
        The last two columns count images without an answer: undefined ones, and ties.
    """
    predict, halves = _compile(feed, masks)
    # With `own` an item is a matrix: of the whole images, and of the masked ones.
    items = {str(index): index for index in range(2 if own else len(halves))}
    center = to_tensor(mean)
    of_class = to_tensor(halves[1:, 0]) if own else None

    def step(spectra: tuple, labels: Any, valid: Any, chunk: Any) -> Any:
        if own:
            masked = ops.take(of_class, labels, axis=0)
            chunk = ops.stack([ops.ones_like(masked), masked])
        return predict(spectra, chunk, center)

    def fold(total: Any, part: np.ndarray, labels: np.ndarray, valid: int) -> np.ndarray:
        if total is None:
            # Two classes more, for predictions that are none.
            total = np.zeros((len(part), feed.classes, feed.classes + 2), "int64")
        np.add.at(total, (np.arange(len(part))[:, None], labels[None, :valid], part[:, :valid]), 1)
        return total

    return sweep_items(
        items,
        feed if batches is None else batches,
        step,
        load=lambda chosen: None if own else to_tensor(halves[chosen]),
        prepare=lambda images: compute_spectra(images, mean, feed.data_format),
        fold=fold,
        per_step=2 if own else min(max(1, per_step // feed.batch_size), len(halves)),
        advance=advance,
    )


def count_taken(
    feed: ModelFeed,
    masks: np.ndarray,
    *,
    per_step: int,
    mean: np.ndarray,
    batches: Iterable[Batch] | None = None,
    advance: Callable[[int], Any] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a test of one mask for each class needs of `count_confusions`, in memory by classes squared.

    Args:
        feed: As there, and so are the others.
        masks: One for each class.
        per_step: Images times masks in one forward pass.
        mean: What is subtracted from each channel before the masks and added after them, `(channels,)`.
        batches: Batches of the feed, where they are looked at on their way.
        advance: Told how many images are done, each counted once for every matrix.

    Returns:
        Counts, int64: `(classes, classes + 2)` of the images as they are; the same with row `c` under mask
        `c`; and `(classes, classes + 2)` with the images of each true class that mask `c` has taken for `c`,
        then all images without an answer under it, undefined ones and ties.
    """
    predict, halves = _compile(feed, masks)
    count = feed.classes
    center = to_tensor(mean)
    clean = np.zeros((count, count + 2), "int64")

    def step(spectra: tuple, labels: Any, valid: Any, chunk: tuple) -> tuple:
        return predict(spectra, chunk[0], center), chunk[1]

    def fold(total: Any, part: tuple, labels: np.ndarray, valid: int) -> np.ndarray:
        if total is None:
            total = np.zeros((len(part[0]), 2, count + 2), "int64")
        labels = labels[:valid]
        for row, predicted, mask in zip(total, part[0][:, :valid], part[1], strict=True):
            if mask < 0:
                np.add.at(clean, (labels, predicted), 1)
                continue
            np.add.at(row[0], predicted[labels == mask], 1)
            np.add.at(row[1], labels[predicted == mask], 1)
            row[1, -2:] += [(predicted == count).sum(), (predicted == count + 1).sum()]
        return total

    found = sweep_items(
        {str(index): index for index in range(-1, count)},
        feed if batches is None else batches,
        step,
        load=lambda chosen: (to_tensor(halves[np.add(chosen, 1)]), np.array(chosen, "int32")),
        prepare=lambda images: compute_spectra(images, mean, feed.data_format),
        fold=fold,
        per_step=min(max(1, per_step // feed.batch_size), len(halves)),
        advance=advance,
    )
    return clean, found[1:, 0], found[1:, 1]


def _compile(feed: ModelFeed, masks: np.ndarray) -> tuple[Callable, np.ndarray]:
    """What predicts classes under masks, and the halves of these masks behind one that keeps all."""
    shape = (feed.channels, *feed.size)
    what = ("predicted under masks", shape, feed.data_format)
    predict = compile_function(feed.model, what, _build(shape, feed.data_format))
    return predict, halve_masks(np.concatenate([np.ones_like(masks[:1]), masks]))


@functools.lru_cache(maxsize=16)
def _build(shape: tuple[int, int, int], data_format: str) -> Callable:
    def step(forward, spectra, halves, mean):
        logits = forward(apply_masks(spectra, halves, mean, shape=shape, data_format=data_format))
        chosen = choose_classes(logits)
        tied = ops.logical_and(is_tied(logits), chosen < logits.shape[-1])
        chosen = ops.where(tied, logits.shape[-1] + 1, chosen)
        return ops.reshape(chosen, (-1, ops.shape(spectra[0])[0]))

    return step
