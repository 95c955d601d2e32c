"""One function of a TensorFlow graph in the making: its nodes, their names, sizes as tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from nacre.core.names import with_underscores
from nacre.core.wire.tensorflow.dtypes import number_of
from nacre.core.wire.tensorflow.graph import (
    ArgAttrs,
    ArgDef,
    AttrList,
    AttrValue,
    FunctionDef,
    NameAttrList,
    NodeDef,
    OpDef,
    TensorShapeProto,
)
from nacre.core.wire.tensorflow.tensors import shape_message, to_message
from nacre.export.graph.ir import Axis, Graph
from nacre.export.graph.sizes import Factor, Size, SizeExpr, computed
from nacre.export.targets.graphdef.results import RESULTS, STATEFUL


class Kind(NamedTuple):
    """A dtype as an attribute."""

    dtype: str


class Kinds(NamedTuple):
    """A list of dtypes as an attribute."""

    dtypes: tuple[str, ...]


class Shape(NamedTuple):
    """A shape as an attribute."""

    sizes: tuple[int | None, ...] | None


class Shapes(NamedTuple):
    """A list of shapes as an attribute."""

    shapes: tuple[tuple[int | None, ...] | None, ...] = ()


class Callee(NamedTuple):
    """Another function as an attribute."""

    name: str


class Callees(NamedTuple):
    """A list of functions as an attribute."""

    names: tuple[str, ...]


Attribute: TypeAlias = (
    "bool | int | float | str | tuple[int, ...] | tuple[str, ...] | np.ndarray | "
    "Kind | Kinds | Shape | Shapes | Callee | Callees"
)


def attribute(value: Attribute) -> AttrValue:
    """An attribute as a message."""
    match value:
        case bool():
            return AttrValue(b=value)
        case int():
            return AttrValue(i=value)
        case float():
            return AttrValue(f=value)
        case str():
            return AttrValue(s=value.encode())
        case Kind():
            return AttrValue(type=number_of(value.dtype))
        case Kinds():
            return AttrValue(list=AttrList(type=[number_of(d) for d in value.dtypes]))
        case Shape():
            return AttrValue(shape=shape_message(value.sizes))
        case Shapes():
            return AttrValue(list=AttrList(shape=[shape_message(s) for s in value.shapes]))
        case Callee():
            return AttrValue(func=NameAttrList(name=value.name))
        case Callees():
            return AttrValue(list=AttrList(func=[NameAttrList(name=n) for n in value.names]))
        case np.ndarray():  # before tuples: from NumPy 2.5 on it matches patterns of sequences
            return AttrValue(tensor=to_message(value))
        case (str(), *_):
            return AttrValue(list=AttrList(s=[str(text).encode() for text in value]))
        case tuple():
            return AttrValue(list=AttrList(i=[int(number) for number in value]))
        case _:
            return AttrValue(tensor=to_message(value))


def texts_of(texts: Sequence[str]) -> np.ndarray:
    """An array (texts,) of strings as `bytes`."""
    found = np.empty(len(texts), object)
    found[:] = [text.encode() for text in texts]
    return found


def known_shape(shape: Sequence[Size]) -> tuple[int | None, ...]:
    """A shape with None for sizes that are known only when the graph runs."""
    return tuple(size if isinstance(size, int) else None for size in shape)


class Body:
    """A function: arguments, nodes, results. Tensors are named as nodes of functions name them.

    Args:
        name: The function's, its own within the whole file.
        library: Where functions that nodes of this one call are added.
        forms: The forms of ops, where they are not TensorFlow's.
    """

    def __init__(
        self,
        name: str,
        library: list[FunctionDef],
        forms: Mapping[str, Callable[..., str | Sequence[str]]] | None = None,
    ) -> None:
        self.name = name
        self.library = library
        self.forms = forms
        self._arguments: list[ArgDef] = []
        self._argument_attributes: dict[int, ArgAttrs] = {}
        self._nodes: list[NodeDef] = []
        self._names: set[str] = set()
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._symbols: dict[str, Axis] = {}
        self._tensors: dict[object, str] = {}
        self._sizes: dict[Size, str] = {}
        self._shapes: dict[str, str] = {}
        self._is_stateful = False
        self._effects: list[str] = []
        self.scope = ""

    def inner(self, name: str) -> Body:
        """A function that nodes of this one call, which is not yet in the library."""
        own = f"{self.name}_{name}_{len(self.library)}"
        return Body(own, self.library, self.forms)

    # --- arguments and results --------------------------------------------------------------------

    def argument(self, name: str, dtype: str, shape: Sequence[int | None] | None = None) -> str:
        """A further argument."""
        own = self._own(_argument_name(name))
        place = len(self._arguments)
        self._arguments.append(ArgDef(name=own, type=number_of(dtype)))
        if dtype != "resource":
            shapes: TensorShapeProto = shape_message(shape)
            self._argument_attributes[place] = ArgAttrs(
                attr={
                    "_output_shapes": AttrValue(list=AttrList(shape=[shapes])),
                    "_user_specified_name": AttrValue(s=name.encode()),
                }
            )
        else:
            self._argument_attributes[place] = ArgAttrs(
                attr={"_user_specified_name": AttrValue(s=b"resource")}
            )
        return own

    @property
    def is_stateful(self) -> bool:
        """Whether it reads or changes something, or draws numbers."""
        return self._is_stateful

    def use_sizes_of(self, graph: Graph, tensors: Mapping[object, str]) -> None:
        """Let named sizes be those of the inputs of a graph, whose tensors are given."""
        self._symbols = graph.symbols()
        self._tensors = dict(tensors)

    def run_before_return(self, node: str) -> None:
        """Have a node run, though no result depends on it."""
        self._effects.append(node.split(":")[0])
        self._is_stateful = True

    def finish(self, results: Sequence[tuple[str, str, str]]) -> FunctionDef:
        """The function.

        Args:
            results: Name, tensor and dtype of each.
        """
        own: dict[str, str] = {}
        outputs: list[ArgDef] = []
        taken: set[str] = set()
        waits = [f"^{name}" for name in dict.fromkeys(self._effects)]
        self.scope = ""
        for name, tensor, dtype in results:
            unique = name = _argument_name(name)
            while unique in taken:
                unique = f"{name}_{len(taken)}"
            taken.add(unique)
            outputs.append(ArgDef(name=unique, type=number_of(dtype)))
            own[unique] = self.add("Identity", [tensor, *waits], T=Kind(dtype))
        signature = OpDef(name=self.name, input_arg=self._arguments, output_arg=outputs)
        if self._is_stateful:
            signature.is_stateful = True
        controls = {name: name for name in dict.fromkeys(self._effects)}
        if controls:
            signature.control_output = list(controls)
        return FunctionDef(
            signature=signature,
            node_def=self._nodes,
            ret=own,
            control_ret=controls,
            arg_attr=self._argument_attributes,
        )

    # --- nodes ------------------------------------------------------------------------------------

    def add(self, op: str, inputs: Sequence[str] = (), /, **attributes: Attribute) -> str:
        """A further node of one result; returns its tensor."""
        return self.add_all(op, inputs, 1, **attributes)[0]

    def add_all(
        self, op: str, inputs: Sequence[str], results: int, /, **attributes: Attribute
    ) -> tuple[str, ...]:
        """A further node; returns its tensors.

        Args:
            results: How many there are, where the op takes and gives any number.
        """
        name = self._append(op, inputs, attributes)
        names = RESULTS[op]
        if len(names) == 1:
            return tuple(f"{name}:{names[0]}:{index}" for index in range(results))
        return tuple(f"{name}:{result}:0" for result in names)

    def effect(self, op: str, inputs: Sequence[str], /, **attributes: Attribute) -> str:
        """A further node without results; returns its name."""
        return self._append(op, inputs, attributes)

    def _append(self, op: str, inputs: Sequence[str], attributes: Mapping[str, Attribute]) -> str:
        name = self._own(f"{self.scope}/{op}" if self.scope else op)
        self._is_stateful |= op in STATEFUL
        attr = {key: attribute(value) for key, value in attributes.items()}
        self._nodes.append(NodeDef(name=name, op=op, input=list(inputs), attr=attr))
        return name

    def constant(self, value: object, dtype: str | None = None) -> str:
        """An array in the graph, once for all nodes that use the same."""
        array = np.asarray(value, dtype)
        kind = "string" if array.dtype.kind in "OSU" else array.dtype.name
        if kind == "string":
            return self.add("Const", dtype=Kind(kind), value=array)
        key = (kind, array.shape, array.tobytes())
        found = self._constants.get(key)
        if found is None:
            found = self._constants[key] = self.add("Const", dtype=Kind(kind), value=array)
        return found

    def ints(self, *values: int) -> str:
        """A vector of int32."""
        return self.constant(np.asarray(values, "int32"))

    def like(self, value: float, dtype: str) -> str:
        """A number of a dtype."""
        return self.constant(np.asarray(value, dtype))

    # --- sizes ------------------------------------------------------------------------------------

    def sizes(self, shape: Sequence[Size]) -> str:
        """A shape as a vector of int32."""
        if all(isinstance(size, int) for size in shape):
            return self.constant(np.asarray(shape, "int32"))
        parts = [self.size(size) for size in shape]
        return self.add("Pack", parts, N=len(parts), T=Kind("int32"), axis=0)

    def flexible_sizes(self, shape: Sequence[Size]) -> str:
        """A shape to reshape to: -1 stands for its one size that is not known."""
        unknown = [index for index, size in enumerate(shape) if not isinstance(size, int)]
        if len(unknown) == 1 and 0 not in shape:
            return self.ints(*(size if isinstance(size, int) else -1 for size in shape))
        return self.sizes(shape)

    def size(self, size: Size) -> str:
        """A size as a number, int32."""
        if isinstance(size, int):
            return self.constant(np.int32(size))
        found = self._sizes.get(size)
        if found is None:
            scope, self.scope = self.scope, ""
            found = self._sizes[size] = self._computed(size)
            self.scope = scope
        return found

    def know_size(self, size: SizeExpr, tensor: str, dtype: str, axis: int) -> None:
        """Let a size that begins with a result be that of its axis."""
        self._sizes[size] = self._axis(tensor, dtype, axis)

    def _computed(self, size: SizeExpr) -> str:
        name = str(size)
        if name in self._symbols:
            axis = self._symbols[name]
            whole = self._axis(self._tensors[axis.input], axis.input.dtype, axis.axis)
            if axis.multiple == 1:
                return whole
            return self._whole("FloorDiv", whole, self.constant(np.int32(axis.multiple)))
        return computed(
            size,
            lambda number: self.constant(np.int32(number)),
            self._factor,
            lambda a, b: self._whole("Mul", a, b),
            lambda a, b: self._whole("AddV2", a, b),
        )

    def _factor(self, factor: Factor) -> str:
        if isinstance(factor, str):
            return self.size(SizeExpr({(factor,): 1}))
        return self._function(*factor)

    def _function(self, name: str, left: Size, right: Size) -> str:
        op = {"floordiv": "FloorDiv", "max": "Maximum", "min": "Minimum", "mod": "FloorMod"}[name]
        return self._whole(op, self.size(left), self.size(right))

    def _whole(self, op: str, left: str, right: str) -> str:
        return self.add(op, [left, right], T=Kind("int32"))

    def _axis(self, tensor: str, dtype: str, axis: int) -> str:
        shape = self._shapes.get(tensor)
        if shape is None:
            shape = self._shapes[tensor] = self.add(
                "Shape", [tensor], T=Kind(dtype), out_type=Kind("int32")
            )
        begin, end, one = self.ints(axis), self.ints(axis + 1), self.ints(1)
        return self.add(
            "StridedSlice",
            [shape, begin, end, one],
            T=Kind("int32"),
            Index=Kind("int32"),
            begin_mask=0,
            end_mask=0,
            ellipsis_mask=0,
            new_axis_mask=0,
            shrink_axis_mask=1,
        )

    def _own(self, name: str) -> str:
        """A name that no other node or argument of this function has."""
        return own_name(name, self._names)


def own_name(name: str, taken: set[str]) -> str:
    """A name that a node may have, and that no other has: it is added to those that are taken."""
    name = _node_name(name)
    unique, count = name, 0
    while unique.lower() in taken:  # TensorFlow compares some without their case
        count += 1
        unique = f"{name}_{count}"
    taken.add(unique.lower())
    return unique


def _node_name(name: str) -> str:
    """A name that a node may have: letters, digits and `_./-`, a letter or digit first."""
    kept = with_underscores(name, "./-")
    return kept if kept[:1].isalnum() else f"x{kept}"


def _argument_name(name: str) -> str:
    """A name that a result may have: small letters, digits and `_`, a letter first."""
    kept = with_underscores(name.lower())
    return kept if kept[:1].isalpha() else f"result_{kept}"


__all__ = [
    "Attribute",
    "Body",
    "Callee",
    "Callees",
    "Kind",
    "Kinds",
    "Shape",
    "Shapes",
    "attribute",
    "known_shape",
    "own_name",
    "texts_of",
]
