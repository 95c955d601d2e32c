"""Random bits for masks, made by hashing positions: cheap, and the same on every device.

A dropout mask needs independent-looking bits, not a cryptographic generator. JAX's threefry spends
about fifty integer operations on each 32 bits; hashing the position of an element with two keyed
integer mixers spends about fifteen, fuses into the multiplication that uses the mask, and needs no
state, so XLA can compute each part of the mask on the device that needs it.

Source:
    The mixers `triple32` and `lowbias32`: Chris Wellons, "Prospecting for Hash Functions" (2018),
    public domain.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from nacre.core.context import current


def _mix(x: jax.Array, steps: tuple[tuple[int, int], ...], last: int) -> jax.Array:
    for shift, factor in steps:
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(last))


def _triple32(x: jax.Array) -> jax.Array:
    return _mix(x, ((17, 0xED5AD4BB), (11, 0xAC4C1B51), (15, 0x31848BAB)), 14)


def _lowbias32(x: jax.Array) -> jax.Array:
    return _mix(x, ((16, 0x7FEB352D), (15, 0x846CA68B)), 16)


def random_bits(key: Any, shape: tuple[Any, ...]) -> jax.Array:
    """32 random bits for each element of `shape`, from a JAX key.

    Formula:
        bits[i] = lowbias32(triple32(i + a) xor b), with a and b hashed from the key

    Example:
        >>> bits = random_bits(jax.random.key(1), (1000,))
        >>> bool(abs((bits >> 31).mean() - 0.5) < 0.05)
        True
    """
    if current().asks_for_plain_xla:  # a trace for exporters, which have draws, and no keys
        return jax.random.bits(key, shape, "uint32")
    words = jax.random.key_data(key).reshape(-1).astype("uint32")
    a = _triple32(words[0] + np.uint32(0x9E3779B9))
    b = _triple32(a ^ words[1])
    for index in range(2, words.shape[0]):  # keys of other generators have four words
        b = _triple32(b ^ words[index])
    positions = lax.iota("uint32", math.prod(shape)).reshape(shape)
    return _lowbias32(_triple32(positions + a) ^ b)


def keep_mask(key: Any, keep: float, shape: tuple[Any, ...]) -> jax.Array:
    """True with probability `keep` (exact to 2⁻³²), independently for each element."""
    limit = min(round(keep * 2**32), 2**32 - 1)
    return random_bits(key, shape) < jnp.uint32(limit)
