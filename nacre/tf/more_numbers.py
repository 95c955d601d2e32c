"""More of `tf.math`: counts, means of segments, and a few functions of numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import jax.scipy.special as special
import numpy as np

from nacre import ops
from nacre.core.tracing import is_tracer
from nacre.data import Ragged
from nacre.tf.arguments import ints
from nacre.tf.arranging import TopK
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.nodes import node
from nacre.tf.running import static_value
from nacre.tf.sizes import plain
from nacre.tf.values import tensor


def counted(
    values: Any, weights: Any, least: Any, most: Any, dtype: Any, axis: Any, is_binary: bool
) -> Any:
    """How often each whole number stands there: of all, or of each row where `axis` is -1.

    The largest number says how many there are, unless `least` asks for more or `most` for fewer.
    """
    rows = values.to_tensor(-1) if isinstance(values, Ragged) and axis is not None else values
    x = tensor(rows.values if isinstance(rows, Ragged) else rows)
    known = static_value(x)
    if known is None:
        if least is None or plain(least) != (plain(most) if most is not None else None):
            node("Where")(x)  # which tells that values are needed
        size = plain(most)
    else:
        size = int(known.max(initial=-1)) + 1
        size = max(size, 0 if least is None else plain(least))
        size = size if most is None else min(size, plain(most))
    kind = as_dtype(dtype) if weights is None else dtype_of(tensor(weights))
    flat = x if axis is not None and x.ndim == 2 else x.reshape(-1)
    given = np.empty(0, kind._dtype) if weights is None else tensor(weights).reshape(flat.shape)
    found = node("DenseBincount")(
        flat, np.int32(size), given, T=kind, Tidx=as_dtype("int32"), binary_output=is_binary
    )
    return found if is_tracer(found) or kind.is_floating else tensor(np.asarray(found), kind)


def segment_quotient(data: Any, ids: Any, count: Any, power: float) -> Any:
    """Sums of segments divided by how many are added up, or by the root of it."""
    total = node("UnsortedSegmentSum")(data, ids, ints(count))
    ones = jnp.ones(ids.shape, total.dtype)
    number = jnp.maximum(node("UnsortedSegmentSum")(ones, ids, ints(count)), 1)
    number = number.reshape((*number.shape, *[1] * (total.ndim - number.ndim)))
    return total / number if power == 1.0 else total / jnp.sqrt(number)


def erfcinv(x: Any) -> Any:
    """The y of erfc(y) = x."""
    return special.ndtri(x * 0.5) * -np.sqrt(np.asarray(0.5, x.dtype))


def lbeta(x: Any) -> Any:
    """log |B|: Σ log Γ(x) - log Γ(Σ x), over the last axis."""
    return special.gammaln(x).sum(-1) - special.gammaln(x.sum(-1))


def largest(x: Any, k: Any, axis: int, sign: int) -> TopK:
    """The largest numbers of an axis, or the smallest, and where they stand."""
    moved = jnp.moveaxis(jnp.asarray(x), axis, -1) * sign
    values, places = ops.top_k(moved, plain(k))
    return TopK(jnp.moveaxis(values * sign, -1, axis), jnp.moveaxis(places, -1, axis))


def bins_of(values: Any, limits: Any, count: Any, dtype: Any) -> Any:
    """Which of equally wide bins each number falls into; what is outside into the outermost."""
    number = plain(count)
    low, high = limits[0], limits[1]
    scaled = jnp.floor((jnp.asarray(values) - low) / (high - low) * number)
    return jnp.clip(scaled, 0, number - 1).astype(as_dtype(dtype).name)


def passing_gradients(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose gradient is taken to be 1: what comes back passes through it."""

    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        x = tensor(x)
        found = function(ops.stop_gradient(x), *args, **kwargs)
        return x + ops.stop_gradient(found - x)

    return call


def is_symbolic(value: Any) -> bool:
    """Whether a tensor has no values: one of a program that is being traced, or of a model."""
    from nacre.core.symbolic import KerasTensor

    return is_tracer(value) or isinstance(value, KerasTensor)


def picked_segments(name: str, data: Any, rows: Any, ids: Any, count: Any) -> Any:
    """Rows of a tensor, those of one segment together."""
    if count is None:
        return node(name)(data, rows, ids)
    return node(f"{name}WithNumSegments")(data, rows, ids, ints(count))
