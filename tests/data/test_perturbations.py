"""Perturbation sequences against closed forms, Pillow and SciPy, in float64."""

import numpy as np
import pytest

from keras_freq.data import EXTRA_PERTURBATIONS, PERTURBATIONS, perturb
from keras_freq.data._npz import read_sample
from keras_freq.data._perturbations import sequences, warps
from keras_freq.data._perturbations.catalog import CATALOG, choose_size
from tests.refusals import refused

pytestmark = pytest.mark.once
pytest.importorskip("scipy")

ALL = PERTURBATIONS + EXTRA_PERTURBATIONS
NOISES = ("gaussian_noise", "shot_noise", "speckle_noise")
DRAWN = {*NOISES, "snow", "spatter"}
# The frame that is the clean picture, at 32, 64 and 224 pixels.
CLEAN = {
    **dict.fromkeys((*NOISES, "zoom_blur"), (0, 0, 0)),
    **dict.fromkeys(("brightness", "rotate", "shear"), (15, 15, 15)),
    "translate": (7, 15, 20),
    "scale": (15, 24, 24),
}


@pytest.fixture(scope="module")
def photos():
    return np.ascontiguousarray(read_sample().splits["test"][0][::250])


def test_the_names_are_those_of_the_benchmark():
    assert len(PERTURBATIONS) == 10
    assert len(EXTRA_PERTURBATIONS) == 4
    assert {name for name, record in CATALOG.items() if record.noisy} == set(NOISES)
    frames = {
        size: [CATALOG[name].frames(size) for name in PERTURBATIONS if name != "motion_blur"]
        for size in (32, 64, 224)
    }
    assert frames == {32: [31] * 5 + [16] + [31] * 3, 64: [31] * 9, 224: [31] * 5 + [41] + [31] * 3}
    assert [CATALOG["motion_blur"].frames(size) for size in (32, 224)] == [21, 31]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("size", [32, 64, 224])
def test_frames_follow_from_the_seed_and_the_place_alone(photos, name, size):
    if size not in CATALOG[name].tables:
        pytest.skip("no numbers")
    frames = perturb(photos, name, size=size, seed=3)
    assert frames.shape == (len(photos), CATALOG[name].frames(size), 32, 32, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(perturb(photos[2:3], name, size=size, seed=3, start=2), frames[2:3])
    np.testing.assert_array_equal(perturb(photos[0], name, size=size, seed=3), frames[0])
    np.testing.assert_array_equal(perturb(photos[:1] / 255, name, size=size, seed=3), frames[:1])
    assert np.array_equal(perturb(photos, name, size=size, seed=4), frames) == (name not in DRAWN)
    harder = perturb(photos, name, size=size, seed=3, difficulty=3)
    assert np.array_equal(harder, frames) == (name not in NOISES)
    changes = np.abs(np.diff(frames.astype(int), axis=1)).mean(axis=(0, 2, 3, 4))
    # The numbers of ImageNet-P are for larger pictures: two trails may fall on the same whole pixels, and
    # water run out of the picture.
    assert (changes > 0).all() or (size == 224 and changes.any())


@pytest.mark.parametrize("name", CLEAN)
def test_one_frame_is_the_clean_picture(photos, name):
    for size, frame in zip((32, 64, 224), CLEAN[name], strict=True):
        frames = perturb(photos, name, size=size)
        np.testing.assert_array_equal(frames[:, frame], photos)
        others = np.delete(frames, frame, axis=1)
        assert (others != photos[:, None]).any(axis=(2, 3, 4)).all()


def test_gray_images_keep_their_channel(photos):
    for name in ALL:
        frames = perturb(photos[:1, ..., :1], name)
        assert frames.shape[2:] == (32, 32, 1)


def test_noise_has_the_published_strength():
    gray = np.full((4, 32, 32, 3), 128, "uint8")
    light = 128 / 255
    for difficulty, sigma, photons, relative in (
        (1, 0.02, 700, 0.05),
        (2, 0.04, 400, 0.07),
        (3, 0.06, 200, 0.1),
    ):
        spreads = (sigma, np.sqrt(light / photons), light * relative)
        for name, spread in zip(NOISES, spreads, strict=True):
            frames = perturb(gray, name, difficulty=difficulty)[:, 1:] / 255
            assert frames.std() == pytest.approx(spread, rel=0.02)
            # Truncated: half a level darker on average.
            assert frames.mean() == pytest.approx(light - 0.5 / 255, abs=3e-4)
            first, second = frames[:, 0].ravel(), frames[:, 1].ravel()
            assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_brightness_moves_the_value(photos):
    x = photos / 255
    value = x.max(axis=-1, keepdims=True)
    for frame, dv in ((0, -0.225), (14, -0.015), (30, 0.225)):
        raised = np.clip(value + dv, 0, 1)
        expected = np.where(value > 0, x * raised / np.maximum(value, 1e-9), raised)
        found = perturb(photos, "brightness")[:, frame]
        assert np.abs(found - np.floor(expected * 255 + 1e-3)).max() <= 1
        assert (found == np.floor(expected * 255 + 1e-3)).mean() > 0.999


def test_translate_moves_to_the_right(photos):
    frames = perturb(photos, "translate")
    np.testing.assert_array_equal(frames[:, 15, :, 8:], photos[:, :, :-8])
    np.testing.assert_array_equal(frames[:, 0, :, :-7], photos[:, :, 7:])
    assert not frames[:, 15, :, :8].any()
    assert not frames[:, 0, :, -7:].any()


def by_pillow(picture, inverse):
    from PIL import Image

    height, width = picture.shape[:2]
    center = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    matrix = center @ inverse @ np.linalg.inv(center)
    return np.asarray(
        Image.fromarray(picture).transform(
            (width, height), Image.Transform.AFFINE, tuple(matrix[:2].ravel()), Image.Resampling.BILINEAR
        )
    )


def matrices(frame):
    angle = np.deg2rad(frame - 15)
    cosine, sine, factor = np.cos(angle), np.sin(angle), 0.7 + 0.02 * frame
    return {
        "rotate": np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]]),
        "scale": np.diag([1 / factor, 1 / factor, 1]),
        "shear": np.array([[1, np.tan(angle), 0], [0, 1, 0], [0, 0, 1]]),
    }


