"""Corruptions one image at a time in float64, with loops over pixels and taps, as is usual.

Every function takes one float image `(height, width, channels)` and, where it draws, the image's generator,
from which it draws what the package draws, in the same order.
"""

import colorsys
import io
import math

import numpy as np
import scipy.ndimage
from PIL import Image


def gaussian(image, sigma, **options):
    return scipy.ndimage.gaussian_filter(image, sigma, axes=(0, 1), **({"mode": "nearest"} | options))


def glass_blur(image, rng, sigma, reach, rounds):
    height, width, _ = image.shape
    image = gaussian(image, sigma) if sigma else image.copy()
    offsets = rng.integers(-reach, reach, (rounds, 2, height - 2 * reach, width - 2 * reach), dtype="int8")
    for number in range(rounds):
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                y, x = offsets[number, :, row - reach - 1, column - reach - 1].tolist()
                image[row, column] = image[row + y, column + x]
    return gaussian(image, sigma) if sigma else image


def trail(image, degrees, radius, sigma):
    height, width, _ = image.shape
    weights = np.array([math.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)])
    weights /= weights.sum()
    total = np.zeros_like(image)
    for i, weight in enumerate(weights):
        y = math.ceil(i * math.sin(math.radians(degrees)) - 0.5)
        x = math.ceil(i * math.cos(math.radians(degrees)) - 0.5)
        rows = np.clip(np.arange(height) + y, 0, height - 1)
        columns = np.clip(np.arange(width) + x, 0, width - 1)
        total += weight * image[rows[:, None], columns]
    return total


def motion_blur(image, rng, radius, sigma):
    return trail(image, -45 + 90 * rng.random(1, dtype="float32")[0], radius, sigma)


def elastic_transform(image, rng, strength, smoothing, shift):
    height, width, channels = image.shape
    side = min(height, width)
    middle, half = np.array([height // 2, width // 2]), side // 3
    corners = np.array([middle + half, [middle[0] - half, middle[1] + half], middle - half], "float64")
    moved = corners + (2 * rng.random((3, 2), dtype="float32") - 1) * shift * side
    # The map takes the moved corners, where pixels are wanted, to the corners, where they are found.
    equations = np.concatenate([moved, np.ones((3, 1))], axis=1)
    affine = np.linalg.solve(equations, corners)
    planes = [
        scipy.ndimage.affine_transform(
            image[..., channel], affine[:2].T, offset=affine[2], order=1, mode="mirror"
        )
        for channel in range(channels)
    ]
    image = np.stack(planes, axis=-1)
    field = 2 * rng.random((2, height, width), dtype="float32") - 1
    dy, dx = (
        scipy.ndimage.gaussian_filter(part, smoothing * side, mode="reflect", truncate=3) * (strength * side)
        for part in field
    )
    y, x, z = np.meshgrid(np.arange(height), np.arange(width), np.arange(channels), indexing="ij")
    places = y + dy[..., None], x + dx[..., None], z
    return scipy.ndimage.map_coordinates(image, places, order=1, mode="reflect")


def defocus_blur(image, radius, smoothing):
    reach = 1 if radius <= 8 else 2
    half = int(radius) + reach
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disk = (y**2 + x**2 <= radius**2).astype("float64")
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / smoothing) ** 2)
    disk = scipy.ndimage.convolve(disk, np.outer(window, window), mode="constant")
    return scipy.ndimage.correlate(image, (disk / disk.sum())[..., None], mode="mirror")


def zoom(image, factor):
    """Square images."""
    side = len(image)
    middle = math.ceil(side / factor)
    top = (side - middle) // 2
    cut = image[top : top + middle, top : top + middle]
    large = scipy.ndimage.zoom(cut, (factor, factor, 1), order=1)
    top = (len(large) - side) // 2
    return large[top : top + side, top : top + side]


def zoom_blur(image, stop, step):
    factors = np.arange(1, stop, step)
    return (image + sum(zoom(image, factor) for factor in factors)) / (len(factors) + 1)


