"""Elements: nested structures of `HostTensor`s, and how anything becomes one.

An element is a tensor, or a tuple, named tuple, dict or dataclass of elements; None stands where
there is nothing. A list is a tensor, as for tf.data. Leaves are `HostTensor`s that nobody can write
to, `Ragged`s, `SparseEntries`, or data sets (the windows of `window`).
"""

from __future__ import annotations

import dataclasses
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from nacre.core.errors import DataError, message
from nacre.core.host_arrays import plain_array
from nacre.core.interop import has_array_protocol, to_numpy_if_foreign
from nacre.core.sparse import holds_entries
from nacre.core.stored import is_stored
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.ragged import Ragged
from nacre.data.dataset.sparse import SparseEntries
from nacre.data.padding import is_ragged
from nacre.data.rows import aligned_empty

_INT32 = np.iinfo(np.int32)

# ------------------------------------------------------------------------ structures


def is_structure(value: Any) -> bool:
    """Whether a value holds others: a tuple, mapping or dataclass."""
    kind = type(value)
    if kind is HostTensor or value is None:
        return False
    if isinstance(value, tuple | Mapping) or is_dataclass_instance(value):
        return True
    return hasattr(kind, "_children_as_element")  # its class tells


def is_dataclass_instance(value: Any) -> bool:
    """Whether a value is made of a dataclass, and is no class itself, nor an array of zarr."""
    is_instance = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return is_instance and not is_stored(value)


def children(value: Any) -> list[tuple[Any, Any]]:
    """(key, child) of a structure, in its own order."""
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None) or range(len(value))
        return list(zip(names, value, strict=True))
    if isinstance(value, Mapping):
        return list(value.items())
    if hasattr(type(value), "_children_as_element"):
        return value._children_as_element()
    return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]


def child(value: Any, key: Any) -> Any:
    """The child at a key that `children` gave of another structure of this kind."""
    if isinstance(value, Mapping) or (isinstance(value, tuple) and isinstance(key, int)):
        return value[key]
    return getattr(value, key)


def rebuilt(like: Any, values: Sequence[Any]) -> Any:
    """A structure like another one with other children, in the order of `children`."""
    if type(like) is tuple:
        return tuple(values)
    if isinstance(like, tuple):
        return type(like)(*values)
    if isinstance(like, Mapping):
        pairs = zip(like, values, strict=True)
        return OrderedDict(pairs) if isinstance(like, OrderedDict) else dict(pairs)
    if hasattr(type(like), "_children_as_element"):
        return like._rebuilt_as_element(values)
    names = [field.name for field in dataclasses.fields(like)]
    return dataclasses.replace(like, **dict(zip(names, values, strict=True)))


def mapped(function: Callable[..., Any], element: Any, *others: Any) -> Any:
    """A function over the leaves of elements of one structure; None stays."""
    kind = type(element)
    if kind is HostTensor:
        return function(element, *others)
    if kind is tuple and not others:
        return tuple([mapped(function, item) for item in element])
    if element is None:
        return None
    if not is_structure(element):
        return function(element, *others)
    return rebuilt(
        element,
        [
            mapped(function, value, *[child(other, key) for other in others])
            for key, value in children(element)
        ],
    )


def leaves(element: Any) -> list[Any]:
    """The leaves, without those that are None."""
    found: list[Any] = []
    mapped(found.append, element)
    return found


# ------------------------------------------------------------------------ values to elements


def to_element(value: Any, who: str) -> Any:
    """Anything a user gives as an element.

    Args:
        value: NumPy's, JAX's and other packages' arrays, numbers, strings, nested.
        who: Who asks, for messages.

    Raises:
        DataError: There is something that is no tensor.
    """
    kind = type(value)
    if kind is HostTensor or kind is np.ndarray:
        return _leaf(value, who, _FRESH_ALONE)
    return _to_element(value, who)


def _to_element(value: Any, who: str) -> Any:
    kind = type(value)
    if kind is tuple:
        # The tuple holds a reference of its own, so leaves are looked at through it.
        return tuple(
            [
                _leaf(item, who, _FRESH_INSIDE)
                if type(item) is HostTensor or type(item) is np.ndarray
                else _to_element(item, who)
                for item in value
            ]
        )
    if value is None:
        return None
    if is_structure(value):
        return rebuilt(value, [_to_element(item, who) for _, item in children(value)])
    if isinstance(value, Ragged | SparseEntries):
        return value.on_host()
    if hasattr(value, "_dataset_node"):
        return value
    if is_ragged(value):
        return Ragged.of_tensorflow(value)
    return tensor(value, who)


