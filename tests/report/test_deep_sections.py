"""Sections that are measured with `full=True` or where they are asked for: their numbers, rules and page."""

import csv
import dataclasses
import re

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._report import _critical_band, _cue_conflict, _sufficient_maps, check_sections, section_keys
from keras_freq._report._look import Look
from keras_freq._report._sample import draw_sample
from keras_freq._report._sections import SECTIONS

DEEP = ("cue_conflict", "critical_band", "sufficient_maps")


@pytest.fixture(scope="module")
def waves():
    """Images of three waves under noise, a linear model that knows each by its wave, and what it is asked."""
    generator = np.random.default_rng(0)
    grid = 2 * np.pi * np.arange(16) / 16
    patterns = np.stack(
        [np.cos(2 * grid)[:, None] * np.cos(grid), np.cos(4 * grid)[None] + 0 * grid[:, None],
         np.cos(6 * grid)[:, None] + 0 * grid]
    )  # fmt: skip
    labels = (np.arange(150) % 3).astype("int32")
    images = 0.5 + 0.02 * patterns[labels][..., None] + 0.02 * generator.standard_normal((150, 16, 16, 1))
    model = keras.Sequential(
        [keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(3)], name="waves"
    )
    kernel = patterns.reshape(3, -1).T / np.square(patterns).reshape(3, -1).sum(1)
    model.set_weights([30 * kernel, np.zeros(3)])
    return model, (np.clip(images, 0, 1).astype("float32"), labels)


