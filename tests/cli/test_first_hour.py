"""What goes wrong in the first hour with a model and images of one's own: one line that says what to do."""

import errno

import keras
import numpy as np
import pytest

from keras_freq._cli._command import explain
from tests.cli.test_errors import check_line

pytestmark = pytest.mark.once


@pytest.fixture
def place(tiny, rng, tmp_path, monkeypatch):
    """A folder with models and images that are not as they should be."""
    monkeypatch.chdir(tmp_path)
    images, labels = rng.integers(0, 256, (24, 32, 32, 3), "uint8"), np.arange(24) % 4
    arrays = {
        "good": (images, labels),
        "first": (images.transpose(0, 3, 1, 2), labels),
        "small": (images[:, :28, :28], labels),
        "gray": (images[..., :1], labels),
        "five": (images, np.arange(24) % 5),
        "single": (images, 0 * labels),
        "texts": (images, np.array(list("abcd"))[labels]),
        "none": (images[:0], labels[:0]),
        "holes": (np.where(images == 7, np.nan, images / 255.0), labels),
    }
    for name, (x, y) in arrays.items():
        np.savez(tmp_path / f"{name}.npz", x=x, y=y)
    np.savez(tmp_path / "unlabeled.npz", x=images)
    (tmp_path / "cut.keras").write_bytes(tiny.read_bytes()[:500])
    (tmp_path / "old.h5").write_bytes(b"")
    (tmp_path / "file").write_text("text")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    (tmp_path / "broken.json").write_text('{"result": "Report", "models": [')
    (tmp_path / "other.json").write_text('{"result": "Report"}')
    makers = "def wrong():\n    return 3\n\n\ndef fails():\n    raise KeyError('x')\n"
    (tmp_path / "my_first_makers.py").write_text(makers)
    inputs = keras.Input((32, 32, 3))
    flat = keras.layers.Flatten()(inputs)
    keras.Model(inputs, keras.layers.Dense(1)(flat)).save(tmp_path / "one.keras")
    keras.Model(inputs, [keras.layers.Dense(4)(flat), keras.layers.Dense(3)(flat)]).save("two.keras")
    keras.Sequential([inputs, keras.layers.Lambda(lambda x: x), keras.layers.Flatten()]).save("lambda.keras")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("one.keras good.npz", "from 0 to 1, the model's outputs"),
        ("two.keras good.npz", "name one, --output NAME"),
        ("cut.keras good.npz", "copy it again, or save it again. Received: cut.keras"),
        ("lambda.keras good.npz", "build the model in a function of yours, module:function"),
        ("old.h5 good.npz", "convert an .h5 file once"),
        ("nothere.keras good.npz", "There is no such file. Received: nothere.keras"),
        ("cifar10/standart good.npz", "did you mean cifar10/standard?"),
        ("no_such_module:make good.npz", "The module must be one that can be imported"),
        ("my_first_makers:none good.npz", "which names no function"),
        ("my_first_makers:wrong good.npz", "must return a Keras model"),
        ("my_first_makers:fails good.npz", "raised KeyError: 'x' (my_first_makers.py, line 6)"),
        ("tiny.keras first.npz", "move their channels to its place"),
        ("tiny.keras small.npz", "resize them, or give them its channels"),
        ("tiny.keras gray.npz", "Received: images of shape (32, 32, 1)"),
        ("tiny.keras five.npz", "from 0 to 3, the model's outputs"),
        ("tiny.keras single.npz", "two classes at least"),
        ("tiny.keras texts.npz", "class indices or one-hot rows"),
        ("tiny.keras none.npz", "Images must not be empty"),
        ("tiny.keras holes.npz", "Received: NaN or infinity"),
        ("tiny.keras unlabeled.npz", "Received: unlabeled.npz with the keys ['x']"),
        ("tiny.keras nothere.npz", "There is no such .npz file"),
        ("tiny.keras file", "Received: file, which is none of these"),
        ("tiny.keras empty", "folder of images for each class"),
        ("tiny.keras good.npz --classes a,b", "--classes"),
        ("tiny.keras good.npz --value-range 0-255", "0,1 or 0,255 or -1,1"),
        ("tiny.keras good.npz --preprocess imagenet", "--preprocess must be module:function"),
        ("tiny.keras good.npz --baseline broken.json", "must be a whole JSON file"),
        ("tiny.keras good.npz --baseline other.json", "measure it anew. Received: --baseline other.json"),
        ("tiny.keras good.npz --out /proc/out", "name another with --out. Received: /proc/out"),
    ],
)
def test_one_line_says_what_to_do(words, told, cli, place):
    check_line(cli(f"bands {words}"), told)


def test_a_report_on_another_model_is_not_gone_on_with(cli, place, classifier):
    keras.models.clone_model(classifier).save("other.keras")
    assert cli("report tiny.keras good.npz --only bands --out page").code == 0
    kept = (place / "page" / "report.json").read_bytes()
    done = cli("report other.keras good.npz --only bands --out page --resume --json")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("error: `--resume` goes on with a report on the same models")
    assert (place / "page" / "report.json").read_bytes() == kept


def test_the_other_model_of_a_comparison_is_named(cli, place):
    done = cli("report tiny.keras good.npz --against one.keras --only bands --out page --json")
    assert done.code == 2
    assert done.err.endswith("for the other model, --against one.keras\n")


def test_a_full_disk_is_told_with_the_file(tmp_path, monkeypatch):
    from keras_freq._core import files

    def fill(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fill)
    with pytest.raises(OSError, match="No space") as error:
        files.write_whole(tmp_path / "a.csv", "text")
    assert explain(error.value).startswith("The disk is full: make room")
    assert explain(error.value).endswith(f"Received: {tmp_path / 'a.csv'}")
    assert not list(tmp_path.iterdir())
