"""Operators by the names TFLite has for them.

    @op("ADD", known=True)
    def add(step, x, y): ...

A function takes the step and the values of its inputs, None for what is left out, and gives one
value or a list. What is known before anything runs is an array of NumPy: where all inputs are and
the op is `known`, NumPy computes it, so that shapes can be made of it; sizes that are open are
symbols in an array of objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.tracing import is_tracer
from nacre.core.wire.tflite import ACTIVATIONS, PADDINGS
from nacre.export.importers.litert.read import Operator, Tensor
from nacre.export.importers.wide_work import afresh

F = TypeVar("F", bound=Callable[..., Any])


class StepError(ValueError):
    """What is wrong with an operator, in words."""


@dataclass
class Step:
    """An operator while it is computed.

    Attributes:
        inputs, outputs: The tensors, for their dtypes and scales.
        run: What the whole has in common: subgraphs, states, keys.
    """

    operator: Operator
    inputs: Sequence[Tensor | None]
    outputs: Sequence[Tensor]
    run: Any = None  # Any: `program.Running`, which is above

    def __getitem__(self, name: str) -> Any:
        """An option; of a file that leaves the table out, its default."""
        options = self.operator.options
        return options[name] if name in options else 0

    @property
    def padding(self) -> str:
        """'same' or 'valid'."""
        return _member(PADDINGS, self["padding"], "padding").lower()

    def activated(self, x: Any) -> Any:
        """A value through the activation that the operator holds."""
        which = _member(ACTIVATIONS, self["fused_activation_function"], "activation")
        return activation(which, x)


def _member(names: Sequence[str], number: int, what: str) -> str:
    if not 0 <= number < len(names):
        raise StepError(f"{what} {number} is unknown")
    return names[number]


def activation(which: str, x: Any) -> Any:
    """A value through an activation of TFLite."""
    if which == "NONE":
        return x
    x = jnp.asarray(x)
    zero = np.zeros((), x.dtype)
    if which == "RELU":
        return jnp.maximum(x, zero)
    if which == "RELU6":
        return jnp.clip(x, zero, np.asarray(6, x.dtype))
    if which == "RELU_N1_TO_1":
        return jnp.clip(x, np.asarray(-1, x.dtype), np.asarray(1, x.dtype))
    if which == "TANH":
        return jnp.tanh(x)
    raise StepError(f"activation {which}")


@dataclass(frozen=True)
class Op:
    """How an operator is computed.

    Attributes:
        is_known: NumPy computes it where all inputs are known.
        takes_scales: It works on whole numbers that stand for others itself.
        moves: It gives numbers of its first input unchanged, in other places.
        weights: The inputs that are weights.
    """

    function: Callable[..., Any]
    is_known: bool = False
    takes_scales: bool = False
    moves: bool = False
    weights: frozenset[int] = field(default_factory=frozenset)


OPS: dict[str, Op] = {}


def op(
    *names: str,
    known: bool = False,
    scales: bool = False,
    moves: bool = False,
    weights: Sequence[int] = (),
) -> Callable[[F], F]:
    """Declare how operators are computed."""

    def declare(function: F) -> F:
        for name in names:
            assert name not in OPS, name
            OPS[name] = Op(function, known, scales, moves, frozenset(weights))
        return function

    return declare


def is_known(*values: Any) -> bool:
    """Whether all are arrays of NumPy, or nothing."""
    return all(v is None or isinstance(v, np.ndarray | np.generic) for v in values)


def numbers(*values: Any) -> ModuleType:
    """What computes with values: NumPy where all are known, JAX otherwise."""
    return np if is_known(*values) else jnp


def as_array(value: Any) -> Any:
    """A value as an array of JAX: sizes that are symbols too."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        parts = [jnp.asarray(n) for n in value.reshape(-1)]
        return jnp.stack(parts).reshape(value.shape) if parts else jnp.zeros(value.shape, "int32")
    return jnp.asarray(afresh(value) if isinstance(value, np.ndarray) else value)


def known(value: Any, what: str) -> np.ndarray:
    """A value that must be known while a program is traced.

    Raises:
        StepError: It is not.
    """
    if isinstance(value, jax.Array) and not is_tracer(value):
        return np.asarray(value)
    if not isinstance(value, np.ndarray | np.generic):
        raise StepError(f"{what} must follow from the file and the shapes of the inputs")
    return np.asarray(value)


def sizes(value: Any, what: str = "the sizes") -> list[Any]:
    """Whole numbers, or symbols for them, that must be known."""
    return [_size(n) for n in known(value, what).reshape(-1)]


def size(value: Any, what: str = "the size") -> Any:
    """One of them."""
    found = sizes(value, what)
    if len(found) != 1:
        raise StepError(f"{what} must be one number")
    return found[0]


def _size(n: Any) -> Any:
    return int(n) if isinstance(n, int | np.integer | np.bool_ | float | np.floating) else n


def as_known(values: Sequence[Any], dtype: str = "int32") -> np.ndarray:
    """Sizes as an array: of objects where some are symbols."""
    if all(isinstance(n, int | np.integer) for n in values):
        return np.asarray(values, dtype).reshape(len(values))
    found = np.empty(len(values), object)
    found[:] = list(values)
    return found


def jax_dtype(name: str) -> Any:
    """A dtype as JAX has it where 64 bits are not asked for."""
    from nacre.export.importers.litert.read import numpy_dtype

    return jax.dtypes.canonicalize_dtype(numpy_dtype(name))


Values = Mapping[str, Any]

__all__ = [
    "OPS",
    "Op",
    "Step",
    "StepError",
    "activation",
    "as_array",
    "as_known",
    "is_known",
    "jax_dtype",
    "known",
    "numbers",
    "op",
    "size",
    "sizes",
]
