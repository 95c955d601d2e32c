"""Forms of ops that are faster than the graph's formulas, and give the same: convolutions as one
product of matrices, pools without copies, recurrences with all inputs multiplied at once, error
functions by a series. Inputs, attributes and results are those of `nacre.export.graph.ops`."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from nacre.export.graph.ops.convolution import pairs_of
from nacre.export.targets.npz.runtime.engine import OPS

_MOST_BYTES = 1 << 26  # of the windows of a convolution that are laid side by side at once

# exp(x²) · erfc(x) · (1 + 2x) for x ≥ 0 as Chebyshev polynomials in (x - 3) / (x + 3), fitted to
# values of 16 digits: 5e-15 off at most.
_ERFCX = (
    1.17756257419656, 0.0053539045396156105, -0.09377550342284201, 0.05436652555744335,
    -0.018976596707845253, 0.004453426061462709, -0.0006335531710552837, 1.7661719523147073e-05,
    1.2841532864249386e-05, -2.007228566089631e-06, -1.8075227872554172e-07, 7.549828345384119e-08,
    1.8856686395536636e-09, -2.699519226331925e-09, -1.4600304977770305e-11, 1.0361609601840833e-10,
    1.4764155700295108e-12, -4.277240801256407e-12, -2.0723775329425774e-13, 1.8140782210638508e-13,
    1.951216902343245e-14, -7.20720658225521e-15, -3.1233954055037077e-15, 8.297678766583515e-17,
    -1.5397637565991081e-15,
)  # fmt: skip


def _wide(x: Any) -> Any:
    """Floats of 16 bits in 32."""
    return x.astype("float32") if x.dtype == np.float16 else x


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """x · kernel + bias over the last axis, as one product of two matrices."""
    product = _wide(x).reshape(-1, kernel.shape[0]) @ _wide(kernel)
    if bias is not None:
        product += bias
    return product.reshape(*x.shape[:-1], kernel.shape[1])


def matmul(x: Any, y: Any) -> Any:
    """Products of matrices in the last two axes."""
    if y.ndim == 2 and x.ndim > 2:
        return dense(x, y)
    return np.matmul(_wide(x), _wide(y))


def einsum(*xs: Any, subscripts: str) -> Any:
    """Sums of products, as products of matrices where they are such."""
    return np.einsum(subscripts, *map(_wide, xs), optimize=True)


def attention(
    query: Any, key: Any, value: Any, bias: Any = None, mask: Any = None, *,
    scale: float, is_causal: bool, soft_cap: float | None,
) -> Any:  # fmt: skip
    """softmax(scale · query · keyᵀ + bias) · value, for each head."""
    repeats = query.shape[2] // key.shape[2]
    heads_first = [_wide(x).transpose(0, 2, 1, 3) for x in (query, key, value)]
    query, key, value = heads_first  # (batch, heads, length, features)
    if repeats > 1:
        key, value = np.repeat(key, repeats, 1), np.repeat(value, repeats, 1)
    scores = query @ key.transpose(0, 1, 3, 2)
    scores *= scores.dtype.type(scale)
    if soft_cap is not None:
        scores = np.tanh(scores / soft_cap) * soft_cap
    if bias is not None:
        scores = scores + bias
    lowest = scores.dtype.type(-0.7 * float(np.finfo(scores.dtype).max))
    if mask is not None:
        scores = np.where(mask, scores, lowest)
    if is_causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, lowest)
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    return (scores @ value).transpose(0, 2, 1, 3)


# --- convolutions ---------------------------------------------------------------------------------


def _windows(
    x: Any, window: Any, strides: Any, dilation: Any, padding: Any, filler: Any
) -> tuple[Any, list[int]]:
    """x padded, and the places of windows: (batch, *places, *window, channels), without a copy."""
    pairs = pairs_of(padding, x.shape[1:-1], window, strides, dilation)
    cut = [slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, x.shape[1:-1])]
    x = x[(slice(None), *cut)]
    pads = [(0, 0), *((max(a, 0), max(b, 0)) for a, b in pairs), (0, 0)]
    if any(map(any, pads)):
        x = np.pad(x, pads, constant_values=filler)
    counts = [
        max((n - (k - 1) * d - 1) // s + 1, 0)
        for n, k, s, d in zip(x.shape[1:-1], window, strides, dilation)
    ]
    steps = x.strides[1:-1]
    by = (
        x.strides[0],
        *(n * s for n, s in zip(steps, strides)),
        *(n * d for n, d in zip(steps, dilation)),
        x.strides[-1],
    )
    shape = (len(x), *counts, *window, x.shape[-1])
    if 0 in shape:
        return np.zeros(shape, x.dtype), counts
    return np.lib.stride_tricks.as_strided(x, shape, by, writeable=False), counts


def conv(
    x: Any, kernel: Any, *, strides: Any, padding: Any, dilation_rate: Any, groups: int
) -> Any:
    """A convolution: windows side by side, times the kernel as a matrix."""
    x, kernel = _wide(x), _wide(kernel)
    window, each = kernel.shape[:-2], kernel.shape[-2]
    if groups == 1 and math.prod(window) == 1 and isinstance(padding, str):
        x = x[(slice(None), *(slice(None, None, s) for s in strides))]
        return dense(x, kernel.reshape(kernel.shape[-2:]))
    seen, counts = _windows(x, window, strides, dilation_rate, padding, 0)
    filters = kernel.shape[-1] // groups
    result = np.empty((len(x), *counts, kernel.shape[-1]), x.dtype)
    rows = max(1, _MOST_BYTES // max(1, seen[:1].size * x.itemsize))
    for start in range(0, len(x), rows):
        for group in range(groups):
            part = seen[start : start + rows, ..., group * each : (group + 1) * each]
            some = slice(group * filters, (group + 1) * filters)
            flat = part.reshape(part.shape[0] * math.prod(counts), math.prod(window) * each)
            product = flat @ kernel[..., some].reshape(-1, filters)
            result[start : start + rows, ..., some] = product.reshape(len(part), *counts, filters)
    return result


def depthwise_conv(x: Any, kernel: Any, *, strides: Any, padding: Any, dilation_rate: Any) -> Any:
    """Each channel convolved with its own kernels, one place of the window after the other."""
    x, kernel = _wide(x), _wide(kernel)
    window, (channels, times) = kernel.shape[:-2], kernel.shape[-2:]
    seen, counts = _windows(x, window, strides, dilation_rate, padding, 0)
    if times == 1:  # NumPy is slow along axes of size 1
        kernel = kernel[..., 0]
    else:
        seen = seen[..., None]
    result = np.zeros((len(x), *counts, *kernel.shape[len(window) :]), x.dtype)
    product = np.empty_like(result)
    places = (slice(None),) * (1 + len(window))
    for tap in itertools.product(*map(range, window)):
        np.multiply(seen[(*places, *tap)], kernel[tap], out=product)
        result += product
    return result.reshape(len(x), *counts, channels * times)


def conv_transpose(x: Any, kernel: Any, *, strides: Any, crop: Any, dilation_rate: Any) -> Any:
    """The transpose of a convolution: all products at once, then put where windows lie."""
    x, kernel = _wide(x), _wide(kernel)
    window, filters = kernel.shape[:-2], kernel.shape[-2]
    sizes = x.shape[1:-1]
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation_rate)]
    full = [max((n - 1) * s + r, 0) for n, s, r in zip(sizes, strides, reach)]
    result = np.zeros((len(x), *full, filters), x.dtype)
    product = x @ kernel.reshape(-1, x.shape[-1]).T
    product = product.reshape(*x.shape[:-1], *window, filters)
    for tap in itertools.product(*map(range, window)):
        starts = [t * d for t, d in zip(tap, dilation_rate)]
        places = (slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, sizes, strides))
        result[(slice(None), *places)] += product[(slice(None),) * (1 + len(sizes)) + tap]
    cut = (slice(max(a, 0), n - max(b, 0)) for (a, b), n in zip(crop, full))
    pads = [(0, 0), *((max(-a, 0), max(-b, 0)) for a, b in crop), (0, 0)]
    return np.pad(result[(slice(None), *cut)], pads)


def _pooled(x: Any, ufunc: Any, window: Any, strides: Any, padding: Any, filler: Any) -> Any:
    seen, counts = _windows(x, window, strides, (1,) * len(window), padding, filler)
    result = np.full((len(x), *counts, x.shape[-1]), filler, x.dtype)
    places = (slice(None),) * (1 + len(window))
    for tap in itertools.product(*map(range, window)):
        ufunc(result, seen[(*places, *tap)], out=result)
    return result


def max_pool(x: Any, *, pool_size: Any, strides: Any, padding: Any) -> Any:
    """The largest element of each window; padding never wins."""
    lowest = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
    return _pooled(x, np.maximum, pool_size, strides, padding, lowest)


def average_pool(x: Any, *, pool_size: Any, strides: Any, padding: Any) -> Any:
    """The mean of each window, over the elements that are really there."""
    wide = _wide(x)
    ones = np.ones((1, *x.shape[1:-1], 1), wide.dtype)
    counts = _pooled(ones, np.add, pool_size, strides, padding, 0)
    return _pooled(wide, np.add, pool_size, strides, padding, 0) / counts


# --- error functions and casts --------------------------------------------------------------------


def _scaled_erfc(x: Any) -> Any:
    """exp(x²) · erfc(x) for x ≥ 0, in float64."""
    near = np.where(np.isinf(x), 1.0, (x - 3) / (x + 3))
    return np.polynomial.chebyshev.chebval(near, _ERFCX) / (1 + 2 * x)


def erfc(x: Any) -> Any:
    """1 - erf(x), exact for large x."""
    wide = x.astype("float64")
    tail = np.exp(-np.square(wide)) * _scaled_erfc(np.abs(wide))
    return np.where(wide < 0, 2 - tail, tail).astype(x.dtype)


def erf(x: Any) -> Any:
    """The error function; near 0 by its series, which keeps the digits of small x."""
    wide = x.astype("float64")
    square = np.square(np.clip(wide, -0.5, 0.5))
    series: Any = 0.0
    for n in range(12, -1, -1):
        series = series * square + (-1) ** n / (math.factorial(n) * (2 * n + 1))
    small = 2 / math.sqrt(math.pi) * wide * series
    large = np.sign(wide) * (1 - np.exp(-np.square(wide)) * _scaled_erfc(np.abs(wide)))
    return np.where(np.abs(wide) <= 0.5, small, large).astype(x.dtype)


def gelu(x: Any, *, approximate: bool) -> Any:
    """x · Φ(x), or its tanh form."""
    if approximate:
        return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))
    # As JAX has it: of -inf this is NaN.
    return 0.5 * x * erfc(-x / np.asarray(math.sqrt(2), x.dtype))


def cast(x: Any, *, dtype: str) -> Any:
    """x as another dtype; floats outside of an integer's range take its end, NaN takes 0."""
    to = np.dtype(dtype)
    if x.dtype.kind != "f" or to.kind not in "iu":
        return x.astype(to)
    limits = np.iinfo(to)
    whole = np.trunc(np.nan_to_num(x.astype("float64"), nan=0.0, posinf=np.inf, neginf=-np.inf))
    # The largest of 64 bits is no float: what reaches it is put in afterwards.
    inside = np.where((whole > limits.min) & (whole < float(limits.max)), whole, 0).astype(to)
    inside = np.where(whole >= float(limits.max), to.type(limits.max), inside)
    return np.where(whole <= limits.min, to.type(limits.min), inside)


