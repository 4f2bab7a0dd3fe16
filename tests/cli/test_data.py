"""DATA in all its kinds."""

import sys
import types

import numpy as np
import pytest

import keras_freq as kf
from keras_freq._cli._data import open_data, read_names, read_size

pytestmark = pytest.mark.once


def test_arrays_are_drawn_with_the_seed_and_stay_bytes():
    images, labels = kf.data.load("cifar10_mini").arrays("test", dtype="uint8")
    opened = open_data("cifar10_mini", n=16, seed=3)
    rows = np.sort(np.random.default_rng(3).choice(1000, 16, replace=False))
    np.testing.assert_array_equal(opened.images, images[rows])
    np.testing.assert_array_equal(opened.labels, labels[rows])
    assert opened.images.dtype == np.uint8
    assert opened.classes[0] == "airplane"
    assert opened.note == "test: 16 of 1000, drawn with seed 3"
    assert open_data("cifar10_mini", split="train").note == "train: all 2000"


def test_floats_and_pairs_of_files(tmp_path, rng):
    x, y = rng.random((6, 8, 8, 3), "float32"), np.arange(6) % 2
    np.save(tmp_path / "x_test.npy", x)
    np.save(tmp_path / "y_test.npy", y)
    opened = open_data(str(tmp_path))
    np.testing.assert_array_equal(opened.images, x)
    assert opened.images.dtype == np.float32


def test_a_folder_in_turn_resized_and_in_an_order_of_classes(folder):
    opened = open_data(str(folder), n=4)
    assert opened.labels.tolist() == [0, 1, 0, 1]
    assert opened.images.shape == (4, 20, 24, 3)
    assert opened.name == "schöne Bilder"
    other = open_data(str(folder), image_size="10", classes="Kätzchen,Hünd")
    assert other.images.shape == (6, 10, 10, 3)
    assert other.classes == ("Kätzchen", "Hünd")
    assert other.note == "test: all 6, at 10 x 10"


class Table:
    """What `datasets.load_from_disk` gives, as far as it is used."""

    column_names = ("image", "label")

    def __init__(self, images, labels):
        self.images, self.labels = images, labels
        self.features = {"image": None, "label": types.SimpleNamespace(names=["cat", "dog"])}

    def __len__(self):
        return len(self.labels)

    def select(self, rows):
        return Table(self.images[rows], self.labels[rows])

    def __getitem__(self, rows):
        return {"image": list(self.images[rows]), "label": self.labels[rows].tolist()}


def test_a_folder_of_hugging_face(tmp_path, rng, monkeypatch):
    table = Table(rng.integers(0, 256, (10, 8, 8, 3), "uint8"), np.arange(10) % 2)
    (tmp_path / "dataset_dict.json").write_text("{}")
    library = types.SimpleNamespace(load_from_disk=lambda path: {"validation": table})
    monkeypatch.setitem(sys.modules, "datasets", library)
    opened = open_data(str(tmp_path), n=6, seed=1)
    rows = np.sort(np.random.default_rng(1).choice(10, 6, replace=False))
    np.testing.assert_array_equal(opened.images, table.images[rows])
    assert opened.images.dtype == np.uint8
    assert opened.classes == ("cat", "dog")
    with pytest.raises(ValueError, match=r"validation\. Received: --split train"):
        open_data(str(tmp_path), split="train")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match="pip install datasets"):
        open_data(str(tmp_path))


def test_halves_share_no_image_and_hold_all_classes_alike():
    opened = open_data("cifar10_mini", n=101)
    first, second = opened.halves(seed=2)
    assert len(first.labels) + len(second.labels) == 101
    both = {image.tobytes() for image in first.images} & {image.tobytes() for image in second.images}
    assert not both
    counts = [np.bincount(part.labels, minlength=10) for part in (first, second)]
    assert set((counts[0] - counts[1]).tolist()) <= {0, 1}
    few = open_data("cifar10_mini", n=1)
    with pytest.raises(ValueError, match=r"two images at least.*Received: 1 images of 1 classes"):
        few.halves()


def test_texts_of_names_and_sizes(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("cat\n\n dog \n", encoding="utf-8")
    assert read_names(str(path)) == read_names("cat, dog") == read_names(("cat", "dog")) == ("cat", "dog")
    assert read_size("224") == read_size("224x224") == read_size((224, 224)) == (224, 224)
    assert read_size("20,30") == (20, 30)
    for text in ("0", "a", "1,2,3", "-3", ""):
        with pytest.raises(ValueError, match="Received: --image-size"):
            read_size(text)


@pytest.mark.parametrize("text", ["no_such_set_here", "no_such/place/at_all", "none.npz", "./none"])
def test_what_is_not_there_is_told_in_one_line(text):
    with pytest.raises(FileNotFoundError) as caught:
        open_data(text)
    assert "\n" not in str(caught.value)
    assert text in str(caught.value)
