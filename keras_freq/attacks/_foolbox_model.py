"""Keras models for Foolbox, on the three backends. The one file that imports Foolbox, and only on demand."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import (
    check_choice,
    check_images,
    check_interval,
    check_labels,
    check_model_classes,
    check_whole,
)
from keras_freq._core.compiled import differentiable_logits, to_tensor
from keras_freq._core.probabilities import reject_probabilities
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
    model: keras.Model, bounds: tuple[float, float] = (0, 1), *, data_format: str = "channels_last"
) -> Any:
    """A Keras model as a Foolbox model, for any Foolbox attack, on TensorFlow, JAX and PyTorch.

    The model runs in inference mode with its current weights, compiled on TensorFlow and JAX. On PyTorch an
    attack leaves `.grad` of the weights alone.

    Args:
        model: Keras classifier, pixels in `bounds` in, logits `(batch, classes)` out.
        bounds: Lowest and highest pixel value.
        data_format: Layout of the images, `"channels_last"` or `"channels_first"`.

    Returns:
        A `foolbox.models.Model`. Attacks need tensors: its method `inputs(images, labels)` checks NumPy
        images and labels and makes tensors of the dtypes that Foolbox needs on the active backend. Called
        with NumPy images the model converts them itself.

    Raises:
        ImportError: If Foolbox, or the git executable that its import needs, is missing.
        ValueError: If the model ends in softmax or sigmoid.

    Differs from the original: Foolbox's own wrappers take numpy arrays on no backend, fill the weights'
    gradients on PyTorch, and are not compiled.

    Example:

    >>> adapter = keras_freq.attacks.foolbox_model(model)
    >>> x, y = adapter.inputs(images, labels)
    >>> with keras_freq.attacks.foolbox_seed(0):
    ...     attack = foolbox.attacks.LinfPGD(abs_stepsize=0.01, steps=20)
    ...     _, adversarial, success = attack(adapter, x, y, epsilons=0.03)
    """
    check_choice(data_format, "data_format", ("channels_last", "channels_first"))
    bounds = check_interval(bounds, "bounds")
    logits = differentiable_logits(model)  # a TypeError for what is no model comes before the import
    reject_probabilities(model)
    return _adapter_class()(model, logits, bounds, data_format)


@contextlib.contextmanager
def foolbox_seed(seed: int) -> Iterator[None]:
    """Seeds the random draws of Foolbox attacks inside a `with` block.

    Foolbox draws from the framework's global generator, on JAX from a key of its own. The generators of
    PyTorch and the key on JAX are as before after the block; on TensorFlow the global seed stays set (Keras
    does not use it).

    Args:
        seed: Whole number of at least 0.

    Raises:
        ImportError: As `foolbox_model`.

    Example:

    >>> with keras_freq.attacks.foolbox_seed(0):
    ...     attack(adapter, x, y, epsilons=0.03)
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
        name: A key of `FIXED_SIZE` or `MINIMAL_SIZE`.
        steps: Number of steps; by default 20 for PGD, 50 for DeepFool, 1000 for Boundary. FGSM has one.
        epsilon: For PGD, the size of the ball that the default step size is made for.
        step_size: For PGD, absolute; default `2.5 * epsilon / steps`.
        random_start: For PGD and FGSM, start at a random point of the ball.
        loss: For PGD, what it raises: `"cross_entropy"`, or `"margin"` for `max_{j != y} z_j - z_y`, whose
            gradient does not vanish where the model is sure.

    Returns:
        A Foolbox attack object.

    Raises:
        ImportError: As `foolbox_model`.
        ValueError: If the name or the loss is unknown.
    """
    check_choice(loss, "loss", ("cross_entropy", "margin"))
    table = FIXED_SIZE | MINIMAL_SIZE
    kind, _, default_steps = table[check_choice(name, "attack", tuple(table))]
    steps = default_steps if steps is None else steps
    attack = getattr(import_foolbox().attacks, kind)
    if name == "fgsm":
        return attack(random_start=random_start)
    if name in MINIMAL_SIZE:
        return attack(steps=steps)
    step_size = default_step_size(epsilon, steps) if step_size is None else step_size
    if loss == "margin":
        attack = _margin_class(attack)
    return attack(abs_stepsize=step_size, steps=steps, random_start=random_start)


def import_foolbox() -> Any:
    """Foolbox, or one line that says what is missing and how to get it."""
    try:
        import foolbox
    except ModuleNotFoundError as error:
        raise ImportError(
            "Foolbox is not installed or not complete: pip install 'keras-freq[attacks]'. "
            f"Received: no module named {error.name!r}"
        ) from error
    except ImportError as error:
        if "git" not in str(error).lower():
            raise
        # GitPython, which Foolbox imports, refuses to load without the executable.
        raise ImportError(
            "Foolbox needs the git executable: install git (apt install git, conda install git) or put it on "
            "PATH. Received: no working git"
        ) from error
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

    class KerasModel(foolbox.models.base.ModelWithPreprocessing):
        """A Keras classifier under the interface of Foolbox."""

        def __init__(self, model, logits, bounds, data_format):
            super().__init__(logits, bounds=bounds, dummy=eagerpy.astensor(to_tensor(np.zeros(0, "float32"))))
            self._keras_model = model
            self._data_format = data_format
            self._checked = False

        @property
        def data_format(self) -> str:
            return self._data_format

        def inputs(self, images: Any, labels: Any) -> tuple[Any, Any]:
            """Checked images and labels as tensors of the dtypes that Foolbox needs."""
            images = check_images(images, self.bounds)
            labels = check_labels(labels, len(images), check_model_classes(self._keras_model))
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
            reject_probabilities(self._keras_model, keras.ops.convert_to_numpy(outputs))

    return KerasModel
