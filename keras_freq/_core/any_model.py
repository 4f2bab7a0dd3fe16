"""A model that need not be a classifier: pixels on [0, 1] in, whatever it returns out."""

from __future__ import annotations

from typing import Any

from keras_freq._core.classifier import DECLARED, Classifier, output_index, place_of_output
from keras_freq._core.reading import AS_RETURNED


class AnyModel(Classifier):
    """A `Classifier` of which only the images are read: its outputs are no logits, and may be several."""

    def _look_at_outputs(self) -> None:
        self._place = self.output
        if self.output is not None:
            index = output_index(self._network, self.output)
            if index is not None:
                self._place = place_of_output(self._network, self.output, index)
        self.index_of_output = self._activation = self._cut = None
        self._link = AS_RETURNED


def as_any_model(model: Any, **declared: Any) -> AnyModel:
    """A model, or what was declared of one, less what is declared anew."""
    known = {}
    if isinstance(model, Classifier):
        known = {name: getattr(model, name) for name in DECLARED}
        model = model.model
    return AnyModel(model, **known | {name: value for name, value in declared.items() if value is not None})
