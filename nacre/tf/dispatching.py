"""`tf.experimental.dispatch_for_api` and its like: functions of tf for extension types."""

from __future__ import annotations

import collections.abc
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.tf.extension_types import ExtensionType

# Functions of one tensor, number by number, by their places in the table; and of two.
_UNARY = frozenset(
    f"tf.{name}"
    for name in (
        "bitwise.invert cast debugging.check_numerics identity ones_like zeros_like "
        "saturate_cast strings.as_string strings.lower strings.strip strings.upper nn.elu nn.gelu "
        "nn.leaky_relu nn.relu nn.relu6 nn.selu nn.silu nn.softsign nn.softplus clip_by_value "
        + " ".join(
            f"math.{name}"
            for name in (
                "abs acos acosh angle asin asinh atan atanh ceil conj cos cosh digamma erf erfc "
                "erfinv exp expm1 floor imag is_finite is_inf is_nan lgamma log log1p log_sigmoid "
                "logical_not negative nextafter real reciprocal reciprocal_no_nan rint round rsqrt "
                "sigmoid sign sin sinh softplus sqrt square tan tanh"
            ).split()
        )
    ).split()
)
_BINARY = frozenset(
    f"tf.{name}"
    for name in (
        "bitwise.bitwise_and bitwise.bitwise_or bitwise.bitwise_xor bitwise.left_shift "
        "bitwise.right_shift realdiv truncatediv truncatemod "
        + " ".join(
            f"math.{name}"
            for name in (
                "add atan2 divide divide_no_nan equal floordiv floormod greater greater_equal less "
                "less_equal logical_and logical_or logical_xor maximum minimum multiply "
                "multiply_no_nan not_equal pow squared_difference subtract truediv xdivy xlogy zeta"
            ).split()
        )
    ).split()
)

_of_api: dict[str, list[tuple[dict[str, Any], Callable[..., Any]]]] = {}
_of_one: list[tuple[Any, Callable[..., Any]]] = []
_of_two: list[tuple[Any, Any, Callable[..., Any]]] = []
in_use: list[bool] = []  # filled at the first `dispatch_...`, so that all else pays nothing before

NOT_DISPATCHED = object()


def dispatched(
    function: Callable[..., Any], path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a function registered for the types of these arguments gives; `NOT_DISPATCHED` without.

    Args:
        function: The function of tensors that was called.
        path: Its place in the table, 'tf.math.add'.
        args, kwargs: Its arguments.
    """
    if not any(map(_holds_object, (*args, *kwargs.values()))):
        return NOT_DISPATCHED
    for kinds, other in reversed(_of_api.get(path, ())):
        bound = inspect.signature(function).bind(*args, **kwargs).arguments
        if all(name in bound and _is_of(bound[name], kind) for name, kind in kinds.items()):
            return other(*args, **kwargs)
    names = list(inspect.signature(function).parameters)
    if path in _UNARY:
        (x,), rest = _taken(names[:1], args, kwargs)
        for kind, handler in reversed(_of_one):
            if _is_of(x, kind):
                return handler(functools.partial(function, **_by_name(names, args, 1), **rest), x)
    if path in _BINARY:
        (x, y), rest = _taken(names[:2], args, kwargs)
        for kind, other_kind, handler in reversed(_of_two):
            if _is_of(x, kind) and _is_of(y, other_kind):
                partial = functools.partial(function, **_by_name(names, args, 2), **rest)
                return handler(partial, x, y)
    raise ArgumentError(
        message(
            path,
            "no function is registered for these types",
            ", ".join(type(x).__name__ for x in (*args, *kwargs.values())),
            f"Register one: @tf.experimental.dispatch_for_api({path}).",
        )
    )


def _taken(
    names: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The first arguments, and the others that were given by name."""
    rest = dict(kwargs)
    return [args[i] if i < len(args) else rest.pop(n, None) for i, n in enumerate(names)], rest


def _by_name(names: list[str], args: tuple[Any, ...], first: int) -> dict[str, Any]:
    return dict(zip(names[first:], args[first:], strict=False))


def _holds_object(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_object, value))
    return isinstance(value, ExtensionType)


