"""``python -m apps.benchmarks configs/benchmarks/cpu.yaml``."""

from apps.benchmarks.config import Benchmarks
from apps.runner import Experiment, main

if __name__ == "__main__":
    main("benchmarks", Experiment(Benchmarks, "apps.benchmarks.experiment:benchmarks"))
