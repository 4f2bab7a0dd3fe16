"""The store of trained networks: trained once, found by all, resumed where cut short, never a wrong one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.lab import Run, RunError, store
from apps.lab.__main__ import command
from apps.lab.images import as_floats, exact_bytes
from apps.lab.listing import list_networks
from apps.lab.recipe import recipe, shorten
from apps.lab.settings import Adversary, Augmentations, Crop, Training
from tests.apps import tiny_training
from tests.apps.running import start, wait_until
from tests.apps.test_lab_resumable import damages
from tests.apps.tiny_training import RECIPE, Settings, images, train

STORE = Path("runs/networks")


def begin(output, **settings):
    return Run.start("tiny", Settings(output=str(output), **settings))


def network_folders():
    return sorted(path for path in STORE.iterdir() if not path.name.startswith("."))


def record(run, name="plain"):
    (found,) = run.measured(f"{name}/seed0/training")
    return found


def without_seconds(history):
    return {name: values for name, values in history.items() if name != "seconds"}


def assert_same_weights(a, b):
    for left, right in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.fixture
def counted(monkeypatch):
    """How often a training was begun in this process."""
    from apps.lab import train as trainer

    calls, fit = [], trainer.fit_resumably

    def counting(*args, **options):
        calls.append(options["label"])
        return fit(*args, **options)

    monkeypatch.setattr(trainer, "fit_resumably", counting)
    return calls


def test_a_network_is_trained_once_for_all_runs(here, counted, capsys):
    first, second = begin("first"), begin("second")
    model, history = train(first)
    again, found = train(second, name="other name")
    assert counted == ["plain/seed0"]
    assert found == history
    assert_same_weights(model, again)
    (folder,) = network_folders()
    assert f"other name/seed0: found in {folder}" in capsys.readouterr().out
    own, theirs = record(first), record(second, "other name")
    assert (own["trained"], theirs["trained"]) == ("here", "before")
    assert own["digest"] == theirs["digest"] == folder.name
    assert own["seconds"] > 0 == theirs["seconds"]
    assert own["training_minutes"] == theirs["training_minutes"]
    assert own["value"] == history["accuracy"][-1]
    assert (own["n"], own["epochs"], own["seed"]) == (24, 2, 0)


@pytest.mark.once
def test_a_finished_folder_is_small_and_readable(here):
    train(begin("out"))
    (folder,) = network_folders()
    assert {path.name for path in folder.iterdir()} == {"recipe.json", "network.npz"}
    content = json.loads((folder / "recipe.json").read_text())
    assert content["follows from"]["recipe"]["network"] == "tiny"
    assert content["follows from"]["backend"] == keras.backend.backend()
    assert (content["run"], content["label"]) == ("out", "plain/seed0")
    assert content["data"] == "24 8x8x3"
    assert set(content["finished"]) >= {"training accuracy", "epochs", "minutes", "n", "ended"}
    with np.load(folder / "network.npz") as stored:  # plain arrays: no optimizer, nothing pickled
        assert all(name == "note" or name.startswith("weight.") for name in stored.files)


@pytest.mark.once
def test_whatever_a_network_follows_from_makes_another_one(here, counted):
    run = begin("out")
    train(run)
    pixels, labels = images()
    changes = [
        {"training": dataclasses.replace(RECIPE, learning_rate=0.06)},
        {"training": dataclasses.replace(RECIPE, crop=Crop(padding=1))},
        {"seed": 1},
        {"data": (pixels * np.float32(0.5), labels)},
        {"data": (pixels, labels[::-1])},
        {"data": (pixels.astype("float64"), labels)},
        {"data": (pixels[:16], labels[:16])},
    ]
    for place, change in enumerate(changes):
        train(run, **change, name=f"changed{place}")
    assert len(counted) == len(network_folders()) == 1 + len(changes)


@pytest.mark.once
def test_what_it_does_not_follow_from_makes_the_same_one(here, counted):
    run = begin("out")
    train(run)
    idle = dataclasses.replace(
        RECIPE, patience=3, warmup=5, augmentations=Augmentations(pair=0.1), adversary=Adversary(epsilon=0.1)
    )
    train(run, idle, (images()[0], images()[1].astype("int64")), name="same")
    assert len(counted) == len(network_folders()) == 1


@pytest.mark.once
def test_versions_and_backend_are_part_of_it(here, counted, monkeypatch):
    run = begin("out")
    train(run)
    from apps.lab import train as trainer

    old = store.dependencies()
    monkeypatch.setattr(trainer, "dependencies", lambda: old | {"keras_freq": "0.0.1"})
    train(run, name="older")
    assert len(counted) == len(network_folders()) == 2


@pytest.mark.once
@pytest.mark.slow
def test_two_processes_that_ask_at_once_train_it_once(here):
    first = start(tiny_training.__file__, "first", 2, "wait")
    wait_until(Path("first.training").exists, first)
    second = start(tiny_training.__file__, "second", 2, "wait")
    said = second.stdout.readline()
    (folder,) = network_folders()
    assert said == f"plain/seed0: another process trains {folder}; waiting\n"
    Path("go").touch()
    outputs = [process.communicate(timeout=300) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert "epoch 2/2" in outputs[0][0]
    assert f"plain/seed0: found in {folder}" in outputs[1][0]
    assert not Path("second.training").exists()


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.compiled
def test_a_network_that_was_cut_short_goes_on_and_ends_the_same(here, capsys):
    killed = start(tiny_training.__file__, "killed", 3, "kill")
    output = killed.communicate(timeout=300)
    assert killed.returncode == 9, output
    (folder,) = network_folders()
    assert (folder / "checkpoint.npz").exists()
    assert command(["networks"]) == 0
    assert "1 of 3" in capsys.readouterr().out
    three = dataclasses.replace(RECIPE, epochs=3)
    model, history = train(begin("on"), three)
    assert "plain/seed0: goes on after epoch 1 of 3" in capsys.readouterr().out
    straight, expected = train(begin("straight", store="elsewhere"), three)
    assert without_seconds(history) == without_seconds(expected)
    assert_same_weights(model, straight)
    assert not (folder / "checkpoint.npz").exists()


@pytest.mark.once
def test_killed_between_the_two_files_of_the_end(here, counted, monkeypatch):
    run = begin("out")

    def killed(self, facts):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store.Kept, "_close", killed)
        with pytest.raises(KeyboardInterrupt):
            train(run)
    (folder,) = network_folders()
    assert (folder / "network.npz").exists()
    assert (folder / "checkpoint.npz").exists()
    train(run)
    assert len(counted) == 1
    assert not (folder / "checkpoint.npz").exists()
    assert "finished" in json.loads((folder / "recipe.json").read_text())


@pytest.mark.once
def test_killed_while_writing_the_first_file_leaves_a_folder_that_is_trained_in(here, counted):
    train(begin("first"))
    (folder,) = network_folders()
    for path in folder.iterdir():
        path.unlink()
    (folder / ".recipe.json.abcdefgh.part").write_text("{")
    train(begin("second"))
    assert len(counted) == 2
    assert {path.name for path in folder.iterdir()} == {"recipe.json", "network.npz"}


@pytest.mark.once
def test_killed_while_writing_leaves_no_half_network(here, counted, monkeypatch):
    run = begin("out")
    savez = np.savez

    def full(file, **arrays):
        if any(name.startswith("weight.") for name in arrays):
            file.write(b"half")
            raise OSError(28, "No space left on device")
        savez(file, **arrays)

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="No space"):
            train(run)
    (folder,) = network_folders()
    assert {path.name for path in folder.iterdir()} == {"recipe.json", "checkpoint.npz"}
    train(run)  # reads the checkpoint, trains nothing
    assert (folder / "network.npz").exists()
    assert record(run)["epochs"] == 2


@pytest.mark.once
@pytest.mark.parametrize("damage", ["weights", "recipe", "foreign recipe", "foreign weights", "stray"])
def test_a_broken_or_foreign_folder_is_one_line(here, damage):
    run = begin("out")
    train(run)
    (folder,) = network_folders()
    if damage == "weights":
        (folder / "network.npz").write_bytes((folder / "network.npz").read_bytes()[:2000])
    elif damage == "recipe":
        (folder / "recipe.json").write_text("{")
    elif damage == "foreign recipe":
        text = (folder / "recipe.json").read_text()
        (folder / "recipe.json").write_text(text.replace('"seed": 0', '"seed": 5'))
    elif damage == "foreign weights":
        train(run, seed=1, name="other")
        other = next(path for path in network_folders() if path != folder)
        (folder / "network.npz").write_bytes((other / "network.npz").read_bytes())
    else:
        (folder / "recipe.json").unlink()
        (folder / "network.npz").unlink()
        (folder / "something").touch()
    with pytest.raises(RunError) as caught:
        train(begin("again"))
    assert caught.value.code == 1
    assert f"{folder} must hold the network {folder.name} as it was kept; remove the folder" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


@pytest.mark.once
def test_a_store_that_cannot_be_written_is_one_line(here):
    (here / "file").write_text("")
    with pytest.raises(RunError, match="`store` must be a folder that can be written"):
        train(begin("out", store="file/below"))


class Column(keras.callbacks.Callback):
    """Adds a column; keeps a line for every epoch in the folder of the network."""

    def __init__(self, name="extra"):
        super().__init__()
        self.column = name
        self.lines = []

    def keep_in(self, folder):
        self.path = folder / "lines.txt"
        self.lines = self.path.read_text().splitlines() if self.path.exists() else []

    def on_epoch_end(self, epoch, logs=None):
        logs[self.column] = epoch + 0.5
        self.lines.append(str(epoch))
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text("\n".join(self.lines))


def test_watched_trainings_have_folders_of_their_own(here, counted):
    run = begin("out")
    watch = {"measure": "extra", "on": images()}
    model, history = train(run, callbacks=[Column()], watch=watch, name="watched")
    assert history["extra"] == [0.5, 1.5]
    (folder,) = network_folders()
    digest, _, own = folder.name.partition("-")
    assert own
    # Whoever does not ask for the column is given the same network.
    plain, _ = train(run)
    assert record(run)["digest"] == digest
    assert_same_weights(model, plain)
    # The same column again: found, and the callback finds its file.
    column = Column()
    assert train(run, callbacks=[column], watch=watch, name="again")[1] == history
    assert column.lines == ["0", "1"]
    assert len(counted) == 1
    # Another column is another training, to the same weights.
    other, columns = train(run, callbacks=[Column("b")], watch={"measure": "b"}, name="b")
    assert len(counted) == len(network_folders()) == 2
    assert {"b"} == set(columns) - set(train(run)[1]) | {"b"}
    assert_same_weights(model, other)
    with pytest.raises(ValueError, match="`watch` must say what the callbacks measure"):
        train(run, callbacks=[Column()])


@pytest.mark.once
def test_a_plain_network_does_not_satisfy_one_that_asks_for_columns(here, counted):
    run = begin("out")
    train(run)
    _, history = train(run, callbacks=[Column()], watch={"measure": "extra"}, name="watched")
    assert history["extra"] == [0.5, 1.5]
    assert len(counted) == 2


def test_a_reference_network_is_not_trained_again(here, capsys, monkeypatch, rng):
    """It is found by what it follows from, whatever backend and versions were, and by floats as by bytes."""
    from apps.references.training import pack
    from keras_freq.models import _references as references

    recipe = dataclasses.replace(RECIPE, network="whitened_net", epochs=1)
    labels = np.arange(16, dtype="int32") % 4
    pixels = rng.integers(0, 256, (16, 12, 12, 3)).astype("uint8")
    run = begin("out")
    model, history = train(run, recipe, (pixels, labels))
    data = as_floats(pixels), labels
    known = record(run)
    assert known["origin"] != known["digest"]
    content = pack(model)
    (here / "tiny.npz").write_bytes(content)
    entry = references.Reference(
        name="tiny/plain",
        seed=0,
        network="whitened_net",
        options={"width": 2, "input_shape": (12, 12, 3), "classes": 4},
        recipe={},
        n=1,
        accuracy=0.5,
        minutes=7.5,
        command="",
        made_with={},
        terms="",
        file="tiny.npz",
        sha256=hashlib.sha256(content).hexdigest(),
        digest=known["origin"],
        history=history,
    )
    references.References(networks=(entry,)).write(here)
    monkeypatch.setattr(references, "_folders", lambda folder: [here])
    other = begin("other")
    capsys.readouterr()
    again, told = train(other, recipe, data)
    assert "the reference network tiny/plain, seed 0 (trained in 7.5 minutes)" in capsys.readouterr().out
    assert told == history
    assert (record(other)["trained"], record(other)["training_minutes"]) == ("before", 7.5)
    for ours, theirs in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
    (here / "tiny.npz").write_bytes(content[:-1])
    with pytest.raises(RunError, match="tiny/plain must be as they were stored"):
        train(begin("third"), recipe, data)
    train(begin("fourth"), recipe, data, anew=True)  # from the store


@pytest.mark.once
def test_floats_of_bytes_are_digested_as_bytes(rng):
    pixels = rng.integers(0, 256, (2001, 4, 4, 3)).astype("uint8")
    floats = as_floats(pixels)
    assert exact_bytes(pixels) is pixels
    np.testing.assert_array_equal(exact_bytes(floats), pixels)
    np.testing.assert_array_equal(exact_bytes(kf.data.load("cifar10_mini").arrays("test")[0]).dtype, "uint8")
    for wrong in (0.5, -1 / 255, 256 / 255, np.nan):
        other = floats.copy()
        other[2000, 0, 0, 0] = wrong
        assert exact_bytes(other) is other


@pytest.mark.once
def test_the_list_of_networks(here, capsys):
    run = begin("out")
    train(run)
    train(run, callbacks=[Column()], watch={"measure": "extra"}, name="watched")
    (STORE / "broken").mkdir()
    capsys.readouterr()
    assert command(["networks"]) == 0
    out = capsys.readouterr().out
    assert "3 networks in runs/networks" in out
    assert "tiny 2, sgd 0.05 constant, 2 epochs of 8" in out
    assert f"{record(run)['value']:.3f}" in out
    assert keras.backend.backend() in out
    assert "broken: FileNotFoundError" in out
    assert command(["networks", "--folder", "nowhere"]) == 2
    assert "there must be a folder of trained networks. Received: nowhere" in capsys.readouterr().err
    assert command(["models"]) == 2
    assert (
        "must be a command, one of grid, networks, evidence, leaderboard, check. Received: models"
        in capsys.readouterr().err
    )


@pytest.mark.once
def test_recipes_hold_what_matters():
    assert recipe(RECIPE) == {
        "network": "tiny",
        "width": 2,
        "epochs": 2,
        "batch_size": 8,
        "optimizer": "sgd",
        "learning_rate": 0.05,
        "momentum": 0.9,
        "nesterov": False,
        "schedule": "constant",
    }
    apr = Training(
        augmentation="apr_sp",
        schedule="cosine",
        warmup=1,
        iterations=7,
        crop=Crop(padding=4, mode="reflect"),
        adversary=Adversary(steps=1),
    )
    found = recipe(apr)
    assert found["augmentations"] == {"single": 0.5, "level": 3.0, "pair": 0.6, "pair_space": "pixels"}
    assert found["crop"] == {"padding": 4, "mode": "reflect"}
    assert found["warmup"] == 1
    assert found["iterations"] == 7
    assert "epochs" not in found
    assert shorten(found) == ("small_resnet, apr_sp, adversary 0.03 x 1, sgd 0.1 cosine, 7 steps of 128")
    masked = found | {"augmentation": "dfm_x", "augmentations": {"maps": "10x32x32:" + 100 * "A"}}
    assert ", dfm_x, maps 10x32x32, adversary" in shorten(masked)


def test_validation_plateau_and_iterations(here):
    from apps.lab.train import hold_out

    run = begin("out")
    plateau = dataclasses.replace(RECIPE, schedule="plateau", patience=1, validation=0.25)
    _, history = train(run, plateau)
    assert {"val_accuracy", "val_cross_entropy", "learning_rate"} <= set(history)
    rows, held = hold_out(images()[1], 0.25)
    assert record(run)["n"] == len(rows) == 24 - len(held) < 24
    short = dataclasses.replace(RECIPE, iterations=4)
    model, history = train(run, short, name="short")
    assert len(history["loss"]) == 2  # one epoch of three steps, and one step
    straight = dataclasses.replace(RECIPE, epochs=1)
    once, _ = train(run, straight, name="once")
    assert not np.array_equal(model.get_weights()[2], once.get_weights()[2])


@pytest.mark.once
@pytest.mark.parametrize("name", ["network.npz", "recipe.json"])
def test_every_damage_to_a_kept_network_is_one_line_or_changes_nothing(here, rng, name):
    model, _ = train(begin("out"))
    (folder,) = network_folders()
    content = json.loads((folder / "recipe.json").read_text())
    kept = store.Kept(folder, folder.name, content["follows from"], None)
    shapes = [weight.shape for weight in model.get_weights()]
    whole, recipe_of = kept.read(shapes), kept.recipe
    refused = 0
    for damage in damages(folder / name, (folder / name).read_bytes(), rng, 250):
        try:
            weights, found, facts = kept.read(shapes)
        except RunError as error:
            line = str(error)
            assert f"{folder} must hold the network" in line, damage
            assert "remove the folder to train it again. Received: " in line, damage
            assert "\n" not in line, damage
            refused += 1
            continue
        assert (found, facts) == (whole[1], whole[2]), damage
        assert recipe_of.items() <= kept.recipe.items(), damage
        for one, other in zip(weights, whole[0], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=damage)
        assert len(list_networks(STORE)) == 1
    assert refused > 200
