"""A call whose outputs depend on each other, cut where they are computed.

A gradient tape takes in a compiled call as one step, so that what is computed inside is no source
of gradients. What the call gives back is one: the feature maps that a model gives beside its
prediction (Grad-CAM), attention scores beside what they weigh, a mean beside the sample drawn
around it. Such a call is cut behind each output that others are computed from, as seldom as that
allows, and runs as several steps. Those that use such an output take it as an operand.

Private names of JAX's, all in this file: `Literal` and `eval_jaxpr` of `jax._src.core`.
"""

# JAX's own insides, which this is made of, have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax._src import core

# No gradient flows through these, and what is behind them counts as unconnected, as in TensorFlow.
ENDS = frozenset({"stop_gradient", "floor", "ceil", "round"})
# Calls that do what is inside, no more: their outputs depend on what those inside do.
OPENED = frozenset({"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"})

Reach = tuple[frozenset[int], ...]


class Piece(NamedTuple):
    """Some of the equations of a call.

    Attributes:
        operands: What it takes: variables of the call, and literals.
        outputs: The variables it computes for later pieces, or for the call.
        jaxpr: What it runs, of its variables; None where it is a call in pieces itself.
        cut: That call; else None.
    """

    operands: list[Any]
    outputs: list[Any]
    jaxpr: Any
    cut: Cut | None

    def run(self, *operands: Any) -> list[Any]:
        """Run it, where it is no call in pieces."""
        return core.eval_jaxpr(self.jaxpr, [], *operands)


class Cut(NamedTuple):
    """A call in pieces: what it takes and gives back, and its constants."""

    inputs: list[Any]
    outputs: list[Any]
    constants: dict[Any, Any]
    pieces: tuple[Piece, ...]


def value_of(atom: Any, known: dict[Any, Any]) -> Any:
    """The value of what an equation takes, of those of the variables."""
    if isinstance(atom, core.Literal):
        aval: Any = atom.aval
        return jnp.asarray(atom.val, aval.dtype)
    return known[atom]


def inner_of(equation: Any) -> Any:
    """What an equation, or a primitive with parameters, does inside and may be opened for."""
    return equation.params.get("jaxpr") if equation.primitive.name in OPENED else None


_reaches: weakref.WeakKeyDictionary[Any, Reach] = weakref.WeakKeyDictionary()


def reach_of(jaxpr: Any) -> Reach:
    """For each output the inputs it is a differentiable function of."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    if jaxpr not in _reaches:
        sources = {v: frozenset({i}) for i, v in enumerate(jaxpr.invars) if _is_float(v)}
        known = _spread(jaxpr, sources, {})
        _reaches[jaxpr] = tuple(_of(known, x) for x in jaxpr.outvars)
    return _reaches[jaxpr]


def _spread(
    jaxpr: Any, sources: dict[Any, frozenset[int]], within: dict[Any, frozenset[int]]
) -> dict[Any, frozenset[int]]:
    """For each variable the numbers of the sources it is a differentiable function of; `within`
    are sources that are computed on the way."""
    known = dict(sources)
    for equation in jaxpr.eqns:
        if equation.primitive.name in ENDS:
            found = [frozenset[int]()] * len(equation.outvars)
        else:
            operands = [_of(known, x) for x in equation.invars]
            inner = inner_of(equation)
            found = [frozenset[int]().union(*operands)] * len(equation.outvars)
            if inner is not None:
                found = [
                    frozenset[int]().union(*(operands[i] for i in reached))
                    for reached in reach_of(inner)
                ]
        for output, numbers in zip(equation.outvars, found, strict=True):
            if _is_float(output):
                known[output] = numbers | within.get(output, frozenset())
    return known


def _of(known: dict[Any, frozenset[int]], atom: Any) -> frozenset[int]:
    return frozenset() if isinstance(atom, core.Literal) else known.get(atom, frozenset())


def _is_float(variable: Any) -> bool:
    return jnp.issubdtype(variable.aval.dtype, jnp.inexact)


# ------------------------------------------------------------------ cutting

_cuts: weakref.WeakKeyDictionary[Any, Cut | None] = weakref.WeakKeyDictionary()


def cut_of(closed: Any) -> Cut | None:
    """A call in pieces, or None for one whose outputs do not depend on each other."""
    jaxpr = getattr(closed, "jaxpr", closed)
    if jaxpr not in _cuts:
        _cuts[jaxpr] = _new_cut(jaxpr, getattr(closed, "consts", ()))
    return _cuts[jaxpr]


def _new_cut(jaxpr: Any, constants: Sequence[Any]) -> Cut | None:
    given = {*jaxpr.invars, *jaxpr.constvars}
    computed = [
        v for v in dict.fromkeys(_variables([jaxpr.outvars])) if v not in given and _is_float(v)
    ]
    if len(computed) < 2 or jaxpr.effects:
        return None
    numbers = {v: frozenset({i}) for i, v in enumerate(computed)}
    known = _spread(jaxpr, {}, numbers)
    used = {computed[i] for v in computed for i in known[v] - numbers[v]}
    places = _places(jaxpr, used, set(computed))
    if not places:
        return None
    bounds = [0, *sorted(places), len(jaxpr.eqns)]
    pieces = (_piece(jaxpr, a, b) for a, b in itertools.pairwise(bounds) if a < b)
    named = dict(zip(jaxpr.constvars, constants, strict=True))
    return Cut(list(jaxpr.invars), list(jaxpr.outvars), named, tuple(pieces))


def _places(jaxpr: Any, used: set[Any], outputs: set[Any]) -> set[int]:
    """Before which equations to cut, so that each of `used` is computed in an earlier piece than
    it is used in, in as few pieces as that takes."""
    made: dict[Any, int] = {}
    spans: dict[Any, tuple[int, int]] = {}  # from behind where it is computed to its first use
    places: set[int] = set()
    for number, equation in enumerate(jaxpr.eqns):
        for x in _variables([equation.invars]):
            if x in made and x in used:
                spans.setdefault(x, (made[x], number))
        made.update(dict.fromkeys(equation.outvars, number))
        inner = inner_of(equation)
        several = len(outputs.intersection(equation.outvars)) > 1
        if several and inner is not None and cut_of(inner) is not None:
            places |= {number, number + 1}
    for first, last in sorted(spans.values(), key=lambda span: span[1]):
        if not any(first < place <= last for place in places):
            places.add(last)
    return places


def _piece(jaxpr: Any, first: int, last: int) -> Piece:
    equations = jaxpr.eqns[first:last]
    inner = inner_of(equations[0]) if len(equations) == 1 else None
    cut = None if inner is None else cut_of(inner)
    if cut is not None:
        return Piece(list(equations[0].invars), list(equations[0].outvars), None, cut)
    made = dict.fromkeys(v for e in equations for v in e.outvars)
    operands = [v for v in dict.fromkeys(_variables(e.invars for e in equations)) if v not in made]
    later = {*_variables(e.invars for e in jaxpr.eqns[last:]), *_variables([jaxpr.outvars])}
    outputs = [v for v in made if v in later]
    part = jaxpr.replace(constvars=[], invars=operands, outvars=outputs, eqns=equations)
    return Piece(operands, outputs, part, None)


def _variables(lists: Iterable[Sequence[Any]]) -> list[Any]:
    return [x for atoms in lists for x in atoms if not isinstance(x, core.Literal)]


__all__ = ["ENDS", "OPENED", "Cut", "Piece", "cut_of", "inner_of", "reach_of", "value_of"]
