"""The report: every number is that of its function, and what was measured is never lost."""

import dataclasses
import re

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._report import _measure as measure_report
from keras_freq._report._sample import draw_sample
from keras_freq._report._sections import SECTIONS, Look, Section
from tests.refusals import refused

CHEAP = ("bands", "swap", "gradients")


@pytest.fixture
def data(images, labels):
    scales = np.linspace(0.5, 1, 10, dtype="float32").reshape(-1, 1, 1, 1, 1)
    return (images * scales).reshape(-1, 32, 32, 3), np.tile(labels, 10)


def test_numbers_are_those_of_the_functions(classifier, data):
    report = kf.report(classifier, data, only=CHEAP)
    x, y = draw_sample(data, 1000, 0)
    numbers = report.numbers()
    assert numbers["clean"] == kf.evaluate.accuracy(classifier, (x, y)).accuracy
    bands = kf.evaluate.band_accuracy(classifier, (x, y), radii=(2, 4, 8, 12, 16))
    assert [numbers[f"low_{radius}"] for radius in (2, 4, 8, 12, 16)] == list(bands.low)
    assert [numbers[f"high_{radius}"] for radius in (2, 4, 8, 12, 16)] == list(bands.high)
    swap = kf.evaluate.amplitude_swap(classifier, (x, y), seed=0)
    assert report.models[0].results["swap"]["swap"] == swap
    assert report.n == 80
    assert len(report.rows()) == len(numbers)


@pytest.mark.slow
@pytest.mark.once
def test_everything_is_measured_written_and_read_back(classifier, data, tmp_path):
    options = {"unknown": 1 - data[0], "classes": list("abcd"), "n": 48, "only": tuple(SECTIONS)}
    report = kf.report(classifier, data, to=tmp_path / "r", **options)
    (model,) = report.models
    assert tuple(model.results) == tuple(SECTIONS)
    again = kf.Report.from_json(tmp_path / "r" / "report.json")
    assert again == report
    assert again.numbers() == pytest.approx(report.numbers(), rel=0, abs=0, nan_ok=True)
    assert again.findings() == report.findings()
    page = (tmp_path / "r" / "index.html").read_text("utf-8")
    for finding in report.findings():
        assert finding.verdict in ("yes", "no", "unclear")
        assert finding.number is None or finding.interval is None or finding.interval[0] <= finding.number
    for name in SECTIONS:
        assert f'id="{name}"' in page
    named = re.findall(r'aria-labelledby="([^"]+)"', page)  # not the other spelling: it is a name of HTML
    assert len(named) == len(re.findall("<section", page))
    assert all(f'id="{name}"' in page for name in named)
    shown = set(re.findall(r'data-order="([^"]+)"', page))
    numbers = report.numbers()
    for name in ("clean", "low_4", "high_8", "corruption_error", "robust_2", "auroc", "follows_phase"):
        assert str(float(numbers[name])) in shown, name
    files = {path.relative_to(tmp_path / "r").as_posix() for path in (tmp_path / "r").rglob("*.*")}
    assert {"tables/bands_0.csv", "figures/heat_map.svg", "figures/pictures.png"} <= files
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


@pytest.mark.once
def test_differences_are_paired_over_the_images(classifier, data, tmp_path):
    other = keras.models.clone_model(classifier)
    options = {"only": ("bands", "attacks"), "to": tmp_path}
    report = kf.report(classifier, data, against={"other": other}, **options)
    assert [model.name for model in report.models] == ["tiny", "other"]
    rows = {row.measure: row for row in report.differences()}
    assert {"clean", "low_4", "high_16", "robust_2"} <= rows.keys()
    for name, row in rows.items():
        assert row.difference == row.value - row.reference
        assert row.value == report.numbers()[name]
        assert row.interval[0] <= row.difference + 0.06
        assert row.interval[1] >= row.difference - 0.06
        assert row.paired == (not name.startswith("robust"))
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "tiny less the other model" in page
    beyond = [row for row in rows.values() if row.interval[0] > 0 or row.interval[1] < 0]
    assert page.count('<tr class="differs">') == len(beyond)


@pytest.mark.once
def test_the_same_model_differs_from_itself_by_nothing(classifier, data):
    report = kf.report(classifier, data, against=[classifier], only=("bands",))
    assert [model.name for model in report.models] == ["tiny 2", "tiny"]
    for row in report.differences():
        assert row.difference == 0
        assert row.interval[0] < 0 < row.interval[1]
        assert row.paired
        assert row.n == 80
    assert '<tr class="differs">' not in report.to_html()


