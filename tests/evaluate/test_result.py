"""Results: frozen, complete, written whole or not at all."""

from __future__ import annotations

import csv
import dataclasses
import json
import os

import keras
import numpy as np
import pytest

from keras_freq._core import result as module
from keras_freq.evaluate import AccuracyResult, MinimalAdversarialsResult, accuracy, band_accuracy


@pytest.fixture
def data(images, labels):
    return images, labels


def test_says_how_it_was_made(classifier, data):
    result = band_accuracy(classifier, data, radii=(4,))
    assert result.model == "tiny"
    assert result.n == 8
    assert result.settings["kind"] == "ideal"
    backend = keras.backend.backend()
    assert result.versions["backend"] == backend
    assert result.versions[backend] != "unknown"
    assert result.versions["keras"] == keras.__version__


def test_is_frozen_and_comparable(classifier, data):
    result = accuracy(classifier, data)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.accuracy = 1.0
    assert result == accuracy(classifier, data)


def test_json_and_csv(classifier, data, tmp_path):
    result = band_accuracy(classifier, data, radii=(4, 8))
    result.to_json(tmp_path / "new" / "bands.json")
    result.to_csv(tmp_path / "new" / "bands.csv")
    assert json.loads((tmp_path / "new" / "bands.json").read_text()) == result.to_dict()
    with open(tmp_path / "new" / "bands.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["band"] for row in rows] == ["clean", "low", "low", "high", "high"]
    assert [float(row["accuracy"]) for row in rows] == [result.clean, *result.low, *result.high]
    assert {row["n"] for row in rows} == {"8"}
    assert sorted(os.listdir(tmp_path / "new")) == ["bands.csv", "bands.json"]


def test_json_is_strict_where_numbers_are_infinite(tmp_path):
    result = MinimalAdversarialsResult(
        model="m",
        n=2,
        settings={},
        versions={},
        attack="a",
        norm="l2",
        distances=(0.5, np.inf),
        labels=(0, 1),
        clean=1.0,
        success=0.5,
        median=np.inf,
    )
    result.to_json(tmp_path / "r.json")
    text = (tmp_path / "r.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["distances"] == [0.5, None]
    result.to_csv(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().splitlines()[2].endswith(",1,1,inf")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    result = AccuracyResult(
        model="m", n=1, settings={}, versions={}, accuracy=1.0, correct_per_class=(1,), count_per_class=(1,)
    )
    path = tmp_path / "result.json"
    path.write_text("old")

    def fails(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(module.os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        result.to_json(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_file_mode_is_that_of_any_new_file(tmp_path):
    result = AccuracyResult(
        model="m", n=1, settings={}, versions={}, accuracy=1.0, correct_per_class=(1,), count_per_class=(1,)
    )
    result.to_csv(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("")
    assert (tmp_path / "a.csv").stat().st_mode == (tmp_path / "b.csv").stat().st_mode
