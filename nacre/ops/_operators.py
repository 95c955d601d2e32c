"""Python's operators on symbolic tensors and variables.

Importing this module installs them; a variable takes part with its value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.ops import linalg, logic, math, shaping
from nacre.ops.indexing import get_item

# operator -> op of two operands; those with a reflected form are marked True.
_BINARY: dict[str, tuple[Callable[..., Any], bool]] = {
    "add": (math.add, True),
    "sub": (math.subtract, True),
    "mul": (math.multiply, True),
    "truediv": (math.divide, True),
    "floordiv": (math.floor_divide, True),
    "mod": (math.mod, True),
    "pow": (math.power, True),
    "matmul": (linalg.matmul, True),
    "and": (logic.logical_and, True),
    "or": (logic.logical_or, True),
    "xor": (logic.logical_xor, True),
    "eq": (logic.equal, False),
    "ne": (logic.not_equal, False),
    "lt": (logic.less, False),
    "le": (logic.less_equal, False),
    "gt": (logic.greater, False),
    "ge": (logic.greater_equal, False),
}
_UNARY: dict[str, Callable[..., Any]] = {
    "neg": math.negative,
    "abs": math.absolute,
    "invert": logic.logical_not,
}


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
    "matmul": linalg.matmul,
}


def _forward(operation: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return NotImplemented
        return operation(self, other)

    return operator


def _reflected(operation: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    def operator(self: Any, other: Any) -> Any:
        return operation(other, self)

    return operator


def _single(operation: Callable[..., Any]) -> Callable[[Any], Any]:
    def operator(self: Any) -> Any:
        return operation(self)

    return operator


def _getitem(self: Any, key: Any) -> Any:
    return get_item(self, key)


def _positive(self: Any) -> Any:
    return self if isinstance(self, KerasTensor) else self.value


def _round(self: Any, ndigits: int | None = None) -> Any:
    return math.round(self, ndigits or 0)


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
    tensor = next(x for x in (*inputs, self) if isinstance(x, KerasTensor))
    raise ArgumentError(
        message(
            f"Symbolic tensor '{tensor.name}' of shape {tensor.shape}",
            "it has no values yet, so NumPy cannot compute with it",
            asked + given,
            f"Use nacre.ops.{ufunc.__name__}(x)."
            if operation is not None
            else "Use functions of nacre.ops, or put the code into the call() of a layer.",
        )
    )


def _install(cls: type, leave_out: tuple[str, ...] = ()) -> None:
    identity_hash = cls.__hash__
    for name, (operation, has_reflected) in _BINARY.items():
        if name in leave_out:
            continue
        setattr(cls, f"__{name}__", _forward(operation))
        if has_reflected:
            setattr(cls, f"__r{name}__", _reflected(operation))
    for name, operation in _UNARY.items():
        setattr(cls, f"__{name}__", _single(operation))
    cls.__pos__ = _positive  # type: ignore[attr-defined]
    cls.__round__ = _round  # type: ignore[attr-defined]
    cls.__getitem__ = _getitem  # type: ignore[attr-defined]
    cls.__hash__ = identity_hash  # type: ignore[method-assign]


def _reshape(self: Any, newshape: Any) -> Any:
    """The same entries in another shape."""
    return shaping.reshape(self, newshape)


def _squeeze(self: Any, axis: Any = None) -> Any:
    """Without the axes of size 1, or without `axis`."""
    return shaping.squeeze(self, axis)


KerasTensor.__array_ufunc__ = _array_ufunc  # type: ignore[assignment]
KerasTensor.reshape = _reshape  # type: ignore[attr-defined]
KerasTensor.squeeze = _squeeze  # type: ignore[attr-defined]
# Symbolic tensors are equal when they are the same: graphs look for them in lists.
_install(KerasTensor, leave_out=("eq", "ne"))
_install(Variable)
Variable.__array_priority__ = 1000  # type: ignore[attr-defined]  # NumPy arrays on the left leave it to us
