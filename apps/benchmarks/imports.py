"""What `import keras_freq` costs beyond `import keras`."""

from __future__ import annotations

import statistics
import subprocess
import sys

from apps.benchmarks.config import Benchmarks
from apps.benchmarks.timing import describe

PROGRAM = """
import time
start = time.perf_counter()
import keras
middle = time.perf_counter()
import keras_freq
print(middle - start, time.perf_counter() - middle)
"""


def import_time(config: Benchmarks, test: tuple) -> list[dict]:
    """Both imports in new processes."""
    times = []
    for _ in range(max(2, config.repeats // 2 + 1)):
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
        times.append([float(part) for part in done.stdout.split()])
    both, own = (statistics.median(column) for column in zip(*times[1:], strict=True))
    keras = f"{both:.2f} s (keras)"
    share = f"{100 * own / both:.1f} %"
    return [describe("import keras_freq after import keras", f"{own:.3f} s", keras, share, "at most 0.1 s")]
