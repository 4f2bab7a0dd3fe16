"""The corruptions of C-bar against their definitions, pixel by pixel in float64 or with SciPy."""

import math

import numpy as np
import pytest

import keras_freq as kf
from keras_freq.data import CIFAR10_BAR_CORRUPTIONS, IMAGENET_BAR_CORRUPTIONS, corrupt
from keras_freq.data._corruptions import bar_clouds, bar_noise, bar_overlays, bar_warps, draws
from keras_freq.data._corruptions.apply import truncate_bytes
from keras_freq.data._corruptions.catalog import CATALOG, CORRUPTIONS
from keras_freq.data._npz import read_sample

pytestmark = pytest.mark.once
ndimage = pytest.importorskip("scipy.ndimage")

ALL = tuple(dict.fromkeys(CIFAR10_BAR_CORRUPTIONS + IMAGENET_BAR_CORRUPTIONS))
# The published numbers: CIFAR-10-C-bar, then ImageNet-C-bar.
TABLES = """
blue_noise_sample | .7 1.4 2.1 3.5 4.2 | .8 1.6 2.4 4 5.6
brownish_noise | 2.5 4 5.5 6.5 7 | 1 2 3 4 5
checkerboard_cutout | 1 2 3 4 5 | 2 3 4 5 6
inverse_sparkles | 1 1.5 2.5 4.5 5 | 1 2 4 9 10
sparkles | .7 3.5 5.6 6.3 7 | 1 2 3 5 6
pinch_and_twirl | 5.5 6 6.5 8.5 10 | -
ripple | 5.5 6 6.5 7.5 8 | -
circular_motion_blur | 2.8 3.6 4.4 5.2 6 | -
lines | .5 1 1.5 2 2.5 | -
transverse_chromatic_abberation | 1 2 5 9 10 | -
caustic_refraction | - | 2.35 3.2 4.9 6.6 9.15
perlin_noise | - | 4.6 5.2 5.8 7.6 8.8
plasma_noise | - | 4.75 7 8.5 9.25 10
cocentric_sine_waves | - | 3 5 8 9 10
single_frequency_greyscale | - | 1 1.5 2 4.5 5
"""


@pytest.fixture(scope="module")
def photos():
    return read_sample().splits["test"][0][::20]


def test_the_tables_are_the_published_ones():
    rows = [[part.strip() for part in line.split("|")] for line in TABLES.strip().splitlines()]
    assert {name for name, *_ in rows} == set(ALL)
    assert tuple(name for name, cifar10, _ in rows if cifar10 != "-") == CIFAR10_BAR_CORRUPTIONS
    assert {name for name, _, imagenet in rows if imagenet != "-"} == set(IMAGENET_BAR_CORRUPTIONS)
    assert not set(ALL) & set(CORRUPTIONS)
    for name, cifar10, imagenet in rows:
        small, large = (
            tuple((float(number),) for number in (one if one != "-" else other).split())
            for one, other in ((cifar10, imagenet), (imagenet, cifar10))
        )
        assert (CATALOG[name].small, CATALOG[name].medium, CATALOG[name].large) == (small, small, large)


@pytest.mark.parametrize("name", ALL)
def test_seeds_batches_dtypes_and_damage(photos, name):
    few = photos[:6]
    whole = corrupt(few, name, 4, seed=5, start=10)
    assert (whole.shape, whole.dtype) == (few.shape, np.uint8)
    np.testing.assert_array_equal(whole, corrupt(few, name, 4, seed=5, start=10))
    alone = corrupt(few[4], name, 4, seed=5, start=14)
    assert np.abs(alone.astype(int) - whole[4]).max() <= 1
    assert np.array_equal(whole, corrupt(few, name, 4, seed=6, start=10)) == (name == "circular_motion_blur")
    floats = corrupt(few / 255, name, 4, seed=5, start=10)
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(np.floor(floats * np.float32(255) + np.float32(1e-3)), whole)
    # What a ripple brings in from outside is black however far it moves: the border hides how far.
    inner = np.s_[:, 1:-1, 1:-1] if name == "ripple" else np.s_[:]
    for table in ("small", "large"):
        first, last = (
            np.mean(((corrupt(photos, name, severity, table=table, jpeg=0) / 255 - photos / 255) ** 2)[inner])
            for severity in (1, 5)
        )
        assert 0 < first < last


