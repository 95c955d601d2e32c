"""Functions of the table on ragged tensors: of their values, along their rows, or refused.

What computes each number by itself computes the values and keeps the rows; reductions, `concat`,
`gather` and the like have rules of their own. All else refuses ragged tensors, whose rows may
happen to be equally long: a program means one thing for all of its data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, TracedValueError, message
from nacre.core.tracing import is_tracer
from nacre.data import Ragged
from nacre.tf.sizes import plain
from nacre.tf.values import landed, tensor

_EACH = frozenset(
    # of tf.math
    "abs acos acosh add add_n angle asin asinh atan atan2 atanh bessel_i0 bessel_i0e bessel_i1 "
    "bessel_i1e betainc ceil conj cos cosh digamma divide divide_no_nan equal erf erfc erfcinv "
    "erfinv exp expm1 floor floordiv floormod greater greater_equal igamma igammac imag is_finite "
    "is_inf is_nan less less_equal lgamma log log1p log_sigmoid logical_and logical_not logical_or "
    "logical_xor maximum minimum mod multiply multiply_no_nan ndtri negative nextafter not_equal "
    "polygamma polyval pow real realdiv reciprocal reciprocal_no_nan rint round rsqrt scalar_mul "
    "sigmoid sign sin sinh softplus softsign sqrt square squared_difference subtract tan tanh "
    "truediv truncatediv truncatemod xdivy xlog1py xlogy zeta "
    # of tf and tf.nn
    "bitcast cast clip_by_value dropout elu embedding_lookup gelu identity leaky_relu one_hot "
    "ones_like relu relu6 saturate_cast selu silu stop_gradient swish where zeros_like "
    "sigmoid_cross_entropy_with_logits bitwise_and bitwise_or bitwise_xor invert left_shift "
    "right_shift "
    # of tf.strings
    "as_string join length lower regex_full_match regex_replace strip substr to_hash_bucket_fast "
    "to_hash_bucket_strong to_number unicode_transcode upper decode_base64 encode_base64".split()
)
# What takes ragged tensors itself, or only asks what kind of value they are.
_THEMSELVES = frozenset("bincount get_static_value is_symbolic_tensor is_tensor to_dense".split())
_MOST = 64  # tensors that a list is looked through for


def holds_ragged(values: Any) -> bool:
    """Whether there is a ragged tensor among arguments, or in lists that stand there."""
    for value in values:
        kind = type(value)
        if kind is Ragged:
            return True
        if (kind is list or kind is tuple) and 0 < len(value) <= _MOST and holds_ragged(value):
            return True
    return False


def ragged_call(
    function: Callable[..., Any], path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What a function of the table is of ragged tensors.

    Args:
        function: The function.
        path: Its name, such as 'tf.math.abs'.
        args, kwargs: Its arguments, a ragged tensor among them.

    Raises:
        ArgumentError: It takes none.
        ShapeError: The rows of several are not equally long.
    """
    name = path.rpartition(".")[2]
    if name in _THEMSELVES or path.startswith("tf.nest."):
        return function(*args, **kwargs)
    if name in _RULES:
        return _RULES[name](*args, **kwargs)
    if name == "where" and len(args) + len(kwargs.keys() & {"x", "y"}) < 3:
        return _true_places(*args, **kwargs)
    if name not in _EACH:
        rule, fix = "it takes no ragged tensor", "Fill its rows up first: x.to_tensor()."
        raise ArgumentError(message(path, rule, "tf.RaggedTensor", fix))
    return _of_each(function, path, args, kwargs)


# --- number by number -----------------------------------------------------------------------------


