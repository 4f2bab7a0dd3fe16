"""A box of an image resized bilinearly with antialiasing, in float64, one pixel at a time."""

import numpy as np


def weights(start, side, out, pixels):
    """`(out, len(pixels))`: triangles as wide as the reduction over the pixels of these numbers."""
    scale = side / out
    support = max(scale, 1.0)
    table = np.zeros((out, len(pixels)))
    for i in range(out):
        place = start + (i + 0.5) * scale
        for column, pixel in enumerate(pixels):
            table[i, column] = max(0.0, 1 - abs(pixel + 0.5 - place) / support)
        table[i] /= table[i].sum()
    return table


def resized_box(image, top, left, tall, wide, size):
    """The box of whole pixels `(height, width, channels)`, seeing nothing of the image around it."""
    top, left, tall, wide = (int(number) for number in (top, left, tall, wide))
    rows = weights(top, tall, size[0], range(top, top + tall))
    columns = weights(left, wide, size[1], range(left, left + wide))
    box = image[top : top + tall, left : left + wide].astype("float64")
    return np.einsum("ih,hwc,jw->ijc", rows, box, columns)
