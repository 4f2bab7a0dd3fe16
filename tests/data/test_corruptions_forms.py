"""The corruptions against closed forms, Pillow, SciPy, and one image at a time in float64."""

import numpy as np
import pytest

from keras_freq.data import corrupt
from keras_freq.data._corruptions import draws, filters, frost, glass, spatter, weather
from keras_freq.data._corruptions.catalog import CATALOG
from keras_freq.data._npz import read_sample
from tests.refusals import refused

pytestmark = pytest.mark.once
pytest.importorskip("scipy")
pytest.importorskip("PIL")
oracles = pytest.importorskip("tests.oracles.corruptions")

DRAWN = ("glass_blur", "motion_blur", "elastic_transform", "snow", "fog")
PLAIN = (
    "defocus_blur",
    "zoom_blur",
    "gaussian_blur",
    "brightness",
    "saturate",
    "contrast",
    "pixelate",
    "jpeg_compression",
)


@pytest.fixture(scope="module")
def photos():
    return read_sample().splits["test"][0][:3]


def one_at_a_time(images, name, severity, table):
    values = CATALOG[name].parameters(severity, table=table, side=32)
    generators = draws.seed_generators(name, severity, seed=0, places=range(len(images)))
    results = []
    for image, rng in zip(images.astype("float64"), generators, strict=True):
        arguments = (rng, *values) if name in DRAWN else values
        results.append(np.clip(getattr(oracles, name)(image, *arguments), 0, 1))
    return np.array(results)


@pytest.mark.parametrize("severity", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("table", ["small", "medium", "large"])
@pytest.mark.parametrize("name", DRAWN + PLAIN)
def test_equals_one_at_a_time(photos, name, table, severity):
    images = (photos / 255).astype("float32")
    ours = corrupt(images, name, severity, table=table, jpeg=0)
    theirs = one_at_a_time(images, name, severity, table)
    # The tail of a trail that is left out moves no byte by more than a third; Pillow rounds after each pass.
    allowed = {"motion_blur": 1e-3, "snow": 1e-3, "pixelate": 1.01 / 255, "elastic_transform": 1e-3}
    assert np.abs(ours - theirs).max() < allowed.get(name, 2e-5)


@pytest.mark.parametrize("name", ["glass_blur", "elastic_transform", "motion_blur"])
def test_equals_one_at_a_time_at_other_sizes(rng, name):
    sizes = {(2, 21, 34, 3): ("small", "large"), (1, 64, 64, 3): ("medium",), (1, 224, 224, 3): ("large",)}
    for size, tables in sizes.items():
        images = rng.random(size, dtype="float32")
        for table in tables:
            ours = corrupt(images, name, 5, table=table, jpeg=0)
            np.testing.assert_allclose(ours, one_at_a_time(images, name, 5, table), atol=1e-3)


def test_glass_blur_follows_long_paths():
    # Every pixel of the inside takes its right neighbor: all end up with the last pixel of their row.
    offsets = np.zeros((1, 2, 6, 6), "int32")
    offsets[:, 1] = 1
    found = glass.trace_sources(offsets, (10, 10), 2).reshape(10, 10)
    expected = np.arange(100).reshape(10, 10)
    expected[3:9, 3:9] = expected[3:9, 9:]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("severity", [1, 5])
def test_noise_has_the_moments_of_its_definition(severity):
    gray = np.full((20, 64, 64, 1), 0.5, "float32")

    def noise(name):
        noisy = corrupt(gray, name, severity, table="small").astype("float64")
        return noisy - 0.5, CATALOG[name].small[severity - 1][0]

    # 81 920 values: a mean's standard error is deviation / 286, a deviation's 1 / 405 of itself.
    values, scale = noise("gaussian_noise")
    assert abs(values.mean()) < 5 * scale / 286
    assert values.std() == pytest.approx(scale, rel=0.015)
    assert (values**4).mean() / values.var() ** 2 == pytest.approx(3, abs=0.12)

    values, scale = noise("speckle_noise")
    assert values.std() == pytest.approx(0.5 * scale, rel=0.015)

    values, photons = noise("shot_noise")
    assert values.std() == pytest.approx(np.sqrt(0.5 / photons), rel=0.015)
    counts = (values + 0.5) * photons
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-3)

    values, amount = noise("impulse_noise")
    assert set(np.unique(values)) == {-0.5, 0.0, 0.5}
    assert np.mean(values == 0.5) == pytest.approx(amount / 2, abs=5 * np.sqrt(amount / 81920))
    assert np.mean(values == -0.5) == pytest.approx(amount / 2, abs=5 * np.sqrt(amount / 81920))


