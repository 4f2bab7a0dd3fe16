"""`keras-freq spectrum`."""

from __future__ import annotations

from keras_freq._cli._data import open_chosen
from keras_freq._cli._options import DataOptions, ResultOptions, RunOptions
from keras_freq._cli._output import Output
from keras_freq._cli._start import start_keras


def spectrum(data: DataOptions, run: RunOptions, result: ResultOptions) -> int:
    """Spectral density of a data set by radius; no model.

    Without --n all images are taken.

    \b
    keras-freq spectrum cifar10_mini --out spectrum
    keras-freq spectrum photos --split train --n 500 --image-size 224
    """
    output = Output.open("spectrum", result)
    start_keras(run.backend)
    opened = open_chosen(data)
    output.say(f"data     {opened.name}, {opened.note}; {len(opened.classes)} classes")
    from keras_freq import plots
    from keras_freq.data import image_spectral_density

    density = image_spectral_density(opened.pair, batch_size=run.batch_size, progress=None)
    return output.deliver(density, lambda: plots.spectral_density({opened.name: density}))
