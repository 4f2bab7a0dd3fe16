"""ImageNet: clean error, and the mean corruption error relative to AlexNet."""

from __future__ import annotations

import keras
import numpy as np

import keras_freq as kf
from apps.apr.large_config import ImageNet
from apps.apr.large_images import Stream, open_stream
from apps.apr.large_networks import LABELS as NETWORKS
from apps.apr.large_networks import large_classifier, shared_among_devices, training_model
from apps.apr.networks import compile_for
from apps.apr.rows import LABELS
from apps.lab import Claim, Run, RunError
from apps.lab.report import markdown, mean_and_range, order, print_table, values
from apps.lab.resumable import fit_resumably

# mCE of ResNet-50 on ImageNet-C in percent, from the authors' page [author].
PUBLISHED = {"standard": 80.6, "apr_s": 70.5, "apr_p": 69.3, "apr_sp": 65.0}
# (the lower one, the higher one), as published.
ORDERS = (
    ("apr_s", "standard"),
    ("apr_p", "standard"),
    ("apr_sp", "standard"),
    ("apr_sp", "apr_s"),
    ("apr_sp", "apr_p"),
)


def imagenet(run: Run, config: ImageNet) -> None:
    """Runs the experiment of `config` in the folder of `run`."""
    names = _corruptions(config)
    with shared_among_devices(config):
        _check_corrupted(config, names)
        for seed in config.all_seeds:
            stream = open_stream(run, config, seed=seed)
            height, width, _ = stream.train_shape
            run.say(
                f"{stream.name}: {len(stream.train)} batches of {config.training.batch_size} training images "
                f"{height} x {width}, {len(stream.classes)} classes"
            )
            for row in config.rows:
                model = _trained(run, config, row, stream, seed=seed)
                _measured(run, config, row, model, stream, names, seed=seed)
    _draw(run, config, names)
    _report(run, config, names)


def _corruptions(config: ImageNet) -> tuple[str, ...]:
    names = config.corruptions or tuple(kf.data.CORRUPTIONS)
    known = (*kf.data.CORRUPTIONS, *kf.data.EXTRA_CORRUPTIONS)
    if len(set(names)) < len(names) or not set(names) <= set(known):
        raise RunError(
            f"`corruptions` must be null or some of {', '.join(known)}, each once. "
            f"Received: corruptions={list(names)}"
        )
    return names


def _check_corrupted(config: ImageNet, names: tuple[str, ...]) -> None:
    """Looks at all stored copies before anything is trained."""
    source = config.corrupted
    if source is None:
        return
    try:
        for name in names:
            for severity in config.severities:
                if source == "imagenet2012_corrupted":
                    kf.data.load(f"{source}/{name}_{severity}", data_dir=config.data.data_dir)
                    continue
                size = kf.data.read_corrupted(source, name, severity)[0].shape[1:3]
                if size != (config.crop, config.crop):
                    raise RunError(
                        f"`corrupted` must hold images of the size of `crop`, {config.crop}. "
                        f"Received: {name}.npy with images of {size[0]} x {size[1]}"
                    )
    except (OSError, ValueError, ImportError) as error:
        raise RunError(str(error)) from error


def _trained(run: Run, config: ImageNet, row: str, stream: Stream, *, seed: int) -> keras.Model:
    """The classifier of one row."""
    classifier = large_classifier(config, len(stream.classes), seed=seed, name=row)
    model = training_model(config, row, classifier, seed=seed)
    model.build((None, *stream.train_shape))
    compile_for(model, config.training, steps=len(stream.train))
    name = f"{config.network}/{row}/seed{seed}"
    history = fit_resumably(
        model, stream.train, epochs=config.training.epochs, checkpoint=run.checkpoint(name), label=name
    )
    run.measure(
        f"{name}/training",
        lambda: {
            "network": config.network,
            "row": row,
            "measure": "training accuracy",
            "value": history["accuracy"][-1],
            "seed": seed,
            "epochs": config.training.epochs,
            "batches": len(stream.train),
            "feed": "PyDataset" if isinstance(stream.train, keras.utils.PyDataset) else "tf.data",
            "parameters": classifier.count_params(),
            "seconds": sum(history["seconds"]),
        },
    )
    return classifier


def _measured(
    run: Run,
    config: ImageNet,
    row: str,
    model: keras.Model,
    stream: Stream,
    names: tuple[str, ...],
    *,
    seed: int,
) -> None:
    """Clean error, then one corruption after the other: a run that was cut short goes on with the next."""
    name = f"{config.network}/{row}/seed{seed}"
    record = {"network": config.network, "row": row, "seed": seed}

    def clean() -> dict:
        result = kf.evaluate.accuracy(model, stream.test, progress=None)
        return {**record, "measure": "clean error", "value": 1 - result.accuracy, "n": result.n}

    def corrupted(corruption: str) -> list[dict]:
        result = kf.evaluate.corruption_error(
            model,
            config.corrupted or stream.test,
            corruptions=(corruption,),
            severities=config.severities,
            seed=config.seed,
            table=config.table,
            data_dir=config.data.data_dir,
            batch_size=config.training.batch_size if config.corrupted else None,
        )
        run.say(f"{name}  {corruption} {100 * result.mean:.1f} %")
        return [
            {
                **record,
                "measure": "error",
                "corruption": corruption,
                "severity": cell["severity"],
                "value": cell["error"],
                "n": result.n,
            }
            for cell in result.rows()[1:]
        ]

    run.measure(f"{name}/clean", clean)
    for corruption in names:
        run.measure(f"{name}/{corruption}", lambda corruption=corruption: corrupted(corruption))


