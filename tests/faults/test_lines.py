"""A damaged line of a journal: it is named, and without it the work goes on to the same numbers."""

from __future__ import annotations

import shutil

import pytest

from tests.faults import work

pytestmark = [pytest.mark.once, pytest.mark.slow]
SWEEPS = ("importance", "hfss", "heat map")


@pytest.mark.parametrize("kind", SWEEPS)
def test_a_damaged_line(kind, begin, undisturbed, tmp_path):
    whole, _ = undisturbed(kind)
    lines = (whole / "sweep.jsonl").read_bytes().splitlines(keepends=True)
    other, _ = undisturbed(SWEEPS[SWEEPS.index(kind) - 1])
    foreign = (other / "sweep.jsonl").read_bytes().splitlines(keepends=True)[1]
    for count, damaged in enumerate((lines[1][:40] + b"\n", b"\xff\0 garbage" + lines[1], foreign)):
        folder = tmp_path / str(count)
        shutil.copytree(whole, folder)
        (folder / "end.json").unlink()
        file, content = folder / "sweep.jsonl", b"".join([lines[0], damaged, *lines[2:]])
        file.write_bytes(content)
        line = begin(kind, folder).ends_with_a_line()
        assert "remove line 2, and what it held is measured again" in line
        assert str(file) in line
        assert file.read_bytes() == content
        file.write_bytes(b"".join([lines[0], *lines[2:]]))
        begin(kind, folder).ends_well()
        assert work.result(folder)["end.json"] == work.result(whole)["end.json"]
