"""`tf.Variable`: nacre's, made with TensorFlow's arguments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable as NacreVariable
from nacre.tf.dtypes import as_dtype
from nacre.tf.values import is_wide, read, tensor

_CONTAINER = re.compile(r"sequential(_\d+)?")


def name_in_tensorflow(variable: NacreVariable) -> str:
    """The name that tf.keras 2 gives a variable: 'dense/kernel:0', 'Variable:0'.

    Names of layers begin it, but for a `Sequential` without a name of its own.

    Args:
        variable: It.
    """
    *around, own = variable.path.split("/")
    if own.rstrip("_0123456789") == "variable":
        own = "Variable"
    parts = [part for part in around if not _CONTAINER.fullmatch(part)]
    return "/".join([*parts, own]) + ":0"


def shown_variable(variable: NacreVariable) -> str:
    """A variable as TensorFlow shows it.

    Args:
        variable: It.
    """
    name = name_in_tensorflow(variable)
    told = f"'{name}' shape={tuple(variable.shape)} dtype={variable.own_dtype}"
    value = variable.raw_value
    if is_tracer(value):
        return f"<tf.Variable {told}>"
    array = np.asarray(value)
    shown = repr(array) if array.ndim else str(array)
    shown = f"\n{shown}" if array.ndim > 1 else shown
    return f"<tf.Variable {told}, numpy={shown}>"


class _VariableKind(type(NacreVariable)):
    """Makes `isinstance(weight, tf.Variable)` true of every variable of nacre's."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, NacreVariable)


class Variable(NacreVariable, metaclass=_VariableKind):
    """A variable of `nacre.Variable`'s kind, made as TensorFlow makes them.

    Args:
        initial_value: The first value, or a function without arguments that gives it.
        trainable: Whether tapes watch it and optimizers change it; True by default.
        validate_shape, caching_device, variable_def, import_scope: Accepted for compatibility.
        name: Its name.
        dtype: The dtype; by default that of the value.
        constraint: What an optimizer applies to it after each update.
        synchronization, aggregation: Accepted for compatibility.
        shape: The shape, which must be the value's: variables keep their shape here.

    Source:
        TensorFlow 2.15, tf.Variable. Differs: `value` is an attribute, the array; `assign` gives
        the value.
    """

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Callable[[Any], Any] | None = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
    ) -> None:
        if initial_value is None:
            rule, fix = "there must be a first value", "Pass it: tf.Variable(tf.zeros([3]))."
            raise ArgumentError(message("tf.Variable", rule, "None", fix))
        value = initial_value() if callable(initial_value) else initial_value
        value = tensor(value, dtype)
        if as_dtype(value.dtype) == "string":
            rule = "variables hold numbers"
            raise ArgumentError(message("tf.Variable", rule, "strings", "Keep them in a list."))
        sizes = tuple(value.shape)
        if shape is not None and any(n not in (None, m) for n, m in zip(shape, sizes)):
            raise ArgumentError(message("tf.Variable", f"the value must fit {shape}", f"{sizes}"))
        if dtype is None and is_wide(value):
            dtype = value.dtype  # NumPy's by default elsewhere, here it is asked for
        super().__init__(
            value,
            dtype=None if dtype is None else as_dtype(dtype).name,
            trainable=trainable is not False,
            autocast=False,
            name=name,
        )
        if constraint is not None:
            self.constraint = constraint

    @property
    def dtype(self) -> Any:
        """The dtype, which tells of itself."""
        return as_dtype(super().dtype)

    def assign(  # pyright: ignore[reportIncompatibleMethodOverride] - TensorFlow's arguments
        self, value: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> Any:  # fmt: skip
        """Set the value, and return it; nothing with read_value=False.

        Args:
            value: Of the variable's shape.
            use_locking, name: Accepted for compatibility.
            read_value: Whether it is returned.
        """
        super().assign(tensor(value, self.own_dtype))
        return read(self) if read_value else None

    def assign_add(  # pyright: ignore[reportIncompatibleMethodOverride] - TensorFlow's arguments
        self, delta: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> Any:  # fmt: skip
        """Add to the value, and return the sum; nothing with read_value=False.

        Args:
            delta: What to add.
            use_locking, name, read_value: As of `assign`.
        """
        super().assign_add(tensor(delta, self.own_dtype))
        return read(self) if read_value else None

    def assign_sub(  # pyright: ignore[reportIncompatibleMethodOverride] - TensorFlow's arguments
        self, delta: Any, use_locking: bool = False, name: str | None = None,
        read_value: bool = True,
    ) -> Any:  # fmt: skip
        """Subtract from the value, and return the difference; nothing with read_value=False.

        Args:
            delta: What to subtract.
            use_locking, name, read_value: As of `assign`.
        """
        super().assign_sub(tensor(delta, self.own_dtype))
        return read(self) if read_value else None

    def __repr__(self) -> str:
        return shown_variable(self)

    def read_value(self) -> Any:
        """The value now."""
        return read(self)

    def is_initialized(self) -> bool:
        """Always: a variable has a value from the beginning."""
        return True


class VariableAggregation:
    """How copies on several devices are joined."""

    NONE = "none"
    SUM = "sum"
    MEAN = "mean"
    ONLY_FIRST_REPLICA = "only_first_replica"


class VariableSynchronization:
    """When copies on several devices are joined."""

    AUTO = "auto"
    NONE = "none"
    ON_WRITE = "on_write"
    ON_READ = "on_read"


__all__ = ["Variable", "VariableAggregation", "VariableSynchronization"]
