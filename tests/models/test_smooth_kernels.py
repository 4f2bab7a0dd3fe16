"""Smoothed kernels against a loop over their weights, in every kind of model, which itself stays as it is."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_freq
from keras_freq.evaluate import accuracy
from keras_freq.models import smooth_kernel, smooth_kernels
from tests.oracles import kernels as oracle

to_numpy = keras.ops.convert_to_numpy
sides = st.integers(1, 7)
rhos = st.floats(0, 4)
quick = settings(max_examples=20, deadline=None)


def draw(height, width, seed=0):
    return np.random.default_rng(seed).standard_normal((height, width, 3, 2))


@pytest.mark.once
@quick
@given(sides, sides, rhos, st.booleans())
def test_equals_the_formula(height, width, rho, normalize):
    kernel = draw(height, width)
    expected = oracle.smoothed(kernel, rho, normalize)
    np.testing.assert_allclose(smooth_kernel(kernel, rho, normalize=normalize), expected, atol=1e-12)
    turned = smooth_kernel(kernel.transpose(3, 2, 0, 1), rho, normalize=normalize, layout="OIHW")
    np.testing.assert_allclose(turned.transpose(2, 3, 1, 0), expected, atol=1e-12)


@pytest.mark.once
@quick
@given(sides, sides, rhos)
def test_constant_kernels_grow_by_the_gain(height, width, rho):
    kernel = np.full((height, width, 2, 2), 0.7)
    np.testing.assert_allclose(smooth_kernel(kernel, rho), 0.7 * (1 + 8 * rho))
    np.testing.assert_allclose(smooth_kernel(kernel, rho, normalize=True), 0.7)


@pytest.mark.once
@quick
@given(sides, sides, rhos)
def test_channels_do_not_mix(height, width, rho):
    kernel = draw(height, width)
    changed = kernel.copy()
    changed[..., 1, 0] += 1
    difference = smooth_kernel(changed, rho) - smooth_kernel(kernel, rho)
    difference[..., 1, 0] -= 1 + 8 * rho
    np.testing.assert_allclose(difference, 0, atol=1e-12)


def test_a_delta_and_its_corner():
    kernel = np.zeros((3, 3, 1, 1))
    kernel[0, 0] = 1
    # The corner is its own neighbor three times over: the border doubles the value at the edge.
    expected = [[1.75, 0.5, 0], [0.5, 0.25, 0], [0, 0, 0]]
    np.testing.assert_array_equal(smooth_kernel(kernel, 0.25)[..., 0, 0], expected)


@pytest.mark.once
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_type_stays_and_rho_0_changes_nothing(dtype):
    kernel = draw(3, 5).astype(dtype)
    before = kernel.copy()
    result = smooth_kernel(kernel, 0)
    assert result.dtype == dtype
    assert result is not kernel
    np.testing.assert_array_equal(result, kernel)
    assert smooth_kernel(kernel, 0.5).dtype == dtype
    np.testing.assert_array_equal(kernel, before)


def conv(filters=4, name=None, **options):
    return keras.layers.Conv2D(filters, 3, padding="same", name=name, **options)


class Backwards(keras.Model):
    """Keeps its layers in another order than it uses them in, and one that it does not use."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.unused, self.second, self.first = conv(name="unused"), conv(name="second"), conv(name="first")
        self.head = {"pool": [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]}

    def build(self, input_shape):
        inner = (*input_shape[:-1], 4)
        self.first.build(input_shape)
        self.second.build(inner)
        self.unused.build(inner)
        self.head["pool"][1].build((None, 4))

    def call(self, images, training=False):
        x = self.second(self.first(images))
        for layer in self.head["pool"]:
            x = layer(x)
        return x

    def get_config(self):
        return {"name": self.name}


