"""What rows of the table call where TensorFlow's function is more than one op: a few lines each.

Formulas stand in `nacre.ops` and in the ops of graphs; here arguments are brought into their form.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core.errors import ArgumentError, DTypeError, ShapeError, TracedValueError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer, is_tracing
from nacre.core.variable import Variable
from nacre.data import HostTensor
from nacre.data.dataset.elements import sealed
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.nodes import node
from nacre.tf.shapes import TensorShape
from nacre.tf.sizes import Sizes, plain, sizes_of
from nacre.tf.values import landed, same, tensor

# --- arguments ------------------------------------------------------------------------------------


def t(value: Any, like: Any = None) -> Any:
    """A tensor; a number of Python's gets the dtype of `like`."""
    if like is None or hasattr(value, "dtype"):
        return tensor(value)
    return tensor(value, dtype_of(tensor(like)))


def ints(value: Any) -> Any:
    """Whole numbers of the host, such as axes; sizes that are symbols stay so."""
    found = plain(value)
    if isinstance(found, tuple) and any(not isinstance(n, int | tuple) for n in found):
        return found
    return np.asarray(found, np.int64 if _is_wide(found) else np.int32)


def _is_wide(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(map(_is_wide, value))
    return not -(2**31) <= value < 2**31


def listed(axis: Any) -> list[int]:
    """Axes as a list; none for None."""
    if axis is None:
        return []
    found = plain(axis)
    return [int(n) for n in (found if isinstance(found, tuple) else (found,))]


def axes(x: Any, axis: Any) -> np.ndarray:
    """Axes as numbers, all of `x` for None."""
    x = tensor(x)
    return np.asarray(range(x.ndim) if axis is None else listed(axis), np.int32)


def last(axis: Any) -> int:
    """An axis, the last for None."""
    return -1 if axis is None else plain(axis)


def inexact(who: str, x: Any) -> Any:
    """Refuse whole numbers, of which TensorFlow takes no deviations."""
    if not dtype_of(x).is_floating and not dtype_of(x).is_complex:
        fix = "Convert it: tf.cast(x, tf.float32)."
        raise DTypeError(message(f"tf.math.{who}", "it takes floats", str(dtype_of(x).name), fix))
    return x


def tensors(structure: Any) -> Any:
    """A structure of tensors."""
    return jax.tree.map(tensor, structure)


def dtype(value: Any) -> Any:
    """A dtype."""
    return as_dtype(value)


# --- made -----------------------------------------------------------------------------------------


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
    if kind.name in ("float32", "float16", "bfloat16") or not _are_known(sizes):
        return jnp.full(sizes, value, kind.name)
    return sealed(np.full(sizes, value, kind._dtype))


def _are_known(sizes: tuple[Any, ...]) -> bool:
    return all(isinstance(n, int) for n in sizes)


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
    return node("OneHot")(indices, ints(depth), on, off, axis=-1 if axis is None else axis)


def sequence_mask(lengths: Any, maxlen: Any, dtype: Any) -> Any:
    """Which places of a row lie before its end."""
    most = int(np.max(np.asarray(lengths))) if maxlen is None else plain(maxlen)
    places = np.arange(most, dtype=np.int32)
    found = node("Less")(places, lengths[..., None])
    return cast(found, dtype)


# --- shapes ---------------------------------------------------------------------------------------


def shape(x: Any, out_type: Any = "int32") -> Any:
    """The sizes as a tensor, known numbers also while a program is traced."""
    x = tensor(x)
    if isinstance(x, KerasTensor) and None in tuple(x.shape):
        raise ArgumentError(
            message(
                "tf.shape",
                "the sizes of a symbolic tensor must be known where a model is described",
                f"{tuple(x.shape)}",
                "Put the computation into the call() of a layer, or take x.shape where the size "
                "is given.",
            )
        )
    if not _are_known(tuple(x.shape)):
        return Sizes(x.shape)
    return sealed(np.asarray(tuple(x.shape), as_dtype(out_type or "int32")._dtype))


def size(x: Any, out_type: Any) -> Any:
    """The number of elements."""
    return sealed(np.asarray(tensor(x).size, as_dtype(out_type or "int32")._dtype))


def reshape(x: Any, sizes: Any) -> Any:
    """The same numbers in another shape."""
    wanted = sizes_of(sizes)
    if isinstance(x, np.ndarray):
        return node("Reshape")(x, np.asarray(wanted))
    return ops.reshape(x, wanted)


def ensured(x: Any, wanted: Any) -> Any:
    """The tensor, if it has the shape."""
    TensorShape(x.shape).assert_is_compatible_with(wanted)
    return x


def broadcast(x: Any, sizes: Any) -> Any:
    """The tensor repeated along axes of size 1."""
    wanted = sizes_of(sizes)
    if isinstance(x, np.ndarray) and _are_known(wanted):
        return node("BroadcastTo")(x, np.asarray(wanted))
    return ops.broadcast_to(x, wanted)


def transpose(x: Any, perm: Any, conjugate: bool = False, last_two: bool = False) -> Any:
    """Axes in another order, by default backwards; of matrices the last two."""
    order = [*range(x.ndim)][::-1] if perm is None else listed(perm)
    if last_two:
        order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
    if isinstance(x, KerasTensor):
        return ops.transpose(x, order)
    name = "ConjugateTranspose" if conjugate else "Transpose"
    return node(name)(x, np.asarray(order, np.int32))


def stacked(values: Any, axis: Any) -> Any:
    """Tensors side by side along a new axis."""
    return node("Pack")(*same(*list(values)), axis=plain(axis))


def unstacked(x: Any, num: Any, axis: int) -> list[Any]:
    """The parts along an axis."""
    return list(node("Unpack")(x, num=x.shape[axis] if num is None else num, axis=axis))


def joined(values: Any, axis: Any) -> Any:
    """Tensors one after another along an axis."""
    if hasattr(values, "dtype"):  # a tensor alone
        return tensor(values)
    return node("ConcatV2")(*same(*values), ints(axis))


def split(x: Any, parts: Any, axis: Any) -> list[Any]:
    """Equal parts, or parts of told sizes."""
    found = plain(parts)
    if isinstance(found, tuple):
        return list(node("SplitV")(x, np.asarray(found), ints(axis)))
    return list(node("Split")(ints(axis), x, num_split=found))


def pad(x: Any, paddings: Any, mode: str, value: Any) -> Any:
    """The tensor with something around it."""
    if mode.upper() in ("REFLECT", "SYMMETRIC"):
        return node("MirrorPad")(x, ints(paddings), mode=mode.upper())
    if mode.upper() != "CONSTANT":
        rule = "mode must be 'CONSTANT', 'REFLECT' or 'SYMMETRIC'"
        raise ArgumentError(message("tf.pad", rule, repr(mode)))
    return node("PadV2")(x, ints(paddings), t(value, x))


def repeat(x: Any, repeats: Any, axis: Any) -> Any:
    """Each part so many times."""
    times = plain(repeats)
    times = np.asarray(times) if isinstance(times, tuple) else times
    if isinstance(x, np.ndarray):
        return landed(np.repeat(x, times, axis))
    return ops.repeat(x, times, axis)


# --- picked ---------------------------------------------------------------------------------------


def gather_nd(x: Any, indices: Any, batch_dims: int) -> Any:
    """Parts at places of several axes."""
    pick = node("GatherNd")
    for _ in range(batch_dims):
        pick = jax.vmap(pick)
    return pick(x, indices)


def boolean_mask(x: Any, mask: Any, axis: Any) -> Any:
    """The parts where a mask of known values is true."""
    at = plain(axis) if axis is not None else 0
    if is_tracer(mask):
        where(mask, None, None)  # which tells that values are needed
    flat = np.flatnonzero(np.asarray(mask))
    merged = (*x.shape[:at], -1, *x.shape[at + mask.ndim :])
    return node("GatherV2")(reshape(x, merged), flat.astype(np.int32), np.int32(at))


def where(condition: Any, x: Any, y: Any) -> Any:
    """The places that are true; or numbers of one tensor where it is, else of the other."""
    if x is None and y is None:
        return node("Where")(condition)
    if x is None or y is None:
        raise ArgumentError(message("tf.where", "x and y go together", "one of them"))
    return node("SelectV2")(condition, *same(x, y))


def embedding_lookup(params: Any, ids: Any, max_norm: Any) -> Any:
    """Rows of a table."""
    if isinstance(params, list | tuple):
        if len(params) != 1:
            raise ArgumentError(
                message("tf.nn.embedding_lookup", "one table is taken", f"{len(params)}")
            )
        params = params[0]
    rows = node("GatherV2")(tensor(params), ids, np.int32(0))
    return rows if max_norm is None else clip_by_norm(rows, max_norm, [-1])


class Unique(NamedTuple):
    """Values in the order in which they first stand there, and which of them each number is."""

    y: Any
    idx: Any


class UniqueWithCounts(NamedTuple):
    """The same, and how often each is there."""

    y: Any
    idx: Any
    count: Any


def uniques(name: str, x: Any, out_idx: Any) -> Any:
    """The values that are there."""
    found = node(name)(x, out_idx=as_dtype(out_idx))
    return (Unique if len(found) == 2 else UniqueWithCounts)(*found)


# --- order ----------------------------------------------------------------------------------------


def sorted_places(x: Any, axis: int, direction: str) -> Any:
    """Which number comes first, which second."""
    if direction == "DESCENDING":
        places = ops.argsort(ops.flip(x, axis), axis)
        return ops.flip(x.shape[axis] - 1 - places, axis)
    _check_direction(direction)
    return ops.argsort(x, axis)


def in_order(x: Any, axis: int, direction: str) -> Any:
    """The numbers in order."""
    _check_direction(direction)
    found = ops.sort(x, axis)
    return ops.flip(found, axis) if direction == "DESCENDING" else found


def _check_direction(direction: str) -> None:
    if direction not in ("ASCENDING", "DESCENDING"):
        rule = "direction must be 'ASCENDING' or 'DESCENDING'"
        raise ArgumentError(message("tf.sort", rule, repr(direction)))


class TopK(NamedTuple):
    """The largest numbers of each row, and where they stand."""

    values: Any
    indices: Any


def top_k(x: Any, k: Any, sorted: bool, index_type: Any) -> TopK:
    """The largest numbers of the last axis."""
    return TopK(*node("TopKV2")(x, ints(k), sorted=sorted, index_type=as_dtype(index_type)))


def searchsorted(ordered: Any, values: Any, side: str, out_type: Any) -> Any:
    """Where numbers belong among ordered ones."""
    name = {"left": "LowerBound", "right": "UpperBound"}.get(side)
    if name is None:
        raise ArgumentError(
            message("tf.searchsorted", "side must be 'left' or 'right'", repr(side))
        )
    flat = [reshape(x, (-1, x.shape[-1])) for x in same(ordered, values)]
    return reshape(node(name)(*flat, out_type=as_dtype(out_type)), values.shape)


def arg(name: str, x: Any, axis: Any, output_type: Any) -> Any:
    """Where the largest or smallest number stands."""
    at = 0 if axis is None else plain(axis)
    if isinstance(x, np.ndarray):
        found = (np.argmax if name == "ArgMax" else np.argmin)(x.view(np.ndarray), axis=at)
        return sealed(np.asarray(found, as_dtype(output_type)._dtype))
    return node(name)(x, np.int32(at), output_type=as_dtype(output_type))


def ordered(x: Any, strictly: bool) -> Any:
    """Whether each number is at least, or more than, the one before."""
    flat = reshape(x, [-1])
    before, after = flat[:-1], flat[1:]
    return reduced("All", node("Less" if strictly else "LessEqual")(before, after), None, False)


# --- formulas -------------------------------------------------------------------------------------


def magnitude(x: Any) -> Any:
    """The absolute value."""
    return node("ComplexAbs" if dtype_of(x).is_complex else "Abs")(x)


def quotient(x: Any, y: Any) -> Any:
    """x / y: of whole numbers a float, of 64 bits where they have more than 16."""
    if dtype_of(x).is_integer and dtype_of(x).size < 4:
        x, y = cast(x, "float32"), cast(y, "float32")
    return node("RealDiv")(x, y)


def reduced(name: str, x: Any, axis: Any, keepdims: bool | None) -> Any:
    """A sum or the like over axes."""
    return node(name)(x, axes(x, axis), keep_dims=bool(keepdims))


def count_nonzero(x: Any, axis: Any, keepdims: Any, dtype: Any) -> Any:
    """How many are not zero."""
    zero = b"" if dtype_of(x) == "string" else 0
    return reduced("Sum", cast(node("NotEqual")(x, t(zero, x)), dtype), axis, keepdims)


def zero_fraction(x: Any) -> Any:
    """The share of zeros."""
    zeros = node("Equal")(x, t(0, x))
    return reduced("Mean", cast(zeros, "float32"), None, False)


def l2_normalize(x: Any, axis: Any, epsilon: float) -> Any:
    """x / sqrt(max(sum(x²), epsilon))."""
    total = reduced("Sum", node("Square")(x), axis, True)
    return x * node("Rsqrt")(node("Maximum")(*same(total, epsilon)))


def polyval(coefficients: Sequence[Any], x: Any) -> Any:
    """Horner's rule, the coefficient of the highest power first."""
    if not isinstance(coefficients, list):
        raise ArgumentError(
            message("tf.math.polyval", "coeffs must be a list", type(coefficients).__name__)
        )
    total = t(0, x)
    for coefficient in coefficients:
        total = coefficient + total * x
    return total


def confusion_matrix(labels: Any, predictions: Any, classes: Any, weights: Any, dtype: Any) -> Any:
    """How often a label (row) was taken for a prediction (column)."""
    rows, columns = (cast(t(v), "int32") for v in (labels, predictions))
    if classes is None:
        classes = int(max(np.max(np.asarray(rows)), np.max(np.asarray(columns)))) + 1
    n = plain(classes)
    for name, found in (("labels", rows), ("predictions", columns)):
        if not is_tracer(found) and found.size and not 0 <= int(np.max(np.asarray(found))) < n:
            rule = f"{name} must be from 0 to {n - 1}"
            raise ArgumentError(
                message("tf.math.confusion_matrix", rule, f"{int(np.max(np.asarray(found)))}")
            )
    counts = filled(rows.shape, 1, dtype) if weights is None else cast(weights, dtype)
    places = stacked([rows, columns], 1)
    return node("ScatterNd")(places, counts, np.asarray([n, n], np.int32))


def clip_by_value(x: Any, low: Any, high: Any) -> Any:
    """Numbers within limits."""
    x, low, high = same(x, low, high)
    return node("Minimum")(node("Maximum")(x, low), high)


def clip_by_norm(x: Any, limit: Any, over: Any) -> Any:
    """The tensor, made shorter where its norm is above the limit."""
    limit = t(limit, x)
    norm = node("Sqrt")(reduced("Sum", node("Square")(x), over, True))
    return x * limit / node("Maximum")(norm, limit)


def global_norm(values: Iterable[Any]) -> Any:
    """The norm of all the tensors as one vector; None among them counts nothing."""
    squares = [reduced("Sum", node("Square")(t(v)), None, False) for v in values if v is not None]
    return node("Sqrt")(node("AddN")(*squares))


def clip_by_global_norm(values: Iterable[Any], limit: Any, norm: Any) -> tuple[list[Any], Any]:
    """The tensors, made shorter together, and their norm before that."""
    values = [None if v is None else t(v) for v in values]
    norm = global_norm(values) if norm is None else t(norm)
    scale = t(limit, norm) / node("Maximum")(*same(norm, limit))
    scale = jnp.where(jnp.isfinite(norm), scale, jnp.nan)
    return [None if v is None else v * scale.astype(v.dtype) for v in values], norm


def matmul(
    a: Any, b: Any, turn_a: bool, turn_b: bool, adjoint_a: bool, adjoint_b: bool, kind: Any
) -> Any:
    """Products of matrices, batches of them by the leading axes."""
    a = transpose(a, None, adjoint_a, True) if turn_a or adjoint_a else a
    b = transpose(b, None, adjoint_b, True) if turn_b or adjoint_b else b
    found = ops.matmul(a, b)
    return found if kind is None else cast(found, kind)


def matvec(a: Any, b: Any, turn: bool, adjoint: bool) -> Any:
    """A matrix times a vector."""
    return matmul(a, b[..., None], turn, False, adjoint, False, None)[..., 0]


def einsum(equation: str, inputs: Any, options: dict[str, Any]) -> Any:
    """Products and sums by the letters of axes."""
    unknown = sorted(set(options) - {"name", "optimize"})
    if unknown:
        raise TypeError(f"tf.einsum() got an unexpected argument {unknown[0]!r}")
    return ops.einsum(equation, *same(*inputs))


def norm(x: Any, order: Any, axis: Any, keepdims: Any) -> Any:
    """The norm of all numbers, of vectors along an axis, or of matrices along two."""
    order = None if order in ("euclidean", "fro") and axis is None else order
    at = None if axis is None else tuple(listed(axis))
    if at is not None and len(at) == 1:
        order, at = 2 if order in ("euclidean", "fro") else order, at[0]
    elif order == "euclidean":
        order = "fro"
    if at is None:
        found = ops.norm(reshape(x, [-1]), 2 if order is None else order)
        return reshape(found, (1,) * x.ndim) if keepdims else found
    return ops.norm(x, order, at, bool(keepdims))


def svd(x: Any, full: bool, vectors: bool) -> Any:
    """Singular values, then the left and right vectors as columns."""
    found = node("Svd")(x, full_matrices=full, compute_uv=vectors)
    return tuple(found) if vectors else found[0]


def expm(x: Any) -> Any:
    """The exponential of matrices."""
    return jax.scipy.linalg.expm(jnp.asarray(x))


def lstsq(a: Any, b: Any, regularizer: float) -> Any:
    """The x for which |ax - b|² + regularizer |x|² is least."""
    turned = transpose(a, None, True, True)
    gram = ops.matmul(turned, a) + regularizer * jnp.eye(a.shape[-1], dtype=a.dtype)
    return ops.solve(gram, ops.matmul(turned, b))


def moments(x: Any, over: Any, keepdims: bool) -> tuple[Any, Any]:
    """Mean and variance."""
    return ops.moments(x, tuple(listed(over)), keepdims=keepdims)


# --- networks -------------------------------------------------------------------------------------


def layout(data_format: Any) -> str:
    """TensorFlow's word for where channels are."""
    return "NCHW" if str(data_format or "").startswith("NC") else "NHWC"


def _keras_format(data_format: Any) -> str:
    return "channels_first" if str(data_format or "").startswith("NC") else "channels_last"


def _steps(value: Any, count: int, data_format: Any) -> tuple[int, ...]:
    """Steps along the axes of space, told as one number, as theirs, or of all axes."""
    found = plain(1 if value is None else value)
    found = found if isinstance(found, tuple) else (found,)
    if len(found) == 1:
        return found * count
    if len(found) == count + 2:
        first = _keras_format(data_format) == "channels_first"
        spatial = found[2:] if first else found[1:-1]
        if any(n != 1 for n in (found[0], found[1] if first else found[-1])):
            rule = "steps along batch and channels must be 1"
            raise ArgumentError(message("tf.nn", rule, str(found)))
        return spatial
    if len(found) != count:
        raise ArgumentError(message("tf.nn", f"there must be {count} numbers", str(found)))
    return found


def _padded(x: Any, padding: Any) -> tuple[Any, str]:
    """What is told in numbers, done before."""
    if isinstance(padding, str):
        return x, padding.lower()
    return pad(x, padding, "CONSTANT", 0), "valid"


def convolution(
    x: Any, kernel: Any, strides: Any, padding: Any, data_format: Any, rates: Any, rank: Any
) -> Any:
    """A convolution with a kernel (*window, in, out)."""
    count = kernel.ndim - 2 if rank is None else rank
    x, padding = _padded(x, padding)
    strides, rates = (_steps(v, count, data_format) for v in (strides, rates))
    x, kernel = same(x, kernel)
    return ops.conv(x, kernel, strides, padding, _keras_format(data_format), rates)


def depthwise(x: Any, kernel: Any, strides: Any, padding: Any, data_format: Any, rates: Any) -> Any:
    """A convolution of each channel by itself, kernel (*window, in, multiplier)."""
    x, padding = _padded(x, padding)
    strides, rates = (_steps(v, 2, data_format) for v in (strides, rates))
    return ops.depthwise_conv(x, kernel, strides, padding, _keras_format(data_format), rates)


def transposed_convolution(
    x: Any, kernel: Any, sizes: Any, strides: Any, padding: Any, data_format: Any, rates: Any
) -> Any:
    """The gradient of a convolution with respect to its input, kernel (*window, out, in)."""
    first = _keras_format(data_format) == "channels_first"
    steps, rates = (_steps(v, 2, data_format) for v in (strides, rates))

    def four(values: tuple[int, ...]) -> list[int]:
        return [1, 1, *values] if first else [1, *values, 1]

    return node("Conv2DBackpropInput")(
        np.asarray(sizes_of(sizes), np.int32), kernel, x, strides=four(steps), padding=padding,
        dilations=four(rates), data_format=layout(data_format),
    )  # fmt: skip


def pool(name: str, x: Any, window: Any, strides: Any, padding: Any, data_format: Any) -> Any:
    """The mean or the largest number of windows."""
    count = x.ndim - 2
    window, strides = (_steps(v, count, data_format) for v in (window, strides))
    x, padding = (x, padding.lower()) if isinstance(padding, str) else _padded(x, padding)
    function = ops.max_pool if name == "MaxPool" else ops.average_pool
    return function(x, window, strides, padding, _keras_format(data_format))


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, epsilon: Any
) -> Any:
    """(x - mean) · scale / sqrt(variance + epsilon) + offset."""
    inverse = node("Rsqrt")(t(variance) + epsilon)
    inverse = inverse if scale is None else inverse * t(scale)
    moved = (x - t(mean)) * inverse
    return moved if offset is None else moved + t(offset)


