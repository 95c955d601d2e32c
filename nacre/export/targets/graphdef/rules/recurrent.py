"""Recurrences over whole sequences, as loops: any number of steps, any batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from nacre.export.graph.ir import Node
from nacre.export.targets.graphdef.body import Body, Kind
from nacre.export.targets.graphdef.rules import _loops
from nacre.export.targets.graphdef.rules._rule import (
    dtype_of,
    form_of,
    rule,
    transpose,
    value,
)
from nacre.export.targets.graphdef.rules.products import add, multiply, product

# (function, what the input gives, states, further constants) -> new states, the first the output.
Cell = Callable[[Body, str, Sequence[str], Sequence[str]], Sequence[str]]


def _activated(make: Body, node: Node, name: str, tensor: str) -> str:
    """An activation of a recurrence: an op of one input."""
    if name == "linear":
        return tensor
    found = form_of(make, name)(make, replace(node, op=name, attributes={}), [tensor])
    assert isinstance(found, str)
    return found


def _binary(make: Body, op: str, left: str, right: str, dtype: str) -> str:
    return make.add(op, [left, right], T=Kind(dtype))


def _split(make: Body, tensor: str, count: int, dtype: str) -> Sequence[str]:
    axis = make.constant(1, "int32")
    return make.add_all("Split", [axis, tensor], count, T=Kind(dtype), num_split=count)


def _run(
    make: Body,
    node: Node,
    given: str,
    states: Sequence[str],
    constants: Sequence[tuple[str, tuple[int, ...]]],
    mask: str,
    cell: Cell,
) -> list[str]:
    """The outputs and last states.

    Args:
        given: What the input gives at each step, (time, batch, features), its products done.
        constants: What each step needs besides, with shapes.
    """
    dtype, units = dtype_of(node), value(node, 1).shape[1]
    batch, time, _ = value(node).shape
    length = make.size(time)
    width = value(node, 1 + len(states)).shape[1]
    state_shape = (batch, units)
    zeros = make.add("ZerosLike", [states[0]], T=Kind(dtype))
    sequences, kept = node.attributes["return_sequences"], node.attributes["zero_output_for_mask"]
    variables = [_loops.fixed(tensor, dtype, state_shape) for tensor in (*states, zeros)]
    variables.append(_loops.held(_loops.list_from(make, given, dtype, (batch, width))))
    if mask:
        turned = transpose(make, mask, (1, 0), "bool")
        turned = make.add(
            "ExpandDims", [turned, make.constant(2, "int32")], T=Kind("bool"), Tdim=Kind("int32")
        )
        variables.append(_loops.held(_loops.list_from(make, turned, "bool", (batch, 1))))
    if sequences:
        variables.append(_loops.held(_loops.list_of(make, length, dtype, state_shape)))
    variables += [_loops.fixed(tensor, dtype, shape) for tensor, shape in constants]
    variables.append(_loops.Variable(length, "int32", ()))
    count = len(states)
    at_mask = count + 2
    at_list = at_mask + bool(mask)
    at_constants = at_list + bool(sequences)

    def condition(inner: Body, arguments: Sequence[str]) -> list[str]:
        return [inner.add("Less", [arguments[0], arguments[-1]], T=Kind("int32"))]

    def step(inner: Body, arguments: Sequence[str]) -> list[str]:
        number, *v = arguments
        place = number
        if node.attributes["reverse"]:
            place = _binary(inner, "Sub", v[-1], number, "int32")
            place = _binary(inner, "Sub", place, inner.constant(1, "int32"), "int32")
        part = _loops.get(inner, v[count + 1], place, dtype, (batch, width))
        new = list(cell(inner, part, v[:count], v[at_constants:-1]))
        output = new[0]
        if mask:
            counts = _loops.get(inner, v[at_mask], place, "bool", (batch, 1))
            new = [
                inner.add("SelectV2", [counts, n, s], T=Kind(dtype))
                for n, s in zip(new, v[:count], strict=True)
            ]
            skipped = v[count]
            if kept:
                skipped = inner.add("ZerosLike", [output], T=Kind(dtype))
            output = inner.add("SelectV2", [counts, output, skipped], T=Kind(dtype))
        lists = [_loops.put(inner, v[at_list], number, output, dtype)] if sequences else []
        return [*new, output, *v[count + 1 : at_list], *lists, *v[at_constants:]]

    found = _loops.loop(make, node.op, variables, condition, step, length)
    result = found[count]
    if sequences:
        stacked = _loops.stack(make, found[at_list], dtype, state_shape)
        result = transpose(make, stacked, (1, 0, 2), dtype)
    return [result, *found[:count]]


def _given(make: Body, node: Node, x: str, kernel: str, bias: str, index: int) -> str:
    """The products of all steps with the kernel, time first: one large product, not many."""
    dtype = dtype_of(node)
    batch, time, features = value(node).shape
    width = value(node, index).shape[1]
    assert isinstance(features, int) and isinstance(width, int)
    turned = transpose(make, x, (1, 0, 2), dtype)
    flat = make.add(
        "Reshape", [turned, make.ints(-1, features)], T=Kind(dtype), Tshape=Kind("int32")
    )
    flat = product(make, flat, kernel, dtype)
    if bias:
        flat = make.add("BiasAdd", [flat, bias], T=Kind(dtype), data_format="NHWC")
    shape = make.sizes((time, batch, width))
    return make.add("Reshape", [flat, shape], T=Kind(dtype), Tshape=Kind("int32"))


def _shape_of(node: Node, index: int) -> tuple[int, ...]:
    return tuple(size for size in value(node, index).shape if isinstance(size, int))


@rule("lstm")
def _lstm(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    x, h, c, kernel, recurrent, bias, mask = inputs
    dtype = dtype_of(node)
    inner_name = node.attributes["activation"]
    gate_name = node.attributes["recurrent_activation"]

    def cell(inner: Body, part: str, states: Sequence[str], constants: Sequence[str]) -> list[str]:
        h, c = states
        total = add(inner, part, product(inner, h, constants[0], dtype), dtype)
        parts = _split(inner, total, 4, dtype)
        i, f, o = (_activated(inner, node, gate_name, parts[index]) for index in (0, 1, 3))
        candidate = _activated(inner, node, inner_name, parts[2])
        c = add(inner, multiply(inner, f, c, dtype), multiply(inner, i, candidate, dtype), dtype)
        return [multiply(inner, o, _activated(inner, node, inner_name, c), dtype), c]

    given = _given(make, node, x, kernel, bias, 3)
    return _run(make, node, given, [h, c], [(recurrent, _shape_of(node, 4))], mask, cell)


@rule("gru")
def _gru(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    x, h, kernel, recurrent, bias, mask = inputs
    dtype, after = dtype_of(node), node.attributes["reset_after"]
    units = _shape_of(node, 3)[0]
    inner_name = node.attributes["activation"]
    gate_name = node.attributes["recurrent_activation"]
    constants = [(recurrent, _shape_of(node, 3))]
    if after and bias:
        bias, inside = make.add_all("Unpack", [bias], 2, num=2, T=Kind(dtype), axis=0)
        constants.append((inside, (3 * units,)))
    elif not after:
        parts = make.add_all(
            "SplitV",
            [recurrent, make.ints(2 * units, units), make.constant(1, "int32")],
            2,
            T=Kind(dtype),
            Tlen=Kind("int32"),
            num_split=2,
        )
        constants = [(parts[0], (units, 2 * units)), (parts[1], (units, units))]

    def cell(inner: Body, part: str, states: Sequence[str], constants: Sequence[str]) -> list[str]:
        (h,) = states
        outside = _split(inner, part, 3, dtype)
        if after:
            own = product(inner, h, constants[0], dtype)
            if len(constants) > 1:
                own = inner.add("BiasAdd", [own, constants[1]], T=Kind(dtype), data_format="NHWC")
            inside = _split(inner, own, 3, dtype)
            gates = [add(inner, outside[k], inside[k], dtype) for k in (0, 1)]
            z, r = (_activated(inner, node, gate_name, gate) for gate in gates)
            rest = multiply(inner, r, inside[2], dtype)
        else:
            inside = _split(inner, product(inner, h, constants[0], dtype), 2, dtype)
            gates = [add(inner, outside[k], inside[k], dtype) for k in (0, 1)]
            z, r = (_activated(inner, node, gate_name, gate) for gate in gates)
            rest = product(inner, multiply(inner, r, h, dtype), constants[1], dtype)
        candidate = _activated(inner, node, inner_name, add(inner, outside[2], rest, dtype))
        left = _binary(inner, "Sub", inner.like(1, dtype), z, dtype)
        kept = multiply(inner, z, h, dtype)
        return [add(inner, kept, multiply(inner, left, candidate, dtype), dtype)]

    given = _given(make, node, x, kernel, bias, 2)
    return _run(make, node, given, [h], constants, mask, cell)


@rule("simple_rnn")
def _simple(make: Body, node: Node, inputs: Sequence[str]) -> list[str]:
    x, h, kernel, recurrent, bias, mask = inputs
    dtype = dtype_of(node)

    def cell(inner: Body, part: str, states: Sequence[str], constants: Sequence[str]) -> list[str]:
        total = add(inner, part, product(inner, states[0], constants[0], dtype), dtype)
        return [_activated(inner, node, node.attributes["activation"], total)]

    given = _given(make, node, x, kernel, bias, 2)
    return _run(make, node, given, [h], [(recurrent, _shape_of(node, 3))], mask, cell)
