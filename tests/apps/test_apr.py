"""The APR app: settings, every experiment in miniature, weights of another run, a run that was cut short."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.apr import adversarial, networks, rows, schedules
from apps.apr.__main__ import EXPERIMENTS
from apps.apr.config import ROWS, Augmentations, Training
from apps.apr.rows import crop_and_flip
from apps.lab import RunError, cli, load_config
from apps.lab.files import read_records

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs" / "apr"
# Configuration to experiment.
SMALL = {
    name: "table" if name in ("baselines", "beyond") else name
    for name in ("corrupt", "table", "baselines", "beyond", "swap", "detection", "heat_maps", "adversarial")
}
PAPER = [name for name in SMALL if (CONFIGS / f"{name}.yaml").exists()]
TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 16, test_images: 10}
training: {epochs: 1, batch_size: 8, learning_rate: 0.01, schedule: cosine, width: 2}
"""
MINIATURES = {
    "table": "networks: [small_resnet]\nrows: [standard, apr_sp]\nseverities: [5]\n",
    "swap": "network: small_resnet\nrows: [standard, apr_sp]\ndonors: other.npz\nexamples: 2\n",
    "detection": "network: small_resnet\nrows: [standard, apr_sp]\noutside: [other.npz]\nseverities: [5]\n"
    "corrupted_images: 4\n",
    "heat_maps": "network: small_resnet\nrows: [standard, apr_sp]\nimages: 4\nwindow: 1\n",
    "adversarial": "network: small_resnet\nrows: [standard, apr_sp]\nattacks: [pgd_ce, square]\n"
    "attack_steps: 1\nrestarts: 1\nqueries: 3\nattack_images: 5\n",
}
FIGURES = {
    "table": {"corruptions_small_resnet"},
    "swap": {"swap_cifar10_mini", "swap_other"},
    "detection": {"reliability"},
    "heat_maps": {"heat_maps"},
    "adversarial": {"adversarial"},
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in MINIATURES.items():
        (tmp_path / f"{name}.yaml").write_text(TINY + text)
    rng = np.random.default_rng(5)
    other = {"x": rng.integers(0, 256, (12, 32, 32, 3), dtype="uint8"), "y": np.arange(12)}
    np.savez(tmp_path / "other.npz", **other)
    return tmp_path


def call(*words):
    return cli.command("apr", EXPERIMENTS, [str(word) for word in words])


def numbers(folder):
    return [{k: v for k, v in r.items() if k != "seconds"} for r in read_records(folder / "results.jsonl")]


def read(name):
    return (CONFIGS / name).read_text()


@pytest.mark.parametrize("name", SMALL)
def test_the_configurations_load_and_say_what_they_are(name):
    import yaml

    from apps.lab.config import as_dict, differences

    for kind in ("yaml", "cpu.yaml") if name in PAPER else ("cpu.yaml",):
        settings = load_config(EXPERIMENTS[SMALL[name]].config, CONFIGS / f"{name}.{kind}")
        # Every setting stands in the file.
        found = differences(yaml.safe_load(read(f"{name}.{kind}")), as_dict(settings))
        assert [d for d in found if d[0] != "store"] == []
        header = read(f"{name}.{kind}").split("seed:")[0]
        assert f"python -m apps.apr {SMALL[name]} configs/apr/{name}.{kind}" in header
        assert "ICCV 2021" in header
        assert "inutes" in header
        assert "[mem]" not in header
        if name == "corrupt":
            continue
        assert settings.seeds == 3
        assert (settings.training.epochs == 10) == (kind == "cpu.yaml")
        assert settings.data.fallback == ("cifar10_mini" if kind == "cpu.yaml" else None)


def test_the_paper_configurations_hold_the_published_protocol():
    table = load_config(EXPERIMENTS["table"].config, CONFIGS / "table.yaml")
    training = table.training
    assert (training.learning_rate, training.momentum, training.nesterov) == (0.1, 0.9, True)
    assert (training.weight_decay, training.batch_size, training.epochs) == (5e-4, 128, 200)
    assert (training.milestones, training.factor) == ((60, 120, 160, 190), 0.2)
    assert table.augmentations == Augmentations()
    assert table.rows == ROWS
    attacked = load_config(EXPERIMENTS["adversarial"].config, CONFIGS / "adversarial.yaml")
    assert attacked.train_epsilon == attacked.epsilon == pytest.approx(8 / 255)
    assert attacked.step_size == pytest.approx(10 / 255)
    assert attacked.augmentations.pair == 0.16
    assert attacked.training.precision == "mixed_float16"


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("table", "rows=[apr]", "`rows` must hold some of standard, apr_p"),
        ("table", "networks=[]", "`networks` must hold some of small_resnet"),
        ("table", "severities=[6]", "`severities` must hold at least one number, each in [1, 5]"),
        ("table", "training.epoch=3", "Did you mean `training.epochs`?"),
        ("table", "training.peak=1", "`training.peak` must be above 0 and below 1"),
        (
            "table",
            "augmentations.pair=2",
            "`augmentations.pair` must lie in [0, 1]",
        ),
        ("swap", "examples=13", "`examples` must lie in [1, 12]"),
        ("swap", "network=vgg", "`network` must hold some of small_resnet"),
        ("detection", "outside=[]", "`outside` must name at least one set"),
        ("detection", "scores=[entropy]", "`scores` must hold some of max_logit"),
        ("heat_maps", "epsilon=0", "`epsilon` must be above 0"),
        ("adversarial", "rows=[cutout]", "`rows` must hold some of standard, apr_p, apr_s, apr_sp"),
        ("adversarial", "epochs={apr_p: 0}", "`epochs.apr_p` must be at least 1"),
        ("adversarial", "rates={fgsm: 1}", "`rates` must hold some of standard"),
        ("corrupt", "corruptions=[]", "`corruptions` must hold names"),
    ],
)
def test_wrong_settings_are_one_line(name, word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS[name].config, CONFIGS / f"{name}.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["swap", "swap.yaml", "pairs=11"], "`pairs` must be at most the number of test images, 10"),
        (["heat_maps", "heat_maps.yaml", "images=11"], "`images` must be at most the number of test images"),
        (["adversarial", "adversarial.yaml", "attack_images=11"], "`attack_images` must be at most"),
        (["detection", "detection.yaml", "outside=[none.npz]"], "There is no such .npz file"),
        (["table", "table.yaml", "corrupted=nowhere"], "must be a folder, or one of cifar10_corrupted"),
        (["table", "table.yaml", "weights=nowhere"], "`weights` must be the folder of a run"),
    ],
)
def test_what_the_data_do_not_allow_is_one_line(here, capsys, words, message):
    assert call(*words, "output=out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_auto_attack_needs_torch(here, capsys):
    if keras.backend.backend() == "torch":
        pytest.skip("there it runs")
    assert call("adversarial", "adversarial.yaml", "auto_attack=true", "output=out") == 2
    assert "`auto_attack` needs PyTorch" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
@pytest.mark.parametrize("name", MINIATURES)
def test_every_experiment_in_miniature(here, capsys, monkeypatch, name):
    if name != "table":  # it trains the real thing; the others something that compiles quickly
        for module in (rows, adversarial):
            monkeypatch.setattr(
                module, "single", lambda settings, *, seed: crop_and_flip(settings, seed=seed)
            )
            monkeypatch.setattr(module, "pair", lambda settings, *, seed: crop_and_flip(settings, seed=seed))
    assert call(name, f"{name}.yaml", "output=out") == 0, capsys.readouterr().err
    out = here / "out"
    shares = [r["value"] for r in read_records(out / "results.jsonl") if isinstance(r["value"], float)]
    assert shares
    assert all(0 <= value <= 1 for value in shares)
    assert {path.stem for path in (out / "figures").glob("*.png")} == FIGURES[name]
    summary = (out / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert "APR-SP" in summary
    assert "[mem]" not in summary
    assert "summary.md" in capsys.readouterr().out


def test_a_corrupted_copy_is_written_once(here, capsys):
    words = ["data.test_images=3", "corruptions=[fog,contrast]", "folder=copy", "severities=[1,5]"]
    assert call("corrupt", CONFIGS / "corrupt.cpu.yaml", *words, "output=out") == 0, capsys.readouterr().err
    foggy, labels = kf.data.read_corrupted("copy", "fog", 5)
    pixels, expected = kf.data.load("cifar10_mini").arrays("test", limit=3)
    np.testing.assert_array_equal(labels, expected)
    levels = np.rint(pixels * 255).astype("uint8")
    np.testing.assert_array_equal(foggy, kf.data.corrupt(levels, "fog", 5))
    assert sorted(path.name for path in Path("copy").glob("*.npy")) == [
        "contrast.npy",
        "fog.npy",
        "labels.npy",
    ]
    assert call("corrupt", CONFIGS / "corrupt.cpu.yaml", *words, "corruptions=[fgo]", "output=o") == 2
    assert "Received: corruptions=['fgo']" in capsys.readouterr().err


@pytest.mark.slow
def test_weights_of_another_run_are_taken_and_checked(here, capsys):
    assert call("table", "table.yaml", "output=first", "rows=[standard]", "severities=[1]") == 0
    words = ["rows=[standard,cutout]", "images=2", "weights=first"]
    assert call("heat_maps", "heat_maps.yaml", *words, "output=second") == 0, capsys.readouterr().err
    weights = {
        r["row"]: r["weights"] for r in read_records(here / "second" / "results.jsonl") if "weights" in r
    }
    assert weights == {"standard": "of another run", "cutout": "trained here"}
    name = "small_resnet-standard-seed0.npz"
    first, second = (np.load(here / run / "checkpoints" / name) for run in ("first", "second"))
    assert all(np.array_equal(first[key], second[key]) for key in first.files)
    for word, message in (
        ("training.epochs=2", "training.epochs=1: train with the same"),
        ("augmentations.padding=2", "augmentations.padding=4"),
        ("data.train_images=8", "data.train_images=16"),
    ):
        assert call("heat_maps", "heat_maps.yaml", *words, word, "output=third") == 2
        assert message in capsys.readouterr().err
        shutil.rmtree(here / "third")
    # Plainly trained networks are never taken for adversarially trained ones.
    assert call("adversarial", "adversarial.yaml", "weights=first", "output=fourth") == 2
    assert "were trained with epochs=None" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_was_cut_short_ends_with_the_same_numbers(here, monkeypatch, capsys):
    words = ["rows=[standard]", "seeds=2", "severities=[1]"]
    assert call("table", "table.yaml", *words, "output=straight") == 0
    measured, calls = kf.evaluate.corruption_error, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measured(*args, **kwargs)

    monkeypatch.setattr(kf.evaluate, "corruption_error", interrupted)
    assert call("table", "table.yaml", *words, "output=out") == 130
    assert "python -m apps.apr table --resume out" in capsys.readouterr().err
    assert call("table", "--resume", "out") == 0
    assert numbers(here / "out") == numbers(here / "straight")


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_way_to_train(row):
    model = networks.classifier("small_resnet", (32, 32, 3), 4, training=Training(width=2), seed=0, name=row)
    wrapper = rows.wrapped(row, model, Augmentations(), seed=0)
    assert wrapper.classifier is model
    assert wrapper.name == f"{row}_training"
    if row in ("mix_up", "cut_mix"):
        mixture = {"mix_up": keras.layers.MixUp, "cut_mix": keras.layers.CutMix}[row]
        assert isinstance(wrapper, kf.training.MixtureModel)
        assert isinstance(wrapper.mixture, mixture)
        return
    pairs = {"apr_p": kf.layers.APRPair, "apr_sp": kf.layers.APRPair, "fda": kf.layers.FDAPair}
    pairs |= dict.fromkeys(("hybrid_augment", "hybrid_augment_pp"), kf.layers.HybridPair)
    assert type(wrapper.pair) is pairs.get(row, type(None))
    if row.startswith("hybrid"):
        assert wrapper.pair.recombine_amplitude == (row == "hybrid_augment_pp")
    assert (wrapper.single is not None) == (row in ("apr_s", "apr_sp"))
    after = {
        "cutout": keras.layers.RandomErasing,
        "aug_mix": kf.layers.AugMix,
        "rand_augment": keras.layers.RandAugment,
        "fourier_noise": kf.layers.FourierNoise,
    }
    layers = wrapper.augment.layers if row in after else [wrapper.augment]
    kinds = [kf.layers.CropFlip, after[row]] if row in after else [kf.layers.CropFlip]
    assert [type(layer) for layer in layers] == kinds


@pytest.mark.slow
@pytest.mark.parametrize("row", ["cutout", "cut_mix"])
def test_rows_of_keras_layers_train(row, images, labels):
    model = networks.classifier("small_resnet", (32, 32, 3), 4, training=Training(width=2), seed=0, name=row)
    wrapper = rows.wrapped(row, model, Augmentations(), seed=0)
    wrapper.build((None, 32, 32, 3))
    networks.compile_for(wrapper, Training(learning_rate=0.01, schedule="constant"), steps=2)
    before = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    history = wrapper.fit(images, labels, batch_size=4, epochs=1, verbose=0, shuffle=False).history
    assert np.isfinite(history["loss"]).all()
    after = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    np.testing.assert_allclose(wrapper.predict(images, verbose=0), expected, atol=1e-5)


def test_cutout_erases_a_quarter_of_every_image(images):
    layer = rows.wrapped(
        "cutout",
        networks.classifier("small_resnet", (32, 32, 3), 4, training=Training(width=2), seed=0, name="c"),
        Augmentations(fill=0.0, padding=0),
        seed=0,
    ).augment
    erased = keras.ops.convert_to_numpy(layer(images + 0.1, training=True)) == 0
    np.testing.assert_allclose(erased.mean(axis=(1, 2, 3)), 0.25, atol=0.04)


def test_weight_decay_is_half_the_squared_weights_times_its_strength(images, labels):
    plain, decayed = (
        networks.classifier("small_resnet", (32, 32, 3), 4, training=Training(width=2), seed=0, name="n")
        for _ in range(2)
    )
    for model, strength in ((plain, 0.0), (decayed, 0.25)):
        networks.compile_for(model, Training(weight_decay=strength, schedule="constant"), steps=1)
    norm = sum(np.sum(keras.ops.convert_to_numpy(v) ** 2) for v in plain.trainable_variables)
    losses = [model.evaluate(images, labels, verbose=0)[0] for model in (plain, decayed)]
    assert losses[1] - losses[0] == pytest.approx(0.125 * norm, rel=1e-4)


@pytest.mark.slow
def test_an_unfinished_training_of_another_run_is_not_taken(here, capsys):
    assert call("table", "table.yaml", "output=first", "rows=[standard]", "severities=[1]") == 0
    words = ["rows=[standard]", "severities=[1]", "weights=first", "training.epochs=2"]
    config = here / "first" / "config.yaml"
    config.write_text(
        config.read_text().replace("epochs: 1", "epochs: 2")
    )  # as a kill after the first leaves it
    assert call("table", "table.yaml", *words, "output=second") == 0, capsys.readouterr().err
    trained = [r for r in read_records(here / "second" / "results.jsonl") if "weights" in r]
    assert [r["weights"] for r in trained] == ["trained here"]
    assert trained[0]["seconds"] > 0


def test_schedules():
    training = Training(epochs=10, learning_rate=0.4, schedule="cyclic", peak=0.25)
    rate = schedules.learning_rate(training, steps=4)
    assert [float(rate(step)) for step in (0, 5, 10, 25, 40)] == pytest.approx([0, 0.2, 0.4, 0.2, 0])
    again = type(rate).from_config(rate.get_config())
    assert float(again(7)) == float(rate(7))
    steps = schedules.learning_rate(Training(milestones=(2, 3), factor=0.5, learning_rate=1.0), steps=10)
    assert [float(steps(step)) for step in (0, 20, 21, 31)] == [1, 1, 0.5, 0.25]
    constant = schedules.learning_rate(Training(schedule="constant", learning_rate=0.3), steps=10)
    assert constant == 0.3


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_is_that_of_the_network_alone(policy):
    training = Training(precision=policy, width=2)
    model = networks.classifier("small_resnet", (32, 32, 3), 4, training=training, seed=0, name="n")
    assert any(layer.compute_dtype == policy.removeprefix("mixed_") for layer in model.layers)
    assert all(keras.backend.standardize_dtype(v.dtype) == "float32" for v in model.trainable_variables)
    assert keras.config.dtype_policy().name == "float32"
