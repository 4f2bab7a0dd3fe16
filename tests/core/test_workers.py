"""Processes that call functions for this one."""

import os

import numpy as np
import pytest

from keras_freq._core.workers import Workers

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def workers():
    two = Workers(2)
    yield two
    two.close()


def test_results_come_in_order_from_other_processes(workers):
    assert list(workers.map(np.add, ((k, 1) for k in range(9)))) == list(range(1, 10))
    assert workers.submit(os.getpid).result() != os.getpid()


def test_arrays_of_any_size_go_there_and_back(workers):
    array = np.random.default_rng(0).random((300, 1000))
    assert np.array_equal(workers.submit(np.negative, array).result(), -array)


def test_what_is_printed_is_no_reply(workers):
    assert workers.submit(print, "words").result() is None
    assert workers.submit(np.add, 1, 1).result() == 2


def test_errors_come_back_as_they_are(workers):
    with pytest.raises(ZeroDivisionError, match="by zero"):
        workers.submit(divmod, 1, 0).result()
    assert workers.submit(np.add, 1, 1).result() == 2


def test_no_more_jobs_are_taken_than_are_needed(workers):
    taken = []

    def jobs():
        for k in range(100):
            taken.append(k)
            yield k, k

    results = workers.map(np.multiply, jobs())
    assert next(results) == 0
    assert len(taken) == 5  # two for each process, and the one that is asked for
    results.close()


def test_a_killed_worker_is_one_line_and_another_one_starts():
    workers = Workers(1)
    with pytest.raises(RuntimeError, match=r"A worker process is gone \(exit status 3\)"):
        workers.submit(os._exit, 3).result()
    assert workers.submit(np.add, 1, 1).result() == 2
    workers.close()


def test_they_end_when_closed():
    workers = Workers(1)
    process = workers.submit(os.getpid).result()
    workers.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_none_calls_in_this_process():
    workers = Workers(0)
    assert workers.submit(os.getpid).result() == os.getpid()
    assert list(workers.map(np.add, [(1, 2), (3, 4)])) == [3, 7]
