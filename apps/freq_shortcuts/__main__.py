"""``python -m apps.freq_shortcuts EXPERIMENT configs/freq_shortcuts/EXPERIMENT.cpu.yaml``."""

from apps.freq_shortcuts import config
from apps.lab import Experiment, main

EXPERIMENTS = {
    "synthetic": Experiment(config.Synthetic, "apps.freq_shortcuts.synthetic:synthetic"),
    "learning": Experiment(config.Learning, "apps.freq_shortcuts.learning:learning"),
    "adcs": Experiment(config.Adcs, "apps.freq_shortcuts.adcs:adcs"),
    "study": Experiment(config.Study, "apps.freq_shortcuts.study:study"),
    "transfer": Experiment(config.Transfer, "apps.freq_shortcuts.transfer:transfer"),
    "pretrained": Experiment(config.Pretrained, "apps.freq_shortcuts.pretrained:pretrained"),
    "frontier": Experiment(config.Frontier, "apps.freq_shortcuts.frontier:frontier"),
    "exchange": Experiment(config.Exchange, "apps.freq_shortcuts.exchange:exchange"),
    "cure": Experiment(config.Cure, "apps.freq_shortcuts.cure:cure"),
    "hfss": Experiment(config.Compare, "apps.freq_shortcuts.hfss:hfss"),
}

if __name__ == "__main__":
    main("freq_shortcuts", EXPERIMENTS)
