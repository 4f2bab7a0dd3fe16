"""Processes that measure together: threads in their place, and real ones (`joined.py`), slow to start."""

import contextlib
import functools
import os
import pickle
import re
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

import keras_freq as kf
from keras_freq._core import processes
from keras_freq._core.sweep import run_steps

REAL = pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="no processes are joined there")
# What depends on draws for the batches before: each process measures the whole, and says so.
COPIED = {"random starts"}
# Of which there are too few steps, or steps of too different length, to be halved.
UNEVEN = {
    "feed",
    "calibration",
    "attacks",
    "minimal",
    "worst case",
    "auto attack",
    "square",
    "adapted",
    "corruptions",
    "flips",
}


@pytest.fixture
def together(monkeypatch):
    """Runs a function in two threads that take themselves for processes; what each returns or raises."""
    here, sent, gate = threading.local(), [None, None], threading.Barrier(2, timeout=20)

    def exchange(value):
        sent[here.index] = pickle.dumps(value)
        gate.wait()
        values = [pickle.loads(one) for one in sent]
        gate.wait()
        return values

    monkeypatch.setattr(processes, "_place", lambda: (getattr(here, "index", 0), 2))
    monkeypatch.setattr(processes, "_exchange", exchange)

    def run(function):
        found = [None, None]

        def work(index):
            here.index = index
            try:
                found[index] = function(index)
            except Exception as error:
                found[index] = error

        threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    return run


@pytest.mark.parametrize("ahead", [1, 16])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 100])
def test_steps_are_taken_in_turn_and_all_get_all_results_in_order(together, ahead, count):
    started = [[], []]

    def measure(index):
        def start(number):
            assert processes.count() == 1  # what a step measures is its own affair
            started[index].append(number)
            return ops.full((2,), number), {"twice": 2.0 * number}

        assert (processes.count(), processes.index()) == (2, index)
        steps = ((number, functools.partial(start, number)) for number in range(count))
        return [(tag, first.tolist(), rest["twice"]) for tag, (first, rest) in run_steps(steps, ahead=ahead)]

    found = together(measure)
    assert found[0] == found[1] == [(k, [k, k], 2.0 * k) for k in range(count)]
    assert started == [list(range(0, count, 2)), list(range(1, count, 2))]


@pytest.mark.parametrize("place", [0, 1, 5, 39])
def test_an_error_in_one_process_ends_the_others(together, place):
    def fail(number):
        if number == place:
            raise ValueError("no more")
        return number

    found = together(lambda index: list(run_steps((k, functools.partial(fail, k)) for k in range(40))))
    own, other = found[place % 2], found[1 - place % 2]
    assert isinstance(own, ValueError)
    assert isinstance(other, processes.LostProcess)
    assert str(other) == f"Process {place % 2} of the 2 that measure together failed: ValueError: no more"


def test_an_error_in_both_stays_that_error(together):
    def steps():
        yield 0, lambda: 0
        raise ValueError("bad data")

    for error in together(lambda index: list(run_steps(steps()))):
        assert isinstance(error, ValueError)
        assert str(error) == "bad data"


def test_processes_that_come_with_other_steps_are_refused(together):
    for error in together(lambda index: list(run_steps((k, lambda: 1) for k in range(4 + index)))):
        assert isinstance(error, RuntimeError)
        assert "same steps" in str(error)


def test_the_first_process_makes_and_its_error_is_that_of_all(together):
    assert together(lambda index: processes.take_from_first(lambda: index)) == [0, 0]

    def fail():
        raise ValueError("damaged")

    for error in together(lambda index: processes.take_from_first(fail)):
        assert isinstance(error, ValueError)
        assert str(error) == "damaged"


def test_arrays_that_differ_are_refused(together):
    array = np.arange(6.0)
    assert together(lambda index: processes.check_alike("data", lambda: [array, array])) == [None, None]
    for other in (array.astype("float32"), array.reshape(2, 3), array[::-1], array[:5]):
        made = [[array], [other]]
        for error in together(lambda index, made=made: processes.check_alike("data", lambda: made[index])):
            assert isinstance(error, ValueError)
            assert "Received: processes 0 and 1 with different data" in str(error)


