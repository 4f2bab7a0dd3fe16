"""Batched image operations on 8-bit levels, image by image with parameters of their own: pure functions."""

from keras_freq.layers._operations.operations import (
    OPERATIONS,
    apply_operations,
    apply_random_operation,
    check_level,
    check_operations,
    from_levels,
    to_levels,
)

__all__ = [
    "OPERATIONS",
    "apply_operations",
    "apply_random_operation",
    "check_level",
    "check_operations",
    "from_levels",
    "to_levels",
]
