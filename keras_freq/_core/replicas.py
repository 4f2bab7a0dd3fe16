"""The replicas of `tf.distribute`, whose losses add up to that of the batch."""

from __future__ import annotations

from typing import Any

import keras


def share_of_replica(loss: Any) -> Any:
    """A loss of one replica as its part of the loss of all.

    `keras.Model.compute_loss` scales so what it computes itself; what is added to it or taken off has to be
    of the same scale.
    """
    if keras.backend.backend() != "tensorflow":
        return loss
    import tensorflow as tf

    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return loss if replicas == 1 else loss / replicas
