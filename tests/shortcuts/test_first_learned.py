import numpy as np
import pytest

from keras_freq.shortcuts import first_learned

pytestmark = pytest.mark.once
F1 = np.array([[0.1, 0.6, 0.5, 0.2], [0.5, 0.4, 0.9, 0.3], [0.9, 0.9, 0.9, 0.4]])


def test_the_order_in_which_classes_are_learned():
    assert first_learned(F1) == (1, 2, 0)
    assert first_learned(F1.tolist(), threshold=0.9) == (2, 0, 1)
    assert first_learned(F1, threshold=1.0) == ()
    assert first_learned(F1[:0]) == first_learned(np.zeros((0, 0))) == ()


def test_bad_arguments():
    for threshold in (0, 1.5, "half"):
        with pytest.raises(ValueError, match=r"`threshold` must be a finite number in \(0, 1\]"):
            first_learned(F1, threshold=threshold)
    with pytest.raises(ValueError, match=r"Received: f1\.shape=\(4,\)"):
        first_learned(F1[0])
