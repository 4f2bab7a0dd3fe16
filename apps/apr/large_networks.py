"""Networks for large images, and the model that trains them as APR's authors do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np
from keras import ops

import keras_freq as kf
from apps.apr import rows
from apps.apr.large_config import ImageNet
from apps.apr.large_images import crop_layer
from apps.apr.networks import precision
from apps.runner import RunError

# Of the training images of ImageNet in [0, 1], per channel.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
LABELS = {"resnet50": "ResNet-50", "resnet18": "ResNet-18 (CIFAR's stem)", "small_resnet": "small ResNet"}


@keras.saving.register_keras_serializable(package="keras_freq_apps")
class NormalizedPair(keras.layers.Layer):
    """Mixes the images of a batch in normalised space: pixels in and out.

    `y = std * pair((x - mean) / std) + mean`. Amplitudes of normalised images are others than those of
    pixels, channel by channel and at DC, so that this is not what `pair` makes of the pixels.
    """

    def __init__(
        self, pair: keras.Layer, *, mean: Sequence[float] = MEAN, std: Sequence[float] = STD, **kwargs
    ):
        super().__init__(autocast=False, **kwargs)
        self.pair, self.mean, self.std = pair, tuple(mean), tuple(std)

    def build(self, input_shape):
        self.pair.build(input_shape)

    def call(self, images, training=True):
        if not training:
            return images
        mean, std = (ops.convert_to_tensor(np.asarray(x, "float32")) for x in (self.mean, self.std))
        normalized = (ops.cast(images, "float32") - mean) / std
        return self.pair(normalized, training=True) * std + mean

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        pair = keras.saving.serialize_keras_object(self.pair)
        return {**super().get_config(), "pair": pair, "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "pair": keras.saving.deserialize_keras_object(config["pair"])})


@keras.saving.register_keras_serializable(package="keras_freq_apps")
class CroppedAPRModel(kf.APRModel):
    """`keras_freq.APRModel` behind a crop: random in training, the middle in inference."""

    PARTS = ("crop", *kf.APRModel.PARTS)

    def __init__(self, classifier: keras.Model, *, crop: kf.layers.RandomResizedCrop, **options):
        super().__init__(classifier, **options)
        self.crop = crop

    def build(self, input_shape):
        self.crop.build(input_shape)
        super().build(self.crop.compute_output_shape(input_shape))

    def call(self, images, training=False):
        return super().call(self.crop(images, training=training), training=training)

    def compute_output_shape(self, input_shape):
        return super().compute_output_shape(self.crop.compute_output_shape(input_shape))


def large_classifier(config: ImageNet, classes: int, *, seed: int, name: str) -> keras.Model:
    """The network with weights drawn from the seed: pixels in [0, 1] in, logits out."""
    keras.utils.set_random_seed(seed)
    shape = (config.crop, config.crop, 3)
    with precision(config.training.precision):
        if config.network == "resnet50":
            return _resnet50(shape, classes, name)
        options = {"mean": MEAN, "std": STD, "name": name, "seed": seed}
        if config.network == "resnet18":
            return kf.models.resnet_cifar(18, shape, classes, **options)
        return kf.models.small_resnet(shape, classes, width=config.training.width, **options)


def _resnet50(shape: tuple[int, int, int], classes: int, name: str) -> keras.Model:
    inputs = keras.Input(shape)
    x = keras.layers.Normalization(mean=MEAN, variance=np.square(STD))(inputs)
    backbone = keras.applications.ResNet50(
        weights=None, input_shape=shape, classes=classes, classifier_activation=None
    )
    return keras.Model(inputs, backbone(x), name=name)


def training_model(config: ImageNet, row: str, classifier: keras.Model, *, seed: int) -> CroppedAPRModel:
    """The model that trains `classifier` in the way of the row: crop, APR-S, flip, normalise, APR-P."""
    parts = {}
    if row in ("apr_s", "apr_sp"):
        parts["single"] = rows.single(config.augmentations, seed=seed)
    if row in ("apr_p", "apr_sp"):
        parts["pair"] = NormalizedPair(rows.pair(config.augmentations, seed=seed))
    return CroppedAPRModel(
        classifier,
        crop=crop_layer(config, seed=seed + 1),
        augment=keras.layers.RandomFlip("horizontal", seed=seed + 4),
        name=f"{classifier.name}_training",
        **parts,
    )


@contextlib.contextmanager
def shared_among_devices(config: ImageNet) -> Iterator[None]:
    """Models built inside train with every batch shared among all devices, where the settings say so.

    Raises:
        RunError: If the backend cannot, or the batch cannot be shared evenly.
    """
    if not config.data_parallel:
        yield
        return
    backend = keras.backend.backend()
    if backend != "jax":
        raise RunError(
            "`data_parallel` must be false, or Keras run on JAX (KERAS_BACKEND=jax), the backend whose "
            f"keras.distribution is complete. Received: data_parallel=true with KERAS_BACKEND={backend}"
        )
    devices = keras.distribution.list_devices()
    size = config.training.batch_size
    if size % len(devices):
        raise RunError(
            f"`training.batch_size` must be a multiple of the number of devices, {len(devices)}, with "
            f"data_parallel=true. Received: training.batch_size={size}"
        )
    with keras.distribution.DataParallel(devices=devices).scope():
        yield
