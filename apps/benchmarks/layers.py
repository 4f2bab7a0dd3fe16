"""Every layer, forward and forward + backward, beside the limit of its kind on the same images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import keras
import numpy as np

import keras_freq as kf
from apps.benchmarks.compiled import compile_forward, compile_gradient, wait
from apps.benchmarks.config import Speed
from apps.benchmarks.limits import round_trip, shape_of
from apps.benchmarks.timing import describe, time_pair


@dataclasses.dataclass(frozen=True)
class Kind:
    """How a layer is made, `(size, **dtype) -> layer`, and whether it transforms to frequencies.

    The limit of those that do is one bare FFT and back, that of the others one copy of the images. Some are
    `labeled`: they take a dictionary of images and labels.
    """

    make: Callable[..., keras.Layer]
    spectral: bool = True
    labeled: bool = False


LAYERS: dict[str, Kind] = {
    "LowPass": Kind(lambda size, **o: kf.layers.LowPass(size / 4, **o)),
    "HighPass": Kind(lambda size, **o: kf.layers.HighPass(size / 4, **o)),
    "BandPass": Kind(lambda size, **o: kf.layers.BandPass(size / 8, size / 4, **o)),
    "FrequencyMask": Kind(
        lambda size, **o: kf.layers.FrequencyMask(kf.spectral.square_mask(size, size, size // 4), **o)
    ),
    "APRPair": Kind(lambda size, **o: kf.layers.APRPair(probability=1.0, seed=0, **o)),
    "APRSingle": Kind(lambda size, **o: kf.layers.APRSingle(probability=1.0, seed=0, **o)),
    "HybridPair": Kind(
        lambda size, **o: kf.layers.HybridPair(probability=1.0, recombine_amplitude=True, seed=0, **o)
    ),
    "SpectralDropout": Kind(lambda size, **o: kf.layers.SpectralDropout(0.3, seed=0, **o)),
    "ClassFrequencies": Kind(
        lambda size, **o: kf.layers.ClassFrequencies(
            np.stack([kf.spectral.disk_mask(size, size, r) for r in (3, 5)]), probability=1.0, seed=0, **o
        ),
        labeled=True,
    ),
    "FDAPair": Kind(lambda size, **o: kf.layers.FDAPair(beta=0.1, seed=0, **o)),
    "SpectralDensityEnhancement": Kind(
        lambda size, **o: kf.layers.SpectralDensityEnhancement(radius=size / 4, **o)
    ),
    "FourierNoise": Kind(lambda size, **o: kf.layers.FourierNoise(seed=0, **o), spectral=False),
    "AugMix": Kind(lambda size, **o: kf.layers.AugMix(seed=0, **o), spectral=False),
    "CropFlip": Kind(lambda size, **o: kf.layers.CropFlip(4, seed=0, **o), spectral=False),
    "RandomResizedCrop": Kind(
        lambda size, **o: kf.layers.RandomResizedCrop(size, seed=0, **o), spectral=False
    ),
}
WAYS = {"forward": compile_forward, "forward + backward": compile_gradient}
MIXED = "mixed_bfloat16"


def time_layer(config: Speed, name: str, way: str, policy: str, images: np.ndarray) -> list[dict]:
    """One layer at work in training."""
    kind, tensor = LAYERS[name], keras.ops.convert_to_tensor(images)
    layer = kind.make(images.shape[1], dtype=policy)
    options = {"training": True} if hasattr(layer, "seed") else {}
    labels = keras.ops.arange(len(images), dtype="int32") % 2

    def work(x):
        return (
            layer({"images": x, "labels": labels}, **options)["images"]
            if kind.labeled
            else layer(x, **options)
        )

    work(tensor)  # variables must not be made inside a traced function
    ours = WAYS[way](work, layer.variables)
    if kind.spectral:
        planes = keras.ops.convert_to_tensor(np.ascontiguousarray(np.moveaxis(images, -1, 1)))
        other, what = WAYS[way](round_trip(*images.shape[1:3])), "bare FFT and back"
    else:
        planes, other, what = tensor, compile_forward(lambda x: x + 1), "copy of the images"
    pair = time_pair(
        lambda: wait(ours(tensor)), lambda: wait(other(planes)), seconds=config.seconds, pairs=config.pairs
    )
    return [describe(pair, what, case=f"{name}, {way}", shape=shape_of(images), dtype=policy)]


def enlarge(images: np.ndarray, size: int) -> np.ndarray:
    """The images at another size."""
    larger = keras.ops.image.resize(images, (size, size), data_format="channels_last")
    return np.clip(keras.ops.convert_to_numpy(larger), 0, 1)
