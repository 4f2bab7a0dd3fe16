"""The quickstart in miniature, cut short once the first network is trained."""

from __future__ import annotations

import json

import numpy as np
import pytest

from apps.quickstart import experiment
from apps.quickstart.measure import add_noise
from tests.apps import running
from tests.apps.running import CONFIGS, interrupt, numbers


@pytest.mark.once
def test_the_header_says_what_is_trained_and_how_long_it_takes():
    header = (CONFIGS / "quickstart" / "cifar10_mini.yaml").read_text().split("seed:")[0]
    for part in ("ICCV 2021", "[author]", "python -m apps.quickstart", "minutes"):
        assert part in header


@pytest.mark.once
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
def test_cut_short_after_the_first_training_it_goes_on_to_the_end(here, capsys):
    folder = here / "run"
    with interrupt(experiment, "fit_resumably", at=2):
        smoke = CONFIGS / "quickstart" / "smoke.yaml"
        assert running.call("quickstart", smoke, f"output={folder}", "training.width=2") == 130
    out, error = capsys.readouterr()
    assert error.splitlines()[-1] == f"interrupted; go on with: python -m apps.quickstart --resume {folder}"
    assert "plain  epoch 1/1" in out
    before, weights = numbers(folder), (folder / "checkpoints" / "plain.npz").read_bytes()
    output = running.finish("quickstart", "--resume", folder)
    assert numbers(folder)[: len(before)] == before
    assert (folder / "checkpoints" / "plain.npz").read_bytes() == weights, "the finished training ran again"
    assert "APR-SP  epoch 1/1" in output
    assert "plain  epoch 1/1" not in output
    assert "Accuracy (one seed)" in output

    records = [r for r in running.records(folder) if "setting" in r]
    for name in ("plain", "apr_sp"):
        measured = {(r["measure"], r["setting"]) for r in records if r.get("model") == name}
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
