"""Data as measurements take them: batch by batch, the first one looked at before anything is measured."""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_freq._core import processes
from keras_freq._core.array_batches import RawBatches
from keras_freq._core.batches import Batch, read_batches, wrap_arrays
from keras_freq._core.checks import (
    check_data_format,
    check_labels,
    check_model_classes,
    check_readable_again,
    check_whole,
)
from keras_freq._core.classifier import CHANNELS, Classifier, as_classifier, warn_of_bytes
from keras_freq._core.compiled import compile_logits
from keras_freq._core.devices import take_local
from keras_freq._core.pixels import unit_float32


class Feed:
    """Any data as batches `(images, labels, valid)` of one shape, for one pass over them or several.

    The first batch is read at once and handed on by the first pass: nothing is read twice, and a generator
    serves for one pass. Every further pass must bring the same images and labels in the same order.

    Args:
        data: What `keras_freq.data.iterate_batches` takes.
        batch_size: Images per batch, as there.
        n: Take the first `n` images, which are then held in memory: a generator can be read again, too.
        data_format: `"channels_last"` or `"channels_first"`.
        needs_labels: `False` takes an array of images alone, too, whose labels are 0.
        hashed: Whether passes make `digest` on their way, and further ones must bring the same images.
        name: What errors call the data.
        convert: Makes pixels of the images as the data hold them.

    Attributes:
        batch_size: Images per batch, filling included.
        image_shape: Shape of one image.
        size: Its height and width.
        channels: Its channels.
        labeled: Whether the labels are those of the data.

    Raises:
        ValueError: If the data are empty, not finite, out of bounds, or less than `n` images.
        TypeError: If the data are of another kind.
    """

    def __init__(
        self,
        data: Any,
        *,
        batch_size: int | None = None,
        n: int | None = None,
        data_format: str = "channels_last",
        needs_labels: bool = True,
        hashed: bool = False,
        name: str = "data",
        convert: Callable[[np.ndarray], np.ndarray] = unit_float32,
    ):
        self.data_format, self._convert = data_format, convert
        last = check_data_format(data_format) == "channels_last"
        self.labeled = needs_labels or not len(getattr(data, "shape", ()))
        if not self.labeled:
            data = (data, np.zeros(len(data), "int64"))
        self._source, self._name, self._hashed = data, name, hashed
        self._data, self._limit = wrap_arrays(data, batch_size), batch_size
        self._classes: int | None = None
        self._labels: np.ndarray | None = None
        self._digest: str | None = None
        self._mark: int | None = None
        self._opened = False
        # A pass that has been opened and not begun: its first batch, and the rest.
        self._ahead: tuple[Batch, Iterator[Batch]] | None = None
        if n is not None:
            check_whole(n, "n")
            size = min(len(self.first_batch()[0]), n)
            images, labels = self._gather(self._read_pass(), n)
            if not isinstance(self._data, (RawBatches, Iterator)):
                self._check_first(images, labels)
            self._data, self._limit = RawBatches(images, labels, batch_size=size), None
        if isinstance(self._data, RawBatches):  # arrays in an order that stays
            self._labels = self._data.labels
        shape = self.first_batch()[0].shape
        self.batch_size: int = shape[0]
        self.image_shape: tuple[int, ...] = shape[1:]
        self.size: tuple[int, int] = (shape[1], shape[2]) if last else (shape[2], shape[3])
        self.channels: int = shape[3] if last else shape[1]

    def to_pixels(self, images: np.ndarray) -> np.ndarray:
        """Images as the data hold them as float32 pixels; by default bytes on [0, 1], floats as they are."""
        return self._convert(images)

    def broadcast_channels(self, values: np.ndarray) -> np.ndarray:
        """One number for each channel as an array that broadcasts over a batch."""
        return values.reshape((1, 1, 1, -1) if self.data_format == "channels_last" else (1, -1, 1, 1))

    def first_batch(self) -> Batch:
        """The first batch of the next pass, which begins with it."""
        images, labels, valid = self._open()[0]
        return self.to_pixels(images), labels, valid

    def __iter__(self) -> Iterator[Batch]:
        """Batches float32 `(batch, ...)`, int32 `(batch,)`, and how many images at the front are real."""
        parts, digest = [], hashlib.sha256() if self._hashed else None
        # Arrays stay as they are. Of other images the middle rows are looked at, which costs next to nothing.
        stays, mark = isinstance(self._data, RawBatches) and processes.count() == 1, 0
        for images, labels, valid in self._read_pass():
            if not stays:
                mark = _mark(images[:valid], mark)
            images, labels = self.to_pixels(images), check_labels(labels, len(images), self._classes)
            if digest is not None:
                digest.update(np.ascontiguousarray(images[:valid]).data)
            parts.append(labels[:valid])
            yield images, labels, valid
        self._close(np.concatenate(parts), digest, mark)

    def _read_pass(self) -> Iterator[Batch]:
        (first, rest), self._ahead = self._open(), None
        return itertools.chain([first], rest)

    def read_through(self) -> None:
        """One pass for the checks alone."""
        for _ in self:
            pass

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """All images and labels in memory."""
        if not isinstance(self._data, RawBatches):
            return self._gather(self)
        # Of arrays the number is known: one copy, not the batches and their sum.
        whole = np.empty((self.n, *self.image_shape), "float32")
        parts, count = [], 0
        for images, labels, valid in self:
            whole[count : count + valid] = images[:valid]
            parts.append(labels[:valid])
            count += valid
        return whole, np.concatenate(parts)

    def _gather(self, batches: Iterable[Batch], n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The images and labels of all batches, or the first `n`."""
        parts, count = [], 0
        for images, labels, valid in batches:
            valid = valid if n is None else min(valid, n - count)
            parts.append((images[:valid], labels[:valid]))
            count += valid
            if count == n:
                break
        if n is not None and count < n:
            raise ValueError(f"`n` must be at most the number of images, here {count}. Received: n={n}")
        images, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
        return images, labels

    @property
    def labels(self) -> np.ndarray:
        """The labels of all images, int32 `(n,)`; before the first pass is done, arrays alone know them."""
        if self._labels is None:
            self.read_through()
            return self.labels
        return self._labels

    @property
    def n(self) -> int:
        """The number of images, known when the labels are."""
        return len(self.labels)

    @property
    def count_per_class(self) -> np.ndarray:
        """Images of each class, `(classes,)`, known when the labels are."""
        return np.bincount(self.labels, minlength=self._classes or 0)

    def digest(self) -> str:
        """Digest of all images and labels in their order. Where no pass has made it, one is made for it."""
        if self._digest is None:
            self._hashed = True
            self.read_through()
            return self.digest()
        return self._digest

    def _open(self) -> tuple[Batch, Iterator[Batch]]:
        if self._ahead is None:
            if self._opened:
                check_readable_again(self._data, self._name, "for another pass")
            batches = read_batches(self._data, self._limit, self._name)
            self._ahead, self._opened = (next(batches), batches), True
        return self._ahead

    def _check_first(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Refuses a feed whose first images are others when it is read again: which are the first `n`?"""
        again, classes, valid = next(read_batches(self._data, self._limit, self._name))
        valid = min(valid, len(images))
        if np.array_equal(classes[:valid], labels[:valid]) and _mark(again[:valid]) == _mark(images[:valid]):
            return
        raise ValueError(
            f"The first `n` images are others at every pass: `{self._name}` are shuffled or augmented anew; "
            f"pass them in a fixed order, without augmentation, or as arrays. Received: n={len(images)} with "
            f"{self._name} of type {type(self._data).__name__}"
        )

    def _close(self, labels: np.ndarray, digest: Any, mark: int) -> None:
        """Keeps what a whole pass has shown, and refuses other data than those of the passes before."""
        known, before = labels if self._labels is None else self._labels, self._digest
        marked = mark if self._mark is None else self._mark
        if digest is not None:
            digest.update(labels.data)
            self._digest = digest.hexdigest()
        if mark != marked or not np.array_equal(labels, known) or before not in (None, self._digest):
            raise ValueError(
                f"`{self._name}` must be the same, in the same order, at every pass over them: your feed is "
                "shuffled or augmented anew; pass it in a fixed order, without augmentation, or as arrays. "
                f"Received: {len(labels)} images, unlike the {len(known)} of an earlier pass"
            )
        self._labels, self._mark = labels, mark
        processes.check_alike(self._name, lambda: (labels, mark))


def _mark(images: np.ndarray, before: int = 0) -> int:
    """A number that changes where images or their order do, of the row through the middle of each."""
    return zlib.crc32(np.ascontiguousarray(images[:, images.shape[1] // 2]).data, before)


class ModelFeed(Feed):
    """A `Feed` for a model: the first batch shows what the model makes of it, all labels fit its outputs.

    The one place where a model and data meet for the first time. Its images are pixels on [0, 1].

    Args:
        model: A Keras classifier, or a `Classifier`. It is run once, in inference mode, where its layers do
            not tell what its outputs are.
        data: As for `Feed`, and so are the other arguments.
        value_range: Lowest and highest pixel value that the model takes; default what the classifier says.
        data_format: Layout of the images; default that of the model.
        needs_logits: Whether probabilities are told from logits.
        needs_gradients: Whether a model whose softmax cannot be taken off is refused.
        needs_labels: `False` leaves the labels alone, and takes images without any.
        strict: Whether filtered images, which leave the range of pixels, are refused.

    Attributes:
        model: The `Classifier`, with the range and the outputs that were seen.
        data_format: Layout of the images.
        classes: The number of classes.
        settings: What was declared or assumed, for results.

    Raises:
        ValueError: As for `Feed`; if images leave the range that the model takes, labels are not among its
            outputs, or it does not return `(batch, classes)`.
        TypeError: If `model` is not a Keras model, or the data are of another kind.
    """

    def __init__(
        self,
        model: Any,
        data: Any,
        *,
        batch_size: int | None = None,
        n: int | None = None,
        value_range: Sequence[float] | None = None,
        data_format: str | None = None,
        needs_logits: bool = False,
        needs_gradients: bool = False,
        needs_labels: bool = True,
        strict: bool = True,
        hashed: bool = False,
        name: str = "data",
    ):
        self._strict = strict
        self.model = as_classifier(model).declare_range(value_range)
        processes.refuse_workers(self.model.core)
        self._settled = False
        super().__init__(
            data,
            batch_size=batch_size,
            n=n,
            data_format=self.model.choose_data_format(data_format),
            needs_labels=needs_labels,
            hashed=hashed,
            name=name,
        )
        check_fits(self.model, self.image_shape, name)
        if data_format is None and self.model.data_format is None:
            check_layout(self.data_format, self.image_shape, name)
        self.model.build(self.first_batch()[0][:1])
        classes = _tell_classes(self.model, self.image_shape)
        known = self.model.tells_outputs or (classes != 1 and not needs_logits and not needs_gradients)
        if classes is None or not known:
            outputs = self._run_model(self.model.unread)
            self.model, classes = self.model.settle_outputs(outputs), outputs.shape[-1]
        self.model.check_one_label(classes)
        classes = max(classes, 2)
        if needs_gradients:
            self.model.check_differentiable()
        self.classes: int = classes
        if needs_labels:
            self._classes = classes
            if self._labels is not None:
                check_labels(self._labels, len(self._labels), classes)
            self._warn_of_bytes()
        weights = (take_local(weight.value) for weight in self.model.core.weights)
        processes.check_alike("weights", lambda: map(keras.ops.convert_to_numpy, weights))
        processes.check_alike(name, lambda: self._open()[0])

    @property
    def settings(self) -> dict[str, Any]:
        return {**self.model.settings, "data_format": self.data_format}

    def to_pixels(self, images: np.ndarray) -> np.ndarray:
        """Images as the data hold them as float32 on [0, 1]."""
        if not self._settled:
            self.model, self._settled = self.model.settle_range(images), True
        return self.model.to_pixels(images, strict=self._strict)

    def check(self) -> None:
        """Finds what would stop later measurements: runs the model, reads all, and begins to read it anew."""
        self._run_model(self.model)
        self.read_through()
        check_readable_again(self._source, self._name)
        next(read_batches(wrap_arrays(self._source), name=self._name))

    def _run_model(self, model: Classifier, scale: float = 1.0) -> np.ndarray:
        """What the model returns for the first batch."""
        return keras.ops.convert_to_numpy(compile_logits(model)(self.first_batch()[0] * np.float32(scale)))

    def _warn_of_bytes(self) -> None:
        """Tells of a model that is clearly better at the first bytes when they are divided by 255."""
        images, labels, valid = self._open()[0]
        if images.dtype != np.uint8 or not self.model.guessed_bytes:
            return
        hits = [
            int((self._run_model(self.model, scale).argmax(axis=-1) == labels)[:valid].sum())
            for scale in (1, 1 / 255)
        ]
        if hits[1] - hits[0] > 3 * np.sqrt(valid) / 2:
            warn_of_bytes(
                self.model.name,
                f"and is right for {hits[0]} of the first {valid}, but for {hits[1]} on [0, 1]",
            )


def check_fits(model: Classifier, image_shape: tuple[int, ...], name: str) -> None:
    """Refuses images of another size or other channels than a model says that it takes."""
    wanted = getattr(model.model, "input_shape", None) if model.meets_images else None
    known = wanted[1:] if isinstance(wanted, tuple) and len(wanted) == 4 else (None, None, None)

    def fits(shape: tuple[int, ...]) -> bool:
        return all(size in (None, found) for size, found in zip(known, shape, strict=True))

    if not fits(image_shape):
        height, width, channels = image_shape
        turned = fits((width, channels, height)) or fits((channels, height, width))
        hint = "move their channels to its place" if turned else "resize them, or give them its channels"
        raise ValueError(
            f"`{name}` must hold images of the shape {known}, which the model takes: {hint}. "
            f"Received: images of shape {image_shape}"
        )


def check_layout(data_format: str, image_shape: tuple[int, ...], name: str) -> None:
    """Refuses images that are laid out otherwise than a model of which nothing is declared seems to take."""
    first, last = (image_shape[axis] in CHANNELS for axis in (0, -1))
    if first != last and last != (data_format == "channels_last"):
        raise ValueError(
            f"`{name}` must hold {data_format} images, or the model's layout be declared, "
            'keras_freq.Classifier(model, data_format="channels_first"), or "channels_last". '
            f"Received: images of shape {image_shape}"
        )


def _tell_classes(model: Classifier, image_shape: tuple[int, ...]) -> int | None:
    """The number of the model's outputs where it can be told without running it."""
    core: Any = model.core
    if not model.meets_images or not core.built:
        return None
    classes = check_model_classes(core)
    if classes is None and not isinstance(core, keras.Sequential):
        try:
            shape = core.compute_output_shape((None, *image_shape))
        except NotImplementedError:  # what Keras' own does where a subclass has none
            return None
        classes = shape[-1] if isinstance(shape, tuple) and len(shape) == 2 else None
    return classes if isinstance(classes, int) else None
