"""Results: frozen, complete, written whole or not at all."""

import csv
import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core import files
from keras_freq._core.result import Record, Result
from keras_freq.evaluate import AccuracyResult, MinimalAdversarialsResult, accuracy, band_accuracy
from tests.every_result import EVERY
from tests.refusals import refused


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
    stored = json.loads((tmp_path / "new" / "bands.json").read_text())
    assert stored == {"result": "BandAccuracyResult", "format": 1, **result.to_dict(), "predictions": None}
    with open(tmp_path / "new" / "bands.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["band"] for row in rows] == ["clean", "low", "low", "high", "high"]
    assert [float(row["accuracy"]) for row in rows] == [result.clean, *result.low, *result.high]
    assert {row["n"] for row in rows} == {"8"}
    assert sorted(os.listdir(tmp_path / "new")) == ["bands.csv", "bands.json"]


@pytest.mark.once
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
    assert json.loads(text, parse_constant=pytest.fail)["distances"] == [0.5, "Infinity"]
    result.to_csv(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().splitlines()[2].endswith(",1,1,inf")


@pytest.mark.once
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    result = AccuracyResult(
        model="m", n=1, settings={}, versions={}, accuracy=1.0, correct_per_class=(1,), count_per_class=(1,)
    )
    path = tmp_path / "result.json"
    path.write_text("old")

    def fails(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        result.to_json(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def same(one, other):
    """Equality of all that a record holds, types included, what `==` leaves out too."""
    if isinstance(one, Record):
        names = [field.name for field in dataclasses.fields(one)]
        return type(one) is type(other) and all(same(getattr(one, n), getattr(other, n)) for n in names)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, (tuple, list)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and (one == other or (one != one and other != other))


def test_the_table_holds_every_result():
    public = {
        name: kind
        for part in (kf.data, kf.evaluate, kf.shortcuts)
        for name, kind in ((name, getattr(part, name)) for name in part.__all__)
        if isinstance(kind, type) and issubclass(kind, Record)
    }
    assert EVERY.keys() == public.keys() - {"Result"}


@pytest.mark.parametrize("name", EVERY)
def test_every_result_is_read_back(name, classifier, data, tmp_path):
    result = EVERY[name](classifier, data)
    assert type(result).__name__ == name
    path = tmp_path / "result.json"
    assert result.to_json(path) is None
    text = result.to_json()
    assert path.read_text() == text
    json.loads(text, parse_constant=pytest.fail)
    base = Result if isinstance(result, Result) else type(result)
    for again in (base.from_json(path), base.from_json(str(path)), type(result).from_json(text)):
        assert again == result
        assert same(again, result)
        assert again.rows() == result.rows() or "nan" in str(result.rows())
    assert result != dataclasses.replace(result, **changed(result))
    result.to_csv(tmp_path / "result.csv")
    assert len((tmp_path / "result.csv").read_text().splitlines()) == 1 + len(result.rows())


@pytest.mark.parametrize("name", EVERY)
def test_every_result_is_a_few_lines_and_a_data_frame(name, classifier, data):
    pandas = pytest.importorskip("pandas")
    result = EVERY[name](classifier, data)
    lines = str(result).splitlines()
    assert 2 <= len(lines) <= 6
    assert max(map(len, lines)) <= 210
    assert lines[0].startswith(name)
    assert "object at" not in str(result)
    assert "array(" not in str(result)
    if isinstance(result, Result):
        assert f"n = {result.n}" in lines[0]
    frame = result.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == len(result.rows())
    assert list(frame.columns) == list(result.rows()[0])


def test_without_pandas_it_says_so_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with refused(match=r"needs pandas: pip install pandas\. Received: ", error=ImportError):
        with_settings(None).to_dataframe()


def changed(result):
    """A first compared field with another value."""
    field = next(field for field in dataclasses.fields(result) if field.compare)
    value = getattr(result, field.name)
    return {field.name: value + 1 if isinstance(value, np.ndarray) else "another"}


def with_settings(value):
    return AccuracyResult(
        model=None,
        n=1,
        settings={"value": value},
        versions={},
        accuracy=1.0,
        correct_per_class=(1,),
        count_per_class=(1,),
    )


@pytest.mark.once
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        0.1,
        1e-300,
        -0.0,
        float("nan"),
        float("inf"),
        -float("inf"),
        2**70,
        "NaN",
        "$list",
        "ünïcode\n\u2028",
        (),
        ((1, (2.5, None)), "a"),
        [1, [2], (3,)],
        {3: "three", None: [1], (1, 2): {"x": 1}},
        {"$array": "no array"},
        {},
        b"\x00\xff",
        frozenset({b"a", b"b"}),
        np.arange(6, dtype="int64").reshape(2, 3),
        np.array([[np.nan, np.inf, -0.0]], "float32"),
        np.array(2.5),
        np.zeros((0, 3), "uint8"),
        np.array([True, False]),
        np.arange(6, dtype=">f8")[::2],
        with_settings((1, np.ones(3, "float16"))),
    ],
)
def test_every_value_comes_back(value):
    result = with_settings(value)
    again = Result.from_json(result.to_json())
    assert again == result
    assert same(again.settings["value"], value) or value.dtype.byteorder == ">"  # read as native


def test_numpy_numbers_become_plain_ones():
    again = Result.from_json(with_settings((np.float32(0.1), np.int64(3), np.bool_(True))).to_json())
    assert again == with_settings((np.float32(0.1), np.int64(3), np.bool_(True)))
    assert [type(value) for value in again.settings["value"]] == [float, int, bool]


@pytest.mark.once
@pytest.mark.parametrize("value", [object(), np.array([object()]), np.array(["a"]), 1j, len])
def test_what_cannot_be_written_is_one_line(value, tmp_path):
    with refused(match="must hold numbers, texts, None", error=TypeError):
        with_settings(value).to_json(tmp_path / "a.json")
    assert not os.listdir(tmp_path)


@pytest.mark.once
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        (np.ones(2), np.ones(3)),
        (np.ones(2), (1.0, 1.0)),
        (np.array([np.nan, 1]), np.array([np.nan, 2])),
        ({"a": 1}, {"a": 1, "b": 2}),
        (float("nan"), 0.0),
        (None, float("nan")),
    ],
)
def test_what_differs_is_not_equal(one, other):
    assert with_settings(one) != with_settings(other)
    assert with_settings(other) != with_settings(one)
    assert with_settings(1) != 1


