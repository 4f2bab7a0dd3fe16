"""The shortcut test: is a class still recognised by its dominant frequencies alone?"""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core.checks import check_choice, check_labels, check_whole
from keras_freq._core.compiled import compile_logits
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import versions
from keras_freq.evaluate._counting import labelled_batches
from keras_freq.shortcuts._frequency_maps import FrequencyMaps
from keras_freq.shortcuts._masked_confusion import MaskedConfusion
from keras_freq.shortcuts._report_result import ShortcutReport
from keras_freq.shortcuts._search_images import image_digests
from keras_freq.spectral import is_hermitian
from keras_freq.spectral._images import DATA_FORMATS

# Images of one forward pass by default.
_PER_STEP = 128


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
    check_choice(split, "split", ("separate", "test"))
    check_choice(data_format, "data_format", DATA_FORMATS)
    per_step = _PER_STEP if per_step is None else check_whole(per_step, "per_step")
    logits = compile_logits(model)  # refuses what is no model
    masks = check_masks(maps)
    found_on = maps.found_on if isinstance(maps, FrequencyMaps) and split == "separate" else frozenset()
    found, counted = None, None
    with progress_bar(progress, "shortcut report") as advance:
        for images, labels, valid in labelled_batches(model, data, batch_size or min(128, per_step)):
            if found is None:
                classes = logits(images[:1]).shape[-1]
                check_mask_size(masks, images, data_format, classes)
                found = MaskedConfusion(
                    model, masks, images, classes=classes, per_step=per_step, data_format=data_format
                )
                counted = np.zeros(classes, "int64")
            if found_on:
                _refuse_known(images[:valid], found_on)
            labels = check_labels(labels, len(labels), classes)
            counted += np.bincount(labels[:valid], minlength=classes)
            (found.add if others else found.add_own)(images, labels, valid)
            advance(valid)
    confusion = found.counts()
    if others:
        rows = np.arange(len(masks))
        own, undefined = confusion[1 + rows, rows, :-1], confusion[1:, :, -1].sum(axis=1)
    else:
        own, undefined = confusion[1, :, :-1], confusion[1, :, -1]
    return ShortcutReport(
        model=model.name,
        n=int(counted.sum()),
        settings={"split": split, "data_format": data_format},
        versions=versions(),
        confusion=tuple(tuple(map(tuple, part)) for part in confusion[1:, :, :-1].tolist() if others),
        own_confusion=tuple(map(tuple, own.tolist())),
        clean_confusion=tuple(map(tuple, confusion[0, :, :-1].tolist())),
        share=tuple(masks.mean(axis=(1, 2), dtype="float64").tolist()),
        method=getattr(maps, "method", "given"),
        others=others,
        count_per_class=tuple(counted.tolist()),
        undefined=tuple(undefined.tolist()),
    )


def check_masks(maps: Any) -> np.ndarray:
    """Masks as float32 `(masks, height, width)`, finite and Hermitian."""
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


def check_mask_size(
    masks: np.ndarray, images: np.ndarray, data_format: str, classes: int | None = None
) -> None:
    """Refuses masks of another size than the images, or with `classes` not one for each of them."""
    size = images.shape[1:3] if data_format == "channels_last" else images.shape[2:]
    wanted = (len(masks) if classes is None else classes, *size)
    if masks.shape != wanted:
        what = "masks of the images' size" + ("" if classes is None else ", one for each output of the model")
        raise ValueError(f"`maps` must have the shape {wanted}: {what}. Received: shape {masks.shape}")


def _refuse_known(images: np.ndarray, found_on: frozenset[bytes]) -> None:
    known = sum(digest in found_on for digest in image_digests(images))
    if known:
        raise ValueError(
            "`data` must be other images than those that the maps were found on, or split='test' given. "
            f"Received: a batch with {known} of them"
        )
