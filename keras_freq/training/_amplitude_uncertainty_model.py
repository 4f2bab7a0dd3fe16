from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_number, check_seed, check_whole
from keras_freq._core.classifier import Classifier
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.losses import cross_entropy
from keras_freq.spectral._dft import irfft2, rfft2
from keras_freq.spectral._images import to_planes
from keras_freq.training._base import BatchTransformModel

_FLOAT16_SCALE = 128.0
# Added to deviations, as published.
_SMALL = 1e-4


@keras.saving.register_keras_serializable(package="keras_freq")
class AmplitudeUncertaintyModel(BatchTransformModel):
    """A classifier whose training images have the lowest amplitudes moved against it; else the bare one.

    Adversarial amplitude uncertainty: with `A_k` the amplitudes of a channel of an image in the window of the
    lowest frequencies, `m` and `s` their mean and standard deviation, and `M` and `S` the standard deviations
    of `m` and `s` over the batch, a channel by itself,

    `A_k <- (A_k - m) (s + b S) / s + m + a M`, `a` and `b` one number each for every image and channel.

    They start from N(0, 1) and go `steps` times `step_size` in the direction in which the cross-entropy
    grows. Phases stay, frequencies outside the window too, and pixels are clipped to the range of the batch.
    A share of the images, `1 - probability`, stays as it is. What changes is linear in `a` and `b`, so that a
    step of the search costs no transform, only one gradient with respect to the images. That is taken in
    inference mode: batch normalization takes its running statistics there, dropout is off.

    `compile`, `fit`, `evaluate`, `predict`, `save` and `keras.saving.load_model` work as with any model.
    Losses and metrics of training are those on the changed images; validation, `evaluate` and `predict` are
    those on the images as they are.

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A Keras model from images to one tensor of logits, or a `keras_freq.Classifier` of one.
        probability: Chance of an image to be changed, 0 to 1.
        share: Share of each axis of the spectrum that the window takes, DC in its middle, above 0 and below
            1: `|k| <= floor(share * side / 2)`.
        steps: Steps of the search, 0 for random moves alone.
        step_size: Length of a step of `a` and `b`.
        augment: Layer or model applied before, such as `keras_freq.layers.CropFlip()`, or `None`.
        seed: Seed of the draws.
        **kwargs: `name`, `dtype` and so on of `keras.Model`. The default `dtype` is that of the classifier,
            so that `compile` scales the loss of one in mixed float16.

    Raises:
        TypeError: if `classifier` is no model, or `augment` no Keras layer.
        ValueError: if a number is out of range, or `classifier` has several outputs or no logits.

    Source: He et al., "Towards Combating Frequency Simplicity-biased Learning for Domain Generalization",
        NeurIPS 2024: AAUA, the first of its two modules. `AmplitudeDropModel` is the second.
        Differs from the original: the window is as wide and has DC in its middle; pixels are clipped, where
        the published code takes absolute values and divides the batch by its largest; the gradient is that
        of the network in inference mode; `probability` is a choice of this library.

    Example:
        >>> model = keras_freq.training.AmplitudeUncertaintyModel(classifier, steps=2, seed=0)
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("augment", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        *,
        probability: float = 0.5,
        share: float = 0.1,
        steps: int = 5,
        step_size: float = 1.0,
        augment: keras.Layer | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        network = classifier.model if isinstance(classifier, Classifier) else classifier
        if isinstance(network, keras.Layer):
            kwargs.setdefault("dtype", network.dtype_policy)
        super().__init__(**kwargs)
        self.hold(classifier=classifier, augment=augment)
        self.declared.check_logits()
        self.probability = check_number(probability, "probability", least=0, most=1)
        self.share = check_number(share, "share", above=0, below=1)
        self.steps = check_whole(steps, "steps", least=0)
        self.step_size = check_number(step_size, "step_size", least=0)
        self.seed = check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def prepare(self, images, labels):
        source = images
        images = ops.cast(self.augment_images(self.augment, images), "float32")
        images = self.bring_into_range(images, source=source)
        flat = labels if len(labels.shape) == 1 or labels.shape[-1] > 1 else ops.squeeze(labels, axis=-1)
        layout = self.declared.choose_data_format()
        planes, back = to_planes(images, layout)
        waves = ops.stop_gradient(find_waves(planes, share=self.share))
        low, high = ops.min(planes), ops.max(planes)
        # Small gradients vanish in float16; of the slopes only the sign is of account.
        scale = _FLOAT16_SCALE if self.classifier.compute_dtype == "float16" else 1

        def measure_loss(x):
            logits = self.infer_logits(back(ops.clip(x, low, high)))
            return scale * ops.sum(cross_entropy(logits, flat))

        batch, channels = ops.shape(planes)[0], planes.shape[1]
        ways = keras.random.normal((2, batch, channels, 1, 1), dtype="float32", seed=self.seed_generator)
        coins = keras.random.uniform((batch, 1, 1, 1), dtype="float32", seed=self.seed_generator)
        for _ in range(self.steps):
            gradient = ops.cast(
                input_gradient(measure_loss, planes + ops.sum(ways * waves, axis=0)), "float32"
            )
            slopes = ops.sum(gradient[None] * waves, axis=(3, 4), keepdims=True)
            ways = ways + self.step_size * ops.sign(ops.where(ops.isfinite(slopes), slopes, 0.0))
        moved = ops.clip(planes + ops.sum(ways * waves, axis=0), low, high)
        images = back(ops.where(coins < self.probability, moved, planes))
        return ops.stop_gradient(images), labels

    def get_config(self):
        names = ("probability", "share", "steps", "step_size", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def find_waves(planes: Any, *, share: float) -> Any:
    """What one step of `a` and one of `b` add to each image: `(2, batch, channels, height, width)`.

    Args:
        planes: `(batch, channels, height, width)`.
        share: See `AmplitudeUncertaintyModel`.
    """
    height, width = planes.shape[-2:]
    window = lowest_window(height, width, share)
    counts, inside = (ops.convert_to_tensor(part.astype("float32")) for part in (window, window > 0))
    total = int(window.sum())
    re, im = rfft2(planes)
    amplitude = ops.sqrt(re * re + im * im)
    mean = ops.sum(amplitude * counts, axis=(2, 3), keepdims=True) / total
    squares = ops.sum((amplitude - mean) ** 2 * counts, axis=(2, 3), keepdims=True)
    deviation = ops.sqrt(squares / max(total - 1, 1))
    parts = []
    for change, own in ((1.0, mean), ((amplitude - mean) / (deviation + _SMALL), deviation)):
        spread = _deviation_over_batch(own) + _SMALL
        # An amplitude of 0 has no phase: that of 1.
        none = ops.cast(amplitude == 0, "float32")
        scaled = inside * spread * change / (amplitude + none)
        parts.append(irfft2((re + none) * scaled, im * scaled, height, width))
    return ops.stack(parts)


def lowest_window(height: int, width: int, share: float) -> np.ndarray:
    """For how many frequencies of the window each bin of a half spectrum stands: 0, 1 or 2."""
    rows = np.abs(np.fft.fftfreq(height, 1 / height)).round() <= min(share * height / 2, (height - 1) // 2)
    columns = np.arange(width // 2 + 1) <= min(share * width / 2, (width - 1) // 2)
    counts = np.outer(rows, columns).astype("int32")
    counts[:, 1:] *= 2
    return counts


def _deviation_over_batch(values: Any) -> Any:
    count = ops.cast(ops.shape(values)[0], "float32")
    squares = ops.sum((values - ops.mean(values, axis=0, keepdims=True)) ** 2, axis=0, keepdims=True)
    return ops.sqrt(squares / ops.maximum(count - 1, 1.0))
