"""Draws every picture of the guide and prints the numbers in its text: `python docs/figures.py [NAME ...]`.

From the root of a checkout, with the extra `tensorflow`; they take about fifteen minutes on two CPU cores.
"""

import contextlib
import io
import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"
sys.path.insert(0, str(Path(__file__).parent.parent))

import keras
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import keras_freq as kf

FOLDER = Path(__file__).parent / "figures"
NAME = "cifar10/standard"
COLORS = 256  # of the palette: small files, no visible loss


def save(figure: Figure, name: str, dpi: int = 80) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    keep(Image.open(buffer), name)


def keep(picture: Image.Image, name: str) -> None:
    picture = picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    path = FOLDER / f"{name}.png"
    picture.save(path, optimize=True)
    print(f"{path.relative_to(FOLDER.parent)}: {path.stat().st_size / 1000:.0f} kB")


def one_of_each(images: np.ndarray, labels: np.ndarray, classes=range(10), skip: int = 0) -> np.ndarray:
    return images[[np.flatnonzero(labels == label)[skip] for label in classes]]


def data_mean(model: keras.Model) -> np.ndarray:
    layer = next(layer for layer in model.layers if isinstance(layer, keras.layers.Normalization))
    return np.reshape(keras.ops.convert_to_numpy(layer.mean), 3)


def show(*values) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def draw_parts(data):
    """An image, its low and its high part, and what the network answers to each."""
    model = kf.models.reference(NAME)
    images, labels = data.arrays("test")
    low, high = (np.asarray(part) for part in kf.spectral.split_bands(images, 8))
    answers = {}
    for name, given in {"original": images, "high": high, "low": low}.items():
        logits = kf.evaluate.predict_logits(model, given)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        answers[name] = logits.argmax(axis=1), shares.max(axis=1)
        print(f"{name}: accuracy {show(np.mean(answers[name][0] == labels))}, n = {len(labels)}")
    kept = [np.flatnonzero(labels == label)[1] for label in (0, 1, 3, 5, 7, 8)]
    answers = {name: (label[kept], share[kept]) for name, (label, share) in answers.items()}
    save(
        kf.plots.component_predictions(
            images[kept],
            answers,
            radius=8,
            labels=labels[kept],
            classes=data.classes,
            title="What the network answers to the whole image, its high part and its low part",
        ),
        "parts",
    )


def draw_bands(data):
    bands = kf.evaluate.band_accuracy(
        kf.models.reference(NAME), data.test, radii=(2, 4, 6, 8, 10, 12, 14, 16)
    )
    for row in zip(bands.radii, bands.low, bands.high, strict=True):
        print(f"radius {row[0]:.0f}: low {show(row[1])}, high {show(row[2])}")
    print(f"clean {show(bands.clean)}, n = {bands.n}")
    save(kf.plots.band_accuracy({NAME: bands}, chance=0.1), "bands")


def draw_shapes(data):
    """The first program of the page on models that are no classifiers, as it is written there."""
    page = (Path(__file__).parent / "not_only_classifiers.md").read_text()
    names: dict = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        exec(page.split("```python\n")[1].split("```")[0], names)
    result = names["result"]
    for name, places in (("low", result.radii), ("high", result.radii), ("band", result.bands)):
        found = zip(places, getattr(result, name)["IoU"], strict=True)
        print(name, *(f"{place}: {show(one)}" for place, one in found))
    save(kf.plots.filtered({"shapes": result}), "shapes", dpi=60)


def draw_heat_map(data):
    heat = kf.evaluate.fourier_heat_map(kf.models.reference(NAME), data.test, epsilon=4.0, n=200)
    distance = kf.spectral.radial_distance(*heat.error.shape)
    for low, high in ((1, 4), (4, 8), (8, 12), (12, 17)):
        ring = heat.error[(distance >= low) & (distance < high)]
        print(f"radius {low} to {high}: mean error {show(np.nanmean(ring))}, n = {heat.n}")
    print(f"clean error {show(heat.clean_error)}")
    save(kf.plots.heat_map({NAME: heat}), "heat_map")


