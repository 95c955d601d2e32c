"""What each operator computes: functions by domain and name, that `ops/` fills in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nacre.export.importers.onnx.values import GraphError

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Op:
    """How a type of node is computed.

    Attributes:
        function: From the node and its inputs, None for those left out, to one output or a tuple.
        knows: It takes arrays of NumPy, and symbols among sizes, where all inputs are known.
        kept: Inputs that stay as they are: what decides shapes. -1: all.
        scoped: It takes the scope after the node: it has graphs within.
        draws: It draws random numbers: never computed while a program is traced.
    """

    function: Callable[..., Any]
    knows: bool
    kept: frozenset[int]
    scoped: bool
    draws: bool


OPS: dict[tuple[str, str], Op] = {}


def op(
    *names: str,
    domain: str = "",
    knows: bool = False,
    kept: tuple[int, ...] = (),
    scoped: bool = False,
    draws: bool = False,
) -> Callable[[F], F]:
    """Register the function of operators; see `Op`."""

    def register(function: F) -> F:
        for name in names:
            if (domain, name) in OPS:
                raise AssertionError(f"two functions for {name}")
            OPS[domain, name] = Op(function, knows, frozenset(kept), scoped, draws)
        return function

    return register


@dataclass
class Node:
    """A node as its function sees it.

    Attributes:
        version: Of the operator set that it is of.
        attributes: As values of Python: texts, numbers, lists, arrays, graphs.
        inputs, outputs: Names of values; '' for one that is left out.
        body: The graph of a function, which is run in its place.
        reads: Values of the graph around that graphs within it read.
    """

    op: str
    domain: str
    name: str
    version: int
    attributes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    body: Any = None  # Any: a Graph, whose nodes these are
    reads: frozenset[str] = field(default_factory=frozenset)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute, or the default given."""
        found = self.attributes.get(name)
        return default if found is None else found

    def number(self, name: str, default: Any) -> Any:
        """An attribute that is one number.

        Raises:
            GraphError: It is something else.
        """
        found = self.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise GraphError(f"the attribute {name} must be a number")
        return found

    def numbers(self, name: str, default: Any = None) -> Any:
        """An attribute that is a list of numbers.

        Raises:
            GraphError: It is something else.
        """
        found = self.get(name)
        if found is None:
            return default
        if not isinstance(found, list):
            raise GraphError(f"the attribute {name} must be a list")
        return found

    def text(self, name: str, default: str = "") -> str:
        """An attribute that is a text.

        Raises:
            GraphError: It is something else.
        """
        found = self.get(name, default)
        if not isinstance(found, str):
            raise GraphError(f"the attribute {name} must be a text")
        return found

    def wants(self, place: int) -> bool:
        """Whether an output is asked for."""
        return place < len(self.outputs) and bool(self.outputs[place])


__all__ = ["OPS", "Node", "Op", "op"]