def _errors(run: Run, config: ImageNet, row: str, name: str) -> np.ndarray:
    """Errors under one corruption, `(severities, seeds)`."""
    kind = {"row": row, "measure": "error", "corruption": name}
    return np.stack([values(run, **kind, severity=severity) for severity in sorted(config.severities)])


def _is_published_measure(config: ImageNet, names: tuple[str, ...]) -> bool:
    complete = set(names) == set(kf.data.CORRUPTIONS) and sorted(config.severities) == [1, 2, 3, 4, 5]
    return complete and config.crop == 224


def corruption_errors(run: Run, config: ImageNet, row: str, names: tuple[str, ...]) -> np.ndarray:
    """One number a seed: mCE relative to AlexNet where all of ImageNet-C is there, else the plain mean."""
    errors = {name: _errors(run, config, row, name) for name in names}
    found = []
    for place in range(config.seeds):
        cells = tuple(tuple(errors[name][:, place].tolist()) for name in names)
        result = kf.evaluate.CorruptionResult(
            model=row,
            n=0,
            settings={},
            versions={},
            corruptions=names,
            severities=tuple(sorted(config.severities)),
            errors=cells,
            clean_error=float("nan"),
            mean=float(np.mean(cells)),
        )
        published = _is_published_measure(config, names)
        found.append(kf.evaluate.mean_corruption_error(result) if published else result.mean)
    return np.array(found)


def _draw(run: Run, config: ImageNet, names: tuple[str, ...]) -> None:
    table = {}
    for row in config.rows:
        errors = {"clean": values(run, row=row, measure="clean error")}
        errors |= {name: _errors(run, config, row, name).mean(axis=0) for name in names}
        table[LABELS[row]] = errors
    seeds = ", ".join(map(str, config.all_seeds))
    title = f"{NETWORKS[config.network]}: error under corruptions in percent, mean over seeds {seeds}"
    run.figure("corruptions", kf.plots.corruption_table(table, title=title))


def _report(run: Run, config: ImageNet, names: tuple[str, ...]) -> None:
    published = _is_published_measure(config, names)
    measure = "mCE relative to AlexNet" if published else "mean corruption error, un-normalised"
    n = next(r["n"] for r in run.records if r["measure"] == "clean error")
    found = {row: 100 * corruption_errors(run, config, row, names) for row in config.rows}
    head = ["row", "training accuracy", "clean error", measure, "published mCE (ResNet-50)"]
    rows = []
    for row in config.rows:
        accuracy = mean_and_range(values(run, row=row, measure="training accuracy"), 2)
        clean = mean_and_range(100 * values(run, row=row, measure="clean error"), 1)
        rows.append(
            [LABELS[row], accuracy, clean, mean_and_range(found[row], 1), f"{PUBLISHED[row]} [author]"]
        )
    claims = []
    for low, high in ORDERS:
        if low not in found or high not in found:
            continue
        names_of = {row: LABELS[row] for row in (low, high)}
        verdict = order(
            found[high],
            found[low],
            higher=f"{names_of[low]} is lower",
            lower=f"{names_of[low]} is higher",
        )
        ours = ", ".join(f"{names_of[row]} {mean_and_range(found[row], 1)}" for row in (low, high))
        claims.append(
            Claim(
                f"{names_of[low]} has a lower corruption error than {names_of[high]}",
                f"mCE {PUBLISHED[low]} against {PUBLISHED[high]} (ResNet-50, ImageNet-C) [author]",
                f"{ours}: {verdict}",
                n,
                tuple(f"{config.network}/{row}/" for row in (low, high)),
                config.all_seeds,
            )
        )
    print_table(f"{NETWORKS[config.network]}, errors in percent on {n} test images", head, rows)
    notes = f"Errors in percent. {_notes(run, config, names, published)}\n\n{markdown(head, rows)}"
    run.say(str(run.summary("APR: large images under corruptions", claims, notes=notes)))


def _notes(run: Run, config: ImageNet, names: tuple[str, ...], published: bool) -> str:
    which = (
        "mCE: mean over the 15 corruptions of the error relative to that of AlexNet, as published."
        if published
        else f"Corruption error: plain mean over {len(names)} corruptions at severities "
        f"{', '.join(map(str, sorted(config.severities)))}, images of {config.crop} px; not the published "
        "mCE, which needs all 15 at severities 1 to 5 and 224 px."
    )
    data = next(r["value"] for r in run.records if r["stage"] == "data")
    source = (
        f"the {config.crop}-px crops of {data}, corrupted as they were read (keras_freq.data.corrupt, "
        f"table {config.table}; not the files of ImageNet-C)"
        if config.corrupted is None
        else config.corrupted
    )
    streamed = any(r.get("feed") == "tf.data" for r in run.records)
    images = " Fed by tf.data: a training that was gone on with saw the images in another order." * streamed
    return f"{which} Corrupted images: {source}. Training images: {data}.{images}"
