"""Accuracy under attack while a model trains."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from keras_freq.evaluate._adversarial_accuracy import AdversarialResult, adversarial_accuracy, check_attack


class AdversarialAccuracy(keras.callbacks.Callback):
    """Measures accuracy under an attack after every n-th epoch.

    Puts plain floats into the epoch's logs: `clean`, the accuracy on the same images without attack, and one
    value a size, named by the attack and the size in pixel units with three significant digits:
    `linf_pgd_0.0314` for `epsilon=8 / 255`, `l2_pgd_0.5` for 0.5. They reach `History` always, and callbacks
    such as `CSVLogger` or `EarlyStopping` (name its `mode`) if those stand behind this one in the list. On
    epochs that are not measured the values are NaN, so that all columns keep one length. Beside another
    callback that logs `clean` on other images, give one of them a prefix.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        attack: `"linf_pgd"`, `"l2_pgd"` or `"fgsm"` (L-infinity).
        epsilons: Radii of the ball, absolute, in pixel units.
        steps: Steps of PGD; FGSM has one.
        step_size: Absolute size of a PGD step; default `2.5 * epsilon / steps`.
        random_start: Start at a random point of the ball instead of at the image.
        every: Measure after every n-th epoch.
        prefix: Put in front of the keys: `"val_"` gives `val_linf_pgd_0.0314`.
        n: Measure the first `n` images; default all.
        seed: Seed of random starts; the same at every measurement.
        engine: `"own"` for the compiled loop of `keras_freq.attacks.pgd`, or `"foolbox"`.
        bounds: Lowest and highest pixel value.
        batch_size: Images a batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(epoch, AdversarialResult)`, epochs counted from 0 as Keras does.

    Raises:
        ValueError: If a number is out of range, the attack or the engine is unknown, two sizes have the same
            three digits, or `data` is a generator.

    Source: Madry et al., ICLR 2018, section 2.1 (PGD); Goodfellow et al., ICLR 2015, section 4 (FGSM).

    Example:

    >>> robust = keras_freq.callbacks.AdversarialAccuracy(data.test, epsilons=(8 / 255,), n=500)
    >>> history = model.fit(data.train, epochs=2, callbacks=[robust])
    >>> sorted(history.history)
    ['accuracy', 'clean', 'linf_pgd_0.0314', 'loss']
    """

    def __init__(
        self,
        data: Any,
        *,
        attack: str = "linf_pgd",
        epsilons: Sequence[float] = (8 / 255,),
        steps: int = 10,
        step_size: float | None = None,
        random_start: bool = False,
        every: int = 1,
        prefix: str = "",
        n: int | None = None,
        seed: int = 0,
        engine: Literal["own", "foolbox"] = "own",
        bounds: tuple[float, float] = (0.0, 1.0),
        batch_size: int | None = None,
    ):
        super().__init__()
        if isinstance(data, Iterator):
            raise ValueError(
                "`data` must be readable again at every epoch: arrays, a tf.data.Dataset or a PyDataset. "
                f"Received: data of type {type(data).__name__}, which can be read only once"
            )
        self.data = data
        for name, value in (("every", every), ("n", n)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not (name == "n" and value is None) and not (whole and value >= 1):
                raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {name}={value!r}")
        self.every = every
        self.prefix = prefix
        self.options = {
            **check_attack(attack, epsilons, steps, step_size, seed, engine, bounds),
            "random_start": bool(random_start),
            "n": n,
            "batch_size": batch_size,
        }
        self.keys = tuple(f"{prefix}{attack}_{epsilon:.3g}" for epsilon in self.options["epsilons"])
        if len(set(self.keys)) < len(self.keys):
            raise ValueError(
                "`epsilons` must differ in their first three digits, which name them. "
                f"Received: epsilons={epsilons!r}"
            )
        self.history: list[tuple[int, AdversarialResult]] = []

    def on_epoch_end(self, epoch: int, logs: MutableMapping[str, float] | None = None) -> None:
        clean, accuracy = float("nan"), (float("nan"),) * len(self.keys)
        if (epoch + 1) % self.every == 0:
            # `self.model` on JAX first brings the weights back from the training loop.
            result = adversarial_accuracy(self.model, self.data, progress=False, **self.options)
            self.history.append((epoch, result))
            clean, accuracy = result.clean, result.accuracy
        if logs is not None:
            logs[f"{self.prefix}clean"] = clean
            for key, value in zip(self.keys, accuracy, strict=True):
                logs[key] = value
