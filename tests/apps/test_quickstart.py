from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from apps.lab import RunError, load_config
from apps.lab.files import read_records
from apps.quickstart.__main__ import Quickstart
from apps.quickstart.measure import add_noise

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "configs" / "quickstart" / "smoke.yaml"
FULL = ROOT / "configs" / "quickstart" / "cifar10_mini.yaml"


def start(folder, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "apps.quickstart", *map(str, words or (SMOKE, f"output={folder}"))],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": keras.backend.backend()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def numbers(folder):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_records(folder / "results.jsonl")]


def test_the_configuration_holds_every_setting_and_its_defaults():
    assert load_config(Quickstart, FULL) == Quickstart()
    header = FULL.read_text().split("seed:")[0]
    for part in ("ICCV 2021", "[author]", "python -m apps.quickstart", "minutes"):
        assert part in header


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("training.epochs=0", "`training.epochs` must be at least 1. Received: training.epochs=0"),
        ("training.learning_rate=-1", "`training.learning_rate` must be above 0"),
        ("training.apr_pair=2", r"`training.apr_pair` must lie in [0, 1]. Received: training.apr_pair=2.0"),
        ("measure.radii=[]", "`measure.radii` must hold at least one number"),
        ("measure.epsilons=[-1]", "`measure.epsilons` must hold at least one number"),
        ("measure.examples=20", "`measure.examples` must be a whole number from 1 to 12"),
        ("data.train_images=0", "`data.train_images` must be at least 1"),
        ("seed=-1", "`seed` must be at least 0. Received: seed=-1"),
    ],
)
def test_wrong_values_are_one_line(word, message):
    with pytest.raises(RunError) as caught:
        load_config(Quickstart, FULL, [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_noise_repeats_and_stays_in_bounds(images):
    noisy = add_noise(images, 0.2, seed=3)
    np.testing.assert_array_equal(noisy, add_noise(images, 0.2, seed=3))
    assert noisy.dtype == "float32"
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert (add_noise(images, 0.2, seed=4) != noisy).any()
    middle = np.full((4, 64, 64, 3), 0.5, "float32")
    assert np.std(add_noise(middle, 0.05, seed=0) - middle) == pytest.approx(0.05, rel=0.02)


@pytest.mark.slow
def test_killed_after_the_first_training_it_goes_on_to_the_end(tmp_path):
    """One pass through everything, cut once: by SIGINT as soon as the first network is trained."""
    folder = tmp_path / "run"
    process = start(folder)
    deadline = time.time() + 240
    while not read_records(folder / "results.jsonl") and process.poll() is None and time.time() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    first, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    assert error.splitlines()[-1] == f"interrupted; go on with: python -m apps.quickstart --resume {folder}"
    before = numbers(folder)
    weights = (folder / "checkpoints" / "plain.npz").read_bytes()

    process = start(folder, "--resume", folder)
    output, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert numbers(folder)[: len(before)] == before
    assert (folder / "checkpoints" / "plain.npz").read_bytes() == weights, "the finished training ran again"
    # Python may drop the interrupt inside a finalizer; the run then stops at the end of the epoch it is in.
    assert (first + output).count("APR-SP  epoch 1/1") == 1
    assert "plain  epoch 1/1" not in output
    assert "Accuracy (one seed)" in output
    assert "Traceback" not in error

    records = [r for r in read_records(folder / "results.jsonl") if r["measure"] != "result"]
    for name in ("plain", "apr_sp"):
        measured = {(r["measure"], r["setting"]) for r in records if r["model"] == name}
        assert measured == {
            ("training accuracy", 1),
            ("clean", 0),
            *(("Gaussian noise", s) for s in (0.1,)),
            *((f"{side}-passed", radius) for side in ("low", "high") for radius in (4, 8)),
            *(("LinfPGD", epsilon) for epsilon in (0, 2, 8)),
        }
    assert all(0 <= r["value"] <= 1 and r["n"] > 0 for r in records)
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert {"examples", "spectra", "training", "band_accuracy", "perturbation_spectra"} <= figures
    summary = (folder / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert "[mem]" not in summary
    assert json.loads((folder / "versions.json").read_text())["foolbox"]
