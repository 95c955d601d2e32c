"""`tf.io`: CSV and JSON lines, tensors as bytes, packed bytes, parts of JPEG files."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, message
from nacre.core.wire.tensorflow.graph import TensorProto
from nacre.core.wire.tensorflow.tensors import to_array, to_message
from nacre.data import Example
from nacre.tf.dtypes import as_dtype, dtype_of
from nacre.tf.nodes import node
from nacre.tf.sizes import plain
from nacre.tf.values import landed, tensor


def decode_csv(
    records: Any, record_defaults: Any, field_delim: str = ",", use_quote_delim: bool = True,
    na_value: str = "", select_cols: Any = None, name: Any = None,
) -> list[Any]:  # fmt: skip
    """Columns of lines of CSV, each a tensor of the lines' shape.

    Args:
        records: Lines.
        record_defaults: For each column the value of an empty field, or a dtype: such a column
            must have no empty field.
        field_delim: What lies between fields.
        use_quote_delim: Whether fields may stand in quotes.
        na_value: What else is an empty field.
        select_cols: The numbers of the columns that are read.
        name: Accepted for compatibility.

    Raises:
        ArgumentError: A line has another number of fields, or a field is no number.
    """
    who = "tf.io.decode_csv"
    if len(field_delim) != 1:
        raise ArgumentError(message(who, "field_delim must be one character", repr(field_delim)))
    lines = np.asarray(tensor(records))
    quoting = csv.QUOTE_MINIMAL if use_quote_delim else csv.QUOTE_NONE
    rows = []
    for line in lines.ravel().tolist():
        # As Latin-1 every byte stays what it is.
        text = line.decode("latin-1")
        try:
            reader = csv.reader([text], delimiter=field_delim, quoting=quoting, strict=True)
            read = list(reader)
        except csv.Error as error:
            rule = "records must be lines of CSV, one each"
            raise ArgumentError(message(who, rule, f"{line[:60]!r}: {error}")) from None
        rows.append(read[0] if read else [""])
    wanted = list(plain(select_cols)) if select_cols is not None else None
    count = len(record_defaults)
    for row, line in zip(rows, lines.ravel().tolist(), strict=True):
        if (wanted is None and len(row) != count) or (wanted and max(wanted) >= len(row)):
            rule = f"a line must have {count if wanted is None else max(wanted) + 1} fields"
            raise ArgumentError(message(who, rule, f"{len(row)}: {line[:60]!r}"))
    places = range(count) if wanted is None else wanted
    pairs = zip(places, record_defaults, strict=True)
    return [_column([row[at] for row in rows], given, na_value, lines.shape) for at, given in pairs]


def _column(fields: list[str], given: Any, na_value: str, shape: tuple[int, ...]) -> Any:
    who = "tf.io.decode_csv"
    is_kind = not isinstance(given, list | tuple | int | float | str | bytes | np.ndarray) and (
        not hasattr(given, "shape")
    )
    default = None if is_kind else np.asarray(tensor(given)).ravel()
    kind = as_dtype(given) if is_kind else dtype_of(tensor(given))
    if default is not None and default.size == 0:
        default = None
    found: list[Any] = []
    for field in fields:
        if field in ("", na_value):
            if default is None:
                rule = "an empty field needs a default value"
                raise ArgumentError(message(who, rule, f"a field {field!r} of {kind.name}"))
            found.append(default[0])
            continue
        try:
            found.append(_field(field, kind))
        except ValueError:
            rule = f"a field must be a {kind.name}"
            raise ArgumentError(message(who, rule, repr(field))) from None
    array = np.empty(len(found), kind._dtype)
    array[:] = found
    return landed(array.reshape(shape))


def _field(field: str, kind: Any) -> Any:
    if kind == "string":
        return field.encode("latin-1")
    if "_" in field:  # which is a number to Python alone
        raise ValueError(field)
    if not kind.is_integer:
        return float(field)
    number, limits = int(field), np.iinfo(kind._dtype)
    if not limits.min <= number <= limits.max:
        raise ValueError(field)
    return number


def serialize_tensor(value: Any, name: Any = None) -> Any:
    """A tensor as bytes, TensorFlow's `TensorProto`."""
    return tensor(to_message(np.asarray(tensor(value))).write())


