"""Sums of products, and what normalises them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.export.graph.ir import Node, Value
from nacre.export.targets.coreml.maker import Maker, Var
from nacre.export.targets.coreml.support import FLOATS, FORMS, NUMBERS, takes


@FORMS.form("matmul", limit=takes(*NUMBERS))
def _matmul(make: Maker, node: Node) -> Var:
    return make.add("matmul", x=make.input(node), y=make.input(node, 1))


def _is_linear(node: Node) -> str | None:
    x = node.inputs[0]
    assert x is not None
    return takes(*FLOATS)(node) if 2 <= len(x.shape) <= 3 else "Its input has two or three axes."


@FORMS.form("dense", limit=_is_linear)
def _dense(make: Maker, node: Node) -> Var:
    kernel, bias = make.known(node.inputs[1]), make.known(node.inputs[2])
    is_known = kernel is not None and (bias is not None or node.inputs[2] is None)
    if is_known and kernel is not None:
        given: dict[str, Any] = {"weight": np.ascontiguousarray(kernel.T)}
        if bias is not None:
            given["bias"] = bias
        return make.add("linear", x=make.input(node), **given)
    product = make.add("matmul", x=make.input(node), y=make.input(node, 1))
    if node.inputs[2] is None:
        return product
    return make.add("add", x=product, y=make.input(node, 2))


def _one_axis(node: Node) -> str | None:
    if len(node.attributes["axes"]) != 1:
        return "It is taken along one axis."
    return takes(*FLOATS)(node)


@FORMS.form("softmax", limit=_one_axis)
def _softmax(make: Maker, node: Node) -> Var:
    return make.add("softmax", x=make.input(node), axis=node.attributes["axes"][0])


def _norm_limit(node: Node) -> str | None:
    x, scale, offset = node.inputs
    assert x is not None
    axes = sorted(axis % len(x.shape) for axis in node.attributes["axes"])
    are_last = axes == list(range(len(x.shape) - len(axes), len(x.shape)))
    shape = x.shape[len(x.shape) - len(axes) :]
    fits = all(_is_of(v, shape) for v in (scale, offset))
    if not are_last or not fits or not all(isinstance(n, int) for n in shape):
        return "It is taken over the last axes, with a scale of their sizes."
    return takes(*FLOATS)(node)


def _is_of(value: Value | None, shape: Any) -> bool:
    if value is None:
        return True
    inner = value.shape[len(value.shape) - len(shape) :]
    return inner == shape and all(n == 1 for n in value.shape[: len(value.shape) - len(shape)])


@FORMS.form("layer_normalization", limit=_norm_limit)
def _layer_normalization(make: Maker, node: Node) -> Var:
    x = node.inputs[0]
    assert x is not None
    axes = sorted(axis % len(x.shape) for axis in node.attributes["axes"])
    shape = [int(str(n)) for n in x.shape[len(x.shape) - len(axes) :]]
    epsilon = np.asarray(node.attributes["epsilon"], x.dtype)[()]
    parameters = [make.known(v) for v in node.inputs[1:]]
    known = all(p is not None or v is None for p, v in zip(parameters, node.inputs[1:]))
    given = {}
    if known:
        for name, p in zip(("gamma", "beta"), parameters):
            if p is not None:
                given[name] = np.ascontiguousarray(p.reshape(shape)).astype(x.dtype)
    if "beta" in given and "gamma" not in given:  # coremltools 9.0 asks for it then
        given["gamma"] = np.ones(shape, x.dtype)
    result = make.add("layer_norm", x=make.input(node), axes=axes, epsilon=epsilon, **given)
    if not known:
        for index, op in ((1, "mul"), (2, "add")):
            if node.inputs[index] is not None:
                result = make.add(op, x=result, y=make.input(node, index))
    return result
