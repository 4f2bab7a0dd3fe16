"""A full disk, a disk that is read-only, and no folder: one line, nothing is lost, the end is the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

from keras_freq.data import read_corrupted, write_corrupted
from tests.faults import work

pytestmark = [pytest.mark.once, pytest.mark.slow]


def pages(folder):
    """Bytes that the files of a folder take."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", work.KINDS)
def test_a_full_disk(kind, begin, undisturbed, ends_the_same, disk):
    folder = disk.folder / "folder"
    for share in (0, 0.5):
        disk.fill(int(share * pages(undisturbed(kind)[0])))
        line = begin(kind, folder).ends_with_a_line()
        assert re.search("disk is full|no space", line, re.IGNORECASE)
        assert str(folder) in line
    disk.empty()
    ends_the_same(kind, begin(kind, folder))


@pytest.mark.parametrize("jpeg", [85, 0])
def test_half_an_image_is_no_image(jpeg, disk):
    """Where Pillow writes to a file itself, it does not see that the disk took a part."""
    image = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), "uint8")
    folder = disk.folder / "folder"
    options = {"corruptions": ("brightness",), "severities": (1,), "layout": "files", "jpeg": jpeg}
    disk.fill(20_000)
    with pytest.raises(OSError, match="No space left") as error:
        write_corrupted(image, [0], folder, **options)
    assert str(folder) in str(error.value)
    assert not list(folder.rglob("*.*G"))
    disk.empty()
    assert write_corrupted(image, [0], folder, **options)
    assert len(read_corrupted(folder, "brightness", 1)[0]) == 1


@pytest.mark.parametrize("kind", work.KINDS)
def test_a_disk_that_becomes_read_only(kind, begin, ends_the_same, disk):
    folder = disk.folder / "folder"
    worker = begin(kind, folder)
    worker.writes()
    worker.process.kill()
    worker.was_killed()
    disk.remount("ro")
    line = begin(kind, folder).ends_with_a_line()
    assert "Read-only file system" in line
    assert str(folder) in line
    disk.remount("rw")
    ends_the_same(kind, begin(kind, folder))


@pytest.mark.parametrize("kind", work.KINDS)
def test_a_folder_that_cannot_be_made(kind, begin, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    line = begin(kind, file / "folder").ends_with_a_line()
    assert str(file / "folder") in line
    assert re.search("Not a directory|must be a folder", line)
    assert file.read_text() == "mine"
