"""Sizes of axes that are known only when a graph runs: sums of products of named sizes.

A `Size` is an int, or a `SizeExpr` such as `2*batch + 1` or `floordiv(time, 2)`. Expressions are
kept in one normal form, so that most that mean the same are equal; `same_size` finds the others.
The text is the one that JAX gives to its symbolic sizes, and is read back by `parse_size`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

# A factor is a name, or a function of two sizes: ("floordiv", time, 2). A product is the factors,
# sorted by their text; the empty one is 1.
Factor: TypeAlias = "str | tuple[str, Size, Size]"
Product: TypeAlias = "tuple[Factor, ...]"
Size: TypeAlias = "int | SizeExpr"
T = TypeVar("T")

_FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "floordiv": operator.floordiv,
    "max": max,
    "min": min,
    "mod": operator.mod,
}


class SizeExpr:
    """A size that depends on named ones.

    Attributes:
        terms: Coefficient of each product of factors, none of them zero.

    Example:
        >>> batch = symbol("batch")
        >>> 2 * (batch + 1) - batch, (4 * batch + 2) // 2
        (batch + 2, 2*batch + 1)
    """

    __slots__ = ("_text", "terms")

    def __init__(self, terms: Mapping[Product, int]) -> None:
        ordered = sorted(terms.items(), key=lambda term: (-len(term[0]), _product_text(term[0])))
        self.terms: dict[Product, int] = dict(ordered)
        self._text = " + ".join(_term_text(*term) for term in ordered).replace("+ -", "- ")

    def __add__(self, other: Size) -> Size:
        terms = dict(self.terms)
        for product, coefficient in _terms(other).items():
            terms[product] = terms.get(product, 0) + coefficient
        return _made(terms)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __rsub__(self, other: Size) -> Size:
        return self * -1 + other

    def __mul__(self, other: Size) -> Size:
        terms: dict[Product, int] = {}
        for left, a in self.terms.items():
            for right, b in _terms(other).items():
                product = tuple(sorted((*left, *right), key=_factor_text))
                terms[product] = terms.get(product, 0) + a * b
        return _made(terms)

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return floor_divided(self, other)

    def __rfloordiv__(self, other: int) -> Size:
        return floor_divided(other, self)

    def __mod__(self, other: Size) -> Size:
        return self - floor_divided(self, other) * other

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SizeExpr) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return self._text


def symbol(name: str) -> SizeExpr:
    """The size of that name."""
    return SizeExpr({(name,): 1})


def floor_divided(left: Size, right: Size) -> Size:
    """left // right, with what divides evenly taken out.

    Example:
        >>> time = symbol("time")
        >>> floor_divided(4 * time + 3, 2), floor_divided(floor_divided(time, 2), 3)
        (2*time + 1, floordiv(time, 6))
    """
    if isinstance(left, int) and isinstance(right, int):
        return left // right
    if isinstance(right, SizeExpr):
        exact = _exact_quotient(left, right)
        return _call("floordiv", left, right) if exact is None else exact
    if right == 1:
        return left
    terms = _terms(left)
    whole = _made({p: c // right for p, c in terms.items()})
    rest = _made({p: c % right for p, c in terms.items()})
    if isinstance(rest, int):
        return whole + rest // right
    constant = rest.terms.get((), 0)
    inner = [(p, c) for p, c in rest.terms.items() if p]
    if len(inner) == 1 and inner[0][1] == 1 and len(inner[0][0]) == 1:
        factor = inner[0][0][0]
        if isinstance(factor, tuple) and factor[0] == "floordiv" and isinstance(factor[2], int):
            nested = floor_divided(factor[1] + constant * factor[2], factor[2] * right)
            return whole + nested
    return whole + _call("floordiv", rest, right)


def larger(left: Size, right: Size) -> Size:
    """max(left, right); a named size is at least 1."""
    if isinstance(left, int) and isinstance(right, int):
        return max(left, right)
    difference = left - right
    for one, sign in ((left, 1), (right, -1)):
        least = _least(difference * sign)
        if least is not None and least >= 0:
            return one
    return _call("max", left, right)


def _least(size: Size) -> int | None:
    """What a size is at least where names are at least 1; None where that is not plain."""
    if isinstance(size, int):
        return size
    for product, coefficient in size.terms.items():
        if product and (coefficient < 0 or not all(isinstance(f, str) for f in product)):
            return None
    return sum(size.terms.values())


def product_of(sizes: Iterable[Size]) -> Size:
    """The product of sizes: how many elements an array of such a shape has."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def symbols_in(*sizes: Size) -> set[str]:
    """The names that sizes depend on."""
    found: set[str] = set()
    for size in sizes:
        for factor in (f for product in _terms(size) for f in product):
            found |= {factor} if isinstance(factor, str) else symbols_in(*factor[1:])
    return found


def multiple_of_name(size: Size) -> tuple[str, int] | None:
    """A name and how many times it the size is, where it is no more than that.

    Example:
        >>> multiple_of_name(8 * symbol("height")), multiple_of_name(symbol("height") + 1)
        (('height', 8), None)
    """
    if isinstance(size, int) or len(size.terms) != 1:
        return None
    ((product, times),) = size.terms.items()
    is_name = len(product) == 1 and isinstance(product[0], str) and times > 0
    return (str(product[0]), times) if is_name else None


