"""The import rules of the package, read from its source, and what an import costs."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "keras_freq"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Who may import whom; every part may import itself and the private floor, `_core`.
ALLOWED = {
    "_core": set(),
    "spectral": set(),
    "layers": {"spectral"},
    "data": {"spectral"},
    "models": {"layers", "spectral"},
    "attacks": set(),
    "training": {"layers", "attacks", "spectral", "data"},
    "evaluate": {"spectral", "data", "attacks"},
    "cdes": {"spectral", "layers", "data", "evaluate"},
    "shortcuts": {"spectral", "layers", "data", "evaluate", "attacks"},
    "callbacks": {"evaluate", "shortcuts", "_report"},
    "plots": {"spectral"},
    "_report": {"spectral", "data", "evaluate", "shortcuts", "plots"},
}
PARTS = sorted(part for part in ALLOWED if not part.startswith("_"))
# The command line stands above all parts, and none of them knows it.
ALLOWED["_cli"] = {*PARTS, "_report"}
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
    "pandas",
    "typer",
}
# Imported by others inside their functions, so that these import at their top.
LATE = {"plots/_figure.py": {"matplotlib"}}
ONLY_IN = {
    "foolbox": {"attacks/_foolbox_model.py"},
    "eagerpy": {"attacks/_foolbox_model.py"},
    "ray": {"evaluate/_ray_workers.py"},
    "pyautoattack": {"evaluate/_auto_attack_accuracy.py"},
    "tensorflow_datasets": {"data/_tfds_sets.py"},
    "pandas": {"_core/result.py"},
    "jinja2": {"_report/_page.py"},
    "tensorboard": {"callbacks/_event_images.py"},
}


def imports(tree, *, top_only=False):
    """Every module that a file imports, as `package.part.module`; a name imported from it counts too."""
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def broken_rules(place, source):
    """What a file of the library imports and may not, in words."""
    part, tree = place.split("/")[0], ast.parse(source)
    for name in imports(tree):
        first, other, *_ = [*name.split("."), ""]
        if name.startswith("keras.src"):
            yield f"{name}: private"
        if first not in ANYWHERE | ONLY_IN.keys():
            yield f"{first}: unknown"
        if place not in ONLY_IN.get(first, {place}):
            yield f"{first}, which {ONLY_IN.get(first)} alone may"
        if first == "keras_freq" and part in ALLOWED and other not in ALLOWED[part] | {part, "_core"}:
            yield name
        if first == "typer" and part != "_cli":
            yield f"{name}, which the command line alone may"
        if first == "matplotlib" and part != "plots" and not _for_types(name, tree):
            yield name
        if first in ("apps", "tests"):
            yield name
    for name in imports(tree, top_only=True):
        if part == "_cli":
            light = name.split(".")[0] in {"typer", *sys.stdlib_module_names}
            if not light and not name.startswith("keras_freq._cli"):
                yield f"{name} at its top, where it slows `--help`"
        elif name.split(".")[0] not in AT_THE_TOP | LATE.get(place, set()):
            yield f"{name} at its top"
        if any(name.startswith(f"keras_freq.{late[:-3].replace('/', '.')}") for late in LATE):
            yield f"{name} at its top, where it is heavy"


def _for_types(name, tree):
    """Whether a name is imported for type checkers alone."""
    blocks = [
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return any(name in imports(block) for block in blocks)


@pytest.mark.once
@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_module_is_private_or_a_part_and_imports_what_it_may(path):
    *folders, name = path.relative_to(PACKAGE).parts
    assert name == "__init__.py" or any(step.startswith("_") for step in (*folders, name))
    assert name != "__init__.py" or not folders or folders[0] in ALLOWED
    assert not list(broken_rules(str(path.relative_to(PACKAGE)), path.read_text()))


@pytest.mark.once
@pytest.mark.parametrize(
    "line",
    [
        "from keras_freq import evaluate",
        "import keras_freq.evaluate",
        "import keras_freq",
        "from keras_freq.evaluate import accuracy",
        "def f():\n    from keras_freq import evaluate as e",
        "from keras.src import backend",
        "import matplotlib",
        "import scipy",
        "import tensorflow_datasets",
        "def f():\n    import pandas",
        "def f():\n    import sklearn",
        "from apps import lab",
    ],
)
def test_the_rules_see_every_form_of_import(line):
    assert list(broken_rules("spectral/_grid.py", line))
    assert not list(broken_rules("spectral/_grid.py", "from keras_freq._core import checks\nimport numpy"))


@pytest.mark.once
@pytest.mark.parametrize("line", ["import numpy", "import keras", "from keras_freq._core import checks"])
def test_the_command_line_imports_nothing_heavy_at_its_top(line):
    assert list(broken_rules("_cli/_bands.py", line))
    assert not list(broken_rules("_cli/_bands.py", f"import typer\ndef f():\n    {line}"))
    assert list(broken_rules("evaluate/_accuracy.py", "def f():\n    from keras_freq._cli import _data"))
    assert list(broken_rules("evaluate/_accuracy.py", "def f():\n    import typer"))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_shows_its_public_names_alone(part):
    module = importlib.import_module(f"keras_freq.{part}")
    assert sorted(dir(module)) == sorted(module.__all__)
    for name in module.__all__:
        assert not inspect.ismodule(getattr(module, name)), f"{part}.{name} is a module"


@pytest.mark.once
def test_apps_import_each_other_never_and_public_names_alone():
    for path in sorted((ROOT / "apps").rglob("*.py")):
        app = path.relative_to(ROOT / "apps").parts[0]
        for name in imports(ast.parse(path.read_text())):
            if name.startswith("apps."):
                assert name.split(".")[1] in (app, "lab"), f"{path} imports {name}"
            if name.startswith("keras_freq."):
                assert not any(step.startswith("_") for step in name.split(".")), f"{path} imports {name}"


def test_importing_loads_nothing_heavy():
    program = """
import sys, time
import keras
before = set(sys.modules)
start = time.process_time()
import keras_freq
print(time.process_time() - start)
for part in keras_freq.__all__:
    getattr(keras_freq, part)
heavy = {"foolbox", "matplotlib", "tensorflow_datasets", "scipy", "tqdm", "draccus", "PIL"}
heavy |= {"pandas", "jinja2"}
other = {"tensorflow", "jax", "torch"} - {keras.backend.backend()}
loaded = {name.split(".")[0] for name in set(sys.modules) - before}
assert not loaded & (heavy | other), loaded & (heavy | other)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The target is 0.1 s of work; a slow machine is given some slack.
    assert float(done.stdout) < 1


def test_there_is_no_other_name():
    import keras_freq

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = keras_freq.nothing
