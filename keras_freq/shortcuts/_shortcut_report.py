"""The shortcut test: is a class still recognized by its dominant frequencies alone?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from keras_freq._core.batches import Batch
from keras_freq._core.checks import check_choice, check_flag, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.feeds import ModelFeed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq.shortcuts._frequency_maps import FrequencyMaps, digest_images
from keras_freq.shortcuts._masked_images import IMAGES_PER_STEP, count_confusions, count_taken
from keras_freq.spectral import is_hermitian

# Classes of which all confusions are kept: their counts grow with the third power.
WHOLE = 100


@dataclass(frozen=True, kw_only=True)
class ShortcutReport(Result):
    """True and false positive rates of each class on images that keep its dominant frequencies only.

    Confusions are counts, rows the true classes, columns the predictions. A rate of a class without an image
    is NaN.

    Attributes:
        confusion: On images under the mask of each class, `(classes, classes, classes)`, the mask first;
            empty where only the images of each class were filtered, and with more than 100 classes.
        own_confusion: Row `c` under the mask of class `c`, `(classes, classes)`.
        clean_confusion: On the images as they are, `(classes, classes)`.
        share: Share of the bins that each mask keeps.
        method: How the masks were found.
        others: Whether images of other classes were filtered too; without them there is no false positive
            rate.
        count_per_class: Images of each class.
        undefined: Filtered images whose logits are NaN or infinite, for each mask; they count for no class.
        ties: Filtered images for which classes share the largest logit, for each mask; they too count for no
            class.
        taken: With more than 100 classes: how many images of each class the mask of a class has taken for
            that class, `(classes, classes)`, the mask first.

    Example:
        >>> masks = np.stack([kf.spectral.disk_mask(32, 32, radius) for radius in (2, 4, 8, 16)])
        >>> report = kf.shortcuts.shortcut_report(model, data, masks)
        >>> np.shape(report.confusion), report.method, report.shortcuts(tpr=1.1)
        ((4, 4, 4), 'given', ())
    """

    confusion: tuple[tuple[tuple[int, ...], ...], ...]
    own_confusion: tuple[tuple[int, ...], ...]
    clean_confusion: tuple[tuple[int, ...], ...]
    share: tuple[float, ...]
    method: str
    others: bool
    count_per_class: tuple[int, ...]
    undefined: tuple[int, ...]
    ties: tuple[int, ...] = ()
    taken: tuple[tuple[int, ...], ...] = ()

    @property
    def tpr(self) -> np.ndarray:
        """Share of the images of each class that are recognized under its own mask, `(classes,)`."""
        return _divide(np.diag(np.array(self.own_confusion)), np.array(self.count_per_class))

    @property
    def fpr(self) -> np.ndarray:
        """Share of the images of all other classes that are taken for it under its mask, `(classes,)`."""
        if not self.others:
            return np.full(len(self.share), np.nan)
        taken = np.array(self.taken or [np.array(part)[:, c] for c, part in enumerate(self.confusion)])
        return _divide(taken.sum(axis=1) - np.diag(taken), self.n - np.array(self.count_per_class))

    @property
    def clean_tpr(self) -> np.ndarray:
        """Share of the images of each class that are recognized as they are, `(classes,)`."""
        return _divide(np.diag(np.array(self.clean_confusion)), np.array(self.count_per_class))

    @property
    def clean_fpr(self) -> np.ndarray:
        """Share of the images of all other classes that are taken for it as they are, `(classes,)`."""
        counts = np.array(self.clean_confusion)
        return _divide(counts.sum(axis=0) - np.diag(counts), self.n - np.array(self.count_per_class))

    @property
    def clean_accuracy(self) -> float:
        """Share of all images that are recognized as they are."""
        return float(np.trace(np.array(self.clean_confusion)) / self.n)

    def shortcuts(self, tpr: float = 0.6, fpr: float = 1.0) -> tuple[int, ...]:
        """Classes that their mask is enough for: TPR of at least `tpr`, FPR of at most `fpr`.

        A high TPR with a high FPR says that almost any image looks like the class under its mask.
        """
        wrong = np.nan_to_num(self.fpr, nan=0.0)
        return tuple(np.flatnonzero((self.tpr >= tpr) & (wrong <= fpr)).tolist())

    def to_dict(self) -> dict[str, Any]:
        """All counts and settings as plain Python values, with the rates."""
        rates = {name: getattr(self, name).tolist() for name in ("tpr", "fpr", "clean_tpr", "clean_fpr")}
        return {**super().to_dict(), **rates}

    def rows(self) -> list[dict[str, Any]]:
        """One row per class."""
        rates = {name: getattr(self, name).tolist() for name in ("tpr", "fpr", "clean_tpr", "clean_fpr")}
        return [
            {
                "class": label,
                **{name: values[label] for name, values in rates.items()},
                "share": self.share[label],
                "images": self.count_per_class[label],
                "method": self.method,
                "model": self.model,
                "n": self.n,
            }
            for label in range(len(self.share))
        ]

    def _headline(self) -> dict[str, Any]:
        known = {"method": self.method, "clean accuracy": self.clean_accuracy}
        return {**known, "TPR by class": dict(enumerate(self.tpr)), "FPR by class": dict(enumerate(self.fpr))}


def shortcut_report(
    model: keras.Model | Classifier,
    data: Any,
    maps: FrequencyMaps | np.ndarray,
    *,
    split: Literal["separate", "test"] = "separate",
    others: bool = True,
    per_step: int | None = None,
    batch_size: int | None = None,
    mean: float | Sequence[float] | None = None,
    data_format: str | None = None,
    progress: bool | None = False,
) -> ShortcutReport:
    """True and false positive rates of each class on images that keep its dominant frequencies only.

    `TPR_c = TP / P` and `FPR_c = FP / N` of class `c` where all images are filtered with its mask, beside the
    rates on the images as they are. `P` and `N` count images of these data. High TPR: the few frequencies
    are enough for the class; high FPR: they are not specific, almost anything looks like it. A frequency
    shortcut is a class with a high TPR.

    Images are filtered in their own range, in front of the model and its normalization, each channel alike;
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
        batch_size: Images per batch where `data` are arrays, default 128 or `per_step`.
        mean: What a removed DC leaves behind, on [0, 1], one number or one for each channel: it is
            subtracted before every mask and added after it. `None`: the mean of the model's first
            `Normalization`, else 0, as when normalized images are filtered. 0 filters pixels: images without
            DC are black.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `ShortcutReport`: `.tpr`, `.fpr`, `.clean_tpr`, `.clean_fpr`, `.confusion`, `.share`.

    Raises:
        ValueError: If the masks do not fit the images or the model or are not Hermitian, an image was
            searched on, or labels are not among the model's outputs.
        TypeError: If `model` is not a Keras model.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023, section 3; without `others` the measure of Wang,
        Veldhuis, Strisciuglio, CVPR 2025.
        Differs from the original: `P` and `N` are counted here, not taken from another run; images are
        filtered before they are normalized; maps from the test images themselves are refused by default.

    Example:
        >>> importance = kf.shortcuts.frequency_importance(model, images[:4], labels[:4], patch=8)
        >>> maps = kf.shortcuts.dominant_frequency_map(importance, 0.05)
        >>> report = kf.shortcuts.shortcut_report(model, (images[4:], labels[4:]), maps)
        >>> report.tpr.shape, report.n
        ((4,), 4)
    """
    check_flag(others, "others")
    check_choice(split, "split", ("separate", "test"))
    per_step = IMAGES_PER_STEP if per_step is None else check_whole(per_step, "per_step")
    masks = check_masks(maps)
    feed = ModelFeed(model, data, batch_size=batch_size or min(128, per_step), data_format=data_format)
    check_mask_size(masks, feed)
    fill = feed.model.fill_of_dc(mean, feed.channels)
    found_on: frozenset[bytes] = getattr(maps, "found_on", frozenset())
    with progress_bar(progress, "shortcut report", "image pass") as advance:
        how: dict[str, Any] = {
            "per_step": per_step,
            "mean": fill,
            "batches": _refuse_known(feed, found_on) if found_on and split == "separate" else feed,
            "advance": advance,
        }
        whole: Sequence[np.ndarray] = ()
        taken = np.zeros((0, 2), "int64")
        if not others:
            clean, own = count_confusions(feed, masks, own=True, **how)
            lost = own[:, -2:]
        elif feed.classes > WHOLE:
            clean, own, taken = count_taken(feed, masks, **how)
            lost = taken[:, -2:]
        else:
            clean, *whole = count_confusions(feed, masks, **how)
            own, lost = np.array([part[c] for c, part in enumerate(whole)]), np.sum(whole, axis=1)[:, -2:]
    return ShortcutReport(
        model=feed.model.name,
        n=feed.n,
        settings={"split": split, "mean": tuple(fill.tolist()), **feed.settings},
        versions=versions(),
        confusion=tuple(_as_rows(part) for part in whole),
        own_confusion=_as_rows(own),
        clean_confusion=_as_rows(clean),
        share=tuple(masks.mean(axis=(1, 2), dtype="float64").tolist()),
        method=getattr(maps, "method", "given"),
        others=others,
        count_per_class=tuple(feed.count_per_class.tolist()),
        undefined=tuple(lost[:, 0].tolist()),
        ties=tuple(lost[:, 1].tolist()),
        taken=_as_rows(taken),
    )


def check_masks(maps: Any) -> np.ndarray:
    """Masks as float32 `(masks, height, width)`, finite and Hermitian."""
    masks = np.asarray(maps, "float32")
    if masks.ndim != 3 or 0 in masks.shape or not np.isfinite(masks).all():
        raise ValueError(
            "`maps` must be finite masks of shape (classes, height, width), one per class. "
            f"Received: shape {masks.shape}"
        )
    wrong = [label for label, mask in enumerate(masks) if not is_hermitian(mask)]
    if wrong:
        raise ValueError(
            "`maps` must be Hermitian, m[u, v] == m[-u, -v]: use keras_freq.spectral.symmetrize. "
            f"Received: masks of the classes {wrong} that are not"
        )
    return masks


def check_mask_size(masks: np.ndarray, feed: ModelFeed) -> None:
    """Refuses masks of another size than the images, or not one for each class."""
    wanted = (feed.classes, *feed.size)
    if masks.shape != wanted:
        raise ValueError(
            f"`maps` must have the shape {wanted}: masks of the images' size, one for each output "
            f"of the model. Received: shape {masks.shape}"
        )


def _refuse_known(feed: Iterable[Batch], found_on: frozenset[bytes]) -> Iterator[Batch]:
    """The batches of a feed, none of whose images may be among those that the maps were found on."""
    for batch in feed:
        known = digest_images([batch]) & found_on
        if known:
            raise ValueError(
                "`data` must be other images than those that the maps were found on, or split='test' given. "
                f"Received: a batch with {len(known)} of them"
            )
        yield batch


def _as_rows(counts: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Counts as a result keeps them, without the two columns of images that have no answer."""
    return tuple(map(tuple, counts[:, :-2].tolist()))


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
