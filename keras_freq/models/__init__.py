"""Image classifiers: pixels in [0, 1] in, `(batch, height, width, channels)`; logits out.

The first layer of each normalizes the pixels, so that attacks and filters work in the space of images.
`smooth_kernels` copies a classifier with smoother convolutions. `reference` gives a trained network.
"""

from keras_freq.models._alexnet_small import alexnet_small
from keras_freq.models._all_conv import all_conv
from keras_freq.models._batch_statistics import BatchStatisticsNormalization
from keras_freq.models._densenet_cifar import densenet_cifar
from keras_freq.models._grouped_convolution import GroupedConv2D
from keras_freq.models._references import Reference, References, reference, references
from keras_freq.models._resnet_cifar import resnet_cifar
from keras_freq.models._resnext_cifar import resnext_cifar
from keras_freq.models._scaled_bias import ScaledBias
from keras_freq.models._small_resnet import small_resnet
from keras_freq.models._smooth_kernels import smooth_kernel, smooth_kernels
from keras_freq.models._tokens import ClassToken, PositionEmbedding
from keras_freq.models._vgg16_bn import vgg16_bn
from keras_freq.models._vit import vit
from keras_freq.models._whitened_net import PassThrough, whitened_net
from keras_freq.models._whitening import whitening_kernel
from keras_freq.models._wide_resnet import wide_resnet

__all__ = [
    "BatchStatisticsNormalization",
    "ClassToken",
    "GroupedConv2D",
    "PassThrough",
    "PositionEmbedding",
    "Reference",
    "References",
    "ScaledBias",
    "alexnet_small",
    "all_conv",
    "densenet_cifar",
    "reference",
    "references",
    "resnet_cifar",
    "resnext_cifar",
    "small_resnet",
    "smooth_kernel",
    "smooth_kernels",
    "vgg16_bn",
    "vit",
    "whitened_net",
    "whitening_kernel",
    "wide_resnet",
]


def __dir__() -> list[str]:
    return __all__
