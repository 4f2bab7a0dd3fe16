"""What every argument check refuses, in one line that holds no whole array."""

import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core.checks import check_choices, check_interval, check_number, check_numbers, check_radius
from tests.refusals import refused

pytestmark = pytest.mark.once
NO_NUMBERS = [None, "8", b"8", [], {}, {"a": 1}, True, float("nan"), 10**400, np.arange(3000.0), object()]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: type(value).__name__)
def test_what_is_no_number(value):
    for check in (check_number, check_radius):
        with refused("Received: size=") as caught:
            check(value, "size")
        assert len(str(caught.value)) < 250


@pytest.mark.parametrize("value", ["01", None, 3, (1, 0), (0, np.inf), ([], {}), (0, 1, 2)], ids=str)
def test_what_is_no_interval(value):
    with refused("`bounds` must be two finite numbers"):
        check_interval(value, "bounds")


@pytest.mark.parametrize("value", [None, 3, [[]], [{}], ("a", "a"), (), "c", np.zeros((2, 2))], ids=str)
def test_what_is_no_choice_of_several(value):
    with refused("`attacks` must hold some of 'a', 'b'"):
        check_choices(value, "attacks", ("a", "b"))


def test_texts_and_unknown_sizes_are_no_numbers():
    for values in ("48", ["4", 8], [None], [4, 10**400]):
        with refused("`radii` must"):
            check_numbers(values, "radii", least=0)


def test_arguments_that_asked_for_gigabytes_or_gave_nan():
    x = np.zeros((1, 8, 8, 3))
    with refused("`bins` must be a whole number from 1 to 1000000"):
        kf.evaluate.calibration_error(np.eye(3), [0, 1, 2], bins=10**9)
    with refused("`phase` must be finite"):
        kf.spectral.fourier_basis(8, 8, 4, 5, phase=float("nan"))
    with refused("`result` must be what `corruption_error` returns"):
        kf.evaluate.mean_corruption_error({"fog": [0.1, 0.2, 0.3, 0.4, 0.5]})
    with refused("Received: radius='8'"):
        kf.spectral.low_pass(x, "8")
    with refused("Received: radius='8'"):
        kf.layers.LowPass("8")