@pytest.mark.parametrize("name", ["rotate", "scale", "shear"])
def test_geometry_is_that_of_pillow(photos, name):
    pytest.importorskip("PIL")
    photos = np.ascontiguousarray(photos[:2, :28])  # not square
    frames = perturb(photos, name, size=32)
    for frame in (0, 10, 22, 30):
        for found, picture in zip(frames[:, frame], photos, strict=True):
            difference = found.astype(int) - by_pillow(picture, matrices(frame)[name])
            assert np.abs(difference).max() <= 1
            assert (difference != 0).mean() < 0.02


def test_zoom_blur_is_the_mean_of_enlargements(photos):
    pytest.importorskip("PIL")
    total = np.zeros(photos[0].shape)
    for frame, found in enumerate(perturb(photos[0], "zoom_blur")):
        factor = 1 + 0.004 * frame
        total += by_pillow(photos[0], np.diag([1 / factor, 1 / factor, 1]))
        assert np.abs(found - np.floor(total / (frame + 1))).max() <= 1


def test_tilt_is_a_plane_seen_from_its_diagonal_away():
    """Every place of the frame is followed back by a ray to the turned plane."""
    height, width, degrees = 24, 32, 11.25
    diagonal, angle = np.hypot(height, width), np.deg2rad(degrees)
    inverse = warps.tilting(degrees, height, width)
    for x, y in ((-3.0, 5.0), (10.0, -8.0), (0.0, 0.0)):
        # About the vertical axis, then about the horizontal one, then away.
        a, b, c = np.cos(angle) * x - np.sin(angle), y, np.sin(angle) * x + np.cos(angle)
        b, c = np.cos(angle) * b - np.sin(angle) * c, np.sin(angle) * b + np.cos(angle) * c + diagonal
        back = inverse @ [diagonal * a / c, diagonal * b / c, 1]
        np.testing.assert_allclose(back[:2] / back[2], (x, y), atol=1e-9)
    flat = warps.tilting(0, height, width)
    np.testing.assert_allclose(
        flat / flat[2, 2], np.diag([1 + 1 / diagonal, 1 + 1 / diagonal, 1]), atol=1e-12
    )


