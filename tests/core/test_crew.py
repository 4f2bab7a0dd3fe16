"""Workers that come and go share the steps of a measurement: threads in their place, and the board itself."""

import functools
import operator
import threading
import time

import keras
import numpy as np
import pytest
from keras import ops

import keras_freq as kf
from keras_freq._core import processes
from keras_freq._core.board import Board
from keras_freq._core.crew import Crew
from keras_freq._core.sweep import run_steps


class Lost(BaseException):
    """A worker is gone, without a word."""


@pytest.fixture
def share():
    """Runs a function by a first member, here, and workers, in threads; what each returns or raises."""

    def run(function, *, workers=2, tries=3, watch=lambda board: None):
        board = Board(tries)
        board.begin(1, workers)

        def join(member):
            crew = Crew(
                lambda method, *args: getattr(board, method)(*args),
                call=1,
                member=member,
                size=workers + 1,
                watch=(lambda: None) if member else (lambda: watch(board)),
            )
            try:
                with processes.joined(crew):
                    found[member] = function(member)
            except (Exception, Lost) as error:
                found[member] = error

        found = [None] * (workers + 1)
        threads = [threading.Thread(target=join, args=(member,)) for member in range(1, workers + 1)]
        for thread in threads:
            thread.start()
        join(0)
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        return found

    return run


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_each_step_is_done_once_by_a_worker_and_all_get_all_results_in_order(share, workers, count):
    started = [[] for _ in range(workers + 1)]

    def measure(member):
        def start(number):
            assert processes.count() == 1  # what a step measures is its own affair
            started[member].append(number)
            return ops.full((2,), number), {"twice": 2.0 * number}

        assert (processes.count(), processes.index()) == (workers + 1, member)
        found = []
        for _ in range(2):  # two loops, one after the other
            steps = ((number, functools.partial(start, number)) for number in range(count))
            found += [
                (tag, first.tolist(), rest["twice"]) for tag, (first, rest) in run_steps(steps, ahead=2)
            ]
        return found

    expected = [(k, [k, k], 2.0 * k) for k in range(count)] * 2
    assert share(measure, workers=workers) == [expected] * (workers + 1)
    assert started[0] == []
    assert sorted(functools.reduce(operator.iadd, started, [])) == sorted(2 * list(range(count)))


def test_a_worker_that_comes_late_goes_on_from_what_is_done(share):
    begun, started = threading.Event(), []

    def measure(member):
        def start(number):
            started.append((member, number))
            return number

        if member == 2:
            assert begun.wait(10)
        found = []
        for tag, result in run_steps((k, functools.partial(start, k)) for k in range(300)):
            found.append((tag, int(result)))
            if member == 0 and tag == 250:
                begun.set()
        return found

    assert share(measure) == [[(k, k) for k in range(300)]] * 3
    assert len(started) == 300
    assert all(number > 200 for member, number in started if member == 2)


def test_the_steps_of_a_lost_worker_are_done_by_the_others(share):
    lost = threading.Event()

    def measure(member):
        def start(number):
            if member == 1 and number >= 3:
                lost.set()
                raise Lost
            return number

        return [int(result) for _, result in run_steps((k, functools.partial(start, k)) for k in range(50))]

    def watch(board):
        if lost.is_set():
            board.fail(1, 1, "it was killed")

    first, gone, other = share(measure, watch=watch)
    assert isinstance(gone, Lost)
    assert first == other == list(range(50))


def test_a_first_member_that_comes_late_misses_nobody(share):
    ended = threading.Event()

    def measure(member):
        if member == 0:
            assert ended.wait(10)
        found = [int(result) for _, result in run_steps((k, functools.partial(int, k)) for k in range(20))]
        ended.set()
        return found

    def watch(board):
        raise AssertionError("all is found, and nobody is to be looked for")

    assert share(measure, workers=1, watch=watch) == [list(range(20))] * 2


def test_a_step_that_fails_once_is_done_again(share):
    failures = iter([OSError("no more memory")])

    def start(number):
        if number == 5:
            for error in failures:
                raise error
        return number

    expected = list(range(9))
    found = share(
        lambda _: [int(r) for _, r in run_steps((k, functools.partial(start, k)) for k in range(9))]
    )
    assert found == [expected] * 3


