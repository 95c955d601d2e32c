"""Which op each of Python's operators is, and each function of NumPy on a symbolic tensor.

Importing this module hands them to `core.operators`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.operators import OPERATIONS
from nacre.core.symbolic import KerasTensor
from nacre.ops import logic, math, products, shaping
from nacre.ops.indexing import get_item

OPERATIONS.update(
    {
        "add": math.add,
        "sub": math.subtract,
        "mul": math.multiply,
        "truediv": math.divide,
        "floordiv": math.floor_divide,
        "mod": math.mod,
        "pow": math.power,
        "matmul": products.matmul,
        "and": logic.logical_and,
        "or": logic.logical_or,
        "xor": logic.logical_xor,
        "eq": logic.equal,
        "ne": logic.not_equal,
        "lt": logic.less,
        "le": logic.less_equal,
        "gt": logic.greater,
        "ge": logic.greater_equal,
        "neg": math.negative,
        "abs": math.absolute,
        "invert": logic.logical_not,
        "round": math.round,
        "getitem": get_item,
        "reshape": shaping.reshape,
        "squeeze": shaping.squeeze,
    }
)

# Functions of NumPy that mean what the op of that name means.
_OF_UFUNCS: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(math, name)
        for name in (
            "add subtract multiply divide floor_divide mod power negative absolute sign sqrt "
            "square exp expm1 log log10 log1p log2 logaddexp sin cos tan arcsin arccos arctan "
            "arctan2 sinh cosh tanh arcsinh arccosh arctanh maximum minimum floor ceil trunc "
            "reciprocal"
        ).split()
    },
    **{
        name: getattr(logic, name)
        for name in (
            "equal not_equal less less_equal greater greater_equal logical_and logical_or "
            "logical_not logical_xor isnan isinf isfinite"
        ).split()
    },
    "remainder": math.mod,
    "true_divide": math.divide,
    "matmul": products.matmul,
}


# np.sum is numpy.add.reduce.
_OF_REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all",
    "logical_or": "any",
}  # fmt: skip


def _array_ufunc(self: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    """NumPy's functions of single numbers, such as np.log, as the ops of their names.

    Raises:
        ArgumentError: There is no such op, or NumPy is asked for more than the plain function.
    """
    operation = _OF_UFUNCS.get(ufunc.__name__)
    if operation is not None and method == "__call__" and not kwargs:
        return operation(*inputs)
    asked = f"numpy.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
    given = f" with {', '.join(kwargs)}" if kwargs else ""
    name = ufunc.__name__ if operation is not None and method == "__call__" else None
    if method == "reduce":
        name = _OF_REDUCTIONS.get(ufunc.__name__)
    tensor = next(x for x in (*inputs, self) if isinstance(x, KerasTensor))
    raise ArgumentError(
        message(
            f"Symbolic tensor '{tensor.name}' of shape {tensor.shape}",
            "it has no values yet, so NumPy cannot compute with it",
            asked + given,
            f"Use nacre.ops.{name}(x)."
            if name is not None
            else "Use functions of nacre.ops, or put the code into the call() of a layer.",
        )
    )


OPERATIONS.update({"array_ufunc": _array_ufunc})
