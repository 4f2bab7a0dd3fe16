"""Two and three replicas of `tf.distribute` train as one device does, in a process of their own."""

import os
import subprocess
import sys

import keras
import pytest

# The devices must exist before TensorFlow starts.
PROGRAM = """
import keras, numpy as np, tensorflow as tf
import keras_freq as kf
from keras_freq import training
from keras_freq.cdes._kernel_model import KernelModel, initial_kernels

one_device = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [one_device] * 3)
rng = np.random.default_rng(0)
images, labels = rng.random((12, 8, 8, 3)).astype("float32"), np.arange(12) % 2
soft = np.eye(2, dtype="float32")[labels]

def network(*heads):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 3, activation="tanh")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    decay = keras.regularizers.L2(0.3)
    outputs = {name: keras.layers.Dense(2, kernel_regularizer=decay)(x) for name in heads or ["one"]}
    return keras.Model(inputs, outputs if heads else outputs["one"])

class Halve(keras.layers.Layer):
    def call(self, data, training=True):
        return {"images": data["images"] / 2, "labels": data["labels"]}

def kernels():
    target = np.linspace(0, 1, len(kf.spectral.azimuthal_radii(8, 8)[0]))
    model = KernelModel(
        (3, 3, 2), target, center="dc", bins="all", noise=0.0, similarity="clean", reduction="mean"
    )
    for variable, value in zip(model.kernels, initial_kernels(3, 2, 3, seed=0)):
        variable.assign(value)
        variable.regularizer = keras.regularizers.L2(0.3)
    return model

# What is drawn is not the same on each number of replicas: here it changes nothing.
still = kf.layers.APRPair(probability=0.0)
MODELS = {
    "the classifier": network,
    "APRModel": lambda: training.APRModel(network(), pair=still),
    "the mean": lambda: training.APRModel(network(), pair=still, reduction="mean"),
    "TwoHeadModel": lambda: training.TwoHeadModel(
        kf.Classifier(network("a", "p"), output="p"), amplitude="a", mixed=0, amplitude_weight=0.7
    ),
    "SpectralRegularizer": lambda: training.SpectralRegularizer(network(), strength=3, radius=2),
    "AdversarialModel": lambda: training.AdversarialModel(network(), steps=1, random_start=False),
    "BandModel": lambda: training.BandModel(network(), kf.layers.LowPass(3)),
    "MixtureModel": lambda: training.MixtureModel(network(), Halve()),
    "AmplitudeDropModel": lambda: training.AmplitudeDropModel(network(), probability=0),
    "AmplitudeUncertaintyModel": lambda: training.AmplitudeUncertaintyModel(
        network(), probability=0, steps=1
    ),
    "CDES": kernels,
}

def train(make, replicas):
    # Collective operations would remember the number of replicas.
    strategy = tf.distribute.MirroredStrategy(
        [f"cpu:{n}" for n in range(replicas)], cross_device_ops=tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        model = make()
        loss = None if make is kernels else keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
        if make is kernels:
            model(images)
    feed = tf.data.Dataset.from_tensor_slices((images, soft)).batch(12)
    logs = model.fit(feed, epochs=2, shuffle=False, verbose=0).history
    return np.concatenate([logs["loss"], *[np.ravel(weight) for weight in model.trainable_variables]])

for name, make in MODELS.items():
    one = train(make, 1)
    for replicas in (2, 3):
        np.testing.assert_allclose(train(make, replicas), one, rtol=1e-5, atol=1e-5, err_msg=name)
    print(name)
"""


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="replicas of TensorFlow")
def test_replicas_train_as_one_device_does():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split()[-1] == "CDES"