@pytest.mark.parametrize("name", ALL)
def test_any_size_gray_or_not(rng, name):
    for shape in ((1, 33, 20, 3), (1, 20, 33, 1), (1, 120, 121, 1), (2, 1, 1, 3), (1, 7, 2, 1)):
        images = rng.random(shape, dtype="float32")
        with np.errstate(all="raise", under="ignore"):
            result = corrupt(images, name, 5)
        assert result.shape == shape
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1


def test_bytes_are_truncated_and_whole_numbers_stay():
    levels = np.arange(256, dtype="float32")
    np.testing.assert_array_equal(truncate_bytes(levels / 255), np.arange(256))
    np.testing.assert_array_equal(truncate_bytes((levels[:-1] + np.float32(0.9)) / 255), np.arange(255))


def run(function, images, *values):
    """Ours on planes, and a generator like the one it drew from."""
    planes = np.ascontiguousarray((images / 255).astype("float32").transpose(0, 3, 1, 2))
    rngs = [np.random.default_rng(7 + place) for place in range(len(images))]
    again = [np.random.default_rng(7 + place) for place in range(len(images))]
    return planes.astype("float64"), function(planes, rngs, *values), again


def test_spectral_noise_is_a_sum_of_waves():
    side = 8
    (noise,) = bar_noise.spectral_noise(
        [np.random.default_rng(3)], 1, (side, side), lambda r: 1 / (r * r + 1)
    )
    phases = draws.uniform([np.random.default_rng(3)], 0, 2 * np.pi, (1, side, side // 2))[0, 0]
    phases = np.concatenate([phases, phases[::-1, ::-1]], axis=1)
    expected = np.zeros((side, side))
    for y, x in np.ndindex(side, side):
        for row, column in np.ndindex(side, side):
            down, across = row - side / 2, column - side / 2
            turn = 2 * np.pi * (down * y + across * x) / side + phases[row, column]
            expected[y, x] += math.cos(turn) / (down**2 + across**2 + 1)
    np.testing.assert_allclose(noise[0], expected / expected.std(), atol=1e-5)


def test_noise_blackens_or_adds(photos):
    planes, black, _ = run(bar_noise.blue_noise_sample, photos[:2], 4.2)
    kept = (black == planes.astype("float32")).all(axis=1)
    assert (black[~np.repeat(kept[:, None], 3, 1)].reshape(-1) == 0).mean() > 0.99
    assert 0.05 < 1 - kept.mean() < 0.2  # a normal number is below .3 * 4.2 - 2.5 = -1.24 in 11 % of cases
    planes, brown, _ = run(bar_noise.brownish_noise, photos[:2], 5)
    np.testing.assert_allclose((brown - planes).std(axis=(2, 3)), 6.4 * 5 / 255, rtol=1e-4)


def test_waves_and_rings(photos):
    planes, ours, (rng,) = run(bar_noise.single_frequency_greyscale, photos[:1], 4.5)
    first = rng.uniform(-np.pi, np.pi)
    pair = (first, rng.uniform(-abs(first), abs(first)))
    if rng.random() >= 0.5:
        pair = pair[::-1]
    phase = rng.uniform(0, 2 * np.pi)
    for y, x in np.ndindex(32, 32):
        wave = 19.6 * 4.5 / 255 * math.sin(pair[0] * y + pair[1] * x + phase)
        np.testing.assert_allclose(ours[0, :, y, x], planes[0, :, y, x] + wave, atol=1e-5)

    planes, ours, (rng,) = run(bar_noise.cocentric_sine_waves, photos[:1], 9)
    top, left, frequency, swing = (
        rng.uniform(0, 32),
        rng.uniform(0, 32),
        rng.uniform(0, 10),
        rng.uniform(0, 3.2),
    )
    ring = 3.2 - rng.uniform(0, 3.2)
    for y, x in np.ndindex(32, 32):
        turn = frequency * math.atan2(x - left, y - top)
        tooth = (math.hypot(y - top, x - left) + swing * math.sin(turn)) / ring % 1 - 0.5
        expected = planes[0, :, y, x] + 12.8 * 9 / 255 * tooth
        np.testing.assert_allclose(ours[0, :, y, x], expected, atol=1e-5)


def test_plasma_and_perlin_noise(photos):
    planes, ours, (rng,) = run(bar_clouds.plasma_noise, photos[:1], 8.5)
    time, rounds, rough = rng.uniform(0, 6 * np.pi), int(rng.integers(4, 7)), rng.uniform(0.5, 1)
    scale, weight = 32 * rng.uniform(0.075, 0.2), 6.4 * 8.5 / 255
    for row, column in np.ndindex(32, 32):
        x, y, a, b, c = column / scale, row / scale, 1, 1, 1
        for _ in range(rounds):
            r0, r1 = math.cos(y * a + time / b) / c, math.sin(x * a + time / b) / c
            r0, r1 = r0 - 0.3 * r1, r1 + 0.3 * r0
            x, y, a, b, c = x + r0, y + r1, a * 1.93, b * 1.15, c * (2.25 - rough)
        noise = [math.sin(x - time), math.sin((x + y + math.sin(time)) / 2), math.sin(y + time)]
        expected = (1 - weight) * planes[0, :, row, column] + weight * np.array(noise)
        np.testing.assert_allclose(ours[0, :, row, column], expected, atol=1e-5)

    planes, ours, (rng,) = run(bar_clouds.perlin_noise, photos[:1], 8)
    order, gradients = rng.permutation(256), rng.uniform(-1, 1, (256, 2))
    for row, column in np.ndindex(32, 32):
        total = 0
        for octave in (1, 2, 4, 8, 16):
            y, x = row * 7 / 32 * octave, column * 7 / 32 * octave
            corner = {}
            for i, j in np.ndindex(2, 2):
                g = gradients[order[(order[(int(y) + i) % 256] + int(x) + j) % 256]]
                corner[i, j] = (g[0] * (y % 1 - i) + g[1] * (x % 1 - j)) / math.hypot(*g)
            v, u = (3 * t**2 - 2 * t**3 for t in (y % 1, x % 1))
            upper = corner[0, 0] + u * (corner[0, 1] - corner[0, 0])
            lower = corner[1, 0] + u * (corner[1, 1] - corner[1, 0])
            total += abs(1.5 * (upper + v * (lower - upper))) / octave
        expected = 0.6 * planes[0, :, row, column] + 0.4 * min(0.5 + 0.5 * total, 1)
        np.testing.assert_allclose(ours[0, :, row, column], expected, atol=1e-5)


def star(y, x, center, lengths, power):
    down, across = y - center[0], x - center[1]
    turn = (math.atan2(across, down) + math.pi) / (2 * math.pi) * len(lengths)
    ray, share = int(turn), turn % 1
    length = (1 - share) * lengths[ray % len(lengths)] + share * lengths[(ray + 1) % len(lengths)]
    light = (length**2 / (down**2 + across**2 + 1e-4)) ** power
    return min(max((1 - (share - 0.5) ** 2) * light, 0), 1)


def test_sparkles(photos):
    planes, ours, (rng,) = run(bar_overlays.sparkles, photos[:1], 7)
    expected, radius = planes[0].copy(), 0.07 * 32
    for _ in range(5):
        center = rng.uniform(0, 32), rng.uniform(0, 32)
        lengths = [max(1, radius + radius / 4 * n) for n in rng.standard_normal(rng.integers(50, 200))]
        for y, x in np.ndindex(32, 32):
            expected[:, y, x] += star(y, x, center, lengths, 1) * (1 - expected[:, y, x])
    np.testing.assert_allclose(ours[0], expected, atol=1e-5)

    planes, ours, (rng,) = run(bar_overlays.inverse_sparkles, photos[:1], 5)
    center = 32 * rng.uniform(0.25, 0.75), 32 * rng.uniform(0.25, 0.75)
    lengths = 8 + 2 * rng.standard_normal(rng.integers(50, 200))
    for y, x in np.ndindex(32, 32):
        expected = 1 + star(y, x, center, lengths, 0.65) * (planes[0, :, y, x] - 1)
        np.testing.assert_allclose(ours[0, :, y, x], expected, atol=1e-5)


def test_checkerboard_and_lines(photos):
    planes, ours, (rng,) = run(bar_overlays.checkerboard_cutout, photos[:1], 5)
    angle, cell = rng.uniform(0, 2 * np.pi), 32 * rng.uniform(0.1, 0.25)
    table = rng.random((int(128 // cell),) * 2) < 0.5
    for y, x in np.ndindex(32, 32):
        u = (y * math.cos(angle) + x * math.sin(angle)) / cell
        v = (x * math.cos(angle) - y * math.sin(angle)) / cell
        gray = int(u % 2) == int(v % 2) and table[int(u), int(v)]
        np.testing.assert_allclose(ours[0, :, y, x], 128 / 255 if gray else planes[0, :, y, x], atol=1e-6)

    planes, ours, (rng,) = run(bar_overlays.lines, photos[:1], 2.5)
    expected, common, variety = planes[0].copy(), rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 1)
    for _ in range(8):
        top, left = rng.uniform(0, 32), rng.uniform(0, 32)
        turn = common + 2 * np.pi * variety * (rng.random() - 0.5)
        a = [int(top - 32 * math.cos(turn)), int(left - 32 * math.sin(turn))]
        b = [int(top + 32 * math.cos(turn)), int(left + 32 * math.sin(turn))]
        longer = 0 if abs(b[0] - a[0]) >= abs(b[1] - a[1]) else 1
        for y, x in np.ndindex(32, 32):
            if min(a[longer], b[longer]) <= (y, x)[longer] <= max(a[longer], b[longer]):
                area = (x - a[1]) * (b[0] - a[0]) - (y - a[0]) * (b[1] - a[1])
                coverage = max(0, 1 - abs(area) / math.dist(a, b))
                expected[:, y, x] += coverage * (128 / 255 - expected[:, y, x])
    np.testing.assert_allclose(ours[0], expected, atol=1e-5)


def read(planes, y, x):
    """Bilinearly, 0 outside."""
    if not (0 <= y <= 31 and 0 <= x <= 31):
        return np.zeros(3)
    top, left = min(int(y), 30), min(int(x), 30)
    v, u = y - top, x - left
    upper = (1 - u) * planes[:, top, left] + u * planes[:, top, left + 1]
    return (1 - v) * upper + v * ((1 - u) * planes[:, top + 1, left] + u * planes[:, top + 1, left + 1])


def test_pinch_and_ripple(photos):
    planes, ours, (rng,) = run(bar_warps.pinch_and_twirl, photos[:1], 8.5)
    signs = np.where(rng.random((3, 3)) < 0.5, -1, 1)
    for y, x in np.ndindex(32, 32):
        expected = planes[0, :, y, x]
        if max(y, x) < 30:
            center = np.array([y // 10 * 10 + 5, x // 10 * 10 + 5])
            offset = np.array([y, x]) - center
            d = math.hypot(*offset) / 5
            if 0 < d <= 1:
                turn = signs[y // 10, x // 10] * 8.5 * math.pi / 20 * (1 - d) ** 2
                rotation = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
                place = center + rotation @ offset * math.sin(math.pi * d / 2) ** -0.44
                expected = read(planes[0], *place)
        np.testing.assert_allclose(ours[0, :, y, x], expected, atol=1e-5)

    planes, ours, (rng,) = run(bar_warps.ripple, photos[:1], 8)
    lengths, phases = 32 * rng.uniform(0.1, 0.3, 2), rng.uniform(0, 2 * np.pi, 2)
    for y, x in np.ndindex(32, 32):
        down, across = (
            0.64 * math.sin(2 * math.pi * place / length + phase)
            for place, length, phase in zip((y, x), lengths, phases, strict=True)
        )
        np.testing.assert_allclose(ours[0, :, y, x], read(planes[0], y + down, x + across), atol=1e-5)


def test_caustic_refraction(photos):
    planes, ours, (rng,) = run(bar_warps.caustic_refraction, photos[:1], 9.15)
    time, size = rng.uniform(0.5, 2), 32 * rng.uniform(0.75, 1.25)
    light = np.zeros((32, 32))
    for y, x in np.ndindex(32, 32):
        p = [(place / size) % 1 * 2 * math.pi - 250 for place in (y, x)]
        i, c = list(p), 1
        for k in range(1, 6):
            t = time * (1 - 3.5 / k)
            i = [
                p[0] + math.cos(t - i[0]) + math.sin(t + i[1]),
                p[1] + math.sin(t - i[1]) + math.cos(t + i[0]),
            ]
            c += 1 / math.hypot(0.005 * p[0] / math.sin(i[0] + t), 0.005 * p[1] / math.cos(i[1] + t))
        light[y, x] = min(abs(1.17 - (c / 5) ** 1.4) ** 8, 1)
    light = np.pad(ndimage.gaussian_filter(light, 1, mode="nearest"), 1)
    for y, x in np.ndindex(32, 32):
        a, b = light[y + 2, x + 1] - light[y, x + 1], light[y + 1, x + 2] - light[y + 1, x]
        angle = math.acos(1 / math.sqrt(a * a + b * b + 1))
        shift = 0
        if math.cos(angle) < 0.999:
            shift = 0.05 * 9.15 * 32 * math.sin(angle - math.asin(math.sin(angle) / 4)) / math.hypot(a, b)
        expected = read(planes[0], y + shift * a, x + shift * b) + 0.2 * 9.15 * (a - b)
        np.testing.assert_allclose(ours[0, :, y, x], expected, atol=1e-3)


def test_circular_motion_is_the_mean_of_scipys_rotations(photos):
    images = photos[:2] / 255
    u = np.linspace(-1, 1, 21)
    weights = np.exp(-2 * u**2)
    turned = [ndimage.rotate(images, 1.5 * 6 * one, axes=(1, 2), reshape=False) for one in u]
    expected = np.clip(np.tensordot(weights / weights.sum(), turned, 1), 0, 1)
    np.testing.assert_allclose(corrupt(images, "circular_motion_blur", 5), expected, atol=1e-4)


def test_chromatic_aberration_is_scipys_zoom(photos):
    images = photos[:2] / 255
    ours = corrupt(images, "transverse_chromatic_abberation", 4)
    rngs = draws.seed_generators("transverse_chromatic_abberation", 4, seed=0, places=range(2))
    for image, result, rng in zip(images, ours, rngs, strict=True):
        for channel, number in enumerate(rng.permutation(3)):
            large = ndimage.zoom(image[..., channel], 1 + 0.025 * 9 * number, prefilter=False)
            first = (len(large) - 32) // 2
            middle = large[first : first + 32, first : first + 32]
            np.testing.assert_allclose(result[..., channel], middle, atol=1e-5)


def test_written_read_and_measured(photos, tmp_path):
    names = ("sparkles", "lines")
    labels = np.arange(len(photos)) % 3
    kf.data.write_corrupted(photos, labels, tmp_path, corruptions=names, severities=(1, 5), progress=False)
    images, found = kf.data.read_corrupted(tmp_path, "lines", 5)
    np.testing.assert_array_equal(images, corrupt(photos, "lines", 5))
    np.testing.assert_array_equal(found, labels)

    import keras

    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
    options = {"corruptions": CIFAR10_BAR_CORRUPTIONS, "severities": (1, 5), "progress": False}
    result = kf.evaluate.corruption_error(model, (photos, labels), **options)
    assert result.corruptions == CIFAR10_BAR_CORRUPTIONS
    assert np.shape(result.errors) == (10, 2)
    stored = kf.evaluate.corruption_error(
        model, tmp_path, corruptions=names, severities=(1, 5), progress=False
    )
    assert stored.errors == tuple(result.errors[CIFAR10_BAR_CORRUPTIONS.index(name)] for name in names)
