"""A program that measures one thing after the other: as one process, or as one of several that are joined.

    python joined.py FOLDER INDEX COUNT PORT [WHAT]

It writes what it has measured to FOLDER/INDEX.pickle. Of JAX it takes all devices that XLA_FLAGS makes.
"""

import contextlib
import functools
import io
import json
import os
import pickle
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

import keras_freq as kf

FOLDER, INDEX, COUNT, PORT = Path(sys.argv[1]), *map(int, sys.argv[2:5])
WHAT = sys.argv[5] if len(sys.argv) > 5 else "measure"

rng = np.random.default_rng(0)
IMAGES, LABELS = rng.random((21, 16, 16, 3)).astype("float32"), np.arange(21) % 4
DATA, SOME = (IMAGES, LABELS), (IMAGES[:13], LABELS[:13])
passes = []


def join():
    if keras.backend.backend() == "torch":
        import torch

        where = f"tcp://127.0.0.1:{PORT}"
        torch.distributed.init_process_group("gloo", init_method=where, rank=INDEX, world_size=COUNT)
        return
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    keras.distribution.initialize(f"127.0.0.1:{PORT}", num_processes=COUNT, process_id=INDEX)
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


@keras.saving.register_keras_serializable("tests")
class Count(keras.layers.Layer):
    """Counts the images that go through it, when they do."""

    def call(self, x):
        if keras.backend.backend() == "jax":
            import jax

            jax.debug.callback(lambda size=x.shape[0]: passes.append(size))
        else:
            passes.append(x.shape[0])
        return x


def make(seed=0):
    keras.utils.set_random_seed(seed)
    layers = [Count(), keras.layers.Conv2D(4, 3, strides=2), keras.layers.BatchNormalization()]
    layers += [keras.layers.ReLU(), keras.layers.Flatten(), keras.layers.Dense(4)]
    return keras.Sequential([keras.layers.Input((16, 16, 3)), *layers])


