"""The HFC app: settings, arithmetic, every experiment in miniature, and a run that was cut short."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.hfc import gallery, kernels, perturbations
from apps.hfc.__main__ import EXPERIMENTS
from apps.lab import RunError, load_config, report
from tests.apps import running
from tests.apps.running import CONFIGS, numbers, records

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 32, test_images: 20}
training: {network: small_resnet, width: 2, epochs: 1, batch_size: 16, learning_rate: 0.001}
"""
ATTACKS = "\nattack_steps: 1\nattack_images: 10\nadversary: {steps: 1, step_size: 0.03}\n"
# What each experiment needs beyond that to take seconds.
MINIATURES = {
    "learning": "radii: [4]\nshuffled_epochs: 2\nmeasured_images: 16\nrescale: max\n",
    "heuristics": "radii: [4]\nrescale: max\nadversary: {steps: 1, step_size: 0.03}\n",
    "components": "radii: [4]\nrescale: max\n",
    "kernels": "rhos: [0, 0.5]\nepsilons: [0.03]\nminimal_epsilons: [0.1]\nminimal_images: 10\n" + ATTACKS,
    "gallery": "radii: [4, 8]\nradius: 8\n",
    "perturbations": "radii: [4, 8]\n" + ATTACKS,
    "bn_study": "radii: [4]\nrescale: max\n",
}
FIGURES = {
    "learning": {"learning"},
    "heuristics": {"heuristics"},
    "components": {"components"},
    "kernels": {"kernels", "smoothing", "minimal"},
    "gallery": set(),
    "perturbations": {"spectra", "profiles"},
    "bn_study": {"bn_study"},
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(TINY + text)


def call(*words):
    return running.call("hfc", *words)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_protocol_is_the_published_one(name):
    paper = load_config(EXPERIMENTS[name].config, CONFIGS / "hfc" / f"{name}.yaml")
    small = load_config(EXPERIMENTS[name].config, CONFIGS / "hfc" / f"{name}.cpu.yaml")
    training = paper.training
    assert (training.network, training.width, training.optimizer) == ("resnet32", None, "adam")
    assert (training.epochs, training.batch_size, training.learning_rate) == (100, 100, 1e-4)
    assert (training.schedule, training.weight_decay, training.crop.padding) == ("constant", 0, None)
    assert paper.data.train_images is None
    assert (small.training.network, small.data.fallback) == ("small_resnet", "cifar10_mini")
    assert paper.seeds == small.seeds == 3


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("learning", "radius=4", "there is no setting `radius`. Did you mean `radii`?"),
        ("learning", "radii=[]", "`radii` must hold at least one number, each at least 0"),
        ("learning", "radii=[4,4]", "`radii` must hold each number once"),
        ("learning", "every=0", "`every` must be at least 1. Received: every=0"),
        ("learning", "thresholds=[2]", "`thresholds` must hold at least one number, each in [0, 1]"),
        ("heuristics", "dropout=1", "`dropout` must be above 0 and below 1. Received: dropout=1.0"),
        ("heuristics", "rescale=min", "rescale"),
        (
            "kernels",
            "rhos=[-0.1]",
            "`rhos` must hold at least one number, each at least 0. Received: rhos=[-0.1]",
        ),
        ("kernels", "adversary.steps=0", "`adversary.steps` must be at least 1"),
        (
            "gallery",
            "radius=5",
            "`radius` must be one of `radii`, [4.0, 8.0, 12.0, 16.0]. Received: radius=5.0",
        ),
        ("gallery", "examples=11", "`examples` must lie in [1, 10]"),
        ("components", "data.train_images=0", "`data.train_images` must be at least 1"),
        ("bn_study", "seeds=0", "`seeds` must be at least 1. Received: seeds=0"),
        ("bn_study", "training.learning_rate=0", "`training.learning_rate` must be above 0"),
    ],
)
def test_wrong_settings_are_one_line(name, word, message):
    with pytest.raises(RunError) as caught:
        load_config(EXPERIMENTS[name].config, CONFIGS / "hfc" / f"{name}.yaml", [word])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["components", "components.yaml", "radii=[33]"], "radii must be at most the side of the images, 32"),
        (
            ["components", "components.yaml", "data.name=cifar10", "data.data_dir=nowhere"],
            "data.name=cifar10_mini",
        ),
        (
            ["kernels", "kernels.yaml", "attack_images=21"],
            "`attack_images` must be at most the number of test",
        ),
        (["colours", "components.yaml"], "needs an experiment: learning, heuristics, components, kernels"),
    ],
)
def test_what_the_data_do_not_allow_is_one_line(here, capsys, words, message):
    assert call(*words, "output=out") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_fallback_is_said_and_kept(here, capsys):
    words = ["data.name=cifar10", "data.data_dir=nowhere", "data.fallback=cifar10_mini", "output=out"]
    assert call("gallery", "gallery.yaml", *words) == 0
    assert "cifar10_mini is taken instead" in capsys.readouterr().out
    assert [r["value"] for r in records("out") if r["stage"] == "data"] == ["cifar10_mini"]
    # Gone on with where both sets can be found, it stays with the one it began with.
    assert call("gallery", "--resume", "out") == 0
    assert "is taken instead" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_in_miniature(here, capsys, name):
    assert call(name, f"{name}.yaml", "output=out") == 0, capsys.readouterr().err
    out = here / "out"
    shares = [
        r["value"] for r in records("out") if isinstance(r["value"], float) and r["measure"] != "roughness"
    ]
    assert shares
    assert all(0 <= value <= 1 for value in shares)
    assert FIGURES[name] <= {path.stem for path in (out / "figures").glob("*.png")}
    summary = (out / "summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert summary.count("\n| ") > 3
    assert "[mem]" not in summary
    assert "summary.md" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_was_cut_short_ends_with_the_same_numbers(here, monkeypatch, capsys):
    assert call("components", "components.yaml", "output=straight", "store=elsewhere") == 0
    accuracy, calls = kf.evaluate.accuracy, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return accuracy(*args, **kwargs)

    monkeypatch.setattr(kf.evaluate, "accuracy", interrupted)
    assert call("components", "components.yaml", "output=out") == 130
    assert "python -m apps.hfc components --resume out" in capsys.readouterr().err
    assert len(numbers("out")) < len(numbers("straight"))
    assert call("components", "--resume", "out") == 0
    assert numbers("out") == numbers("straight")


def test_roughness_by_hand():
    kernel = np.zeros((2, 2, 1, 1))
    kernel[:, :, 0, 0] = [[1, 3], [2, 0]]
    steps = [(2 - 1) ** 2, (0 - 3) ** 2, (3 - 1) ** 2, (0 - 2) ** 2]
    assert kernels.roughness(kernel) == pytest.approx(np.mean(steps) / np.mean([1, 9, 4, 0]))
    assert kernels.roughness(np.ones((3, 3, 4, 5))) == 0
    noise = np.random.default_rng(0).standard_normal((3, 3, 50, 200))
    assert kernels.roughness(noise) == pytest.approx(2, rel=0.02)
    assert kernels.roughness(kf.models.smooth_kernel(noise, 1.0)) < 0.5


@pytest.mark.parametrize("size", [(32, 32), (31, 20)])
def test_shares_of_the_rings_add_up(size, rng):
    energy = rng.random(size)
    shares = perturbations.ring_shares(energy, (4, 8))
    assert shares.sum() == pytest.approx(1)
    v, u = np.meshgrid(np.arange(size[1]) - size[1] // 2, np.arange(size[0]) - size[0] // 2)
    distance = np.hypot(u, v)
    expected = [energy[distance < 4].sum(), energy[(distance >= 4) & (distance < 8)].sum()]
    np.testing.assert_allclose(shares[:2], np.array(expected) / energy.sum(), rtol=1e-12)
    assert np.isnan(perturbations.ring_shares(np.zeros(size), (4, 8))).all()
    inside = perturbations.shares_inside(energy, (4, 8, 40))
    np.testing.assert_allclose(inside, [shares[0], shares[0] + shares[1], 1], rtol=1e-12)


def test_the_gallery_chooses_the_surest_of_the_right_kind():
    labels = np.array([0, 1, 2, 3, 4])
    found = {
        "original_class": np.array([0, 1, 2, 0, 4]),
        "high_class": np.array([0, 1, 0, 3, 4]),
        "low_class": np.array([1, 1, 0, 0, 0]),
        "high_confidence": np.array([0.6, 0.9, 0.9, 0.9, 0.8]),
        "low_confidence": np.array([0.9, 0.9, 0.9, 0.9, 0.7]),
    }
    # 1 is right by its low part, 2 wrong by its high part, 3 wrong as it is.
    assert gallery.choose(found, labels).tolist() == [4, 0]


def test_means_ranges_and_orders():
    assert report.mean_and_range([0.5, 0.6, 0.7]) == "0.600 (0.500 to 0.700)"
    assert report.mean_and_range([0.5], 2) == "0.50"
    assert report.mean_and_range([]) == "-"
    words = {"higher": "up", "lower": "down"}
    assert report.order([2, 3], [1, 1], **words) == "up in 2 of 2 seeds"
    assert report.order([0, 0, 0], [1, 1, 2], **words) == "down in 3 of 3 seeds"
    assert report.order([2, 1, 2], [1, 1, 1], **words) == "no one order (up in 2 of 3 seeds)"


def test_the_published_figures_are_those_of_the_header():
    from apps.hfc.heuristics import PUBLISHED

    header = (CONFIGS / "hfc" / "heuristics.yaml").read_text()
    rows = {"vanilla": "vanilla", "dropout": "dropout", "mix_up": "mix-up", "batch_norm_batch": "batch-norm"}
    rows["adversarial"] = "adversarial"
    for name, word in rows.items():
        line = next(line for line in header.splitlines() if line.startswith(f"#   {word} "))
        assert [None if cell == "n/a" else float(cell) for cell in line.split()[2:]] == list(PUBLISHED[name])


def test_the_network_is_named_in_every_summary(here):
    assert call("gallery", "gallery.yaml", "output=out", "training.normalization=batch_statistics") == 0
    assert "small_resnet, normalization batch_statistics" in (here / "out" / "summary.md").read_text()
    assert keras.backend.backend() in (here / "out" / "summary.md").read_text()
