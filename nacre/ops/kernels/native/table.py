"""When a compiled kernel is used: the one table, asked while tracing and printed by `nacre doctor`.

A kernel is used where its row's conditions hold, and the machine's: a CPU, one device, a library
that could be built, nothing switched off. Elsewhere the plain form gives the same numbers, to
rounding. In a program of nacre's own (`fit`, `evaluate`, `predict`, `model(x)`) a kernel takes part
everywhere; in what somebody else traces, which may be on its way to another machine, only in
gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from nacre.ops.kernels import placement as places
from nacre.ops.kernels.native import build, library
from nacre.ops.kernels.native.library import Library

WhenUsed = Literal["never", "in gradients", "always"]
Work = TypeVar("Work")

LARGEST = 2**31 - 1  # sizes of a convolution travel as 32-bit numbers
LARGEST_HEAD = 256  # panels of longer heads leave the cache
LARGEST_LENGTH = 8192
FEWEST_QUERIES = 8  # fewer do not pay for packing the keys
FEWEST_SCORED = 2**11  # of keys that few queries meet: fewer cost less than a call
# With fewer sequences and more units a forward pass alone is faster by scans: LSTM(512), 20 steps,
# one sequence, 0.93 ms against 0.66; with 256 units 0.19 against 0.21.
FEW_SEQUENCES, SMALL_UNITS = 4, 256
VECTOR = 16  # vectors lie along the channels
MAX_TAPS = 64  # a larger window would make a program of that many slices; plain XLA takes it
LARGE_TILE = 9  # smaller tiles are as fast in plain JAX
# Of all parameters together. A fit of 784-128-10 takes 0.75 of the time with the kernel, of
# 100-64-10 0.86, of an embedding of 5000 × 16 0.36; of five layers of 32 as long (AMD EPYC).
FEWEST_NUMBERS = 2**12
FEWEST_ELEMENTS = 2**12  # of an activation or a normalisation: fewer cost less than a call
# Of a product: one row takes XLA 0.7 of the time; with 8 it takes 1.2 times ours, or more.
FEWEST_ROWS = 8
FEWEST_PRODUCTS = 2**13  # fewer cost less than a call
FEWEST_BYTES = 2**12  # of an int8 kernel: fewer cost less than a call
MOST_ROWS_OF_FLOATS = 64  # of 128 it takes as long to make the kernel float once for all
FEWEST_SCORES = 2**12  # fewer cost less than a call
MANY_ARRAYS = 32  # XLA makes the choice of fewer in the loops of their update


@dataclass(frozen=True)
class Condition(Generic[Work]):
    """What must hold, in words and as a rule; one may rely on those before it."""

    text: str
    holds: Callable[[Work], bool]


@dataclass(frozen=True)
class Kernel(Generic[Work]):
    """A row of the table.

    Args:
        serves: What a user knows it by.
        conditions: When it is used.
        forward_alone: What must hold beside them where no gradient is asked for.
    """

    name: str
    serves: str
    library: Library
    conditions: tuple[Condition[Work], ...]
    forward_alone: tuple[Condition[Work], ...] = ()

    def refusal(self, work: Work) -> str:
        """The first condition that does not hold, or an empty text."""
        for condition in self.conditions:
            if not condition.holds(work):
                return f"needs {condition.text}"
        if reason := machine_refusal():
            return reason
        return "" if self.library.targets() else self.library.outcome().reason

    def when_used(self, work: Work, placement: places.Placement) -> WhenUsed:
        """Where the kernel takes part in this work: nowhere, in gradients, or everywhere."""
        if self.refusal(work):
            return "never"
        wins = all(condition.holds(work) for condition in self.forward_alone)
        return "always" if placement != "plain" and wins else "in gradients"


def machine_refusal() -> str:
    """Why no compiled kernel is used here, whatever the work; or an empty text."""
    if build.is_switched_off():
        return "switched off by NACRE_NATIVE or NACRE_KERNELS"
    if not places.uses_cpu_kernels():
        return f"for CPUs, and this runs on: {places.platform()}"
    if not build.is_alone():
        return f"needs one device, here are {jax.device_count()} (NACRE_NATIVE=force uses it)"
    return ""


# --- what is asked of a kernel --------------------------------------------------------------------


@dataclass(frozen=True)
class AttentionWork:
    """Arrays as `attention.attention` takes them."""

    query: Array
    key: Array
    value: Array
    bias: Array | None = None
    mask: Array | None = None
    soft_cap: float | None = None
    keep: Array | None = None


@dataclass(frozen=True)
class RecurrentWork:
    """A sequence (batch, time, features) and weights: kernel, recurrent kernel, bias.

    Args:
        is_classic: The cell is the one of the papers, for which there is a kernel.
    """

    x: Array
    weights: tuple[Array, Array, Array | None]
    is_classic: bool


@dataclass(frozen=True)
class ConvolutionWork:
    """Input and kernel, or the gradient in place of one."""

    x: Array
    kernel: Array


@dataclass(frozen=True)
class PoolingWork:
    """Input, channels last, and the window.

    Args:
        taps: Places of the window.
        tiles: No two windows overlap, and none is padded.
    """

    x: Array
    taps: int
    tiles: bool


@dataclass(frozen=True)
class AdamWork:
    """Arrays of one step, in the order of the parameters.

    Args:
        is_classic: The formula is the one of the paper, without `amsgrad`, with numbers as betas.
    """

    parameters: Sequence[Array]
    momentums: Sequence[Array]
    velocities: Sequence[Array]
    gradients: Sequence[Array]
    is_classic: bool

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All of them."""
        return (*self.parameters, *self.momentums, *self.velocities, *self.gradients)


