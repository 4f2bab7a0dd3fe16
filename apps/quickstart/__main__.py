"""``python -m apps.quickstart configs/quickstart/cifar10_mini.yaml``."""

from apps.lab import Experiment, main
from apps.quickstart.config import Quickstart

EXPERIMENT = Experiment(Quickstart, "apps.quickstart.experiment:quickstart")

if __name__ == "__main__":
    main("quickstart", EXPERIMENT)
