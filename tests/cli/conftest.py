"""Command lines run in this process, on tiny models and images."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
from PIL import Image

from keras_freq._cli import main


@dataclasses.dataclass(frozen=True)
class Done:
    """What a command line left."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys):
    """Runs a command line: its words, split at spaces, and further ones as they are."""

    def run(words, *more):
        capsys.readouterr()
        with warnings.catch_warnings():  # Python hides those of others, pytest shows them
            warnings.simplefilter("ignore", DeprecationWarning)
            code = main([*words.split(), *map(str, more)])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def tiny(classifier, tmp_path):
    """A file of four logits, of whose classes the data have all."""
    path = tmp_path / "tiny.keras"
    classifier.save(path)
    return path


@pytest.fixture
def arrays(rng, tmp_path):
    """An .npz of 24 images of 32 x 32 bytes in four classes."""
    path = tmp_path / "images.npz"
    images = rng.integers(0, 256, (24, 32, 32, 3), "uint8")
    np.savez(path, x=images, y=np.arange(24) % 4)
    return path


@pytest.fixture
def folder(rng, tmp_path):
    """A folder of two classes, three images each, with spaces and umlauts in its names."""
    root = tmp_path / "schöne Bilder"
    for name in ("Hünd", "Kätzchen"):
        (root / name).mkdir(parents=True)
        for index in range(3):
            pixels = rng.integers(0, 256, (20, 24, 3), "uint8")
            Image.fromarray(pixels).save(root / name / f"Bild {index}.png")
    return root


@pytest.fixture
def brightness(tmp_path):
    """A model of bytes that says which images are bright, and such images: dark ones are class 0."""
    inputs = keras.Input((8, 8, 1))
    mean = keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D(keepdims=True)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(mean), name="brightness")
    model.layers[-1].set_weights([np.array([[-1.0, 1.0]]), np.array([128.0, -128.0])])
    model.save(tmp_path / "brightness.keras")
    labels = np.arange(100) % 2
    images = np.where(labels[:, None, None, None], 200, 50) + np.zeros((1, 8, 8, 1))
    np.savez(tmp_path / "bright.npz", x=images.astype("uint8"), y=labels)
    return tmp_path / "brightness.keras", tmp_path / "bright.npz"
