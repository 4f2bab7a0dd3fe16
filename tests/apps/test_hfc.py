"""The HFC app: arithmetic, every experiment in miniature, and a run that was cut short."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.hfc import gallery, kernels, perturbations
from apps.lab import report
from tests.apps import running
from tests.apps.running import interrupt, numbers, records

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 32, test_images: 20}
training: {network: tiny, epochs: 1, batch_size: 16, learning_rate: 0.001}
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
    "bn_study": "low_radii: [4, 8]\nradii: [4]\nrescale: max\n",
}
FIGURES = {
    "learning": {"learning"},
    "heuristics": {"heuristics"},
    "components": {"components"},
    "kernels": {"kernels", "smoothing", "minimal"},
    "gallery": set(),
    "perturbations": {"spectra", "profiles"},
    "bn_study": {"bn_study", "bn_study_low"},
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(TINY + text)


@pytest.mark.once
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
        (["learning", "learning.yaml", "every=9"], "`every` must lie in [1, "),
        (["heuristics", "heuristics.yaml", "every=9"], "`every` must lie in [1, "),
        (["colors", "components.yaml"], "needs an experiment: learning, heuristics, components, kernels"),
    ],
)
def test_what_the_data_do_not_allow_is_one_line(words, message):
    running.refuse(message, "hfc", *words, "output=out")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
@pytest.mark.parametrize("name", MINIATURES)
def test_every_experiment_in_miniature(shared_store, name):
    words = [f"store={shared_store}", "output=out"]
    if name == "gallery":  # through the fallback, with a network of another kind
        words += ["data.name=cifar10", "data.data_dir=nowhere", "data.fallback=cifar10_mini"]
        words.append("training.normalization=batch_statistics")
    printed = running.finish("hfc", name, f"{name}.yaml", *words)
    found = [r for r in records("out") if isinstance(r["value"], float) and r["measure"] != "roughness"]
    assert found
    assert all(0 <= r["value"] <= 1 for r in found)
    assert FIGURES[name] <= {path.stem for path in Path("out/figures").glob("*.png")}
    summary = Path("out/summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    assert summary.count("\n| ") > 3
    assert "[mem]" not in summary
    assert "summary.md" in printed
    if name == "gallery":
        assert "tiny, normalization batch_statistics" in summary
        assert keras.backend.backend() in summary
        assert "cifar10_mini is taken instead" in printed
        assert [r["value"] for r in records("out") if r["stage"] == "data"] == ["cifar10_mini"]
        # Gone on with where both sets can be found, it stays with the one it began with.
        assert "is taken instead" not in running.finish("hfc", name, "--resume", "out")


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("name", ["learning", "heuristics", "components", "bn_study"])
def test_chance_is_that_of_the_classes(shared_store, monkeypatch, name, rng):
    pixels, labels = rng.integers(0, 256, (40, 32, 32, 3), dtype="uint8"), np.arange(40) % 4
    np.savez("four.npz", x_train=pixels, y_train=labels, x_test=pixels[:20], y_test=labels[:20])
    drawn, curves = [], kf.plots.curves
    monkeypatch.setattr(kf.plots, "curves", lambda *a, **k: drawn.append(k["chance"]) or curves(*a, **k))
    words = ["data.name=four.npz", f"store={shared_store}", "output=out"]
    running.finish("hfc", name, f"{name}.yaml", *words)
    assert set(drawn) == {0.25}
    lines = Path("out/summary.md").read_text("utf-8").splitlines()
    claims = [line for line in lines if line.startswith("| ") and "| --- |" not in line]
    assert len(set(claims)) == len(claims)


@pytest.mark.slow
def test_a_run_that_was_cut_short_ends_with_the_same_numbers(capsys, here):
    running.finish("hfc", "components", "components.yaml", "output=straight", "store=elsewhere")
    with interrupt(kf.evaluate, "accuracy", at=2):
        assert running.call("hfc", "components", "components.yaml", "output=out") == 130
    assert f"python -m apps.hfc components --resume {here / 'out'}" in capsys.readouterr().err
    assert len(numbers("out")) < len(numbers("straight"))
    running.finish("hfc", "components", "--resume", "out")
    assert numbers("out") == numbers("straight")


@pytest.mark.slow
@pytest.mark.once
def test_five_ways_to_train_measured_at_the_end_alone(shared_store):
    words = ["every=null", "rescale=none", "batch_norm=published", "batch_norm_rate=0.01", "radii=[4,8]"]
    running.finish("hfc", "heuristics", "heuristics.yaml", *words, f"store={shared_store}", "output=out")
    assert Path("out/figures/heuristics.png").exists()
    asked = {"network": "batch_norm_batch", "rescale": "max", "measure": "H8"}
    assert sum(asked.items() <= record.items() for record in records("out")) == 1


@pytest.mark.once
def test_what_is_not_trained_is_a_reference_network():
    from apps.hfc import heuristics
    from apps.hfc.config import Heuristics, Kernels
    from apps.lab.config import load_config
    from apps.lab.recipe import recipe
    from apps.lab.references import REFERENCES
    from apps.references.config import References

    configs = Path(__file__).parents[2] / "configs"
    common = load_config(References, configs / "references" / "cifar10.yaml").training
    known = {name: recipe(row.recipe(common)) for name, row in REFERENCES.items()}
    five = load_config(Heuristics, configs / "hfc" / "heuristics.reference.yaml")
    asked = {name: recipe(heuristics.recipe_of(name, five)) for name in heuristics.NAMES}
    rows = ("no_batch_norm", "no_batch_norm_dropout", "no_batch_norm_mix_up", "small_resnet")
    assert asked == dict(
        zip(heuristics.NAMES, [known[row] for row in (*rows, "no_batch_norm_pgd")], strict=True)
    )
    both = load_config(Kernels, configs / "hfc" / "kernels.reference.yaml")
    assert recipe(both.training) == known["no_batch_norm"]
    assert recipe(both.adversary.applied_to(both.training)) == known["no_batch_norm_pgd"]


@pytest.mark.once
def test_roughness_by_hand():
    kernel = np.zeros((2, 2, 1, 1))
    kernel[:, :, 0, 0] = [[1, 3], [2, 0]]
    steps = [(2 - 1) ** 2, (0 - 3) ** 2, (3 - 1) ** 2, (0 - 2) ** 2]
    assert kernels.roughness(kernel) == pytest.approx(np.mean(steps) / np.mean([1, 9, 4, 0]))
    assert kernels.roughness(np.ones((3, 3, 4, 5))) == 0
    noise = np.random.default_rng(0).standard_normal((3, 3, 50, 200))
    assert kernels.roughness(noise) == pytest.approx(2, rel=0.02)
    assert kernels.roughness(kf.models.smooth_kernel(noise, 1.0)) < 0.5


@pytest.mark.once
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


@pytest.mark.once
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
    # Of 0, 2 and 4, right as they are and wrong low-passed, 2, 0 and 1 of the 5 high parts are said to be.
    assert gallery.expect(found, labels) == pytest.approx(2 / 5 + 0 + 1 / 5)


@pytest.mark.once
def test_means_ranges_and_orders():
    assert report.mean_and_range([0.5, 0.6, 0.7]) == "0.600 (0.500 to 0.700)"
    assert report.mean_and_range([0.5], 2) == "0.50"
    assert report.mean_and_range([]) == "-"
    words = {"higher": "up", "lower": "down"}
    assert report.order([2, 3], [1, 1], **words) == "up in 2 of 2 seeds"
    assert report.order([0, 0, 0], [1, 1, 2], **words) == "down in 3 of 3 seeds"
    assert report.order([2, 1, 2], [1, 1, 1], **words) == "no one order (up in 2 of 3 seeds)"
