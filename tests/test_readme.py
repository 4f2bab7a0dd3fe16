"""The first example of the README, as it is written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_freq.data import load, write_npz

README = Path(__file__).parent.parent / "README.md"
# The set of that name, with fewer images: what is trained and measured is the same program.
FEWER = """
import keras_freq.data as data
whole = data.load
data.load = lambda name: whole({"cifar10_mini": "fewer.npz"}[name])
"""


@pytest.mark.slow
def test_the_example_runs_as_written(tmp_path):
    mini = load("cifar10_mini")
    parts = {split: mini.arrays(split, limit=192) for split in ("train", "test")}
    write_npz(tmp_path / "fewer.npz", classes=mini.classes, **parts)
    program = FEWER + re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
    done = subprocess.run(
        [sys.executable, "-W", "error:::keras_freq", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    numbers = [float(word) for word in re.findall(r"\d\.\d+", done.stdout.strip().splitlines()[-1])]
    assert len(numbers) == 4 + 4 + 2
    assert all(0 <= number <= 1 for number in numbers)
    assert (tmp_path / "bands.png").stat().st_size > 10_000
