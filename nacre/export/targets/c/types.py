"""Dtypes, numbers, sizes and names as C writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from nacre.export.graph.sizes import Size

# dtype -> (type, ending of names, unsigned type that sums of it wrap around in).
TYPES: dict[str, tuple[str, str, str]] = {
    "bool": ("uint8_t", "b8", "uint32_t"),
    "float32": ("float", "f32", ""),
    "float64": ("double", "f64", ""),
    **{f"int{n}": (f"int{n}_t", f"i{n}", f"uint{max(n, 32)}_t") for n in (8, 16, 32, 64)},
    **{f"uint{n}": (f"uint{n}_t", f"u{n}", f"uint{max(n, 32)}_t") for n in (8, 16, 32, 64)},
}
SIZE = "ptrdiff_t"
# Words of C that no name may be, and names that the file has.
_TAKEN = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "union unsigned void volatile while arena arena_bytes weights base main".split()
)


def is_float(dtype: str) -> bool:
    """Whether it holds floats."""
    return dtype.startswith("float")


def suffix(dtype: str) -> str:
    """What ends the names of functions of `math.h`."""
    return "f" if dtype == "float32" else ""


def number(value: Any, dtype: str) -> str:
    """A number of a dtype."""
    if is_float(dtype):
        value = float(value)
        if not np.isfinite(value):
            text = "NAN" if np.isnan(value) else "INFINITY" if value > 0 else "-INFINITY"
            return f"({TYPES[dtype][0]}){text}" if dtype == "float64" else text
        text = f"{np.float32(value):.9g}" if dtype == "float32" else f"{value:.17g}"
        text = text if re.search("[.e]", text) else f"{text}.0"
        return text + suffix(dtype)
    value = int(value)
    if dtype == "int64":
        return "INT64_MIN" if value == -(2**63) else f"INT64_C({value})"
    if dtype == "uint64":
        return f"UINT64_C({value})"
    if dtype == "int32":
        return "INT32_MIN" if value == -(2**31) else str(value)
    return f"{value}u" if dtype == "uint32" else str(value)


def size(value: Size) -> str:
    """A size as an expression of the named ones."""
    if isinstance(value, int):
        return str(value)
    text = ""
    for product, coefficient in value.terms.items():
        factors = [_factor(factor) for factor in product]
        if abs(coefficient) != 1 or not factors:
            factors = [str(abs(coefficient)), *factors]
        sign = " - " if coefficient < 0 else " + "
        text += (sign if text else sign.strip(" +")) + " * ".join(factors)
    return text


def _factor(factor: Any) -> str:
    if isinstance(factor, str):
        return name_of(factor)
    function, left, right = factor
    return f"{function}_n({size(left)}, {size(right)})"


def part(value: Size) -> str:
    """A size that may stand within a product."""
    text = size(value)
    return text if re.fullmatch(r"\w+|\w+\([^()]*\)", text) else f"({text})"


def count(shape: Iterable[Size]) -> str:
    """How many elements a shape has."""
    known, others = 1, []
    for one in shape:
        if isinstance(one, int):
            known *= one
        else:
            others.append(part(one))
    if known == 0:
        return "0"
    return " * ".join([*([str(known)] if known != 1 or not others else []), *others])


def name_of(text: str) -> str:
    """A text as a name."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII)
    name = f"x{name}" if not name or name[0].isdigit() or name[0] == "_" else name
    return f"{name}_" if name in _TAKEN else name


__all__ = ["SIZE", "TYPES", "count", "is_float", "name_of", "number", "part", "size", "suffix"]