@pytest.mark.once
def test_the_rules_of_the_bands(data):
    class Constant(keras.layers.Layer):
        def call(self, inputs):
            return keras.ops.zeros_like(inputs[:, 0, 0, :1]) + keras.ops.array([1.0, 0, 0, 0])

    model = keras.Sequential([keras.Input((32, 32, 3)), Constant()])
    high, blur, *others = kf.report(model, data, only=("bands",)).findings()
    assert (high.verdict, blur.verdict) == ("unclear", "unclear")
    assert high.number == 0.25
    assert (
        blur.title == "Low frequencies: the model has nothing to lose"
    )  # it is no praise that blur costs none
    assert [finding.verdict for finding in others] == ["missing"] * 3
    many = [np.concatenate([part] * 30) for part in data]
    high, *_ = kf.report(model, many, only=("bands",)).findings()
    assert high.verdict == "no"
    assert "without the lowest 4 rings" in high.text


@pytest.mark.once
def test_hostile_names_are_text(classifier, data, tmp_path):
    hostile = ["<script>alert(1)</script>", "n[/x]", "a $formula", '" onload="x']
    kf.report(classifier, data, only=("bands", "swap"), classes=hostile, to=tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert '" onload="x' not in page
    assert page.count("<script>") == 1


class _Stopped(Exception):
    pass


@pytest.mark.once
def test_a_stopped_report_tells_what_is_missing_and_goes_on(classifier, data, tmp_path, monkeypatch):
    def stop(look):
        raise _Stopped

    calls = []

    def count(look):
        calls.append(look.n)
        return SECTIONS["bands"].measure(look)

    cut = SECTIONS | {
        "bands": Section("Bands", count, lambda look: 1),
        "swap": Section("Amplitude and phase", stop, lambda look: 1),
    }
    monkeypatch.setattr(measure_report, "SECTIONS", cut)
    options = {"only": CHEAP, "to": tmp_path / "half"}
    with pytest.raises(_Stopped):
        kf.report(classifier, data, **options)
    page = (tmp_path / "half" / "index.html").read_text("utf-8")
    assert "Not measured</strong> of tiny: was not reached" in page
    half = kf.Report.from_json(tmp_path / "half" / "report.json")
    assert sorted(half.models[0].results) == ["bands", "clean", "gradients"]
    monkeypatch.setattr(measure_report, "SECTIONS", cut | {"swap": SECTIONS["swap"]})
    whole = kf.report(classifier, data, resume=True, **options)
    assert calls == [80]
    assert whole == kf.report(classifier, data, only=CHEAP)
    kf.report(classifier, data, **options)
    assert len(calls) == 3  # not resumed: measured anew
    other = keras.models.clone_model(classifier)
    kept = (tmp_path / "half" / "report.json").read_bytes()
    with refused("`resume` goes on with a report on the same models"):
        kf.report(other, data, resume=True, **options)
    assert (tmp_path / "half" / "report.json").read_bytes() == kept
    assert kf.report(other, data, **options).models[0].digest != whole.models[0].digest


@pytest.mark.once
def test_a_sample_is_even_and_repeats(rng):
    x = np.arange(1000, dtype="float32").reshape(-1, 1, 1, 1) / 1000 * np.ones((1, 2, 2, 1), "float32")
    y = np.repeat(np.arange(10), 100).astype("int32")
    images, labels = draw_sample((x, y), 200, 3)
    again, _ = draw_sample((x, y), 200, 3)
    np.testing.assert_array_equal(images, again)
    assert len(set(images[:, 0, 0, 0].tolist())) == 200
    np.testing.assert_array_equal(np.floor(images[:, 0, 0, 0] * 10 + 1e-4), labels)
    assert np.bincount(labels, minlength=10).min() >= 8  # 20 +- 4
    batches = [(x[start : start + 7], y[start : start + 7]) for start in range(0, 1000, 7)]
    np.testing.assert_array_equal(draw_sample(batches, 200, 3)[0], images)
    everything, _ = draw_sample((x, y), 5000, 0)
    assert sorted(everything[:, 0, 0, 0].tolist()) == x[:, 0, 0, 0].tolist()
    places = [draw_sample((x, y), 1, seed)[1][0] for seed in range(300)]
    assert np.bincount(places, minlength=10).min() >= 12  # 30 +- 5


@pytest.mark.once
def test_images_that_are_there_twice_are_searched_or_tested(classifier, images, labels):
    twice = np.concatenate([images] * 10), np.tile(labels, 10)
    report = kf.report(classifier, twice, only=("shortcuts",))
    assert "here a class has 0" in report.models[0].missing["shortcuts"]


@pytest.mark.once
def test_too_few_images_of_a_class_are_told(classifier, images, labels):
    report = kf.report(classifier, (images, labels), only=("shortcuts",))
    assert "at least 5 images of each class" in report.models[0].missing["shortcuts"]
    assert "not measured: shortcuts" in str(report)


@pytest.mark.once
def test_what_cannot_be_is_refused(classifier, data, tmp_path):
    with refused("`only` must be some of clean, bands"):
        kf.report(classifier, data, only=("band",))
    with refused("`classes` must have a name for each of the model's 4 classes"):
        kf.report(classifier, data, classes=["a"])
    with refused("`resume` needs the folder"):
        kf.report(classifier, data, resume=True)
    with refused("`against`", error=TypeError):
        kf.report(classifier, data, against={"other": 3})
    other = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(5)])
    with refused("models of the same classes"):
        kf.report(classifier, data, against=other)
    (tmp_path / "file").write_text("")
    with refused("`to` must be a folder"):
        kf.report(classifier, data, to=tmp_path / "file")
    with refused("`full` must be"):
        kf.report(classifier, data, full="yes")


