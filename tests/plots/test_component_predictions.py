import itertools

import numpy as np
import pytest

from keras_freq import plots, spectral
from tests.refusals import refused

pytestmark = pytest.mark.once
CLASSES = ("cat", "dog", "automobile")


def predicted(*rows, confidence=0.974):
    parts = ("original", "high", "low")
    return {part: (row, [confidence] * len(row)) for part, row in zip(parts, rows, strict=True)}


def test_pictures_and_predictions(images, tmp_path):
    predictions = predicted([0, 1, 1], [0, 1, 0], [1, 0, 1])
    figure = plots.component_predictions(images[:3], predictions, radius=6, labels=[0, 1, 1], classes=CLASSES)
    axes = np.array(figure.axes).reshape(3, 3)
    assert [axis.get_title() for axis in axes[0]] == ["cat", "dog", "dog"]
    assert [axis.get_xlabel() for axis in axes[0]] == ["✓ cat 97 %", "✓ dog 97 %", "✓ dog 97 %"]
    assert [axis.get_xlabel() for axis in axes[2]] == ["✗ dog 97 %", "✗ cat 97 %", "✓ dog 97 %"]
    colors = [axis.xaxis.label.get_color() for axis in axes[2]]
    assert colors[0] == colors[1] != colors[2]
    assert axes[2, 0].get_ylabel() == "low part\n$d < 6$"
    assert "radius 6" in figure.get_suptitle()

    low, high = spectral.split_bands(images[:3].astype("float64"), 6)
    gain = float(axes[1, 0].get_ylabel().split("×")[1])
    for column in range(3):
        np.testing.assert_allclose(axes[0, column].images[0].get_array(), images[column], atol=1e-6)
        magnified = np.clip(0.5 + gain * high[column], 0, 1)
        np.testing.assert_allclose(axes[1, column].images[0].get_array(), magnified, atol=1e-9)
        np.testing.assert_allclose(axes[2, column].images[0].get_array(), np.clip(low[column], 0, 1))
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_long_names_in_ten_columns_do_not_touch(tmp_path):
    gray = np.arange(10 * 9 * 12, dtype="uint8").reshape(10, 9, 12, 1)
    row = [2] * 10
    figure = plots.component_predictions(
        gray, predicted(row, row, row, confidence=1.0), radius=2, labels=row, classes=CLASSES, title="Ten"
    )
    assert figure.get_suptitle() == "Ten"
    figure.savefig(tmp_path / "figure.png")
    boxes = [axis.xaxis.label.get_window_extent() for axis in figure.axes[:10]]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert figure.axes[0].get_xlabel() == "✓ automobile\n100 %"


def with_part(part, value):
    return {**predicted([0, 1], [0, 1], [0, 1]), part: value}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.ones((11, 8, 8, 3))}, "at most 10 images.*Received: 11"),
        ({"images": np.ones((8, 8, 3))}, "at least one image"),
        ({"radius": -1}, "`radius`.*Received: radius=-1"),
        ({"radius": "8"}, "`radius`.*Received: radius='8'"),
        ({"labels": [0]}, "`labels` must hold 2"),
        ({"labels": [0, 3]}, r"below 3.*Received: labels=\[0, 3\]"),
        ({"predictions": {"original": ([0, 1], [1, 1])}}, r"keys original, high, low.*\['original'\]"),
        ({"predictions": [0, 1]}, "keys original, high, low.*Received: list"),
        ({"predictions": with_part("low", 3)}, r"a pair \(classes, confidences\).*Received: int for 'low'"),
        ({"predictions": with_part("low", ([0, 3], [1, 1]))}, r"predictions\['low'\].*below 3"),
        ({"predictions": with_part("high", ([0, 1], [0.5]))}, r"2 numbers in \[0, 1\].*\[0.5\] for 'high'"),
        ({"predictions": with_part("high", ([0, 1], [0.5, 97]))}, r"2 numbers in \[0, 1\]"),
        ({"predictions": with_part("high", ([0, 1], [0.5, np.nan]))}, r"2 numbers in \[0, 1\]"),
    ],
)
def test_refuses(changes, message):
    arguments = {
        "images": np.ones((2, 8, 8, 3)),
        "predictions": predicted([0, 1], [0, 1], [0, 1]),
        "radius": 2,
        "labels": [0, 1],
        **changes,
    }
    with refused(match=message):
        plots.component_predictions(
            arguments.pop("images"), arguments.pop("predictions"), classes=CLASSES, **arguments
        )
