"""Initializers that draw random numbers, on the host, with NumPy's Philox generator.

An int seed gives the same numbers at every call and on every machine. Without a seed each call
takes a fresh one from Python's generator, which `nacre.utils.set_random_seed` fixes.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np

from nacre.core import scope
from nacre.core.dtypes import is_float
from nacre.core.errors import ArgumentError, DTypeError, ShapeError, message
from nacre.core.random import SeedGenerator, host_generator, make_default_seed
from nacre.core.registry import plain_config, register
from nacre.core.warning import warn
from nacre.initializers.initializer import Initializer, numpy_dtype, sizes_of

_PIECE = 1 << 15  # numbers: 128 KB and 32 KB of truths, which a core's second cache holds


def drawing_dtype(dtype: Any) -> Any:
    """The dtype numbers are drawn in before they are cast to the one asked for.

    Raises:
        DTypeError: It is no float dtype: small fractions would all become 0.
    """
    if dtype is not None and not is_float(dtype):
        rule = "random fractions need a float dtype"
        fix = "For whole numbers use RandomUniform(minval, maxval)."
        raise DTypeError(message("initializer", rule, repr(dtype), fix))
    return "float64" if numpy_dtype(dtype) == np.float64 else "float32"


def truncated_normal(generator: np.random.Generator, shape: Any, dtype: Any) -> np.ndarray:
    """Standard normal numbers; those beyond two deviations are drawn again.

    Example:
        >>> bool(np.abs(truncated_normal(host_generator(0), (1000,), "float32")).max() <= 2)
        True
    """
    numbers = generator.standard_normal(shape, dtype=dtype)
    flat = np.atleast_1d(numbers).reshape(-1)
    outside = _outside(flat)
    while outside.size:
        flat[outside] = generator.standard_normal(outside.size, dtype=dtype)
        outside = outside[np.abs(flat[outside]) > 2.0]
    return flat.reshape(shape)


def _outside(numbers: np.ndarray) -> np.ndarray:
    """Places of those beyond two deviations, looked for in pieces that stay in the cache."""
    places = [np.zeros(0, np.intp)]
    for start in range(0, numbers.size, _PIECE):
        places.append(start + np.flatnonzero(np.abs(numbers[start : start + _PIECE]) > 2.0))
    return np.concatenate(places)


class RandomInitializer(Initializer):
    """The part all random initializers share: the seed.

    Args:
        seed: An int for the same numbers at each call, None for fresh ones, or a `SeedGenerator`,
            whose next state each call takes.
    """

    def __init__(self, seed: int | SeedGenerator | None = None) -> None:
        if isinstance(seed, dict):
            seed = SeedGenerator.from_config(
                {k: v for k, v in seed.get("config", seed).items() if k in ("seed", "name")}
            )
        if seed is not None and not isinstance(seed, int | np.integer | SeedGenerator):
            raise ArgumentError(
                message(
                    type(self).__name__,
                    "seed must be an int, a SeedGenerator or None",
                    repr(seed),
                    "Pass seed=1337.",
                )
            )
        self.seed = seed

    def generator(self) -> np.random.Generator:
        """The NumPy generator of the next call."""
        return host_generator(self._next_seed())

    def _next_seed(self) -> int:
        if isinstance(self.seed, SeedGenerator):
            high, low = (int(n) for n in np.asarray(self.seed.next()))
            return (high << 32) | low
        if self.seed is None and scope.is_tracing_program() and scope.in_stateless_scope():
            warn(  # not for a variable's first value, which is no part of what is traced
                message(
                    type(self).__name__,
                    "its numbers are drawn once, when the step is compiled, and are the same at "
                    "every step after that",
                    "an initializer without a seed that is called inside call()",
                    "For noise use nacre.random, e.g. random.normal(shape).",
                )
            )
        # A negative seed is Keras's too; Philox takes none.
        return make_default_seed() if self.seed is None else int(self.seed) & 0xFFFFFFFFFFFFFFFF

    def fixed(self) -> Initializer | None:
        """This initializer with the seed of the next call."""
        if super().fixed() is None:
            return None
        twin = copy.copy(self)
        twin.seed = self._next_seed()
        return twin

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {"seed": plain_config(self.seed)}


@register("initializers/RandomNormal")
class RandomNormal(RandomInitializer):
    """Draw from a normal distribution.

    Args:
        mean: Its mean.
        stddev: Its standard deviation.
        seed: int, `SeedGenerator` or None (fresh numbers).

    Example:
        >>> RandomNormal(seed=0)((2, 3)).shape
        (2, 3)
    """

    def __init__(
        self, mean: float = 0.0, stddev: float = 0.05, seed: int | SeedGenerator | None = None
    ) -> None:
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Random numbers of `shape`."""
        numbers = self.generator().standard_normal(sizes_of(shape), dtype=drawing_dtype(dtype))
        return (self.mean + self.stddev * numbers).astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


