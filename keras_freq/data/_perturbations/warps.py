"""Bilinear warps of whole stacks of planes about their center."""

from __future__ import annotations

import numpy as np


def warp(planes: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Reads every plane at `inverse @ (x, y, 1)`, from the center, in pixels; black outside of the planes.

    Neighbors beyond the border are the border's own pixels, as in Pillow.

    Args:
        planes: float32 `(n, channels, height, width)`.
        inverse: `(3, 3)`, from a place in the result to the place in the planes, homogeneous.

    Returns:
        An array like `planes`.
    """
    height, width = planes.shape[-2:]
    y, x = np.mgrid[:height, :width] + 0.5
    columns, rows, depth = inverse @ np.stack(
        [x.ravel() - width / 2, y.ravel() - height / 2, np.ones(x.size)]
    )
    columns, rows = columns / depth + width / 2, rows / depth + height / 2
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    left, above = np.floor(columns - 0.5), np.floor(rows - 0.5)
    right_share, below_share = columns - 0.5 - left, rows - 0.5 - above

    flat = planes.reshape(-1, height * width)
    result, term = np.zeros_like(flat), np.empty_like(flat)
    for down, row_share in ((0, 1 - below_share), (1, below_share)):
        row = np.clip(above + down, 0, height - 1).astype(int) * width
        for right, column_share in ((0, 1 - right_share), (1, right_share)):
            column = np.clip(left + right, 0, width - 1).astype(int)
            # All places are within; NumPy takes them several times faster where it need not raise.
            np.take(flat, row + column, axis=1, out=term, mode="clip")
            term *= (row_share * column_share * inside).astype("float32")
            result += term
    return result.reshape(planes.shape)


def rotation(degrees: float) -> np.ndarray:
    """Turns the picture clockwise."""
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])


def scaling(factor: float) -> np.ndarray:
    """Enlarges the picture."""
    return np.diag([1 / factor, 1 / factor, 1])


def shearing(degrees: float) -> np.ndarray:
    """Leans the picture over to the right."""
    return np.array([[1, np.tan(np.deg2rad(degrees)), 0], [0, 1, 0], [0, 0, 1]])


def tilting(degrees: float, height: int, width: int) -> np.ndarray:
    """Turns the picture about its vertical and then its horizontal axis, seen from its diagonal away.

    The picture lies at depth 1, not 0, before it is turned, as published: without a turn it is smaller by
    `diagonal / (diagonal + 1)`.
    """
    diagonal = np.hypot(height, width)
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    about_x = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    about_y = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    turned = about_x @ about_y
    turned[2, 2] += diagonal
    return np.linalg.inv(np.diag([diagonal, diagonal, 1]) @ turned)
