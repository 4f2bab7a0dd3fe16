from __future__ import annotations

import json
import os
import stat

import pytest

from apps.lab.files import append_records, read_checked, read_records, write_checked, write_json, write_whole

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
    path.chmod(0o600)
    write_whole(path, "secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


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
    assert read_records(path) == ([], [])
    append_records(path, [{"a": 1}, {"a": 2.5}])
    append_records(path, [{"a": "x"}])
    assert read_records(path) == ([{"a": 1}, {"a": 2.5}, {"a": "x"}], [])


def test_half_a_line_is_left_out_and_removed(tmp_path):
    path = tmp_path / "r.jsonl"
    append_records(path, [{"a": 1}])
    with open(path, "ab") as file:
        file.write(b'{"a": 2, "b')
    assert read_records(path) == ([{"a": 1}], [])
    append_records(path, [{"a": 3}])
    assert [json.loads(line)["a"] for line in path.read_text().splitlines()] == [1, 3]
    assert read_records(path) == ([{"a": 1}, {"a": 3}], [])


def test_a_full_disk_leaves_whole_lines(tmp_path, monkeypatch):
    path = tmp_path / "r.jsonl"
    append_records(path, [{"a": 1}])
    before, real, calls = path.read_bytes(), os.write, []

    def full(handle, data):
        calls.append(handle)
        if len(calls) == 1:
            return real(handle, data[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        append_records(path, [{"a": 2}])
    assert path.read_bytes() == before


def test_no_changed_byte_gives_other_records(tmp_path):
    """Every byte of a file of three lines changed once: the other lines are read, the damaged one is told."""
    path = tmp_path / "r.jsonl"
    records = [{"a": 1, "seconds": 0.5}, {"a": 2.25, "name": "x|y"}, {"a": None}]
    append_records(path, records)
    content = path.read_bytes()
    for place in range(len(content)):
        for change in (1, 4, 128):
            path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
            found, damaged = read_records(path)
            assert all(record in records for record in found)
            assert len(found) >= 1
            assert damaged or len(found) < 3
    path.write_text('{"a": 1}\n{}\n')
    assert read_records(path) == ([], [1, 2])


@pytest.mark.parametrize(("error", "kept"), [(KeyboardInterrupt(), 2), (OSError(5, "Input/output error"), 1)])
def test_lines_that_were_written_survive_an_interrupt_and_not_a_bad_disk(tmp_path, monkeypatch, error, kept):
    path = tmp_path / "results.jsonl"
    append_records(path, [{"a": 1}])

    def fail(handle):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        append_records(path, [{"a": 2}])
    assert read_records(path)[0] == [{"a": 1}, {"a": 2}][:kept]


def test_a_damaged_dictionary_is_told(tmp_path):
    """Every byte changed: what was written, or an error."""
    path = tmp_path / "a.json"
    values = {"a": [1, 2.5], "b": {"c": None, 3: "é"}, "nan": float("inf")}
    content = write_checked(path, values).read_bytes()
    expected = {"a": [1, 2.5], "b": {"c": None, "3": "é"}, "nan": float("inf")}
    assert read_checked(path) == expected
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 7
        path.write_bytes(damaged)
        try:
            found = read_checked(path)
        except ValueError:
            continue
        assert {name: found.get(name) for name in expected} == expected
    path.write_text('{"a": 1}')  # of before there were check sums
    assert read_checked(path) == {"a": 1}
    path.write_text("[1]")
    with pytest.raises(ValueError, match="no dictionary"):
        read_checked(path)
