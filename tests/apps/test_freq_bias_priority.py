"""Learning priority and densities: both in miniature, and runs that were cut short."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias import config, densities
from apps.freq_bias.sets import KeptSpectra
from apps.lab import Run, RunError
from apps.lab.settings import Training
from apps.lab.train import trained
from tests.apps import running
from tests.apps.running import interrupt, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 40, test_images: 30}
training: {network: tiny, epochs: 3, batch_size: 20, learning_rate: 0.05, milestones: [2]}
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


@pytest.mark.once
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("measured_images=31", "`measured_images` must be at most the number of test images, 30"),
        ("every=4", "`every` must be at most `training.epochs`, 3, for something to be measured"),
    ],
)
def test_what_cannot_be_measured_is_one_line(word, message):
    running.refuse(message, "freq_bias", "priority", "priority.yaml", word, "output=out")


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_spectra_go_on_where_they_were_and_stay_with_the_network(here, rng):
    data = rng.random((20, 8, 8, 3), dtype="float32"), (np.arange(20) % 3).astype("int32")
    training = Training(network="tiny", epochs=6, batch_size=8, learning_rate=0.05)

    def train(store, *more, **options):
        settings = config.Priority(output=str(here / f"run{next(count)}"), store=store)
        kept = KeptSpectra(data, **{"every": 2, "n": 15, **options})
        run = Run.start("freq_bias priority", settings)
        callbacks = [kept, *more]
        asked = {"classes": 3, "seed": 0, "callbacks": callbacks}
        return kept, trained(run, "original", training, data, watch=kept.watch, **asked)[1]

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


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_a_priority_run_that_was_cut_short_ends_with_the_same_map(here):
    words = ["freq_bias", "priority"]
    running.finish(*words, "priority.yaml", "output=straight")
    with interrupt(kf.callbacks.GradientSpectrum, "on_epoch_end", at=2):
        assert running.call(*words, "priority.yaml", "output=out", "store=elsewhere") == 130
    assert len(numbers("out")) < len(numbers("straight"))
    running.finish(*words, "--resume", "out")
    assert numbers("out") == numbers("straight")
    one, other = ((here / name / "spectra" / "seed0.csv").read_text() for name in ("out", "straight"))
    assert one == other
    assert len(one.splitlines()) == 1 + 3 * 23
    gradients = [r for r in running.records("out") if r["measure"].startswith("gradient")]
    assert {(r["moment"], r["epoch"]) for r in gradients} == {("first", 1), ("last", 3)}
    assert all(0 <= r["value"] <= 1 and r["n"] == 10 for r in gradients)
    assert {path.stem for path in (here / "out" / "figures").glob("*.png")} == {"priority", "rings"}
    summary = (here / "out" / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert "heat maps only, no numbers" in summary
    assert "[mem]" not in summary
    # One measurement has no trend; two seeds share a map.
    more = ["seeds=2", "every=2", "training.epochs=2", "training.milestones=[1]"]
    bands = ["center=pixel", "bins=inner", "output=two"]
    running.finish(*words, "priority.yaml", *more, *bands)
    assert "follow" not in (here / "two" / "summary.md").read_text()
    assert len((here / "two" / "spectra" / "seed1.csv").read_text().splitlines()) == 1 + 20


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_densities_in_miniature_and_cut_short(here, monkeypatch):
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
    words = ["freq_bias", "densities"]
    more = ["densities.yaml", "training.epochs=1", "training.schedule=constant", "output=out"]
    # Among the classes of the second network.
    with interrupt(kf.evaluate, "input_gradient_spectrum", at=15):
        assert running.call(*words, *more) == 130
    kept = numbers("out")
    assert kept
    running.finish(*words, "--resume", "out")
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
def test_densities_of_one_real_set(here):
    words = ["sets=[hars]", "training.epochs=1", "training.schedule=constant", "output=out"]
    running.finish("freq_bias", "densities", "densities.yaml", *words)
    assert "Hypothesis" not in (here / "out" / "summary.md").read_text()


@pytest.mark.once
def test_on_all_images_it_is_the_recipe_of_the_reference_network():
    from apps.freq_bias.config import Priority
    from apps.lab.config import load_config
    from apps.lab.recipe import recipe
    from apps.lab.references import REFERENCES
    from apps.references.config import References

    configs = Path(__file__).parents[2] / "configs"
    common = load_config(References, configs / "references" / "cifar10.yaml").training
    ours = load_config(Priority, configs / "freq_bias" / "priority.reference.yaml").training
    assert recipe(ours) == recipe(REFERENCES["small_resnet"].recipe(common))
