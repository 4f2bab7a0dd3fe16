"""SCR and WCR: which kernels make which image, order and labels, and going on after a kill."""

import numpy as np
import pytest

import keras_freq as kf
from keras_freq.cdes import CDES, make_scr, make_wcr

FIT = {"epochs": 1, "batch_size": 10}
OPTIONS = {"cdes": CDES(2, 3), "train_limit": 6, **FIT}


@pytest.fixture(scope="module")
def data():
    images, labels = kf.data.load("cifar10_mini").arrays("train", limit=80)
    kept = labels < 3
    return images[kept], labels[kept]


@pytest.fixture(scope="module")
def scr(data):
    return make_scr(*data, test=(data[0][:5], data[1][:5]), **OPTIONS)


def test_scr_sends_each_image_through_the_kernels_of_its_class(data, scr):
    images, labels = data
    assert scr.classes == (0, 1, 2)
    np.testing.assert_array_equal(scr.labels, labels)
    for label, kernels in zip(scr.classes, scr.kernels, strict=True):
        own = labels == label
        np.testing.assert_array_equal(scr.images[own], kernels.transform(images[own]))
        # Fresh kernels, of a seed of their own, on the first images of the class.
        alone = OPTIONS["cdes"].with_seed(kernels.seed)
        alone.fit(images[own][:6], **FIT, verbose=0)
        for one, other in zip(alone.kernels(), kernels.kernels(), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    assert len({kernels.seed for kernels in scr.kernels}) == 3
    np.testing.assert_array_equal(scr.test_labels, labels[:5])
    assert scr.test_images.shape == images[:5].shape


def test_low_frequencies_are_those_of_the_original(data):
    images, labels = data
    plain = CDES(2, 3, rescale="none")
    for make in (make_scr, make_wcr):
        made = make(images, labels, **{**OPTIONS, "cdes": plain})
        np.testing.assert_allclose(
            kf.spectral.low_pass(made.images, 10.01), kf.spectral.low_pass(images, 10.01), atol=5e-6
        )
        assert np.abs(made.images - images).max() > 0.01


def test_wcr_has_one_set_of_kernels_and_keeps_labels_and_order(data):
    images, labels = data
    wcr = make_wcr(images, labels, **OPTIONS)
    assert wcr.classes == (None,)
    np.testing.assert_array_equal(wcr.labels, labels)
    np.testing.assert_array_equal(wcr.images, wcr.kernels[0].transform(images))
    rows = np.sort(np.concatenate([np.flatnonzero(labels == c)[:6] for c in range(3)]))
    alone = OPTIONS["cdes"].with_seed(wcr.kernels[0].seed)
    alone.fit(images[rows], **FIT, verbose=0)
    np.testing.assert_allclose(alone.kernels()[0], wcr.kernels[0].kernels()[0], atol=1e-6)


def test_published_ways(data, scr):
    images, labels = data
    test = (images[:5], labels[:5])
    carried = make_scr(images, labels, **OPTIONS, carry_over=True)
    alike = [
        np.allclose(one.kernels()[0], other.kernels()[0], atol=1e-5)
        for one, other in zip(scr.kernels, carried.kernels, strict=True)
    ]
    assert alike == [True, False, False]
    with_test = make_wcr(images, labels, test=test, **OPTIONS, include_test=True, noise=False, epoch=0)
    np.testing.assert_array_equal(with_test.test_images, with_test.kernels[0].transform(test[0], noise=False))
    without = make_wcr(images, labels, **OPTIONS)
    assert not np.allclose(with_test.kernels[0].kernels()[0], without.kernels[0].kernels()[0], atol=1e-6)


def test_a_call_that_was_cut_short_goes_on_class_by_class(tmp_path, monkeypatch, data, scr):
    fit, calls = CDES.fit, []

    def interrupted(self, images, **options):
        calls.append(len(images))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(self, images, **options)

    monkeypatch.setattr(CDES, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_scr(*data, **OPTIONS, folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["class_0.json", "class_0.npz"]
    made = make_scr(*data, **OPTIONS, folder=tmp_path)
    assert len(calls) == 4
    np.testing.assert_allclose(made.images, scr.images, atol=1e-5)
    again = make_scr(*data, **OPTIONS, folder=tmp_path)
    assert len(calls) == 4
    np.testing.assert_array_equal(again.images, made.images)
    with pytest.raises(ValueError, match=r"holds kernels of other images or settings \(fit\)"):
        make_scr(*data, **{**OPTIONS, "epochs": 2}, folder=tmp_path)
    with pytest.raises(ValueError, match=r"holds kernels of other images or settings \(images\)"):
        make_scr(1 - data[0], data[1], **OPTIONS, folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"include_test": True}, ValueError, "`include_test` needs test images"),
        ({"train_limit": 0}, ValueError, "`train_limit`"),
        ({"color": 1}, TypeError, "Options of the fit are epochs"),
        ({"verbose": 1}, TypeError, "Received: verbose"),
        (
            {"test": (np.zeros((2, 8, 8, 3), "float32"), [0, 1])},
            ValueError,
            "shape and dtype of the training",
        ),
        (
            {"test": (np.zeros((1, 32, 32, 3), "float32"), [7])},
            ValueError,
            r"no training images of the classes \[7\]",
        ),
    ],
)
def test_bad_input(data, change, error, message):
    with pytest.raises(error, match=message):
        make_scr(*data, **{**OPTIONS, **change})
    with pytest.raises(ValueError, match="must have the same length"):
        make_wcr(data[0], data[1][:-1], **OPTIONS)
