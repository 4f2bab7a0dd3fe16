"""Image classifiers: pixels in [0, 1] in, `(batch, height, width, channels)`; logits out.

The first layer of each normalises the pixels, so that attacks and filters work in the space of images.
"""

from keras_freq.models.alexnet_small import alexnet_small
from keras_freq.models.all_conv import all_conv
from keras_freq.models.batch_statistics import BatchStatisticsNormalization
from keras_freq.models.densenet_cifar import densenet_cifar
from keras_freq.models.grouped_convolution import GroupedConv2D
from keras_freq.models.resnet_cifar import resnet_cifar
from keras_freq.models.resnext_cifar import resnext_cifar
from keras_freq.models.small_resnet import small_resnet
from keras_freq.models.tokens import ClassToken, PositionEmbedding
from keras_freq.models.vgg16_bn import vgg16_bn
from keras_freq.models.vit import vit
from keras_freq.models.wide_resnet import wide_resnet

__all__ = [
    "BatchStatisticsNormalization",
    "ClassToken",
    "GroupedConv2D",
    "PositionEmbedding",
    "alexnet_small",
    "all_conv",
    "densenet_cifar",
    "resnet_cifar",
    "resnext_cifar",
    "small_resnet",
    "vgg16_bn",
    "vit",
    "wide_resnet",
]
