"""A program: what it depends on, what it changes, how often it is compiled."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core.program import CallProgram, Program, Programs
from nacre.core.state import State
from nacre.core.variable import Variable


def test_a_variable_nobody_listed_is_read_anew_and_what_it_is_assigned_is_committed() -> None:
    factor, count = Variable(2.0), Variable(0.0)

    def run(x: jax.Array) -> jax.Array:
        count.assign_add(1.0)
        return x * factor.value

    program = CallProgram(run, State({}))
    assert float(program.run(3.0)) == 6.0
    factor.assign(5.0)
    assert float(program.run(3.0)) == 15.0
    assert float(count) == 2.0
    assert len(program.traced_shapes) == 1


def test_what_a_program_changes_is_its_output_whatever_shape_was_traced_last() -> None:
    seen = Variable(0.0)

    def run(x: jax.Array) -> jax.Array:
        if x.shape[0] > 1:  # only larger batches are counted
            seen.assign_add(1.0)
        return x

    program = CallProgram(run, State({"other": [seen]}))
    program.run(np.ones(3))
    program.run(np.ones(1))  # traced last, and changes nothing
    program.run(np.ones(3))
    assert float(seen) == 2.0


def test_a_variable_in_two_groups_is_handed_in_once() -> None:
    one = Variable([1.0, 2.0])
    state = State({"trainable": [one], "other": [one, one]})

    def run(values: dict, x: float) -> dict:
        return jax.tree.map(lambda v: v + x, values)

    program = Program(run, state, donates=True)
    state.commit(program(state.donate(), 1.0))
    np.testing.assert_array_equal(one.numpy(), [2.0, 3.0])


def test_an_array_that_was_read_outlives_a_program_that_donates() -> None:
    one = Variable(jnp.ones(3))
    state = State({"trainable": [one]})
    program = Program(lambda values: jax.tree.map(jnp.negative, values), state, donates=True)
    kept = one.value
    for _ in range(2):
        state.commit(program(state.donate()))
    np.testing.assert_array_equal(kept, np.ones(3))


@pytest.mark.parametrize("compiled", [True, False])
def test_an_eager_program_does_what_a_compiled_one_does(compiled: bool) -> None:
    count = Variable(0.0)
    kinds: list[bool] = []

    def run(values: dict, x: jax.Array) -> jax.Array:
        kinds.append(isinstance(x, jax.core.Tracer))
        count.assign_add(1.0)
        return x + values["other"][0]

    program = Program(run, State({"other": [Variable(1.0)]}), compiled=compiled)
    assert [float(program({"other": [jnp.float32(1.0)]}, 2.0)) for _ in range(2)] == [3.0, 3.0]
    assert kinds == ([True] * 2 if compiled else [False] * 3)  # once more to find `count`


def test_many_shapes_are_told_of_once_with_the_last_two() -> None:
    program = CallProgram(lambda x: x * 2, State({}), name="fit")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for size in range(1, 12):
            program.run(np.ones(size))
            program.run(np.ones(size))
    with pytest.warns(UserWarning, match=r"fit: each new shape.*12 shapes.*\(12,\) after \(11,\)"):
        program.run(np.ones(12))
    program.run(np.ones(13))


def test_a_program_can_be_lowered_and_compiled_ahead() -> None:
    factor = Variable(3.0)
    state = State({})
    program = Program(lambda values, x: x * factor.value, state)
    x = jax.ShapeDtypeStruct((2,), "float32")
    assert "stablehlo.multiply" in program.trace({}, x).lower().as_text()
    ahead = program.compiled_for({}, x)
    factor.assign(4.0)
    np.testing.assert_array_equal(ahead({}, jnp.ones(2)), [4.0, 4.0])


def test_programs_are_kept_up_to_a_number_and_the_least_used_goes() -> None:
    programs = Programs()
    for key in range(64):
        programs.get(key, lambda key=key: str(key))
    programs.get(0, lambda: "made anew")
    programs.get("one more", lambda: "made")
    assert 0 in programs and 1 not in programs and len(programs) == 64


def test_a_number_that_python_asks_a_variable_for_is_asked_anew_when_it_changes() -> None:
    beta = Variable(2.0)
    calls = []

    def run(x: jax.Array) -> jax.Array:
        calls.append(float(beta))
        return x * 2 if calls[-1] > 0 else x * 0

    program = CallProgram(run, State({}))
    assert [float(program.run(3.0)) for _ in range(2)] == [6.0, 6.0]
    beta.assign(2.0)
    assert float(program.run(3.0)) == 6.0 and calls == [2.0]  # the same number: the same program
    beta.assign(-1.0)
    assert [float(program.run(3.0)) for _ in range(2)] == [0.0, 0.0]
    assert calls == [2.0, -1.0]


def test_a_program_that_is_looked_at_is_traced_for_the_number_of_now() -> None:
    beta = Variable(2.0)
    program = Program(lambda values, x: x * float(beta), State({}))
    assert "2.0" in str(program.trace({}, jnp.ones(1)).jaxpr)
    beta.assign(5.0)
    assert "5.0" in str(program.trace({}, jnp.ones(1)).jaxpr)


def test_what_was_compiled_ahead_asks_anew_too_when_the_number_changes() -> None:
    beta = Variable(2.0)
    program = Program(lambda values, x: x * float(beta), State({}))
    ahead = program.compiled_for({}, jax.ShapeDtypeStruct((1,), "float32"))
    assert ahead({}, jnp.ones(1)).tolist() == [2.0]
    beta.assign(5.0)
    assert [ahead({}, jnp.ones(1)).tolist(), program({}, jnp.ones(1)).tolist()] == [[5.0], [5.0]]


def files_of_jax_in(call: Callable[[], object]) -> set[str]:
    """The files of JAX whose Python a call runs."""
    seen: set[str] = set()

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and "/jax/" in frame.f_code.co_filename:
            seen.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return seen


@pytest.mark.parametrize("donates", [False, True])
def test_a_program_that_was_traced_is_handed_to_the_device_by_no_python_of_jax(
    donates: bool,
) -> None:
    one = Variable(jnp.ones(3))
    state = State({"trainable": [one]})

    def run(values: dict, x: np.ndarray) -> dict:
        if x.shape == (4,):
            raise ValueError("four are too many")
        return {"trainable": [values["trainable"][0] + x.sum()]}

    program = Program(run, state, donates=donates)

    def step(x: np.ndarray) -> None:
        state.commit(program(state.donate() if donates else state.read(), x))

    def is_fast(x: np.ndarray) -> bool:
        return not files_of_jax_in(lambda: step(x))

    two, three = np.ones(2, np.float32), np.ones(3, np.float32)
    assert files_of_jax_in(lambda: step(two))  # traced
    assert is_fast(two)
    with pytest.raises(ValueError, match="four"):
        step(np.ones(4, np.float32))
    step(three)
    step(two)
    assert is_fast(three)
    assert is_fast(two)
    assert len(program.traced_shapes) == 2
