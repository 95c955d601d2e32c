"""Small functions in C that forms call, by name: $T is the type of a dtype, $N their own name, $F
the ending of functions of `math.h`, `name$N` one of these of the same dtype."""

from __future__ import annotations

import re

from nacre.export.targets.c.types import TYPES, is_float, suffix

# Of sizes, which may be negative on the way.
_SIZES = {
    "floordiv_n": """\
static ptrdiff_t floordiv_n(ptrdiff_t a, ptrdiff_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}""",
    "mod_n": """\
static ptrdiff_t mod_n(ptrdiff_t a, ptrdiff_t b)
{
    const ptrdiff_t left = a % b;
    return left != 0 && (left < 0) != (b < 0) ? left + b : left;
}""",
    "max_n": """\
static ptrdiff_t max_n(ptrdiff_t a, ptrdiff_t b)
{
    return a > b ? a : b;
}""",
    "min_n": """\
static ptrdiff_t min_n(ptrdiff_t a, ptrdiff_t b)
{
    return a < b ? a : b;
}""",
    "clip_n": """\
static ptrdiff_t clip_n(int64_t a, ptrdiff_t low, ptrdiff_t high)
{
    return a < low ? low : a > high ? high : (ptrdiff_t)a;
}""",
}

_OF_DTYPE = {
    # NaN where one is NaN.
    "max": "static $T $N($T x, $T y)\n{\n    return x > y || x != x ? x : y;\n}",
    "min": "static $T $N($T x, $T y)\n{\n    return x < y || x != x ? x : y;\n}",
    "sigmoid": """\
static $T $N($T x)
{
    const $T small = exp$F(-fabs$F(x));
    return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}""",
    # log(1 + exp(x)) without overflow.
    "softplus": """\
static $T $N($T x)
{
    return x != x ? x : (x > 0 ? x : 0) + log1p$F(exp$F(-fabs$F(x)));
}""",
    "sign": "static $T $N($T x)\n{\n    return x > 0 ? 1 : x < 0 ? -1 : x;\n}",
    "rsqrt": "static $T $N($T x)\n{\n    return 1 / sqrt$F(x);\n}",
    "elu": "static $T $N($T x)\n{\n    return x > 0 ? x : expm1$F(x);\n}",
    "selu": """\
static $T $N($T x)
{
    const $T scale = ($T)1.0507009873554805, alpha = ($T)1.6732632423543772;
    return scale * (x > 0 ? x : alpha * expm1$F(x));
}""",
    "mish": "static $T $N($T x)\n{\n    return x * tanh$F($softplus(x));\n}",
    "silu": "static $T $N($T x)\n{\n    return x * $sigmoid(x);\n}",
    "relu": "static $T $N($T x)\n{\n    return x > 0 || x != x ? x : 0;\n}",
    "relu6": "static $T $N($T x)\n{\n    return x < 0 ? 0 : x > 6 ? 6 : x;\n}",
    "hard_sigmoid": """\
static $T $N($T x)
{
    return (x < -3 ? 0 : x > 3 ? 6 : x + 3) / 6;
}""",
    "hard_silu": "static $T $N($T x)\n{\n    return x * $hard_sigmoid(x);\n}",
    "softsign": "static $T $N($T x)\n{\n    return x / (1 + fabs$F(x));\n}",
    "log_sigmoid": "static $T $N($T x)\n{\n    return -$softplus(-x);\n}",
    "gelu": """\
static $T $N($T x)
{
    return ($T)0.5 * x * erfc$F(-x * ($T)0.70710678118654752);
}""",
    "gelu_tanh": """\
static $T $N($T x)
{
    const $T inner = ($T)0.79788456080286536 * (x + ($T)0.044715 * x * x * x);
    return ($T)0.5 * x * (1 + tanh$F(inner));
}""",
    # By the recurrence up to 6, then the asymptotic series (Abramowitz & Stegun 6.3.18).
    "digamma": """\
static $T $N($T given)
{
    const double pi = 3.14159265358979323846;
    double x = (double)given, total = 0.0;
    if (x <= 0 && x == floor(x)) return ($T)NAN;
    if (x <= 0) {
        total = -pi / tan(pi * x);
        x = 1 - x;
    }
    for (; x < 6; x += 1) total -= 1 / x;
    const double y = 1 / (x * x);
    const double series =
        y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240 - y / 132))));
    return ($T)(total + log(x) - 0.5 / x - series);
}""",
    # By Winitzki's approximation, then steps of Newton.
    "erf_inv": """\
static $T $N($T given)
{
    const double y = (double)given, half_root_pi = 0.88622692545275801365;
    if (!(y > -1 && y < 1)) return ($T)(y == 1 ? INFINITY : y == -1 ? -INFINITY : NAN);
    const double l = log1p(-y * y), middle = 2 / (3.14159265358979323846 * 0.147) + l / 2;
    double x = copysign(sqrt(sqrt(middle * middle - l / 0.147) - middle), y);
    for (int i = 0; i < 4; ++i) {
        /* Near 1 only the complement keeps its digits. */
        const double fault =
            fabs(y) < 0.5 ? erf(x) - y : copysign(1 - fabs(y) - erfc(fabs(x)), y);
        x -= fault * half_root_pi * exp(x * x);
    }
    return ($T)x;
}""",
    "logaddexp": """\
static $T $N($T x, $T y)
{
    if (x == y) return x + ($T)0.69314718055994531;
    const $T top = x > y || x != x ? x : y;
    return top + log1p$F(exp$F(-fabs$F(x - y)));
}""",
    # Towards zero; by zero all bits, as XLA has it.
    "div": """\
static $T $N($T x, $T y)
{
    if (y == 0) return ($T)-1;
    if ((int64_t)y == -1) return ($T)(0 - ($U)x);
    return ($T)(x / y);
}""",
    "udiv": "static $T $N($T x, $T y)\n{\n    return y == 0 ? ($T)-1 : ($T)(x / y);\n}",
    "rem": """\
static $T $N($T x, $T y)
{
    if (y == 0) return x;
    return (int64_t)y == -1 ? ($T)0 : ($T)(x % y);
}""",
    "urem": "static $T $N($T x, $T y)\n{\n    return y == 0 ? x : ($T)(x % y);\n}",
    "power": """\
static $T $N($T x, $T y)
{
    $U result = 1, factor = ($U)x;
    if (y < 0) return x == 1 ? 1 : ($T)(x + 1) == 0 ? (y % 2 != 0 ? x : 1) : 0;
    for (; y > 0; y = ($T)(y / 2)) {
        if (y % 2 != 0) result *= factor;
        factor *= factor;
    }
    return ($T)result;
}""",
}


def source(name: str, own: str, dtype: str) -> str:
    """The text of a function, which is called `own`."""
    type_, ending, unsigned = TYPES[dtype]
    text = _OF_DTYPE[name]
    if not is_float(dtype):  # there is no NaN
        text = text.replace(" || x != x", "")
    for needed in needs(name):
        text = text.replace(f"${needed}(", f"{needed}_{ending}(")
    text = text.replace("$N", own).replace("$T", type_).replace("$F", suffix(dtype))
    return text.replace("$U", unsigned)


def of_sizes(*texts: str) -> list[str]:
    """The functions of sizes that texts call, in the order that they need."""
    used: list[str] = []
    for name in reversed(_SIZES):  # a later one may call an earlier one
        if any(f"{name}(" in text for text in (*texts, *used)):
            used.insert(0, _SIZES[name])
    return used


def needs(name: str) -> list[str]:
    """The functions of the same dtype that one calls."""
    return [found for found in re.findall(r"\$([a-z_]\w+)\(", _OF_DTYPE.get(name, ""))]


def has(name: str) -> bool:
    """Whether there is one of this name."""
    return name in _OF_DTYPE


__all__ = ["has", "needs", "of_sizes", "source"]
