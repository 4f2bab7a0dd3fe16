"""Accuracy under attack while a model trains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

from keras_freq._core.checks import check_flag, show
from keras_freq._core.classifier import Classifier
from keras_freq.callbacks._measurement import Measurement
from keras_freq.evaluate._adversarial_accuracy import AdversarialResult, adversarial_accuracy, check_attack


class AdversarialAccuracy(Measurement):
    """Measures accuracy under an attack at the end of every n-th epoch.

    Puts plain floats into the epoch's logs: `clean`, the accuracy on the same images without attack, and one
    for each size, named by the attack and the size in pixel units with three significant digits:
    `linf_pgd_0.0314` for `epsilon=8 / 255`, `l2_pgd_0.5` for 0.5. Beside another callback that logs `clean`
    on other images, give one of them a prefix.
    On other epochs the keys are absent, as those of validation are under `validation_freq`. Callbacks that
    read the logs, such as `CSVLogger` or `EarlyStopping` (name its `mode`), must stand behind this one.
    Training is not changed: weights and random streams are the same with and without.

    Args:
        data: Arrays `(images, labels)`, a `tf.data.Dataset` or a `keras.utils.PyDataset`; read anew at every
            measurement, so a generator will not do.
        attack: `"linf_pgd"`, `"l2_pgd"` or `"fgsm"` (L-infinity).
        epsilons: Radii of the ball, absolute, in pixel units.
        steps: Steps of PGD; FGSM has one.
        step_size: Absolute size of a PGD step; default `2.5 * epsilon / steps`.
        random_start: Start at a random point of the ball instead of at the image.
        every: Measure at the end of every n-th epoch, or at the end of each epoch in a collection, counted
            from 1 as under Keras' `validation_freq`.
        prefix: Put in front of the keys: `"val_"` gives `val_linf_pgd_0.0314`.
        model: What is measured: by default the model in training; where more must be said of it, a
            `keras_freq.Classifier` of it.
        n: Measure the first `n` images; default all.
        seed: Seed of random starts; the same at every measurement.
        engine: `"own"` for the compiled loop of `keras_freq.attacks.pgd`, or `"foolbox"`.
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
        batch_size: Images per batch where `data` are arrays, default 128.

    Attributes:
        history: List of `(epoch, AdversarialResult)`, epochs counted from 0 as Keras does.
        keys: The names of its numbers in the logs.

    Raises:
        ValueError: If an argument is out of range or unknown, or `data` is a generator; when training begins,
            if the data do not fit the model or hold values that are not finite, images leave the bounds, or
            the model ends in softmax or sigmoid.
        TypeError: When training begins, if `data` are of another kind.

    Source: Madry et al., ICLR 2018, section 2.1 (PGD); Goodfellow et al., ICLR 2015, section 4 (FGSM).

    Example:
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> robust = keras_freq.callbacks.AdversarialAccuracy(data, epsilons=(8 / 255,), steps=3, n=4)
        >>> history = model.fit(*data, epochs=1, verbose=0, callbacks=[robust])
        >>> sorted(history.history)
        ['clean', 'linf_pgd_0.0314', 'loss']
    """

    history: list[tuple[int, AdversarialResult]]
    _evaluation = staticmethod(adversarial_accuracy)
    _needs_gradients = True

    def __init__(
        self,
        data: Any,
        *,
        attack: str = "linf_pgd",
        epsilons: Sequence[float] = (8 / 255,),
        steps: int = 10,
        step_size: float | None = None,
        random_start: bool = False,
        every: int | Collection[int] = 1,
        prefix: str = "",
        model: Classifier | None = None,
        n: int | None = None,
        seed: int = 0,
        engine: Literal["foolbox", "own"] = "foolbox",
        bounds: Sequence[float] | None = None,
        batch_size: int | None = None,
    ):
        options = {
            **check_attack(attack, epsilons, steps, step_size, seed, engine),
            "bounds": bounds,
            "random_start": check_flag(random_start, "random_start"),
            "n": n,
            "batch_size": batch_size,
            "progress": False,
        }
        sizes = [f"{attack}_{epsilon:.3g}" for epsilon in options["epsilons"]]
        if len(set(sizes)) < len(sizes):
            raise ValueError(
                "`epsilons` must differ in their first three digits, which name them. "
                f"Received: epsilons={show(epsilons)}"
            )
        super().__init__(data, options, ["clean", *sizes], every=every, prefix=prefix, model=model)

    def _values(self, result: AdversarialResult) -> Iterable[float]:
        return result.clean, *result.accuracy