def test_tilt_undoes_itself_at_the_opposite_angle(photos):
    frames = perturb(photos, "tilt", size=64)
    turned = perturb(np.ascontiguousarray(photos[:, ::-1, ::-1]), "tilt", size=64)
    np.testing.assert_allclose(frames[:, 30].astype(int), turned[:, 0, ::-1, ::-1], atol=1)


def test_gaussian_blur_widens(photos):
    from scipy.ndimage import gaussian_filter

    frames = perturb(photos[0], "gaussian_blur")
    for frame in (0, 12, 30):
        sigma = 0.3 + 0.015 * frame
        expected = gaussian_filter(photos[0] / 255, (sigma, sigma, 0), truncate=7, mode="nearest")
        assert np.abs(frames[frame] - np.floor(expected * 255 + 1e-3)).max() <= 1


def test_motion_blur_turns_half_around():
    dot = np.zeros((33, 33, 3), "uint8")
    dot[16, 16] = 255
    frames = perturb(dot, "motion_blur").astype(int)[..., 0]
    # A trail at -180 degrees, at -90 and at 0.
    assert frames[0][16].sum() == frames[0].sum() > 0
    assert frames[10][:, 16].sum() == frames[10].sum() > 0
    np.testing.assert_array_equal(frames[0], frames[20][::-1, ::-1])
    np.testing.assert_array_equal(frames[10].T, frames[0])
    weights = np.exp(-0.5 * (np.arange(13) / 1.8) ** 2)
    np.testing.assert_allclose(frames[20].max(), 255 * weights[0] / weights.sum(), atol=1)


def test_snow_keeps_its_flakes(photos):
    black = np.zeros((1, 32, 32, 3), "uint8")
    frames = perturb(black, "snow")[0].astype(int)
    # The ground of black is 0.15 * 0.5, and a frame is the same upside down.
    assert frames.min() == int(255 * 0.075)
    np.testing.assert_array_equal(frames, frames[:, ::-1, ::-1])
    light = frames.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(light, light[0], rtol=0.05)
    assert (frames[0] != frames[15]).any()


@pytest.mark.parametrize("size", [32, 224])
def test_water_runs_down(size):
    """The convolution of every column, frame after frame, against NumPy's."""
    from scipy.ndimage import gaussian_filter

    flow = CATALOG["spatter"].tables[size][-1]
    seen = []
    planes, rngs = np.zeros((1, 3, 96, 32), "float32"), [np.random.default_rng(0)]
    shade = sequences.spatter.shade_drops
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences.spatter, "shade_drops", lambda layer: seen.append(layer) or shade(layer))
        frames = list(sequences.water(planes, rngs, 6, *CATALOG["spatter"].tables[size][1:]))
    threshold = CATALOG["spatter"].tables[size][4]
    noise = np.random.default_rng(0).standard_normal((96, 32), dtype="float32")
    mean, deviation, smoothing = CATALOG["spatter"].tables[size][1:4]
    liquid = gaussian_filter(mean + deviation * noise.astype("float64"), smoothing, mode="nearest")
    liquid[liquid < threshold] = 0
    for layer in seen:
        # A pixel at the threshold may fall on either side of it.
        assert np.mean(np.abs(layer[0, 0] - liquid) > 1e-4) < 0.02
        liquid = np.apply_along_axis(np.convolve, 0, liquid, flow, mode="same")
    assert frames[0].max() == pytest.approx(0.6 * 238 / 255, rel=1e-5)


def test_auto_takes_the_nearest_size():
    sizes = {28: 32, 32: 32, 45: 32, 46: 64, 64: 64, 119: 64, 120: 224, 256: 224}
    assert {side: choose_size("auto", side, ()) for side in sizes} == sizes


def test_wrong_requests_are_one_line(photos):
    for options, message in (
        ({"name": "fog"}, "`name` must be one of 'gaussian_noise'"),
        ({"name": "tilt", "difficulty": 4}, "`difficulty` must be a whole number from 1 to 3"),
        ({"name": "tilt", "size": 48}, "`size` must be 'auto', 32, 64 or 224"),
        (
            {"name": "motion_blur", "size": 64},
            "has no numbers for 64 pixels: the published ones blurred the pictures before they were resized",
        ),
        ({"name": "tilt", "seed": -1}, "`seed` must be a whole number"),
        ({"name": "tilt", "start": -1}, "`start` must be a whole number"),
    ):
        with refused(message):
            perturb(photos, **options)
