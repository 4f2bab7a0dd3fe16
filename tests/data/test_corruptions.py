"""What holds for every corruption."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_freq.data import CORRUPTIONS, EXTRA_CORRUPTIONS, corrupt
from keras_freq.data._corruptions.catalog import CATALOG
from keras_freq.data._npz import read_sample
from tests.refusals import refused

pytestmark = pytest.mark.once
pytest.importorskip("scipy")
pytest.importorskip("PIL")

ALL = CORRUPTIONS + EXTRA_CORRUPTIONS
FIXED = {
    "defocus_blur",
    "zoom_blur",
    "gaussian_blur",
    "brightness",
    "contrast",
    "saturate",
    "pixelate",
    "jpeg_compression",
}
# Published parameters that trade one kind of damage for another from one severity to the next.
NOT_MONOTONE = {
    "small": {"glass_blur", "motion_blur", "frost", "elastic_transform", "spatter", "saturate"},
    "medium": {"glass_blur", "motion_blur", "frost", "elastic_transform", "spatter", "saturate"},
    "large": {"glass_blur", "snow", "frost", "fog", "elastic_transform", "spatter", "saturate"},
}


@pytest.fixture(scope="module")
def photos():
    return read_sample().splits["test"][0][::20]


def test_the_names_are_those_of_the_benchmark():
    assert len(CORRUPTIONS) == 15
    assert len(EXTRA_CORRUPTIONS) == 4
    assert tuple(CATALOG)[:19] == ALL
    for record in CATALOG.values():
        assert len(record.small) == len(record.medium) == len(record.large) == 5
        assert len({len(row) for row in record.small + record.medium + record.large}) == 1
        assert record.random == (record.name not in FIXED | {"circular_motion_blur"})
    for names, count in ((CORRUPTIONS, (3, 4, 4, 4)), (EXTRA_CORRUPTIONS, (1, 1, 1, 1))):
        categories = [CATALOG[name].category for name in names]
        assert tuple(map(categories.count, ("noise", "blur", "weather", "digital"))) == count


@pytest.mark.parametrize("name", ALL)
def test_shape_dtype_range_and_repetition(photos, name):
    for severity in (1, 5):
        for table in ("small", "medium", "large"):
            first = corrupt(photos[:4], name, severity, table=table)
            assert first.shape == (4, 32, 32, 3)
            assert first.dtype == np.uint8
            assert not np.array_equal(first, photos[:4])
            np.testing.assert_array_equal(first, corrupt(photos[:4], name, severity, table=table))

    floats = corrupt((photos[:4] / 255).astype("float16"), name, 3)
    assert floats.dtype == np.float32
    assert floats.min() >= 0
    assert floats.max() <= 1


@pytest.mark.parametrize("name", ALL)
def test_floats_are_bytes_before_rounding(photos, name):
    whole = corrupt(photos[:4], name, 3)
    floats = corrupt(photos[:4] / 255, name, 3)
    np.testing.assert_array_equal(np.rint(floats * np.float32(255)), whole)


@pytest.mark.parametrize("name", ALL)
def test_an_image_does_not_depend_on_its_batch(photos, name):
    together = corrupt(photos[:7], name, 4, seed=5, start=10)
    parts = [corrupt(photos[:3], name, 4, seed=5, start=10), corrupt(photos[3:7], name, 4, seed=5, start=13)]
    # A matrix product may round otherwise for another batch size: a last bit, never more than one level.
    difference = np.abs(together.astype(int) - np.concatenate(parts))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    alone = corrupt(photos[6], name, 4, seed=5, start=16)
    assert alone.shape == (32, 32, 3)
    assert np.abs(alone.astype(int) - together[6]).max() <= 1


def test_long_batches_are_worked_on_in_parts(photos):
    many = np.concatenate([photos] * 8)
    assert len(many) * many[0].size > 2**18
    for name in ("gaussian_noise", "glass_blur", "spatter"):
        np.testing.assert_array_equal(corrupt(many, name, 2)[-5:], corrupt(many[-5:], name, 2, start=395))


@pytest.mark.parametrize("name", ALL)
def test_seeds_matter_to_random_corruptions_alone(photos, name):
    base = corrupt(photos[:2], name, 3)
    same = np.array_equal(base, corrupt(photos[:2], name, 3, seed=1))
    assert same == (name in FIXED)
    twins = corrupt(photos[[0, 0]], name, 3)
    assert np.array_equal(twins[0], twins[1]) == (name in FIXED)


@pytest.mark.parametrize("table", ["small", "medium", "large"])
@pytest.mark.parametrize("name", ALL)
def test_damage_grows_with_severity(photos, name, table):
    clean = photos / 255
    damage = [
        np.mean((corrupt(photos, name, severity, table=table) / 255 - clean) ** 2)
        for severity in (1, 2, 3, 4, 5)
    ]
    assert min(damage) > 0
    if name not in NOT_MONOTONE[table]:
        assert np.all(np.diff(damage) > 0), damage
    elif name != "elastic_transform":  # its affine part shrinks
        assert damage[4] > damage[0], damage


@pytest.mark.parametrize(
    "shape", [(1, 33, 20, 3), (1, 64, 64, 1), (1, 20, 33, 1), (1, 224, 224, 3), (1, 90, 130, 3)]
)
@pytest.mark.parametrize("name", ALL)
def test_any_size_gray_or_not(rng, name, shape):
    images = rng.integers(0, 256, shape, dtype="uint8")
    result = corrupt(images, name, 5)
    assert result.shape == shape
    if not (name == "saturate" and shape[-1] == 1):
        assert not np.array_equal(result, images)


@settings(max_examples=15, deadline=None)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    channels=st.sampled_from([1, 3]),
    severity=st.integers(1, 5),
    table=st.sampled_from(["small", "medium", "large"]),
    value=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_tiny_and_constant_images(height, width, channels, severity, table, value):
    images = np.full((2, height, width, channels), value, "float32")
    with np.errstate(all="raise", under="ignore"):
        for name in ALL:
            result = corrupt(images, name, severity, table=table)
            assert result.shape == images.shape
            assert np.isfinite(result).all()
            assert result.min() >= 0
            assert result.max() <= 1


@pytest.mark.parametrize(
    ("side", "table"),
    [
        (8, "small"),
        (45, "small"),
        (46, "medium"),
        (64, "medium"),
        (119, "medium"),
        (120, "large"),
        (600, "large"),
    ],
)
def test_the_table_follows_the_shorter_side(side, table):
    jpeg = CATALOG["jpeg_compression"]
    assert jpeg.parameters(2, table="auto", side=side) == jpeg.parameters(2, table=table, side=1)
    assert jpeg.parameters(2, table=table, side=1) == {"small": (65,), "medium": (58,), "large": (18,)}[table]


# The numbers of Tiny ImageNet-C, a line for each corruption and severity after severity.
MEDIUM = """
gaussian_noise .04 .08 .12 .15 .18
shot_noise 250 100 50 30 15
impulse_noise .01 .02 .05 .08 .14
speckle_noise .15 .2 .25 .3 .35
gaussian_blur .5 .75 1 1.25 1.5
contrast .4 .3 .2 .1 .05
brightness .1 .2 .3 .4 .5
pixelate .9 .8 .7 .6 .5
jpeg_compression 65 58 50 40 25
defocus_blur .5,.6 1,.1 1.5,.1 2.5,.01 3,.1
glass_blur .1,1,1 .5,1,1 .6,1,2 .7,2,1 .9,2,2
motion_blur 10,1 10,1.5 10,2 10,2.5 12,3
zoom_blur 1.06,.01 1.11,.01 1.16,.01 1.21,.01 1.26,.01
snow .1,.2,1,.6,8,3,.8 .1,.2,1,.5,10,4,.8 .15,.3,1.75,.55,10,4,.7 .25,.3,2.25,.6,12,6,.65 \
    .3,.3,1.25,.65,14,12,.6
