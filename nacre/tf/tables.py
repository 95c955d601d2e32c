"""`tf.lookup`: tables from keys to values, on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DTypeError, TracedValueError, message
from nacre.core.tracing import is_tracer
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.nodes import node
from nacre.tf.sizes import plain
from nacre.tf.table_calls import TableLookup, takes_keys
from nacre.tf.values import landed, tensor


class TextFileIndex:
    """What of a line is a key or a value: its number, the whole line, or the n-th column."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


class KeyValueTensorInitializer:
    """Keys and values as tensors.

    Args:
        keys, values: One value for each key.
        key_dtype, value_dtype: Their dtypes.
        name: Accepted for compatibility.
    """

    def __init__(
        self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None,
        name: Any = None,
    ) -> None:  # fmt: skip
        self.keys = np.asarray(tensor(keys, key_dtype)).ravel()
        self.values = np.asarray(tensor(values, value_dtype)).ravel()
        self.key_dtype, self.value_dtype = as_dtype(self.keys.dtype), as_dtype(self.values.dtype)
        if len(self.keys) != len(self.values):
            rule = "there must be a value for each key"
            got = f"{len(self.keys)} keys, {len(self.values)} values"
            raise ArgumentError(message("tf.lookup.KeyValueTensorInitializer", rule, got))


class TextFileInitializer(KeyValueTensorInitializer):
    """Keys and values from the lines of a text file.

    Args:
        filename: The file.
        key_dtype, key_index: Of the keys: their dtype, and where they are; see `TextFileIndex`.
        value_dtype, value_index: Of the values.
        vocab_size: How many lines are read at most.
        delimiter: What lies between columns.
        name: Accepted for compatibility.
        value_index_offset: Added to line numbers.

    Raises:
        ArgumentError: A line has no such column, or a number does not fit its dtype.
    """

    def __init__(
        self, filename: Any, key_dtype: Any, key_index: int, value_dtype: Any, value_index: int,
        vocab_size: Any = None, delimiter: str = "\t", name: Any = None,
        value_index_offset: int = 0,
    ) -> None:  # fmt: skip
        path = np.asarray(filename, object).item()
        with open(path, "rb") as file:
            lines = file.read().splitlines()
        lines = lines if vocab_size is None else lines[: plain(vocab_size)]

        def column(index: int, dtype: Any) -> Any:
            kind = as_dtype(dtype)
            if index == TextFileIndex.LINE_NUMBER:
                return np.arange(len(lines), dtype=np.int64) + value_index_offset
            texts: list[Any] = lines
            if index != TextFileIndex.WHOLE_LINE:
                texts = [_column_of(line, delimiter, index, path) for line in lines]
            if kind == "string":
                return texts
            try:
                return np.asarray(
                    [float(x) if kind.is_floating else int(x) for x in texts], kind._dtype
                )
            except (ValueError, OverflowError) as error:
                rule = f"each number in '{path}' must be of {kind.name}"
                who = "tf.lookup.TextFileInitializer"
                raise ArgumentError(message(who, rule, str(error))) from None

        super().__init__(
            column(key_index, key_dtype), column(value_index, value_dtype), key_dtype, value_dtype
        )


def _column_of(line: bytes, delimiter: str, index: int, path: str) -> bytes:
    columns = line.split(delimiter.encode())
    if not 0 <= index < len(columns):
        rule = f"each line of '{path}' must have column {index}"
        got = f"{len(columns)}: {line[:60]!r}"
        raise ArgumentError(message("tf.lookup.TextFileInitializer", rule, got))
    return columns[index]