def measure():
    """Results by name, each with the number of images that went through the model here, and warnings."""
    model, part = make(), {"n": 10, "batch_size": 3}
    maps = np.stack([kf.spectral.disk_mask(16, 16, radius) for radius in (2, 4, 6, 8)])
    once = {"batch_size": 4, "corruptions": ["contrast", "fog", "gaussian_noise"], "severities": [1, 3]}
    metric = keras.metrics.SparseCategoricalAccuracy
    sizes = {"epsilons": [0.01, 0.05], "steps": 2, "batch_size": 4}
    cases = {
        "accuracy": lambda: kf.evaluate.accuracy(model, DATA, batch_size=4),
        "logits": lambda: kf.evaluate.predict_logits(model, IMAGES, batch_size=4),
        "feed": lambda: kf.evaluate.predict_logits(
            model, [(IMAGES[:9], LABELS[:9]), (IMAGES[9:], LABELS[9:])]
        ),
        "scores": lambda: kf.evaluate.class_scores(model, DATA, batch_size=4),
        "bands": lambda: kf.evaluate.band_accuracy(
            model, DATA, radii=[2, 5], batch_size=4, keep_predictions=True
        ),
        "heat map": lambda: kf.evaluate.fourier_heat_map(
            model, DATA, window=2, batch_size=4, bases_per_step=3
        ),
        "layer": lambda: kf.evaluate.fourier_heat_map(model, DATA, window=1, batch_size=4, layer="flatten"),
        "gradients": lambda: kf.evaluate.input_gradient_spectrum(model, DATA, batch_size=4),
        "corruptions": lambda: kf.evaluate.corruption_error(model, DATA, **once),
        "adapted": lambda: kf.evaluate.corruption_error(
            model, DATA, **once, adapt=True, calibration="ece", keep_predictions=True
        ),
        "flips": lambda: kf.evaluate.flip_rate(model, DATA, perturbations=["brightness"], batch_size=4),
        "conflict": lambda: kf.evaluate.cue_conflict(model, DATA, radii=[2, 5], draws=0, batch_size=4),
        "swap": lambda: kf.evaluate.amplitude_swap(model, DATA, batch_size=4),
        "channel": lambda: kf.evaluate.critical_band(
            model, DATA, centers=(1.5, 3, 6), deviations=(0.02, 0.1), draws=0, batch_size=4
        ),
        "filtered": lambda: kf.evaluate.filtered(model, DATA, metric=metric, radii=[2], batch_size=4),
        "calibration": lambda: kf.evaluate.calibration_error(model, DATA),
        "attacks": lambda: kf.evaluate.adversarial_accuracy(model, DATA, engine="own", **sizes),
        "random starts": lambda: kf.evaluate.adversarial_accuracy(model, DATA, random_start=True, **sizes),
        "minimal": lambda: kf.evaluate.minimal_adversarials(model, DATA, attack="fgsm", **part),
        "worst case": lambda: kf.evaluate.worst_case_accuracy(
            model, DATA, epsilon=0.02, attacks=("pgd_ce", "square"), steps=2, queries=4, **part
        ),
        "pgd": lambda: kf.attacks.pgd(
            model, *SOME, epsilon=0.05, steps=3, seed=1, batch_size=4, random_start=True
        ),
        "square": lambda: kf.attacks.square(model, *SOME, epsilon=0.05, queries=4, batch_size=4),
        "importance": lambda: kf.shortcuts.frequency_importance(model, *SOME, per_step=24),
        "hybrid": lambda: kf.shortcuts.frequency_importance(
            model, *SOME, per_step=24, method="hybrid", patch=2
        ),
        "hfss": lambda: kf.shortcuts.hfss(
            model, *SOME, patches=(4, 2), budgets=(5, 4), per_step=8, batch_size=4, top=2
        ),
        "shortcuts": lambda: kf.shortcuts.shortcut_report(model, DATA, maps, batch_size=4),
        "band stop": lambda: kf.shortcuts.band_stop(model, DATA, batch_size=4),
        "learned": lambda: kf.shortcuts.learned_path(
            model, *SOME, fractions=(0.5, 0.2), steps=2, images_per_step=4
        ),
        "sufficient": lambda: kf.shortcuts.sufficient_maps(
            model, SOME[0], fractions=(0.5, 0.2), steps=2, batch_size=4
        ),
        "adcs": lambda: kf.shortcuts.adcs(*DATA, batch_size=4),
        "density": lambda: kf.data.image_spectral_density(DATA, batch_size=4),
    }
    if keras.backend.backend() == "torch":
        cases["auto attack"] = lambda: kf.evaluate.auto_attack_accuracy(model, DATA, epsilon=0.004, **part)
    found = {}
    for name, run in cases.items():
        passes.clear()
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            value = run()
        if keras.backend.backend() == "jax":
            import jax

            jax.effects_barrier()
        texts = [str(one.message) for one in told if "processes measures the whole" in str(one.message)]
        value = json.loads(value.to_json()) if hasattr(value, "to_json") else value
        value = [np.array(one) for one in value.values()] if name == "learned" else value
        found[name] = (value, sum(passes), texts)
    return found


def tell(run):
    """What an error says, or what is returned."""
    try:
        return run()
    except (ValueError, RuntimeError, AssertionError) as error:
        return f"{type(error).__name__}: {error}"


def stop(images):
    """A transform that fails in the last process alone."""
    if INDEX == COUNT - 1:
        raise ValueError("no more")
    return images


