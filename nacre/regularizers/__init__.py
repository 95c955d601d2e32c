"""Penalties added to the loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from nacre.core.lookup import Lookup, named
from nacre.core.registry import plain_config
from nacre.regularizers.regularizers import L1 as L1
from nacre.regularizers.regularizers import L1L2 as L1L2
from nacre.regularizers.regularizers import L2 as L2
from nacre.regularizers.regularizers import OrthogonalRegularizer as OrthogonalRegularizer
from nacre.regularizers.regularizers import Regularizer as Regularizer

l1, l2, l1_l2 = L1, L2, L1L2
orthogonal_regularizer = OrthogonalRegularizer

__all__ = [
    "Regularizer", "L1", "L1L2", "L2", "OrthogonalRegularizer",
    "l1", "l2", "l1_l2", "orthogonal_regularizer",
    "get", "serialize", "deserialize",
]  # fmt: skip

LEGACY_NAMES = {"l1l2": "L1L2", "regularizer": "Regularizer"}

_LOOKUP = Lookup(
    "regularizers",
    "a regularizer",
    named(globals(), __all__, ()),
    LEGACY_NAMES,
    "Pass for example nacre.regularizers.L2(0.01).",
    roles="regularizer",
)


def serialize(regularizer: Any) -> Any:
    """The config of a regularizer.

    Args:
        regularizer: A regularizer, or a registered function.

    Example:
        >>> serialize(L2(0.5))["config"]
        {'l2': 0.5}
    """
    return plain_config(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer a config describes.

    Args:
        config: What `serialize` gave, or a name.
        custom_objects: name -> class or function, for names that are not built in.

    Example:
        >>> deserialize({"class_name": "L2", "config": {"l2": 0.5}}).l2
        0.5
    """
    return _LOOKUP.deserialize(config, custom_objects)


@overload
def get(identifier: None) -> None: ...
@overload
def get(identifier: Any) -> Callable[..., Any]: ...
def get(identifier: Any) -> Callable[..., Any] | None:
    """The regularizer for a name, a config, a class or a callable; None for None.

    Args:
        identifier: Such as "l2", a dict config, a regularizer, or any callable `x -> scalar`.

    Raises:
        UnknownNameError: A string that names no regularizer.
        ArgumentError: Something that cannot be one.
    Example:
        >>> get("l2").l2
        0.01
    """
    return _LOOKUP.get(identifier)


def __dir__() -> list[str]:
    return sorted(__all__)  # what tab completion offers
