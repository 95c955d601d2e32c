"""Draws from distributions."""

from __future__ import annotations

import operator
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from nacre.core import config
from nacre.core.dtypes import is_float, is_int, standardize_dtype
from nacre.core.errors import ArgumentError, ShapeError, message
from nacre.core.indices import check_width
from nacre.core.random import draw_key
from nacre.core.shape_inference import infer
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable

Tensor = Any


def _dtype(dtype: Any) -> Any:
    return jnp.dtype(standardize_dtype(dtype if dtype is not None else config.floatx()))


def _float_dtype(who: str, dtype: Any) -> Any:
    dtype = _dtype(dtype)
    if not is_float(dtype):
        raise ArgumentError(
            message(who, "dtype must be a float", repr(str(dtype)), "Use randint for ints.")
        )
    return dtype


def _shape(who: str, shape: Any) -> tuple[Any, ...]:
    """A shape as a tuple of sizes; a whole number is the length of a vector."""
    sizes = tuple(shape) if np.iterable(shape) else (shape,)
    if not all(_is_size(size) for size in sizes):
        raise ArgumentError(
            message(
                who,
                "shape must be whole numbers of 0 or more",
                repr(shape),
                "In a layer, ops.shape(x) has the sizes of x.",
            )
        )
    return sizes


def _is_size(size: Any) -> bool:
    """True for a whole number of 0 or more, and for the size of an unknown batch in a trace."""
    if jax.export.is_symbolic_dim(size):
        return True
    try:
        return operator.index(size) >= 0
    except TypeError:
        return False


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
    dtype = _float_dtype("normal", dtype)
    sample = jax.random.normal(draw_key(seed), _shape("normal", shape), dtype)
    return sample * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def truncated_normal(
    shape: Any, mean: Tensor = 0.0, stddev: Tensor = 1.0, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Draws from the normal distribution within two standard deviations of the mean."""
    dtype = _float_dtype("truncated_normal", dtype)
    sample = jax.random.truncated_normal(
        draw_key(seed), -2.0, 2.0, _shape("truncated_normal", shape), dtype
    )
    return sample * jnp.asarray(stddev, dtype) + jnp.asarray(mean, dtype)


def uniform(
    shape: Any, minval: Tensor = 0.0, maxval: Tensor = 1.0, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """Draws from `minval` to, not with, `maxval`, all equally likely."""
    dtype = _float_dtype("uniform", dtype)
    return jax.random.uniform(draw_key(seed), _shape("uniform", shape), dtype, minval, maxval)


def randint(
    shape: Any, minval: Tensor, maxval: Tensor, dtype: Any = "int32", seed: Any = None
) -> jax.Array:
    """Whole numbers from `minval` to, not with, `maxval`, all equally likely."""
    dtype = _dtype("int32" if dtype is None else dtype)
    if not is_int(dtype):
        raise ArgumentError(
            message("randint", "dtype must be an integer", repr(str(dtype)), "Use uniform.")
        )
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    # JAX draws narrow numbers in 32 bits, so that maxval=256 is the end of uint8.
    drawn_in = dtype if dtype.itemsize >= 4 else np.dtype("int32")
    for name, limit in (("minval", minval), ("maxval", maxval)):
        if isinstance(limit, int | np.ndarray | np.integer):
            check_width(f"random.randint, {name}", np.asarray(limit), drawn_in)
    return jax.random.randint(draw_key(seed), _shape("randint", shape), minval, maxval, dtype)


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
    dtype = _float_dtype("gamma", dtype)
    return jax.random.gamma(
        draw_key(seed), jnp.asarray(alpha, dtype), _shape("gamma", shape), dtype
    )


def beta(shape: Any, alpha: Tensor, beta: Tensor, dtype: Any = None, seed: Any = None) -> jax.Array:
    """Draws from the beta distribution."""
    dtype = _float_dtype("beta", dtype)
    alpha, beta = jnp.asarray(alpha, dtype), jnp.asarray(beta, dtype)
    return jax.random.beta(draw_key(seed), alpha, beta, _shape("beta", shape), dtype)


def binomial(
    shape: Any, counts: Tensor, probabilities: Tensor, dtype: Any = None, seed: Any = None
) -> jax.Array:
    """How many of `counts` trials succeed."""
    dtype = _float_dtype("binomial", dtype)
    counts, chances = jnp.asarray(counts, dtype), jnp.asarray(probabilities, dtype)
    return jax.random.binomial(draw_key(seed), counts, chances, _shape("binomial", shape), dtype)


def dropout(inputs: Tensor, rate: float, noise_shape: Any = None, seed: Any = None) -> jax.Array:
    """A fraction `rate` set to zero at random, the rest made larger so that the mean stays.

    Args:
        noise_shape: Shape of the random mask, broadcast to the inputs; None in it stands for the
            inputs' size.
    """
    if isinstance(inputs, KerasTensor):
        return infer(lambda x: dropout(x, rate, noise_shape, 0), inputs)
    inputs = _array(inputs)
    if not isinstance(rate, int | float | np.number):
        raise ArgumentError(message("dropout", "rate must be a number from 0 to 1", repr(rate)))
    if rate <= 0:
        return inputs
    shape = inputs.shape if noise_shape is None else _noise_shape(noise_shape, inputs.shape)
    if rate >= 1:
        return jnp.zeros_like(inputs)
    # One comparison of 32 random bits a number: no floats are made on the way.
    bits = jax.random.bits(draw_key(seed), shape, "uint32")
    kept = bits >= jnp.uint32(min(round(rate * 2**32), 2**32 - 1))
    return jnp.where(kept, inputs / (1 - rate), jnp.zeros((), inputs.dtype))


def _noise_shape(noise_shape: Any, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """The mask's shape: sizes counted from the last axis, None for the inputs' own."""
    wanted = tuple(noise_shape)
    own = shape[max(0, len(shape) - len(wanted)) :]
    fits = len(wanted) == len(own) and all(
        size in (None, 1) or size == n for size, n in zip(wanted, own, strict=True)
    )
    if not fits:
        raise ShapeError(
            message(
                "dropout", "noise_shape must broadcast to the shape of the inputs",
                f"noise_shape {wanted} and inputs of shape {tuple(shape)}",
                "Give each axis its size, None for that, or 1.",
            )
        )  # fmt: skip
    return tuple(n if size is None else size for size, n in zip(wanted, own, strict=True))


def shuffle(x: Tensor, axis: int = 0, seed: Any = None) -> jax.Array:
    """The slices along `axis` in random order."""
    return jax.random.permutation(draw_key(seed), _array(x), axis)
