"""The degree of shortcut learning by hand."""

import numpy as np
import pytest

from keras_freq.shortcuts._shortcut_curve import shortcut_curve
from tests.refusals import refused

pytestmark = pytest.mark.once


def test_groups_and_means_by_hand():
    curve = shortcut_curve([0.9, 0.6, 0.3, np.nan], [0.8, 0.5, 0.1, 0.9], thresholds=(0.1, 0.5, 0.8))
    assert curve.thresholds == (0.1, 0.5, 0.8)
    assert curve.shortcut_classes == (2, 1, 0)
    assert curve.other_classes == (1, 2, 3)
    np.testing.assert_allclose(curve.shortcut_tpr, (0.75, 0.9, np.nan))
    np.testing.assert_allclose(curve.shortcut_filtered_tpr, (0.65, 0.8, np.nan))
    np.testing.assert_allclose(curve.other_tpr, (0.3, 0.45, 0.6))
    np.testing.assert_allclose(curve.other_filtered_tpr, (0.1, 0.3, 1.4 / 3))
    assert curve.rows()[1] == {
        "threshold": 0.5,
        "shortcut_classes": 1,
        "other_classes": 2,
        "shortcut_tpr": 0.9,
        "shortcut_filtered_tpr": 0.8,
        "other_tpr": pytest.approx(0.45),
        "other_filtered_tpr": pytest.approx(0.3),
    }
    assert curve.to_dict()["shortcut_classes"] == [2, 1, 0]


def test_published_thresholds_are_the_default():
    rates = np.linspace(0.05, 0.95, 10)
    curve = shortcut_curve(rates, rates)
    assert curve.thresholds == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert curve.shortcut_classes == tuple(range(9, 0, -1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5], [0.5, 0.5]), "must hold one number for each class. Received: 1 and 2"),
        (([[0.5]], [0.5]), "`tpr` must hold one number for each class. Received: tpr of shape (1, 1)"),
        (([0.5], [1.5]), "`filtered_tpr` must lie in [0, 1]"),
        (([0.5], [0.5], ()), "`thresholds` must be numbers in [0, 1], at least one"),
        (([0.5], [0.5], (0.2, 1.1)), "`thresholds` must be numbers in [0, 1], at least one"),
        (([0.5], [0.5], (0.5, 0.2)), "`thresholds` must ascend"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, message):
    with refused(message, match="must"):
        shortcut_curve(*arguments)