def _of_each(
    function: Callable[..., Any], path: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    found: list[Ragged] = []
    _collect([*args, *kwargs.values()], found)
    first = max(found, key=lambda rows: rows.ragged_rank)
    if any(not rows_alike(first, other) for other in found):
        got = " and ".join(str(rows.row_lengths().tolist()) for rows in found[:3])
        rule = "the rows of ragged tensors must be equally long"
        raise ShapeError(message(path, rule, f"rows of lengths {got}"))

    def inner(value: Any) -> Any:
        if isinstance(value, Ragged):
            return flat_of(value)
        if type(value) in (list, tuple) and holds_ragged(value):
            return [inner(item) for item in value]
        if type(value) in (list, tuple) and not path.endswith(_WITH_LISTS):
            value = tensor(value, None if first.dtype.kind == "O" else first.dtype)
        return _beside(value, first, path) if _is_array(value) else value

    values = function(*map(inner, args), **{key: inner(v) for key, v in kwargs.items()})
    return of_values(first, values)


# Functions whose lists are no tensors that meet the values.
_WITH_LISTS = ("embedding_lookup", "dropout")


def _collect(values: Any, found: list[Ragged]) -> None:
    for value in values:
        if isinstance(value, Ragged):
            found.append(value)
        elif type(value) in (list, tuple):
            _collect(value, found)


def _is_array(value: Any) -> bool:
    return bool(getattr(value, "ndim", 0)) and isinstance(value, np.ndarray | jax.Array)


def _beside(value: Any, rows: Ragged, path: str) -> Any:
    """A tensor that meets rows, as their values do: one number for all, or for each row."""
    if path.endswith("embedding_lookup") or (value.shape[0] == 1 and value.size == 1):
        return value if path.endswith("embedding_lookup") else _face("", "reshape")(value, [])
    is_column = value.ndim == 2 and value.shape == (len(rows), 1)
    if is_column and rows.ragged_rank == 1 and np.ndim(rows.values) == 1:
        return pick(_face("", "reshape")(value, [-1]), _row_ids(rows))
    if value.ndim < np.ndim(rows.flat_values):
        return value  # along the sizes within the rows, which are all alike
    rule = f"it meets a number, rows as long as its own, or a column of shape ({len(rows)}, 1)"
    raise ShapeError(message(path, rule, f"a tensor of shape {tuple(value.shape)}"))


def rows_alike(one: Ragged, other: Ragged) -> bool:
    """Whether the rows of two are equally long, at every depth."""
    if not np.array_equal(one.row_splits, other.row_splits):
        return False
    a, b = one.values, other.values
    if isinstance(a, Ragged) or isinstance(b, Ragged):
        return isinstance(a, Ragged) and isinstance(b, Ragged) and rows_alike(a, b)
    return True


# --- values and rows ------------------------------------------------------------------------------


def _face(module: str, name: str) -> Callable[..., Any]:
    from nacre.tf.rows import made

    face: Callable[..., Any] = made(module, name)
    return face


def flat_of(rows: Ragged) -> Any:
    """The innermost values as a tensor."""
    return _dense(rows.flat_values)


def _dense(values: Any) -> Any:
    return values if isinstance(values, jax.Array) else landed(np.asarray(values))


def _with(values: Any, splits: Any) -> Ragged:
    """Rows of values: those that a tape may watch stay on the device."""
    if is_tracer(values):
        rule = "the rows of a ragged tensor are of the host, and a compiled function has no values"
        fix = "Return x.to_tensor(), or leave tf.function out."
        raise TracedValueError(message("tf.RaggedTensor", rule, fix=fix))
    return Ragged(values, splits)


def of_values(rows: Ragged, values: Any) -> Ragged:
    """Rows as long as others, of other innermost values."""
    inner = rows.values
    return _with(of_values(inner, values) if isinstance(inner, Ragged) else values, rows.row_splits)


def _row_ids(rows: Ragged) -> np.ndarray:
    lengths = rows.row_lengths()
    return np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)


def _in_rows(rows: Ragged) -> np.ndarray:
    """The place of each value in its row."""
    splits = np.asarray(rows.row_splits)
    starts = np.repeat(splits[:-1], np.diff(splits))
    return (np.arange(int(splits[-1])) - starts).astype(np.int32)


def _splits_of(lengths: Any, like: Ragged) -> np.ndarray:
    ends = np.cumsum(lengths, dtype=np.int64)
    return np.concatenate([[0], ends]).astype(like.row_splits.dtype)


def pick(values: Any, places: Any) -> Any:
    """Values, or rows, at these places."""
    index = np.asarray(places, np.int32)
    if not isinstance(values, Ragged):
        return _face("", "gather")(_dense(values), index)
    splits = np.asarray(values.row_splits)
    starts, lengths = splits[:-1][index], np.diff(splits)[index]
    ends = np.cumsum(lengths)
    inner = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - lengths, lengths)
    inside = pick(values.values, inner + np.repeat(starts, lengths))
    return _with(inside, _splits_of(lengths, values))