@pytest.fixture(scope="module")
def folder(waves, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep")
    model, data = waves
    kf.report(model, data, only=DEEP, to=folder, classes=("<b>slow</b>", "middle", "fast"))
    return folder


@pytest.fixture(scope="module")
def report(folder):
    return kf.Report.from_json(folder / "report.json")


@pytest.fixture
def results(report):
    return {name: report.models[0].results[name][name] for name in DEEP}


@pytest.mark.once
def test_they_are_part_of_a_full_report_alone():
    assert {name for name, section in SECTIONS.items() if section.deep} == set(DEEP)
    assert not set(DEEP) & set(check_sections(None))
    assert check_sections(None, full=True) == tuple(SECTIONS)
    assert check_sections("critical_band") == ("clean", "critical_band")


@pytest.mark.once
def test_numbers_are_those_of_the_functions(waves, report, results):
    model, _ = waves
    images, labels = draw_sample(waves[1], 1000, 0)
    radii = (1, 2, 4, 6, 8)
    assert results["cue_conflict"] == kf.evaluate.cue_conflict(model, (images, labels), radii=radii)
    centers = (1.75, 2.47, 3.5, 4.95, 7)
    options = {"contrast": 1.0, "gray": False, "deviations": (0.02, 0.04, 0.08, 0.16, 0.32), "draws": 500}
    channel = kf.evaluate.critical_band(model, (images, labels), centers=centers, **options)
    assert results["critical_band"] == channel
    fractions = (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
    found = kf.shortcuts.sufficient_maps(model, images[:32], fractions=fractions)
    assert results["sufficient_maps"] == found
    numbers = report.numbers()
    assert set(numbers) == set(section_keys(("clean", *DEEP), (16, 16)))
    assert numbers["channel_bandwidth"] == channel.bandwidth
    assert numbers["conflict_low_4"] == results["cue_conflict"].low_bias[2]
    assert numbers["sufficient_share"] == np.median(found.share)
    assert numbers["kept_5"] == np.mean(np.array(found.kept)[:, 4])
    assert numbers["kept_5_by_power"] == np.mean(np.array(found.kept_by_power)[:, 4])


@pytest.mark.once
def test_page_tables_and_figures_hold_the_numbers(folder, report, results):
    page = (folder / "index.html").read_text("utf-8")
    parts = {name: page.split(f'<section id="{name}"')[1].split("</section>")[0] for name in DEEP}
    shown = {name: set(re.findall(r'data-order="([^"]+)"', part)) for name, part in parts.items()}
    numbers = report.numbers()
    for section, names in (
        ("cue_conflict", ("conflict_low_2", "conflict_low_8")),
        ("critical_band", _critical_band.NUMBERS),
        ("sufficient_maps", ("kept_5", "kept_5_by_power")),
    ):
        for name in names:
            assert str(float(numbers[name])) in shown[section], name
    assert [part.count("<figure>") for part in parts.values()] == [1, 1, 2]
    assert '<h2 id="findings-title">Eight findings</h2>' in page
    titles = re.findall(r"<h3>(.*?)</h3>", page)
    # What was not looked at stands behind what was.
    assert [title.endswith("not looked at") for title in titles] == [False] * 3 + [True] * 5
    assert "<b>slow</b>" not in page
    for name in DEEP:
        with open(folder / "tables" / f"{name}_0.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        wanted = results[name].rows()
        assert [row["model"] for row in rows] == ["waves"] * len(wanted)
        key = {"cue_conflict": "low_bias", "critical_band": "accuracy", "sufficient_maps": "share"}[name]
        assert [float(row[key]) for row in rows] == [row[key] for row in wanted]
    files = {path.name for path in (folder / "figures").iterdir()}
    wanted = {f"{name}.{kind}" for name in DEEP for kind in ("png", "svg")}
    assert wanted | {"sufficient_pictures.png"} <= files


@pytest.mark.once
def test_findings_have_rule_number_interval_and_text(report, results):
    *five, conflict, channel, enough = report.findings()
    assert [finding.verdict for finding in five] == ["missing"] * 5
    assert [one.key for one in (conflict, channel, enough)] == list(DEEP)
    for finding, limit in ((conflict, 0.55), (channel, 1.5), (enough, 0.5)):
        low, high = finding.interval
        assert finding.verdict == ("yes" if low > limit else "no" if high < limit else "unclear")
        assert low <= finding.number <= high
        assert finding.rule.startswith("Yes where the whole interval")
        assert f"{results[finding.key].n} images" in finding.text
    assert channel.number == results["critical_band"].bandwidth
    assert enough.number == 1
    assert enough.title == "5% of the frequencies are enough for most answers"


@pytest.mark.once
@pytest.mark.parametrize(
    ("low", "n", "verdict"),
    [(0.6, 1000, "yes"), (0.5, 1000, "no"), (0.2, 100, "no"), (0.6, 20, "unclear"), (0.54, 300, "unclear")],
)
def test_the_rule_of_the_conflict(results, low, n, verdict):
    """Of eight tenths that are for either, so many tenths for the low part."""
    shares = {"low": (0.8 * low,) * 5, "high": (0.8 * (1 - low),) * 5, "neither": (0.2,) * 5}
    found = dataclasses.replace(results["cue_conflict"], n=n, low_bias=(low,) * 5, **shares)
    finding = _cue_conflict.find(found)
    assert (finding.verdict, finding.number) == (verdict, low)
    assert ("not enough images to tell" in finding.title) == (verdict == "unclear")
    assert f"{low:.2f} are for the low part" in finding.text
    assert "lowest 4 rings" in finding.text


@pytest.mark.once
def test_a_conflict_that_nobody_decides(results):
    nobody = {"low": (0.0,) * 5, "high": (0.0,) * 5, "neither": (1.0,) * 5, "low_bias": (float("nan"),) * 5}
    finding = _cue_conflict.find(dataclasses.replace(results["cue_conflict"], **nobody))
    assert (finding.verdict, finding.number, finding.interval) == ("unclear", None, None)
    assert "nothing can be told" in finding.text
    never = dataclasses.replace(results["cue_conflict"], balance=float("nan"))
    assert "At no radius" in _cue_conflict.find(never).text


@pytest.mark.once
@pytest.mark.parametrize(
    ("interval", "verdict"), [((1.6, 2.4), "yes"), ((0.6, 1.4), "no"), ((1.2, 1.9), "unclear")]
)
def test_the_rule_of_the_channel(results, interval, verdict):
    intervals = {**results["critical_band"].intervals, "bandwidth": interval}
    found = dataclasses.replace(results["critical_band"], bandwidth=1.5, intervals=intervals)
    finding = _critical_band.find(found)
    assert (finding.verdict, finding.number, finding.interval) == (verdict, 1.5, interval)
    assert ("not enough images to tell" in finding.title) == (verdict == "unclear")
    assert "extrapolated" in _critical_band.find(dataclasses.replace(found, center=50.0)).text


@pytest.mark.once
def test_a_channel_that_cannot_be_told(results):
    nothing = dict.fromkeys(("center", "bandwidth", "peak"), float("nan"))
    bare = dataclasses.replace(results["critical_band"], **nothing)
    finding = _critical_band.find(dataclasses.replace(bare, unmasked=0.3))
    assert (finding.verdict, finding.interval) == ("unclear", None)
    assert finding.title == "Critical band: too few images are right to tell"
    close = _critical_band.find(dataclasses.replace(results["critical_band"], unmasked=0.52))
    assert close.title == "Critical band: not enough images to tell"
    bare = _critical_band.find(bare)
    assert bare.title == "Critical band: the noise that was tried does not mislead it"
    assert "In no octave noise of 0.32 takes accuracy down to 0.5" in bare.text


@pytest.mark.once
@pytest.mark.parametrize(("right", "n", "verdict"), [(90, 100, "yes"), (10, 100, "no"), (5, 8, "unclear")])
def test_the_rule_of_the_frequencies_that_are_enough(results, right, n, verdict):
    kept = tuple((place < right,) * 7 for place in range(n))
    found = dataclasses.replace(results["sufficient_maps"], n=n, kept=kept, kept_by_power=((False,) * 7,) * n)
    finding = _sufficient_maps.find(found)
    assert (finding.verdict, finding.number) == (verdict, right / n)
    assert ("not enough images to tell" in finding.title) == (verdict == "unclear")
    assert "0.00 under as many of their strongest" in finding.text


@pytest.mark.once
def test_what_cannot_be_measured_is_told(waves):
    model, (images, labels) = waves
    one = kf.report(model, (images[labels == 0], labels[labels == 0]), only=("cue_conflict",))
    assert one.models[0].missing == {"cue_conflict": "needs images of two classes"}
    tiny = Look(model=None, images=images[:, :6, :6], labels=labels, size=(6, 6), classes=3)
    assert SECTIONS["critical_band"].refuses(tiny) == "needs images of at least 7 pixels a side"
    least = Look(model=None, images=images[:, :7, :7], labels=labels, size=(7, 7), classes=3)
    assert SECTIONS["critical_band"].refuses(least) is None
    large = Look(model=None, images=images, labels=labels, size=(224, 224), classes=3, full=True)
    assert _critical_band._centers(large)[:3] == (1.75, 2.47, 3.5)
    assert _critical_band._centers(large)[-1] == 112


@pytest.mark.once
def test_differences_to_another_model_have_intervals(waves, folder):
    model, data = waves
    weaker = keras.models.clone_model(model)
    kernel, bias = model.get_weights()
    noise = np.random.default_rng(1).standard_normal(kernel.shape)
    weaker.set_weights([kernel + 0.5 * kernel.std() * noise, bias])
    against = {"weaker": weaker, "itself": keras.models.clone_model(model)}
    against["itself"].set_weights(model.get_weights())
    report = kf.report(model, data, against=against, only=(*DEEP, "swap"))
    rows = {(row.other, row.measure): row for row in report.differences()}
    names = {"follows_phase", "conflict_low_4", "channel_center", "channel_peak", "kept_5", "kept_5_by_power"}
    assert names <= {measure for _, measure in rows}
    for (other, _), row in rows.items():
        low, high = row.interval
        assert row.paired
        if other == "itself":
            assert row.difference == 0
            assert low <= 0 <= high
        else:
            assert low - 0.05 * abs(row.value) <= row.difference <= high + 0.05 * abs(row.value)
    peak = rows["weaker", "channel_peak"]
    assert peak.interval[0] < peak.difference < peak.interval[1]
    assert "channel peak" in report.to_html()