class _Table:
    """A dict of keys, with a value for all others."""

    _buckets = 0

    def __init__(self, key_dtype: Any, value_dtype: Any, default: Any) -> None:
        self.key_dtype, self.value_dtype = as_dtype(key_dtype), as_dtype(value_dtype)
        self._default = np.asarray(tensor(default, self.value_dtype))
        self._known: dict[Any, Any] = {}

    @property
    def name(self) -> str:
        """Its name."""
        return type(self).__name__

    def size(self, name: Any = None) -> Any:
        """How many keys there are."""
        return tensor(np.int64(len(self._known)))

    def lookup(self, keys: Any, name: Any = None) -> Any:
        """The values of keys; the default value of those that are not there.

        Raises:
            DTypeError: Keys of another kind.
            TracedValueError: Within a compiled function, which has no values to look up.
        """
        if hasattr(keys, "row_splits"):
            return type(keys)(self.lookup(keys.values), keys.row_splits)
        if takes_keys(keys):
            return self._of_model(keys)
        found = self._keys(keys)
        values = [self._known.get(key, self._default) for key in found.ravel().tolist()]
        shape = (*found.shape, *self._default.shape)
        kind = self.value_dtype._dtype
        if not values:
            return landed(np.zeros(shape, kind))
        stacked = np.empty(len(values), object)
        if self.value_dtype == "string":
            stacked[:] = [np.asarray(v, object).item() for v in values]
        else:
            stacked = np.stack([np.asarray(v, kind) for v in values])
        return landed(stacked.reshape(shape))

    __getitem__ = lookup

    def _of_model(self, keys: Any) -> Any:
        """The values of a model's inputs of strings, or of a batch of them."""
        if self.key_dtype != "string":
            rule = f"keys must be {self.key_dtype.name}"
            raise DTypeError(message(f"tf.lookup.{self.name}.lookup", rule, "string"))
        return TableLookup.of(self)(keys)

    def as_config(self) -> dict[str, Any]:
        """Itself as plain data: what a saved model keeps of it."""
        keys = [key.decode(*_BYTES) if isinstance(key, bytes) else key for key in self._known]
        told = {
            "keys": keys,
            "values": [_plain(value, self.value_dtype) for value in self._known.values()],
            "default": _plain(self._default, self.value_dtype),
        }
        dtypes = {"key_dtype": self.key_dtype.name, "value_dtype": self.value_dtype.name}
        return {"num_oov_buckets": self._buckets, **dtypes, **told}

    def _keys(self, keys: Any) -> np.ndarray:
        if is_tracer(keys):
            raise TracedValueError(
                message(
                    f"tf.lookup.{self.name}.lookup",
                    "it looks values up, which a compiled function does not have",
                    f"a traced tensor of shape {tuple(keys.shape)}",
                    "Call it in Dataset.map, or use tf.keras.layers.StringLookup or IntegerLookup.",
                )
            )
        found = tensor(keys)
        have = dtype_of(found)
        if have is not self.key_dtype and not (have.is_integer and self.key_dtype.is_integer):
            rule = f"keys must be {self.key_dtype.name}"
            raise DTypeError(message(f"tf.lookup.{self.name}.lookup", rule, have.name))
        return np.asarray(found)

    def _fill(self, keys: Any, values: Any) -> None:
        for key, value in zip(keys.ravel().tolist(), values, strict=True):
            self._known[key] = value


# How bytes stand in a config: as text, and any byte that is not text comes back as it was.
_BYTES = ("utf-8", "surrogateescape")


def _plain(value: Any, dtype: Any) -> Any:
    """A value as configs hold it."""
    if dtype == "string":
        texts = np.asarray(value, object)
        decode = np.frompyfunc(lambda text: text.decode(*_BYTES), 1, 1)
        return np.asarray(decode(texts), object).tolist()
    return np.asarray(value).tolist()


def from_config(config: dict[str, Any]) -> _Table:
    """The table that `as_config` told, with the values it had."""

    def made(value: Any, dtype: str) -> np.ndarray:
        if dtype != "string":
            return np.asarray(value, as_dtype(dtype)._dtype)
        encode = np.frompyfunc(lambda text: text.encode(*_BYTES), 1, 1)
        return np.asarray(encode(np.asarray(value, object)), object)

    kinds = config["key_dtype"], config["value_dtype"]
    default = made(config["default"], kinds[1])
    if config["num_oov_buckets"]:
        table: _Table = StaticVocabularyTable(None, config["num_oov_buckets"], kinds[0])
    else:
        table = MutableHashTable(*kinds, default)
    if config["keys"]:
        values = [made(value, kinds[1]) for value in config["values"]]
        table._fill(made(config["keys"], kinds[0]), values)
    return table


