"""The base of all initializers: a shape and a dtype in, a NumPy array out."""

from __future__ import annotations

import operator
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from nacre.core.changes import Versioned
from nacre.core.dtypes import standardize_dtype
from nacre.core.errors import ShapeError, message
from nacre.core.registry import is_builtin
from nacre.core.safety import reads_config


class Initializer(Versioned):
    """A rule that gives the first value of a variable.

    Subclasses write `__call__(self, shape, dtype=None)`, and `get_config` when they have arguments.

    Example:
        >>> class Tens(Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return np.full(shape, 10, dtype or "float32")
        >>> Tens()((2,))
        array([10., 10.], dtype=float32)
    """

    _config_role = "initializer"
    _config_module = "keras.initializers"
    _config_class_name = "Initializer"

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """An array of `shape` and `dtype`. Subclasses override it."""
        raise NotImplementedError(f"{type(self).__name__} must have __call__(shape, dtype=None).")

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the initializer a config describes."""
        return cls(**config)

    def fixed(self) -> Initializer | None:
        """This initializer such that it may be called later, with the same numbers as now.

        None for a class of the user's: when it is called is its author's matter.
        """
        return self if is_builtin(type(self)) else None

    def clone(self) -> Initializer:
        """A new initializer with the same arguments."""
        return type(self).from_config(self.get_config())


def fresh_copy(initializer: Any) -> Any:
    """A new initializer of the same kind: one object must not start two weights alike."""
    if hasattr(initializer, "get_config") and hasattr(type(initializer), "from_config"):
        return type(initializer).from_config(initializer.get_config())
    return initializer


def sizes_of(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of ints; one number is a shape of one axis.

    Raises:
        ShapeError: A size is unknown, negative or no whole number.
    Example:
        >>> sizes_of([2, 3]), sizes_of(4)
        ((2, 3), (4,))
    """
    try:
        sizes = tuple(operator.index(n) for n in (shape if np.ndim(shape) else (shape,)))
    except TypeError:
        sizes = (-1,)
    if min(sizes, default=0) < 0:
        rule = "the shape must be a tuple of whole numbers from 0"
        raise ShapeError(message("initializer", rule, repr(shape)))
    return sizes


def numpy_dtype(dtype: Any) -> np.dtype:
    """The NumPy dtype an initializer fills: floatx for None, bfloat16 and 8-bit floats too."""
    return np.dtype(jnp.dtype(standardize_dtype(dtype)))
