"""ADCS: at which frequencies a class has more amplitude than the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from keras import ops

from keras_freq._core.checks import check_channels, check_choice, check_flag, check_whole, show
from keras_freq._core.compiled import to_tensor
from keras_freq._core.feeds import Feed
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import Result, versions
from keras_freq._core.sweep import sweep_batches
from keras_freq.shortcuts._masked_images import compute_spectra
from keras_freq.spectral._dft import full_spectrum

CHANNELS = ("mean", "luma", "sign_then_mean")
STATISTICS = ("mean", "sum")
# Rec. 601, as the published code turns maps of three channels gray.
_LUMA = (0.2989, 0.5870, 0.1140)


@dataclass(frozen=True, kw_only=True)
class ADCSResult(Result):
    """ADCS maps, and the amplitudes that they compare. `model` is None: there is none.

    Attributes:
        size: Height and width of the images.
        values: The maps, `(classes, height, width)`, DC at `(height // 2, width // 2)`; NaN for a class
            without an image.
        amplitudes: Mean amplitude of each class, averaged over the channels, as `values`.
        count_per_class: Images of each class.

    Example:
        >>> result = kf.shortcuts.adcs(data)
        >>> result.size, result.count_per_class, result.model
        ((32, 32), (2, 2, 2, 2), None)
    """

    size: tuple[int, int]
    values: tuple[tuple[tuple[float, ...], ...], ...]
    amplitudes: tuple[tuple[tuple[float, ...], ...], ...]
    count_per_class: tuple[int, ...]

    @property
    def maps(self) -> np.ndarray:
        """The maps as a float64 array `(classes, height, width)`."""
        return np.array(self.values, "float64")

    def rows(self) -> list[dict[str, Any]]:
        """One row per class and frequency; `u` and `v` are the vertical and horizontal one (index units)."""
        return [
            {
                "class": label,
                "u": i - self.size[0] // 2,
                "v": j - self.size[1] // 2,
                "adcs": self.values[label][i][j],
                "amplitude": self.amplitudes[label][i][j],
                "n": self.count_per_class[label],
            }
            for label in range(len(self.values))
            for i in range(self.size[0])
            for j in range(self.size[1])
        ]

    def _headline(self) -> dict[str, Any]:
        maps = self.maps
        return {
            "classes": len(maps),
            "size": self.size,
            "lowest": np.nanmin(maps),
            "highest": np.nanmax(maps),
        }


def adcs(
    images: Any,
    labels: Any = None,
    *,
    classes: int | None = None,
    channel: Literal["mean", "luma", "sign_then_mean"] = "mean",
    statistic: Literal["mean", "sum"] = "mean",
    ties: Literal[0, -1] = 0,
    include_self: bool = False,
    mean: float | Sequence[float] = 0.0,
    batch_size: int | None = None,
    data_format: str = "channels_last",
    progress: bool | None = False,
) -> ADCSResult:
    """Accumulative difference of class-wise spectra: how many classes a class exceeds at each frequency.

    `ADCS_c(u, v) = sum over c' != c of sign(E_c(u, v) - E_c'(u, v))`, with `E_c` the mean of `|F_x(u, v)|`
    over the images `x` of class `c`, between `1 - C` and `C - 1` for `C` classes. The data are read once,
    whatever their number; only sums are kept.

    Args:
        images: Images `(n, height, width, channels)`; or without `labels` arrays `(images, labels)`, a
            `tf.data.Dataset`, a `keras.utils.PyDataset` or an iterable of batches.
        labels: Class indices or one-hot rows of the images.
        classes: Number of classes; default the largest label and one.
        channel: `"mean"` averages the amplitudes of the channels, `"luma"` weighs red, green and blue by
            .2989, .5870 and .1140; `"sign_then_mean"` compares each channel and averages the maps.
        statistic: `"mean"`, or `"sum"`, which favors classes with more images.
        ties: What equal amplitudes count.
        include_self: Whether a class is compared with itself too, which adds `ties` everywhere.
        mean: Subtracted from every pixel, on [0, 1], one number or one for each channel; it moves DC alone.
        batch_size: Images per batch where the data are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        An `ADCSResult`; `.maps` is `(classes, height, width)`. For two classes one map is the negative of the
        other (with `ties=0` and without `include_self`). A class without images is left out of every sum.

    Raises:
        ValueError: If an option is unknown, there are fewer than two classes with images, labels are not
            below `classes`, or `"luma"` meets another number of channels than 3.
        TypeError: If the data are of another kind.

    Source: Wang, Veldhuis, Brune, Strisciuglio, ICCV 2023, section 3.
        Differs from the original: the published code compares sums, turns their difference gray before the
        sign, counts ties as -1 and compares a class with itself, so that its maps reach from -C to C - 2:
        `channel="luma", statistic="sum", ties=-1, include_self=True`. It takes images of 224 pixels divided
        by mean and standard deviation, which shifts DC and scales the channels.

    Example:
        >>> result = kf.shortcuts.adcs(images, labels)
        >>> result.maps.shape, float(result.maps.max())
        ((4, 32, 32), 3.0)
    """
    check_choice(channel, "channel", CHANNELS)
    check_choice(statistic, "statistic", STATISTICS)
    if isinstance(ties, bool) or ties not in (0, -1):
        raise ValueError(f"`ties` must be 0 or -1. Received: ties={show(ties)}")
    check_flag(include_self, "include_self")
    if classes is not None:
        check_whole(classes, "classes")
    data = images if labels is None else (images, labels)
    feed = Feed(data, batch_size=batch_size, data_format=data_format)
    if channel == "luma" and feed.channels != 3:
        raise ValueError(
            f"`channel='luma'` needs images of 3 channels. Received: images of {feed.channels} channels"
        )
    center = check_channels(mean, "mean", feed.channels)
    sums, counts = _sum_amplitudes(feed, classes, center, data_format, progress)
    if (counts > 0).sum() < 2:
        raise ValueError(
            "ADCS compares classes: at least two of them must have images. "
            f"Received: images of {int((counts > 0).sum())} classes"
        )
    with np.errstate(invalid="ignore"):
        means = sums / counts[:, None, None, None]
    maps = _compare(sums if statistic == "sum" else means, counts > 0, channel, ties, include_self)
    return ADCSResult(
        model=None,
        n=feed.n,
        settings={
            "channel": channel,
            "statistic": statistic,
            "ties": int(ties),
            "include_self": bool(include_self),
            "mean": tuple(center.tolist()),
            "data_format": data_format,
        },
        versions=versions(),
        size=feed.size,
        values=_complete(maps, feed.size[1]),
        amplitudes=_complete(means.mean(axis=1), feed.size[1]),
        count_per_class=tuple(counts.tolist()),
    )


def _sum_amplitudes(
    feed: Feed, classes: int | None, mean: np.ndarray, data_format: str, progress: bool | None
) -> tuple[np.ndarray, np.ndarray]:
    """Summed amplitudes of each class, float64 `(classes, channels, height, columns)`, and its images."""
    height, width = feed.size
    shape = (feed.channels, height, width // 2 + 1)
    sums: defaultdict[int, np.ndarray] = defaultdict(lambda: np.zeros(shape))

    def measure(images: np.ndarray, *_: Any) -> Any:
        re, im = compute_spectra(to_tensor(images), mean, data_format)
        return ops.sqrt(re * re + im * im)

    with progress_bar(progress, "ADCS") as advance:
        for (labels, valid), amplitudes in sweep_batches(feed, measure):
            labels = labels[:valid]
            if classes is not None and labels.max() >= classes:
                raise ValueError(
                    f"`classes` must be above every label. Received: classes={classes}, label {labels.max()}"
                )
            amplitudes = amplitudes[:valid].astype("float64")
            for label in np.unique(labels):
                sums[int(label)] += amplitudes[labels == label].sum(axis=0)
            advance(valid)
    counts = np.bincount(feed.labels, minlength=classes or 0)
    return _symmetrize(np.stack([sums[label] for label in range(len(counts))]), width), counts


def _symmetrize(half: np.ndarray, width: int) -> np.ndarray:
    """Half maps whose columns that hold both of each pair agree to the last bit, so that signs do too."""
    rows = (-np.arange(half.shape[-2])) % half.shape[-2]
    for column in {0, width // 2} if width % 2 == 0 else {0}:
        half[..., column] = (half[..., column] + half[..., rows, column]) / 2
    return half


def _compare(
    compared: np.ndarray, known: np.ndarray, channel: str, ties: int, include_self: bool
) -> np.ndarray:
    """Half maps `(classes, height, columns)`, one class after the other."""
    if channel == "mean":
        compared = compared.mean(axis=1, keepdims=True)
    elif channel == "luma":
        compared = np.tensordot(compared, _LUMA, axes=([1], [0]))[:, None]
    maps = np.full((len(compared), *compared.shape[2:]), np.nan)
    for label in np.flatnonzero(known):
        others = [c for c in np.flatnonzero(known) if include_self or c != label]
        signs = np.sign(compared[label] - compared[others])
        signs[signs == 0] = ties
        maps[label] = signs.sum(axis=0).mean(axis=0)
    return maps


def _complete(half: np.ndarray, width: int) -> tuple:
    """Half maps `(classes, height, columns)` as whole ones, centered, in tuples."""
    maps, _ = full_spectrum(half, np.zeros_like(half), width)
    return tuple(tuple(map(tuple, part)) for part in maps.tolist())
