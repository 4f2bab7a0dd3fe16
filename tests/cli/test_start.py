"""What starts, how quickly, and on which backend."""

import json
import os
import re
import subprocess
import sys

import pytest

import keras_freq
from keras_freq._cli import _start, main
from keras_freq._cli._app import app

pytestmark = pytest.mark.once

HEAVY = ("keras", "numpy", "tensorflow", "jax", "torch", "matplotlib", "PIL", "scipy")
COMMANDS = {
    "bands",
    "heat-map",
    "shortcuts",
    "attack",
    "corrupt",
    "filter",
    "spectrum",
    "networks",
    "check",
    "versions",
}


def run_python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_help_imports_no_backend_nor_what_keras_needs():
    done = run_python("-X", "importtime", "-m", "keras_freq", "bands", "--help")
    assert done.returncode == 0, done.stderr
    assert "keras-freq bands cifar10/standard cifar10_mini" in done.stdout
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in loaded
    assert not loaded & set(HEAVY)


def test_only_the_script_and_the_module_start_without_keras(monkeypatch):
    def starts(*words):
        monkeypatch.setattr(sys, "orig_argv", ["python", *words])
        monkeypatch.setattr(sys, "argv", list(words))
        return keras_freq._starts_command_line()

    assert starts("/usr/bin/keras-freq", "bands")
    assert starts("C:\\Scripts\\keras-freq.exe")
    assert starts("-m", "keras_freq", "bands")
    assert not starts("-m", "apps.apr", "keras_freq")
    assert not starts("-m", "keras_freq_other")
    assert not starts("train.py", "-m", "keras_freq")
    assert not starts("keras-freq.py")
    assert not starts("")


def test_the_start_is_quiet_and_registers_what_saved_models_hold():
    program = """
import sys
sys.argv = ["keras-freq"]
from keras_freq._cli._start import start_keras
assert "keras" not in sys.modules
print(start_keras("tensorflow"))
import keras, keras_freq
for name in ("LowPass", "APRModel", "LinearLayer"):
    print(keras.saving.get_registered_object(f"keras_freq>{name}").__name__)
print(keras_freq.Classifier.__name__, keras_freq.APRModel.__name__, keras_freq.to_logits.__name__)
"""
    done = run_python("-c", program, KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "tensorflow (of --backend)",
        "LowPass",
        "APRModel",
        "LinearLayer",
        "Classifier APRModel to_logits",
    ]
    assert not done.stderr


def test_every_command_has_an_example_that_its_options_allow(capsys):
    assert {one.name for one in app.registered_commands} >= COMMANDS
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        text = capsys.readouterr().out
        examples = re.findall(rf"^  keras-freq {name}.*", text, re.MULTILINE)
        assert examples, name
        for option in re.findall(r"--[a-z-]+", " ".join(examples)):
            assert re.search(rf"^  .*{option}\b", text, re.MULTILINE), f"{name} {option}"


def test_the_backend_is_the_asked_one_then_the_configured_one_then_the_first(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert _start._choose("torch") == ("torch", "of --backend")
    assert _start._choose(None) == ("jax", "of KERAS_BACKEND")
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setattr(_start, "_installed", lambda: ["jax", "torch"])
    assert _start._choose(None) == ("jax", "the first that is installed")
    for name, chosen in (("torch", "torch"), ("tensorflow", "jax")):  # one that is not installed is no choice
        (tmp_path / "keras.json").write_text(json.dumps({"backend": name}))
        assert _start._choose(None)[0] == chosen
    (tmp_path / "keras.json").write_text("{")
    assert _start._choose(None)[0] == "jax"
    monkeypatch.setattr(_start, "_installed", list)
    with pytest.raises(ImportError, match=r"pip install 'keras-freq\[tensorflow\]'.*Received: none"):
        _start._choose(None)


def test_versions_say_what_a_report_of_a_bug_must(cli):
    import keras

    known = json.loads(cli("versions --json").out)
    assert known["keras"] == keras.__version__
    assert known["backend"].startswith(keras.backend.backend())
    assert known["devices"]
    assert known["python"].count(".") == 2
    assert f"keras                {keras.__version__}" in cli("versions").out
