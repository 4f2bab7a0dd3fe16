from __future__ import annotations

from typing import ClassVar

import keras
from keras import ops

from keras_freq._core.classifier import Classifier
from keras_freq.layers._class_frequencies import ClassFrequencies
from keras_freq.training._base import BatchTransformModel


@keras.saving.register_keras_serializable(package="keras_freq")
class MixtureModel(BatchTransformModel):
    """A classifier that trains on mixtures of images and labels and is the bare classifier otherwise.

    The layer that makes them is one of `{"images": ..., "labels": ...}`, such as
    `keras.layers.CutMix(factor=(1.0, 1.0))` or `keras.layers.MixUp()`, and runs inside the compiled step.
    (CutMix draws the parameter of its Beta distribution from `factor`: with the default, 1.0, uniformly from
    0 to 1; with `(1.0, 1.0)` it is 1, as published.)

    Feed class indices `(batch,)` or one-hot labels; the model makes distributions of them, so it is compiled
    with `keras.losses.CategoricalCrossentropy(from_logits=True)`. Accuracy in training counts the class with
    the larger weight. A classifier of one output, the logit of the second of two classes, takes the
    probability of that class, `(batch,)` or `(batch, 1)`, and is compiled with
    `keras.losses.BinaryCrossentropy(from_logits=True)`; Keras' accuracy of two classes counts mixtures as
    wrong.

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A Keras model from images to one tensor of logits, or a `keras_freq.Classifier` of one.
        mixture: Layer that takes and returns a dictionary with the keys `"images"` and `"labels"`.
        augment: Layer or model applied before the mixture, such as `keras_freq.layers.CropFlip()`, or `None`.
        **kwargs: `name`, `dtype` and so on of `keras.Model`.

    Raises:
        TypeError: if `classifier` is no model, or one of the others no Keras layer.
        ValueError: if `classifier` has several outputs; if the model is compiled with a loss of class
            indices, with one of several classes where there is one output, or with `jit_compile=True` on
            TensorFlow, whose XLA cannot draw the weights of MixUp and CutMix; if `mixture` returns something
            else, or labels or the maps of `mixture` are of more or fewer classes than there are.

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
        Features", ICCV 2019; Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
        Differs from the original: Keras' layers draw a weight for each image, not for each batch. Its CutMix
        lays the patch inside the image (the original cuts off what lies outside), and the weights of the
        labels are those of a patch with fractional corners: on 32x32 they miss the share of the pixels by
        0.015 on average, 0.06 at most.

    Example:
        >>> model = keras_freq.training.MixtureModel(classifier, keras.layers.CutMix(factor=(1.0, 1.0)))
        >>> model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("augment", "mixture", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        mixture: keras.Layer,
        *,
        augment: keras.Layer | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(mixture, keras.Layer):
            raise TypeError(f"`mixture` must be a Keras layer. Received: type={type(mixture).__name__}")
        self.hold(classifier=classifier, augment=augment, mixture=mixture)
        outputs = self._count_outputs()
        # One output is two classes.
        if isinstance(mixture, ClassFrequencies) and outputs and len(mixture.maps) != max(outputs, 2):
            raise ValueError(
                f"`mixture` must have a map for each of the {max(outputs, 2)} classes of the classifier. "
                f"Received: {len(mixture.maps)} maps"
            )
        # XLA has no kernel for TensorFlow's gamma draws; jit_compile="auto" asks for this.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def compile(self, optimizer="rmsprop", loss=None, **kwargs):
        if isinstance(loss, keras.losses.SparseCategoricalCrossentropy) or (
            isinstance(loss, str) and loss.startswith("sparse_")
        ):
            raise ValueError(
                "`loss` must take distributions over the classes, such as "
                "keras.losses.CategoricalCrossentropy(from_logits=True). "
                f"Received: loss={getattr(loss, 'name', loss)!r}"
            )
        if self._count_outputs() == 1 and (
            isinstance(
                loss, (keras.losses.CategoricalCrossentropy, keras.losses.CategoricalFocalCrossentropy)
            )
            or (isinstance(loss, str) and loss.startswith("categorical_"))
        ):
            raise ValueError(
                "`loss` must take the probability of the second class where the classifier has one output, "
                "such as keras.losses.BinaryCrossentropy(from_logits=True). "
                f"Received: loss={getattr(loss, 'name', loss)!r}"
            )
        if kwargs.get("jit_compile") is True and not self.supports_jit:
            raise ValueError(
                "`jit_compile` must be False or 'auto' on TensorFlow, whose XLA cannot draw from a Beta "
                "distribution. Received: jit_compile=True"
            )
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def compile_from_config(self, config):
        # Keras leaves a loaded model with a compile() of its own uncompiled.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def prepare(self, images, labels):
        source = images
        images = ops.cast(self.augment_images(self.augment, images), "float32")
        mixed = self.mixture({"images": images, "labels": self._make_distribution(labels)}, training=True)
        if not isinstance(mixed, dict) or not {"images", "labels"} <= set(mixed):
            found = sorted(mixed) if isinstance(mixed, dict) else type(mixed).__name__
            raise ValueError(
                "`mixture` must return a dictionary with the keys 'images' and 'labels'. "
                f"Received: {found} from {self.mixture.name!r}"
            )
        return self.bring_into_range(mixed["images"], source=source), mixed["labels"]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, self._make_distribution(y), y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, self._make_distribution(y), y_pred, sample_weight=sample_weight)

    def _make_distribution(self, labels):
        """A weight for every output; what is one already stays, since `prepare` has made one in training."""
        self.check_labels(labels)
        width = labels.shape[-1] if len(labels.shape) == 2 else 1
        outputs = self._count_outputs()
        if width == 1 and outputs != 1:
            labels = ops.reshape(ops.cast(labels, "int32"), (-1,))
            return ops.one_hot(labels, self.output_shape[-1], dtype="float32")
        if outputs not in (None, width):
            raise ValueError(
                f"Labels must be {'probabilities' if outputs == 1 else 'class indices'} (batch,), or one-hot "
                f"rows (batch, {outputs}), as the classifier has outputs. Received: labels of shape "
                f"{tuple(labels.shape)}"
            )
        return ops.reshape(ops.cast(labels, "float32"), (-1, width))

    def _count_outputs(self) -> int | None:
        """The classifier's outputs for an image, where Keras knows them."""
        known = hasattr(self.classifier, "output_shape")
        return self.output_shape[-1] if known else None