def parse_tensor(serialized: Any, out_type: Any, name: Any = None) -> Any:
    """The tensor of such bytes.

    Raises:
        ArgumentError: They hold another dtype, or no tensor.
    """
    who = "tf.io.parse_tensor"
    try:
        found = to_array(TensorProto.read(np.asarray(tensor(serialized)).item()))
    except (ValueError, TypeError) as error:
        rule = "it takes what tf.io.serialize_tensor gives"
        raise ArgumentError(message(who, rule, str(error))) from None
    wanted = as_dtype(out_type)
    if as_dtype(found.dtype) is not wanted:
        rule = f"it must hold a tensor of dtype {wanted.name}"
        raise ArgumentError(message(who, rule, as_dtype(found.dtype).name))
    return landed(found)


def decode_json_example(json_examples: Any, name: Any = None) -> Any:
    """Examples as JSON as the bytes of their protocol buffers.

    Raises:
        ArgumentError: A text is no JSON of an example, or a value does not fit its list.
    """
    texts = np.asarray(tensor(json_examples))
    found = np.empty(texts.size, object)
    found[:] = [_example_of(text) for text in texts.ravel().tolist()]
    return landed(found.reshape(texts.shape))


# Lists of values as JSON calls them -> what makes an array of one.
_LISTS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "bytesList": lambda values: [_bytes(text) for text in values],
    "floatList": lambda values: np.asarray([float(x) for x in values], np.float32),
    "int64List": lambda values: np.asarray([_whole(x) for x in values], np.int64),
}
_OTHER_NAMES = {"bytes_list": "bytesList", "float_list": "floatList", "int64_list": "int64List"}


def _example_of(text: bytes) -> bytes:
    try:
        found = json.loads(text).get("features", {}).get("feature", {})
        features = {key: _values(feature) for key, feature in found.items()}
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:
        rule = "it takes the JSON of a tf.train.Example"
        got = f"{text[:60]!r}: {type(error).__name__}: {error}"
        raise ArgumentError(message("tf.io.decode_json_example", rule, got)) from None
    return Example(features).SerializeToString()


def _values(feature: Mapping[str, Any]) -> Any:
    if not feature:  # one of no kind
        return np.zeros(0, np.int64)
    ((name, inner),) = feature.items()
    return _LISTS[_OTHER_NAMES.get(name, name)](inner.get("value", []))


def _bytes(text: str) -> bytes:
    """Bytes of base64, of either alphabet and with or without its end, as JSON of protocol buffers
    may have them."""
    plain_text = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(plain_text + "=" * (-len(plain_text) % 4), validate=True)


def _whole(value: Any) -> int:
    """A whole number, which JSON may have as text too."""
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def decode_compressed(bytes: Any, compression_type: str = "", name: Any = None) -> Any:
    """Bytes that were packed.

    Args:
        bytes: The bytes.
        compression_type: '', 'ZLIB' or 'GZIP'.
        name: Accepted for compatibility.

    Raises:
        ArgumentError: They were not packed so.
    """
    unpack = {"": lambda x: x, "ZLIB": zlib.decompress, "GZIP": gzip.decompress}
    if compression_type not in unpack:
        rule = "compression_type must be '', 'ZLIB' or 'GZIP'"
        raise ArgumentError(message("tf.io.decode_compressed", rule, repr(compression_type)))
    packed = np.asarray(tensor(bytes))
    found = np.empty(packed.size, object)
    try:
        found[:] = [unpack[compression_type](item) for item in packed.ravel().tolist()]
    except (zlib.error, EOFError, OSError) as error:
        rule = f"bytes must be packed as {compression_type}"
        raise ArgumentError(message("tf.io.decode_compressed", rule, str(error))) from None
    return landed(found.reshape(packed.shape))


def decode_and_crop_jpeg(contents: Any, crop_window: Any, channels: Any) -> Any:
    """A part of a JPEG: top, left, height, width."""
    top, left, height, width = plain(crop_window)
    image = node("DecodeJpeg")(tensor(contents), channels=channels)
    if top < 0 or left < 0 or top + height > image.shape[0] or left + width > image.shape[1]:
        rule = f"the part must lie within {tuple(image.shape[:2])}"
        got = str((top, left, height, width))
        raise ArgumentError(message("tf.image.decode_and_crop_jpeg", rule, got))
    return image[top : top + height, left : left + width]


def jpeg_shape(contents: Any, output_type: Any) -> Any:
    """Height, width and channels of a JPEG."""
    shape = node("DecodeJpeg")(tensor(contents), channels=0).shape
    return landed(np.asarray(tuple(shape), as_dtype(output_type)._dtype))