def size_value(size: Size, known: Mapping[str, int]) -> int:
    """The number that a size is where the names have the sizes `known`."""
    if isinstance(size, int):
        return size
    total = 0
    for product, coefficient in size.terms.items():
        for factor in product:
            coefficient *= _factor_value(factor, known)
        total += coefficient
    return total


def _factor_value(factor: Factor, known: Mapping[str, int]) -> int:
    if isinstance(factor, str):
        return known[factor]
    name, left, right = factor
    return _FUNCTIONS[name](size_value(left, known), size_value(right, known))


# Sizes that two expressions are compared at: of no common divisor, even and odd, small and large,
# and so large that windows of seconds of sound fit into them.
_SAMPLES = (
    (7, 11, 13, 17), (12, 9, 10, 14), (101, 64, 36, 5), (3, 2, 1, 4), (30, 1001, 77, 210),
    (99_991, 65_538, 131_101, 40_960), (16_777_259, 10_000_019, 12_345_678, 20_000_003),
)  # fmt: skip


def computed(
    size: SizeExpr,
    number: Callable[[int], T],
    factor: Callable[[Factor], T],
    multiply: Callable[[T, T], T],
    add: Callable[[T, T], T],
) -> T:
    """A size in a format's own arithmetic: the sum of its products, worked out term by term.

    Args:
        number: A whole number there.
        factor: A named size, or a function of two sizes.
        multiply, add: Of two such.

    Example:
        >>> time = symbol("time")
        >>> join = lambda sign: lambda a, b: f"({a} {sign} {b})"
        >>> computed(2 * time + 1, str, str, join("*"), join("+"))
        '((time * 2) + 1)'
    """
    total: T | None = None
    for factors, coefficient in size.terms.items():
        term: T | None = None
        for one in factors:
            term = factor(one) if term is None else multiply(term, factor(one))
        if term is None:
            term = number(coefficient)
        elif coefficient != 1:
            term = multiply(term, number(coefficient))
        total = term if total is None else add(total, term)
    assert total is not None, "a size without terms is 0, a plain number"
    return total


def same_size(left: Size, right: Size) -> bool:
    """Whether two sizes are the same whatever the named ones are.

    Example:
        >>> time = symbol("time")
        >>> same_size(floor_divided(time + 1, 2), time - floor_divided(time, 2))
        True
    """
    if left == right:
        return True
    names = sorted(symbols_in(left, right))
    for sample in _SAMPLES:
        known = {name: sample[i % len(sample)] + i // len(sample) for i, name in enumerate(names)}
        try:
            if size_value(left, known) != size_value(right, known):
                return False
        except ZeroDivisionError:
            continue
    return bool(names)


def parse_size(text: str) -> Size:
    """The size a text says, as JAX and `str` write it.

    Example:
        >>> parse_size("2*b^2 + floordiv(t + 1, 2)")
        2*b*b + floordiv(t + 1, 2)
    """
    return _evaluated(ast.parse(text.replace("^", "**"), mode="eval").body)


_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: floor_divided,
    ast.Mod: operator.mod,
}


def _evaluated(node: ast.expr) -> Size:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return symbol(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _evaluated(node.operand) * -1
    if isinstance(node, ast.BinOp):
        left, right = _evaluated(node.left), _evaluated(node.right)
        if isinstance(node.op, ast.Pow):
            return product_of([left] * cast("int", right))
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        left, right = map(_evaluated, node.args)
        name = node.func.id
        if name == "floordiv":
            return floor_divided(left, right)
        if name == "mod":
            return left - floor_divided(left, right) * right
        return larger(left, right) if name == "max" else _call(name, left, right)
    raise ValueError(f"no size: {ast.unparse(node)}")


def _terms(size: Size) -> Mapping[Product, int]:
    return size.terms if isinstance(size, SizeExpr) else {(): size} if size else {}


def _made(terms: Mapping[Product, int]) -> Size:
    left = {product: coefficient for product, coefficient in terms.items() if coefficient}
    return left.get((), 0) if not set(left) - {()} else SizeExpr(left)


def _call(name: str, left: Size, right: Size) -> Size:
    if isinstance(left, int) and isinstance(right, int):
        return _FUNCTIONS[name](left, right)
    return SizeExpr({((name, left, right),): 1})


def _exact_quotient(left: Size, right: SizeExpr) -> Size | None:
    """left / right where every product of `left` has the one of `right`; None otherwise."""
    if left == right:
        return 1
    if len(right.terms) != 1:
        return None
    ((divisor, by),) = right.terms.items()
    terms: dict[Product, int] = {}
    for product, coefficient in _terms(left).items():
        rest = list(product)
        for factor in divisor:
            if factor not in rest:
                return None
            rest.remove(factor)
        if coefficient % by:
            return None
        terms[tuple(rest)] = coefficient // by
    return _made(terms)


def _factor_text(factor: Factor) -> str:
    return factor if isinstance(factor, str) else f"{factor[0]}({factor[1]}, {factor[2]})"


def _product_text(product: Product) -> str:
    return "*".join(map(_factor_text, product))


def _term_text(product: Product, coefficient: int) -> str:
    if not product:
        return str(coefficient)
    sign = {1: "", -1: "-"}.get(coefficient, f"{coefficient}*")
    return sign + _product_text(product)
