"""The fast gradient sign method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq.attacks._pgd import pgd


def fgsm(
    model: keras.Model | Classifier,
    images: Any,
    labels: Any = None,
    *,
    epsilon: float,
    random_start: bool = False,
    seed: int = 0,
    bounds: Sequence[float] | None = None,
    batch_size: int = 128,
) -> np.ndarray:
    """One step of the size of the whole ball along the sign of the gradient.

    `x' = clip(x + epsilon * sign(g))`, with `g` the gradient of the cross-entropy with the true labels.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`. It runs in inference
            mode.
        images: `(batch, height, width, channels)`, or any layout that the model takes; floats in the
            range that it takes, or bytes.
        labels: True classes: indices `(batch,)` or one-hot rows `(batch, classes)`. `None`: `images` is data,
            `(images, labels)` or another form that `keras_freq.evaluate.accuracy` takes.
        epsilon: Largest change of a pixel, at least 0.
        random_start: Step from a uniform draw from the ball, and project the result onto the ball.
        seed: Seed of the random start.
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` says.
            Epsilons are for pixels on [0, 1] all the same.
        batch_size: Images per compiled step.

    Returns:
        float32 array of the images' shape, in the range that the model takes, within it and the ball.

    Raises:
        ValueError: As `pgd`.

    Source: Goodfellow, Shlens, Szegedy, Explaining and Harnessing Adversarial Examples, ICLR 2015, section 4;
        the random start is that of Wong, Rice, Kolter, Fast Is Better Than Free, ICLR 2020.
        Differs from the original: the true label is always used, never the predicted one.

    Example:
        >>> adversarial = kf.attacks.fgsm(model, images, labels, epsilon=8 / 255)
        >>> bool(np.abs(adversarial - images).max() <= np.float32(8 / 255))
        True
    """
    return pgd(
        model,
        images,
        labels,
        epsilon=epsilon,
        steps=1,
        step_size=epsilon,
        random_start=random_start,
        seed=seed,
        bounds=bounds,
        batch_size=batch_size,
    )