def draw_shortcuts(data):
    model = kf.models.reference(NAME)
    images, labels = data.arrays("train", limit=1000)
    importance = kf.shortcuts.frequency_importance(model, images, labels, patch=2)
    maps = kf.shortcuts.dominant_frequency_map(importance, 0.05, ties="exact")
    report = kf.shortcuts.shortcut_report(model, data.test, maps)
    share = float(np.mean(maps.share))
    # The control: the disk about DC whose share is nearest to that of the maps.
    radius = min(np.arange(1.05, 9, 0.1), key=lambda r: abs(kf.spectral.disk_mask(32, 32, r).mean() - share))
    disk = np.repeat(kf.spectral.disk_mask(32, 32, radius)[None], 10, axis=0)
    plain = kf.shortcuts.shortcut_report(model, data.test, disk)
    print(
        f"n = {report.n}, share of the bins {show(share)}, disk of radius {radius:.2f}: {show(disk.mean())}"
    )
    for label, name in enumerate(data.classes):
        print(
            f"{name}: TPR / FPR {show(report.tpr[label], report.fpr[label])}, "
            f"disk {show(plain.tpr[label], plain.fpr[label])}, whole {show(report.clean_tpr[label])}"
        )
    tests, test_labels = data.arrays("test")
    examples = one_of_each(tests, test_labels)
    fill = data_mean(model)  # what the report leaves in the place of a removed mean
    under = [
        np.asarray(kf.spectral.apply_mask(image[None] - fill, mask))[0] + fill
        for image, mask in zip(examples, maps.masks, strict=True)
    ]
    save(
        kf.plots.frequency_maps(
            maps,
            classes=data.classes,
            reports=report,
            examples={"whole": examples, "under its map": np.stack(under)},
            title="The 5 % of the frequencies that each class needs most, and its rates under them",
        ),
        "shortcuts",
        dpi=70,
    )


def draw_training(data):
    """The network trains on for five epochs, plainly and with APR-SP, at equal steps and rates."""
    noise = ("gaussian_noise", "impulse_noise", "defocus_blur", "fog", "contrast", "jpeg_compression")
    bands, errors = {}, {}
    for name in ("as it is", "five epochs more", "five epochs of APR-SP"):
        keras.utils.set_random_seed(0)
        model = kf.models.reference(NAME)
        if name != "as it is":
            apr = "APR" in name
            trained = kf.APRModel(
                model,
                single=kf.layers.APRSingle(seed=1) if apr else None,
                pair=kf.layers.APRPair(seed=2) if apr else None,
                augment=kf.layers.CropFlip(2, seed=3),
                reduction="mean",
            )
            steps = 5 * len(data.train)
            rate = keras.optimizers.schedules.CosineDecay(0.02, steps)
            trained.compile(
                keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
                keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
            )
            trained.fit(data.train, epochs=5, verbose=2)
        bands[name] = kf.evaluate.band_accuracy(model, data.test)
        errors[name] = kf.evaluate.corruption_error(model, data.test, corruptions=noise, severities=(3,))
        print(
            f"{name}: clean {show(bands[name].clean)}, low {show(*bands[name].low)}, "
            f"high {show(*bands[name].high)}, error under corruptions {show(errors[name].mean)}, "
            f"n = {bands[name].n}"
        )
    save(kf.plots.band_accuracy(bands, chance=0.1, title="Accuracy on parts of the images"), "training")
    save(kf.plots.corruption_table(errors, title="Errors at severity 3, percent"), "corruptions")


def draw_radius(data):
    images, _ = data.arrays("test")
    spectrum = kf.plots.spectrum(images, radii=(4, 8, 12, 16), title="Mean amplitude of 1000 images")
    save(spectrum, "radius")


def draw_masks(masks: dict[str, np.ndarray], name: str) -> None:
    figure = Figure(figsize=(3 * len(masks), 3), layout="constrained")
    for axis, (title, mask) in zip(figure.subplots(1, len(masks)), masks.items(), strict=True):
        axis.imshow(mask, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=11)
        axis.set_axis_off()
    save(figure, name)


