"""``python -m apps.references EXPERIMENT configs/references/CONFIG.yaml``."""

from apps.lab import Experiment, main
from apps.references import config

EXPERIMENTS = {
    "train": Experiment(config.References, "apps.references.training:train"),
    "beyond": Experiment(config.Beyond, "apps.references.beyond:beyond"),
    "shortcuts": Experiment(config.Shortcuts, "apps.references.shortcuts:shortcuts"),
    "look": Experiment(config.Look, "apps.references.sending:look"),
}

if __name__ == "__main__":
    main("references", EXPERIMENTS)