def _rank(value: Any) -> int:
    return len(value.shape)


def _axis(who: str, axis: Any, rank: int) -> int:
    number = int(plain(axis))
    if not -rank <= number < rank:
        rule = f"axis must be from {-rank} to {rank - 1}"
        raise ArgumentError(message(f"tf.{who}", rule, str(number)))
    return number % rank


# --- reductions -----------------------------------------------------------------------------------

_OF_SEGMENTS = {"sum": "sum", "prod": "prod", "max": "max", "min": "min"}


def _reduction(kind: str) -> Callable[..., Any]:
    def reduce(input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None) -> Any:
        if isinstance(input_tensor, list | tuple):
            who = f"tf.reduce_{kind}"
            raise ArgumentError(message(who, "it takes one tensor", "a list of ragged tensors"))
        return _reduced(kind, input_tensor, axis, bool(keepdims))

    return reduce


def _reduced(kind: str, x: Any, axis: Any, keepdims: bool = False) -> Any:
    if not isinstance(x, Ragged):
        return _face("math", f"reduce_{kind}")(x, axis=axis, keepdims=keepdims)
    who, rank = f"reduce_{kind}", len(x.shape)
    if axis is None:
        if keepdims:
            rule = "keepdims of all axes of a ragged tensor have no meaning"
            raise ArgumentError(message(f"tf.{who}", rule, "axis=None", "Name the axes."))
        return _whole(who, kind, x)
    given = plain(axis)
    chosen = sorted(
        {_axis(who, n, rank) for n in (given if isinstance(given, tuple) else (given,))}
    )
    if len(chosen) == rank and not keepdims:
        return _whole(who, kind, x)
    if kind in ("mean", "variance", "std"):
        return _moment(kind, x, chosen, keepdims)
    for number in reversed(chosen):
        x = _along(kind, x, number, keepdims)
    return x


def _whole(who: str, kind: str, x: Ragged) -> Any:
    """A reduction of all values; the mean of whole numbers is a float of 64 bits."""
    flat = flat_of(x)
    if kind == "mean" and x.dtype.kind in "iu":
        flat = landed(np.asarray(flat, np.float64))
    return _face("math", who)(flat)


def _along(kind: str, x: Any, axis: int, keepdims: bool) -> Any:
    """A reduction along one axis."""
    if not isinstance(x, Ragged):
        return _face("math", f"reduce_{kind}")(x, axis=axis, keepdims=keepdims)
    if axis > 1:
        return _with(_along(kind, x.values, axis - 1, keepdims), x.row_splits)
    if axis == 0:
        if isinstance(x.values, Ragged):
            rule, fix = "rows of rows are reduced along their own axes", "Reduce axis 1 first."
            raise ArgumentError(message(f"tf.reduce_{kind}", rule, "axis=0", fix))
        found = _segments(kind, _dense(x.values), _in_rows(x), int(x.row_lengths().max(initial=0)))
    elif isinstance(x.values, Ragged):  # the second axis of rows of rows: along their first
        inner = [_along(kind, x[i], 0, False) for i in range(len(x))]
        parts = [np.asarray(part) for part in inner]
        found = Ragged.of_rows(parts, x.row_splits.dtype, f"tf.reduce_{kind}") if parts else x
    else:
        found = _segments(kind, _dense(x.values), _row_ids(x), len(x))
    return _expanded(found, axis) if keepdims else found


def _segments(kind: str, values: Any, ids: np.ndarray, count: int) -> Any:
    if kind in ("any", "all"):
        of_ints = _segments("max" if kind == "any" else "min", _as(values, "int32"), ids, count)
        return _face("math", "greater")(of_ints, 0)  # the least and the largest where nothing is
    name = f"unsorted_segment_{_OF_SEGMENTS[kind]}"
    return _face("math", name)(values, ids, count)


def _as(values: Any, dtype: str) -> Any:
    return _face("", "cast")(values, dtype)


