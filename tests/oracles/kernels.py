"""Kernel smoothing in float64 NumPy, one weight at a time, straight from the formula."""

import numpy as np


def smoothed(kernel, rho, normalize=False):
    """`kernel` is `(height, width, channels, channels)`; beyond the border stands the value at the edge."""
    kernel = np.asarray(kernel, dtype="float64")
    height, width = kernel.shape[:2]
    result = np.zeros_like(kernel)
    for i in range(height):
        for j in range(width):
            result[i, j] = kernel[i, j]
            for a in (-1, 0, 1):
                for b in (-1, 0, 1):
                    if (a, b) != (0, 0):
                        row, column = min(max(i + a, 0), height - 1), min(max(j + b, 0), width - 1)
                        result[i, j] += rho * kernel[row, column]
    return result / (1 + 8 * rho) if normalize else result
