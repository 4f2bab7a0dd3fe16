"""What editors and type checkers know of the package: every part and every result, and no name beyond."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
ROOT = Path(__file__).parent.parent
README = re.search(
    r"```python\n(import keras, keras_freq as kf\n.*?)```", (ROOT / "README.md").read_text(), re.S
)[1]


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_the_example_of_the_readme_is_known_to_a_checker(checker, tmp_path):
    pytest.importorskip(checker)
    program = tmp_path / "example.py"
    wrong = ["kf.evaluate.band_acuracy(model, data.test)", "kf.evaluates", "kf.data.corupt"]
    program.write_text("\n".join([README, "reveal_type(bands)", "reveal_type(kf.data.corrupt)", *wrong]))
    done = subprocess.run(
        [sys.executable, "-m", checker, str(program)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    told = done.stdout
    assert "BandAccuracyResult" in told, told + done.stderr
    assert "(images: Any" in told, told  # of `corrupt`, whose part is imported when first used
    for line in wrong:
        name = line.split("(")[0].split(".")[-1]
        assert re.search(rf'attribute "{name}"|"{name}" is not a known attribute', told), told
