"""The APR app: every experiment in miniature, networks of another run, a run that was cut short."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.apr import two_heads
from apps.apr.adversarial import _recipe
from apps.apr.config import Adversarial, TwoHeads
from apps.apr.networks import compare_rows
from apps.lab import load_config
from apps.lab.recipe import recipe
from tests.apps import running
from tests.apps.running import CONFIGS, experiments, interrupt, numbers

TINY = """
seed: 0
seeds: 1
data: {name: cifar10_mini, train_images: 16, test_images: 10}
training: {network: tiny, epochs: 1, batch_size: 8, learning_rate: 0.01, schedule: cosine}
"""
MINIATURES = {
    "table": "networks: [tiny]\nrows: [standard, apr_sp]\nseverities: [5]\n",
    "swap": "rows: [standard, apr_sp]\ndonors: other.npz\nexamples: 2\n",
    "two_heads": "rows: [standard]\nseverities: [5]\npairs: 6\n",
    "detection": "rows: [standard, apr_sp]\noutside: [other.npz]\nseverities: [5]\ncorrupted_images: 4\n",
    "heat_maps": "rows: [standard, apr_sp]\nimages: 4\nwindow: 1\n",
    "adversarial": "rows: [standard, apr_sp]\nattacks: [pgd_ce, square]\n"
    "attack_steps: 1\nrestarts: 1\nqueries: 3\nattack_images: 5\n",
}
FIGURES = {
    "table": {"corruptions_tiny"},
    "swap": {"swap_cifar10_mini", "swap_other"},
    "two_heads": {"two_heads"},
    "detection": {"reliability"},
    "heat_maps": {"heat_maps"},
    "adversarial": {"adversarial"},
}


@pytest.fixture(autouse=True)
def miniatures(here):
    for name, text in MINIATURES.items():
        (here / f"{name}.yaml").write_text(TINY + text)
    rng = np.random.default_rng(5)
    other = {"x": rng.integers(0, 256, (12, 32, 32, 3), dtype="uint8"), "y": np.arange(12)}
    np.savez(here / "other.npz", **other)


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["swap", "swap.yaml", "pairs=11"], "`pairs` must be at most the number of test images, 10"),
        (["two_heads", "two_heads.yaml", "pairs=11"], "`pairs` must be at most the number of test images"),
        (["heat_maps", "heat_maps.yaml", "images=11"], "`images` must be at most the number of test images"),
        (["adversarial", "adversarial.yaml", "attack_images=11"], "`attack_images` must be at most"),
        (
            ["table", "table.yaml", "networks=[small_resnet, densenet]", "training.width=2"],
            "must be null for densenet",
        ),
        (["detection", "detection.yaml", "outside=[none.npz]"], "There is no such .npz file"),
        (["detection", "detection.yaml", "outside=[other.npz, ./other.npz]"], "sets of different names"),
        (["swap", "swap.yaml", "donors=cifar10_mini"], "`donors` must be another set than cifar10_mini"),
        (["table", "table.yaml", "corrupted=nowhere"], "must be a folder, or one of cifar10_corrupted"),
    ],
)
def test_what_the_data_do_not_allow_is_one_line(words, message):
    running.refuse(message, "apr", *words, "output=out")


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="there it runs")
def test_auto_attack_needs_torch():
    words = ["adversarial", "adversarial.yaml", "auto_attack=true", "output=out"]
    running.refuse("`auto_attack` needs PyTorch", "apr", *words)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
@pytest.mark.parametrize("name", MINIATURES)
def test_every_experiment_in_miniature(shared_store, name):
    printed = running.finish("apr", name, f"{name}.yaml", "output=out", f"store={shared_store}")
    shares = [r["value"] for r in running.records("out") if isinstance(r["value"], float)]
    assert shares
    assert all(0 <= value <= 1 for value in shares)
    assert {path.stem for path in Path("out/figures").glob("*.png")} == FIGURES[name]
    summary = Path("out/summary.md").read_text()
    assert "| claim | paper's number | ours | n | seeds | minutes |" in summary
    if name == "adversarial":
        assert "Clean: n = 10; attacked: the first 5 of them." in summary
    assert ("head of the amplitude" if name == "two_heads" else "APR-SP") in summary
    assert "[mem]" not in summary
    assert "summary.md" in printed


def records_of(numbers, **common):
    """A run with one record of each number, by seed."""
    rows = [
        {**common, **key, "seed": seed, "value": value} for key, by in numbers for seed, value in by.items()
    ]
    return SimpleNamespace(records=rows)


@pytest.mark.once
def test_seeds_that_one_of_two_rows_lacks_are_left_out():
    numbers = [({"row": "apr_sp"}, {0: 0.5, 2: 0.5}), ({"row": "standard"}, {0: 0.4, 1: 0.9, 2: 0.6})]
    options = {"network": "tiny", "n": 6}
    wanted = {"measure": "follows_phase"}
    claim = compare_rows(records_of(numbers, **wanted), "it", ("apr_sp", "standard"), wanted, **options)
    assert claim.ours == (
        "APR-SP 0.500 (0.500 to 0.500), Standard 0.500 (0.400 to 0.600): "
        "no one order (APR-SP is higher in 1 of 2 seeds)"
    )
    assert claim.seeds == (0, 2)
    nothing = compare_rows(records_of(numbers[:1], **wanted), "it", ("apr_sp", "standard"), wanted, **options)
    assert nothing.ours.endswith("no seed has both")


@pytest.mark.once
def test_claims_of_two_heads_count_the_pairs_and_the_training_of_rows(monkeypatch):
    told = []
    monkeypatch.setattr(two_heads, "write_report", lambda run, title, claims, *_, **__: told.extend(claims))
    measures = [
        ({"network": name, "measure": measure}, {0: 0.5})
        for name in ("standard", "phase", "amplitude")
        for measure in two_heads.MEASURES
    ]
    config = TwoHeads(rows=("standard",), pairs=6, seeds=1)
    two_heads._report(records_of(measures), config, 10)
    assert [claim.n for claim in told] == [6, 6, 10, 10]
    assert "resnet18/standard/" in told[-1].stages


@pytest.mark.once
def test_a_corrupted_copy_is_written_once():
    config = CONFIGS / "apr" / "corrupt.cpu.yaml"
    words = ["data.test_images=3", "corruptions=[fog,contrast]", "folder=copy", "severities=[1,5]"]
    running.finish("apr", "corrupt", config, *words, "output=out")
    foggy, labels = kf.data.read_corrupted("copy", "fog", 5)
    pixels, expected = kf.data.load("cifar10_mini").arrays("test", limit=3)
    np.testing.assert_array_equal(labels, expected)
    levels = np.rint(pixels * 255).astype("uint8")
    np.testing.assert_array_equal(foggy, kf.data.corrupt(levels, "fog", 5))
    assert {path.stem for path in Path("copy").glob("*.npy")} == {"contrast", "fog", "labels"}
    wrong = ["corruptions=[fgo]", "output=o"]
    running.refuse("Received: corruptions=['fgo']", "apr", "corrupt", config, *words, *wrong)


@pytest.mark.slow
@pytest.mark.once
def test_a_run_that_was_cut_short_ends_with_the_same_numbers(capsys, here):
    words = ["table", "table.yaml", "rows=[standard]", "seeds=2", "severities=[1]"]
    running.finish("apr", *words, "output=straight")
    with interrupt(kf.evaluate, "corruption_error", at=2):
        assert running.call("apr", *words, "output=out", "store=elsewhere") == 130
    assert f"python -m apps.apr table --resume {here / 'out'}" in capsys.readouterr().err
    running.finish("apr", "table", "--resume", "out")
    assert numbers("out") == numbers("straight")
    # Another experiment finds the networks.
    running.finish("apr", "heat_maps", "heat_maps.yaml", "rows=[standard,cutout]", "images=2", "output=maps")
    found = {r["row"]: r["trained"] for r in running.records("maps") if "trained" in r}
    assert found == {"standard": "before", "cutout": "here"}


@pytest.mark.slow
@pytest.mark.once
def test_two_heads_share_all_but_themselves_and_go_on_after_an_interruption():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2, name="logits")])
    both = two_heads.split_head(model)
    inputs = np.random.default_rng(0).standard_normal((5, 4)).astype("float32")
    seen = both.predict(inputs, verbose=0)
    assert set(seen) == {"phase", "amplitude"}
    assert np.abs(seen["phase"] - seen["amplitude"]).max() > 0.01
    assert both.count_params() == model.count_params() + 3 * 2 + 2
    words = ["two_heads", "two_heads.yaml"]
    running.finish("apr", *words, "output=straight")
    with interrupt(kf.evaluate, "corruption_error", at=3):  # the other head
        assert running.call("apr", *words, "output=out", "store=elsewhere") == 130
    running.finish("apr", "two_heads", "--resume", "out")
    assert numbers("out") == numbers("straight")


@pytest.mark.once
def test_rows_of_the_small_adversarial_training_have_equal_epochs_and_rates():
    small, published = (
        load_config(Adversarial, CONFIGS / "apr" / f"adversarial{kind}.yaml") for kind in (".cpu", "")
    )
    assert {(one.epochs, one.learning_rate) for one in map(partial(_recipe, small), small.rows)} == {
        (10, 0.05)
    }
    assert _recipe(published, "apr_sp").epochs == 90


@pytest.mark.once
def test_plainly_trained_networks_are_never_taken_for_adversarially_trained_ones():
    plain, adversarial = (
        recipe(load_config(experiments("apr")[name].config, f"{name}.yaml").training)
        for name in ("table", "adversarial")
    )
    assert "adversary" not in plain
    assert adversarial["adversary"]["steps"] == 1
