from __future__ import annotations

import copy
import json
import re
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.benchmarks import history, imports, limits, plain, report, sweeps, training
from apps.benchmarks.__main__ import complete
from apps.benchmarks.attacks import ATTACKS, SLOW, time_attack
from apps.benchmarks.beside import BEGIN, END, lay_beside
from apps.benchmarks.child import ask
from apps.benchmarks.compiled import compile_forward, compile_gradient, wait
from apps.benchmarks.config import SWEEPS, Growth, Speed
from apps.benchmarks.corruptions import time_corruption
from apps.benchmarks.feeds import choose_feeds, time_feed
from apps.benchmarks.growth import find_slope, list_cases, make_line
from apps.benchmarks.layers import LAYERS, MIXED, time_layer
from apps.benchmarks.speed import list_stages
from apps.benchmarks.timing import Pair, describe, spread, time_pair
from apps.lab import RunError
from tests.apps.running import ROOT, call, finish, records, refuse
from tests.oracles import hfss as search_oracle
from tests.oracles import spectral as oracle

FAST = Speed(
    seconds=0.0,
    pairs=1,
    batch_size=4,
    large_batch=2,
    images=8,
    attack_images=2,
    attack_steps=2,
    search_images=20,
    search_patch=16,
)


@pytest.mark.once
def test_ratio_is_our_time_over_the_others():
    pair = time_pair(lambda: time.sleep(0.002), lambda: time.sleep(0.02), seconds=0, pairs=3)
    assert len(pair.ours) == len(pair.other) == 3
    assert 0.05 < np.median(pair.ratios) < 0.6
    row = describe(pair, "the other", case="sleep")
    assert row["ours_low"] <= row["ours"] <= row["ours_high"]
    assert (row["other"], row["case"], row["pairs"]) == ("the other", "sleep", 3)


@pytest.mark.once
def test_it_stops_with_its_time_and_with_its_pairs():
    calls = []
    time_pair(lambda: calls.append("ours"), lambda: calls.append("other"), seconds=0, pairs=15)
    # Once to warm up, once to see how long it takes, and three pairs of 50 in a row.
    assert calls.count("ours") == calls.count("other") == 2 + 3 * 50
    pair = time_pair(lambda: time.sleep(0.03), lambda: time.sleep(0.03), seconds=100, pairs=4)
    assert len(pair.ours) == 4


@pytest.mark.once
def test_the_spread_is_that_of_the_quartiles():
    assert spread(range(1, 6)) == (3, 2, 4)


@pytest.mark.once
def test_the_plain_ways_do_what_ours_do(images):
    mask = oracle.distance(32, 32) < 8
    np.testing.assert_allclose(plain.low_pass(images, mask), oracle.filtered(images, mask), atol=1e-6)
    levels = np.round(images * 255).astype("uint8")
    results = [plain.apr_single(image, seed) for seed, image in enumerate(levels)]
    assert all(r.shape == (32, 32, 3) and r.dtype == np.uint8 for r in results)
    assert plain.apr_single_batch(levels) == 8


@pytest.mark.once
def test_the_plain_ranking_does_what_is_published(rng):
    images, labels = rng.random((6, 8, 8, 3)), np.array([0, 0, 1, 1, 1, 1])
    weights = rng.standard_normal((192, 3))
    seen = []

    def logits_of(x):
        seen.append(len(x))
        return x.reshape(len(x), -1) @ weights

    mask = plain.without_block(8, 2, 3, 1)
    assert np.argwhere(mask == 0).tolist() == [[2, 3], [6, 5]]
    batches = [(images[:2], labels[:2]), (images[2:4], labels[2:4]), (images[4:], labels[4:])]
    expected = search_oracle.class_losses(logits_of, images, labels, mask)
    seen.clear()
    losses = [plain.class_loss(batches, label, mask, logits_of) for label in (0, 1)]
    np.testing.assert_allclose(losses, expected[:2])
    # Batches that hold the class, whole.
    assert seen == [2, 2, 2]
    mixed = plain.class_loss([(images[:4], labels[:4])], 0, mask, logits_of)
    assert seen[-1] == 4
    assert mixed == pytest.approx((expected[0] + np.log(3)) / 2)


