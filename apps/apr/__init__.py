"""Amplitude-phase recombination (Chen et al., ICCV 2021): every experiment of the paper."""
