"""CDES: target and losses against float64 NumPy, training on real images, files."""

import json
import re

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.cdes import CDES, target_density
from keras_freq.cdes import _kernel_model as kernel_model
from tests.oracles import cdes as oracle

to_numpy = keras.ops.convert_to_numpy


@pytest.fixture(scope="module")
def real():
    return kf.data.load("cifar10_mini").arrays("train", limit=60)[0]


@pytest.fixture(scope="module")
def trained(real):
    kernels = CDES(4, 3, seed=1)
    kernels.fit(real, epochs=3, batch_size=20, verbose=0)
    return kernels


@pytest.mark.once
@pytest.mark.parametrize(
    ("bands", "size", "rho"), [(20, 32, 1.0), (21, 32, 0.4), (43, 64, 1.0), (9, 17, 0.0)]
)
def test_target(bands, size, rho):
    np.testing.assert_allclose(
        target_density(bands, size=size, rho=rho), oracle.target(bands, size, rho), atol=1e-12
    )


def test_target_as_published():
    published = target_density(20, size=32)
    assert published[[0, 16]] == pytest.approx([1, 1], abs=1e-5)
    assert published.argmin() == 8
    # The published code has the peak at band 16 whatever the size.
    large = target_density(43, size=64, peak=16)
    assert large[20] < large[16] > large[12]
    assert target_density(43, size=64).argmax() in (0, 32)
    np.testing.assert_array_equal(target_density(20, size=32, peak=16), published)
    # The second peak of the paper's figure.
    assert 0.3 < target_density(18, size=32, rho=0.4)[16] < 0.45


@pytest.mark.parametrize(
    "options", [{"bands": 1}, {"size": 1}, {"rho": -1}, {"rho": float("nan")}, {"peak": -1}]
)
def test_target_refuses(options):
    with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
        target_density(**({"bands": 20, "size": 32} | options))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("center", "bins"), [("dc", "inner"), ("dc", "all"), ("pixel", "inner")])
def test_losses(reduction, center, bins, real):
    kernels = kernel_model.initial_kernels(3, 4, 3, seed=0)
    enhanced = oracle.convolve_twice(real[:4], kernels)
    goal = np.linspace(1, 0, len(kf.spectral.azimuthal_radii(32, 32, center=center, bins=bins)[0]))
    expected = oracle.losses(enhanced, real[:4], goal, center, bins, reduction)
    tensor = keras.ops.convert_to_tensor(enhanced.astype("float32"))
    density = kernel_model.density_loss(tensor, goal, center=center, bins=bins, reduction=reduction)
    similarity = kernel_model.similarity_loss(tensor, real[:4], reduction=reduction)
    np.testing.assert_allclose([float(density), float(similarity)], expected, rtol=2e-5)


@pytest.mark.parametrize("similarity", ["noisy", "clean"])
def test_a_step_sees_the_noise_it_is_similar_to(similarity, real):
    images = keras.ops.convert_to_tensor(real[:4])
    model = kernel_model.KernelModel(
        (3, 3, 4), np.zeros(21), center="dc", bins="inner", noise=0.1, similarity=similarity, reduction="mean"
    )
    model.compile(keras.optimizers.SGD(0.1))
    kernels = kernel_model.initial_kernels(3, 4, 3, seed=0)
    model.begin(kernels, seed=3)
    enhanced, noisy = model(images)
    noise = to_numpy(noisy) - real[:4]
    scale = real[:4].mean(axis=(1, 2, 3)) * 0.1
    assert noise.min() >= -1e-6
    np.testing.assert_array_less(noise.max(axis=(1, 2, 3)), scale + 1e-6)
    np.testing.assert_allclose(noise.mean(axis=(1, 2, 3)), scale / 2, rtol=0.05)
    np.testing.assert_allclose(to_numpy(enhanced), oracle.convolve_twice(to_numpy(noisy), kernels), atol=1e-5)
    expected = oracle.losses(
        to_numpy(enhanced), to_numpy(noisy) if similarity == "noisy" else real[:4], 0, "dc", "inner", "mean"
    )
    assert float(model.compute_loss(x=images, y_pred=(enhanced, noisy))) == pytest.approx(
        sum(expected), rel=1e-5
    )


