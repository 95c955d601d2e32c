"""Whether scripts of tf.keras 2 run: some names and values had another meaning there."""

from __future__ import annotations

_is_meant = False


def mean_older(is_meant: bool) -> None:
    """Say whether what differs between tf.keras 2 and Keras 3 is as in the former.

    Args:
        is_meant: Whether it is.
    """
    global _is_meant
    _is_meant = is_meant


def is_older_meant() -> bool:
    """Whether it is as in tf.keras 2.

    Example:
        >>> is_older_meant()
        False
    """
    return _is_meant


__all__ = ["is_older_meant", "mean_older"]
