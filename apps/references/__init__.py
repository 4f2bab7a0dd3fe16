"""The reference networks: how each is trained, tested and kept."""
