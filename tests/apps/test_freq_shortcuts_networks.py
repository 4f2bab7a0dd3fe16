"""Networks, augmentations, the held-out images, and a rate on plateaus that a kill does not undo."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.freq_shortcuts import images
from apps.freq_shortcuts.config import AUGMENTATIONS, NETWORKS, LabelledImages, Synthetic, Training
from apps.freq_shortcuts.networks import classifier, compile_for, held_out, trained, wrapped
from apps.freq_shortcuts.plateau import VALIDATION_LOSS, plateau_rate
from apps.lab import Run, RunError
from apps.lab.files import read_records

TINY = Training(
    network="small_resnet",
    width=2,
    epochs=5,
    batch_size=8,
    learning_rate=0.1,
    patience=1,
    factor=0.5,
    validation=0.25,
    padding=2,
)
LABELS = np.arange(32, dtype="int32") % 2
IMAGES = np.random.default_rng(0).integers(0, 128, (32, 12, 12, 3), dtype="uint8")
IMAGES[LABELS == 1] += 128
# The images that are held out bear the other label: what is learnt makes the validation loss rise.
HELD = held_out(LABELS, 0.25)[1]
IMAGES[HELD] = 255 - IMAGES[HELD]


@pytest.fixture
def run(tmp_path):
    def start(name):
        return Run.start("freq_shortcuts", Synthetic(output=str(tmp_path / name)))

    return start


class Killed(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 3:
            raise KeyboardInterrupt


def variables(model):
    return [keras.ops.convert_to_numpy(variable) for variable in model.variables]


def test_the_rate_falls_after_patience_epochs_without_a_new_lowest_loss():
    def rates(losses, **options):
        return [plateau_rate(losses[:k], rate=1.0, factor=0.1, **options) for k in range(len(losses) + 1)]

    losses = [3, 2, 2, 2.5, 1, 1, 1, 1]
    assert rates(losses, patience=2) == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01])
    assert rates(losses, patience=9) == [1] * 9
    assert rates([np.nan, np.nan], patience=1) == pytest.approx([1, 0.1, 0.01])


def test_killed_and_resumed_on_a_plateau_equals_unbroken(run):
    def train(run, callbacks=()):
        return trained(
            run,
            "plain/seed0",
            (IMAGES, LABELS),
            2,
            training=TINY,
            seed=0,
            record={"network": "small_resnet"},
            callbacks=callbacks,
        )

    whole = run("whole")
    model, history = train(whole)
    broken = run("broken")
    with pytest.raises(KeyboardInterrupt):
        train(broken, [Killed()])
    again, resumed = train(broken)
    for a, b in zip(variables(model), variables(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert {k: v for k, v in history.items() if k != "seconds"} == {
        k: v for k, v in resumed.items() if k != "seconds"
    }
    # It fell, by the losses that were kept, in epochs before the kill and after it.
    rates = [plateau_rate(history[VALIDATION_LOSS][:k], rate=0.1, factor=0.5, patience=1) for k in range(5)]
    assert history["learning_rate"] == pytest.approx(rates)
    assert rates[2] < rates[0]
    assert rates[4] < rates[2]
    records = read_records(whole.folder / "results.jsonl")
    assert [(r["measure"], r["n"], r["epochs"]) for r in records] == [("training accuracy", 24, 5)]


def test_the_same_share_of_every_class_is_held_out_whatever_the_seed():
    labels = np.array([0] * 40 + [1] * 20 + [2] * 10)
    rows, held = held_out(labels, 0.1)
    assert np.bincount(labels[held]).tolist() == [4, 2, 1]
    assert sorted([*rows, *held]) == list(range(70))
    np.testing.assert_array_equal(held, held_out(labels, 0.1)[1])
    # The split of a class does not depend on how many images the others have.
    np.testing.assert_array_equal(held_out(labels[:40], 0.1)[1], held[:4])
    assert len(held_out(labels, 0)[1]) == 0
    with pytest.raises(ValueError, match=r"`training.validation` must leave.*validation=0\.01"):
        held_out(labels, 0.01)


WIDTHS = {"resnet18": 2, "resnet50": 2, "vgg16_bn": 2, "alexnet_small": 4, "vit": 8, "small_resnet": 2}
# Torch alone compiles nothing.
compiled = pytest.mark.slow if keras.backend.backend() != "torch" else ()
DEEP = ("resnet18", "resnet50", "vgg16_bn", "vit")


@pytest.mark.parametrize("network", [pytest.param(n, marks=compiled if n in DEEP else ()) for n in NETWORKS])
def test_every_network_trains_a_step(network):
    if keras.backend.backend() == "jax" and network.startswith("resnet"):
        pytest.skip("compiles for long; tests/models has these networks on every backend")
    check_step(dataclasses.replace(TINY, network=network, width=WIDTHS[network], learning_rate=0.01))


@pytest.mark.parametrize(
    ("augmentation", "changes"),
    [
        *(
            pytest.param(name, {"crop_area": 0.5}, marks=() if name == "standard" else compiled)
            for name in AUGMENTATIONS
        ),
        ("standard", {"padding": None, "schedule": "steps", "milestones": (1, 2), "weight_decay": 0.0}),
    ],
)
def test_every_augmentation_trains_a_step(augmentation, changes):
    check_step(dataclasses.replace(TINY, **changes), augmentation)


def check_step(training, augmentation="standard"):
    pixels, labels = IMAGES[:8].astype("float32") / 255, LABELS[:8]
    model = classifier(training, (12, 12, 3), 2, seed=0, name="net")
    wrapper = wrapped(model, training, augmentation, (12, 12, 3), seed=0)
    wrapper.build((None, 12, 12, 3))
    compile_for(wrapper, training, steps=1)
    # Tracing takes TensorFlow longer than the step.
    model.run_eagerly = wrapper.run_eagerly = keras.backend.backend() == "tensorflow"
    before = variables(model)
    logits = model.predict(pixels, verbose=0)
    assert logits.shape == (8, 2)
    np.testing.assert_allclose(wrapper.predict(pixels, verbose=0), logits, rtol=1e-5, atol=1e-5)
    values = wrapper.train_on_batch(pixels, labels, return_dict=True)
    assert np.isfinite([float(value) for value in values.values()]).all()
    moved = [np.abs(a - b).max() > 0 for a, b in zip(before, variables(model), strict=True)]
    assert np.mean(moved) > 0.5


def test_images_of_some_classes_large_ones_as_bytes(run, tmp_path, monkeypatch):
    kf.data.write_npz(
        tmp_path / "own.npz", train=(IMAGES, LABELS), test=(IMAGES[:8], LABELS[:8]), classes=["a", "b"]
    )
    settings = LabelledImages(name=str(tmp_path / "own.npz"), classes=("b", "a"), train_images=10)
    found = images.load_images(run("floats"), settings)
    assert (found.name, found.classes, found.shape) == ("own", ("b", "a"), (12, 12, 3))
    assert found.train[0].dtype == np.float32
    np.testing.assert_array_equal(np.rint(255 * found.train[0]), IMAGES[:10])
    np.testing.assert_array_equal(found.train[1], 1 - LABELS[:10])
    # As float32 the 10 training images would take 17,280 bytes, the 8 test images 13,824.
    monkeypatch.setattr(images, "MOST_BYTES", 15_000)
    some = images.load_images(run("bytes"), settings)
    assert (some.train[0].dtype, some.test[0].dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(some.train[0], IMAGES[:10])
    with pytest.raises(RunError, match=r"`classes` must be among the 2 of .*Received: classes with 'c'"):
        images.load_images(run("wrong"), dataclasses.replace(settings, classes=("a", "c")))
    # The fallback has the classes too, at its own size.
    away = LabelledImages(
        name=str(tmp_path / "none.npz"), fallback="cifar10_mini", image_size=99, classes=("cat", "dog")
    )
    assert images.load_images(run("away"), away).shape == (32, 32, 3)
