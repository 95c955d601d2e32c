"""Recurrences as scans: the products with the inputs are done before, for all steps at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nacre.export.graph.ir import Builder, Graph, Value
from nacre.export.passes.openings._term import Maker, Term, opening

# (body, what the step is given, constants, states) -> new states, the output first.
Step = Callable[[Builder, Value, Sequence[Value], Sequence[Value]], list[Value]]


def _recurrence(
    make: Maker,
    step: Step,
    given: Term,
    constants: Sequence[Term],
    states: Sequence[Term],
    mask: Term | None,
    *,
    reverse: bool,
    return_sequences: bool,
    zero_output_for_mask: bool,
) -> tuple[Term, ...]:
    """Outputs and last states; `given` (batch, time, gates)."""
    if reverse:
        given = given.op("reverse", axes=(1,))
        mask = None if mask is None else mask.op("reverse", axes=(1,))
    time = given.shape[1]
    sequences = [given.transpose(1, 0, 2)]
    output = make.full((given.shape[0], states[0].shape[1]), 0, given.dtype)
    carried = [*states]
    if mask is not None:
        counts = mask.transpose(1, 0)
        sequences.append(counts.expanded(2))
        carried = [output, *states]
    body = _body(step, constants, carried, sequences, mask is not None, zero_output_for_mask)
    results = make.add_all(
        "scan",
        [*constants, *carried, *sequences],
        {"body": body},
        constants=len(constants),
        carries=len(carried),
        length=time,
        reverse=False,
    )
    ends = results[: len(carried)]
    states = ends[1:] if mask is not None else ends
    kept = results[-1].transpose(1, 0, 2) if return_sequences else ends[0]
    return (kept, *states)


def _body(
    step: Step,
    constants: Sequence[Term],
    carried: Sequence[Term],
    sequences: Sequence[Term],
    has_mask: bool,
    zero_output_for_mask: bool,
) -> Graph:
    """One step: new carried values, and the output."""
    body = Builder("step")
    fixed = [body.input(f"constant_{i}", c.dtype, c.shape) for i, c in enumerate(constants)]
    old = [body.input(f"state_{i}", s.dtype, s.shape) for i, s in enumerate(carried)]
    parts = [body.input(f"part_{i}", s.dtype, s.shape[1:]) for i, s in enumerate(sequences)]
    if not has_mask:
        new = step(body, parts[0], fixed, old)
        results = new
    else:
        output, states = old[0], old[1:]
        counts = parts[1]
        made = step(body, parts[0], fixed, states)
        where = lambda one, other: body.add("select", [counts, one, other])
        skipped = body.constant(0, output.dtype) if zero_output_for_mask else output
        new = [where(n, s) for n, s in zip(made, states)]
        results = [where(made[0], skipped), *new]
    names = [f"new_{i}" for i in range(len(results))]
    return body.finish([*zip(names, results), ("output", results[0])])


def _activation(name: str) -> Callable[[Builder, Value], Value]:
    return lambda body, x: x if name == "linear" else body.add(name, [x])


def _pieces(body: Builder, x: Value, count: int) -> list[Value]:
    """Equal parts of the last axis."""
    size = x.shape[-1]
    assert isinstance(size, int)
    each = size // count
    return list(body.add_all("split", [x], {"sizes": (each,) * count, "axis": 1}))


def _wide(*terms: Term | None) -> list[Any]:
    return [None if term is None else term.wide() for term in terms]


def _product(body: Builder, x: Value, kernel: Value) -> Value:
    return body.add("matmul", [x, kernel])


@opening
def lstm(
    make: Maker,
    x: Term,
    h0: Term,
    c0: Term,
    kernel: Term,
    recurrent_kernel: Term,
    bias: Term | None,
    mask: Term | None,
    *,
    activation: str,
    recurrent_activation: str,
    **how: bool,
) -> tuple[Term, ...]:
    x, h0, c0, kernel, recurrent_kernel, bias = _wide(x, h0, c0, kernel, recurrent_kernel, bias)
    inner, gate = _activation(activation), _activation(recurrent_activation)

    def step(
        body: Builder, given: Value, fixed: Sequence[Value], states: Sequence[Value]
    ) -> list[Value]:
        hidden, cell = states
        gates = body.add("add", [given, _product(body, hidden, fixed[0])])
        i, f, g, o = _pieces(body, gates, 4)
        kept = body.add("mul", [gate(body, f), cell])
        new = body.add("mul", [gate(body, i), inner(body, g)])
        cell = body.add("add", [kept, new])
        return [body.add("mul", [gate(body, o), inner(body, cell)]), cell]

    given = make.add("dense", x, kernel, bias)
    return _recurrence(make, step, given, [recurrent_kernel], [h0, c0], mask, **how)


@opening
def gru(
    make: Maker,
    x: Term,
    h0: Term,
    kernel: Term,
    recurrent_kernel: Term,
    bias: Term | None,
    mask: Term | None,
    *,
    activation: str,
    recurrent_activation: str,
    reset_after: bool,
    **how: bool,
) -> tuple[Term, ...]:
    x, h0, kernel, recurrent_kernel, bias = _wide(x, h0, kernel, recurrent_kernel, bias)
    inner, gate = _activation(activation), _activation(recurrent_activation)
    units = recurrent_kernel.shape[0]
    outside, inside = bias, None
    if bias is not None and reset_after:
        outside, inside = (bias.part(0, i, i + 1).reshape(3 * units) for i in (0, 1))

    def step(
        body: Builder, given: Value, fixed: Sequence[Value], states: Sequence[Value]
    ) -> list[Value]:
        (h,) = states
        z, r, candidate = _pieces(body, given, 3)
        if reset_after:
            product = body.add("dense", [h, fixed[0], fixed[1] if inside is not None else None])
            hz, hr, hc = _pieces(body, product, 3)
        else:
            hz, hr = _pieces(body, _product(body, h, fixed[0]), 2)
        z = gate(body, body.add("add", [z, hz]))
        r = gate(body, body.add("add", [r, hr]))
        if reset_after:
            hc = body.add("mul", [r, hc])
        else:
            hc = _product(body, body.add("mul", [r, h]), fixed[1])
        new = inner(body, body.add("add", [candidate, hc]))
        # z · h + (1 - z) · new
        change = body.add("mul", [z, body.add("sub", [h, new])])
        return [body.add("add", [new, change])]

    constants = [recurrent_kernel]
    if reset_after and inside is not None:
        constants = [recurrent_kernel, inside]
    elif not reset_after:
        constants = [
            recurrent_kernel.part(1, 0, 2 * units),
            recurrent_kernel.part(1, 2 * units, 3 * units),
        ]
    given = make.add("dense", x, kernel, outside)
    return _recurrence(make, step, given, constants, [h0], mask, **how)


@opening
def simple_rnn(
    make: Maker,
    x: Term,
    h0: Term,
    kernel: Term,
    recurrent_kernel: Term,
    bias: Term | None,
    mask: Term | None,
    *,
    activation: str,
    **how: bool,
) -> tuple[Term, ...]:
    x, h0, kernel, recurrent_kernel, bias = _wide(x, h0, kernel, recurrent_kernel, bias)
    inner = _activation(activation)

    def step(
        body: Builder, given: Value, fixed: Sequence[Value], states: Sequence[Value]
    ) -> list[Value]:
        total = body.add("add", [given, _product(body, states[0], fixed[0])])
        return [inner(body, total)]

    given = make.add("dense", x, kernel, bias)
    return _recurrence(make, step, given, [recurrent_kernel], [h0], mask, **how)
