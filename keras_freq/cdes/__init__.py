"""Spectral-density kernels (CDES) and the data sets that are made with them: SCR, WCR and HARS."""

from keras_freq.cdes._cdes import CDES
from keras_freq.cdes._hars import HARS, make_hars
from keras_freq.cdes._scr_wcr import EnhancedImages, make_scr, make_wcr
from keras_freq.cdes._target import target_density

__all__ = [
    "CDES",
    "HARS",
    "EnhancedImages",
    "make_hars",
    "make_scr",
    "make_wcr",
    "target_density",
]


def __dir__() -> list[str]:
    return __all__
