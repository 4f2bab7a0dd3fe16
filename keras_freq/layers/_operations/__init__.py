"""Batched image operations on 8-bit levels, image by image with parameters of their own: pure functions."""

from keras_freq.layers._operations.operations import OPERATIONS, apply_operations

__all__ = ["OPERATIONS", "apply_operations"]