def test_the_loss_falls_on_real_images(trained):
    assert list(trained.history) == ["loss", "density", "similarity"]
    for losses in trained.history.values():
        assert len(losses) == trained.epochs == 3
    for name in ("loss", "similarity"):
        assert trained.history[name][-1] < trained.history[name][0]


def test_the_parts_of_the_loss_add_up(real):
    """Over batches of two sizes, the last one of bright images; what is left is the weight decay's."""
    images = np.concatenate([0.1 * real[:8], real[8:9]])
    for decay in (0, 1e-2):
        kernels = CDES(2, 3, seed=0)
        options = {"epochs": 1, "batch_size": 8, "learning_rate": 1e-6, "shuffle": False, "verbose": 0}
        history = kernels.fit(images, weight_decay=decay, **options)
        penalty = decay / 2 * sum(np.square(part).sum() for part in kernels.kernels())
        parts = history["density"][0] + history["similarity"][0] + penalty
        assert history["loss"][0] == pytest.approx(parts, rel=1e-5)


def test_the_density_comes_nearer_to_the_target(real):
    kernels = CDES(8, 5, seed=0)
    kernels.fit(real, epochs=20, batch_size=10, learning_rate=0.04, decay_every=15, verbose=0)

    def distance(images):
        profile = kf.spectral.spectral_density(images, bins="inner")
        return np.square(profile - kernels.target).mean()

    density = kernels.history["density"]
    assert density[-1] < 0.9 * density[0]
    assert distance(kernels.transform(real)) < distance(real)


def test_same_seed_same_kernels_and_another_seed_others(real, trained):
    again = CDES(4, 3, seed=1)
    again.fit(real, epochs=3, batch_size=20, verbose=0)
    other = again.with_seed(2)
    assert other.epochs == 0
    other.fit(real, epochs=3, batch_size=20, verbose=0)
    back = other.with_seed(1)  # with what was compiled, and trained, for another seed
    back.fit(real, epochs=3, batch_size=20, verbose=0)
    for one, same, different, once_more in zip(
        trained.kernels(), again.kernels(), other.kernels(), back.kernels(), strict=True
    ):
        np.testing.assert_allclose(same, one, atol=1e-6)
        np.testing.assert_allclose(once_more, one, atol=1e-6)
        assert not np.allclose(different, one, atol=1e-4)


def test_a_global_policy_makes_no_difference(real, trained):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = CDES(4, 3, seed=1)
        half.fit(real, epochs=3, batch_size=20, verbose=0)
        assert half.transform(real[:2]).dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(half.history["loss"], trained.history["loss"], rtol=1e-4)


