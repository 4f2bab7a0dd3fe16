"""A model and its images, looked at together before anything is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_freq._cli._command import tell
from keras_freq._cli._data import OpenedData, open_chosen
from keras_freq._cli._models import OpenedModel, open_model
from keras_freq._cli._options import DataOptions, ModelOptions, RunOptions
from keras_freq._cli._start import start_keras

if TYPE_CHECKING:
    from keras_freq._core.classifier import Classifier
    from keras_freq.evaluate import AccuracyResult

# Images on which ranges of pixels are tried.
_TRIED = 256
_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))


@dataclass(frozen=True)
class Subject:
    """What is looked at.

    Attributes:
        model: The model as it was opened.
        classifier: It, for the images of `data` as they are.
        data: The images, with their channels where the model has them.
        clean: Its accuracy on them.
        assumed: Lines that say what was assumed.
    """

    model: OpenedModel
    classifier: Classifier
    data: OpenedData
    clean: AccuracyResult
    assumed: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        first = self.classifier.choose_data_format() == "channels_first"
        height, width = self.data.images.shape[2:] if first else self.data.images.shape[1:3]
        return height, width


def open_subject(
    model: ModelOptions, data: DataOptions, run: RunOptions, *, n: int | None = None, say: Callable = print
) -> Subject:
    """Opens model and data, settles what was not declared, and says it with the clean accuracy.

    Args:
        model: Which model.
        data: Which images.
        run: How.
        n: How many images where the options do not say, at most; `None`: all.
        say: Takes each line.
    """
    backend = start_keras(run.backend)
    opened = open_model(
        model.model,
        value_range=model.value_range,
        preprocess=model.preprocess,
        output=model.output,
        from_logits=model.logits,
        data_format=model.data_format,
        imports=model.imports or (),
    )
    images = open_chosen(data, n=n, image_size=_input_size(opened))
    subject = look_at(opened, images, backend=backend, batch_size=run.batch_size)
    for line in subject.assumed:
        say(line)
    return subject


def look_at(
    model: OpenedModel, data: OpenedData, *, backend: str = "", batch_size: int | None = None
) -> Subject:
    """What is assumed of a model and images, channels last, and the clean accuracy."""
    from keras_freq.evaluate import accuracy

    data = data.arranged(model.classifier.choose_data_format())
    classifier, source = settle_range(model, data)
    clean = accuracy(classifier, data.pair, batch_size=batch_size, progress=None)
    outputs = len(clean.count_per_class)
    if len(data.classes) == 1:
        raise ValueError(
            "The data must hold two classes at least: DATA is the folder above those of the classes. "
            f"Received: {data.name} with the one class {data.classes[0]!r}"
        )
    if len(data.classes) < outputs:
        tell(
            f"warning: the data have {len(data.classes)} classes and the model {outputs} outputs: class 0 is "
            f"taken for {data.classes[0]}; name the classes in the model's order with --classes"
        )
    settings = clean.settings
    low, high = settings["value_range"]
    front = f", preprocess {settings['preprocess']}" if "preprocess" in settings else ""
    lines = (
        f"model    {classifier.name} ({model.origin})" + (f", backend {backend}" if backend else ""),
        f"data     {data.name}, {data.note}; {len(data.classes)} classes, images {data.images.shape[1:]}",
        f"assumed  pixels {low:g} to {high:g} ({source}){front}, {settings['outputs']}, "
        f"{settings['data_format']}",
        f"clean    accuracy {float(clean):.4f} of {clean.n} images",
    )
    return Subject(model, classifier, data, clean, lines)


def settle_range(model: OpenedModel, data: OpenedData) -> tuple[Classifier, str]:
    """The classifier for images on [0, 1], and what told the range that its model takes.

    What was declared counts; then the model's own first layers; then the range in which the model is clearly
    better at the first images.
    """
    import numpy as np

    from keras_freq._core.value_range import range_of_first_layers
    from keras_freq.evaluate import accuracy

    classifier = model.classifier
    if model.range_from:
        return _of_pixels(classifier, classifier.value_range or _RANGES[0]), model.range_from
    network = getattr(classifier.model, "inference_model", classifier.model)
    own = range_of_first_layers(network, classifier.front)
    if own is not None:
        return _of_pixels(classifier, own), "as its first layers tell"
    # Images of one class would be told by a model that says that class of anything.
    rows = np.random.default_rng(0).permutation(len(data.labels))[:_TRIED]
    few = data.images[np.sort(rows)], data.labels[np.sort(rows)]
    right = [sum(accuracy(_of_pixels(classifier, one), few).correct_per_class) for one in _RANGES]
    first, second = sorted(right, reverse=True)[:2]
    tried = ", ".join(
        f"{count} of {len(rows)} with {low:g} to {high:g}"
        for count, (low, high) in zip(right, _RANGES, strict=True)
    )
    if first - second > 3 * np.sqrt(len(rows)) / 2:
        return _of_pixels(
            classifier, _RANGES[right.index(first)]
        ), f"the best of those tried: right for {tried}"
    return _of_pixels(classifier, _RANGES[0]), f"by default, as no range is clearly better: right for {tried}"


def _of_pixels(classifier: Classifier, value_range: Any) -> Classifier:
    """The classifier with a range, for bytes and for floats on [0, 1]."""
    return classifier.declare_range(value_range).for_pixels


def _input_size(model: OpenedModel) -> tuple[int, int] | None:
    """Height and width of the model's input, where they are fixed and channels come last."""
    shape = getattr(model.classifier.model, "input_shape", None)
    known = isinstance(shape, tuple) and len(shape) == 4 and all(shape[1:3])
    first = model.classifier.choose_data_format() == "channels_first"
    return (shape[1], shape[2]) if known and shape is not None and not first else None
