"""Training against shortcuts: maps as text, correlation over networks, and the experiment in miniature."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import keras_freq as kf
from apps.freq_shortcuts import cure
from apps.lab import RunError
from apps.lab.augmentations import read_maps, write_maps
from apps.lab.settings import Augmentations, Training
from apps.lab.statistics import rank_correlation
from tests.apps import running


@pytest.mark.once
@pytest.mark.parametrize("shape", [(2, 3, 5), (10, 32, 32)])
def test_maps_are_written_as_text_and_read(shape, rng):
    masks = (rng.random(shape) < 0.3).astype("float32")
    text = write_maps(masks)
    assert len(text) < 20 + masks.size / 5
    np.testing.assert_array_equal(read_maps(text), masks)


@pytest.mark.once
@pytest.mark.parametrize("text", ["", "2x3", "2x3x5:!!", "ax3:AA=="])
def test_other_text_is_no_map(text):
    with pytest.raises(ValueError, match="must be maps as write_maps"):
        read_maps(text)


@pytest.mark.once
def test_maps_stand_with_the_rows_that_need_them_alone():
    maps = Augmentations(maps=write_maps(np.ones((2, 4, 4))))
    assert Training(augmentation="dfm_x", augmentations=maps).augmentations is maps
    with pytest.raises(ValueError, match="must hold maps of the classes for dfm_x"):
        Training(augmentation="dfm_x")
    with pytest.raises(ValueError, match="must be empty without maps of the classes for standard"):
        Training(augmentations=maps)


@pytest.mark.once
def test_the_interval_of_a_correlation_is_that_of_scipy(rng):
    from scipy.stats import bootstrap, spearmanr

    first = rng.normal(size=40)
    second = first + rng.normal(size=40)
    value, low, high = rank_correlation(first, second, draws=4000)
    assert (value, low, high) == rank_correlation(first[:, None], second[:, None], draws=4000)
    assert value == pytest.approx(kf.evaluate.rank_correlation(first, second), abs=1e-12)
    expected = bootstrap(
        (first, second),
        lambda a, b: spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert (low, high) == (pytest.approx(expected.low, abs=0.04), pytest.approx(expected.high, abs=0.04))
    assert low < value < high
    assert np.isnan(rank_correlation(np.zeros(5), np.arange(5.0))).all()


@pytest.mark.once
def test_networks_of_one_recipe_are_no_independent_ones(rng):
    recipes = rng.normal(size=(2, 8, 1))
    alike = recipes + 0.01 * rng.normal(size=(2, 8, 5))
    plain = rank_correlation(*alike.reshape(2, -1))
    by_recipe = rank_correlation(*alike)
    eight = rank_correlation(*recipes[..., 0])
    assert by_recipe.value == plain.value
    assert by_recipe.high - by_recipe.low > 1.5 * (plain.high - plain.low)
    assert (by_recipe.low, by_recipe.high) == (
        pytest.approx(eight.low, abs=0.15),
        pytest.approx(eight.high, abs=0.15),
    )


@pytest.mark.once
def test_what_a_third_number_explains_is_taken_out(rng):
    from scipy.stats import rankdata

    third = rng.normal(size=300)
    first, second = third + 0.5 * rng.normal(size=(2, 300))
    assert rank_correlation(first, second).low > 0.5
    value, low, high = rank_correlation(first, second, given=third, draws=500)
    assert low < 0 < high
    # What linear regression on the ranks of the third leaves of the ranks of the others.
    ranks = [rankdata(one) for one in (first, second, third)]
    left = [one - np.polyval(np.polyfit(ranks[2], one, 1), ranks[2]) for one in ranks[:2]]
    assert value == pytest.approx(np.corrcoef(*left)[0, 1])
    assert np.isnan(rank_correlation(first, third**3, given=third, draws=50)).all()


@pytest.mark.once
def test_other_orders_of_rows_and_other_shares_are_refused():
    config = running.CONFIGS / "freq_shortcuts" / "cure.yaml"
    running.refuse("must begin with standard", "freq_shortcuts", "cure", config, "rows=[apr_s, standard]")
    running.refuse("`share` must be one of", "freq_shortcuts", "cure", config, "share=0.1")
    running.refuse("`maps` must hold some of", "freq_shortcuts", "cure", config, "maps=hfss")


def other_set(rng):
    """Images of unknown classes, as `keras_freq.data.load` reads them."""
    splits = {"train": 4, "test": 30}
    images = {
        f"x_{name}": rng.integers(0, 256, (count, 32, 32, 3), "uint8") for name, count in splits.items()
    }
    return images | {f"y_{name}": np.arange(count) % 2 for name, count in splits.items()}


@pytest.mark.once
def test_numbers_are_not_those_of_other_images_of_the_same_name(here, rng, monkeypatch):
    names = []

    def stop(run, config, sets, *_):
        names.append(sets.name)
        raise RunError("enough")

    monkeypatch.setattr(cure, "_complete", stop)
    config = running.CONFIGS / "freq_shortcuts" / "cure.yaml"
    words = ("data.fallback=null", "search_per_class=1", "test_per_class=1")
    for folder in ("a", "b"):
        (here / folder).mkdir()
        np.savez(here / folder / "own.npz", **other_set(rng))
        where = (f"data.name={folder}/own.npz", f"output=run-{folder}")
        running.refuse("enough", "freq_shortcuts", "cure", config, *words, *where)
    assert names[0] != names[1]
    assert all(name.startswith("own ") for name in names)


@pytest.mark.once
@pytest.mark.slow
def test_networks_are_trained_with_maps_and_measured(tmp_path, rng):
    words = [
        running.CONFIGS / "freq_shortcuts" / "cure.yaml",
        "data.name=cifar10_mini",
        "data.train_images=200",
        "seeds=1",
        "rows=[standard, dfm_x, dfm_dropped]",
        "maps=gradient",
        "methods=[gradient, power, disk]",
        "search_per_class=3",
        "test_per_class=3",
        "patch=8",
        "attacked=5",
        "training.epochs=1",
        "training.width=2",
        "training.batch_size=20",
        f"store={tmp_path / 'store'}",
        f"folder={tmp_path / 'kept'}",
    ]
    told = running.finish("freq_shortcuts", "cure", *words, f"output={tmp_path / 'run'}")
    assert "Spearman's correlation over 3 networks" in told
    with (tmp_path / "run" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in ("standard", "dfm_x", "dfm_dropped"):
        found = {one["measure"] for one in rows if one["network"] == row}
        assert {"shortcuts gradient", "shortcuts first", "added error", "attack error"} <= found
    own, first = (
        next(float(one["value"]) for one in rows if one["network"] == "standard" and one["measure"] == name)
        for name in ("shortcuts gradient", "shortcuts first")
    )
    assert own == first
    beyond = {
        one["network"]: float(one["value"]) for one in rows if one["measure"].startswith("gradient beyond")
    }
    controls = [
        float(one["value"])
        for one in rows
        if one["network"] == "standard" and one["measure"] in ("shortcuts power", "shortcuts disk")
    ]
    assert beyond["standard"] == pytest.approx(own - max(controls))
    assert len(beyond) == 3
    assert (tmp_path / "run" / "figures" / "cure_gradient.png").is_file()
    # What is kept is neither trained nor measured again, and gives the same page; maps serve a network
    # that is not there yet.
    (tmp_path / "kept" / "dfm_x-0.json").unlink()
    again = running.finish("freq_shortcuts", "cure", *words, f"output={tmp_path / 'again'}")
    assert "dfm_x/seed0: found in" in again
    assert "standard/seed0" not in again
    tables = [
        [line for line in (tmp_path / name / "summary.md").read_text().splitlines() if line.startswith("|")]
        for name in ("run", "again")
    ]
    assert tables[0] == tables[1]
    assert len(tables[0]) > 10
    # A run that is gone on with has each number once.
    running.finish("freq_shortcuts", "cure", "--resume", str(tmp_path / "run"))
    text = (tmp_path / "run" / "summary.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("|")] == tables[0]
    # A method more is measured beside what is kept.
    words.append("rows=[standard]")
    np.savez(tmp_path / "other.npz", **other_set(rng))
    added = ("methods=[gradient, random]", f"outside={tmp_path / 'other.npz'}")
    more = running.finish("freq_shortcuts", "cure", *words, *added, f"output={tmp_path / 'more'}")
    assert "1 - AUROC, other" in more
    assert "standard/seed0: found in" in more
    stages = (tmp_path / "more" / "results.jsonl").read_text()
    assert "standard-seed0/random" in stages
    assert "standard-seed0/gradient" not in stages
    assert "standard-seed0/errors" not in stages
    assert (tmp_path / "more" / "figures" / "cure_gradient_beyond_random.png").is_file()
    # Without controls there is nothing to go beyond, and without searches nothing that could.
    for name, methods in (("searches", "gradient"), ("controls", "random, disk")):
        alone = (f"methods=[{methods}]", f"output={tmp_path / name}")
        assert "beyond" not in running.finish("freq_shortcuts", "cure", *words, *alone)
    # By other settings all is measured again.
    other = running.finish("freq_shortcuts", "cure", *words, "attacked=4", f"output={tmp_path / 'other'}")
    assert "standard/seed0: found in" in other
    (tmp_path / "kept" / "standard-0.json").write_text("{")
    running.refuse("must be as `cure` wrote it", "freq_shortcuts", "cure", *words)
