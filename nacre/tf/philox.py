"""Random numbers of a counter: Philox 4×32 with ten rounds, and TensorFlow's ways to use its bits.

On the host where the key is known, so that nothing is compiled; else as part of the program.

Source: Salmon et al. 2011, *Parallel random numbers: as easy as 1, 2, 3*; what is made of the bits
is as TensorFlow 2.15 gives it on a CPU, tried number by number. Whole numbers and uniform floats
are equal bit for bit, normal ones to the last digits of sine, logarithm and root.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ArgumentError, message

# Section 3.2 of the paper, and its table 2: multipliers, and what a key grows by in each round.
_FACTORS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_BLOCK = 4  # numbers of 32 bits that a counter gives
# TensorFlow sets so many counters aside for each group of numbers that may be drawn again.
_COUNTERS_A_GROUP = 256
_PAIRS = 32  # of normal numbers in such a group, of which four are kept: 95 % may be


class Source(NamedTuple):
    """Where numbers come from.

    Attributes:
        counter: Four numbers of 32 bits, the lowest first.
        key: Two of them.
    """

    counter: Any
    key: Any


def _library(*values: Any) -> Any:
    is_traced = any(isinstance(value, jax.core.Tracer) for value in values)
    return jnp if is_traced else np


def words(value: Any) -> tuple[Any, Any]:
    """A whole number of 32 or 64 bits as two of 32 without a sign, the lower one first."""
    if isinstance(value, jax.Array) and isinstance(value, jax.core.Tracer):
        low = value.astype(jnp.uint32)
        is_signed = jnp.issubdtype(value.dtype, jnp.signedinteger)
        high = jnp.where(value < 0, 0xFFFFFFFF, 0) if is_signed else jnp.zeros_like(low)
        return low, high.astype(jnp.uint32)
    number = int(value) % 2**64
    return np.uint32(number & 0xFFFFFFFF), np.uint32(number >> 32)


def of_seed(first: Any, second: Any) -> Source:
    """What a stateless seed of two whole numbers stands for.

    Its bits are mixed first, so that seeds that are near give numbers that are not.
    """
    counter = (*words(first), *words(second))
    xp = _library(*counter)
    mixed = _blocks(Source(counter, (0x3EC8F720, 0x02461E29)), xp.zeros(1, np.uint32))
    a, b, c, d = (word[0] for word in mixed)
    nothing = a * np.uint32(0) if xp is jnp else np.uint32(0)
    return Source((nothing, nothing, c, d), (a, b))


def of_state(state: Any) -> Source:
    """What a generator's state stands for: six numbers of 32 bits, the counter's first."""
    return Source(tuple(state[i] for i in range(4)), (state[4], state[5]))


def added(counter: Any, number: Any) -> list[Any]:
    """A counter of 128 bits moved on by a number below 2**32, or by as many as an array holds."""
    found: list[Any] = []
    carry = number
    for word in counter:
        with np.errstate(over="ignore"):  # a number alone is told of, arrays are not
            total = word + carry
        found.append(total)
        carry = (total < carry).astype(np.uint32)
    return found


def _products(factor: int, x: Any) -> tuple[Any, Any]:
    """The upper and the lower 32 bits of a product, of four products of 16 bits."""
    low, high = np.uint32(factor & 0xFFFF), np.uint32(factor >> 16)
    x_low, x_high = x & np.uint32(0xFFFF), x >> np.uint32(16)
    middle = x_low * high + ((x_low * low) >> np.uint32(16))
    other = x_high * low + (middle & np.uint32(0xFFFF))
    upper = x_high * high + (middle >> np.uint32(16)) + (other >> np.uint32(16))
    return upper, x * np.uint32(factor)


def _blocks(source: Source, at: Any) -> list[Any]:
    """The four numbers of each counter that is `at` further on, as four arrays."""
    xp = _library(*source.counter, *source.key, at)
    c0, c1, c2, c3 = added([xp.asarray(w, np.uint32) + at * np.uint32(0) for w in source.counter], at)  # noqa: E501  # fmt: skip
    k0, k1 = (xp.asarray(word, np.uint32) + at * np.uint32(0) for word in source.key)
    for _ in range(_ROUNDS):
        high_0, low_0 = _products(_FACTORS[0], c0)
        high_1, low_1 = _products(_FACTORS[1], c2)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0, k1 = k0 + np.uint32(_STEPS[0]), k1 + np.uint32(_STEPS[1])
    return [c0, c1, c2, c3]


def bits(source: Source, count: int) -> Any:
    """So many numbers of 32 bits."""
    xp = _library(*source.counter, *source.key)
    blocks = _blocks(source, xp.arange(-(-count // _BLOCK), dtype=np.uint32))
    return xp.stack(blocks, 1).reshape(-1)[:count]


# ------------------------------------------------------------------ what is made of them


def whole(source: Source, shape: Any, dtype: Any) -> Any:
    """Whole numbers, all of a dtype alike."""
    count, dtype = math.prod(shape), np.dtype(dtype)
    if dtype.itemsize < 8:
        return bits(source, count).astype(dtype).reshape(shape)
    found = bits(source, 2 * count).reshape(*shape, 2)
    if isinstance(found, jax.Array):  # a program holds 32 bits
        return found[..., 0].astype(f"{dtype.name[:-2]}32")
    wide = found[..., 0].astype(np.uint64) | found[..., 1].astype(np.uint64) << np.uint64(32)
    return wide.astype(dtype)


def whole_between(source: Source, shape: Any, low: Any, high: Any, dtype: Any) -> Any:
    """Whole numbers from `low` to `high`, which is left out."""
    dtype = np.dtype(dtype)
    kind = np.dtype(f"uint{8 * dtype.itemsize}")
    if _library(*source.counter, *source.key, low, high) is jnp:
        return _traced_between(source, shape, low, high, dtype)
    drawn = whole(source, shape, kind)
    limits = [np.asarray(limit, dtype).astype(kind) for limit in (low, high)]
    with np.errstate(over="ignore"):
        return (limits[0] + drawn % (limits[1] - limits[0])).astype(dtype)


def _require_held(limit: Any, dtype: np.dtype) -> None:
    """Refuse a limit, where it is known, that the program's dtype would cut."""
    if isinstance(limit, jax.core.Tracer):
        return
    numbers, held = np.asarray(limit), np.iinfo(dtype)
    if ((numbers < held.min) | (numbers > held.max)).any():
        rule = f"limits must fit {dtype.name}, which a compiled function holds"
        fix = "Draw outside of the function, where whole numbers have 64 bits."
        raise ArgumentError(message("tf.random", rule, f"{numbers}", fix))


