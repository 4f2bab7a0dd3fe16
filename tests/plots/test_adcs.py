from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from keras_freq import plots


def test_adcs_maps_share_one_scale(rng, tmp_path):
    maps = rng.integers(-5, 6, (6, 9, 8)).astype("float64")
    maps[2] = np.nan
    figure = plots.adcs(SimpleNamespace(maps=maps), classes="abcdef", title="ADCS")
    shown = [axis for axis in figure.axes if axis.images and axis.get_title()]
    assert [axis.get_title() for axis in shown] == list("abdef")
    for axis, label in zip(shown, (0, 1, 3, 4, 5), strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), maps[label])
        assert axis.images[0].get_clim() == (-5, 5)
        assert axis.images[0].get_extent() == [-4.5, 3.5, 4.5, -4.5]
    figure.savefig(tmp_path / "adcs.png")


def test_changes_of_confusions(rng, tmp_path):
    change = np.round(200 * rng.random((3, 4, 4)) - 100)
    result = SimpleNamespace(change=change, stopped=((1, 2), (3, 4), (2,)))
    figure = plots.confusion_change(result, classes=("C0", "C1", "C2", "C3"), title="band-stop")
    panels = [axis for axis in figure.axes if axis.get_title()]
    assert [axis.get_title() for axis in panels] == ["without B1 and B2", "without B3 and B4", "without B2"]
    np.testing.assert_array_equal(panels[1].images[0].get_array(), change[1])
    assert panels[0].images[0].get_clim() == (-100, 100)
    assert panels[0].texts[0].get_text() == f"{change[0, 0, 0]:.0f}"
    figure.savefig(tmp_path / "change.png")


def test_refuses_bad_input():
    with pytest.raises(ValueError, match=r"Received: shape \(5, 5\)"):
        plots.adcs(np.ones((5, 5)))
    with pytest.raises(ValueError, match="at least one map without NaN"):
        plots.adcs(np.full((2, 5, 5), np.nan))
    with pytest.raises(ValueError, match="must name the 2 classes"):
        plots.adcs(np.ones((2, 5, 5)), classes=["one"])
    with pytest.raises(ValueError, match="must name the 4 classes"):
        plots.confusion_change(SimpleNamespace(change=np.ones((1, 4, 4)), stopped=((1,),)), classes=["one"])
