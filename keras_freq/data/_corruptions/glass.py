"""Glass blur: pixels replaced by random near neighbors, as behind frosted glass."""

from __future__ import annotations

import numpy as np

from keras_freq.data._corruptions import draws, filters


def glass_blur(
    planes: np.ndarray, rngs: draws.Generators, sigma: float, reach: int, rounds: int
) -> np.ndarray:
    """Smooths, replaces pixels by neighbors, smooths again.

    In every round the pixels are visited from the last to the first, and each takes the present value of the
    pixel at a random offset in `[-reach, reach)` along both axes. `trace_sources` finds where each value
    comes from without a loop over pixels; given the offsets, the result is that of the loop.
    """
    count, channels, height, width = planes.shape
    smooth = filters.gaussian(planes, sigma)
    inner = (max(height - 2 * reach, 0), max(width - 2 * reach, 0))
    offsets = draws.integers(rngs, -reach, reach, (rounds, 2, *inner)).astype("int32")
    source: np.ndarray = np.broadcast_to(np.arange(height * width), (count, height * width))
    for number in range(rounds):
        found = trace_sources(offsets[:, number], (height, width), reach)
        source = np.take_along_axis(source, found, 1)
    flat = source[:, None] + (np.arange(count * channels) * (height * width)).reshape(count, channels, 1)
    return filters.gaussian(smooth.ravel()[flat].reshape(planes.shape), sigma)


def trace_sources(offsets: np.ndarray, size: tuple[int, int], reach: int) -> np.ndarray:
    """The pixel that each pixel's value comes from after one round.

    Args:
        offsets: `(n, 2, height - 2 reach, width - 2 reach)`, rows then columns, in `[-reach, reach)`, of the
            pixels in `[reach + 1, side - reach]`.
        size: `(height, width)`.
        reach: The largest offset.

    Returns:
        int64 `(n, height * width)`, indices of pixels in row-major order.
    """
    height, width = size
    middle = np.zeros(size, bool)
    middle[reach + 1 : height - reach + 1, reach + 1 : width - reach + 1] = True
    inner = middle.ravel()
    pixels = np.flatnonzero(inner)
    source = np.tile(np.arange(height * width), (len(offsets), 1))
    target = pixels + (offsets[:, 0] * width + offsets[:, 1]).reshape(len(offsets), pixels.size)
    source[:, pixels] = target
    # A target further on was visited before and holds another pixel's value by now: follow it. Each turn
    # doubles the length of the paths followed. With reach 1 no target lies further on.
    image, place = np.nonzero((target > pixels) & inner[target])
    waiting = np.zeros(source.shape, bool)
    place = pixels[place]
    waiting[image, place] = True
    while image.size:
        onward = source[image, place]
        again = waiting[image, onward]
        source[image, place] = source[image, onward]
        waiting[image, place] = again
        image, place = image[again], place[again]
    return source
