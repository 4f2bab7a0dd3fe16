"""What the layers compute that mix images of a batch, or versions of an image."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.layers._operations import OPERATIONS
from tests.layers.test_augmentations import natural
from tests.oracles import augmentations as oracle

to_numpy, to_tensor = keras.ops.convert_to_numpy, keras.ops.convert_to_tensor


def transformed(layer, x, draws):
    return to_numpy(layer.transform(to_tensor(x), to_tensor(draws)))


def drawn(layer, batch, seed=1):
    return np.random.default_rng(seed).random(layer.draw_shape(batch, 3)).astype("float32")


@pytest.mark.parametrize("scope", ["batch", "sample"])
@pytest.mark.parametrize("recombine", [False, True])
@pytest.mark.parametrize("size", [32, 17])
def test_hybrid_pair_equals_numpy(scope, recombine, size):
    x = natural(12, size=size)
    options = {"sigma": 0.8, "kernel_size": 5, "probability": 0.6, "scope": scope}
    layer = kf.layers.HybridPair(**options, recombine_amplitude=recombine)
    mixed = 0
    for seed in range(4):
        draws = drawn(layer, 12, seed)
        expected = oracle.hybrid(x, draws, **options, recombine=recombine)
        mixed += (np.abs(expected - x).max((1, 2, 3)) > 1e-6).sum()
        # In float32 the phase of a bin that is almost empty is a little uncertain.
        np.testing.assert_allclose(transformed(layer, x, draws), expected, atol=5e-5 if recombine else 3e-6)
    assert 0 < mixed < 48


def test_hybrid_pair_keeps_the_low_part_and_takes_a_high_one():
    x = natural(10)
    y = to_numpy(kf.layers.HybridPair(sigma=1.5, kernel_size=9, probability=1, seed=0)(x))
    mask = kf.spectral.blur_mask(32, 32, 1.5, kernel_size=9)
    np.testing.assert_allclose(y.mean((1, 2)), x.mean((1, 2)), atol=1e-5)
    added = y - kf.spectral.apply_mask(x, mask)
    high = x - kf.spectral.apply_mask(x, mask)
    errors = np.abs(added[:, None] - high[None]).max((2, 3, 4))
    assert errors.min(1).max() < 1e-5
    assert sorted(errors.argmin(1)) == list(range(10))


def test_published_blur_of_hybrid_augment():
    """Kernel 3, sigma 0.5: weights exp(-2), 1, exp(-2) over their sum."""
    side = np.exp(-2) / (1 + 2 * np.exp(-2))
    row = np.roll(np.pad([side, 1 - 2 * side, side], (0, 5)), -1)
    mask = kf.spectral.blur_mask(8, 8, 0.5)
    expected = np.fft.fftshift(np.fft.fft(row).real)
    np.testing.assert_allclose(mask, np.outer(expected, expected), atol=1e-6)


@pytest.mark.parametrize("size", [(32, 32), (33, 20), (17, 17)], ids=str)
@pytest.mark.parametrize("beta", [0.01, 0.1, 0.5])
def test_fda_pair_equals_numpy(size, beta):
    x = natural(6, size=max(size))[:, : size[0], : size[1]]
    layer = kf.layers.FDAPair(beta=beta)
    draws = drawn(layer, 6)
    half_width = [int(np.floor(side * beta)) for side in size]
    donors = x[np.argsort(draws[0])]
    expected = [
        oracle.low_amplitude_swapped(image, donor, half_width) for image, donor in zip(x, donors, strict=True)
    ]
    # In float32 the phase of a bin that is almost empty is a little uncertain.
    np.testing.assert_allclose(transformed(layer, x, draws), expected, atol=2e-4 if beta == 0.5 else 2e-5)


def test_fda_pair_of_the_smallest_window_swaps_the_means():
    x = natural(9)
    y = to_numpy(kf.layers.FDAPair(seed=0)(x))
    np.testing.assert_allclose(
        y - y.mean((1, 2), keepdims=True), x - x.mean((1, 2), keepdims=True), atol=1e-5
    )
    errors = np.abs(y.mean((1, 2))[:, None] - x.mean((1, 2))[None]).max(-1)
    assert errors.min(1).max() < 1e-5
    assert sorted(errors.argmin(1)) == list(range(9))


def test_fda_pair_of_the_whole_window_is_apr_pair_by_channel():
    x = natural(9)
    y = to_numpy(kf.layers.FDAPair(beta=0.5, seed=4)(x))
    expected = to_numpy(kf.layers.APRPair(axes="hw", probability=1, seed=4)(x))
    np.testing.assert_allclose(y, expected, atol=1e-4)


@pytest.mark.parametrize("layer", [kf.layers.FDAPair, kf.layers.HybridPair])
def test_pairs_toss_and_clip(layer):
    x = natural(12, size=8)

    def changed(**options):
        options = {"beta": 0.2, **options} if layer is kf.layers.FDAPair else options
        augment = layer(seed=0, probability=0.5, **options)
        return np.stack([np.abs(to_numpy(augment(x)) - x).max((1, 2, 3)) > 1e-3 for _ in range(24)])

    # A permutation leaves an image alone once in a while.
    assert set(np.round(changed().mean(1))) == {0.0, 1.0}
    sample = changed(scope="sample").mean(1)
    assert 0.25 < sample.mean() < 0.6
    assert len(np.unique(sample)) > 3
    bounded = to_numpy(layer(seed=0, probability=1, clip=(0.2, 0.7))(x))
    assert bounded.min() == pytest.approx(0.2)
    assert bounded.max() == pytest.approx(0.7)


@pytest.mark.parametrize(("chains", "depth"), [(3, -1), (1, -1), (2, 4)])
def test_aug_mix_equals_pillow(chains, depth):
    x = natural()
    layer = kf.layers.AugMix(chains=chains, depth=depth)
    draws = drawn(layer, len(x))
    expected = np.stack(
        [
            oracle.aug_mix(image, d, chains=chains, depth=depth, level=3)
            for image, d in zip(x, draws, strict=True)
        ]
    )
    difference = np.abs(transformed(layer, x, draws) - expected) * 255
    # A level apart where Pillow's own rounding cuts one off; operations that follow may spread it.
    assert np.quantile(difference, 0.95) < 0.01
    assert np.quantile(difference, 0.999) < 1.01


def test_aug_mix_weights_are_those_of_the_distributions():
    """The strongest solarizing turns level 204 into 51, the weakest leaves it: the image tells the shares."""
    layer = kf.layers.AugMix(chains=3, depth=1, operations=["solarize"], level=10)
    batch = 4000
    x = np.full((batch, 1, 1, 1), 0.8, "float32")

    def inverted(draws):
        return (0.8 - transformed(layer, x, draws)[:, 0, 0, 0]) / 0.6

    draws = drawn(layer, batch, seed=0)
    draws[:, [4, 9, 14]] = 0.99
    np.testing.assert_allclose(inverted(draws), draws[:, 0], atol=1e-5)  # all chains alike: m itself
    draws[:, 0], draws[:, [9, 14]] = 1, 0
    first = inverted(draws)
    # The first of three Dirichlet weights is Beta(1, 2): mean 1/3, P(w > t) = (1 - t)**2.
    assert first.mean() == pytest.approx(1 / 3, abs=0.02)
    for t in (0.1, 0.3, 0.6, 0.9):
        assert np.mean(first > t) == pytest.approx((1 - t) ** 2, abs=0.03)


def test_aug_mix_depth_is_1_to_3_equally_often():
    layer = kf.layers.AugMix(chains=1, operations=["translate_x"], level=10)
    draws = drawn(layer, 900, seed=2)
    draws[:, 0], draws[:, 3::3] = 1, 0  # m = 1; which = 0
    draws[:, [4, 7, 10]], draws[:, [5, 8, 11]] = 0.5, 0  # each moves by one pixel to the right
    x = np.zeros((900, 1, 8, 1), "float32")
    x[:, 0, 0] = 1
    places = transformed(layer, x, draws)[:, 0, :, 0].argmax(1)
    np.testing.assert_array_equal(np.unique(places), [1, 2, 3])
    np.testing.assert_array_equal(places, 1 + np.floor(3 * draws[:, 2]))
    assert (np.bincount(places)[1:] > 240).all()


def test_aug_mix_draws_for_each_image():
    x = np.tile(natural(1), (64, 1, 1, 1))
    y = to_numpy(kf.layers.AugMix(seed=0)(x)).reshape(64, -1)
    assert len(np.unique(y, axis=0)) > 60
    assert y.min() >= -1e-6
    assert y.max() <= 1 + 1e-6


def test_aug_mix_of_a_zero_draw_and_of_a_range():
    layer = kf.layers.AugMix(value_range=(-2, 2))
    x = 4 * natural(8) - 2
    assert np.isfinite(transformed(layer, x, np.zeros((8, 34), "float32"))).all()
    draws = drawn(layer, 8)
    unit = transformed(kf.layers.AugMix(), natural(8), draws)
    np.testing.assert_allclose(transformed(layer, x, draws), 4 * unit - 2, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "says", "received"),
    [
        (lambda: kf.layers.HybridPair(sigma=0), "above 0", "sigma=0"),
        (lambda: kf.layers.HybridPair(kernel_size=4), "odd", "kernel_size=4"),
        (lambda: kf.layers.HybridPair(scope="image"), "'sample'", "scope='image'"),
        (lambda: kf.layers.FDAPair(beta=-0.1), "in [0, 1]", "beta=-0.1"),
        (lambda: kf.layers.FDAPair(clip=1), "two finite numbers", "clip=1"),
        (lambda: kf.layers.FDAPair().transform(natural(1)[0], np.zeros((2, 1))), "a batch", "(32, 32, 3)"),
        (lambda: kf.layers.AugMix(chains=0), "at least 1", "chains=0"),
        (lambda: kf.layers.AugMix(depth=0), "-1 for 1 to 3", "depth=0"),
        (lambda: kf.layers.AugMix(level=11), "in [0.1, 10]", "level=11"),
        (lambda: kf.layers.AugMix(operations=["blur"]), OPERATIONS[0], "operations='blur'"),
        (lambda: kf.spectral.blur_mask(8, 8, float("nan")), "above 0", "sigma=nan"),
        (
            lambda: kf.spectral.swap_low_amplitude(natural(2), natural(3), np.ones((32, 32))),
            "same shape",
            "donors.shape=(3, 32, 32, 3)",
        ),
        (
            lambda: kf.spectral.swap_low_amplitude(natural(2), natural(2), np.ones((8, 8))),
            "images' size (32, 32)",
            "mask.shape=(8, 8)",
        ),
        (
            lambda: kf.spectral.swap_low_amplitude(natural(2), natural(2), np.triu(np.ones((32, 32)))),
            "Hermitian",
            "entries that differ",
        ),
    ],
)
def test_refuses_in_one_line(make, says, received):
    with pytest.raises(ValueError, match="Received: ") as error:
        make()
    assert says in str(error.value)
    assert received in str(error.value).split("Received: ")[1]
    assert "\n" not in str(error.value)
