"""Lookup tables, on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.links import foreign
from nacre.core.wire.tensorflow.dtypes import STRING
from nacre.export.importers.tensorflow.registry import Node, ShapeValue, op
from nacre.export.importers.tensorflow.run import Run
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Handle,
    Table,
    dtype,
    of_bytes,
    strings,
)


@op("HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", host=True, shared=True)
@op("MutableHashTableOfTensors", "MutableHashTableOfTensorsV2", host=True, shared=True)
@op("MutableDenseHashTable", "MutableDenseHashTableV2", host=True, shared=True)
def _table(run: Run, node: Node, *keys: Any) -> Any:
    name = bytes(node.get("shared_name") or b"").decode() or node.name
    handle = run.resources.handle("table", bytes(node.get("container") or b"").decode(), name)
    return _made(node, handle)


@op("AnonymousHashTable", "AnonymousMutableHashTable", host=True, shared=True)
def _anonymous(run: Run, node: Node, *keys: Any) -> Any:
    return _made(node, Handle("table", node.name))


def _made(node: Node, handle: Handle) -> Handle:
    if handle.held is None:
        sizes = node.get("value_shape")
        known = sizes.sizes if isinstance(sizes, ShapeValue) else ()
        handle.held = Table(
            int(node["key_dtype"]),
            int(node["value_dtype"]),
            value_shape=tuple(n or 0 for n in known or ()),
        )
    return handle


def _held(handle: Any) -> Table:
    found = handle.held if isinstance(handle, Handle) else None
    if not isinstance(found, Table):
        raise GraphError("a table is needed")
    return found


def _keys(table: Table, keys: Any) -> list[Any]:
    if table.key_dtype == STRING:
        return strings(keys).ravel().tolist()
    return np.asarray(keys).ravel().tolist()


def _values(table: Table, values: Any) -> list[Any]:
    array = strings(values) if table.value_dtype == STRING else np.asarray(values)
    if table.value_shape:
        return list(array.reshape(-1, *table.value_shape))
    return array.ravel().tolist()


def _as_array(table: Table, values: list[Any], sizes: tuple[int, ...]) -> np.ndarray[Any, Any]:
    full = (*sizes, *table.value_shape)
    if table.value_dtype == STRING:
        return of_bytes(values, full)
    return np.asarray(values, dtype(table.value_dtype)).reshape(full)


@op("InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2", host=True)
def _initialize(node: Node, handle: Any, keys: Any, values: Any) -> Any:
    table = _held(handle)
    table.entries = dict(zip(_keys(table, keys), _values(table, values), strict=True))
    return ()


@op("LookupTableInsert", "LookupTableInsertV2", host=True)
def _insert(node: Node, handle: Any, keys: Any, values: Any) -> Any:
    table = _held(handle)
    table.entries.update(zip(_keys(table, keys), _values(table, values), strict=True))
    return ()


@op("LookupTableRemoveV2", host=True)
def _remove(node: Node, handle: Any, keys: Any) -> Any:
    table = _held(handle)
    for key in _keys(table, keys):
        table.entries.pop(key, None)
    return ()


@op("LookupTableFind", "LookupTableFindV2", host=True)
def _find(node: Node, handle: Any, keys: Any, default: Any) -> Any:
    table = _held(handle)
    other = strings(default) if table.value_dtype == STRING else np.asarray(default)
    missing = other if table.value_shape else other.reshape(-1)[0] if other.size else other
    if isinstance(missing, np.generic):
        missing = missing.item()
    get = table.entries.get
    return _as_array(table, [get(key, missing) for key in _keys(table, keys)], np.shape(keys))


@op("LookupTableSize", "LookupTableSizeV2", host=True)
def _size(node: Node, handle: Any) -> Any:
    return np.asarray(len(_held(handle).entries), np.int64)


@op("LookupTableExport", "LookupTableExportV2", host=True)
def _export(node: Node, handle: Any) -> Any:
    table = _held(handle)
    keys = list(table.entries)
    found = (
        of_bytes(keys) if table.key_dtype == STRING else np.asarray(keys, dtype(table.key_dtype))
    )
    return found, _as_array(table, list(table.entries.values()), (len(keys),))


@op("InitializeTableFromTextFile", "InitializeTableFromTextFileV2", host=True, shared=True)
def _from_file(run: Run, node: Node, handle: Any, filename: Any) -> Any:
    """A line of the file is an entry: -2 is the whole line, -1 its number, else a column."""
    table = _held(handle)
    data = file_within(run, strings(filename).item())
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    lines = [line.removesuffix(b"\r") for line in lines[int(node.get("offset", 0)) :]]
    size = int(node.get("vocab_size", -1))
    if size >= 0:
        if len(lines) < size:
            raise GraphError(f"a file of {len(lines)} lines for a table of {size}")
        lines = lines[:size]
    delimiter = bytes(node.get("delimiter") or b"\t")
    keys = _column(lines, int(node["key_index"]), delimiter, table.key_dtype)
    values = _column(lines, int(node["value_index"]), delimiter, table.value_dtype)
    table.entries = dict(zip(keys, values, strict=True))
    return ()


def _column(lines: list[bytes], index: int, delimiter: bytes, number: int) -> list[Any]:
    if index == -1:
        return list(range(len(lines)))
    try:
        parts = lines if index == -2 else [line.split(delimiter)[index] for line in lines]
        if number == STRING:
            return parts
        return [float(part) if dtype(number).kind == "f" else int(part) for part in parts]
    except (IndexError, ValueError):
        raise GraphError(f"a table's file without column {index}") from None


def file_within(run: Run, name: bytes) -> bytes:
    """The content of a file of the folder that is read; no other is opened."""
    path = path_within(run, name)
    try:
        return path.read_bytes()
    except OSError as error:
        raise GraphError(f"the file '{path.name}': {error.strerror}") from None


def path_within(run: Run, name: bytes) -> Path:
    """A path that the graph tells, in the folder that is read.

    Raises:
        GraphError: It leads out of the folder, or is a link that does.
    """
    folder = run.resources.folder
    path = Path(name.decode("utf-8", "replace"))
    if folder is None or not path.parent.resolve().is_relative_to(Path(folder).resolve()):
        raise GraphError(f"the file '{path.name}', which is outside the folder of the model")
    found = repr(path.name) if path.name in ("", "..") else foreign(path)
    if found is not None:
        raise GraphError(f"{found}, which is no file of the model")
    return path


@op("ReadFile", host=True, shared=True)
def _read_file(run: Run, node: Node, filename: Any) -> Any:
    return of_bytes([file_within(run, strings(filename).item())], ())