# --- recurrences ----------------------------------------------------------------------------------


def _activation(name: str) -> Any:
    return (lambda x: x) if name == "linear" else OPS[name]


def _recurrence(step: Any, given: Any, states: Any, mask: Any, attributes: Any) -> Any:
    """Outputs and last states of steps over (batch, time, ...); the first state is the output."""
    states = tuple(_wide(s) for s in states)
    batch, steps = given.shape[:2]
    output, kept = np.zeros_like(states[0]), attributes["return_sequences"]
    outputs = np.zeros((batch, steps if kept else 0, states[0].shape[1]), states[0].dtype)
    order = range(steps - 1, -1, -1) if attributes["reverse"] else range(steps)
    for at, t in enumerate(order):
        new = step(given[:, t], *states)
        if mask is None:
            states, output = new, new[0]
        else:
            counts = mask[:, t, None]
            states = tuple(np.where(counts, n, s) for n, s in zip(new, states))
            skipped = np.zeros_like(output) if attributes["zero_output_for_mask"] else output
            output = np.where(counts, new[0], skipped)
        if kept:
            outputs[:, at] = output
    return (outputs if kept else output, *states)


def lstm(
    x: Any, h0: Any, c0: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None,
    mask: Any = None, *, activation: str, recurrent_activation: str, **attributes: Any,
) -> Any:  # fmt: skip
    """A long short-term memory: the inputs of all steps multiplied at once."""
    inner, gate = _activation(activation), _activation(recurrent_activation)
    recurrent, units = _wide(recurrent_kernel), recurrent_kernel.shape[0]

    def step(given: Any, h: Any, c: Any) -> Any:
        z = given + h @ recurrent
        i, f, o = gate(z[:, :units]), gate(z[:, units : 2 * units]), gate(z[:, 3 * units :])
        c = f * c + i * inner(z[:, 2 * units : 3 * units])
        return o * inner(c), c

    return _recurrence(step, dense(x, kernel, bias), (h0, c0), mask, attributes)


