"""Fourier heat maps against a slow oracle, and what they must not depend on."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._core.journal import SweepJournal
from keras_freq.data import ArrayBatches
from keras_freq.evaluate import accuracy, fourier_heat_map, predict_logits, published_geometry
from keras_freq.spectral import fourier_basis
from tests.oracles import heat_map as oracle
from tests.refusals import refused


def network(size, channels=2, classes=3):
    """A small nonlinear classifier with large weights, so that small perturbations change its mind."""
    model = keras.Sequential(
        [
            keras.Input((*size, channels)),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="tanh", name="hidden"),
            keras.layers.Dense(classes),
        ],
        name="net",
    )
    generator = np.random.default_rng(3)
    model.set_weights([generator.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


def samples(model, size, count=11, channels=2):
    """Images in [0, 1] with the classes that the model sees in most of them."""
    images = np.random.default_rng(5).random((count, *size, channels), dtype="float32")
    labels = predict_logits(model, images).argmax(axis=-1)
    labels[0] = (labels[0] + 1) % 3
    return images, labels


def in_numpy(model):
    """Class and hidden layer of the same network, in float64."""
    first, first_bias, second, second_bias = (w.astype("float64") for w in model.get_weights())

    def hidden(images):
        return np.tanh(images.reshape(len(images), -1) @ first + first_bias)

    return lambda images: (hidden(images) @ second + second_bias).argmax(axis=-1), hidden


@pytest.mark.parametrize(
    ("size", "phase", "coverage"),
    [
        ((8, 8), 0.0, "half"),
        ((8, 8), np.pi / 4, "full"),
        ((9, 6), np.pi / 4, "reference"),
        ((9, 6), "random", "half"),
    ],
)
def test_equals_the_oracle(size, phase, coverage):
    model = network(size)
    images, labels = samples(model, size)
    options = {"epsilon": 1.5, "phase": phase, "coverage": coverage, "seed": 4}
    result = fourier_heat_map(model, (images, labels), batch_size=4, **options)
    expected = oracle.heat_map(in_numpy(model)[0], images, labels, **options)
    np.testing.assert_allclose(result.error, expected, atol=1e-12)
    assert np.ptp(expected) > 0.2
    assert result.clean_error == pytest.approx(1 - float(accuracy(model, (images, labels)))) == 1 / 11
    np.testing.assert_allclose(result.difference, expected - 1 / 11, atol=1e-12)
    assert sorted(result.frequencies) == sorted(oracle.measured(*size, coverage))
    assert result.frequencies[0] == (size[0] // 2, size[1] // 2)
    assert np.sum(result.count_per_class) == result.n == 11


@pytest.mark.parametrize("phase", [0.0, "random"])
def test_layer_change_equals_the_oracle(phase):
    model = network((6, 5))
    images, labels = samples(model, (6, 5))
    options = {"epsilon": 0.5, "phase": phase, "seed": 2}
    hidden = in_numpy(model)[1]

    def change(clean, moved):
        return np.mean(np.linalg.norm(hidden(moved) - hidden(clean), axis=-1))

    result = fourier_heat_map(model, (images, labels), layer="hidden", batch_size=4, **options)
    expected = oracle.heat_map(None, images, labels, change=change, **options)
    np.testing.assert_allclose(result.layer_change, expected, rtol=2e-5)
    plain = fourier_heat_map(model, (images, labels), batch_size=4, **options)
    assert result.correct_per_class == plain.correct_per_class
    assert result.clean_correct_per_class == plain.clean_correct_per_class
    with pytest.raises(ValueError, match="Received: a heat map with layer=None"):
        _ = plain.layer_change


def test_numbers_do_not_depend_on_batches_steps_or_passes():
    model = network((8, 8))
    images, labels = samples(model, (8, 8), count=13)
    whole = fourier_heat_map(model, (images, labels), epsilon=1.5, n=13)
    for options in (
        {"batch_size": 4, "bases_per_step": 1, "bases_per_pass": 5},
        {"batch_size": 5, "bases_per_step": 3, "bases_per_pass": 7},
    ):
        other = fourier_heat_map(model, (images, labels), epsilon=1.5, **options)
        assert other.correct_per_class == whole.correct_per_class
        assert other.clean_correct_per_class == whole.clean_correct_per_class
    # A feed whose batches are filled up in the middle, and one of the package's own.
    feed = [(images[a:b], labels[a:b]) for a, b in ((0, 5), (5, 8), (8, 13))]
    for data in (feed, ArrayBatches(images, labels, batch_size=6)):
        assert fourier_heat_map(model, data, epsilon=1.5).correct_per_class == whole.correct_per_class
    # A part of the frequencies and a part of the images keep their signs.
    part = fourier_heat_map(model, (images, labels), epsilon=1.5, window=(2, 1))
    inside = (slice(2, 7), slice(3, 6))
    np.testing.assert_array_equal(part.error[inside], whole.error[inside])
    assert np.isnan(part.error).sum() == 64 - 15
    assert fourier_heat_map(model, iter(feed), epsilon=1.5, n=13) == fourier_heat_map(
        model, feed, epsilon=1.5, n=13
    )
    assert fourier_heat_map(model, (images, labels), epsilon=1.5, seed=1).error.tolist() != (
        whole.error.tolist()
    )


def test_a_detector_of_one_frequency_lights_one_pair(rng):
    """A model whose class is whether the power at (11, 9) of a 16x15 image is above a threshold."""
    inputs = keras.Input((16, 15, 1))
    parts = keras.layers.Dense(2, use_bias=False)(keras.layers.Flatten()(inputs))
    logits = keras.layers.Dense(2)(keras.layers.Multiply()([parts, parts]))
    model = keras.Model(inputs, logits)
    waves = fourier_basis(16, 15, 11, 9, np.array([0, np.pi / 2])).reshape(2, -1)
    model.set_weights([waves.T, np.array([[0, 1], [0, 1]]), np.array([1.0, 0])])
    images = (0.5 + 0.1 * (rng.random((6, 16, 15, 1)) - 0.5)).astype("float32")
    for phase in (0.0, np.pi / 4, "random"):
        heat = fourier_heat_map(model, (images, np.zeros(6, "int32")), epsilon=2.0, phase=phase)
        assert np.argwhere(heat.error == 1).tolist() == [[5, 5], [11, 9]]
        assert heat.error.sum() == 2
        assert heat.clean_error == 0


def test_channels_first():
    model = network((7, 6))
    images, labels = samples(model, (7, 6))
    first = keras.Sequential([keras.Input((2, 7, 6)), keras.layers.Permute((2, 3, 1)), model])
    for phase in (0.0, "random"):
        found = fourier_heat_map(
            first, (np.moveaxis(images, -1, 1), labels), phase=phase, data_format="channels_first"
        )
        assert found.correct_per_class == (
            fourier_heat_map(model, (images, labels), phase=phase).correct_per_class
        )


def test_bounds():
    model = network((6, 6))
    images, labels = samples(model, (6, 6))
    images = 3 * images - 1
    wide = kf.Classifier(model, value_range=(-1, 2))
    labels = predict_logits(wide, images).argmax(axis=-1)
    options = {"epsilon": 1.5, "phase": 0.0, "seed": 0}
    found = fourier_heat_map(model, (images, labels), bounds=(-1, 2), **options)
    # The strength is for pixels on [0, 1].
    expected = oracle.heat_map(
        in_numpy(model)[0], images, labels, bounds=(-1, 2), **{**options, "epsilon": 4.5}
    )
    np.testing.assert_allclose(found.error, expected, atol=1e-12)
    nothing = fourier_heat_map(model, (images, labels), bounds=(-1, 2), epsilon=0)
    assert (nothing.difference == 0).all()


class Interrupted(ArrayBatches):
    """A feed that is stopped by the user at a given read."""

    reads = 0
    stop = None

    def __getitem__(self, index):
        self.reads += 1
        if self.reads == self.stop:
            raise KeyboardInterrupt
        return super().__getitem__(index)


@pytest.mark.parametrize("layer", [None, "hidden"])
def test_resumes_with_the_same_numbers(layer, tmp_path):
    model = network((8, 8))
    images, labels = samples(model, (8, 8))
    path = tmp_path / "heat.json"
    options = {"epsilon": 1.5, "layer": layer, "bases_per_pass": 10}
    feed = Interrupted(images, labels, batch_size=4)
    feed.stop = 11  # a pass of three batches for the digest, two passes, the second batch of the next
    with pytest.raises(KeyboardInterrupt):
        fourier_heat_map(model, feed, checkpoint=path, **options)
    assert len(SweepJournal(path, {}, what="fourier_heat_map").rows) == 20
    feed.reads, feed.stop = 0, None
    resumed = fourier_heat_map(model, feed, checkpoint=path, **options)
    assert feed.reads == 3 + 2 * 3
    assert resumed == fourier_heat_map(model, feed, **options)
    feed.reads = 0
    assert fourier_heat_map(model, feed, checkpoint=path, **options) == resumed
    assert feed.reads == 3
    assert list(tmp_path.iterdir()) == [path]


def test_refuses_the_checkpoint_of_another_run(tmp_path):
    model = network((5, 4))
    images, labels = samples(model, (5, 4))
    path = tmp_path / "heat.json"

    def half(data, stop=True):
        feed = Interrupted(*data, batch_size=4)
        feed.stop = 8 if stop else None
        return feed

    options = {"epsilon": 1.0, "bases_per_pass": 3, "checkpoint": path}
    with pytest.raises(KeyboardInterrupt):
        fourier_heat_map(model, half((images, labels)), **options)
    before = path.read_bytes()
    other = network((5, 4))
    other.set_weights([weight + 1 for weight in model.get_weights()])
    changed_first, changed_last = images.copy(), images.copy()
    changed_first[0, 0, 0, 0] = changed_last[-1, 0, 0, 0] = 0.25
    for used, data, changed, says in (
        (model, (images, labels), {"epsilon": 2.0}, "where epsilon is 1.0, here 2.0"),
        (model, (images, labels), {"phase": 0.5}, "where phase is 0.0, here 0.5"),
        (model, (images, labels), {"seed": 1}, "where seed is 0, here 1"),
        (model, (images, labels), {"layer": "hidden"}, "where layer is None, here 'hidden'"),
        (model, (images, labels), {"n": 5}, "where n is None, here 5"),
        (other, (images, labels), {}, "where weights is"),
        (kf.Classifier(model, preprocess=lambda x: 1 - x), (images, labels), {}, "where preprocess is"),
        (model, (changed_first, labels), {}, "where data is"),
        (model, (changed_last, labels), {}, "where data is"),
        (model, (images[:9], labels[:9]), {}, "where data is"),
    ):
        with refused(says):
            fourier_heat_map(used, half(data, stop=False), **{**options, **changed})
        assert path.read_bytes() == before
    for text in ("{", '{"format": "other"}', "[]"):
        path.write_text(text)
        with pytest.raises(ValueError, match="which is no such file"):
            fourier_heat_map(model, (images, labels), **options)


def test_refuses_data_that_change_from_pass_to_pass():
    model = network((5, 4))
    images, labels = samples(model, (5, 4))

    class Growing(ArrayBatches):
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            x, y = super().__getitem__(index)
            return (x, y) if self.reads < 6 else (x[:2], y[:2])

    with pytest.raises(ValueError, match="same, in the same order, at every pass"):
        fourier_heat_map(model, Growing(images, labels, batch_size=4), bases_per_pass=4)


@pytest.mark.once
def test_published_geometry():
    grid = np.arange(32 * 32.0).reshape(32, 32)
    small = published_geometry(grid, "31x31")
    assert small.shape == (31, 31)
    assert small[15, 15] == grid[16, 16]  # DC
    np.testing.assert_array_equal(small, grid[1:, 1:])
    large = np.full((224, 224), np.nan)
    large[112 - 31 : 112 + 32, 112 - 31 : 112 + 32] = 0.5
    large[112, 112] = 0
    part = published_geometry(large, "63x63")
    assert part.shape == (63, 63)
    assert part[31, 31] == 0
    assert part.sum() == 0.5 * (63 * 63 - 1)
    for picture, kind, says in (
        (grid, "63x63", "of 224x224 images.*Received: a map of shape"),
        (grid, "32x32", "Received: kind='32x32'"),
        (np.where(grid == 40, np.nan, grid), "31x31", "Received: a map without 1"),
    ):
        with pytest.raises(ValueError, match=says):
            published_geometry(picture, kind)


def test_published_coverage_measures_both_signs_of_the_middle_column():
    """The frequencies of the re-implementation: columns 0 to 15, all rows, of which 31x31 are shown."""
    model = network((32, 32), channels=1)
    images, labels = samples(model, (32, 32), count=3, channels=1)
    heat = fourier_heat_map(model, (images, labels), coverage="reference", window=15)
    assert sorted(heat.frequencies) == [(i, j) for i in range(1, 32) for j in range(16, 32)]
    picture = published_geometry(heat, "31x31")
    turned = picture[::-1, ::-1]
    outside = np.arange(31) != 15
    np.testing.assert_array_equal(picture[:, outside], turned[:, outside])


def test_rows():
    model = network((5, 4))
    images, labels = samples(model, (5, 4))
    heat = fourier_heat_map(model, (images, labels), epsilon=1.0, layer="hidden", window=1)
    rows = heat.rows()
    assert [row["kind"] for row in rows] == ["clean", *["map"] * 9]
    dc = next(row for row in rows[1:] if (row["u"], row["v"]) == (0, 0))
    assert (dc["i"], dc["j"], dc["error"]) == (2, 2, heat.error[2, 2])
    assert sum(row["measured"] for row in rows[1:]) == 5


def test_ring_means():
    model = network((32, 32), channels=1)
    images, labels = samples(model, (32, 32), count=4, channels=1)
    heat = fourier_heat_map(model, (images, labels), epsilon=2.0, window=6)
    distance = np.hypot(*np.indices((32, 32)) - 16.0)
    rings = heat.ring_means()
    assert rings["low"] == pytest.approx(heat.error[distance < 4].mean())
    middle = heat.error[(distance >= 4) & (distance < 8)]
    assert rings["mid"] == pytest.approx(np.nanmean(middle))
    assert rings["high"] == pytest.approx(np.nanmean(heat.error[distance >= 8]))
    assert np.isnan(heat.ring_means((0.1, 0.4))["high"])
    with pytest.raises(ValueError, match="Received: edges="):
        heat.ring_means((0.3, 0.2))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs eagerly")
def test_one_compilation_for_all_frequencies_and_calls(counting):
    model, runs = counting((8, 8, 2), 3)
    images, labels = np.zeros((9, 8, 8, 2), "float32"), np.arange(9) % 3
    for epsilon in (1.0, 2.0):
        fourier_heat_map(
            model, (images, labels), epsilon=epsilon, batch_size=4, bases_per_step=2, bases_per_pass=10
        )
    assert len(runs) == 1


def test_reads_the_weights_of_the_call():
    model = network((5, 4))
    images, labels = samples(model, (5, 4))
    first = fourier_heat_map(model, (images, labels))
    model.set_weights([-weight for weight in model.get_weights()])
    second = fourier_heat_map(model, (images, labels))
    assert second != first
    assert second.clean_error == 1 - float(accuracy(model, (images, labels)))


def test_probabilities_will_do():
    model = network((5, 4))
    images, labels = samples(model, (5, 4))
    soft = keras.Sequential([keras.Input((5, 4, 2)), model, keras.layers.Softmax()])
    assert fourier_heat_map(soft, (images, labels)).correct_per_class == (
        fourier_heat_map(model, (images, labels)).correct_per_class
    )


class Fork(keras.layers.Layer):
    def call(self, inputs):
        return inputs, -inputs


def forked():
    inputs = keras.Input((5, 4, 2))
    both = keras.layers.Concatenate()(Fork(name="fork")(inputs))
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(both)))


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3, name="dense")

    def call(self, inputs):
        return self.dense(keras.ops.reshape(inputs, (-1, 40)))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"epsilon": -1}, "epsilon=-1"),
        ({"epsilon": float("nan")}, "epsilon=nan"),
        ({"phase": "sine"}, "phase='sine'"),
        ({"phase": float("inf")}, "phase=inf"),
        ({"n": 0}, "n=0"),
        ({"n": 12}, "here 11. Received: n=12"),
        ({"window": 3}, "0 to 2 rows and 0 to 1 columns"),
        ({"window": (1, -1)}, "window=(1, -1)"),
        ({"window": (1, 1, 1)}, "window=(1, 1, 1)"),
        ({"window": 1.5}, "window=1.5"),
        ({"coverage": "all"}, "coverage='all'"),
        ({"layer": "conv"}, "'hidden'"),
        ({"seed": -1}, "seed=-1"),
        ({"bounds": (1, 0)}, "bounds=(1, 0)"),
        ({"bounds": (0, 0.5)}, "0 to 0.5"),
        ({"bases_per_step": 0}, "bases_per_step=0"),
        ({"bases_per_pass": 0.5}, "bases_per_pass=0.5"),
        ({"data_format": "nhwc"}, "data_format='nhwc'"),
        ({"data": iter([])}, "read only once"),
        ({"model": Own, "layer": "dense"}, "a functional or sequential model"),
        ({"model": forked, "layer": "fork"}, "with one output"),
    ],
)
def test_bad_input(options, says):
    data = np.zeros((11, 5, 4, 2), "float32") + np.float32(0.7), np.arange(11) % 3
    options = {"model": lambda: network((5, 4)), "data": data, **options}
    with refused(says):
        fourier_heat_map(options.pop("model")(), options.pop("data"), **options)
