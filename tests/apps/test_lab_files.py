from __future__ import annotations

import os
import stat

import pytest

from apps.lab.files import append_records, read_records, write_json, write_whole

pytestmark = pytest.mark.once


def test_write_whole_makes_folders_and_leaves_nothing_else(tmp_path):
    path = write_whole(tmp_path / "a" / "b.txt", "text")
    assert path.read_text() == "text"
    write_whole(path, b"bytes")
    assert path.read_bytes() == b"bytes"
    assert os.listdir(path.parent) == ["b.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = write_whole(tmp_path / "b.txt", "old")

    def half(file):
        file.write(b"new")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(path, half)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["b.txt"]


def test_json(tmp_path):
    assert write_json(tmp_path / "a.json", {"a": [1, 2]}).read_text().startswith("{\n")


def test_records_round_trip(tmp_path):
    path = tmp_path / "r.jsonl"
    assert read_records(path) == []
    append_records(path, [{"a": 1}, {"a": 2.5}])
    append_records(path, [{"a": "x"}])
    assert read_records(path) == [{"a": 1}, {"a": 2.5}, {"a": "x"}]


def test_half_a_line_is_left_out_and_removed(tmp_path):
    path = tmp_path / "r.jsonl"
    append_records(path, [{"a": 1}])
    with open(path, "ab") as file:
        file.write(b'{"a": 2, "b')
    assert read_records(path) == [{"a": 1}]
    append_records(path, [{"a": 3}])
    assert path.read_text() == '{"a": 1}\n{"a": 3}\n'


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    append_records(path, [{"a": 1}])
    real, calls = os.pwrite, []

    def full(handle, data, offset):
        calls.append(offset)
        if len(calls) == 1:
            return real(handle, data[:3], offset)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        append_records(path, [{"a": 2}])
    assert path.read_text() == '{"a": 1}\n'


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "r.jsonl"
    path.write_text('{"a": 1}\nnonsense\n{"a": 2}\n')
    with pytest.raises(ValueError, match="line 2, must be JSON"):
        read_records(path)


@pytest.mark.parametrize(("error", "kept"), [(KeyboardInterrupt(), 2), (OSError(5, "Input/output error"), 1)])
def test_lines_that_were_written_survive_an_interrupt_and_not_a_bad_disk(tmp_path, monkeypatch, error, kept):
    path = tmp_path / "results.jsonl"
    append_records(path, [{"a": 1}])

    def fail(handle):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        append_records(path, [{"a": 2}])
    assert read_records(path) == [{"a": 1}, {"a": 2}][:kept]
