"""``python -m apps.references EXPERIMENT configs/references/cifar10.yaml``."""

from apps.lab import Experiment, main
from apps.references import config

EXPERIMENTS = {
    "train": Experiment(config.References, "apps.references.training:train"),
}

if __name__ == "__main__":
    main("references", EXPERIMENTS)
