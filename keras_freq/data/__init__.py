"""Image data for training and measuring: loading, storing, batching, one reader for every feed, corruptions.

Images are float32 in [0, 1], `(batch, height, width, channels)`; labels are int32 class indices.
"""

from keras_freq.data.array_batches import ArrayBatches
from keras_freq.data.batches import iterate_batches
from keras_freq.data.image_data import ImageData
from keras_freq.data.labels import shuffle_labels
from keras_freq.data.load import load
from keras_freq.data.synthetic_bands import synthetic_bands
from keras_freq.data.write_npz import write_npz
from keras_freq.data.write_tfds import write_tfds

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
    "synthetic_bands",
    "write_corrupted",
    "write_npz",
    "write_tfds",
]


def __getattr__(name: str):
    # The corruptions are imported when first used, so that `import keras_freq` stays quick.
    if name in __all__:
        from keras_freq.data import corruptions

        return getattr(corruptions, name)
    raise AttributeError(f"module 'keras_freq.data' has no attribute {name!r}")