def gru(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None, mask: Any = None, *,
    activation: str, recurrent_activation: str, reset_after: bool, **attributes: Any,
) -> Any:  # fmt: skip
    """A gated recurrent unit: the inputs of all steps multiplied at once."""
    inner, gate = _activation(activation), _activation(recurrent_activation)
    recurrent, units = _wide(recurrent_kernel), recurrent_kernel.shape[0]
    outside, inside = bias, 0
    if bias is not None and reset_after:
        outside, inside = bias

    def step(given: Any, h: Any) -> Any:
        if reset_after:
            own = h @ recurrent + inside
            z = gate(given[:, :units] + own[:, :units])
            r = gate(given[:, units : 2 * units] + own[:, units : 2 * units])
            candidate = given[:, 2 * units :] + r * own[:, 2 * units :]
        else:
            own = h @ recurrent[:, : 2 * units]
            z = gate(given[:, :units] + own[:, :units])
            r = gate(given[:, units : 2 * units] + own[:, units:])
            candidate = given[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :]
        return (z * h + (1 - z) * inner(candidate),)

    return _recurrence(step, dense(x, kernel, outside), (h0,), mask, attributes)


def simple_rnn(
    x: Any, h0: Any, kernel: Any, recurrent_kernel: Any, bias: Any = None, mask: Any = None, *,
    activation: str, **attributes: Any,
) -> Any:  # fmt: skip
    """A fully connected recurrence: the inputs of all steps multiplied at once."""
    inner, recurrent = _activation(activation), _wide(recurrent_kernel)

    def step(given: Any, h: Any) -> Any:
        return (inner(given + h @ recurrent),)

    return _recurrence(step, dense(x, kernel, bias), (h0,), mask, attributes)
