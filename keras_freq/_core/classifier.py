"""A model as all measurements see it: pixels on [0, 1] in, logits out."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_freq._core.batch_statistics import find_normalizations
from keras_freq._core.checks import (
    check_channels,
    check_data_format,
    check_flag,
    check_interval,
    check_model,
    check_numbers,
    show,
)
from keras_freq._core.last_activation import ACTIVATIONS, cut_activation, last_activation
from keras_freq._core.pixels import unit_float32
from keras_freq._core.reading import Reading
from keras_freq._core.value_range import BYTES, UNIT, first_normalization, range_of_first_layers

DECLARED = ("value_range", "preprocess", "output", "from_logits", "data_format", "mean")
_NO_LOGITS = (
    "The model must return logits, whose gradients do not vanish: remove the softmax or sigmoid inside it "
    "and train or convert with from_logits=True. Received: model={!r}, whose outputs are probabilities"
)
# Of images; any other number is a height or width.
CHANNELS = (1, 3, 4)


class Classifier:
    """A model, and what must be known of it so that every number is right: its pixels and its outputs.

    Every evaluation, callback, attack and search makes one of a plain model by itself. Say what it cannot
    see: the range of the pixels, what stands in front of the model, which of its outputs is meant. Strengths
    (epsilons, masks, means) are stated for pixels on [0, 1], and converted once, here.

    Bytes and other whole numbers are 0 to 255. Without `value_range` the model gets them as they are, as from
    `model.evaluate`; with it they are scaled to it. Floats are in the model's range, which is [0, 1] unless
    it is declared or the model's own first layers (`Rescaling`, `Normalization`) tell another.

    Args:
        model: A Keras model `(batch, ...) -> (batch, classes)`, or `(batch, 1)` for two classes; a
            `torch.nn.Module` on the PyTorch backend; or the path of a `.keras` file.
        value_range: Lowest and highest pixel value that the model takes, `(0, 255)` say; with `preprocess`,
            that of float images.
        preprocess: Function or Keras layer from pixels on [0, 1] to the model's input, of tensors, and
            differentiable for attacks: mean and deviation of each channel, another order of channels. The
            preprocessor of a KerasHub task, which its `evaluate` applies, is taken from it by itself.
        output: Name or index of the output, for a model that has several.
        from_logits: Whether the outputs are logits; `None` looks at the model's last layer, then at its
            outputs. A softmax or sigmoid at the end is taken off; where that cannot be, logits are the
            logarithms of the probabilities.
        data_format: `"channels_last"` or `"channels_first"`; `None` follows the shape of the model's input,
            then Keras' configuration.
        mean: What a removed DC leaves behind, on [0, 1], a number or one per channel, for the functions that
            ask for it; `None`: the mean of the model's first `Normalization`, else 0.

    Attributes:
        model: The Keras model.
        name: Its name.

    Raises:
        TypeError: If `model` is of another kind.
        ValueError: If another argument is not one of those above.

    Example:
        >>> bytes_in = keras.Sequential([keras.layers.Rescaling(1 / 255), model])
        >>> classifier = kf.Classifier(bytes_in, value_range=(0, 255))
        >>> scores = kf.evaluate.accuracy(classifier, (images * 255, labels))
        >>> float(scores) == float(kf.evaluate.accuracy(model, data))
        True
    """

    def __init__(
        self,
        model: Any,
        *,
        value_range: Sequence[float] | None = None,
        preprocess: Callable | None = None,
        output: str | int | None = None,
        from_logits: bool | None = None,
        data_format: str | None = None,
        mean: float | Sequence[float] | None = None,
    ):
        self.model = _load(model)
        self.name: str = self.model.name
        if preprocess is not None and not callable(preprocess):
            raise TypeError(f"`preprocess` must be a function or a Keras layer. Received: {show(preprocess)}")
        if output is not None and (isinstance(output, bool) or not isinstance(output, (str, int))):
            raise TypeError(
                f"`output` must be the name or index of an output. Received: output={show(output)}"
            )
        self.value_range = None if value_range is None else check_interval(value_range, "value_range")
        self.preprocess = preprocess
        self.output = output
        self.from_logits = None if from_logits is None else check_flag(from_logits, "from_logits")
        self.data_format = None if data_format is None else check_data_format(data_format)
        self.mean = None if mean is None else check_numbers(mean, "mean")
        # A KerasHub task preprocesses what `evaluate` is given, and not what it is called with.
        pipeline = self.preprocess is None and hasattr(self.model, "preprocess_samples")
        self._preprocessor = getattr(self.model, "preprocessor", None) if pipeline else None
        # A wrapper for training is the network alone in inference, behind what was declared of it.
        self._network = getattr(self.model, "inference_model", self.model)
        inner = getattr(self.model, "declared", None)
        if isinstance(inner, Classifier):
            self._inherit(inner)
        self._link, self._guessed, self._in_pixels, self._by_batch = "logits", False, False, False
        self._replaced = False
        self._look_at_outputs()

    def _look_at_outputs(self) -> None:
        """Finds the output that is meant, and the softmax or sigmoid that can be taken off it."""
        index = output_index(self._network, self.output)
        self.index_of_output = index
        self._place = self.output if index is None else place_of_output(self._network, self.output, index)
        self._activation = self._cut = None
        if self.from_logits is not True and index is not None:
            self._activation = last_activation(self._network, index)
            self._cut = cut_activation(self._network, index)

    def look_again(self) -> Classifier:
        """The same once the model's last layer was replaced, or is as it was."""
        if not self._replaced and self.from_logits is not True:
            self._look_at_outputs()
        return self

    def _inherit(self, inner: Classifier) -> None:
        """Takes what is not declared here from the classifier that a wrapper was made of."""
        for name in DECLARED:
            if getattr(self, name) is None:
                setattr(self, name, getattr(inner, name))
        if self.preprocess is None:
            self._preprocessor = inner._preprocessor

    def of(self, model: keras.Model) -> Classifier:
        """What is declared here, of another model."""
        return type(self)(model, **{name: getattr(self, name) for name in DECLARED})

    def get_config(self) -> dict[str, Any]:
        """What was declared, as Keras saves it, without the model."""
        declared = {name: getattr(self, name) for name in DECLARED if getattr(self, name) is not None}
        if self.preprocess is not None:
            declared["preprocess"] = keras.saving.serialize_keras_object(self.preprocess)
        return declared

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> Classifier:
        """A classifier of a model and what was declared of it."""
        config = dict(config)
        if "preprocess" in config:
            config["preprocess"] = keras.saving.deserialize_keras_object(
                config["preprocess"], custom_objects=custom_objects
            )
        return cls(config.pop("model"), **config)

    def __repr__(self) -> str:
        return f"Classifier({self.name!r}, value_range={self.value_range}, output={self.output!r})"

    @property
    def settings(self) -> dict[str, Any]:
        """What was declared or assumed, for results."""
        before = f" before the {self._activation}" if self._cut and self._activation in ACTIVATIONS else ""
        described: dict[str, Any] = {
            "value_range": self.value_range or UNIT,
            "outputs": f"{self._link}{before}",
        }
        if self.front is not None:
            described["preprocess"] = getattr(self.front, "__name__", type(self.front).__name__)
        if self.output is not None:
            described["output"] = self.output
        return described

    @property
    def key_of_output(self) -> str | int | None:
        """Where the output that is meant stands in what the model returns, or `None` where it is that."""
        return self._place

    @property
    def front(self) -> Callable | None:
        """What stands between the images and the model."""
        return self.preprocess if self.preprocess is not None else self._preprocessor

    @property
    def core(self) -> keras.Model:
        """The model that is run, the one given without the softmax or sigmoid that can be taken off."""
        return self._cut or self._network

    @property
    def reading(self) -> Reading:
        """How the model that is run is read; it does not hold the model."""
        return Reading(
            value_range=self.value_range or UNIT,
            preprocess=self.preprocess,
            preprocessor=self._preprocessor,
            output=None if self._cut else self._place,
            link=self._link,
            activation=self._activation if self._cut and self._activation in ACTIVATIONS else None,
            by_batch=self._by_batch,
        )

    @property
    def meets_images(self) -> bool:
        """Whether nothing stands between the images and the model."""
        return self.front is None

    def build(self, pixels: np.ndarray) -> None:
        """Makes the variables of a layer in front of the model, outside of traced code."""
        if isinstance(self.preprocess, keras.Layer) and not self.preprocess.built:
            self.preprocess(pixels)

    def choose_data_format(self, wanted: str | None = None) -> str:
        """Layout of the images: as asked for, as declared, as the model's input tells, as Keras is set."""
        if wanted is not None or self.data_format is not None:
            return check_data_format(wanted or self.data_format)
        shape = getattr(self._network, "input_shape", None)
        if isinstance(shape, tuple) and len(shape) == 4:
            first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
            if first != last:
                return "channels_first" if first else "channels_last"
        if isinstance(self._network, keras.layers.TorchModuleWrapper):
            return "channels_first"
        return keras.config.image_data_format()

    @property
    def guessed_bytes(self) -> bool:
        """Whether the range is that of bytes because bytes were seen, and nothing else told it."""
        return self._guessed

    def declare_range(self, value_range: Sequence[float] | None) -> Classifier:
        """The classifier with a range that a function was told, which wins over its own."""
        if value_range is None:
            return self
        declared = copy.copy(self)
        declared.value_range = check_interval(value_range, "bounds")
        return declared

    @property
    def for_pixels(self) -> Classifier:
        """The same for images that are on [0, 1] already."""
        other = copy.copy(self)
        other._in_pixels = True
        return other

    @property
    def normalized_by_batch(self) -> Classifier:
        """The same with batch normalization by the statistics of the batch at hand."""
        if not find_normalizations(self.core):
            raise ValueError(
                "The model must have a layer of batch normalization to take the statistics of a batch. "
                f"Received: model={self.name!r} without one"
            )
        other = copy.copy(self)
        other._by_batch = True
        return other

    def replace_model(self, core: keras.Model) -> Classifier:
        """The same with another model, whose outputs are logits, in place of `core`."""
        other = copy.copy(self)
        other._cut, other._replaced = core, True
        return other

    @property
    def ending_in_logits(self) -> Classifier:
        """The same of the model without its softmax or sigmoid."""
        if self._cut is None:
            return self
        other = copy.copy(self)
        other.model = other._network = self._cut
        other._cut, other._activation = None, "linear"
        other.output, other._place, other.index_of_output, other.from_logits = None, None, 0, True
        return other

    def preprocess_images(self, images: Any) -> Any:
        """What the model gets, of images in its range, inside traced code."""
        if self.preprocess is not None:
            low, high = self.value_range or UNIT
            images = keras.ops.cast(images, "float32")
            images = images if (low, high) == UNIT else (images - low) / (high - low)
        return images if self.front is None else self.front(images)

    def settle_range(self, images: np.ndarray | None = None) -> Classifier:
        """The classifier with the range of its pixels, which its first layers and images tell."""
        if self.value_range is not None:
            return self
        settled = copy.copy(self)
        own = None
        if self.preprocess is None:
            own = range_of_first_layers(self._network, self._preprocessor)
        if images is None:
            settled.value_range = own or UNIT
            return settled
        if images.dtype == np.uint8:
            settled.value_range = BYTES if self.preprocess is None else UNIT
            settled._guessed = own is None and self.preprocess is None
            if own == UNIT:
                warn_of_bytes(self.name, "and its first layer is made for [0, 1]")
            return settled
        settled.value_range = own or UNIT
        if own == BYTES and images.max() <= 1:
            warnings.warn(
                f"The model {self.name!r} rescales pixels from 0 to 255, and the images look like those on "
                "[0, 1], which are black to it: multiply them by 255. "
                f"Received: values up to {images.max():.6g}",
                stacklevel=2,
            )
        return settled

    @property
    def _data_range(self) -> tuple[float, float]:
        return UNIT if self._in_pixels else self.value_range or UNIT

    def to_pixels(self, images: np.ndarray, *, strict: bool = True) -> np.ndarray:
        """Bytes, or floats in the range that the model takes, as float32 on [0, 1].

        Filtered images leave their range, by less than twice its width: where no strength depends on it they
        are taken unless `strict`.
        """
        if images.dtype == np.uint8:
            return unit_float32(images)
        images = np.ascontiguousarray(images, dtype="float32")
        low, high = (np.float32(limit) for limit in self._data_range)
        least, most = float(images.min()), float(images.max())
        margin = 0 if strict else 2 * (high - low)
        if least < low - margin or most > high + margin:
            raise ValueError(
                f"Images must lie in the range that the model takes, {low:g} to {high:g}, or another one be "
                "declared, keras_freq.Classifier(model, value_range=(low, high)). "
                f"Received: values from {least:.6g} to {most:.6g}"
            )
        return images if (low, high) == UNIT else (images - low) / (high - low)

    def from_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """float32 on [0, 1] as the model takes them."""
        low, high = (np.float32(limit) for limit in self._data_range)
        return pixels if (low, high) == UNIT else pixels * (high - low) + low

    @property
    def tells_outputs(self) -> bool:
        """Whether it is known without a look at numbers that `core` returns logits."""
        return self.from_logits is True or self._cut is not None or self._activation == "linear"

    @property
    def unread(self) -> Classifier:
        """The same, whose outputs come as the model returns them."""
        unread = copy.copy(self)
        unread._link = "none"
        return unread

    def settle_outputs(self, outputs: np.ndarray) -> Classifier:
        """The classifier that knows what its outputs are, from those of `unread` for a first batch."""
        settled = copy.copy(self)
        if self.from_logits:
            return settled
        single = outputs.shape[-1] == 1
        if self._cut:
            return settled
        if self.from_logits is False:
            settled._link = "log odds" if single else "log probabilities"
        elif single and _within_unit(outputs) and not _loss_takes_logits(self.model):
            if self._activation != "sigmoid":
                raise ValueError(
                    "The model has one output, between 0 and 1: say whether it is a logit, "
                    "keras_freq.Classifier(model, from_logits=True) or from_logits=False. "
                    f"Received: model={self.name!r}"
                )
            settled._link = "log odds"
        elif not single and _sums_to_one(outputs):
            settled._link = "log probabilities"
        return settled

    def check_one_label(self, classes: int) -> None:
        """Refuses a sigmoid over several outputs."""
        if classes > 1 and self._activation == "sigmoid":
            raise ValueError(
                "The model must return one class per image; a sigmoid over several outputs is a multi-label "
                "model: where its labels exclude one another, pass keras_freq.to_logits(model). "
                f"Received: model={self.name!r} with {classes} outputs"
            )

    def check_logits(self) -> None:
        """Refuses a model that is known to return probabilities, before its outputs are seen."""
        probable = self.from_logits is False or self._activation in ACTIVATIONS
        if probable and self._cut is None:
            raise ValueError(_NO_LOGITS.format(self.name))

    def check_differentiable(self) -> None:
        """Refuses probabilities whose softmax cannot be taken off: their gradients vanish."""
        if self._link != "logits":
            raise ValueError(_NO_LOGITS.format(self.name))

    def fill_of_dc(self, mean: float | Sequence[float] | None, channels: int) -> np.ndarray:
        """What a removed DC leaves behind, float32 `(channels,)` on [0, 1].

        Args:
            mean: The function's own argument, which wins; `None` for what is declared here, then for the mean
                of the model's first `Normalization`.
            channels: Channels of the images.
        """
        low, high = self.value_range or UNIT
        values: Any = self.mean if mean is None else mean
        if values is None:
            found = None
            if self.preprocess is None:
                found = first_normalization(self._network, self._preprocessor)
            if found is None:
                return np.zeros(channels, "float32")
            if len(found) not in (1, channels):
                raise ValueError(
                    "`mean` must be given for a model whose Normalization has no single mean per channel: "
                    f"a number or one for each of the {channels} channels. Received: {len(found)} means"
                )
            values = (found - low) / (high - low)
        return check_channels(values, "mean", channels)


