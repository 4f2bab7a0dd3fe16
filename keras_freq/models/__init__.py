"""Image classifiers: pixels in [0, 1] in, `(batch, height, width, channels)`; logits out.

The first layer of each normalises the pixels, so that attacks and filters work in the space of images.
"""

from keras_freq.models.batch_statistics import BatchStatisticsNormalization
from keras_freq.models.resnet_cifar import resnet_cifar
from keras_freq.models.small_resnet import small_resnet

__all__ = ["BatchStatisticsNormalization", "resnet_cifar", "small_resnet"]
