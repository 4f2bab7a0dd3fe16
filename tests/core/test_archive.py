"""Archives of arrays: whatever is damaged is one line, or the numbers are those that were written."""

import io
import os
import zipfile

import numpy as np
import pytest

from keras_freq._core.archive import Archive

pytestmark = pytest.mark.once
ARRAYS = {
    "x": np.arange(24, dtype="float32").reshape(4, 6) / 7,
    "n": np.int64(5),
    "none": np.zeros((0, 3), "uint8"),
    "text": np.asarray("note"),
}


def read(path):
    with Archive(path) as archive:
        return {name: archive[name] for name in archive.files}


def assert_equal(found):
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_random_damage(tmp_path, save, rng):
    path = tmp_path / "a.npz"
    save(path, **ARRAYS)
    assert_equal(read(path))
    content = bytearray(path.read_bytes())
    lines = []
    for place in [*rng.integers(0, len(content), 500), *range(len(content) - 300, len(content))]:
        damaged = content.copy()
        damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            found = read(path)
        except ValueError as error:
            lines.append(str(error))
        else:
            assert_equal(found)
    assert len(lines) > 400
    assert not any("\n" in line for line in lines)


def test_a_header_of_a_smaller_type_is_not_believed(tmp_path):
    """Half of the numbers would be read, and no check sum."""
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(5000, dtype="float32"))
    path.write_bytes(path.read_bytes().replace(b"'<f4'", b"'<f2'"))
    assert np.load(path)["x"].dtype == "float16"
    with pytest.raises(ValueError, match="x promises 10128 bytes and holds 20128"):
        read(path)


def test_other_files(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(ValueError, match="No such file"):
        read(path)
    with pytest.raises(ValueError, match=r"Is a directory|denied"):
        read(tmp_path)
    for content in (b"", b"notes", os.urandom(200)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            read(path)
    np.savez(path, x=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        read(path)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(1 << 20))
    with pytest.raises(ValueError, match="x promises"):
        read(path)
