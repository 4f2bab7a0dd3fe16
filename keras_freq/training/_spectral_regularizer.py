from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

import keras
import numpy as np
from keras import ops

from keras_freq._core.checks import check_choice, check_number, check_numbers, show
from keras_freq._core.classifier import Classifier
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.losses import cross_entropy, wrong_log_odds
from keras_freq._core.replicas import share_of_replica
from keras_freq.spectral import azimuthal_radii, radial_distance
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._density import band_of
from keras_freq.spectral._dft import half_mask, rfft2
from keras_freq.spectral._grid import UNITS, Units, choose_units
from keras_freq.training._base import BatchTransformModel

Towards = Literal["low", "high"]
# A gradient whose power beyond DC is below this share of all of it is even, but for rounding.
_EVEN = 1e-10
_FLOAT16_SCALE = 128.0


@keras.saving.register_keras_serializable(package="keras_freq")
class SpectralRegularizer(BatchTransformModel):
    """A classifier whose loss also weighs the spectrum of its input gradients; otherwise the bare classifier.

    `L = loss + strength * mean_i s_i`, `s_i = sum_k w_k P_ik / sum_k P_ik`, `P_ik = |F_k(g_i)|^2`, `g_i =
    sum_c dCE(f(x_i), y_i) / dx_ic`: the share of the energy of each image's gradient that lies in the
    frequencies where `w_k` is 1, DC left out of both sums. `F` is the two-dimensional DFT. By default the
    frequencies beyond a radius are weighed down, so that the model comes to lean on low ones.

    The share does not change with the length of the gradient, so it is not a penalty on how sensitive the
    model is but on where. The gradient is that of the cross-entropy of the logits, whichever loss the model
    is compiled with, in inference mode: what `keras_freq.evaluate.input_gradient_spectrum` measures. Batch
    normalization takes its running statistics there, dropout is off. The gradient of the penalty goes through
    the gradient of the classifier: a step costs three to five plain ones, and more memory.

    Gradients are summed over the channels first, as published: what cancels there, the sensitivity to colors
    of equal brightness, is not weighed.

    `compile`, `fit`, `evaluate`, `predict`, `save` and `keras.saving.load_model` work as with any model. The
    loss of training has the penalty in it, validation and `evaluate` have not.

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A Keras model from images to one tensor of logits, or a `keras_freq.Classifier` of one.
            All its operations must have a second derivative.
        strength: Weight of the penalty in the loss, at least 0; a share is between 0 and 1.
        towards: `"low"` weighs the frequencies from `radius` on, which drives the gradients towards low ones;
            `"high"` those below `radius`.
        radius: Where the weighed frequencies begin or end, above 0, in `units`. Default: a sixth of the
            smaller side towards low frequencies, a third of it towards high ones.
        weights: Weights `w` by radius in place of `towards` and `radius`: a number for each band of
            `keras_freq.spectral.azimuthal_radii` but DC, 22 for 32x32. A negative one draws energy there.
        units: Of radii, `"index"` or `"cycles_per_pixel"`. Default: index for square images, where both are
            the same bands, and cycles per pixel for others.
        augment: Layer or model applied before, such as `keras_freq.layers.CropFlip()`, or `None`.
        **kwargs: `name`, `dtype` and so on of `keras.Model`. The default `dtype` is that of the classifier,
            so that `compile` scales the loss of one in mixed float16.

    Raises:
        TypeError: if `classifier` is no model, or `augment` no Keras layer.
        ValueError: if a number is out of range, `weights` are not one for each band or are given with a
            radius, every frequency weighs the same, or `classifier` has several outputs or no logits.

    Source: Krishnamachari, Ng and Foo, "Fourier Sensitivity and Regularization of Computer Vision Models",
        TMLR 2022: on images of an even side N their LSF is `radius=N // 6 + 0.5`, their HSF `towards="high",
        radius=N // 3 + 0.5`, both with `strength=0.5`; MSF is a choice of `weights`. Chan, Ong and Tan, IJCAI
        2022, regularize the spectrum of the Jacobian with the same aim.
        Differs from the original: the gradient is that in inference mode, not of the training step itself; an
        even gradient counts as 0, where the original drops the penalty of the whole batch.

    Example:
        >>> model = keras_freq.training.SpectralRegularizer(classifier, strength=0.5, radius=6)
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
        >>> tuple(model.penalty(images, labels).shape)
        (8,)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("augment", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        *,
        strength: float = 0.5,
        towards: Towards = "low",
        radius: float | None = None,
        weights: Sequence[float] | None = None,
        units: Units | None = None,
        augment: keras.Layer | None = None,
        **kwargs,
    ):
        network = classifier.model if isinstance(classifier, Classifier) else classifier
        if isinstance(network, keras.Layer):
            kwargs.setdefault("dtype", network.dtype_policy)
        super().__init__(**kwargs)
        self.hold(classifier=classifier, augment=augment)
        self.declared.check_logits()
        self.strength = check_number(strength, "strength", least=0)
        self.towards = check_choice(towards, "towards", get_args(Towards))
        self.radius = None if radius is None else check_number(radius, "radius", above=0)
        self.radial_weights = None if weights is None else check_numbers(weights, "weights")
        if not (radius is None or weights is None):
            raise ValueError(
                "`weights` take the place of `radius`: give one of them. "
                f"Received: radius={show(radius)}, weights={show(weights)}"
            )
        self.units = None if units is None else check_choice(units, "units", UNITS)
        shape = getattr(self.classifier, "input_shape", None) if self.classifier.built else None
        if isinstance(shape, tuple) and len(shape) == 4:
            size = self._size_of(shape)
            if None not in size:
                self._weigh(*size)  # refuses now what no training could use

    def prepare(self, images, labels):
        source = images
        images = ops.cast(self.augment_images(self.augment, images), "float32")
        return self.bring_into_range(images, source=source), labels

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training or not self.strength:
            return loss
        with self._hold_statistics():
            shares = self.penalty(x, y)
        if sample_weight is not None:
            shares = shares * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        return loss + ops.cast(share_of_replica(self.strength * ops.mean(shares)), loss.dtype)

    def _hold_statistics(self) -> contextlib.AbstractContextManager:
        """Where variables are arguments of the step, running statistics come as results of the forward pass:
        no gradient goes through them here, as none does where they are stored."""
        if keras.backend.backend() != "jax":
            return contextlib.nullcontext()
        mapping = [(variable, variable.value) for variable in self.trainable_variables]
        mapping += [(held, ops.stop_gradient(held.value)) for held in self.non_trainable_variables]
        return keras.StatelessScope(state_mapping=mapping)

    def penalty(self, images: Any, labels: Any) -> Any:
        """What each image adds to the loss, before `strength`.

        Args:
            images: `(batch, height, width, channels)`, as the classifier takes them; bytes are brought into
                the range that is declared.
            labels: Class indices `(batch,)` or `(batch, 1)`, or a weight for every class, `(batch, classes)`.

        Returns:
            float32 `(batch,)`.
        """
        labels = ops.convert_to_tensor(labels)
        if len(labels.shape) == 2 and labels.shape[-1] == 1:
            labels = ops.squeeze(labels, axis=-1)
        # The gradient of the log-odds is that of the cross-entropy but for its length, and does not vanish.
        by_image = cross_entropy
        if len(labels.shape) == 1:
            labels, by_image = ops.cast(labels, "int32"), wrong_log_odds
        images = ops.convert_to_tensor(images)
        images = self.bring_into_range(ops.cast(images, "float32"), source=images)
        # Small gradients vanish in float16; the length of the gradient is of no account.
        scale = _FLOAT16_SCALE if self.classifier.compute_dtype == "float16" else 1

        def loss(x):
            return scale * ops.sum(by_image(self.infer_logits(x), labels))

        gradient = ops.cast(input_gradient(loss, images, differentiable=True), "float32")
        if scale > 1:  # and large ones overflow
            gradient = ops.where(ops.isfinite(gradient), gradient, 0.0)
        last = self.declared.choose_data_format() == "channels_last"
        return _weighed_share(
            ops.sum(gradient, axis=-1 if last else 1), *self._weigh(*self._size_of(images.shape))
        )

    def _size_of(self, shape: tuple) -> tuple:
        last = self.declared.choose_data_format() == "channels_last"
        return tuple(shape[1:3] if last else shape[2:4])

    def _weigh(self, height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if height is None or width is None:
            raise ValueError(
                "Height and width of the images must be known: give keras.Input the size. "
                f"Received: size=({height}, {width})"
            )
        units = choose_units(self.units, (height, width))
        return _weigh_bins(height, width, units, self.towards, self.radius, self.radial_weights)

    def get_config(self):
        names = ("strength", "towards", "radius", "units")
        own = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **own, "weights": self.radial_weights}


@functools.lru_cache(maxsize=16)
def _weigh_bins(
    height: int,
    width: int,
    units: Units,
    towards: Towards,
    radius: float | None,
    weights: tuple[float, ...] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of the bins of a half spectrum: `w`, 1 but for DC, and 1, each as often as the bin stands for
    frequencies of the whole one."""
    if weights is None:
        if radius is None:
            side = min(height, width) if units == "index" else 1
            radius = side / (6 if towards == "low" else 3)
        distance = radial_distance(height, width, units=units)
        chosen = distance >= radius if towards == "low" else distance < radius
        weighed = chosen.astype("float64")
    else:
        bands = band_of(height, width, "dc", units)
        count = len(azimuthal_radii(height, width, units=units)[0]) - 1
        if len(weights) != count:
            raise ValueError(
                f"`weights` must hold {count} numbers, one for each band of images of {height}x{width} but "
                f"DC. Received: {len(weights)} weights"
            )
        weighed = np.array([0.0, *weights])[np.unique(bands, return_inverse=True)[1].reshape(bands.shape)]
    beyond = np.ones((height, width))
    beyond[height // 2, width // 2] = 0
    if np.ptp(weighed[beyond > 0]) == 0:
        what = f"radius={show(radius)}" if weights is None else f"weights={show(weights)}"
        raise ValueError(
            f"Some frequencies of images of {height}x{width} must weigh more than others, beyond DC. "
            f"Received: {what}, towards={towards!r}"
        )
    columns = width // 2 + 1
    twice = np.full(columns, 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    halves = (weighed * beyond, beyond, np.ones((height, width)))
    counted, others, everything = (half_mask(half, height, width) * twice for half in halves)
    return counted, others, everything


def _weighed_share(gradient: Any, *weights: np.ndarray) -> Any:
    """Weighed energy of planes `(batch, height, width)` by all that is not DC, `(batch,)`."""
    # Scaled to a peak of 1 first: squares of small gradients would be lost in float32.
    peak = ops.stop_gradient(ops.max(ops.abs(gradient), axis=(1, 2), keepdims=True))
    re, im = rfft2(gradient / ops.where(peak > 0, peak, 1.0))
    power = re * re + im * im
    constant = library_of(power).constant
    counted, others, everything = (ops.sum(power * constant(w, power), axis=(1, 2)) for w in weights)
    even = others <= _EVEN * everything
    return ops.where(even, 0.0, counted / ops.where(even, 1.0, others))