def test_a_step_that_always_fails_is_given_up_and_named(share):
    tried = []

    def start(number):
        if number == 5:
            tried.append(number)
            raise ValueError("not\nthis one")
        return number

    for error in share(lambda _: list(run_steps((k, functools.partial(start, k)) for k in range(9)))):
        assert isinstance(error, processes.LostProcess)
        assert str(error) == (
            "The workers could not go on: step 5 was given up after 3 tries: ValueError: not this one"
        )
    assert len(tried) == 3


def test_all_take_what_the_first_member_makes_and_its_error(share):
    assert share(lambda member: processes.take_from_first(lambda: f"by {member}")) == ["by 0"] * 3

    def fail(member):
        assert member == 0
        raise ValueError("damaged")

    for error in share(lambda member: processes.take_from_first(functools.partial(fail, member))):
        assert isinstance(error, ValueError)
        assert str(error) == "damaged"


def test_a_worker_with_other_arrays_is_refused(share):
    first, same, other = share(lambda k: processes.check_alike("data", lambda: [np.arange(4 + (k == 2))]))
    assert first is None
    assert same is None
    assert isinstance(other, ValueError)
    assert "different data" in str(other)


def test_what_stays_here_does_nothing_elsewhere():
    told = []
    here = processes.Here(told.append)
    here(1)
    function, arguments = here.__reduce__()
    assert function(*arguments)(2) is None
    assert told == [1]


def test_inside_alone_a_member_measures_by_itself(share):
    def measure(member):
        with processes.alone():
            assert processes.crew() is None
            return [int(result) for _, result in run_steps((k, lambda: 1) for k in range(5))]

    assert share(measure) == [[1] * 5] * 3


def test_evaluations_have_the_numbers_of_one_process(share, classifier, images, labels, tmp_path):
    data = (images, labels)

    def measure(member):
        return [
            kf.evaluate.band_accuracy(classifier, data, radii=(2, 4, 8)).to_json(),
            kf.evaluate.fourier_heat_map(classifier, data, epsilon=4.0, n=8, window=2).to_json(),
            kf.evaluate.predict_logits(classifier, images).tolist(),
            kf.shortcuts.frequency_importance(
                classifier, data, patch=8, checkpoint=tmp_path / f"{processes.count()}.journal"
            ).to_json(),
        ]

    expected = measure(None)
    # One worker: two threads that trace one model at once are not what is tested.
    assert share(measure, workers=1) == [expected] * 2


@pytest.mark.once
def test_those_of_an_earlier_measurement_are_told_that_it_is_over():
    board = Board(3)
    board.begin(1, 1)
    board.say(1, 0, "first")
    assert board.hear(1, 0) == ("found", "first")
    board.begin(2, 1)
    assert board.hear(1, 0) == ("over", None)
    assert board.take(1, 1, [(0, 0)], [(0, 0)], {(0, 0): b"late"}) == ("over", None)
    board.fail(1, 1, "late")
    board.say(1, 0, "late")
    assert board.take(2, 1, [(0, 0)], [(0, 0)], {}) == ("work", [(0, 0)])
    begun = time.monotonic()
    assert board.hear(2, 0) == ("wait", None)
    assert board.take(2, 0, [(0, 0)], [(0, 0)], {}) == ("wait", None)
    assert time.monotonic() - begun < 10


@pytest.mark.once
def test_few_steps_are_spread_and_many_are_taken_together():
    board = Board(3)
    board.begin(1, 2)
    steps = [(0, turn) for turn in range(32)]
    assert board.take(1, 1, steps, steps, {}) == ("work", steps[:8])
    assert board.take(1, 2, steps, steps, {}) == ("work", steps[8:14])
    assert board.take(1, 1, steps[:4], steps, dict.fromkeys(steps[:26], b"1")) == ("found", [b"1"] * 4)
    assert board.take(1, 2, steps, steps, {}) == ("work", steps[26:27])


def test_training_is_each_members_own(share, classifier, images, labels):
    """Keras joins nothing there, on any backend."""

    def train(member):
        keras.utils.set_random_seed(0)
        model = kf.training.BandModel(keras.models.clone_model(classifier), kf.layers.LowPass(8))
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
        model.fit(images, labels, verbose=0, shuffle=False)
        return model.get_weights()

    with processes.alone():
        expected = train(0)
    found, _ = share(lambda member: train(member) if member == 0 else None, workers=1)
    assert isinstance(found, list), found
    for weights, others in zip(found, expected, strict=True):
        np.testing.assert_array_equal(weights, others)