def test_noise_is_drawn_anew_for_every_channel_image_and_severity():
    gray = np.full((2, 16, 16, 3), 0.5, "float32")
    first, second = corrupt(gray, "gaussian_noise", 1) - 0.5
    assert abs(np.corrcoef(first[..., 0].ravel(), first[..., 1].ravel())[0, 1]) < 0.3
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.2
    stronger = corrupt(gray, "gaussian_noise", 2)[0] - 0.5
    assert abs(np.corrcoef(first.ravel(), stronger.ravel())[0, 1]) < 0.2


def test_bytes_of_pillow(photos):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(photos[0]).save(file, "JPEG", quality=40)
    np.testing.assert_array_equal(corrupt(photos[0], "jpeg_compression", 5), np.asarray(Image.open(file)))

    picture = Image.fromarray(photos[0][:20])
    small = picture.resize((20, 13), Image.Resampling.BOX).resize((32, 20), Image.Resampling.BOX)
    difference = corrupt(photos[0][:20], "pixelate", 5).astype(int) - np.asarray(small)
    assert np.abs(difference).max() <= 1


def in_jpeg(images, quality):
    """What Pillow reads back, saved as the published sets were."""
    import io

    from PIL import Image

    read = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.squeeze()).save(file, "JPEG", quality=quality, optimize=True)
        read.append(np.asarray(Image.open(file)).reshape(image.shape))
    return np.stack(read)


@pytest.mark.parametrize("channels", [1, 3])
def test_corrupted_images_go_through_the_jpeg_files_of_the_published_sets(photos, channels):
    images = photos[..., :channels]
    for name in ("gaussian_noise", "frost", "jpeg_compression"):
        for table, published in (("small", 0), ("medium", 85), ("large", 85)):
            options = {"table": table, "seed": 2, "start": 5}
            bare = corrupt(images, name, 3, jpeg=0, **options)
            for jpeg, quality in ((None, published), (40, 40)):
                expected = in_jpeg(bare, quality) if quality else bare
                np.testing.assert_array_equal(corrupt(images, name, 3, jpeg=jpeg, **options), expected)
    floats = corrupt(images / 255, "fog", 2, jpeg=60)
    assert floats.dtype == np.float32
    expected = in_jpeg(corrupt(images, "fog", 2, jpeg=0), 60)
    np.testing.assert_array_equal(floats, expected / np.float32(255))


def test_jpeg_halves_the_high_frequencies_of_noise():
    y, x = np.mgrid[:224, :224] / 224
    smooth = 0.5 + 0.15 * np.stack([np.sin(5 * x + y), np.cos(4 * y), np.sin(3 * (x - y))], axis=-1)
    frequency = np.hypot(np.fft.fftfreq(224)[:, None], np.fft.fftfreq(224))

    def high_energy(image):
        spectrum = np.abs(np.fft.fft2(image.astype("float64"), axes=(0, 1))) ** 2
        return spectrum[frequency > 0.25].sum()

    pixels = np.rint(255 * smooth).astype("uint8")
    with_jpeg, without = (corrupt(pixels, "gaussian_noise", 3, jpeg=jpeg) for jpeg in (None, 0))
    ratio = high_energy(with_jpeg) / high_energy(without)
    assert 0.4 < ratio < 0.65, ratio


