"""High-frequency components and generalisation: the experiments of Wang et al., CVPR 2020."""
