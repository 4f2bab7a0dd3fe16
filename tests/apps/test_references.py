"""The reference networks: trained, looked at and kept in miniature; the tables of the README follow."""

import dataclasses
import json
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from apps.lab import Run, RunError, evidence
from apps.lab.__main__ import command
from apps.lab.images import Images
from apps.lab.outcomes import Outcomes, write_outcomes
from apps.lab.references import REFERENCES
from apps.lab.training_sets import TRAINING_SETS, training_set
from apps.references import training
from apps.references.config import Look, References
from keras_freq.models import reference, references
from keras_freq.spectral import high_pass
from tests.apps import running
from tests.apps.running import CONFIGS

SMALL = [
    "data.name=cifar10_mini",
    "data.train_images=60",
    "data.test_images=12",
    "training.iterations=2",
    "training.batch_size=20",
    "training.width=2",
    "attacked=4",
    "corrupted=corrupted",
    "folder=kept",
    "packaged=[]",
    "store=store",
]


@pytest.mark.slow
@pytest.mark.once
def test_a_network_is_trained_looked_at_and_kept(here, capsys):
    config = CONFIGS / "references" / "cifar10.yaml"
    words = ["train", config, "rows=[standard]", *SMALL]
    assert running.call("references", *words, "output=run") == 0
    found = [one for one in references(folder=here / "kept") if one.name.startswith("cifar10_mini")]
    assert [one.name for one in found] == ["cifar10_mini/standard"]
    model = reference("cifar10_mini/standard", folder=here / "kept")
    assert model.output_shape == (None, 10)
    known = found[0]
    assert (known.n, known.robust_n) == (12, 4)
    assert known.recipe["lookahead"] == 5
    assert "rows=[standard] seed=0" in known.command
    networks = evidence.read_networks(here / "kept" / "outcomes")
    outcomes = networks["standard"][0]
    assert len(outcomes.right) == 1 + 8 + 75 + 5
    assert outcomes.rate("clean") == pytest.approx(known.accuracy, abs=1e-6)
    assert outcomes.mean_error("corrupted ") == pytest.approx(known.corruption_error, abs=1e-6)
    # Once more: nothing is trained again, and the index has each network once.
    capsys.readouterr()
    assert running.call("references", *words, "output=again") == 0
    assert "found in" in capsys.readouterr().out
    assert len(json.loads((here / "kept" / "references.json").read_text())) == 1
    # Beyond the papers: what is kept is what the tables are made of.
    config_beyond = CONFIGS / "references" / "beyond.yaml"
    words = ["data.name=cifar10_mini", "images=12", "radii=[4]", "criterion=0.05", "networks=kept"]
    words += ["fractions=[0.2, 0.05]", "steps=2", "search_images=20"]
    assert running.call("references", "beyond", config_beyond, *words, "folder=beyond") == 0
    shown = evidence.read_outcomes(here / "beyond" / "cifar10_mini-standard-0.npz")
    assert len(shown.right) == 1 + 2 * 15 + 10 * 5 + 2 * 3
    assert shown.rate("clean") == outcomes.rate("clean")
    assert set(shown.predicted) == {"conflict 4", "conflict low", "conflict high"}
    assert len(shown.note["channel"]["drawn"]["bandwidth"]) == 1000
    running.refuse("of the rows and seeds asked", "references", "beyond", config_beyond, *words, "seeds=[3]")
    # Under few frequencies: a class keeps what its own mask keeps.
    words = ["data.name=cifar10_mini", "images=12", "search_images=20", "steps=2", "networks=kept"]
    words += ["outcomes=kept/outcomes", "folder=few"]
    assert running.call("references", "shortcuts", CONFIGS / "references" / "shortcuts.yaml", *words) == 0
    few = evidence.read_outcomes(here / "few" / "cifar10_mini-standard-0.npz")
    assert few.rate("clean") == outcomes.rate("clean")
    assert set(few.right) == {"clean", "kept learned", "kept power", "kept disk"}
    assert all(found.max() <= 9 for found in few.predicted.values())
    # Without weights the record stays, and says how to train.
    assert running.call("references", "train", config, "rows=[standard]", *SMALL, "weights=false") == 0
    (known,) = (one for one in references(folder=here / "kept") if "mini" in one.name)
    assert (known.file, known.sha256) == (None, None)


