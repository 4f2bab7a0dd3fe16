"""A report every few epochs of training."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._report import section_keys
from keras_freq.callbacks import FrequencyReport
from tests.refusals import refused


@pytest.fixture
def compiled(classifier, eagerly):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile("sgd", loss, metrics=["accuracy"], **eagerly)
    return classifier


def test_numbers_reach_the_logs_and_pages_the_folder(compiled, images, labels, tmp_path):
    pages = FrequencyReport((images, labels), to=tmp_path, only=("bands", "swap"), every=2, prefix="v_")
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    history = compiled.fit(images, labels, epochs=2, verbose=0, callbacks=[pages, log]).history
    ((epoch, report),) = pages.history
    assert epoch == 1
    numbers = report.numbers()
    for name, value in numbers.items():
        if not np.isnan(value):
            assert history[f"v_{name}"] == [value]
    assert numbers["clean"] == float(kf.evaluate.accuracy(compiled, (images, labels)))
    assert set(pages.keys) == {f"v_{name}" for name in numbers}
    assert (tmp_path / "epoch-002" / "index.html").is_file()
    assert not (tmp_path / "epoch-001").exists()
    assert "v_low_8" in (tmp_path / "log.csv").read_text().splitlines()[0]


@pytest.mark.once
def test_keys_are_those_that_a_report_has(classifier, images, labels):
    x, y = np.concatenate([images] * 8), np.tile(labels, 8)
    x = x * np.linspace(0.5, 1, 64, dtype="float32")[:, None, None, None]
    only = ("bands", "gradients", "swap", "attacks", "shortcuts")
    keys = section_keys((*only, "clean"), (32, 32))
    assert set(keys) == set(kf.report(classifier, (x, y), only=only).numbers())


@pytest.mark.once
def test_what_cannot_be_is_refused(images, labels):
    with refused("`only` must be some of"):
        FrequencyReport((images, labels), only=("nothing",))
    with refused("`every`"):
        FrequencyReport((images, labels), every=0)