frost 1,.3,.3 .9,.4,.3 .8,.45,.3 .75,.5,.3 .7,.55,.3
fog .4,3 .7,3 1,2.5 1.5,2 2,1.75
elastic_transform 0,0,.08 .05,.3,.06 .1,.08,.06 .1,.03,.03 .16,.03,.02
spatter .62,.1,.7,.7,.6,0 .65,.1,.8,.7,.6,0 .65,.3,1,.69,.6,0 .65,.1,.7,.68,.6,1 .65,.1,.5,.67,.6,1
saturate .3,0 .1,0 2,0 5,.1 30,.2
"""


def test_the_medium_table_is_that_of_tiny_imagenet_c():
    lines = [line.split() for line in MEDIUM.strip().splitlines()]
    assert {name for name, *_ in lines} == set(ALL)
    for name, *rows in lines:
        assert CATALOG[name].medium == tuple(tuple(map(float, row.split(","))) for row in rows), name


def test_the_input_and_the_global_generator_are_left_alone(photos):
    images = (photos[:2] / 255).astype("float32")
    kept, state = images.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    for name in ALL:
        corrupt(images, name, 5)
    np.testing.assert_array_equal(images, kept)
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002


IMAGES = np.full((2, 8, 8, 3), 0.5)


def broken(value):
    images = IMAGES.copy()
    images[1, 2, 3, 0] = value
    return images


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: corrupt(IMAGES, "fogg", 1), ValueError, "did you mean 'fog'.*name='fogg'"),
        (lambda: corrupt(IMAGES, "zzz", 1), ValueError, "allowed are gaussian_noise.*name='zzz'"),
        (lambda: corrupt(IMAGES, ["fog"], 1), ValueError, "known corruption.*name="),
        (lambda: corrupt(IMAGES, "fog", 0), ValueError, "from 1 to 5.*severity=0"),
        (lambda: corrupt(IMAGES, "fog", 6), ValueError, "severity=6"),
        (lambda: corrupt(IMAGES, "fog", 2.0), ValueError, "severity=2.0"),
        (lambda: corrupt(IMAGES, "fog", True), ValueError, "severity=True"),
        (lambda: corrupt(IMAGES, "fog", 1, seed=-1), ValueError, "`seed`.*seed=-1"),
        (lambda: corrupt(IMAGES, "fog", 1, start=1.5), ValueError, "`start`.*start=1.5"),
        (
            lambda: corrupt(IMAGES, "fog", 1, table="tiny"),
            ValueError,
            "'small', 'medium', 'large'.*table='tiny'",
        ),
        (lambda: corrupt(IMAGES, "fog", 1, jpeg=96), ValueError, "`jpeg`.*from 0 to 95.*jpeg=96"),
        (lambda: corrupt(IMAGES, "fog", 1, jpeg=False), ValueError, "jpeg=False"),
        (lambda: corrupt(IMAGES[0, 0], "fog", 1), ValueError, r"\(batch, height.*\(8, 3\)"),
        (lambda: corrupt(IMAGES[..., :2], "fog", 1), ValueError, r"1 or 3 channels.*\(2, 8, 8, 2\)"),
        (lambda: corrupt(IMAGES[:0], "fog", 1), ValueError, r"empty.*\(0, 8, 8, 3\)"),
        (lambda: corrupt(300 + IMAGES.astype(int), "fog", 1), ValueError, "0 to 255.*dtype int64"),
        (lambda: corrupt("cat.png", "fog", 1), ValueError, "uint8.*dtype"),
        (lambda: corrupt([IMAGES, IMAGES[0]], "fog", 1), TypeError, "one array.*list"),
        (lambda: corrupt(broken(np.nan), "fog", 1), ValueError, "finite.*NaN"),
        (lambda: corrupt(broken(np.inf), "fog", 1), ValueError, "finite"),
        (lambda: corrupt(broken(-0.1), "fog", 1), ValueError, r"\[0, 1\].*from -0.1 to 0.5"),
        (lambda: corrupt(broken(255.0), "fog", 1), ValueError, r"pass bytes as uint8.*to 255"),
    ],
)
def test_bad_input_gives_one_line(call, error, message):
    with refused(match=message, error=error):
        call()
