"""``python -m apps.hfc EXPERIMENT configs/hfc/EXPERIMENT.cpu.yaml``."""

from apps.hfc import config
from apps.lab import Experiment, main

EXPERIMENTS = {
    "learning": Experiment(config.Learning, "apps.hfc.learning:learning"),
    "heuristics": Experiment(config.Heuristics, "apps.hfc.heuristics:heuristics"),
    "components": Experiment(config.Components, "apps.hfc.components:components"),
    "kernels": Experiment(config.Kernels, "apps.hfc.kernels:kernels"),
    "gallery": Experiment(config.Gallery, "apps.hfc.gallery:gallery"),
    "perturbations": Experiment(config.Perturbations, "apps.hfc.perturbations:perturbations"),
    "bn_study": Experiment(config.BNStudy, "apps.hfc.bn_study:bn_study"),
}

if __name__ == "__main__":
    main("hfc", EXPERIMENTS)
