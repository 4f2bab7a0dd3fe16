from __future__ import annotations

import functools
from typing import ClassVar, Literal

import keras
from keras import ops

from keras_freq._core.checks import (
    check_choice,
    check_flag,
    check_interval,
    check_linf_epsilon,
    check_number,
    check_seed,
    check_whole,
)
from keras_freq._core.classifier import Classifier
from keras_freq._core.input_gradient import input_gradient
from keras_freq._core.layer_chain import keeps_values
from keras_freq._core.losses import cross_entropy
from keras_freq._core.value_range import BYTES
from keras_freq.attacks._norm_balls import (
    default_step_size,
    draw_in_ball,
    project_l2,
    project_linf,
    step_l2,
    step_linf,
)
from keras_freq.spectral._backend import dtype_of, is_floating
from keras_freq.training._base import BatchTransformModel

_FLOAT16_SCALE = 128.0


@keras.saving.register_keras_serializable(package="keras_freq")
class AdversarialModel(BatchTransformModel):
    """A classifier that trains on adversarial images only and is the bare classifier otherwise.

    `min_w E max_{|d| <= epsilon} CE(f_w(x + d), y)`: in every training step projected gradient descent moves
    the batch inside the ball and the bounds, and the step trains on where it ends,

    `x <- P(x + a * sign(g))` for `norm="linf"`, `x <- P(x + a * g / |g|_2)` for `norm="l2"`.

    The attack is part of the compiled step. It runs the classifier in inference mode, so that it neither
    moves nor uses up anything: batch normalization attacks with its running statistics, dropout is off.
    Images and perturbations are float32 whatever the precision of the classifier.

    With `pair`, a layer that mixes the batch, the step trains on the adversarial versions of the batch and of
    its mixed copy as one batch of twice the size (batch normalization sees both), with the same labels and
    sample weights; the loss is the mean over both halves. The order is `augment`, `pair`, attack. Mixed
    images are clipped to the bounds before they are attacked.

    `compile`, `fit`, `evaluate`, `predict`, `save` and `keras.saving.load_model` work as with any model.
    Losses and metrics of training are those on adversarial images; validation, `evaluate` and `predict` are
    those on the images as they are.

    `input_shape`, `output_shape` and `layers` are the classifier's, the layers behind the wrapper's own;
    `inputs`, `outputs` and `operations` only `model.classifier` has.

    Args:
        classifier: A Keras model from images to one tensor of logits, or a `keras_freq.Classifier` of one.
        epsilon: Radius of the ball, for pixels on [0, 1], at least 0.
        steps: Number of steps. A step costs about as much as half a plain training step.
        step_size: Absolute size of a step. Default `2.5 * epsilon / steps`.
        norm: `"linf"` or `"l2"`.
        random_start: Start at a uniform draw from the ball instead of at the image.
        bounds: Lowest and highest pixel value that the classifier takes; bytes are 0 to 255. Default: the
            range in which it is evaluated, which is declared, or told by its first layers, else `(0, 1)`.
        augment: Layer or model applied before the attack, such as `keras_freq.layers.CropFlip()`, or a
            `keras.Sequential` of several, or `None`.
        pair: Layer that mixes the batch, such as `keras_freq.layers.APRPair(probability=0.16)`, or `None`.
        seed: Seed of the random starts.
        **kwargs: `name`, `dtype` and so on of `keras.Model`. The default `dtype` is that of the classifier,
            so that `compile` scales the loss of one in mixed float16.

    Raises:
        TypeError: if `classifier` is no model, or `augment` or `pair` no Keras layer.
        ValueError: if a number is out of range, `classifier` has several outputs, or the first images of
            `fit` lie beyond the bounds.

    Source: Madry et al., "Towards Deep Learning Models Resistant to Adversarial Attacks", ICLR 2018, section
        2.1. Wang et al., CVPR 2020, train with `epsilon=0.03, steps=10, step_size=0.003,
        random_start=False`. FGSM with a random start, the fast training of Wong et al., ICLR 2020, which Chen
        et al., ICCV 2021, combine with `pair`, is `epsilon=8 / 255, steps=1, step_size=10 / 255`.
        Differs from the original: with `pair` Chen et al. mix normalized images and do not clip them.

    Example:
        >>> model = keras_freq.training.AdversarialModel(classifier, epsilon=8 / 255, steps=3)
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> history = model.fit(images, labels, epochs=1, verbose=0)
    """

    PARTS: ClassVar[tuple[str, ...]] = ("augment", "pair", "classifier")

    def __init__(
        self,
        classifier: keras.Model | Classifier,
        *,
        epsilon: float = 8 / 255,
        steps: int = 10,
        step_size: float | None = None,
        norm: Literal["linf", "l2"] = "linf",
        random_start: bool = True,
        bounds: tuple[float, float] | None = None,
        augment: keras.Layer | None = None,
        pair: keras.Layer | None = None,
        seed: int | None = None,
        **kwargs,
    ):
        network = classifier.model if isinstance(classifier, Classifier) else classifier
        if isinstance(network, keras.Layer):
            kwargs.setdefault("dtype", network.dtype_policy)
        super().__init__(**kwargs)
        self.hold(classifier=classifier, augment=augment, pair=pair)
        self.declared.check_logits()
        self.copies = 1 if pair is None else 2
        self.steps = check_whole(steps, "steps")
        self.step_size = None if step_size is None else check_number(step_size, "step_size", least=0)
        self.norm = check_choice(norm, "norm", ("linf", "l2"))
        whole = norm == "linf"
        self.epsilon = check_linf_epsilon(epsilon) if whole else check_number(epsilon, "epsilon", least=0)
        self.random_start = check_flag(random_start, "random_start")
        declared = self.declared.value_range
        settled = self.declared.settle_range().value_range
        self.bounds = settled if bounds is None else check_interval(bounds, "bounds")
        if declared is not None and self.bounds != declared:
            raise ValueError(
                f"`bounds` must be the declared value_range={declared}, or None. Received: bounds={bounds}"
            )
        self.seed = check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def _check_images(self, images):
        super()._check_images(images)
        # What comes out of a layer that makes other values of pixels is not known before it runs.
        if images.dtype.kind != "f" or not all(map(keeps_values, self._augmentations("augment"))):
            return
        self.declared.settle_range(images)  # warns of [0, 1] where the classifier rescales 0 to 255
        (low, high), least, most = self.bounds, float(images.min()), float(images.max())
        if least < low or most > high:
            raise ValueError(
                f"Images must lie in the bounds of the attack, {low:g} to {high:g}, which cuts off what is "
                f"beyond: pass bounds=(low, high). Received: values from {least:.6g} to {most:.6g}"
            )

    def prepare(self, images, labels):
        # Bytes of a plain model count as 0 to 255, whatever the bounds of floats.
        declared = self.declared.value_range is not None or self.declared.preprocess is not None
        bounds = self.bounds if declared or is_floating(dtype_of(images)) else BYTES
        span = bounds[1] - bounds[0]  # sizes are stated for pixels on [0, 1]
        source = images
        images = self.augment_images(self.augment, images)
        halves = [images] if self.pair is None else [images, self.augment_images(self.pair, images)]
        halves = [self.bring_into_range(ops.cast(half, "float32"), source=source) for half in halves]
        images = halves[0]
        if self.pair is not None:
            images = ops.concatenate([images, ops.clip(halves[1], *bounds)])
            labels = ops.concatenate([labels, labels])
        step_size = default_step_size(self.epsilon, self.steps) if self.step_size is None else self.step_size
        epsilon, step_size = self.epsilon * span, step_size * span
        flat = labels if len(labels.shape) == 1 or labels.shape[-1] > 1 else ops.squeeze(labels, axis=-1)

        # Small gradients vanish in float16; the length of the gradient is of no account.
        scale = _FLOAT16_SCALE if self.classifier.compute_dtype == "float16" else 1

        if self.norm == "linf":
            take_step, project = step_linf, project_linf
            ball = [ops.clip(images + edge, *bounds) for edge in (-epsilon, epsilon)]
        else:
            take_step, project = step_l2, project_l2
            ball = [images, epsilon, *bounds]

        def step(moved):
            gradient = input_gradient(
                lambda x: scale * ops.sum(cross_entropy(self.infer_logits(x), flat)), moved
            )
            if scale > 1:  # and large ones overflow: such a pixel stays where it is
                gradient = ops.where(ops.isfinite(gradient), gradient, 0.0)
            return take_step(moved, gradient, step_size, *ball)

        start = (
            project(images + self._draw(ops.shape(images), epsilon), *ball) if self.random_start else images
        )
        return _repeat(step, start, self.steps), labels

    def _draw(self, shape, epsilon):
        uniform, normal = (
            functools.partial(draw, dtype="float32", seed=self.seed_generator)
            for draw in (keras.random.uniform, keras.random.normal)
        )
        return draw_in_ball(ops, uniform, normal, shape, epsilon, self.norm)

    def get_config(self):
        names = ("epsilon", "steps", "step_size", "norm", "random_start", "bounds", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        # Models saved before there was a `pair` have none.
        return super().from_config({"pair": None, **config}, custom_objects)


def _repeat(step, start, count):
    """`step` applied `count` times, without a gradient through the steps."""
    backend = keras.backend.backend()
    if backend == "torch" or (backend == "jax" and _on_cpu()):
        # XLA runs convolutions inside a loop of its own on one thread of the CPU, so there it is unrolled.
        for _ in range(count):
            start = ops.stop_gradient(step(start))
        return start
    return ops.fori_loop(0, count, lambda _, moved: ops.stop_gradient(step(moved)), start)


def _on_cpu() -> bool:
    import jax

    return jax.default_backend() == "cpu"
