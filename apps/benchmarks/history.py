"""The JSON file of a run, and what became slower since an earlier one."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import scipy

from apps.lab.errors import RunError, one_line
from apps.lab.files import write_json
from apps.lab.versions import versions

FORMAT = 1
BEYOND = 1.10  # what is up by less is no finding, however small the spread
# What must be the same for two runs to be compared, and what must not: the rest of the settings.
_MACHINE = (
    "device",
    "machine",
    "cpu_count",
    "python",
    "keras",
    "backend",
    "backend_version",
    "numpy",
    "scipy",
)
_PLACES = {"output", "history", "against"}  # of no account to the numbers, and of nobody else's business
_FREE = _PLACES | {"full", "device", "groups", "seconds", "pairs", "seed"}


@dataclasses.dataclass(frozen=True)
class Change:
    """A row of two runs. `factor`: how many times the old time, relative to what it is paired with."""

    name: str
    factor: float
    verdict: str  # slower, faster or same


def describe_machine() -> dict[str, Any]:
    """Versions, the machine, and the device that computes."""
    return {**versions(), "scipy": scipy.__version__, "device": device_name()}


def accelerator_name() -> str | None:
    """The name of the accelerator that Keras computes on, or None where it is the processor."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        return None if device.platform == "cpu" else str(device.device_kind)
    if backend == "torch":
        import torch

        return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else None
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        return str(tf.config.experimental.get_device_details(device).get("device_name", device.name))
    return None


def device_name() -> str:
    """The name of the accelerator that Keras computes on, or of the processor."""
    accelerator = accelerator_name()
    if accelerator is not None:
        return accelerator
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def make_document(settings: dict[str, Any], rows: list[dict], machine: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a run."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "format": FORMAT,
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "load": load,
        "machine": machine,
        "settings": {name: value for name, value in settings.items() if name not in _PLACES},
        "rows": rows,
    }


def append(folder: str | os.PathLike, document: dict[str, Any]) -> Path:
    """Adds the file of a run to the history: ``<time>-<backend>.json``, never over another."""
    stamp = document["date"][:19].replace("-", "").replace(":", "").replace("T", "-")
    name = f"{stamp}-{document['machine']['backend']}"
    path, count = Path(folder) / f"{name}.json", 2
    while path.exists():
        path, count = Path(folder) / f"{name}-{count}.json", count + 1
    return write_json(path, document)


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The file of a run.

    Raises:
        RunError: If it is none.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ValueError(f"format {document['format']}")
        if not all(isinstance(document[key], dict) for key in ("machine", "settings")):
            raise ValueError("no machine or settings")
        for row in document["rows"]:
            name_of(row)
        return document
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"there must be the JSON file of a run of the benchmarks. Received: {path} ({one_line(error)})"
        ) from error


def name_of(row: dict) -> str:
    """What tells a row from all others, in words."""
    parts = (row["group"], row["case"], row["shape"], row["dtype"], f"beside {row['other']}")
    return ", ".join(part for part in parts if part)


def find_differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Why two runs cannot be compared; nothing where they can."""
    pairs = [(key, old["machine"].get(key), new["machine"].get(key)) for key in _MACHINE]
    keys = sorted((set(old["settings"]) | set(new["settings"])) - _FREE)
    pairs += [(key, old["settings"].get(key), new["settings"].get(key)) for key in keys]
    return [f"{key} was {before}, is {now}" for key, before, now in pairs if before != now]


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """The rows that both runs have, the slowest first.

    A row is slower if it is so twice: by the clock, and relative to what it is paired with, which the speed
    of the machine at that hour hits alike. Each time the median must be up by more than a tenth, and the
    lower quartile lie above the upper quartile of the old run. Faster: the other way round. Memory, which has
    no spread, by the peak alone.
    """
    before = {name_of(row): row for row in old["rows"]}
    found = []
    for row in new["rows"]:
        past = before.get(name_of(row))
        if past is None:
            continue
        keys = ("peak_mib",) if "peak_mib" in row else ("ours", "ratio")
        ways = {_direction(past, row, key) for key in keys}
        verdict = ways.pop() if len(ways) == 1 else "same"
        found.append(Change(name_of(row), float(row[keys[-1]] / past[keys[-1]]), verdict))
    return sorted(found, key=lambda change: -change.factor)


def slower_rows(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    """The names of the rows that became slower; none where the runs cannot be compared."""
    if find_differences(old, new):
        return set()
    return {change.name for change in compare(old, new) if change.verdict == "slower"}


def tell(old: dict[str, Any], new: dict[str, Any], again: list[dict] | None = None) -> str:
    """The comparison in words. `again`: what was slower, measured once more; only what still is so counts."""
    head = f"Against the run of {old.get('date', 'unknown date')}: "
    differences = find_differences(old, new)
    if differences:
        return f"{head}not comparable: {'; '.join(differences)}."
    changes = compare(old, new)
    if not changes:
        return f"{head}no row in common."
    if again is not None:
        still = slower_rows(old, {**new, "rows": again})
        changes = [
            dataclasses.replace(c, verdict="slower once")
            if c.verdict == "slower" and c.name not in still
            else c
            for c in changes
        ]
    counts = Counter(change.verdict for change in changes)
    lines = [
        f"{head}of {len(changes)} rows {counts['slower']} slower, {counts['slower once']} slower once and "
        f"not when measured again, {counts['faster']} faster, {counts['same']} the same "
        f"(beyond {round(100 * BEYOND - 100)} % and both quartiles, by the clock and relative to its pair)."
    ]
    for verdict in ("slower", "faster"):
        lines += [f"  {verdict}: {c.name}: {c.factor:.2f}x" for c in changes if c.verdict == verdict]
    return "\n".join(lines)


def _direction(past: dict, row: dict, key: str) -> str:
    factor = row[key] / past[key]
    low, high = (name if name in row else key for name in (f"{key}_low", f"{key}_high"))
    if factor > BEYOND and row[low] > past[high]:
        return "slower"
    return "faster" if factor < 1 / BEYOND and row[high] < past[low] else "same"
