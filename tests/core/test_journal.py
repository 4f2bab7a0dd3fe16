import errno
import gc
import os
import subprocess
import sys
import weakref

import pytest

from keras_freq._core import journal as module
from keras_freq._core.journal import SweepJournal

pytestmark = pytest.mark.once
RUN = {"epsilon": 1.5, "shape": (4, 4), "layer": None}
ROWS = [{"clean": [1, 2.5]}, {"0,1": [0.1, 1e-300], "0,2": [None, "é"]}, {"1,1": float("inf")}]
WANTED = {"clean": [1, 2.5], "0,1": [0.1, 1e-300], "0,2": [None, "é"], "1,1": float("inf")}


def journal(path, run=RUN, what="sweep"):
    return SweepJournal(path, run, what=what)


def written(path, rows=ROWS):
    kept = journal(path)
    for part in rows:
        kept.add(part)
    kept.close()
    return path.read_bytes()


def refused(path, **changed):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="Received: checkpoint=") as error:
        journal(path, **changed)
    assert path.read_bytes() == before
    assert "\n" not in str(error.value)
    return str(error.value)


def test_rows_come_back(tmp_path):
    path = tmp_path / "a" / "journal"
    content = written(path)
    assert content.count(b"\n") == 1 + len(ROWS)
    again = journal(path)
    assert again.rows == WANTED
    again.add({"2,2": (3, 4)})
    assert again.rows["2,2"] == [3, 4]
    assert path.read_bytes().startswith(content)
    again.close()
    assert journal(path, {}).rows == WANTED | {"2,2": [3, 4]}
    assert [entry.name for entry in path.parent.iterdir()] == ["journal"]


def test_without_a_file_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = journal(None)
    kept.add(ROWS[0])
    kept.close()
    kept.add(ROWS[1])
    assert kept.rows == ROWS[0] | ROWS[1]
    assert not list(tmp_path.iterdir())


def test_cut_anywhere_it_goes_on(tmp_path):
    """Whatever part of the file a kill has left, every whole line is kept and the rest is written over."""
    path = tmp_path / "journal"
    content = written(path)
    ends = [place + 1 for place, byte in enumerate(content) if byte == 10]
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        kept = journal(path)
        count = max(0, sum(end <= length for end in ends) - 1)
        assert list(kept.rows) == [key for part in ROWS[:count] for key in part]
        for part in ROWS[count:]:
            kept.add(part)
        kept.close()
        assert path.read_bytes() == content


@pytest.mark.parametrize("damage", [b"\0", b"x"])
def test_a_last_line_of_which_the_disk_kept_the_length_alone(damage, tmp_path):
    path = tmp_path / "journal"
    lines = written(path).splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + damage * (len(lines[-1]) - 1) + b"\n")
    kept = journal(path)
    assert list(kept.rows) == ["clean", "0,1", "0,2"]
    kept.add(ROWS[-1])
    assert path.read_bytes() == b"".join(lines)


def test_a_damaged_line_before_the_last_is_named_and_nothing_is_lost(tmp_path):
    path = tmp_path / "journal"
    lines = written(path, [*ROWS, {"2,2": 1}]).splitlines(keepends=True)
    for place, before, after in ((1, 0, 4), (2, 1, 2), (3, 3, 1)):
        for damaged in (lines[place].replace(b"1", b"7"), lines[place][:-9] + b"\n", b"\n"):
            path.write_bytes(b"".join([*lines[:place], damaged, *lines[place + 1 :]]))
            message = refused(path)
            assert f"remove line {place + 1}, and" in message
            assert f"{before} rows before it and {after} after it are whole" in message
    # What the message says helps.
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    assert list(journal(path).rows) == ["clean", "1,1", "2,2"]


def test_another_run_is_refused(tmp_path):
    path = tmp_path / "journal"
    written(path)
    assert "where epsilon is 1.5, here 2" in refused(path, run=RUN | {"epsilon": 2})
    assert "where seed is None, here 3" in refused(path, run=RUN | {"seed": 3})
    assert "which is no such file" in refused(path, what="other")


def test_a_line_of_another_run_is_damage(tmp_path):
    """Whole as it is, its numbers are those of other settings."""
    path, other = tmp_path / "journal", tmp_path / "other"
    content = written(path)
    foreign = journal(other, RUN | {"epsilon": 2})
    foreign.add(ROWS[1])
    foreign.close()
    head, *lines = content.splitlines(keepends=True)
    line = other.read_bytes().splitlines(keepends=True)[1]
    path.write_bytes(b"".join([head, lines[0], line, *lines[1:]]))
    assert "remove line 3, and" in refused(path)
    path.write_bytes(content + line)  # as the last one it is as good as half a line
    assert journal(path).rows == WANTED


