"""Keras models for Foolbox, on the three backends. The one file that imports Foolbox, and only on demand."""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import (
    check_choice,
    check_flag,
    check_labeled_images,
    check_labels,
    check_model_classes,
    check_whole,
)
from keras_freq._core.classifier import Classifier, as_classifier
from keras_freq._core.compiled import differentiable_logits, to_tensor
from keras_freq._core.value_range import UNIT
from keras_freq.attacks._norm_balls import default_step_size

# name -> (Foolbox class, norm of the ball, default number of steps). Fixed size: given epsilon, as strong as
# possible.
FIXED_SIZE = {
    "linf_pgd": ("LinfProjectedGradientDescentAttack", "linf", 20),
    "l2_pgd": ("L2ProjectedGradientDescentAttack", "l2", 20),
    "fgsm": ("LinfFastGradientAttack", "linf", 1),
}
# Minimal size: fool the model with as little as possible.
MINIMAL_SIZE = {
    "deepfool": ("L2DeepFoolAttack", "l2", 50),
    "linf_deepfool": ("LinfDeepFoolAttack", "linf", 50),
    "boundary": ("BoundaryAttack", "l2", 1000),
}


def foolbox_model(
    model: keras.Model | Classifier,
    bounds: Sequence[float] | None = None,
    *,
    data_format: str | None = None,
) -> Any:
    """A Keras model as a Foolbox model, for any Foolbox attack, on TensorFlow, JAX and PyTorch.

    The model runs in inference mode with its current weights, compiled on TensorFlow and JAX. On PyTorch an
    attack leaves `.grad` of the weights alone.

    Args:
        model: Keras classifier that returns logits `(batch, classes)`.
        bounds: Lowest and highest pixel value that the model takes; default what its `Classifier` or its own
            first layers say, else `(0, 1)`. Foolbox sees pixels on [0, 1], so that epsilons are for these.
        data_format: Layout of the images, `"channels_last"` or `"channels_first"`; default that of the model.

    Returns:
        A `foolbox.models.Model`. Attacks need tensors: its method `inputs(images, labels)` checks NumPy
        images and labels and makes tensors of the dtypes that Foolbox needs on the active backend. Called
        with NumPy images the model converts them itself.

    Raises:
        ValueError: If the model ends in softmax or sigmoid.

    Source: Rauber, Zimmermann, Bethge, Brendel, Foolbox Native, Journal of Open Source Software 5 (53), 2020.
        Differs from the original: Foolbox's own wrappers take NumPy arrays on no backend, fill the weights'
        gradients on PyTorch, and are not compiled.

    Example:
        >>> import foolbox
        >>> adapter = kf.attacks.foolbox_model(model)
        >>> x, y = adapter.inputs(images, labels)
        >>> attack = foolbox.attacks.LinfPGD(abs_stepsize=0.01, steps=5)
        >>> with kf.attacks.foolbox_seed(0):
        ...     _, adversarial, fooled = attack(adapter, x, y, epsilons=0.03)
        >>> tuple(adversarial.shape), tuple(fooled.shape)
        ((8, 32, 32, 3), (8,))
    """
    # A TypeError for what is no model comes before the import.
    classifier = as_classifier(model).declare_range(bounds).settle_range()
    data_format = classifier.choose_data_format(data_format)
    return _adapter_class()(classifier, data_format)


@contextlib.contextmanager
def foolbox_seed(seed: int) -> Iterator[None]:
    """Seeds the random draws of Foolbox attacks inside a `with` block.

    Foolbox draws from the framework's global generator, on JAX from a key of its own. The generators of
    PyTorch and the key on JAX are as before after the block; on TensorFlow the global seed stays set (Keras
    does not use it).

    Args:
        seed: Whole number of at least 0.

    Example:
        >>> adapter = kf.attacks.foolbox_model(model)
        >>> x, y = adapter.inputs(images, labels)
        >>> attack = kf.attacks.foolbox_attack("fgsm", random_start=True)
        >>> starts = []
        >>> for _ in range(2):
        ...     with kf.attacks.foolbox_seed(3):
        ...         starts.append(keras.ops.convert_to_numpy(attack(adapter, x, y, epsilons=0.03)[1]))
        >>> np.array_equal(*starts)
        True
    """
    seed = check_whole(seed, "seed", least=0)
    import_foolbox()
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.random.set_seed(seed)
        yield
    elif backend == "jax":
        import eagerpy
        import jax

        before = eagerpy.JAXTensor.key
        eagerpy.JAXTensor.key = jax.random.PRNGKey(seed)
        try:
            yield
        finally:
            eagerpy.JAXTensor.key = before
    else:
        import torch

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            yield