def _moment(kind: str, x: Ragged, axes: list[int], keepdims: bool) -> Any:
    """Mean, variance or deviation: sums over the number of what is added up."""
    total, count = x, of_values(x, _face("", "ones_like")(flat_of(x)))
    if kind != "mean":
        mean = _moment("mean", of_values(x, flat_of(x)), axes, False)
        squares = _moment("mean", of_values(x, _face("math", "square")(flat_of(x))), axes, False)
        squared = _face("math", "square")(mean)
        variance = _face("math", "maximum")(_face("math", "subtract")(squares, squared), 0)
        found = variance if kind == "variance" else _face("math", "sqrt")(variance)
        for axis in axes if keepdims else []:
            found = _expanded(found, axis)
        return found
    if x.dtype.kind in "iu":  # whole numbers are divided with 64 bits, as in TensorFlow
        total = of_values(x, landed(np.asarray(flat_of(x), np.float64)))
        count = of_values(x, landed(np.asarray(flat_of(count), np.float64)))
    for axis in reversed(axes):
        total, count = _along("sum", total, axis, keepdims), _along("sum", count, axis, keepdims)
    with np.errstate(invalid="ignore"):  # the mean of no values is NaN
        return _face("math", "divide")(total, count)


# --- put together, taken apart --------------------------------------------------------------------


def _expand_dims(input: Any, axis: Any = None, name: Any = None) -> Any:
    return _expanded(input, _axis("expand_dims", axis, len(input.shape) + 1))


def _expanded(x: Any, axis: int) -> Any:
    if not isinstance(x, Ragged):
        return _face("", "expand_dims")(_dense(x), axis)
    kind = x.row_splits.dtype
    if axis == 0:
        return _with(x, np.asarray([0, len(x)], kind))
    if axis == 1:
        return _with(x, np.arange(len(x) + 1, dtype=kind))
    return _with(_expanded(x.values, axis - 1), x.row_splits)


def _true_places(condition: Any, name: Any = None) -> Any:
    """Where a condition holds: the row, and the place in it."""
    truths = np.zeros(condition.mask().shape, bool)
    truths[condition.mask()] = np.asarray(condition.flat_values).astype(bool)
    return landed(np.argwhere(truths).astype(np.int64))


def _reshape(tensor: Any, shape: Any, name: Any = None) -> Any:
    sizes = plain(shape)
    if sizes not in ((-1,), -1):
        rule, fix = "a ragged tensor is made flat, and nothing else", "Pass [-1], or fill it up."
        raise ArgumentError(message("tf.reshape", rule, f"{sizes}", fix))
    return _face("", "reshape")(flat_of(tensor), [-1])


def _squeeze(input: Any, axis: Any = None, name: Any = None) -> Any:
    numbers = None if axis is None else plain(axis)
    rule, fix = "of a ragged tensor one axis of size 1 is named", "Pass axis=, one number."
    if numbers is None or (isinstance(numbers, tuple) and len(numbers) != 1):
        raise ArgumentError(message("tf.squeeze", rule, f"axis={axis}", fix))
    one = numbers[0] if isinstance(numbers, tuple) else numbers
    return _squeezed(input, _axis("squeeze", one, len(input.shape)))


def _squeezed(x: Any, axis: int) -> Any:
    if not isinstance(x, Ragged):
        return _face("", "squeeze")(_dense(x), [axis])
    sizes = [len(x)] if axis == 0 else x.row_lengths().tolist() if axis == 1 else [1]
    if any(size != 1 for size in sizes):
        raise ShapeError(message("tf.squeeze", "the axis must have size 1", f"sizes {sizes[:5]}"))
    if axis == 0:
        return x[0]
    if axis == 1:
        return x.values if isinstance(x.values, Ragged) else _dense(x.values)
    return _with(_squeezed(x.values, axis - 1), x.row_splits)


def _concat(values: Any, axis: Any, name: Any = None) -> Any:
    parts = [value if isinstance(value, Ragged) else tensor(value) for value in values]
    ranks = {_rank(part) for part in parts}
    if len(ranks) > 1:
        rule = "tensors must have as many axes as each other"
        raise ShapeError(message("tf.concat", rule, f"{sorted(ranks)}"))
    return _joined(parts, _axis("concat", axis, ranks.pop()))


