import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_freq.data import ArrayBatches
from tests.refusals import refused


def numbered(n):
    """Images that carry their own index in every pixel."""
    return np.broadcast_to(np.arange(n, dtype="float32")[:, None, None, None], (n, 4, 4, 1)).copy()


@pytest.mark.once
@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 40), size=st.integers(1, 50), seed=st.integers(0, 9), epoch=st.integers(0, 5))
def test_every_epoch_visits_every_image_once_in_the_order_of_seed_and_epoch(n, size, seed, epoch):
    batches = ArrayBatches(numbered(n), np.arange(n), batch_size=size, shuffle=True, seed=seed)
    batches.epoch = epoch
    labels = np.concatenate([batches[i][1] for i in range(len(batches))])
    images = np.concatenate([batches[i][0] for i in range(len(batches))])
    assert np.array_equal(labels, np.random.default_rng([seed, epoch]).permutation(n))
    assert np.array_equal(images[:, 0, 0, 0], labels)


def test_without_shuffle_the_order_is_the_stored_one():
    batches = ArrayBatches(numbered(7), np.arange(7), batch_size=3)
    assert [batches[i][1].tolist() for i in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]


def test_bytes_are_kept_and_scaled_batch_by_batch():
    images = np.arange(256, dtype="uint8").reshape(4, 8, 8, 1)
    batches = ArrayBatches(images, np.zeros(4, "int64"), batch_size=2)
    assert batches.images.dtype == np.uint8
    x, y = batches[1]
    assert x.dtype == np.float32
    assert y.dtype == np.int32
    np.testing.assert_allclose(x, images[2:] / 255, rtol=2e-7)
    assert x.max() == 1.0


def test_floats_keep_their_range():
    images = np.full((2, 4, 4, 1), -3.5, "float64")
    x, _ = ArrayBatches(images, [0, 1], batch_size=2)[0]
    assert x.dtype == np.float32
    assert (x == -3.5).all()


class _Seen(ArrayBatches):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = {}

    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        # By epoch and index, since some backends look at the first batches once more for their shapes.
        self.seen[self.epoch, index] = y.tolist()
        return x, y


def linear():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(9)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_fit_advances_the_epoch_and_a_resumed_run_sees_the_same_batches():
    images, labels = numbered(9) / 9, np.arange(9)
    whole = _Seen(images, labels, batch_size=4, shuffle=True, seed=2)
    linear().fit(whole, epochs=4, shuffle=False, verbose=0)
    assert whole.epoch == 4
    resumed = _Seen(images, labels, batch_size=4, shuffle=True, seed=2)
    resumed.epoch = 2
    linear().fit(resumed, epochs=4, initial_epoch=2, shuffle=False, verbose=0)
    assert resumed.epoch == 4
    for epoch in (2, 3):
        order = [label for i in range(3) for label in whole.seen[epoch, i]]
        assert order == np.random.default_rng([2, epoch]).permutation(9).tolist()
        assert [whole.seen[epoch, i] for i in range(3)] == [resumed.seen[epoch, i] for i in range(3)]


def test_epochs_of_several_fits_add_up_and_a_pass_broken_off_does_not_count():
    batches = ArrayBatches(numbered(9) / 9, np.arange(9), batch_size=4, shuffle=True)
    model = linear()
    for done in (1, 2):
        model.fit(batches, epochs=1, verbose=0)
        assert batches.epoch == done
    batches.on_epoch_begin()
    batches[0]
    batches.on_epoch_end()
    batches.on_epoch_end()
    assert batches.epoch == 2


@pytest.mark.parametrize("permuted", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_every_pass_counts_however_keras_cuts_it_into_epochs(steps, permuted):
    batches = _Seen(numbered(7) / 7, np.arange(7), batch_size=2, shuffle=True, seed=2)
    model = linear()
    model.fit(batches, epochs=12 // steps, steps_per_epoch=steps, shuffle=permuted, verbose=0)
    assert batches.epoch == 3
    assert set(batches.seen) == {(epoch, i) for epoch in range(3) for i in range(4)}
    for epoch in range(3):
        order = [label for i in range(4) for label in batches.seen[epoch, i]]
        assert order == np.random.default_rng([2, epoch]).permutation(7).tolist()
    model.fit(batches, epochs=2, shuffle=permuted, verbose=0)
    assert batches.epoch == 5


@pytest.mark.once
def test_a_pass_goes_on_in_the_next_epoch_and_may_be_read_ahead_between_them():
    batches = ArrayBatches(numbered(9), np.arange(9), batch_size=3)
    batches.on_epoch_begin()
    batches[0]
    batches.on_epoch_end()
    batches[1]
    batches.on_epoch_begin()
    batches[2]
    batches.on_epoch_end()
    assert batches.epoch == 1


@pytest.mark.once
@pytest.mark.parametrize("first", [0, 1])
def test_a_pass_that_begins_anew_does_not_go_on_with_a_broken_one(first):
    batches = ArrayBatches(numbered(9), np.arange(9), batch_size=3)
    batches.on_epoch_begin()
    batches[0]
    batches.on_epoch_end()
    for index in (first, 2):
        batches.on_epoch_begin()
        if index == first:
            assert batches.num_batches == 3  # as Keras asks in front of a pass
        batches[index]
        batches.on_epoch_end()
        assert batches.epoch == 0


def test_evaluate_and_predict_take_it():
    images, labels = numbered(9) / 9, np.arange(9)
    model = linear()
    batches = ArrayBatches(images, labels, batch_size=4)
    np.testing.assert_allclose(
        model.evaluate(batches, verbose=0), model.evaluate(images, labels, batch_size=4, verbose=0), rtol=1e-5
    )
    assert model.predict(batches, verbose=0).shape == (9, 9)


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": np.zeros((2, 4, 4))}, "rank 4.*Received: images of shape \\(2, 4, 4\\)"),
        ({"images": np.zeros((0, 4, 4, 1)), "labels": []}, "must not be empty.*Received"),
        ({"images": np.full((2, 4, 4, 1), np.nan)}, "finite.*Received: NaN"),
        ({"images": np.full((2, 4, 4, 1), np.inf, "float16")}, "finite.*Received"),
        ({"images": np.full((2, 4, 4, 1), -1)}, "0 to 255.*Received: dtype int64"),
        ({"labels": [0, 1, 2]}, "same length.*2 images, 3 labels"),
        ({"labels": [0, -1]}, "at least 0.*-1"),
        ({"batch_size": 0}, "`batch_size`.*Received: batch_size=0"),
        ({"batch_size": 2.5}, "`batch_size`.*Received: batch_size=2.5"),
        ({"seed": -1}, "`seed`.*Received: seed=-1"),
    ],
)
def test_bad_arguments_give_one_line(arguments, message):
    arguments = {"images": np.zeros((2, 4, 4, 1)), "labels": [0, 1]} | arguments
    with refused(match=message):
        ArrayBatches(**arguments)


def test_epoch_and_index_are_checked():
    batches = ArrayBatches(numbered(3), np.arange(3), batch_size=2)
    with pytest.raises(ValueError, match=r"`epoch`.*Received: epoch=-1"):
        batches.epoch = -1
    with pytest.raises(IndexError, match=r"Received: index=2"):
        batches[2]


def test_workers_are_refused():
    """With two of them Keras' own iteration loses the first batch on JAX and PyTorch."""
    batches = ArrayBatches(np.zeros((4, 8, 8, 3), "uint8"), np.arange(4), batch_size=2)
    batches.workers = 1
    with refused("`workers` must be 1"):
        batches.workers = 2
    assert batches.workers == 1