def tensor(value: Any, who: str) -> HostTensor:
    """Anything but a structure as one tensor; see `to_element`."""
    if isinstance(value, np.ma.MaskedArray):
        value = plain_array(value, who)
    if isinstance(value, np.ndarray):
        return _leaf(value, who, 0)
    if isinstance(value, np.generic) and not isinstance(value, str | bytes):
        return _leaf(np.asarray(value), who, 99)
    if isinstance(value, bool):
        return _sealed(np.array(value))
    if isinstance(value, int):
        fits = _INT32.min <= value <= _INT32.max
        if not fits and not -(2**63) <= value < 2**63:
            raise DataError(message(who, "integers must fit into 64 bits", str(value)[:60]))
        return _sealed(np.array(value, np.int32 if fits else np.int64))
    if isinstance(value, float):
        return _sealed(np.array(value, np.float32))
    if isinstance(value, complex):
        return _sealed(np.array(value, np.complex64))
    if isinstance(value, str | bytes):
        return _text(value, who)
    if isinstance(value, jax.Array):
        return _leaf(np.asarray(value), who, 99)
    if isinstance(value, list | range | tuple):
        return _of_list(list(value), who)
    if holds_entries(value):
        rule, fix = "a list is of dense tensors", "Make it dense: tf.sparse.to_dense(x)."
        raise DataError(message(who, rule, f"a {type(value).__name__} in it", fix))
    foreign = to_numpy_if_foreign(value, who)
    if foreign is not value or has_array_protocol(value) or hasattr(value, "__array__"):
        return _leaf(np.asarray(foreign), who, 0)
    raise DataError(
        message(
            who,
            "elements must be tensors, or tuples and dicts of them",
            f"{type(value).__name__} {str(value)[:60]!r}",
            "Give arrays, numbers or strings.",
        )
    )


def _text(value: str | bytes, who: str) -> HostTensor:
    array = np.empty((), object)
    array[()] = value.encode() if isinstance(value, str) else bytes(value)
    return _sealed(array)


def _of_list(values: list[Any], who: str) -> HostTensor:
    """A list as one tensor: Python's numbers become int32 and float32, as for tf.data."""
    first: Any = values
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if isinstance(first, str | bytes):
        return _leaf(_objects(values, who), who, 99)
    if isinstance(first, list | tuple):  # an empty one
        return _sealed(np.zeros(np.shape(values), np.float32))
    if not _is_python(values):
        return stack_leaves(_like_one_another(values, who), who, "of the list")
    try:
        array = np.array(values)
    except ValueError:
        array = None
    if array is None or array.dtype.kind not in "biufc":
        raise DataError(
            message(
                who,
                "a list must be of numbers or strings, with rows of one length",
                f"{str(values)[:60]}",
                "Pad the rows, or give them one by one: Dataset.from_generator and padded_batch.",
            )
        )
    if array.dtype == np.int64 and (
        array.size == 0 or (_INT32.min <= array.min() and array.max() <= _INT32.max)
    ):
        array = array.astype(np.int32)
    elif array.dtype == np.float64:
        array = array.astype(np.float32)
    elif array.dtype == np.complex128:
        array = array.astype(np.complex64)
    return _sealed(array)


def _is_python(values: Any) -> bool:
    """Whether lists hold Python's numbers alone, whose dtype is ours to choose."""
    for value in values:
        if isinstance(value, list | tuple):
            if not _is_python(value):
                return False
        elif type(value) not in (int, float, bool, complex):
            return False
    return True


def _like_one_another(values: list[Any], who: str) -> list[HostTensor]:
    """Items of a list as tensors, Python's numbers in the dtype of the arrays among them."""
    numbers = (int, float, bool, complex)
    items = [None if type(v) in numbers else tensor(v, who) for v in values]
    dtype = next((item.dtype for item in items if item is not None), None)
    made: list[HostTensor] = []
    for value, item in zip(values, items, strict=True):
        if item is None:
            item = tensor(value, who)
            if dtype is not None and dtype.kind != "O" and item.astype(dtype) == value:
                item = _sealed(item.astype(dtype))
        made.append(item)
    return made