@dataclass(frozen=True)
class DenseWork:
    """Inputs (*batch, features), a kernel (features, units), and a bias (units,)."""

    x: Array | jax.ShapeDtypeStruct
    kernel: Array | jax.ShapeDtypeStruct
    bias: Array | jax.ShapeDtypeStruct | None = None

    @property
    def arrays(self) -> tuple[Array | jax.ShapeDtypeStruct, ...]:
        """All that are there."""
        return (self.x, self.kernel, *(() if self.bias is None else (self.bias,)))


@dataclass(frozen=True)
class QuantizedWork:
    """Inputs (*batch, features), int8 numbers (features, units), and a scale and bias (units,).

    Args:
        is_plain: The inputs are rounded by `AbsMaxQuantizer`, one scale for each row.
        is_table: The numbers are (units, features).
    """

    x: Array | jax.ShapeDtypeStruct
    numbers: Array | jax.ShapeDtypeStruct
    scale: Array | jax.ShapeDtypeStruct | None = None
    bias: Array | jax.ShapeDtypeStruct | None = None
    is_plain: bool = True
    is_table: bool = False


@dataclass(frozen=True)
class NibblesWork:
    """Inputs (*batch, features), 4-bit numbers (features, units), two columns in a byte of int8,
    and scales and zero points (blocks, units); or, without zero points, int8 numbers
    (features, units) and scales (units,)."""

    x: Array | jax.ShapeDtypeStruct
    packed: Array | jax.ShapeDtypeStruct
    scale: Array | jax.ShapeDtypeStruct
    zero: Array | jax.ShapeDtypeStruct | None


@dataclass(frozen=True)
class ActivationWork:
    """What an activation is taken of."""

    x: Array


@dataclass(frozen=True)
class LayerNormWork:
    """Inputs, and what they are multiplied by and what is added, if anything.

    Args:
        is_last: Only over the last axis.
    """

    x: Array
    scale: Array | None
    offset: Array | None
    is_last: bool


@dataclass(frozen=True)
class ScoresWork:
    """Scores, and the axis of their classes."""

    x: Array
    axis: int


@dataclass(frozen=True)
class GuardWork:
    """What a training step had and what it made of it, the weights first.

    Args:
        weights: How many of the arrays are looked at for values that are not finite.
    """

    old: Sequence[Array]
    new: Sequence[Array]
    weights: int


# --- rules ----------------------------------------------------------------------------------------


def _are_known(*arrays: Array | jax.ShapeDtypeStruct) -> bool:
    return all(isinstance(size, int) and size > 0 for array in arrays for size in array.shape)


def _are_float32(*arrays: Array | jax.ShapeDtypeStruct) -> bool:
    return all(array.dtype == jnp.float32 for array in arrays)


def _attention_fits(work: AttentionWork) -> bool:
    """Tell whether the shapes fit each other, as compiled code trusts them.

    Where they do not, plain XLA broadcasts, or says what is wrong.
    """
    query, key, value, mask = work.query, work.key, work.value, work.mask
    batch, targets, heads, size = query.shape
    sources, key_heads = key.shape[1:3]
    if key.shape != (batch, sources, key_heads, size) or heads % key_heads:
        return False
    if value.shape[:3] != key.shape[:3]:
        return False
    if work.keep is not None and work.keep.shape != (batch, heads, targets, sources):
        return False
    if mask is None:
        return True
    if mask.dtype != bool or mask.ndim > 4:
        return False
    whole = (batch, heads, targets, sources)[4 - mask.ndim :]
    return all(size in (1, full) for size, full in zip(mask.shape, whole, strict=True))


