"""Experiment 2: which frequencies the heuristics of training lead to."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.hfc.config import Heuristics
from apps.hfc.networks import adversarial, adversarial_training, classifier, train, with_normalization
from apps.runner import Claim, Run
from apps.runner.images import Images, load_images
from apps.runner.repetitions import markdown, mean_and_range, order, print_table, values

NAMES = {
    "vanilla": "vanilla",
    "dropout": "dropout",
    "mix_up": "mix-up",
    "batch_norm": "batch normalisation",
    "adversarial": "adversarial training",
}
# The published network normalises by the statistics of the batch at hand at test time too; both are measured,
# from the same weights.
AT_TEST = {"batch_norm": "batch", "batch_norm_batch": "batch_statistics"}
ROWS = {
    "vanilla": "vanilla",
    "dropout": "dropout",
    "mix_up": "mix-up",
    "batch_norm": "batch normalisation, running statistics",
    "batch_norm_batch": "batch normalisation, statistics of the test batch",
    "adversarial": "adversarial training",
}
# Images a batch when that matters; the published size.
TEST_BATCH = 100
# Read off the authors' poster at epoch 100, within 0.02, L4 and L8 within 0.05 [author].
PUBLISHED = {
    "vanilla": (0.92, 0.84, 0.23, 0.55, 0.80, 0.83, 0.10, 0.10, 0.15, 0.13),
    "dropout": (0.90, 0.83, 0.21, 0.52, 0.78, 0.82, 0.22, 0.22, 0.20, 0.13),
    "mix_up": (0.77, 0.85, 0.25, 0.57, 0.80, 0.83, 0.48, 0.34, 0.15, 0.13),
    "batch_norm_batch": (0.96, 0.845, 0.38, 0.70, 0.81, 0.84, 0.65, 0.55, 0.39, 0.18),
    "adversarial": (None, 0.69, 0.54, 0.67, 0.69, 0.69, 0.17, 0.11, 0.10, 0.10),
}
PUBLISHED_RADII = (4, 8, 12, 16)


def heuristics(run: Run, config: Heuristics) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    images = load_images(run, config.data, radii=config.radii)
    curves = {}
    for name in NAMES:
        for seed in config.all_seeds:
            model, training, rescale = _model(name, config, images, seed)
            x, y = images.train
            if rescale != "none":
                x = kf.spectral.rescale(x, rescale)
            bands = kf.callbacks.BandAccuracy(
                images.test, radii=config.radii, every=config.every, rescale=rescale
            )
            curves[name, seed] = train(
                run, f"{name}/seed{seed}", model, (x, y), training=training, seed=seed, callbacks=[bands]
            )
            measured = {name: model}
            if name == "batch_norm":
                measured = {row: _at_test(model, kind, config, images) for row, kind in AT_TEST.items()}
            for row, tested in measured.items():
                for mode in ("none", "max"):
                    run.measure(
                        f"{row}/seed{seed}/bands/{mode}",
                        lambda row=row, seed=seed, mode=mode, tested=tested: _bands(
                            config, images, tested, row, seed, mode
                        ),
                    )
    _draw(run, config, curves)
    _report(run, config, len(images.test[1]))


def _model(name: str, config: Heuristics, images: Images, seed: int):
    """What is trained, how, and whether images are rescaled: never for adversarial training, as published."""
    kind = config.batch_norm if name == "batch_norm" else config.network.normalization
    network = with_normalization(config.network, kind)
    dropout = config.dropout if name == "dropout" else 0.0
    model = classifier(network, images, seed=seed, name=name, dropout=dropout)
    if name == "adversarial":
        training = adversarial_training(config.training, config.adversary)
        return adversarial(model, config.adversary, seed=seed), training, "none"
    if name == "mix_up":
        model = kf.training.MixUpModel(model, alpha=config.mix_up, seed=seed, name="mix_up_training")
    return model, config.training, config.rescale


def _at_test(model: keras.Model, kind: str, config: Heuristics, images: Images) -> keras.Model:
    """The trained network with the other kind of batch normalisation, which has the same weights."""
    twin = classifier(with_normalization(config.network, kind), images, seed=0, name=model.name)
    twin.set_weights(model.get_weights())
    return twin


def _bands(
    config: Heuristics, images: Images, model: keras.Model, name: str, seed: int, mode: str
) -> list[dict]:
    result = kf.evaluate.band_accuracy(
        model, images.test, radii=config.radii, rescale=mode, batch_size=TEST_BATCH
    )
    rows = [("clean", result.clean)]
    rows += [(f"L{r:g}", value) for r, value in zip(result.radii, result.low, strict=True)]
    rows += [(f"H{r:g}", value) for r, value in zip(result.radii, result.high, strict=True)]
    return [
        {"network": name, "rescale": mode, "measure": band, "value": value, "seed": seed, "n": result.n}
        for band, value in rows
    ]


def _draw(run: Run, config: Heuristics, curves: dict) -> None:
    panels = {
        f"{words}, r = {radius:g}": {
            label: _stack([curves[name, seed][f"{band}_{radius:g}"] for seed in config.all_seeds])
            for name, label in NAMES.items()
        }
        for band, words in (("low", "low-passed"), ("high", "high-passed"))
        for radius in config.radii
    }
    run.figure(
        "heuristics",
        kf.plots.curves(
            panels,
            columns=len(config.radii),
            chance=0.1,
            title="Accuracy on filtered test images, five ways to train",
        ),
    )


def _stack(curves: list) -> np.ndarray:
    return np.stack([np.asarray(curve, "float64") for curve in curves])


def _report(run: Run, config: Heuristics, n: int) -> None:
    columns = ["clean", *(f"{band}{r:g}" for band in "LH" for r in config.radii)]
    head = ["network", "filtered images", "train", "test", *columns[1:]]
    rows = []
    for name, label in ROWS.items():
        for mode in ("none", "max"):
            cells = [mean_and_range(values(run, network=name, rescale=mode, measure=c), 2) for c in columns]
            trained = values(run, network=name.removesuffix("_batch"), measure="training accuracy")
            trained = mean_and_range(trained, 2)
            rows.append([label, "as they are" if mode == "none" else "divided by their maximum", trained])
            rows[-1] += cells
        if config.radii == PUBLISHED_RADII and name in PUBLISHED:
            cells = [_published(value) for value in PUBLISHED[name]]
            rows.append([label, "published [author]", *cells])
    print_table(f"Accuracy on {n} test images, over the seeds", head, rows)
    claims = []
    for mode in ("none", "max"):
        note = "" if mode == "none" else ", filtered images divided by their maximum"

        def found(name: str, column: str, mode: str = mode) -> np.ndarray:
            return values(run, network=name, rescale=mode, measure=column)

        first, second = (f"H{radius:g}" for radius in (*config.radii, *config.radii)[:2])
        low = f"L{config.radii[0]:g}"
        batch = "batch_norm_batch"
        for text, names, column in (
            ("Batch normalisation promotes high frequencies", (batch, "vanilla"), first),
            ("Batch normalisation promotes high frequencies", (batch, "vanilla"), second),
            ("It does so with running statistics too", ("batch_norm", "vanilla"), first),
            ("Adversarial training lowers high frequencies", ("adversarial", batch), first),
            ("Adversarial training lowers high frequencies", ("adversarial", "vanilla"), first),
            ("Adversarial training keeps low frequencies", ("adversarial", "vanilla"), low),
        ):
            claims.append(_claim(f"{text} ({column}{note})", names, column, found, n, config))
    notes = (
        f"Network: {config.network.model}. Rows 'published' are read off the authors' poster (ResNet-32, "
        "epoch 100; training and filtered images divided by their maximum, but for adversarial training; "
        f"batch normalisation by the statistics of test batches of {TEST_BATCH}). Our adversarial training "
        "divides nothing either.\n\n"
    )
    path = run.summary("HFC: heuristics", claims, notes=notes + markdown(head, rows))
    run.say(str(path))


def _published(value: float | None) -> str:
    """As it was read off: two digits, or the three that one has."""
    return "n/a" if value is None else f"{value:.3f}".removesuffix("0")


def _claim(text: str, names: tuple[str, str], column: str, found, n: int, config: Heuristics) -> Claim:
    first, second = (found(name, column) for name in names)
    published = "-"
    if config.radii == PUBLISHED_RADII and all(name in PUBLISHED for name in names):
        place = 2 + [f"{band}{r:g}" for band in "LH" for r in config.radii].index(column)
        published = (
            ", ".join(f"{ROWS[name]} {_published(PUBLISHED[name][place])}" for name in names) + " [author]"
        )
    verdict = order(first, second, higher="higher", lower="lower")
    return Claim(
        text,
        published,
        f"{ROWS[names[0]]} {mean_and_range(first)}, {ROWS[names[1]]} {mean_and_range(second)}: {verdict}",
        n,
        tuple(f"{name.removesuffix('_batch')}/" for name in names),
        config.all_seeds,
    )
