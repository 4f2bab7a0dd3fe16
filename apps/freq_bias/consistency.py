"""Class consistency: networks trained on images of which only one part of the spectrum shows their class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import keras_freq as kf
from apps.freq_bias.config import Consistency
from apps.freq_bias.sets import measure_bands, name_bands
from apps.lab import Claim, Run, RunError
from apps.lab.images import Images, load_images
from apps.lab.report import cells, compare, lines, markdown, mean_and_range, print_table, values
from apps.lab.train import trained

CASTS = {
    "none": "values as they are",
    "clip": "clipped",
    "minmax": "min-max",
    "uint8_wrap": "cast to 8 bits, wrapping",
}
BANDS = {"high": "High-passed", "low": "Low-passed"}
EXAMPLES = 8


def consistency(run: Run, config: Consistency) -> None:
    images = load_images(run, config.data, radii=(config.radius, *config.radii))
    _check_classes(images)
    names = training_sets(config)
    for seed in config.all_seeds:
        for name, options in names.items():
            data = images.train
            if options is not None:
                hars = kf.cdes.make_hars(*images.train, radius=config.radius, seed=seed, **options)
                data = hars.images, hars.labels
            model, _ = trained(run, name, config.training, data, classes=len(images.classes), seed=seed)
            for cast in config.eval_cast:
                record = {"network": name, "cast": cast, "seed": seed}
                stage = f"{name}/seed{seed}/{cast}"
                run.measure(stage, measure_bands, model, images.test, config.radii, record)
    _draw(run, config, images)
    _report(run, config, images)


def training_sets(config: Consistency) -> dict[str, dict | None]:
    """Name of each training set and the options of `keras_freq.cdes.make_hars`, None for the originals."""
    sets: dict[str, dict | None] = {"original": None}
    for transform in config.transforms:
        for keep in config.keep:
            sets[f"{transform}_{keep}"] = {"transform": transform, "keep": keep}
    return sets


def _label(name: str) -> str:
    if name == "original":
        return "originals"
    transform, keep = name.split("_")
    return f"HARS, {keep} part ({transform.upper()})"


def _check_classes(images: Images) -> None:
    """Before anything is trained: whether every image can have a donor."""
    labels = images.train[1]
    most = np.bincount(labels).max()
    if 2 * most > len(labels):
        raise RunError(
            "no class may hold more than half of the training images, for want of donors. "
            f"Received: {most} of {len(labels)} images"
        )


def _draw(run: Run, config: Consistency, images: Images) -> None:
    radii, names = sorted(config.radii), training_sets(config)
    panels = {
        f"{words} test images\n{CASTS[cast]}": {
            f"trained on {_label(name)}": lines(run, name_bands(band, radii), network=name, cast=cast)
            for name in names
        }
        for cast in config.eval_cast
        for band, words in BANDS.items()
    }
    highest = max(float(np.max(line)) for panel in panels.values() for line in panel.values())
    figure = kf.plots.curves(
        panels,
        x=radii,
        xlabel="radius (index units)",
        columns=2,
        chance=1 / len(images.classes),
        limits=(0, min(1.0, np.floor(10 * highest + 1) / 10)),
        title=f"Accuracy with class consistency broken on one side of radius {config.radius:g}",
    )
    run.figure("consistency", figure)
    run.figure("hars", _examples(config, images))


def _examples(config: Consistency, images: Images):
    """The first image of each class with its donor and what becomes of both."""
    x, y = images.train
    sets = {name: options for name, options in training_sets(config).items() if options is not None}
    chosen = np.unique(y, return_index=True)[1][:EXAMPLES]
    rows, captions = {"image": x[chosen]}, {"image": [images.classes[c] for c in y[chosen]]}
    for name, options in sets.items():
        hars = kf.cdes.make_hars(x, y, radius=config.radius, seed=config.seed, **options)
        if "donor" not in rows:  # the same for all
            rows["donor"] = x[hars.donors[chosen]]
            captions["donor"] = [images.classes[c] for c in y[hars.donors[chosen]]]
        transform, keep = name.split("_")
        other = "low" if keep == "high" else "high"
        row = f"{transform.upper()}: {keep} part\nof the image, {other}\npart of the donor"
        rows[row] = hars.images[chosen]
    return kf.plots.image_rows(
        rows, captions=captions, title=f"HARS: two classes in one image, parted at radius {config.radius:g}"
    )


def _report(run: Run, config: Consistency, images: Images) -> None:
    n, names = len(images.test[1]), training_sets(config)
    first = {"cast": config.eval_cast[0], "measure": "clean"}
    head = ["trained on", "training accuracy", "accuracy on test images"]
    rows = [
        [
            name,
            *cells(run, ["training accuracy"], network=name),
            mean_and_range(values(run, network=name, **first)),
        ]
        for name in names
    ]
    tables = {f"Accuracy on {n} test images, over the seeds": (head, rows)}
    radii = sorted(config.radii)
    head = ["trained on", *(f"r = {r:g}" for r in radii)]
    for cast in config.eval_cast:
        for band, words in BANDS.items():
            rows = [[name, *cells(run, name_bands(band, radii), network=name, cast=cast)] for name in names]
            tables[f"{words} test images, {CASTS[cast]}"] = (head, rows)
    for title, (head, rows) in tables.items():
        print_table(title, head, rows)
    claims = [
        claim
        for cast in config.eval_cast
        for name in names
        if name.endswith("_high")
        for claim in _claims(run, config, name, cast, n)
    ]
    notes = (
        f"`dft_high` and the like: HARS by that transform, whose labels hold for that part of the spectrum "
        f"(radius {config.radius:g}; an index of the DCT is half a cycle across the image, so that its split "
        f"lies near radius {config.radius / 2:g} of the tests); the other part is of an image of another "
        "class.\n\n"
    )
    notes += "\n\n".join(f"{title}:\n\n{markdown(head, rows)}" for title, (head, rows) in tables.items())
    run.summary("Frequency bias: class consistency", claims, notes=notes)


def _claims(run: Run, config: Consistency, name: str, cast: str, n: int) -> Iterator[Claim]:
    """What the low frequencies of another class change, at the radius nearest to the split."""
    # An index of the cosine transform is half a cycle across the image, one of the Fourier transform a whole.
    split = config.radius / 2 if name.startswith("dct") else config.radius
    radius = min(config.radii, key=lambda r: (abs(r - split), r))
    for band, expected in (("high", "higher"), ("low", "lower")):
        hars, original = (
            values(run, network=network, cast=cast, measure=f"{band}_{radius:g}")
            for network in (name, "original")
        )
        yield compare(
            "With the class consistency of low frequencies broken, the model turns to high ones: "
            f"accuracy on {band}-passed test images (r = {radius:g}, {CASTS[cast]}) is {expected} after "
            f"training on HARS ({name}) than after training on originals",
            (name, hars),
            ("original", original),
            published="no verified number",
            higher="higher after HARS",
            lower="lower after HARS",
            n=n,
            stages=(f"{name}/", "original/"),
        )
