"""Networks of one convolution in the table of the apps, which compile fast: importing this adds them."""

from __future__ import annotations

from apps.lab.networks import NETWORKS, Network


def _build(
    *, input_shape, classes, name, seed, width=2, normalization="batch", dropout=0.0, mean=0.45, std=0.25
):
    from keras import Input, Model, layers

    from keras_freq.models import BatchStatisticsNormalization

    norms = {"batch": layers.BatchNormalization, "batch_statistics": BatchStatisticsNormalization}
    inputs = Input(input_shape)
    x = layers.Normalization(mean=mean, variance=[s * s for s in std] if isinstance(std, tuple) else std**2)(
        inputs
    )
    x = layers.Conv2D(width, 3, strides=2, padding="same")(x)
    if normalization is not None:
        x = norms[normalization]()(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    if dropout:
        x = layers.Dropout(dropout, seed=seed)(x)
    return Model(inputs, layers.Dense(classes)(x), name=name)


NETWORKS["tiny"] = Network("tiny network", _build)
NETWORKS["tiny_too"] = Network("another tiny network", _build)
