"""The figure that is published for ImageNet-C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_freq._core.checks import show
from keras_freq.evaluate._corruption_error import CorruptionResult

# Mean error of AlexNet over the five severities of ImageNet-C.
ALEXNET = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}


def mean_corruption_error(
    result: CorruptionResult | Sequence[CorruptionResult],
    *,
    relative_to: str | CorruptionResult | Mapping[str, float] = "alexnet",
) -> float:
    """Mean over the corruptions of the error relative to that of a reference network.

    `mCE = mean over c of (mean over s of E[c, s]) / A[c]`, where `A[c]` is the mean error of the reference
    over the same severities. Published in percent: multiply by 100. Errors and references are paired by name.

    Args:
        result: What `corruption_error` returns, or several of one network, each of other corruptions.
        relative_to: `"alexnet"`, whose errors on ImageNet-C make the published mCE: `result` must hold the 15
            corruptions of the benchmark at severities 1 to 5. Or the result of another network, with the same
            corruptions and severities. Or a mapping from name to mean error, above 0.

    Returns:
        The mean, 1 for a network as good as the reference.

    Raises:
        ValueError: If a corruption has no reference, or what is compared differs in corruptions or
            severities.

    Source: Hendrycks and Dietterich, ICLR 2019, section 4 (mCE); the errors of AlexNet are those of the
        published code of Hendrycks et al., "AugMix", ICLR 2020.

    Example:
        >>> result = keras_freq.evaluate.corruption_error(model, data, corruptions=("contrast", "fog"))
        >>> round(keras_freq.evaluate.mean_corruption_error(result, relative_to=result), 6)
        1.0
    """
    results = [result] if isinstance(result, CorruptionResult) or not np.iterable(result) else list(result)
    if not results or not all(isinstance(one, CorruptionResult) for one in results):
        raise ValueError(
            "`result` must be what `corruption_error` returns, or several of these. "
            f"Received: result={show(result)}"
        )
    errors = {name: error for one in results for name, error in one.by_corruption.items()}
    severities = results[0].severities
    if any(one.severities != severities for one in results):
        raise ValueError(
            "`result` must hold the same severities throughout. "
            f"Received: severities={sorted({one.severities for one in results})}"
        )
    if isinstance(relative_to, CorruptionResult):
        if relative_to.severities != severities:
            raise ValueError(
                "`relative_to` must hold the severities of `result`. "
                f"Received: {relative_to.severities} and {severities}"
            )
        reference = relative_to.by_corruption
    elif isinstance(relative_to, Mapping):
        reference = dict(relative_to)
    elif relative_to == "alexnet":
        reference = ALEXNET
        if set(errors) != set(ALEXNET) or severities != (1, 2, 3, 4, 5):
            raise ValueError(
                "mCE relative to AlexNet needs the 15 corruptions of the benchmark at severities 1 to 5. "
                f"Received: {len(errors)} corruptions at severities {severities}"
            )
    else:
        raise ValueError(
            f"`relative_to` must be 'alexnet', a result or a mapping. Received: relative_to={relative_to!r}"
        )
    missing = [name for name in errors if not reference.get(name, 0) > 0]
    if missing:
        raise ValueError(
            f"`relative_to` must hold an error above 0 for every corruption. Received: none for {missing}"
        )
    return float(np.mean([error / reference[name] for name, error in errors.items()]))
