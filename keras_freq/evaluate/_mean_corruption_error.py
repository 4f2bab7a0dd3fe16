"""The figure that is published for ImageNet-C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from keras_freq._core.checks import check_flag, check_number, show
from keras_freq.evaluate._corruption_error import CorruptionResult

# Error of that AlexNet on ImageNet's validation images, whose accuracy torchvision states as 56.522 %.
ALEXNET_CLEAN = 0.43478
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
    relative: bool = False,
    clean_error: float | None = None,
) -> float:
    """Mean over the corruptions of the error relative to that of a reference network.

    `mCE = mean over c of (mean over s of E[c, s]) / A[c]`, where `A[c]` is the mean error of the reference
    over the same severities. With `relative` the errors above those on clean images are compared,
    `mean over c of (mean over s of E[c, s] - E[clean]) / (A[c] - A[clean])`, the published relative mCE.
    Published in percent: multiply by 100. Errors and references are paired by name.

    Args:
        result: What `corruption_error` returns, or several of one network, each of other corruptions.
        relative_to: `"alexnet"`, whose errors on ImageNet-C make the published mCE: `result` must hold the 15
            corruptions of the benchmark at severities 1 to 5. Or the result of another network, with the same
            corruptions and severities. Or a mapping from name to mean error, above 0; with `relative` it
            holds the clean error under `"clean"`.
        relative: Whether to compare the errors above the clean errors.
        clean_error: Share of the clean images that the network classifies wrongly, for `relative` where
            `result` does not hold it, as that of stored corrupted images.

    Returns:
        The mean, 1 for a network as good as the reference.

    Raises:
        ValueError: If a corruption has no reference, what is compared differs in corruptions or severities,
            or, with `relative`, a clean error is missing or not below those of the reference.

    Source: Hendrycks and Dietterich, ICLR 2019, section 4 (mCE and relative mCE); the errors of AlexNet are
        those of the published code of Hendrycks et al., "AugMix", ICLR 2020, its clean error that of the same
        weights in torchvision's documentation.

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
        reference = {**relative_to.by_corruption, "clean": relative_to.clean_error}
    elif isinstance(relative_to, Mapping):
        reference = dict(relative_to)
    elif relative_to == "alexnet":
        reference = {**ALEXNET, "clean": ALEXNET_CLEAN}
        if set(errors) != set(ALEXNET) or severities != (1, 2, 3, 4, 5):
            raise ValueError(
                "mCE relative to AlexNet needs the 15 corruptions of the benchmark at severities 1 to 5. "
                f"Received: {len(errors)} corruptions at severities {severities}"
            )
    else:
        raise ValueError(
            f"`relative_to` must be 'alexnet', a result or a mapping. "
            f"Received: relative_to={show(relative_to)}"
        )
    missing = [name for name in errors if not reference.get(name, 0) > 0]
    if missing:
        raise ValueError(
            f"`relative_to` must hold an error above 0 for every corruption. Received: none for {missing}"
        )
    if not check_flag(relative, "relative"):
        return float(np.mean([error / reference[name] for name, error in errors.items()]))
    own = (
        results[0].clean_error
        if clean_error is None
        else check_number(clean_error, "clean_error", least=0, most=1)
    )
    base = float(reference.get("clean", np.nan))
    if np.isnan(own) or np.isnan(base):
        whose, way = ("`result`", "clean_error=") if np.isnan(own) else ("`relative_to`", "the key 'clean'")
        raise ValueError(
            f"`relative` needs the clean error of {whose}: pass {way}. Received: relative=True without it"
        )
    below = [name for name in errors if reference[name] <= base]
    if below:
        raise ValueError(
            "`relative_to` must err more under every corruption than on clean images. "
            f"Received: {below[0]} {reference[below[0]]:.6g}, clean {base:.6g}"
        )
    return float(np.mean([(error - own) / (reference[name] - base) for name, error in errors.items()]))
