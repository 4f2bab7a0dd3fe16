"""What runs in a process of its own, for its peak memory: ``python -m apps.benchmarks.child KIND JSON``.

The peak is that of the resident memory of the whole process since it began. It never falls, so that a step
shows only where it goes beyond all before it; compiling counts, an accelerator's memory does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from apps.lab.errors import RunError
from apps.lab.logs import quiet_start

ROOT = Path(__file__).resolve().parents[2]


def ask(kind: str, **settings: object) -> list[dict]:
    """What `KINDS[kind](**settings)` finds in a new process, with this one's backend."""
    words = [sys.executable, "-m", "apps.benchmarks.child", kind, json.dumps(settings)]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise RunError(f"{kind} {settings} must end well in its process. Received: {last}", code=1)
    return json.loads(done.stdout.splitlines()[-1])


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        # On Linux this would start from the peak of the process that started this one.
        import resource  # not on Windows

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1 << (20 if sys.platform == "darwin" else 10))


def measure_peak(case: str, images: int, batch_size: int) -> list[dict]:
    """The peak after the bare way on a batch, and after the case: a sweep, or a training step."""
    import keras_freq as kf
    from apps.benchmarks.sweeps import BACKWARD, FREQUENCIES, SWEEPS, Work, bare_passes
    from apps.benchmarks.training import make_step

    pixels, labels = take_images(images)
    batch = pixels[:batch_size], labels[:batch_size]
    if case not in SWEEPS:
        make_step("standard", *batch)()
        before = peak_mib()
        make_step(case, *batch)()
    else:
        model = kf.models.small_resnet()
        bare = Work(int, len(batch[0]), "gradient" if case in BACKWARD else "forward")
        bare_passes(model, *batch, bare)[0]()
        before = peak_mib()
        SWEEPS[case](model, pixels, labels, FREQUENCIES).run()
    return [{"before": round(before, 1), "after": round(peak_mib(), 1)}]


def measure_growth(
    sweep: str, axis: str, factor: int, repeats: int, images: int, frequencies: int, classes: int
) -> list[dict]:
    """Milliseconds, by the clock and of CPU, and peak memory of a sweep at 1, 2, 4, ... times its size."""
    import numpy as np

    import keras_freq as kf
    from apps.benchmarks.sweeps import SWEEPS

    found, scale, model = [], 1, None
    while scale <= factor:
        sizes = {"images": images, "frequencies": frequencies, "classes": classes}
        sizes[axis] *= scale
        pixels, labels = take_images(sizes["images"])
        labels = (np.arange(len(labels)) % sizes["classes"]).astype("int32")
        if model is None or axis == "classes":
            model = kf.models.small_resnet(classes=sizes["classes"], width=8)
        work = SWEEPS[sweep](model, pixels, labels, sizes["frequencies"])
        work.run()
        times = []
        for _ in range(repeats):
            start = time.perf_counter(), time.process_time()
            work.run()
            times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
        clock, cpu = (round(1e3 * min(column), 3) for column in zip(*times, strict=True))
        size = work.frequencies if axis == "frequencies" else sizes[axis]
        row = {"size": size, "ms": clock, "cpu_ms": cpu, "peak": round(peak_mib(), 1)}
        found.append(row | {"images_mib": round(pixels.nbytes / 2**20, 1)})
        scale *= 2
    return found


def take_images(count: int) -> tuple:
    """So many of the bundled test images, from the start again where they are too few."""
    import numpy as np

    import keras_freq as kf

    images, labels = kf.data.load("cifar10_mini", feed="pydataset").arrays("test")
    places = np.arange(count) % len(images)
    return images[places], labels[places]


KINDS: dict[str, Callable[..., list[dict]]] = {"peak": measure_peak, "growth": measure_growth}

if __name__ == "__main__":
    with quiet_start():
        import keras  # noqa: F401
    print(json.dumps(KINDS[sys.argv[1]](**json.loads(sys.argv[2]))))
