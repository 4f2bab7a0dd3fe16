"""Pictures with ICC profiles against the arithmetic of the profiles; sRGB and broken ones change nothing."""

import io
import struct

import numpy as np
import pytest

from keras_freq.data import check, load
from tests.refusals import refused

Image = pytest.importorskip("PIL.Image")
ImageCms = pytest.importorskip("PIL.ImageCms")
pytestmark = pytest.mark.once

D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue of Adobe RGB and of sRGB, as their profiles have them: XYZ of rows, adapted to D50.
ADOBE = np.array([[0.60974, 0.31111, 0.01947], [0.20528, 0.62567, 0.06087], [0.14919, 0.06322, 0.74457]])
SRGB = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3)).astype("uint8")


def profile_of(space, tags, pcs=b"XYZ "):
    """An ICC profile, version 2, from the bytes of its tags."""
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    head = struct.pack(
        ">I4sI4s4s4s12s4s", start + len(body), b"", 0x02100000, b"scnr", space, pcs, b"", b"acsp"
    )
    return (head + bytes(28) + fixed(D50)).ljust(128, b"\0") + table + body


def fixed(values):
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(values):
    return b"XYZ " + bytes(4) + fixed(values)


def gamma(value):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def adobe_rgb():
    colors = {name: xyz(row) for name, row in zip((b"rXYZ", b"gXYZ", b"bXYZ"), ADOBE, strict=True)}
    return profile_of(
        b"RGB ", {b"wtpt": xyz(D50), **colors, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(2.2))}
    )


def inks():
    """CMYK in which ink only darkens: the lightness falls by a quarter of 100 for each full ink."""
    ramp = bytes(range(256))
    corners = [255 - 255 * bin(place).count("1") // 4 for place in range(16)]
    table = b"".join(bytes((lightness, 128, 128)) for lightness in corners)
    matrix = fixed((1, 0, 0, 0, 1, 0, 0, 0, 1))
    content = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + 4 * ramp + table + 3 * ramp
    return profile_of(b"CMYK", {b"wtpt": xyz(D50), b"A2B0": content}, pcs=b"Lab ")


def encode(linear):
    linear = np.clip(linear, 0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_of_adobe(pixels):
    return encode((pixels / 255) ** 2.2 @ ADOBE @ np.linalg.inv(SRGB))


def srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def read(folder, image, name="0.png", **options):
    (folder / "a").mkdir(parents=True, exist_ok=True)
    image.save(folder / "a" / name, **options)
    (pixels,), _ = load(folder).arrays("test", dtype="uint8")
    return pixels


@pytest.mark.parametrize("name", ["0.png", "0.tif"])
def test_adobe_rgb(tmp_path, name):
    found = read(tmp_path, Image.fromarray(PIXELS), name, icc_profile=adobe_rgb())
    np.testing.assert_allclose(found, srgb_of_adobe(PIXELS), atol=1.5)
    assert np.abs(found.astype(int) - PIXELS).max() > 40
    assert check(tmp_path) == []


def test_transparent_and_palette_pictures_are_converted_before_they_lie_on_white(tmp_path):
    opacity = PIXELS[..., :1]
    picture = Image.fromarray(np.dstack([PIXELS, opacity]))
    found = read(tmp_path / "alpha", picture, icc_profile=adobe_rgb())
    share = opacity / 255
    np.testing.assert_allclose(found, srgb_of_adobe(PIXELS) * share + 255 * (1 - share), atol=2)
    indices = Image.fromarray(np.arange(12, dtype="uint8").reshape(3, 4), mode="P")
    indices.putpalette(PIXELS[0].tobytes() + PIXELS[1, :2].tobytes())
    found = read(tmp_path / "palette", indices, icc_profile=adobe_rgb())
    np.testing.assert_allclose(found.reshape(12, 3), srgb_of_adobe(PIXELS.reshape(-1, 3)[:12]), atol=1.5)


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_pictures(tmp_path, bits):
    levels = np.linspace(0, 2**bits - 1, 240).reshape(12, 20).astype(f"uint{bits}")
    profile = profile_of(b"GRAY", {b"wtpt": xyz(D50), b"kTRC": gamma(1.8)})
    found = read(tmp_path, Image.fromarray(levels), icc_profile=profile)
    expected = encode((np.rint(levels / (2**bits - 1) * 255) / 255) ** 1.8)
    np.testing.assert_allclose(found, np.repeat(expected[..., None], 3, axis=-1), atol=1.5)


def test_a_gray_picture_may_have_the_profile_of_a_colored_one(tmp_path):
    found = read(tmp_path, Image.fromarray(PIXELS[..., 0]), icc_profile=adobe_rgb())
    np.testing.assert_allclose(found, srgb_of_adobe(np.repeat(PIXELS[..., :1], 3, axis=-1)), atol=1.5)


def test_inks(tmp_path):
    amounts = np.zeros((8, 8, 4), "uint8")
    amounts[2:4, :, 0] = 255
    amounts[4:6, :, :2] = 255
    amounts[6:] = 255
    picture = Image.frombytes("CMYK", (8, 8), amounts.tobytes())
    found = read(tmp_path, picture, "0.tif", icc_profile=inks())
    lightness = np.array([255, 192, 128, 0])[np.arange(8) // 2] / 255 * 100
    luminance = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    np.testing.assert_allclose(found[:, 0], np.repeat(encode(luminance)[:, None], 3, axis=-1), atol=2)


def test_profiles_that_change_nothing(tmp_path):
    """sRGB, broken ones, and those of another color space: every byte stays."""
    plain = read(tmp_path / "none", Image.fromarray(PIXELS), "0.jpg")
    wide = adobe_rgb()
    for number, profile in enumerate((srgb_profile(), wide[:200], b"no profile", bytes(300), inks())):
        found = read(tmp_path / str(number), Image.fromarray(PIXELS), "0.jpg", icc_profile=profile)
        np.testing.assert_array_equal(found, plain, err_msg=str(number))
        assert check(tmp_path / str(number)) == []


def test_without_littlecms_a_profile_is_refused_by_name(tmp_path, monkeypatch):
    from PIL import features

    from keras_freq.data import _color_profiles

    read(tmp_path, Image.fromarray(PIXELS), icc_profile=adobe_rgb())
    monkeypatch.setattr(features, "check", lambda name: False)
    _color_profiles._find_transform.cache_clear()
    with refused(match=r"0\.png \(it has a color profile.*littlecms2"):
        load(tmp_path).arrays("test")
    assert len(check(tmp_path)) == 1
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    (tmp_path / "a" / "0.png").write_bytes(file.getvalue())
    np.testing.assert_array_equal(load(tmp_path).arrays("test", dtype="uint8")[0][0], PIXELS)
