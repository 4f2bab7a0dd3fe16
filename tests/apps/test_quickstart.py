"""The quickstart in miniature, cut short before the training, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from apps.quickstart import experiment
from apps.quickstart.looking import STEPS
from keras_freq.evaluate import Result
from tests.apps import running
from tests.apps.running import CONFIGS, interrupt, numbers

SMOKE = CONFIGS / "quickstart" / "smoke.yaml"


def read(folder: Path, name: str, step: str):
    return Result.from_json(folder / "results" / name / f"{step}.json")


@pytest.mark.once
def test_the_header_says_what_is_trained_and_how_long_it_takes():
    header = (CONFIGS / "quickstart" / "cifar10_mini.yaml").read_text().split("seed:")[0]
    for part in ("ICCV 2021", "[author]", "python -m apps.quickstart", "minutes"):
        assert part in header


@pytest.mark.once
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("network=cifar10/standart", "did you mean cifar10/standard? Received: name="),
        ("measure.images=41", "`measure.images` must be at most the number of test images, 40"),
        ("measure.radii=[33]", "radii must be at most the side of the images, 32. Received: radius=33"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is(here, word, message):
    running.refuse(message, "quickstart", SMOKE, f"output={here / 'none'}", word)


@pytest.mark.once
def test_images_that_the_networks_do_not_take_are_refused(here):
    drawn = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), dtype="uint8")
    labels = np.arange(40) % 4
    np.savez(here / "four.npz", x_train=drawn, y_train=labels, x_test=drawn, y_test=labels)
    running.refuse(
        "`data.name` must have images of shape (32, 32, 3) and 10 classes, as cifar10/standard. "
        "Received: images of shape (16, 16, 3), 4 classes",
        "quickstart",
        SMOKE,
        f"output={here / 'none'}",
        f"data.name={here / 'four.npz'}",
    )


@pytest.mark.slow
@pytest.mark.compiled
def test_cut_short_before_the_training_it_goes_on_to_the_end(here, capsys):
    folder = here / "run"
    with interrupt(experiment, "fit_resumably"):
        assert running.call("quickstart", SMOKE, f"output={folder}") == 130
    _, error = capsys.readouterr()
    assert error.splitlines()[-1] == f"interrupted; go on with: python -m apps.quickstart --resume {folder}"
    before = numbers(folder)
    assert {r["stage"] for r in before} >= {
        f"{name}/{step}" for name in ("standard", "beside") for step in STEPS
    }
    output = running.finish("quickstart", "--resume", folder)
    assert numbers(folder)[: len(before)] == before
    assert "training on with APR-SP  epoch 1/1" in output
    assert "Shares of the images" in output

    names = ("standard", "tuned", "beside")
    measured = [r["stage"] for r in numbers(folder) if r["measure"] == "result"]
    assert sorted(measured) == sorted(f"{name}/{step}" for name in names for step in STEPS)
    clean = {name: read(folder, name, "bands").clean for name in names}
    assert clean["standard"] > 0.8
    assert clean["beside"] > 0.8
    figures = {path.stem for path in (folder / "figures").glob("*.png")}
    assert figures == {
        *("1_examples", "2_bands", "3_heat_maps", "4_amplitude_swap", "5_corruptions"),
        *(f"6_shortcuts_{name}" for name in names),
    }
    summary = (folder / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert (
        f"| - whole images | 40 | {clean['standard']:.3f} | {clean['tuned']:.3f} | {clean['beside']:.3f} |"
        in summary
    )
    assert "How to read the table" in summary
    assert "[mem]" not in summary
    shares = {step: read(folder, "standard", step).share for step in ("shortcuts", "disks")}
    np.testing.assert_allclose(shares["shortcuts"], 0.05, atol=0.002)
    np.testing.assert_allclose(shares["disks"], shares["shortcuts"], atol=0.01)
