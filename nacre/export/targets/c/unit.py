"""A C file in the making: what stands in it once, and one function for each graph.

`Unit` has the constants and the small functions that others call, each written where it is first
asked for. `Body` writes the function of a graph: forms (in `forms/`) add lines to it, and ask it
for loops, elements and memory.

Memory lies in one block that the caller gives. A value has a slot from the node that makes it to
the last that reads it; slots are used again for values of the same type, and are as large as the
largest of them. Since sizes may be named, where slots begin is worked out when the function is
called, by a function `..._plan` of the sizes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import Size, size_value, symbols_in
from nacre.export.targets.c import helpers
from nacre.export.targets.c.types import SIZE, TYPES, count, name_of, number, part, size

_A_LINE = 8  # numbers of an array in a line
_USUAL = 4  # what a named size is taken for where slots are compared


@dataclass(eq=False)
class Slot:
    """A piece of the caller's memory.

    Attributes:
        type: Of all values that lie there.
        sizes: Of each in bytes, as C says it, and about how large that is.
    """

    type: str
    sizes: dict[str, int] = field(default_factory=dict)
    is_free: bool = False

    def usual(self) -> int:
        """About how large it is."""
        return max(self.sizes.values(), default=0)


class Unit:
    """What the file holds besides the functions of graphs.

    Args:
        prefix: Of all names that other files see.
        symbols: The named sizes, which every function is given.
    """

    def __init__(self, prefix: str, symbols: Sequence[str]) -> None:
        self.prefix = prefix
        self.symbols = [name_of(symbol) for symbol in symbols]
        self.constants: list[str] = []
        self.functions: list[str] = []
        self._helpers: dict[str, str] = {}
        self._count = 0

    def helper(self, name: str, dtype: str = "") -> str:
        """A small function by name, for a dtype; gives what it is called."""
        own = f"{name}_{TYPES[dtype][1]}" if dtype else name
        if own not in self._helpers:
            for needed in helpers.needs(name):
                self.helper(needed, dtype)
            self._helpers[own] = helpers.source(name, own, dtype)
        return own

    def array(self, data: np.ndarray[Any, Any], name: str = "") -> str:
        """An array of numbers that stands in the file; gives its name."""
        self._count += 1
        own = f"k{self._count}" + (f"_{name_of(name)}" if name else "")
        self.constants.append(array_text(own, data))
        return own

    def function(self, graph: Graph) -> str:
        """The function of a graph of control flow; gives its name."""
        self._count += 1
        name = f"{self.prefix}_{name_of(graph.name)}_{self._count}"
        Body(self, graph, name).write()
        return name

    def text(self) -> str:
        """All of it, what is needed first in front."""
        used = helpers.of_sizes(*self.functions)
        parts = [*used, *self._helpers.values(), *self.constants, *self.functions]
        return "\n\n".join(parts)


def array_text(name: str, data: np.ndarray[Any, Any]) -> str:
    """An array as C."""
    dtype = data.dtype.name
    numbers = [number(value, dtype) for value in data.ravel().tolist()] or ["0"]
    lines = [", ".join(numbers[i : i + _A_LINE]) for i in range(0, len(numbers), _A_LINE)]
    inner = ",\n    ".join(lines)
    return f"static const {TYPES[dtype][0]} {name}[{len(numbers)}] = {{\n    {inner}}};"


class Body:
    """The function of a graph in the making.

    Args:
        unit: The file.
        graph: The graph.
        name: The function's.
        weights: How the weights are called, by value.
    """

    def __init__(
        self, unit: Unit, graph: Graph, name: str, weights: dict[Value, str] | None = None
    ) -> None:
        self.unit, self.graph, self.name = unit, graph, name
        self.lines: list[str] = []
        self.slots: list[Slot] = []
        self._depth = 1
        self._pointers: dict[Value, str] = dict(weights or {})
        self._root = _roots(graph)
        self._last = _last_uses(graph, self._root)
        self._slot: dict[Value, Slot] = {}
        self._scratch: list[Slot] = []
        self._loops = 0

    # --- lines ------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """A line, or several."""
        self.lines += [f"{'    ' * self._depth}{line}" for line in text.split("\n")]

    @contextlib.contextmanager
    def block(self, head: str = "") -> Iterator[None]:
        """Lines within braces."""
        self.line(f"{head} {{".lstrip())
        self._depth += 1
        yield
        self._depth -= 1
        self.line("}")

    @contextlib.contextmanager
    def loop(self, limit: str | Size, name: str = "") -> Iterator[str]:
        """A loop from 0; gives its index, '0' where it has one pass only."""
        if limit == 1:
            yield "0"
            return
        if not name:
            self._loops += 1
            name = f"i{self._loops}"
        bound = limit if isinstance(limit, str) else size(limit)
        with self.block(f"for ({SIZE} {name} = 0; {name} < {bound}; ++{name})"):
            yield name

    @contextlib.contextmanager
    def loops(self, shape: Sequence[Size]) -> Iterator[list[str]]:
        """A loop for each axis; gives the indices."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.loop(n)) for n in shape]

    # --- values -----------------------------------------------------------------------------------

    def of(self, value: Value) -> str:
        """The pointer to a value."""
        return self._pointers[value]

    def type(self, value: Value) -> str:
        """The type of its elements."""
        return TYPES[value.dtype][0]

    def at(self, value: Value, indices: Sequence[str]) -> str:
        """An element."""
        return f"{self.of(value)}[{flat(value.shape, indices)}]"

    def spread(self, value: Value, indices: Sequence[str]) -> str:
        """The element of a value that is broadcast which is at these indices of the result."""
        last = indices[len(indices) - len(value.shape) :]
        return self.at(value, ["0" if n == 1 else i for n, i in zip(value.shape, last)])

    def bind(self, value: Value, pointer: str) -> None:
        """Let a value be what has this name already."""
        self._pointers[value] = pointer

    def scratch(self, dtype: str, shape: Sequence[Size]) -> str:
        """Memory for as long as the node runs."""
        slot = self._take(dtype, shape)
        self._scratch.append(slot)
        return f"(({TYPES[dtype][0]} *)(void *)(base + o[{self.slots.index(slot)}]))"

    def memory_of(self, function: str) -> str:
        """Memory for the function of another graph, for as long as the node runs."""
        slot = self._free_slot("char", 0)
        sizes = ", ".join([*self.unit.symbols, "NULL"])
        slot.sizes.setdefault(f"{function}_plan({sizes})", 0)
        self._scratch.append(slot)
        return f"(base + o[{self.slots.index(slot)}])"

    def helper(self, name: str, dtype: str = "") -> str:
        """A small function; see `Unit.helper`."""
        return self.unit.helper(name, dtype)

    def copy(self, to: str, of: str, dtype: str, shape: Sequence[Size]) -> None:
        """Copy elements."""
        n = count(shape)
        if n != "0":
            self.line(f"memcpy({to}, {of}, (size_t)({n}) * sizeof({TYPES[dtype][0]}));")

    # --- the whole --------------------------------------------------------------------------------

    def write(self, takes_weights: bool = False) -> None:
        """Write the function into the file.

        Args:
            takes_weights: Whether it is given where the weights are.
        """
        from nacre.export.targets.c.forms import FORMS

        graph = self.graph
        self._depth = 1
        for i, value in enumerate(graph.inputs):
            self._pointers[value] = f"in{i}"
        for place, node in enumerate(graph.nodes):
            self._node(place, node, FORMS.by_op[node.op])
        self._finish()
        parameters = [f"const {self.type(v)} *in{i}" for i, v in enumerate(graph.inputs)]
        parameters += [f"{self.type(o.value)} *out{i}" for i, o in enumerate(graph.outputs)]
        sizes = [f"{SIZE} {symbol}" for symbol in self.unit.symbols]
        sizes += ["const char *weights"] if takes_weights else []
        lines = [f"static void {self.name}({', '.join([*parameters, *sizes, 'char *base'])})", "{"]
        unused = [f"in{i}" for i in range(len(graph.inputs))]
        unused += [*self.unit.symbols, "base", *(["weights"] if takes_weights else [])]
        if self.slots:
            plan = [*self.unit.symbols, "o"]
            lines.append(f"    {SIZE} o[{len(self.slots)}];")
            lines.append(f"    (void){self.name}_plan({', '.join(plan)});")
        lines += [f"    (void){name};" for name in unused]
        self.unit.functions.append(self._plan())
        self.unit.functions.append("\n".join([*lines, *self.lines, "}"]))

    def _node(self, place: int, node: Node, form: Any) -> None:
        made = ", ".join(v.name for v in node.outputs)
        layer = f" of {node.layer}" if node.layer else ""
        for value in node.outputs:
            if node.op not in ("constant", "reshape"):
                self._declare(value, self._slot_of_input(place, node))
        if node.op != "constant":
            self.line(comment(f"{made}: {node.op}{layer}"))
        if node.op in ("constant", "reshape"):
            form(self, node)
        else:
            with self.block():
                form(self, node)
        for slot in self._scratch:
            slot.is_free = True
        self._scratch.clear()
        values = [*(v for v in node.inputs if v is not None), *node.outputs]
        for root in {self._root.get(v, v) for v in values}:
            if self._last.get(root, -1) <= place and root in self._slot:
                self._slot.pop(root).is_free = True

    def _slot_of_input(self, place: int, node: Node) -> Slot | None:
        """The slot of the input, where each element may be put in the place of the one it is made
        of: nothing after reads it."""
        value = node.inputs[0] if node.inputs else None
        if value is None or not OPSET[node.op].is_elementwise or node.op == "bitcast":
            return None
        root = self._root.get(value, value)
        is_last = self._last.get(root, -1) <= place and value.dtype == node.outputs[0].dtype
        return self._slot.pop(root, None) if is_last else None

    def _declare(self, value: Value, slot: Slot | None = None) -> None:
        slot = slot or self._take(value.dtype, value.shape)
        self._slot[value] = slot
        name = f"v{len(self._pointers)}"
        type_ = self.type(value)
        at = self.slots.index(slot)
        self.line(f"{type_} *const {name} = ({type_} *)(void *)(base + o[{at}]);")
        self._pointers[value] = name

    def _take(self, dtype: str, shape: Sequence[Size]) -> Slot:
        """A slot for so many elements."""
        total: Size = np.dtype(dtype).itemsize
        for n in shape:
            total = total * n
        usual = size_value(total, dict.fromkeys(symbols_in(total), _USUAL))
        slot = self._free_slot(TYPES[dtype][0], usual)
        slot.sizes.setdefault(size(total), usual)
        return slot

    def _free_slot(self, type_: str, usual: int) -> Slot:
        """A free slot of the size nearest to a wanted one, larger ones first; or a new one."""
        free = [slot for slot in self.slots if slot.is_free and slot.type == type_]
        if free:
            slot = min(free, key=lambda s: (s.usual() < usual, abs(s.usual() - usual)))
        else:
            slot = Slot(type_)
            self.slots.append(slot)
        slot.is_free = False
        return slot

    def _finish(self) -> None:
        """Hand out the results; what the caller gave is first copied, since results may go to
        where that is."""
        given = set(self.graph.inputs)
        pointers: list[str] = []
        for _, value in self.graph.outputs:
            pointer = self.of(value)
            if self._root.get(value, value) in given:
                pointer = self.scratch(value.dtype, value.shape)
                self.copy(pointer, self.of(value), value.dtype, value.shape)
            pointers.append(pointer)
        for i, (pointer, (_, value)) in enumerate(zip(pointers, self.graph.outputs)):
            self.copy(f"out{i}", pointer, value.dtype, value.shape)

    def _plan(self) -> str:
        """The function that says where slots begin, and how many bytes there are in all."""
        parameters = [f"{SIZE} {symbol}" for symbol in self.unit.symbols]
        head = f"static {SIZE} {self.name}_plan({', '.join([*parameters, f'{SIZE} *o'])})"
        lines = [head, "{", f"    {SIZE} bytes = 0;"]
        lines += [f"    (void){symbol};" for symbol in self.unit.symbols]
        if not self.slots:
            lines.append("    (void)o;")
        for i, slot in enumerate(self.slots):
            lines.append(f"    if (o) o[{i}] = bytes;")
            lines.append(f"    bytes += (({_largest(list(slot.sizes))}) + 15) / 16 * 16;")
        return "\n".join([*lines, "    return bytes;", "}"])