def _adam_fits(work: AdamWork) -> bool:
    shapes = [array.shape for array in work.arrays]
    return shapes == [parameter.shape for parameter in work.parameters] * 4


def _dense_fits(work: DenseWork) -> bool:
    x, kernel, bias = work.x, work.kernel, work.bias
    is_product = x.ndim >= 1 and kernel.ndim == 2 and x.shape[-1] == kernel.shape[0]
    return is_product and (bias is None or bias.shape == kernel.shape[1:])


def _quantized_fits(work: QuantizedWork) -> bool:
    beside = [a for a in (work.scale, work.bias) if a is not None]
    if work.x.ndim < 2 or work.numbers.ndim != 2:
        return False
    features, units = work.numbers.shape[:: -1 if work.is_table else 1]
    return work.x.shape[-1] == features and all(a.shape == (units,) for a in beside)


def _quantized_dtypes(work: QuantizedWork) -> bool:
    if work.scale is None:
        return work.x.dtype == work.numbers.dtype == jnp.int8
    beside = [work.scale, *(() if work.bias is None else (work.bias,))]
    return work.numbers.dtype == jnp.int8 and _are_float32(work.x, *beside)


def _nibbles_fit(work: NibblesWork) -> bool:
    if work.x.ndim < 2 or work.packed.ndim != 2:
        return False
    if work.zero is None:
        return work.packed.shape == (work.x.shape[-1], *work.scale.shape)
    if work.scale.ndim != 2:
        return False
    units = work.scale.shape[1]
    sizes = work.x.shape[-1], (units + 1) // 2
    return work.packed.shape == sizes and work.zero.shape == work.scale.shape


def _nibbles_dtypes(work: NibblesWork) -> bool:
    are_whole = all(a is None or a.dtype == jnp.int8 for a in (work.packed, work.zero))
    return are_whole and _are_float32(work.x, work.scale)


def _norm_fits(work: LayerNormWork) -> bool:
    given = [a for a in (work.scale, work.offset) if a is not None]
    return work.is_last and all(a.shape == work.x.shape[-1:] for a in given)


def _norm_arrays(work: LayerNormWork) -> list[Array]:
    return [a for a in (work.x, work.scale, work.offset) if a is not None]


_KNOWN = "sizes known while tracing, none of them 0"

