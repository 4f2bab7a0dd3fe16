from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from keras_freq._core.checks import check_flag, check_number, check_seed
from keras_freq._core.classifier import Classifier
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.losses import cross_entropy
from keras_freq.spectral._backend import sides_of
from keras_freq.spectral._dft import irfft2, rfft2
from keras_freq.spectral._images import to_planes
from keras_freq.spectral._pairs import share_in_pairs
from keras_freq.training._base import BatchTransformModel

_FLOAT16_SCALE = 128.0


@keras.saving.register_keras_serializable(package="keras_freq")
class AmplitudeDropModel(BatchTransformModel):
    """A classifier that trains without amplitudes that raise its loss; otherwise the bare one.

    Adversarial amplitude dropout: with `A_k` the amplitude and `p_k` the phase of an image's spectrum, a
    channel by itself, and `G` the spectrum of the gradient of the cross-entropy with respect to the image,

    `s_k = dCE / dA_k = Re(conj(G_k) exp(i p_k))` (up to a factor), scaled to 0 .. 1 over the frequencies of
    the channel; `A_k <- 0` where `s_k` exceeds a draw from 0 .. 1, the same for both of a conjugate pair.

    Phases stay. What drives the loss up most is most likely to go. A share of the images, `1 - probability`,
    stays as it is. The gradient is taken in inference mode, so that it neither moves nor uses up anything:
    batch normalization takes its running statistics there, dropout is off. A step costs about one and a half
    plain ones.

    `compile`, `fit`, `evaluate`, `predict`, `save` and `keras.saving.load_model` work as with any model.
    Losses and metrics of training are those on the changed images; validation, `evaluate` and `predict` are
    those on the images as they are.

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A Keras model from images to one tensor of logits, or a `keras_freq.Classifier` of one.
        probability: Chance of an image to be changed, 0 to 1.
        keep_mean: Whether DC stays, the mean of each channel.
        augment: Layer or model applied before, such as `keras_freq.layers.CropFlip()`, or `None`.
        seed: Seed of the draws.
        **kwargs: `name`, `dtype` and so on of `keras.Model`. The default `dtype` is that of the classifier,
            so that `compile` scales the loss of one in mixed float16.

    Raises:
        TypeError: if `classifier` is no model, or `augment` no Keras layer.
        ValueError: if a number is out of range, or `classifier` has several outputs or no logits.

    Source: He et al., "Towards Combating Frequency Simplicity-biased Learning for Domain Generalization",
        NeurIPS 2024: AAD, the second of its two modules; `AmplitudeUncertaintyModel` is the first.
        Differs from the original: the published code draws for each bin of a conjugate pair, takes absolute
        values of what is no real image then, and divides the batch by its largest pixel; its gradient is
        that of the network in training mode, and DC may go. `probability` is a choice of this library.

    Example:
        >>> model = keras_freq.training.AmplitudeDropModel(classifier, seed=0)
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("augment", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        *,
        probability: float = 0.5,
        keep_mean: bool = True,
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
        self.keep_mean = check_flag(keep_mean, "keep_mean")
        self.seed = check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def prepare(self, images, labels):
        source = images
        images = ops.cast(self.augment_images(self.augment, images), "float32")
        images = self.bring_into_range(images, source=source)
        flat = labels if len(labels.shape) == 1 or labels.shape[-1] > 1 else ops.squeeze(labels, axis=-1)
        # Small gradients vanish in float16; the length of the gradient is of no account.
        scale = _FLOAT16_SCALE if self.classifier.compute_dtype == "float16" else 1
        gradient = input_gradient(
            lambda x: scale * ops.sum(cross_entropy(self.infer_logits(x), flat)), images
        )
        gradient = ops.cast(gradient, "float32")
        if scale > 1:  # and large ones overflow
            gradient = ops.where(ops.isfinite(gradient), gradient, 0.0)
        last = self.declared.choose_data_format() == "channels_last"
        planes, back = to_planes(images, "channels_last" if last else "channels_first")
        spectrum = rfft2(planes)
        shape = ops.shape(spectrum[0])
        draws = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        coins = keras.random.uniform((shape[0], 1, 1, 1), dtype="float32", seed=self.seed_generator)
        towards, _ = to_planes(gradient, "channels_last" if last else "channels_first")
        kept = keep_amplitudes(spectrum, rfft2(towards), draws, planes.shape[-1], keep_mean=self.keep_mean)
        height, width = sides_of(planes)
        dropped = irfft2(spectrum[0] * kept, spectrum[1] * kept, height, width)
        images = back(ops.where(coins < self.probability, dropped, planes))
        return ops.stop_gradient(images), labels

    def get_config(self):
        names = ("probability", "keep_mean", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def keep_amplitudes(spectrum: Any, gradient: Any, draws: Any, width: int, *, keep_mean: bool) -> Any:
    """1 where an amplitude stays, 0 where it goes.

    Args:
        spectrum: Half spectra `(re, im)` of planes, `(batch, channels, height, width // 2 + 1)`.
        gradient: Those of the gradient with respect to the planes.
        draws: Uniform numbers for each bin.
        width: Of the planes.
        keep_mean: Whether DC stays.
    """
    (re, im), (towards_re, towards_im) = spectrum, gradient
    amplitude = ops.sqrt(re * re + im * im)
    slope = (towards_re * re + towards_im * im) / ops.maximum(amplitude, keras.config.epsilon())
    low, high = (pick(slope, axis=(2, 3), keepdims=True) for pick in (ops.min, ops.max))
    scaled = (slope - low) / ops.maximum(high - low, 1e-30)
    kept = share_in_pairs(ops.cast(scaled <= draws, "float32"), width)
    if keep_mean:
        first = ops.zeros_like(kept[:, :, :1, :1]) + 1.0
        row = ops.concatenate([first, kept[:, :, :1, 1:]], axis=3)
        kept = ops.concatenate([row, kept[:, :, 1:]], axis=2)
    return kept
