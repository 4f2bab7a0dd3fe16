"""SCR and WCR: copies of a data set whose high frequencies are strongly, or weakly, related to the class."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from keras_freq._core.checks import check_flag, check_labeled_images, check_whole
from keras_freq._core.files import write_whole
from keras_freq._core.labels import class_indices
from keras_freq._core.progress import progress_bar
from keras_freq.cdes._cdes import CDES, FitOptions

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class EnhancedImages:
    """A copy of a data set with other high frequencies, in the order given.

    Attributes:
        images: float32 training images, `(n, height, width, channels)`.
        labels: Their labels, as given.
        test_images: The same for the test images; `None` where none were given.
        test_labels: Labels of the test images, or `None`.
        kernels: The trained `CDES`: one per class for SCR, one for WCR.
        classes: The class that each of `kernels` is for; `(None,)` for WCR, whose kernels are for all.

    Example:
        >>> cdes = keras_freq.cdes.CDES(filters=4, kernel_size=3)
        >>> made = keras_freq.cdes.make_wcr(images, labels, cdes=cdes, epochs=1)
        >>> made.images.shape, made.test_images is None, made.classes
        ((8, 32, 32, 3), True, (None,))
    """

    images: np.ndarray
    labels: np.ndarray
    test_images: np.ndarray | None
    test_labels: np.ndarray | None
    kernels: tuple[CDES, ...]
    classes: tuple[int | None, ...]


def make_scr(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    test: Arrays | None = None,
    cdes: CDES | None = None,
    train_limit: int | None = None,
    include_test: bool = False,
    carry_over: bool = False,
    epoch: int | None = None,
    noise: bool = True,
    folder: str | os.PathLike | None = None,
    progress: bool | None = None,
    **fit: Unpack[FitOptions],
) -> EnhancedImages:
    """The strongly class-related copy (SCR): the images of each class through kernels trained on that class.

    The label of an image decides which kernels it passes, of test images too: what the kernels leave in the
    high frequencies tells the class.

    Args:
        images: `(n, height, width, channels)`, floats in [0, 1] or uint8.
        labels: `(n,)` class indices.
        test: Test images and labels to transform with the same kernels.
        cdes: Untrained kernels with the options to use; default `CDES()`. The kernels of class `c` are a copy
            with a seed of its own.
        train_limit: Train the kernels on the first so many images of each class; default all.
        include_test: Whether the kernels train on the test images too, as published.
        carry_over: Whether the kernels of a class begin with those of the class before, as published, and not
            with fresh ones.
        epoch: Kernels of which epoch to use; default the last. The published code used `0`, the first.
        noise: Whether the kernels see noise at transformation too, as published; see `CDES.transform`.
        folder: Where to keep the kernels of each class once they are trained. A call with the same arguments
            goes on with the classes that are missing.
        progress: Show a progress bar over all epochs; `None`: on a terminal.
        **fit: `epochs`, `batch_size`, `learning_rate` and so on of `CDES.fit`.

    Returns:
        An `EnhancedImages`. Labels and order are those given.

    Raises:
        ValueError: if images and labels do not fit, a class of the test images has no training images, or
            `folder` holds kernels of other images or settings.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022 (SCR).
        Differs from the original: fresh, seeded kernels for every class, trained on training images alone;
        those of the last epoch; order kept.

    Example:
        >>> cdes = keras_freq.cdes.CDES(filters=4, kernel_size=3)
        >>> scr = keras_freq.cdes.make_scr(images, labels, cdes=cdes, epochs=1)
        >>> scr.images.shape, len(scr.kernels)
        ((8, 32, 32, 3), 4)
    """
    check_flag(include_test, "include_test")
    check_flag(carry_over, "carry_over")
    check_flag(noise, "noise")
    options = _Options(cdes, train_limit, include_test, carry_over, epoch, noise, folder, progress, fit)
    labels = class_indices(labels)
    return _enhance_by_class(
        images, labels, test, [int(c) for c in np.unique(labels)], options, "SCR kernels"
    )


def make_wcr(
    images: np.ndarray,
    labels: np.ndarray,
    *,
    test: Arrays | None = None,
    cdes: CDES | None = None,
    train_limit: int | None = None,
    include_test: bool = False,
    epoch: int | None = None,
    noise: bool = True,
    folder: str | os.PathLike | None = None,
    progress: bool | None = None,
    **fit: Unpack[FitOptions],
) -> EnhancedImages:
    """The weakly class-related copy (WCR): all images through one set of kernels trained on all classes.

    Args:
        images: `(n, height, width, channels)`, floats in [0, 1] or uint8.
        labels: `(n,)` class indices.
        test: As in `make_scr`.
        cdes: Untrained kernels with the options to use; default `CDES()`.
        train_limit: As in `make_scr`.
        include_test: As in `make_scr`.
        epoch: As in `make_scr`.
        noise: As in `make_scr`.
        folder: As in `make_scr`.
        progress: As in `make_scr`.
        **fit: `epochs`, `batch_size`, `learning_rate` and so on of `CDES.fit`.

    Returns:
        An `EnhancedImages`. Labels and order are those given.

    Raises:
        ValueError: As in `make_scr`.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022 (WCR).
        Differs from the original: as for `make_scr`; labels and order are kept, which the published code
        loses.

    Example:
        >>> cdes = keras_freq.cdes.CDES(filters=4, kernel_size=3)
        >>> wcr = keras_freq.cdes.make_wcr(images, labels, test=(images, labels), cdes=cdes, epochs=1)
        >>> wcr.test_images.shape, len(wcr.kernels)
        ((8, 32, 32, 3), 1)
    """
    check_flag(include_test, "include_test")
    check_flag(noise, "noise")
    options = _Options(cdes, train_limit, include_test, False, epoch, noise, folder, progress, fit)
    return _enhance_by_class(images, class_indices(labels), test, [None], options, "WCR kernels")


@dataclass(frozen=True)
class _Options:
    cdes: CDES | None
    train_limit: int | None
    include_test: bool
    carry_over: bool
    epoch: int | None
    noise: bool
    folder: str | os.PathLike | None
    progress: bool | None
    fit: FitOptions


def _enhance_by_class(
    images: np.ndarray,
    labels: np.ndarray,
    test: Arrays | None,
    classes: Sequence[int | None],
    options: _Options,
    description: str,
) -> EnhancedImages:
    images, labels = _check_set(images, labels, "training")
    if test is not None:
        test = _check_set(*test, "test")
        _check_test(images, labels, *test)
    elif options.include_test:
        raise ValueError("`include_test` needs test images: pass `test`. Received: test=None")
    if options.train_limit is not None:
        check_whole(options.train_limit, "train_limit")
    known = FitOptions.__annotations__
    unknown = sorted(set(options.fit) - set(known))
    if unknown:
        raise TypeError(f"Options of the fit are {', '.join(known)}. Received: {', '.join(unknown)}")
    prototype = options.cdes or CDES()
    kernels: list[CDES] = []
    with progress_bar(options.progress, description, "epoch") as advance:
        for number, label in enumerate(classes):
            chosen = _select_class(images, labels, label, options.train_limit)
            if options.include_test and test is not None:
                chosen = np.concatenate([chosen, _select_class(*test, label)])
            fresh = prototype.with_seed(_derive_seed(prototype.seed, number))
            start = kernels[-1] if options.carry_over and kernels else None
            kernels.append(_train_or_load(fresh, chosen, label, start, options, advance))

    def enhance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        result = np.empty(x.shape, "float32")
        for label, trained in zip(classes, kernels, strict=True):
            rows: slice | np.ndarray = slice(None) if label is None else np.flatnonzero(y == label)
            if len(x[rows]):
                result[rows] = trained.transform(x[rows], epoch=options.epoch, noise=options.noise)
        return result

    return EnhancedImages(
        images=enhance(images, labels),
        labels=labels,
        test_images=None if test is None else enhance(*test),
        test_labels=None if test is None else test[1],
        kernels=tuple(kernels),
        classes=tuple(classes),
    )


def _derive_seed(seed: int, number: int) -> int:
    """A seed for each class that follows from one."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)


