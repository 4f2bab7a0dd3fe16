"""The severities of C-bar, spelled as published: one number each.

Source: Mintun, Kirillov, Xie, On Interaction Between Augmentations and Corruptions in Natural Corruption
Robustness, NeurIPS 2021. CIFAR-10-C-bar and ImageNet-C-bar hold ten corruptions each, five of them in common.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_freq.data._corruptions import bar_blur, bar_clouds, bar_noise, bar_overlays, bar_warps

Table = dict[Callable[..., np.ndarray], tuple[float, ...]]

CIFAR10: Table = {
    bar_noise.blue_noise_sample: (0.7, 1.4, 2.1, 3.5, 4.2),
    bar_noise.brownish_noise: (2.5, 4, 5.5, 6.5, 7),
    bar_overlays.checkerboard_cutout: (1, 2, 3, 4, 5),
    bar_overlays.inverse_sparkles: (1, 1.5, 2.5, 4.5, 5),
    bar_overlays.sparkles: (0.7, 3.5, 5.6, 6.3, 7),
    bar_warps.pinch_and_twirl: (5.5, 6, 6.5, 8.5, 10),
    bar_warps.ripple: (5.5, 6, 6.5, 7.5, 8),
    bar_blur.circular_motion_blur: (2.8, 3.6, 4.4, 5.2, 6),
    bar_overlays.lines: (0.5, 1, 1.5, 2, 2.5),
    bar_blur.transverse_chromatic_abberation: (1, 2, 5, 9, 10),
}
IMAGENET: Table = {
    bar_noise.blue_noise_sample: (0.8, 1.6, 2.4, 4, 5.6),
    bar_noise.brownish_noise: (1, 2, 3, 4, 5),
    bar_overlays.checkerboard_cutout: (2, 3, 4, 5, 6),
    bar_overlays.inverse_sparkles: (1, 2, 4, 9, 10),
    bar_overlays.sparkles: (1, 2, 3, 5, 6),
    bar_warps.caustic_refraction: (2.35, 3.2, 4.9, 6.6, 9.15),
    bar_clouds.perlin_noise: (4.6, 5.2, 5.8, 7.6, 8.8),
    bar_clouds.plasma_noise: (4.75, 7, 8.5, 9.25, 10),
    bar_noise.cocentric_sine_waves: (3, 5, 8, 9, 10),
    bar_noise.single_frequency_greyscale: (1, 1.5, 2, 4.5, 5),
}
CIFAR10_BAR_CORRUPTIONS = tuple(function.__name__ for function in CIFAR10)
IMAGENET_BAR_CORRUPTIONS = tuple(function.__name__ for function in IMAGENET)
