"""The grid: units by digest, claimed by one process, tried again, the same numbers whoever does them."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.lab import load_config
from apps.lab.grid import plan
from apps.lab.grid_settings import Grid
from apps.lab.images import Images
from apps.lab.on_ray import work_on_ray
from apps.lab.units import Backlog, Unit, UnitStore, work_locally
from tests.apps.running import CONFIGS, call, finish, records, start, wait_until

pytestmark = pytest.mark.once
CONFIG = CONFIGS / "lab" / "grid.yaml"
TINY = [
    "data.train_images=60",
    "data.test_images=30",
    "training.width=4",
    "training.batch_size=20",
    "seeds=1",
    "measurements=[{name: bands, function: band_accuracy, options: ['radii=[4]']}]",
]


# Two plain networks, and the backend that is up first: what is tested is who does the work.
LONG = [*TINY, "training.epochs=5", "networks=[{name: a}, {name: b, changes: [learning_rate=0.01]}]"]
BACKEND = "jax" if importlib.util.find_spec("jax") else keras.backend.backend()


def units(*names, after=""):
    return [Unit(name, f"digest of {name}", {}, after) for name in names]


def outcomes(folder="runs/units"):
    """What came out of each unit, but for the minutes."""
    found = {}
    for path in sorted(Path(folder).glob("*.json")):
        unit = json.loads(path.read_text())
        result = json.loads(unit["outcome"].get("result", "{}"))
        found[unit["unit"]] = unit["outcome"].get("accuracy"), result
    return found


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_unit_is_done_once_and_in_order(tmp_path):
    done, said = [], []

    def do(unit):
        done.append(unit.name)
        return {"value": unit.name}

    store = UnitStore(tmp_path)
    later, first = units("later", after="digest of first") + units("first")
    found = list(work_locally(Backlog([later, first], store, tries=3), do, say=said.append))
    assert done == ["first", "later"] == [unit.name for unit, _ in found]
    again = list(work_locally(Backlog([later, first], store, tries=3), do, say=said.append))
    assert again == found
    assert done == ["first", "later"]
    assert not said


def test_a_unit_that_fails_is_given_up_with_what_needs_it_and_the_rest_is_done(tmp_path):
    calls, said = [], []

    def do(unit):
        calls.append(unit.name)
        if unit.name == "bad":
            raise ValueError("no such radius")
        return {}

    work = units("bad", "good") + units("needs bad", after="digest of bad")
    backlog = Backlog(work, UnitStore(tmp_path), tries=3)
    assert [unit.name for unit, _ in work_locally(backlog, do, say=said.append)] == ["good"]
    assert calls.count("bad") == 3
    assert len(backlog) == 0
    assert backlog.failed == {"bad": "no such radius", "needs bad": "needs bad"}
    assert said[0] == "bad: try 1 of 3 failed: no such radius"
    assert said[-1] == "bad: given up after 3 tries: no such radius"


def test_a_full_disk_is_no_fault_of_the_unit(tmp_path):
    def do(unit):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        list(work_locally(Backlog(units("a"), UnitStore(tmp_path), tries=3), do, say=print))


def test_what_another_process_has_claimed_comes_from_there(tmp_path):
    store, (mine, theirs) = UnitStore(tmp_path), units("mine", "theirs")
    claim, said = store.claim(theirs), []
    assert store.claim(theirs) is None

    def say(line):
        said.append(line)
        store.keep(theirs, {"by": "another"})
        claim.close()

    found = list(work_locally(Backlog([theirs, mine], store, tries=1), lambda unit: {"by": "me"}, say=say))
    assert found == [(mine, {"by": "me"}), (theirs, {"by": "another"})]
    assert said == ["1 units are claimed by other processes; waiting"]


def test_a_damaged_outcome_is_measured_again(tmp_path):
    store, (unit,) = UnitStore(tmp_path), units("a")
    store.keep(unit, {"value": 1})
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text().replace("1", "2"))
    assert store.read(unit) is None
    assert list(work_locally(Backlog([unit], store, tries=1), lambda unit: {"value": 3}, say=print)) == [
        (unit, {"value": 3})
    ]
    assert store.read(unit) == {"value": 3}


def test_a_worker_that_was_out_of_memory_is_one_line_and_its_unit_is_done_again(tmp_path):
    exceptions = pytest.importorskip("ray").exceptions
    said, sent = [], []

    def get(reference):
        if len(sent) == 1:
            raise exceptions.OutOfMemoryError("Memory on the node was low.\nTop 10 memory users:\n" * 50)
        return {"value": reference}

    ray = SimpleNamespace(
        exceptions=exceptions,
        get=get,
        wait=lambda references, timeout: (references, []),
        cluster_resources=lambda: {"CPU": 1.0},
    )
    backlog = Backlog(units("a"), UnitStore(tmp_path), tries=3)
    send = lambda unit: sent.append(unit) or len(sent)  # noqa: E731
    found = list(work_on_ray(ray, backlog, send, lambda unit, it: it, needs={"CPU": 1}, say=said.append))
    assert found == [(*units("a"), {"value": 2})]
    (line,) = said
    assert line.startswith("a: try 1 of 3 failed: OutOfMemoryError: its node had no memory left")
    assert len(line) < 200
    assert "\n" not in line


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("{function: band_acuracy}", "`function` of a measurement must be one of accuracy"),
        ("{function: predict_logits}", "Received: function=predict_logits"),
        ("{function: band_accuracy, options: [radius=3]}", "`options` of band_accuracy are radii"),
    ],
)
def test_wrong_measurements_are_told_before_anything_is_trained(here, capsys, word, message):
    status = call("lab", "grid", CONFIG, *TINY, f"measurements=[{{name: m, {word[1:]}]")
    told = capsys.readouterr().err
    assert (status, told.count("\n")) == (2, 1)
    assert message in told
    assert not Path("runs/networks").exists()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["networks=[{name: a}, {name: b, changes: [width=4]}]"], "a/seed0/training and b/seed0/training"),
        (
            ["measurements=[{name: a, function: accuracy}, {name: b, function: accuracy}]"],
            "standard/seed0/a and standard/seed0/b",
        ),
    ],
)
def test_two_names_of_one_thing_are_refused(here, capsys, words, names):
    assert call("lab", "grid", CONFIG, *TINY, *words) == 2
    assert f"Received: {names}, which are the same" in capsys.readouterr().err


def test_numbers_of_options_may_be_powers_of_ten():
    from apps.lab.grid_settings import Measurement

    options = ("a=1e-3", "b=[1E5, 2.5e-2, 1.0e+1, 3]", "c=a1e-3", "d=1e-3x")
    found = Measurement("measured", "band_accuracy", options).values
    assert found == {"a": 0.001, "b": [1e5, 0.025, 10.0, 3], "c": "a1e-3", "d": "1e-3x"}


def test_a_network_of_the_package_is_another_than_one_that_is_trained(monkeypatch):
    images = Images("set", ("a", "b"), *2 * [(np.zeros((4, 8, 8, 3), "uint8"), np.arange(4) % 2)])
    config = load_config(Grid, CONFIG, TINY)
    trained = [unit.digest for unit in plan(config, images)]
    known = next(one for one in kf.models.references() if one.file is not None)
    monkeypatch.setattr("apps.lab.grid.find_record", lambda origin: known)
    assert not set(trained) & {unit.digest for unit in plan(config, images)}


@pytest.mark.slow
def test_a_grid_ends_with_all_results_names_what_failed_and_measures_nothing_twice(here, capsys):
    bad = "{name: bad, function: band_accuracy, options: ['radii=[-1]']}"
    wanted = TINY[-1].replace("]}]", f"]}}, {bad}]").replace("radii=[4]}", "radii=[4]'}")
    status = call("lab", "grid", CONFIG, *TINY[:-1], wanted, "output=a")
    told = capsys.readouterr()
    assert status == 1
    assert "2 of 6 units were given up, the rest is done; --resume tries them again" in told.err
    assert "standard/seed0/bad: " in told.err
    assert {record["stage"] for record in records("a")} == {
        "data",
        *(f"{name}/seed0/{what}" for name in ("standard", "apr_sp") for what in ("training", "bands")),
    }
    assert "2 measurements" in told.out
    text = finish("lab", "grid", CONFIG, *TINY, "output=b")
    assert "epoch" not in text
    assert Path("b/results/standard/seed0/bands.json").read_text() == (
        Path("a/results/standard/seed0/bands.json").read_text()
    )
    assert Path("b/summary.md").exists()


def test_the_records_tell_how_long_every_unit_took(here):
    words = [*TINY, "training.epochs=1", "networks=[{name: a}]"]
    finish("lab", "grid", CONFIG, *words, "output=run")
    units = [json.loads(path.read_text()) for path in Path("runs/units").glob("*.json")]
    took = {unit["unit"]: pytest.approx(unit["outcome"]["seconds"], abs=1e-3) for unit in units}
    assert len(took) == 2
    assert {record["stage"]: record["seconds"] for record in records("run")[1:]} == took
    assert all(record["seconds"] > 0.01 for record in records("run")[1:])


@pytest.mark.slow
def test_two_processes_that_share_the_folders_share_the_work(here):
    """Each ends with all results; each network is trained by one of them."""
    words = ("-m", "apps.lab", "grid", CONFIG, *LONG, "training.epochs=3")
    both = [start(*words, f"output={name}", KERAS_BACKEND=BACKEND) for name in ("one", "two")]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert {record["stage"] for record in records("one")} == {record["stage"] for record in records("two")}
    trained = [line.split()[0] for out, _ in told for line in out.splitlines() if "epoch 3/3" in line]
    assert len(trained) == len(set(trained)) == 2


SMALL_NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


@pytest.fixture(scope="module")
def ray_cluster():
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    head = {**SMALL_NODE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The outcomes of the grid in one process."""
    folder = tmp_path_factory.mktemp("alone")
    process = start("-m", "apps.lab", "grid", CONFIG, *LONG, *places(folder), KERAS_BACKEND=BACKEND)
    assert process.wait(300) == 0, process.communicate()
    return outcomes(folder / "units")


