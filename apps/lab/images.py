"""The images of an experiment, as arrays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np

import keras_freq as kf
from apps.lab.errors import RunError
from apps.lab.run import Run
from apps.lab.settings import Data
from apps.lab.store import digest_of


@dataclasses.dataclass(frozen=True)
class Images:
    """Training and test images with int32 labels.

    They are float32 in [0, 1], or uint8 where that was allowed and they are many; `keras_freq` takes both.
    """

    name: str
    classes: tuple[str, ...]
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.train[0].shape[1:]


def load_images(
    run: Run,
    settings: Data,
    *,
    radii: Iterable[float] = (),
    image_size: int | None = None,
    classes: Sequence[str] | None = None,
    most_bytes: float = math.inf,
) -> Images:
    """Loads what the settings name, or their fallback, and says which it was.

    The choice is recorded, and the digest of the images, so that a run that is gone on with never mixes two
    sets.

    `radii` must not exceed the side of the images. `image_size` and `classes` are those of
    `keras_freq.data.load`; the fallback keeps its own size, and has the classes too. A split that would take
    more than `most_bytes` as float32 stays uint8.
    """
    chosen = [r["value"] for r in run.records if r["stage"] == "data"]
    data = _load(run, settings, chosen[0] if chosen else None, image_size, classes)
    for split in ("train", "test"):
        if getattr(data, split) is None:
            raise RunError(
                f"`data.name` must have a training and a test split. Received: {data.name} without {split}"
            )
    side = max(data.input_shape[:2])
    for radius in radii:
        if radius > side:
            raise RunError(
                f"radii must be at most the side of the images, {side}. Received: radius={radius:g}"
            )
    train, test = (
        _read(data, split, getattr(settings, f"{split}_images"), most_bytes) for split in ("train", "test")
    )
    content = digest_of({"train": train, "test": test})
    told = {"measure": "data", "value": data.name, "n": len(train[1]), "digest": content}
    (known,) = run.measure("data", lambda: told)
    if known.get("digest", content) != content:
        raise RunError(
            f"{run.folder} was begun with other images: start a new run without --resume. "
            f"Received: {data.name} with the digest {content}, in place of {known['digest']}"
        )
    run.say(
        f"{data.name}: {len(train[1])} training and {len(test[1])} test images, {len(data.classes)} classes"
    )
    return Images(data.name, data.classes, train, test)


def as_bytes(pixels: np.ndarray) -> np.ndarray:
    """uint8 from floats in [0, 1], as image files hold them."""
    return np.rint(pixels * np.float32(255)).astype("uint8")


def as_floats(pixels: np.ndarray) -> np.ndarray:
    """float32 in [0, 1] from bytes; floats as they are."""
    return np.divide(pixels, np.float32(255), dtype="float32") if pixels.dtype == np.uint8 else pixels


def exact_bytes(pixels: np.ndarray) -> np.ndarray:
    """uint8 where the floats are those of bytes, all of them; else the pixels as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    found = np.empty(pixels.shape, "uint8")
    for start in range(0, len(pixels), 1000):
        piece = pixels[start : start + 1000]
        with np.errstate(invalid="ignore"):  # what no byte can hold differs below
            found[start : start + 1000] = as_bytes(piece)
        if not np.array_equal(as_floats(found[start : start + 1000]), piece):
            return pixels
    return found


def check_counts(images: Images, /, **counts: int | None) -> None:
    """Before any training: so many test images must be there (null: all of them)."""
    for name, count in counts.items():
        if count is not None and count > len(images.test[1]):
            raise RunError(
                f"`{name}` must be at most the number of test images, {len(images.test[1])}. "
                f"Received: {name}={count}"
            )


def other_images(name: str, settings: Data, images: Images, *, limit: int | None) -> tuple[str, np.ndarray]:
    """The name of a set and its first `limit` test images, or all."""
    try:
        found = kf.data.load(name, data_dir=settings.data_dir, download=settings.download)
    except (FileNotFoundError, ImportError, ValueError) as error:
        raise RunError(str(error)) from error
    if found.input_shape != images.shape:
        raise RunError(
            f"the images of {name} must have the shape of those of {images.name}, {images.shape}. "
            f"Received: {found.input_shape}"
        )
    if found.test is None:
        raise RunError(f"{name} must have a test split. Received: a training split alone")
    return found.name, found.arrays("test", limit=limit)[0]


def _read(
    data: kf.data.ImageData, split: str, limit: int | None, most_bytes: float
) -> tuple[np.ndarray, np.ndarray]:
    if most_bytes == math.inf:
        return data.arrays(split, limit=limit)
    images, labels = data.arrays(split, limit=limit, dtype="uint8")
    return (as_floats(images) if 4 * images.nbytes <= most_bytes else images), labels


def _load(
    run: Run, settings: Data, chosen: str | None, image_size: int | None, classes: Sequence[str] | None
) -> kf.data.ImageData:
    if chosen is not None and chosen == settings.fallback:
        return kf.data.load(chosen, classes=classes)
    try:
        return kf.data.load(
            settings.name,
            data_dir=settings.data_dir,
            download=settings.download,
            image_size=image_size,
            classes=classes,
        )
    except ValueError as error:
        raise RunError(str(error)) from error
    except (FileNotFoundError, ImportError) as error:
        if settings.fallback is None or chosen is not None:
            raise RunError(
                f"{error} (or take the images that ship with the package: data.name=cifar10_mini)"
            ) from error
        run.say(f"{settings.name} is not here ({error}); {settings.fallback} is taken instead")
        return kf.data.load(settings.fallback, classes=classes)