def swish(x: Any, beta: Any) -> Any:
    """x · sigmoid(beta · x)."""
    return ops.silu(x) if type(beta) is float and beta == 1.0 else x * node("Sigmoid")(x * beta)


def sigmoid_cross_entropy(labels: Any, logits: Any) -> Any:
    """max(x, 0) - x · z + log(1 + exp(-|x|)), element by element."""
    z, x = same(labels, logits)
    if tuple(z.shape) != tuple(x.shape):
        rule = "labels and logits must have one shape"
        got = f"{tuple(z.shape)} and {tuple(x.shape)}"
        raise ShapeError(message("tf.nn.sigmoid_cross_entropy_with_logits", rule, got))
    return node("Maximum")(x, t(0, x)) - x * z + node("Log1p")(node("Exp")(-node("Abs")(x)))


def weighted_cross_entropy(labels: Any, logits: Any, weight: Any) -> Any:
    """The same with the loss of positives times a weight."""
    z, x = same(labels, logits)
    factor = 1 + (weight - 1) * z
    tail = node("Log1p")(node("Exp")(-node("Abs")(x))) + node("Relu")(-x)
    return (1 - z) * x + factor * tail


def softmax_cross_entropy(labels: Any, logits: Any, axis: int) -> Any:
    """-Σ labels · log softmax(logits)."""
    labels, logits = same(labels, logits)
    return -reduced("Sum", labels * ops.log_softmax(logits, axis), axis, False)


