"""The page of all networks and measures, and folders that others send in."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess

import numpy as np
import pytest

from apps.lab import evidence, leaderboard
from apps.lab.__main__ import command
from apps.lab.contributed import SUMS, Contribution, read_contribution, write_contribution
from apps.lab.measures import samples
from tests.apps import running
from tests.apps.running import CONFIGS

RECIPE = {
    "name": "<b>Mine</b>",
    "network": "resnet20",
    "trained": "200 epochs",
    "minutes": None,
    "data": "cifar10",
    "weights": None,
    "versions": {},
}


@pytest.fixture(scope="module")
def networks():
    return evidence.read_networks()


@pytest.fixture
def like(networks):
    return networks["standard"][0]


@pytest.fixture
def sent(tmp_path, like):
    write_contribution(tmp_path / "sent", Contribution(RECIPE, like))
    return tmp_path / "sent"


@pytest.mark.once
def test_every_number_of_the_page_is_that_of_the_outcomes(tmp_path, networks, sent, like, capsys):
    assert command(["leaderboard", "--out", str(tmp_path / "board"), str(sent)]) == 0
    assert capsys.readouterr().out.strip().endswith("leaderboard.html")
    with (tmp_path / "board" / "leaderboard.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(networks) + 1
    for row, by_seed in zip(rows, networks.values(), strict=False):
        for name in leaderboard.measures(networks):
            rate = samples(list(by_seed.values()), name).rate
            assert float(row[name]) == pytest.approx(rate, abs=1e-6)
            assert float(row[f"{name} low"]) <= rate <= float(row[f"{name} high"])
        n = len(next(iter(by_seed.values())).right["clean"])
        width = 2 * 1.96 * np.sqrt(float(row["accuracy"]) * (1 - float(row["accuracy"])) / n)
        if len(by_seed) == 1:
            assert float(row["accuracy high"]) - float(row["accuracy low"]) == pytest.approx(width, rel=0.15)
        assert float(row["minutes"]) > 1
    page = (tmp_path / "board" / "leaderboard.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Mine&lt;/b&gt;" in page
    assert "<b>Mine" not in page
    assert "not said" in page
    assert "http:" not in page
    assert "https:" not in page
    known = json.loads((tmp_path / "board" / "leaderboard.json").read_text(encoding="utf-8"))
    assert [line["ours"] for line in known] == [True] * len(networks) + [False]
    for name, found in known[-1]["rates"].items():
        assert found["value"] == samples([like], name).rate


@pytest.mark.once
def test_a_folder_that_was_sent_in_is_read_back(sent, like):
    one = read_contribution(sent, like)
    assert one.recipe == RECIPE
    assert all((one.outcomes.right[name] == bits).all() for name, bits in like.right.items())
    if shutil.which("sha256sum"):
        assert (
            subprocess.run(["sha256sum", "--check", "--quiet", SUMS], cwd=sent, check=False).returncode == 0
        )
    assert command(["check", str(sent)]) == 0


def _change(folder, recipe=RECIPE, **parts):
    """The folder with other parts, whose digests are right."""
    one = read_contribution(folder, evidence.read_networks()["standard"][0])
    outcomes = type(one.outcomes)(
        **{name: parts.get(name, getattr(one.outcomes, name)) for name in ("right", "predicted", "note")}
    )
    write_contribution(folder, Contribution(recipe, outcomes))


@pytest.mark.once
@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f, o: (f / "outcomes.npz").unlink(), "must hold recipe.json, outcomes.npz and SHA256SUMS"),
        (lambda f, o: (f / "recipe.json").write_text("{}"), "must have the digest that SHA256SUMS says"),
        (lambda f, o: _change(f, {"name": "x"}), "must be a JSON object with name, network"),
        (lambda f, o: _change(f, RECIPE | {"minutes": "9"}), "must say what `minutes` is"),
        (lambda f, o: _change(f, RECIPE | {"name": " "}), "must say what `name` is"),
        (
            lambda f, o: _change(f, right=dict(o.right) | {"clean": o.right["clean"][:-1]}),
            "must hold 10000 images under 'clean'",
        ),
        (
            lambda f, o: _change(f, right=dict(o.right) | {"corrupted rain 1": o.right["clean"]}),
            "must hold the conditions of the reference networks alone. Received: 'corrupted rain 1' too",
        ),
        (lambda f, o: _change(f, predicted={}), "must hold the classes of 'clean'"),
        (
            lambda f, o: _change(f, predicted=dict(o.predicted) | {"swap": o.predicted["swap"][:9]}),
            "must hold the classes of 'swap', 10000. Received: 9",
        ),
        (lambda f, o: _change(f, note={"labels": "0" * 16}), "in the order of the reference networks"),
    ],
)
def test_a_folder_that_cannot_stand_beside_the_others_is_refused(sent, like, break_it, message, capsys):
    break_it(sent, like)
    assert command(["check", str(sent)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.once
@pytest.mark.parametrize(
    "words", [["check"], ["check", "--all"], ["leaderboard", "--out"], ["leaderboard", "-x"]]
)
def test_other_words_are_refused(words, capsys):
    assert command(words) == 2
    assert "the command is python -m apps.lab" in capsys.readouterr().err


@pytest.mark.once
@pytest.mark.parametrize(
    ("error", "status", "told"),
    [(KeyboardInterrupt(), 130, "interrupted\n"), (OSError(28, "No space left"), 1, "No space left\n")],
)
def test_whatever_ends_a_command_is_one_line(tmp_path, monkeypatch, capsys, error, status, told):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("apps.lab.leaderboard.lines", fail)
    assert command(["leaderboard", "--out", str(tmp_path / "board")]) == status
    assert capsys.readouterr().err.endswith(told)


@pytest.mark.slow
@pytest.mark.once
def test_a_network_of_somebody_else_is_looked_at(here):
    words = (
        "data.name=cifar10_mini",
        "data.test_images=12",
        "attacked=4",
        "corrupted=corrupted",
        "folder=sent",
    )
    config = CONFIGS / "references" / "look.yaml"
    told = running.finish("references", "look", config, *words, "name=Mine", "output=run")
    assert "python -m apps.lab check sent" in told
    assert (here / "run" / "summary.md").exists()
    recipe = json.loads((here / "sent" / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["name"] == "Mine"
    assert len(recipe["weights"]) == 64
    found = evidence.read_outcomes(here / "sent" / "outcomes.npz")
    assert len(found.right) == 1 + 8 + 75 + 5
    # The same network, of bytes.
    import keras

    import keras_freq as kf

    model = kf.models.reference("cifar10/standard")
    pixels = [keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255), model]
    keras.Sequential(pixels).save("bytes.keras")
    again = ("model=bytes.keras", "value_range=[0, 255]", "folder=bytes", "output=second")
    running.finish("references", "look", config, *words, *again)
    other = evidence.read_outcomes(here / "bytes" / "outcomes.npz")
    for name, bits in found.right.items():
        assert (other.right[name] != bits).sum() <= 1, name
    few = [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential(few).save("few.keras")
    running.refuse("`model` must have 10 outputs", "references", "look", config, *words, "model=few.keras")
