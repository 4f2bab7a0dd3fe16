"""One random operation an image, for the augmentations that are made of such."""

from __future__ import annotations

from collections.abc import Sequence

from keras_freq._core.checks import check_choice
from keras_freq.layers._operations import OPERATIONS, apply_operations
from keras_freq.spectral._backend import Array, library_of


def check_level(level: float) -> float:
    if isinstance(level, bool) or not isinstance(level, (int, float)) or not 0.1 <= level <= 10:
        raise ValueError(f"`level` must lie in 0.1 to 10. Received: level={level!r}")
    return float(level)


def check_operations(operations: Sequence[str]) -> tuple[str, ...]:
    names = (operations,) if isinstance(operations, str) else tuple(operations)
    if not names:
        raise ValueError(
            f"`operations` must name at least one of {OPERATIONS}. Received: operations={operations!r}"
        )
    for name in names:
        check_choice(name, "operations", OPERATIONS)
    return names


def random_operation(levels: Array, draws: Array, *, operations: Sequence[str], level: float) -> Array:
    """Give every image one of the operations, with a strength from 0.1 to `level` and a sign.

    Args:
        levels: `(batch, height, width, channels)`, whole levels 0 to 255 as floats.
        draws: `(batch, 3)` uniform numbers: which operation, how strong, which sign.
        operations: Names out of `keras_freq.layers._operations.OPERATIONS`.
        level: Largest strength.

    Returns:
        Whole levels of the same shape.
    """
    xp = library_of(levels)
    which, how_strong, sign = (draws[:, k] for k in range(3))
    choice = xp.floor(which * len(operations))
    strength = 0.1 + (level - 0.1) * how_strong
    sign = xp.where(sign < 0.5, -xp.ones_like(sign), xp.ones_like(sign))
    return apply_operations(levels, choice, strength, sign, operations)
