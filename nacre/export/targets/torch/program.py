"""A function in Python, written line by line, that PyTorch compiles or traces.

The same source serves two readers: TorchScript's compiler, which takes it as text, and
`torch.export`, which calls it as Python. Where one of them needs another spelling (sizes that
vary, loops), `is_script` says which one reads.
"""

from __future__ import annotations

import builtins
import contextlib
import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it
import numpy as np

from nacre.export.graph.ir import Graph, Node, Value, dtype_of, shape_of, value_of
from nacre.export.graph.sizes import Size
from nacre.export.targets.support import Forms

# (program, node, names of its inputs, '' for one left out) -> expressions of its results.
Form: TypeAlias = "Callable[[Program, Node, Sequence[str]], str | Sequence[str]]"
FORMS: Forms[Form] = Forms()

# What PyTorch has of the dtypes of graphs, for arithmetic.
_FLOATS = "float16 bfloat16 float32 float64 complex64 complex128".split()
DTYPES = frozenset([*_FLOATS, "bool", "int8", "int16", "int32", "int64", "uint8"])
_OWN = {"self", "torch", "functional", "List", "Tensor", "Outputs", "device", "scan", "while_loop"}
_RESERVED = {*_OWN, *keyword.kwlist, *dir(builtins)}


def identifier(name: str) -> str:
    """A name that Python takes, as near to a text as can be.

    Example:
        >>> identifier("encoder/dense-1:0"), identifier("2d")
        ('encoder_dense_1_0', '_2d')
    """
    found = re.sub(r"\W", "_", name, flags=re.ASCII) or "_"
    return f"_{found}" if found[0].isdigit() else found


class Names:
    """Names of which none is given twice.

    Args:
        taken: What is not to be given.
    """

    def __init__(self, taken: set[str]) -> None:
        self._taken = set(taken)

    def own(self, wish: str) -> str:
        """The name, or the name with a number where it is taken."""
        base, name, number = identifier(wish), identifier(wish), 0
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name


