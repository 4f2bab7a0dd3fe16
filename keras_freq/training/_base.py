"""What the models share that train a classifier in a way of their own."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_freq._core import processes
from keras_freq._core.classifier import Classifier, as_classifier
from keras_freq._core.reading import pick_output
from keras_freq._core.value_range import BYTES, UNIT
from keras_freq.layers._base import FrequencyLayer, RandomFrequencyLayer
from keras_freq.spectral._backend import dtype_of, is_floating
from keras_freq.training._first_images import FirstImages


class TrainingModel(keras.Model):
    """A model that holds a classifier and, in inference, is the classifier alone.

    `input_shape`, `output_shape` and `layers` are those of the classifier, the layers behind the wrapper's
    own (Keras looks in `layers` for what it saves and summarizes). `inputs`, `outputs` and `operations`
    belong to Keras' functional models, which the wrapper is not: `model.classifier` has them.

    What a `keras_freq.Classifier` declares is part of the model, in training, in inference and in its saved
    file. Augmentations see the images as they come; then bytes are brought into the declared range, and what
    stands in front of the model is applied. Of a plain model nothing is declared: it gets bytes as they are.

    Subclasses name in `PARTS` the attributes that hold layers or `None`, and set them through `hold`. They
    add the rest of their settings in `get_config`.

    Attributes:
        classifier: The Keras model that is trained.
        declared: The `keras_freq.Classifier` of it.
    """

    PARTS: ClassVar[tuple[str, ...]] = ("classifier",)

    def __init__(self, **kwargs):
        # Pixels reach the augmentation unrounded; the classifier casts them itself.
        super().__init__(autocast=False, **kwargs)

    def hold(self, *, classifier: keras.Model | Classifier, **parts: keras.Layer | None) -> None:
        """Check and keep the classifier and the other layers."""
        if not isinstance(classifier, (keras.Model, Classifier)):
            raise TypeError(
                "`classifier` must be a Keras model or a keras_freq.Classifier. "
                f"Received: type={type(classifier).__name__}"
            )
        for name, layer in parts.items():
            if layer is not None and not isinstance(layer, keras.Layer):
                raise TypeError(
                    f"`{name}` must be a Keras layer or None. Received: type={type(layer).__name__}"
                )
        self.declared = as_classifier(classifier)
        for name, layer in {"classifier": self.declared.model, **parts}.items():
            setattr(self, name, layer)
        if isinstance(self.declared.preprocess, keras.Layer):
            self.preprocess = self.declared.preprocess  # its weights are saved with the others
            shape = getattr(self.classifier, "input_shape", None) if self.classifier.built else None
            if shape is not None and not self.preprocess.built:
                self.preprocess.build(shape)  # now: some layers keep tensors that they make, even traced ones

    @keras.Model.layers.getter
    def layers(self) -> list:
        """The layers that the wrapper adds, then those of the classifier."""
        layers = super().layers
        classifier = getattr(self, "classifier", None)
        if not isinstance(classifier, keras.Model):
            return layers
        return [layer for layer in layers if layer is not classifier] + classifier.layers

    @property
    def input_shape(self) -> Any:
        """That of the classifier, where Keras knows it."""
        return self.classifier.input_shape

    @property
    def output_shape(self) -> Any:
        """That of the classifier's output, where Keras knows it."""
        shapes = self.classifier.output_shape
        # Several are listed in the order of their keys.
        return shapes if self.declared.output is None else shapes[self.declared.index_of_output]

    @property
    def inference_model(self) -> keras.Model:
        """The model that is run in inference, behind what is declared."""
        return getattr(self.classifier, "inference_model", self.classifier)

    def augment_images(self, part: keras.Layer | None, images: Any) -> Any:
        """Images behind one of the parts; a layer of a sequence gets them from the one before it as they are,
        where a `keras.Sequential` would make floats of bytes."""
        if part is not None:
            for layer in _flatten(part):
                images = layer(images, training=True)
        return images

    def bring_into_range(self, images: Any, *, source: Any) -> Any:
        """Pixels of augmented `source`: where that was bytes, the augmented are brought into the range that
        is declared."""
        if self.declared.value_range is None and self.declared.preprocess is None:
            return images
        if is_floating(dtype_of(source)):
            return images
        low, high = self.declared.value_range or UNIT
        return ops.cast(images, "float32") * ((high - low) / 255) + low

    def preprocess_images(self, images: Any) -> Any:
        """What the classifier gets, of images in its range."""
        # A wrapper in a wrapper does so itself.
        return (
            images if isinstance(self.classifier, TrainingModel) else self.declared.preprocess_images(images)
        )

    def run_classifier(self, images: Any, *, training: bool) -> Any:
        """The output that is meant, of preprocessed images."""
        outputs = self.classifier(images, training=training)
        key = self.declared.key_of_output
        return outputs if key is None else pick_output(outputs, key)

    def infer(self, images: Any, *, source: Any = None, training: bool = False) -> Any:
        """The classifier's output for images as they come, or for augmented ones of `source`."""
        images = self.bring_into_range(images, source=images if source is None else source)
        return self.run_classifier(self.preprocess_images(images), training=training)

    def infer_logits(self, images: Any) -> Any:
        """float32 logits `(batch, classes)` of images in the range that is declared, in inference mode."""
        outputs = self.declared.core(self.declared.preprocess_images(images), training=False)
        reading = self.declared.reading
        return reading.link_outputs(ops.cast(pick_output(outputs, reading.output), "float32"))

    def fit(self, x=None, *args, **kwargs):
        """`keras.Model.fit`, which looks at the first images.

        For that a `keras.utils.PyDataset` is asked for its batch 0 once more; all else is read as often as by
        Keras.

        Raises:
            ValueError: If the first batch holds pixels that are not finite or beyond the range that a layer
                takes.
            RuntimeError: If several processes are joined on PyTorch, where Keras trains a model in each.
        """
        processes.refuse_training()
        first = FirstImages(self._check_images, kwargs.get("batch_size") or 32)
        try:
            return super().fit(first.look(x), *args, **kwargs)
        except Exception:
            if first.error is None:
                raise
        raise first.error from None

    def _check_images(self, images: np.ndarray) -> None:
        floats = images.dtype.kind == "f"
        before = None
        for layer in self._augmentations():
            if isinstance(layer, RandomFrequencyLayer):
                if floats:
                    _check_same_range(layer, self.declared.value_range)
                    layer.check_range(images)
                    return  # behind it the values are its own
                if before is not None:
                    _check_takes_float_bytes(layer, before)
            elif not isinstance(layer, FrequencyLayer):
                before = layer
                for inner in getattr(layer, "layers", ()):
                    if isinstance(inner, RandomFrequencyLayer) and not floats:
                        _check_takes_float_bytes(inner, before)

    def _augmentations(self, *names: str) -> list:
        """The layers of all parts but the classifier, or of those that are named."""
        layers = (getattr(self, name) for name in names or self.PARTS if name != "classifier")
        return [layer for part in layers if part is not None for layer in _flatten(part)]

    def build(self, input_shape):
        for name in (*self.PARTS, "preprocess"):
            layer = getattr(self, name, None)
            if layer is not None and not layer.built:
                layer.build(input_shape)
        super().build(input_shape)

    def compute_output_shape(self, input_shape):
        shapes, key = self.classifier.compute_output_shape(input_shape), self.declared.key_of_output
        return shapes if key is None else shapes[key]

    def get_config(self):
        parts = {name: getattr(self, name) for name in self.PARTS}
        return {
            **super().get_config(),
            **{name: layer and keras.saving.serialize_keras_object(layer) for name, layer in parts.items()},
            "declared": self.declared.get_config(),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        declared = config.pop("declared", {})  # models saved before there was one have none
        for name in cls.PARTS:
            config[name] = config[name] and keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        if declared:
            config["classifier"] = Classifier.from_config(
                {"model": config["classifier"], **declared}, custom_objects
            )
        return cls(**config)


def _check_same_range(layer: RandomFrequencyLayer, declared: tuple[float, float] | None) -> None:
    """Refuses a layer made for other floats than the classifier."""
    if declared is not None and layer.checks_range and tuple(layer.value_range) != declared:
        (low, high), (least, most) = layer.value_range, declared
        raise ValueError(
            f"{type(layer).__name__} must take the floats that the classifier takes, "
            f"value_range=({least:g}, {most:g}). Received: value_range=({low:g}, {high:g})"
        )


def _check_takes_float_bytes(layer: RandomFrequencyLayer, before: keras.Layer) -> None:
    """Refuses a layer that takes bytes for floats of another range, behind one that makes floats of them."""
    low, high = layer.value_range
    if layer.checks_range and (low, high) != BYTES:
        raise ValueError(
            f"{type(layer).__name__} gets bytes as floats from 0 to 255, behind or in "
            f"{type(before).__name__}: put it in front, or give it value_range=(0, 255). "
            f"Received: value_range=({low:g}, {high:g})"
        )


def _flatten(layer: Any) -> list:
    """The layers of a sequence of augmentations, or the one there is."""
    if isinstance(layer, keras.Sequential):
        return [inner for part in layer.layers for inner in _flatten(part)]
    return [layer]


class BatchTransformModel(TrainingModel):
    """A classifier whose training step sees `prepare(images, labels)` in place of the batch.

    `prepare` may draw from the seed generators of the model's layers and run the classifier in inference
    mode. It is traced with the step: nothing leaves the device.

    Attributes:
        copies: How many versions of the batch `prepare` returns, one behind the other. Sample weights are
            repeated as often.
    """

    copies = 1

    def prepare(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """What the step trains on, in the range that is declared, of the same shapes but for `copies` times
        the batch, without gradients."""
        raise NotImplementedError

    def call(self, images, training=False):
        return self.infer(images, training=training)

    def check_labels(self, labels: Any) -> None:
        """Refuse images without labels."""
        if labels is None:
            raise ValueError(f"{type(self).__name__} trains on (images, labels). Received: images alone")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        self.check_labels(y)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.check_labels(y)
        return super().compute_metrics(x, y, y_pred, sample_weight=sample_weight)

    def train_step(self, *arguments):
        if keras.backend.backend() == "jax":
            state, data = arguments
            state, data = self._prepare_stateless(state, data)
            return super().train_step(state, data)
        return super().train_step(self._prepare_data(*arguments))

    def _prepare_data(self, data):
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        self.check_labels(labels)
        images, labels = self.prepare(ops.convert_to_tensor(images), ops.convert_to_tensor(labels))
        if weights is not None and self.copies > 1:
            weights = ops.concatenate([ops.convert_to_tensor(weights)] * self.copies)
        return ops.stop_gradient(images), labels, weights

    def _prepare_stateless(self, state, data):
        """The same where variables are arguments of the step: random draws advance among the values."""
        trainable, non_trainable, *rest = state
        mapping = [
            *zip(self.trainable_variables, trainable, strict=True),
            *zip(self.non_trainable_variables, non_trainable, strict=True),
        ]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            data = self._prepare_data(data)
        values = []
        for variable, value in zip(self.non_trainable_variables, non_trainable, strict=True):
            new = scope.get_current_value(variable)
            values.append(value if new is None else new)
        return (trainable, values, *rest), data