def foolbox_attack(
    name: str,
    *,
    steps: int | None = None,
    epsilon: float | None = None,
    step_size: float | None = None,
    random_start: bool = False,
    loss: str = "cross_entropy",
) -> Any:
    """A Foolbox attack by name, with an absolute step size.

    Foolbox's own defaults take relative steps of 1/30 of epsilon: 20 of them do not reach the boundary of the
    ball.

    Args:
        name: `"linf_pgd"`, `"l2_pgd"` or `"fgsm"`, which make the most of a ball of fixed size; or
            `"deepfool"`, `"linf_deepfool"` or `"boundary"`, which look for the smallest change that fools
            the model.
        steps: Number of steps; by default 20 for PGD, 50 for DeepFool, 1000 for Boundary. FGSM has one.
        epsilon: For PGD, the size of the ball that the default step size is made for.
        step_size: For PGD, absolute; default `2.5 * epsilon / steps`.
        random_start: For PGD and FGSM, start at a random point of the ball.
        loss: For PGD, what it raises: `"cross_entropy"`, or `"margin"` for `max_{j != y} z_j - z_y`, whose
            gradient does not vanish where the model is sure.

    Returns:
        A Foolbox attack object.

    Raises:
        ValueError: If the name or the loss is unknown, or PGD has neither `epsilon` nor `step_size`.

    Source: The attacks are Foolbox's: PGD of Madry et al., ICLR 2018; FGSM of Goodfellow et al., ICLR 2015;
        DeepFool of Moosavi-Dezfooli et al., CVPR 2016; the Boundary Attack of Brendel et al., ICLR 2018.
        Differs from the original: the default step of PGD.

    Example:
        >>> attack = kf.attacks.foolbox_attack("linf_pgd", steps=10, epsilon=8 / 255)
        >>> round(attack.abs_stepsize * 255, 6)
        2.0
    """
    check_flag(random_start, "random_start")
    check_choice(loss, "loss", ("cross_entropy", "margin"))
    table = FIXED_SIZE | MINIMAL_SIZE
    kind, _, default_steps = table[check_choice(name, "attack", tuple(table))]
    steps = default_steps if steps is None else steps
    attack = getattr(import_foolbox().attacks, kind)
    if name == "fgsm":
        return attack(random_start=random_start)
    if name in MINIMAL_SIZE:
        return attack(steps=steps)
    if step_size is None:
        if epsilon is None:
            raise ValueError(
                f"`epsilon` or `step_size` must be given for {name!r}. Received: epsilon=None, step_size=None"
            )
        step_size = default_step_size(epsilon, steps)
    if loss == "margin":
        attack = _margin_class(attack)
    return attack(abs_stepsize=step_size, steps=steps, random_start=random_start)


def import_foolbox() -> Any:
    """Foolbox, without what it says and demands when it is imported."""
    # GitPython, which tells Foolbox versions that nothing here needs, asks for the git executable otherwise.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*scipy.ndimage.*")
        import foolbox
    return foolbox


@functools.cache
def _margin_class(attack: type) -> type:
    import eagerpy

    class MarginAttack(attack):
        """A gradient attack of Foolbox on the margin of the logits."""

        def get_loss_fn(self, model, labels):
            def loss(inputs):
                logits = model(inputs)
                own = eagerpy.onehot_like(logits, labels)
                others = eagerpy.where(own > 0, eagerpy.full_like(logits, -1e30), logits)
                return (others.max(axis=-1) - (logits * own).sum(axis=-1)).sum()

            return loss

    return MarginAttack


@functools.cache
def _adapter_class() -> type:
    foolbox = import_foolbox()
    import eagerpy

    base: Any = foolbox.models.base.ModelWithPreprocessing

    class KerasModel(base):
        """A Keras classifier under the interface of Foolbox."""

        def __init__(self, classifier, data_format):
            dummy = eagerpy.astensor(to_tensor(np.zeros(0, "float32")))
            super().__init__(differentiable_logits(classifier), bounds=UNIT, dummy=dummy)
            self._classifier = classifier
            self._data_format = data_format
            self._checked = classifier.tells_outputs

        @property
        def data_format(self) -> str:
            return self._data_format

        def inputs(self, images: Any, labels: Any) -> tuple[Any, Any]:
            """Checked images and labels as tensors of the dtypes that Foolbox needs."""
            images, labels = check_labeled_images(images, labels)
            images = self._classifier.to_pixels(images)
            outputs = check_model_classes(self._classifier.core)
            classes = None if outputs is None else max(2, outputs)  # one output tells two classes apart
            labels = check_labels(labels, len(images), classes)
            # JAX has no int64 by default; on the others Foolbox fails with anything else.
            wide = "int32" if keras.backend.backend() == "jax" else "int64"
            return to_tensor(images), to_tensor(labels.astype(wide))

        def __call__(self, inputs: Any) -> Any:
            if isinstance(inputs, np.ndarray):
                inputs = to_tensor(inputs.astype("float32", copy=False))
            outputs = super().__call__(inputs)
            if not self._checked:
                self._check(eagerpy.astensor(outputs).raw)
            return outputs

        def _check(self, outputs: Any) -> None:
            if keras.backend.backend() == "jax":
                import jax

                if isinstance(outputs, jax.core.Tracer):  # no numbers yet; a later call has them
                    return
            self._checked = True
            outputs = keras.ops.convert_to_numpy(outputs)
            self._classifier.settle_outputs(outputs).check_differentiable()

    return KerasModel
