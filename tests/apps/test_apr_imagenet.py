"""APR on ImageNet: streams, devices, and the experiment in miniature on JPEG files of varying size."""

from __future__ import annotations

import dataclasses
import json
import types

import keras
import numpy as np
import pytest

import keras_freq as kf
from apps.apr import imagenet, large_images
from apps.apr.large_config import ImageNet
from apps.lab import RunError, load_config
from keras_freq.evaluate._mean_corruption_error import ALEXNET
from tests.apps import running
from tests.apps.running import interrupt, numbers, records

BACKEND = keras.backend.backend()
to_numpy = keras.ops.convert_to_numpy
TRAIN, TEST = 22, 10
TINY = """
seed: 0
data: {name: NAME}
image_size: 40
training:
  {network: tiny, epochs: 2, batch_size: 8, learning_rate: 0.01, schedule: constant,
   crop: {size: 32}}
severities: [5]
corruptions: [contrast, gaussian_noise]
table: auto
"""


def finish(*words):
    return running.finish("apr", "imagenet", *words)


@pytest.fixture(autouse=True)
def images_and_settings(here, rng):
    """A folder with a set of 40-px images and the settings of a run on it."""
    images = rng.integers(0, 256, (TRAIN + TEST, 40, 40, 3), "uint8")
    labels = np.arange(TRAIN + TEST) % 4
    parts = {"x_train": images[:TRAIN], "y_train": labels[:TRAIN], "x_test": images[TRAIN:]}
    np.savez(here / "set.npz", **parts, y_test=labels[TRAIN:])
    (here / "tiny.yaml").write_text(TINY.replace("NAME", "set.npz"))


def settings(path="tiny.yaml", *words):
    return load_config(ImageNet, path, words)


@pytest.mark.once
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["data.name=imagenet2012", "data.data_dir=nowhere"], "No prepared data set 'imagenet2012'"),
        (["image_size=48"], "`image_size` applies to TFDS sets"),
        (["corruptions=[mist]"], "`corruptions` must be null or some of gaussian_noise"),
        (["corrupted=nowhere"], "The corrupted images must be a folder"),
        (
            ["corrupted=copies"],
            "`corrupted` must hold images of the size of `training.crop.size`, 32. Received: contrast.npy",
        ),
    ],
)
def test_what_the_data_do_not_allow_is_one_line(words, message):
    images, labels = kf.data.load("set.npz").arrays("test")
    levels = np.rint(255 * images).astype("uint8")
    if "corrupted=copies" in words:
        kf.data.write_corrupted(levels, labels, "copies", corruptions=["contrast"], severities=[5])
    running.refuse(message, "apr", "imagenet", "tiny.yaml", *words, "output=out")


@pytest.mark.once
def test_whole_batches_leave_out_the_rest_and_keep_the_epochs(rng):
    images, labels = rng.random((11, 4, 4, 3)).astype("float32"), np.arange(11)
    feed = kf.data.ArrayBatches(images, labels, batch_size=4, shuffle=True, seed=1)
    whole = large_images.WholeBatches(feed, 2)
    assert (len(whole), whole.epoch) == (2, 0)
    orders = []
    for _ in range(2):
        whole.on_epoch_begin()
        orders.append(np.concatenate([whole[i][1] for i in range(2)]))
        whole.on_epoch_end()
    assert whole.epoch == 2
    assert not np.array_equal(*orders)
    whole.epoch = 1
    np.testing.assert_array_equal(whole[0][1], orders[1][:4])


@pytest.mark.once
def test_mce_where_everything_is_there():
    config = ImageNet(rows=("standard",))
    names = tuple(kf.data.CORRUPTIONS)
    common = {"model": "m", "n": 1, "settings": {}, "versions": {}, "clean_error": 0.1}
    results = [
        kf.evaluate.CorruptionResult(
            corruptions=(name,),
            severities=(1, 2, 3, 4, 5),
            errors=((ALEXNET[name] / 2,) * 5,),
            mean=ALEXNET[name] / 2,
            **common,
        )
        for name in names
    ]
    assert imagenet.mean_errors(config, [results], names) == pytest.approx([0.5])
    small = dataclasses.replace(config.training, crop=dataclasses.replace(config.training.crop, size=128))
    plain = np.mean([ALEXNET[n] / 2 for n in names])
    smaller = dataclasses.replace(config, training=small)
    assert imagenet.mean_errors(smaller, [results], names) == pytest.approx([plain])


