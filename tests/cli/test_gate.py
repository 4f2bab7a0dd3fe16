"""Conditions, baselines, JUnit XML."""

import json
from xml.etree import ElementTree

import pytest

from keras_freq._cli._gate import Gate, read_condition
from keras_freq._cli._numbers import better, flat_numbers, read_numbers

pytestmark = pytest.mark.once

NUMBERS = {"clean": 0.9, "low_8": 0.5, "error_low": 0.2, "density_low": 3.0}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("low_8 < .8", 1),
        ("low_8 <.5", 0),
        ("low_8<=0.5", 1),
        ("clean > 9e-1", 0),
        ("clean >= +.9", 1),
        ("density_low > -1", 1),
    ],
)
def test_a_condition_that_holds_is_a_finding(text, code, capsys):
    assert Gate.read([text]).judge(NUMBERS) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == code
    assert all(line.startswith("finding: ") for line in lines)


@pytest.mark.parametrize(
    "text", ["low_8", "low_8 = 1", "low_8 == 1", "< 3", "low_8 < x", "low_8 < 1 or 1", "", "a < b < 1"]
)
def test_other_texts_are_refused_before_anything_is_measured(text):
    with pytest.raises(ValueError, match=r"NAME < NUMBER.*Received: --fail-if"):
        read_condition(text)


def test_an_unknown_name_is_told_with_all_and_the_nearest():
    told = r"clean, low_8, .*did you mean low_8\? Received: --fail-if 'low_9 < 1'"
    with pytest.raises(ValueError, match=told):
        Gate.read(["low_9 < 1"]).judge(NUMBERS)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("clean", 0.92, 0),  # worse by the tolerance itself
        ("clean", 0.93, 1),
        ("clean", 0.1, 0),  # better now
        ("error_low", 0.18, 0),
        ("error_low", 0.17, 1),
        ("error_low", 0.9, 0),
        ("density_low", 2.99, 0),
        ("density_low", 2.9, 1),
        ("density_low", 3.1, 1),
    ],
)
def test_a_baseline_knows_which_way_is_worse(name, value, code, tmp_path):
    path = tmp_path / "base.json"
    path.write_text(json.dumps({name: value}))
    assert Gate.read(None, path, 0.02).judge(NUMBERS) == code


def test_directions():
    higher = ("clean", "low_4", "high_12", "robust_8", "band_accuracy")
    lower = ("error_mid", "tpr_3", "fpr_0", "shortcuts", "corruption_error")
    assert {better(name) for name in higher} == {"higher"}
    assert {better(name) for name in lower} == {"lower"}
    assert better("density_high") is None


def test_a_baseline_of_other_numbers_is_refused_and_missing_ones_are_told(tmp_path, capsys):
    path = tmp_path / "base.json"
    path.write_text(json.dumps({"numbers": {"low_4": 0.5}}))
    with pytest.raises(ValueError, match="Received: a baseline of low_4"):
        Gate.read(None, path).judge(NUMBERS)
    path.write_text(json.dumps({"low_4": 0.5, "clean": 0.9}))
    assert Gate.read(None, path).judge(NUMBERS) == 0
    assert "not measured here: low_4" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[1]", "{}", '{"a": "b"}', "{", '{"a": true}'])
def test_a_baseline_without_numbers_is_refused(text, tmp_path):
    path = tmp_path / "base.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="Received: --baseline"):
        read_numbers(path)


def test_junit_has_a_case_for_each_condition(tmp_path):
    path = tmp_path / "deep" / "junit.xml"
    gate = Gate.read(["low_8 < .8", "clean < .1"], None, 0.02, path)
    assert gate.judge(NUMBERS, suite="keras-freq bands") == 1
    suite = ElementTree.parse(path).getroot()[0]
    assert suite.attrib == {
        "name": "keras-freq bands",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
    }
    assert [(case.get("name"), len(case)) for case in suite] == [("low_8 < 0.8", 1), ("clean < 0.1", 0)]
    assert suite[0][0].get("message") == "low_8 < 0.8: low_8 is 0.5000"


def test_numbers_of_another_object_are_refused():
    with pytest.raises(TypeError, match="Received: dict"):
        flat_numbers({})