def test_gray_images_are_color_images_with_equal_channels(rng):
    gray = rng.integers(0, 256, (2, 24, 24, 1), dtype="uint8")
    color = gray.repeat(3, axis=-1)
    for name in (set(DRAWN) | set(PLAIN)) - {"saturate", "jpeg_compression"}:
        difference = corrupt(gray, name, 4).astype(int) - corrupt(color, name, 4)
        assert np.abs(difference).max() <= 1, name
    np.testing.assert_array_equal(corrupt(gray, "saturate", 5), gray)


def test_saturation_of_gray_pixels_is_red():
    gray = np.full((4, 4, 3), 0.5, "float32")
    np.testing.assert_allclose(corrupt(gray, "saturate", 5)[0, 0], [0.5, 0.4, 0.4], atol=1e-6)
    np.testing.assert_allclose(corrupt(gray, "saturate", 2)[0, 0], [0.5, 0.5, 0.5], atol=1e-6)


def test_frost_is_a_texture_of_the_stated_weight(photos):
    black = np.zeros((16, 32, 32, 3), "float32")
    frozen = corrupt(black, "frost", 5)
    assert frozen.max() <= 0.45 + 1e-6
    assert (frozen[..., 2] >= frozen[..., 0]).all()  # never redder than blue
    np.testing.assert_allclose(
        frozen.mean(axis=-1, keepdims=True), corrupt(black[..., :1], "frost", 5), atol=1e-6
    )
    images = (photos / 255).astype("float32")
    frosted = corrupt(images, "frost", 5)
    np.testing.assert_allclose(frosted, np.clip(0.75 * images + frozen[:3], 0, 1), atol=1e-6)


@pytest.mark.parametrize(("side", "scale"), [(32, 0.2), (64, 0.3), (112, 1.0)])
def test_generated_ice_has_the_mean_and_deviation_of_photographs(monkeypatch, side, scale):
    def textures(count):
        rngs = draws.seed_generators("frost", 1, seed=0, places=range(count))
        return 255 * frost.ice(rngs, (side, side - 8), scale)

    # Published: 164 in the mean over the five; here single images too, clearly apart.
    means = textures(60).mean(axis=(1, 2))
    assert means.mean() == pytest.approx(164, abs=12)
    assert means.min() < 145
    assert means.max() > 190
    for pair in 255 * frost._LEVELS:
        monkeypatch.setattr(frost, "_LEVELS", pair[None] / 255)
        ice = textures(20)
        assert ice.shape == (20, side, side - 8)
        assert ice.mean() == pytest.approx(pair[0], abs=4)
        assert ice.std() == pytest.approx(pair[1], abs=3)
        # The margin, which is cut off, keeps opposite borders apart.
        assert np.abs(ice[:, 0] - ice[:, -1]).mean() > 0.4 * pair[1]


