"""What rewritten code asks: `if`, `while`, `for`, `and`, `or`, `not`, `assert` and calls.

With values all is as in Python. A choice by a tensor whose value is only known when the program
runs becomes the program's own: `cond`, `while_loop`, `scan`. Where that cannot be (values of two
ways differ in shape, a list grows) `TracedValueError` says so, with the line, and the function
around runs as plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core.attempts import Attempt
from nacre.core.errors import ArgumentError, TracedValueError, message
from nacre.core.run_checks import check_in_program
from nacre.core.tracing import is_tracer, is_tracing
from nacre.core.variable import Variable
from nacre.data import Dataset, HostTensor
from nacre.tf.conversion.calls import Counted, Numbered, call, call_value
from nacre.tf.conversion.percents import one_value
from nacre.tf.conversion.staging import (
    Block,
    Undefined,
    chosen,
    chosen_value,
    counted,
    looped,
    refused,
    stepped,
)
from nacre.tf.conversion.stepping import run_turns, takes
from nacre.tf.values import DataLoopError, tensor

_UNROLLED = 50  # turns of a `while` with known values; further ones are the program's own
_MOST_UNROLLED = 1000  # turns of a loop by known values that cannot be the program's own


# ------------------------------------------------------------------ variables


def held(read: Callable[[], Any], name: str) -> Any:
    """What a variable or a place holds; `Undefined` for nothing."""
    try:
        return read()
    except (NameError, AttributeError, LookupError):
        return Undefined(name)


def known(value: Any) -> Any:
    """A variable that is read."""
    if type(value) is Undefined:
        value.refuse()
    return value


def put_attribute(owner: Any, name: str, value: Any) -> None:
    """Set an attribute to what it was, or will be."""
    present = held(lambda: getattr(owner, name), name)
    if type(value) is Undefined:
        if type(present) is not Undefined:
            delattr(owner, name)
    elif present is not value:
        setattr(owner, name, value)


def put_item(owner: Any, key: Any, value: Any) -> None:
    """The same for an item of a dict or a list."""
    if type(value) is not Undefined:
        owner[key] = value
    elif type(held(lambda: owner[key], "")) is not Undefined:
        del owner[key]


# ------------------------------------------------------------------ conditions


def _open(test: Any) -> Any:
    """A test as a tensor of one truth, where its value is not known; None where Python decides."""
    if isinstance(test, Variable):
        test = test.value
        if is_tracing() and isinstance(test, jax.Array):
            test = jnp.logical_or(test, test)  # a part of the program, whoever holds the value
    if not is_tracer(test):
        return None
    if test.size != 1:
        return None  # Python asks, and is told
    return test.astype(bool).reshape(())


def if_(test: Any, body: Callable[[], None], orelse: Callable[[], None], block: Block) -> None:
    """`if test: body() else: orelse()`, which set variables."""
    pred = _open(test)
    if pred is not None:
        chosen(pred, body, orelse, block)
    elif test:
        body()
    else:
        orelse()


def if_return(test: Any, body: Callable[[], Any], orelse: Callable[[], Any], block: Block) -> Any:
    """The same at the end of a function: what either returns."""
    pred = _open(test)
    if pred is not None:
        return chosen_value(pred, body, orelse, block)
    return body() if test else orelse()


def if_else(test: Any, body: Callable[[], Any], orelse: Callable[[], Any], line: int) -> Any:
    """`body() if test else orelse()`."""
    nothing = Block(tuple, lambda _: None, (), (), (), None, line)
    return if_return(test, body, orelse, nothing)


def not_(value: Any) -> Any:
    """`not value`."""
    pred = _open(value)
    return not value if pred is None else jnp.logical_not(pred)


def and_(*parts: Callable[[], Any]) -> Any:
    """`a and b`."""
    return _joined(parts, jnp.logical_and, stops=False)


def or_(*parts: Callable[[], Any]) -> Any:
    """`a or b`."""
    return _joined(parts, jnp.logical_or, stops=True)


def _joined(parts: tuple[Callable[[], Any], ...], join: Any, stops: bool) -> Any:
    first, *rest = parts
    value = first()
    if not rest:
        return value
    # Elementwise on tensors of any shape, as in TensorFlow.
    if isinstance(value, Variable):
        value = value.value
    if is_tracer(value):
        other = tensor(_joined(tuple(rest), join, stops))
        if value.dtype == bool:
            return join(value, other)
        truth = value != 0  # as Python has it: the one or the other
        return jnp.where(truth, value, other) if stops else jnp.where(truth, other, value)
    return value if bool(value) is stops else _joined(tuple(rest), join, stops)


def assert_(test: Any, told: Callable[[], Any]) -> None:
    """`assert test, told()`; a tensor of a compiled function is checked each time it runs."""
    pred = _open(test)
    if pred is not None:
        check_in_program(pred, lambda: _of_assert(told()))
    elif not test:
        text = told()
        raise AssertionError(*(() if text is None else (text,)))


def _of_assert(told: Any) -> Exception:
    """What is raised when a program's `assert` fails: as TensorFlow's, and an `AssertionError`."""
    text = "what it says does not hold" if told is None else str(told)
    return FailedAssertion(message("assert", "it must hold in a compiled function", text))


class FailedAssertion(ArgumentError, AssertionError):
    """An `assert` about tensors that does not hold."""


# ------------------------------------------------------------------ loops


def while_(test: Callable[[], Any], body: Callable[[], None], block: Block) -> None:
    """`while test(): body()`."""
    turns = 0
    while True:
        found = test()
        pred = _open(found)
        if pred is not None:
            looped(test, body, block)
            return
        if turns == _UNROLLED and is_tracing() and isinstance(found, jax.Array | HostTensor):
            if _is_staged(lambda: looped(test, body, block), block):
                return
        if turns == _MOST_UNROLLED and is_tracing() and isinstance(found, jax.Array | HostTensor):
            looped(test, body, block)  # which says what keeps it from being the program's own
            return
        if not found:
            return
        body()
        turns += 1


def for_(
    iterable: Any, more: Callable[[], Any] | None, body: Callable[[Any], None], block: Block
) -> None:
    """`for item in iterable: body(item)`, as long as `more()` holds."""
    if isinstance(iterable, Variable):
        iterable = iterable.value
    if isinstance(iterable, Counted):
        counted(iterable, more, body, block)
        return
    if is_tracing():
        inner = iterable.items if isinstance(iterable, Numbered) else iterable
        if isinstance(inner, jax.Array | HostTensor) and inner.ndim:
            _for_rows(iterable, inner, more, body, block)
            return
        if isinstance(inner, Dataset) or hasattr(inner, "get_next"):
            what = "a loop over a data set, which gives its batches one by one"
            raise DataLoopError(str(refused(block.line, what)))
    if takes(iterable):
        run_turns(iterable, more, body, block)
        return
    for item in iterable:
        _turn(item, more, body, block)
        if more is not None and _open(go_on := more()) is None and not go_on:
            return


def _is_staged(stage: Callable[[], None], block: Block) -> bool:
    """Whether a loop became the program's own; else all is as before, for Python to run it."""
    before = block.read()
    with Attempt() as attempt:
        try:
            stage()
            return True
        except _NEED_VALUES as error:
            if isinstance(error, AttributeError) and not is_tracer(error.obj):
                raise
            attempt.undo()
    block.write(before)
    return False