def draw_units(data):
    masks = {}
    for height, width in ((32, 32), (24, 48)):
        masks[f"{height} x {width}, radius 8 in index units"] = kf.spectral.disk_mask(height, width, 8)
        masks[f"{height} x {width}, .25 cycles per pixel"] = kf.spectral.disk_mask(
            height, width, 0.25, units="cycles_per_pixel"
        )
    draw_masks(masks, "units")


def draw_band(data):
    images, labels = data.arrays("test")
    images = one_of_each(images, labels, (0, 1, 5, 7, 8, 9), skip=1)
    rows = {"whole": images}
    for low, high in itertools.pairwise((0, 4, 8, 12, 23)):
        part = np.asarray(kf.spectral.band_pass(images, low, high))
        rows[f"{low} <= d < {high}"] = part if low == 0 else np.clip(0.5 + 2 * part, 0, 1)
    save(kf.plots.image_rows(rows, title="Four bands; all but the first doubled about gray"), "band")


def draw_pair(data):
    height = width = 32
    pictures = {}
    for i, j in ((16, 19), (20, 16), (12, 22)):
        partner = kf.spectral.mirror_index(height)[i], kf.spectral.mirror_index(width)[j]
        mask = np.zeros((height, width))
        mask[i, j] = mask[partner] = 1
        wave = kf.spectral.fourier_basis(height, width, i, j)
        pictures[f"({i}, {j}) and ({partner[0]}, {partner[1]})"] = mask
        pictures[f"its wave {len(pictures) // 2 + 1}"] = (wave / np.abs(wave).max() + 1) / 2
    draw_masks(pictures, "pair")


def draw_swap(data):
    model = kf.models.reference(NAME)
    images, labels = data.arrays("test")
    first = one_of_each(images, labels, (0, 1, 3, 5, 7, 8), skip=1)
    second = one_of_each(images, labels, (8, 7, 6, 1, 0, 2), skip=2)
    mixed = np.asarray(kf.spectral.recombine(second, first))
    rows = {"phase of": first, "amplitude of": second, "recombined": mixed}
    answers = kf.evaluate.predict_logits(model, mixed).argmax(axis=1)
    captions = {"recombined": [data.classes[label] for label in answers]}
    save(kf.plots.image_rows(rows, captions=captions), "swap")
    swap = kf.evaluate.amplitude_swap(model, data.test)
    print(
        f"of {swap.n_differ} pairs with two answers it follows the phase in {show(swap.follows_phase)}, "
        f"the amplitude in {show(swap.follows_amplitude)}"
    )


def draw_apr(data):
    images, labels = data.arrays("train")
    images = one_of_each(images, labels, (0, 1, 3, 5, 7, 8))
    keras.utils.set_random_seed(0)
    single = np.asarray(kf.layers.APRSingle(probability=1.0, seed=1)(images, training=True))
    pair = np.asarray(kf.layers.APRPair(probability=1.0, seed=2)(images, training=True))
    save(kf.plots.image_rows({"image": images, "APR-S": single, "APR-P": pair}), "apr")


def draw_hars(data):
    images, labels = data.arrays("test")
    hars = kf.cdes.make_hars(images, labels, radius=12)
    kept = [np.flatnonzero(labels == label)[1] for label in (0, 1, 3, 5, 7, 8)]
    rows = {
        "high part of": images[kept],
        "low part of": images[hars.donors[kept]],
        "HARS": hars.images[kept],
    }
    captions = {"HARS": [data.classes[label] for label in hars.labels[kept]]}
    save(kf.plots.image_rows(rows, captions=captions), "hars")


def draw_density(data):
    densities = {}
    images, labels = data.arrays("test")
    for label in (0, 5, 6, 9):
        densities[data.classes[label]] = kf.data.image_spectral_density(
            (images[labels == label], labels[labels == label])
        )
    save(kf.plots.spectral_density({"test images": densities}, band=False), "density")


