"""Read the names of composite ops in a trace, and decompose them into primitives.

For exporters. `trace` makes the jaxpr of an inference function; in it every composite op is one
inner call whose name carries the op, its attributes and its operands (see `_op`):

    nacre.conv|{"data_format":"channels_last",...,"operands":{"inputs":4,"kernel":4}}

`named_calls` lists such calls, `decompose_calls` replaces those a format has no op for by their
primitives. A call means what its name says when its operands have the number and the ranks that the
name gives. Others come from transforming a call (a gradient has more operands, `jax.vmap` adds an
axis), keep its name, and count as plain inner functions here. The names hold for traces of
inference: what autodiff leaves of a call may by chance have operands of the same ranks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, DropVar, Jaxpr, JaxprEqn, Literal, Var

from nacre.core.equations import inner_jaxprs
from nacre.ops._op import LONG_DESCRIPTIONS
from nacre.ops.kernels.placement import plain_xla

_PREFIX = "nacre."


@dataclass(frozen=True)
class NamedCall:
    """One composite op in a trace.

    Attributes:
        op: Name of the op, such as 'softmax'.
        attributes: Its attributes, all of them, as plain data (tuples are lists).
        inputs: Abstract value of each operand, by parameter name, in the order of the call.
        outputs: Abstract values of the results.
        jaxpr: The primitives it is made of.
    """

    op: str
    attributes: dict[str, Any]
    inputs: dict[str, Any]
    outputs: tuple[Any, ...]
    jaxpr: ClosedJaxpr


def trace(function: Callable[..., Any], *arguments: Any) -> ClosedJaxpr:
    """The jaxpr of an inference function, with composite ops made of primitives any backend has.

    Args:
        function: Takes and returns arrays, or structures of them.
        arguments: Arrays, or shapes and dtypes (`jax.ShapeDtypeStruct`), symbolic sizes too.

    Example:
        >>> from nacre import ops
        >>> [call.op for call in named_calls(trace(ops.softmax, jax.numpy.ones((2, 3))))]
        ['softmax']
    """
    with plain_xla():
        return jax.make_jaxpr(lambda *values: function(*values))(*arguments)


def parse_name(name: str) -> tuple[str, dict[str, Any], dict[str, int]] | None:
    """A call's name as op, attributes, and the rank of each operand; None for other names.

    Example:
        >>> parse_name('nacre.softmax|{"axis":-1,"operands":{"x":2}}')
        ('softmax', {'axis': -1}, {'x': 2})
    """
    if not isinstance(name, str) or not name.startswith(_PREFIX) or "|" not in name:
        return None
    op, _, text = name.removeprefix(_PREFIX).partition("|")
    if text.startswith("#"):
        text = LONG_DESCRIPTIONS[text[1:]]
    attributes = json.loads(text)
    return op, attributes, attributes.pop("operands")


def named_call(equation: JaxprEqn) -> NamedCall | None:
    """The composite op an equation of a jaxpr is, or None."""
    inner = equation.params.get("jaxpr")
    found = parse_name(equation.params.get("name", ""))
    if found is None or not isinstance(inner, ClosedJaxpr):
        return None
    op, attributes, ranks = found
    inputs = [v.aval for v in equation.invars]
    if [len(getattr(aval, "shape", ())) for aval in inputs] != list(ranks.values()):
        return None
    outputs = tuple(v.aval for v in equation.outvars)
    return NamedCall(op, attributes, dict(zip(ranks, inputs, strict=True)), outputs, inner)


def named_calls(closed: ClosedJaxpr) -> list[NamedCall]:
    """All composite ops of a trace in order, those in loops, branches and inner functions too.

    Ops inside a composite op (the gelu of a cell in an LSTM) are not listed; its `jaxpr` has them.
    """
    return list(_calls(closed.jaxpr))


def _calls(jaxpr: Jaxpr) -> Iterator[NamedCall]:
    for equation in jaxpr.eqns:
        call = named_call(equation)
        if call is not None:
            yield call
            continue
        for inner in inner_jaxprs(equation):
            yield from _calls(inner)


def decompose_calls(closed: ClosedJaxpr, ops: Collection[str] | None = None) -> ClosedJaxpr:
    """The same function with composite ops decomposed into what they are made of.

    Args:
        closed: A trace.
        ops: Names of the ops to decompose; all by default. Those inside a composite op that stays
            are decomposed too.

    Example:
        >>> from nacre import ops
        >>> closed = trace(ops.softmax, jax.numpy.ones((2, 3)))
        >>> named_calls(decompose_calls(closed))
        []
    """
    return ClosedJaxpr(_decomposed(closed.jaxpr, ops), closed.consts)


def _decomposed(jaxpr: Jaxpr, ops: Collection[str] | None) -> Jaxpr:
    decomposer = _Decomposer(ops)
    known = {v: v for v in (*jaxpr.constvars, *jaxpr.invars)}
    decomposer.add(jaxpr, known)
    outputs = [_read(known, v) for v in jaxpr.outvars]
    return jaxpr.replace(eqns=decomposer.equations, outvars=outputs)


class _Decomposer:
    """Collects equations; a decomposed call gets new variables, as it may occur twice."""

    def __init__(self, ops: Collection[str] | None) -> None:
        self.ops = ops
        self.equations: list[JaxprEqn] = []

    def add(self, jaxpr: Jaxpr, known: dict[Var, Any]) -> None:
        """Append the equations of `jaxpr`; `known` maps its variables to those outside."""
        for equation in jaxpr.eqns:
            given = [_read(known, v) for v in equation.invars]
            call = named_call(equation)
            if call is not None and (self.ops is None or call.op in self.ops):
                results = self._inline(call.jaxpr, given)
            else:
                results = self._copy(equation, given)
            known.update(zip(equation.outvars, results, strict=True))

    def _inline(self, inner: ClosedJaxpr, given: list[Any]) -> list[Any]:
        known = dict(zip(inner.jaxpr.invars, given, strict=True))
        for variable, value in zip(inner.jaxpr.constvars, inner.consts, strict=True):
            known[variable] = Literal(value, variable.aval)
        self.add(inner.jaxpr, known)
        return [_read(known, v) for v in inner.jaxpr.outvars]

    def _copy(self, equation: JaxprEqn, given: list[Any]) -> list[Any]:
        results = [v if isinstance(v, DropVar) else Var(v.aval) for v in equation.outvars]
        params = {name: self._param(value) for name, value in equation.params.items()}
        self.equations.append(equation.replace(invars=given, outvars=results, params=params))
        return results

    def _param(self, value: Any) -> Any:
        if isinstance(value, ClosedJaxpr):
            return decompose_calls(value, self.ops)
        if isinstance(value, Jaxpr):
            return _decomposed(value, self.ops)
        if isinstance(value, list | tuple) and any(isinstance(v, ClosedJaxpr) for v in value):
            return type(value)(self._param(v) for v in value)
        return value


def _read(known: dict[Var, Any], atom: Any) -> Any:
    return atom if isinstance(atom, Literal) else known[atom]
