"""Functions of single elements."""

from __future__ import annotations

import math

from nacre.export.passes.openings._term import Maker, Term, opening

# erf(x) = x · P(x²) / Q(x²) for |x| ≤ 4, 1 beyond: the rational form of Eigen and XLA for float32,
# right to two units in the last place. Highest powers first.
_ERF_ABOVE = (
    -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
    -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
)  # fmt: skip
_ERF_BELOW = (
    -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
    -1.42647390514189e-02,
)  # fmt: skip


def _polynomial(x: Term, coefficients: tuple[float, ...]) -> Term:
    """By Horner's rule."""
    total = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        total = total * x + coefficient
    return total


@opening
def square(x: Term) -> Term:
    return x * x


@opening
def rsqrt(x: Term) -> Term:
    return 1 / x.op("sqrt")


@opening
def cbrt(x: Term) -> Term:
    return x.op("sign") * (abs(x).op("log") / 3).op("exp")


@opening
def exp2(x: Term) -> Term:
    return (x * math.log(2)).op("exp")


@opening
def expm1(x: Term) -> Term:
    half = (x.most(-1).least(1) * 0.5).op("tanh")  # near 0 it keeps the digits that exp - 1 loses
    return (abs(x) < 0.5).where(2 * half / (1 - half), x.op("exp") - 1)


@opening
def log1p(x: Term) -> Term:
    """W. Kahan's: log(1 + x) · x / ((1 + x) - 1), in which the roundings of 1 + x meet."""
    rest = (1 + x) - 1
    is_lost = rest.equals(0)
    ratio = rest.op("is_finite").where(x / is_lost.op("not").where(rest, 1.0), 1.0)
    return is_lost.where(x, (1 + x).op("log") * ratio)


@opening
def tan(x: Term) -> Term:
    return x.op("sin") / x.op("cos")


@opening
def sinh(x: Term) -> Term:
    less = abs(x).least(1).op("expm1")  # near 0 it keeps the digits that the difference loses
    near = x.op("sign") * (less + less / (less + 1))
    return 0.5 * (abs(x) < 1).where(near, x.op("exp") - (-x).op("exp"))


@opening
def cosh(x: Term) -> Term:
    return 0.5 * (x.op("exp") + (-x).op("exp"))


@opening
def asin(x: Term) -> Term:
    return (x / ((1 - x) * (1 + x)).op("sqrt")).op("atan")


@opening
def acos(x: Term) -> Term:
    return math.pi / 2 - x.op("asin")


@opening
def asinh(x: Term) -> Term:
    size = abs(x)
    squared = x * x
    return x.op("sign") * (size + squared / (1 + (squared + 1).op("sqrt"))).op("log1p")


@opening
def acosh(x: Term) -> Term:
    return (x + (x - 1).op("sqrt") * (x + 1).op("sqrt")).op("log")


@opening
def atanh(x: Term) -> Term:
    return 0.5 * (2 * x / (1 - x)).op("log1p")


@opening
def atan2(x: Term, y: Term) -> Term:
    """The angle of a point: of y / x in the right half, half a turn more or less in the left."""
    angle = (x / y).op("atan")
    left = (x >= 0).where(angle + math.pi, angle - math.pi)
    on_axis = x.op("sign") * (math.pi / 2)
    found = (y > 0).where(angle, (y < 0).where(left, on_axis))
    return found


@opening
def erf(x: Term) -> Term:
    inner = x.most(-4).least(4)
    squared = inner * inner
    return inner * _polynomial(squared, _ERF_ABOVE) / _polynomial(squared, _ERF_BELOW)


@opening
def erfc(x: Term) -> Term:
    return 1 - x.op("erf")


@opening
def round_(x: Term) -> Term:
    up = (x + 0.5).op("floor")
    is_odd = (up - 2 * (up * 0.5).op("floor")).equals(1)
    is_tie = (up - x).equals(0.5)
    return is_tie.op("and", is_odd).where(up - 1, up)


@opening
def is_finite(x: Term) -> Term:
    return (x - x).equals(0)


@opening
def clamp(x: Term, low: Term, high: Term) -> Term:
    return x.most(low).least(high)


@opening
def rem(x: Term, y: Term) -> Term | None:
    if x.is_float:
        return None  # the digits of a large quotient are lost
    return x - (x / y) * y


@opening
def sign(make: Maker, x: Term) -> Term:
    if "uint" in x.dtype:
        return x.least(1)
    one, minus = make.constant(1, x.dtype), make.constant(-1, x.dtype)
    return (x > 0).where(one, (x < 0).where(minus, x))  # which is 0 or NaN
