"""The APR app: settings, every experiment in miniature, networks of another run, a run that was cut short."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.apr.__main__ import EXPERIMENTS
from apps.lab import RunError, load_config
from apps.lab.augmentations import ROWS
from apps.lab.settings import Augmentations
from tests.apps import running
from tests.apps.running import CONFIGS, numbers

# Configuration to experiment.
SMALL = {
    name: "table" if name in ("baselines", "beyond") else name
    for name in ("corrupt", "table", "baselines", "beyond", "swap", "detection", "heat_maps", "adversarial")
}
PAPER = [name for name in SMALL if (CONFIGS / "apr" / f"{name}.yaml").exists()]
TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 16, test_images: 10}
training:
  {network: small_resnet, width: 2, epochs: 1, batch_size: 8, learning_rate: 0.01, schedule: cosine}
"""
MINIATURES = {
    "table": "networks: [small_resnet]\nrows: [standard, apr_sp]\nseverities: [5]\n",
    "swap": "rows: [standard, apr_sp]\ndonors: other.npz\nexamples: 2\n",
    "detection": "rows: [standard, apr_sp]\noutside: [other.npz]\nseverities: [5]\ncorrupted_images: 4\n",
    "heat_maps": "rows: [standard, apr_sp]\nimages: 4\nwindow: 1\n",
    "adversarial": "rows: [standard, apr_sp]\nattacks: [pgd_ce, square]\n"
    "attack_steps: 1\nrestarts: 1\nqueries: 3\nattack_images: 5\n",
}
FIGURES = {
    "table": {"corruptions_small_resnet"},
    "swap": {"swap_cifar10_mini", "swap_other"},
    "detection": {"reliability"},
    "heat_maps": {"heat_maps"},
    "adversarial": {"adversarial"},
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(TINY + text)
    rng = np.random.default_rng(5)
    other = {"x": rng.integers(0, 256, (12, 32, 32, 3), dtype="uint8"), "y": np.arange(12)}
    np.savez(here / "other.npz", **other)


def call(*words):
    return running.call("apr", *words)


@pytest.mark.parametrize("name", SMALL)
def test_small_configurations_are_small(name):
    for kind in ("yaml", "cpu.yaml") if name in PAPER else ("cpu.yaml",):
        settings = load_config(EXPERIMENTS[SMALL[name]].config, CONFIGS / "apr" / f"{name}.{kind}")
        if name == "corrupt":
            continue
        assert settings.seeds == 3
        assert (settings.training.epochs == 10) == (kind == "cpu.yaml")
        assert settings.data.fallback == ("cifar10_mini" if kind == "cpu.yaml" else None)


def test_the_paper_configurations_hold_the_published_protocol():
    table = load_config(EXPERIMENTS["table"].config, CONFIGS / "apr" / "table.yaml")
    training = table.training
    assert (training.learning_rate, training.momentum, training.nesterov) == (0.1, 0.9, True)
    assert (training.weight_decay, training.batch_size, training.epochs) == (5e-4, 128, 200)
    assert (training.milestones, training.factor) == ((60, 120, 160, 190), 0.2)
    assert training.augmentations == Augmentations()
    assert table.all_rows == tuple(ROWS)
    attacked = load_config(EXPERIMENTS["adversarial"].config, CONFIGS / "apr" / "adversarial.yaml")
    attack = attacked.training.adversary
    assert attack.epsilon == attacked.epsilon == pytest.approx(8 / 255)
    assert (attack.steps, attack.step_size) == (1, pytest.approx(10 / 255))
    assert attacked.training.augmentations.pair == 0.16
    assert attacked.training.precision == "mixed_float16"


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("table", "rows=[apr]", "`rows` must hold some of standard, apr_p"),
        ("table", "networks=[]", "`networks` must hold some of small_resnet"),
        ("table", "severities=[6]", "`severities` must hold at least one number, each in [1, 5]"),
        ("table", "training.epoch=3", "Did you mean `training.epochs`?"),
        ("table", "training.peak=1", "`training.peak` must be above 0 and below 1"),
        (
            "table",
            "training.augmentations.pair=2",
            "`augmentations.pair` must lie in [0, 1]",
        ),
        ("swap", "examples=13", "`examples` must lie in [1, 12]"),
        ("swap", "training.network=vgg", "`training.network` must hold some of small_resnet"),
        ("detection", "outside=[]", "`outside` must name at least one set"),
        ("detection", "scores=[entropy]", "`scores` must hold some of max_logit"),
        ("heat_maps", "epsilon=0", "`epsilon` must be above 0"),
        ("adversarial", "rows=[cutout]", "`rows` must hold some of standard, apr_p, apr_s, apr_sp"),
        ("adversarial", "epochs={apr_p: 0}", "`epochs.apr_p` must be at least 1"),
        ("adversarial", "rates={fgsm: 1}", "`rates` must hold some of standard"),
        ("corrupt", "corruptions=[]", "`corruptions` must hold names"),
    ],
)
def test_wrong_settings_are_one_line(name, word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS[name].config, CONFIGS / "apr" / f"{name}.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["swap", "swap.yaml", "pairs=11"], "`pairs` must be at most the number of test images, 10"),
        (["heat_maps", "heat_maps.yaml", "images=11"], "`images` must be at most the number of test images"),
        (["adversarial", "adversarial.yaml", "attack_images=11"], "`attack_images` must be at most"),
        (["detection", "detection.yaml", "outside=[none.npz]"], "There is no such .npz file"),
        (["table", "table.yaml", "corrupted=nowhere"], "must be a folder, or one of cifar10_corrupted"),
    ],
)
def test_what_the_data_do_not_allow_is_one_line(here, capsys, words, message):
    assert call(*words, "output=out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_auto_attack_needs_torch(here, capsys):
    if keras.backend.backend() == "torch":
        pytest.skip("there it runs")
    assert call("adversarial", "adversarial.yaml", "auto_attack=true", "output=out") == 2
    assert "`auto_attack` needs PyTorch" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
@pytest.mark.parametrize("name", MINIATURES)
def test_every_experiment_in_miniature(here, capsys, monkeypatch, name):
    if name != "table":  # it trains the real thing; the others something that compiles quickly
        monkeypatch.setitem(ROWS, "apr_sp", dataclasses.replace(ROWS["standard"], label="APR-SP"))
    assert call(name, f"{name}.yaml", "output=out") == 0, capsys.readouterr().err
    out = here / "out"
    shares = [r["value"] for r in running.records(out) if isinstance(r["value"], float)]
    assert shares
    assert all(0 <= value <= 1 for value in shares)
    assert {path.stem for path in (out / "figures").glob("*.png")} == FIGURES[name]
    summary = (out / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert "APR-SP" in summary
    assert "[mem]" not in summary
    assert "summary.md" in capsys.readouterr().out


def test_a_corrupted_copy_is_written_once(here, capsys):
    config = CONFIGS / "apr" / "corrupt.cpu.yaml"
    words = ["data.test_images=3", "corruptions=[fog,contrast]", "folder=copy", "severities=[1,5]"]
    assert call("corrupt", config, *words, "output=out") == 0, capsys.readouterr().err
    foggy, labels = kf.data.read_corrupted("copy", "fog", 5)
    pixels, expected = kf.data.load("cifar10_mini").arrays("test", limit=3)
    np.testing.assert_array_equal(labels, expected)
    levels = np.rint(pixels * 255).astype("uint8")
    np.testing.assert_array_equal(foggy, kf.data.corrupt(levels, "fog", 5))
    assert sorted(path.name for path in Path("copy").glob("*.npy")) == [
        "contrast.npy",
        "fog.npy",
        "labels.npy",
    ]
    assert call("corrupt", config, *words, "corruptions=[fgo]", "output=o") == 2
    assert "Received: corruptions=['fgo']" in capsys.readouterr().err


@pytest.mark.slow
def test_networks_of_another_experiment_are_found(here, capsys):
    assert call("table", "table.yaml", "output=first", "rows=[standard]", "severities=[1]") == 0
    words = ["rows=[standard,cutout]", "images=2"]
    assert call("heat_maps", "heat_maps.yaml", *words, "output=second") == 0, capsys.readouterr().err
    found = {r["row"]: r["trained"] for r in running.records("second") if "trained" in r}
    assert found == {"standard": "before", "cutout": "here"}
    # Plainly trained networks are never taken for adversarially trained ones.
    adversarial = ["rows=[standard]", "output=third"]
    assert call("adversarial", "adversarial.yaml", *adversarial) == 0, capsys.readouterr().err
    assert [r["trained"] for r in running.records("third") if "trained" in r] == ["here"]


@pytest.mark.slow
def test_a_run_that_was_cut_short_ends_with_the_same_numbers(here, monkeypatch, capsys):
    words = ["rows=[standard]", "seeds=2", "severities=[1]"]
    assert call("table", "table.yaml", *words, "output=straight") == 0
    measured, calls = kf.evaluate.corruption_error, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measured(*args, **kwargs)

    monkeypatch.setattr(kf.evaluate, "corruption_error", interrupted)
    assert call("table", "table.yaml", *words, "output=out", "store=elsewhere") == 130
    assert "python -m apps.apr table --resume out" in capsys.readouterr().err
    assert call("table", "--resume", "out") == 0
    assert numbers(here / "out") == numbers(here / "straight")
