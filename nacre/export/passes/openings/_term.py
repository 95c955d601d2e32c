"""Formulas over the values of a graph in the making, written as over arrays.

    @opening
    def silu(x: Term) -> Term:
        return x * x.op("sigmoid")

The function has the op's name, inputs and attributes. It may return None: of this node it makes
nothing simpler.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it
import numpy as np

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import Size
from nacre.export.passes.rewriting import Rewriting

Opening: TypeAlias = Callable[[Node, Rewriting], "Sequence[Value] | None"]
Number: TypeAlias = "Term | float"
OPENINGS: dict[str, Opening] = {}


def opening(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare how the op of this name is opened."""
    name = function.__name__.rstrip("_")
    assert name in OPSET, name
    takes_more = inspect.signature(function).parameters
    wants_maker = "make" in takes_more

    def apply(node: Node, new: Rewriting) -> Sequence[Value] | None:
        make = Maker(node, new)
        terms = [None if v is None else Term(v, make) for v in node.inputs]
        given = [make, *terms] if wants_maker else terms
        found = function(*given, **node.attributes)
        if found is None:
            return None
        results = found if isinstance(found, tuple) else (found,)
        return [
            term.cast(value.dtype).value for term, value in zip(results, node.outputs, strict=True)
        ]

    OPENINGS[name] = apply
    return function


class Maker:
    """Adds nodes in the place of one.

    Attributes:
        node: The one that is opened.
    """

    def __init__(self, node: Node, new: Rewriting) -> None:
        self.node, self._new = node, new

    def constant(self, data: Any, dtype: str) -> Term:
        """An array."""
        value = np.asarray(data, dtype)
        return Term(self._new.add("constant", [], self.node, value=value), self)

    def add_all(
        self,
        op: str,
        inputs: Sequence[Term | None],
        graphs: Mapping[str, Graph] | None = None,
        **attributes: Any,
    ) -> tuple[Term, ...]:
        """A further node, and its results."""
        values = [None if term is None else term.value for term in inputs]
        found = self._new.add_all(op, values, self.node, graphs, **attributes)
        return tuple(Term(value, self) for value in found)

    def add(self, op: str, *inputs: Term | None, **attributes: Any) -> Term:
        """A further node with one result."""
        (found,) = self.add_all(op, inputs, **attributes)
        return found

    def size(self, size: Size, dtype: str) -> Term:
        """A size as a number."""
        if isinstance(size, int):
            return self.constant(size, dtype)
        whole = self.add("size", size=size, dtype="int32")
        return whole.cast(dtype)

    def iota(self, shape: Sequence[Size], axis: int, dtype: str = "int32") -> Term:
        """0, 1, 2 ... along an axis."""
        return self.add("iota", shape=tuple(shape), axis=axis, dtype=dtype)

    def full(self, shape: Sequence[Size], number: float, dtype: str) -> Term:
        """One number everywhere."""
        return self.add("broadcast_to", self.constant(number, dtype), shape=tuple(shape))


class Term:
    """A value in a formula: operators make nodes; numbers become constants of its dtype."""

    def __init__(self, value: Value, make: Maker) -> None:
        self.value, self.make = value, make

    @property
    def dtype(self) -> str:
        """Its dtype."""
        return self.value.dtype

    @property
    def shape(self) -> tuple[Size, ...]:
        """Its sizes."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.value.shape)

    @property
    def is_float(self) -> bool:
        """Whether it holds floats."""
        return "float" in self.dtype

    def op(self, name: str, *others: Number, **attributes: Any) -> Term:
        """An op applied to it, and to others."""
        return self.make.add(name, self, *map(self._term, others), **attributes)

    def _term(self, other: Number) -> Term:
        return other if isinstance(other, Term) else self.make.constant(other, self.dtype)

    def __add__(self, other: Number) -> Term:
        return self.op("add", other)

    def __radd__(self, other: Number) -> Term:
        return self._term(other) + self

    def __sub__(self, other: Number) -> Term:
        return self.op("sub", other)

    def __rsub__(self, other: Number) -> Term:
        return self._term(other) - self

    def __mul__(self, other: Number) -> Term:
        return self.op("mul", other)

    def __rmul__(self, other: Number) -> Term:
        return self._term(other) * self

    def __truediv__(self, other: Number) -> Term:
        return self.op("div", other)

    def __rtruediv__(self, other: Number) -> Term:
        return self._term(other) / self

    def __neg__(self) -> Term:
        return self.op("neg")

    def __abs__(self) -> Term:
        return self.op("abs")

    def __lt__(self, other: Number) -> Term:
        return self.op("less", other)

    def __le__(self, other: Number) -> Term:
        return self.op("less_equal", other)

    def __gt__(self, other: Number) -> Term:
        return self.op("greater", other)

    def __ge__(self, other: Number) -> Term:
        return self.op("greater_equal", other)

    def equals(self, other: Number) -> Term:
        """Where it is the same as another."""
        return self.op("equal", other)

    def least(self, other: Number) -> Term:
        """The smaller one."""
        return self.op("min", other)

    def most(self, other: Number) -> Term:
        """The larger one."""
        return self.op("max", other)

    def where(self, on_true: Term, on_false: Number) -> Term:
        """Of a condition: one where it holds, else the other."""
        other = on_false if isinstance(on_false, Term) else on_true._term(on_false)
        return self.make.add("select", self, on_true, other)

    def cast(self, dtype: str) -> Term:
        """It in another dtype."""
        return self if dtype == self.dtype else self.op("cast", dtype=dtype)

    def wide(self) -> Term:
        """It in float32 where it has 16 bits."""
        return self.cast("float32") if self.dtype in ("float16", "bfloat16") else self

    def reduced(self, name: str, axes: Sequence[int], keepdims: bool = True) -> Term:
        """A reduction of it."""
        axes = tuple(axis % self.ndim for axis in axes)
        return self.op(f"reduce_{name}", axes=axes, keepdims=keepdims)

    def reshape(self, *shape: Size) -> Term:
        """It in another shape."""
        return self if shape == self.shape else self.op("reshape", shape=shape)

    def broadcast(self, *shape: Size) -> Term:
        """It repeated to a shape."""
        return self if shape == self.shape else self.op("broadcast_to", shape=shape)

    def transpose(self, *order: int) -> Term:
        """It with its axes in another order."""
        return self if order == (*range(self.ndim),) else self.op("transpose", permutation=order)

    def expanded(self, axis: int) -> Term:
        """It with an axis of size 1."""
        return self.reshape(*self.shape[:axis], 1, *self.shape[axis:])

    def part(self, axis: int, start: Size, stop: Size) -> Term:
        """Its elements from start until before stop, along an axis."""
        starts, stops = [0] * self.ndim, list(self.shape)
        starts[axis], stops[axis] = start, stop  # type: ignore[call-overload]
        return self.op("slice", starts=tuple(starts), stops=tuple(stops), strides=(1,) * self.ndim)

    def along(self, axis: int, ndim: int) -> Term:
        """A vector as one that broadcasts along an axis of `ndim`."""
        return self.reshape(*self.shape, *[1] * (ndim - 1 - axis % ndim))

    def pieces(self, count: int) -> list[Term]:
        """It in equal parts of its last axis."""
        each = self.shape[-1]
        assert isinstance(each, int)
        step = each // count
        return [self.part(self.ndim - 1, i * step, (i + 1) * step) for i in range(count)]
