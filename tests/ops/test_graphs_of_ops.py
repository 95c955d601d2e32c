"""Ops in a functional model: shapes only values tell, keys and operands in a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import nacre
import nacre.ops as ops
from nacre.core.errors import ArgumentError
from nacre.core.symbolic import KerasTensor

X = np.arange(24, dtype="float32").reshape(2, 3, 4)


def _model(function: Callable[[Any], Any]) -> Any:
    inputs = nacre.Input((3, 4))
    return nacre.Model(inputs, function(inputs))


def _outputs(model: Any) -> list[np.ndarray]:
    outputs = model(X)
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    return [np.asarray(output) for output in outputs]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x[0, 0], X[0, 0]),
        (lambda x: x[[1, 0]], X[[1, 0]]),
        (lambda x: x[None, 0], X[None, 0]),
        (lambda x: x[:, [0, 2]], X[:, [0, 2]]),
        (lambda x: x / ops.size(x), X / 24),
        (lambda x: ops.einsum("bij,bkj->bik", x, x), np.einsum("bij,bkj->bik", X, X)),
        (lambda x: ops.meshgrid(x[0, 0], x[0, 1])[1], np.meshgrid(X[0, 0], X[0, 1])[1]),
        (lambda x: ops.isclose(x, 1.0, rtol=0.5), np.isclose(X, 1.0, rtol=0.5)),
        (lambda x: ops.clip(x, x - 1, np.full(4, 9, "float32")), np.minimum(X, 9)),
        (lambda x: ops.trapezoid(x, x=[0.0, 1.0, 3.0, 4.0]), np.trapezoid(X, [0, 1, 3, 4])),
        (lambda x: ops.prod(x[0], axis=1, dtype=np.float16), np.prod(X[0], axis=1)),
        (lambda x: ops.nonzero(x)[2], np.nonzero(X)[2]),
        (lambda x: ops.where(x > 20)[2], np.nonzero(X > 20)[2]),
        (lambda x: ops.unique(x // 5), np.unique(X // 5)),
        (lambda x: ops.bincount(ops.cast(x, "int32")[0, 1]), np.bincount(X[0, 1].astype(int))),
    ],
)
def test_a_saved_model_of_an_op_computes_the_same(
    function: Callable[[Any], Any], expected: np.ndarray, tmp_path: Path
) -> None:
    model = _model(function)
    model.save(tmp_path / "model.keras")
    for one in (model, nacre.models.load_model(tmp_path / "model.keras")):
        np.testing.assert_allclose(_outputs(one)[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "count", "attributes"),
    [
        (lambda x: ops.einsum("bij,bkj->bik", x, x), 2, {"subscripts": "bij,bkj->bik"}),
        (lambda x: ops.einsum("bij->bji", x), 1, {"subscripts": "bij->bji"}),
        (lambda x: ops.meshgrid(x[0, 0], x[0, 1])[0], 2, {"indexing": "xy"}),
        (lambda x: ops.trapezoid(x, x=[0.0, 1.0, 3.0, 4.0]), 1, {"x": [0.0, 1.0, 3.0, 4.0]}),
        (lambda x: ops.prod(x, axis=1, dtype=np.float16), 1, {"axis": 1, "dtype": "float16"}),
        # rtol is an argument of the call in Keras's files, no attribute
        (lambda x: ops.isclose(x, 1.0, rtol=0.5), 3, {}),
    ],
)
def test_operands_stand_in_a_config_as_keras_writes_them(
    function: Callable[[Any], Any], count: int, attributes: dict[str, Any]
) -> None:
    last = json.loads(_model(function).to_json())["config"]["layers"][-1]
    assert len(last["inbound_nodes"][0]["args"]) == count
    assert {k: v for k, v in last["config"].items() if k != "name"} == attributes


@pytest.mark.parametrize(
    ("call", "shapes"),
    [
        (lambda x: ops.nonzero(x), [(None,)] * 3),
        (lambda x: ops.where(x > 1), [(None,)] * 3),
        (lambda x: ops.unique(x, return_inverse=True), [(None,), (None, 3, 4)]),
        (lambda x: ops.unique(x, axis=1, return_counts=True), [(None, None, 4), (None,)]),
        (lambda x: ops.unique(x, size=5), [(5,)]),
        (lambda x: ops.bincount(ops.cast(x, "int32")), [(None, 3, None)]),
        (lambda x: ops.bincount(ops.cast(x[0], "int32"), minlength=7), [(3, 7)]),
        (lambda x: ops.size(x), [()]),
        # One batch size fits, that of the other argument.
        (lambda x: ops.broadcast_to(x, (2, 3, 4)), [(2, 3, 4)]),
        (lambda x: ops.concatenate([x, np.ones((2, 1, 4), "float32")], axis=1), [(2, 4, 4)]),
        (lambda x: ops.add(x, np.ones((5, 3, 4), "float32")), [(5, 3, 4)]),
        # Unknown sizes on different axes may be the same.
        (lambda x: KerasTensor((None, None, None)) * KerasTensor((None, None)), [(None,) * 3]),
        (lambda x: KerasTensor((None, None)) @ KerasTensor((None, None)), [(None, None)]),
    ],
)
def test_shape_of_a_symbolic_result(
    call: Callable[[Any], Any], shapes: list[tuple[int | None, ...]]
) -> None:
    outputs = call(KerasTensor((None, 3, 4)))
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    assert [output.shape for output in outputs] == shapes


def test_counts_in_a_traced_function_need_a_length() -> None:
    import jax

    with pytest.raises(jax.errors.JAXTypeError):
        jax.jit(ops.bincount)(np.array([1, 4]))
    assert jax.jit(lambda x: ops.bincount(x, minlength=5))(np.array([1, 4])).shape == (5,)


def test_counts_in_a_traced_function_tell_of_numbers_that_have_no_place() -> None:
    import jax

    count = jax.jit(lambda x, weights=None: ops.bincount(x, weights=weights, minlength=3))
    none = np.iinfo("int32").min
    for numbers in ([0, 1, 3], [0, -1, 2]):
        np.testing.assert_array_equal(count(np.array(numbers)), [none] * 3)
    rows = count(np.array([[0, 1, 1], [2, 7, 0]]))
    np.testing.assert_array_equal(rows, [[1, 2, 0], [none] * 3])
    weights = np.array([0.5, 1, 2], "float32")
    np.testing.assert_array_equal(count(np.array([2, 0, 0]), weights), [3, 0, 0.5])
    assert np.isnan(count(np.array([9, 0, 0]), weights)).all()
    np.testing.assert_array_equal(count(np.array([], "int32")), [0, 0, 0])


def test_negative_numbers_are_not_counted_as_zeros() -> None:
    with pytest.raises(ArgumentError, match="must not be negative. Got -2 among them"):
        ops.bincount(np.array([0, -2, 1]))
    np.testing.assert_array_equal(ops.bincount(np.array([0, 5])), [1, 0, 0, 0, 0, 1])
    assert ops.bincount(np.array([], "int32"), minlength=2).tolist() == [0, 0]


@pytest.mark.parametrize("function", [ops.divide, ops.arctan2, ops.hypot, ops.logaddexp])
def test_a_negative_number_stays_one_beside_unsigned_integers(function: Any) -> None:
    expected = function(np.float32(-1), np.array([1, 3], "float32"))
    np.testing.assert_allclose(function(-1, np.array([1, 3], "uint16")), expected)


def test_numbers_join_in_the_dtype_they_promote_to() -> None:
    half, other = np.ones(3, "float16"), np.ones(3, ml_dtypes.bfloat16)
    assert ops.average(np.ones(3, "int32"), weights=half).dtype == "float16"
    assert ops.linspace(half, other, 2).dtype == "float32"
    assert ops.linspace(0, other, 2).dtype == "bfloat16"
    assert ops.einsum("i,i->", np.full(3, 100, "int8"), np.full(3, 2, "int8")) == 600
    assert ops.clip(np.array([3, -4]), None, 1).tolist() == [1, -4]


def test_an_index_out_of_range_takes_no_other_element() -> None:
    row = np.arange(300, dtype="float32")
    taken = ops.take(row, [-1, -300, -301, 300], axis=0)
    np.testing.assert_array_equal(taken, [299, 0, np.nan, np.nan])
    assert ops.take(row, np.array([7], "uint8")).tolist() == [7.0]


def test_a_large_number_becomes_a_float() -> None:
    assert float(ops.array(2**40, "float32")) == 2.0**40
    assert ops.array(True, "int32").dtype == "int32"


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
def test_integers_are_rounded_to_tens(dtype: str) -> None:
    values = np.array([4, 5, 15, 16, 99, 115], dtype)
    for decimals in (-1, -2, -3):
        expected = np.round(values.astype("float64"), decimals).astype(dtype)
        rounded = ops.round(values, decimals)
        assert rounded.dtype == dtype
        np.testing.assert_array_equal(rounded, expected)
