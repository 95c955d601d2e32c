"""What a compiled kernel reads of its call is there, or the call fails: never 0, never foreign
memory.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.ops.kernels.native.library import LIBRARIES

X = jnp.ones((1, 2, 2, 16), jnp.float32)
NUMBERS = jnp.asarray(
    [1, 16, 1, 1, 1, 2, 2, 1, 1, 1, 1, 2, 2, 1, 2, 2, 0, 0, 0, 1, 1, 1], jnp.int32
)
Y, WINNERS = (
    jax.ShapeDtypeStruct((1, 1, 1, 16), "float32"),
    jax.ShapeDtypeStruct((1, 1, 1, 16), "uint8"),
)


@pytest.fixture(scope="module")
def targets():
    found = {name: target for each in LIBRARIES for name, target in each.targets().items()}
    if not found:
        pytest.skip("no compiled kernels: `nacre doctor` tells why")
    return found


def run(targets, handler, results, *arguments, **attributes):
    return jax.block_until_ready(
        jax.ffi.ffi_call(targets[handler], results)(*arguments, **attributes)
    )


def test_a_whole_call_is_answered(targets):
    largest, winners = run(
        targets, "pooling_highest", [Y, WINNERS], X, NUMBERS, winners=np.int64(1)
    )
    np.testing.assert_array_equal(largest, np.ones((1, 1, 1, 16)))
    np.testing.assert_array_equal(winners, np.zeros((1, 1, 1, 16)))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, "attribute 'winners' is missing"),
        ({"winner": np.int64(1)}, "attribute 'winners' is missing"),
        ({"winners": np.int32(7)}, "attribute 'winners' is no numpy.int64"),
        ({"winners": "yes"}, "attribute 'winners' is no numpy.int64"),
    ],
)
def test_an_attribute_that_is_missing_or_of_another_kind_is_an_error(targets, attributes, said):
    with pytest.raises(
        jax.errors.JaxRuntimeError, match=f"pooling_highest: {said}.*NACRE_NATIVE=0"
    ):
        run(targets, "pooling_highest", [Y, WINNERS], X, NUMBERS, **attributes)


def test_an_array_that_is_missing_or_of_another_dtype_is_an_error(targets):
    one = {"winners": np.int64(1)}
    for results, arguments, said in [
        ([Y, WINNERS], (X,), "argument 1 is missing"),
        ([Y], (X, NUMBERS), "result 1 is missing"),
        ([Y, WINNERS], (X.astype("bfloat16"), NUMBERS), "argument 0 has another dtype"),
        ([Y, WINNERS], (X, NUMBERS.astype("float32")), "argument 1 has another dtype"),
        ([WINNERS, WINNERS], (X, NUMBERS), "result 0 has another dtype"),
    ]:
        with pytest.raises(jax.errors.JaxRuntimeError, match=said):
            run(targets, "pooling_highest", results, *arguments, **one)


def test_an_array_with_fewer_axes_is_an_error(targets):
    flat = jax.ShapeDtypeStruct((4,), "float32")
    arguments = [jnp.ones((4,))] * 3
    with pytest.raises(jax.errors.JaxRuntimeError, match="argument 0 has fewer axes"):
        run(targets, "attention_forward", [flat, flat], *arguments)


def test_every_handler_refuses_a_call_without_anything(targets):
    for handler in targets:
        with pytest.raises(jax.errors.JaxRuntimeError, match=f"{handler}: .* is missing"):
            run(targets, handler, [jax.ShapeDtypeStruct((4,), "float32")])