def _objects(values: list[Any], who: str) -> np.ndarray:
    """Nested lists of strings as an array of objects."""
    shape: list[int] = []
    first: Any = values
    while isinstance(first, list | tuple):
        shape.append(len(first))
        first = first[0] if first else None
    flat: list[Any] = values
    for size in shape[1:]:
        if any(not isinstance(row, list | tuple) or len(row) != size for row in flat):
            raise DataError(
                message(who, "lists of strings must have rows of one length", str(values)[:60])
            )
        flat = [item for row in flat for item in row]
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _leaf(array: np.ndarray, who: str, fresh: int) -> HostTensor:
    """An array as a leaf: copied where somebody else could still write to it.

    A function may fill one array anew for each element it gives. Whether anybody but us holds an
    array is told by its count of references; copying all would cost a pass over each image.
    """
    kind = array.dtype.kind
    if kind not in "fiubc" and array.dtype.names is None:
        if kind in "US" or kind == "O":
            return _encoded(array, who)
        if kind != "V":  # bfloat16 and the like
            raise DataError(
                message(
                    who,
                    "tensors must be numbers or strings",
                    f"an array of dtype {array.dtype}",
                    "Dates need (t - t.min()) / np.timedelta64(1, 'D').",
                )
            )
    elif array.dtype.names is not None:
        raise DataError(
            message(
                who, "tensors must be plain arrays of numbers or strings", f"{array.dtype}"[:80],
                "Pass one array a field; of a masked array x.filled(0).",
            )
        )  # fmt: skip
    if array.flags.writeable:
        if fresh < 99 and sys.getrefcount(array) > fresh:
            array = np.array(array)
        else:
            base = array.base
            if base is not None and fresh < 99:
                is_ours = isinstance(base, np.ndarray) and sys.getrefcount(base) <= _FRESH_BASE
                if not is_ours:
                    array = np.array(array)
    return _sealed(array)


def _sealed(array: np.ndarray) -> HostTensor:
    """A view that nobody can write through."""
    view: Any = array if type(array) is HostTensor else array.view(HostTensor)
    if view.flags.writeable:
        view.setflags(write=False)
    return view


sealed = _sealed


_COPIED_BYTES = 256 << 20  # takes 50 ms


def whole(array: np.ndarray, who: str) -> HostTensor:
    """An array of the user's: copied, so that it may be filled anew, where it is not so large that
    there may be no room for two."""
    if isinstance(array, np.ma.MaskedArray):
        array = plain_array(array, who)
    if array.flags.writeable and array.dtype.kind in "fiubc" and array.nbytes <= _COPIED_BYTES:
        array = np.array(array)
    return _leaf(array, who, 99)


def _encoded(array: np.ndarray, who: str) -> HostTensor:
    """Strings as bytes in an array of objects; str is encoded as UTF-8."""
    if type(array) is HostTensor and not array.flags.writeable:
        return array  # one of ours
    if array.dtype.kind == "S":
        return _sealed(array.astype(object))
    out = np.empty(array.shape, object)
    flat, given = out.reshape(-1), array.reshape(-1).tolist()
    for index, item in enumerate(given):
        if isinstance(item, str):
            flat[index] = item.encode()
        elif isinstance(item, bytes):
            flat[index] = item
        else:
            return _leaf(plain_array(array, who), who, 99)  # numbers after all, or refused
    return _sealed(out)


def _calibrated() -> tuple[int, int, int]:
    """How many references an array has in `_leaf` that nobody else holds; differs by version."""

    def look(array: np.ndarray, who: str, fresh: int) -> int:
        return sys.getrefcount(array)

    def enter(value: Any) -> int:
        kind = type(value)
        return look(value, "", 0) if kind is np.ndarray else -1

    def inside(value: Any) -> list[int]:
        return [look(item, "", 0) if type(item) is np.ndarray else -1 for item in value]

    alone = np.empty(1)
    count_alone = enter(alone)
    pair = (np.empty(1),)
    count_inside = inside(pair)[0]
    view = np.empty(4)[1:]
    base = view.base
    count_base = sys.getrefcount(base)
    held = alone
    if enter(alone) <= count_alone or held is not alone:
        return 0, 0, 0  # counts tell nothing here: all is copied
    return count_alone, count_inside, count_base


