"""The shortcut test: is a class still recognised by its dominant frequencies alone?"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_freq.attacks.arguments import check_choice, check_count, check_labels
from keras_freq.attacks.compiled import compile_function, compile_logits, to_tensor
from keras_freq.evaluate.counting import labelled_batches
from keras_freq.evaluate.progress import progress_bar
from keras_freq.evaluate.result import versions
from keras_freq.shortcuts.frequency_maps import FrequencyMaps
from keras_freq.shortcuts.masked_images import half_planes, masked_copies, spectra_of
from keras_freq.shortcuts.report_result import ShortcutReport
from keras_freq.shortcuts.search_images import image_digests
from keras_freq.spectral import is_hermitian
from keras_freq.spectral.images import DATA_FORMATS

# Images of one forward pass by default.
_PER_STEP = 128
# The host runs ahead of an accelerator by at most this many steps.
_AHEAD = 16


def shortcut_report(
    model: keras.Model,
    data: Any,
    maps: FrequencyMaps | np.ndarray,
    *,
    split: Literal["separate", "test"] = "separate",
    others: bool = True,
    per_step: int | None = None,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    progress: bool | None = False,
) -> ShortcutReport:
    """True and false positive rates of each class on images that keep its dominant frequencies only.

    `TPR_c = TP / P` and `FPR_c = FP / N` of class `c` where all images are filtered with its mask, beside the
    rates on the images as they are. `P` and `N` count images of these data. High TPR: the few frequencies
    are enough for the class; high FPR: they are not specific, almost anything looks like it. A frequency
    shortcut is a class with a high TPR.

    Images are filtered in their own range, in front of the model and its normalisation, each channel alike;
    DC is kept only where the mask keeps it, and nothing is clipped.

    Args:
        model: Keras classifier, logits or probabilities. It runs in inference mode.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterable of
            batches; read once.
        maps: `FrequencyMaps`, or Hermitian masks `(classes, height, width)` with a gain for each bin, one for
            each output of the model.
        split: `"separate"` refuses images that the maps were found on, where the maps know them. `"test"`
            takes them, as the published test does.
        others: Whether to filter images of other classes too. Without them each image is filtered with the
            mask of its own class only, which is quicker and gives no false positive rate.
        per_step: Images times masks in one forward pass, default 128: the bound of the memory.
        batch_size: Images a batch where `data` are arrays, default 128 or `per_step`.
        data_format: `"channels_last"` or `"channels_first"`.
        progress: Show a progress bar; `None`: on a terminal where tqdm is installed.

    Returns:
        A `ShortcutReport`: `.tpr`, `.fpr`, `.clean_tpr`, `.clean_fpr`, `.confusion`, `.share`.

    Raises:
        ValueError: If the masks do not fit the images or the model or are not Hermitian, an image was
            searched on, or the labels do not fit.
        TypeError: If `model` is not a Keras model.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023, section 3; without `others` the measure of Wang,
        Veldhuis, Strisciuglio, CVPR 2025.
        Differs from the original: `P` and `N` are counted here, not taken from another run; images are
        filtered before they are normalised; maps from the test images themselves are refused by default.

    Example:

    >>> maps = keras_freq.shortcuts.dominant_frequency_map(importance, 0.05)
    >>> report = keras_freq.shortcuts.shortcut_report(model, data.test, maps)
    >>> report.tpr.shape, report.shortcuts(tpr=0.6)
    ((10,), (1, 8))
    """
    check_choice(split, ("separate", "test"), "split")
    check_choice(data_format, DATA_FORMATS, "data_format")
    per_step = _PER_STEP if per_step is None else check_count(per_step, "per_step")
    logits = compile_logits(model)  # refuses what is no model
    masks = check_masks(maps)
    found_on = maps.found_on if isinstance(maps, FrequencyMaps) and split == "separate" else frozenset()
    step, waiting, confusion, counted = None, [], None, None
    with progress_bar(progress, "shortcut report") as advance:
        for images, labels, valid in labelled_batches(model, data, batch_size or min(128, per_step)):
            if step is None:
                classes = logits(images[:1]).shape[-1]
                step = _PredictedUnderMasks(model, masks, images, classes, per_step, data_format)
                confusion = np.zeros((1 + classes, classes, classes + 1), "int64")
                counted = np.zeros(classes, "int64")
            if found_on:
                _refuse_known(images[:valid], found_on)
            labels = check_labels(labels, len(labels), classes)
            counted += np.bincount(labels[:valid], minlength=classes)
            waiting += step(images, labels, valid, others)
            if len(waiting) >= _AHEAD:
                _count(waiting, confusion)
            advance(valid)
    _count(waiting, confusion)
    plain = tuple(tuple(map(tuple, part)) for part in confusion[1:, :, :-1].tolist())
    return ShortcutReport(
        model=model.name,
        n=int(counted.sum()),
        settings={"split": split, "data_format": data_format},
        versions=versions(),
        confusion=plain,
        clean_confusion=tuple(map(tuple, confusion[0, :, :-1].tolist())),
        share=tuple(masks.mean(axis=(1, 2), dtype="float64").tolist()),
        method=getattr(maps, "method", "given"),
        others=others,
        count_per_class=tuple(counted.tolist()),
        undefined=tuple(confusion[1:, :, -1].sum(axis=1).tolist()),
    )


def check_masks(maps: Any) -> np.ndarray:
    """Masks as float32 `(classes, height, width)`, finite and Hermitian."""
    masks = np.asarray(maps, "float32")
    if masks.ndim != 3 or 0 in masks.shape or not np.isfinite(masks).all():
        raise ValueError(
            "`maps` must be finite masks of shape (classes, height, width), one a class. "
            f"Received: shape {masks.shape}"
        )
    wrong = [label for label, mask in enumerate(masks) if not is_hermitian(mask)]
    if wrong:
        raise ValueError(
            "`maps` must be Hermitian, m[u, v] == m[-u, -v]: use keras_freq.spectral.symmetrize. "
            f"Received: masks of the classes {wrong} that are not"
        )
    return masks


class _PredictedUnderMasks:
    """Predictions of a batch as it is and under each mask, a few masks a compiled step."""

    def __init__(self, model, masks, images, classes, per_step, data_format):
        last = data_format == "channels_last"
        height, width = images.shape[1:3] if last else images.shape[2:]
        if masks.shape != (classes, height, width):
            raise ValueError(
                f"`maps` must have the shape ({classes}, {height}, {width}): a mask of the images' size "
                f"for each output of the model. Received: shape {masks.shape}"
            )
        shape = (images.shape[-1] if last else images.shape[1], int(height), int(width))
        self._masks, self._format = masks, data_format
        self._step = compile_function(
            model, ("predicted under masks", shape, data_format), _build(shape, data_format)
        )
        self._halves = half_planes(np.concatenate([np.ones_like(masks[:1]), masks]))
        self._per = min(max(1, per_step // len(images)), len(self._halves))
        self._groups = None

    def __call__(self, images, labels, valid, others) -> list[tuple]:
        """Pairs of the places of the masks and the predictions on the device, `(masks, batch)`."""
        spectra = spectra_of(to_tensor(images), self._format)
        if not others:
            # The images as they are, then each under the mask of its class.
            own = self._halves[1 + labels, 0, 0][:, None]
            halves = np.stack([np.ones_like(own), own])
            return [(None, labels[:valid], self._step(spectra, halves))]
        if self._groups is None:
            self._groups = [(rows, to_tensor(self._filled(rows))) for rows in self._rows()]
        return [(rows, labels[:valid], self._step(spectra, halves)) for rows, halves in self._groups]

    def _rows(self) -> list[np.ndarray]:
        return [
            np.arange(start, min(start + self._per, len(self._halves)))
            for start in range(0, len(self._halves), self._per)
        ]

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        """The half planes of these masks, filled up to one shape."""
        return self._halves[np.append(rows, np.repeat(rows[-1:], self._per - len(rows)))]


@functools.lru_cache(maxsize=16)
def _build(shape: tuple[int, int, int], data_format: str) -> Callable:
    def step(forward, spectra, halves):
        re = spectra[0]
        logits = forward(masked_copies(spectra, halves, shape=shape, data_format=data_format))
        finite = ops.all(ops.isfinite(logits), axis=-1)
        # One class more, for what has none.
        predicted = ops.where(finite, ops.cast(ops.argmax(logits, axis=-1), "int32"), logits.shape[-1])
        return ops.reshape(predicted, (-1, ops.shape(re)[0]))

    return step


def _count(waiting: list, confusion: np.ndarray) -> None:
    """Adds predictions to the counts `(1 + masks, classes, classes + 1)`, the images as they are first."""
    for rows, labels, predicted in waiting:
        predicted = ops.convert_to_numpy(predicted)[:, : len(labels)]
        if rows is None:
            np.add.at(confusion, (0, labels, predicted[0]), 1)
            np.add.at(confusion, (1 + labels, labels, predicted[1]), 1)
            continue
        for row, found in zip(rows, predicted, strict=False):  # what fills up comes last
            np.add.at(confusion[row], (labels, found), 1)
    waiting.clear()


def _refuse_known(images: np.ndarray, found_on: frozenset[bytes]) -> None:
    known = sum(digest in found_on for digest in image_digests(images))
    if known:
        raise ValueError(
            "`data` must be other images than those that the maps were found on, or split='test' given. "
            f"Received: a batch with {known} of them"
        )
