"""Image data for training and measuring: loading, batching, and one reader for every kind of feed.

Images are float32 in [0, 1], `(batch, height, width, channels)`; labels are int32 class indices.
"""

from keras_freq.data.array_batches import ArrayBatches
from keras_freq.data.batches import iterate_batches
from keras_freq.data.image_data import ImageData
from keras_freq.data.labels import shuffle_labels
from keras_freq.data.load import load

__all__ = ["ArrayBatches", "ImageData", "iterate_batches", "load", "shuffle_labels"]
