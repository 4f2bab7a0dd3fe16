"""A look at the first images of whatever `fit` takes, which changes no order that training reads them in."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_freq._core.checks import check_pixels

Check = Callable[[np.ndarray], None]


class FirstImages:
    """Looks once at the first images of data for `fit`.

    Arrays are looked at now. So is a `PyDataset`, whose batch 0 is asked for once more than Keras does: what
    it draws from a state of its own there is drawn once more, and not where draws follow from the index. A
    generator gets its first batch back. A `tf.data.Dataset` is not read: opened for a look it would shuffle
    anew. Its first batch is looked at on its way into training, and what is wrong with it is kept in `error`,
    since TensorFlow wraps what is raised there into many lines.

    Args:
        check: Raises a `ValueError` for images that will not do.
        count: How many images of arrays are looked at.

    Attributes:
        error: What was wrong with the first batch of a `tf.data.Dataset`, or `None`.
    """

    def __init__(self, check: Check, count: int):
        self._check, self._count = check, count
        self.error: ValueError | None = None

    def look(self, x: Any) -> Any:
        """The data, to be read in place of `x`."""
        if isinstance(x, keras.utils.PyDataset):
            self._look_at(x[0])
        elif isinstance(x, types.GeneratorType):
            first = list(itertools.islice(x, 1))
            if first:
                self._look_at(first[0])
            return (batch for batch in itertools.chain(first, x))  # Keras takes generators proper alone
        elif hasattr(x, "as_numpy_iterator") and hasattr(x, "enumerate"):
            return self._look_on_the_way(x)
        else:
            self._look_at(x)
        return x

    def _look_at(self, batch: Any) -> None:
        images = batch[0] if isinstance(batch, (tuple, list)) else batch
        # Other inputs, such as several in a dictionary, are left to Keras.
        if len(getattr(images, "shape", ())) == 4:
            images = images[: self._count]
            self._check(check_pixels(keras.ops.convert_to_numpy(images)))

    def _look_on_the_way(self, dataset: Any) -> Any:
        import tensorflow as tf

        def keep_error(images: np.ndarray) -> np.signedinteger:
            try:
                self._look_at(images)
            except ValueError as error:
                self.error = error
                raise
            return np.int32(0)

        def look(index: Any, *batch: Any) -> Any:
            images = batch[0]
            if not (tf.is_tensor(images) and images.shape.rank == 4):
                return batch if len(batch) > 1 else images
            done = tf.cond(
                index == 0,
                lambda: tf.numpy_function(keep_error, [images], tf.int32),
                lambda: tf.constant(0, tf.int32),
            )
            with tf.control_dependencies([done]):
                images = tf.identity(images)
            return (images, *batch[1:]) if len(batch) > 1 else images

        return dataset.enumerate().map(
            lambda index, batch: look(index, *batch) if isinstance(batch, tuple) else look(index, batch)
        )
