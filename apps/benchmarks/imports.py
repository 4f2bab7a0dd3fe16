"""What `import keras_freq` costs beyond `import keras`."""

from __future__ import annotations

import subprocess
import sys

from apps.benchmarks.config import Speed
from apps.benchmarks.timing import Pair, describe

PROGRAM = """
import time
start = time.perf_counter()
import keras
middle = time.perf_counter()
import keras_freq
print(middle - start, time.perf_counter() - middle)
"""


def import_time(config: Speed) -> list[dict]:
    """Both imports in new processes; of the first, which may read from disk, nothing counts."""
    times = []
    for _ in range(1 + min(2, config.pairs)):
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
        times.append([float(part) for part in done.stdout.split()])
    both, own = zip(*times[1:], strict=True)
    pair = Pair(own, both, times[0][1])
    return [describe(pair, "import keras before it", case="import keras_freq", shape="", dtype="")]
