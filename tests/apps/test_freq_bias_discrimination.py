"""Feature discrimination: the experiment in miniature, and a run that was cut short."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias import config, sets
from apps.lab import Run
from tests.apps import running
from tests.apps.running import interrupt, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 40, test_images: 20}
training: {network: tiny, epochs: 1, batch_size: 20, schedule: constant}
kernels: {filters: 3, kernel_size: 3, epochs: 1, batch_size: 10}
radii: [10, 4]
measured_images: 10
"""


@pytest.mark.once
def test_settings_of_the_kernels_reach_them():
    kernels = config.Kernels(filters=5, rho=0.4, masks="reference", seed=9, center="pixel", decay_every=7)
    made = sets.make_kernels(kernels)
    assert made.get_config() == {
        **kf.cdes.CDES().get_config(),
        "filters": 5,
        "rho": 0.4,
        "masks": "reference",
        "seed": 9,
        "center": "pixel",
    }
    assert sets.set_options(kernels)["decay_every"] == 7


@pytest.mark.once
def test_what_would_never_be_measured_is_one_line(here):
    (here / "tiny.yaml").write_text(TINY)
    message = "`every` must lie in [1, 1]. Received: every=2"
    running.refuse(message, "freq_bias", "discrimination", "tiny.yaml", "every=2", "output=out")


@pytest.mark.once
@pytest.mark.slow
def test_in_miniature_and_again_after_a_kill(here, capsys):
    (here / "tiny.yaml").write_text(TINY)
    with interrupt(kf.evaluate, "band_accuracy", at=4):
        assert running.call("freq_bias", "discrimination", "tiny.yaml", "output=out") == 130
    assert f"python -m apps.freq_bias discrimination --resume {here / 'out'}" in capsys.readouterr().err
    out = here / "out"
    kept = numbers(out)
    assert kept
    told, summary = [], Run.summary
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "summary", lambda run, *a, **k: told.extend(a[1]) or summary(run, *a, **k))
        running.finish("freq_bias", "discrimination", "--resume", "out")
    assert numbers(out)[: len(kept)] == kept
    made = {r["stage"] for r in running.records(out) if r["stage"].startswith("sets/scr")}
    assert made
    for claim in told:
        assert ("SCR" in claim.claim) == all(stage.startswith(claim.stages) for stage in made)
    records = running.records(out)
    for name in ("original", "scr", "wcr"):
        for tested in ("plain", "own"):
            for cast in ("none", "uint8_wrap"):
                stage = f"{name}/seed0/{tested}/{cast}"
                found = {r["measure"]: r["value"] for r in records if r["stage"] == stage}
                if (name, tested) == ("original", "own"):
                    assert found == {}
                else:
                    assert set(found) == {"clean", "low_4", "low_10", "high_4", "high_10"}
                    assert all(0 <= value <= 1 for value in found.values())
    figures = {path.stem for path in (out / "figures").glob("*.png")}
    assert figures == {"discrimination", "discrimination_uint8_wrap", "gradient_spectra"}
    with np.load(out / "arrays" / "sets-scr.npz") as stored:
        assert {name: stored[name].dtype for name in stored.files} == {"train": "uint8", "test": "uint8"}
    summary = (out / "summary.md").read_text()
    for words in ("SCR > original > WCR (r = 10; original test images)", "0.790", "Training on SCR raises"):
        assert words in summary
