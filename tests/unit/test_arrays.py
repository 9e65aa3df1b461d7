"""Arrays in files: against the library of the format, in blocks, memory-mapped, broken."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save, save_file

from fairmt.data.arrays import Blocks, read_arrays, write_arrays
from fairmt.errors import FairMTError

ARRAYS = {
    "label/ä": np.array([1.5, np.nan], dtype=np.float32),
    "id": np.arange(5),
    "x": np.arange(7 * 3 * 2 * 2, dtype=np.uint8).reshape(7, 3, 2, 2),
    "empty": np.zeros((0, 4), dtype=np.float64),
}


def pieces(array, sizes):
    return Blocks(array.shape, array.dtype, lambda: np.split(array, np.cumsum(sizes)))


def test_bytes_are_those_of_the_library(tmp_path):
    write_arrays(tmp_path / "a", ARRAYS)
    assert (tmp_path / "a").read_bytes() == save(ARRAYS)


@pytest.mark.parametrize("sizes", [[7], [1, 2], [3, 3], [0, 7]])
def test_blocks_make_the_file_of_the_whole_array(tmp_path, sizes):
    write_arrays(tmp_path / "a", ARRAYS | {"x": pieces(ARRAYS["x"], sizes)})
    assert (tmp_path / "a").read_bytes() == save(ARRAYS)


@pytest.mark.parametrize("write", [write_arrays, lambda path, arrays: save_file(arrays, path)])
def test_what_is_written_is_read(tmp_path, write):
    write(tmp_path / "a", ARRAYS)
    found, library = read_arrays(tmp_path / "a"), load_file(tmp_path / "a")
    assert set(found) == set(library) == set(ARRAYS)
    for name, array in found.items():
        assert array.dtype == ARRAYS[name].dtype
        np.testing.assert_array_equal(array, library[name])


def test_arrays_that_are_read_may_change_and_the_file_does_not(tmp_path):
    write_arrays(tmp_path / "a", ARRAYS)
    before = (tmp_path / "a").read_bytes()
    read_arrays(tmp_path / "a")["x"][:] = 9
    assert (tmp_path / "a").read_bytes() == before


def test_transposed_array_is_written_in_its_own_order(tmp_path):
    array = np.arange(6.0).reshape(2, 3).T
    write_arrays(tmp_path / "a", {"x": array})
    np.testing.assert_array_equal(read_arrays(tmp_path / "a")["x"], array)


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (Blocks((3, 2), np.dtype("u1"), lambda: [np.zeros((2, 2), "u1")]), "expected 3 rows, found 2"),
        (Blocks((2, 2), np.dtype("u1"), lambda: [np.zeros((2, 2))]), "expected blocks of uint8"),
        (Blocks((2, 2), np.dtype("u1"), lambda: [np.zeros((2, 3), "u1")]), "expected blocks of uint8"),
    ],
)
def test_blocks_that_do_not_add_up(tmp_path, blocks, words):
    with pytest.raises(ValueError, match=words):
        write_arrays(tmp_path / "a", {"x": blocks})


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b[:20], lambda b: b + b"x", lambda b: b""])
def test_broken_files_are_refused(tmp_path, change):
    write_arrays(tmp_path / "a", ARRAYS)
    (tmp_path / "a").write_bytes(change((tmp_path / "a").read_bytes()))
    with pytest.raises(FairMTError, match="not a readable safetensors file"):
        read_arrays(tmp_path / "a")


def test_missing_file_and_foreign_type(tmp_path):
    with pytest.raises(FairMTError, match="no such file"):
        read_arrays(tmp_path / "a")
    save_file({"x": np.zeros(2, dtype=np.float16)}, tmp_path / "a")
    with pytest.raises(FairMTError, match=r"expected arrays of I64, .* found 'F16'"):
        read_arrays(tmp_path / "a")
