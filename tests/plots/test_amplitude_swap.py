import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import plots
from tests.refusals import refused

pytestmark = pytest.mark.once
CLASSES = ("cat", "dog", "automobile", "frog")


def result(rng, *, predictions, phase=None, amplitude=None, donor_labels=True, name="model"):
    n = len(predictions)
    x, d = np.random.default_rng(0).random((2, n, 8, 8, 3)).astype("float32")
    labels = np.arange(n) % 4
    pairs = SimpleNamespace(
        labels=labels,
        donor_labels=(labels + 1) % 4 if donor_labels else None,
        phase_predictions=labels if phase is None else np.array(phase),
        amplitude_predictions=(labels + 1) % 4 if amplitude is None else np.array(amplitude),
        predictions=np.array(predictions),
        phase_images=x,
        amplitude_images=d,
        images=(x + d) / 2,
    )
    shares = {"follows_phase": 0.25, "follows_amplitude": 0.5, "follows_neither": 0.25}
    return SimpleNamespace(model=name, n=n, n_differ=n, pairs=pairs, **shares)


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_pictures_and_predictions(rng, tmp_path):
    one, two = result(rng, predictions=[0, 1, 2, 3]), result(rng, predictions=[0, 2, 2, 2])
    figure = plots.amplitude_swap({"plain": one, "APR": two}, examples=3, classes=CLASSES)
    axes = np.array(figure.axes).reshape(3, 3)
    assert [axis.get_title() for axis in axes[0]] == ["phase of", "amplitude of", "recombination"]
    # Pairs 1 and 3, where the two differ, come first.
    assert texts(axes[0, 0]) == ["[dog]", "plain: dog", "APR: dog"]
    assert texts(axes[0, 1]) == ["[automobile]", "plain: automobile", "APR: automobile"]
    assert texts(axes[0, 2]) == ["plain: dog", "APR: automobile"]
    assert texts(axes[1, 2]) == ["plain: frog", "APR: automobile"]
    assert texts(axes[2, 2]) == ["plain: cat", "APR: cat"]
    colors = [text.get_color() for text in axes[0, 2].texts]
    assert colors[0] == axes[2, 2].texts[1].get_color() != colors[1]
    assert axes[1, 2].texts[1].get_color() == "0.15"  # neither
    np.testing.assert_allclose(axes[0, 2].images[0].get_array(), one.pairs.images[1], atol=1e-6)
    assert "2 of the 2 pairs (of 4) on which the models disagree, and 1 others" in figure.get_supxlabel()
    assert "plain: follows phase 25 %, amplitude 50 %, neither 25 % of 4 pairs" in figure.get_supxlabel()
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_one_result_two_blocks_and_numbers(rng, tmp_path):
    # Pair 0 is told apart by no one: it goes behind the others.
    single = result(rng, predictions=[1, 1, 0, 3, -1], amplitude=[0, 2, 3, 0, 1], donor_labels=False)
    figure = plots.amplitude_swap(single, examples=5, title="Swap")
    assert figure.get_suptitle() == "Swap"
    assert len(figure.axes) == 15
    assert texts(figure.axes[0]) == ["[1]", "1"]
    assert texts(figure.axes[1]) == ["2"]
    assert texts(figure.axes[-1]) == ["1"]
    assert any(texts(axis) == ["not finite"] for axis in figure.axes)
    figure.savefig(tmp_path / "figure.png")
    boxes = [axis.get_window_extent() for axis in figure.axes[:6]]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_lines_under_pictures_do_not_touch_the_next_row(rng):
    four = {f"network {k}": result(rng, predictions=[k, 1, 2, 3]) for k in range(4)}
    figure = plots.amplitude_swap(four, examples=3, classes=CLASSES)
    figure.draw_without_rendering()
    axes = np.array(figure.axes).reshape(3, 3)
    for above, below in itertools.pairwise(axes):
        lowest = min(text.get_window_extent().y0 for axis in above for text in axis.texts)
        assert lowest > max(axis.get_window_extent().y1 for axis in below)


def test_long_names_do_not_touch_each_other(rng):
    both = {
        f"head of the {name}": result(rng, predictions=[k, 1, 2, 3])
        for k, name in enumerate(("phase", "amplitude"))
    }
    figure = plots.amplitude_swap(both, examples=4, classes=["automobile", *CLASSES[1:]])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for axis in figure.axes for text in axis.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert min(box.x0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= figure.bbox.width


def with_pairs(rng, **changes):
    changed = result(rng, predictions=[0, 1])
    for name, value in changes.items():
        setattr(changed.pairs, name, value)
    return changed


@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (lambda r: {}, {}, "1 to 4 results. Received: 0"),
        (lambda r: {"a": with_pairs(r, images=None)}, {}, "keep_images=True.*no images for 'a'"),
        (lambda r: {"a": SimpleNamespace(pairs=None)}, {}, "no images for 'a'"),
        (
            lambda r: {"a": with_pairs(r), "b": with_pairs(r, amplitude_images=np.zeros((2, 8, 8, 3)))},
            {},
            "the same pairs.*other images for 'b' than for 'a'",
        ),
        (lambda r: with_pairs(r), {"examples": 13}, "1 to 12. Received: examples=13"),
        (lambda r: with_pairs(r), {"classes": ["cat"]}, "0 to 2 at least. Received: 1 classes"),
    ],
)
def test_refuses(make, options, says, rng):
    with refused(match=says):
        plots.amplitude_swap(make(rng), **options)
