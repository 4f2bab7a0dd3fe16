"""The examples in the docstrings of the pure functions, the layers and the training models."""

import doctest
import inspect

import keras
import numpy as np
import pytest

import keras_freq as kf

PUBLIC = {
    f"{part.__name__}.{name}": getattr(part, name)
    for part in (kf.spectral, kf.layers, kf.training, kf.attacks, kf.data)
    for name in part.__all__
    if callable(getattr(part, name))
}


@pytest.mark.parametrize("name", PUBLIC)
def test_example(name, classifier, images, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"np": np, "keras": keras, "keras_freq": kf, "kf": kf}
    names |= {"classifier": classifier, "model": classifier, "images": images, "labels": labels}
    names.update({function: getattr(kf.spectral, function) for function in kf.spectral.__all__})
    # The parser alone: a finder would not look behind decorators.
    example = doctest.DocTestParser().get_doctest(inspect.getdoc(PUBLIC[name]), names, name, None, 0)
    assert example.examples, f"{name} has no example"
    output = []
    doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE).run(
        example, out=output.append
    )
    assert not output, "".join(output)