def test_frost_of_photographs(tmp_path, rng):
    from PIL import Image

    photographs = rng.integers(0, 256, (2, 240, 250, 3), dtype="uint8")
    for name, picture in zip(("b.png", "a.png"), photographs, strict=True):
        Image.fromarray(picture).save(tmp_path / name)
    (tmp_path / "read.me").write_text("of whom they are")
    black = np.zeros((12, 30, 32, 3), "float32")

    def pieces(table, weight):
        ice = corrupt(black, "frost", 5, table=table, frost=tmp_path, jpeg=0)
        return np.rint(255 * ice / weight).astype("uint8")

    def find(pixel):
        return np.argwhere((photographs == pixel).all(axis=-1)).tolist()

    # At scale 1 a piece is a cut, at .2 it is every fifth pixel.
    for table, weight, step in (("large", 0.75, 1), ("small", 0.45, 5)):
        found = set()
        for piece in pieces(table, weight):
            for number, y, x in find(piece[0, 0]):
                region = photographs[number, y : y + 30 * step : step, x : x + 32 * step : step]
                if np.array_equal(region, piece):
                    found.add((number, y, x))
        assert len(found) > 8
        assert {number for number, *_ in found} == {0, 1}
    # A slope stays a slope: places are halfway between pixels at .3 too.
    slope = np.repeat(np.arange(240, dtype="uint8")[:, None, None], 240, axis=1).repeat(3, axis=2)
    (tmp_path / "slope").mkdir()
    Image.fromarray(slope).save(tmp_path / "slope" / "slope.png")
    options = {"table": "medium", "frost": tmp_path / "slope", "jpeg": 0}
    piece = 255 * corrupt(black, "frost", 5, **options)[0, ..., 0] / 0.55
    np.testing.assert_allclose(np.diff(piece, axis=0), 1 / 0.3, atol=1e-3)
    assert abs((piece[0, 0] + 0.5) * 0.3 - 0.5 - np.rint((piece[0, 0] + 0.5) * 0.3 - 0.5)) < 1e-3
    gray = corrupt(black[..., :1], "frost", 5, **options)
    np.testing.assert_allclose(gray[0, ..., 0], piece * 0.55 / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("folder", "error", "message"),
    [
        ("nowhere", FileNotFoundError, "`frost` must be a folder of photographs. Received: frost=.*nowhere"),
        (".", ValueError, "image files that Pillow reads. Received: frost=.* without any"),
        ("broken", ValueError, "whole image. Received: .*ice.png"),
        ("small", ValueError, "at least 160 pixels a side for images of 32.*Received: 100 in .*ice.png"),
        (3, ValueError, "path of a folder or None. Received: frost=3"),
    ],
)
def test_photographs_that_cannot_be_used_are_one_line(tmp_path, folder, error, message):
    from PIL import Image

    for name in ("broken", "small"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "ice.png").write_bytes(b"no picture")
    Image.new("RGB", (300, 100)).save(tmp_path / "small" / "ice.png")
    folder = tmp_path / folder if isinstance(folder, str) else folder
    with refused(match=message, error=error):
        corrupt(np.zeros((32, 32, 3)), "frost", 1, frost=folder)


def test_fog_lightens_the_dark_and_keeps_the_largest_value(photos):
    images = (photos / 255).astype("float32")
    foggy = corrupt(images, "fog", 5)
    assert foggy.min() >= 0
    assert foggy.max() <= images.max() + 1e-6
    assert foggy.std() < images.std()
    assert not corrupt(np.zeros((8, 8, 3), "float32"), "fog", 5).any()
    clouds = weather.clouds(draws.seed_generators("fog", 1, seed=0, places=range(2)), 33, 2.0)
    assert clouds.shape == (2, 64, 64)
    assert clouds.min() == 0
    assert clouds.max() == 1


def test_spatter_adds_light_as_water_and_hides_as_mud():
    gray = np.full((8, 64, 64, 3), 0.3, "float32")
    water = corrupt(gray, "spatter", 3, table="small") - gray
    assert (water >= -1e-6).all()
    # The color's weights are 175, 238, 238.
    lit = water[..., 0] > 0.05
    assert 0.01 < lit.mean() < 0.8
    np.testing.assert_allclose(water[lit][:, 1] / water[lit][:, 0], 238 / 175, rtol=1e-3)
    np.testing.assert_allclose(water.max(axis=(1, 2, 3)), 0.5 * 238 / 255, rtol=1e-5)
    mud = corrupt(gray, "spatter", 5, table="small")
    covered = np.abs(mud - gray).max(-1) > 1e-6
    assert 0.02 < covered.mean() < 0.6
    assert (mud[covered][:, 2] < 0.3).all()


