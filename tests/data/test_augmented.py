"""Augmentation in other processes."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from tests.refusals import refused

LAYERS = [kf.layers.CropFlip(), kf.layers.APRSingle(), kf.layers.APRPair(probability=0.9)]


def feed(*, batch_size=8, shuffle=True, n=40):
    images = np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype="uint8")
    return kf.data.ArrayBatches(images, np.arange(n) % 4, batch_size=batch_size, shuffle=shuffle, seed=3)


def augmented(layer=LAYERS, *, workers=0, seed=1, **options):
    return kf.data.Augmented(feed(**options), layer, workers=workers, seed=seed)


def classifier():
    model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class Batches(keras.utils.PyDataset):
    """A data set of a user: batches of 3, bytes."""

    def __len__(self):
        return 4

    def __getitem__(self, index):
        images = np.full((3, 8, 8, 1), 20 * index, "uint8") + np.arange(8, dtype="uint8")[:, None]
        return images, np.arange(3), np.ones(3)


class Mine(kf.data.ArrayBatches):
    """The same as a class of a user, whose batches are asked for one by one."""


def test_workers_make_what_this_process_makes():
    here, there = augmented(), augmented(workers=2)
    for index in range(len(here)):
        for one, other in zip(here[index], there[index], strict=True):
            assert np.array_equal(one, other)


@pytest.mark.once
def test_an_image_becomes_the_same_in_any_batch_and_order():
    layer = LAYERS[:2]
    one, other = augmented(layer, shuffle=False), augmented(layer, batch_size=7)
    expected = np.concatenate([one[index][0] for index in range(len(one))])
    for index in range(len(other)):
        assert np.array_equal(other[index][0], expected[other.feed.rows(index)])


@pytest.mark.once
def test_epochs_and_seeds_draw_anew():
    first, second = augmented(shuffle=False), augmented(shuffle=False)
    assert np.array_equal(first[0][0], second[0][0])
    second.epoch = 1
    assert second.feed.epoch == 1
    assert not np.array_equal(first[0][0], second[0][0])
    assert not np.array_equal(first[0][0], augmented(shuffle=False, seed=2)[0][0])


def test_fit_visits_every_batch_and_counts_epochs():
    batches = augmented(workers=1)
    classifier().fit(batches, epochs=2, shuffle=False, verbose=0)
    assert batches.epoch == batches.feed.epoch == 2
    classifier().fit(batches, epochs=3, initial_epoch=2, shuffle=False, verbose=0)
    assert batches.epoch == 3


@pytest.mark.parametrize(("kind", "workers"), [(kf.data.ArrayBatches, 0), (Mine, 1)])
def test_every_pass_has_draws_of_its_own_however_keras_cuts_it_into_epochs(workers, kind):
    images, labels = feed().images, feed().labels

    seen = []

    class Seen(kf.data.Augmented):
        def __getitem__(self, index):
            epoch, batch = self.epoch, super().__getitem__(index)
            seen.append((epoch, index, batch))
            return batch

    options = {"batch_size": 10, "shuffle": True, "seed": 3}
    batches = Seen(kind(images, labels, **options), LAYERS, workers=workers, seed=1)
    expected = kf.data.Augmented(kf.data.ArrayBatches(images, labels, **options), LAYERS, workers=0, seed=1)
    classifier().fit(batches, epochs=6, steps_per_epoch=2, shuffle=False, verbose=0)
    assert batches.epoch == batches.feed.epoch == 3
    assert {(epoch, index) for epoch, index, _ in seen} == {(e, i) for e in range(3) for i in range(4)}
    for epoch, index, found in seen:
        expected.epoch = epoch
        for one, other in zip(found, expected[index], strict=True):
            assert np.array_equal(one, other)


def test_fit_learns_the_same_with_workers_and_without():
    def weights(workers):
        keras.utils.set_random_seed(0)
        model = classifier()
        model.fit(augmented(workers=workers), epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    for one, other in zip(weights(0), weights(1), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_order_of_fit_is_told_once():
    batches = augmented(workers=1, batch_size=2)
    with pytest.warns(UserWarning, match="shuffle=False") as told:
        labels = [batches[index][1] for index in (3, 1, 7, 0, 19)]
    assert np.array_equal(labels, [batches.feed[index][1] for index in (3, 1, 7, 0, 19)])
    assert len(told) == 1


def test_a_pass_may_begin_anew(recwarn):
    batches = augmented(workers=1)
    for index in (0, 1, 2, 0, 1):
        assert np.array_equal(batches[index][1], batches.feed[index][1])
    assert not [warning for warning in recwarn if "Augmented" in str(warning.message)]


@pytest.mark.once
def test_a_killed_worker_ends_fit_in_one_line():
    batches = augmented(workers=1)
    batches[0]
    batches._pool._started[0].process.kill()
    with pytest.raises(RuntimeError, match="A worker process is gone"):
        list(batches)
    batches.on_epoch_end()
    assert batches[0][0].shape == (8, 16, 16, 3)  # by a new one


@pytest.mark.once
def test_bytes_stay_0_to_255_from_layer_to_layer():
    batches = kf.data.Augmented(Batches(), [kf.layers.APRSingle(), kf.layers.CropFlip()], workers=0)
    images, labels, weights = batches[3]
    assert images.dtype == np.float32
    assert 60 < images.max() <= 255
    assert labels.tolist() == [0, 1, 2]
    assert weights.tolist() == [1, 1, 1]


@pytest.mark.once
def test_other_data_sets_count_epochs_too():
    batches = kf.data.Augmented(Batches(), kf.layers.CropFlip(), workers=0)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(batches, epochs=2, verbose=0)
    assert batches.epoch == 2


@pytest.mark.once
def test_filters_are_layers_too():
    batches = augmented(kf.layers.LowPass(4), shuffle=False)
    expected = kf.spectral.low_pass(feed(shuffle=False)[0][0], 4)
    np.testing.assert_allclose(batches[0][0], expected, atol=1e-6)


def test_images_of_another_range_are_refused_from_a_worker():
    images = np.linspace(-1, 1, 4 * 64, dtype="float32").reshape(4, 8, 8, 1)
    batches = kf.data.Augmented(
        kf.data.ArrayBatches(images, np.zeros(4, int), batch_size=4), kf.layers.APRSingle(), workers=1
    )
    with pytest.raises(ValueError, match=r"value_range=\(0, 1\)"):
        batches[0]


@pytest.mark.once
def test_bad_arguments():
    with refused("`feed`", error=TypeError):
        kf.data.Augmented((np.zeros((4, 8, 8, 3)), np.zeros(4)), kf.layers.APRSingle())
    with refused("`layer`", error=TypeError):
        augmented(keras.layers.RandomFlip())
    with refused("`layer`", error=TypeError):
        augmented(kf.layers.ClassFrequencies(np.ones((2, 16, 16))))
    with refused("`layer`"):
        augmented([])
    of_main = type("Own", (kf.layers.APRSingle,), {"__module__": "__main__"})()

    class Inside(kf.layers.APRSingle):
        pass

    for own in (of_main, Inside()):
        with refused("a class that other processes can import"):
            augmented([own], workers=1)
    assert augmented([of_main])[0][0].shape == (8, 16, 16, 3)
    with refused("`workers`"):
        augmented(workers=-1)
    with refused("`workers`"):
        augmented().workers = 4
    with pytest.raises(IndexError, match="`index`"):
        augmented()[5]


@pytest.mark.once
def test_a_feed_of_its_own_kind_gives_its_own_images():
    class Negatives(kf.data.ArrayBatches):
        def __getitem__(self, index):
            images, labels = super().__getitem__(index)
            return 1 - images, labels

    images, labels = feed(shuffle=False).images, feed(shuffle=False).labels
    batches = kf.data.Augmented(Negatives(images, labels), kf.layers.LowPass(100), workers=0)
    np.testing.assert_allclose(batches[0][0], 1 - images / np.float32(255), atol=1e-5)


@pytest.mark.once
def test_batches_of_another_form_are_refused():
    class Dictionaries(Batches):
        def __getitem__(self, index):
            return {"images": super().__getitem__(index)[0]}

    with refused("(images, labels)", error=TypeError):
        kf.data.Augmented(Dictionaries(), kf.layers.CropFlip(), workers=0)[0]
