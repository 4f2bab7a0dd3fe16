"""The quickstart: two networks that come with the package, a short training, six looks at each of three."""

from __future__ import annotations

import time

import keras

import keras_freq as kf
from apps.lab import Run
from apps.lab.errors import RunError, one_line
from apps.lab.images import Images, check_counts, load_images
from apps.lab.resumable import fit_resumably
from apps.quickstart.config import Quickstart
from apps.quickstart.looking import look
from apps.quickstart.report import draw, report


def quickstart(run: Run, config: Quickstart) -> None:
    start = time.perf_counter()
    networks = {
        "standard": _reference("network", config.network),
        "beside": _reference("beside", config.beside),
    }
    images = load_images(run, config.data, radii=config.measure.radii)
    check_counts(
        images,
        **{
            f"measure.{name}": getattr(config.measure, name)
            for name in ("images", "heat_map_images", "corrupted_images", "attack_images")
        },
    )
    for name, network in networks.items():
        _check_fits(network, images, getattr(config, "network" if name == "standard" else name))
    looks = {name: look(run, config, name, network, images) for name, network in networks.items()}
    tuned = _fine_tune(run, config, images)
    looks["tuned"] = look(run, config, "tuned", tuned, images)
    networks["tuned"] = tuned
    draw(run, config, images, networks, looks)
    report(run, config, looks)
    run.say(f"{(time.perf_counter() - start) / 60:.1f} minutes this time")


def _reference(setting: str, name: str) -> keras.Model:
    try:
        return kf.models.reference(name)
    except ValueError as error:
        raise RunError(f"`{setting}`: {one_line(error)}") from error


def _check_fits(network: keras.Model, images: Images, name: str) -> None:
    shape, classes = network.input_shape[1:], network.output_shape[-1]
    if images.shape != shape or len(images.classes) != classes:
        raise RunError(
            f"`data.name` must have images of shape {shape} and {classes} classes, as {name}. "
            f"Received: images of shape {images.shape}, {len(images.classes)} classes"
        )


def _fine_tune(run: Run, config: Quickstart, images: Images) -> keras.Model:
    """The plainly trained network after a few epochs with APR-SP."""
    training, seed = config.training, config.seed
    network = kf.models.reference(config.network)
    network.name = "fine_tuned"
    feed = kf.data.ArrayBatches(*images.train, batch_size=training.batch_size, shuffle=True, seed=seed)
    model = kf.APRModel(
        network,
        single=kf.layers.APRSingle(probability=training.apr_single, seed=seed + 2),
        pair=kf.layers.APRPair(probability=training.apr_pair, seed=seed + 3),
        augment=kf.layers.CropFlip(2, seed=seed + 1),
        reduction="mean",
        name="fine_tuning",
    )
    model.build((None, *images.shape))
    schedule = keras.optimizers.schedules.CosineDecay(training.learning_rate, training.epochs * len(feed))
    model.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # Compiling the step would take longer than these few steps.
        jit_compile=False,
    )
    checkpoint = run.checkpoint("fine_tuned")
    history = fit_resumably(
        model, feed, epochs=training.epochs, checkpoint=checkpoint, label="training on with APR-SP"
    )
    run.measure(
        "tuned/training",
        dict,
        model="tuned",
        measure="training accuracy",
        setting=training.epochs,
        value=history["accuracy"][-1],
        n=len(images.train[1]),
        seconds=sum(history["seconds"]),
    )
    return network
