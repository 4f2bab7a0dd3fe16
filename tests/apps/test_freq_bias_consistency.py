"""Class consistency: settings, errors, the experiment in miniature, and a run that was cut short."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias import config, consistency
from apps.lab import RunError, load_config
from apps.lab.images import Images
from tests.apps import running
from tests.apps.running import CONFIGS, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 32, test_images: 20}
training: {network: small_resnet, width: 2, epochs: 1, batch_size: 16, schedule: constant}
radii: [4, 14]
"""


@pytest.fixture(autouse=True)
def miniature(here):
    (here / "tiny.yaml").write_text(TINY)


def call(*words):
    return running.call("freq_bias", "consistency", *words)


def test_the_configurations_load_and_say_what_they_are():
    paper = load_config(config.Consistency, CONFIGS / "freq_bias" / "consistency.yaml")
    small = load_config(config.Consistency, CONFIGS / "freq_bias" / "consistency.cpu.yaml")
    assert (paper.training.network, paper.training.epochs, paper.training.milestones) == (
        "resnet18",
        200,
        (50, 100, 150),
    )
    assert paper.data.train_images is None
    assert (small.training.network, small.data.fallback) == ("small_resnet", "cifar10_mini")
    assert paper.seeds == small.seeds == 3
    assert paper.radius == small.radius == 12


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("radius=-1", "`radius` must be at least 0. Received: radius=-1"),
        ("radii=[]", "`radii` must hold at least one number"),
        (
            "transforms=[fft]",
            "`transforms` must hold some of dft, dct, each once. Received: transforms=['fft']",
        ),
        ("keep=[high,high]", "`keep` must hold some of high, low, each once"),
        ("eval_cast=[wrap]", "`eval_cast` must hold some of none, clip, minmax, uint8_wrap"),
        ("seeds=0", "`seeds` must be at least 1"),
        ("training.momentum=1", "`training.momentum` must be above"),
        ("rescale=max", "there is no setting `rescale`"),
    ],
)
def test_wrong_settings_are_one_line(word, message):
    with pytest.raises(RunError) as caught:
        load_config(config.Consistency, CONFIGS / "freq_bias" / "consistency.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_data_do_not_allow_is_one_line(here, capsys):
    assert call("tiny.yaml", "radius=33", "output=out") == 2
    error = capsys.readouterr().err
    assert "radii must be at most the side of the images, 32. Received: radius=33" in error
    assert error.count("\n") == 1


def test_a_class_without_donors_stops_before_training(here, capsys, monkeypatch):
    x, y = np.zeros((6, 32, 32, 3), "float32"), np.array([1, 1, 0, 1, 1, 2], "int32")
    lopsided = Images("lopsided", ("a", "b", "c"), (x, y), (x, y))
    monkeypatch.setattr(consistency, "load_images", lambda *args, **options: lopsided)
    assert call("tiny.yaml", "output=out") == 2
    assert "for want of donors. Received: 4 of 6 images" in capsys.readouterr().err
    assert not list((here / "out" / "checkpoints").glob("*"))


def test_names_of_the_training_sets():
    names = consistency.training_sets(config.Consistency())
    assert list(names) == ["original", "dft_high", "dft_low", "dct_high", "dct_low"]
    assert names["original"] is None
    assert names["dct_low"] == {"transform": "dct", "keep": "low"}
    few = consistency.training_sets(config.Consistency(transforms=("dft",), keep=("high",)))
    assert list(few) == ["original", "dft_high"]


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
        assert call("tiny.yaml", "keep=[high]", "output=out") == 130
    assert "python -m apps.freq_bias consistency --resume out" in capsys.readouterr().err
    out = here / "out"
    kept = numbers(out)
    assert kept
    assert call("--resume", "out") == 0, capsys.readouterr().err
    assert numbers(out)[: len(kept)] == kept
    records = running.records(out)
    names = {"original", "dft_high", "dct_high"}
    assert {r["network"] for r in records if "network" in r} == names
    for name in names:
        for cast in ("none", "uint8_wrap"):
            found = {r["measure"]: r["value"] for r in records if r["stage"] == f"{name}/seed0/{cast}"}
            clean = {"clean"} if cast == "none" else set()
            assert set(found) == {"low_4", "low_14", "high_4", "high_14"} | clean
            assert all(0 <= value <= 1 for value in found.values())
    assert {path.stem for path in (out / "figures").glob("*.png")} == {"consistency", "hars"}
    summary = (out / "summary.md").read_text()
    # The split of the DCT, 12 half cycles, is nearest to radius 4.
    for words in (
        "r = 14, cast to 8 bits",
        "(r = 4, values as they are) is higher",
        "no verified number",
        "`dft_high`",
        "| original |",
    ):
        assert words in summary
    assert "[mem]" not in summary
