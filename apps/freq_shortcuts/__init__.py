"""Frequency bias: the experiments of Lin, Gao and Sang, IJCAI 2022."""