_FRESH_ALONE, _FRESH_INSIDE, _FRESH_BASE = _calibrated()

# ------------------------------------------------------------------------ elements together


def stacked(items: Sequence[Any], who: str, where: str = "") -> Any:
    """Elements of one structure as one with a new first axis.

    Args:
        items: The elements.
        who: Who asks, for messages.
        where: Which part of an element they are, for messages.

    Raises:
        DataError: Structures, dtypes or shapes differ.
    """
    first = items[0]
    kind = type(first)
    if kind is HostTensor:
        return stack_leaves(items, who, where)
    if first is None:
        return None
    if isinstance(first, Ragged):
        return Ragged.of_rows(items, first.row_splits.dtype, who)
    if isinstance(first, SparseEntries):
        _refuse_others(items, SparseEntries, who)
        return first.stacked(items, who)
    if not is_structure(first):
        raise DataError(
            message(
                who,
                "data sets cannot be stacked",
                "elements that hold data sets",
                "Take their elements first: ds.flat_map(lambda window: window.batch(size)).",
            )
        )
    if kind is tuple and all(type(item) is tuple and len(item) == len(first) for item in items):
        columns: Any = zip(*items, strict=True)
        return tuple([stacked(c, who, f"{where}[{i}]") for i, c in enumerate(columns)])
    keys = [key for key, _ in children(first)]
    try:
        columns = [[child(item, key) for item in items] for key in keys]
    except (KeyError, IndexError, AttributeError, TypeError):
        other = next(item for item in items if _form(item) != _form(first))
        raise DataError(
            message(
                who,
                "all elements must have one structure",
                f"{_form(first)} and {_form(other)}",
            )
        ) from None
    parts = zip(keys, columns, strict=True)
    return rebuilt(first, [stacked(c, who, f"{where}[{k!r}]") for k, c in parts])


def _refuse_others(items: Sequence[Any], kind: type, who: str) -> None:
    other = next((item for item in items if not isinstance(item, kind)), None)
    if other is not None:
        got = f"{_form(items[0])} and {_form(other)}"
        raise DataError(message(who, "all elements must have one structure", got))


def _form(value: Any) -> str:
    """A structure in words."""
    if isinstance(value, SparseEntries):
        return "a sparse tensor"
    if not is_structure(value):
        return "None" if value is None else "a tensor"
    names = [f"{key!r}" if isinstance(key, str) else f"{key}" for key, _ in children(value)]
    return f"{type(value).__name__} of {', '.join(names)}"


def stack_leaves(items: Sequence[Any], who: str, where: str) -> HostTensor:
    """Tensors of one shape and dtype with a new first axis."""
    first = items[0]
    try:
        shapes, dtypes = {item.shape for item in items}, {item.dtype for item in items}
    except AttributeError:
        other = next(item for item in items if not isinstance(item, np.ndarray))
        raise DataError(
            message(who, "all elements must have one structure", f"a tensor and {_form(other)}")
        ) from None
    if len(shapes) > 1:
        index = next(i for i, item in enumerate(items) if item.shape != first.shape)
        raise DataError(
            message(
                who,
                f"elements{_of(where)} must have one shape",
                f"{first.shape} first and {items[index].shape} {index} element(s) later",
                "Pass them through padded_batch(batch_size) in the place of batch, or bring them "
                "to one shape with map.",
            )
        )
    if len(dtypes) > 1:
        index = next(i for i, item in enumerate(items) if item.dtype != first.dtype)
        raise DataError(
            message(
                who,
                f"elements{_of(where)} must have one dtype",
                f"{first.dtype} first and {items[index].dtype} {index} element(s) later",
                "Convert in map: np.asarray(value, 'float32').",
            )
        )
    shape, dtype = (len(items), *first.shape), first.dtype
    if dtype.kind == "O" or first.nbytes >= 2048:
        out = np.empty(shape, dtype) if dtype.kind == "O" else aligned_empty(shape, dtype)
        for index, item in enumerate(items):
            out[index] = item if item.ndim or dtype.kind != "O" else item.item()
        return _sealed(out)
    return _sealed(np.array(items, dtype).reshape(shape))