def test_training_goes_on_from_other_kernels(real, trained):
    further = trained.with_seed(5)
    history = further.fit(real, epochs=1, batch_size=20, learning_rate=1e-6, start=trained, verbose=0)
    assert history["loss"][0] < trained.history["loss"][0]
    for one, other in zip(trained.kernels(), further.kernels(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    with pytest.raises(ValueError, match="`start` must have kernels of shape"):
        CDES(5, 3).fit(real, start=trained, verbose=0)


def test_transform(real, trained):
    result = trained.transform(real[:7], noise=False)
    expected = oracle.enhanced(real[:7], trained.kernels(), 10, "complementary", "minmax")
    np.testing.assert_allclose(result, expected, atol=2e-5)
    np.testing.assert_array_equal(trained.transform(real[:7]), trained.transform(real[:7]))
    np.testing.assert_allclose(
        trained.transform(real[:7], batch_size=3), trained.transform(real[:7]), atol=1e-5
    )
    assert np.abs(trained.transform(real[:7]) - result).max() > 1e-3
    first = trained.transform(real[:7], epoch=0, noise=False)
    np.testing.assert_array_equal(first, trained.transform(real[:7], epoch=-3, noise=False))
    assert np.abs(first - result).max() > 1e-3
    single = trained.transform(real[0], noise=False)
    np.testing.assert_allclose(single, result[0], atol=1e-5)
    as_bytes = np.rint(real[:7] * 255).astype("uint8")
    np.testing.assert_allclose(trained.transform(as_bytes, noise=False), result, atol=1e-5)
    layer = trained.layer()
    np.testing.assert_allclose(to_numpy(layer(real[:7])), result, atol=1e-5)


def test_saved_and_loaded(tmp_path, real, trained):
    path = trained.save(tmp_path / "kernels.npz")
    loaded = CDES.load(path)
    assert repr(loaded) == repr(trained)
    assert (loaded.history, loaded.radii) == (trained.history, trained.radii)
    np.testing.assert_array_equal(loaded.target, trained.target)
    for epoch in range(3):
        np.testing.assert_array_equal(
            loaded.transform(real[:3], epoch=epoch), trained.transform(real[:3], epoch=epoch)
        )
    assert [p.name for p in tmp_path.iterdir()] == ["kernels.npz"]


def test_files_that_hold_no_kernels(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no such file"):
        CDES.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", note=np.asarray(json.dumps({"config": {"color": 1}})))
    (tmp_path / "text.npz").write_text("text")
    for name in ("other", "text"):
        with pytest.raises(ValueError, match=re.escape("The file must be one that CDES.save wrote")):
            CDES.load(tmp_path / f"{name}.npz")


def test_every_damage_to_a_file_is_one_line(tmp_path, trained):
    """Bytes flipped, cut or missing: refused, or what was saved (zip files have bytes that nobody reads)."""
    content = trained.save(tmp_path / "whole.npz").read_bytes()
    path, rng = tmp_path / "damaged.npz", np.random.default_rng(0)
    places = [*range(0, 64), *rng.integers(0, len(content), 60), *range(len(content) - 40, len(content))]
    damages = [content[:place] for place in places[::4]]
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        damages.append(bytes(flipped))
    lines = []
    for damaged in damages:
        path.write_bytes(damaged)
        try:
            loaded = CDES.load(path)
        except ValueError as error:
            lines.append(str(error))
            continue
        assert repr(loaded) == repr(trained)
        for one, other in zip(loaded.kernels(), trained.kernels(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert len(lines) > len(damages) / 2
    assert all("Received: path=" in line and "\n" not in line for line in lines)


def test_an_interrupted_training_leaves_what_was(real, trained):
    before = trained.kernels()

    def stop(epoch, losses):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained.fit(real, epochs=2, batch_size=20, verbose=0, on_epoch=stop)
    assert trained.epochs == 3
    for one, other in zip(before, trained.kernels(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_rate_too_high_is_said(real, trained):
    with pytest.raises(ValueError, match="The kernels diverged in epoch 1: take a lower `learning_rate`"):
        trained.with_seed(0).fit(real, learning_rate=1e5, epochs=1, batch_size=20, verbose=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0}, "`filters` must be a whole number of at least 1"),
        ({"kernel_size": 4}, "`kernel_size` must be odd. Received: kernel_size=4"),
        ({"rho": -0.1}, "`rho` must be"),
        ({"radius": float("nan")}, "`radius`"),
        ({"noise": -1}, "`noise` must be"),
        ({"center": "middle"}, "`center` must be one of"),
        ({"masks": "none"}, "`masks` must be one of"),
        ({"similarity": "same"}, "`similarity` must be one of"),
        ({"reduction": "max"}, "`reduction` must be one of"),
        ({"rescale": "max"}, "`rescale` must be one of"),
        ({"seed": -1}, "`seed`"),
        ({"seed": 2**31}, "`seed` must be a whole number from 0 to 2147483647"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        CDES(**options)
    assert "Received: " in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "`epochs`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"learning_rate": 0}, "`learning_rate` must be a finite number above 0"),
        ({"momentum": 1}, "`momentum` must be a finite number in"),
        ({"weight_decay": -1}, "`weight_decay` must be"),
        ({"decay": 0}, "`decay` must be a finite number in"),
        ({"decay_every": 0}, "`decay_every`"),
    ],
)
def test_bad_fit_options(options, message, real):
    with pytest.raises(ValueError, match=message):
        CDES().fit(real, **options, verbose=0)


def test_bad_images(real, trained):
    for images in (real[0], real[:0], real * 255, real - 0.5, np.where(real > 0.5, np.nan, real), "images"):
        with pytest.raises(ValueError, match="Received"):
            CDES().fit(images, verbose=0)
    with pytest.raises(ValueError, match="must be large enough for two bands"):
        CDES().fit(real[:, :1, :1], verbose=0)
    with pytest.raises(ValueError, match="must be trained first"):
        CDES().transform(real)
    with pytest.raises(ValueError, match="`epoch` must be a whole number from -3 to 2"):
        trained.transform(real, epoch=3)
    with pytest.raises(ValueError, match="must have the 3 channels"):
        trained.transform(real[..., :1])