@pytest.mark.once
def test_every_row_has_a_recipe():
    from apps.lab.config import load_config
    from apps.references.config import References

    common = load_config(References, CONFIGS / "references" / "cifar10.yaml").training
    recipes = {name: row.recipe(common) for name, row in REFERENCES.items()}
    assert recipes["standard"] == common
    assert recipes["adversarial"].adversary.steps == 1
    named = {str((recipes[name], row.images)) for name, row in REFERENCES.items()}
    assert len(named) == len(recipes)
    assert {row.images for row in REFERENCES.values()} == {None, *TRAINING_SETS}


def test_training_sets_are_those_of_the_package_in_the_order_of_the_images(rng, tmp_path):
    images = rng.integers(0, 256, (24, 32, 32, 3)).astype("uint8")
    labels = np.arange(24) % 4
    made = {
        name: training_set(name, images, labels, seed=3, folder=tmp_path)
        for name in (None, "low_4", "high_4", "low_12", "high_12", "hars")
    }
    assert made[None] is images
    for radius in (4, 12):
        low, high = made[f"low_{radius}"], made[f"high_{radius}"]
        np.testing.assert_allclose(low + high, images / 255, atol=1e-5)
        np.testing.assert_allclose(high, high_pass(images / 255, radius), atol=1e-5)
    other = training_set("hars", images, labels, seed=4, folder=tmp_path)
    assert other.dtype == made["hars"].dtype == np.uint8
    assert (other != made["hars"]).any()  # other donors


@pytest.mark.slow
@pytest.mark.once
def test_a_network_is_trained_on_another_set_and_its_record_says_so(here):
    config = CONFIGS / "references" / "cifar10.yaml"
    words = ["train", config, "rows=[scr]", *SMALL, "data.train_images=20", "training.batch_size=10"]
    assert running.call("references", *words, "attacked=50", "output=run") == 0
    assert (here / "run" / "summary.md").exists()
    (known,) = (one for one in references(folder=here / "kept") if one.name == "cifar10_mini/scr")
    assert (known.recipe["images"], known.robust_n) == ("scr", 12)
    kernels = sorted((here / "run" / "kernels" / "scr").iterdir())
    # Gone on with, it makes no kernels and trains no network again.
    times = [path.stat().st_mtime_ns for path in kernels]
    assert running.call("references", "train", "--resume", "run") == 0
    assert [path.stat().st_mtime_ns for path in kernels] == times
    assert len(list((here / "store").glob("[!.]*"))) == 1


@pytest.mark.once
@pytest.mark.parametrize("row", ["standard", "small_resnet", "no_batch_norm", "vit"])
def test_what_is_recorded_of_a_network_makes_it_again(row, rng):
    import keras_freq.models
    from apps.lab.config import load_config
    from apps.lab.networks import NETWORKS, arguments, classifier
    from apps.references.config import References
    from keras_freq.models._references import _MAKERS

    training = REFERENCES[row].recipe(
        load_config(References, CONFIGS / "references" / "cifar10.yaml").training
    )
    images = rng.integers(0, 256, (40, 32, 32, 3)).astype("uint8")
    model = classifier(training, (32, 32, 3), 10, seed=0, name="one", images=images)
    maker = NETWORKS[training.network].maker
    assert _MAKERS[maker] is getattr(keras_freq.models, maker)
    again = _MAKERS[maker](**json.loads(json.dumps(arguments(training, (32, 32, 3), 10))), name="one")
    again.set_weights(model.get_weights())
    images = images.astype("float32") / 255
    np.testing.assert_array_equal(again(images), model(images))
    normalized = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert bool(normalized) == (row in ("standard", "small_resnet"))


@pytest.mark.once
def test_a_network_that_no_record_can_name_is_refused_before_its_training():
    config = CONFIGS / "references" / "cifar10.yaml"
    words = ["training.network=resnet50_imagenet", "training.width=null", "rows=[standard]"]
    running.refuse("must be one of keras_freq.models", "references", "train", config, *words, *SMALL[:3])


