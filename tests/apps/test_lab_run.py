from __future__ import annotations

import csv
import dataclasses
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from apps.lab import Experiment, RunError, cli
from apps.lab.report import markdown, print_table
from apps.lab.run import Run
from tests.apps import tiny_app
from tests.apps.running import ROOT, numbers, records, start, wait_until

APP = Experiment(tiny_app.Tiny, "tests.apps.tiny_app:tiny")

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def tiny_config(here):
    (here / "tiny.yaml").write_text("seed: 3\n")


def call(*words):
    return cli.command("tiny", APP, list(words))


def test_a_run_writes_its_folder(here):
    assert call("tiny.yaml", "radii=[4, 8, 12]") == 0
    (folder,) = (here / "runs" / "tiny").iterdir()
    assert folder.name.endswith("-" + keras.backend.backend())
    assert "radii:\n- 4\n- 8\n- 12\n" in (folder / "config.yaml").read_text()
    versions = json.loads((folder / "versions.json").read_text())
    assert versions["backend"] == keras.backend.backend()
    assert versions["keras"] == keras.__version__
    assert versions["seed"] == 3
    assert {"python", "numpy", "foolbox", "keras_freq", "platform", "cpu_count", "backend_version"} <= set(
        versions
    )
    found = records(folder)
    assert [(r["radius"], r["kind"]) for r in found[:2]] == [(4, "low"), (4, "high")]
    with open(folder / "results.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows] == [r["value"] for r in found]
    assert rows[0]["seed"] == "3"
    summary = (folder / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert "| low \\| high | - | 0.5 | 3 | 3 | 0.0 |" in summary


def test_no_config_unknown_option_two_configs_help(here, capsys):
    assert call() == 2
    assert "a configuration file is needed: python -m apps.tiny CONFIG" in capsys.readouterr().err
    assert call("tiny.yaml", "--fast") == 2
    assert "there is no option --fast" in capsys.readouterr().err
    assert call("tiny.yaml", "other.yaml") == 2
    assert "one configuration file is taken" in capsys.readouterr().err
    assert call("tiny.yaml", "sed=1") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no setting `sed`")
    assert error.count("\n") == 1
    assert call("--help") == 0
    assert "training.epochs: a whole number" in capsys.readouterr().out
    assert not (here / "runs").exists()


def test_several_experiments(here, capsys):
    experiments = {"bands": APP, "other": APP}
    assert cli.command("tiny", experiments, ["bands", "tiny.yaml"]) == 0
    assert (here / "runs" / "tiny" / "bands").is_dir()
    (folder,) = (here / "runs" / "tiny" / "bands").iterdir()
    again = Run.resume("tiny bands", tiny_app.Tiny(seed=3), folder).command()
    assert again == f"python -m apps.tiny bands {folder}/config.yaml"
    assert cli.command("tiny", experiments, ["tiny.yaml"]) == 2
    assert "needs an experiment: bands, other. Received: 'tiny.yaml'" in capsys.readouterr().err


def test_output_must_be_new(here, capsys):
    assert call("tiny.yaml", "output=out") == 0
    assert call("tiny.yaml", "output=out") == 2
    assert "`output` must be a new or empty folder" in capsys.readouterr().err
    (here / "file").write_text("")
    assert call("tiny.yaml", "output=file") == 2
    assert "Received: output=file (a file)" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_one_line(here, capsys):
    (here / "file").write_text("")
    assert call("tiny.yaml", "output=file/below") == 1
    error = capsys.readouterr().err
    assert "must be one that can be written" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("fail", ["value", "disk", "memory"])
def test_a_failure_is_one_line_and_resume_ends_with_the_same_numbers(here, capsys, monkeypatch, fail):
    assert call("tiny.yaml", f"fail={fail}", "output=out") == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    message = {
        "value": "`radius` must be even. Received: radius=8 and more",
        "disk": "no space is left",
        "memory": "Unable to allocate 4.00 TiB",
    }[fail]
    assert message in lines[0]
    assert f"go on with: python -m apps.tiny --resume {here / 'out'}" in lines[0]
    assert "Traceback" in Path("out/error.log").read_text()
    assert len(numbers("out")) == 2

    calls = []
    monkeypatch.setattr(tiny_app.time, "sleep", calls.append)
    monkeypatch.setattr(tiny_app, "ValueError", lambda text: calls.append(text), raising=False)
    # The cause goes away (here: the failing branch is taken out), the settings stay.
    monkeypatch.setattr(tiny_app, "tiny", _without_failure)
    assert call("--resume", "out") == 0
    assert len(calls) == 1, "the finished stage was computed again"
    assert not Path("out/error.log").exists()
    assert call("tiny.yaml", "output=straight", f"fail={fail}") == 0
    assert numbers("out") == numbers("straight")


def _without_failure(run, config):
    import dataclasses

    return _TINY(run, dataclasses.replace(config, fail=""))


_TINY = tiny_app.tiny


def test_folders_of_any_name_are_gone_on_with_by_the_command_that_is_told(here, capsys):
    (here / "a b=1.yaml").write_text("seed: 3\n")
    assert call("a b=1.yaml", "output=out dir/rate=0.1", "fail=value") == 1
    told = capsys.readouterr().err.partition("go on with: ")[2].partition("; traceback")[0]
    words = shlex.split(told)
    assert words[:3] == ["python", "-m", "apps.tiny"]
    assert call(*words[3:]) == 1  # still fails, in the same folder
    assert "`radius` must be even" in capsys.readouterr().err
    assert call("--resume", f"fail={'x' * 5000}", "a b=1.yaml") == 2  # no file has so long a name
    assert "0 unfinished runs" in capsys.readouterr().err


def test_resume_refuses_other_settings_and_backends(here, capsys):
    call("tiny.yaml", "output=out", "fail=value")
    capsys.readouterr()
    assert call("tiny.yaml", "--resume", "out", "fail=value", "training.epochs=5") == 2
    error = capsys.readouterr().err
    assert "out was made with training.epochs=2" in error
    assert "Received: training.epochs=5" in error
    assert error.count("\n") == 1
    versions = json.loads(Path("out/versions.json").read_text())
    del versions["crc32"]
    Path("out/versions.json").write_text(json.dumps(versions | {"backend": "mxnet"}))
    assert call("--resume", "out") == 2
    assert "was made with KERAS_BACKEND=mxnet" in capsys.readouterr().err
    Path("out/versions.json").write_text(json.dumps(versions | {"app": "apr"}))
    assert call("--resume", "out") == 2
    assert "must be a run folder of tiny" in capsys.readouterr().err
    assert call("tiny.yaml", "--resume", "nowhere") == 2
    assert "nowhere must be a run folder of tiny" in capsys.readouterr().err
    assert call("--resume", "nowhere") == 2
    assert "must be a file that can be read" in capsys.readouterr().err


def test_resume_without_a_folder_takes_the_newest_unfinished(here, capsys):
    assert call("tiny.yaml", "--resume") == 2
    assert "0 unfinished runs" in capsys.readouterr().err
    call("tiny.yaml", "fail=value")
    call("tiny.yaml")
    (cut, _) = sorted((here / "runs" / "tiny").iterdir())
    capsys.readouterr()
    assert call("--resume", "tiny.yaml", "fail=value") == 1  # still fails, in the same folder
    assert f"--resume {cut.resolve()}" in capsys.readouterr().err
    assert call("--resume") == 1  # by the settings that it was begun with
    assert f"--resume {cut.resolve()}" in capsys.readouterr().err
    assert len(list((here / "runs" / "tiny").iterdir())) == 2
    assert call("tiny.yaml", "fail=value", "output=out") == 1
    capsys.readouterr()
    assert call("--resume", "output=out") == 1
    assert f"--resume {here / 'out'}" in capsys.readouterr().err


def test_a_stage_of_which_half_was_written_is_measured_again(here):
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    run.measure("a", lambda: [{"value": 1}, {"value": 2}])
    jsonl = Path("out/results.jsonl")
    jsonl.write_text(jsonl.read_text().splitlines(keepends=True)[0])
    run.close()
    again = Run.resume("tiny", run.config, Path("out"))
    assert [r["value"] for r in again.measure("a", lambda: [{"value": 1}, {"value": 2}])] == [1, 2]
    assert len(again.records) == 2
    # Once and for all: the half is not there a second time when the run goes on again.
    again.close()
    third = Run.resume("tiny", run.config, Path("out"))
    assert [r["value"] for r in third.measured("a")] == [1, 2]


def test_a_changed_digit_is_named_and_measured_again(here, capsys):
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    for stage, value in (("a", 1.5), ("b", 2.5)):
        run.measure(stage, lambda value=value: {"value": value})
    jsonl = Path("out/results.jsonl")
    jsonl.write_text(jsonl.read_text().replace("2.5", "7.5"))
    run.close()
    again = Run.resume("tiny", run.config, Path("out"))
    assert "results.jsonl, line 2: damaged" in capsys.readouterr().err
    assert [r["value"] for r in again.records] == [1.5]
    assert again.measure("b", lambda: {"value": 2.5})[0]["value"] == 2.5


def test_a_start_that_was_killed_leaves_a_folder_that_a_start_takes(here):
    Path("out").mkdir()
    for name in (".lock", "config.yaml", ".versions.json.x.part"):
        Path("out", name).write_text("")
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    assert sorted(path.name for path in Path("out").iterdir()) == [".lock", "config.yaml", "versions.json"]
    assert str(here) in run.command(resume=True)
    with pytest.raises(RunError, match=r"in use by another process|new or empty"):
        Run.start("tiny", tiny_app.Tiny(output="out"))
    Path("own").mkdir()
    Path("own/config.yaml").write_text("mine")
    with pytest.raises(RunError, match="new or empty"):
        Run.start("tiny", tiny_app.Tiny(output="own"))
    assert Path("own/config.yaml").read_text() == "mine"


def test_minutes_count_arrays_once(here, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("apps.lab.run.time.perf_counter", lambda: clock[0])

    def take(seconds, found):
        clock[0] += seconds
        return found

    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    run.arrays("alone", lambda: take(60, {"x": np.zeros(2)}))
    assert (run.minutes(), run.minutes("alone")) == (1.0, 1.0)
    run.arrays("alone", lambda: pytest.fail("computed twice"))

    def with_a_stage():
        run.measure("inside", lambda: take(120, {"value": 1.0}))
        return take(60, {"x": np.zeros(2)})

    run.arrays("around", with_a_stage)
    assert (run.minutes("inside"), run.minutes("around")) == (2.0, 1.0)
    run.measure("outer", lambda: {"value": len(run.arrays("inner", lambda: take(60, {"x": np.zeros(2)})))})
    assert run.minutes("outer") == 1.0
    assert run.minutes() == 5.0


def test_damaged_files_of_a_run_are_one_line(here):
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    run.arrays("a", lambda: {"x": np.arange(50)})
    path = Path("out/arrays/a.npz")
    content = path.read_bytes()
    for damaged in (b"", content[:60], content[:100] + b"!!!!" + content[104:]):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=r"a\.npz must hold the arrays.*remove it.*Received: ") as caught:
            run.arrays("a", lambda: pytest.fail("computed twice"))
        assert "\n" not in str(caught.value)
    Path("out/versions.json").write_text("{}")
    with pytest.raises(RunError, match=r"versions\.json must be as the run wrote it. Received: none of"):
        run.summary("title", [])


def test_names_are_no_markup(here, capsys):
    head, rows = ["class", "n"], [["n[/x]", "1"], ["a|b\nc<i>", "2"]]
    print_table("a [bold]title", head, rows)
    shown = capsys.readouterr().out
    assert "n[/x]" in shown
    assert "a [bold]title" in shown
    assert markdown(head, rows).splitlines()[2:] == ["| n[/x] | 1 |", "| a\\|b c&lt;i> | 2 |"]


def test_records_hold_plain_values_only(here):
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    with pytest.raises(TypeError, match="numbers and text only"):
        run.measure("a", lambda: {"value": [1, 2]})
    with pytest.raises(ValueError, match="at least one record"):
        run.measure("a", lambda: [])
    assert run.records == []


def test_arrays_are_computed_once(here, rng):
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    expected = rng.standard_normal((2, 3))
    first = run.arrays("a/b", lambda: {"x": expected})
    assert (first["x"] == expected).all()
    assert (run.arrays("a/b", lambda: pytest.fail("computed twice"))["x"] == expected).all()


def test_what_is_measured_is_given_its_arguments(here):
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    for radius in (4, 8):
        run.measure(f"band/{radius}", lambda r, *, share: {"value": r * share}, radius, share=0.5)
        run.arrays(f"band/{radius}", lambda r: {"x": [r]}, radius)
    assert [r["value"] for r in run.records if "measure" not in r] == [2.0, 4.0]
    assert run.arrays("band/4", lambda r: pytest.fail("computed twice"), 5)["x"] == [4]
    assert [r["stage"] for r in run.measured("band/8")] == ["band/8"]
    assert run.measured("band/9") == []


@dataclasses.dataclass(frozen=True)
class StandIn:
    """Behaves as `keras_freq.evaluate.Result` does."""

    accuracy: float
    n: int

    def to_json(self, path):
        Path(path).write_text(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, text):
        return cls(**json.loads(text))


def test_a_result_is_kept_whole(here, monkeypatch):
    monkeypatch.setattr("keras_freq.evaluate.Result", StandIn, raising=False)
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    result = run.result("plain/seed0/band0.5", lambda value, *, n: StandIn(value, n), 0.25, n=3)
    assert result == StandIn(0.25, 3)
    (record,) = run.records
    assert record["stage"] == "plain/seed0/band0.5"
    assert (record["measure"], record["value"], record["n"]) == ("result", "StandIn", 3)
    assert record["file"] == "results/plain/seed0/band0.5.json"
    run.close()
    again = Run.resume("tiny", run.config, Path("out"))
    assert again.result("plain/seed0/band0.5", pytest.fail, "computed twice") == result
    file = here / "out" / record["file"]
    content = file.read_text()
    for damaged in ("{", content.replace("0.25", "0.75")):
        file.write_text(damaged)
        with pytest.raises(RunError, match=r"band0\.5\.json must hold the result of the stage") as caught:
            again.result("plain/seed0/band0.5", pytest.fail, "computed twice")
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_a_folder_in_use_is_refused(here):
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    with pytest.raises(RunError, match="in use by another process"):
        Run.resume("tiny", run.config, Path("out"))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_python_drops_still_stops_the_run(here, capsys, request):
    # A shell that starts the tests in the background has them ignore the signal.
    before = signal.getsignal(signal.SIGINT)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    assert call("tiny.yaml", "output=out", "fail=lost interrupt") == 130
    assert f"interrupted; go on with: python -m apps.tiny --resume {here / 'out'}" in capsys.readouterr().err
    assert [r["radius"] for r in numbers("out")] == [4, 4], "what was measured is kept, the rest is not done"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_waits_until_a_number_is_stored(here, monkeypatch, request):
    before = signal.getsignal(signal.SIGINT)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    fsync = os.fsync

    def slow(handle):
        fsync(handle)
        if Path("out/results.jsonl").exists():
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "fsync", slow)
    assert call("tiny.yaml", "output=out") == 130
    assert [r["radius"] for r in numbers("out")] == [4, 4]
    assert Path("out/results.csv").read_text().count("\n") == 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_leaves_a_usable_folder_and_resume_ends_the_same(here, kind):
    if not hasattr(signal, kind):
        pytest.skip(f"no {kind} here")
    process = start(tiny_app.__file__, "tiny.yaml", "output=out", "seconds=1.0", "radii=[4, 8, 12]")
    wait_until(lambda: records("out"), process)
    process.send_signal(getattr(signal, kind))
    _, error = process.communicate(timeout=60)
    assert process.returncode == {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}[kind], error
    assert error.splitlines()[-1] == f"interrupted; go on with: python -m apps.tiny --resume {here / 'out'}"
    assert "Traceback" not in error
    before = numbers("out")
    assert 2 <= len(before) < 6
    assert Path("out/results.csv").exists()
    process = start(tiny_app.__file__, "--resume", "out")
    assert process.wait(120) == 0, process.stderr.read()
    assert numbers("out")[: len(before)] == before
    assert call("tiny.yaml", "seed=0", "output=straight", "radii=[4, 8, 12]") == 0
    assert [r["value"] for r in numbers("out")] == [r["value"] for r in numbers("straight")]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a shell of Unix")
@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-"])
def test_closed_streams_do_not_end_up_in_the_files(here, closed):
    words = f"exec {sys.executable} {tiny_app.__file__} tiny.yaml output=out {closed}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", words], env=environment, timeout=120, check=False)
    assert done.returncode == 0
    assert len(numbers("out")) == 4
    assert call("tiny.yaml", "output=straight") == 0
    assert numbers("out") == numbers("straight")


def test_a_run_is_not_gone_on_with_on_other_images(here, rng):
    from apps.lab.images import load_images
    from apps.lab.settings import Data

    def write(pixels):
        labels = np.arange(8) % 2
        np.savez("own.npz", x_train=pixels, y_train=labels, x_test=pixels[:4], y_test=labels[:4])

    first = rng.integers(0, 256, (8, 8, 8, 3)).astype("uint8")
    write(first)
    run = Run.start("tiny", tiny_app.Tiny(output="out"))
    load_images(run, Data("own.npz"))
    write(first[::-1])  # the same name and number
    run.close()
    again = Run.resume("tiny", run.config, Path("out"))
    with pytest.raises(RunError, match=r"out was begun with other images: start a new run.*Received: own"):
        load_images(again, Data("own.npz"))
    write(first)
    assert (load_images(again, Data("own.npz")).test[1] == [0, 1, 0, 1]).all()
