"""The loop of the long measurements: what it computes, how it is cut, stopped and taken up again."""

import functools

import numpy as np
import pytest
from keras import ops

from keras_freq._core.compiled import to_tensor
from keras_freq._core.journal import SweepJournal
from keras_freq._core.sweep import run_steps, sweep_items

ITEMS = {f"x{gain}": gain for gain in range(7)}
LABELS = np.arange(11) % 3
IMAGES = np.random.default_rng(1).random((11, 2)).astype("float32")


def read(batch=4):
    """Batches of one shape, the last one filled up with what must not count."""
    for start in range(0, len(LABELS), batch):
        images, labels = IMAGES[start : start + batch], LABELS[start : start + batch]
        filling = batch - len(images)
        yield (
            np.concatenate([images, np.full((filling, 2), 100, "float32")]),
            np.append(labels, np.zeros(filling, int)),
            len(images),
        )


def load(gains):
    return to_tensor(np.array(gains, "float32"))


def step(images, labels, valid, gains):
    """For each gain and class the sum of the first pixels, times the gain."""
    real = ops.cast(ops.arange(images.shape[0]) < int(valid), "float32")
    own = ops.one_hot(labels, 3) * (images[:, :1] * real[:, None])
    return gains[:, None] * ops.sum(own, axis=0)[None]


EXPECTED = np.arange(7)[:, None] * np.array(
    [IMAGES[np.equal(LABELS, c), 0].sum(dtype="float64") for c in range(3)]
)


@pytest.mark.parametrize(("per_step", "per_pass"), [(1, None), (3, None), (3, 5), (100, 2), (2, 1)])
@pytest.mark.parametrize("batch", [1, 4, 11])
def test_equals_the_definition_however_it_is_cut(per_step, per_pass, batch):
    sizes, passes, done = set(), [], []

    class Batches:
        def __iter__(self):
            passes.append(1)
            return read(batch)

    def load_and_count(gains):
        sizes.add(len(gains))
        return load(gains)

    rows = sweep_items(
        ITEMS, Batches(), step, load=load_and_count, per_step=per_step, per_pass=per_pass, advance=done.append
    )
    np.testing.assert_allclose(rows, EXPECTED, rtol=1e-6)
    assert sizes == {min(per_step, per_pass or 7)}  # every step has the same shapes
    assert len(passes) == -(-7 // (per_pass or 7))
    assert sum(done) == 7 * 11


def test_sums_in_float64_and_counts_exactly():
    def tiny(images, labels, valid, chunk):
        return ops.reshape(ops.where(images[0, 0] > 0.5, 1.0, 1e-9), (1, 1))

    values = np.array([1.0] + 1000 * [0.0], "float32").reshape(-1, 1, 1)
    batches = [(value, np.zeros(1, int), 1) for value in values]
    rows = sweep_items({"one": 0}, batches, tiny, load=load, per_step=1)
    assert rows[0, 0] == pytest.approx(1 + 1000 * 1e-9, abs=1e-12)


def test_a_batch_is_prepared_once_and_what_a_fold_makes_is_kept():
    prepared = []

    def prepare(images):
        prepared.append(images.shape)
        return images, 2 * images

    def take_twice(pair, labels, valid, gains):
        return gains[:, None] * pair[1][None, :, 0]

    def fold(total, part, labels, valid):
        total = np.zeros((len(part), 3)) if total is None else total
        for label, column in zip(labels[:valid], part.T[:valid], strict=True):
            total[:, label] += column
        return total

    rows = sweep_items(ITEMS, list(read()), take_twice, load=load, prepare=prepare, fold=fold, per_step=2)
    np.testing.assert_allclose(rows, 2 * EXPECTED, rtol=1e-6)
    assert prepared == [(4, 2)] * 3


@pytest.mark.parametrize("stop", range(1, 24, 5))
def test_goes_on_with_the_same_numbers_after_a_stop(stop, tmp_path):
    path, steps = tmp_path / "sweep.jsonl", []

    def stopped(*arguments):
        steps.append(1)
        if len(steps) == stop:
            raise KeyboardInterrupt
        return step(*arguments)

    def run(used, path):
        journal = SweepJournal(path, {}, what="test")
        options = {"load": load, "per_step": 2, "per_pass": 2}
        return sweep_items(ITEMS, list(read()), used, journal=journal, **options)

    # Four passes of three batches; without a file the journal keeps nothing.
    unbroken = run(step, None)
    if stop <= 12:
        with pytest.raises(KeyboardInterrupt):
            run(stopped, path)
        assert len(SweepJournal(path, {}, what="test").rows) == 2 * ((stop - 1) // 3)
    np.testing.assert_array_equal(run(stopped, path), unbroken)
    steps.clear()
    np.testing.assert_array_equal(run(stopped, path), unbroken)
    assert not steps  # nothing was measured again


def test_few_results_wait_and_none_changes_its_place():
    queued, most = [], 0

    def queue():
        for number in range(100):
            yield number, functools.partial(start, number)

    def start(number):
        queued.append(number)
        return to_tensor(np.float32(number))

    for taken, (tag, result) in enumerate(run_steps(queue())):
        most = max(most, len(queued) - taken)
        assert isinstance(result, np.ndarray)
        assert tag == result == taken
    assert most == 16
    assert list(run_steps([])) == []


def test_several_results_of_one_step_stay_together():
    def start(k):
        return to_tensor(np.full(2, k)), {"a": to_tensor(np.float32(k))}

    for tag, (first, second) in run_steps((k, functools.partial(start, k)) for k in range(20)):
        assert first.tolist() == [tag, tag]
        assert second["a"] == tag
