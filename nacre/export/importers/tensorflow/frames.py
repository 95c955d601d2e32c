"""Loops of TensorFlow 1, which are nodes among the others of a graph, as `While` with functions.

    Enter(x) ──► Merge ──► Switch ──false──► Exit
                  ▲  └──► cond ──► LoopCond ──► (every Switch of the loop)
                  └── NextIteration ◄── body ◄── true

A loop is what the `Enter` of one `frame_name` lead into. Its values are those of its `Merge`; an
`Enter` that no `Merge` takes brings in what stays the same. Of loops within loops the inner ones
are made first, and are then nodes of the outer one's body.

Source: tensorflow/core/ops/control_flow_ops.cc; "Implementation of Control Flow in TensorFlow"
(2017), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from nacre.core.wire.tensorflow.graph import (
    ArgDef,
    AttrList,
    AttrValue,
    FunctionDef,
    FunctionDefLibrary,
    GraphDef,
    NameAttrList,
    NodeDef,
    OpDef,
)
from nacre.export.importers.tensorflow.values import GraphError

_ENTERS, _MERGES = ("Enter", "RefEnter"), ("Merge", "RefMerge")
_NEXT, _EXITS = ("NextIteration", "RefNextIteration"), ("Exit", "RefExit")
_SWITCHES = ("Switch", "RefSwitch")


@dataclass
class _Value:
    """One that changes from turn to turn: the nodes it passes."""

    enter: NodeDef
    merge: NodeDef
    next: NodeDef
    switch: NodeDef | None = None


@dataclass
class _Frame:
    """A loop.

    Attributes:
        condition: What its `LoopCond` is given.
        constants: `Enter` of what stays the same.
    """

    name: str
    values: list[_Value] = field(default_factory=list)
    constants: list[NodeDef] = field(default_factory=list)
    condition: str = ""
    loop_condition: str = ""


def with_functions(graph: GraphDef) -> GraphDef:
    """The graph with its loops as `While`; itself where it has none.

    Raises:
        GraphError: A loop is not whole.
    """
    if not any(node.op in _ENTERS for node in graph.node):
        return graph
    nodes = {node.name: node for node in graph.node}
    made: list[FunctionDef] = []
    waiting = _frames(nodes)
    while waiting:
        ready = [found for frame in waiting if (found := _region(frame, nodes)) is not None]
        if not ready:
            raise GraphError(f"loops that lead into one another: {[f.name for f in waiting]}")
        for frame, region in ready:
            _convert(frame, region, nodes, made)
        done = {frame.name for frame, _ in ready}
        waiting = [frame for frame in waiting if frame.name not in done]
    known = graph.library or FunctionDefLibrary()
    library = FunctionDefLibrary(
        function=[*known.function, *made],
        gradient=known.gradient,
        registered_gradients=known.registered_gradients,
    )
    return GraphDef(node=list(nodes.values()), versions=graph.versions, library=library)


def _frames(nodes: dict[str, NodeDef]) -> list[_Frame]:
    frames: dict[str, _Frame] = {}
    enters: dict[str, tuple[_Frame, NodeDef]] = {}
    for node in nodes.values():
        if node.op in _ENTERS:
            told = node.attr.get("frame_name")
            name = (told.s or b"").decode("utf-8", "replace") if told is not None else ""
            frame = frames.setdefault(name, _Frame(name))
            enters[node.name] = frame, node
    merged: set[str] = set()
    by_merge: dict[str, tuple[_Frame, _Value]] = {}
    for node in nodes.values():
        if node.op not in _MERGES:
            continue
        given = [nodes.get(_of(text)) for text in _data(node)]
        first = next((n for n in given if n is not None and n.name in enters), None)
        back = next((n for n in given if n is not None and n.op in _NEXT), None)
        if first is None or back is None:
            continue  # of a branch
        frame, enter = enters[first.name]
        value = _Value(enter, node, back)
        frame.values.append(value)
        merged.add(enter.name)
        by_merge[node.name] = frame, value
    for node in nodes.values():
        if node.op in _SWITCHES and len(_data(node)) == 2:
            of, condition = (_of(text) for text in _data(node))
            if of in by_merge:
                frame, value = by_merge[of]
                value.switch, frame.loop_condition = node, condition
    for frame, enter in enters.values():
        if enter.name not in merged:
            frame.constants.append(enter)
    for frame in frames.values():
        ends = nodes.get(frame.loop_condition)
        if ends is None or ends.op != "LoopCond":
            raise GraphError(f"the loop '{frame.name}' has no condition")
        frame.condition = _given(ends)
    return list(frames.values())


def _of(text: str) -> str:
    return text.lstrip("^").split(":")[0]


def _data(node: NodeDef) -> list[str]:
    """Its inputs without what only has to run before."""
    return [text for text in node.input if not text.startswith("^")]


def _given(node: NodeDef) -> str:
    """The one tensor it takes."""
    found = _data(node)
    if len(found) != 1:
        raise GraphError(f"'{node.name}' ({node.op}) takes {len(found)} tensors, not one")
    return found[0]


def _structure(frame: _Frame) -> Iterator[tuple[str, int]]:
    """(node, argument of the functions it stands for), -1 for one that gives no value."""
    for index, value in enumerate(frame.values):
        yield value.merge.name, index
        if value.switch is not None:
            yield value.switch.name, index
        yield value.enter.name, -1
        yield value.next.name, -1
    for index, enter in enumerate(frame.constants):
        yield enter.name, len(frame.values) + index
    yield frame.loop_condition, -1


def _region(frame: _Frame, nodes: dict[str, NodeDef]) -> tuple[_Frame, list[str]] | None:
    """The nodes within a loop; None while there is another loop among them."""
    ends = {name for name, _ in _structure(frame)}
    waiting = [_of(frame.condition), *(_of(_given(value.next)) for value in frame.values)]
    found: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        if name in ends or name in found:
            continue
        node = nodes.get(name)
        if node is None:
            raise GraphError(f"there is no node '{name}' in the graph")
        if node.op in _EXITS or node.op in _ENTERS:
            return None
        found[name] = None
        waiting += map(_of, node.input)
    return frame, [name for name in nodes if name in found]


def _convert(
    frame: _Frame, region: Sequence[str], nodes: dict[str, NodeDef], made: list[FunctionDef]
) -> None:
    """Put a `While` in the place of a loop's nodes."""
    places = dict(_structure(frame))
    enters = [*(value.enter for value in frame.values), *frame.constants]
    arguments = [f"argument_{index}" for index in range(len(enters))]
    taken = set(region)
    arguments = [_free(name, taken) for name in arguments]
    kinds = [_kind(enter) for enter in enters]

    def inner(text: str) -> str:
        place = places.get(_of(text))
        return text if place is None or place < 0 else arguments[place]

    def moved(node: NodeDef) -> NodeDef:
        # What has to run before a node is so wherever it stands, but for the loop's own nodes.
        inputs = [
            text if text.startswith("^") else inner(text)
            for text in node.input
            if not (text.startswith("^") and _of(text) in places)
        ]
        return NodeDef(name=node.name, op=node.op, input=inputs, attr=node.attr)

    body = [moved(nodes[name]) for name in region]
    results = [inner(_given(value.next)) for value in frame.values]
    results += arguments[len(results) :]
    name = _free(f"{frame.name}/While", set(nodes))
    condition = [inner(frame.condition)]
    made.append(_function(f"{name}/cond", arguments, kinds, body, condition))
    made.append(_function(f"{name}/body", arguments, kinds, body, results))
    exits = {
        value.switch.name: index
        for index, value in enumerate(frame.values)
        if value.switch is not None
    }
    attributes = {
        "cond": AttrValue(func=NameAttrList(name=f"{name}/cond")),
        "body": AttrValue(func=NameAttrList(name=f"{name}/body")),
        "T": AttrValue(list=AttrList(type=kinds)),
    }
    given = [_given(enter) for enter in enters]
    before = [text for enter in enters for text in enter.input if text.startswith("^")]
    loop = NodeDef(name=name, op="While", input=[*given, *before], attr=attributes)
    for node in list(nodes.values()):
        if node.op in _EXITS and _data(node) and _of(_data(node)[0]) in exits:
            at = exits[_of(_data(node)[0])]
            nodes[node.name] = NodeDef(
                name=node.name, op="Identity", input=[f"{name}:{at}"], attr=node.attr
            )
    for inside in (*region, *places):
        nodes.pop(inside, None)
    nodes[name] = loop


def _function(
    name: str,
    arguments: Sequence[str],
    kinds: Sequence[int],
    body: list[NodeDef],
    results: Sequence[str],
) -> FunctionDef:
    given = [ArgDef(name=a, type=kind) for a, kind in zip(arguments, kinds, strict=True)]
    outputs = [ArgDef(name=f"output_{index}") for index in range(len(results))]
    return FunctionDef(
        signature=OpDef(name=name, input_arg=given, output_arg=outputs),
        node_def=body,
        ret={out.name: text for out, text in zip(outputs, results, strict=True)},
    )


def _kind(enter: NodeDef) -> int:
    told = enter.attr.get("T")
    return (told.type if told is not None else None) or 0


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    return name


__all__ = ["with_functions"]
