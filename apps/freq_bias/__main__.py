"""``python -m apps.freq_bias EXPERIMENT configs/freq_bias/EXPERIMENT.cpu.yaml``."""

from apps.freq_bias import config
from apps.lab import Experiment, main

EXPERIMENTS = {
    "priority": Experiment(config.Priority, "apps.freq_bias.priority:priority"),
    "onset": Experiment(config.Onset, "apps.freq_bias.onset:onset"),
    "generate": Experiment(config.Generate, "apps.freq_bias.generate:generate"),
    "discrimination": Experiment(config.Discrimination, "apps.freq_bias.discrimination:discrimination"),
    "consistency": Experiment(config.Consistency, "apps.freq_bias.consistency:consistency"),
    "regularizer": Experiment(config.Regularizer, "apps.freq_bias.regularizer:regularizer"),
    "densities": Experiment(config.Densities, "apps.freq_bias.densities:densities"),
}

if __name__ == "__main__":
    main("freq_bias", EXPERIMENTS)
