import errno
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from keras_freq._core import files
from keras_freq._core.files import write_whole

pytestmark = pytest.mark.once


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", ["é\n", "é\n".encode(), lambda file: file.write("é\n".encode())])
def test_text_bytes_and_what_a_function_writes(content, tmp_path):
    path = write_whole(tmp_path / "a" / "b" / "c.txt", content)
    assert path.read_bytes() == "é\n".encode()
    assert names(path.parent) == ["c.txt"]
    write_whole(path, "new")
    assert path.read_text() == "new"
    assert names(path.parent) == ["c.txt"]


def test_a_file_that_seeks(tmp_path):
    path = write_whole(tmp_path / "a.npz", lambda file: np.savez(file, x=np.arange(5)))
    with np.load(path) as archive:
        assert archive["x"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["b.txt", "ä" * 100 + ".txt"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(step, error, name, tmp_path, monkeypatch):
    path = write_whole(tmp_path / name, "old")

    def fail(*_):
        raise error

    def half(file):
        file.write(b"half")
        if step == "write":
            raise error

    with monkeypatch.context() as patch:
        if step != "write":
            patch.setattr(files.os, step, fail)
        with pytest.raises(type(error)) as raised:
            write_whole(path, half)
    assert raised.value is error
    assert path.read_text() == "old"
    assert names(tmp_path) == [name]


def test_what_cannot_be_removed_does_not_hide_the_error(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", fail)
        patch.setattr(files.Path, "unlink", lambda self: fail())
        with pytest.raises(OSError, match="full") as raised:
            write_whole(tmp_path / "b.txt", "new")
    assert raised.value.errno == errno.ENOSPC
    assert raised.value.__context__ is None


def test_a_kill_leaves_the_old_file(tmp_path):
    path = write_whole(tmp_path / "b.txt", "old")
    program = (
        "import os, runpy, sys; write_whole = runpy.run_path(sys.argv[1])['write_whole']; "
        "write_whole(sys.argv[2], lambda file: file.write(b'half') and file.flush() or os._exit(7))"
    )
    done = subprocess.run([sys.executable, "-c", program, files.__file__, str(path)], check=False)
    assert done.returncode == 7
    assert path.read_text() == "old"
    (left,) = set(names(tmp_path)) - {"b.txt"}
    assert left.startswith(".b.txt.")


def test_file_and_folder_are_synced(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync

    def note(handle):
        synced.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(files.os, "fsync", note)
    write_whole(tmp_path / "b.txt", "new")
    assert synced == [False, True]


def test_a_folder_that_cannot_be_synced_is_no_failure(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EINVAL, "no")

    monkeypatch.setattr(files.os, "open", refuse)
    assert write_whole(tmp_path / "b.txt", "new").read_text() == "new"


def test_a_link_is_replaced_and_not_followed(tmp_path):
    mine = write_whole(tmp_path / "elsewhere" / "mine.txt", "mine")
    for target in (mine, tmp_path / "elsewhere", tmp_path / "nowhere"):
        link = tmp_path / "link.txt"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        write_whole(link, "new")
        assert not link.is_symlink()
        assert link.read_text() == "new"
    assert mine.read_text() == "mine"
    assert names(tmp_path) == ["elsewhere", "link.txt"]
    # A folder may well be a link.
    (tmp_path / "folder").symlink_to(tmp_path / "elsewhere")
    write_whole(tmp_path / "folder" / "other.txt", "new")
    assert names(tmp_path / "elsewhere") == ["mine.txt", "other.txt"]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_mode_is_that_of_any_new_file(mask, tmp_path):
    before = os.umask(mask)
    try:
        path = write_whole(tmp_path / "b.txt", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    write_whole(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_folder_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(IsADirectoryError, match="Received: path="):
        write_whole(tmp_path, lambda file: pytest.fail("was asked to write"))
