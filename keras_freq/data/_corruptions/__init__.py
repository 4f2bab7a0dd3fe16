"""The common corruptions of Hendrycks and Dietterich (ICLR 2019), a batch at a time, from seeds."""

from keras_freq.data._corruptions.cifar_c import write_corrupted
from keras_freq.data._corruptions.corrupt import corrupt
from keras_freq.data._corruptions.severities import CORRUPTIONS, EXTRA_CORRUPTIONS
from keras_freq.data._corruptions.stored import read_corrupted

__all__ = ["CORRUPTIONS", "EXTRA_CORRUPTIONS", "corrupt", "read_corrupted", "write_corrupted"]
