"""``python -m apps.benchmarks configs/benchmarks/cpu.yaml``."""

from apps.benchmarks.config import Benchmarks
from apps.lab import Experiment, main

EXPERIMENT = Experiment(Benchmarks, "apps.benchmarks.experiment:benchmarks")

if __name__ == "__main__":
    main("benchmarks", EXPERIMENT)
