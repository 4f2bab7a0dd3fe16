"""What APR-SP costs in a training step, beyond the doubled batch that it needs."""

from __future__ import annotations

import functools
from collections.abc import Callable

import keras

import keras_freq as kf
from apps.benchmarks.config import Benchmarks
from apps.benchmarks.timing import describe, time_pair


@keras.saving.register_keras_serializable(package="keras_freq_benchmarks")
class Copy(keras.Layer):
    """A pair layer that mixes nothing: the batch is doubled all the same."""

    def call(self, images, training=True):
        return images


# Network, and which part of the batch it trains on: ResNet-18, of the paper, takes seconds as it is.
NETWORKS: dict[str, tuple[Callable[[], keras.Model], int]] = {
    "small_resnet": (kf.models.small_resnet, 1),
    "ResNet-20": (functools.partial(kf.models.resnet_cifar, 20), 1),
    "ResNet-18": (functools.partial(kf.models.resnet_cifar, 18), 4),
}


def apr_sp_step(config: Benchmarks, test: tuple) -> list[dict]:
    """Steps of three networks with APR-SP against those with a mere copy."""
    records = []
    for name, (network, part) in NETWORKS.items():
        size = config.batch_size if part == 1 else max(2, config.batch_size // part)
        images, labels = (array[:size] for array in test)
        steps = []
        for single, pair in ((kf.layers.APRSingle(seed=0), kf.layers.APRPair(seed=0)), (None, Copy())):
            model = kf.APRModel(network(), single=single, pair=pair)
            model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            steps.append(functools.partial(model.train_on_batch, images, labels))
        times = time_pair(*steps, repeats=config.repeats)
        records.append(
            describe(
                f"training step with APR-SP, {name}, {len(images)} images, against a mere copy",
                f"{1e3 * times.ours:.0f} ms",
                f"{1e3 * times.other:.0f} ms",
                f"{100 * (1 / times.ratio - 1):+.1f} %",
                "at most +5 %",
            )
        )
    return records
