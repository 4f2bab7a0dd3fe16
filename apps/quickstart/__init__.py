"""Train a small network with and without amplitude-phase recombination, and look at both by frequency."""
