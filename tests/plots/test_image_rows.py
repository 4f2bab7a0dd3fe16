import itertools

import numpy as np
import pytest

from keras_freq import plots

pytestmark = pytest.mark.once


def test_rows_columns_and_captions(images, tmp_path):
    rows = {
        "image": images[:3],
        "donor\nof it": (255 * images[3:6]).astype("uint8"),
        "sum": 4 * images[:3] - 1,
    }
    figure = plots.image_rows(rows, captions={"image": ["cat", "dog", "ship"]}, title="Three forms")
    axes = np.array(figure.axes).reshape(3, 3)
    assert [axis.get_title() for axis in axes[0]] == ["cat", "dog", "ship"]
    assert [axis.get_title() for axis in axes[2]] == [""] * 3
    assert [axis.get_ylabel() for axis in axes[:, 0]] == list(rows)
    assert figure.get_suptitle() == "Three forms"
    np.testing.assert_allclose(axes[0, 2].images[0].get_array(), images[2], atol=1e-7)
    np.testing.assert_allclose(axes[1, 1].images[0].get_array(), rows["donor\nof it"][1] / 255)
    np.testing.assert_allclose(axes[2, 0].images[0].get_array(), np.clip(4 * images[0] - 1, 0, 1), atol=1e-6)
    figure.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_long_names_do_not_touch(tmp_path):
    gray = np.arange(12 * 9 * 12, dtype="uint8").reshape(12, 9, 12, 1)
    rows = {f"a row with a long name\nin two lines {number}": gray for number in range(8)}
    figure = plots.image_rows(rows, captions={next(iter(rows)): ["automobile"] * 12})
    figure.savefig(tmp_path / "figure.png")
    titles = [axis.title.get_window_extent() for axis in figure.axes[:12]]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(titles))
    names = [axis.yaxis.label.get_window_extent() for axis in figure.axes[::12]]
    assert all(upper.y0 > lower.y1 for upper, lower in itertools.pairwise(names))
    assert min(box.x0 for box in names) >= 0


@pytest.mark.parametrize(
    ("rows", "captions", "message"),
    [
        ({}, None, "1 to 8 rows. Received: 0"),
        ({str(k): np.ones((1, 4, 4, 3)) for k in range(9)}, None, "1 to 8 rows. Received: 9"),
        ({"a": np.ones((13, 4, 4, 3))}, None, "1 to 12 images each"),
        ({"a": np.ones((2, 4, 4, 3)), "b": np.ones((3, 4, 4, 3))}, None, r"Received: \{'a': 2, 'b': 3\}"),
        ({"a": np.ones((2, 4, 4))}, None, r"`a` must hold at least one image.*\(2, 4, 4\)"),
        ({"a": np.full((2, 4, 4, 3), np.nan)}, None, "`a` must be finite"),
        ({"a": np.ones((2, 4, 4, 3))}, {"b": ["x", "y"]}, "`captions` must name rows, of a. Received: 'b'"),
        ({"a": np.ones((2, 4, 4, 3))}, {"a": ["x"]}, r"one text per image \(2\)"),
        ({"a": np.ones((2, 4, 4, 3))}, {"a": "xy"}, r"one text per image \(2\)"),
    ],
)
def test_refuses(rows, captions, message):
    with pytest.raises(ValueError, match=message):
        plots.image_rows(rows, captions=captions)