GOOD = with_settings(np.ones(3)).to_json()


@pytest.mark.once
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD[:-20], "is damaged or is none"),
        (GOOD.replace('"AccuracyResult"', '"Popen"'), "must hold a result of class Result"),
        (GOOD.replace('"AccuracyResult"', "3"), "must be JSON that `to_json` wrote"),
        (GOOD.replace('"format": 1', '"format": 2'), "a later one needs a later version of keras_freq"),
        (GOOD.replace('"format": 1,', ""), "must have format 1"),
        ('{"a": 1}', "must be JSON that `to_json` wrote"),
        ("{", "is damaged or is none"),
        ('{"result":' * 100_000, "is damaged or is none"),
        (GOOD.replace('"n": 1', '"n": "one"'), "its n is of another kind"),
        (GOOD.replace('"n": 1', '"m": 1'), "it has no n"),
        (GOOD.replace('"n": 1', '"n": 1, "m": 1'), "it has an unknown m"),
        (GOOD.replace("[1]", "1"), "its correct_per_class is of another kind"),
        (GOOD.replace("[1]", '["a"]'), "its correct_per_class is of another kind"),
        (GOOD.replace("$array", "$pickle"), "unknown mark '$pickle'"),
        (GOOD.replace("float64", "object"), "an array of object"),
        (GOOD.replace("float64", "float32"), "an array that is cut or changed"),
        (GOOD.replace("[3]", "[4]"), "an array that is cut or changed"),
        (GOOD.replace("[3]", "[-1]"), "is damaged"),
        (GOOD.replace('"$array": "', '"$array": "AAAA'), "an array that is cut or changed"),
        (GOOD.replace('"$array": "', '"$array": "!'), "is damaged"),
        (GOOD.replace('"$array"', '"$record"'), "is damaged"),
        (GOOD.replace('"$array"', '"$pairs"'), "is damaged"),
        (GOOD.replace('"$array"', '"$bytes"'), "is damaged"),
    ],
)
def test_foreign_and_damaged_json_is_one_line(text, message, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(text)
    for source in (text, path):
        with refused(message):
            Result.from_json(source)


def test_a_class_refuses_the_json_of_another():
    with pytest.raises(ValueError, match=r"class BandAccuracyResult\. Received: .* of class AccuracyResult"):
        kf.evaluate.BandAccuracyResult.from_json(GOOD)
    with pytest.raises(ValueError, match=r"class Result\. Received: .* of class FrequencyMaps"):
        Result.from_json(kf.shortcuts.FrequencyMaps(np.ones((1, 4, 4), "float32")).to_json())


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        Result.from_json(tmp_path / "none.json")
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "image.json").write_bytes(b"\x89PNG\xff\xfe")
    for name in ("empty.json", "image.json"):
        with pytest.raises(ValueError, match="is damaged or is none") as caught:
            Result.from_json(tmp_path / name)
        assert name in str(caught.value)


def test_a_result_of_ones_own_is_read_back():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class AccuracyResult(Result):
        extra: float | None = None

    own = AccuracyResult(model="m", n=1, settings={}, versions={}, extra=0.5)
    assert Result.from_json(own.to_json()) == own
    assert type(Result.from_json(GOOD)) is kf.evaluate.AccuracyResult


@pytest.mark.once
def test_the_parts_are_imported_where_a_result_needs_them():
    text = kf.shortcuts.shortcut_curve([0.9], [0.95]).to_json()
    program = f"from keras_freq._core.result import Record; print(type(Record.from_json({text!r})).__name__)"
    light = {**os.environ, "KERAS_BACKEND": "numpy"}  # no framework to wait for
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=light
    )
    assert done.stdout.split() == ["ShortcutCurve"]
