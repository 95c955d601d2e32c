"""Products of 8-bit numbers: by one compiled call on the CPU.

The call rounds rows of floats, multiplies them with a kernel of bytes, divides by both scales and
adds a bias; XLA does so in six passes over memory. Sums of ints are exact, and the rest is done
number by number as in the plain form: the bits are the same. In a loop of a program, on two cores
of an AMD EPYC (Zen 5, AVX-512 with VNNI), ms of the float32 product, the plain form and this one:

| rows, features, units | float32 | XLA    | compiled |
| 1, 384, 1536          | 0.0200  | 0.0193 | 0.0062   |
| 1, 384, 8192          | 0.0684  | 0.0692 | 0.0309   |
| 8, 384, 1536          | 0.0305  | 0.0375 | 0.0113   |
| 8, 384, 8192          | 0.203   | 0.111  | 0.0612   |
| 32, 784, 128          | 0.0148  | 0.0238 | 0.0102   |
| 128, 1024, 1024       | 0.566   | 0.427  | 0.180    |
| 2048, 128, 512        | 0.541   | 0.505  | 0.232    |
| 2048, 1024, 1024      | 8.77    | 6.37   | 2.91     |

And of a table, as that of an embedding whose outputs are by the same weight:

| 1, 384, 8192          | 0.0771  | 0.0765 | 0.0251   |
| 8, 384, 8192          | 0.233   | 0.122  | 0.0749   |
| 128, 384, 8192        | 1.85    | 1.27   | 0.983    |
| 32, 128, 1000         | 0.0222  | 0.0240 | 0.0188   |

Kernels are read as they lie, once for each call. Packed ones, kept from call to call, would gain
little: few rows wait for memory, and of 128 rows packing is a fiftieth of the instructions.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from nacre.ops.kernels import placement as places
from nacre.ops.kernels.mapping import over_rows
from nacre.ops.kernels.native import library, table

Shaped = Array | jax.ShapeDtypeStruct


class Rounding(NamedTuple):
    """How rows of inputs become whole numbers: round(x · high / (max |x| + epsilon)), cut.

    Args:
        low, high: Lowest and highest whole number.
        epsilon: Added to the largest |x|.
    """

    low: int
    high: int
    epsilon: float


def is_compiled(
    x: Shaped,
    numbers: Shaped,
    scale: Shaped | None = None,
    bias: Shaped | None = None,
    is_plain: bool = True,
    is_table: bool = False,
) -> bool:
    """Tell whether the compiled kernel makes this product, by what is traced here.

    Ask it *before* entering an inner `jax.jit` and pass the answer on as a static argument.

    Args:
        is_plain: The inputs are rounded as `Rounding` says, row by row.
        is_table: The numbers are (units, features).
    """
    if places.current_placement() == "plain":
        return False
    work = table.QuantizedWork(x, numbers, scale, bias, is_plain, is_table)
    return table.QUANTIZED.when_used(work, places.current_placement()) == "always"


def quantized_dense(
    x: Array,
    numbers: Array,
    scale: Array,
    bias: Array | None,
    rounding: Rounding,
    is_table: bool = False,
) -> Array:
    """Rows rounded to 8 bits by a kernel of 8 bits, where `is_compiled` has said so.

    Args:
        is_table: The numbers are (units, features), as those of an embedding.
    Shapes:
        x        (*batch, features)
        numbers  (features, units)     int8
        scale    (units,)
        bias     (units,)
        returns  (*batch, units)       float32
    Formula:
        y = Σ round(x · sx) · q / (sx · s) + bias,  sx = high / (max |x| + epsilon) of the row
    """
    bias = jnp.zeros((0,), jnp.float32) if bias is None else bias
    low, high = np.int64(rounding.low), np.int64(rounding.high)
    epsilon = np.int64(np.float32(rounding.epsilon).view(np.int32))

    def run(x: Array, numbers: Array, scale: Array, bias: Array) -> Array:
        units = numbers.shape[0 if is_table else 1]
        result = jax.ShapeDtypeStruct((*x.shape[:-1], units), jnp.float32)
        call = library.QUANTIZED.call(f"quantized_{'table' if is_table else 'dense'}", result)
        return call(x, numbers, scale, bias, low=low, high=high, epsilon=epsilon)

    return over_rows(run, (True, False, False, False), x, numbers, scale, bias)


def int8_matmul(x: Array, numbers: Array) -> Array:
    """Products of int8 summed in int32, where `is_compiled` has said so.

    Shapes:
        x        (*batch, features)    int8
        numbers  (features, units)     int8
        returns  (*batch, units)       int32
    """

    def run(x: Array, numbers: Array) -> Array:
        result = jax.ShapeDtypeStruct((*x.shape[:-1], numbers.shape[1]), jnp.int32)
        return library.QUANTIZED.call("quantized_matmul", result)(x, numbers)

    return over_rows(run, (True, False), x, numbers)


def is_compiled_of_few_rows(
    x: Shaped, packed: Shaped, scale: Shaped, zero: Shaped | None = None
) -> bool:
    """Tell whether `int4_product` can be asked for here; without zero points, `bytes_product`."""
    if places.current_placement() == "plain":
        return False
    work = table.NibblesWork(x, packed, scale, zero)
    return table.NIBBLES.when_used(work, places.current_placement()) == "always"


def int4_product(x: Array, packed: Array, scale: Array, zero: Array, block_size: int) -> Array:
    """Few rows by a kernel of 4 bits in blocks, where `is_compiled_of_few_rows` has said so.

    The kernel is read as it lies, an eighth of the bytes of float32, and made float in registers:
    `generate` of a GPT of 6 × 384 takes 0.30 of the time at batch 1, 0.63 at batch 8.

    Shapes:
        x            (*batch, features)        float32
        packed       (features, ⌈units / 2⌉)   int8: an even column in the low half of a byte
        scale, zero  (blocks, units)           float32, int8
        returns      (*batch, units)
    Formula:
        y = Σ_b s_b · Σ_k x_k · (q_k - z_b), k the rows of block b
    """

    def run(x: Array, packed: Array, scale: Array, zero: Array) -> Array:
        result = jax.ShapeDtypeStruct((*x.shape[:-1], scale.shape[1]), jnp.float32)
        call = library.NIBBLES.call("nibbles_product", result)
        return call(x, packed, scale, zero, block=np.int64(block_size))

    return over_rows(run, (True, False, False, False), x, packed, scale, zero)


def bytes_product(x: Array, numbers: Array, scale: Array) -> Array:
    """Few rows of floats by a kernel of 8 bits, where `is_compiled_of_few_rows` has said so.

    `generate` of a GPT of 6 × 384 takes 0.40 of float32's time at batch 1, 0.80 at batch 8.

    Shapes:
        x        (*batch, features)   float32
        numbers  (features, units)    int8
        scale    (units,)             float32
        returns  (*batch, units)
    Formula:
        y = Σ_k x_k · q_k / s
    """

    def run(x: Array, numbers: Array, scale: Array) -> Array:
        result = jax.ShapeDtypeStruct((*x.shape[:-1], numbers.shape[1]), jnp.float32)
        return library.NIBBLES.call("nibbles_bytes", result)(x, numbers, scale)

    return over_rows(run, (True, False, False), x, numbers, scale)
