"""`report`: one page about a person's own model."""

from keras_freq._report._findings import Finding
from keras_freq._report._measure import report
from keras_freq._report._record import Difference, LookedAt, Report

__all__ = ["Difference", "Finding", "LookedAt", "Report", "report"]


def __dir__() -> list[str]:
    return __all__
