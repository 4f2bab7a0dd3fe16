"""HARS: which part is whose, shown by filtering; donors of other classes; bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_freq.cdes import HARS, make_hars
from keras_freq.cdes._hars import draw_donors
from keras_freq.spectral import high_pass, low_pass, rescale
from tests.oracles import hars as oracle
from tests.oracles.spectral import rescaled
from tests.refusals import refused

pytestmark = pytest.mark.once
SIZES = [(32, 32, 3), (31, 20, 1), (70, 66, 3)]


@pytest.fixture(params=SIZES, ids=lambda size: "x".join(map(str, size)))
def data(request):
    random = np.random.default_rng(3)
    return random.random((9, *request.param)).astype("float32"), np.arange(9) % 3


@pytest.mark.parametrize("keep", ["high", "low"])
@pytest.mark.parametrize("transform", ["dft", "dct"])
@pytest.mark.parametrize("radius", [5, 7.5])
def test_against_the_oracle(data, keep, transform, radius):
    images, labels = data
    made = make_hars(images, labels, radius=radius, keep=keep, transform=transform, rescale="none", seed=2)
    expected = oracle.hars(images, made.donors, radius=radius, keep=keep, transform=transform)
    assert made.images.dtype == "float32"
    np.testing.assert_allclose(made.images, expected, rtol=0, atol=3e-6)
    options = {"radius": radius, "keep": keep, "transform": transform, "seed": 2}
    np.testing.assert_allclose(
        make_hars(images, labels, **options).images, rescaled(expected, "minmax", per="channel"), atol=1e-5
    )
    clipped = make_hars(images, labels, rescale="clip", **options).images
    np.testing.assert_allclose(clipped, np.clip(expected, 0, 1), atol=3e-6)


@pytest.mark.parametrize("keep", ["high", "low"])
def test_filters_find_the_image_on_one_side_and_the_donor_on_the_other(data, keep):
    images, labels = data
    made = make_hars(images, labels, radius=6, keep=keep, rescale="none")
    high, low = (images, images[made.donors]) if keep == "high" else (images[made.donors], images)
    np.testing.assert_allclose(high_pass(made.images, 6), high_pass(high, 6), atol=4e-6)
    np.testing.assert_allclose(low_pass(made.images, 6), low_pass(low, 6), atol=4e-6)
    assert np.abs(made.images - images).max() > 0.05


@pytest.mark.parametrize("keep", ["high", "low"])
def test_so_does_the_cosine_transform(data, keep):
    from scipy.fft import dctn

    images, labels = data
    made = make_hars(images, labels, radius=6, keep=keep, transform="dct", rescale="none")
    kept, given_away = (dctn(part, axes=(1, 2), norm="ortho") for part in (images, images[made.donors]))
    found = dctn(made.images, axes=(1, 2), norm="ortho")
    low = np.zeros(images.shape[1:3], bool)
    low[:6, :6] = True
    of_low, of_high = (given_away, kept) if keep == "high" else (kept, given_away)
    np.testing.assert_allclose(found[:, low], of_low[:, low], atol=5e-5)
    np.testing.assert_allclose(found[:, ~low], of_high[:, ~low], atol=5e-5)


def test_published_form_is_the_default(data):
    images, labels = data
    made = make_hars(images, labels)
    assert isinstance(made, HARS)
    assert made.labels.dtype == "int32"
    np.testing.assert_array_equal(made.labels, labels)
    raw = make_hars(images, labels, radius=12, keep="high", transform="dft", rescale="none").images
    np.testing.assert_array_equal(made.images, rescale(raw, "minmax", per="channel"))
    np.testing.assert_allclose(made.images.min(axis=(1, 2)), 0)
    np.testing.assert_allclose(made.images.max(axis=(1, 2)), 1)


def test_the_ends_of_the_radius(data):
    images, labels = data
    for transform in ("dft", "dct"):
        for radius, expected in ((0, "own"), (200, "donor"), (float("inf"), "donor")):
            made = make_hars(images, labels, radius=radius, transform=transform, rescale="none")
            whole = images if expected == "own" else images[made.donors]
            np.testing.assert_allclose(made.images, whole, atol=3e-6)


def test_images_of_eight_bits_are_read_as_floats():
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype="uint8")
    labels = np.arange(6) % 2
    made = make_hars(images, labels, radius=3, rescale="none")
    for dtype, tolerance in (("float32", 1e-6), ("float64", 1e-6), ("float16", 2e-3)):
        same = make_hars((images / 255).astype(dtype), labels, radius=3, rescale="none").images
        assert same.dtype == "float32"
        np.testing.assert_allclose(same, made.images, atol=tolerance)
    assert images.dtype == np.uint8


def test_chunks_and_the_given_arrays_do_not_matter(data):
    images, labels = data
    before = images.copy()
    whole = make_hars(images, labels, radius=5, seed=4)
    for batch_size in (1, 4):
        parts = make_hars(images, labels, radius=5, seed=4, batch_size=batch_size)
        np.testing.assert_allclose(parts.images, whole.images, atol=1e-6)
        np.testing.assert_array_equal(parts.donors, whole.donors)
    np.testing.assert_array_equal(images, before)
    one_hot = make_hars(images, np.eye(3)[labels], radius=5, seed=4)
    np.testing.assert_array_equal(one_hot.images, whole.images)
    np.testing.assert_array_equal(one_hot.labels, labels)


@st.composite
def possible_labels(draw):
    """Classes in any numbers and order, the largest with at most half of the images."""
    counts = draw(st.lists(st.integers(1, 30), min_size=1, max_size=5))
    others = sum(counts)
    counts.append(draw(st.one_of(st.just(others), st.integers(0, others))))
    labels = np.repeat(draw(st.permutations(range(20)))[: len(counts)], counts)
    if 2 * max(counts) > len(labels):  # one of the first classes outweighs the rest
        most = labels == labels[np.argmax(np.repeat(counts, counts))]
        labels = np.concatenate([labels, np.full(2 * most.sum() - len(labels), 20)])
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(labels)


@given(labels=possible_labels(), seed=st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_every_image_is_donor_once_to_another_class(labels, seed):
    donors = draw_donors(labels, seed=seed)
    np.testing.assert_array_equal(np.sort(donors), np.arange(len(labels)))
    assert (labels[donors] != labels).all()


@pytest.mark.parametrize("counts", [(1, 1), (50, 50), (1, 1, 1), (500, 1, 499), (300, 200, 50, 49, 1)])
def test_donors_where_there_is_hardly_a_choice(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    for seed in range(20):
        donors = draw_donors(labels, seed=seed)
        assert len(np.unique(donors)) == len(labels)
        assert (labels[donors] != labels).all()


def test_donors_follow_from_labels_and_seed():
    labels = np.arange(200) % 10
    first = draw_donors(labels, seed=5)
    np.testing.assert_array_equal(first, draw_donors(labels, seed=5))
    np.testing.assert_array_equal(first, draw_donors(labels + 3, seed=5))
    assert (first != draw_donors(labels, seed=6)).mean() > 0.9
    images = np.random.default_rng(0).random((200, 4, 4, 1))
    for options in ({}, {"keep": "low"}, {"transform": "dct"}):
        np.testing.assert_array_equal(make_hars(images, labels, seed=5, **options).donors, first)


def test_donors_are_drawn_from_all_other_classes_alike():
    labels = np.repeat(np.arange(5), 400)
    donors = draw_donors(labels)
    table = np.zeros((5, 5), int)
    np.add.at(table, (labels, labels[donors]), 1)
    expected = 100 * (1 - np.eye(5))
    # Chi-square over 20 cells with 11 degrees of freedom: 40 is past 1 in 20,000.
    assert ((table - expected) ** 2)[expected > 0].sum() / 100 < 40
    assert abs(np.corrcoef(np.arange(2000) % 400, donors % 400)[0, 1]) < 0.1


def test_sixty_thousand_donors_take_no_time():
    import time

    labels = np.random.default_rng(0).integers(0, 100, 60_000)
    start = time.perf_counter()
    donors = draw_donors(labels)
    assert time.perf_counter() - start < 2
    assert (labels[donors] != labels).all()


IMAGES, LABELS = np.full((4, 8, 8, 3), 0.5), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("images", "labels", "options", "received"),
    [
        (IMAGES, LABELS, {"radius": -1}, "radius=-1"),
        (IMAGES, LABELS, {"radius": float("nan")}, "radius=nan"),
        (IMAGES, LABELS, {"keep": "both"}, "keep='both'"),
        (IMAGES, LABELS, {"transform": "fft"}, "transform='fft'"),
        (IMAGES, LABELS, {"rescale": "max"}, "rescale='max'"),
        (IMAGES, LABELS, {"seed": -1}, "seed=-1"),
        (IMAGES, LABELS, {"batch_size": 0}, "batch_size=0"),
        (IMAGES[0], LABELS, {}, "shape (8, 8, 3)"),
        (IMAGES[:0], LABELS[:0], {}, "shape (0, 8, 8, 3)"),
        (300 + IMAGES.astype("int32"), LABELS, {}, "dtype int32"),
        (IMAGES * np.nan, LABELS, {}, "NaN or infinity"),
        (IMAGES, LABELS[:3], {}, "4 images, 3 labels"),
        (IMAGES, LABELS - 1, {}, "smallest label -1"),
        (IMAGES, LABELS + 0.5, {}, "0.5"),
        (IMAGES, [0, 1, 1, 1], {}, "class 1 with 3 of 4 images"),
        (IMAGES[:1], [7], {}, "class 7 with 1 of 1 images"),
    ],
)
def test_bad_input_is_one_line(images, labels, options, received):
    with refused(received, match="Received"):
        make_hars(images, labels, **options)