def _traced_between(source: Source, shape: Any, low: Any, high: Any, dtype: np.dtype) -> Any:
    """The same in a program, which holds 32 bits."""
    signed = dtype if dtype.itemsize < 8 else np.dtype(f"{dtype.name[:-2]}32")
    kind = np.dtype(f"uint{8 * signed.itemsize}")
    for limit in (low, high):
        _require_held(limit, signed)
    low, high = (jnp.asarray(limit).astype(signed) for limit in (low, high))
    span = high.astype(kind) - low.astype(kind)
    if dtype.itemsize < 8:
        drawn = jnp.asarray(bits(source, math.prod(shape))).astype(kind).reshape(shape) % span
    else:
        pairs = jnp.asarray(bits(source, 2 * math.prod(shape))).reshape(*shape, 2) % span
        # 2**32 by the span, without a number of 33 bits.
        power = (np.uint32(0xFFFFFFFF) % span + np.uint32(1)) % span
        exact = (pairs[..., 1] * power + pairs[..., 0]) % span
        # Of wider spans the product has more than 32 bits; the lower number alone is as even.
        drawn = jnp.where(span < 1 << 16, exact, pairs[..., 0])
    return (low.astype(kind) + drawn).astype(signed)


# dtype -> bits of its mantissa, the pattern of 1.0
_FLOATS = {
    "float16": (10, 0x3C00, np.uint16),
    "bfloat16": (7, 0x3F80, np.uint16),
    "float32": (23, 0x3F800000, np.uint32),
}


