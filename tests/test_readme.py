"""The examples of the README, and of the guide's pages on a person's own model, as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from keras_freq.data import load, write_npz

ROOT = Path(__file__).parent.parent
OWN = ("docs/your_model.md", "docs/does_it_cheat.md")
# The set of that name, with fewer images: what is trained and measured is the same program.
FEWER = """
import keras_freq.data as data
whole = data.load
data.load = lambda name: whole({"cifar10_mini": "fewer.npz"}[name])
"""
# What an installation with JAX alone has not.
ALONE = """
import sys
class Missing:
    def find_spec(name, path=None, target=None):
        if name in ("tensorflow", "torch", "tensorflow_datasets"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing)
"""


def examples(page: str = "README.md") -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def run(program, folder):
    mini = load("cifar10_mini")
    parts = {split: mini.arrays(split, limit=192) for split in ("train", "test")}
    write_npz(folder / "fewer.npz", classes=mini.classes, **parts)
    done = subprocess.run(
        [sys.executable, "-W", "error:::keras_freq", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="the first of all")
def test_the_example_runs_as_written(tmp_path):
    output = run(FEWER + examples()[0], tmp_path)
    numbers = [float(word) for word in re.findall(r"\d\.\d+", output.strip().splitlines()[-1])]
    assert len(numbers) == 4 + 4 + 2
    assert all(0 <= number <= 1 for number in numbers)
    assert (tmp_path / "bands.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "jax", reason="an installation with JAX alone")
def test_every_example_runs_with_jax_alone(tmp_path):
    """With fewer images, and a small network in place of a person's own."""
    own = [
        example.replace('kf.models.reference("cifar10/standard")', "kf.models.small_resnet(width=4)")
        for page in OWN
        for example in examples(page)
    ]
    assert len(examples()) == 2
    assert len(own) >= 4
    program = ALONE + FEWER + "\n".join([*examples(), *own])
    for whole, fewer in (
        ("n=100", "n=4"),
        ("n=200", "n=4"),
        ("limit=1000", "limit=8"),
        ("patch=2", "patch=8"),
    ):
        assert whole in program
        program = program.replace(whole, fewer)
    run(program, tmp_path)
    assert (tmp_path / "bands.png").stat().st_size > 10_000
    assert (tmp_path / "maps.png").stat().st_size > 10_000
    assert (tmp_path / "bands.json").stat().st_size > 100
