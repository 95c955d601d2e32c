"""Activations."""

from __future__ import annotations

import math

from nacre.export.passes.openings._term import Term, opening


@opening
def relu(x: Term) -> Term:
    return x.most(0)


@opening
def relu6(x: Term) -> Term:
    return x.most(0).least(6)


@opening
def leaky_relu(x: Term, *, negative_slope: float) -> Term:
    return (x >= 0).where(x, x * negative_slope)


@opening
def prelu(x: Term, alpha: Term) -> Term:
    return x.most(0) - alpha * (-x).most(0)


@opening
def elu(x: Term, *, alpha: float) -> Term:
    return (x > 0).where(x, alpha * x.least(0).op("expm1"))


@opening
def selu(x: Term) -> Term:
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * (x > 0).where(x, alpha * x.least(0).op("expm1"))


@opening
def celu(x: Term, *, alpha: float) -> Term:
    return x.most(0) + alpha * (x.least(0) / alpha).op("expm1")


@opening
def gelu(x: Term, *, approximate: bool) -> Term:
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1 + inner.op("tanh"))
    return 0.5 * x * (1 + (x * math.sqrt(0.5)).op("erf"))


@opening
def silu(x: Term) -> Term:
    return x * x.op("sigmoid")


@opening
def mish(x: Term) -> Term:
    return x * x.op("softplus").op("tanh")


@opening
def softplus(x: Term) -> Term:
    return x.most(0) + (-abs(x)).op("exp").op("log1p")


@opening
def softsign(x: Term) -> Term:
    return x / (1 + abs(x))


@opening
def sigmoid(x: Term) -> Term:
    small = (-abs(x)).op("exp")  # which does not overflow
    return (x >= 0).where(1 / (1 + small), small / (1 + small))


@opening
def log_sigmoid(x: Term) -> Term:
    return -((-x).op("softplus"))


@opening
def hard_sigmoid(x: Term) -> Term:
    return (x + 3).most(0).least(6) / 6


@opening
def hard_silu(x: Term) -> Term:
    return x * x.op("hard_sigmoid")


@opening
def softmax(x: Term, *, axes: tuple[int, ...]) -> Term:
    shifted = (x - x.reduced("max", axes)).op("exp")
    return shifted / shifted.reduced("sum", axes)


@opening
def log_softmax(x: Term, *, axes: tuple[int, ...]) -> Term:
    shifted = x - x.reduced("max", axes)
    return shifted - shifted.op("exp").reduced("sum", axes).op("log")
