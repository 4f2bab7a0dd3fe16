"""The import rules of the package, read from its source, and what an import costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "keras_freq"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Who may import whom; every part may import itself.
ALLOWED = {
    "spectral": set(),
    "pixels": {"spectral"},
    "layers": {"spectral", "pixels"},
    "data": {"spectral"},
    "models": {"layers"},
    "attacks": set(),
    "training": {"layers", "attacks", "spectral", "data"},
    "evaluate": {"spectral", "data", "attacks"},
    "cdes": {"spectral", "layers", "data", "evaluate"},
    "shortcuts": {"spectral", "layers", "data", "evaluate", "attacks"},
    "callbacks": {"evaluate", "shortcuts"},
    "plots": set(),
}
AT_THE_TOP = {"keras", "numpy", "keras_freq"} | set(sys.stdlib_module_names)
ANYWHERE = AT_THE_TOP | {
    "tensorflow",
    "jax",
    "torch",
    "foolbox",
    "eagerpy",
    "matplotlib",
    "tensorflow_datasets",
    "tqdm",
    "scipy",
    "PIL",
}
ONLY_IN = {
    "foolbox": {"attacks/foolbox_model.py"},
    "eagerpy": {"attacks/foolbox_model.py"},
    "pyautoattack": {"evaluate/auto_attack_accuracy.py"},
    "tensorflow_datasets": {"data/tfds_sets.py"},
}


def imports(path, *, top_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_imports_what_it_may(path):
    place = str(path.relative_to(PACKAGE))
    part = place.split("/")[0]
    for name in imports(path):
        first = name.split(".")[0]
        assert not name.startswith("keras.src"), f"{place} imports {name}: private"
        assert place in ONLY_IN.get(first, {place}), (
            f"{place} imports {first}, which {ONLY_IN.get(first)} alone may"
        )
        if first == "keras_freq" and part in ALLOWED and "." in name:
            other = name.split(".")[1]
            assert other == part or other in ALLOWED[part], f"{place} imports {name}"
        assert first != "matplotlib" or part == "plots", f"{place} imports matplotlib"
        assert first not in ("apps", "tests"), f"{place} imports {name}"
    for name in imports(path, top_only=True):
        assert name.split(".")[0] in AT_THE_TOP, f"{place} imports {name} at its top"


def test_apps_do_not_import_each_other():
    for path in sorted((ROOT / "apps").rglob("*.py")):
        app = path.relative_to(ROOT / "apps").parts[0]
        for name in imports(path):
            if name.startswith("apps."):
                assert name.split(".")[1] in (app, "lab"), f"{path} imports {name}"


def test_importing_loads_nothing_heavy():
    program = """
import sys, time
import keras
before = set(sys.modules)
start = time.perf_counter()
import keras_freq
print(time.perf_counter() - start)
heavy = {"foolbox", "matplotlib", "tensorflow_datasets", "scipy", "tqdm", "draccus", "PIL", "pandas"}
other = {"tensorflow", "jax", "torch"} - {keras.backend.backend()}
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
assert not loaded & (heavy | other), loaded & (heavy | other)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The target is 0.1 s; a loaded machine is given some slack.
    assert float(done.stdout) < 1


def test_public_names_are_there():
    import keras_freq

    for name in keras_freq.__all__:
        part = getattr(keras_freq, name)
        for public in getattr(part, "__all__", []):
            assert getattr(part, public).__doc__, f"{name}.{public} has no docstring"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = keras_freq.nothing
