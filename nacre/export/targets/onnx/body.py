"""One graph of ONNX in the making: its nodes, their names, sizes as tensors, orders of axes.

Values of the graph may lie in another order of axes than they have: a convolution gives channels
first, and what follows it goes on in that order as long as it can, so that two transposes that
would undo one another are never written. `tensor` brings a value into its own order where one is
needed, `ordered` into another one; each is done once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it
import numpy as np

from nacre.core.wire.onnx import NUMBERS
from nacre.export.graph.ir import Axis, Graph, Node, Value, dtype_of, rank_of, value_of
from nacre.export.graph.sizes import Factor, Size, SizeExpr, computed, symbols_in

Array: TypeAlias = np.ndarray[Any, Any]
_MUCH = 1024  # elements: of fewer a second copy costs less than a node that moves them
# Axis i of what is stored is axis order[i] of the value.
Order: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Stored:
    """An array that the file holds; its elements are put in order when it is written.

    Attributes:
        packed: The dtype of elements of which several lie in a byte of `data`; '' for others.
        packed_shape: The shape of such.
    """

    name: str
    data: Array
    packed: str = ""
    packed_shape: tuple[int, ...] = ()

    @property
    def dtype(self) -> str:
        """'float32' ... or 'string'."""
        name = "string" if self.data.dtype == object else self.data.dtype.name
        return self.packed or name

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        return self.packed_shape if self.packed else self.data.shape


@dataclass
class Made:
    """A node of ONNX; attributes may hold a `Body`, which is a graph."""

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    name: str
    domain: str = ""


class Placed(NamedTuple):
    """A result that lies in another order of axes."""

    name: str
    order: Order


class Drafts:
    """What all graphs of a file share.

    Attributes:
        opset: The version of ONNX's ops.
        names: Those that are taken.
        stored: What the file holds, by name.
        data: Arrays of values that are known; of those that are kept in 16 bits, in 16 bits.
        paths: Those of weights.
        kept: Which weights have been stored, and how they were changed -> their tensor.
        domains: Those of ops besides ONNX's own.
    """

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.names: dict[str, int] = {}
        self.stored: dict[str, Stored] = {}
        self.data: dict[Value, Array] = {}
        self.paths: dict[Value, str] = {}
        self.kept: dict[Any, str] = {}
        self.domains: dict[str, int] = {}

    def own(self, name: str) -> str:
        """A name that nothing else has."""
        while True:
            count = self.names.get(name)
            if count is None:
                self.names[name] = 0
                return name
            self.names[name] = count + 1
            name = f"{name}_{count + 1}"


@dataclass
class Body:
    """A graph: inputs, nodes, outputs.

    Attributes:
        shared: What it has in common with the graphs around and within it.
        parent: The graph around it, whose tensors it sees.
        scope: The layer that nodes are named by.
        maker: The node that made each tensor.
        uses: How often each value is read.
        producers: The node of the graph that gives each value.
    """

    shared: Drafts
    name: str
    parent: Body | None = None
    scope: str = ""
    nodes: list[Made] = field(default_factory=list)
    inputs: list[tuple[str, str, tuple[Size, ...]]] = field(default_factory=list)
    outputs: list[tuple[str, str, tuple[Size, ...] | None]] = field(default_factory=list)
    maker: dict[str, Made] = field(default_factory=dict)
    uses: dict[Value, int] = field(default_factory=dict)
    producers: dict[Value, Node] = field(default_factory=dict)
    _tensors: dict[Value, dict[Order, str]] = field(default_factory=dict)
    _symbols: dict[str, Axis] = field(default_factory=dict)
    _sizes: dict[Size, str] = field(default_factory=dict)

    # --- values -----------------------------------------------------------------------------------

    @property
    def opset(self) -> int:
        """The version of ONNX's ops."""
        return self.shared.opset

    @property
    def root(self) -> Body:
        """The outermost graph."""
        return self if self.parent is None else self.parent.root

    def begin(self, graph: Graph) -> None:
        """Take up the values of a graph: its sizes, and how often each value is used."""
        self._symbols = {**self._symbols, **graph.symbols()}
        self.producers.update(graph.producers())
        for node in graph.nodes:
            for value in node.inputs:
                if value is not None:
                    self.uses[value] = self.uses.get(value, 0) + 1
        for value in graph.results():
            self.uses[value] = self.uses.get(value, 0) + 1
        for weight in graph.weights:
            self.shared.data[weight.value] = weight.data
            self.shared.paths[weight.value] = weight.path

    def bind(self, value: Value, name: str, order: Order | None = None) -> None:
        """Say which tensor a value is."""
        usual = tuple(range(len(value.shape)))
        self._tensors.setdefault(value, {})[usual if order is None else order] = name

    def orders(self, value: Value) -> Mapping[Order, str]:
        """The orders of axes that a value lies in, with its tensors."""
        return self._tensors.get(value, {})

    def is_zero(self, value: Value) -> bool:
        """Whether a value is known to be 0 everywhere."""
        node = self.producers.get(value)
        if node is not None and node.op == "broadcast_to" and node.inputs[0] is not None:
            value = node.inputs[0]
        data = self.data(value)
        return data is not None and value not in self.shared.paths and not data.any()

    def data(self, value: Value | None) -> Array | None:
        """The array that a value is, where it is known: a weight or a constant."""
        return None if value is None else self.shared.data.get(value)

    def tensor(self, value: Value) -> str:
        """The tensor of a value, its axes in order."""
        return self.ordered(value, tuple(range(len(value.shape))))

    def ordered(self, value: Value, order: Order) -> str:
        """The tensor of a value with its axes in another order. One of fewer axes broadcasts: axes
        of size 1 are put in front of it first."""
        found = self.orders(value)
        if len(order) == len(value.shape):
            if order not in found:
                data = self.shared.data.get(value)
                if data is not None and (not found or data.size <= _MUCH):
                    self.bind(value, self._stored_value(value, order), order)
                else:
                    source, name = next(iter(found.items()))
                    permutation = tuple(source.index(axis) for axis in order)
                    self.bind(value, self.add("Transpose", [name], perm=permutation), order)
            return self.orders(value)[order]
        if not value.shape:
            return self.tensor(value)
        missing = len(order) - len(value.shape)
        shape = (*[1] * missing, *value.shape)
        sizes = tuple(shape[axis] for axis in order)
        if value in self.shared.data:
            return self.weight([value], lambda x: x.reshape(shape).transpose(order), order)
        # With one axis only, elements stay where they are.
        name = self.tensor(value)
        return name if _without_front(sizes) == value.shape else self.reshape(name, sizes)

    def can_order(self, value: Value, order: Order) -> bool:
        """Whether a value of any number of axes can be brought into an order by `ordered`."""
        if len(value.shape) in (0, len(order)) or value in self.shared.data:
            return True
        return sum(size != 1 for size in value.shape) <= 1

    def _stored_value(self, value: Value, order: Order) -> str:
        """A weight or constant with its axes in an order."""
        usual = tuple(range(len(order)))
        data = self.shared.data[value]
        if value not in self.shared.paths:
            return self.root.constant(
                data.transpose(order), value.dtype if data.dtype != object else None
            )
        change: Callable[[Array], Array] = lambda x: x if order == usual else x.transpose(order)
        return self.weight([value], change, order)

    def weight(self, values: Sequence[Value], change: Callable[..., Array], key: Any) -> str:
        """What becomes of weights or constants, stored under the name of the first weight.

        Args:
            values: Of which the data are known.
            change: Their arrays -> the one that is stored.
            key: Tells this change from others of the same values.
        """
        of = (tuple(values), key)
        found = self.shared.kept.get(of)
        if found is not None:
            return found
        data = np.asarray(change(*(self.shared.data[value] for value in values)))
        paths = [self.shared.paths[v] for v in values if v in self.shared.paths]
        if paths:
            found = self.shared.own(paths[0])
            self.shared.stored[found] = Stored(found, data)
        else:
            found = self.root.constant(data)
        if data.dtype.name != values[0].dtype and data.dtype != object:
            found = self.root.cast(found, values[0].dtype)
        self.shared.kept[of] = found
        return found

    # --- nodes ------------------------------------------------------------------------------------

    def add(self, op: str, inputs: Sequence[str] = (), domain: str = "", **attributes: Any) -> str:
        """A further node of one result; returns its tensor."""
        return self.add_all(op, inputs, 1, domain, **attributes)[0]

    def add_all(
        self, op: str, inputs: Sequence[str], results: int, domain: str = "", **attributes: Any
    ) -> list[str]:
        """A further node; returns its tensors. Inputs that are left out are ''."""
        inputs = list(inputs)
        while inputs and not inputs[-1]:
            inputs.pop()
        name = self.shared.own(f"{self.scope}/{op}" if self.scope else op)
        outputs = [name, *(self.shared.own(f"{name}:{i}") for i in range(1, results))]
        if domain:
            self.shared.domains.setdefault(domain, 1)
        kept = {key: value for key, value in attributes.items() if value is not None}
        made = Made(op, inputs, outputs, kept, name, domain)
        self.nodes.append(made)
        self.maker.update(dict.fromkeys(outputs, made))
        return outputs

    def made_by(self, tensor: str, op: str) -> Made | None:
        """The node of this graph that made a tensor, where it is of this op."""
        made = self.maker.get(tensor)
        return made if made is not None and made.op == op else None

    def constant(self, value: object, dtype: str | None = None) -> str:
        """An array in the file, once for all nodes that use the same."""
        array = np.asarray(value, dtype)
        if array.dtype.kind in "US":
            array = array.astype(object)
        content = repr(array.tolist()) if array.dtype == object else array.tobytes()
        key = ("constant", array.dtype.str, array.dtype.name, array.shape, content)
        found = self.shared.kept.get(key)
        if found is None:
            found = self.shared.kept[key] = self.shared.own("constant")
            self.shared.stored[found] = Stored(found, array)
        return found

    def ints(self, *values: int) -> str:
        """A vector of int64, as sizes and axes are given."""
        return self.constant(np.asarray(values, "int64"))

    def cast(self, tensor: str, dtype: str) -> str:
        """A tensor in another dtype."""
        return self.add("Cast", [tensor], to=NUMBERS[dtype])

    # --- sizes ------------------------------------------------------------------------------------

    def size(self, size: Size) -> str:
        """A size as a vector of one int64."""
        if isinstance(size, int):
            return self.ints(size)
        place = self._place_of(size)
        found = place._sizes.get(size)
        if found is None:
            scope, place.scope = place.scope, ""
            found = place._sizes[size] = place._computed(size)
            place.scope = scope
        return found

    def _place_of(self, size: SizeExpr) -> Body:
        """The graph that knows a size: this one or one around it. Its own inputs are asked first:
        some runtimes let graphs of loops see no more than arrays of the file around them."""
        names = symbols_in(size)
        place: Body = self
        while place.parent is not None and not names <= place._symbols.keys():
            place = place.parent
        return place

    def scalar(self, size: Size, dtype: str = "int64") -> str:
        """A size as a number without axes."""
        if isinstance(size, int):
            return self.constant(np.asarray(size, dtype))
        found = self.add("Squeeze", [self.size(size), self.ints(0)])
        return found if dtype == "int64" else self.cast(found, dtype)

    def sizes(self, shape: Sequence[Size]) -> str:
        """A shape as a vector of int64."""
        parts: list[str] = []
        known: list[int] = []
        for size in (*shape, None):
            if isinstance(size, int):
                known.append(size)
                continue
            if known:
                parts.append(self.ints(*known))
                known = []
            if size is not None:
                parts.append(self.size(size))
        if not parts:
            return self.ints()
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=0)

    def reshape(self, tensor: str, shape: Sequence[Size], before: Sequence[Size] = ()) -> str:
        """A tensor in another shape, given the one it has: sizes that stay are not computed, and
        the one that is left follows from the others."""
        if 0 in shape or 0 in before:
            sizes = self.sizes(shape)
            return self.add("Reshape", [tensor, sizes], allowzero=1 if self.opset >= 14 else None)
        stays = [i < len(before) and before[i] == size for i, size in enumerate(shape)]
        found = [
            size if isinstance(size, int) else 0 if stay else None
            for size, stay in zip(shape, stays)
        ]
        unknown = [i for i, size in enumerate(found) if size is None]
        if len(unknown) <= 1:
            return self.add(
                "Reshape", [tensor, self.ints(*(-1 if size is None else size for size in found))]
            )
        # A name stays a name: 0 says "as it was", the first that is left is told by the rest.
        parts: list[Size] = [
            -1 if i == unknown[0] else shape[i] if size is None else size
            for i, size in enumerate(found)
        ]
        return self.add("Reshape", [tensor, self.sizes(parts)])

    def _computed(self, size: SizeExpr) -> str:
        name = str(size)
        if name in self._symbols:
            axis = self._symbols[name]
            whole = self._axis(axis.input, axis.axis)
            if axis.multiple == 1:
                return whole
            return self.add("Div", [whole, self.ints(axis.multiple)])
        return computed(
            size,
            self.ints,
            self._factor,
            lambda a, b: self.add("Mul", [a, b]),
            lambda a, b: self.add("Add", [a, b]),
        )

    def _factor(self, factor: Factor) -> str:
        if isinstance(factor, str):
            return self.size(SizeExpr({(factor,): 1}))
        return self._function(*factor)

    def _function(self, name: str, left: Size, right: Size) -> str:
        a, b = self.size(left), self.size(right)
        if name in ("max", "min"):
            return self.add(name.capitalize(), [a, b])
        if name == "mod":
            return self.add("Mod", [a, b])
        if isinstance(left, SizeExpr) and any(c < 0 for c in left.terms.values()):
            a = self.add("Sub", [a, self.add("Mod", [a, b])])  # Div goes towards zero
        return self.add("Div", [a, b])

    def _axis(self, value: Value, axis: int) -> str:
        order, tensor = next(iter(self.orders(value).items()), ((), ""))
        if not tensor:
            tensor, order = self.tensor(value), tuple(range(len(value.shape)))
        at = order.index(axis)
        if self.opset >= 15:
            return self.add("Shape", [tensor], start=at, end=at + 1)
        return self.add("Gather", [self.add("Shape", [tensor]), self.ints(at)], axis=0)

    # --- graphs within ----------------------------------------------------------------------------

    def inner(self, name: str) -> Body:
        """A graph of control flow, which sees what this one has made."""
        return Body(self.shared, name, self, self.scope)


def graphs_within(body: Body) -> Iterator[Body]:
    """The graphs of a graph's control flow, and those within these."""
    for made in body.nodes:
        for value in made.attributes.values():
            if isinstance(value, Body):
                yield value
                yield from graphs_within(value)


def _without_front(sizes: tuple[Size, ...]) -> tuple[Size, ...]:
    """Sizes without those of 1 in front."""
    while sizes and sizes[0] == 1:
        sizes = sizes[1:]
    return sizes


def inverse(order: Iterable[int]) -> Order:
    """The order that undoes one."""
    order = tuple(order)
    return tuple(order.index(axis) for axis in range(len(order)))


__all__ = [
    "Array",
    "Body",
    "Drafts",
    "Made",
    "Order",
    "Placed",
    "Stored",
    "dtype_of",
    "graphs_within",
    "inverse",
    "rank_of",
    "value_of",
]
