"""A measurement over the workers of a Ray cluster: the numbers of one process, whoever is lost meanwhile."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core import processes

NODE = {"num_cpus": 4, "object_store_memory": 100_000_000}
EPSILON = {"epsilon": 4.0, "n": 30, "window": 3}


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def subject():
    keras.utils.set_random_seed(0)
    model = kf.models.small_resnet((16, 16, 3), classes=4, width=4)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 16, 16, 3)).astype("uint8")
    return kf.Classifier(model, value_range=(0, 1)), (images, np.arange(60) % 4)


@pytest.fixture(scope="module")
def workers(cluster):
    with kf.evaluate.RayWorkers(2, address=cluster.address) as workers:
        yield workers


def slow_map(model, data, marks, **options):
    """A heat map whose steps take long enough for something to happen meanwhile."""
    from keras_freq._core import sweep

    start = sweep._start

    def slowly(step):
        (marks / f"{os.getpid()}").touch()
        time.sleep(0.3)
        return start(step)

    sweep._start = slowly
    try:
        return kf.evaluate.fourier_heat_map(model, data, batch_size=10, **options)
    finally:
        sweep._start = start


def fails_on_workers(model, data):
    if processes.index():
        raise ValueError("not\nhere")
    return kf.evaluate.accuracy(model, data)


def stops_on_workers(model, data):
    return None if processes.index() else kf.evaluate.accuracy(model, data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "`n` must be"),
        ({"cpus": -1}, "`cpus` must be"),
        ({"gpus": "all"}, "`gpus` must be"),
        ({"gpus": -1}, "`gpus` must be"),
        ({"memory": 0.5}, "`memory` must be"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        kf.evaluate.RayWorkers(**options)


def test_without_ray_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"pip install 'keras-freq\[scale\]'"), kf.evaluate.RayWorkers(1):
        pass


def test_a_cluster_that_is_not_there_is_said_at_once():
    pytest.importorskip("ray")
    workers = kf.evaluate.RayWorkers(1, address="127.0.0.1:1")
    with pytest.raises(ValueError, match=r"`address` must be .* Received: address='127.0.0.1:1'"), workers:
        pass


def test_outside_its_block_nothing_runs(subject):
    with pytest.raises(RuntimeError, match="inside the block"):
        kf.evaluate.RayWorkers(1).run(kf.evaluate.accuracy, *subject)


def test_no_room_for_a_worker_is_said_once(monkeypatch):
    placed = []
    worker = SimpleNamespace(
        look=lambda: None, is_placed=lambda: bool(placed), gone="", ended_before=lambda seconds: False
    )
    workers = kf.evaluate.RayWorkers(1, cpus=100)
    workers._workers = [worker]
    monkeypatch.setattr("keras_freq.evaluate._ray_workers._PATIENCE", 0)
    workers._watch()
    with pytest.warns(UserWarning, match="has room for a worker yet, .*'num_cpus': 100"):
        workers._watch()
    workers._watch()
    placed.append(True)
    workers._watch()
    placed.clear()
    workers._watch()
    with pytest.warns(UserWarning, match="has room"):
        workers._watch()


def test_another_executor_is_refused(subject):
    with pytest.raises(ValueError, match="Received: executor='spark'"):
        kf.report(*subject, executor="spark")


@pytest.mark.slow
@pytest.mark.once
def test_a_sweep_has_the_numbers_of_one_process(workers, subject, tmp_path):
    for function, options in (
        (kf.evaluate.fourier_heat_map, EPSILON),
        (kf.evaluate.corruption_error, {"corruptions": ("fog", "shot_noise"), "severities": (1, 5)}),
        (kf.shortcuts.hfss, {"budgets": (4, 4), "top": 2, "checkpoint": tmp_path / "hfss"}),
    ):
        alone = function(*subject, **{**options, **({"checkpoint": None} if "checkpoint" in options else {})})
        assert workers.run(function, *subject, **options).to_json() == alone.to_json()


@pytest.mark.slow
@pytest.mark.once
def test_a_report_has_the_numbers_of_one_process_and_is_resumed(workers, subject, tmp_path):
    only = ("bands", "attacks")
    alone = kf.report(*subject, only=only)
    for again in (False, True):
        found = kf.report(*subject, only=only, executor=workers, to=tmp_path / "report", resume=again)
        assert list(found.models[0].results) == ["clean", *only]
        for section, results in found.models[0].results.items():
            for name, result in results.items():
                assert result.to_json() == alone.models[0].results[section][name].to_json()
        assert (tmp_path / "report" / "index.html").is_file()


@pytest.mark.slow
@pytest.mark.once
def test_the_settings_of_keras_are_the_workers_too(workers, subject):
    _model, (images, _labels) = subject
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        keras.utils.set_random_seed(0)
        mixed = kf.Classifier(kf.models.small_resnet((16, 16, 3), classes=4, width=4), value_range=(0, 1))
        alone = kf.evaluate.predict_logits(mixed, images)
        np.testing.assert_array_equal(workers.run(kf.evaluate.predict_logits, mixed, images), alone)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.slow
@pytest.mark.once
def test_a_killed_worker_is_replaced(workers, subject, tmp_path):
    expected = kf.evaluate.fourier_heat_map(*subject, batch_size=10, **EPSILON).to_json()

    def kill_one():
        until = time.monotonic() + 200
        while time.monotonic() < until:
            for mark in tmp_path.iterdir():
                os.kill(int(mark.name), signal.SIGKILL)
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_one)
    killer.start()
    assert workers.run(slow_map, *subject, tmp_path, **EPSILON).to_json() == expected
    killer.join()
    assert len(list(tmp_path.iterdir())) >= 2  # another went on


@pytest.mark.slow
@pytest.mark.once
def test_a_removed_node_is_done_without(cluster, subject, tmp_path):
    expected = kf.evaluate.fourier_heat_map(*subject, batch_size=10, **EPSILON).to_json()
    node = cluster.add_node(**NODE)
    with kf.evaluate.RayWorkers(2, address=cluster.address) as workers:

        def watch():
            until = time.monotonic() + 200
            while not list(tmp_path.iterdir()) and time.monotonic() < until:
                time.sleep(0.05)
            cluster.remove_node(node, allow_graceful=False)

        remover = threading.Thread(target=watch)
        remover.start()
        assert workers.run(slow_map, *subject, tmp_path, **EPSILON).to_json() == expected
        remover.join()


@pytest.mark.slow
@pytest.mark.once
def test_a_node_that_comes_later_takes_what_no_other_has_room_for(cluster, subject, monkeypatch):
    nodes, watch = [], kf.evaluate.RayWorkers._watch

    def join_once_it_is_said(workers):
        watch(workers)
        if not nodes and workers._told == float("inf"):
            nodes.append(cluster.add_node(**{**NODE, "num_cpus": 6}))

    monkeypatch.setattr("keras_freq.evaluate._ray_workers._PATIENCE", 0.1)
    monkeypatch.setattr(kf.evaluate.RayWorkers, "_watch", join_once_it_is_said)
    with kf.evaluate.RayWorkers(1, address=cluster.address, cpus=6) as workers:
        with pytest.warns(UserWarning, match="has room for a worker yet"):
            found = workers.run(kf.evaluate.accuracy, *subject)
        assert found.to_json() == kf.evaluate.accuracy(*subject).to_json()
    cluster.remove_node(*nodes)


@pytest.mark.slow
@pytest.mark.once
def test_what_fails_on_all_workers_is_said(workers, subject):
    with pytest.raises(RuntimeError, match="fewer steps"):
        workers.run(stops_on_workers, *subject)
    with pytest.raises(RuntimeError, match="No worker is left: ValueError: not here"):
        workers.run(fails_on_workers, *subject)
    # They are still of use.
    assert workers.run(kf.evaluate.accuracy, *subject).to_json() == kf.evaluate.accuracy(*subject).to_json()


@pytest.mark.slow
@pytest.mark.once
def test_what_cannot_be_sent_is_refused(workers, subject):
    model, (images, labels) = subject
    with pytest.raises(TypeError, match="can be pickled"):
        workers.run(kf.evaluate.accuracy, model, ((images, labels) for _ in range(1)))


@pytest.mark.slow
@pytest.mark.once
def test_a_killed_driver_goes_on_where_it_was(cluster, subject, tmp_path):
    """The journal is the driver's."""
    model, data = subject
    model.core.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", images=data[0], labels=data[1])
    program = textwrap.dedent(
        f"""
        import keras, numpy as np, keras_freq as kf
        held = np.load({str(tmp_path / "data.npz")!r})
        model = kf.Classifier(keras.models.load_model({str(tmp_path / "model.keras")!r}), value_range=(0, 1))
        with kf.evaluate.RayWorkers(1, address={cluster.address!r}) as workers:
            found = workers.run(
                kf.evaluate.fourier_heat_map, model, (held["images"], held["labels"]),
                bases_per_pass=1, checkpoint={str(tmp_path / "journal")!r}, **{EPSILON!r},
            )
        print(found.to_json())
        """
    )
    (tmp_path / "program.py").write_text(program)

    def begin():
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "program.py")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
        )

    first, journal = begin(), tmp_path / "journal"
    until = time.monotonic() + 200
    while first.poll() is None and time.monotonic() < until:
        if journal.exists() and journal.read_bytes().count(b"\n") > 1:
            break
        time.sleep(0.02)
    first.kill()
    first.communicate()
    kept = journal.read_bytes()
    assert kept.count(b"\n") > 1
    second = begin()
    out, errors = second.communicate(timeout=300)
    assert second.returncode == 0, errors
    assert journal.read_bytes().startswith(kept[: kept.rindex(b"\n")])
    expected = kf.evaluate.fourier_heat_map(model, data, bases_per_pass=1, **EPSILON)
    assert kf.evaluate.Result.from_json(out).to_json() == expected.to_json()