def _fractions(words: Any, dtype: Any) -> Any:
    """Floats from 0 to 1: the mantissa is drawn, of a number from 1 to 2."""
    mantissa, one, kind = _FLOATS[np.dtype(dtype).name]
    pattern = ((words & np.uint32((1 << mantissa) - 1)) | np.uint32(one)).astype(kind)
    if isinstance(pattern, jax.Array):
        return jax.lax.bitcast_convert_type(pattern, dtype) - jnp.ones((), dtype)
    return pattern.view(dtype) - np.ones((), dtype)


def _wide_fractions(high: Any, low: Any) -> np.ndarray:
    """The same of 64 bits, on the host; the upper number is drawn first."""
    mantissa = low.astype(np.uint64) | (high.astype(np.uint64) & np.uint64(0xFFFFF)) << np.uint64(32)  # noqa: E501  # fmt: skip
    return (mantissa | np.uint64(1023 << 52)).view(np.float64) - 1.0


def _is_wide(source: Source, dtype: Any) -> bool:
    return np.dtype(dtype).itemsize == 8 and _library(*source.counter, *source.key) is np


def _narrow(dtype: Any) -> Any:
    """The dtype that a program has: 32 bits in place of 64."""
    return np.dtype("float32") if np.dtype(dtype).itemsize == 8 else np.dtype(dtype)


def fractions(source: Source, shape: Any, dtype: Any) -> Any:
    """Floats from 0 to 1, 1 left out."""
    count = math.prod(shape)
    if _is_wide(source, dtype):
        pairs = bits(source, 2 * count).reshape(-1, 2)
        return _wide_fractions(pairs[:, 0], pairs[:, 1]).reshape(shape)
    return _fractions(bits(source, count), _narrow(dtype)).reshape(shape)


def _both_normal(first: Any, second: Any) -> Any:
    """Two normal numbers of two uniform ones (Box and Muller 1958), side by side."""
    xp = jnp if isinstance(first, jax.Array) else np
    one = xp.maximum(first, first.dtype.type(1e-7))  # TensorFlow's, so that the logarithm is finite
    radius = xp.sqrt(first.dtype.type(-2) * xp.log(one))
    angle = first.dtype.type(2 * math.pi) * second
    return xp.stack([xp.sin(angle) * radius, xp.cos(angle) * radius], -1)


def normal(source: Source, shape: Any, dtype: Any) -> Any:
    """Numbers of the normal distribution."""
    count = math.prod(shape)
    if _is_wide(source, dtype):
        words = bits(source, 4 * -(-count // 2)).reshape(-1, 4)
        ends = (_wide_fractions(words[:, i], words[:, i + 1]) for i in (0, 2))
        return _both_normal(*ends).reshape(-1)[:count].reshape(shape)
    uniform = _fractions(bits(source, _BLOCK * -(-count // _BLOCK)), np.dtype("float32"))
    pairs = uniform.reshape(-1, 2)
    found = _both_normal(pairs[:, 0], pairs[:, 1]).reshape(-1)[:count]
    return found.reshape(shape).astype(_narrow(dtype))


def truncated_normal(source: Source, shape: Any, dtype: Any) -> Any:
    """The same without what is two or more away from 0: it is drawn again."""
    xp = _library(*source.counter, *source.key)
    count = math.prod(shape)
    groups = xp.arange(-(-count // _BLOCK), dtype=np.uint32)[:, None] * np.uint32(_COUNTERS_A_GROUP)
    at = groups + xp.arange(2 * _PAIRS // _BLOCK, dtype=np.uint32)
    blocks = xp.stack(_blocks(source, at.reshape(-1)), 1).reshape(len(groups), _PAIRS, 2)
    uniform = _fractions(blocks, np.dtype("float32"))
    drawn = _both_normal(uniform[..., 0], uniform[..., 1]).reshape(len(groups), 2 * _PAIRS)
    # The first four of each group that are near enough come first, in their order.
    order = xp.argsort((abs(drawn) >= 2).astype(np.int32), 1, stable=True)[:, :_BLOCK]
    found = xp.take_along_axis(drawn, order, 1).reshape(-1)[:count]
    return found.reshape(shape).astype(_narrow(dtype))


__all__ = [
    "Source", "added", "bits", "fractions", "normal", "of_seed", "of_state", "truncated_normal",
    "whole", "whole_between", "words",
]  # fmt: skip
