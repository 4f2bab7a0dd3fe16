"""The frequency lens for Keras 3.

See which frequencies an image classifier relies on, test whether it cheats with frequency shortcuts, and
train it not to. Reading `__all__` here and in each part is reading the library.
"""

import importlib
import sys
from typing import TYPE_CHECKING


def _starts_command_line() -> bool:
    """Whether Python was started as `keras-freq` or `python -m keras_freq`, whose `--help` needs no Keras."""
    started = getattr(sys, "argv", None) or [""]
    if started[0] == "-m":  # while Python looks for the module to run
        words = sys.orig_argv
        return "-m" in words and words[words.index("-m") + 1 :][:1] == ["keras_freq"]
    return started[0].replace("\\", "/").rpartition("/")[2] in ("keras-freq", "keras-freq.exe")


# Layers and models register themselves with Keras, so that files which hold them load after
# `import keras_freq` alone. The command line does this later, when it knows which backend is wanted.
if TYPE_CHECKING or not _starts_command_line():
    from keras_freq import layers, models, spectral
    from keras_freq._core.classifier import Classifier
    from keras_freq._core.to_logits import to_logits
    from keras_freq.training import APRModel

if TYPE_CHECKING:
    from keras_freq import attacks, callbacks, cdes, data, evaluate, plots, shortcuts, training
    from keras_freq._report import Report, report

__version__ = "0.2.0"

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

# Names that are no parts, and where they stand.
_HOMES = {
    "APRModel": "training",
    "Classifier": "_core.classifier",
    "Report": "_report",
    "report": "_report",
    "to_logits": "_core.to_logits",
}

if not TYPE_CHECKING:  # a checker that saw it would take every name for a part of the package

    def __getattr__(name: str):
        # The other parts are imported when first used, so that `import keras_freq` stays quick.
        if name in __all__:
            part = importlib.import_module(f"keras_freq.{_HOMES.get(name, name)}")
            return getattr(part, name) if name in _HOMES else part
        raise AttributeError(f"module 'keras_freq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return ["__version__", *__all__]