class StaticHashTable(_Table):
    """A table that stays as it was made.

    Args:
        initializer: Its keys and values.
        default_value: The value of keys that are not there.
        name, experimental_is_anonymous: Accepted for compatibility.

    Raises:
        ArgumentError: One key has two values.
    Example:
        >>> import nacre.tf as tf
        >>> table = StaticHashTable(KeyValueTensorInitializer(["a", "b"], [1, 2]), -1)
        >>> np.asarray(table.lookup(tf.constant(["b", "c"]))).tolist()
        [2, -1]
    """

    def __init__(
        self, initializer: Any, default_value: Any, name: Any = None,
        experimental_is_anonymous: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(initializer.key_dtype, initializer.value_dtype, default_value)
        self.default_value = tensor(default_value, self.value_dtype)
        for key, value in zip(initializer.keys.tolist(), initializer.values, strict=True):
            if key in self._known and self._known[key] != value:
                rule = "a key must have one value"
                raise ArgumentError(message("tf.lookup.StaticHashTable", rule, repr(key)))
            self._known[key] = value


class StaticVocabularyTable(_Table):
    """Numbers of words; words that are not there share out the numbers behind them.

    Args:
        initializer: Words and their numbers, int64, from 0 on; None for none.
        num_oov_buckets: How many numbers the others share.
        lookup_key_dtype: The dtype of keys: string or a kind of integer.
        name, experimental_is_anonymous: Accepted for compatibility.
    """

    def __init__(
        self, initializer: Any, num_oov_buckets: int, lookup_key_dtype: Any = None,
        name: Any = None, experimental_is_anonymous: bool = False,
    ) -> None:  # fmt: skip
        if num_oov_buckets <= 0:
            rule = "num_oov_buckets must be 1 or more"
            fix = "Use StaticHashTable where all words are known."
            who = "tf.lookup.StaticVocabularyTable"
            raise ArgumentError(message(who, rule, str(num_oov_buckets), fix))
        kind = lookup_key_dtype or ("string" if initializer is None else initializer.key_dtype)
        super().__init__(kind, "int64", -1)
        self._buckets = num_oov_buckets
        if initializer is not None:
            self._fill(initializer.keys, initializer.values)

    def size(self, name: Any = None) -> Any:
        """How many numbers there are, those of others too."""
        return tensor(np.int64(len(self._known) + self._buckets))

    def lookup(self, keys: Any, name: Any = None) -> Any:
        """The numbers of words."""
        if hasattr(keys, "row_splits"):
            return type(keys)(self.lookup(keys.values), keys.row_splits)
        if takes_keys(keys):
            return self._of_model(keys)
        found = self._keys(keys)
        texts = tensor(found) if found.dtype == object else node("AsString")(tensor(found))
        hashed = node("StringToHashBucketFast")(texts, num_buckets=self._buckets)
        others = np.asarray(hashed).ravel() + len(self._known)
        pairs = zip(found.ravel().tolist(), others.tolist(), strict=True)
        numbers = [self._known.get(key, other) for key, other in pairs]
        return landed(np.asarray(numbers, np.int64).reshape(found.shape))

    __getitem__ = lookup


class MutableHashTable(_Table):
    """A table that keys are put into.

    Args:
        key_dtype, value_dtype: The dtypes.
        default_value: The value of keys that are not there; it says the values' shape.
        name, checkpoint, experimental_is_anonymous: Accepted for compatibility.
    """

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, name: Any = None,
        checkpoint: bool = True, experimental_is_anonymous: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(key_dtype, value_dtype, default_value)

    def insert(self, keys: Any, values: Any, name: Any = None) -> None:
        """Put keys in, or give them other values."""
        found = self._keys(keys)
        given = np.asarray(tensor(values, self.value_dtype))
        if given.shape != (*found.shape, *self._default.shape):
            rule = f"values must have the shape {(*found.shape, *self._default.shape)}"
            raise ArgumentError(message(f"tf.lookup.{self.name}.insert", rule, str(given.shape)))
        self._fill(found, given.reshape(-1, *self._default.shape))

    def remove(self, keys: Any, name: Any = None) -> None:
        """Take keys out."""
        for key in self._keys(keys).ravel().tolist():
            self._known.pop(key, None)

    erase = remove

    def export(self, name: Any = None) -> tuple[Any, Any]:
        """All keys, and their values."""
        keys = list(self._known)
        return tensor(np.asarray(keys, self.key_dtype._dtype)), self.lookup(
            np.asarray(keys, self.key_dtype._dtype)
        )


class DenseHashTable(MutableHashTable):
    """The same, with two keys that must not be put in.

    Args:
        key_dtype, value_dtype, default_value: As of `MutableHashTable`.
        empty_key, deleted_key: Keys that nobody may use.
        initial_num_buckets, name, checkpoint, experimental_is_anonymous: Accepted for
            compatibility.
    """

    def __init__(
        self, key_dtype: Any, value_dtype: Any, default_value: Any, empty_key: Any,
        deleted_key: Any, initial_num_buckets: Any = None, name: Any = None,
        checkpoint: bool = True, experimental_is_anonymous: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(key_dtype, value_dtype, default_value)
        reserved = [np.asarray(tensor(k, key_dtype)).item() for k in (empty_key, deleted_key)]
        if reserved[0] == reserved[1]:
            rule = "empty_key and deleted_key must differ"
            raise ArgumentError(message("tf.lookup.DenseHashTable", rule, repr(reserved[0])))
        self._reserved = reserved

    def insert(self, keys: Any, values: Any, name: Any = None) -> None:
        """Put keys in, or give them other values."""
        taken = [key for key in self._keys(keys).ravel().tolist() if key in self._reserved]
        if taken:
            rule = "empty_key and deleted_key are no keys"
            raise ArgumentError(message("tf.lookup.DenseHashTable.insert", rule, repr(taken[0])))
        super().insert(keys, values)


__all__ = [
    "DenseHashTable", "KeyValueTensorInitializer", "MutableHashTable", "StaticHashTable",
    "StaticVocabularyTable", "TextFileIndex", "TextFileInitializer",
]  # fmt: skip
