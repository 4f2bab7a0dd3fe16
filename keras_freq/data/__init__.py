"""Image data for training and measuring: loading, storing, batching, one reader for every feed, corruptions.

Images are float32 in [0, 1], `(batch, height, width, channels)`; labels are int32 class indices.
"""

from typing import TYPE_CHECKING

from keras_freq._core.array_batches import ArrayBatches
from keras_freq._core.batches import iterate_batches
from keras_freq.data._augmented import Augmented
from keras_freq.data._folder_sets import check
from keras_freq.data._image_data import ImageData
from keras_freq.data._image_spectral_density import SpectralDensityResult, image_spectral_density
from keras_freq.data._load import load
from keras_freq.data._octave_noise import octave_noise
from keras_freq.data._shuffle_labels import shuffle_labels
from keras_freq.data._synthetic_bands import synthetic_bands
from keras_freq.data._write_npz import write_npz
from keras_freq.data._write_tfds import write_tfds

if TYPE_CHECKING:
    from keras_freq.data._corruptions.apply import corrupt
    from keras_freq.data._corruptions.bar_tables import CIFAR10_BAR_CORRUPTIONS, IMAGENET_BAR_CORRUPTIONS
    from keras_freq.data._corruptions.catalog import CORRUPTIONS, EXTRA_CORRUPTIONS
    from keras_freq.data._corruptions.read import read_corrupted
    from keras_freq.data._corruptions.write import write_corrupted
    from keras_freq.data._perturbations.apply import perturb
    from keras_freq.data._perturbations.catalog import EXTRA_PERTURBATIONS, PERTURBATIONS

__all__ = [
    "CIFAR10_BAR_CORRUPTIONS",
    "CORRUPTIONS",
    "EXTRA_CORRUPTIONS",
    "EXTRA_PERTURBATIONS",
    "IMAGENET_BAR_CORRUPTIONS",
    "PERTURBATIONS",
    "ArrayBatches",
    "Augmented",
    "ImageData",
    "SpectralDensityResult",
    "check",
    "corrupt",
    "image_spectral_density",
    "iterate_batches",
    "load",
    "octave_noise",
    "perturb",
    "read_corrupted",
    "shuffle_labels",
    "synthetic_bands",
    "write_corrupted",
    "write_npz",
    "write_tfds",
]

if not TYPE_CHECKING:  # a checker that saw it would take every name for a part of the package

    def __getattr__(name: str):
        # Corruptions and perturbations are imported when first used: `import keras_freq` stays quick.
        if name in __all__:
            from keras_freq.data import _corruptions, _perturbations

            return getattr(_perturbations if hasattr(_perturbations, name) else _corruptions, name)
        raise AttributeError(f"module 'keras_freq.data' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
