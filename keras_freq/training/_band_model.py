from __future__ import annotations

from typing import ClassVar

import keras

from keras_freq._core.classifier import Classifier
from keras_freq.training._base import TrainingModel


@keras.saving.register_keras_serializable(package="keras_freq")
class BandModel(TrainingModel):
    """A classifier that trains on one part of the spectrum and is the bare classifier otherwise.

    In training a batch goes through `augment`, then `band`; validation, `evaluate` and `predict` see the
    images as they are. (A filter inside the classifier itself would filter there too.)

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A Keras model from images to one tensor of logits, or a `keras_freq.Classifier` of one.
        band: The filter, such as `keras_freq.layers.LowPass(8)` or `keras_freq.layers.HighPass(8)`, or a
            model that filters and then rescales, to 0 to 255 where images are bytes.
        augment: Layer or model applied before the filter, such as `keras_freq.layers.CropFlip()`, or `None`.
        **kwargs: `name`, `dtype` and so on of `keras.Model`.

    Raises:
        TypeError: if `classifier` is no model, or one of the others no Keras layer.
        ValueError: if `classifier` has several outputs.

    Source: Wang et al., "High-frequency Component Helps Explain the Generalization of Convolutional Neural
        Networks", CVPR 2020, section 5 (training on the low- or the high-frequency component).

    Example:
        >>> model = keras_freq.training.BandModel(classifier, keras_freq.layers.LowPass(8))
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("augment", "band", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        band: keras.Layer,
        *,
        augment: keras.Layer | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if band is None:
            raise TypeError("`band` must be a Keras layer. Received: band=None")
        self.hold(classifier=classifier, band=band, augment=augment)

    def call(self, images, training=False):
        source = images
        if training:
            images = self.band(self.augment_images(self.augment, images))
        return self.infer(images, source=source, training=training)
