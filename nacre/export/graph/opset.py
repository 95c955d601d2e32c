"""The closed list of ops, and how one is declared.

An op is one function in a file of `ops/`: its docstring says what it computes, its body says so in
NumPy, its parameters are the inputs (those with the default None may be left out, a starred one
takes any number), its keyword-only parameters the attributes, with their kind as annotation:

    @op(shapes=same)
    def elu(x: Array, *, alpha: Float) -> Array:
        \"\"\"x for x > 0, else alpha · (exp(x) - 1).\"\"\"
        return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))

`shapes` gives the types of the results from those of the inputs and the attributes. Attributes
have no defaults: a node always has all of them.

The kinds of attributes are Int, Float, Bool, Str, Ints, DType, Data (a NumPy array), Texts and
Padding, and OneSize, Sizes and NewSize, which may be symbolic; `| None` where None is a value. A
NewSize may be a name that no input has: the node gives it its size.

`OPSET` maps names to `OpSpec`. To add an op is to add a function; a target says in its own table
which ones it has.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from nacre.export.graph.sizes import Size, SizeExpr

if TYPE_CHECKING:
    from nacre.export.graph.ir import Graph

# Inputs.
Array: TypeAlias = np.ndarray
# Kinds of attributes.
Int: TypeAlias = int
Float: TypeAlias = float
Bool: TypeAlias = bool
Str: TypeAlias = str
DType: TypeAlias = str
Ints: TypeAlias = tuple[int, ...]
# In a node each may be symbolic; formulas are given numbers.
Sizes: TypeAlias = tuple[int, ...]
OneSize: TypeAlias = int
# A size, or a new name for one that only the values of a run tell: then formulas are given None.
NewSize: TypeAlias = int | None
Texts: TypeAlias = tuple[str, ...]
Data: TypeAlias = np.ndarray
# 'valid', 'same', 'causal', or how much is put before and behind each spatial axis.
Padding: TypeAlias = str | tuple[tuple[int, int], ...]


class Type(NamedTuple):
    """Dtype and shape of a value."""

    dtype: str
    shape: tuple[Size, ...]

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]"


Types: TypeAlias = "Sequence[Type | None]"
# (types of inputs, attributes) -> types of results.
ShapeRule: TypeAlias = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class OpSpec:
    """What is known of an op.

    Attributes:
        name: Its name.
        formula: What it computes, in NumPy: (inputs..., attributes by name) -> result or results.
        inputs: Names of its inputs; a starred one takes all that remain.
        optional: Those that may be left out.
        variadic: Whether the last input takes any number.
        attributes: Kind of each attribute, as annotated.
        shapes: The rule for the types of its results.
        graphs: Names of the graphs that control flow holds, '*' for any number of branches.
        is_random: Whether it gives other numbers at each run.
        is_elementwise: Whether its one input's elements are each taken for themselves, so that it
            may come before or after what only moves them.
    """

    name: str
    formula: Callable[..., Any]
    inputs: tuple[str, ...]
    optional: tuple[str, ...]
    variadic: bool
    attributes: Mapping[str, str]
    shapes: ShapeRule
    graphs: tuple[str, ...] = ()
    is_random: bool = False
    is_elementwise: bool = False

    def new_sizes(self, attributes: Mapping[str, Any]) -> list[str]:
        """The names among its attributes that it may give a size to."""
        names = (str(attributes[k]) for k, kind in self.attributes.items() if kind == "NewSize")
        return [name for name in names if name.isidentifier()]

    @property
    def doc(self) -> str:
        """What it computes, in words."""
        return inspect.getdoc(self.formula) or ""

    def result_types(
        self, types: Types, attributes: Mapping[str, Any], graphs: Mapping[str, Graph]
    ) -> tuple[Type, ...]:
        """The types of the results; ValueError where inputs or attributes do not fit."""
        given = attributes if not self.graphs else {**attributes, "graphs": graphs}
        found = self.shapes(tuple(types), given)
        return (found,) if isinstance(found, Type) else tuple(found)


OPSET: dict[str, OpSpec] = {}


def op(
    *,
    shapes: ShapeRule,
    graphs: tuple[str, ...] = (),
    is_random: bool = False,
    is_elementwise: bool = False,
    name: str | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add a function to the list of ops; see this file's beginning."""

    def declare(formula: Callable[..., Any]) -> Callable[..., Any]:
        parameters = inspect.signature(formula).parameters.values()
        given = [
            p
            for p in parameters
            if p.kind is not p.KEYWORD_ONLY and p.name not in ("generator", "graphs")
        ]
        own = name or formula.__name__.rstrip("_")
        assert own not in OPSET, own
        OPSET[own] = OpSpec(
            own,
            formula,
            tuple(p.name for p in given),
            tuple(p.name for p in given if p.default is None),
            any(p.kind is p.VAR_POSITIONAL for p in given),
            {p.name: str(p.annotation) for p in parameters if p.kind is p.KEYWORD_ONLY},
            shapes,
            graphs,
            is_random,
            is_elementwise,
        )
        return formula

    return declare


def attribute_fault(kind: str, value: Any) -> str | None:
    """What is wrong with an attribute's value, None where nothing is."""
    kind, _, none = kind.partition(" | ")
    if value is None:
        return None if none else "it must not be None"
    fits = _KINDS[kind](value)
    return None if fits else f"it must be of kind {kind}"


def _all(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(check, value))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(_is_int, value))


_KINDS: dict[str, Callable[[Any], bool]] = {
    "Int": _is_int,
    "Float": lambda value: isinstance(value, float),
    "Bool": lambda value: isinstance(value, bool),
    "Str": lambda value: isinstance(value, str),
    "DType": lambda value: isinstance(value, str),
    "Ints": _all(_is_int),
    "Sizes": _all(lambda value: _is_int(value) or isinstance(value, SizeExpr)),
    "OneSize": lambda value: _is_int(value) or isinstance(value, SizeExpr),
    "NewSize": lambda value: _is_int(value) or isinstance(value, SizeExpr),
    "Texts": _all(lambda value: isinstance(value, str)),
    "Data": lambda value: isinstance(value, np.ndarray),
    "Padding": lambda value: value in ("valid", "same", "causal") or _all(_is_pair)(value),
}
