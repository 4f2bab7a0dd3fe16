"""TwoHeadModel: one head for the phase's label, one for the amplitude's, the bare phase's head otherwise."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.training import TwoHeadModel
from tests.oracles import spectral

to_numpy = keras.ops.convert_to_numpy


def compiled(model, rate=0.1, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"], **options)
    return model


def linear(size=(16, 16, 3), classes=3, kind=dict, decay=None):
    """A model of two linear heads, and their weights in float64."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input(size)
    flat = keras.layers.Flatten()(inputs)
    heads = {
        name: keras.layers.Dense(classes, name=name, kernel_regularizer=decay)(flat)
        for name in ("amplitude", "phase")
    }
    model = keras.Model(inputs, heads if kind is dict else list(heads.values()))
    weights = {
        name: [to_numpy(weight).astype("float64") for weight in model.get_layer(name).weights]
        for name in heads
    }
    return model, weights


def wrap(model, **options):
    return TwoHeadModel(kf.Classifier(model, output="phase"), amplitude="amplitude", **options)


def losses(images, labels, weights):
    logits = images.reshape(len(images), -1).astype("float64") @ weights[0] + weights[1]
    top = logits.max(1, keepdims=True)
    return np.log(np.exp(logits - top).sum(1)) + top[:, 0] - logits[np.arange(len(labels)), labels]


def partners(model, images):
    """Whom the first step of a model that is made alike takes amplitudes from."""
    return to_numpy(model(images, training=True).partner)


@pytest.fixture
def data(rng):
    return rng.random((8, 16, 16, 3)).astype("float32"), np.array([0, 1, 2, 1, 0, 2, 2, 1])


