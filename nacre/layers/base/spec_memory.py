"""What layers of nacre's own gave for symbolic inputs, kept for the next layer that is alike.

Shapes are found by tracing `call`, which takes a millisecond or two. A deep network has the same
few layers over and over: of the 815 of EfficientNetB7 every second one has a twin. What follows
from a layer's attributes, its variables' shapes and its inputs' is traced for the first of them.

Kept is only what surely follows from these: of classes whose `call` is a formula, where every
attribute is plain data, a function of nacre's or a variable, and whose tracing warned of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from nacre.constraints import Constraint
from nacre.core import config, tree, warning
from nacre.core.random import SeedGenerator
from nacre.core.symbolic import KerasTensor
from nacre.core.typed_jax import setting
from nacre.core.variable import Variable
from nacre.initializers.initializer import Initializer
from nacre.regularizers import Regularizer

if TYPE_CHECKING:
    from nacre.layers.base.layer import Layer

# Folders of layers whose `call` computes from attributes and inputs, and does nothing besides.
_FORMULAS = tuple(
    f"nacre.layers.{folder}."
    for folder in "convolution core merging normalization pooling regularization reshaping".split()
)
# Attributes that say nothing of outputs, and objects of which the class says all.
_ASIDE = frozenset(("name", "input_spec", "_dtype_policy"))
_BY_CLASS = (Initializer, Regularizer, Constraint, SeedGenerator)
_PLAIN = (type(None), bool, int, float, str)
_MOST = 4096  # some megabytes; then it begins anew

_kept: dict[Hashable, Any] = {}


class _NoKey(Exception):
    """Something stands among the attributes or arguments of which too little is known."""


def remembered(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], trace: Callable[[], Any]
) -> Any:
    """The symbolic outputs that `trace` gives, or gave for a layer that is alike.

    Args:
        layer: The layer that is called.
        args, kwargs: The arguments of its `call`.
        trace: Finds the outputs.
    """
    key = _key(layer, args, kwargs)
    if key is None:
        return trace()
    known = _kept.get(key)
    if known is None:
        before = warning.given()
        known = trace()
        if warning.given() == before:
            if len(_kept) >= _MOST:
                _kept.clear()
            _kept[key] = tree.map_structure(_again, known)  # `known` will lead to its layer
        return known
    return tree.map_structure(_again, known)


def _key(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Hashable | None:
    """What the outputs follow from; None where that cannot be said."""
    cls = type(layer)
    if not cls.__module__.startswith(_FORMULAS) or layer._adapter is not None:
        return None
    policy = layer.dtype_policy
    try:
        attributes = tuple(
            (name, _frozen(value)) for name, value in vars(layer).items() if name not in _ASIDE
        )
        of_call = _frozen(args), _frozen(kwargs)
    except _NoKey:
        return None
    settings = config.floatx(), setting("jax_enable_x64")
    policies = type(policy), policy.name, policy.compute_dtype, policy.variable_dtype
    return cls, cls.call, attributes, of_call, policies, settings


def _frozen(value: Any) -> Hashable:
    """A value as part of a key.

    Raises:
        _NoKey: It is none of those that are known.
    """
    kind = type(value)
    if kind in _PLAIN:
        return kind, value  # 1, 1.0 and True are equal
    if isinstance(value, KerasTensor):
        return kind, value.shape, value.dtype, value.sparse, value.ragged
    if kind is Variable:
        return kind, value.shape, value.dtype, value.autocast
    if kind in (tuple, list):
        return kind, tuple(_frozen(item) for item in value)
    if kind is dict:
        return kind, tuple((_frozen(k), _frozen(v)) for k, v in value.items())
    if isinstance(value, _BY_CLASS):
        return kind
    # A function that a file brought has no module.
    if isinstance(value, FunctionType) and (value.__module__ or "").startswith("nacre."):
        return value
    raise _NoKey


def _again(value: Any) -> Any:
    """A symbolic tensor with no history yet."""
    if not isinstance(value, KerasTensor):
        return value
    return KerasTensor(value.shape, value.dtype, sparse=value.sparse, ragged=value.ragged)


__all__ = ["remembered"]