def as_classifier(model: Any) -> Classifier:
    """A plain model as a classifier of which nothing is declared."""
    return model.look_again() if isinstance(model, Classifier) else Classifier(model)


def is_model(value: Any) -> bool:
    """Whether a value is a model in any of the forms that are taken, and no array of its outputs."""
    return callable(value) or isinstance(value, (Classifier, str, os.PathLike))


def warn_of_bytes(name: str, why: str) -> None:
    """Says that a model gets bytes as they are."""
    warnings.warn(
        f"The model {name!r} gets bytes from 0 to 255, as from model.evaluate, {why}: declare "
        "keras_freq.Classifier(model, value_range=(0, 1)) to have them divided by 255",
        stacklevel=2,
    )


def _load(model: Any) -> keras.Model:
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        if not path.endswith(".keras"):
            raise TypeError(
                f"`model` must be a Keras model or the path of a .keras file. Received: model={show(path)}"
            )
        if not os.path.isfile(path):
            raise FileNotFoundError(f"`model` must be the path of a file. Received: model={show(path)}")
        return keras.saving.load_model(path, compile=False)
    if not isinstance(model, keras.Layer) and keras.backend.backend() == "torch":
        import torch

        if isinstance(model, torch.nn.Module):
            return keras.layers.TorchModuleWrapper(model, name=type(model).__name__)
    return check_model(model)


