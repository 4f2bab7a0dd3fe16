"""High-frequency components and generalization: the experiments of Wang et al., CVPR 2020."""
