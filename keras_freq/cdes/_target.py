"""The spectral density that the kernels are trained toward."""

from __future__ import annotations

import numpy as np

from keras_freq._core.checks import check_number, check_whole


def target_density(bands: int, *, size: int, rho: float = 1.0, peak: float | None = None) -> np.ndarray:
    """Two bell curves over the bands, one at the lowest frequencies and one at high frequencies.

    `g(k) = exp(-k^2 / 2 s^2) + rho * exp(-(k - peak)^2 / 2 s^2)`, `s = size / 10`, for `k = 0, 1, ...`,
    then `(g - min g) / (max g - min g)`.

    Args:
        bands: Number of bands, 2 to 65536; `k` counts them from 0.
        size: Smaller side of the images in pixels, at least 2.
        rho: Weight of the second curve, at least 0. The published code has 1, where both peaks are 1.
        peak: Band of the second curve, at least 0; `None`: half the size. The published code has 16, half of
            its 32 pixels, whatever the size.

    Returns:
        `(bands,)`, float64 in [0, 1].

    Raises:
        ValueError: if an argument is outside its range.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022 (CDES). The paper's figure shows a second peak of about .37, which is `rho` of about .4.

    Example:
        >>> keras_freq.cdes.target_density(20, size=32).round(2)[[0, 8, 16]]
        array([1., 0., 1.])
    """
    bands = check_whole(bands, "bands", least=2, most=65536)
    size = check_whole(size, "size", least=2, most=65536)
    check_number(rho, "rho", least=0)
    peak = size / 2 if peak is None else check_number(peak, "peak", least=0)
    k, width = np.arange(bands), size / 10
    density = np.exp(-0.5 * (k / width) ** 2) + rho * np.exp(-0.5 * ((k - peak) / width) ** 2)
    return (density - density.min()) / (density.max() - density.min())
