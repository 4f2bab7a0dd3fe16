"""What each callback promises, whatever it measures."""

import csv
import dataclasses
import functools
from collections.abc import Callable

import keras
import numpy as np
import pytest

import keras_freq as kf
from tests.refusals import refused

MASKS = np.stack([kf.spectral.disk_mask(8, 8, radius) for radius in (1, 2, 4)])
STEPS = 2  # an epoch


@dataclasses.dataclass
class Case:
    make: Callable
    measure: Callable
    key: str
    value: Callable
    unit: int = 1  # what `every` counts, by epoch


CASES = {
    "AdversarialAccuracy": Case(
        lambda data, **k: kf.callbacks.AdversarialAccuracy(
            data, steps=2, epsilons=(0.01, 0.1), random_start=True, **k
        ),
        lambda model, data: kf.evaluate.adversarial_accuracy(
            model, data, steps=2, epsilons=(0.01, 0.1), random_start=True
        ),
        "linf_pgd_0.01",
        lambda result: result.accuracy[0],
    ),
    "BandAccuracy": Case(
        lambda data, **k: kf.callbacks.BandAccuracy(data, radii=(1.5, 3), **k),
        lambda model, data: kf.evaluate.band_accuracy(model, data, radii=(1.5, 3)),
        "low_1.5",
        lambda result: result.low[0],
    ),
    "EarlyLearning": Case(
        lambda data, every=1, **k: kf.callbacks.EarlyLearning(data, every=every, **k),
        lambda model, data: kf.evaluate.class_scores(model, data),
        "macro_f1",
        lambda result: result.f1.mean(),
        unit=STEPS,
    ),
    "FourierHeatMap": Case(
        lambda data, **k: kf.callbacks.FourierHeatMap(data, **{"epsilon": 1.0, "n": 10, "window": 2, **k}),
        lambda model, data: kf.evaluate.fourier_heat_map(model, data, epsilon=1.0, n=10, window=2),
        "fourier_error_low",
        lambda result: result.ring_means()["low"],
    ),
    "FrequencyReport": Case(
        lambda data, **k: kf.callbacks.FrequencyReport(data, **k),
        lambda model, data: kf.report(model, data, only=("bands",)),
        "low_2",
        lambda result: result.numbers()["low_2"],
    ),
    "GradientSpectrum": Case(
        lambda data, **k: kf.callbacks.GradientSpectrum(data, **k),
        lambda model, data: kf.evaluate.input_gradient_spectrum(model, data),
        "gradient_high",
        lambda result: result.ring_means()["high"],
    ),
    "ShortcutMaskEvaluation": Case(
        lambda data, **k: kf.callbacks.ShortcutMaskEvaluation(data, MASKS, **k),
        lambda model, data: kf.shortcuts.shortcut_report(model, data, MASKS),
        "shortcut_tpr",
        lambda result: result.tpr.mean(),
    ),
}
every_callback = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def data(rng):
    return rng.random((12, 8, 8, 3), dtype="float32"), (np.arange(12) % 3).astype("int32")


@functools.cache
def compiled(end):
    """One network for all tests, since what is compiled for it serves them all; and how it starts."""
    keras.utils.set_random_seed(5)
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Flatten()(inputs))
    outputs = keras.layers.Dense(1 if end == "one" else 3)(keras.layers.Dropout(0.3)(x))
    if end == "sigmoid":
        outputs = keras.layers.Activation("sigmoid")(outputs)
    if end == "two":
        outputs = [outputs, keras.layers.Dense(2)(x)]
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.2), [loss, loss] if end == "two" else loss, metrics=[])
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    start = [(variable, np.array(keras.ops.convert_to_numpy(variable))) for variable in variables]
    if end is None:  # a first `fit` takes more of the global random numbers than a later one
        model.fit(np.zeros((6, 8, 8, 3)), np.zeros(6), verbose=0)
    return model, start


def network(end=None):
    model, start = compiled(end)
    for variable, value in start:
        variable.assign(value)
    return model


def train(data, callbacks, model=None, *, epochs=5, **options):
    model = model or network()
    keras.utils.set_random_seed(7)
    images, labels = data
    labels = [labels] * len(model.outputs) if len(model.outputs) > 1 else labels
    options |= {"batch_size": 6, "epochs": epochs}
    history = model.fit(images, labels, verbose=0, callbacks=callbacks, **options)
    return model, history.history


