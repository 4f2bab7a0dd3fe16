import keras
import numpy as np
import pytest
from scipy.stats import spearmanr

import keras_freq as kf
from keras_freq.evaluate import predict_logits
from keras_freq.shortcuts import _frequency_importance as module
from keras_freq.shortcuts import dominant_frequency_map, frequency_importance
from keras_freq.spectral import fourier_basis, mirror_index
from tests.oracles import shortcuts as oracle
from tests.refusals import refused


def linear(size, channels=1, classes=3, name="linear"):
    inputs = keras.Input((*size, channels))
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(inputs)), name=name)


def curved(size, channels=2, classes=3):
    inputs = keras.Input((*size, channels))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(x)), name="curved")


def samples(rng, size, channels=2, n=11, classes=3):
    return rng.random((n, *size, channels)).astype("float32"), np.arange(n) % classes


@pytest.mark.parametrize("mirror", ["conjugate", "reference"])
@pytest.mark.parametrize(("size", "patch"), [((6, 4), 1), ((6, 4), 2), ((5, 7), 2)])
def test_equals_the_oracle(size, patch, mirror, rng):
    if mirror == "reference" and size[0] % 2:
        pytest.skip("the published blocks need even sides")
    model = curved(size)
    images, labels = samples(rng, size)
    found = frequency_importance(model, images, labels, patch=patch, mirror=mirror, per_step=8)

    def losses(mask):
        wide = kf.Classifier(model, value_range=(-9, 9))  # filtered images leave [0, 1]
        logits = predict_logits(wide, oracle.filtered(images, mask).astype("float32"))
        return oracle.class_losses(logits, labels, 3)

    clean = losses(np.ones(size))
    np.testing.assert_allclose(found.clean_loss, clean, atol=1e-5)
    if mirror == "conjugate":
        for places in oracle.blocks(*size, patch):
            mask = np.ones(size)
            mask[tuple(np.transpose(places))] = 0
            for i, j in places:
                np.testing.assert_allclose(found.maps[:, i, j], losses(mask) - clean, atol=1e-5)
    else:
        expected = np.tile(-clean[:, None, None], (1, *size))
        for r in range(size[0] // patch):
            for k in range(size[1] // (2 * patch) + 1):
                mask = oracle.published_block(*size, patch, r, k)
                expected[:, mask == 0] = (losses(mask) - clean)[:, None]
        np.testing.assert_allclose(found.maps, expected, atol=1e-5)
    mask = np.ones(size)
    mask[size[0] // 2, size[1] // 2] = 0
    np.testing.assert_allclose(found.dc, losses(mask) - clean, atol=1e-5)
    assert found.count_per_class == (4, 4, 3)


@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("size", [(6, 6), (5, 7)])
def test_finds_a_planted_frequency_at_every_position(size, patch, rng):
    images, labels = samples(rng, size, channels=1, n=6, classes=2)
    model = linear(size, classes=2)
    rows, columns = mirror_index(size[0]), mirror_index(size[1])
    for i in range(size[0]):
        for j in range(size[1]):
            wave = fourier_basis(*size, i, j, 0.4)
            # Class 0 reads the frequency, its images hold it.
            planted = 0.4 + 0.2 * images
            planted[..., 0] += np.where(labels == 0, 0.6, 0.0)[:, None, None] * wave
            weights = 5 * np.stack([wave.ravel(), 0 * wave.ravel()], axis=1)
            model.set_weights([weights.astype("float32"), np.zeros(2, "float32")])
            found = frequency_importance(model, planted, labels, patch=patch, per_step=64)
            best = int(np.argmax(np.array(found.values)[0]))
            assert found.groups.of_bin[i, j] == best
            top = dominant_frequency_map(found, 1e-9).masks[0]
            assert top[i, j] == top[rows[i], columns[j]] == 1
            assert top.sum() == (found.groups.of_bin == best).sum()


@pytest.mark.parametrize("size", [(6, 6), (5, 7)])
@pytest.mark.parametrize("patch", [1, 2])
def test_gradient_is_exact_where_the_loss_is_linear(size, patch, rng):
    model = linear(size, channels=2)
    images, labels = samples(rng, size)
    exact = frequency_importance(model, images, labels, patch=patch, loss="logit")
    estimate = frequency_importance(model, images, labels, patch=patch, loss="logit", method="gradient")
    np.testing.assert_allclose(estimate.maps, exact.maps, atol=2e-6)
    assert estimate.rank_correlation == pytest.approx((1.0,) * 3)
    assert (estimate.measured, exact.checked, exact.rank_correlation) == (1, 0, ())


def test_hybrid_is_exact_where_the_power_is(rng):
    size = (8, 8)
    model = curved(size)
    images, labels = samples(rng, size)
    # A strong ramp gives the first row and column the power.
    images = (images + np.linspace(0, 3, 8, dtype="float32")[None, :, None, None]) / 4
    options = {"seed": 3, "check": 10}
    exact = frequency_importance(model, images, labels)
    gradient = frequency_importance(model, images, labels, method="gradient", **options)
    hybrid = frequency_importance(model, images, labels, method="hybrid", exact_share=0.3, **options)
    values = {name: np.array(r.values) for name, r in (("e", exact), ("g", gradient), ("h", hybrid))}
    same = np.isclose(values["h"], values["e"], atol=1e-6).all(axis=0)
    assert same.sum() >= hybrid.measured == 1 + int(np.ceil(0.3 * (len(exact.groups) - 1)))
    np.testing.assert_allclose(values["h"][:, ~same], values["g"][:, ~same], atol=1e-6)
    power = (np.abs(np.fft.fftshift(np.fft.fft2(images, axes=(1, 2)), axes=(1, 2))) ** 2).mean(axis=(0, 3))
    strongest = np.argsort(-power * (exact.groups.of_bin > 0), axis=None)[:2]
    assert same[exact.groups.of_bin.ravel()[strongest]].all()
    np.testing.assert_allclose(hybrid.dc, exact.dc, atol=1e-6)
    np.testing.assert_allclose(gradient.dc, exact.dc, atol=1e-6)
    assert len(gradient.rank_correlation) == 3
    assert gradient.checked == hybrid.checked == 10
    everything = frequency_importance(model, images, labels, method="gradient", check=1000)
    for c in range(3):
        expected = spearmanr(values["g"][c, 1:], values["e"][c, 1:]).statistic
        assert everything.rank_correlation[c] == pytest.approx(expected, abs=1e-6)


def test_does_not_depend_on_how_it_is_cut(rng):
    size = (5, 4)
    model = curved(size)
    images, labels = samples(rng, size, n=9)
    whole = frequency_importance(model, images, labels)
    assert whole.n == 9
    for per_step in (1, 4, 7):
        other = frequency_importance(model, images, labels, per_step=per_step)
        np.testing.assert_allclose(other.maps, whole.maps, atol=2e-6)
    first = frequency_importance(
        keras.Sequential([keras.Input((2, *size)), keras.layers.Permute((2, 3, 1)), model]),
        images.transpose(0, 3, 1, 2),
        labels,
        data_format="channels_first",
    )
    np.testing.assert_allclose(first.maps, whole.maps, atol=2e-6)
    bytes_, declared = (255 * images).astype("uint8"), kf.Classifier(model, value_range=(0, 1))
    np.testing.assert_allclose(
        frequency_importance(declared, (bytes_, keras.utils.to_categorical(labels))).maps,
        frequency_importance(model, bytes_ / np.float32(255), labels).maps,
        atol=1e-6,
    )


@pytest.mark.parametrize("method", ["exact", "hybrid"])
def test_resumes_with_the_same_numbers(method, rng, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_IMAGES_PER_PASS", 30)
    size = (6, 5)
    model = curved(size)
    images, labels = samples(rng, size)
    path = tmp_path / "importance.jsonl"
    options = {"method": method, "per_step": 12, "check": 4}
    unbroken = frequency_importance(model, images, labels, **options)
    compile_step = module.compile_class_losses
    calls = []

    def interrupted(*args, **kwargs):
        step = compile_step(*args, **kwargs)

        def run(*tensors):
            calls.append(None)
            if len(calls) == 7:
                raise KeyboardInterrupt
            return step(*tensors)

        return run

    monkeypatch.setattr(module, "compile_class_losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        frequency_importance(model, images, labels, checkpoint=path, **options)
    with path.open("ab") as file:
        file.write(b'{"3": [1.0, 2')  # a line that a kill cut short
    measured = len(path.read_bytes().splitlines()) - 2
    assert measured >= 1
    resumed = frequency_importance(model, images, labels, checkpoint=path, **options)
    assert resumed == unbroken
    count = len(calls)
    assert frequency_importance(model, images, labels, checkpoint=path, **options) == unbroken
    assert len(calls) == count  # nothing was measured again
    with pytest.raises(ValueError, match=r"where method is .*, here 'gradient'"):
        frequency_importance(model, images, labels, checkpoint=path, per_step=12, check=4, method="gradient")
    with pytest.raises(ValueError, match="where images is"):
        frequency_importance(model, images[::-1], labels, checkpoint=path, **options)


def test_a_class_without_images_is_undefined(rng):
    model = linear((4, 4), classes=4)
    images, labels = samples(rng, (4, 4), channels=1)
    found = frequency_importance(model, images, labels)
    assert np.isnan(found.maps[3]).all()
    assert np.isfinite(found.maps[:3]).all()
    maps = dominant_frequency_map(found, 0.2)
    assert maps.share[3] == 0
    assert len(found.rows()) == 4 * len(found.groups)
    assert list(found.rows()[0]) == ["class", "i", "j", "u", "v", "bins", "importance"]
    assert "found_on" not in found.to_dict()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"patch": 0}, "`patch` must be a whole number of at least 1. Received: patch=0"),
        ({"patch": 9}, "`patch` must be at most the side of the images, 4. Received: patch=9"),
        (
            {"method": "fast"},
            "`method` must be one of 'exact', 'hybrid', 'gradient'. Received: method='fast'",
        ),
        ({"mirror": "none"}, "`mirror` must be one of"),
        ({"loss": "mse"}, "`loss` must be one of"),
        ({"exact_share": 0}, "`exact_share` must be a finite number in \\(0, 1\\]. Received: exact_share=0"),
        ({"check": -1}, "`check` must be a whole number of at least 0. Received: check=-1"),
        ({"per_step": 0}, "`per_step` must be a whole number of at least 1"),
        ({"seed": -1}, "`seed` must be"),
        ({"labels": [0, 1, 7]}, "`labels` must be from 0 to 2, the model's outputs"),
        ({"images": np.full((3, 4, 4, 1), np.nan)}, "finite"),
        ({"images": np.zeros((0, 4, 4, 1)), "labels": np.zeros(0, int)}, "empty|at least"),
    ],
)
def test_refuses_bad_input(changed, message):
    model = linear((4, 4))
    given = {"images": np.zeros((3, 4, 4, 1), "float32"), "labels": np.array([0, 1, 2])} | changed
    with refused(match=message):
        frequency_importance(model, given.pop("images"), np.asarray(given.pop("labels")), **given)


def test_keeps_small_losses_of_a_sure_model(rng):
    """Differences of losses near 1e-20 that `logsumexp - logit` would round to zero."""
    model = linear((4, 4), classes=2)
    images = rng.random((4, 4, 4, 1)).astype("float32")
    weights = rng.standard_normal((16, 2)).astype("float32")
    model.set_weights([weights, np.array([25, -25], "float32")])
    found = frequency_importance(model, images, np.zeros(4, int))
    assert 0 < found.clean_loss[0] < 1e-12
    assert (np.array(found.values)[0] != 0).all()
