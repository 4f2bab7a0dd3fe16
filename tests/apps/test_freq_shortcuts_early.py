"""Synthetic sets and early learning: settings, both in miniature, and a run that was cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from apps.freq_shortcuts import early
from apps.freq_shortcuts.__main__ import EXPERIMENTS
from apps.lab import RunError, cli, load_config
from apps.lab.config import as_dict, differences
from apps.lab.files import read_records

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs" / "freq_shortcuts"
TRAINING = (
    "{network: small_resnet, width: 2, batch_size: 20, schedule: constant, validation: 0, padding: null}"
)
MINIATURES = {
    "synthetic": "seeds: 1\nbands: [1, 4]\ntrain_per_class: 10\ntest_per_class: 5\n"
    f"networks: [small_resnet]\niterations: 3\nevery: 2\ntraining: {TRAINING}\n",
    "learning": "seeds: 1\ndata: {name: cifar10_mini, train_images: 40, test_images: 30}\n"
    f"kinds: [original, high]\nradius: 4\niterations: 3\nevery: 2\ntraining: {TRAINING}\n",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in MINIATURES.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def call(*words):
    return cli.command("freq_shortcuts", EXPERIMENTS, [str(word) for word in words])


def numbers(folder):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_records(folder / "results.jsonl")]


@pytest.mark.parametrize("name", MINIATURES)
def test_the_configurations_load_and_say_what_they_are(name):
    paper = load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.yaml")
    load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.cpu.yaml")
    training = paper.training
    assert (training.learning_rate, training.momentum, training.nesterov) == (0.01, 0.9, True)
    assert (training.batch_size, training.padding) == (64, None)
    if name != "synthetic":
        assert paper.data.classes[7] == "n02391049"  # zebra
    written = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    assert [d for d in differences(written, as_dict(paper)) if d[0] != "store"] == []
    for kind in ("yaml", "cpu.yaml"):
        header = (CONFIGS / f"{name}.{kind}").read_text().split("seed:")[0]
        assert f"python -m apps.freq_shortcuts {name} configs/freq_shortcuts/{name}.{kind}" in header
        assert "ICCV 2023" in header
        assert "Minutes" in header
        assert "[mem]" not in header
        assert max(map(len, header.splitlines())) <= 165


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("synthetic", "bands=[5]", "`bands` must hold at least one number, each in [1, 4]"),
        ("synthetic", "every=501", "`every` must lie in [1, 500]"),
        ("learning", "kinds=[all]", "`kinds` must hold some of original, low, high"),
        ("learning", "radius=-1", "`radius` must be at least 0"),
    ],
)
def test_wrong_settings_are_one_line(name, word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_classes_learned_at_the_same_measurement():
    alone = np.array([[0.4, 0.0, 0.0, 0.5], [0.9, 0.9, 0.9, 0.9]])
    both = np.array([[0.4, 0.0, 0.0, 0.4], [0.5, 0.0, 0.0, 0.9], [0.9, 0.9, 0.9, 0.9]])
    assert (early.first({"f1": alone})[0], early.tied({"f1": alone})) == (3, False)
    assert (early.first({"f1": both})[:2], early.tied({"f1": both})) == ([3, 0], True)
    assert not early.tied({"f1": np.full((2, 4), 0.4)})


@pytest.mark.slow
def test_synthetic_in_miniature_and_again_after_a_kill(here, monkeypatch, capsys):
    measured, calls = early.kf.callbacks.EarlyLearning, []

    class Interrupted(measured):
        def on_train_batch_end(self, batch, logs=None):
            calls.append(None)
            if len(calls) == 5:
                raise KeyboardInterrupt
            super().on_train_batch_end(batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(early.kf.callbacks, "EarlyLearning", Interrupted)
        assert call("synthetic", "synthetic.yaml", "output=out") == 130
    out = here / "out"
    kept = numbers(out)
    assert {r["stage"] for r in kept} == {"small_resnet/b1/seed0"}
    assert call("synthetic", "--resume", "out") == 0, capsys.readouterr().err
    records = numbers(out)
    assert records[: len(kept)] == kept
    for band in (1, 4):
        found = [r for r in records if r["stage"] == f"small_resnet/b{band}/seed0"]
        assert len(found) == 4 * (1 + 1 + 6)
        assert all(0 <= r["value"] <= 1 for r in found if r["measure"] != "learned")
        with np.load(out / "arrays" / f"small_resnet-b{band}-seed0.npz") as arrays:
            np.testing.assert_array_equal(arrays["steps"], [2, 3])
            assert arrays["f1"].shape == (2, 4)
    figures = {path.stem for path in (out / "figures").glob("*.png")}
    assert figures == {
        "images",
        "spectra",
        "early_small_resnet",
        "band_stop_small_resnet_b1",
        "band_stop_small_resnet_b4",
    }
    assert "C3 first in B1: " in (out / "summary.md").read_text()


@pytest.mark.slow
def test_learning_in_miniature(here, capsys):
    assert call("learning", "learning.yaml", "output=out") == 0, capsys.readouterr().err
    records = numbers(here / "out")
    for kind in ("original", "high"):
        assert len([r for r in records if r.get("kind") == kind]) == 10
    assert "high-passed, radius 4" in (here / "out" / "summary.md").read_text()
