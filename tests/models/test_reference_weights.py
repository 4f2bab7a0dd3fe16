"""The weights that come along: their size, and that they do on every backend what is said of them."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.lab import beyond, evidence, shortcuts
from apps.lab.__main__ import command
from keras_freq.models._references import PACKAGE

NETWORKS = evidence.HERE / "networks"
HERE = [one for one in kf.models.references() if one.file is not None]


@pytest.mark.parametrize("known", HERE, ids=lambda one: f"{one.name}-{one.seed}")
def test_a_network_reads_the_bundled_images(known):
    """A tenth of the images that the record speaks of."""
    model = kf.models.reference(known.name, seed=known.seed)
    images, labels = kf.data.load("cifar10_mini").arrays("test")
    found = kf.evaluate.predict_logits(model, images).argmax(axis=1) == labels
    spread = np.sqrt(known.accuracy * (1 - known.accuracy) / len(found))
    assert np.mean(found) == pytest.approx(known.accuracy, abs=3.5 * spread)
    assert known.recipe["network"] == known.network
    assert model.count_params() > 100_000
    assert all(np.isfinite(keras.ops.convert_to_numpy(weight)).all() for weight in model.weights)


@pytest.mark.once
def test_a_clone_stays_quick():
    for folder, most in ((PACKAGE, 12e6), (NETWORKS, 50e6)):
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        assert sum(sizes) <= most
    assert ("cifar10/standard", 0) in {(one.name, one.seed) for one in HERE}


@pytest.mark.once
def test_the_page_says_what_the_outcomes_say(capsys):
    text = evidence.render(evidence.read_networks())
    assert evidence.read_readme() == text, "python -m apps.lab evidence --write"
    other = beyond.render(evidence.read_networks(beyond.OUTCOMES))
    assert evidence.read_readme(marks=beyond.MARKS) == other, "python -m apps.lab evidence --write"
    last = shortcuts.render(evidence.read_networks(shortcuts.KEPT))
    assert evidence.read_readme(marks=shortcuts.MARKS) == last, "python -m apps.lab evidence --write"
    assert command(["evidence"]) == 0
    assert capsys.readouterr().out == f"{text}\n{other}\n{last}"


@pytest.mark.once
def test_records_and_outcomes_are_of_the_same_networks():
    networks = evidence.read_networks()
    for known in kf.models.references():
        outcomes = networks[known.name.split("/")[1]][known.seed]
        assert outcomes.rate("clean") == pytest.approx(known.accuracy, abs=1e-6)
        assert outcomes.mean_error("corrupted ") == pytest.approx(known.corruption_error, abs=1e-6)
        assert len(outcomes.right["clean"]) == known.n
