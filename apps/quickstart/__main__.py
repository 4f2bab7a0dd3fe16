"""``python -m apps.quickstart configs/quickstart/cifar10_mini.yaml``."""

from apps.quickstart.config import Quickstart
from apps.runner import Experiment, main

if __name__ == "__main__":
    main("quickstart", Experiment(Quickstart, "apps.quickstart.experiment:quickstart"))
