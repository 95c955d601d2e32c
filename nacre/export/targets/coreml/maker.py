"""A program of MIL in the making: values of the graph as variables of MIL, sizes as numbers there.

MIL is the language of Core ML's programs; `coremltools` builds it, and checks the types as it does.
What is a weight or a constant in the graph is known as an array here, for forms that want it in
another layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import UnsupportedOpError, message
from nacre.core.names import with_underscores
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.sizes import Size, SizeExpr, computed

# Of MIL: variables, and arrays that become constants.
Var = Any

_DTYPES = {"float32": "fp32", "float16": "fp16", "int32": "int32", "bool": "bool"}


def mil_dtype(dtype: str) -> str:
    """What MIL calls a dtype of the graph."""
    return _DTYPES[dtype]


class Maker:
    """Adds ops to the program.

    Args:
        builder: `coremltools.converters.mil.Builder`.
    """

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        self._vars: dict[Value, Var] = {}
        self._known: dict[Value, np.ndarray] = {}
        self._paths: dict[Value, str] = {}
        self._symbols: dict[str, Var] = {}

    def begin(self, graph: Graph, inputs: Mapping[Value, Var]) -> None:
        """Begin with a graph's inputs and weights; sizes that vary are asked of inputs."""
        self._vars.update(inputs)
        for weight in graph.weights:
            self._known[weight.value] = weight.data
            self._paths[weight.value] = weight.path
        for name, (value, axis, multiple) in graph.symbols().items():
            if name in self._symbols or value not in self._vars:
                continue
            shape = self.add("shape", x=self._vars[value])
            size = self.add("gather", x=shape, indices=np.int32(axis), axis=0)
            self._symbols[name] = self._divided(size, multiple)

    def within(self, inputs: Mapping[Value, Var]) -> Maker:
        """For a graph of control flow, with its inputs: what is known of sizes is known there."""
        inner = Maker(self._builder)
        inner._symbols = dict(self._symbols)
        inner._known.update({v: x for v, x in inputs.items() if isinstance(x, np.ndarray)})
        inner._vars.update({v: x for v, x in inputs.items() if not isinstance(x, np.ndarray)})
        return inner

    def add(self, op: str, **inputs: Any) -> Var:
        """A further op, and its result or results."""
        return getattr(self._builder, op)(**inputs)

    def put(self, node: Node, results: Any) -> None:
        """These are what a node gives."""
        found = results if isinstance(results, tuple | list) else (results,)
        for value, result in zip(node.outputs, found, strict=True):
            if isinstance(result, np.ndarray):
                self._known[value] = result
            else:
                self._vars[value] = result

    def known(self, value: Value | None) -> np.ndarray | None:
        """The numbers of a weight or constant; None of what only a run tells."""
        return None if value is None else self._known.get(value)

    def var(self, value: Value) -> Var:
        """A value as a variable."""
        if value not in self._vars:
            name = with_underscores(self._paths.get(value, value.name))
            data = self._known[value]
            self._vars[value] = self.add("const", val=_as_mil(data), name=name)
        return self._vars[value]

    def input(self, node: Node, index: int = 0) -> Var:
        """An input of a node that is always there."""
        value = node.inputs[index]
        assert value is not None
        return self.var(value)

    def known_input(self, node: Node, index: int) -> np.ndarray:
        """An input that MIL wants as numbers.

        Raises:
            UnsupportedOpError: Only a run tells it.
        """
        value = node.inputs[index]
        known = self.known(value)
        if known is None:
            name = "" if value is None else value.name
            place = f" in '{node.layer}'" if node.layer else ""
            rule = f"{node.op}{place} must have weights that are known when it is written"
            raise UnsupportedOpError(message("export to Core ML", rule, f"'{name}', computed"))
        return known

    def given(self, value: Value) -> Any:
        """A value as an array where it is known, else as a variable."""
        known = self._known.get(value)
        return self._vars[value] if known is None else known

    # --- sizes ------------------------------------------------------------------------------------

    def size(self, size: Size) -> Any:
        """A size: a number, or a scalar variable of int32."""
        if not isinstance(size, SizeExpr):
            return int(size)
        join = lambda op: lambda a, b: self._binary(op, a, b)
        return computed(size, int, self._factor, join("mul"), join("add"))

    def _factor(self, factor: Any) -> Any:
        if isinstance(factor, str):
            return self._symbols[factor]
        operation, left, right = factor
        names = {"floordiv": "floor_div", "mod": "mod", "max": "maximum", "min": "minimum"}
        return self._binary(names[operation], self.size(left), self.size(right))

    def _binary(self, op: str, left: Any, right: Any) -> Any:
        if isinstance(left, int) and isinstance(right, int):
            known = {
                "add": left + right, "mul": left * right, "maximum": max(left, right),
                "minimum": min(left, right),
            }  # fmt: skip
            if op in known:
                return known[op]
            return left // right if op == "floor_div" else left % right
        whole = lambda n: np.int32(n) if isinstance(n, int) else n
        return self.add(op, x=whole(left), y=whole(right))

    def _divided(self, size: Any, by: int) -> Any:
        return size if by == 1 else self.add("floor_div", x=size, y=np.int32(by))

    def vector(self, sizes: Sequence[Size]) -> Any:
        """Sizes as an array, or a variable, of one axis of int32."""
        found = [self.size(size) for size in sizes]
        if all(isinstance(size, int) for size in found):
            return np.array(found, "int32")
        parts = [
            np.array([size], "int32")
            if isinstance(size, int)
            else self.add("expand_dims", x=size, axes=[0])
            for size in found
        ]
        return parts[0] if len(parts) == 1 else self.add("concat", values=parts, axis=0)

    def reshape_sizes(self, sizes: Sequence[Size]) -> Any:
        """The same for a reshape: -1 where just one is not known, which Core ML likes best."""
        open_sizes = [size for size in sizes if isinstance(size, SizeExpr)]
        if len(open_sizes) != 1 or 0 in sizes:
            return self.vector(sizes)
        return np.array([-1 if isinstance(n, SizeExpr) else n for n in sizes], "int32")

    # --- what many forms need ---------------------------------------------------------------------

    def cast(self, x: Var, dtype: str) -> Var:
        """It in another dtype of the graph."""
        return self.add("cast", x=x, dtype=mil_dtype(dtype))

    def reshape(self, x: Var, sizes: Sequence[Size]) -> Var:
        """It in another shape; of no axes by taking away those that are there."""
        if not sizes:
            return self.add("squeeze", x=x)
        return self.add("reshape", x=x, shape=self.reshape_sizes(sizes))


def _as_mil(data: np.ndarray) -> np.ndarray:
    narrow = {"float64": "float32", "int64": "int32"}
    return np.ascontiguousarray(data.astype(narrow.get(data.dtype.name, data.dtype.name)))
