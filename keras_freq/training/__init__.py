"""Keras models that train other models in a way of their own."""

from keras_freq.training.apr_model import APRModel

__all__ = ["APRModel"]
