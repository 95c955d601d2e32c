"""The default step of summaries, and their name scopes (`tf.summary.experimental`)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from nacre.core.names import current_path, name_scope
from nacre.summary.recording import get_step as get_step
from nacre.summary.recording import set_step as set_step


@contextmanager
def summary_scope(
    name: str, default_name: str = "summary", values: Any = None
) -> Generator[tuple[str, str]]:
    """A block whose summaries have names that begin with a scope.

    Args:
        name: The scope.
        default_name: The scope where `name` is empty.
        values: Taken for scripts of TensorFlow, and without effect.

    Yields:
        The name for the summary of the scope itself, and the scope.
    Example:
        >>> with summary_scope("weights") as (tag, scope):
        ...     tag, scope
        ('weights', 'weights/')
    """
    with name_scope(name or default_name):
        path = current_path()
        yield path, f"{path}/"


__all__ = ["get_step", "set_step", "summary_scope"]
