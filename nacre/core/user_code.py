"""How code of the user's is traced: as it stands, or rewritten, where tensors are TensorFlow's.

`nacre.tf` sets who rewrites, as `if` and loops over values of tensors are no matter of Python's
there. Nobody does for those who only `import nacre`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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


__all__ = ["as_traced", "rewrite_with"]