def test_a_measurement_that_is_not_shared_warns_once(monkeypatch):
    monkeypatch.setattr(processes, "_place", lambda: (1, 3))
    warned = pytest.warns(UserWarning, match="Each of the 3 processes measures the whole: an attack")
    with warned, processes.copying("an attack"):
        assert processes.count() == 1
    with kf.evaluate.alone(), processes.copying("an attack"):
        assert processes.index() == 0


def test_training_is_refused_where_keras_joins_no_processes(classifier, images, labels, monkeypatch):
    monkeypatch.setattr(processes, "_place", lambda: (1, 3))
    model = kf.APRModel(classifier)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    refused = pytest.raises(RuntimeError, match="Received: 3 processes")
    with refused if keras.backend.backend() == "torch" else contextlib.nullcontext():
        model.fit(images, labels, verbose=0)
    with kf.evaluate.alone():
        model.fit(images, labels, verbose=0)


def test_a_report_is_written_by_one_process(classifier, images, labels, monkeypatch, tmp_path):
    monkeypatch.setattr(processes, "_place", lambda: (1, 3))
    with pytest.raises(ValueError, match="`to` is written by one process"):
        kf.report(classifier, (images, labels), to=tmp_path)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.distribute")
def test_several_workers_of_tensorflow_are_refused(classifier, images, labels, monkeypatch):
    import tensorflow as tf

    def strategy(workers):
        spec = tf.train.ClusterSpec({"worker": [f"localhost:{k}" for k in range(1, 1 + workers)]})
        return SimpleNamespace(cluster_resolver=tf.distribute.cluster_resolver.SimpleClusterResolver(spec))

    kind = type(classifier)
    monkeypatch.setattr(kind, "distribute_strategy", property(lambda model: strategy(1)))
    processes.refuse_workers(classifier)
    monkeypatch.setattr(kind, "distribute_strategy", property(lambda model: strategy(3)))
    for measure in (
        lambda: kf.evaluate.accuracy(classifier, (images, labels)),
        lambda: kf.evaluate.accuracy(kf.Classifier(classifier), (images, labels)),
        lambda: kf.evaluate.filtered(
            classifier, (images, labels), metric=keras.metrics.SparseCategoricalAccuracy
        ),
    ):
        with pytest.raises(ValueError, match="Received: a model of SimpleNamespace with 3 workers"):
            measure()


