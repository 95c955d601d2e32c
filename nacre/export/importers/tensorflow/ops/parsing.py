"""Records of examples, as servers are sent them."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import DataError
from nacre.core.wire.tensorflow.dtypes import NUMBERS, STRING
from nacre.data.files.example import parsed_example
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.values import GraphError, dtype, of_bytes, strings

Array = np.ndarray[Any, Any]


def _records(serialized: Any) -> list[dict[str, Array]]:
    try:
        return [parsed_example(item, "ParseExample") for item in strings(serialized).ravel()]
    except DataError as error:
        raise GraphError(str(error)) from error


def _values(record: dict[str, Array], key: bytes, number: int) -> Array | None:
    """The values of a feature in a dtype; None where it is not there."""
    found = record.get(key.decode("utf-8", "replace"))
    if found is None or not len(found):
        return None
    is_text = found.dtype == object
    if is_text != (number == STRING) or (not is_text and found.dtype.kind != dtype(number).kind):
        raise GraphError(f"feature {key!r} holds {'strings' if is_text else found.dtype}")
    return found if is_text else found.astype(dtype(number))


def _empty(number: int) -> Array:
    return of_bytes([]) if number == STRING else np.zeros(0, dtype(number))


def _dense(records: list[dict[str, Array]], key: bytes, default: Any, sizes: Any) -> Array:
    default = np.asarray(default)
    number = STRING if default.dtype == object else NUMBERS[default.dtype.name]
    known = tuple(sizes.sizes if hasattr(sizes, "sizes") else sizes or ())
    is_open = bool(known) and known[0] is None
    rows: list[Array] = []
    for record in records:
        found = _values(record, key, number)
        if found is None:
            if not default.size and not is_open and np.prod(known) != 0:
                raise GraphError(f"feature {key!r} is needed, and an example lacks it")
            rest: Any = [n for n in known if n is not None]
            found = (
                np.zeros((0, *rest), default.dtype) if is_open else np.broadcast_to(default, rest)
            )
        rows.append(found.reshape(tuple(-1 if n is None else n for n in known)))
    if is_open:
        longest = max((len(row) for row in rows), default=0)
        fill = default.ravel()[0] if default.size else b"" if number == STRING else 0
        padded = []
        for row in rows:
            wide = np.empty((longest, *row.shape[1:]), row.dtype)
            wide[:] = fill
            wide[: len(row)] = row
            padded.append(wide)
        rows = padded
    return np.stack(rows) if rows else np.zeros((0, *(n or 0 for n in known)), default.dtype)


def _sparse(records: list[dict[str, Array]], key: bytes, number: int) -> tuple[Array, Array, Array]:
    rows = [_values(record, key, number) for record in records]
    filled = [_empty(number) if row is None else row for row in rows]
    indices = [(i, j) for i, row in enumerate(filled) for j in range(len(row))]
    longest = max(map(len, filled), default=0)
    values = np.concatenate(filled) if filled else _empty(number)
    sizes = np.asarray([len(records), longest], np.int64)
    return np.asarray(indices, np.int64).reshape(-1, 2), values, sizes


def _parse(node: Node, serialized: Any, sparse: Any, dense: Any, ragged: Any, defaults: Any) -> Any:
    records = _records(serialized)
    is_one = np.ndim(serialized) == 0
    kinds = [int(kind) for kind in node.get("sparse_types") or []]
    found = [_sparse(records, key, kind) for key, kind in zip(sparse, kinds, strict=True)]
    if is_one:
        found = [(indices[:, 1:], values, sizes[1:]) for indices, values, sizes in found]
    outputs: list[Any] = [part for which in range(3) for part in [each[which] for each in found]]
    shapes = node.get("dense_shapes") or []
    for key, default, sizes in zip(dense, defaults, shapes, strict=True):
        array = _dense(records, key, default, sizes)
        outputs.append(array[0] if is_one else array)
    rows = [
        [_values(record, key, int(kind)) for record in records]
        for key, kind in zip(ragged, node.get("ragged_value_types") or [], strict=True)
    ]
    for each, kind in zip(rows, node.get("ragged_value_types") or [], strict=True):
        outputs.append(np.concatenate([_empty(int(kind)) if r is None else r for r in each]))
    for each, kind in zip(rows, node.get("ragged_split_types") or [], strict=True):
        lengths = [0 if row is None else len(row) for row in each]
        outputs.append(np.cumsum([0, *lengths]).astype(dtype(int(kind))))
    return tuple(outputs)


@op("ParseExampleV2", host=True)
def _parse_v2(
    node: Node, serialized: Any, names: Any, sparse: Any, dense: Any, ragged: Any, *defaults: Any
) -> Any:
    names_of = [strings(each).ravel().tolist() for each in (sparse, dense, ragged)]
    return _parse(node, serialized, names_of[0], names_of[1], names_of[2], defaults)


@op("ParseExample", host=True)
def _parse_v1(node: Node, serialized: Any, names: Any, *rest: Any) -> Any:
    sparse, dense = node["Nsparse"], node["Ndense"]
    keys = [strings(each).item() for each in rest[: sparse + dense]]
    return _parse(node, serialized, keys[:sparse], keys[sparse:], [], rest[sparse + dense :])


@op("ParseSingleExample", host=True)
def _parse_single(node: Node, serialized: Any, *defaults: Any) -> Any:
    keys = [[bytes(key) for key in node.get(name) or []] for name in ("sparse_keys", "dense_keys")]
    return _parse(node, strings(serialized).reshape(()), keys[0], keys[1], [], defaults)