def _joined(parts: list[Any], axis: int) -> Any:
    if not any(isinstance(part, Ragged) for part in parts):
        return _face("", "concat")([_dense(part) for part in parts], axis)
    like = next(part for part in parts if isinstance(part, Ragged))
    rows = [part if isinstance(part, Ragged) else _cut_up(part, like) for part in parts]
    counts = {len(part) for part in rows}
    if axis > 0 and len(counts) > 1:
        rule = "tensors must have as many rows as each other"
        raise ShapeError(message("tf.concat", rule, f"{[len(part) for part in rows]}"))
    if axis > 1:
        if any(not np.array_equal(part.row_splits, rows[0].row_splits) for part in rows):
            rule = "along a later axis rows must be equally long"
            raise ShapeError(message("tf.concat", rule, f"axis={axis}"))
        return _with(_joined([part.values for part in rows], axis - 1), rows[0].row_splits)
    inside = _joined([part.values for part in rows], 0)
    together = _with(inside, _splits_of(np.concatenate([r.row_lengths() for r in rows]), like))
    if axis == 0:
        return together
    # Row i is row i of each part: they lie one part behind another.
    count = len(rows[0])
    order = np.arange(count * len(rows)).reshape(len(rows), count).T.ravel()
    picked = pick(together, order)
    return _with(picked.values, np.asarray(picked.row_splits)[:: len(rows)])


def _cut_up(value: Any, like: Ragged) -> Ragged:
    """A tensor of two axes or more as rows of one length."""
    count, length = value.shape[:2]
    flat = _face("", "reshape")(_dense(value), [count * length, *value.shape[2:]])
    return _with(flat, _splits_of([length] * count, like))


def _stack(values: Any, axis: Any = 0, name: Any = None) -> Any:
    parts = [value if isinstance(value, Ragged) else tensor(value) for value in values]
    place = _axis("stack", axis, _rank(parts[0]) + 1)
    ragged = [p if isinstance(p, Ragged) else _cut_up(p, _first_of(parts)) for p in parts]
    return _joined([_expanded(part, place) for part in ragged], place)


def _first_of(parts: list[Any]) -> Ragged:
    found: Ragged = next(part for part in parts if isinstance(part, Ragged))
    return found


def _tile(input: Any, multiples: Any, name: Any = None) -> Any:
    times = plain(multiples)
    if len(times) != len(input.shape):
        rule = f"there must be a number for each of {len(input.shape)} axes"
        raise ArgumentError(message("tf.tile", rule, f"{times}"))
    for axis, count in enumerate(times):
        if count < 1:
            raise ArgumentError(message("tf.tile", "numbers must be 1 or more", f"{times}"))
        input = _joined([input] * count, axis) if count > 1 else input
    return input


def _gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: Any = 0,
    name: Any = None,
) -> Any:  # fmt: skip
    if isinstance(indices, Ragged):
        inner = _gather(params, flat_of(indices), None, axis, batch_dims)
        if isinstance(inner, Ragged):
            rule = "ragged places of a ragged tensor give rows of rows of rows"
            raise ArgumentError(message("tf.gather", rule, fix="Gather by x.flat_values."))
        return of_values(indices, inner)
    if not isinstance(params, Ragged):
        return _face("", "gather")(params, indices, axis=axis, batch_dims=batch_dims)
    if plain(batch_dims) or (axis is not None and plain(axis)):
        rule = "of a ragged tensor whole rows are gathered"
        got = f"axis={axis}, batch_dims={batch_dims}"
        raise ArgumentError(message("tf.gather", rule, got, "Leave axis and batch_dims out."))
    places = np.asarray(tensor(indices))
    if places.size and not (0 <= places.min() and places.max() < len(params)):
        rule = f"places must be from 0 to {len(params) - 1}"
        raise ArgumentError(message("tf.gather", rule, f"{places.ravel()[:5].tolist()}"))
    if places.ndim == 0:
        return params[int(places)]
    found = pick(params, places.ravel())
    for size in places.shape[:0:-1]:
        splits = np.arange(0, len(found) + 1, size) if size else np.zeros(1)
        found = _with(found, splits.astype(params.row_splits.dtype))
    return found


def _reverse(tensor: Any, axis: Any, name: Any = None) -> Any:
    given = plain(axis)
    for one in given if isinstance(given, tuple) else (given,):
        tensor = _reversed(tensor, _axis("reverse", one, len(tensor.shape)))
    return tensor


def _reversed(x: Any, axis: int) -> Any:
    if not isinstance(x, Ragged):
        return _face("", "reverse")(_dense(x), [axis])
    if axis == 0:
        return pick(x, np.arange(len(x))[::-1])
    if axis == 1:
        ends = np.repeat(np.asarray(x.row_splits)[1:], x.row_lengths())
        return _with(pick(x.values, ends - 1 - _in_rows(x)), x.row_splits)
    return _with(_reversed(x.values, axis - 1), x.row_splits)


