"""Variables: first values, assignment, dtypes, scopes, copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nacre
from nacre.core.errors import ArgumentError, DTypeError, ShapeError
from nacre.core.names import name_scope
from nacre.core.scope import StatelessScope, autocast
from nacre.core.variable import Variable, standardize_shape

SIZES = st.one_of(st.none(), st.integers(0, 9))


@given(st.lists(SIZES, max_size=4))
def test_shapes_are_tuples_whatever_they_were(sizes: list[int | None]) -> None:
    once = standardize_shape(sizes)
    assert once == tuple(sizes) == standardize_shape(once)
    assert standardize_shape([None if n is None else np.int64(n) for n in sizes]) == once


def test_shapes_of_other_kinds() -> None:
    assert standardize_shape(3) == (3,)
    sizes = jax.export.symbolic_shape("b, 3")
    assert standardize_shape(sizes) == (None, 3)


@pytest.mark.parametrize(
    ("shape", "rule"), [(None, "tuple of sizes"), ((-1, 2), "not be negative"), (("a",), "ints"), ((2.0,), "ints")]
)  # fmt: skip
def test_bad_shapes_are_refused(shape: Any, rule: str) -> None:
    with pytest.raises(ShapeError, match=rule):
        standardize_shape(shape)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(1.0, "float32"), ([1.0], "float32"), (np.zeros(2), "float32"), (True, "bool"),
     (np.zeros(2, "int8"), "int8"), (jnp.zeros(2, "bfloat16"), "bfloat16")],
)  # fmt: skip
def test_the_dtype_is_the_values_own(value: Any, dtype: str) -> None:
    assert Variable(value).dtype == dtype == str(Variable(value).value.dtype)


def test_a_callable_makes_the_first_value() -> None:
    made = Variable(lambda shape, dtype: np.full(shape, 2, dtype), shape=(2, 1), dtype="int32")
    assert made.shape == (2, 1) and made.dtype == "int32" and made.size == 2 and made.ndim == 2
    with pytest.raises(ArgumentError, match="shape must be given"):
        Variable(lambda shape, dtype: 0)
    with pytest.raises(ShapeError, match="every size must be known"):
        Variable(lambda shape, dtype: 0, shape=(None, 2))


def test_arguments_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ArgumentError, match="trainble"):
        Variable(1.0, trainble=False)  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="without '/'"):
        Variable(1.0, name="a/b")


def test_paths_come_from_scopes() -> None:
    with name_scope("encoder"), name_scope("dense"):
        assert Variable(1.0, name="kernel").path == "encoder/dense/kernel"
    assert Variable(1.0, name="kernel").path == "kernel"


def test_assigning_casts_and_returns_the_value() -> None:
    v = Variable([1.0, 2.0])
    assert v.assign([3, 4]).dtype == "float32"
    assert v.assign_add([1, 1]).tolist() == [4.0, 5.0]
    assert v.assign_sub(Variable([1.0, 0.0])).tolist() == [3.0, 5.0]
    assert v.numpy().tolist() == [3.0, 5.0]


def test_assigning_another_shape_is_refused() -> None:
    v = Variable([1.0, 2.0], name="v")
    for value in (3.0, [1.0], [[1.0, 2.0]]):
        with pytest.raises(ShapeError, match=r"'v'.*must have shape \(2,\). Got shape"):
            v.assign(value)


@pytest.mark.parametrize("as_jax", [True, False])
def test_variable_and_given_array_do_not_share_memory(as_jax: bool) -> None:
    given = np.ones(3, "float32")
    v = Variable(jnp.asarray(given) if as_jax else given)
    given[:] = 7
    v.assign(other := np.full(3, 2, "float32"))
    other[:] = 7
    assert v.numpy().tolist() == [2, 2, 2]
    copied = v.numpy()
    copied[:] = 9
    np.array(v)[:] = 9
    assert v.numpy().tolist() == [2, 2, 2]


def test_a_scope_holds_the_changes() -> None:
    v = Variable(1.0)
    with StatelessScope([(v, jnp.float32(5.0))]) as scope:
        v.assign_add(1.0)
        assert float(v) == 6.0
        with StatelessScope() as inner:
            assert float(v) == 6.0 and inner.get_current_value(v) is None
            v.assign(7.0)
        assert float(v) == 6.0
    assert float(v) == 1.0 and float(scope.get_current_value(v)) == 6.0


def test_a_traced_value_does_not_get_out() -> None:
    v = Variable(1.0, name="v")
    with pytest.raises(ArgumentError, match="'v'.*StatelessScope.*stateless_call"):
        jax.jit(lambda x: v.assign(x))(2.0)
    assert float(v) == 1.0


def test_variables_made_while_tracing_have_real_values() -> None:
    made: list[Variable] = []

    def function(x: Any) -> Any:
        made.append(Variable(lambda shape, dtype: jnp.ones(shape, dtype), shape=(2,)))
        return x + made[0].value

    jax.jit(function)(jnp.zeros(2))
    assert made[0].numpy().tolist() == [1, 1]


def test_autocast_changes_how_floats_are_read_only() -> None:
    kept, number = Variable([1.0], autocast=False), Variable([1], dtype="int32")
    v = Variable([1.0])
    with autocast("float16"):
        assert (v.dtype, str(v.value.dtype)) == ("float16", "float16")
        assert kept.dtype == "float32" and number.dtype == "int32"
        v.assign_add([1e-4])
    assert v.dtype == "float32" and v.numpy()[0] > 1.00005


def test_numbers_and_arrays() -> None:
    v = Variable(2.0)
    assert float(v) == 2.0 and int(v) == 2 and bool(v)
    assert len(Variable([1.0, 2.0])) == 2
    with pytest.raises(TypeError):
        len(v)
    assert jnp.asarray(v) + 1.0 == 3.0
    assert np.asarray(Variable([1.0]), dtype="float64").dtype == "float64"
    assert "path=" in repr(v) and "shape=()" in repr(v)


def test_copies_and_pickles_are_their_own() -> None:
    v = Variable(np.array([1.0], "float16"), trainable=False, name="v")
    for twin in (copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        twin.assign([5.0])
        assert (twin.path, twin.dtype, twin.trainable) == ("v", "float16", False)
    assert v.numpy() == 1.0


def test_a_donated_array_that_was_read_is_copied_first() -> None:
    v = Variable([1.0, 2.0])
    seen = v.value
    step = jax.jit(lambda array: array + 1, donate_argnums=0)
    v.commit(step(v.donate()))
    assert seen.tolist() == [1.0, 2.0] and v.numpy().tolist() == [2.0, 3.0]


def test_counters_of_64_bits_count_on_past_32_outside_of_programs() -> None:
    for kind, start in (("int64", 2**31 - 2), ("uint64", 2**32 - 2)):
        counter = Variable(start, dtype=kind)
        counter.assign_add(1)
        assert counter.value.dtype.itemsize == 4 and counter.numpy() == start + 1
    small = Variable([1, 2], dtype="int64")
    small.assign_sub(jnp.asarray([3, 3]))
    assert small.numpy().tolist() == [-2, -1]


@pytest.mark.float64
@pytest.mark.parametrize("how", ["first", "assign", "assign_add", "assign_sub", "steps"])
def test_whole_numbers_beyond_32_bits_stay_what_they_are_in_programs_too(how: str) -> None:
    large = 2**40 + 5
    variable = Variable(large if how == "first" else 0, dtype="int64")
    if how == "steps":
        for _ in range(5):
            variable.assign_add(2**30)
        large = 5 * 2**30
    elif how != "first":
        value = -large if how == "assign_sub" else large
        getattr(variable, how)(np.int64(value))
    assert variable.numpy() == large and int(variable.value) == large

    def step(value: Any) -> Any:
        with StatelessScope([(variable, value)]) as scope:
            variable.assign_add(1)
        return scope.get_current_value(variable)

    variable.commit(jax.jit(step)(variable.donate()))
    assert variable.numpy() == large + 1


@pytest.mark.float64
def test_a_large_number_in_a_layer_outlives_predict_and_fit() -> None:
    class Seen(nacre.layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.seen = self.add_weight("seen", (), "zeros", dtype="int64", trainable=False)

        def call(self, inputs: Any) -> Any:
            return inputs

    model = nacre.Sequential([nacre.Input((2,)), Seen(), nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((2, 2), "float32"), np.ones((2, 1), "float32")
    model.fit(x, y, verbose=0)
    model.layers[0].seen.assign(2**40 + 5)
    assert model.predict(x, verbose=0).dtype == np.float32
    model.fit(x, y, verbose=0)
    assert model.layers[0].seen.numpy() == 2**40 + 5


def test_a_program_of_32_bits_refuses_larger_numbers_for_a_variable() -> None:
    variable = Variable(0, dtype="int64", name="seen")
    for change in (variable.assign, variable.assign_add, variable.assign_sub):
        for value in (3 * 10**9, np.int64(3 * 10**9), np.asarray(3 * 10**9)):
            with StatelessScope(), pytest.raises(DTypeError, match="seen.*int32.*3000000000"):
                jax.jit(lambda x, change=change, value=value: change(value) + x)(1)
