"""What the reference networks keep of each class under few frequencies, beside how they err."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

import keras_freq as kf
from apps.lab import Run
from apps.lab.images import as_floats, load_images
from apps.lab.outcomes import Outcomes, digest_of_labels, write_outcomes
from apps.lab.shortcuts import read_points, render
from apps.references.beyond import open_networks
from apps.references.config import Shortcuts

Data = tuple[np.ndarray, np.ndarray]


def shortcuts(run: Run, config: Shortcuts) -> None:
    images = load_images(run, config.data, most_bytes=0)  # bytes
    search, test = (
        (as_floats(pixels[:count]), labels[:count])
        for (pixels, labels), count in ((images.train, config.search_images), (images.test, config.images))
    )
    networks: dict[str, dict[int, Outcomes]] = {}
    for row, seed, model in open_networks(config):
        label = f"{row}-seed{seed}"
        arrays = run.arrays(f"{label}/kept", take_images, model, search, test, config, label=label)
        right = {name: bits for name, bits in arrays.items() if bits.dtype == bool}
        others = {name: found for name, found in arrays.items() if name not in right}
        note = {"labels": digest_of_labels(test[1]), "share": config.share, "classes": len(images.classes)}
        networks.setdefault(row, {})[seed] = Outcomes(right, others, note)
        if config.folder is not None:
            path = Path(config.folder) / f"{config.data.name}-{row}-{seed}.npz"
            write_outcomes(path, networks[row][seed])
    points = read_points(networks, Path(config.outcomes))
    if points:
        figure = kf.plots.scatter(
            points,
            xlabel=f"TPR - FPR under learned maps of {100 * config.share:g} %",
            ylabel="error added by corruptions",
            title=f"Shortcuts and what corruptions cost, {sum(len(x) for x, _ in points.values())} networks",
        )
        run.figure("shortcuts", figure)
    text = render(networks, Path(config.outcomes))
    print(text)
    run.summary("Shortcuts of the reference networks", [], notes=text)


def take_images(
    model: keras.Model, search: Data, test: Data, config: Shortcuts, *, label: str
) -> dict[str, np.ndarray]:
    """Of each test image, whether it is taken for its class under the map of that class, and for how many of
    the other classes under theirs.

    Maps are learned, of the class's power, and a disk; each class has its own, DC in all of them.
    """
    images, labels = test
    declared = kf.Classifier(model, value_range=(0, 1))
    found = {"clean": kf.evaluate.predict_logits(declared, images, batch_size=500).argmax(axis=1) == labels}
    for name, masks in _find_masks(declared, search, config).items():
        taken = np.stack(
            [
                kf.evaluate.predict_logits(
                    declared, kf.spectral.apply_mask(images, mask), batch_size=500
                ).argmax(axis=1)
                == index
                for index, mask in enumerate(masks)
            ]
        )
        own = taken[labels, np.arange(len(labels))]
        found[f"kept {name}"] = own
        found[f"lent {name}"] = (taken.sum(axis=0) - own).astype("uint8")
    return found


def _find_masks(model: kf.Classifier, search: Data, config: Shortcuts) -> dict[str, np.ndarray]:
    """A mask for each class, `(classes, height, width)`, by name of the method."""
    images, labels = search
    classes = range(int(labels.max()) + 1)
    power = np.stack(
        [(np.abs(np.fft.fft2(images[labels == k], axes=(1, 2))) ** 2).mean(axis=(0, 3)) for k in classes]
    )
    distance = np.asarray(kf.spectral.radial_distance(*images.shape[1:3]))
    rankings = {
        "power": np.fft.fftshift(power, axes=(1, 2)),
        "disk": np.repeat(-distance[None], len(classes), axis=0),
    }
    learned = kf.shortcuts.learned_map(
        model,
        images,
        labels,
        fraction=config.share,
        specificity=config.specificity,
        steps=config.steps,
        images_per_step=config.images_per_step,
        learning_rate=config.learning_rate,
        smoothing=config.smoothing,
        seed=config.seed,
    )
    return {"learned": learned.masks} | {
        name: kf.shortcuts.dominant_frequency_map(one, config.share, ties="exact", dc="keep").masks
        for name, one in rankings.items()
    }