def find_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def run_all(commands):
    """What programs of Python say that run at the same time, and how they end."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = [
        subprocess.Popen([sys.executable, *arguments], env=settings, **options)
        for arguments, settings in commands
    ]
    try:
        told = [process.communicate(timeout=500)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    return told, [process.returncode for process in running]


def run_joined(folder, what, count, *, ending=None):
    """What each of so many processes has found."""
    folder.mkdir()
    port = find_port()
    settings = dict(os.environ)
    if count > 1:  # virtual devices of JAX
        settings["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    program = str(Path(__file__).with_name("joined.py"))
    arguments = ([program, str(folder), *map(str, (index, count, port)), what] for index in range(count))
    told, codes = run_all([(one, settings) for one in arguments])
    assert codes == (ending or [0] * count), "\n".join(text[-3000:] for text in told)
    files = [folder / f"{index}.pickle" for index in range(count)]
    return [pickle.loads(file.read_bytes()) if file.exists() else None for file in files]


def assert_same(one, other, where):
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            if key != "forwards":  # filling included, which the number of devices changes
                assert_same(one[key], other[key], f"{where}, {key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), where
        for first, second in zip(one, other, strict=True):
            assert_same(first, second, where)
    elif isinstance(one, (float, np.ndarray)):
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-6, err_msg=where)
    else:
        assert one == other, where


@REAL
@pytest.mark.slow
def test_two_processes_measure_what_one_does_with_half_of_the_work_each(tmp_path):
    (one,) = run_joined(tmp_path / "one", "measure", 1)
    two = run_joined(tmp_path / "two", "measure", 2)
    for name, (value, passes, _) in one.items():
        parts = [found[name] for found in two]
        for part in parts:
            assert_same(value, part[0], name)
            assert [{name} == COPIED] == [len(part[2]) == 1]
        shares = [part[1] / max(1, passes) for part in parts]
        if name in COPIED:
            assert shares == [1, 1]
        elif name not in UNEVEN and passes:
            assert max(shares) < 0.6, name
            assert sum(shares) < 1.15, name
        else:
            assert sum(shares) < 1.3, name


@REAL
@pytest.mark.slow
def test_errors_checkpoints_and_bars_of_two_processes(tmp_path):
    first, second = run_joined(tmp_path / "both", "refuse", 2)
    for name, (expected, other) in {
        "not finite": ("ValueError: Images must be finite", None),
        "not finite later": ("ValueError: Images must be finite", None),
        "other images": ("ValueError: Processes that are joined measure together", None),
        "fails in one": (
            "LostProcess: Process 1 of the 2 that measure together failed",
            "ValueError: no more",
        ),
        "other settings": ("ValueError: `checkpoint` must be of a run with the same settings", None),
    }.items():
        assert first[name].startswith(expected), first[name]
        assert second[name].startswith(other or expected), second[name]
    assert (first["alone"], second["alone"]) == (21, 20)
    assert (first["bar"], second["bar"]) == (True, False)
    assert first["written"] == first["gone on with"] == second["written"] == second["gone on with"]
    if keras.backend.backend() == "torch":
        assert "with different weights" in first["other weights"]
    else:  # JAX itself refuses to lay other weights on the devices of all
        assert "not the same on each process" in first["other weights"]
        assert "Received: a weight of shape (196, 4) that is split over processes" in first["split weights"]


@REAL
@pytest.mark.slow
def test_a_process_that_is_gone_ends_the_other(tmp_path):
    found, gone = run_joined(tmp_path / "both", "vanish", 2, ending=[0, 7])
    assert found.startswith("LostProcess: One of the 2 processes that measure together is gone")
    assert gone is None


@REAL
@pytest.mark.slow
def test_two_processes_train_one_model_or_none(tmp_path):
    (one,) = run_joined(tmp_path / "one", "fit", 1)
    for found in run_joined(tmp_path / "two", "fit", 2):
        for name, history in one.items():
            if keras.backend.backend() == "torch":
                assert found[name].startswith("RuntimeError: On PyTorch Keras joins no processes in `fit`")
                continue
            assert found[name].keys() == history.keys() > {"loss", "low_4"}
            for key, values in history.items():
                np.testing.assert_allclose(found[name][key], values, rtol=1e-4, err_msg=f"{name}, {key}")


@REAL
@pytest.mark.slow
def test_the_program_of_the_guide_runs_in_two_processes(tmp_path):
    page = (Path(kf.__file__).parent.parent / "docs" / "backends.md").read_text()
    block = re.search(r"`measure.py`:\n\n(.*?)\n\n[^ \n]", page, re.DOTALL)[1]
    program, port = tmp_path / "measure.py", str(find_port())
    program.write_text(textwrap.dedent(block))
    settings = dict(os.environ) | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    if keras.backend.backend() == "torch":
        command = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", port]
        commands = [([*command, str(program)], settings)]
    else:
        names = {"JOB_ADDRESSES": f"127.0.0.1:{port}", "NUM_PROCESSES": "2"}
        parts = [names | {"PROCESS_ID": str(index)} for index in range(2)]
        commands = [
            ([str(program)], settings | {f"KERAS_DISTRIBUTION_{name}": part[name] for name in part})
            for part in parts
        ]
    told, codes = run_all(commands)
    assert not any(codes), "\n".join(text[-3000:] for text in told)
    lines = [line for text in told for line in text.splitlines() if "low-passed by radius" in line]
    assert len(lines) == 2
    assert lines[0] == lines[1]