ATTENTION = Kernel(
    "attention",
    "MultiHeadAttention, GroupQueryAttention, ops.dot_product_attention",
    library.ATTENTION,
    (
        Condition("no bias and no soft cap", lambda w: w.bias is None and w.soft_cap is None),
        Condition(_KNOWN, lambda w: _are_known(w.query, w.key, w.value)),
        Condition("float32", lambda w: _are_float32(w.query, w.key, w.value)),
        Condition(
            f"heads of at most {LARGEST_HEAD} and at most {LARGEST_LENGTH} keys",
            lambda w: (
                max(w.query.shape[-1], w.value.shape[-1]) <= LARGEST_HEAD
                and w.key.shape[1] <= LARGEST_LENGTH
            ),
        ),
        Condition(
            f"{FEWEST_QUERIES} queries or more, and heads of all samples for all cores",
            lambda w: (
                w.query.shape[1] >= FEWEST_QUERIES
                and w.key.shape[0] * w.key.shape[2] >= build.cores()
            ),
        ),
        Condition("shapes that fit each other, a mask of booleans", _attention_fits),
    ),
)
# XLA writes keys and values down turned round before each product. Its time by ours, one query: 3.9
# for 8 samples of 160 keys and 6 heads of 64, 9.8 of 1024 keys and 8 heads; 1.2 for 7 queries of
# 160 keys, 0.93 for 4 of 64 keys and heads of 16 (AMD EPYC, Zen 5).
FEW_QUERIES = Kernel(
    "attention of few queries",
    "models.generate, and layers of attention outside of training",
    library.ATTENTION,
    (
        *ATTENTION.conditions[:4],
        Condition(
            f"fewer than {FEWEST_QUERIES} queries, no gradient, no dropout",
            lambda w: w.query.shape[1] < FEWEST_QUERIES and w.keep is None,
        ),
        Condition(
            f"{FEWEST_SCORED} numbers of keys or more",
            lambda w: w.key.size >= FEWEST_SCORED,
        ),
        ATTENTION.conditions[-1],
    ),
)
RECURRENT: Kernel[RecurrentWork] = Kernel(
    "recurrent",
    "LSTM, GRU, SimpleRNN",
    library.RECURRENT,
    (
        Condition("tanh and sigmoid; a GRU with reset_after=True", lambda w: w.is_classic),
        Condition(_KNOWN, lambda w: _are_known(w.x, *w.weights[:2])),
        Condition(
            "no float64",
            lambda w: all(a is None or a.dtype != jnp.float64 for a in (w.x, *w.weights)),
        ),
    ),
    forward_alone=(
        Condition(
            f"{FEW_SEQUENCES} sequences or more, or at most {SMALL_UNITS} units",
            # One or two read the kernel as often as packing it costs, when it fills the cache.
            lambda w: w.x.shape[0] >= FEW_SEQUENCES or w.weights[1].shape[0] <= SMALL_UNITS,
        ),
    ),
)
CONVOLUTION: Kernel[ConvolutionWork] = Kernel(
    "convolution",
    "Conv1D to Conv3D, transposed, depthwise and separable ones",
    library.CONVOLUTION,
    (
        Condition(_KNOWN, lambda w: _are_known(w.x, w.kernel)),
        Condition("float32", lambda w: _are_float32(w.x)),
        Condition("sizes below 2³¹", lambda w: max(*w.x.shape, *w.kernel.shape) <= LARGEST),
    ),
)
_POOLED: tuple[Condition[PoolingWork], ...] = (
    Condition(_KNOWN, lambda w: _are_known(w.x)),
    Condition("float32", lambda w: _are_float32(w.x)),
    Condition(
        f"{VECTOR} channels or more, windows of at most {MAX_TAPS}",
        lambda w: VECTOR <= w.x.shape[-1] and w.taps <= MAX_TAPS and max(w.x.shape) <= LARGEST,
    ),
)
MAX_POOLING: Kernel[PoolingWork] = Kernel(
    "max pooling",
    "MaxPooling1D to MaxPooling3D",
    library.POOLING,
    (*_POOLED, Condition("windows that overlap, or padding", lambda w: not w.tiles)),
)
AVERAGE_POOLING: Kernel[PoolingWork] = Kernel(
    "average pooling",
    "AveragePooling1D to AveragePooling3D",
    library.CONVOLUTION,
    (
        *_POOLED,
        Condition(
            f"windows that overlap, padding, or windows of {LARGE_TILE} and more",
            lambda w: not w.tiles or w.taps >= LARGE_TILE,
        ),
    ),
)
ADAM: Kernel[AdamWork] = Kernel(
    "adam",
    "Adam, AdamW",
    library.ADAM,
    (
        Condition("no amsgrad, numbers as betas and epsilon", lambda w: w.is_classic),
        Condition(_KNOWN, lambda w: _are_known(*w.arrays)),
        Condition("float32", lambda w: _are_float32(*w.arrays)),
        Condition("gradients of their parameters' shapes", _adam_fits),
        Condition(
            f"{FEWEST_NUMBERS} parameters or more in all",
            lambda w: sum(array.size for array in w.parameters) >= FEWEST_NUMBERS,
        ),
    ),
)


def _of_dense(dtype: str) -> tuple[Condition[DenseWork], ...]:
    return (
        Condition("sizes that fit each other", _dense_fits),
        Condition(_KNOWN, lambda w: _are_known(w.x, w.kernel)),
        Condition(dtype, lambda w: all(array.dtype == dtype for array in w.arrays)),
        Condition(
            f"{FEWEST_ROWS} rows or more",
            lambda w: w.x.size >= FEWEST_ROWS * w.x.shape[-1],
        ),
        Condition(
            f"{FEWEST_PRODUCTS} products or more",
            lambda w: w.x.size * w.kernel.shape[1] >= FEWEST_PRODUCTS,
        ),
    )


