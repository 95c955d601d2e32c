"""Passes leave out what a graph can do without, and what it computes stays the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nacre.core.errors import GraphError
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Builder, Graph, Value
from nacre.export.graph.sizes import symbol
from nacre.export.passes import (
    apply,
    cleaned,
    drop_unread_weights,
    fuse_batch_normalization,
    narrow_weights,
)

X = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")


def graph(make_outputs: Callable[[Builder, Value], list[Value]]) -> Graph:
    """What is made of x: float32[batch, 3, 4]."""
    make = Builder("net")
    x = make.input("x", "float32", (symbol("batch"), 3, 4))
    outputs = make_outputs(make, x)
    return make.finish([(f"y{i}", value) for i, value in enumerate(outputs)])


def transpose(make: Builder, x: Value, *order: int) -> Value:
    return make.add("transpose", [x], {"permutation": order})


def reshape(make: Builder, x: Value, *shape: Any) -> Value:
    return make.add("reshape", [x], {"shape": shape})


def two_transposes(make: Builder, x: Value) -> list[Value]:
    return [transpose(make, make.add("relu", [transpose(make, x, 0, 2, 1)]), 0, 2, 1)]


def transposes_around_a_bias(make: Builder, x: Value) -> list[Value]:
    bias = reshape(make, make.weight("bias", np.arange(4, dtype="float32")), 1, 4, 1)
    y = make.add("add", [transpose(make, x, 0, 2, 1), bias])
    y = make.add("mul", [make.constant(2.0, "float32"), y])
    y = make.add(
        "batch_normalization", [y, *_statistics(make), None, None], {"axis": 1, "epsilon": 0.1}
    )
    return [transpose(make, y, 0, 2, 1)]


def _statistics(make: Builder) -> list[Value]:
    return [make.weight(n, np.arange(1, 5, dtype="float32")) for n in ("mean", "variance")]


def reduced_after_a_transpose(make: Builder, x: Value) -> list[Value]:
    first = make.add("reduce_sum", [transpose(make, x, 0, 2, 1)], {"axes": (2,), "keepdims": False})
    other = make.add("reduce_max", [transpose(make, x, 2, 1, 0)], {"axes": (1,), "keepdims": False})
    return [first, other]


def broadcasts(make: Builder, x: Value) -> list[Value]:
    row = make.weight("row", np.arange(4, dtype="float32"))
    wide = make.add("broadcast_to", [row], {"shape": x.shape})
    zero = make.add("broadcast_to", [make.constant(0, "float32")], {"shape": x.shape})
    both = make.add("add", [wide, zero])  # one of the two must stay, or the shape would be lost
    return [make.add("max", [make.add("add", [x, wide]), zero]), both]


def reshapes(make: Builder, x: Value) -> list[Value]:
    flat = reshape(make, x, symbol("batch") * 12)
    return [reshape(make, flat, *x.shape), reshape(make, flat, symbol("batch"), 12)]


def casts(make: Builder, x: Value) -> list[Value]:
    truth = make.add("less", [x, make.constant(0, "float32")])
    twice = make.add("not", [make.add("not", [truth])])
    whole = make.add("cast", [x], {"dtype": "int32"})  # which loses the fractions
    back = make.add("cast", [whole], {"dtype": "float32"})
    return [
        twice,
        back,
        make.add("cast", [make.add("cast", [truth], {"dtype": "int32"})], {"dtype": "bool"}),
    ]


def constants(make: Builder, x: Value) -> list[Value]:
    two = make.add("add", [make.constant(1, "float32"), make.constant(1, "float32")])
    steps = make.add("iota", [], {"shape": (4,), "axis": 0, "dtype": "float32"})
    return [make.add("mul", [x, make.add("mul", [steps, two])])]


def equal_parts(make: Builder, x: Value) -> list[Value]:
    one, other = make.add("exp", [x]), make.add("exp", [x])
    drawn = [make.add("random_normal", [], {"shape": (2,), "dtype": "float32"}) for _ in range(2)]
    gap = make.add("sub", drawn)
    kinds = [make.constant(value) for value in (np.int32(1), np.float32(1), np.bool_(True))]
    return [make.add("add", [one, other]), make.add("equal", [gap, gap]), *kinds]


def looped(make: Builder, x: Value) -> list[Value]:
    inner = Builder("body")
    step = inner.input("step", "float32", (3, 4))
    inner.add("exp", [step])  # which nobody reads
    turned = inner.add(
        "transpose",
        [inner.add("transpose", [step], {"permutation": (1, 0)})],
        {"permutation": (1, 0)},
    )
    body = inner.finish([("out", inner.add("neg", [turned]))])
    attributes = {"constants": 0, "carries": 0, "length": symbol("batch"), "reverse": False}
    return [make.add("scan", [x], attributes, graphs={"body": body})]


# What makes the graph, and how many nodes of each op are left.
CASES: list[tuple[Any, dict[str, int]]] = [
    (two_transposes, {"relu": 1}),
    (transposes_around_a_bias, {"reshape": 1, "add": 1, "constant": 1, "mul": 1, "batch_normalization": 1}),
    (reduced_after_a_transpose, {"reduce_sum": 1, "transpose": 1, "reduce_max": 1}),
    (broadcasts, {"constant": 1, "add": 2, "max": 1, "broadcast_to": 1}),
    (reshapes, {"reshape": 1}),
    (casts, {"constant": 1, "less": 1, "cast": 2}),
    (constants, {"constant": 1, "mul": 1}),
    (equal_parts, {"exp": 1, "add": 1, "random_normal": 2, "sub": 1, "equal": 1, "constant": 3}),
    (looped, {"scan": 1, "neg": 1}),
]  # fmt: skip


def counted(whole: Graph) -> dict[str, int]:
    ops = [node.op for node in whole.all_nodes()]
    return {op: ops.count(op) for op in ops}


@pytest.mark.parametrize(("make", "left"), CASES, ids=[make.__name__ for make, _ in CASES])
def test_what_a_graph_can_do_without_is_gone(make: Any, left: dict[str, int]) -> None:
    before = graph(make)
    after = cleaned(before)
    assert counted(after) == left
    assert [(v.name, v.type) for v in after.inputs] == [(v.name, v.type) for v in before.inputs]
    expected, found = (evaluate(g, [X]).outputs for g in (before, after))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-6)
        assert found[name].dtype == value.dtype


def test_what_updates_a_weight_is_needed() -> None:
    make = Builder("net")
    x = make.input("x", "float32", (4,))
    count = make.weight("count", np.zeros((), "float32"), trainable=False)
    new = make.add("add", [count, make.constant(1, "float32")])
    make.add("exp", [x])
    whole = make.finish([("y", x)], [("count", new)])
    assert [node.op for node in cleaned(whole).nodes] == ["constant", "add"]
    assert evaluate(cleaned(whole), [np.zeros(4)]).updates == {"count": 1.0}


def test_weights_that_nothing_reads_stay() -> None:
    make = Builder("net")
    x = make.input("x", "float32", (4,))
    make.weight("kernel", np.zeros((2,), "float32"))
    assert [w.path for w in cleaned(make.finish([("y", x)])).weights] == ["kernel"]


def test_a_pass_that_breaks_a_graph_is_found_out() -> None:
    whole = graph(two_transposes)
    broken = lambda g: replace(g, nodes=g.nodes[1:])
    with pytest.raises(GraphError, match="was not made before it"):
        apply(whole, (broken,))


# ------------------------------------------------------------- batch normalisation, 16 bits, unread


def _product(make: Builder, x: Value, op: str, with_bias: bool) -> Value:
    random = np.random.default_rng(3)
    drawn = lambda *shape: random.normal(size=shape).astype("float32")
    strides = {"strides": (1,), "dilation_rate": (1,)}
    if op == "dense":
        bias = make.weight("bias", drawn(6)) if with_bias else None
        return make.add("dense", [x, make.weight("kernel", drawn(4, 6)), bias])
    if op == "conv":
        y = make.add(
            op, [x, make.weight("kernel", drawn(2, 4, 6))],
            {**strides, "padding": "same", "groups": 1},
        )  # fmt: skip
    elif op == "depthwise_conv":
        kernel = make.weight("kernel", drawn(2, 4, 2))
        y = make.add(op, [x, kernel], {**strides, "padding": "same"})
    else:
        kernel = make.weight("kernel", drawn(2, 6, 4))
        y = make.add(op, [x, kernel], {**strides, "crop": ((0, 1),)})
    return make.add("add", [y, make.weight("bias", drawn(y.shape[-1]))]) if with_bias else y


def _normalized(op: str, with_bias: bool, affine: bool = True, reads: int = 1) -> Graph:
    random = np.random.default_rng(4)

    def outputs(make: Builder, x: Value) -> list[Value]:
        y = _product(make, x, op, with_bias)
        vector = lambda n: make.weight(n, random.uniform(0.5, 2, y.shape[-1]).astype("float32"))
        parameters = [vector("mean"), vector("variance")]
        parameters += [vector("offset"), vector("scale")] if affine else [None, None]
        normal = make.add("batch_normalization", [y, *parameters], {"axis": 2, "epsilon": 1e-3})
        return [normal, y][:reads]

    return graph(outputs)


@pytest.mark.parametrize("op", ["dense", "conv", "depthwise_conv", "conv_transpose"])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_a_batch_normalization_is_folded_into_what_is_before_it(op, with_bias, affine):
    whole = _normalized(op, with_bias, affine)
    folded = drop_unread_weights(apply(whole, (fuse_batch_normalization,)))
    assert "batch_normalization" not in {node.op for node in folded.nodes}
    assert len(folded.weights) == 2
    wanted, found = evaluate(whole, [X]).outputs, evaluate(folded, [X]).outputs
    np.testing.assert_allclose(found["y0"], wanted["y0"], 1e-5, 1e-5)


def test_a_batch_normalization_stays_where_others_read_its_input():
    whole = _normalized("conv", True, reads=2)
    assert apply(whole, (fuse_batch_normalization,)) is whole


def test_weights_in_16_bits_are_half_as_large_and_those_that_do_not_fit_stay():
    def outputs(make: Builder, x: Value) -> list[Value]:
        large = np.linspace(-1, 1, 4 * 80, dtype="float32").reshape(4, 80)
        y = make.add("dense", [x, make.weight("a", large), None])
        wide = np.full((80, 80), 1e6, "float32")
        y = make.add("dense", [y, make.weight("b", wide), None])
        return [make.add("add", [y, make.weight("c", np.ones(80, "float32"))])]

    whole = graph(outputs)
    narrow = apply(whole, (narrow_weights,))
    assert [w.value.dtype for w in narrow.weights] == ["float16", "float32", "float32"]
    wanted, found = evaluate(whole, [X]).outputs["y0"], evaluate(narrow, [X]).outputs["y0"]
    np.testing.assert_allclose(found, wanted, 5e-3, 5e-3 * np.abs(wanted).max())
