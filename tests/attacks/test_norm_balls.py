"""Norm balls: uniform starts, exact projections. The step is tested with the attack."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from keras_freq.attacks._norm_balls import distances, draw_in_ball, pixel_limits, snap
from keras_freq.training import AdversarialModel

EPSILON = 0.25
SHAPE = (4000, 1, 3, 1)


def drawn(library, norm):
    if library == "numpy":
        generator = np.random.default_rng(0)
        return draw_in_ball(np, generator.random, generator.standard_normal, SHAPE, EPSILON, norm)
    seed = keras.random.SeedGenerator(0)
    uniform, normal = (functools.partial(f, seed=seed) for f in (keras.random.uniform, keras.random.normal))
    return keras.ops.convert_to_numpy(draw_in_ball(keras.ops, uniform, normal, SHAPE, EPSILON, norm))


def started(norm):
    """The starts of a training step, from gray images: the bounds are far."""
    net = keras.Sequential([keras.Input(SHAPE[1:]), keras.layers.Flatten(), keras.layers.Dense(2)])
    model = AdversarialModel(net, epsilon=EPSILON, steps=1, step_size=0.0, norm=norm, seed=0)
    images = np.full(SHAPE, 0.5, "float32")
    moved, _ = model.prepare(
        keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(np.zeros(SHAPE[0], "int32"))
    )
    return keras.ops.convert_to_numpy(moved) - images


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(functools.partial(drawn, "numpy"), marks=pytest.mark.once),
        functools.partial(drawn, "keras"),
        started,
    ],
)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_starts_are_uniform_in_the_ball(norm, draw):
    points = draw(norm)
    assert points.shape == SHAPE
    points = points.reshape(len(points), -1).astype("float64") / EPSILON
    if norm == "linf":
        shares = (points + 1) / 2
    else:
        lengths = np.sqrt(np.square(points).sum(1, keepdims=True))
        # Uniform in the volume: the share of the volume within is uniform. And by Archimedes every coordinate
        # of a uniform direction in three dimensions is uniform.
        shares = np.concatenate([lengths**3, (points / lengths + 1) / 2], axis=1)
    for share in shares.T:
        assert stats.kstest(share, "uniform").pvalue > 1e-3
    assert np.abs(np.corrcoef(points.T) - np.eye(3)).max() < 0.06


@pytest.mark.once
@settings(max_examples=40, deadline=None)
@given(
    epsilon=st.floats(1e-9, 2.0),
    values=st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
    norm=st.sampled_from(["linf", "l2"]),
)
def test_snap_is_exact(epsilon, values, seed, norm):
    center = np.array(values, "float32").reshape(1, 2, 2, 1)
    moved = center + 2 * np.random.default_rng(seed).standard_normal(center.shape).astype(
        "float32"
    ) * np.float32(epsilon)
    inside = snap(center, moved, epsilon, (0.0, 1.0), norm)
    assert inside.dtype == np.float32
    assert distances(center, inside, norm)[0] <= epsilon
    assert inside.min() >= 0
    assert inside.max() <= 1
    np.testing.assert_array_equal(snap(center, inside, epsilon, (0.0, 1.0), norm), inside)
    low, high = pixel_limits(center, epsilon, (0.0, 1.0))
    assert (low <= center).all()
    assert (high >= center).all()
