"""`keras-freq report`: the page, its gate, and going on."""

import json

import pytest

import keras_freq as kf
from keras_freq._cli._report import SECTIONS as COMMAND_SECTIONS
from keras_freq._cli._report import _expand
from keras_freq._report._sections import SECTIONS


@pytest.fixture
def one(tiny, arrays, tmp_path):
    """A report of bands and swaps alone."""
    return f"report {tiny} {arrays} --only bands,swap --out {tmp_path / 'page'}"


def test_the_folder_has_the_page_and_the_numbers_of_the_functions(cli, one, classifier, arrays, tmp_path):
    done = cli(one)
    assert done.code == 0
    assert "assumed" in done.out
    assert "five" not in done.err
    page = tmp_path / "page"
    report = kf.Report.from_json(page / "report.json")
    assert f"{report.numbers()['clean']:.3f} right as they are" in done.out
    assert (page / "index.html").stat().st_size > 10_000
    assert report.settings["only"] == ("clean", "bands", "swap")
    data = kf.data.load(arrays).arrays("test", dtype="uint8")
    bands = kf.evaluate.band_accuracy(classifier, data, radii=(2, 4, 8, 12, 16))
    assert report.models[0].results["bands"]["bands"].low == bands.low


@pytest.mark.once
def test_the_gate_and_the_baseline(cli, one, tmp_path):
    done = cli(one, "--fail-if", "clean >= 0", "--junit", tmp_path / "gate.xml")
    assert done.code == 1
    assert "finding: clean >= 0" in done.err
    assert "<failure" in (tmp_path / "gate.xml").read_text()
    same = cli(one, "--resume", "--baseline", tmp_path / "page" / "report.json", "--json")
    assert same.code == 0
    assert json.loads(same.out)["result"] == "Report"


@pytest.mark.once
def test_beside_another_model_and_unknown_images(cli, one, tiny, arrays, tmp_path):
    done = cli(one.replace("bands,swap", "bands,unknown"), "--against", tiny, "--unknown", arrays)
    assert done.code == 0
    report = kf.Report.from_json(tmp_path / "page" / "report.json")
    assert [model.name for model in report.models] == ["tiny", str(tiny)]
    assert {row.difference for row in report.differences()} == {0.0}
    assert report.numbers()["auroc"] == 0.5


@pytest.mark.once
def test_a_pattern_names_the_reference_networks_that_are_here(cli, one, tmp_path, monkeypatch):
    here = {network.name for network in kf.models.references() if network.file is not None}
    others = {name for name in here if name.startswith("cifar10/")} - {"cifar10/standard"}
    assert set(_expand(["cifar10/*"], "cifar10/standard")) == others
    assert _expand(["cifar10/apr_sp", "*10/apr_sp", "a.keras"], "b.keras") == ["cifar10/apr_sp", "a.keras"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m[1].keras").touch()
    assert _expand(["m[1].keras"], "b.keras") == ["m[1].keras"]
    done = cli(one, "--against", "nobody/*")
    assert done.code == 2
    assert "of reference networks there are cifar10/" in done.err


@pytest.mark.once
def test_what_cannot_be_is_one_line(cli, one, tmp_path):
    wrong = cli(one.replace("bands,swap", "band"))
    assert wrong.code == 2
    assert "--only must be some of bands, heat-map" in wrong.err
    assert wrong.err.count("error") == 1
    assert [name.replace("-", "_") for name in COMMAND_SECTIONS] == [*SECTIONS][1:]
    file = cli(f"{one}.json")
    assert file.code == 2
    assert "--out must be a folder" in file.err


@pytest.mark.slow
@pytest.mark.once
def test_the_demo_needs_nothing(cli, tmp_path, monkeypatch):
    whole = kf.report
    monkeypatch.setattr(
        "keras_freq._report.report", lambda *data, **options: whole(*data, **(options | {"only": ("bands",)}))
    )
    done = cli("demo", "--n", 40, "--out", tmp_path / "demo", "--fail-if", "clean < .8")
    assert done.code == 0
    assert "cifar10-standard (reference network)" in done.out
    assert (tmp_path / "demo" / "index.html").is_file()
