"""``python -m apps.apr EXPERIMENT configs/apr/EXPERIMENT.cpu.yaml``."""

from apps.apr import config, large_config
from apps.lab import Experiment, main

EXPERIMENTS = {
    "corrupt": Experiment(config.Corrupt, "apps.apr.corrupt:corrupt"),
    "table": Experiment(config.Table, "apps.apr.table:table"),
    "swap": Experiment(config.Swap, "apps.apr.swap:swap"),
    "two_heads": Experiment(config.TwoHeads, "apps.apr.two_heads:two_heads"),
    "detection": Experiment(config.Detection, "apps.apr.detection:detection"),
    "heat_maps": Experiment(config.HeatMaps, "apps.apr.heat_maps:heat_maps"),
    "imagenet": Experiment(large_config.ImageNet, "apps.apr.imagenet:imagenet"),
    "adversarial": Experiment(config.Adversarial, "apps.apr.adversarial:adversarial"),
}

if __name__ == "__main__":
    main("apr", EXPERIMENTS)
