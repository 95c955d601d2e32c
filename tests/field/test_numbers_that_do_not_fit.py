"""Whole numbers beyond the 32 bits of the device, or beyond a smaller dtype, are never cut unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import ops
from nacre.core.errors import DTypeError

# As int32 it is 1: an index, a label or an identifier like any other.
WIDE = (1 << 32) + 1
WIDE_ARRAY = np.array([WIDE])
FIVE = np.arange(5.0)


def passes_on(dtype: str) -> keras.Model:
    return keras.Sequential([keras.Input((1,), dtype=dtype), keras.layers.Identity()])


DOORS: dict[str, Callable[[], Any]] = {
    "take": lambda: ops.take(FIVE, WIDE_ARRAY),
    "take_along_axis": lambda: ops.take_along_axis(FIVE, WIDE_ARRAY, 0),
    "get_item": lambda: ops.get_item(FIVE, WIDE_ARRAY),
    "one_hot": lambda: ops.one_hot(WIDE_ARRAY, 3),
    "multi_hot": lambda: ops.multi_hot(WIDE_ARRAY, 3),
    "searchsorted": lambda: ops.searchsorted(np.arange(5), WIDE_ARRAY),
    "sort": lambda: ops.sort(WIDE_ARRAY),
    "arange": lambda: ops.arange(WIDE, WIDE + 3),
    "convert_to_tensor_int8": lambda: ops.convert_to_tensor(np.array([300]), "int8"),
    "convert_to_tensor_uint8": lambda: ops.convert_to_tensor([300], "uint8"),
    "convert_to_tensor_int32": lambda: ops.convert_to_tensor(
        np.array([1 << 31], "uint32"), "int32"
    ),
    "variable": lambda: keras.Variable(WIDE),
    "variable_of_list": lambda: keras.Variable([WIDE]),
    "variable_int8": lambda: keras.Variable(np.array([300]), dtype="int8"),
    "assign": lambda: keras.Variable([1]).assign(WIDE_ARRAY),
    "assign_number": lambda: keras.Variable(1).assign(WIDE),
    "assign_uint32": lambda: keras.Variable([1]).assign(np.array([1 << 31], "uint32")),
    "assign_add": lambda: keras.Variable([1]).assign_add(WIDE_ARRAY),
    "assign_sub": lambda: keras.Variable([1]).assign_sub(WIDE_ARRAY),
    "constant": lambda: keras.initializers.Constant(WIDE)((2,), "int32"),
    "call_uint32": lambda: passes_on("int32")(np.array([[1 << 31]], "uint32")),
    "call_uint8": lambda: passes_on("uint8")(np.array([[300]])),
    "predict_uint32": lambda: passes_on("int32").predict(
        np.array([[1 << 31]], "uint32"), verbose=0
    ),
    "predict_uint8": lambda: passes_on("uint8").predict(np.array([[300]]), verbose=0),
    "predict_many": lambda: passes_on("uint8").predict(np.full((40, 1), 300), verbose=0),
    "predict_generator": lambda: passes_on("uint8").predict(iter([np.array([[300]])]), verbose=0),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_whole_number_that_does_not_fit_is_refused_with_its_value(door: str) -> None:
    with pytest.raises(DTypeError, match=r"must fit into .*(4294967297|2147483648|300)"):
        DOORS[door]()


def test_whole_numbers_that_become_floats_become_the_nearest_ones() -> None:
    for given in (WIDE_ARRAY, [WIDE], WIDE_ARRAY.astype("uint64")):
        assert float(ops.cast(given, "float32")[0]) == float(np.float32(WIDE))
        assert float(ops.convert_to_tensor(given, "float32")[0]) == float(np.float32(WIDE))
    assert bool(ops.cast(np.array([1 << 32]), "bool")[0])
    assert ops.cast(np.array([300]), "int8").tolist() == [44]  # a cast takes the last bits
    assert keras.Variable(1).dtype == "int32"


def test_what_fits_goes_on_without_a_word() -> None:
    assert passes_on("uint8").predict(np.array([[255]]), verbose=0).tolist() == [[255]]
    assert passes_on("int32")(np.array([[7]], "uint32")).tolist() == [[7]]
    assert ops.take(FIVE, np.array([3])).tolist() == [3.0]
    variable = keras.Variable([1], dtype="int8")
    assert variable.assign(np.array([100])).tolist() == [100]


@pytest.mark.parametrize(
    ("dtype", "given"),
    [("int8", np.uint8(200)), ("uint8", np.int8(-1)), ("int8", np.int16(300))],
)
def test_inputs_of_small_whole_numbers_refuse_others_of_few_bits(dtype, given) -> None:
    """A picture of 0 to 255 in a model of int8 was another picture."""
    model, x = passes_on(dtype), np.full((2, 1), given)
    for call in (model, lambda x: model.predict(x, verbose=0), model.predict_on_batch):
        with pytest.raises(DTypeError, match=f"fit into {dtype}.*{given}"):
            call(x)
    np.testing.assert_array_equal(model(np.full((2, 1), 7, given.dtype)), [[7], [7]])
