import numpy as np
import pytest

from keras_freq._core.labels import class_indices
from keras_freq.data import shuffle_labels
from tests.refusals import refused

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2, 0, 1], "uint8"),
        np.array([[2], [0], [1]], "int32"),
        np.array([2.0, 0.0, 1.0], "float32"),
        np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], "float32"),
        [2, 0, 1],
    ],
)
def test_every_form_of_labels_becomes_int64_indices(labels):
    indices = class_indices(labels)
    assert indices.dtype == np.int64
    assert indices.tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.5, 1.0], "whole numbers.*Received"),
        ([np.nan, 1.0], "whole numbers.*Received"),
        ([-1, 0], "at least 0.*smallest label -1"),
        ([[0.5, 0.5]], "one-hot.*first row \\[0.5, 0.5\\]"),
        ([[1, 1, 0]], "one-hot.*first row"),
        ([["cat"]], "dtype"),
        ([True, False], "dtype bool"),
        (3, "Received: labels of shape \\(\\)"),
        (np.zeros((2, 3, 4)), "Received: labels of shape \\(2, 3, 4\\)"),
    ],
)
def test_bad_labels_give_one_line(labels, message):
    with refused(match=message):
        class_indices(labels)


def test_shuffled_labels_are_a_fixed_permutation():
    labels = np.repeat(np.arange(10, dtype="uint8"), 50)
    shuffled = shuffle_labels(labels, seed=3)
    assert shuffled.dtype == labels.dtype
    assert np.array_equal(np.sort(shuffled), labels)
    assert np.array_equal(shuffled, shuffle_labels(labels, seed=3))
    assert not np.array_equal(shuffled, shuffle_labels(labels, seed=4))
    # One label in ten stays by chance; 500 draws have a standard deviation of 0.013.
    assert np.mean(shuffled == labels) == pytest.approx(0.1, abs=0.06)


def test_shuffling_leaves_the_input_and_the_global_generator_alone():
    labels = np.arange(20)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    shuffle_labels(labels)
    assert np.array_equal(labels, np.arange(20))
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


def test_one_hot_rows_move_as_wholes():
    one_hot = np.eye(4)[np.arange(12) % 4]
    shuffled = shuffle_labels(one_hot, seed=0)
    assert np.array_equal(shuffled.argmax(1), shuffle_labels(np.arange(12) % 4, seed=0))


@pytest.mark.parametrize("labels", [[], 3])
def test_shuffle_refuses_nothing_to_shuffle(labels):
    with pytest.raises(ValueError, match=r"at least one label.*Received"):
        shuffle_labels(labels)