# What code raises that asks a traced tensor for its value.
_NEED_VALUES = (
    TracedValueError, AttributeError, jax.errors.JAXTypeError, jax.errors.JAXIndexError,
)  # fmt: skip


def _turn(
    item: Any, more: Callable[[], Any] | None, body: Callable[[Any], None], block: Block
) -> None:
    """One turn, unless an earlier one has ended the loop when the program runs."""
    pred = None if more is None else _open(more())
    if pred is None:
        body(item)
    else:
        chosen(pred, lambda: body(item), lambda: None, block)


def _for_rows(
    iterable: Any,
    rows: Any,
    more: Callable[[], Any] | None,
    body: Callable[[Any], None],
    block: Block,
) -> None:
    """A loop over the first axis of a tensor, whose length is known."""
    count = rows.shape[0]

    def turn(item: Any) -> None:
        _turn(item, more, body, block)

    numbered = isinstance(iterable, Numbered)
    start = iterable.start if numbered else 0

    def stage() -> None:
        stepped(rows, start if numbered else None, turn, block)

    if count > _MOST_UNROLLED:
        stage()
        return
    if _is_staged(stage, block):
        return
    for at in range(count):
        item = rows[at]
        turn((at + start, item) if numbered else item)
        if more is not None and _open(go_on := more()) is None and not go_on:
            return


__all__ = [
    "Block", "and_", "assert_", "call", "call_value", "for_", "held", "if_", "if_else", "if_return",
    "known", "not_", "one_value", "or_", "put_attribute", "put_item", "while_",
]  # fmt: skip