@register("initializers/TruncatedNormal")
class TruncatedNormal(RandomNormal):
    """Draw from a normal distribution, again where a number is beyond two deviations.

    The deviation of what is left is 0.88 of `stddev`, as in Keras.

    Args:
        mean: Mean before cutting.
        stddev: Standard deviation before cutting.
        seed: int, `SeedGenerator` or None (fresh numbers).

    Example:
        >>> bool(abs(TruncatedNormal(stddev=0.1, seed=0)((1000,))).max() <= 0.2)
        True
    """

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Random numbers of `shape`."""
        numbers = truncated_normal(self.generator(), sizes_of(shape), drawing_dtype(dtype))
        return (self.mean + self.stddev * numbers).astype(numpy_dtype(dtype))


@register("initializers/RandomUniform")
class RandomUniform(RandomInitializer):
    """Draw evenly from `minval` (included) to `maxval` (not included).

    Args:
        minval: Lower end.
        maxval: Upper end.
        seed: int, `SeedGenerator` or None (fresh numbers).

    Example:
        >>> bool(abs(RandomUniform(seed=0)((1000,))).max() <= 0.05)
        True
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | SeedGenerator | None = None
    ) -> None:
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """Random numbers of `shape`; whole numbers when `dtype` is an integer type."""
        generator, shape = self.generator(), sizes_of(shape)
        if dtype is not None and not is_float(dtype):
            low, high = cast("int", self.minval), cast("int", self.maxval)
            return generator.integers(low, high, shape).astype(numpy_dtype(dtype))
        numbers = generator.random(shape, dtype=drawing_dtype(dtype))
        return (self.minval + (self.maxval - self.minval) * numbers).astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


@register("initializers/Orthogonal")
class Orthogonal(RandomInitializer):
    """A random matrix whose rows or columns are orthonormal, times `gain`.

    Choose it for recurrent kernels: it neither shrinks nor stretches what it is applied to.

    Args:
        gain: Factor.
        seed: int, `SeedGenerator` or None (fresh numbers).

    Shapes:
        returns (*rows, columns): all axes but the last are taken as rows of one matrix
    Formula:
        Q of the QR decomposition of a normal matrix, signs set so that R's diagonal is positive
    Raises:
        ShapeError: The shape has fewer than two axes.
    Source:
        Saxe, McClelland & Ganguli 2013, arXiv:1312.6120.
    Example:
        >>> q = Orthogonal(seed=0)((3, 3))
        >>> bool(np.allclose(q @ q.T, np.eye(3), atol=1e-6))
        True
    """

    def __init__(self, gain: float = 1.0, seed: int | SeedGenerator | None = None) -> None:
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        """A random orthogonal matrix of `shape`."""
        shape = sizes_of(shape)
        if len(shape) < 2:
            raise ShapeError(
                message(
                    "Orthogonal",
                    "the shape must have at least two axes",
                    f"{shape}",
                    "Use RandomNormal() for a vector.",
                )
            )
        rows, columns = int(np.prod(shape[:-1], dtype=np.int64)), int(shape[-1])
        tall = (max(rows, columns), min(rows, columns))
        normal = self.generator().standard_normal(tall, dtype=drawing_dtype(dtype))
        q, r = np.linalg.qr(normal)
        # Without the signs Q would not be spread evenly over the orthogonal matrices.
        q = q * np.where(np.diagonal(r) < 0, -1, 1).astype(q.dtype)
        q = q.T if rows < columns else q
        return (self.gain * q.reshape(shape)).astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments, as plain data."""
        return {**super().get_config(), "gain": self.gain}