def ctc_loss(
    labels: Any, logits: Any, label_length: Any, logit_length: Any, by_time: bool, blank: Any
) -> Any:
    """-log of the probability of the labels, over all alignments."""
    logits = transpose(logits, [1, 0, 2]) if by_time else logits
    index = 0 if blank is None else blank
    index = index + logits.shape[-1] if index < 0 else index
    return ops.ctc_loss(labels, logits, label_length, logit_length, mask_index=index)


# --- where it runs --------------------------------------------------------------------------------


def executing_eagerly() -> bool:
    """Whether Python runs with values, not while a function is traced."""
    return not is_tracing()


def is_tensor(x: Any) -> bool:
    """Whether it is a tensor or a variable."""
    return isinstance(x, jax.Array | HostTensor | Variable | KerasTensor)


def static_value(x: Any) -> Any:
    """The values where they are known, else None."""
    return None if is_tracer(x) or isinstance(x, KerasTensor) else np.asarray(x)


def group(*inputs: Any, **kwargs: Any) -> None:
    """Nothing: what was called has run."""


class no_scope:
    """A block that changes nothing: code runs in its order, on the device there is.

    Args:
        args, kwargs: What TensorFlow's scope takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def print_tensors(
    *inputs: Any,
    output_stream: Any = None,
    summarize: int = 3,
    sep: str = " ",
    end: str = "\n",
    name: str | None = None,
) -> None:
    """Print tensors, in a compiled function each time it runs.

    Args:
        inputs: What to print: tensors, texts, structures.
        output_stream: `sys.stdout` or another file; by default `sys.stderr`.
        summarize: How many numbers at each end of an axis.
        sep, end: Texts between and behind.
        name: Accepted for compatibility.
    """
    import sys

    places = [i for i, value in enumerate(inputs) if isinstance(value, jax.Array)]

    def show(*values: Any) -> None:
        shown = list(inputs)
        for place, value in zip(places, values, strict=True):
            shown[place] = value
        texts = [_printed(value, summarize) for value in shown]
        print(*texts, sep=sep, end=end, file=output_stream or sys.stderr)

    traced = [inputs[i] for i in places]
    if any(map(is_tracer, traced)):
        jax.debug.callback(show, *traced, ordered=True)
    else:
        show(*traced)


def _printed(value: Any, summarize: int) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Variable):
        value = value.numpy()
    if isinstance(value, list | tuple | dict):
        return str(jax.tree.map(lambda leaf: _Bare(_printed(leaf, summarize)), value))
    array = np.asarray(value)
    if array.dtype.kind == "O" and array.ndim == 0:
        return array.item().decode("utf-8", "replace")
    options: dict[str, Any] = {"separator": " "}
    if summarize >= 0:
        options |= {"threshold": summarize * 2, "edgeitems": summarize}
    return np.array2string(array, **options) if array.ndim else str(array)


class _Bare(str):
    """A text that shows itself without quotes."""

    def __repr__(self) -> str:
        return str(self)


class UnconnectedGradients:
    """What stands for gradients of what a target does not depend on."""

    NONE = "none"
    ZERO = "zero"


def py_function(func: Any = None, inp: Any = None, Tout: Any = None, name: Any = None) -> Any:
    """Call a function of Python with tensors, outside of compiled programs.

    Args:
        func: The function.
        inp: Its arguments.
        Tout: The dtype of what it gives, or a list of them.
        name: Accepted for compatibility.
    """
    return _called("tf.py_function", func, [t(x) for x in inp], Tout)


def numpy_function(
    func: Any = None, inp: Any = None, Tout: Any = None, stateful: bool = True, name: Any = None
) -> Any:
    """The same with arrays of NumPy for arguments."""
    _refuse_traced("tf.numpy_function", inp)
    plain_arrays = [np.asarray(t(x)) for x in inp]
    given = [x if x.ndim else x[()] for x in plain_arrays]
    return _called("tf.numpy_function", func, given, Tout)


def _called(who: str, func: Any, inp: list[Any], kinds: Any) -> Any:
    _refuse_traced(who, inp)
    found = func(*inp)
    if isinstance(kinds, list | tuple):
        return [tensor(x, kind) for x, kind in zip(found, kinds, strict=True)]
    return None if kinds is None else tensor(found, kinds)


def _refuse_traced(who: str, inp: Any) -> None:
    if any(map(is_tracer, inp)):
        raise TracedValueError(
            message(
                who,
                "it runs Python with values, which a compiled function does not have",
                "a call within tf.function",
                "Call it outside, or in Dataset.map.",
            )
        )


def as_bytes(text: Any, encoding: str) -> bytes:
    """A text as bytes."""
    return text if isinstance(text, bytes) else text.encode(encoding)


def as_text(text: Any, encoding: str) -> str:
    """Bytes as a text."""
    return text.decode(encoding) if isinstance(text, bytes) else text


# --- loops and choices ----------------------------------------------------------------------------


def switch_case(index: Any, branches: Any, default: Any) -> Any:
    """One of several functions, by its number; the last where there is none."""
    pairs = branches.items() if isinstance(branches, dict) else enumerate(branches)
    found = [pair if isinstance(pair, tuple) else (i, pair) for i, pair in pairs]
    table = dict(item if isinstance(item[1], tuple) is False else item[1] for item in found)
    numbers = sorted(table)
    functions = [table[n] for n in numbers] + ([default] if default is not None else [])
    place = sum(((t(index) == n) * (i + 1) for i, n in enumerate(numbers)), 0) - 1
    place = ops.where(place < 0, len(functions) - 1, place)
    return ops.switch(place, functions)


def case(
    pred_fn_pairs: Any,
    default: Any = None,
    exclusive: bool = False,
    strict: bool = False,
    name: Any = None,
) -> Any:
    """The first function whose condition holds, else the default, else the last.

    Args:
        pred_fn_pairs: Pairs (condition, function), or a dict of them.
        default: What is called where none holds.
        exclusive, strict, name: Accepted for compatibility.
    """
    pairs = list(pred_fn_pairs.items() if isinstance(pred_fn_pairs, dict) else pred_fn_pairs)
    if default is None:
        default = pairs.pop()[1]

    def choose(rest: list[Any]) -> Any:
        if not rest:
            return default()
        (pred, then), *others = rest
        return ops.cond(t(pred), then, lambda: choose(others))

    return choose(pairs)


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: bool = True,
    swap_memory: bool = False,
    maximum_iterations: Any = None,
    name: Any = None,
) -> Any:
    """`body` again and again while `cond` holds: in Python with values, else as one compiled loop.

    Args:
        cond, body: Functions of the loop's variables.
        loop_vars: Their first values.
        maximum_iterations: How often at most.
        shape_invariants, parallel_iterations, back_prop, swap_memory, name: Accepted for
            compatibility: shapes stay the same in a compiled loop.
    """
    most = None if maximum_iterations is None else plain(maximum_iterations)
    if is_tracing():
        return ops.while_loop(cond, body, tensors(loop_vars), most)
    state, count = tensors(loop_vars), 0
    kind = type(loop_vars) if isinstance(loop_vars, list | tuple) else None
    while (most is None or count < most) and bool(cond(*state) if kind else cond(state)):
        state, count = body(*state) if kind else body(state), count + 1
        if kind and not isinstance(state, list | tuple):
            state = (state,)
        state = tensors(kind(state) if kind in (list, tuple) else state)
    return state


def _elements(elems: Any) -> list[Any]:
    """What a loop over the first axis takes, one after another."""
    leaves, tree = jax.tree.flatten(tensors(elems))
    return [jax.tree.unflatten(tree, [x[i] for x in leaves]) for i in range(leaves[0].shape[0])]


def _together(items: list[Any]) -> Any:
    return jax.tree.map(lambda *leaves: stacked(leaves, 0), *items)


def map_fn(
    fn: Callable[..., Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: Any = None,
    back_prop: bool = True,
    swap_memory: bool = False,
    infer_shape: bool = True,
    fn_output_signature: Any = None,
    name: Any = None,
) -> Any:
    """A function of each slice along the first axis, results side by side.

    Args:
        fn: The function.
        elems: A tensor or a structure of them.
        dtype, fn_output_signature: The dtypes of the results, to which they must fit.
        parallel_iterations, back_prop, swap_memory, infer_shape, name: Accepted for compatibility.
    """
    if is_tracing():
        return ops.map(fn, tensors(elems))
    return _together([tensors(fn(item)) for item in _elements(elems)])


def foldl(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """`fn(fn(first, second), third)` and so on."""
    return _fold(fn, elems, initializer, False)


def foldr(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """The same from the end."""
    return _fold(fn, elems, initializer, True)


def _fold(fn: Callable[..., Any], elems: Any, start: Any, backwards: bool) -> Any:
    items = _elements(elems)[:: -1 if backwards else 1]
    state = items.pop(0) if start is None else tensors(start)
    return functools.reduce(fn, items, state)


def scan(
    fn: Callable[..., Any], elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
    reverse: bool = False, name: Any = None,
) -> Any:  # fmt: skip
    """All the states of a fold, side by side."""
    if is_tracing() and initializer is not None:

        def step(state: Any, x: Any) -> Any:
            new = fn(state, x)
            return new, new

        return ops.scan(step, tensors(initializer), tensors(elems), reverse=reverse)[1]
    items = _elements(elems)[:: -1 if reverse else 1]
    states = [items.pop(0)] if initializer is None else []
    state = states[0] if states else tensors(initializer)
    for item in items:
        state = tensors(fn(state, item))
        states.append(state)
    return _together(states[:: -1 if reverse else 1])