def test_the_limit_is_the_way_there_and_back(images):
    planes = np.ascontiguousarray(np.moveaxis(images, -1, 1))
    run = compile_forward(limits.round_trip(32, 32))
    back = keras.ops.convert_to_numpy(wait(run(keras.ops.convert_to_tensor(planes))))
    np.testing.assert_allclose(back, planes, atol=2e-6)
    (row,) = limits.transforms(FAST, images)
    assert (row["shape"], row["other"].split(",")[0]) == ("8 x 32 x 32", "scipy.fft")


def test_the_gradient_is_that_of_the_squares(images):
    x = keras.ops.convert_to_tensor(images)
    value, gradient = wait(compile_gradient(lambda x: 3 * x)(x))
    value, gradient = map(keras.ops.convert_to_numpy, (value, gradient))
    assert float(value) == pytest.approx(9 * np.sum(images.astype("float64") ** 2), rel=1e-4)
    np.testing.assert_allclose(gradient, 18 * images, rtol=1e-5)


def test_layers_are_timed_forward_and_backward_and_in_mixed_precision(images):
    for name, way, policy in (
        ("LowPass", "forward + backward", "float32"),
        ("APRPair", "forward", MIXED),
        ("CropFlip", "forward", "float32"),
    ):
        (row,) = time_layer(FAST, name, way, policy, images)
        assert row["case"] == f"{name}, {way}"
        assert row["dtype"] == policy
        assert row["ours"] > 0
        assert row["other"] == ("bare FFT and back" if LAYERS[name].spectral else "copy of the images")


@pytest.mark.once
def test_every_layer_of_the_package_is_in_the_table():
    assert set(LAYERS) == set(kf.layers.__all__)


@pytest.mark.once
@pytest.mark.parametrize(
    "name", sorted(set(sweeps.SWEEPS) - {*sweeps.BACKWARD, "adcs", "image_spectral_density"})
)
def test_a_sweep_passes_as_many_images_as_it_says(images, labels, name):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("counts images by a TensorFlow operation")
    import tensorflow as tf

    seen = []

    class Count(keras.layers.Layer):
        def call(self, x):
            tf.py_function(lambda count: seen.append(int(count)), [tf.shape(x)[0]], [])
            return x

    layers = [keras.Input((32, 32, 3)), Count(), keras.layers.Flatten(), keras.layers.Dense(4)]
    model = keras.Sequential(layers)
    work = sweeps.SWEEPS[name](model, images, labels, 4)
    work.run()
    seen.clear()
    work.run()
    # Of few images HFSS fills its steps up with the last mask.
    assert work.passes == sum(seen) or (name == "hfss" and len(seen) == 3)


@pytest.mark.parametrize("name", ["band_accuracy", "fourier_heat_map", "input_gradient_spectrum", "adcs"])
def test_a_sweep_is_timed_beside_as_many_bare_passes(images, labels, name):
    (row,) = sweeps.time_sweep(FAST, name, images, labels)
    assert row["case"] == name
    assert row["passes"] == len(images) * {"band_accuracy": 9, "fourier_heat_map": 6}.get(name, 1)
    assert row["passes_per_s"] == pytest.approx(1e3 * row["passes"] / row["ours"], rel=0.01)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("name", sorted(sweeps.SWEEPS))
def test_every_sweep_is_timed(images, labels, name):
    (row,) = sweeps.time_sweep(FAST, name, images, labels)
    assert row["passes"] > 0
    work = sweeps.SWEEPS[name](kf.models.small_resnet(), images, labels, 2)
    assert (work.frequencies > 0) == (name in sweeps.BY_FREQUENCY)
    assert (work.kind == "gradient") == (name in sweeps.BACKWARD)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("name", sorted(ATTACKS | SLOW))
def test_every_attack_is_timed(images, labels, name):
    (row,) = time_attack(FAST, name, images[:2], labels[:2])
    assert row["passes"] >= 2


def test_corruptions_and_feeds_are_timed(images, labels):
    (row,) = time_corruption(FAST, "contrast", images)
    assert row["ours"] > 0
    for name in choose_feeds():
        (row,) = time_feed(FAST, name, images, labels)
        assert row["case"] == name
    assert ("tf.data" in choose_feeds()) == (keras.backend.backend() == "tensorflow")


def test_augmentations_are_measured_against_the_step_without_them(images, labels):
    (row,) = training.time_training(FAST, "fourier_noise", images, labels)
    assert (row["case"], row["other"]) == ("FourierNoise", "the step of Standard")