def output_index(model: Any, output: str | int | None) -> int | None:
    """Place of an output among the model's, which is known of functional and sequential ones alone."""
    outputs = getattr(model, "outputs", None) if getattr(model, "built", False) else None
    if not outputs:
        return None if output is not None else 0
    if output is None:
        if len(outputs) == 1:
            return 0
        raise ValueError(
            "The model has several outputs: name one, keras_freq.Classifier(model, output=...). "
            f"Received: model={model.name!r} with the outputs {_output_names(model)}"
        )
    names = _output_names(model)
    if output in names:
        return names.index(str(output))
    if isinstance(output, int) and -len(outputs) <= output < len(outputs):
        return output % len(outputs)
    raise ValueError(f"`output` must be one of {names} or an index. Received: output={show(output)}")


def place_of_output(model: Any, output: str | int | None, index: int) -> str | int | None:
    """Key or index of an output in what the model returns."""
    if output is None:
        return None
    return _output_names(model)[index] if isinstance(model.output, dict) else index


def _output_names(model: Any) -> list[str]:
    structure = getattr(model, "output", None)  # a Sequential that was loaded has none
    if isinstance(structure, dict):
        return sorted(structure)
    return list(getattr(model, "output_names", None) or [model.name])


def _within_unit(outputs: np.ndarray) -> bool:
    return bool(np.isfinite(outputs).all() and outputs.min() >= 0 and outputs.max() <= 1)


def _sums_to_one(outputs: np.ndarray) -> bool:
    sums = np.sum(outputs, axis=-1, dtype="float64")
    return _within_unit(outputs) and bool(np.abs(sums - 1).max() < 1e-3)


def _loss_takes_logits(model: Any) -> bool:
    return getattr(getattr(model, "loss", None), "from_logits", False) is True
