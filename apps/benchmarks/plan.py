"""What measuring a large set costs, on paper: passes through the network, by formula, over a forward rate."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks.config import Plan
from apps.benchmarks.history import describe_machine
from apps.lab import Run
from apps.lab.report import markdown, print_table

# A gradient with respect to the image costs about two forward passes more.
_GRADIENT = 3


@dataclasses.dataclass(frozen=True)
class Work:
    """A measurement.

    Args:
        name: What it is called in tables.
        passes: Images through the network, forward; a backward pass counts as two.
        loaded: Images that go to a device.
        corrupted: Images that the host's cores corrupt first.
        lines: Lines of its journal.
    """

    name: str
    passes: float
    loaded: float
    corrupted: float = 0
    lines: int = 0


def plan(run: Run, config: Plan) -> None:
    measured = {"rate": config.rate, "corruption_ms": config.corruption_ms}
    if config.rate is None or config.corruption_ms is None:
        run.measure("here", _measure_here, config)
        found = {one["measure"]: float(one["value"]) for one in run.measured("here")}
        measured = {name: found.get(name, value) for name, value in measured.items()}
    rate, corruption_ms = (float(value) for value in measured.values() if value is not None)
    rows = []
    for work in list_work(config):
        hours, slowest = zip(
            *(cost(config, work, rate, corruption_ms, n) for n in config.devices), strict=True
        )
        shown = [f"{value:.2g}" if value < 10 else f"{value:,.0f}" for value in hours]
        rows.append([work.name, f"{work.passes:.3g}", *shown, slowest[-1], str(work.lines or "")])
    made = describe_machine()
    head = ["measurement", "passes", *(f"hours, {n} devices" for n in config.devices)]
    head += [f"slowest with {config.devices[-1]}", "lines of the journal"]
    source = "given" if config.rate else "ResNet-50, measured here"
    notes = (
        f"{config.images} images of {config.size} px, {config.classes} classes; {rate:,.3g} images a second "
        f"and device forward ({source}), {corruption_ms:.3g} ms a corrupted image and core; "
        f"{config.cores} cores "
        f"and {config.bandwidth:g} GB/s for each device, {config.step_ms:g} ms of the board for each step of "
        f"{config.step_images} images; {made['device']}, {made['backend']} "
        f"{made['backend_version']}."
    )
    print_table("Hours", head, rows, whole=True)
    run.say(notes)
    run.summary("What a large set costs", [], notes=f"{notes}\n\n{markdown(head, rows)}")


def list_work(config: Plan) -> Iterator[Work]:
    """The measurements, with what each passes through the network."""
    n, side, classes = config.images, config.size, config.classes
    # One of each pair of conjugate frequencies: its own mirror are DC and, of an even side, three more.
    pairs = (side**2 + (4 if side % 2 == 0 else 1)) // 2
    few, search = min(n, config.few), min(n, config.per_class * classes)
    corruptions, severities = 15, 5
    yield Work("accuracy", n, n)
    yield Work("bands, 10 radii", 21 * n, n)
    yield Work("amplitude swap", 3 * n, 2 * n)
    yield Work("spectrum of the gradients", _GRADIENT * n, n)
    yield Work(
        f"heat map, every wave, {few} images", pairs * few, few * np.ceil(pairs / 64), lines=-(-pairs // 64)
    )
    yield Work("heat map, every wave", pairs * n, n * np.ceil(pairs / 64), lines=-(-pairs // 64))
    copies = corruptions * severities * n
    yield Work("corruptions, 15 x 5", copies + n, copies + n, corrupted=copies)
    yield Work("PGD, 20 steps, 3 radii", 3 * (20 * _GRADIENT + 1) * n, 3 * n)
    masks, budget = f"{config.per_class} images a class", sum(config.budgets)
    yield Work(
        f"exact ranking, {masks}", (pairs + 1) * search, search * np.ceil(pairs / 512), lines=-(-pairs // 512)
    )
    yield Work(f"first-order ranking, {masks}", _GRADIENT * search, search)
    yield Work(
        f"HFSS, {budget} masks, {masks}",
        (budget + 1) * search,
        search * np.ceil(budget / 256),
        lines=-(-budget // 256),
    )
    learned = classes * config.steps * config.images_per_step
    yield Work("learned maps of one share", _GRADIENT * learned, learned, lines=classes)
    yield Work("shortcut test, own class", 2 * n, n)
    yield Work("shortcut test, all classes", (1 + classes) * n, n)


def cost(config: Plan, work: Work, rate: float, corruption_ms: float, devices: int) -> tuple[float, str]:
    """Hours on so many devices, and what takes them."""
    size = 4 * 3 * config.size**2
    hours = {
        "device": work.passes / rate / devices,
        "bus": work.loaded * size / (config.bandwidth * 1e9) / devices,
        "cores": work.corrupted * corruption_ms / 1000 / config.cores / devices,
        "board": work.passes / config.step_images * config.step_ms / 1000 if devices > 1 else 0.0,
        "journal": work.lines * config.line_ms / 1000,  # one process writes it
    }
    slowest = max(hours, key=lambda name: hours[name])
    return hours[slowest] / 3600, slowest


def _measure_here(config: Plan) -> list[dict]:
    """Forward rate of ResNet-50 on this device, and milliseconds a corrupted image on one core."""
    shape = (config.size, config.size, 3)
    images = np.random.default_rng(0).random((config.batch_size, *shape), "float32")
    rows = []
    if config.rate is None:
        model = keras.applications.ResNet50(weights=None, input_shape=shape, classes=config.classes)
        classifier = kf.Classifier(model, value_range=(0, 1), from_logits=False)
        seconds = min(_time(classifier, images) for _ in range(3))
        rows.append({"measure": "rate", "value": len(images) / seconds})
    if config.corruption_ms is None:
        few, begun = images[:2], time.perf_counter()
        for name in kf.data.CORRUPTIONS:
            kf.data.corrupt(few, name, 3, seed=0)
        spent = time.perf_counter() - begun
        rows.append({"measure": "corruption_ms", "value": 1000 * spent / len(few) / len(kf.data.CORRUPTIONS)})
    return rows


def _time(classifier: kf.Classifier, images: np.ndarray) -> float:
    begun = time.perf_counter()
    kf.evaluate.predict_logits(classifier, images, batch_size=len(images))
    return time.perf_counter() - begun