def _of(where: str) -> str:
    return f" at {where}" if where.startswith("[") else f" {where}" if where else ""


# ------------------------------------------------------------------------ what users see


def as_numpy(element: Any) -> Any:
    """An element as plain NumPy arrays, numbers and bytes, as `as_numpy_iterator` gives it."""

    def plain(leaf: Any) -> Any:
        if type(leaf) is not HostTensor:
            return leaf
        array = leaf.view(np.ndarray)
        return array[()] if array.ndim == 0 else array

    return mapped(plain, element)


# ------------------------------------------------------------------------ elements in a state


def packed(element: Any) -> Any:
    """An element as plain data and arrays of numbers, as a state holds it."""
    if element is None:
        return None
    if type(element) is HostTensor:
        return _packed_text(element) if element.dtype.kind == "O" else element.view(np.ndarray)
    if isinstance(element, Ragged):
        return {"ragged": [packed(element.values), packed(element.row_splits)]}
    if isinstance(element, SparseEntries):
        parts = [packed(part) for part in (element.indices, element.values, element.dense_shape)]
        return {"sparse": parts, "class": [type(element).__module__, type(element).__qualname__]}
    if not is_structure(element):
        return {"dataset": [packed(item) for item in element._dataset_node.kept()]}
    parts = [packed(value) for _, value in children(element)]
    if type(element) is tuple:
        return {"tuple": parts}
    if isinstance(element, Mapping):
        kind = "ordered" if isinstance(element, OrderedDict) else "dict"
        return {kind: parts, "keys": list(element)}
    kind = type(element)
    return {"fields": parts, "class": [kind.__module__, kind.__qualname__]}


def unpacked(data: Any) -> Any:
    """The element that `packed` was given."""
    if data is None:
        return None
    if isinstance(data, np.ndarray):
        return _sealed(data)
    if "lengths" in data:
        return _unpacked_text(data)
    if "ragged" in data:
        return Ragged(*[unpacked(part) for part in data["ragged"]])
    if "dataset" in data:
        items = [unpacked(item) for item in data["dataset"]]
        return dataset_of_kept[0](items)
    if "tuple" in data:
        return tuple([unpacked(part) for part in data["tuple"]])
    if "class" in data:
        module, name = data["class"]
        kind: Any = sys.modules.get(module)
        for part in name.split("."):
            kind = getattr(kind, part, None)
        is_known = isinstance(kind, type) and (
            (issubclass(kind, tuple) and hasattr(kind, "_fields"))
            or issubclass(kind, SparseEntries)
            or dataclasses.is_dataclass(kind)
        )
        if not is_known:
            raise DataError(
                message(
                    "Dataset",
                    "a state with elements of a class needs the class",
                    f"{module}.{name}",
                )
            )
        if "sparse" in data:
            return kind.of_parts(*[unpacked(part) for part in data["sparse"]])
        return kind(*[unpacked(part) for part in data["fields"]])
    kind = OrderedDict if "ordered" in data else dict
    parts = data.get("ordered", data.get("dict"))
    return kind(zip(data["keys"], map(unpacked, parts), strict=True))


# Makes a data set of elements; put in from above, where nodes are.
dataset_of_kept: list[Callable[[list[Any]], Any]] = []


def _packed_text(array: np.ndarray) -> dict[str, Any]:
    items = array.reshape(-1).tolist() if array.ndim else [array.item()]
    return {
        "text": np.frombuffer(b"".join(items), np.uint8),
        "lengths": np.array([len(item) for item in items], np.int64),
        "shape": list(array.shape),
    }


def _unpacked_text(data: Mapping[str, Any]) -> HostTensor:
    content, out, start = bytes(data["text"].tobytes()), np.empty(data["shape"], object), 0
    flat = out.reshape(-1)
    for index, length in enumerate(data["lengths"].tolist()):
        flat[index] = content[start : start + length]
        start += length
    return _sealed(out)


__all__ = [
    "as_numpy", "child", "children", "is_structure", "leaves", "mapped", "packed", "rebuilt",
    "sealed", "stack_leaves", "stacked", "tensor", "to_element", "unpacked", "whole",
]  # fmt: skip
