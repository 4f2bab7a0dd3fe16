"""Accuracy under AutoAttack, the ensemble of Croce and Hein, through their own code. PyTorch only.

The one file that imports pyautoattack, and only on demand.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import (
    check_choice,
    check_data_format,
    check_linf_epsilon,
    check_number,
    check_whole,
    show,
)
from keras_freq._core.classifier import Classifier
from keras_freq._core.compiled import differentiable_logits, to_tensor
from keras_freq._core.progress import progress_bar
from keras_freq._core.result import versions
from keras_freq.evaluate._survivors import Survivors
from keras_freq.evaluate._worst_case_accuracy import WorstCaseResult

# Attacks of each version, in the order they run.
VERSIONS = {
    "standard": ("apgd-ce", "apgd-t", "fab-t", "square"),
    "plus": ("apgd-ce", "apgd-dlr", "fab", "square", "apgd-t", "fab-t"),
}


def auto_attack_accuracy(
    model: keras.Model | Classifier,
    data: Any,
    *,
    epsilon: float = 8 / 255,
    version: str = "standard",
    n: int | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    data_format: str | None = None,
    progress: bool | None = None,
) -> WorstCaseResult:
    """Accuracy in the L-infinity ball under AutoAttack, on the PyTorch backend.

    The standard version runs APGD on the cross-entropy, targeted APGD on the DLR loss (9 target classes),
    targeted FAB (9 target classes) and the Square Attack (5,000 queries), each on the images that still
    stand. An image is robust only if none of them fools the model. What is scored lies within the bounds
    (0, 1) and the ball exactly, rounding included.

    This is slow: a robust image costs some 7,000 forward passes and 2,000 backward passes.

    Args:
        model: Keras classifier of at least 4 classes, pixels in [0, 1] in, logits `(batch, classes)` out. It
            runs in inference mode and must be deterministic.
        data: Arrays `(images, labels)`, a `tf.data.Dataset`, a `keras.utils.PyDataset`, or an iterable of
            batches.
        epsilon: Radius of the ball, in pixel units, above 0.
        version: `"standard"` or `"plus"` (untargeted APGD-DLR and FAB too, with 5 restarts).
        n: Use the first `n` images of the data; default all.
        seed: Seed of the attacks.
        batch_size: Images per batch where `data` are arrays, default 128.
        data_format: `"channels_last"` or `"channels_first"`; default that of the model.
        progress: Show a progress bar; `None`: on a terminal.

    Returns:
        A `WorstCaseResult` with the attacks `"apgd-ce"`, `"apgd-t"`, `"fab-t"`, `"square"`.

    Raises:
        RuntimeError: If the backend is not PyTorch, or an attack leaves the ball by more than rounding.
        ImportError: If pyautoattack is missing.
        ValueError: If an argument is out of range, the model has less than 4 classes, images leave [0, 1] or
            are not finite, labels are not among the model's outputs, `n` exceeds the data, or the model ends
            in softmax or sigmoid.

    Source: Croce and Hein, ICML 2020, through pyautoattack, a package of the authors' code. Chen et al., ICCV
        2021, report 84.30 % clean and 45.70 % robust accuracy for APR-SP adversarial training on 1,000
        images.
        Differs from the original: with less than 10 classes all other classes are the targets.

    Example:
        >>> result = keras_freq.evaluate.auto_attack_accuracy(model, data, epsilon=0.5, n=2)
        >>> result.attacks, result.accuracy <= result.clean
        (('apgd-ce', 'apgd-t', 'fab-t', 'square'), True)
    """
    epsilon = check_linf_epsilon(check_number(epsilon, "epsilon", above=0))
    seed = check_whole(seed, "seed", least=0)
    names = VERSIONS[check_choice(version, "version", tuple(VERSIONS))]
    if data_format is not None:
        check_data_format(data_format)
    backend = keras.backend.backend()
    if backend != "torch":
        raise RuntimeError(
            "AutoAttack needs the PyTorch backend: set KERAS_BACKEND=torch and load the model there, or use "
            f"worst_case_accuracy. Received: backend={show(backend)}"
        )
    package = import_pyautoattack()
    images = Survivors(
        model, data, epsilon=epsilon, bounds=None, n=n, batch_size=batch_size, data_format=data_format
    )
    logits = differentiable_logits(images.model)
    if images.classes < 4:
        raise ValueError(
            f"The model must have at least 4 classes for the DLR loss. Received: {images.classes} classes"
        )
    run_of = _prepare_attacks(
        package, logits, epsilon, version, seed, images.classes, images.data_format == "channels_last"
    )

    after, fooled_by = [], []
    with progress_bar(progress, f"AutoAttack, {len(names)} attacks") as advance:
        for name in names:
            before = images.count
            # PyTorch runs eagerly, and 5,000 queries of filling would cost what they cost of images.
            images.attack(name, run_of(name), advance, fill=False)
            fooled_by.append(before - images.count)
            after.append(images.accuracy)
    return WorstCaseResult(
        model=images.model.name,
        n=len(images.labels),
        settings={
            "version": version,
            "seed": seed,
            "batch_size": batch_size,
            "first_n": n,
            **images.settings,
        },
        versions=versions() | {"pyautoattack": importlib.metadata.version("pyautoattack")},
        attacks=names,
        norm="linf",
        epsilon=epsilon,
        clean=images.clean,
        accuracy=images.accuracy,
        after=tuple(after),
        fooled_by=tuple(fooled_by),
        robust_per_class=images.count_per_class(alive=True),
        count_per_class=images.count_per_class(alive=False),
        undefined=images.undefined,
    )


def import_pyautoattack() -> Any:
    """pyautoattack, or one line that says how to get it."""
    try:
        import pyautoattack
    except ModuleNotFoundError as error:
        raise ImportError(
            "AutoAttack is not installed or not complete: pip install 'keras-freq[autoattack]'. "
            f"Received: no module named {error.name!r}"
        ) from error
    return pyautoattack


def _prepare_attacks(package, logits, epsilon, version, seed, classes, last) -> Callable:
    """`name -> run(images, labels, rows)` for the attacks of one version."""
    import torch

    def channels_first(images):
        """The model under the layout that the attacks take."""
        if not last:
            return logits(images)
        if images.requires_grad:
            # The attacks view gradients as rows, which a transposed one refuses.
            images.register_hook(torch.Tensor.contiguous)
        return logits(images.permute(0, 2, 3, 1).contiguous())

    device = to_tensor(np.zeros(1, "float32")).device
    ensemble = package.AutoAttack(
        channels_first, eps=epsilon, norm="Linf", seed=seed, device=device, version=version
    )
    targets = min(9, classes - 1)
    ensemble.apgd_targeted.n_target_classes = ensemble.fab.n_target_classes = targets

    def run_of(name):
        def run(images, labels, rows):
            x = to_tensor(np.ascontiguousarray(np.moveaxis(images, -1, 1)) if last else images)
            y = to_tensor(labels.astype("int64"))
            ensemble.attacks_to_run = [name]
            tracing = sys.gettrace()
            try:
                with torch.random.fork_rng():  # the attacks seed the global generators
                    attacked = ensemble.run_standard_evaluation(x, y, batch_size=len(images))[0]
            finally:
                sys.settrace(tracing)  # their checks switch off debuggers and coverage
            attacked = keras.ops.convert_to_numpy(attacked)
            return np.ascontiguousarray(np.moveaxis(attacked, 1, -1)) if last else attacked

        return run

    return run_of