def comment(text: str) -> str:
    """A comment, whatever is in it."""
    return f"/* {text.replace('*/', '* /')} */"


def flat(shape: Sequence[Size], indices: Sequence[str]) -> str:
    """The place of an element among all of them."""
    text = ""
    for n, index in zip(shape, indices, strict=True):
        if text and text != "0":
            inner = text if text.isidentifier() or text.isdigit() else f"({text})"
            scaled = f"{inner} * {part(n)}" if n != 1 else text
            text = scaled if index == "0" else f"{scaled} + {index}"
        else:
            text = index
    return text or "0"


def _roots(graph: Graph) -> dict[Value, Value]:
    """The value whose memory a value is in, where that is not its own."""
    found: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op == "reshape" and node.inputs[0] is not None:
            found[node.outputs[0]] = found.get(node.inputs[0], node.inputs[0])
    return found


def _last_uses(graph: Graph, roots: dict[Value, Value]) -> dict[Value, int]:
    """The place of the last node that reads each value; results are read at the end."""
    found: dict[Value, int] = {}
    for place, node in enumerate(graph.nodes):
        for value in node.inputs:
            if value is not None:
                found[roots.get(value, value)] = place
    for _, value in graph.outputs:
        found[roots.get(value, value)] = len(graph.nodes)
    return found


def _largest(texts: Sequence[str]) -> str:
    text = texts[0]
    for other in texts[1:]:
        text = f"max_n({text}, {other})"
    return text
