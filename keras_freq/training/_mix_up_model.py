from __future__ import annotations

from typing import ClassVar

import keras

from keras_freq._core.checks import check_number, check_seed
from keras_freq._core.classifier import Classifier
from keras_freq.training._mixture_model import MixtureModel


@keras.saving.register_keras_serializable(package="keras_freq")
class MixUpModel(MixtureModel):
    """A classifier that trains on mixtures of two images and is the bare classifier otherwise.

    `x' = l * x_i + (1 - l) * x_j`, `y' = l * y_i + (1 - l) * y_j`, `l ~ Beta(alpha, alpha)`, by
    `keras.layers.MixUp` inside the compiled step.

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
        alpha: Parameter of the Beta distribution, above 0. 1: every mixture is as likely.
        augment: Layer or model applied before the mixture, such as `keras_freq.layers.CropFlip()`, or `None`.
        seed: Seed of the mixtures.
        **kwargs: `name`, `dtype` and so on of `keras.Model`.

    Raises:
        TypeError: if `classifier` is no model, or `augment` no Keras layer.
        ValueError: if `alpha` is not above 0, `classifier` has several outputs, or the model is compiled with
            a loss of class indices, or with `jit_compile=True` on TensorFlow, whose XLA cannot draw the
            mixtures.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018. Wang et al., "High-frequency
        Component Helps Explain the Generalization of Convolutional Neural Networks", CVPR 2020, use
        `alpha=1`.
        Differs from the original: each image has a mixing weight of its own, not each batch.

    Example:
        >>> model = keras_freq.training.MixUpModel(classifier, alpha=1.0)
        >>> model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    # The mixture follows from `alpha` and `seed`.
    PARTS: ClassVar[tuple[str, ...]] = ("augment", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        *,
        alpha: float = 1.0,
        augment: keras.Layer | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        alpha = check_number(alpha, "alpha", above=0)
        seed = check_seed(seed)
        super().__init__(classifier, keras.layers.MixUp(alpha=alpha, seed=seed), augment=augment, **kwargs)
        self.alpha, self.seed = alpha, seed

    @property
    def mixture(self):
        return self.mix_up

    @mixture.setter
    def mixture(self, layer):
        # Saved files have the layer under this name.
        self.mix_up = layer

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "seed": self.seed}
