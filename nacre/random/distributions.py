"""Draws from distributions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import config
from nacre.core.dtypes import is_float, standardize_dtype
from nacre.core.errors import ArgumentError, message
from nacre.core.random import draw_key
from nacre.core.symbolic import KerasTensor, infer
from nacre.core.variable import Variable

Tensor = Any


def _dtype(dtype: Any) -> Any:
    return jnp.dtype(standardize_dtype(dtype if dtype is not None else config.floatx()))


def _array(x: Tensor) -> jax.Array:
    return x.value if isinstance(x, Variable) else jnp.asarray(x)


def normal(
    shape: Any, mean: Tensor = 0.0, stddev: Tensor = 1.0, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Draws from the normal distribution.

    Example:
        >>> bool((normal((2,), seed=1) == normal((2,), seed=1)).all())
        True
    """
    dtype = _dtype(dtype)
    sample = jax.random.normal(draw_key(seed), tuple(shape), dtype)
    return sample * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def truncated_normal(
    shape: Any, mean: Tensor = 0.0, stddev: Tensor = 1.0, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Draws from the normal distribution within two standard deviations of the mean."""
    dtype = _dtype(dtype)
    sample = jax.random.truncated_normal(draw_key(seed), -2.0, 2.0, tuple(shape), dtype)
    return sample * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def uniform(
    shape: Any, minval: Tensor = 0.0, maxval: Tensor = 1.0, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Draws from `minval` to, not with, `maxval`, all equally likely."""
    dtype = _dtype(dtype)
    if not is_float(dtype):
        raise ArgumentError(
            message("uniform", "dtype must be a float", repr(str(dtype)), "Use randint for ints.")
        )
    return jax.random.uniform(draw_key(seed), tuple(shape), dtype, minval, maxval)


def randint(
    shape: Any, minval: Tensor, maxval: Tensor, dtype: Any = "int32", seed: Any = None
) -> jax.Array:
    """Whole numbers from `minval` to, not with, `maxval`, all equally likely."""
    dtype = _dtype(dtype)
    if is_float(dtype):
        raise ArgumentError(
            message("randint", "dtype must be an integer", repr(str(dtype)), "Use uniform.")
        )
    return jax.random.randint(draw_key(seed), tuple(shape), minval, maxval, dtype)


def categorical(
    logits: Tensor, num_samples: int, dtype: Any = "int32", seed: Any = None
) -> jax.Array:
    """Classes drawn with the probabilities softmax(logits).

    Shapes:
        logits   (batch, classes)
        returns  (batch, num_samples)
    """
    logits = _array(logits)
    if logits.ndim != 2:
        raise ArgumentError(
            message("categorical", "logits must have axes (batch, classes)", str(logits.shape))
        )
    shape = (logits.shape[0], num_samples)
    draws = jax.random.categorical(draw_key(seed), logits[:, None, :], axis=-1, shape=shape)
    return draws.astype(_dtype(dtype))


def gamma(shape: Any, alpha: Tensor, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from the gamma distribution with shape `alpha` and scale 1."""
    dtype = _dtype(dtype)
    return jax.random.gamma(draw_key(seed), jnp.asarray(alpha, dtype), tuple(shape), dtype)


def beta(shape: Any, alpha: Tensor, beta: Tensor, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from the beta distribution."""
    dtype = _dtype(dtype)
    alpha, beta = jnp.asarray(alpha, dtype), jnp.asarray(beta, dtype)
    return jax.random.beta(draw_key(seed), alpha, beta, tuple(shape), dtype)


def binomial(
    shape: Any, counts: Tensor, probabilities: Tensor, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """How many of `counts` trials succeed."""
    dtype = _dtype(dtype)
    counts, chances = jnp.asarray(counts, dtype), jnp.asarray(probabilities, dtype)
    return jax.random.binomial(draw_key(seed), counts, chances, tuple(shape), dtype)


def dropout(inputs: Tensor, rate: float, noise_shape: Any = None, seed: Any = None) -> jax.Array:
    """A fraction `rate` set to zero at random, the rest made larger so that the mean stays.

    Args:
        noise_shape: Shape of the random mask, broadcast to the inputs; None in it stands for the
            inputs' size.
    """
    if isinstance(inputs, KerasTensor):
        return infer(lambda x: dropout(x, rate, noise_shape, 0), inputs)
    inputs = _array(inputs)
    if rate <= 0:
        return inputs
    shape = inputs.shape
    if noise_shape is not None:
        shape = tuple(n if s is None else s for s, n in zip(noise_shape, shape, strict=True))
    if rate >= 1:
        return jnp.zeros_like(inputs)
    # One comparison of 32 random bits a number: no floats are made on the way.
    bits = jax.random.bits(draw_key(seed), shape, "uint32")
    kept = bits >= jnp.uint32(min(round(rate * 2**32), 2**32 - 1))
    return jnp.where(kept, inputs / (1 - rate), jnp.zeros((), inputs.dtype))


def shuffle(x: Tensor, axis: int = 0, seed: Any = None) -> jax.Array:
    """The slices along `axis` in random order."""
    return jax.random.permutation(draw_key(seed), _array(x), axis)