@pytest.mark.parametrize(
    ("table", "published"),
    # Root mean square of the weight of the color over 100 images, by the published steps in OpenCV.
    [("small", (0.0409, 0.0643, 0.0937)), ("medium", (0.0408, 0.0697, 0.1017))],
)
def test_water_is_as_strong_as_published(table, published):
    side = {"small": 32, "medium": 64}[table]
    black = np.zeros((100, side, side, 1), "float32")
    for severity, expected in enumerate(published, 1):
        color = 0.299 * 175 / 255 + 0.701 * 238 / 255
        water = corrupt(black, "spatter", severity, table=table, jpeg=0) / color
        assert 20 * np.log10(np.sqrt(np.square(water).mean()) / expected) == pytest.approx(0, abs=0.1)


def test_edges_are_those_of_canny_pixel_by_pixel(rng):
    smooth = filters.gaussian(rng.random((6, 1, 24, 19), dtype="float32"), 1.0)[:, 0]
    drops = np.where(smooth > 0.55, smooth, 0) * 255
    waves = (smooth - smooth.min()) * 400  # gradients around both thresholds
    for levels in (drops.astype("int32"), np.clip(waves, 0, 255).astype("int32")):
        found = spatter._find_edges(levels)
        assert 0.02 < found.mean() < 0.6
        np.testing.assert_array_equal(found, [oracles.canny(image, 50, 150) for image in levels])
    assert not spatter._find_edges(np.full((1, 5, 5), 200, "int32")).any()


def test_distances_are_ways_of_king_and_knight():
    y, x = np.mgrid[:6, :6]
    lengths = np.full((6, 6), np.inf)
    lengths[0, 0] = 0
    steps = {(0, 1): 1, (1, 0): 1, (1, 1): 1.4, (1, 2): 2.1969, (2, 1): 2.1969}
    for row in range(6):
        for column in range(6):
            for (down, right), length in steps.items():
                if row >= down and column >= right:
                    way = lengths[row - down, column - right] + length
                    lengths[row, column] = min(lengths[row, column], way)
    np.testing.assert_allclose(spatter._chamfer(y, x), lengths)
    assert spatter._chamfer(np.int32(30), np.int32(2)) == 20


def test_an_image_without_drops_has_none_beside_one_that_has():
    liquid = np.zeros((2, 1, 40, 40), "float32")
    liquid[1, 0, 15:25, 15:25] = 0.9
    shades = spatter.shade_drops(liquid)
    assert not shades[0].any()
    assert shades[1].any()


def test_equalization_spreads_the_levels():
    levels = np.array([0, 0, 1, 2, 2, 2, 5, 20]).reshape(1, 1, 2, 4)
    equalized = spatter._equalize(levels).ravel()
    np.testing.assert_allclose(equalized, np.array([0, 0, 1, 4, 4, 4, 5, 6]) * 255 / 6, rtol=1e-6)


@pytest.mark.parametrize("border", ["nearest", "reflect"])
@pytest.mark.parametrize(("size", "sigma"), [(1, 2.0), (7, 0.05), (32, 6.4), (20, 30.0)])
def test_gaussian_matrix_equals_scipy(rng, size, sigma, border):
    import scipy.ndimage

    signal = rng.random(size)
    ours = filters.gaussian_matrix(size, sigma, truncate=3.0, border=border) @ signal
    theirs = scipy.ndimage.gaussian_filter1d(signal, sigma, mode=border, truncate=3)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_small_and_large_kernels_are_correlated_alike(rng):
    planes = rng.random((2, 3, 30, 17), dtype="float32")
    kernel = rng.random((9, 5), dtype="float32")  # more than 40 taps: by transform
    direct = sum(
        filters.correlate(planes, np.where(np.arange(45).reshape(9, 5) % 2 == part, kernel, 0))
        for part in (0, 1)
    )
    np.testing.assert_allclose(filters.correlate(planes, kernel), direct, atol=2e-5)
