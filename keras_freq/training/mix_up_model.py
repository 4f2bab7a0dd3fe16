from __future__ import annotations

import keras
from keras import ops

from keras_freq.training.prepared_batches import PreparedBatches


@keras.saving.register_keras_serializable(package="keras_freq")
class MixUpModel(PreparedBatches):
    """A classifier that trains on mixtures of two images and is the bare classifier otherwise.

    `x' = l * x_i + (1 - l) * x_j`, `y' = l * y_i + (1 - l) * y_j`, `l ~ Beta(alpha, alpha)`, by
    `keras.layers.MixUp` inside the compiled step.

    Feed class indices `(batch,)` or one-hot labels; the model makes distributions of them, so it is compiled
    with `keras.losses.CategoricalCrossentropy(from_logits=True)`. Accuracy in training counts the class with
    the larger weight.

    Args:
        classifier: Any Keras model from images to one tensor of logits.
        alpha: Parameter of the Beta distribution, above 0. 1: every mixture is as likely.
        augment: Layer or model applied before the mixture, such as `keras_freq.layers.CropFlip()`, or `None`.
        seed: Seed of the mixtures.
        **kwargs: `name`, `dtype` and so on of `keras.Model`.

    Raises:
        TypeError: if `classifier` is no Keras model, or `augment` no Keras layer.
        ValueError: if `alpha` is not above 0, or the model is compiled with a loss of class indices, or with
            `jit_compile=True` on TensorFlow, whose XLA cannot draw the mixtures.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018. Wang et al., CVPR 2020, use
        `alpha=1`. Differs from the original: each image has a mixing weight of its own, not each batch.

    Example:
        >>> model = keras_freq.training.MixUpModel(classifier, alpha=1.0)
        >>> model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    PARTS = ("augment", "classifier")

    def __init__(
        self,
        classifier: keras.Model,
        *,
        alpha: float = 1.0,
        augment: keras.Layer | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hold(classifier=classifier, augment=augment)
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0 < alpha < float("inf"):
            raise ValueError(f"`alpha` must be a finite number above 0. Received: alpha={alpha!r}")
        self.alpha = float(alpha)
        self.seed = seed
        self.mix_up = keras.layers.MixUp(alpha=self.alpha, seed=seed)
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
        if kwargs.get("jit_compile") is True and not self.supports_jit:
            raise ValueError(
                "`jit_compile` must be False or 'auto' on TensorFlow, whose XLA cannot draw from a Beta "
                "distribution. Received: jit_compile=True"
            )
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def prepare(self, images, labels):
        images = ops.cast(images, "float32")
        if self.augment is not None:
            images = ops.cast(self.augment(images, training=True), "float32")
        mixed = self.mix_up({"images": images, "labels": self._distribution(labels)}, training=True)
        return mixed["images"], mixed["labels"]

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return super().compute_loss(x, self._distribution(y), y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return super().compute_metrics(x, self._distribution(y), y_pred, sample_weight=sample_weight)

    def _distribution(self, labels):
        self.check_labels(labels)
        if len(labels.shape) == 2 and labels.shape[-1] > 1:
            return ops.cast(labels, "float32")
        classes = self.classifier.output_shape[-1]
        return ops.one_hot(ops.reshape(ops.cast(labels, "int32"), (-1,)), classes, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "seed": self.seed}
