"""Class consistency: errors, the experiment in miniature, and a run that was cut short."""

from __future__ import annotations

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_bias import config, consistency
from apps.lab.images import Images
from tests.apps import running
from tests.apps.running import interrupt, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 32, test_images: 20}
training: {network: tiny, epochs: 1, batch_size: 16, schedule: constant}
radii: [4, 14]
"""


@pytest.fixture(autouse=True)
def miniature(here):
    (here / "tiny.yaml").write_text(TINY)


@pytest.mark.once
def test_what_the_data_do_not_allow_is_one_line():
    message = "radii must be at most the side of the images, 32. Received: radius=33"
    running.refuse(message, "freq_bias", "consistency", "tiny.yaml", "radius=33", "output=out")


@pytest.mark.once
def test_a_class_without_donors_stops_before_training(here, monkeypatch):
    x, y = np.zeros((6, 32, 32, 3), "float32"), np.array([1, 1, 0, 1, 1, 2], "int32")
    lopsided = Images("lopsided", ("a", "b", "c"), (x, y), (x, y))
    monkeypatch.setattr(consistency, "load_images", lambda *args, **options: lopsided)
    message = "for want of donors. Received: 4 of 6 images"
    running.refuse(message, "freq_bias", "consistency", "tiny.yaml", "output=out")
    assert not (here / "runs" / "networks").exists()


@pytest.mark.once
def test_names_of_the_training_sets():
    names = consistency.training_sets(config.Consistency())
    assert list(names) == ["original", "dft_high", "dft_low", "dct_high", "dct_low"]
    assert names["original"] is None
    assert names["dct_low"] == {"transform": "dct", "keep": "low"}
    few = consistency.training_sets(config.Consistency(transforms=("dft",), keep=("high",)))
    assert list(few) == ["original", "dft_high"]


@pytest.mark.once
@pytest.mark.slow
def test_in_miniature_and_again_after_a_kill(here, capsys):
    with interrupt(kf.evaluate, "band_accuracy", at=4):
        words = ["tiny.yaml", "keep=[high]", "output=out"]
        assert running.call("freq_bias", "consistency", *words) == 130
    assert f"python -m apps.freq_bias consistency --resume {here / 'out'}" in capsys.readouterr().err
    out = here / "out"
    kept = numbers(out)
    assert kept
    running.finish("freq_bias", "consistency", "--resume", "out")
    assert numbers(out)[: len(kept)] == kept
    records = running.records(out)
    names = {"original", "dft_high", "dct_high"}
    assert {r["network"] for r in records if "network" in r} == names
    for name in names:
        for cast in ("none", "uint8_wrap"):
            found = {r["measure"]: r["value"] for r in records if r["stage"] == f"{name}/seed0/{cast}"}
            assert set(found) == {"clean", "low_4", "low_14", "high_4", "high_14"}
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
