"""Seconds of the CPU that `band_accuracy` takes on some virtual devices of JAX, the least of three calls.

python devices_cpu.py DEVICES BATCH
"""

import os
import sys
import time

import keras
import numpy as np

import keras_freq as kf

if __name__ == "__main__":
    devices, batch = map(int, sys.argv[1:])
    # JAX makes its devices when they are first asked for.
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    keras.utils.set_random_seed(0)
    if devices > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    model = kf.models.small_resnet(input_shape=(32, 32, 3), classes=10)
    images = np.random.default_rng(0).random((512, 32, 32, 3)).astype("float32")
    seconds = []
    for _ in range(4):  # the first one compiles
        begun = time.process_time()
        kf.evaluate.band_accuracy(model, (images, np.arange(512) % 10), batch_size=batch)
        seconds.append(time.process_time() - begun)
    print(len(keras.distribution.list_devices()), min(seconds[1:]))
