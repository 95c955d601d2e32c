"""FlatBuffers by schema: what is packed is read back, and placed as other readers want it."""

import numpy as np
import pytest

from nacre.core.errors import FileFormatError
from nacre.core.wire.flatbuffer import Schema

SCHEMA = Schema(
    {
        "Model": "version:uint=1 -:string parts:[Part] names:[string] choice:Choice is_on:bool",
        "Part": "data:[ubyte:16] big:long small:byte sizes:[int] shares:[float]",
        "One": "x:int",
        "Two": "text:string",
    },
    {"Choice": ("One", "Two")},
)
MODEL = {
    "version": 3,
    "parts": [
        {"data": np.arange(5, dtype="u1"), "big": -(2**40), "small": -3, "sizes": [1, -1]},
        {"shares": [0.5], "data": np.zeros(0, "u1")},
    ],
    "names": ["a", "größer", ""],
    "choice": ("Two", {"text": "yes"}),
    "is_on": True,
}


def test_what_is_packed_is_read_back():
    found = SCHEMA.unpack("Model", SCHEMA.pack("Model", MODEL, "TEST"))
    assert found["version"] == 3
    assert found["names"] == ["a", "größer", ""]
    assert found["choice"] == ("Two", {"text": "yes"})
    assert found["is_on"] is True
    first, second = found["parts"]
    assert (first["big"], first["small"], first["shares"]) == (-(2**40), -3, None)
    np.testing.assert_array_equal(first["data"], np.arange(5))
    np.testing.assert_array_equal(first["sizes"], [1, -1])
    assert (second["big"], second["data"].size) == (0, 0)


def test_defaults_are_not_written_and_are_read():
    short = SCHEMA.pack("Model", {"version": 1}, "TEST")
    assert SCHEMA.unpack("Model", short)["version"] == 1
    assert len(short) < len(SCHEMA.pack("Model", {"version": 2}, "TEST"))


def test_numbers_stand_at_multiples_of_their_size():
    data = SCHEMA.pack("Model", MODEL, "TEST")
    assert data[4:8] == b"TEST"
    assert data.index(bytes(range(5))) % 16 == 0
    assert data.index((-(2**40)).to_bytes(8, "little", signed=True)) % 8 == 0


@pytest.mark.parametrize("cut", [3, 9, 20, 60])
def test_a_buffer_that_was_cut_is_refused(cut):
    data = SCHEMA.pack("Model", MODEL, "TEST")
    with pytest.raises(FileFormatError):
        SCHEMA.unpack("Model", data[:cut])


def test_the_union_of_a_newer_schema_is_kept_as_a_number():
    newer = Schema({**{k: "x:int" for k in ("One", "Two", "Three")}, "M": "choice:Choice"},
                   {"Choice": ("One", "Two", "Three")})  # fmt: skip
    older = Schema({"One": "x:int", "M": "choice:Choice"}, {"Choice": ("One",)})
    data = newer.pack("M", {"choice": ("Three", {"x": 1})}, "TEST")
    assert older.unpack("M", data)["choice"] == ("Choice 3", {})