class Program:
    """The lines of a function in the making.

    Args:
        forms: The forms of ops, by name.
        is_script: Whether TorchScript's compiler reads it; else Python does.

    Attributes:
        constants: Arrays that it uses, by the name of their buffer.
        known: Values that are constants of the graph.
        whole: Names of tensors that are no views of others: weights.
    """

    def __init__(self, forms: Mapping[str, object], is_script: bool) -> None:
        self._forms = forms
        self.is_script = is_script
        self.lines: list[str] = []
        self.constants: dict[str, np.ndarray] = {}
        self.known: dict[Value, np.ndarray] = {}
        self.whole: set[str] = set()
        self._names = Names(_RESERVED)
        self._sizes: dict[str, str] = {}
        self._tensors: dict[Value, str] = {}
        self._buffers: dict[object, str] = {}
        self._depth = 1

    # --- lines ------------------------------------------------------------------------------------

    def name(self, wish: str) -> str:
        """A name for something new."""
        return self._names.own(wish)

    def line(self, text: str) -> None:
        """Append a line."""
        self.lines.append("    " * self._depth + text)

    @contextlib.contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Lines one step further in, below a head."""
        self.line(head)
        self._depth += 1
        yield
        self._depth -= 1

    def let(self, expression: str, wish: str = "x") -> str:
        """A name for what an expression gives."""
        if expression.isidentifier():
            return expression
        name = self.name(wish)
        self.line(f"{name} = {expression}")
        return name

    # --- sizes ------------------------------------------------------------------------------------

    def name_sizes(self, graph: Graph) -> None:
        """Ask the inputs of a graph for its named sizes."""
        for symbol, (value, axis, multiple) in graph.symbols().items():
            size = f"{self._tensors[value]}.size({axis})"
            size += f" // {multiple}" if multiple > 1 else ""
            self._sizes[symbol] = self.let(size, symbol)

    def size(self, size: Size) -> str:
        """An expression for a size."""
        if isinstance(size, int):
            return str(size)
        terms = [self._product(product, times) for product, times in size.terms.items()]
        return terms[0] if len(terms) == 1 else f"({' + '.join(terms)})"

    def _product(self, product: Sequence[object], times: int) -> str:
        factors = [self._factor(factor) for factor in product]
        if times != 1 or not factors:
            factors.insert(0, str(times) if times >= 0 else f"({times})")
        return " * ".join(factors)

    def _factor(self, factor: object) -> str:
        if isinstance(factor, str):
            return self._sizes[factor]
        kind, left, right = factor  # type: ignore[misc]
        one, other = self.size(left), self.size(right)
        if kind in ("max", "min"):
            return self.extreme(kind, one, other)
        return f"(({one}) {'//' if kind == 'floordiv' else '%'} ({other}))"

    def extreme(self, kind: str, one: str, other: str) -> str:
        """The larger ('max') or smaller ('min') of two sizes."""
        return f"{kind if self.is_script else f'torch.sym_{kind}'}({one}, {other})"

    def sizes(self, sizes: Sequence[Size | str]) -> str:
        """A list of sizes."""
        texts = [size if isinstance(size, str) else self.size(size) for size in sizes]
        # An empty list is one of tensors to TorchScript.
        empty = "torch.jit.annotate(List[int], [])" if self.is_script else "[]"
        return f"[{', '.join(texts)}]" if texts else empty

    def reshaped(self, tensor: str, old: Sequence[Size], new: Sequence[Size]) -> str:
        """A tensor in another shape."""
        if list(old) == list(new):
            return tensor
        if [n for n in old if n != 1] == [n for n in new if n != 1]:
            # By axes of size 1 alone, which says nothing of how long the others must be.
            gone = [axis for axis, n in enumerate(old) if n == 1]
            come = [axis for axis, n in enumerate(new) if n == 1]
            # squeeze would keep the axis where a trace does not know that its size is 1: in a loop
            # PyTorch gives sizes of weights symbols too, and what is cut of them `s - 1` rows.
            taken = "".join(f".select({axis}, 0)" for axis in reversed(gone))
            return tensor + taken + "".join(f".unsqueeze({axis})" for axis in come)
        return f"{tensor}.reshape({self.sizes(new)})"

    # --- arrays -----------------------------------------------------------------------------------

    def constant(self, array: np.ndarray) -> str:
        """A tensor that is part of the program: the name of one buffer for all equal arrays."""
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._buffers:
            name = self.name(f"constant_{len(self.constants)}")
            self.constants[name] = array
            self._buffers[key] = name
        return self._buffers[key]

    def number(self, size: Size, dtype: str) -> str:
        """A size as a tensor without axes."""
        return f"torch.scalar_tensor({self.size(size)}, dtype=torch.{dtype}, device=device)"

    def arange(self, size: Size, dtype: str = "int64") -> str:
        """0, 1, 2 ... up to a size."""
        return f"torch.arange({self.size(size)}, dtype=torch.{dtype}, device=device)"

    # --- graphs -----------------------------------------------------------------------------------

    def bind(self, value: Value, expression: str) -> None:
        """Say what stands for a value of a graph."""
        self._tensors[value] = expression

    def tensor(self, value: Value) -> str:
        """What stands for a value of a graph."""
        return self._tensors[value]

    def nodes(self, graph: Graph) -> None:
        """Append the lines of all nodes of a graph."""
        for node in graph.nodes:
            if node.op == "constant":
                self.known[node.outputs[0]] = node.attributes["value"]
            inputs = ["" if v is None else self._tensors[v] for v in node.inputs]
            form: Form = self._forms[node.op]  # type: ignore[assignment]
            found = form(self, node, inputs)
            results = [found] if isinstance(found, str) else list(found)
            for value, expression in zip(node.outputs, results, strict=True):
                self._tensors[value] = self.let(expression, value.name)

    def inline(self, graph: Graph, arguments: Sequence[str]) -> list[str]:
        """Append the lines of a graph of control flow, and give the names of its outputs."""
        for value, argument in zip(graph.inputs, arguments, strict=True):
            self._tensors[value] = argument
        self.nodes(graph)
        return [self._tensors[output.value] for output in graph.outputs]


def is_float(dtype: str) -> bool:
    """Whether a dtype is one of floating point."""
    return "float" in dtype


def axes_of(axes: Sequence[int], ndim: int) -> list[int]:
    """Axes counted from the front."""
    return [axis % ndim for axis in axes]


def listed(numbers: Sequence[object]) -> str:
    """A list as Python writes it."""
    return f"[{', '.join(map(str, numbers))}]"


__all__ = [
    "DTYPES",
    "FORMS",
    "Form",
    "Names",
    "Program",
    "axes_of",
    "dtype_of",
    "identifier",
    "is_float",
    "listed",
    "shape_of",
    "value_of",
]
