from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import plots
from tests.refusals import refused

pytestmark = pytest.mark.once


def density(mean, deviation=None, n=10):
    mean = np.asarray(mean, "float64")
    spread = np.full_like(mean, 0.1) if deviation is None else np.asarray(deviation, "float64")
    return SimpleNamespace(radii=tuple(range(len(mean))), mean=tuple(mean), deviation=tuple(spread), n=n)


def test_one_result_is_a_line_and_its_band(rng, tmp_path):
    mean, spread = rng.random(23), 0.2 * rng.random(23)
    figure = plots.spectral_density(density(mean, spread, n=40))
    (axis,) = figure.axes
    (line,) = axis.lines
    np.testing.assert_array_equal(line.get_ydata(), mean)
    (band,) = axis.collections
    edges = band.get_paths()[0].vertices[:, 1]
    assert edges.max() == pytest.approx((mean + spread).max())
    assert edges.min() == pytest.approx((mean - spread).min())
    assert "n = 40" in figure.get_suptitle()
    assert "standard deviation" in figure.get_suptitle()
    assert figure.legends == []
    figure.savefig(tmp_path / "figure.png")


def test_panels_share_colours_and_the_target_is_in_each(rng):
    panels = {
        "original": {"images": density(rng.random(5)), "gradients": density(rng.random(5))},
        "SCR": {"gradients": density(rng.random(5), n=7)},
    }
    aim = np.array([1, 0, 0.5])
    figure = plots.spectral_density(panels, target=((0, 2, 4), aim), band=False, title="ours")
    first, second = figure.axes
    assert [axis.get_title(loc="left") for axis in (first, second)] == ["original", "SCR"]
    assert first.lines[1].get_color() == second.lines[0].get_color() != first.lines[0].get_color()
    for axis in (first, second):
        np.testing.assert_array_equal(axis.lines[-1].get_ydata(), aim)
        assert not axis.collections
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["images", "gradients", "target"]
    assert figure.get_suptitle() == "ours"
    figure = plots.spectral_density(panels["original"])
    assert len(figure.axes) == 1
    assert len(figure.axes[0].lines) == 2


def test_rescaled_lines_run_from_0_to_1():
    flat, steep = density([2, 2, 2]), density([4, 2, 3], [1, 1, 1])
    figure = plots.spectral_density({"flat": flat, "steep": steep}, rescale=True)
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), 0)
    np.testing.assert_array_equal(axis.lines[1].get_ydata(), [1, 0, 0.5])
    assert axis.collections[1].get_paths()[0].vertices[:, 1].max() == 1.5
    assert "0 to 1" in axis.get_ylabel()


@pytest.mark.parametrize(
    ("results", "options", "says"),
    [
        ({}, {}, "an empty mapping"),
        ({"a": {}}, {}, "an empty mapping"),
        ({"a": density([1]), "b": {"c": density([1])}}, {}, "a mixture"),
        ({"a": 3}, {}, "int without radii, mean, deviation, n for 'a'"),
        ({"a": density([])}, {}, "shapes (0,)"),
        ({"a": density([1, 2], [1])}, {}, "shapes (2,), (2,) and (1,)"),
        ({"a": density([1, np.nan])}, {}, "NaN or infinity for 'a'"),
        (density([1]), {"columns": 0}, "columns=0"),
        (density([1]), {"target": (1, 2, 3)}, "target=(1, 2, 3)"),
        (density([1]), {"target": ((0, 1), (0,))}, "target=((0, 1), (0,))"),
        ({str(k): density([1]) for k in range(30)}, {}, "Received: 30"),
    ],
)
def test_bad_input(results, options, says):
    with refused(says):
        plots.spectral_density(results, **options)
