"""Reference networks: what comes back, and that nothing damaged does."""

import hashlib
import json

import keras
import numpy as np
import pytest

from keras_freq.models import Reference, reference, references, whitened_net
from keras_freq.models._references import INDEX
from tests.refusals import refused

OPTIONS = {"width": 2, "input_shape": [16, 16, 3], "classes": 4}


def entry(**changes):
    known = {
        "name": "tiny/standard",
        "seed": 0,
        "network": "whitened_net",
        "options": OPTIONS,
        "recipe": {"epochs": 1},
        "n": 40,
        "accuracy": 0.5,
        "corruption_error": 0.75,
        "robust_accuracy": {"linf 1/255": 0.25},
        "robust_n": 10,
        "minutes": 1.5,
        "command": "python -m apps.references train",
        "made_with": {"backend": "jax"},
        "terms": "none",
        "file": "tiny.npz",
        "sha256": "",
    }
    return Reference(**{**known, **changes})


def write_index(folder, *entries):
    text = ",\n".join(one.to_json() for one in entries)
    (folder / INDEX).write_text(f"[{text}]")


@pytest.fixture
def model():
    return whitened_net(**{**OPTIONS, "input_shape": (16, 16, 3)})


@pytest.fixture
def folder(model, tmp_path):
    arrays = {f"weight.{k:05d}": weight for k, weight in enumerate(model.get_weights())}
    np.savez_compressed(tmp_path / "tiny.npz", **arrays)
    digest = hashlib.sha256((tmp_path / "tiny.npz").read_bytes()).hexdigest()
    write_index(
        tmp_path,
        entry(sha256=digest),
        entry(seed=1, file=None, sha256=None, command="train it"),
        entry(name="tiny/apr_sp", seed=0, corruption_error=None, file=None, sha256=None),
    )
    return tmp_path


def test_a_network_comes_back_as_it_was(folder, model, images):
    again = reference("tiny/standard", folder=folder)
    assert again.name == "tiny-standard"
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    pixels = images[:2, ::2, ::2]
    np.testing.assert_allclose(
        again.predict(pixels, verbose=0), model.predict(pixels, verbose=0), rtol=1e-5, atol=1e-5
    )
    assert not any("whitening/kernel" in variable.path for variable in again.trainable_variables)


def test_the_table_of_all(folder):
    found = references(folder=folder)
    own = [(one.name, one.seed) for one in found if one.name.startswith("tiny/")]
    assert own == [("tiny/apr_sp", 0), ("tiny/standard", 0), ("tiny/standard", 1)]
    lines = str(found).splitlines()
    assert len(lines) == 1 + len(found)
    row = next(line for line in lines if line.startswith("tiny/standard"))
    for part in ("whitened_net", "0.500", "0.750", "0.250", "1.500", "here"):
        assert part in row
    assert found[-1].rows()[0]["weights"] == "to train"
    assert type(found).from_json(found.to_json()) == found


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "tiny/standart"}, r"did you mean tiny/standard\? Received: name='tiny/standart'$"),
        ({"name": 3}, "`name` must be one of .*tiny/apr_sp, tiny/standard.*Received: name=3$"),
        ({"name": None}, "`name` must be one of .*Received: name=None$"),
        ({"name": ["tiny/standard"]}, "`name` must be one of .*Received"),
        ({"seed": 7}, "`seed` of tiny/standard must be one of 0, 1. Received: seed=7$"),
        ({"seed": -1}, "`seed` must be .*Received: seed=-1$"),
        (
            {"seed": 1},
            "train them from the repository with: train it Received: name='tiny/standard', seed=1$",
        ),
        ({"folder": "nowhere"}, "`folder` must hold references.json. Received: folder='nowhere'$"),
    ],
)
def test_what_is_not_there_is_one_line(arguments, message, folder):
    with refused(match=message):
        reference(**{"name": "tiny/standard", "folder": folder, **arguments})


@pytest.mark.once
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "missing", "folder", "other"])
def test_damaged_weights_are_refused_with_their_path(damage, folder):
    path = folder / "tiny.npz"
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        content[len(content) // 2] ^= 1
        path.write_bytes({"cut": content[:-9], "empty": b"", "other": b"PK" + content}.get(damage, content))
    with refused(
        match=rf"The weights of tiny/standard must be as they were stored.*Received: .*{path.name} \("
    ):
        reference("tiny/standard", folder=folder)


@pytest.mark.once
def test_a_network_that_nobody_makes_is_one_line(folder):
    index = folder / INDEX
    index.write_text(index.read_text().replace('"whitened_net"', '"unwhitened_net"'))
    with refused(match=r"The network of tiny/standard must be one of .* Received: network='unwhitened_net'"):
        reference("tiny/standard", folder=folder)


def test_weights_of_another_network_are_refused_even_with_their_digest(folder):
    np.savez(folder / "tiny.npz", **{"weight.00000": np.zeros(3)})
    digest = hashlib.sha256((folder / "tiny.npz").read_bytes()).hexdigest()
    write_index(folder, entry(sha256=digest))
    with refused(match="must be as they were stored"):
        reference("tiny/standard", folder=folder)
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(folder / "tiny.npz", **{"weight.00000": objects})
    digest = hashlib.sha256((folder / "tiny.npz").read_bytes()).hexdigest()
    write_index(folder, entry(sha256=digest))
    with refused(match="must be as they were stored"):
        reference("tiny/standard", folder=folder)


@pytest.mark.once
@pytest.mark.parametrize("text", ["", "[", "[3]", json.dumps([{"result": "Reference", "format": 1}])])
def test_a_damaged_index_is_one_line(text, tmp_path):
    (tmp_path / INDEX).write_text(text)
    with refused(match="index of reference networks cannot be read. Received: .*references.json"):
        references(folder=tmp_path)


def test_half_precision_keeps_what_it_says(model):
    from apps.references.training import pack, restore

    before = model.get_weights()
    content = pack(model)
    restore(model, content)
    trained = {variable.path for variable in model.trainable_variables}
    for variable, old in zip(model.weights, before, strict=True):
        new = keras.ops.convert_to_numpy(variable)
        kept = old.astype("float16").astype("float32") if variable.path in trained else old
        np.testing.assert_array_equal(new, kept)
    assert pack(model) == content
