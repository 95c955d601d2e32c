"""`CsvDataset` and `make_csv_dataset`: rows of comma separated values (RFC 4180)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.data.dataset import elements as el
from nacre.data.dataset.calls import whole_argument
from nacre.data.dataset.dataset import Dataset
from nacre.data.dataset.listing import as_paths, matching_files
from nacre.data.dataset.node import AUTOTUNE
from nacre.data.dataset.spec import TensorSpec, dtype_name, host_dtype
from nacre.data.files.reading import Files, Format
from nacre.data.streams import Stream, compression_of

_DTYPES = ("float32", "float64", "int32", "int64", "string")
# Strings that can only be meant as dtypes, and not as a default.
_NAMES = (*_DTYPES, "float16", "bfloat16", "int8", "int16", "uint8", "uint16", "uint32", "uint64",
          "float", "int", "bool", "str", "bytes")  # fmt: skip


class Column:
    """What a column holds.

    Args:
        given: A dtype, where every row must have a value; or a default, whose dtype it has.
        who: Who asks, for messages.
    """

    def __init__(self, given: Any, who: str) -> None:
        self.default: Any = None
        value = given.numpy() if hasattr(given, "numpy") else given
        is_value = isinstance(
            value, str | bytes | int | float | list | tuple | np.ndarray | np.generic
        )
        if is_value and not (isinstance(value, str) and value in _NAMES):
            array = el.to_element(value, who).view(np.ndarray)
            if array.size > 1:
                raise ArgumentError(message(who, "a default must be one value", repr(given)[:60]))
            self.default = array.reshape(-1)[0] if array.size else None
            self.dtype = dtype_name(array.dtype)
        else:
            self.dtype = dtype_name(value)
        if self.dtype not in _DTYPES:
            rule = f"columns must be of dtype {', '.join(_DTYPES)}"
            raise ArgumentError(message(who, rule, self.dtype))
        self._host_dtype = host_dtype(self.dtype)

    def tensor(self, text: str) -> Any:
        """The value of a field.

        Raises:
            ValueError: It is no such number.
        """
        array = np.empty((), self._host_dtype)
        if self.dtype == "string":
            array[()] = text.encode("latin-1")
        elif "_" in text:  # which Python takes in numbers
            raise ValueError(text)
        else:
            number = int(text) if self.dtype[0] == "i" else _float(text)
            with np.errstate(over="ignore"):  # becomes infinite, as for tf.data
                array[()] = number
        return el.sealed(array)

    def default_tensor(self) -> Any:
        """The default as a tensor."""
        array = np.empty((), self._host_dtype)
        array[()] = self.default
        return el.sealed(array)


def _float(text: str) -> float:
    stripped = text.strip().lower()
    return float(int(stripped, 16)) if stripped.startswith("0x") else float(text)


_MARK = b"\xef\xbb\xbf"  # of UTF-8


class _RowError(ValueError):
    """A row is damaged; those after it are not."""


def _line(stream: Stream) -> tuple[str, str] | None:
    """(the next line, what ends it), a character for each byte; None at the end."""
    line = stream.readline().decode("latin-1")
    if not line:
        return None
    text = line.removesuffix("\n").removesuffix("\r")
    return text, line[len(text) :]


class Rows(Format):
    """Rows of fields. A field in quotes may hold line feeds."""

    def __init__(
        self,
        columns: Sequence[Column],
        selected: list[int] | None,
        excluded: list[int] | None,
        *,
        header: bool,
        delimiter: str,
        use_quotes: bool,
        na_value: str,
    ) -> None:
        self.columns = list(columns)
        self.selected, self.excluded = selected, excluded
        self.header, self.use_quotes = header, use_quotes
        self.delimiter, self.na_value = delimiter, na_value.encode().decode("latin-1")
        self.spec = tuple(TensorSpec((), column.dtype) for column in self.columns)

    def begin(self, stream: Stream) -> None:
        """Pass over a mark of UTF-8, and over the header."""
        stream.refuse_packed()
        mark = stream.read(3)
        if mark != _MARK:
            stream.unread(mark)
        if self.header:
            self.fields(stream)

    def fields(self, stream: Stream) -> list[str] | None:
        """The fields of the next row, with a character for each byte; None at the end."""
        begin = stream.at
        line = _line(stream)
        if line is None:
            return None
        text, ending = line
        if not self.use_quotes or '"' not in text:
            return text.split(self.delimiter)
        found, at = list[str](), 0
        while True:
            if text[at : at + 1] != '"':
                end = text.find(self.delimiter, at)
                end = len(text) if end < 0 else end
                found.append(text[at:end])
                if '"' in found[-1]:
                    raise _RowError("a quote within a field that does not begin with one")
            else:
                parts, end = list[str](), at + 1
                while True:
                    at, end = end, text.find('"', end)
                    if end >= 0:
                        parts.append(text[at:end])
                        end += 1
                        if text[end : end + 1] != '"':
                            break
                        parts.append('"')
                        end += 1
                        continue
                    parts.append(text[at:] + ending)
                    line = _line(stream)
                    if line is None:
                        raise stream.error(
                            "quotes must be closed",
                            f"an open one in the row at byte {begin}",
                            "Pass use_quote_delim=False where quotes mean nothing.",
                        )
                    (text, ending), end = line, 0
                found.append("".join(parts))
                if text[end : end + 1] not in ("", self.delimiter):
                    raise _RowError("more behind the quote that closes a field")
            if end >= len(text):
                return found
            at = end + 1

    def next_record(self, stream: Stream) -> Any:
        begin = stream.at
        try:
            row = self.fields(stream)
        except _RowError as error:
            return begin, error
        return None if row is None else (begin, row)

    def element(self, record: Any, stream: Stream) -> Any:
        begin, row = record
        if isinstance(row, _RowError):
            raise stream.error("quotes must enclose whole fields", f"{row}, at byte {begin}")
        picked = row
        if self.selected is not None:
            picked = [row[i] for i in self.selected if i < len(row)]
        elif self.excluded is not None:
            picked = [field for i, field in enumerate(row) if i not in self.excluded]
        if len(picked) != len(self.columns):
            raise stream.error(
                f"a row must have {len(self.columns)} fields",
                f"{len(picked)} in the row at byte {begin}, {self.delimiter.join(row)[:60]!r}",
                "Check field_delim, and give a record default for each column that is read.",
            )
        found: list[Any] = []
        for number, (column, text) in enumerate(zip(self.columns, picked, strict=True)):
            if text in ("", self.na_value):
                if column.default is None:
                    raise stream.error(
                        f"field {number} must have a value, as it has no default",
                        f"an empty one in the row at byte {begin}",
                        "Give a value in the place of its dtype in record_defaults.",
                    )
                found.append(column.default_tensor())
                continue
            try:
                found.append(column.tensor(text))
            except (ValueError, OverflowError):
                raise stream.error(
                    f"field {number} must be {column.dtype}",
                    f"{text[:60]!r} in the row at byte {begin}",
                    "Pass header=True where the first row names columns."
                    if begin in (0, len(_MARK))
                    else "Give the column a dtype that holds it, such as 'float32' or 'string', in "
                    "record_defaults or column_defaults; make_csv_dataset finds dtypes in the "
                    "first num_rows_for_inference rows.",
                ) from None
        return tuple(found)


class CsvDataset(Dataset):
    """The rows of CSV files, a tuple of one tensor a column.

    Args:
        filenames: A path, a list of paths, or a `Dataset` of them.
        record_defaults: For each column that is read its dtype ('float32', 'float64', 'int32',
            'int64', 'string'), where each row must have a value, or what stands in the place of an
            empty field.
        compression_type: '' or None, 'GZIP' or 'ZLIB'.
        buffer_size: How many bytes are read at once; None: 256 KB.
        header: Whether the first row of each file is left out.
        field_delim: What stands between fields, one character.
        use_quote_delim: Whether quotes enclose fields that hold it, line feeds, or `""`.
        na_value: A field of this counts as empty.
        select_cols: The numbers of the columns to read, in rising order; by default all.
        exclude_cols: The numbers of those not to read.

    Raises:
        DataError: While going over it: a row has another number of fields, one is empty without a
            default, or is no such number; says in which file at which byte. The rows after it can
            still be read, as `ignore_errors` does.
    Source:
        tf.data.experimental.CsvDataset of TensorFlow 2.21. Differs: the mark with which Windows
        begins files of UTF-8 is passed over.
    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "few.csv")
        >>> _ = path.write_text("n,name\\n1,a\\n2,\\n")
        >>> data = CsvDataset(path, ["int32", "nobody"], header=True)
        >>> [(int(n), name.item()) for n, name in data]
        [(1, b'a'), (2, b'nobody')]
    """

    def __init__(
        self,
        filenames: Any,
        record_defaults: Sequence[Any],
        compression_type: str | None = None,
        buffer_size: int | None = None,
        header: bool = False,
        field_delim: str = ",",
        use_quote_delim: bool = True,
        na_value: str = "",
        select_cols: Sequence[int] | None = None,
        exclude_cols: Sequence[int] | None = None,
    ) -> None:
        who = "CsvDataset"
        if isinstance(record_defaults, str) or not np.iterable(record_defaults):
            rule = "record_defaults must be a list, with a dtype or default for each column"
            raise ArgumentError(message(who, rule, repr(record_defaults)[:60]))
        if select_cols is not None and exclude_cols is not None:
            rule = "select_cols or exclude_cols must stand alone"
            raise ArgumentError(message(who, rule, "both"))
        columns = [
            Column(given, f"{who}, record_defaults[{i}]") for i, given in enumerate(record_defaults)
        ]
        selected = _numbers(select_cols, "select_cols", who)
        if selected is not None and len(selected) != len(columns):
            rule = "record_defaults must have one for each of select_cols"
            raise ArgumentError(message(who, rule, f"{len(columns)} for {len(selected)}"))
        rows = Rows(
            columns,
            selected,
            _numbers(exclude_cols, "exclude_cols", who),
            header=bool(header),
            delimiter=_delimiter(field_delim, who),
            use_quotes=bool(use_quote_delim),
            na_value=na_value,
        )
        super().__init__(Files(who, filenames, rows, compression_type, buffer_size, None))


def _numbers(values: Any, name: str, who: str) -> list[int] | None:
    if values is None:
        return None
    found = [whole_argument(who, name, value, 0) for value in values]
    if found != sorted(set(found)):
        raise ArgumentError(message(who, f"{name} must rise", f"{found[:20]}"))
    return found


def _delimiter(value: Any, who: str) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n' or ord(value) > 127:
        rule = "field_delim must be one character of ASCII, not a quote or line feed"
        raise ArgumentError(message(who, rule, repr(value)[:60]))
    return value


def make_csv_dataset(
    file_pattern: Any,
    batch_size: int,
    column_names: Sequence[str] | None = None,
    column_defaults: Sequence[Any] | None = None,
    label_name: str | None = None,
    select_columns: Sequence[Any] | None = None,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    header: bool = True,
    num_epochs: int | None = None,
    shuffle: bool = True,
    shuffle_buffer_size: int = 10000,
    shuffle_seed: int | None = None,
    prefetch_buffer_size: int | None = None,
    num_parallel_reads: int | None = None,
    sloppy: bool = False,
    num_rows_for_inference: int | None = 100,
    compression_type: str | None = None,
    ignore_errors: bool = False,
) -> Dataset:
    """Batches of rows of CSV files: a dict of columns, or (dict, label).

    Args:
        file_pattern: A path, a pattern such as 'data/*.csv', or a list of them.
        batch_size: How many rows. A smaller last batch is left out where rows go on without end.
        column_names: The names, where the files do not tell them in a header.
        column_defaults: As `record_defaults` of `CsvDataset`, for the columns that are read. By
            default dtypes are those that the first rows fit, of int32, int64, float32, float64 and
            string, and an empty field is 0 or b"", as for tf.data. Give dtypes here where a missing
            value must be told.
        label_name: The column that is the label.
        select_columns: Names or numbers of the columns to read.
        field_delim, use_quote_delim, na_value, compression_type: See `CsvDataset`.
        header: Whether the first row of each file names the columns.
        num_epochs: How often rows are gone over; None: without end.
        shuffle, shuffle_buffer_size, shuffle_seed: Whether and how files and rows are shuffled.
        prefetch_buffer_size: How many batches are made ahead; None: `AUTOTUNE`.
        num_parallel_reads: From how many files in turn; None or 1: one after another.
        sloppy: The order is kept all the same.
        num_rows_for_inference: How many rows are looked at for dtypes; None: all.
        ignore_errors: Whether rows that cannot be read are left out.

    Raises:
        DataError: No file matches, or headers differ.
        ArgumentError: A column is named that is not there.
    Source:
        tf.data.experimental.make_csv_dataset of TensorFlow 2.21.
    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "few.csv")
        >>> _ = path.write_text("n,kind\\n1,a\\n2,b\\n")
        >>> data = make_csv_dataset(path, 2, label_name="kind", num_epochs=1, shuffle=False)
        >>> [(x["n"].tolist(), y.tolist()) for x, y in data]
        [([1, 2], [b'a', b'b'])]
    """
    who = "make_csv_dataset"
    files = matching_files(file_pattern, who)
    look = _Look(files, compression_of(compression_type, who), _delimiter(field_delim, who),
                 bool(use_quote_delim), na_value, bool(header), who)  # fmt: skip
    names = look.names() if column_names is None else [str(name) for name in column_names]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ArgumentError(message(who, "names of columns must differ", ", ".join(twice[:10])))
    picked = list(range(len(names)))
    if select_columns is not None:
        picked = sorted({_place(column, names, who) for column in select_columns})
    if label_name is not None and label_name not in [names[i] for i in picked]:
        rule = "label_name must be a column that is read"
        known = ", ".join(names[i] for i in picked)
        raise ArgumentError(message(who, rule, f"{label_name!r} for {known}"))
    if column_defaults is None:
        most = None if ignore_errors else len(names)
        column_defaults = look.defaults(most, picked, num_rows_for_inference)
    elif len(column_defaults) != len(picked):
        rule = "column_defaults must have one for each column that is read"
        raise ArgumentError(message(who, rule, f"{len(column_defaults)} for {len(picked)}"))
    paths = Dataset.from_tensor_slices(files)
    if shuffle:
        paths = paths.shuffle(len(files), shuffle_seed)
    threads = whole_argument(who, "num_parallel_reads", num_parallel_reads or 1, AUTOTUNE)
    columns = [Column(given, f"{who}, column_defaults[{i}]") for i, given in
               enumerate(column_defaults)]  # fmt: skip
    rows = Rows(
        columns, None if select_columns is None else picked, None, header=bool(header),
        delimiter=field_delim, use_quotes=bool(use_quote_delim), na_value=na_value,
    )  # fmt: skip
    data = Dataset(Files(who, paths, rows, compression_type, None, threads))
    if ignore_errors:
        data = data.ignore_errors()
    if shuffle:
        data = data.shuffle(shuffle_buffer_size, shuffle_seed)
    if num_epochs != 1:
        data = data.repeat(num_epochs)
    data = data.batch(batch_size, drop_remainder=num_epochs is None)
    data = data.map(Named([names[i] for i in picked], label_name))
    return data.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)


class Named:
    """Columns by name, and the label beside them."""

    def __init__(self, names: list[str], label_name: str | None) -> None:
        self.names, self.label_name = names, label_name

    def __call__(self, *columns: Any) -> Any:
        """(the columns but the label, the label), or all columns."""
        found = dict(zip(self.names, columns, strict=True))
        if self.label_name is None:
            return found
        label = found.pop(self.label_name)
        return found, label


def _place(column: Any, names: list[str], who: str) -> int:
    if isinstance(column, str) and column in names:
        return names.index(column)
    if not isinstance(column, str):
        place = whole_argument(who, "select_columns", column, 0)
        if place < len(names):
            return place
    rule = "select_columns must be names or numbers of columns"
    raise ArgumentError(message(who, rule, f"{column!r} for {', '.join(names)[:200]}"))


class _Look:
    """What the files of a data set tell before it is made."""

    def __init__(
        self, files: Any, compression: str, delimiter: str, use_quotes: bool, na_value: str,
        header: bool, who: str,
    ) -> None:  # fmt: skip
        self.paths = as_paths(files, who).tolist()
        self.compression, self.na_value, self.who, self.header = compression, na_value, who, header
        self.format = Rows(
            [], None, None, header=False, delimiter=delimiter, use_quotes=use_quotes,
            na_value=na_value,
        )  # fmt: skip

    def rows(self, path: bytes) -> Any:
        """The rows of a file."""
        stream = Stream(
            path.decode("utf-8", "surrogateescape"), self.compression, 0, None, self.who
        )
        try:
            self.format.begin(stream)
            while (found := self.format.next_record(stream)) is not None:
                if not isinstance(found[1], _RowError):  # going over them tells
                    yield found[1]
        finally:
            stream.close()

    def names(self) -> list[str]:
        """The names in the first rows of all files."""
        if not self.header:
            rule = "column_names must be given where files have no header"
            raise ArgumentError(message(self.who, rule, "header=False without them"))
        first: list[str] | None = None
        for path in self.paths:
            rows = self.rows(path)
            row = next(rows, None)
            rows.close()
            if row is None or (first is not None and row != first):
                got = f"{row} in {path!r}" if row else f"nothing in {path!r}"
                rule = "all files must have one header" + (f", {first}" if first else "")
                raise DataError(message(self.who, rule, got[:200]))
            first = row
        assert first is not None
        return [name.encode("latin-1").decode("utf-8", "replace") for name in first]

    def defaults(self, width: int | None, picked: list[int], most: int | None) -> list[Any]:
        """A default for each column, of the first dtype that fits what the first rows hold.

        Args:
            width: How many fields a row must have; None leaves out those that do not fit.
            picked: The numbers of the columns.
            most: How many rows are looked at; None: all.
        """
        kinds: list[int] = [-1] * len(picked)  # -1: only empty fields were seen
        seen = 0
        for path in self.paths:
            rows = self.rows(path)
            if self.header:
                next(rows, None)
            for row in itertools.islice(rows, None if most is None else most - seen):
                seen += 1
                if width is not None and len(row) != width:
                    rule = f"rows must have {width} fields, as many as there are names"
                    raise DataError(message(self.who, rule, f"{len(row)} in {path!r}"))
                for at, number in enumerate(picked):
                    text = row[number] if number < len(row) else ""
                    if text in ("", self.na_value):
                        continue
                    kinds[at] = max(kinds[at], 0)
                    while not _fits(text, _INFERRED[kinds[at]]):
                        kinds[at] += 1
            rows.close()
        dtypes = [_INFERRED[kind] for kind in kinds]  # -1 is the last, string
        return [np.array([b"" if n == "string" else 0], host_dtype(n)) for n in dtypes]


_INFERRED = ("int32", "int64", "float32", "float64", "string")


def _fits(text: str, dtype: str) -> bool:
    if dtype == "string":
        return True
    try:
        value = Column(dtype, "").tensor(text)
    except (ValueError, OverflowError):
        return False
    return dtype != "float32" or bool(np.isfinite(value)) or not np.isfinite(_float(text))


__all__ = ["CsvDataset", "make_csv_dataset"]
