"""Image data for training and measuring: loading, batching, one reader for every kind of feed, corruptions.

Images are float32 in [0, 1], `(batch, height, width, channels)`; labels are int32 class indices.
"""

from keras_freq.data.array_batches import ArrayBatches
from keras_freq.data.batches import iterate_batches
from keras_freq.data.corruptions import (
    CORRUPTIONS,
    EXTRA_CORRUPTIONS,
    corrupt,
    read_corrupted,
    write_corrupted,
)
from keras_freq.data.image_data import ImageData
from keras_freq.data.labels import shuffle_labels
from keras_freq.data.load import load

__all__ = [
    "CORRUPTIONS",
    "EXTRA_CORRUPTIONS",
    "ArrayBatches",
    "ImageData",
    "corrupt",
    "iterate_batches",
    "load",
    "read_corrupted",
    "shuffle_labels",
    "write_corrupted",
]