@pytest.mark.parametrize("kind", ["bytes", "first"])
def test_other_conventions(classifier, data, kind):
    x, y = data
    if kind == "bytes":
        levels = np.rint(x * 255).astype("uint8")
        mine = kf.Classifier(
            keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255), classifier])
        )
        report = kf.report(mine, (levels, y), only=CHEAP)
        expected = kf.report(classifier, (levels / np.float32(255), y), only=CHEAP)
    else:
        first = keras.Sequential([keras.Input((3, 32, 32)), keras.layers.Permute((2, 3, 1)), classifier])
        mine = kf.Classifier(first, data_format="channels_first")
        report = kf.report(mine, (np.moveaxis(x, -1, 1).copy(), y), only=CHEAP)
        expected = kf.report(classifier, data, only=CHEAP)
    np.testing.assert_array_equal(report.pictures, expected.pictures)
    for name, value in expected.numbers().items():
        assert report.numbers()[name] == pytest.approx(value, abs=0.03, nan_ok=True), name


@pytest.mark.once
def test_a_notebook_shows_the_page_in_a_frame(classifier, data):
    frame = kf.report(classifier, data, only=("bands",))._repr_html_()
    assert frame.startswith("<iframe")
    assert 'sandbox="allow-scripts"' in frame


@pytest.mark.once
def test_radii_are_shares_of_the_side(classifier, data):
    def look(side):
        return Look(model=None, images=data[0], labels=data[1], size=(side, side), classes=4)

    assert look(32).radii == (2, 4, 8, 12, 16)
    assert look(224).radii == (14, 28, 56, 84, 112)
    assert look(4).radii == (1, 2)


@pytest.mark.once
def test_a_shortcut_is_found_where_there_is_one():
    """Class 0 has a wave that no other has, under noise; a linear model reads that wave alone."""
    generator = np.random.default_rng(0)
    labels = (np.arange(240) % 3).astype("int32")
    wave = np.cos(2 * np.pi * 6 * np.arange(16) / 16)[None, :, None] * np.ones((16, 1, 1))
    images = 0.5 + 0.05 * generator.standard_normal((240, 16, 16, 1))
    images = np.clip(images + 0.2 * (labels == 0)[:, None, None, None] * wave, 0, 1).astype("float32")
    model = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    weights = np.zeros((256, 3))
    weights[:, 0] = wave.reshape(-1)
    model.set_weights([weights, np.array([-8.0, 0.0, 0.0])])
    report = kf.report(model, (images, labels), only=("shortcuts",), classes=("wave", "b", "c"))
    finding = report.findings()[3]
    assert finding.verdict == "yes"
    assert finding.number == 1
    assert finding.title.startswith("Knows 1 of 3 classes by 4%")  # of 12 bins, a mirror has no room
    assert "Most clearly wave: 1.00 of" in finding.text


@pytest.mark.once
def test_a_file_is_called_after_itself(classifier, data, tmp_path):
    classifier.save(tmp_path / "mine.keras")
    report = kf.report(tmp_path / "mine.keras", data, only=("bands",))
    assert report.models[0].name == "mine"
    assert report.numbers() == kf.report(classifier, data, only=("bands",)).numbers()


