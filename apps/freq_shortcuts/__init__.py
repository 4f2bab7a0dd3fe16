"""Frequency shortcuts: the experiments of Wang et al., ICCV 2023 and CVPR 2025."""