def places(folder, name="run"):
    return [f"output={folder / name}", f"store={folder / 'networks'}", f"units={folder / 'units'}"]


def on_cluster(cluster, folder, *more):
    words = ["-m", "apps.lab", "grid", CONFIG, *LONG, *places(folder)]
    return start(*words, "executor=ray", f"address={cluster.address}", *more, KERAS_BACKEND=BACKEND)


def workers(node):
    """Process numbers of the workers of a node that do something."""
    raylet = node.all_processes["raylet"][0].process.pid
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:  # it has just ended
                continue
            if parent == raylet and name.startswith(b"ray::call"):
                found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_whoever_is_lost_the_grid_ends_as_alone(ray_cluster, alone, tmp_path):
    """One after the other: a node, the driver, and once it is resumed a worker."""
    node = ray_cluster.add_node(**SMALL_NODE)
    process = on_cluster(ray_cluster, tmp_path)
    wait_until(lambda: workers(node), process)
    assert workers(node)
    ray_cluster.remove_node(node, allow_graceful=False)
    wait_until(lambda: outcomes(tmp_path / "units"), process)
    process.kill()
    process.communicate()
    before = outcomes(tmp_path / "units")
    assert before.keys() < alone.keys()
    until = time.monotonic() + 60
    while workers(ray_cluster.head_node):  # those of the driver that is gone go too
        assert time.monotonic() < until
        time.sleep(0.1)
    process = on_cluster(ray_cluster, tmp_path, "--resume")
    wait_until(lambda: workers(ray_cluster.head_node), process)
    lost = workers(ray_cluster.head_node)
    assert lost
    for number in lost:
        os.kill(number, signal.SIGKILL)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "try 1 of 3 failed: WorkerCrashedError" in out
    assert outcomes(tmp_path / "units") == alone


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(here):
    pytest.importorskip("ray")
    process = start("-m", "apps.lab", "grid", CONFIG, *TINY, "executor=ray", "address=127.0.0.1:1")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "`address` must be that of a Ray cluster" in errors
