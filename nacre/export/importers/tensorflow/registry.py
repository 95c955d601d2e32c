"""Ops by the names TensorFlow has for them, and what a node tells of its own.

    @op("AddV2", "Add", known=True)
    def add(node, x, y):
        return numbers(x, y).add(x, y)

A function takes the node and its inputs, and gives one output, or a tuple of them in the order of
the op's definition.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from nacre.core.wire.tensorflow.dtypes import STRING
from nacre.core.wire.tensorflow.graph import AttrValue, NameAttrList
from nacre.core.wire.tensorflow.tensors import shape_of, to_array
from nacre.export.importers.tensorflow.values import GraphError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Op:
    """How a type of node is computed.

    Attributes:
        function: Gives the outputs.
        is_known: It stays known where all its inputs are: sizes are computed so.
        is_host: It is computed with NumPy, when the values are there: strings, tables, and what
            gives arrays of sizes that depend on values.
        is_shared: It takes the `Run` too: variables, functions, random numbers.
        is_random: Of those, it draws.
    """

    function: Callable[..., Any]
    is_known: bool = False
    is_host: bool = False
    is_shared: bool = False
    is_random: bool = False


OPS: dict[str, Op] = {}


@dataclass(frozen=True)
class Stop:
    """What TensorFlow stops at on a CPU, in place of giving something.

    Attributes:
        what: It, in words.
        is_met: (node, inputs) -> whether it is there; None where the op itself raises.
        gives_nan: Of floats the op gives NaN there, so that nothing is silent.
    """

    what: str
    is_met: Callable[..., Any]
    gives_nan: bool


STOPS: dict[str, list[Stop]] = {}


def op(
    *names: str,
    known: bool = False,
    host: bool = False,
    shared: bool = False,
    random: bool = False,
) -> Callable[[F], F]:
    """Register a function for types of nodes of TensorFlow graphs, which `open_saved_model` runs.

    The function takes the node, whose attributes are `node["name"]`, and its inputs: arrays of JAX,
    or of NumPy where they are known before the program runs, as sizes are. It gives one output, or
    a tuple of them in the order of the op's definition.

    Args:
        names: Types of nodes, such as "AddV2".
        known: The function gives arrays of NumPy where all inputs are.
        host: It works on arrays of NumPy alone, outside of compiled programs: strings, sizes that
            depend on values. Strings are `bytes` in arrays of objects.
        shared: It takes the run before the node: variables and tables.
        random: It takes the run, and draws random numbers with `run.key()`.
    Example:
        >>> @op("MyTwice")
        ... def twice(node, x):
        ...     return x * 2
        >>> OPS.pop("MyTwice").is_host
        False
    """

    def register(function: F) -> F:
        for name in names:
            if name in OPS:
                raise AssertionError(f"two functions for {name}")
            OPS[name] = Op(function, known, host, shared or random, random)
        return function

    return register


OUTSIDE = "a place outside of its array is asked for"


def stops(*names: str, at: str = OUTSIDE, gives_nan: bool = False) -> Callable[[F], F]:
    """Register when TensorFlow stops at nodes of a type: a function as `Stop.is_met`."""

    def register(function: F) -> F:
        for name in names:
            STOPS.setdefault(name, []).append(Stop(at, function, gives_nan))
        return function

    return register


@dataclass
class Node:
    """A node as its function sees it: the op, the name, values of attributes.

    Attributes:
        attributes: As values of Python: dtypes by TensorFlow's number, texts as `bytes`, shapes as
            tuples with None, arrays, `NameAttrList` for functions.
        kept: What its function computed once.
        needs_host: A function among its attributes does.
        has_gradient: A node behind it has one of its own, so that this one needs none.
    """

    op: str
    name: str
    attributes: dict[str, Any] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)  # Any: by shapes, a program
    needs_host: bool = False
    has_gradient: bool = False

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default in the op's definition, or the one given."""
        if name in self.attributes:
            return self.attributes[name]
        known = default_of(self.op, name)
        return default if known is None else known

    def __getitem__(self, name: str) -> Any:
        found = self.get(name)
        if found is None:
            raise GraphError(f"the attribute {name} is missing")
        return found

    def text(self, name: str) -> str:
        return bytes(self[name]).decode("utf-8", "replace")

    def uses_strings(self) -> bool:
        """Whether a dtype among its attributes is that of strings."""
        for key, value in self.attributes.items():
            items = value if isinstance(value, list) else (value,)
            if any(type(item) is DataType and item == STRING for item in items):
                return True
            if key == "value" and getattr(getattr(value, "dtype", None), "kind", "") == "O":
                return True
        return False


class DataType(int):
    """The number of a dtype among attributes, told from other numbers."""


def value_of(attribute: AttrValue) -> Any:
    """An attribute as a value of Python; None for one that is not set."""
    if attribute.list is not None:
        found = attribute.list
        for items in (found.s, found.i, list(found.f), found.b, found.func):
            if items:
                return list(items)
        if found.type:
            return [DataType(number) for number in found.type]
        return [shape_of(item) for item in found.shape] or [to_array(t) for t in found.tensor]
    if attribute.type is not None:
        return DataType(attribute.type)
    if attribute.shape is not None:
        return ShapeValue(shape_of(attribute.shape))
    if attribute.tensor is not None:
        return to_array(attribute.tensor)
    for value in (attribute.s, attribute.i, attribute.f, attribute.b, attribute.func):
        if value is not None:
            return value
    return None


@dataclass(frozen=True)
class ShapeValue:
    """A shape among attributes: `sizes` is None for one of unknown rank."""

    sizes: tuple[int | None, ...] | None


def values_of(attributes: Mapping[str, AttrValue]) -> dict[str, Any]:
    """Attributes as values of Python; those that a function is asked for stay out."""
    return {name: value_of(found) for name, found in attributes.items() if name[:1] != "_"}


def is_function(value: Any) -> bool:
    return isinstance(value, NameAttrList)


# --- definitions ----------------------------------------------------------------------------------


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """For each op its outputs, and the defaults of attributes that files may leave out.

    An output is `name`, or `name*attribute` for as many as a number or a list of dtypes tells.
    """
    path = Path(__file__).with_name("op_definitions.json")
    found: dict[str, dict[str, Any]] = json.loads(path.read_text())
    return found


def default_of(name: str, attribute: str) -> Any:
    """The default of an attribute; None where there is none."""
    value = definitions().get(name, {}).get("attr", {}).get(attribute)
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict):  # {"type": 1}, {"shape": [..] or null}
        kind, inner = next(iter(value.items()))
        return DataType(inner) if kind == "type" else ShapeValue(inner and tuple(inner))
    return value


def place_of(node: Node, output: str, index: int) -> int:
    """Which output `node:output:index` is, counted over all outputs of the node."""
    at = 0
    for described in definitions().get(node.op, {}).get("out", []):
        name, _, many = described.partition("*")
        if name == output:
            return at + index
        count = node.get(many, 0) if many else 1
        at += len(count) if isinstance(count, list) else int(count)
    if len(definitions().get(node.op, {}).get("out", [])) > 1:
        raise GraphError(f"there is no output '{output}' of {node.op}")
    return index


__all__ = [
    "OPS",
    "OUTSIDE",
    "STOPS",
    "Stop",
    "DataType",
    "Node",
    "Op",
    "ShapeValue",
    "default_of",
    "definitions",
    "is_function",
    "op",
    "place_of",
    "stops",
    "value_of",
    "values_of",
]
