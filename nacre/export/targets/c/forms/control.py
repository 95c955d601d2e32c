"""Control flow: each graph is a function of its own; states are kept where the results lie."""

from __future__ import annotations

from collections.abc import Sequence

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.c.forms._form import form, given
from nacre.export.targets.c.types import SIZE, count, part
from nacre.export.targets.c.unit import Body


def call(make: Body, function: str, arguments: Sequence[str]) -> None:
    """Call the function of a graph."""
    given_ = [*arguments, *make.unit.symbols, make.memory_of(function)]
    make.line(f"{function}({', '.join(given_)});")


@form("while")
def _while(make: Body, node: Node) -> None:
    constants = node.attributes["constants"]
    fixed = [make.of(v) for v in node.inputs[:constants] if v is not None]
    state = [make.of(v) for v in node.outputs]
    for value, first in zip(node.outputs, node.inputs[constants:]):
        assert first is not None
        make.copy(make.of(value), make.of(first), value.dtype, value.shape)
    condition = make.unit.function(node.graphs["condition"])
    body = make.unit.function(node.graphs["body"])
    with make.block("for (;;)"):
        make.line("uint8_t more = 0;")
        call(make, condition, [*fixed, *state, "&more"])
        make.line("if (!more) break;")
        call(make, body, [*fixed, *state, *state])


@form("scan")
def _scan(make: Body, node: Node) -> None:
    a = node.attributes
    first = a["constants"] + a["carries"]
    fixed = [make.of(v) for v in node.inputs[: a["constants"]] if v is not None]
    carried, collected = node.outputs[: a["carries"]], node.outputs[a["carries"] :]
    state = [make.of(v) for v in carried]
    for value, start in zip(carried, node.inputs[a["constants"] : first]):
        assert start is not None
        make.copy(make.of(value), make.of(start), value.dtype, value.shape)
    body, length = make.unit.function(node.graphs["body"]), part(a["length"])
    with make.block(f"for ({SIZE} step = 0; step < {length}; ++step)"):
        make.line(f"const {SIZE} t = {f'{length} - 1 - step' if a['reverse'] else 'step'};")
        sequences = [_step(make, v) for v in node.inputs[first:] if v is not None]
        call(make, body, [*fixed, *state, *sequences, *state, *(_step(make, v) for v in collected)])


def _step(make: Body, value: Value) -> str:
    """One step of a sequence."""
    return f"{make.of(value)} + t * ({count(value.shape[1:])})"


@form("switch")
def _switch(make: Body, node: Node) -> None:
    operands = [make.of(v) for v in node.inputs[1:] if v is not None]
    results = [make.of(v) for v in node.outputs]
    names = [f"branch_{i}" for i in range(len(node.graphs))]
    with make.block(f"switch (clip_n({make.of(given(node, 0))}[0], 0, {len(names) - 1}))"):
        for place, name in enumerate(names):
            function = make.unit.function(node.graphs[name])
            make.line(f"case {place}:" if place < len(names) - 1 else "default:")
            call(make, function, [*operands, *results])
            make.line("break;")