@pytest.mark.parametrize("content", [b"{", b"[]\n", b'{"format": "other"}\n', b"\xff\n", b"\n", b"my notes"])
def test_a_file_of_another_kind_is_refused_and_left_alone(content, tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(content)
    assert "which is no such file" in refused(path)
    assert path.read_bytes() == content


def test_a_journal_without_rows_serves_any_run(tmp_path):
    path = tmp_path / "journal"
    journal(path).close()
    other = journal(path, {"epsilon": 2})
    other.add({"clean": 1})
    other.close()
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\n") + 3])  # the first line, and half of the second
    kept = journal(path)
    kept.add(ROWS[0])
    kept.close()
    assert journal(path).rows == ROWS[0]


def test_a_full_disk_costs_the_last_step_alone(tmp_path, monkeypatch):
    path = tmp_path / "journal"
    kept, write = journal(path), os.write
    kept.add(ROWS[0])

    def first_a_part(handle, data):
        if len(data) < 12:
            raise OSError(errno.ENOSPC, "full")
        return write(handle, data[:5])

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "write", first_a_part)
        with pytest.raises(OSError, match="full") as error:
            kept.add(ROWS[1])
    assert error.value.filename == str(path)
    assert kept.rows == ROWS[0]
    kept.add(ROWS[2])  # there is room again
    kept.close()
    assert journal(path).rows == ROWS[0] | ROWS[2]


def test_a_write_in_pieces_is_whole(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(module.os, "write", lambda handle, data: write(handle, data[:3]))
    written(tmp_path / "journal")
    assert journal(tmp_path / "journal").rows == WANTED


def test_every_step_is_synced(tmp_path, monkeypatch):
    synced, fsync = [], os.fsync
    kept = journal(tmp_path / "journal")
    monkeypatch.setattr(module.os, "fsync", lambda handle: synced.append(handle) or fsync(handle))
    for part in ROWS:
        kept.add(part)
    assert len(synced) == len(ROWS)


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_two_processes_cannot_write_one_journal_and_a_killed_one_leaves_no_lock(tmp_path):
    program = (
        "import sys; from keras_freq._core.journal import SweepJournal; "
        "kept = SweepJournal(sys.argv[1], {}, what='sweep'); kept.add({'a': 1}); print('ready', flush=True); "
        "sys.stdin.read()"
    )
    path, pipe = tmp_path / "journal", subprocess.PIPE
    light = {**os.environ, "KERAS_BACKEND": "numpy"}  # no framework to wait for
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=pipe, stdout=pipe, text=True, env=light
    ) as other:
        while "ready" not in (line := other.stdout.readline()):
            assert line, "the other process has ended"
        try:
            assert "which another process has open" in refused(path, run={})
        finally:
            other.kill()
    assert journal(path, {}).rows == {"a": 1}


@pytest.mark.skipif(sys.platform == "win32", reason="no flock")
def test_a_later_call_of_the_process_takes_the_file_over(tmp_path):
    stopped = journal(tmp_path / "journal")  # a call that was interrupted, which a traceback keeps alive
    stopped.add(ROWS[0])
    later = journal(tmp_path / "journal")
    assert later.rows == ROWS[0]
    with pytest.raises(ValueError, match=r"one call at a time.*Received: checkpoint="):
        stopped.add(ROWS[1])
    later.add(ROWS[2])
    later.close()
    assert journal(tmp_path / "journal").rows == ROWS[0] | ROWS[2]


def test_a_forgotten_journal_lets_its_file_go(tmp_path):
    kept = journal(tmp_path / "journal")
    handle, gone = kept._handle, weakref.ref(kept)
    del kept
    gc.collect()
    assert gone() is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


@pytest.mark.parametrize("system", ["no locks in Python", "no locks on the disk"])
def test_works_where_there_are_no_locks(system, tmp_path, monkeypatch):
    if system == "no locks in Python":
        monkeypatch.setitem(sys.modules, "fcntl", None)
    else:
        import fcntl

        def refuse(*_):
            raise OSError(errno.ENOLCK, "no locks")

        monkeypatch.setattr(fcntl, "flock", refuse)
    written(tmp_path / "journal")
    assert journal(tmp_path / "journal").rows == WANTED


def test_random_damage_is_one_line_or_measured_again(tmp_path, rng):
    """Never other numbers: rows that are read are those that were written."""
    path = tmp_path / "journal"
    content = written(path)
    told = 0
    for place in [*rng.integers(0, len(content), 300), *range(len(content) - 40, len(content))]:
        damaged = bytearray(content)
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            kept = journal(path)
        except ValueError as error:
            told += "\n" not in str(error) and f"Received: checkpoint={str(path)!r}" in str(error)
            continue
        assert kept.rows.items() <= WANTED.items(), place
        kept.close()
        told += len(kept.rows) < len(WANTED)
    assert told == 340


def test_what_cannot_be_opened_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^`checkpoint` must be a file that can be read.*Received: [^\n]*$"):
        journal(tmp_path / "file" / "journal")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match=r"^`checkpoint` must be the path of a file"):
            journal(tmp_path / "pipe")
    if hasattr(os, "geteuid") and os.geteuid():  # root may read all
        written(tmp_path / "secret")
        (tmp_path / "secret").chmod(0)
        with pytest.raises(ValueError, match="must be a file that can be read and written"):
            journal(tmp_path / "secret")


@pytest.mark.parametrize("path", ["", 3, b"x", True])
def test_what_is_no_path_of_a_file_is_refused(path, tmp_path):
    for value in (path, tmp_path):
        with pytest.raises(ValueError, match=r"^`checkpoint` must be the path of a file.*Received: [^\n]*$"):
            journal(value)