def snow(image, rng, mean, deviation, factor, threshold, radius, sigma, mix):
    flakes = zoom(mean + deviation * rng.standard_normal(image.shape[:2], dtype="float32")[..., None], factor)
    flakes = np.clip(np.where(flakes < threshold, 0, flakes), 0, 1)
    flakes = trail(flakes, -135 + 90 * rng.random(1, dtype="float32")[0], radius, sigma)
    gray = image @ [0.299, 0.587, 0.114]
    white = np.maximum(image, 1.5 * gray[..., None] + 0.5)
    return mix * image + (1 - mix) * white + flakes + np.rot90(flakes, 2)


def cloud(rng, side, decay):
    """The diamond-square rule, point by point, `side` a power of two."""
    chance = iter(2 * rng.random(side * side, dtype="float32") - 1)
    heights = np.zeros((side, side))

    def fill(rows, columns, neighbours, strength):
        # Points of one kind do not see each other.
        for y in rows:
            for x in columns:
                around = [heights[(y + v) % side, (x + u) % side] for v, u in neighbours]
                heights[y, x] = sum(around) / 4 + strength * next(chance)

    step, strength = side, 1.0
    while step > 1:
        half = step // 2
        corner, middle = range(0, side, step), range(half, side, step)
        diagonal = [(v, u) for v in (-half, half) for u in (-half, half)]
        straight = [(-half, 0), (half, 0), (0, -half), (0, half)]
        fill(middle, middle, diagonal, strength)
        fill(corner, middle, straight, strength)
        fill(middle, corner, straight, strength)
        step, strength = half, strength / decay**2
    return (heights - heights.min()) / (heights.max() - heights.min())


def fog(image, rng, strength, decay):
    height, width, _ = image.shape
    side = 2 ** math.ceil(math.log2(max(height, width)))
    haze = cloud(rng, side, decay)[:height, :width, None]
    return (image + strength * haze) * image.max() / (image.max() + strength)


def _hsv(image, change):
    pixels = [
        colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*map(float, pixel))))
        for pixel in image.reshape(-1, 3)
    ]
    return np.array(pixels).reshape(image.shape)


def brightness(image, amount):
    return _hsv(image, lambda h, s, v: (h, s, min(v + amount, 1)))


def saturate(image, factor, amount):
    return _hsv(image, lambda h, s, v: (h, min(s * factor + amount, 1), v))


def contrast(image, factor):
    mean = image.mean(axis=(0, 1))
    return (image - mean) * factor + mean


def gaussian_blur(image, sigma):
    return gaussian(image, sigma)


def _picture(image):
    pixels = np.rint(image * 255).astype("uint8")
    return Image.fromarray(pixels[..., 0] if image.shape[-1] == 1 else pixels)


def pixelate(image, share):
    picture = _picture(image)
    width, height = picture.size
    small = picture.resize((int(width * share), int(height * share)), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BOX)).reshape(image.shape) / 255


def jpeg_compression(image, quality):
    file = io.BytesIO()
    _picture(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape) / 255


def canny(levels, weak, strong):
    """Edges of one image of whole numbers, pixel by pixel."""
    height, width = levels.shape
    dx = scipy.ndimage.sobel(levels.astype(int), axis=1, mode="nearest")
    dy = scipy.ndimage.sobel(levels.astype(int), axis=0, mode="nearest")
    size = np.abs(dx) + np.abs(dy)

    def at(y, x):
        return size[y, x] if 0 <= y < height and 0 <= x < width else 0

    def is_largest(y, x):
        angle = math.degrees(math.atan2(dy[y, x], dx[y, x])) % 180
        if min(angle, 180 - angle) < 22.5:
            return at(y, x) > at(y, x - 1) and at(y, x) >= at(y, x + 1)
        if abs(angle - 90) < 22.5:
            return at(y, x) > at(y - 1, x) and at(y, x) >= at(y + 1, x)
        step = 1 if angle < 90 else -1
        return at(y, x) > max(at(y - 1, x - step), at(y + 1, x + step))

    places = [(y, x) for y in range(height) for x in range(width)]
    chain = {(y, x) for y, x in places if at(y, x) > weak and is_largest(y, x)}
    waiting = [(y, x) for y, x in chain if at(y, x) > strong]
    edges = np.zeros(levels.shape, bool)
    while waiting:
        y, x = waiting.pop()
        if not edges[y, x]:
            edges[y, x] = True
            near = [(y + v, x + u) for v in (-1, 0, 1) for u in (-1, 0, 1)]
            waiting += [place for place in near if place in chain]
    return edges
