"""A report every few epochs of training."""

import importlib.util
import io

import keras
import numpy as np
import pytest
from PIL import Image

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
    only = ("bands", "gradients", "swap", "attacks", "shortcuts", "cue_conflict", "critical_band")
    keys = section_keys((*only, "clean"), (32, 32))
    assert set(keys) == set(kf.report(classifier, (x, y), only=only).numbers())


@pytest.mark.once
def test_what_cannot_be_is_refused(images, labels):
    with refused("`only` must be some of"):
        FrequencyReport((images, labels), only=("nothing",))
    with refused("`every`"):
        FrequencyReport((images, labels), every=0)


@pytest.mark.once
def test_tensorboard_gets_the_figures(compiled, images, labels, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    pages = FrequencyReport((images, labels), to=tmp_path / "pages", tensorboard=tmp_path / "logs", every=2)
    compiled.fit(images, labels, epochs=4, verbose=0, callbacks=[pages])
    read = EventAccumulator(str(tmp_path / "logs" / "report"), size_guidance={"tensors": 0})
    read.Reload()
    tags = read.Tags()["tensors"]
    assert {"frequency_report/bands", "frequency_report/pictures"} <= set(tags)
    assert set(read.PluginTagToContent("images")) == set(tags)
    events = read.Tensors("frequency_report/bands")
    assert [event.step for event in events] == [1, 3]
    width, height, png = events[1].tensor_proto.string_val
    assert png == (tmp_path / "pages" / "epoch-004" / "figures" / "bands.png").read_bytes()
    assert Image.open(io.BytesIO(png)).size == (int(width), int(height))


@pytest.mark.once
def test_a_missing_tensorboard_is_told_before_training(images, labels, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "tensorboard" else find(name, *a)
    )
    with refused("pip install tensorboard", error=ImportError):
        FrequencyReport((images, labels), tensorboard=tmp_path)
