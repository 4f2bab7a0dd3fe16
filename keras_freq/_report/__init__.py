"""`report`: one page about a person's own model."""

from keras_freq._report._finding import Finding
from keras_freq._report._measure import report
from keras_freq._report._record import Difference, LookedAt, Report
from keras_freq._report._sections import check_sections, section_keys

__all__ = ["Difference", "Finding", "LookedAt", "Report", "check_sections", "report", "section_keys"]


def __dir__() -> list[str]:
    return __all__