@pytest.mark.parametrize("axes", ["chw", "hw"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_that_of_numpy(axes, weighted, data):
    images, labels = data
    model, weights = linear()
    options = {"mixed": 0.7, "amplitude_weight": 0.4, "axes": axes, "seed": 5}
    partner = partners(wrap(model, **options), images)
    assert sorted(partner.tolist()) == list(range(8))
    assert (partner != np.arange(8)).any()
    mixed = spectral.recombined(images[partner], images, axes)
    sample = np.linspace(0.5, 2, 8).astype("float32") if weighted else np.ones(8, "float32")
    expected = np.mean(
        sample * losses(images, labels, weights["phase"])
        + 0.4 * sample * losses(images, labels, weights["amplitude"])
        + 0.7 * sample * losses(mixed, labels, weights["phase"])
        + 0.7 * 0.4 * sample[partner] * losses(mixed, labels[partner], weights["amplitude"])
    )
    history = compiled(wrap(model, **options), 0.0).fit(
        images, labels, batch_size=8, shuffle=False, verbose=0, sample_weight=sample if weighted else None
    )
    assert history.history["loss"][0] == pytest.approx(expected, rel=1e-5)
    logits = images.reshape(8, -1) @ weights["phase"][0] + weights["phase"][1]
    assert history.history["accuracy"][0] == pytest.approx(np.mean(logits.argmax(1) == labels))


def test_added_losses_count_once(data):
    images, labels = data
    plain, weights = linear()
    decayed, _ = linear(decay=keras.regularizers.L2(0.1))
    one, other = (
        compiled(wrap(model, seed=2, mixed=0.5), 0.0).fit(
            images, labels, batch_size=8, shuffle=False, verbose=0
        )
        for model in (plain, decayed)
    )
    decay = 0.1 * sum(np.square(kernel).sum() for kernel, _ in weights.values())
    assert other.history["loss"][0] - one.history["loss"][0] == pytest.approx(decay, rel=1e-3)


@pytest.mark.parametrize("form", ["column", "one-hot"])
def test_other_forms_of_labels(form, data):
    images, labels = data
    model, _ = linear()
    options = {"batch_size": 8, "shuffle": False, "verbose": 0}
    wanted = compiled(wrap(model, seed=1), 0.0).fit(images, labels, **options).history["loss"]
    other = wrap(model, seed=1)
    if form == "column":
        found = compiled(other, 0.0).fit(images, labels[:, None], **options).history["loss"]
    else:
        other.compile(keras.optimizers.SGD(0.0), keras.losses.CategoricalCrossentropy(from_logits=True))
        found = other.fit(images, np.eye(3, dtype="float32")[labels], **options).history["loss"]
    assert found == pytest.approx(wanted, rel=1e-5)


def test_batch_normalization_sees_both_halves(data):
    images, labels = data
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.BatchNormalization(momentum=0.0, name="bn")(inputs)
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(x))
    net = keras.Model(inputs, {name: keras.layers.Dense(3)(x) for name in ("phase", "amplitude")})
    partner = partners(wrap(net, seed=4), images)
    mixed = spectral.recombined(images[partner], images, "chw")
    compiled(wrap(net, seed=4), 0.0).fit(images, labels, batch_size=8, shuffle=False, verbose=0)
    mean = to_numpy(net.get_layer("bn").moving_mean)
    np.testing.assert_allclose(mean, np.concatenate([images, mixed]).mean((0, 1, 2)), rtol=1e-4)


def test_draws_advance_inside_fit_and_repeat_with_the_seed(data):
    images, labels = data
    model, _ = linear()
    histories = []
    for seed in (1, 1, 2):
        wrapped = compiled(wrap(model, seed=seed), 0.0)
        fit = wrapped.fit(images, labels, batch_size=8, epochs=3, shuffle=False, verbose=0)
        histories.append(fit.history["loss"])
    assert len(set(histories[0])) == 3
    assert histories[0] == pytest.approx(histories[1], rel=1e-6)
    assert histories[0] != pytest.approx(histories[2], rel=1e-6)


@pytest.mark.parametrize("kind", ["bytes", "signed", "function"])
def test_what_is_declared_counts(kind, data):
    """Recombined are pixels on [0, 1], whatever the classifier takes."""
    images, labels = data
    as_bytes = np.round(images * 255).astype("uint8")
    net, _ = linear()
    inputs = keras.Input((16, 16, 3))
    front = {"signed": keras.layers.Rescaling(0.5, 0.5), "function": None, "bytes": None}[kind]
    plain = net
    if kind == "signed":
        given, value_range, preprocess = keras.Model(inputs, net(front(inputs))), (-1, 1), None
    elif kind == "function":
        given, value_range, preprocess = net, (0, 255), lambda pixels: 2 * pixels - 1
        plain = keras.Model(inputs, net(keras.layers.Rescaling(2.0, -1.0)(inputs)))
    else:
        given, value_range, preprocess = net, (0, 1), None
    options = {"batch_size": 8, "shuffle": False, "verbose": 0}
    wanted = compiled(wrap(plain, seed=1), 0.0).fit(as_bytes / np.float32(255), labels, **options)
    declared = kf.Classifier(given, value_range=value_range, preprocess=preprocess, output="phase")
    model = compiled(TwoHeadModel(declared, amplitude="amplitude", seed=1), 0.0)
    found = model.fit(as_bytes, labels, **options)
    assert found.history["loss"] == pytest.approx(wanted.history["loss"], rel=1e-4)
    np.testing.assert_allclose(
        model.predict(as_bytes, verbose=0),
        plain.predict(as_bytes / np.float32(255), verbose=0)["phase"],
        atol=1e-4,
    )


@pytest.mark.parametrize("kind", [dict, list])
def test_inference_is_the_head_of_the_phase(kind, data, tmp_path):
    images, labels = data
    net, _ = linear(kind=kind)
    names = ("phase", "amplitude") if kind is dict else (1, 0)
    declared = kf.Classifier(net, output=names[0])
    model = TwoHeadModel(declared, amplitude=names[1], mixed=0.5, amplitude_weight=2, axes="hw", seed=3)
    expected = {name: to_numpy(net(images)[name]) for name in names}
    np.testing.assert_array_equal(to_numpy(model(images)), expected[names[0]])
    assert model.output_shape == (None, 3)
    assert model.compute_output_shape((8, 16, 16, 3)) == (8, 3)
    assert model.layers == net.layers
    model.build((None, 16, 16, 3))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert (again.amplitude, again.mixed, again.amplitude_weight) == (names[1], 0.5, 2)
    assert (again.axes, again.seed) == ("hw", 3)
    for one in (model, again):
        np.testing.assert_allclose(one.predict(images, verbose=0), expected[names[0]], atol=1e-6)
        other = kf.Classifier(one.classifier, output=names[1])
        np.testing.assert_allclose(kf.evaluate.predict_logits(other, images), expected[names[1]], atol=1e-6)
        assert float(kf.evaluate.accuracy(one, data)) == np.mean(expected[names[0]].argmax(1) == labels)


def shapes_and_textures(count, seed):
    """Images of two classes: the place of a spot is told by the phase, the wave over all by the amplitude."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) % 2).astype("int32")
    rows = 2 * np.pi * np.arange(16)[:, None, None] / 16
    shift = generator.uniform(0, 2 * np.pi, (count, 1, 1, 1))
    waves = np.cos((3 + 3 * labels)[:, None, None, None] * rows + shift) * np.ones((1, 1, 16, 1))
    spot = np.zeros((count, 16, 16, 1))
    for image, label in zip(spot, labels, strict=True):
        image[6:10, 2 + 8 * label : 6 + 8 * label] = 1
    images = 0.35 + 0.2 * waves + 0.4 * spot + 0.02 * generator.standard_normal(spot.shape)
    return np.clip(images, 0, 1).astype("float32"), labels


def test_each_head_follows_what_its_label_tells():
    data = shapes_and_textures(256, 0)
    keras.utils.set_random_seed(1)
    inputs = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(16, 7, padding="same", activation="relu")(inputs)
    x = keras.layers.Concatenate()(
        [
            keras.layers.GlobalAveragePooling2D()(x),
            keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(x)),
        ]
    )
    x = keras.layers.Dense(32, activation="relu")(x)
    net = keras.Model(inputs, {name: keras.layers.Dense(2)(x) for name in ("phase", "amplitude")})
    model = wrap(net, seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(*data, batch_size=32, epochs=20, verbose=0)
    test = shapes_and_textures(128, 1)
    phase, amplitude = (
        kf.evaluate.amplitude_swap(kf.Classifier(net, output=name), test) for name in ("phase", "amplitude")
    )
    print(phase.follows_phase, amplitude.follows_amplitude)
    assert phase.follows_phase > 0.9
    assert amplitude.follows_amplitude > 0.9
    assert float(kf.evaluate.accuracy(model, test)) > 0.95


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains(policy, data):
    images, labels = data
    inputs = keras.Input((16, 16, 3))
    x = keras.layers.Flatten(dtype=policy)(keras.layers.AveragePooling2D(2, dtype=policy)(inputs))
    heads = {name: keras.layers.Dense(3, dtype=policy)(x) for name in ("phase", "amplitude")}
    net = keras.Model(inputs, heads)
    net.dtype_policy = keras.dtype_policies.get(policy)
    before = net.get_weights()
    model = compiled(wrap(net, seed=0, augment=kf.layers.CropFlip(1, seed=1)))
    assert np.isfinite(model.fit(images, labels, batch_size=3, epochs=2, verbose=0).history["loss"]).all()
    assert all((old != new).any() for old, new in zip(before, net.get_weights(), strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"amplitude": "phase"}, "`amplitude` must be another output than that of the phase"),
        ({"amplitude": "size"}, "`output` must be one of"),
        ({"amplitude": None}, "`amplitude` must be the name or index of an output"),
        ({"mixed": -1}, "`mixed` must be a finite number of at least 0"),
        ({"amplitude_weight": float("nan")}, "`amplitude_weight` must be a finite number"),
        ({"axes": "wh"}, "`axes` must be one of 'chw', 'hw'"),
        ({"augment": 3}, "`augment` must be a Keras layer or None. Received: type=int"),
    ],
)
def test_bad_options_are_one_line(options, message):
    net, _ = linear()
    with pytest.raises((ValueError, TypeError)) as caught:
        TwoHeadModel(kf.Classifier(net, output="phase"), **{"amplitude": "amplitude", **options})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_two_heads_and_no_labels(classifier, data):
    net, _ = linear()
    with pytest.raises(TypeError, match="`classifier` must be a Keras model"):
        TwoHeadModel("resnet", amplitude="amplitude")
    with pytest.raises(ValueError, match="The model has several outputs: name one"):
        TwoHeadModel(net, amplitude="amplitude")
    with pytest.raises(ValueError, match="of a model with two heads that names the one of the phase"):
        TwoHeadModel(classifier, amplitude="amplitude")
    uneven = keras.Model(net.inputs, {**net.output, "other": keras.layers.Dense(2)(net.layers[1].output)})
    with pytest.raises(ValueError, match="Both heads must have the same classes"):
        TwoHeadModel(kf.Classifier(uneven, output="phase"), amplitude="other")
    with pytest.raises(ValueError, match=r"TwoHeadModel trains on \(images, labels\)"):
        compiled(wrap(net)).fit(data[0], verbose=0)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch.compile of a whole step takes minutes")
def test_the_step_compiles_with_xla(data):
    model = wrap(linear()[0], seed=0)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
    assert np.isfinite(model.fit(*data, batch_size=8, verbose=0).history["loss"]).all()
