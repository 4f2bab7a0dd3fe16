"""AutoAttack through the authors' package: PyTorch only, exact on a linear model, clear errors elsewhere."""

import builtins
import sys

import keras
import numpy as np
import pytest

from keras_freq.evaluate import auto_attack_accuracy, predict_logits
from tests.oracles import linear as oracle
from tests.refusals import refused

torch_only = pytest.mark.skipif(keras.backend.backend() != "torch", reason="AutoAttack runs on PyTorch")


def linear(classes=5, first=False):
    inputs = keras.Input((3, 6, 6) if first else (6, 6, 3))
    x = keras.layers.Permute((2, 3, 1))(inputs) if first else inputs
    model = keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(x)), name="linear")
    kernel = 0.3 * np.random.default_rng(3).standard_normal((108, classes))
    model.set_weights([kernel, -0.5 * kernel.sum(0)])
    return model


@pytest.fixture
def data(rng):
    images = (0.3 + 0.4 * rng.random((8, 6, 6, 3))).astype("float32")
    labels = predict_logits(linear(), images).argmax(-1)
    labels[0] = (labels[0] + 1) % 5
    return images, labels


@torch_only
@pytest.mark.parametrize("first", [False, True], ids=["channels_last", "channels_first"])
def test_a_large_ball_leaves_nothing(first, data):
    pytest.importorskip("pyautoattack")
    import torch

    images = np.moveaxis(data[0], -1, 1).copy() if first else data[0]
    before, trace = torch.get_rng_state(), sys.gettrace()
    result = auto_attack_accuracy(
        linear(first=first),
        (images, data[1]),
        epsilon=0.2,
        data_format="channels_first" if first else "channels_last",
        batch_size=5,
    )
    assert (result.clean, result.accuracy) == (7 / 8, 0)
    assert result.attacks == ("apgd-ce", "apgd-t", "fab-t", "square")
    assert result.after == (0, 0, 0, 0)
    assert result.fooled_by == (7, 0, 0, 0)
    assert result.settings["version"] == "standard"
    assert result.versions["pyautoattack"]
    assert bool((torch.get_rng_state() == before).all()), "the generator must be as before"
    assert sys.gettrace() is trace


@torch_only
@pytest.mark.slow
def test_a_linear_model_has_a_closed_form(data):
    pytest.importorskip("pyautoattack")
    exact = oracle.distances(linear().get_weights(), *data)
    epsilon = float(np.sort(exact)[-2:].mean())  # one image stands, in a batch of its own
    result = auto_attack_accuracy(linear(), data, epsilon=epsilon)
    assert result.accuracy == np.mean(exact > epsilon) == 1 / 8
    assert result.robust_per_class == tuple(np.bincount(data[1][exact > epsilon], minlength=5))
    assert sum(result.fooled_by) == 6


@torch_only
def test_it_finds_all_that_the_ball_holds_and_repeats(data):
    pytest.importorskip("pyautoattack")
    epsilon = 1.05 * float(oracle.distances(linear().get_weights(), *data).max())
    result = auto_attack_accuracy(linear(), data, epsilon=epsilon)
    assert result.accuracy == 0
    assert result == auto_attack_accuracy(linear(), data, epsilon=epsilon)


@torch_only
def test_missing_package_is_one_clear_line(data, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "pyautoattack":
            raise ModuleNotFoundError("No module named 'pyautoattack'", name="pyautoattack")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"^AutoAttack .*'keras-freq\[autoattack\]'. Received: no"):
        auto_attack_accuracy(linear(), data)


@torch_only
def test_too_few_classes(data):
    pytest.importorskip("pyautoattack")
    with pytest.raises(ValueError, match=r"at least 4 classes for the DLR loss\. Received: 3 classes"):
        auto_attack_accuracy(linear(3), (data[0], data[1] % 3))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch is the right backend")
def test_other_backends_are_refused(data):
    with pytest.raises(RuntimeError, match=r"^AutoAttack needs the PyTorch backend: .*Received: backend='"):
        auto_attack_accuracy(linear(), data)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epsilon": 0}, "`epsilon`"),
        ({"version": "rand"}, "`version` must be one of 'standard', 'plus'"),
        ({"seed": -1}, "`seed`"),
        ({"data_format": "nhwc"}, "`data_format`"),
    ],
)
def test_bad_input(options, says, data):
    with refused(says):
        auto_attack_accuracy(linear(), data, **options)
