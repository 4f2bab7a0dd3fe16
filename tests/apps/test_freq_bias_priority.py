"""Learning priority and densities: settings, both in miniature, and a run that was cut short."""

from __future__ import annotations

import dataclasses
import itertools
import json

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias import config, densities
from apps.freq_bias.__main__ import EXPERIMENTS
from apps.freq_bias.spectra import KeptSpectra
from apps.lab import Run, RunError, load_config
from apps.lab.settings import Training
from apps.lab.train import trained
from tests.apps import running
from tests.apps.running import CONFIGS, numbers

NAMES = ("priority", "densities")
TINY = """
seed: 0
seeds: 2
data: {name: cifar10_mini, train_images: 40, test_images: 30}
training: {network: small_resnet, width: 2, epochs: 3, batch_size: 20, learning_rate: 0.05, milestones: [2]}
"""
MINIATURES = {
    "priority": "measured_images: 10\n",
    "densities": "images_per_class: 3\n"
    "kernels: {filters: 3, kernel_size: 3, epochs: 1, batch_size: 10}\nsets: [original, scr, wcr]\n",
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(TINY + text)


def call(*words):
    return running.call("freq_bias", *words)


@pytest.mark.parametrize("name", NAMES)
def test_the_configurations_load_and_say_what_they_are(name):
    paper = load_config(EXPERIMENTS[name].config, CONFIGS / "freq_bias" / f"{name}.yaml")
    small = load_config(EXPERIMENTS[name].config, CONFIGS / "freq_bias" / f"{name}.cpu.yaml")
    training = paper.training
    assert (training.network, training.epochs, training.batch_size) == ("resnet18", 200, 128)
    assert (training.crop.padding, training.crop.mode) == (4, "reflect")
    assert (training.schedule, training.factor, training.nesterov) == ("steps", 0.1, False)
    assert (training.learning_rate, training.momentum, training.weight_decay) == (0.1, 0.9, 5e-4)
    assert tuple(training.milestones) == (50, 100, 150)
    assert paper.data.train_images is paper.data.test_images is None
    assert (small.training.network, small.data.fallback) == ("small_resnet", "cifar10_mini")
    assert paper.seeds == small.seeds == 3


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("priority", "every=0", "`every` must be at least 1. Received: every=0"),
        ("priority", "measured_images=0", "`measured_images` must be at least 1"),
        ("priority", "center=corner", "center"),
        ("priority", "bin=all", "there is no setting `bin`. Did you mean `bins`?"),
        ("densities", "sets=[scr,scr]", "`sets` must hold some of original, scr, wcr, hars, each once"),
        ("densities", "sets=[cdes]", "`sets` must hold some of original, scr, wcr, hars, each once"),
        ("densities", "images_per_class=0", "`images_per_class` must be at least 1"),
        ("densities", "kernels.epochs=0", "`kernels.epochs` must be at least 1"),
    ],
)
def test_wrong_settings_are_one_line(name, word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS[name].config, CONFIGS / "freq_bias" / f"{name}.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("measured_images=31", "`measured_images` must be at most the number of test images, 30"),
        ("every=4", "`every` must be at most `training.epochs`, 3, for something to be measured"),
    ],
)
def test_what_cannot_be_measured_is_one_line(here, capsys, word, message):
    assert call("priority", "priority.yaml", word, "output=out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_spectra_go_on_where_they_were_and_stay_with_the_network(here, rng):
    data = rng.random((20, 8, 8, 3), dtype="float32"), (np.arange(20) % 3).astype("int32")
    training = Training(network="small_resnet", width=2, epochs=6, batch_size=8, learning_rate=0.05)

    def train(store, *more, **options):
        settings = config.Priority(output=str(here / f"run{next(count)}"), store=store)
        kept = KeptSpectra(data, **{"every": 2, "n": 15, **options})
        run = Run.start("freq_bias priority", settings)
        callbacks = [kept, *more]
        asked = {"classes": 3, "seed": 0, "label": "original/seed0", "callbacks": callbacks}
        return kept, trained(run, training, data, watch=kept.watch, **asked)[1]

    class Killed(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt  # measured and stored, the checkpoint not yet written

    count = itertools.count()
    whole, history = train("straight")
    assert whole.result().epochs == (2, 4, 6)
    with pytest.raises(KeyboardInterrupt):
        train("broken", Killed())
    (path,) = (here / "broken").glob("*/measured.json")
    again, continued = train("broken")
    assert again.history == whole.history
    found, columns = train("broken")
    assert found.result() == whole.result()  # read, neither trained nor measured
    for one in (continued, columns):
        assert {name: one[name] for name in one if name != "seconds"} == {
            name: history[name] for name in history if name != "seconds"
        }
    for text in ("{", "[1]", json.dumps([{"moment": 1}])):
        path.write_text(text)
        with pytest.raises(RunError, match="must hold what was measured of this network") as caught:
            train("broken")
        assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_a_priority_run_that_was_cut_short_ends_with_the_same_map(here, monkeypatch, capsys):
    assert call("priority", "priority.yaml", "output=straight") == 0, capsys.readouterr().err
    measure, calls = kf.callbacks.GradientSpectrum.on_epoch_end, []

    def interrupted(self, epoch, logs=None):
        calls.append(epoch)
        measure(self, epoch, logs)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kf.callbacks.GradientSpectrum, "on_epoch_end", interrupted)
        assert call("priority", "priority.yaml", "output=out", "store=elsewhere") == 130
    assert len(numbers(here / "out")) < len(numbers(here / "straight"))
    assert call("priority", "--resume", "out") == 0, capsys.readouterr().err
    assert numbers(here / "out") == numbers(here / "straight")
    for seed in (0, 1):
        one, other = (
            (here / name / "spectra" / f"seed{seed}.csv").read_text() for name in ("out", "straight")
        )
        assert one == other
        assert len(one.splitlines()) == 1 + 3 * 23
    records = running.records(here / "out")
    gradients = [r for r in records if r["measure"].startswith("gradient")]
    assert {(r["moment"], r["epoch"]) for r in gradients} == {("first", 1), ("last", 3)}
    assert all(0 <= r["value"] <= 1 and r["n"] == 10 for r in gradients)
    assert {path.name for path in (here / "out" / "figures").glob("*.png")} == {"priority.png", "rings.png"}
    summary = (here / "out" / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert "heat maps only, no numbers" in summary
    assert "[mem]" not in summary


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_one_measurement_has_no_trend(here, capsys):
    words = ["every=2", "seeds=1", "center=pixel", "bins=inner", "output=out"]
    assert call("priority", "priority.yaml", *words) == 0, capsys.readouterr().err
    assert "follow" not in (here / "out" / "summary.md").read_text()
    assert len((here / "out" / "spectra" / "seed0.csv").read_text().splitlines()) == 1 + 20


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_densities_in_miniature_and_cut_short(here, monkeypatch, capsys):
    def made(run, kernels, images, name):
        """Images with noise of a fixed strength: fast, and different from set to set."""
        strength = 0.1 * config.SETS.index(name)
        noise = np.random.default_rng(0)
        parts = {}
        for split in ("train", "test"):
            x, y = getattr(images, split)
            parts[split] = (np.clip(x + strength * noise.random(x.shape, "float32"), 0, 1), y)
        return dataclasses.replace(images, **parts)

    monkeypatch.setattr(densities, "training_set", made)
    words = ["densities", "densities.yaml", "seeds=1", "training.epochs=1", "training.schedule=constant"]
    spectrum, calls = kf.evaluate.input_gradient_spectrum, []

    def interrupted(*args, **options):
        calls.append(args)
        if len(calls) == 15:  # among the classes of the second network
            raise KeyboardInterrupt
        return spectrum(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(kf.evaluate, "input_gradient_spectrum", interrupted)
        assert call(*words, "output=out") == 130
    kept = numbers(here / "out")
    assert kept
    assert call("densities", "--resume", "out") == 0, capsys.readouterr().err
    out = here / "out"
    assert numbers(out)[: len(kept)] == kept
    records = running.records(out)
    agreement = [r for r in records if r["measure"] == "rank correlation"]
    assert len(agreement) == 3 * 10  # no image of one class is among the first 30
    assert all(-1 <= r["value"] <= 1 for r in agreement)
    assert max(r["n"] for r in agreement if r["class"] != "all") == 3
    high = {
        r["network"]: r["value"]
        for r in records
        if r["measure"] == "high bands of images" and r["class"] == "all"
    }
    assert len(set(high.values())) == 3
    assert {path.name for path in (out / "figures").glob("*.png")} == {"densities.png", "classes.png"}
    summary = (out / "summary.md").read_text()
    assert "Hypothesis I: SCR images raise" in summary
    assert "Hypothesis I: WCR images do not raise" in summary
    assert "figure only [author]" in summary
    assert len((out / "spectra" / "scr-images.csv").read_text().splitlines()) == 1 + 10 * 23


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_densities_of_one_real_set(here, capsys):
    words = ["seeds=1", "sets=[hars]", "training.epochs=1", "training.schedule=constant", "output=out"]
    assert call("densities", "densities.yaml", *words) == 0, capsys.readouterr().err
    assert "Hypothesis" not in (here / "out" / "summary.md").read_text()