class Block(keras.layers.Layer):
    """A layer of layers, registered nowhere."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolutions = [conv(name="inner"), conv(name="inner2")]

    def build(self, input_shape):
        self.convolutions[0].build(input_shape)
        self.convolutions[1].build((*input_shape[:-1], 4))

    def call(self, x):
        return self.convolutions[1](self.convolutions[0](x))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], 4)


def head():
    return [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]


def functional():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.ReLU()(conv(name="first")(keras.layers.Normalization(mean=0.5, variance=0.1)(inputs)))
    x = keras.layers.Add()([x, keras_freq.spectral.low_pass(conv(name="second")(x), 2)])
    for layer in head():
        x = layer(x)
    return keras.Model(inputs, x, name="functional")


def sequential():
    layers = [keras.Input((8, 8, 3)), conv(name="first"), conv(name="second"), *head()]
    return keras.Sequential(layers, name="sequential")


def nested():
    stem = keras.Sequential([conv(name="first", data_format="channels_last")], name="stem")
    return keras.Sequential([keras.Input((8, 8, 3)), stem, conv(name="second"), *head()], name="nested")


def open_sizes():
    layers = [keras.Input((None, None, 3)), conv(name="first"), conv(name="second"), *head()]
    return keras.Sequential(layers, name="open")


def with_block():
    return keras.Sequential([keras.Input((8, 8, 3)), Block(name="block"), conv(), *head()], name="block")


def apr():
    model = keras_freq.APRModel(functional(), pair=keras_freq.layers.APRPair(), name="apr")
    model.build((None, 8, 8, 3))
    return model


def backwards():
    model = Backwards(name="backwards")
    model.build((None, 8, 8, 3))
    return model


MODELS = {
    "functional": (functional, "first"),
    "sequential": (sequential, "first"),
    "nested": (nested, "first"),
    "open": (open_sizes, "first"),
    "block": (with_block, "inner"),
    "apr": (apr, "first"),
    "backwards": (backwards, "first"),
}


@pytest.fixture
def small(rng):
    return rng.random((6, 8, 8, 3), dtype="float32"), np.arange(6) % 3


def randomised(model):
    generator = np.random.default_rng(3)
    model.set_weights(
        [
            w if "normalization" in v.path else generator.standard_normal(w.shape) * 0.3
            for v, w in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
    return model


@pytest.mark.parametrize("kind", MODELS)
def test_the_first_convolution_of_a_copy(kind, small):
    make, first = MODELS[kind]
    model = randomised(make())
    before = model.get_weights()
    logits = to_numpy(model(small[0], training=False))
    copy = smooth_kernels(model, 0.5)
    assert type(copy) is type(model)
    assert copy.name == model.name
    changed = []
    for variable, old, new in zip(copy.weights, before, copy.get_weights(), strict=True):
        if not np.array_equal(old, new):
            changed.append(variable.path)
            np.testing.assert_allclose(new, oracle.smoothed(old, 0.5), atol=1e-6)
    assert [path.split("/")[-2:] for path in changed] == [[first, "kernel"]]
    # The model stays as it is, and the copy of rho 0 is the same function.
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(to_numpy(model(small[0], training=False)), logits)
    same = smooth_kernels(model, 0)
    np.testing.assert_allclose(to_numpy(same(small[0], training=False)), logits, rtol=1e-6, atol=1e-6)
    assert np.abs(copy.predict(small[0], verbose=0) - logits).max() > 1e-3
    assert 0 <= float(accuracy(copy, small)) <= 1


def test_predictions_are_those_of_the_smoothed_weights(small):
    model = randomised(functional())
    by_hand = functional()
    by_hand.set_weights(
        [
            oracle.smoothed(w, 1.0, normalize=True) if w.ndim == 4 else w
            for v, w in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
    copy = smooth_kernels(model, 1.0, layers="all", normalize=True)
    np.testing.assert_allclose(
        copy.predict(small[0], verbose=0), by_hand.predict(small[0], verbose=0), rtol=1e-5, atol=1e-5
    )
    named = smooth_kernels(model, 1.0, layers=["second"], normalize=True)
    np.testing.assert_array_equal(named.get_layer("first").kernel, model.get_layer("first").kernel)
    np.testing.assert_array_equal(named.get_layer("second").kernel, copy.get_layer("second").kernel)


def test_every_kind_of_convolution():
    layers = [
        keras.layers.DepthwiseConv2D(3, name="depthwise"),
        keras.layers.SeparableConv2D(4, 3, name="separable"),
        keras.layers.Conv2DTranspose(4, 3, name="transpose"),
        keras.layers.Conv2D(4, 1, name="pointwise"),
    ]
    model = randomised(keras.Sequential([keras.Input((8, 8, 3)), *layers, *head()]))
    copy = smooth_kernels(model, 0.25, layers="all")
    for variable, old, new in zip(model.weights, model.get_weights(), copy.get_weights(), strict=True):
        if old.ndim == 4 and "pointwise_kernel" not in variable.path:
            old = oracle.smoothed(old, 0.25)
        np.testing.assert_allclose(new, old, atol=1e-6)


def test_what_layers_derive_from_their_weights_is_copied(small):
    statistics = keras.layers.Normalization()
    statistics.adapt(5 * small[0] + 2)
    model = keras.Sequential([keras.Input((8, 8, 3)), statistics, conv(), *head()])
    copy = smooth_kernels(model, 0)
    np.testing.assert_allclose(
        copy.predict(small[0], verbose=0), model.predict(small[0], verbose=0), rtol=1e-5, atol=1e-5
    )


def test_the_copy_is_not_compiled_and_trains_apart(small):
    model = randomised(keras.Sequential([sequential()], name="outer"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    model.fit(*small, epochs=1, verbose=0)
    before = model.get_weights()
    copy = smooth_kernels(model, 0.5)
    assert not copy.compiled
    copy.compile("sgd", loss, metrics=["accuracy"])
    copy.fit(*small, epochs=1, verbose=0)
    assert set(copy.evaluate(*small, verbose=0, return_dict=True)) == {"accuracy", "loss"}
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


class NoConfig(keras.Model):
    def __init__(self, filters):
        super().__init__(name="no_config")
        self.convolution = conv(filters)

    def build(self, input_shape):
        self.convolution.build(input_shape)

    def get_config(self):
        raise NotImplementedError("no configuration\nhere")


class Idle(Backwards):
    """Has convolutions and uses none."""

    def call(self, images, training=False):
        return images[:, 0, 0]


def built(model):
    model.build((None, 8, 8, 3))
    return model


def with_lora():
    model = sequential()
    model.get_layer("first").enable_lora(2)
    return model


# name -> (call, error, what the line says)
CASES = {
    "rho below 0": (lambda: smooth_kernels(sequential(), -1), ValueError, "rho=-1"),
    "rho NaN": (lambda: smooth_kernels(sequential(), float("nan")), ValueError, "rho=nan"),
    "rho infinite": (lambda: smooth_kernel(draw(3, 3), float("inf")), ValueError, "rho=inf"),
    "rho text": (lambda: smooth_kernel(draw(3, 3), "1"), ValueError, "rho='1'"),
    "rho True": (lambda: smooth_kernel(draw(3, 3), True), ValueError, "rho=True"),
    "no model": (lambda: smooth_kernels(conv(), 1), TypeError, "Conv2D"),
    "not built": (lambda: smooth_kernels(keras.Sequential([conv()]), 1), ValueError, "no weights yet"),
    "no convolution": (
        lambda: smooth_kernels(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="d"), 1),
        ValueError,
        "'d' without one",
    ),
    "unknown name": (lambda: smooth_kernels(sequential(), 1, layers=["third"]), ValueError, "'third'"),
    "no 2-D convolution": (
        lambda: smooth_kernels(
            keras.Sequential([keras.Input((8, 3)), keras.layers.Conv1D(2, 3, name="c")]), 1, layers=["c"]
        ),
        ValueError,
        "'c', which is a Conv1D",
    ),
    "a lone name": (lambda: smooth_kernels(sequential(), 1, layers="second"), ValueError, "layers='second'"),
    "no names": (lambda: smooth_kernels(sequential(), 1, layers=[]), ValueError, "layers=[]"),
    "numbers": (lambda: smooth_kernels(sequential(), 1, layers=[1]), ValueError, "layers=[1]"),
    "cannot be copied": (lambda: smooth_kernels(built(NoConfig(2)), 1), ValueError, "no configuration"),
    "convolutions unused": (lambda: smooth_kernels(built(Idle()), 1), ValueError, "none of its 3"),
    "LoRA": (lambda: smooth_kernels(with_lora(), 1), ValueError, "'first'"),
    "kernel rank": (lambda: smooth_kernel(np.ones((3, 3)), 1), ValueError, "kernel.shape=(3, 3)"),
    "kernel empty": (lambda: smooth_kernel(np.ones((0, 3, 1, 1)), 1), ValueError, "(0, 3, 1, 1)"),
    "kernel of integers": (lambda: smooth_kernel(np.ones((3, 3, 1, 1), int), 1), TypeError, "int64"),
    "layout": (lambda: smooth_kernel(draw(3, 3), 1, layout="CHW"), ValueError, "layout='CHW'"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input(case):
    action, error, says = CASES[case]
    with pytest.raises(error, match="Received: ") as raised:
        action()
    assert "\n" not in str(raised.value)
    assert says in str(raised.value).partition("Received: ")[2]


def test_a_classifier_keeps_what_it_declares(classifier, images):
    declared = keras_freq.Classifier(classifier, value_range=(0, 255), mean=0.5)
    found = smooth_kernels(declared, 0.5)
    assert (found.value_range, found.mean) == (declared.value_range, declared.mean)
    assert found.model is not classifier
    wanted = smooth_kernels(classifier, 0.5)(255 * images)
    np.testing.assert_allclose(
        keras_freq.evaluate.predict_logits(found, 255 * images), to_numpy(wanted), rtol=1e-4, atol=1e-3
    )
