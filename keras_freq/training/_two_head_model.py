from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops

from keras_freq._core.checks import check_choice, check_number, check_seed, show
from keras_freq._core.classifier import Classifier, output_index, place_of_output
from keras_freq._core.reading import pick_output
from keras_freq._core.replicas import share_of_replica
from keras_freq._core.value_range import UNIT
from keras_freq.spectral import recombine
from keras_freq.spectral._backend import Array
from keras_freq.spectral._recombine import Axes
from keras_freq.training._base import TrainingModel


class HeadOutputs(NamedTuple):
    """What the model returns in training: logits of both heads on both halves, and who lent the amplitude."""

    phase: Array
    amplitude: Array
    mixed_phase: Array
    mixed_amplitude: Array
    partner: Array


@keras.saving.register_keras_serializable(package="keras_freq")
class TwoHeadModel(TrainingModel):
    """A classifier with a head for the phase and one for the amplitude; otherwise the bare classifier.

    `L = l(p(x_i), y_i) + a l(q(x_i), y_i) + m (l(p(x_ij), y_i) + a l(q(x_ij), y_j))`, with `l` the loss that
    the model is compiled with, `p` and `q` the heads of the phase and of the amplitude on one trunk, `m` and
    `a` the weights `mixed` and `amplitude_weight`, and `x_ij` the recombination of the phase of each image
    `i` with the amplitude of another one `j` of the batch, as by `keras_freq.spectral.recombine`. Who meets
    whom is a random permutation, a new one at every step, in which an image may meet itself.

    Both halves go through the classifier as one batch (batch normalization sees both). Images are recombined
    as pixels on [0, 1] where a range is declared, else as they come, and not clipped. Metrics of training are
    those of the phase's head on the images as they are. A sample weight goes with the image whose label
    counts. In inference the model is the phase's head alone; the other one is
    `keras_freq.Classifier(model.classifier, output=...)`, and `keras_freq.evaluate.amplitude_swap` tells
    whom each of them follows.

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A `keras_freq.Classifier` of a model with two outputs or more, whose `output` is the head
            of the phase.
        amplitude: Name or index of the output that is the head of the amplitude.
        mixed: Weight of the losses on recombined images, at least 0.
        amplitude_weight: Weight of the losses of the amplitude's head, at least 0.
        axes: `"chw"` recombines over channels and space, as published; `"hw"` channel by channel.
        augment: Layer or model applied before, such as `keras_freq.layers.CropFlip()`, or `None`.
        seed: Seed of the permutations.
        **kwargs: `name`, `dtype` and so on of `keras.Model`.

    Raises:
        TypeError: if `classifier` is no model, or `augment` no Keras layer.
        ValueError: if a weight is negative, `classifier` names no output, or `amplitude` is none of its
            others or of another number of classes.

    Source: Chen et al., "Amplitude-Phase Recombination: Rethinking Robustness of Convolutional Neural
        Networks in Frequency Domain", ICCV 2021, equation 7.
        Differs from the original: the weights of the terms are arguments, with 1 as the default; those of the
        paper are not known to us.

    Example:
        >>> features = classifier.layers[-2].output
        >>> heads = {name: keras.layers.Dense(4)(features) for name in ("phase", "amplitude")}
        >>> both = kf.Classifier(keras.Model(classifier.inputs, heads), output="phase")
        >>> model = keras_freq.training.TwoHeadModel(both, amplitude="amplitude")
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
        >>> model.predict(images, verbose=0).shape
        (8, 4)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("augment", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        *,
        amplitude: str | int,
        mixed: float = 1.0,
        amplitude_weight: float = 1.0,
        axes: Axes = "chw",
        augment: keras.Layer | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hold(classifier=classifier, augment=augment)
        self.amplitude = amplitude
        self._amplitude_key = self._find_amplitude()
        self.mixed = check_number(mixed, "mixed", least=0)
        self.amplitude_weight = check_number(amplitude_weight, "amplitude_weight", least=0)
        self.axes = check_choice(axes, "axes", ("chw", "hw"))
        self.seed = check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def _find_amplitude(self) -> str | int | None:
        """Key of the other head in what the classifier returns."""
        model, own = self.classifier, self.declared.key_of_output
        if isinstance(self.amplitude, bool) or not isinstance(self.amplitude, (str, int)):
            raise ValueError(
                "`amplitude` must be the name or index of an output. "
                f"Received: amplitude={show(self.amplitude)}"
            )
        if own is None:
            raise ValueError(
                "`classifier` must be a keras_freq.Classifier of a model with two heads that names the one "
                f"of the phase, keras_freq.Classifier(model, output=...). Received: model={model.name!r}"
            )
        index = output_index(model, self.amplitude)
        if index is None:  # the outputs of a model that is not functional are known when it runs
            return self.amplitude
        if index == self.declared.index_of_output:
            raise ValueError(
                "`amplitude` must be another output than that of the phase. "
                f"Received: amplitude={show(self.amplitude)}, output={show(self.declared.output)}"
            )
        # Shapes are listed in the order of the keys.
        phase, amplitude = (model.output_shape[place] for place in (self.declared.index_of_output, index))
        if phase != amplitude:
            raise ValueError(
                f"Both heads must have the same classes. Received: outputs of shapes {phase} and {amplitude}"
            )
        return place_of_output(model, self.amplitude, index)

    def call(self, images, training=False):
        if not training:
            return self.infer(images)
        source = images
        images = ops.cast(self.augment_images(self.augment, images), "float32")
        images = self.bring_into_range(images, source=source)
        batch = ops.shape(images)[0]
        partner = ops.argsort(keras.random.uniform((batch,), dtype="float32", seed=self.seed_generator))
        halves = [self.preprocess_images(half) for half in (images, self._mix(images, partner))]
        dtype = self.classifier.compute_dtype
        both = ops.concatenate([ops.cast(half, dtype) for half in halves])
        outputs = self.classifier(both, training=True)
        keys = (self.declared.key_of_output, self._amplitude_key)
        phase, amplitude = (pick_output(outputs, key) for key in keys)
        return HeadOutputs(phase[:batch], amplitude[:batch], phase[batch:], amplitude[batch:], partner)

    def _mix(self, images, partner):
        """Each image with the amplitude of its partner, in the range of the images."""
        low, high = self.declared.value_range or UNIT
        pixels = images if (low, high) == UNIT else (images - low) / (high - low)
        data_format = self.declared.choose_data_format()
        lent = ops.take(pixels, partner, axis=0)
        pixels = recombine(lent, pixels, self.axes, data_format=data_format)
        return pixels if (low, high) == UNIT else pixels * (high - low) + low

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if not isinstance(y_pred, HeadOutputs):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        self._check_labels(y)

        def lend(values: Any) -> Any:
            """Those of the images that lent the amplitude."""
            return None if values is None else ops.take(ops.convert_to_tensor(values), y_pred.partner, axis=0)

        own, lent = (y, sample_weight), (lend(y), lend(sample_weight))
        terms = (
            (1.0, y_pred.phase, own),
            (self.amplitude_weight, y_pred.amplitude, own),
            (self.mixed, y_pred.mixed_phase, own),
            (self.mixed * self.amplitude_weight, y_pred.mixed_amplitude, lent),
        )
        loss, total = 0.0, 0.0
        for weight, logits, (labels, weights) in terms:
            loss = loss + weight * super().compute_loss(x, labels, logits, weights, training)
            total += weight
        # Weight decay and other added losses belong to the model, not to a term: count them once.
        for added in self.losses:
            loss = loss - (total - 1) * share_of_replica(ops.sum(ops.cast(added, loss.dtype)))
        return loss

    def _check_labels(self, labels: Any) -> None:
        if labels is None:
            raise ValueError(f"{type(self).__name__} trains on (images, labels). Received: images alone")

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self._check_labels(y)
        phase = y_pred.phase if isinstance(y_pred, HeadOutputs) else y_pred
        return super().compute_metrics(x, y, phase, sample_weight=sample_weight)

    def get_config(self):
        names = ("amplitude", "mixed", "amplitude_weight", "axes", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
