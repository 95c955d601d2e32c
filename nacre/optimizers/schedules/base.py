"""The protocol of learning-rate schedules."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# Arguments are looked at whatever their types say: users run no checker.
# pyright: reportUnnecessaryIsInstance=false, reportUnnecessaryComparison=false

from __future__ import annotations

import inspect
from typing import Any, Self

import jax
import jax.numpy as jnp

from nacre.core.changes import Versioned
from nacre.core.lookup import of_role
from nacre.core.registry import deserialize_keras_object, plain_config
from nacre.core.safety import reads_config


class LearningRateSchedule(Versioned):
    """A learning rate that depends on the step number alone.

    Write `__call__(step)` with operations that also work on traced values, and store constructor
    arguments under their own names: then the config needs no code.

    Example:
        >>> class Halving(LearningRateSchedule):
        ...     def __init__(self, start):
        ...         self.start = start
        ...     def __call__(self, step):
        ...         return self.start * 0.5 ** as_float(step)
        >>> float(Halving(1.0)(3)), Halving(1.0).get_config()
        (0.125, {'start': 1.0})
    """

    _config_role = "schedule"
    _config_module = "keras.optimizers.schedules"
    _config_class_name = "LearningRateSchedule"

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step` (0 at the first step). Subclasses override it."""
        raise NotImplementedError(
            f"{type(self).__name__}: a schedule must have __call__(step). Write one."
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names if name not in ("args", "kwargs")}

    @classmethod
    @reads_config
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the schedule a config describes."""
        return cls(**config)

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({values})"


def as_float(step: Any) -> jax.Array:
    """A step number of any kind as a float32 scalar."""
    return jnp.asarray(step).astype(jnp.float32)


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The config of a schedule."""
    return plain_config(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule a config describes.

    Raises:
        SerializationError: It describes something else.
    Example:
        >>> from nacre.optimizers.schedules import ExponentialDecay
        >>> deserialize(serialize(ExponentialDecay(0.1, 10, 0.5))).decay_rate
        0.5
    """
    if isinstance(config, dict) and "module" not in config:  # as tf.keras 2 wrote it
        config = {"module": "keras.optimizers.schedules", "registered_name": None, **config}
    found = deserialize_keras_object(config, custom_objects=custom_objects)
    return of_role(found, "schedule", "schedules.deserialize", "a schedule", config)
