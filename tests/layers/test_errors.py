"""What layers refuse comes as one line, alone and inside models, which Keras' frame around errors is not."""

import keras
import numpy as np
import pytest

import keras_freq as kf

SMALL = np.ones((8, 8))


@pytest.fixture
def pixels(rng):
    return rng.random((4, 16, 16, 3)).astype("float32")


def classifier(*layers):
    inputs = x = keras.Input((16, 16, 3))
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    model.compile("sgd", "mse")
    return model


class Subclassed(keras.Model):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def call(self, images, training=None):
        return self.layer(images)


def fit(model, x):
    model.fit(x, np.zeros((4, 2), "float32"), verbose=0)


def as_bytes(x, kind="uint8"):
    return np.rint(255 * x).astype(kind)


REFUSED = {
    "12 bits": (lambda x: kf.layers.APRSingle()(16 * as_bytes(x, "uint16")), "must lie in 0 to 255"),
    "12 bits, arrays": (
        lambda x: kf.layers.CropFlip().transform_arrays(16 * as_bytes(x, "uint16"), [None] * 4),
        "must lie in 0 to 255",
    ),
    "fill of bytes": (
        lambda x: kf.layers.CropFlip(fill=128)(as_bytes(x)),
        "`fill` must be stated for pixels",
    ),
    "clip of bytes": (lambda x: kf.layers.APRPair(clip=(0, 255))(as_bytes(x)), "`clip` must be stated"),
    "clip of floats of bytes": (
        lambda x: kf.layers.SpectralDropout(clip=(0, 255))(kf.layers.CropFlip()(as_bytes(x))),
        "`clip` must be stated",
    ),
    "range": (lambda x: kf.layers.APRSingle()(255 * x), "takes bytes, 0 to 255"),
    "rank": (lambda x: kf.layers.LowPass(4)(x[0, 0]), "Images must have shape"),
    "rank of an augmentation": (lambda x: kf.layers.CropFlip()(x[0, 0]), "Images must have shape"),
    "no batch": (lambda x: kf.layers.APRPair()(x[0]), "needs a batch"),
    "size of a mask": (lambda x: kf.layers.FrequencyMask(SMALL)(x), "`mask` must have the images' size"),
    "channels": (
        lambda x: kf.layers.SpectralDensityEnhancement()(x[..., :2]),
        "The images must have the 3 channels",
    ),
    "functional": (
        lambda x: classifier(kf.layers.CropFlip(), kf.layers.AugMix())(255 * x, training=True),
        "takes bytes, 0 to 255",
    ),
    "sequential": (
        lambda x: keras.Sequential([kf.layers.CropFlip(), kf.layers.AugMix()])(255 * x, training=True),
        "takes bytes, 0 to 255",
    ),
    "subclassed": (
        lambda x: Subclassed(kf.layers.APRSingle())(255 * x, training=True),
        "takes bytes, 0 to 255",
    ),
    "wrapper": (
        lambda x: kf.APRModel(classifier(), single=kf.layers.APRSingle())(255 * x, training=True),
        "takes bytes, 0 to 255",
    ),
    "predict": (
        lambda x: classifier(kf.layers.FrequencyMask(SMALL)).predict(x, verbose=0),
        "`mask` must have the images' size",
    ),
    "fit": (
        lambda x: fit(classifier(kf.layers.FourierNoise(band=(100, 200))), x),
        "`band` holds no frequency",
    ),
    "node of a model": (
        lambda x: classifier(lambda i: kf.spectral.apply_mask(i, SMALL)).predict(x, verbose=0),
        "`mask` must have the images' size",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_line(name, pixels):
    run, words = REFUSED[name]
    with pytest.raises(ValueError, match=words) as error:
        run(pixels)
    message = str(error.value)
    assert "\n" not in message
    assert "Received: " in message
    assert "\x1b" not in message


def test_errors_of_others_stay_as_keras_makes_them(pixels):
    class Failing(kf.layers.LowPass):
        def transform(self, images):
            raise ValueError("something else")

    with pytest.raises(ValueError, match=r"Exception encountered when calling Failing[\s\S]*something else"):
        Failing(4)(pixels)


def test_images_beyond_the_range_are_refused_every_time_and_only_as_first(pixels):
    layer = kf.layers.APRSingle(seed=0)
    for _ in range(2):
        with pytest.raises(ValueError, match="takes bytes, 0 to 255"):
            layer(255 * pixels)
    layer(pixels)
    layer(255 * pixels)  # looked at once: not in every step of a training
