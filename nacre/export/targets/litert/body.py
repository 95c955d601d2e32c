"""One subgraph of a file in the making: its tensors and operators, and sizes as tensors.

A tensor whose numbers are known (a weight, a constant) carries them. All subgraphs of a file have
their buffers in common, so that such a tensor may stand in each subgraph that reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nacre.core.wire.tflite import ACTIVATIONS, NUMBER_OF_DTYPE, PADDINGS
from nacre.export.graph.ir import Axis, Graph
from nacre.export.graph.sizes import Factor, Size, SizeExpr, computed

Shape: TypeAlias = "Sequence[Size]"


def digest_of(data: np.ndarray) -> bytes:
    """The same for the same bytes: a digest of many, so that large arrays are not kept twice."""
    found = np.ascontiguousarray(data)
    if found.nbytes <= 64:
        return found.tobytes()
    return hashlib.blake2b(found.reshape(-1).view("u1").data, digest_size=32).digest()


class Scales(NamedTuple):
    """What the whole numbers of a tensor stand for: scale · (number - zero_point).

    Attributes:
        scale, zero_point: One, or one for each index of `axis`.
    """

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


@dataclass(eq=False)
class Tensor:
    """A tensor of a subgraph.

    Attributes:
        name: For people who look at the file.
        dtype: As in the graph.
        shape: Sizes, known or symbolic.
        data: Its numbers, where they are known.
        scales: Where its numbers stand for others.
        source: What it is a cast of, where that was of 8 bits.
    """

    name: str
    dtype: str
    shape: tuple[Size, ...]
    data: np.ndarray | None = None
    scales: Scales | None = None
    source: Tensor | None = None

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def numbers(self) -> np.ndarray:
        """Its numbers; they are known."""
        assert self.data is not None
        return self.data

    @property
    def known_shape(self) -> tuple[int, ...]:
        """Its sizes, 1 for those that only a run tells, as files hold them."""
        return tuple(size if isinstance(size, int) else 1 for size in self.shape)

    @property
    def signature(self) -> tuple[int, ...] | None:
        """Its sizes, -1 for those that only a run tells; None where all are known."""
        if all(isinstance(size, int) for size in self.shape):
            return None
        return tuple(size if isinstance(size, int) else -1 for size in self.shape)


@dataclass(eq=False)
class Operator:
    """An operator: its name in the schema, tensors, options by name, the layer it is of."""

    op: str
    inputs: list[Tensor | None]
    outputs: list[Tensor]
    options: dict[str, Any] = field(default_factory=dict)
    layer: str = ""


class Body:
    """A subgraph.

    Args:
        name: The subgraph's.
        file: All subgraphs of the file, in their order.
    """

    def __init__(self, name: str, file: list[Body]) -> None:
        self.name, self.file = name, file
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []
        self.operators: list[Operator] = []
        self.layer = ""
        self._symbols: dict[str, Axis] = {}
        self._tensors: Mapping[object, Tensor] = {}
        self._sizes: dict[Size, Tensor] = {}
        self._shapes: dict[Tensor, Tensor] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Tensor] = {}
        file.append(self)

    @property
    def index(self) -> int:
        """Which subgraph of the file it is."""
        return self.file.index(self)

    # --- tensors and operators --------------------------------------------------------------------

    def input(self, name: str, dtype: str, shape: Shape) -> Tensor:
        """A further input."""
        tensor = Tensor(name, dtype, tuple(shape))
        self.inputs.append(tensor)
        return tensor

    def constant(self, value: Any, dtype: str | None = None, name: str = "") -> Tensor:
        """A tensor of known numbers; the same one for the same numbers."""
        data = np.asarray(value, dtype)
        key = (data.dtype.name, data.shape, digest_of(data))
        found = self._constants.get(key)
        if found is None or name:
            found = Tensor(name or self._named("constant"), data.dtype.name, data.shape, data)
            self._constants.setdefault(key, found)
        return found

    def ints(self, *values: int) -> Tensor:
        """A vector of int32."""
        return self.constant(np.asarray(values, "int32"))

    def add(
        self, op: str, inputs: Sequence[Tensor | None], dtype: str, shape: Shape, /, **options: Any
    ) -> Tensor:
        """A further operator of one result."""
        return self.add_all(op, inputs, [(dtype, shape)], **options)[0]

    def add_all(
        self,
        op: str,
        inputs: Sequence[Tensor | None],
        results: Sequence[tuple[str, Shape]],
        /,
        **options: Any,
    ) -> list[Tensor]:
        """A further operator, with dtype and shape of each result."""
        name = self._named(op.lower())
        outputs = [Tensor(name, dtype, tuple(shape)) for dtype, shape in results]
        made = {key: _number(key, value) for key, value in options.items()}
        self.operators.append(Operator(op, list(inputs), outputs, made, self.layer))
        return outputs

    def _named(self, kind: str) -> str:
        return f"{self.layer}/{kind}" if self.layer else kind

    def like(self, op: str, x: Tensor, /, **options: Any) -> Tensor:
        """An operator of one tensor that gives one of its dtype and shape."""
        return self.add(op, [x], x.dtype, x.shape, **options)

    # --- changes of shape, done at once where the numbers are known -------------------------------

    def cast(self, x: Tensor, dtype: str) -> Tensor:
        """A tensor in another dtype; itself where it has it."""
        if x.dtype == dtype:
            return x
        if x.data is not None and x.dtype not in ("int8", "uint8"):  # these stay small
            return self.constant(x.data.astype(dtype))
        kinds = {"in_data_type": NUMBER_OF_DTYPE[x.dtype], "out_data_type": NUMBER_OF_DTYPE[dtype]}
        found = self.add("CAST", [x], dtype, x.shape, **kinds)
        found.source = x if x.dtype in ("int8", "uint8") else None
        return found

    def reshape(self, x: Tensor, shape: Shape) -> Tensor:
        """A tensor in another shape; itself where it has it."""
        shape = tuple(shape)
        if shape == x.shape:
            return x
        if x.data is not None and all(isinstance(size, int) for size in shape):
            return self.constant(x.data.reshape(shape), name=x.name)  # type: ignore[arg-type]
        return self.add("RESHAPE", [x, self.flexible_sizes(shape)], x.dtype, shape)

    def expand(self, x: Tensor, axis: int) -> Tensor:
        """A tensor with an axis of size 1 put in; no size must be known for it."""
        shape = (*x.shape[:axis], 1, *x.shape[axis:])
        if x.data is not None:
            return self.reshape(x, shape)
        return self.add("EXPAND_DIMS", [x, self.constant(axis, "int32")], x.dtype, shape)

    def squeeze(self, x: Tensor, axis: int) -> Tensor:
        """A tensor without an axis of size 1."""
        shape = (*x.shape[:axis], *x.shape[axis + 1 :])
        return self.add("SQUEEZE", [x], x.dtype, shape, squeeze_dims=(axis,))

    def transpose(self, x: Tensor, order: Sequence[int]) -> Tensor:
        """A tensor with its axes in another order; itself where that is the same."""
        if list(order) == list(range(len(order))):
            return x
        if x.data is not None:
            return self.constant(np.ascontiguousarray(x.data.transpose(order)), name=x.name)
        shape = [x.shape[axis] for axis in order]
        return self.add("TRANSPOSE", [x, self.ints(*order)], x.dtype, shape)

    def part(self, x: Tensor, axis: int, start: Size, stop: Size) -> Tensor:
        """The elements from start until before stop of an axis."""
        shape = (*x.shape[:axis], stop - start, *x.shape[axis + 1 :])
        begin: list[Size] = [0] * x.ndim
        size: list[Size] = [-1] * x.ndim  # -1 is the rest of the axis
        begin[axis] = start
        if stop != x.shape[axis]:
            size[axis] = stop - start
        return self.add("SLICE", [x, self.sizes(begin), self.sizes(size)], x.dtype, shape)

    def copied(self, x: Tensor) -> Tensor:
        """The same numbers in a tensor of its own."""
        if not x.ndim:
            return self.add("RESHAPE", [x, self.constant(np.zeros(0, "int32"))], x.dtype, ())
        zeros, rest = self.ints(*[0] * x.ndim), self.ints(*[-1] * x.ndim)
        return self.add("SLICE", [x, zeros, rest], x.dtype, x.shape)

    def full(self, shape: Shape, value: Any, dtype: str) -> Tensor:
        """One number everywhere."""
        if all(isinstance(size, int) for size in shape) and np.prod(shape, dtype=float) <= 1024:  # type: ignore[arg-type]
            return self.constant(np.full(shape, value, dtype))  # type: ignore[arg-type]
        number = self.constant(value, dtype)
        return self.add("FILL", [self.sizes(shape), number], dtype, shape)

    def filled_like(self, x: Tensor, value: Any) -> Tensor:
        """One number in the shape of a tensor, of its dtype."""
        if x.signature is None:
            return self.full(x.shape, value, x.dtype)
        number = self.constant(value, x.dtype)
        return self.add("FILL", [self.shape(x), number], x.dtype, x.shape)

    # --- sizes ------------------------------------------------------------------------------------

    def use_sizes_of(self, graph: Graph, tensors: Mapping[object, Tensor]) -> None:
        """Let named sizes be those of the inputs of a graph, whose tensors are given."""
        self._symbols, self._tensors = graph.symbols(), dict(tensors)

    def know_size(self, size: SizeExpr, value: Tensor) -> None:
        """Let a size be that of a scalar."""
        self._sizes[size] = value

    def sizes(self, shape: Shape) -> Tensor:
        """A shape as a vector of int32."""
        if all(isinstance(size, int) for size in shape):
            return self.constant(np.asarray(shape, "int32"))
        parts = [self.size(size) for size in shape]
        return self.add("PACK", parts, "int32", (len(parts),), values_count=len(parts), axis=0)

    def flexible_sizes(self, shape: Shape) -> Tensor:
        """A shape to reshape to: -1 stands for one size that is not known."""
        unknown = [index for index, size in enumerate(shape) if not isinstance(size, int)]
        if not unknown or 0 in shape:
            return self.sizes(shape)
        left_out = max(unknown, key=lambda index: len(str(shape[index])))
        return self.sizes([-1 if index == left_out else n for index, n in enumerate(shape)])

    def size(self, size: Size) -> Tensor:
        """A size as a number, int32."""
        if isinstance(size, int):
            return self.constant(size, "int32")
        found = self._sizes.get(size)
        if found is None:
            layer, self.layer = self.layer, ""
            found = self._sizes[size] = self._computed(size)
            self.layer = layer
        return found

    def whole(self, op: str, left: Tensor, right: Tensor) -> Tensor:
        """An operator of two whole numbers."""
        return self.add(op, [left, right], "int32", ())

    def _computed(self, size: SizeExpr) -> Tensor:
        axis = self._symbols.get(str(size))
        if axis is not None:
            number = self.axis(self._tensors[axis.input], axis.axis)
            if axis.multiple == 1:
                return number
            return self.whole("FLOOR_DIV", number, self.constant(axis.multiple, "int32"))
        return computed(
            size,
            lambda number: self.constant(number, "int32"),
            self._factor,
            lambda a, b: self.whole("MUL", a, b),
            lambda a, b: self.whole("ADD", a, b),
        )

    def _factor(self, factor: Factor) -> Tensor:
        if isinstance(factor, str):
            return self.size(SizeExpr({(factor,): 1}))
        return self._function(*factor)

    def _function(self, name: str, left: Size, right: Size) -> Tensor:
        op = {"floordiv": "FLOOR_DIV", "max": "MAXIMUM", "min": "MINIMUM", "mod": "FLOOR_MOD"}[name]
        return self.whole(op, self.size(left), self.size(right))

    def shape(self, x: Tensor) -> Tensor:
        """The shape of a tensor, as the run has it."""
        found = self._shapes.get(x)
        if found is None:
            number = NUMBER_OF_DTYPE["int32"]
            found = self.add("SHAPE", [x], "int32", (x.ndim,), out_type=number)
            self._shapes[x] = found
        return found

    def axis(self, x: Tensor, axis: int) -> Tensor:
        """The size of an axis of a tensor, as the run has it."""
        places = [self.ints(axis), self.ints(axis + 1), self.ints(1)]
        inner = [self.shape(x), *places]
        return self.add("STRIDED_SLICE", inner, "int32", (), shrink_axis_mask=1)


def _number(key: str, value: Any) -> Any:
    """An option as the schema has it: members of enums by number."""
    if key == "padding" and isinstance(value, str):
        return PADDINGS.index(value)
    if key == "fused_activation_function" and isinstance(value, str):
        return ACTIVATIONS.index(value)
    return value


__all__ = ["Body", "Operator", "Scales", "Shape", "Tensor", "digest_of"]
