"""What short trainings add: slow weights, alternating flips, a triangle that ends above 0."""

import keras
import numpy as np
import pytest

from apps.lab.flips import AlternatingFlips
from apps.lab.lookahead import Lookahead
from apps.lab.schedules import Cyclic

to_numpy = keras.ops.convert_to_numpy


@pytest.mark.parametrize("jit", [False, "auto"])
def test_lookahead_against_numpy(jit, rng):
    """Twelve steps of SGD with Nesterov's momentum on a linear model, the rule of the docstring beside it."""
    x, y = rng.normal(size=(8, 3)).astype("float32"), rng.normal(size=(8, 1)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    optimizer = Lookahead(0.05, total=12, every=5, decay=0.9, momentum=0.8, nesterov=True)
    model.compile(optimizer, "mse", jit_compile=jit)
    weight = to_numpy(model.weights[0]).astype("float64")
    slow, velocity = weight.copy(), np.zeros_like(weight)
    for step in range(1, 13):
        gradient = 2 * x.T @ (x @ weight - y) / len(x)
        velocity = 0.8 * velocity - 0.05 * gradient
        weight = weight + 0.8 * velocity - 0.05 * gradient
        if step % 5 == 0:
            share = 0.9**5 * (step / 12) ** 3
            weight = slow = share * slow + (1 - share) * weight
        model.train_on_batch(x, y)
        np.testing.assert_allclose(to_numpy(model.weights[0]), weight, rtol=1e-4, atol=1e-5)
    assert step == 12
    assert slow.shape == weight.shape
    again = Lookahead.from_config(optimizer.get_config())
    assert (again.total, again.every, again.decay) == (12, 5, 0.9)


def test_flips_alternate(rng):
    images = rng.integers(0, 255, (20, 4, 4, 3)).astype("uint8")
    feed = AlternatingFlips(images, np.arange(20) % 5, batch_size=6, shuffle=True, seed=3)
    seen = {}
    for epoch in range(4):
        feed.epoch = epoch
        mirrored = np.zeros(20, bool)
        for index in range(len(feed)):
            for place, image in zip(feed.rows(index), feed[index][0], strict=True):
                original = images[place] / np.float32(255)
                mirrored[place] = not np.array_equal(image, original)
                np.testing.assert_array_equal(image, original[:, ::-1] if mirrored[place] else original)
        seen[epoch] = mirrored
    np.testing.assert_array_equal(seen[1], ~seen[0])
    np.testing.assert_array_equal(seen[2], seen[0])
    assert 4 < seen[0].sum() < 16
    assert images.dtype == np.uint8  # the images themselves stay as they are


def test_a_triangle_between_three_rates():
    rate = Cyclic(2.0, peak=4, total=12, begin=0.25, end=0.1)
    found = [float(rate(step)) for step in range(13)]
    up = np.linspace(0.5, 2.0, 5)
    down = np.linspace(2.0, 0.2, 9)
    np.testing.assert_allclose(found, [*up, *down[1:]], rtol=1e-5)
    assert Cyclic.from_config(rate.get_config()).get_config() == rate.get_config()
    np.testing.assert_allclose(float(rate(20)), 0.2, rtol=1e-5)
