"""Rules for weights, applied after each training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from nacre.constraints.constraints import Constraint as Constraint
from nacre.constraints.constraints import MaxNorm as MaxNorm
from nacre.constraints.constraints import MinMaxNorm as MinMaxNorm
from nacre.constraints.constraints import NonNeg as NonNeg
from nacre.constraints.constraints import RadialConstraint as RadialConstraint
from nacre.constraints.constraints import UnitNorm as UnitNorm
from nacre.core.lookup import Lookup, named
from nacre.core.registry import plain_config

max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
radial_constraint = RadialConstraint

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "RadialConstraint", "UnitNorm",
    "max_norm", "min_max_norm", "non_neg", "radial_constraint", "unit_norm",
    "get", "serialize", "deserialize",
]  # fmt: skip

LEGACY_NAMES = {
    "maxnorm": "MaxNorm",
    "nonneg": "NonNeg",
    "unitnorm": "UnitNorm",
    "minmaxnorm": "MinMaxNorm",
    "constraint": "Constraint",
}

_LOOKUP = Lookup(
    "constraints",
    "a constraint",
    named(globals(), __all__, ()),
    LEGACY_NAMES,
    "Pass for example nacre.constraints.MaxNorm(2).",
    roles="constraint",
)


def serialize(constraint: Any) -> Any:
    """The config of a constraint.

    Args:
        constraint: A constraint, or a registered function.

    Example:
        >>> serialize(MaxNorm(3))["config"]
        {'max_value': 3, 'axis': 0}
    """
    return plain_config(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint a config describes.

    Args:
        config: What `serialize` gave, or a name.
        custom_objects: name -> class or function, for names that are not built in.

    Example:
        >>> deserialize({"class_name": "MaxNorm", "config": {"max_value": 3}}).max_value
        3
    """
    return _LOOKUP.deserialize(config, custom_objects)


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: Any) -> Callable[..., Any]: ...
def get(identifier: Any) -> Callable[..., Any] | None:
    """The constraint for a name, a config, a class or a callable; None for None.

    Args:
        identifier: Such as "max_norm", a dict config, a constraint, or any callable `w -> w`.

    Raises:
        UnknownNameError: A string that names no constraint.
        ArgumentError: Something that cannot be one.
    Example:
        >>> get("max_norm").max_value
        2
    """
    return _LOOKUP.get(identifier)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