@pytest.mark.once
def test_small_changes_are_corruptions_and_attacks(classifier, data):
    report = kf.report(classifier, data, only=("corruptions", "attacks"))
    (model,) = report.models
    corruptions, attacks = (model.results[name][name] for name in ("corruptions", "attacks"))
    right, wrong = ((report.labels[: corruptions.n] + shift) % 4 for shift in (0, 1))
    count, steps = attacks.clean_correct_per_class, len(attacks.epsilons)
    everything = attacks.count_per_class

    def change(corrupted, attacked, clean=everything):
        shape = corruptions.predictions["corrupted"].shape
        predictions = {"clean": right, "corrupted": np.broadcast_to(corrupted, shape)}
        clean_error, mean = 1 - float(np.mean(right == right)), float(np.mean(corrupted != right))
        results = {
            "corruptions": {
                "corruptions": dataclasses.replace(
                    corruptions, predictions=predictions, clean_error=clean_error, mean=mean
                )
            },
            "attacks": {
                "attacks": dataclasses.replace(
                    attacks, clean_correct_per_class=clean, correct_per_class=(attacked,) * steps
                )
            },
        }
        looked_at = dataclasses.replace(model, results=model.results | results)
        return dataclasses.replace(report, models=(looked_at,)).findings()[4]

    nothing = (0,) * 4
    assert len(count) == len(nothing)
    for found, verdict, title in (
        (change(right, everything), "no", "Withstands corruptions and small attacks"),
        (change(right, nothing), "yes", "Misled by small attacks"),
        (change(wrong, everything), "yes", "Misled by corruptions"),
        (change(wrong, nothing), "yes", "Misled by corruptions and small attacks"),
        (change(right, nothing, nothing), "unclear", "Small changes: the model has nothing to lose"),
    ):
        assert (found.verdict, found.title) == (verdict, title)
        assert "common corruptions" in found.text
        assert "an attack may change every pixel by 1 of 255" in found.text


@pytest.mark.once
def test_nothing_of_an_earlier_report_stays_in_the_folder(classifier, data, tmp_path):
    kf.report(classifier, data, only=("bands", "gradients"), to=tmp_path)
    own = tmp_path / "figures" / "own.png"
    own.write_bytes(b"mine")
    assert (tmp_path / "figures" / "bands.png").exists()
    kf.report(classifier, data, only=("bands",), to=tmp_path, resume=True)
    assert not (tmp_path / "figures" / "gradients.png").exists()
    assert (tmp_path / "figures" / "bands.png").exists()
    kf.report(classifier, data, only=("clean",), to=tmp_path)
    left = {path.name for path in (tmp_path / "figures").iterdir()} | {
        path.name for path in (tmp_path / "tables").iterdir()
    }
    assert own.exists()
    assert not {name for name in left if name.startswith(("bands", "gradient", "pictures"))}
    assert "accuracy_0.csv" in left


@pytest.mark.once
def test_another_model_of_the_same_weights_is_not_gone_on_with(classifier, data, tmp_path):
    def network(activation):
        model = keras.Sequential(
            [keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3, strides=4, activation=activation)]
        )
        model.add(keras.layers.GlobalAveragePooling2D())
        model.add(keras.layers.Dense(4))
        generator = np.random.default_rng(0)
        model.set_weights([generator.standard_normal(weight.shape) for weight in model.get_weights()])
        return model

    kf.report(network("relu"), data, only=("clean",), to=tmp_path)
    kf.report(network("relu"), data, only=("clean",), to=tmp_path, resume=True)  # built again
    with refused("`resume` goes on with a report on the same models"):
        kf.report(network("tanh"), data, only=("clean",), to=tmp_path, resume=True)
    declared = kf.Classifier(network("relu"), mean=0.5)
    with refused("`resume` goes on with a report on the same models"):
        kf.report(declared, data, only=("clean",), to=tmp_path, resume=True)


@pytest.mark.once
@pytest.mark.parametrize("channels", [2, 4])
def test_images_of_other_channels_have_a_report(rng, channels):
    images = rng.random((24, 16, 16, channels), "float32")
    model = keras.Sequential([keras.Input(images.shape[1:]), keras.layers.Flatten(), keras.layers.Dense(2)])
    report = kf.report(model, (images, np.arange(24) % 2), only=("bands", "corruptions"))
    assert f"here they have {channels}" in report.models[0].missing["corruptions"]
    assert report.pictures.shape[-1] == (3 if channels == 4 else 1)
    assert 'id="bands"' in report.to_html()