class Weights(keras.callbacks.Callback):
    """The weights at the end of each epoch."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def on_epoch_end(self, epoch, logs=None):
        self.kept.append([weight.copy() for weight in self.model.get_weights()])


class Batches(keras.utils.PyDataset):
    def __init__(self, images, labels):
        super().__init__()
        self.parts = [(images[i : i + 4], labels[i : i + 4]) for i in range(0, len(images), 4)]

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]


def test_the_table_is_whole():
    assert sorted(CASES) == sorted(kf.callbacks.__all__)


@every_callback
def test_measures_the_weights_of_its_epochs_and_leaves_training_alone(name, data):
    case, weights = CASES[name], Weights()
    callback = case.make(data, every=2 * case.unit, prefix="val_")
    _, history = train(data, [callback, weights])
    model, without = train(data, [])
    assert history["loss"] == without["loss"]
    for one, other in zip(weights.kept[-1], model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    assert set(history) <= {"loss", *callback.keys}
    assert [moment for moment, _ in callback.history] == ([4, 8] if case.unit > 1 else [1, 3])
    for index, epoch in enumerate((1, 3)):
        model.set_weights(weights.kept[epoch])
        expected = case.measure(model, data)
        assert callback.history[index][1] == expected
        value = history[f"val_{case.key}"][index]
        assert type(value) is float
        assert value == pytest.approx(case.value(expected), abs=1e-12)
    for key in set(history) - {"loss"}:
        assert len(history[key]) == 2
        assert not np.isnan(history[key]).any()


@every_callback
def test_a_collection_of_epochs(name, data):
    case, logs = CASES[name], []
    one, four = case.unit, 4 * case.unit
    forms = [[one, four], (four, one), {one, four}, np.array([one, four]), range(one, four + 1, 3 * one)]
    callbacks = [case.make(data, every=every, prefix=f"{k}_") for k, every in enumerate(forms)]
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, values: logs.append(dict(values)))
    train(data, [*callbacks, keep])
    for k in range(len(forms)):
        assert [f"{k}_{case.key}" in values for values in logs] == [True, False, False, True, False]


@every_callback
def test_a_later_fit_goes_on(name, data, tmp_path):
    """In one log whose columns stay in their places, though one fit begins with a measurement."""
    case, path = CASES[name], tmp_path / "log.csv"
    callback = case.make(data, every=2 * case.unit)
    log = keras.callbacks.CSVLogger(str(path), append=True)
    model, _ = train(data, [callback, log], epochs=3)
    train(data, [callback, log], model, epochs=6, initial_epoch=3)
    assert [moment for moment, _ in callback.history] == ([4, 8, 12] if case.unit > 1 else [1, 3, 5])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == list("012345")
    assert [row[case.key] == "NA" for row in rows] == [True, False] * 3
    for row, (_, result) in zip(rows[1::2], callback.history, strict=True):
        assert float(row[case.key]) == pytest.approx(case.value(result))
        assert float(row["loss"]) > 0
    assert "on_epoch_end" not in vars(log)


@every_callback
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_epochs_do_not_recompile(name, data, counting):
    model, runs = counting((8, 8, 3), 3)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    train(data, [CASES[name].make(data)], model, epochs=1)
    runs.clear()
    train(data, [CASES[name].make(data)], model, epochs=3)
    assert runs.count(False) == 0


NAN, IMAGES = np.full((12, 8, 8, 3), 0.5, "float32"), np.full((12, 8, 8, 3), 0.5, "float32")
NAN[-1, 0, 0, 0] = np.nan
LABELS = np.arange(12) % 3
LATE = np.where(np.arange(12) == 9, 3, LABELS)
BAD_DATA = {
    # what is wrong: (data, end of the model, what the line says)
    "label beyond the classes": ((IMAGES, LATE), None, "from 0 to 2"),
    "label of a later batch": (Batches(IMAGES, LATE), None, "from 0 to 2"),
    "pixel": ((NAN, LABELS), None, "must be finite"),
    "pixel of a later batch": (Batches(NAN, LABELS), None, "must be finite"),
    "size": ((IMAGES[:, 1:], LABELS), None, "shape (8, 8, 3)"),
    "channels": ((IMAGES[..., :1], LABELS), None, "shape (8, 8, 3)"),
    "one image": ((IMAGES[0], LABELS), None, "rank 4"),
    "text": ("images", None, "`data` must be"),
    "no labels": (IMAGES, None, "`data` must be"),
    "sample weights": ((IMAGES, LABELS, LABELS), None, "Sample weights"),
    "multi-label": ((IMAGES, LABELS), "sigmoid", "multi-label"),
    "one output": ((IMAGES, LABELS), "one", "from 0 to 1"),
    "two outputs": ((IMAGES, LABELS), "two", "has several outputs"),
}


@every_callback
@pytest.mark.parametrize("wrong", BAD_DATA)
def test_bad_data_are_refused_before_the_first_step(name, wrong, data):
    measured, end, says = BAD_DATA[wrong]
    options = {"n": 12} if name == "FourierHeatMap" else {}
    callback, model, steps = CASES[name].make(measured, **options), network(end), []
    seen = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: steps.append(batch))
    with refused(says, error=(ValueError, TypeError)):
        train(data, [callback, seen], model)
    assert not steps


@pytest.mark.once
@every_callback
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"every": 0}, "every=0"),
        ({"every": 1.5}, "every=1.5"),
        ({"every": None}, "every=None"),
        ({"every": True}, "every=True"),
        ({"every": "12"}, "every='12'"),
        ({"every": []}, "every=[]"),
        ({"every": (2, 0)}, "every=(2, 0)"),
        ({"prefix": 1}, "prefix=1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"n": 0}, "n=0"),
        ({"n": 2.5}, "n=2.5"),
        ({"data": iter([])}, "read only once"),
    ],
)
def test_bad_arguments(name, options, says, data):
    if "n" in options and name in ("BandAccuracy", "EarlyLearning", "ShortcutMaskEvaluation"):
        pytest.skip("measures all images")
    if "batch_size" in options and name == "FrequencyReport":
        pytest.skip("its sections have batches of their own")
    options = {"data": data, **options}
    with refused(says):
        CASES[name].make(options.pop("data"), **options)


# What single callbacks refuse besides, before anything is trained.
OWN = [
    ("AdversarialAccuracy", {"attack": "pgd"}, "`attack`"),
    ("AdversarialAccuracy", {"epsilons": ()}, "`epsilons`"),
    ("AdversarialAccuracy", {"epsilons": (-0.1,)}, "`epsilons`"),
    ("AdversarialAccuracy", {"epsilons": (0.12341, 0.12342)}, "first three digits"),
    ("AdversarialAccuracy", {"steps": 0}, "`steps`"),
    ("AdversarialAccuracy", {"step_size": 0}, "`step_size`"),
    ("AdversarialAccuracy", {"random_start": 1}, "`random_start`"),
    ("AdversarialAccuracy", {"seed": -1}, "`seed`"),
    ("AdversarialAccuracy", {"engine": "art"}, "`engine`"),
    ("AdversarialAccuracy", {"bounds": (1, 0)}, "`bounds`"),
    ("BandAccuracy", {"radii": ()}, "`radii`"),
    ("BandAccuracy", {"radii": (-1,)}, "`radii`"),
    ("BandAccuracy", {"radii": (float("nan"),)}, "`radii`"),
    ("BandAccuracy", {"rescale": "mean"}, "`rescale`"),
    ("EarlyLearning", {"iterations": 0}, "iterations=0"),
    ("EarlyLearning", {"iterations": 0.5}, "iterations=0.5"),
    ("FourierHeatMap", {"epsilon": -1}, "`epsilon`"),
    ("FourierHeatMap", {"phase": "any"}, "`phase`"),
    ("FourierHeatMap", {"seed": -1}, "seed=-1"),
    ("FourierHeatMap", {"bounds": (1, 0)}, "`bounds`"),
    ("GradientSpectrum", {"center": "corner"}, "center='corner'"),
    ("GradientSpectrum", {"bins": "outer"}, "bins='outer'"),
    ("GradientSpectrum", {"normalize": 1}, "normalize=1"),
    ("GradientSpectrum", {"data_format": "nchw"}, "data_format='nchw'"),
    ("ShortcutMaskEvaluation", {"maps": np.triu(np.ones((8, 8)))[None]}, "must be Hermitian"),
    ("ShortcutMaskEvaluation", {"maps": np.ones((8, 8))}, "shape (8, 8)"),
    ("ShortcutMaskEvaluation", {"split": "train"}, "split='train'"),
    ("ShortcutMaskEvaluation", {"others": 1}, "others=1"),
    ("ShortcutMaskEvaluation", {"per_step": 0}, "per_step=0"),
    ("ShortcutMaskEvaluation", {"data_format": "nchw"}, "data_format='nchw'"),
]


@pytest.mark.once
@pytest.mark.parametrize(("name", "options", "says"), OWN)
def test_bad_arguments_of_its_own(name, options, says, data):
    options = {"maps": MASKS, **options} if name == "ShortcutMaskEvaluation" else options
    with refused(says):
        getattr(kf.callbacks, name)(data, **options)