@pytest.mark.once
@pytest.mark.slow
def test_what_doubles_the_batch_is_measured_against_the_doubled_batch(images, labels):
    (row,) = training.time_training(FAST, "apr_p", images, labels)
    assert row["other"] == "the step of Standard, two halves"
    (row,) = training.time_training(FAST, "standard", images, labels)
    assert row["other"] == "no augmentation"


@pytest.mark.once
def test_full_adds_sizes_precision_corruptions_attacks_and_rows(images, labels):
    few, many = (
        [f"{group}/{name}" for group, name, _, _ in list_stages(Speed(full=full), images, labels)]
        for full in (False, True)
    )
    assert len(set(few)) == len(few)
    assert len(set(many)) == len(many)
    added = set(many) - set(few)
    assert set(few) < set(many)
    for word in (
        "layers/LowPass/forward + backward/8 x 224 x 224/mixed_bfloat16",
        "limits/fft/8 x 224 x 224",
        "corruptions/spatter/8 x 32 x 32",
        "corruptions/contrast/8 x 224 x 224",
        "attacks/worst_case_accuracy, PGD",
        "training/cut_mix",
    ):
        assert word in added
    for group in Speed().groups:
        assert any(name.startswith(f"{group}/") for name in few)


@pytest.mark.once
@pytest.mark.slow
def test_a_process_of_its_own_has_a_peak_of_its_own():
    big = np.ones(400 << 18, "float32")  # 400 MiB, which the child must not be charged with
    (row,) = ask("peak", case="band_accuracy", images=8, batch_size=8)
    assert 100 < row["before"] <= row["after"]
    assert row["after"] - row["before"] < 300
    assert big[-1] == 1
    with pytest.raises(RunError, match="KeyError"):
        ask("growth", sweep="none", axis="images", factor=2, repeats=1, images=8, frequencies=1, classes=2)


def a_row(case="LowPass, forward", ratio=2.0, width=0.1, **entries):
    pair = Pair((0.001 * ratio,) * 3, (0.001,) * 3, 0.5)
    row = describe(pair, "bare FFT", case=case, shape="128 x 32 x 32", dtype="float32", group="layers")
    return row | {"ratio_low": ratio * (1 - width), "ratio_high": ratio * (1 + width)} | entries


def a_document(*rows, **machine):
    made = {**history.describe_machine(), **machine}
    return history.make_document({"batch_size": 128, "pairs": 15}, list(rows), made)


@pytest.mark.once
def test_what_became_slower_beyond_the_noise_is_named():
    old = a_document(a_row(), a_row("A"), a_row("B", width=0.5), a_row("C"), a_row("gone"))
    new = a_document(a_row(ratio=2.5), a_row("A", ratio=2.1), a_row("B", ratio=2.5), a_row("C", 1.5))
    found = {change.name.split(", ")[1]: change.verdict for change in history.compare(old, new)}
    # Up by a quarter and apart; up by a twentieth; up by a quarter within the old spread; faster.
    assert found == {"LowPass": "slower", "A": "same", "B": "same", "C": "faster"}
    text = history.tell(old, new)
    assert "of 4 rows 1 slower, 0 slower once and not when measured again, 1 faster, 2 the same" in text
    assert (
        "slower: layers, LowPass, forward, 128 x 32 x 32, float32, beside bare FFT: 1.25x"
        in text.splitlines()[1]
    )
    assert history.tell(old, a_document()).endswith("no row in common.")
    # Measured again: still slower, or not.
    assert "of 4 rows 1 slower, 0 slower once" in history.tell(old, new, [a_row(ratio=2.6)])
    assert "of 4 rows 0 slower, 1 slower once" in history.tell(old, new, [a_row(ratio=2.1)])
    # Slower relative to its pair alone, as when the pair became faster: not named.
    alone = a_document(a_row(ratio=2.5, ours=2.0, ours_low=2.0, ours_high=2.0))
    assert history.slower_rows(old, alone) == set()


@pytest.mark.once
def test_more_memory_is_named_too():
    peak = {"group": "memory", "case": "hfss", "other": "bare", "shape": "", "dtype": ""}
    old, new = (a_document(peak | {"peak_mib": value}) for value in (800.0, 900.0))
    assert [change.verdict for change in history.compare(old, new)] == ["slower"]
    assert [change.verdict for change in history.compare(old, old)] == ["same"]


