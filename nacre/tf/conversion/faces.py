"""`tf.autograph`: what scripts ask of it."""

from __future__ import annotations

import ast
import functools
import types
from collections.abc import Callable
from typing import Any

from nacre.core.errors import ArgumentError, message
from nacre.tf.conversion.calls import LEFT_ALONE, converted
from nacre.tf.conversion.finding import find
from nacre.tf.conversion.rewriting import rewritten_node


def do_not_convert(func: Callable[..., Any] | None = None) -> Any:
    """Let a function be traced as it stands.

    Args:
        func: The function; None where this is called as a decorator with brackets.
    """
    if func is None:
        return do_not_convert
    if isinstance(func, types.MethodType):
        return functools.partial(do_not_convert(func.__func__), func.__self__)
    setattr(func, LEFT_ALONE, True)
    return func


def to_graph(
    entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None
) -> Callable[..., Any]:
    """The function whose `if` and loops may ask the values of tensors.

    Args:
        entity: The function.
        recursive, experimental_optional_features: Accepted for compatibility.
    """
    return converted(entity)


def to_code(
    entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None
) -> str:
    """The text of a function as it is rewritten.

    Args:
        entity: The function.
        recursive, experimental_optional_features: Accepted for compatibility.
    """
    function = getattr(entity, "python_function", entity)
    function = getattr(function, "__func__", function)
    found = find(function) if isinstance(function, types.FunctionType) else None
    node = None if found is None else rewritten_node(found)
    if node is None:
        rule, fix = "the function's text must be there", "Define it in a file, without `yield`."
        raise ArgumentError(message("tf.autograph.to_code", rule, repr(entity), fix))
    return ast.unparse(node)


def accepted(*args: Any, **kwargs: Any) -> None:
    """Nothing: accepted for compatibility."""


__all__ = ["accepted", "do_not_convert", "to_code", "to_graph"]