def refuse():
    """What does not go well, on every process; after each case the next one works."""
    model, file = make(), FOLDER / "sweep.jsonl"
    heat = {"window": 2, "batch_size": 4, "bases_per_step": 2, "bases_per_pass": 4, "checkpoint": file}
    broken = IMAGES.copy()
    broken[-1, 0, 0, 0] = np.nan
    late = [(IMAGES[:9], LABELS[:9]), (broken[9:], LABELS[9:])]
    cases = {
        "not finite": lambda: kf.evaluate.accuracy(model, (broken, LABELS)),
        "not finite later": lambda: kf.evaluate.predict_logits(model, late, batch_size=3),
        "other weights": lambda: kf.evaluate.accuracy(make(INDEX), DATA),
        "other images": lambda: kf.evaluate.accuracy(model, (IMAGES[INDEX:], LABELS[INDEX:])),
        "fails in one": lambda: kf.evaluate.accuracy(model, DATA, transform=stop, batch_size=4),
        "alone": lambda: share_nothing(model),
        "written": lambda: kf.evaluate.fourier_heat_map(model, DATA, **heat).rows(),
        "gone on with": lambda: resume(model, heat, file),
        "other settings": lambda: kf.evaluate.fourier_heat_map(model, DATA, **heat | {"epsilon": 1.0}),
        "bar": lambda: show_bar(model),
    }
    if keras.backend.backend() == "jax":
        cases["split weights"] = lambda: kf.evaluate.accuracy(make_split(), DATA)
    return {name: tell(run) for name, run in cases.items()}


def share_nothing(model):
    with kf.evaluate.alone():
        return kf.evaluate.accuracy(model, (IMAGES[INDEX:], LABELS[INDEX:])).n


def resume(model, heat, file):
    """A sweep of which half of the file is left; it is the first process that has it."""
    if INDEX == 0:
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[: len(lines) // 2]))
    return kf.evaluate.fourier_heat_map(model, DATA, **heat).rows()


def make_split():
    mesh = keras.distribution.DeviceMesh((1, 4), ["batch", "model"], keras.distribution.list_devices())
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*dense.*kernel"] = (None, "model")
    split = keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")
    with split.scope():
        return make()


def show_bar(model):
    bar = io.StringIO()
    with contextlib.redirect_stderr(bar):
        kf.evaluate.accuracy(model, DATA, progress=True)
    return "accuracy" in bar.getvalue()


def fit():
    """Losses of each step, where each process feeds its part of every batch."""
    sparse = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    dense = keras.losses.CategoricalCrossentropy(from_logits=True)
    pair, single = kf.layers.APRPair(seed=1), kf.layers.APRSingle(seed=2)
    kinds = {
        "apr": (lambda model: kf.APRModel(model, single=single, pair=pair), sparse),
        "adversarial": (
            lambda model: kf.training.AdversarialModel(model, epsilon=0.02, steps=2),
            sparse,
        ),
        "mixture": (lambda model: kf.training.MixtureModel(model, keras.layers.MixUp(seed=3)), dense),
        "mix up": (lambda model: kf.training.MixUpModel(model), dense),
    }
    own = np.arange(16).reshape(2, COUNT, -1)[:, INDEX].ravel()

    def train(kind, loss):
        model = kind(make())
        model.compile(keras.optimizers.SGD(0.05), loss)
        options = {"batch_size": 8 // COUNT, "epochs": 3, "shuffle": False, "verbose": 0}
        bands = kf.callbacks.BandAccuracy(DATA, radii=(4,))
        history = model.fit(IMAGES[own], LABELS[own], callbacks=[bands], **options)
        return {name: np.array(values) for name, values in history.history.items()}

    return {name: tell(functools.partial(train, *kind)) for name, kind in kinds.items()}


def vanish():
    """The last process is gone in the middle of a measurement."""

    def leave(images):
        if INDEX == COUNT - 1:
            os._exit(7)
        return images

    return tell(lambda: kf.evaluate.accuracy(make(), DATA, transform=leave, batch_size=4))


if __name__ == "__main__":
    if COUNT > 1:
        join()
    found = globals()[WHAT]()
    (FOLDER / f"{INDEX}.pickle").write_bytes(pickle.dumps(found))
    print("done", flush=True)
    if WHAT == "vanish":
        os._exit(0)  # JAX would wait for the others
    if COUNT > 1 and keras.backend.backend() == "torch":
        import torch

        torch.distributed.destroy_process_group()  # its threads may abort the end of a process
