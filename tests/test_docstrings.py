"""The examples in the docstrings of the public names."""

import doctest
import inspect

import keras
import numpy as np
import pytest

import keras_freq as kf

PUBLIC = {
    f"{part.__name__}.{name}": getattr(part, name)
    for part in (kf.spectral, kf.layers, kf.training, kf.evaluate)
    for name in part.__all__
}
# What runs on one backend alone, and the package that it needs there.
NEEDS = {"keras_freq.evaluate.auto_attack_accuracy": ("torch", "pyautoattack")}


@pytest.mark.parametrize("name", PUBLIC)
def test_example(name, classifier, images, labels):
    backend, package = NEEDS.get(name, (keras.backend.backend(), "numpy"))
    if keras.backend.backend() != backend:
        pytest.skip(f"{name} runs on {backend}")
    pytest.importorskip(package)
    names = {"np": np, "keras": keras, "keras_freq": kf, "kf": kf}
    names |= {"classifier": classifier, "images": images, "labels": labels}
    names |= {"model": classifier, "data": (images, labels)}
    names.update({function: getattr(kf.spectral, function) for function in kf.spectral.__all__})
    # The parser alone: a finder would not look behind decorators.
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(PUBLIC[name]), names, name, None, 0)
    assert example.examples, f"{name} has no example"
    output = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE).run(
        example, out=output.append
    )
    assert not output, "".join(output)