def _softmax(logits: Any, axis: Any = None, name: Any = None) -> Any:
    number = _axis("nn.softmax", -1 if axis is None else axis, len(logits.shape))
    flat = flat_of(logits)
    if number > logits.ragged_rank:
        return of_values(logits, _face("nn", "softmax")(flat, axis=-(len(logits.shape) - number)))
    if number != 1 or logits.ragged_rank != 1:
        rule = "of rows of rows the innermost numbers are taken together"
        raise ArgumentError(message("tf.nn.softmax", rule, f"axis={axis}"))
    ids, count = _row_ids(logits), len(logits)
    highest = _face("", "stop_gradient")(_segments("max", flat, ids, count))
    powers = _face("math", "exp")(flat - pick(highest, ids))
    return of_values(logits, powers / pick(_segments("sum", powers, ids, count), ids))


def _cumsum(
    x: Any, axis: Any = 0, exclusive: Any = False, reverse: Any = False, name: Any = None
) -> Any:
    number = _axis("cumsum", axis, len(x.shape))
    if number == 0 or isinstance(x.values, Ragged):
        rule, fix = "of a ragged tensor sums run along axis 1", "Use axis=1."
        raise ArgumentError(message("tf.cumsum", rule, f"axis={axis}", fix))
    add = _face("math", "cumsum")
    along = {"exclusive": exclusive, "reverse": reverse}
    if number > 1:
        return of_values(x, add(flat_of(x), axis=number - 1, **along))
    parts = [add(_dense(row), axis=0, **along) for row in x]
    return _with(_face("", "concat")(parts, 0), x.row_splits) if parts else x


def _size(input: Any, out_type: Any = "int32", name: Any = None) -> Any:
    return _face("", "size")(flat_of(input), out_type)


def _rank_of(input: Any, name: Any = None) -> Any:
    return tensor(len(input.shape))


def _shape(input: Any, out_type: Any = "int32", name: Any = None) -> Any:
    rule = "rows of different lengths have no one size"
    fix = "Use x.nrows(), x.row_lengths() or x.bounding_shape()."
    raise ArgumentError(message("tf.shape", rule, "tf.RaggedTensor", fix))


def _reduce_join(
    inputs: Any, axis: Any = None, keepdims: Any = False, separator: Any = "", name: Any = None
) -> Any:
    join = _face("strings", "reduce_join")
    if axis is None:
        return join(flat_of(inputs), separator=separator)
    number = _axis("strings.reduce_join", axis, len(inputs.shape))
    found = _joined_texts(inputs, number, separator)
    return _expanded(found, number) if keepdims else found


def _joined_texts(x: Ragged, axis: int, separator: Any) -> Any:
    if axis > 1:
        inner = x.values
        if not isinstance(inner, Ragged):
            face = _face("strings", "reduce_join")
            return _with(face(inner, axis=axis - 1, separator=separator), x.row_splits)
        return _with(_joined_texts(inner, axis - 1, separator), x.row_splits)
    if axis == 0 or isinstance(x.values, Ragged) or np.ndim(x.values) > 1:
        rule = "the texts of a row are joined"
        raise ArgumentError(message("tf.strings.reduce_join", rule, f"axis={axis}", "Use axis=-1."))
    between = np.asarray(tensor(separator)).item()
    rows = np.empty(len(x), object)
    rows[:] = [between.join(np.asarray(row).tolist()) for row in x]
    return landed(rows)


_RULES: dict[str, Callable[..., Any]] = {
    "reshape": _reshape,
    **{
        f"reduce_{kind}": _reduction(kind)
        for kind in ("sum", "prod", "max", "min", "any", "all", "mean", "variance", "std")
    },
    "concat": _concat,
    "cumsum": _cumsum,
    "expand_dims": _expand_dims,
    "gather": _gather,
    "rank": _rank_of,
    "reduce_join": _reduce_join,
    "reverse": _reverse,
    "shape": _shape,
    "size": _size,
    "softmax": _softmax,
    "squeeze": _squeeze,
    "stack": _stack,
    "tile": _tile,
}

__all__ = ["flat_of", "holds_ragged", "of_values", "pick", "ragged_call", "rows_alike"]
