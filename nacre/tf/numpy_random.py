"""`tf.experimental.numpy.random`: NumPy's names for random numbers, of 64 bits as NumPy's are."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.tf.values import landed

_drawing: list[Any] = [np.random.default_rng()]


def seed(s: int) -> None:
    """Start again from a seed."""
    _drawing[0] = np.random.default_rng(s)


def randn(*args: int) -> Any:
    """Numbers of the standard normal distribution.

    Args:
        args: The sizes.
    """
    return standard_normal(args)


def standard_normal(size: Any = None) -> Any:
    """Numbers of the standard normal distribution.

    Args:
        size: The shape; None for one number.
    """
    return landed(np.asarray(_drawing[0].standard_normal(size)))


def rand(*size: int) -> Any:
    """Numbers from 0 to 1.

    Args:
        size: The sizes.
    """
    return random(size)


def random(size: Any = None) -> Any:
    """Numbers from 0 to 1.

    Args:
        size: The shape; None for one number.
    """
    return landed(np.asarray(_drawing[0].random(size)))


def uniform(low: float = 0.0, high: float = 1.0, size: Any = None) -> Any:
    """Numbers between two.

    Args:
        low, high: The ends.
        size: The shape; None for one number.
    """
    return landed(np.asarray(_drawing[0].uniform(low, high, size)))


def randint(low: int, high: int | None = None, size: Any = None, dtype: Any = np.int64) -> Any:
    """Whole numbers from one, up to another that is left out.

    Args:
        low, high: The ends; one alone is where they end, from 0.
        size: The shape; None for one number.
        dtype: Their dtype.
    """
    return landed(np.asarray(_drawing[0].integers(low, high, size, dtype=np.dtype(dtype))))


def poisson(lam: float = 1.0, size: Any = None) -> Any:
    """Numbers of the Poisson distribution.

    Args:
        lam: Its mean.
        size: The shape; None for one number.
    """
    return landed(np.asarray(_drawing[0].poisson(lam, size)))


__all__ = ["poisson", "rand", "randint", "randn", "random", "seed", "standard_normal", "uniform"]