@pytest.mark.once
def test_another_machine_version_or_setting_is_not_compared():
    old = a_document(a_row())
    for key, value in (("device", "H200"), ("numpy", "1.0"), ("cpu_count", 64)):
        text = history.tell(old, a_document(a_row(ratio=9.0), **{key: value}))
        assert "not comparable" in text
        assert f"{key} was" in text
        assert "slower" not in text
    # A new version of the package itself is what is looked for.
    assert "not comparable" not in history.tell(old, a_document(a_row(), keras_freq="9.9"))
    other = copy.deepcopy(old)
    other["settings"]["pairs"] = 3
    assert "not comparable" not in history.tell(old, other)
    other["settings"]["batch_size"] = 64
    assert "batch_size was 128, is 64" in history.tell(old, other)


@pytest.mark.once
def test_every_run_adds_a_file_to_the_history(tmp_path):
    document = a_document(a_row())
    paths = [history.append(tmp_path, document) for _ in range(2)]
    assert len(set(paths)) == 2
    assert history.read(paths[0]) == history.read(paths[1]) == json.loads(json.dumps(document))
    wrong = tmp_path / "wrong.json"
    for text in ("", "[]", '{"format": 0}', '{"format": 1, "machine": {}, "settings": {}, "rows": [{}]}'):
        wrong.write_text(text)
        with pytest.raises(RunError, match="there must be the JSON file of a run"):
            history.read(wrong)


@pytest.mark.once
def test_tables_fit_in_110_columns():
    rows = [
        a_row(f"{name}, forward + backward", ratio=ratio, group="layers")
        for name in LAYERS
        for ratio in (0.01234, 1.0, 98.7654, 4321.0)
    ]
    text = report.as_text([*rows, a_row(gb_per_s=12.0, group="limits")])
    assert max(map(len, text.splitlines())) <= 110
    assert max(map(len, report.describe_run(a_document()).splitlines())) <= 110
    # A table for each way that rows are paired with, however they are mixed.
    mixed = report.as_text([a_row("A"), a_row("B", other="else"), a_row("C")])
    assert mixed.count("beside bare FFT") == mixed.count("beside else") == 1
    assert report.as_markdown(rows).count("\n| ") == len(rows) + 2


@pytest.mark.once
def test_runs_are_laid_side_by_side():
    peak = {"group": "memory", "case": "hfss", "other": "bare", "shape": "", "dtype": ""}
    first = a_document(a_row(), peak | {"peak_mib": 900.0, "added_mib": 12.0}, backend="jax")
    second = a_document(a_row(ratio=3.0), a_row("A"), backend="torch")
    text = lay_beside([first, second])
    assert "| case | jax | torch |" in text
    assert "| LowPass, forward | 2.00 ms, 2.00x | 3.00 ms, 3.00x |" in text
    assert "| A | - | 2.00 ms, 2.00x |" in text
    assert "| hfss | +12 MiB of 900 | - |" in text


@pytest.mark.once
def test_the_readme_has_what_the_records_say():
    app = ROOT / "apps" / "benchmarks"
    page = (app / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"apps/benchmarks/records/(\w+\.json)", page)
    assert set(names) == {path.name for path in (app / "records").iterdir()}
    text = lay_beside(history.read(app / "records" / name) for name in names)
    assert page.partition(BEGIN)[2].partition(END)[0].strip() == text.strip()


@pytest.mark.once
def test_the_command_line_may_leave_out_experiment_and_configuration():
    assert [Path(word).name for word in complete([])] == ["speed", "speed.yaml"]
    words = complete(["--full", "--against", "old.json", "pairs=3"])
    assert words[2:] == ["full=true", "against=old.json", "pairs=3"]
    assert complete(["--against=old.json"])[2:] == ["against=old.json"]
    assert [Path(word).name for word in complete(["growth", "factor=4"])] == [
        "growth",
        "growth.yaml",
        "factor=4",
    ]
    assert complete(["growth", "own.yaml"]) == ["growth", "own.yaml"]
    assert complete(["speed", "--resume"]) == ["speed", "--resume"]
    assert complete(["--help"]) == ["speed", "--help"]


SMALL = [
    f"{name}={getattr(FAST, name)}"
    for name in ("seconds", "pairs", "batch_size", "images", "attack_images", "attack_steps")
]


