"""Docstrings of public names: one layout, and examples that run."""

import doctest
import inspect
import re

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq import _report

PUBLIC = {
    f"{part.__name__}.{name}": getattr(part, name)
    for part in (getattr(kf, part) for part in kf.__all__ if inspect.ismodule(getattr(kf, part)))
    for name in part.__all__
    if callable(getattr(part, name))
}
PUBLIC |= {
    f"keras_freq.{name}": getattr(kf, name) for name in kf.__all__ if not inspect.ismodule(getattr(kf, name))
}
PUBLIC |= {
    f"keras_freq._report.{name}": getattr(_report, name) for name in ("Difference", "Finding", "LookedAt")
}
# Methods with an example of their own, each once, wherever it is inherited.
METHODS = {
    getattr(kind, method).__qualname__: getattr(kind, method)
    for kind in PUBLIC.values()
    if inspect.isclass(kind)
    for method in dir(kind)
    if not method.startswith("_") and method not in dir(keras.Model) + dir(keras.callbacks.Callback)
    if callable(getattr(kind, method)) and ">>>" in (getattr(kind, method).__doc__ or "")
}
SECTIONS = (
    "Args",
    "Attributes",
    "Call arguments",
    "Input shape",
    "Output shape",
    "Returns",
    "Yields",
    "Raises",
    "Source",
    "Example",
)
# What runs on one backend alone, and the package that it needs there.
NEEDS = {"keras_freq.evaluate.auto_attack_accuracy": ("torch", "pyautoattack")}


@pytest.mark.parametrize("name", PUBLIC | METHODS)
def test_example(name, classifier, images, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backend, package = NEEDS.get(name, (keras.backend.backend(), "numpy"))
    if keras.backend.backend() != backend:
        pytest.skip(f"{name} runs on {backend}")
    pytest.importorskip("pandas" if name.endswith("to_dataframe") else package)
    names = {"np": np, "keras": keras, "keras_freq": kf, "kf": kf}
    names |= {"classifier": classifier, "model": classifier}
    names |= {"images": images, "labels": labels, "data": (images, labels)}
    # The parser alone: a finder would not look behind decorators.
    example = doctest.DocTestParser().get_doctest(
        inspect.getdoc((PUBLIC | METHODS)[name]), names, name, None, 0
    )
    assert example.examples, f"{name} has no example"
    output = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE).run(
        example, out=output.append
    )
    assert not output, "".join(output)


@pytest.mark.once
@pytest.mark.parametrize("name", PUBLIC)
def test_layout(name):
    """One line, then the sections in one order; each is indented, the example is the last."""
    first, second, *lines = [*inspect.getdoc(PUBLIC[name]).split("\n"), ""]
    assert first.endswith((".", ".`"))
    assert not second
    found = [line.split(":")[0] for line in lines if re.match(rf"({'|'.join(SECTIONS)}):", line)]
    assert found == sorted(found, key=SECTIONS.index)
    assert found[-1] == "Example"
    assert len(set(found)) == len(found)
    below = lines[lines.index("Example:") + 1 :]
    assert below[0].startswith("    >>> ")
    assert all(line.startswith("    ") for line in below if line)
    # What differs from the source stands with it, on a line of its own.
    assert all(line.startswith("    Differs") for line in lines if "Differs from" in line)


@pytest.mark.parametrize(
    "name", [n for n in kf.layers.__all__ if hasattr(getattr(kf.layers, n), "draw_shape")]
)
def test_augmentations_begin_with_the_range_of_pixels(name):
    kind = getattr(kf.layers, name)
    lines = [line for line in inspect.cleandoc(kind.__doc__).splitlines() if line]
    head = " ".join(lines[:2])
    assert "bytes, 0 to 255" in head
    assert "Keras' own layers have (0, 255)" in head
    has_range = "value_range" in inspect.signature(kind).parameters
    assert (
        "floats in `value_range`, (0, 1)" if has_range else "floats of any range, as a rule (0, 1)"
    ) in head
    if has_range:  # and so it is
        assert kind().get_config()["value_range"] == [0, 1]
        assert kind.checks_range