def draw_gradient(data):
    spectrum = kf.evaluate.input_gradient_spectrum(kf.models.reference(NAME), data.test, n=500)
    print(f"largest at radius {spectrum.radii[int(np.argmax(spectrum.mean))]}, n = {spectrum.n}")
    save(kf.plots.spectral_density({"input gradients": spectrum}, ylabel="amplitude"), "gradient")


def draw_channel(data):
    """Sensitivity to noise of an octave by its center, with the fitted channels."""
    images, labels = data.arrays("test", limit=500)
    found = {}
    for name in ("standard", "apr_sp"):
        found[name] = kf.evaluate.critical_band(
            kf.models.reference(f"cifar10/{name}"),
            (images, labels),
            centers=(1.75, 2.47, 3.5, 4.95, 7, 9.9, 14),
            deviations=(0.02, 0.04, 0.08, 0.16, 0.32),
            contrast=1,
            gray=False,
            draws=200,
        )
        print(found[name], found[name].intervals)
    save(kf.plots.critical_band(found), "channel")


def draw_conflict(data):
    """Whom two networks follow in images of two classes: all test images where TFDS_DATA_DIR has CIFAR-10."""
    if "TFDS_DATA_DIR" in os.environ:
        data = kf.data.load("cifar10")
    found = {}
    for name in ("standard", "apr_sp"):
        model = kf.models.reference(f"cifar10/{name}")
        found[name] = kf.evaluate.cue_conflict(model, data.test, radii=(2, 3, 4, 5, 6, 7, 8, 10, 12, 16))
        print(
            f"{name}: n = {found[name].n}, clean {show(found[name].clean)}, undefined {found[name].undefined}"
        )
        for row in found[name].rows():
            shares = (
                f"{part} {show(row[part])} ({show(row[f'{part}_from'])} to {show(row[f'{part}_to'])})"
                for part in ("low", "high", "neither", "low_bias")
            )
            print(f"radius {row['radius']:.0f}:", *shares)
        (edges,) = found[name].intervals["balance"]
        print(f"balance {show(found[name].balance)} ({show(*edges)})")
    save(kf.plots.cue_conflict(found), "conflict", dpi=70)
    images, labels = data.arrays("test", limit=1000)
    low, high = (
        one_of_each(images, labels, chosen, skip=1) for chosen in ((0, 1, 3, 5, 7, 8), (8, 7, 6, 1, 0, 2))
    )
    rows = {"low frequencies of": low, "high frequencies of": high}
    for radius in (3, 6, 10):
        mixed = kf.spectral.low_pass(low, radius) + kf.spectral.high_pass(high, radius)
        rows[f"put together at {radius}"] = np.clip(np.asarray(mixed), 0, 1)
    save(kf.plots.image_rows(rows), "conflict_images", dpi=70)


def draw_page(data):
    """The beginning of a report, as Chromium shows it: needs that, and `pip install playwright`."""
    from playwright.sync_api import sync_playwright

    only = ("bands", "swap", "shortcuts", "corruptions")
    report = kf.report(kf.models.reference(NAME), data.test, classes=data.classes, only=only, n=500)
    print(report)
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        report.to_html(Path(folder) / "index.html")
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1120})
        page.goto((Path(folder) / "index.html").as_uri())
        page.screenshot(path=Path(folder) / "page.png")
        browser.close()
        keep(Image.open(Path(folder) / "page.png"), "page")


DRAW = {
    name.removeprefix("draw_"): function
    for name, function in list(globals().items())
    if name.startswith("draw_")
}
del DRAW["masks"]


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in DRAW]
    if unknown:
        print(f"Pictures are: {', '.join(DRAW)}. Received: {unknown[0]}", file=sys.stderr)
        return 2
    FOLDER.mkdir(exist_ok=True)
    data = kf.data.load("cifar10_mini")
    for name in names or DRAW:
        print(f"== {name}")
        DRAW[name](data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
