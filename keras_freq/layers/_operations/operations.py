"""The nine operations of AugMix's and APR's training: each image gets one, with a strength and a sign of its
own."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from keras_freq._core.checks import check_choice, check_number, show
from keras_freq.layers._apply_where import apply_by_group, can_be_grouped
from keras_freq.layers._operations import tone
from keras_freq.layers._operations.drawn import apply_drawn
from keras_freq.layers._operations.warp import affine, make_matrix
from keras_freq.spectral._backend import Array, library_of

OPERATIONS = (
    "autocontrast",
    "equalize",
    "posterize",
    "rotate",
    "solarize",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)


def check_level(level: float) -> float:
    """The largest strength of an operation."""
    return check_number(level, "level", least=0.1, most=10)


def check_operations(operations: Sequence[str]) -> tuple[str, ...]:
    """Names out of `OPERATIONS`; one that stands twice is drawn twice as often."""
    names = (operations,) if isinstance(operations, str) else tuple(operations)
    if not names:
        raise ValueError(
            f"`operations` must name at least one of {OPERATIONS}. Received: operations={show(operations)}"
        )
    return tuple(check_choice(name, "operations", OPERATIONS) for name in names)


def to_levels(planes: Array, value_range: tuple[float, float]) -> Array:
    """Whole levels 0 to 255 `(batch, height, width, channels)` of planes in a range of values."""
    xp = library_of(planes)
    low, high = value_range
    levels = xp.clip(xp.round((planes - low) * (255 / (high - low))), 0.0, 255.0)
    return xp.transpose(levels, (0, 2, 3, 1))


def from_levels(levels: Array, value_range: tuple[float, float]) -> Array:
    """The way back, for levels that need not be whole."""
    low, high = value_range
    return library_of(levels).transpose(levels, (0, 3, 1, 2)) * ((high - low) / 255) + low


def apply_operations(
    levels: Array, choice: Array, strength: Array, sign: Array, operations: Sequence[str] = OPERATIONS
) -> Array:
    """Apply one operation to every image of a batch.

    With strength `s` from 0 to 10 and sign `+1` or `-1`: posterize to `4 - int(0.4 s)` bits; solarize from
    `256 - int(25.6 s)` on; rotate by `+-int(3 s)` degrees about the middle; shear by `+-0.03 s`, from the
    upper left corner; translate by `+-int(s * size / 30)` pixels; autocontrast and equalize have no
    parameter. Whatever comes from outside the image is black.

    Args:
        levels: `(batch, height, width, channels)`, whole levels 0 to 255 as floats.
        choice: `(batch,)`, index into `operations` as a float.
        strength: `(batch,)`, 0 to 10.
        sign: `(batch,)`, +1 or -1.
        operations: Names out of `OPERATIONS`.

    Returns:
        Whole levels of the same shape.

    Source: Hendrycks et al., "AugMix", ICLR 2020, and Chen et al., ICCV 2021: the operations that no
        corruption of the robustness benchmarks repeats. Pixels agree with Pillow's; where Pillow's own float
        rounding misses a whole number, by at most one level.
    """
    operations = tuple(operations)
    if isinstance(levels, np.ndarray):
        return apply_drawn(levels, choice, strength, sign, operations)
    if can_be_grouped(levels):
        return _apply_by_group(levels, choice, strength, sign, operations)
    # One of the two is the identity for every image, so their order is free. Curves last: XLA repeats what it
    # fuses into a gather for each pixel read, and the affine map reads four pixels for one.
    curve = _make_curve(levels, choice, strength, operations) if set(operations) & set(tone.NAMES) else None
    if set(operations) - set(tone.NAMES):
        levels = affine(levels, make_matrix(levels, choice, strength, sign, operations))
    return levels if curve is None else tone.apply_curve(levels, curve)


def apply_random_operation(levels: Array, draws: Array, *, operations: Sequence[str], level: float) -> Array:
    """Apply one operation to every image, with a strength from 0.1 to `level` and a sign, all drawn.

    Args:
        levels: `(batch, height, width, channels)`, whole levels 0 to 255 as floats.
        draws: `(batch, 3)` uniform numbers: which operation, how strong, which sign.
        operations: Names out of `OPERATIONS`.
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


def _apply_by_group(levels, choice, strength, sign, operations):
    """Of each image only the operation that was drawn: one group for the affine maps, one for each tone."""
    xp = library_of(levels)
    curves = [name for name in tone.NAMES if name in operations]
    group = xp.zeros_like(xp.cast(choice, "int32"))
    for index, name in enumerate(operations):
        if name in curves:
            group = group + (1 + curves.index(name)) * xp.cast(choice == float(index), "int32")

    def move(levels, choice, strength, sign):
        return affine(levels, make_matrix(levels, choice, strength, sign, operations))

    functions = [move, *(functools.partial(_bend, name) for name in curves)]
    return apply_by_group(group, functions, levels, choice, strength, sign)


def _bend(name, levels, choice, strength, sign):
    xp = library_of(levels)
    if name == "equalize":
        return tone.apply_curve(levels, tone.equalize(tone.grid_like(levels), tone.histogram(levels)))
    low, high = (reduce(levels, axis=(1, 2), keepdims=True) for reduce in (xp.min, xp.max))
    return tone.bend(name, levels, xp.reshape(strength, (-1, 1, 1, 1)), low, high)


def _make_curve(levels, choice, strength, operations):
    """Tone curves `(batch, channels, 256)`, the identity where the operation is no tone curve."""
    xp = library_of(levels)
    column = (-1, 1, 1)
    choice, strength = xp.reshape(choice, column), xp.reshape(strength, column)
    planes = xp.transpose(levels, (0, 3, 1, 2))
    planes = xp.reshape(planes, (xp.shape(levels)[0], levels.shape[-1], -1))
    low, high = (reduce(planes, axis=-1, keepdims=True) for reduce in (xp.min, xp.max))
    grid = tone.grid_like(levels)
    curve = grid + xp.zeros_like(low)
    for index, name in enumerate(operations):
        if name == "equalize":
            curved = tone.equalize(grid, tone.histogram(levels))
        elif name in tone.NAMES:
            curved = tone.bend(name, grid, strength, low, high)
        else:
            continue
        # Exactly one choice matches, so later curves never build on earlier ones.
        curve = xp.where(choice == float(index), curved, curve)
    if xp.name == "torch":  # which fuses nothing
        return curve
    # The product changes nothing (whole numbers to 255 are exact in every precision). It makes XLA keep the
    # curves, where it would compute them again for every pixel that looks one up.
    return xp.matmul(curve, xp.constant(np.eye(tone.LEVELS, dtype="float32"), curve))