@pytest.fixture(scope="module")
def jpegs(tmp_path_factory):
    """A TFDS folder of JPEG files of varying size, labeled by their color."""
    tfds = pytest.importorskip("tensorflow_datasets")
    pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)

    class KerasFreqJpegs(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {
                "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(names=["red", "green", "blue"]),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label"),
            )

        def _split_generators(self, dl_manager):
            return {"train": self._examples(TRAIN), "validation": self._examples(TEST)}

        def _examples(self, count):
            for i in range(count):
                size = rng.integers(30, 70, 2)
                image = rng.integers(0, 120, (*size, 3), "uint8")
                image[..., i % 3] += 120
                yield i, {"image": image, "label": i % 3}

        def _generate_examples(self):
            raise NotImplementedError

    root = tmp_path_factory.mktemp("tfds")
    offline = tfds.download.DownloadConfig(try_download_gcs=False)
    KerasFreqJpegs(data_dir=str(root)).download_and_prepare(download_config=offline)
    return root


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_the_experiment_in_miniature_on_jpeg_files(here, jpegs):
    words = ["data.name=keras_freq_jpegs", f"data.data_dir={jpegs}", "rows=[standard,apr_sp]", "output=out"]
    out = finish("tiny.yaml", *words)
    assert "3 batches of 8 training images 40 x 40, 3 classes" in out
    found = records(here / "out")
    measured = [r for r in found if r["measure"] in ("clean error", "error", "training accuracy")]
    assert len(measured) == 2 * (1 + 1 + 2)
    assert all(0 <= r["value"] <= 1 for r in measured)
    assert {r["n"] for r in measured if "error" in r["measure"]} == {TEST}
    assert {r["feed"] for r in measured if "feed" in r} == {"tf.data"}
    assert (here / "out" / "figures" / "corruptions.png").exists()
    summary = (here / "out" / "summary.md").read_text()
    assert "APR-SP has a lower corruption error than Standard | mCE 65.0 against 80.6" in summary
    assert "not the published mCE" in summary
    assert "32-px crops of keras_freq_jpegs" in summary


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_a_run_that_was_cut_short_ends_with_the_same_numbers(capsys, here):
    feed = ["rows=[standard]", f"data.train_images={TRAIN}"]  # in memory: its order can be taken up again
    finish("tiny.yaml", *feed, "output=straight")
    last = {"when": lambda *args, corruptions, **options: corruptions == ("gaussian_noise",)}
    with interrupt(kf.evaluate, "corruption_error", **last):
        assert running.call("apr", "imagenet", "tiny.yaml", *feed, "output=out", "store=elsewhere") == 130
    assert f"python -m apps.apr imagenet --resume {here / 'out'}" in capsys.readouterr().err
    assert len(numbers("out")) == len(numbers("straight")) - 2
    finish("--resume", "out")
    assert numbers("out") == numbers("straight")


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")
def test_stored_copies_and_a_larger_size_for_training(here, jpegs):
    data = ["data.name=keras_freq_jpegs", f"data.data_dir={jpegs}"]
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), "uint8")
    labels = np.arange(6) % 3
    kf.data.write_corrupted(
        pixels, labels, "copies", corruptions=["contrast", "gaussian_noise"], severities=[5]
    )
    words = ["corrupted=copies", "rows=[standard]", "train_image_size=48", "training.epochs=1", "output=out"]
    assert "training images 48 x 48" in finish("tiny.yaml", *data, *words)
    errors = [r for r in records(here / "out") if r["measure"] == "error"]
    assert [r["n"] for r in errors] == [6, 6]


@pytest.mark.skipif(BACKEND == "jax", reason="JAX has it")
def test_devices_are_shared_on_jax_alone():
    message = f"Received: data_parallel=true with KERAS_BACKEND={BACKEND}"
    running.refuse(message, "apr", "imagenet", "tiny.yaml", "data_parallel=true", "output=out")


@pytest.mark.skipif(BACKEND != "jax", reason="JAX alone shares a batch among devices")
def test_a_batch_that_cannot_be_shared_is_one_line(monkeypatch):
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: ["cpu:0", "cpu:1", "cpu:2"])
    message = "must be a multiple of the number of devices, 3"
    running.refuse(message, "apr", "imagenet", "tiny.yaml", "data_parallel=true", "output=out")


@pytest.mark.parametrize("limit", [None, TRAIN])
def test_the_ragged_batch_is_left_out_where_devices_share(here, limit):
    words = [] if limit is None else [f"data.train_images={limit}"]
    run = types.SimpleNamespace(measure=lambda stage, compute, **record: compute(**record))
    for shared, count in (("false", 3), ("true", 2)):
        stream = large_images.open_images(
            run, settings("tiny.yaml", f"data_parallel={shared}", *words), seed=0
        )
        assert len(stream.train.batches) == count
        sizes = [int(valid) for *_, valid in kf.data.iterate_batches(stream.train.batches)]
        assert sizes == [8, 8, 6][:count]
    config = settings("tiny.yaml", *words, "data_parallel=true", "training.batch_size=32")
    with pytest.raises(RunError, match=r"at most the number of training images, 22"):
        large_images.open_images(run, config, seed=0)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "jax", reason="JAX alone shares a batch among devices")
def test_four_devices_give_the_numbers_of_one(here):
    program = "import sys, tests.apps.tiny_network, tests.apps.running as r; sys.exit(r.call(*sys.argv[1:]))"
    words = ["apr", "imagenet", "tiny.yaml", "rows=[apr_sp]", "data.train_images=16"]

    def trained(devices, name, *more):
        words_here = [*words, *more, "corruptions=[contrast]", f"output={name}", f"store={name} networks"]
        flags = f"--xla_force_host_platform_device_count={devices}"
        process = running.start("-c", program, *words_here, XLA_FLAGS=flags)
        assert process.wait() == 0, process.stderr.read()
        [network] = (here / f"{name} networks").glob("*/network.npz")
        history = json.loads(str(np.load(network)["note"]))["history"]
        return history["loss"], [r["value"] for r in records(here / name) if "error" in r["measure"]]

    (four, errors), (one, expected) = trained(4, "four", "data_parallel=true"), trained(1, "one")
    np.testing.assert_allclose(four, one, rtol=1e-4)
    np.testing.assert_allclose(errors, expected, atol=0.1)  # an image of ten may fall on the other side