def test_a_run_ends_in_table_history_and_comparison(here):
    words = [*complete([]), "groups=[limits,corruptions]", *SMALL]
    text = finish("benchmarks", *words, "output=first")
    assert "bare rfft2 + irfft2" in text
    (old,) = Path("runs/benchmarks/history").glob("*.json")
    document = json.loads(Path("first/benchmarks.json").read_text())
    assert document == history.read(old)
    assert document["machine"]["backend"] == keras.backend.backend()
    assert [row["case"] for row in document["rows"]] == [record["case"] for record in records("first")]
    assert "gaussian_noise" in Path("first/benchmarks.md").read_text()
    assert f"of {len(document['rows'])} rows" in finish(
        "benchmarks", *words, "output=second", f"against={old}"
    )
    assert "Against the run of" in Path("second/summary.md").read_text()


@pytest.mark.once
def test_what_is_slower_is_measured_again(here):
    words = [*complete([]), "groups=[corruptions]", *SMALL]
    finish("benchmarks", *words, "output=first")
    (path,) = Path("runs/benchmarks/history").glob("*.json")
    document = history.read(path)
    for row in document["rows"]:
        scale = 1e-6 if row["case"] == "fog" else 1e6
        row.update({key: row[key] * scale for key in row if key.startswith(("ours", "ratio"))})
    path.write_text(json.dumps(document))
    text = finish("benchmarks", *words, "output=second", f"against={path}")
    assert "slower: corruptions, fog" in text
    assert [r["stage"] for r in records("second") if r["stage"].endswith("/again")] == [
        "corruptions/fog/4 x 32 x 32/again"
    ]


@pytest.mark.once
def test_a_wrong_file_to_compare_with_is_told_before_anything_is_measured(here, capsys):
    Path("none.json").write_text("{}")
    assert call("benchmarks", *complete([]), "against=none.json", "output=run") == 2
    assert "there must be the JSON file of a run" in capsys.readouterr().err
    assert records("run") == []


@pytest.mark.once
def test_slopes_and_the_rows_that_miss_them():
    sizes = [1, 2, 4, 8, 16]
    assert find_slope(sizes, [3 * size**1.5 for size in sizes]) == pytest.approx(1.5)

    def line(power, cpu_power, grown):
        rows = [
            {"size": s, "ms": 9 * s**power, "cpu_ms": 9 * s**cpu_power, "peak": 500.0, "images_mib": 1.0 * s}
            for s in sizes
        ]
        rows[-1]["peak"] += grown + 15
        return make_line(Growth(), "hfss", "images", rows)

    assert line(1, 1, 0)[-1] == line(1.3, 1, 10)[-1] == "as hoped"
    assert line(1.3, 1.3, 0)[-1] == "more time"
    assert line(1.3, 1.3, 100)[-1] == "more time and memory"
    assert line(1, 1, 100)[6:] == ["500 to 615", "+100", "more memory"]
    cases = list_cases(Growth())
    assert len(set(cases)) == len(cases)
    assert {sweep for sweep, _ in cases} == set(sweeps.SWEEPS) == set(SWEEPS)
    assert ("accuracy", "frequencies") not in cases
    assert list_cases(Growth(sweeps=("hfss",), axes=("images",))) == [("hfss", "images")]


@pytest.mark.once
@pytest.mark.slow
def test_growth_is_measured_in_processes(here):
    small = ["factor=2", "repeats=1", "images=8", "frequencies=1", "classes=2"]
    text = finish("benchmarks", *complete(["growth"]), "sweeps=[adcs]", *small, "output=run")
    assert "adcs" in text
    assert len(records("run")) == 2 * 2
    assert {record["size"] for record in records("run") if record["axis"] == "classes"} == {2, 4}


@pytest.mark.once
def test_wrong_settings_are_one_line(here):
    refuse("`groups` must hold some of limits, layers", "benchmarks", *complete(["groups=[speed]"]))
    refuse("`sweeps` must hold some of", "benchmarks", *complete(["growth", "sweeps=[none]"]))


@pytest.mark.once
@pytest.mark.slow
def test_imports_are_timed():
    (row,) = imports.import_time(FAST)
    assert row["case"] == "import keras_freq"
    assert row["ours"] < row["theirs"]
    assert "keras" in sys.modules


def test_a_gpu_that_is_not_there_is_told_before_anything_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(history, "accelerator_name", lambda: None)
    assert (
        call(
            "benchmarks",
            "speed",
            ROOT / "configs" / "benchmarks" / "speed.yaml",
            "device=gpu",
            f"output={tmp_path / 'a'}",
        )
        == 1
    )
    assert "error: there must be a GPU for device=gpu. Received: " in capsys.readouterr().err
