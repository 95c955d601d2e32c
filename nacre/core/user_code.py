"""How code of the user's is traced: as it stands, or rewritten, where tensors are TensorFlow's.

`nacre.tf` sets who rewrites, as `if` and loops over values of tensors are no matter of Python's
there. Nobody does for those who only `import nacre`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from nacre.core.tracing import is_tracing

_rewrite: Callable[[Any], Any] | None = None


def rewrite_with(rewrite: Callable[[Any], Any] | None) -> None:
    """Say who rewrites functions before they are traced; None for nobody."""
    global _rewrite
    _rewrite = rewrite


def as_traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method of a layer's or a model's, as it is called here.

    Args:
        function: The method.
    """
    return function if _rewrite is None or not is_tracing() else _rewrite(function)


_shape_kind: Callable[[Any], Any] | None = None


def give_shapes_as(kind: Callable[[Any], Any] | None) -> None:
    """Say what a user's `build` gets for the tuple of a shape; None for the tuple itself.

    Where somebody says so, layers are tf.keras 2's: it traces `call` for the shape of an output,
    and never asks the `compute_output_shape` of a user's class.
    """
    global _shape_kind
    _shape_kind = kind


def shapes_are_traced() -> bool:
    """Whether shapes of outputs are found as in tf.keras 2."""
    return _shape_kind is not None


def as_given(shapes: Any) -> Any:
    """Shapes as a user's `build` gets them.

    Args:
        shapes: A tuple, or lists, tuples and dicts of them.
    """
    if _shape_kind is None:
        return shapes
    if is_shape(shapes):
        return _shape_kind(shapes)
    return _mapped(as_given, shapes)


def is_shape(value: Any) -> bool:
    """Whether it is a tuple of sizes."""
    return isinstance(value, tuple) and all(
        n is None or isinstance(n, int) for n in cast("tuple[Any, ...]", value)
    )


def _mapped(change: Callable[[Any], Any], shapes: Any) -> Any:
    if isinstance(shapes, dict):
        named = cast("dict[Any, Any]", shapes)
        return {key: change(shape) for key, shape in named.items()}
    if isinstance(shapes, tuple):
        return tuple(map(change, cast("tuple[Any, ...]", shapes)))
    if isinstance(shapes, list):
        return [change(shape) for shape in cast("list[Any]", shapes)]
    return shapes


def as_tuples(shapes: Any) -> Any:
    """Shapes as they are kept: what `as_given` gave, as tuples again."""
    if is_shape(shapes):
        return tuple(shapes)
    return _mapped(as_tuples, shapes)


__all__ = [
    "as_given",
    "as_traced",
    "as_tuples",
    "give_shapes_as",
    "is_shape",
    "rewrite_with",
    "shapes_are_traced",
]
