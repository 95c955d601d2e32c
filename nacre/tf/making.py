"""Tensors that rows of the table make: of values, of one number, of sequences, in another dtype."""

from __future__ import annotations

from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import DTypeError, ShapeError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer
from nacre.data import HostTensor
from nacre.data.dataset.elements import sealed
from nacre.tf.arguments import ints
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.nodes import node
from nacre.tf.sizes import are_known, plain, sizes_of
from nacre.tf.values import landed, same, tensor


def constant(value: Any, dtype: Any, shape: Any) -> Any:
    """A tensor of a value, in a shape where one is told."""
    if isinstance(value, KerasTensor) or is_tracer(value):
        return convert_to_tensor(value, dtype, None)
    made = tensor(value, dtype)
    if shape is None:
        return made
    sizes = tuple(plain(shape))
    if made.ndim == 0 or made.size == 1:
        return _of(made, np.full(sizes, np.asarray(made).reshape(()), made.dtype))
    if made.size != int(np.prod(sizes)):
        rule = f"there must be {int(np.prod(sizes))} values for shape {sizes}"
        raise ShapeError(message("tf.constant", rule, f"{made.size}"))
    return made.reshape(sizes)


def _of(like: Any, array: np.ndarray) -> Any:
    return sealed(array) if isinstance(like, np.ndarray) else jnp.asarray(array)


def convert_to_tensor(value: Any, dtype: Any, hint: Any) -> Any:
    """A tensor; the hint is followed where it can be."""
    is_numpys = isinstance(value, np.ndarray | np.generic) and not isinstance(value, HostTensor)
    if dtype is None and hint is not None and is_numpys and value.dtype.kind in "biuf":
        return tensor(np.asarray(value).astype(as_dtype(hint)._dtype))
    if dtype is None and hint is not None and not hasattr(value, "dtype"):
        try:
            return tensor(value, hint)
        except DTypeError:
            return tensor(value)
    return tensor(value, dtype)


def cast(x: Any, dtype: Any) -> Any:
    """The values in another dtype: floats lose what stands behind the point."""
    x, target = tensor(x), as_dtype(dtype)
    if dtype_of(x) is target:
        return x
    if isinstance(x, KerasTensor):
        return ops.cast(x, target.name)
    return node("Cast")(x, DstT=target)


def identity(x: Any) -> Any:
    """The tensor; of a variable its value now."""
    return jax.tree.map(tensor, x)


def filled(shape: Any, value: int, dtype: Any) -> Any:
    """A tensor of one number, or of empty strings."""
    kind, sizes = as_dtype(dtype), sizes_of(shape)
    if kind == "string":
        return sealed(np.full(sizes, b"", object))
    if kind.name in ("float32", "float16", "bfloat16") or not are_known(sizes):
        return jnp.full(sizes, value, kind.name)
    return sealed(np.full(sizes, value, kind._dtype))


def filled_like(x: Any, value: int, dtype: Any) -> Any:
    """The same for the shape of another tensor."""
    x = tensor(x)
    if isinstance(x, KerasTensor):
        return (ops.ones_like if value else ops.zeros_like)(x, dtype)
    return filled(x.shape, value, dtype_of(x) if dtype is None else dtype)


def eye(rows: Any, columns: Any, batch: Any, dtype: Any) -> Any:
    """Ones on the diagonal."""
    kind, (n,) = as_dtype(dtype), sizes_of([rows])
    m = n if columns is None else sizes_of([columns])[0]
    found = np.eye(n, m, dtype=kind._dtype)
    return landed(np.broadcast_to(found, (*sizes_of(batch or ()), n, m)).copy())


def arange(start: Any, limit: Any, delta: Any, dtype: Any) -> Any:
    """Numbers from `start` on, up to `limit` without it."""
    if limit is None:
        start, limit = 0, start
    if dtype is None:
        found = [tensor(v) for v in (start, limit, delta) if not isinstance(v, jax.core.Tracer)]
        names = [dtype_of(v).name for v in found]
        order = ("int32", "int64", "float16", "bfloat16", "float32", "float64")
        dtype = max(names, key=lambda n: order.index(n) if n in order else 0)
    kind = as_dtype(dtype)._dtype
    if any(map(jax.export.is_symbolic_dim, (start, limit, delta))):
        return jnp.arange(start, limit, delta, dtype=kind)
    first, end, by = (np.asarray(plain(v), kind) for v in (start, limit, delta))
    return node("Range")(first, end, by)


def linspace(start: Any, stop: Any, num: Any, axis: int) -> Any:
    """Equally spaced numbers from `start` to `stop`."""
    first, end = same(start, stop)
    if not dtype_of(first).is_floating:
        first, end = tensor(np.asarray(first, np.float64)), tensor(np.asarray(end, np.float64))
    return ops.linspace(first, end, plain(num), axis=axis)


def one_hot(indices: Any, depth: Any, on: Any, off: Any, axis: Any, dtype: Any) -> Any:
    """Rows of zeros with a one."""
    if dtype is None:
        given = next((tensor(v) for v in (on, off) if v is not None), None)
        dtype = "float32" if given is None else dtype_of(given)
    on, off = (tensor(d if v is None else v, dtype) for v, d in ((on, 1), (off, 0)))
    if dtype_of(on).name == "string":  # of the host, as all strings are
        places = np.asarray(tensor(indices))
        is_on = np.expand_dims(places, -1) == np.arange(int(np.asarray(plain(depth))))
        last = -1 if axis is None else axis
        texts = [np.asarray(text, object) for text in (on, off)]
        return tensor(np.moveaxis(np.where(is_on, *texts), -1, last))
    return node("OneHot")(indices, ints(depth), on, off, axis=-1 if axis is None else axis)


def sequence_mask(lengths: Any, maxlen: Any, dtype: Any) -> Any:
    """Which places of a row lie before its end."""
    most = int(np.max(np.asarray(lengths))) if maxlen is None else plain(maxlen)
    places = np.arange(most, dtype=np.int32)
    found = node("Less")(places, lengths[..., None])
    return cast(found, dtype)
