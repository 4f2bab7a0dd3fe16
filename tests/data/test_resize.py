import numpy as np
import pytest

from keras_freq.data._resize import resize_and_crop, tf_resize_and_crop

pytestmark = pytest.mark.once
pytest.importorskip("PIL")


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (40, 40)])
@pytest.mark.parametrize("shape", [(32, 20, 3), (31, 47, 3), (16, 16, 1)])
def test_pillow_and_tensorflow_agree_to_two_levels(rng, shape, size):
    pytest.importorskip("tensorflow")
    image = rng.integers(0, 256, shape, dtype="uint8")
    ours, theirs = resize_and_crop(image, size), tf_resize_and_crop(image, size).numpy()
    assert ours.shape == theirs.shape == (*size, shape[2])
    assert ours.dtype == theirs.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 2


def test_the_right_size_is_left_alone_and_the_middle_is_kept(rng):
    image = rng.integers(0, 256, (12, 12, 3), dtype="uint8")
    np.testing.assert_array_equal(resize_and_crop(image, (12, 12)), image)
    np.testing.assert_array_equal(resize_and_crop(image, (6, 12)), image[3:9])


def test_reduction_is_antialiased():
    board = np.indices((32, 32)).sum(0) % 2 * 255
    small = resize_and_crop(board.astype("uint8")[..., None], (8, 8))
    # Without antialiasing the board would come out black, white or striped.
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_other_channel_counts_are_refused():
    with pytest.raises(ValueError, match=r"1 or 3 channels.*Received: an image of shape \(8, 8, 4\)"):
        resize_and_crop(np.zeros((8, 8, 4), "uint8"), (4, 4))
