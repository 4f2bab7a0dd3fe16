"""The frequency lens for Keras 3.

See which frequencies an image classifier relies on, test whether it cheats with frequency shortcuts, and
train it not to. Reading `__all__` here and in each part is reading the library.
"""

import importlib
from typing import TYPE_CHECKING

from keras_freq import layers, models, spectral
from keras_freq._core.classifier import Classifier
from keras_freq._core.to_logits import to_logits
from keras_freq.training import APRModel

if TYPE_CHECKING:
    from keras_freq import attacks, callbacks, cdes, data, evaluate, plots, shortcuts, training
    from keras_freq._report import Report, report

__version__ = "0.1.0"

__all__ = [
    "APRModel",
    "Classifier",
    "Report",
    "attacks",
    "callbacks",
    "cdes",
    "data",
    "evaluate",
    "layers",
    "models",
    "plots",
    "report",
    "shortcuts",
    "spectral",
    "to_logits",
    "training",
]

if not TYPE_CHECKING:  # a checker that saw it would take every name for a part of the package

    def __getattr__(name: str):
        # The other parts are imported when first used, so that `import keras_freq` stays quick.
        if name in ("Report", "report"):
            return getattr(importlib.import_module("keras_freq._report"), name)
        if name in __all__:
            return importlib.import_module(f"keras_freq.{name}")
        raise AttributeError(f"module 'keras_freq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", *__all__]