@pytest.mark.once
def test_a_look_does_not_go_on_with_other_weights(here, monkeypatch):
    monkeypatch.setattr(training, "conditions", lambda *args, **options: [("clean", lambda: np.zeros(3))])
    monkeypatch.setattr(training, "swap_outcomes", lambda *args: {"swap": np.zeros(3)})
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    images = Images("set", ("a",), *2 * [(np.zeros((3, 2)), np.zeros(3, int))])

    def look(run):
        return training.look_at(run, model, images, here, "look", attacked=3)

    run = Run.start("references look", Look(output="out"))
    assert look(run).rate("clean") == look(run).rate("clean") == 1
    model.set_weights([weights + 1 for weights in model.get_weights()])
    with pytest.raises(RunError, match=r"out has looked at other weights: start a new run.*Received: look"):
        look(run)


@pytest.mark.once
def test_processes_that_keep_networks_at_once_lose_none(here, monkeypatch):
    known = next(iter(references()))
    read = type(references()).read

    def read_slowly(folder):
        found = read(folder)
        time.sleep(0.2)
        return found

    def keep(seed):
        one = dataclasses.replace(known, name="set/standard", seed=seed, file=f"set-standard-{seed}.npz")
        training._keep(config, "standard", one, b"weights", invent(np.random.default_rng(seed), 0.5))

    monkeypatch.setattr("keras_freq.models.References.read", read_slowly)
    config = References(folder="kept", store="store")
    with ThreadPoolExecutor() as threads:
        list(threads.map(keep, range(3)))
    assert [one.seed for one in read("kept")] == [0, 1, 2]


def invent(rng, corrupted):
    right = {"clean": rng.random(400) < 0.9}
    for name in ("low", "high"):
        right |= {f"{name} {radius}": rng.random(400) < 0.5 for radius in (4, 8, 12, 16)}
    for name in ("gaussian_noise", "fog", "contrast"):
        right[f"corrupted {name} 3"] = rng.random(400) > corrupted
    for name in ("linf 1/255", "linf 8/255", "l2 0.25"):
        right[f"attacked {name}"] = rng.random(50) < 0.2
    names = ("swap", "swap phase", "swap amplitude")
    return Outcomes(right, {name: rng.integers(0, 10, 400).astype("uint8") for name in names}, {})


@pytest.mark.once
def test_tables_and_verdicts_of_networks_that_are_made_up(here, rng):
    for row, corrupted in (("standard", 0.4), ("standard_twice", 0.39), ("apr_sp", 0.2)):
        for seed in (0, 1):
            write_outcomes(here / f"cifar10-{row}-{seed}.npz", invent(rng, corrupted))
    networks = evidence.read_networks(here)
    assert list(networks) == ["standard", "standard_twice", "apr_sp"]
    head, standard, *_ = evidence.table(networks)
    cell = standard[head.index("corruption error")]
    rates = [one.mean_error("corrupted ") for one in networks["standard"].values()]
    assert cell.startswith(f"{np.mean(rates):.3f}".removeprefix("0"))
    assert " to " in cell
    lines = {line[1]: line for line in evidence.claims(networks)}
    assert lines["APR-SP lowers the error under corruptions"][-1] == "shown"
    assert lines["APR-P alone lowers it"][-1] == "not testable here: no network of apr_p"
    page = here / "README.md"
    page.write_text(f"before\n{evidence.BEGIN}\nold\n{evidence.END}\nafter\n")
    evidence.write_readme(evidence.render(networks), page)
    assert evidence.read_readme(page) == evidence.render(networks)
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")


@pytest.mark.once
def test_the_command_refuses_other_words(capsys):
    assert command(["evidence", "--read"]) == 2
    assert "Received: --read" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.once
def test_a_network_is_trained_on_images_with_negative_values(here):
    config = CONFIGS / "references" / "cifar10.yaml"
    small = [word for word in SMALL if "iterations" not in word]
    # What the row says of its recipe comes after the settings, but for the number of images.
    words = ["train", config, "rows=[high_12]", *small, "data.train_images=20", "weights=false"]
    assert running.call("references", *words, "output=run") == 0
    (known,) = (one for one in references(folder=here / "kept") if one.name == "cifar10_mini/high_12")
    assert (known.network, known.recipe["images"]) == ("small_resnet", "high_12")
