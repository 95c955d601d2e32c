"""`tf.compat.v1.logging`: Python's logger named 'tensorflow'."""

from __future__ import annotations

from typing import Any

from nacre.tf.machine import get_logger

DEBUG, INFO, WARN, ERROR, FATAL = 10, 20, 30, 40, 50


def set_verbosity(v: Any) -> None:
    """Let only messages of a level and above through.

    Args:
        v: The level, a number or its name.
    """
    get_logger().setLevel(v)


def get_verbosity() -> int:
    """The level from which messages are let through."""
    return get_logger().getEffectiveLevel()


def debug(msg: str, *args: Any, **kwargs: Any) -> None:
    """Tell something."""
    get_logger().debug(msg, *args, **kwargs)


def info(msg: str, *args: Any, **kwargs: Any) -> None:
    """Tell something."""
    get_logger().info(msg, *args, **kwargs)


def warning(msg: str, *args: Any, **kwargs: Any) -> None:
    """Tell something."""
    get_logger().warning(msg, *args, **kwargs)


def error(msg: str, *args: Any, **kwargs: Any) -> None:
    """Tell something."""
    get_logger().error(msg, *args, **kwargs)


def fatal(msg: str, *args: Any, **kwargs: Any) -> None:
    """Tell something."""
    get_logger().critical(msg, *args, **kwargs)


__all__ = [
    "DEBUG", "ERROR", "FATAL", "INFO", "WARN", "debug", "error", "fatal", "get_verbosity", "info",
    "set_verbosity", "warning",
]  # fmt: skip
