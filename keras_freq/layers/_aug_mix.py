from __future__ import annotations

from collections.abc import Sequence

import keras

from keras_freq._core.checks import check_interval, check_whole, show
from keras_freq.layers._apply_where import apply_where
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.layers._operations import (
    OPERATIONS,
    apply_random_operation,
    check_level,
    check_operations,
    from_levels,
    to_levels,
)
from keras_freq.spectral._backend import library_of, sides_of
from keras_freq.spectral._images import to_planes

LONGEST = 3


@keras.saving.register_keras_serializable(package="keras_freq")
class AugMix(RandomFrequencyLayer):
    """AugMix: mix every image with a weighted mean of several of its augmented versions.

    Pixels are bytes, 0 to 255, or floats in `value_range`, (0, 1); Keras' own layers have (0, 255).

    `y = (1 - m) * x + m * sum over i of w[i] * chain_i(x)`, with `w ~ Dirichlet(1, ..., 1)` and `m ~ Beta(1,
    1)`. A chain is 1 to 3 random operations one after the other, each with a strength and a sign of its own.

    Everything is drawn for each image on its own, inside the compiled step. `keras.layers.AugMix` picks its
    operations with Python's own generator, for the whole batch at once: in a compiled step they are drawn
    once for the whole training.

    The operations are defined on 256 levels: an image is rounded to them before the chains, and stands in the
    mixture as it is.

    Args:
        chains: Number of augmented versions, at least 1.
        depth: Operations in a chain, or -1: 1, 2 or 3, drawn for each chain.
        level: Largest strength, 0.1 to 10; each operation draws its own, uniform from 0.1 up to it.
        operations: Names of the operations to draw from, uniformly; by default all nine.
        value_range: Lowest and highest value of float images. Bytes are 0 to 255 and stay so, as floats.
        seed: Seed of the layer's stream, or `None` for a fresh one.
        data_format: `"channels_last"` or `"channels_first"`; by default that of the Keras configuration.
        **kwargs: `name`, `dtype` and so on of `keras.layers.Layer`.

    Call arguments:
        images: Float images in `value_range`, or bytes.
        training: `False` makes the layer the identity. Inside a model Keras sets it; alone the layer
            augments.

    Input shape:
        `(batch, height, width, channels)`, or one image without the batch axis inside `tf.data`.

    Output shape:
        The same.

    Raises:
        ValueError: if an argument lies outside its range.

    Source: Hendrycks et al., "AugMix", ICLR 2020, algorithm 1.
        Differs from the original: the images alone, without the Jensen-Shannon loss between two mixtures and
        the clean image, which costs three forward passes per step; the parameter of the Dirichlet and Beta
        distributions is 1, as published, and cannot be set.

    Example:
        >>> tuple(keras_freq.layers.AugMix(seed=0)(np.ones((8, 32, 32, 3), "float32")).shape)
        (8, 32, 32, 3)
    """

    def __init__(
        self,
        *,
        chains: int = 3,
        depth: int = -1,
        level: float = 3.0,
        operations: Sequence[str] = OPERATIONS,
        value_range: tuple[float, float] = (0, 1),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.chains = check_whole(chains, "chains")
        self.depth = check_whole(depth, "depth", least=-1)
        if self.depth == 0:
            raise ValueError(f"`depth` must be at least 1, or -1 for 1 to 3. Received: depth={show(depth)}")
        self.level = check_level(level)
        self.operations = check_operations(operations)
        self.value_range = check_interval(value_range, "value_range")

    checks_range = True
    skips_what_is_not_drawn = True

    def draw_shape(self, batch, channels):
        # The image's share, then for each chain a weight, a depth, and three numbers per operation.
        return (batch, 1 + self.chains * (2 + 3 * self._steps))

    @property
    def _steps(self) -> int:
        return LONGEST if self.depth == -1 else self.depth

    def transform(self, images, draws):
        if images.shape[0] == 0:  # what the tone operations look for is in none
            return images
        planes, back = to_planes(images, self.data_format, open_size=True)
        xp = library_of(planes)
        levels = to_levels(planes, self.value_range)
        draws = xp.cast(draws, planes.dtype)
        share, columns = xp.reshape(draws[:, 0], (-1, 1, 1, 1)), 2 + 3 * self._steps
        # All chains as one batch: the first chain of every image, then the second of every image.
        draws = xp.transpose(xp.reshape(draws[:, 1:], (-1, self.chains, columns)), (1, 0, 2))
        draws = xp.reshape(draws, (-1, columns))
        chained = self._chain(xp.concatenate([levels] * self.chains, axis=0), draws)
        # Exponential numbers over their sum are Dirichlet(1, ..., 1); half the smallest draw stands for 0.
        weights = -xp.log(xp.maximum(draws[:, 0], xp.zeros_like(draws[:, 0]) + 2.0**-25))
        weights = xp.reshape(weights, (self.chains, -1, 1, 1, 1))
        chained = weights * xp.reshape(chained, (self.chains, -1, *sides_of(levels, 1), levels.shape[-1]))
        mean = from_levels(xp.sum(chained, axis=0) / xp.sum(weights, axis=0), self.value_range)
        return back(planes + share * (mean - planes))

    def _chain(self, levels, draws):
        xp = library_of(levels)
        count = xp.floor(draws[:, 1] * LONGEST) + 1
        for step in range(self._steps):
            numbers = draws[:, 2 + 3 * step : 5 + 3 * step]
            if self.depth == -1:
                levels = apply_where(count > step, self._operate, levels, numbers)
            else:
                levels = self._operate(levels, numbers)
        return levels

    def _operate(self, levels, draws):
        return apply_random_operation(levels, draws, operations=self.operations, level=self.level)

    def get_config(self):
        return {
            **super().get_config(),
            "chains": self.chains,
            "depth": self.depth,
            "level": self.level,
            "operations": list(self.operations),
            "value_range": list(self.value_range),
        }