def _is_of(value: Any, kind: Any) -> bool:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_is_of(value, one) for one in args)
    if origin in (list, collections.abc.Sequence):
        return isinstance(value, list | tuple) and all(_is_of(one, args[0]) for one in value)
    if origin is tuple:
        kinds = [args[0]] * len(value) if args[-1] is ... else args
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_is_of, value, kinds))  # noqa: E501  # fmt: skip
    if kind in (Any, inspect.Parameter.empty):
        return True
    if kind is None:
        return value is None
    return isinstance(value, kind)


def _path_of(api: Callable[..., Any], who: str) -> str:
    from nacre.tf.symbols import path_by

    path = path_by(api)
    if path is None:
        rule = "it takes functions of tensors, such as tf.concat"
        raise ArgumentError(message(who, rule, getattr(api, "__name__", repr(api))))
    return path


def dispatch_for_api(api: Callable[..., Any], *signatures: Mapping[Any, Any]) -> Any:
    """Register a function in the place of one of tf, for arguments of its annotations.

    Args:
        api: The function of tf.
        signatures: Instead of annotations, types by the names or places of arguments.

    Raises:
        ArgumentError: Its arguments have other names than those of `api`; also a `ValueError`.
    """
    who = "tf.experimental.dispatch_for_api"
    path = _path_of(api, who)
    wanted = [name for name in inspect.signature(api).parameters if name != "name"]

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        names = [name for name in inspect.signature(function).parameters if name != "name"]
        if names != wanted:
            rule = f"the function must take ({', '.join(wanted)}), as {path} does"
            raise ArgumentError(message(who, rule, f"({', '.join(names)})"))
        hints = typing.get_type_hints(function)
        found = [dict(signature) for signature in signatures] or [
            {name: kind for name, kind in hints.items() if name in names}
        ]
        for kinds in found:
            named = {names[k] if isinstance(k, int) else k: kind for k, kind in kinds.items()}
            if not named:
                rule, fix = "it must say for which types", "Annotate an argument with the class."
                raise ArgumentError(message(who, rule, "no annotation", fix))
            _of_api.setdefault(path, []).append((named, _without_name(function)))
        in_use.append(True)
        return function

    return register


def _without_name(function: Callable[..., Any]) -> Callable[..., Any]:
    takes_name = "name" in inspect.signature(function).parameters

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not takes_name:
            kwargs.pop("name", None)
        return function(*args, **kwargs)

    return call


def dispatch_for_unary_elementwise_apis(x_type: Any) -> Any:
    """Register `handler(api_func, x)` for all functions of one tensor, number by number.

    Args:
        x_type: The class of `x`.
    """

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        _of_one.append((x_type, handler))
        in_use.append(True)
        return handler

    return register


def dispatch_for_binary_elementwise_apis(x_type: Any, y_type: Any) -> Any:
    """Register `handler(api_func, x, y)` for all functions of two tensors, number by number.

    Args:
        x_type, y_type: The classes.
    """

    def register(handler: Callable[..., Any]) -> Callable[..., Any]:
        _of_two.append((x_type, y_type, handler))
        in_use.append(True)
        return handler

    return register


def unregister_dispatch_for(dispatch_target: Callable[..., Any]) -> None:
    """Undo a registration.

    Args:
        dispatch_target: The function that was registered.
    """
    for kept in _of_api.values():
        kept[:] = [one for one in kept if one[1].__wrapped__ is not dispatch_target]  # type: ignore[attr-defined]
    _of_one[:] = [one for one in _of_one if one[1] is not dispatch_target]
    _of_two[:] = [one for one in _of_two if one[2] is not dispatch_target]


__all__ = [
    "NOT_DISPATCHED", "dispatch_for_api", "dispatch_for_binary_elementwise_apis",
    "dispatch_for_unary_elementwise_apis", "dispatched", "in_use", "unregister_dispatch_for",
]  # fmt: skip
