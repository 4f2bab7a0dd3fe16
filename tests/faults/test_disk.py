"""A full disk, a disk that is read-only, and no folder: one line, nothing is lost, the end is the same."""

from __future__ import annotations

import pytest

from tests.faults import work

pytestmark = [pytest.mark.once, pytest.mark.slow]


def pages(folder):
    """Bytes that the files of a folder take."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", work.KINDS)
def test_a_full_disk(kind, begin, undisturbed, ends_the_same, disk):
    folder = disk.folder / "folder"
    for share in (0, 0.5):
        disk.fill(int(share * pages(undisturbed(kind))))
        line = begin(kind, folder).ends_with_a_line()
        assert "disk is full" in line or "no space is left" in line
        assert str(folder) in line
    disk.empty()
    ends_the_same(kind, begin(kind, folder))


@pytest.mark.parametrize("kind", work.KINDS)
def test_a_disk_that_becomes_read_only(kind, begin, ends_the_same, disk):
    folder = disk.folder / "folder"
    worker = begin(kind, folder)
    worker.writes()
    worker.kill()
    disk.remount("ro")
    line = begin(kind, folder).ends_with_a_line()
    assert "Read-only file system" in line
    assert str(folder) in line
    disk.remount("rw")
    ends_the_same(kind, begin(kind, folder))
