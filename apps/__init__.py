"""Applications of keras_freq, one folder each: ``python -m apps.quickstart CONFIG [key=value ...]``."""
