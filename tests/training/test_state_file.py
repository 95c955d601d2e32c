"""The file of a training's state: plain data comes back as it was."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from nacre.training.state_file import packed, unpacked


def written_and_read(data: dict[str, Any]) -> dict[str, Any]:
    return unpacked(packed({}, data), "a file")[1]


@pytest.mark.parametrize(
    "value",
    [
        np.float32(0.1),
        np.float16(0.1),
        jnp.bfloat16.dtype.type(0.1),
        np.int8(-3),
        np.uint64(2**64 - 1),
    ]
    + [np.bool_(True), np.float32("nan"), np.float32("inf"), np.complex64(1 + 2j)],
    ids=lambda value: f"{value.dtype} {value}",
)
def test_a_number_of_numpy_keeps_its_dtype_so_that_sums_go_on_with_the_same_bits(
    value: Any,
) -> None:
    found = written_and_read({"sum": value})["sum"]
    assert type(found) is type(value)
    assert found.tobytes() == value.tobytes()


def test_arrays_are_kept_apart_whatever_their_names_hold() -> None:
    data = {"a": {"b": np.arange(3)}, "a/b": np.arange(5), "a/b_1": np.arange(7)}
    found = written_and_read(data)
    np.testing.assert_array_equal(found["a"]["b"], np.arange(3))
    np.testing.assert_array_equal(found["a/b"], np.arange(5))
    np.testing.assert_array_equal(found["a/b_1"], np.arange(7))


def test_lists_tuples_keys_of_all_kinds_and_bytes_come_back_as_they_were() -> None:
    data = {"a": [(1, None), {2: "two", (3, 4): b"\0x"}], "__tuple__": [True, 0.1, "__array__"]}
    assert written_and_read(data) == data