def _train_or_load(
    fresh: CDES, images: np.ndarray, label: int | None, start: CDES | None, options: _Options, advance: Any
) -> CDES:
    """The kernels of one class: trained, or read where an earlier call left them."""
    if options.folder is None:
        fresh.fit(images, start=start, verbose=0, on_epoch=lambda *_: advance(1), **options.fit)
        return fresh
    name = "all" if label is None else f"class_{label}"
    path, record = (Path(options.folder) / f"{name}{ending}" for ending in (".npz", ".json"))
    made_of = _describe(fresh, images, start, options.fit)
    if path.exists():
        held = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        other = sorted(key for key in made_of if held.get(key) != made_of[key])
        if other:
            raise ValueError(
                f"{path} holds kernels of other images or settings ({', '.join(other)}): choose another "
                f"folder. Received: folder={os.fspath(options.folder)!r}"
            )
        trained = CDES.load(path)
        advance(trained.epochs)
        return trained
    fresh.fit(images, start=start, verbose=0, on_epoch=lambda *_: advance(1), **options.fit)
    # The record first: kernels without one would be those of nobody.
    write_whole(record, json.dumps(made_of, indent=2) + "\n")
    fresh.save(path)
    return fresh


def _describe(fresh: CDES, images: np.ndarray, start: CDES | None, fit: FitOptions) -> dict[str, Any]:
    """What trained kernels follow from, as JSON gives it back."""
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(f"{images.dtype}{images.shape}".encode())
    begun = hashlib.sha256(b"".join(part.tobytes() for part in start.kernels()) if start else b"")
    made_of = {
        "cdes": fresh.get_config(),
        "fit": fit,
        "images": digest.hexdigest(),
        "start": begun.hexdigest(),
    }
    return json.loads(json.dumps(made_of))


def _select_class(
    images: np.ndarray, labels: np.ndarray, label: int | None, limit: int | None = None
) -> np.ndarray:
    """The images of a class, or of all, in their order; with a limit the first so many of each class."""
    if limit is None:
        return images if label is None else images[labels == label]
    classes = np.unique(labels) if label is None else [label]
    rows = np.concatenate([np.flatnonzero(labels == c)[:limit] for c in classes])
    return images[np.sort(rows)]


def _check_set(images: Any, labels: Any, which: str) -> Arrays:
    try:
        return check_labeled_images(images, labels)
    except ValueError as error:
        raise ValueError(f"{error} in the {which} set") from error


def _check_test(
    images: np.ndarray, labels: np.ndarray, test_images: np.ndarray, test_labels: np.ndarray
) -> None:
    if test_images.shape[1:] != images.shape[1:] or test_images.dtype != images.dtype:
        raise ValueError(
            "Test images must have the shape and dtype of the training images. "
            f"Received: {test_images.dtype} {test_images.shape[1:]}, {images.dtype} {images.shape[1:]}"
        )
    missing = sorted(set(test_labels.tolist()) - set(labels.tolist()))
    if missing:
        raise ValueError(
            "Every class of the test images must have training images. "
            f"Received: no training images of the classes {missing}"
        )
