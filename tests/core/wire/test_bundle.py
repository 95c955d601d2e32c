"""Tables and bundles: what is written is read back; damage is an error, never other numbers."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from nacre.core.wire.bundle import Bundle, write_bundle
from nacre.core.wire.table import read_table, write_table

MANY = {f"layer {i // 40}/{i:05d}".encode(): bytes([i % 251]) * (i % 300) for i in range(4000)}


@pytest.mark.parametrize("entries", [{b"": b""}, {b"a": b"1", b"ab": b"", b"b": b"2"}, MANY])
def test_a_table_gives_its_entries_in_order(entries):
    found = list(read_table(write_table(dict(reversed(entries.items())))))
    assert found == sorted(entries.items())


def test_a_damaged_table_is_an_error():
    data = bytearray(write_table(MANY))
    generator = np.random.default_rng(0)
    for at in generator.integers(0, len(data), 100):
        data[at] ^= 1
        try:
            assert dict(read_table(bytes(data))) == MANY
        except ValueError:
            pass
        data[at] ^= 1
    for size in (0, 7, 40, 48, len(data) - 1):
        with pytest.raises(ValueError, match="does not end|beyond|damaged"):
            dict(read_table(bytes(data[:size])))


ARRAYS = {
    "float32": np.arange(6, dtype="float32").reshape(2, 3),
    "bfloat16": np.array([1.5, np.nan, -np.inf], ml_dtypes.bfloat16),
    "float8_e4m3fn": np.array([1.5, 2], ml_dtypes.float8_e4m3fn),
    "complex64": np.array([1 + 2j], "complex64"),
    "bool": np.array(True),
    "int64": np.array([[-1, 1 << 40]]),
    "uint16": np.zeros((0, 3), "uint16"),
    "text": b"hello \xff",
    "nothing": b"",
}


def written(folder, arrays):
    index, data = write_bundle(arrays)
    (folder / "w.index").write_bytes(index)
    (folder / "w.data-00000-of-00001").write_bytes(data)
    return folder / "w"


def test_a_bundle_gives_arrays_of_all_kinds(tmp_path):
    bundle = Bundle(written(tmp_path, ARRAYS))
    for name, array in ARRAYS.items():
        found = bundle.read(name)
        if isinstance(array, bytes):
            assert found.item() == array
        else:
            assert (found.dtype, found.shape) == (array.dtype, array.shape)
            assert found.tobytes() == array.tobytes()


def test_a_bundle_refuses_what_it_cannot_hold_or_find(tmp_path):
    with pytest.raises(ValueError, match="no dtype"):
        write_bundle({"a": np.array(["x"])})
    bundle = Bundle(written(tmp_path, ARRAYS))
    with pytest.raises(KeyError):
        bundle.read("other")
    (tmp_path / "w.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(ValueError, match="beyond the end"):
        bundle.read("float32")
