"""Feature discrimination: settings, the experiment in miniature, and a run that was cut short."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias import config, discrimination, sets
from apps.lab import RunError, load_config
from tests.apps import running
from tests.apps.running import CONFIGS, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 40, test_images: 20}
training: {network: small_resnet, width: 2, epochs: 1, batch_size: 20, schedule: constant}
kernels: {filters: 3, kernel_size: 3, epochs: 1, batch_size: 10}
radii: [4, 10]
measured_images: 10
"""


@pytest.fixture(autouse=True)
def miniature(here):
    (here / "tiny.yaml").write_text(TINY)


def call(*words):
    return running.call("freq_bias", "discrimination", *words)


def test_the_configurations_load_and_say_what_they_are():
    paper = load_config(config.Discrimination, CONFIGS / "freq_bias" / "discrimination.yaml")
    small = load_config(config.Discrimination, CONFIGS / "freq_bias" / "discrimination.cpu.yaml")
    assert (paper.training.network, paper.training.epochs) == ("resnet18", 200)
    assert (paper.kernels.epochs, paper.kernels.batch_size, paper.kernels.images_per_class) == (20, 100, None)
    assert paper.data.train_images is None
    assert (small.training.network, small.data.fallback) == ("small_resnet", "cifar10_mini")
    assert paper.seeds == small.seeds == 3
    for kind in ("yaml", "cpu.yaml"):
        header = (CONFIGS / "freq_bias" / f"discrimination.{kind}").read_text()
        for name, label in sets.LABELS.items():
            if name in discrimination.PUBLISHED:
                assert " ".join([label, *map(str, discrimination.PUBLISHED[name].values())]) in header


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("radii=[]", "`radii` must hold at least one number"),
        ("sets=[hars]", "`sets` must hold some of original, scr, wcr, each once"),
        ("eval_cast=[wrap]", "`eval_cast` must hold some of none, clip, minmax, uint8_wrap"),
        ("measured_images=0", "`measured_images` must be at least 1"),
        ("every=0", "`every` must be at least 1"),
        ("kernels.epoch=20", "`kernels.epoch` must lie in [0, 19]"),
        ("kernels.rho=-1", "`kernels.rho` must be at least 0"),
        ("kernels.images_per_class=0", "`kernels.images_per_class` must be at least 1"),
        ("kernels.masks=other", "masks"),
        ("training.crop.padding=-1", "`crop.padding` must be at least 0"),
    ],
)
def test_wrong_settings_are_one_line(word, message):
    with pytest.raises(RunError) as caught:
        load_config(config.Discrimination, CONFIGS / "freq_bias" / "discrimination.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


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


@pytest.mark.slow
def test_in_miniature_and_again_after_a_kill(here, monkeypatch, capsys):
    accuracy, calls = kf.evaluate.band_accuracy, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return accuracy(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kf.evaluate, "band_accuracy", interrupted)
        assert call("tiny.yaml", "output=out") == 130
    assert "python -m apps.freq_bias discrimination --resume out" in capsys.readouterr().err
    out = here / "out"
    kept = numbers(out)
    assert kept
    assert call("--resume", "out") == 0, capsys.readouterr().err
    assert numbers(out)[: len(kept)] == kept
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
