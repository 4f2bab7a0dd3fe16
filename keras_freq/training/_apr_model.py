from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import keras

from keras_freq._core.checks import check_choice
from keras_freq._core.classifier import Classifier
from keras_freq._core.replicas import share_of_replica
from keras_freq.spectral._backend import Array
from keras_freq.training._base import TrainingModel


class Halves(NamedTuple):
    """What a recombining model returns in training."""

    clean: Array
    mixed: Array


@keras.saving.register_keras_serializable(package="keras_freq")
class APRModel(TrainingModel):
    """A classifier that trains with amplitude-phase recombination and is the bare classifier otherwise.

    In training a batch goes through `single`, then `augment`; `pair` makes a mixed copy of the result; both
    halves go through the classifier as one batch (batch normalization sees both), and the loss is
    `loss(clean) + loss(mixed)`, or half of that, with the same labels and sample weights. Metrics are those
    of the clean half. Without `pair` there is one half and the usual loss.

    `compile`, `fit`, `evaluate`, `predict`, `save` and `keras.saving.load_model` work as with any model.
    `evaluate` and `predict`, and calls with `training=False`, run the classifier alone. A call with
    `training=True` returns the pair `(clean, mixed)` of logits when there is a `pair`.

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A Keras model from images to one tensor of logits, or a `keras_freq.Classifier` of one.
        single: Layer for the single-image augmentation, such as `keras_freq.layers.APRSingle()`, or `None`.
        pair: Layer that mixes a batch, such as `keras_freq.layers.APRPair()`, or `None`.
        augment: Layer or model applied between the two, the published place of crop and flip
            (`keras_freq.layers.CropFlip()`), or `None`.
        reduction: `"sum"` of the two losses, as published, or their `"mean"`. A sum is twice as large as the
            loss without `pair`, which acts like twice the learning rate: compare with a mean, or with a
            classifier whose loss is doubled too.
        **kwargs: `name`, `dtype` and so on of `keras.Model`.

    Raises:
        TypeError: if `classifier` is no model, or one of the others no Keras layer.
        ValueError: if `classifier` has several outputs, or `reduction` is none of the two.

    Source: Chen et al., "Amplitude-Phase Recombination: Rethinking Robustness of Convolutional Neural
        Networks in Frequency Domain", ICCV 2021, section 3.3: APR-S with `single`, APR-P
        with `pair`, APR-SP with both.

    Example:
        >>> single, pair = keras_freq.layers.APRSingle(), keras_freq.layers.APRPair()
        >>> model = keras_freq.APRModel(classifier, single=single, pair=pair)
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("single", "augment", "pair", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        *,
        single: keras.Layer | None = None,
        pair: keras.Layer | None = None,
        augment: keras.Layer | None = None,
        reduction: Literal["sum", "mean"] = "sum",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.reduction = check_choice(reduction, "reduction", ("sum", "mean"))
        self.hold(classifier=classifier, single=single, pair=pair, augment=augment)

    def call(self, images, training=False):
        if not training:
            return self.infer(images)
        source = images
        images = self.augment_images(self.augment, self.augment_images(self.single, images))
        if self.pair is None:
            return self.infer(images, source=source, training=True)
        halves = [
            self.preprocess_images(self.bring_into_range(half, source=source))
            for half in (images, self.augment_images(self.pair, images))
        ]
        dtype = self.classifier.compute_dtype
        both = keras.ops.concatenate([keras.ops.cast(half, dtype) for half in halves])
        logits = self.run_classifier(both, training=True)
        batch = keras.ops.shape(images)[0]
        return Halves(logits[:batch], logits[batch:])

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not isinstance(y_pred, Halves):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        loss = sum(super(APRModel, self).compute_loss(x, y, half, sample_weight, training) for half in y_pred)
        if self.reduction == "mean":
            return loss / 2
        # Weight decay and other added losses belong to the model, not to a half: count them once.
        for added in self.losses:
            loss = loss - share_of_replica(keras.ops.sum(keras.ops.cast(added, loss.dtype)))
        return loss

    def get_config(self):
        return {**super().get_config(), "reduction": self.reduction}

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        clean = y_pred.clean if isinstance(y_pred, Halves) else y_pred
        return super().compute_metrics(x, y, clean, sample_weight=sample_weight)
