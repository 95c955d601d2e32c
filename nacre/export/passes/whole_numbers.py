"""Whole numbers of 8 and 16 bits, for formats that have those of 32 alone.

`unpack_weights` computes what quantized weights stand for as far as it can be known before a run:
floats, or whole numbers of 32 bits. `widen_whole_numbers` keeps the rest, inputs and outputs too,
in int32, each number that a short dtype would not hold wrapped as that dtype wraps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nacre.core.names import own_names
from nacre.export.graph.evaluate import node_results
from nacre.export.graph.ir import Graph, Node, Output, Update, Value, Weight
from nacre.export.graph.opset import OPSET
from nacre.export.graph.sizes import SizeExpr
from nacre.export.passes.dead_code import drop_dead_code, drop_unread_weights
from nacre.export.passes.rewriting import Rewriting

NARROW = frozenset({"int8", "uint8", "int16", "uint16"})
_WIDE = "int32"
# What gives no number that is not among those it takes, in any dtype.
_SAFE = frozenset(
    "and or xor max min clamp select gather gather_nd reshape transpose broadcast_to slice concat "
    "split pad mirror_pad reverse reduce_max reduce_min constant sort top_k shift_right_signed "
    "dynamic_slice dynamic_update_slice rem sign relu relu6 cummax cummin max_pool argmax argmin "
    "one_hot equal not_equal less less_equal greater greater_equal searchsorted".split()
)
# What is right once it is wrapped.
_WRAPPED = frozenset(
    "add sub mul neg abs not shift_left reduce_sum reduce_prod cumsum div iota".split()
)


# --- weights --------------------------------------------------------------------------------------


def unpack_weights(graph: Graph) -> Graph:
    """The graph with weights that are what its quantized weights stand for."""
    packed = {w.value for w in graph.weights if w.value.dtype in NARROW}
    if not packed:
        return graph
    static: set[Value] = {w.value for w in graph.weights}
    source: dict[Value, Weight] = {w.value: w for w in graph.weights if w.value in packed}
    makers = graph.producers()
    for node in graph.nodes:
        given = [v for v in node.inputs if v is not None]
        if not (all(v in static for v in given) and _is_known(node)):
            continue
        static.update(node.outputs)
        of = next((source[v] for v in given if v in source), None)
        if of is not None:
            source |= dict.fromkeys(node.outputs, of)
    read = _read_by_others(graph, static)
    fresh = [v for v in read if v in source and v not in packed]
    known: dict[Value, np.ndarray] = {w.value: w.data for w in graph.weights}
    taken = {w.path for w in graph.weights if w.value not in packed or w.value in read}
    weights = [*graph.weights]
    stands_for: dict[Value, Value] = {}
    for value in fresh:
        data = np.asarray(_worked_out(value, makers, known), value.dtype)
        (path,) = own_names([source[value].path], taken)
        taken.add(path)
        stands_for[value] = Value(path, value.dtype, value.shape)
        weights.append(Weight(stands_for[value], path, data, source[value].trainable))

    def visit(node: Node, new: Rewriting) -> Sequence[Value] | None:
        instead = stands_for.get(node.outputs[0])
        return None if instead is None else [instead]

    found = drop_dead_code(Rewriting(graph).run(visit))
    return drop_unread_weights(replace(found, weights=tuple(weights)))


def _is_known(node: Node) -> bool:
    spec = OPSET[node.op]
    parts = [p for v in node.attributes.values() for p in (v if isinstance(v, tuple) else (v,))]
    has_sizes = any(isinstance(part, SizeExpr) for part in parts)
    return not (spec.is_random or spec.graphs or has_sizes or len(node.outputs) != 1)


def _read_by_others(graph: Graph, static: set[Value]) -> dict[Value, None]:
    """Values known before a run that are read by what only a run tells, in order."""
    read: dict[Value, None] = {}
    for node in graph.nodes:
        if not all(v in static for v in node.outputs):
            read |= dict.fromkeys(v for v in node.inputs if v in static)
    return read | dict.fromkeys(v for v in graph.results() if v in static)


def _worked_out(
    value: Value, makers: Mapping[Value, Node], known: dict[Value, np.ndarray]
) -> np.ndarray:
    """The numbers of a value that needs no run."""
    stack = [value]
    while stack:
        node = makers[stack[-1]]
        lacking = [v for v in node.inputs if v is not None and v not in known]
        if lacking:
            stack.extend(lacking)
            continue
        with np.errstate(all="ignore"):
            (result,) = node_results(node, known, {}, np.random.default_rng(0))
        known[stack.pop()] = np.asarray(result, node.outputs[0].dtype)
    return known[value]


# --- what a run computes --------------------------------------------------------------------------


def widen_whole_numbers(graph: Graph) -> Graph:
    """The graph in int32 where it is in 8 or 16 bits; as it is where an op looks at bits."""
    narrow = [n for n in graph.all_nodes() if _is_narrow(n)]
    values = [*graph.inputs, *(w.value for w in graph.weights)]
    if not narrow and not any(v.dtype in NARROW for v in values):
        return graph
    if any(not _can_widen(node) for node in narrow):
        return graph
    widening = _Widening()
    return widening.graph(graph)


def _is_narrow(node: Node) -> bool:
    inner = [v for graph in node.graphs.values() for v in graph.inputs]
    values = (*node.inputs, *node.outputs, *inner)
    return any(v is not None and v.dtype in NARROW for v in values)


def _can_widen(node: Node) -> bool:
    if node.op == "cast" or node.graphs:
        return True
    if node.op == "shift_right":  # which fills in zeros, behind the sign
        return node.outputs[0].dtype.startswith("uint")
    if node.op in ("mul", "reduce_prod") and "16" in node.outputs[0].dtype:
        return False  # products of 32 bits, which not all formats compute to the last digit
    return node.op in _SAFE or node.op in _WRAPPED


class _Widening:
    """A graph on its way: the wide value of each narrow one."""

    def __init__(self) -> None:
        self._new: dict[Value, Value] = {}

    def graph(self, graph: Graph) -> Graph:
        rewriting = Rewriting(graph)
        changed = rewriting.run(self._visit)
        return replace(
            changed,
            inputs=tuple(map(self._value, changed.inputs)),
            weights=tuple(map(self._weight, changed.weights)),
            outputs=tuple(Output(name, self._value(v)) for name, v in changed.outputs),
            updates=tuple(Update(path, self._value(v)) for path, v in changed.updates),
        )

    def _value(self, value: Value) -> Value:
        if value.dtype not in NARROW:
            return value
        return self._new.setdefault(value, replace(value, dtype=_WIDE))

    def _weight(self, weight: Weight) -> Weight:
        if weight.value.dtype not in NARROW:
            return weight
        return replace(weight, value=self._value(weight.value), data=weight.data.astype(_WIDE))

    def _visit(self, node: Node, new: Rewriting) -> Sequence[Value]:
        inputs = tuple(None if v is None else self._value(v) for v in node.inputs)
        outputs = tuple(map(self._value, node.outputs))
        graphs = {name: _Widening().graph(g) for name, g in node.graphs.items()}
        made = replace(node, inputs=inputs, graphs=graphs, attributes=_attributes(node.attributes))
        dtype = node.outputs[0].dtype
        is_wrapped = dtype in NARROW and (node.op in _WRAPPED or node.op == "cast")
        if node.op == "cast" and dtype in NARROW:
            (source,) = node.inputs
            assert source is not None
            if "float" in source.dtype:
                return self._of_floats(inputs[0], dtype, node, new)
            is_wrapped = source.dtype != "bool" and not _holds(dtype, source.dtype)
            if (x := inputs[0]) is not None and x.dtype == _WIDE:
                return [_wrapped(x, dtype, node, new) if is_wrapped else x]
        if node.op == "cast" and inputs[0] is not None and inputs[0].dtype == dtype:
            return [inputs[0]]
        if not is_wrapped:
            new.keep(replace(made, outputs=outputs))
            return outputs
        own = tuple(replace(v, name=f"{v.name}_unbound") for v in outputs)
        new.keep(replace(made, outputs=own))
        return [_wrapped(v, dtype, node, new) for v in own]

    def _of_floats(self, x: Any, dtype: str, like: Node, new: Rewriting) -> Sequence[Value]:
        """Floats as whole numbers: those beyond what the dtype holds are its ends."""
        kind = np.iinfo(dtype)
        low, high = (
            new.add("constant", [], like, value=np.asarray(n, x.dtype))
            for n in (kind.min, kind.max)
        )
        bound = new.add("min", [new.add("max", [x, low], like), high], like)
        return [new.add("cast", [bound], like, dtype=_WIDE)]


def _wrapped(x: Value, dtype: str, like: Node, new: Rewriting) -> Value:
    """Numbers as a short dtype holds them: those beyond its ends begin at the other end."""
    kind = np.iinfo(dtype)
    number = lambda n: new.add("constant", [], like, value=np.asarray(n, _WIDE))
    count = number(kind.max - kind.min + 1)
    part = new.add("rem", [x, count], like)  # with the sign of x: a count more is above 0
    if kind.min:
        part = new.add("add", [part, number(-kind.min)], like)
    part = new.add("rem", [new.add("add", [part, count], like), count], like)
    return new.add("add", [part, number(kind.min)], like) if kind.min else part


def _holds(dtype: str, other: str) -> bool:
    """Whether a dtype has all numbers of another one."""
    one, two = np.iinfo(dtype), np.iinfo(other)
    return one.min <= two.min and one.max >= two.max


def _attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(attributes)
    for key, value in attributes.items():
        if key == "dtype" and value in NARROW:
            found[key] = _WIDE
        elif isinstance(value, np.ndarray) and value.dtype.name in NARROW:
            found[key] = value.astype(_WIDE)
    return found


__all__ = ["NARROW", "unpack_weights", "widen_whole_numbers"]
