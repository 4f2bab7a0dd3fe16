"""Common corruptions, of Hendrycks and Dietterich (ICLR 2019) and of C-bar, in batches, from seeds."""

from keras_freq.data._corruptions.apply import corrupt
from keras_freq.data._corruptions.bar_tables import CIFAR10_BAR_CORRUPTIONS, IMAGENET_BAR_CORRUPTIONS
from keras_freq.data._corruptions.catalog import CORRUPTIONS, EXTRA_CORRUPTIONS
from keras_freq.data._corruptions.read import read_corrupted
from keras_freq.data._corruptions.write import write_corrupted

__all__ = [
    "CIFAR10_BAR_CORRUPTIONS",
    "CORRUPTIONS",
    "EXTRA_CORRUPTIONS",
    "IMAGENET_BAR_CORRUPTIONS",
    "corrupt",
    "read_corrupted",
    "write_corrupted",
]