DENSE: Kernel[DenseWork] = Kernel(
    "dense",
    "Dense, EinsumDense and the projections of attention, ops.matmul and ops.einsum by a matrix",
    library.DENSE,
    _of_dense("float32"),
)
HALVES: Kernel[DenseWork] = Kernel(
    "dense of bfloat16",
    "the same of bfloat16, where the processor has AVX512_BF16 and no AMX",
    library.HALVES,
    _of_dense("bfloat16"),
)
QUANTIZED: Kernel[QuantizedWork] = Kernel(
    "int8 products",
    "layers quantized to int8, or to int4 without blocks; ops.matmul and ops.einsum of int8",
    library.QUANTIZED,
    (
        Condition("inputs rounded by AbsMaxQuantizer, row by row", lambda w: w.is_plain),
        Condition("sizes that fit each other", _quantized_fits),
        Condition(_KNOWN, lambda w: _are_known(w.x, w.numbers)),
        Condition("float32 by int8, or int8 by int8", _quantized_dtypes),
        Condition(
            f"{FEWEST_BYTES} numbers of a kernel or more",
            lambda w: w.numbers.size >= FEWEST_BYTES,
        ),
    ),
)
NIBBLES: Kernel[NibblesWork] = Kernel(
    "int4 products",
    "layers quantized to int4 in blocks, or to int8 with floats as inputs, of few rows",
    library.NIBBLES,
    (
        Condition("sizes that fit each other", _nibbles_fit),
        Condition(_KNOWN, lambda w: _are_known(w.x, w.packed)),
        Condition("float32 by int4 or int8", _nibbles_dtypes),
        Condition(
            f"{MOST_ROWS_OF_FLOATS} rows at most",
            lambda w: w.x.size <= MOST_ROWS_OF_FLOATS * w.x.shape[-1],
        ),
        Condition(
            f"{FEWEST_BYTES} bytes of a kernel or more",
            lambda w: w.packed.size >= FEWEST_BYTES,
        ),
    ),
)
ACTIVATION: Kernel[ActivationWork] = Kernel(
    "activation",
    "gelu in both forms and silu",
    library.ACTIVATION,
    (
        Condition(_KNOWN, lambda w: _are_known(w.x)),
        Condition("float32", lambda w: _are_float32(w.x)),
        Condition(f"{FEWEST_ELEMENTS} numbers or more", lambda w: w.x.size >= FEWEST_ELEMENTS),
    ),
)
LAYER_NORM: Kernel[LayerNormWork] = Kernel(
    "layer norm",
    "LayerNormalization, RMSNormalization over the last axis",
    library.LAYER_NORM,
    (
        Condition("one axis, the last, and a scale and offset of its size", _norm_fits),
        Condition(_KNOWN, lambda w: _are_known(w.x)),
        Condition("float32", lambda w: _are_float32(*_norm_arrays(w))),
        Condition(f"{FEWEST_ELEMENTS} numbers or more", lambda w: w.x.size >= FEWEST_ELEMENTS),
    ),
)


def _of_classes(fewest: int) -> tuple[Condition[ScoresWork], ...]:
    is_last = lambda w: w.x.ndim > 0 and w.axis in (-1, w.x.ndim - 1)
    return (
        Condition("classes on the last axis", is_last),
        Condition(_KNOWN, lambda w: _are_known(w.x)),
        Condition("float32", lambda w: _are_float32(w.x)),
        Condition(
            f"{fewest} classes or more, {FEWEST_SCORES} scores or more",
            lambda w: fewest <= w.x.shape[-1] <= LARGEST and w.x.size >= FEWEST_SCORES,
        ),
    )


HIGHEST: Kernel[ScoresWork] = Kernel(
    "highest",
    "accuracy of classes, ops.argmax, models.generate",
    library.CLASSES,
    _of_classes(32),
)
CROSS_ENTROPY: Kernel[ScoresWork] = Kernel(
    "cross-entropy",
    "SparseCategoricalCrossentropy of logits, or of a softmax at the end of a model",
    library.CLASSES,
    _of_classes(96),  # 64 take as long by XLA
)
GUARD: Kernel[GuardWork] = Kernel(
    "guard",
    "fit of one small step an epoch",
    library.GUARD,
    (
        Condition(_KNOWN, lambda w: _are_known(*w.old)),
        Condition("float32", lambda w: _are_float32(*w.old, *w.new)),
        Condition(f"{MANY_ARRAYS} arrays or more", lambda w: len(w.old) >= MANY_ARRAYS),
    ),
)
KERNELS = (
    ATTENTION,
    FEW_QUERIES,
    RECURRENT,
    CONVOLUTION,
    MAX_POOLING,
    AVERAGE_POOLING,
    DENSE,
    HALVES,
    QUANTIZED,
    NIBBLES,
    HIGHEST,
    CROSS_ENTROPY,
    ACTIVATION,
    LAYER_NORM,
    ADAM,
    GUARD,
)
