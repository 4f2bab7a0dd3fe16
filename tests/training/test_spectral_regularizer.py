"""SpectralRegularizer: where the energy of the input gradient lies, in the loss; else the bare classifier."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.training import SpectralRegularizer
from tests.oracles import gradient_spectrum, spectral

to_numpy = keras.ops.convert_to_numpy


def compiled(model, rate=0.1, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"], **options)
    return model


def linear(size, classes=3, seed=0, scale=0.3):
    """`flatten(x) @ kernel + bias`, and its two weights."""
    height, width, channels = size
    rng = np.random.default_rng(seed)
    kernel = scale * rng.standard_normal((height * width * channels, classes)).astype("float32")
    bias = rng.standard_normal(classes).astype("float32")
    model = keras.Sequential([keras.Input(size), keras.layers.Flatten(), keras.layers.Dense(classes)])
    model.set_weights([kernel, bias])
    return model, kernel, bias


def shares(gradients, weights):
    """Weighed energy of gradients `(batch, height, width, channels)` by all but DC, float64 NumPy."""
    power = np.abs(spectral.spectrum(np.sum(gradients, -1, keepdims=True)))[..., 0] ** 2
    beyond = np.ones(power.shape[1:])
    beyond[beyond.shape[0] // 2, beyond.shape[1] // 2] = 0
    return np.sum(power * weights * beyond, (1, 2)) / np.sum(power * beyond, (1, 2))


def softmax_loss(logits, labels):
    top = logits.max(1, keepdims=True)
    return (np.log(np.exp(logits - top).sum(1)) + top[:, 0] - logits[np.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize("size", [(16, 16, 3), (15, 15, 1), (12, 18, 3)])
@pytest.mark.parametrize("towards", ["low", "high"])
@pytest.mark.parametrize("radius", [None, 4])
def test_penalty_of_a_linear_model(size, towards, radius, rng):
    height, width, _ = size
    model, kernel, bias = linear(size)
    images, labels = rng.random((5, *size)).astype("float32"), np.array([0, 1, 2, 1, 0])
    square = height == width
    if radius is not None and not square:
        radius /= height
    regularizer = SpectralRegularizer(model, towards=towards, radius=radius)
    distance = kf.spectral.radial_distance(height, width, units="index" if square else "cycles_per_pixel")
    edge = radius or (height if square else 1) / (6 if towards == "low" else 3)
    chosen = distance >= edge if towards == "low" else distance < edge
    expected = shares(gradient_spectrum.linear_gradients(images, labels, kernel, bias), chosen)
    found = to_numpy(regularizer.penalty(images, labels))
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, rtol=2e-5)
    assert expected.min() > 0.02
    assert expected.max() < 0.98


def test_the_loss_of_one_step_is_that_of_numpy(rng):
    size, labels = (16, 16, 3), np.array([0, 1, 2, 1, 0, 2])
    model, kernel, bias = linear(size, scale=0.02)
    images = rng.random((6, *size)).astype("float32")
    weights = np.linspace(0.5, 2, 6).astype("float32")
    gradients = gradient_spectrum.linear_gradients(images, labels, kernel, bias)
    penalty = shares(gradients, kf.spectral.radial_distance(16, 16) >= 5)
    logits = images.reshape(6, -1).astype("float64") @ kernel + bias
    for sample_weight in (None, weights):
        factor = np.ones(6) if sample_weight is None else sample_weight
        plain = np.mean(factor * [softmax_loss(z[None], [y]) for z, y in zip(logits, labels, strict=True)])
        regularizer = compiled(SpectralRegularizer(model, strength=3, radius=5), 0.0)
        history = regularizer.fit(
            images, labels, batch_size=6, sample_weight=sample_weight, verbose=0
        ).history
        assert history["loss"][0] == pytest.approx(plain + 3 * np.mean(factor * penalty), rel=1e-5)
        # What is validated is the model, not the training.
        loss, _ = regularizer.evaluate(images, labels, sample_weight=sample_weight, verbose=0)
        assert loss == pytest.approx(plain, rel=1e-5)


def test_weights_by_radius(rng):
    model, kernel, bias = linear((16, 16, 3))
    images, labels = rng.random((4, 16, 16, 3)).astype("float32"), np.array([0, 1, 2, 1])
    distance = kf.spectral.radial_distance(16, 16)
    chosen = rng.normal(size=len(kf.spectral.azimuthal_radii(16, 16)[0]) - 1)
    gradients = gradient_spectrum.linear_gradients(images, labels, kernel, bias)
    expected = shares(gradients, np.append(0, chosen)[distance.astype(int)])
    found = to_numpy(SpectralRegularizer(model, weights=chosen).penalty(images, labels))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    with pytest.raises(ValueError, match=r"must hold 11 numbers, .* Received: 2 weights"):
        SpectralRegularizer(model, weights=[1, 2])


@pytest.mark.parametrize("towards", ["low", "high"])
def test_published_bands(towards, rng):
    """Sums over radii rounded to whole bins, from `N // 6 + 1` on, or from 1 to `N // 3`."""
    model, kernel, bias = linear((32, 32, 3))
    images, labels = rng.random((3, 32, 32, 3)).astype("float32"), np.array([0, 1, 2])
    rounded = np.round(kf.spectral.radial_distance(32, 32))
    chosen, radius = (rounded >= 6, 5.5) if towards == "low" else (rounded <= 10, 10.5)
    expected = shares(gradient_spectrum.linear_gradients(images, labels, kernel, bias), chosen)
    found = SpectralRegularizer(model, towards=towards, radius=radius).penalty(images, labels)
    np.testing.assert_allclose(to_numpy(found), expected, rtol=2e-5)


def tanh_network(seed=3):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Flatten(), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((6, 6, 1)), *layers])


def penalty_of_tanh(weights, images, labels, chosen):
    """Mean share of `tanh(x A + a) B + b`, float64."""
    first, offset, second, last = weights
    hidden = np.tanh(images.reshape(len(images), -1) @ first + offset)
    logits = hidden @ second + last
    error = np.exp(logits - logits.max(1, keepdims=True))
    error /= error.sum(1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1
    gradients = ((error @ second.T) * (1 - hidden**2)) @ first.T
    return np.mean(shares(gradients.reshape(images.shape), chosen))


def test_the_gradient_of_the_penalty_is_that_of_differences(rng):
    """A step on the penalty alone moves every weight as central differences of the float64 oracle tell."""
    model = tanh_network()
    images, labels = rng.normal(size=(4, 6, 6, 1)), np.array([0, 1, 2, 1])
    before = [weight.astype("float64") for weight in model.get_weights()]
    chosen = kf.spectral.radial_distance(6, 6) >= 2
    regularizer = SpectralRegularizer(model, radius=2, strength=1)
    zero = keras.losses.MeanSquaredError(reduction="sum")

    class Nothing(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return 0.0 * zero(y_pred, y_pred) * keras.ops.ones_like(y_pred[:, 0])

    regularizer.compile(keras.optimizers.SGD(1.0), Nothing())
    history = regularizer.fit(images.astype("float32"), labels, batch_size=4, verbose=0).history
    assert history["loss"][0] == pytest.approx(penalty_of_tanh(before, images, labels, chosen), rel=1e-5)
    size, moved = 1e-5, 0
    for place, (old, new) in enumerate(zip(before, model.get_weights(), strict=True)):
        slope = np.empty_like(old)
        for index in np.ndindex(old.shape):
            sides = []
            for step in (size, -size):
                shifted = [weight.copy() for weight in before]
                shifted[place][index] += step
                sides.append(penalty_of_tanh(shifted, images, labels, chosen))
            slope[index] = (sides[0] - sides[1]) / (2 * size)
        np.testing.assert_allclose(old - new, slope, atol=2e-5)
        moved = max(moved, np.abs(slope).max())
    assert moved > 0.02


def fit_losses():
    """Losses of three epochs of a small convolutional network whose weights no backend draws."""
    rng = np.random.default_rng(5)
    layers = [
        keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
        keras.layers.BatchNormalization(momentum=0.5),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(3),
    ]
    net = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    start = [0.3 * rng.standard_normal(weight.shape) for weight in net.get_weights()]
    start[2:6] = [np.ones(4), np.zeros(4), np.zeros(4), np.ones(4)]
    net.set_weights(start)
    images, labels = rng.random((24, 16, 16, 3)).astype("float32"), np.arange(24) % 3
    model = compiled(SpectralRegularizer(net, strength=2, radius=4))
    history = model.fit(images, labels, batch_size=8, epochs=3, shuffle=False, verbose=0).history
    return history["loss"]


def test_three_backends_have_one_history():
    """Running statistics, which are results of the step itself on JAX, have no gradient in the penalty."""
    np.testing.assert_allclose(fit_losses(), [3.60323, 2.63604, 2.31707], rtol=1e-5)


@pytest.mark.parametrize("towards", ["low", "high"])
def test_training_moves_the_spectrum_that_is_measured(towards):
    """Two classes that tell both by a low and a high frequency: the gradient goes where it is driven."""
    rng = np.random.default_rng(0)
    rows = 2 * np.pi * np.arange(16)[:, None] / 16
    patterns = np.cos(2 * rows) + np.cos(7 * rows) + np.zeros((16, 16))
    labels = np.arange(128) % 2
    images = 0.5 + 0.1 * (2 * labels - 1)[:, None, None, None] * patterns[..., None]
    images = np.clip(images + 0.1 * rng.standard_normal(images.shape), 0, 1).astype("float32")
    measured = {}
    for strength in (0, 2):
        keras.utils.set_random_seed(2)
        layers = [keras.layers.Flatten(), keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(2)]
        net = keras.Sequential([keras.Input((16, 16, 1)), *layers])
        model = compiled(SpectralRegularizer(net, strength=strength, radius=4, towards=towards))
        model.fit(images, labels, batch_size=32, epochs=20, verbose=0)
        spectrum = kf.evaluate.input_gradient_spectrum(model, (images, labels), normalize=False)
        energy = np.array(spectrum.counts) * np.square(spectrum.mean)
        beyond = np.sum(energy[4:]) / np.sum(energy[1:])
        measured[strength] = beyond, model.evaluate(images, labels, verbose=0)[1]
    sign = 1 if towards == "low" else -1
    assert sign * (measured[0][0] - measured[2][0]) > 0.2
    assert measured[2][1] > 0.9


def test_no_penalty_is_plain_training(classifier, images, labels):
    copy = keras.models.clone_model(classifier)
    copy.set_weights(classifier.get_weights())
    options = {"batch_size": 4, "verbose": 0, "shuffle": False}
    expected = compiled(copy).fit(images, labels, **options).history
    history = compiled(SpectralRegularizer(classifier, strength=0)).fit(images, labels, **options).history
    assert history["loss"][0] == pytest.approx(expected["loss"][0], rel=1e-5)
    for one, other in zip(copy.get_weights(), classifier.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_inference_is_the_bare_classifier(classifier, images):
    model = compiled(SpectralRegularizer(classifier))
    expected = to_numpy(classifier(images))
    np.testing.assert_array_equal(to_numpy(model(images)), expected)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)


@pytest.mark.parametrize("form", ["column", "floats", "one-hot"])
def test_other_forms_of_labels(form, classifier, images, labels):
    model = SpectralRegularizer(classifier)
    expected = to_numpy(model.penalty(images, labels))
    assert np.ptp(expected) > 0.005
    other = {"column": labels[:, None], "floats": labels.astype("float32"), "one-hot": np.eye(4)[labels]}[
        form
    ]
    np.testing.assert_allclose(to_numpy(model.penalty(images, other)), expected, atol=1e-5)


def test_an_image_without_a_gradient_weighs_nothing(classifier, images, labels):
    classifier.layers[-1].kernel.assign(np.zeros((8, 4), "float32"))
    model = compiled(SpectralRegularizer(classifier, strength=2))
    np.testing.assert_array_equal(to_numpy(model.penalty(images, labels)), 0)
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in classifier.get_weights())
    # A gradient that is the same at every pixel has no frequency but DC.
    inputs = keras.Input((32, 32, 3))
    even = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(inputs)))
    np.testing.assert_array_equal(to_numpy(SpectralRegularizer(even).penalty(images, labels)), 0)


def test_a_sure_model_is_regularized_too(rng):
    model, kernel, bias = linear((16, 16, 3), scale=20)
    images = rng.random((6, 16, 16, 3)).astype("float32")
    labels = model.predict(images, verbose=0).argmax(1)
    gradients = gradient_spectrum.linear_gradients(images, labels, kernel, bias)
    assert np.abs(gradients).max() < 1e-30
    found = to_numpy(SpectralRegularizer(model, radius=5).penalty(images, labels))
    assert found.min() > 0.3
    assert found.max() < 0.98


def test_channels_first_is_the_same(images, labels):
    if keras.backend.backend() == "tensorflow":
        pytest.skip("TensorFlow has no convolutions with channels first on the CPU")
    keras.utils.set_random_seed(1)
    net = keras.Sequential(
        [
            keras.Input((3, 32, 32)),
            keras.layers.Conv2D(4, 3, data_format="channels_first", activation="tanh"),
            keras.layers.GlobalAveragePooling2D(data_format="channels_first"),
            keras.layers.Dense(4),
        ]
    )
    last = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(4, 3, activation="tanh"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4),
        ]
    )
    last.set_weights(net.get_weights())
    expected = to_numpy(SpectralRegularizer(last).penalty(images, labels))
    found = SpectralRegularizer(net).penalty(np.moveaxis(images, -1, 1), labels)
    np.testing.assert_allclose(to_numpy(found), expected, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains(policy, images, labels):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.AveragePooling2D(2, dtype=policy)(inputs)
    x = keras.layers.Dense(8, dtype=policy, activation="tanh")(keras.layers.Flatten(dtype=policy)(x))
    net = keras.Model(inputs, keras.layers.Dense(4, dtype=policy)(x))
    full = keras.models.clone_model(
        net, clone_function=lambda layer: type(layer).from_config({**layer.get_config(), "dtype": "float32"})
    )
    full.set_weights(net.get_weights())
    net.dtype_policy = keras.dtype_policies.get(policy)
    model = SpectralRegularizer(net)
    assert model.dtype_policy.name == policy
    scaled = isinstance(compiled(model).optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    found = to_numpy(model.penalty(images, labels))
    assert found.dtype == "float32"
    expected = to_numpy(SpectralRegularizer(full).penalty(images, labels))
    np.testing.assert_allclose(found, expected, rtol=0.02 if policy == "mixed_bfloat16" else 0.005)
    before = net.get_weights()[0]
    history = model.fit(images, labels, batch_size=3, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert np.abs(net.get_weights()[0] - before).max() > 0


def test_saved_and_loaded(tmp_path, classifier, images):
    augment = kf.layers.CropFlip(2)
    model = SpectralRegularizer(
        classifier, strength=0.1, towards="high", radius=0.2, units="cycles_per_pixel"
    )
    other = SpectralRegularizer(classifier, weights=np.arange(22), augment=augment)
    for one in (model, other):
        one.build((None, 32, 32, 3))
        one.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        for name in ("strength", "towards", "radius", "units", "radial_weights"):
            assert getattr(loaded, name) == getattr(one, name)
        np.testing.assert_array_equal(to_numpy(loaded(images)), to_numpy(one(images)))
    assert isinstance(loaded.augment, kf.layers.CropFlip)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": -1}, "`strength` must be a finite number of at least 0"),
        ({"towards": "middle"}, "`towards` must be one of 'low', 'high'. Received: towards='middle'"),
        ({"radius": 0}, "`radius` must be a finite number above 0"),
        ({"radius": 99}, "Some frequencies of images of 32x32 must weigh more than others"),
        ({"weights": [1.0] * 22}, "Some frequencies of images of 32x32 must weigh more than others"),
        ({"weights": [0.0] * 23}, "`weights` must hold 22 numbers"),
        ({"weights": [0.0], "radius": 3}, "`weights` take the place of `radius`"),
        ({"units": "pixels"}, "`units` must be one of"),
        ({"augment": 3}, "`augment` must be a Keras layer or None. Received: type=int"),
    ],
)
def test_bad_options_are_one_line(options, message, classifier):
    with pytest.raises((ValueError, TypeError)) as caught:
        SpectralRegularizer(classifier, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_classifier_and_no_labels(classifier, images):
    with pytest.raises(TypeError, match="`classifier` must be a Keras model"):
        SpectralRegularizer("resnet")
    with pytest.raises(ValueError, match="must return logits"):
        SpectralRegularizer(kf.Classifier(classifier, from_logits=False))
    with pytest.raises(ValueError, match=r"SpectralRegularizer trains on \(images, labels\)"):
        compiled(SpectralRegularizer(classifier)).fit(images, verbose=0)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="torch.compile of a whole step takes minutes")
def test_the_step_compiles_with_xla(classifier, images, labels):
    model = SpectralRegularizer(classifier)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=True)
    assert np.isfinite(model.fit(images, labels, batch_size=8, verbose=0).history["loss"]).all()
