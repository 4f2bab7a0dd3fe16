"""The model that trains the kernels: noise, two convolutions, and their distance from the target."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import keras
import numpy as np
from keras import ops

from keras_freq._core.replicas import share_of_replica
from keras_freq.spectral._backend import Array
from keras_freq.spectral._density import Bins, Center, spectral_density
from keras_freq.spectral._enhance import convolve_twice

HISTORY = ("loss", "density", "similarity")
Similarity = Literal["noisy", "clean"]
Reduction = Literal["mean", "sum"]


def initial_kernels(channels: int, filters: int, kernel_size: int, *, seed: int) -> list[np.ndarray]:
    """Kernels and biases drawn from `U(-1, 1) / sqrt(inputs of an output)`, as the published network has."""
    random = np.random.default_rng(seed)

    def draw(inputs, outputs):
        limit = 1 / np.sqrt(kernel_size**2 * inputs)
        shapes = ((kernel_size, kernel_size, inputs, outputs), (outputs,))
        return [random.uniform(-limit, limit, shape).astype("float32") for shape in shapes]

    return [*draw(channels, filters), *draw(filters, channels)]


def density_loss(images: Array, target: Array, *, center: Center, bins: Bins, reduction: Reduction) -> Array:
    """`mean (s(y) - target)^2` over images and bands, with `s` the spectral density scaled to [0, 1]."""
    density = spectral_density(images, center=center, bins=bins)
    return _reduce(ops.square(density - ops.cast(target, density.dtype)), reduction)


def similarity_loss(images: Array, originals: Array, *, reduction: Reduction) -> Array:
    """`mean (y - x)^2` over images and pixels."""
    return _reduce(ops.square(ops.subtract(images, originals)), reduction)


def _reduce(squares: Array, reduction: Reduction) -> Array:
    """The mean of all squares, or the mean over images of their sums."""
    axes = tuple(range(1, len(squares.shape)))
    return ops.mean(squares if reduction == "mean" else ops.sum(squares, axis=axes))


class KernelModel(keras.Model):
    """Two convolutions in training: `y = k2 * (k1 * (x + n) + b1) + b2`.

    `n = U(0, 1) * noise * mean(x)`, drawn anew for every pixel at every step; the mean is that of the image.
    """

    def __init__(
        self,
        sizes: tuple[int, int, int],
        target: np.ndarray,
        *,
        center: Center,
        bins: Bins,
        noise: float,
        similarity: Similarity,
        reduction: Reduction,
    ):
        # float32 whatever the policy: a density takes logarithms of sums over all pixels.
        super().__init__(name="cdes", dtype="float32")
        side, channels, filters = sizes
        shapes = ((side, side, channels, filters), (filters,), (side, side, filters, channels), (channels,))
        self.kernels = [
            self.add_weight(shape=shape, initializer="zeros", dtype="float32", name=f"kernel_{number}")
            for number, shape in enumerate(shapes)
        ]
        self.target = np.asarray(target, "float32")
        self.noise, self.similarity, self.reduction = noise, similarity, reduction
        self.center, self.bins = center, bins
        self.seed_generator = keras.random.SeedGenerator(0)
        self.parts = {name: keras.metrics.Mean(name=name) for name in ("density", "similarity_loss")}

    def begin(self, kernels: list[np.ndarray], *, seed: int) -> None:
        """Set the model to the start of a training; what was compiled stays."""
        for variable, value in zip(self.kernels, kernels, strict=True):
            variable.assign(value)
        self.seed_generator.state.assign(np.array([seed, 0], "uint32"))
        if self.optimizer.built:
            for variable in self.optimizer.variables:
                variable.assign(np.zeros(variable.shape))

    def call(self, images):
        images = ops.cast(images, "float32")
        noise = keras.random.uniform(ops.shape(images), dtype="float32", seed=self.seed_generator)
        noisy = images + noise * self.noise * ops.mean(images, axis=(1, 2, 3), keepdims=True)
        planes = convolve_twice(ops.transpose(noisy, (0, 3, 1, 2)), [part.value for part in self.kernels])
        return ops.transpose(planes, (0, 2, 3, 1)), noisy

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        enhanced, noisy = y_pred
        density = density_loss(
            enhanced, self.target, center=self.center, bins=self.bins, reduction=self.reduction
        )
        originals = noisy if self.similarity == "noisy" else ops.cast(x, "float32")
        similarity = similarity_loss(enhanced, originals, reduction=self.reduction)
        count = ops.shape(enhanced)[0]  # Keras weighs the loss of a batch so
        self.parts["density"].update_state(density, sample_weight=count)
        self.parts["similarity_loss"].update_state(similarity, sample_weight=count)
        total = density + similarity
        for penalty in self.losses:
            total = total + penalty
        return share_of_replica(total)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return self.get_metrics_result()


class KernelHistory(keras.callbacks.Callback):
    """Keeps kernels and losses of every epoch, and stops where a loss is not finite."""

    def __init__(self, on_epoch: Callable[[int, dict[str, float]], None] | None):
        super().__init__()
        self.on_epoch = on_epoch
        self.kernels: list[list[np.ndarray]] = []
        self.history: dict[str, list[float]] = {name: [] for name in HISTORY}

    def on_epoch_end(self, epoch, logs=None):
        # `self.model` on JAX first brings the weights back from the training loop.
        self.kernels.append([np.array(keras.ops.convert_to_numpy(part)) for part in self.model.kernels])
        losses = {
            "loss": float(logs["loss"]),
            "density": float(logs["density"]),
            "similarity": float(logs["similarity_loss"]),
        }
        if not all(map(math.isfinite, losses.values())):
            raise ValueError(
                f"The kernels diverged in epoch {epoch + 1}: take a lower `learning_rate`. "
                f"Received: loss={losses['loss']}"
            )
        for name, value in losses.items():
            self.history[name].append(value)
        if self.on_epoch is not None:
            self.on_epoch(epoch + 1, losses)
