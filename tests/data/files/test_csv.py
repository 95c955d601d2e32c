"""Rows of CSV files: what tf.data 2.21 gives (asked of it, and noted here), positions, errors."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from nacre.core.errors import ArgumentError, DataError
from nacre.data import CsvDataset, Dataset, make_csv_dataset

F, I, S = "float32", "int32", "string"
READ = [
    (b"1,2\r\n3,4\n", [I, F], {}, [(1, 2.0), (3, 4.0)]),
    (b"1\n\n3\n", [[7]], {}, [(1,), (7,), (3,)]),
    (b" 1,a b \n", [I, S], {}, [(1, b"a b ")]),
    (b"1e2,0x10,inf\n", [F, F, F], {}, [(100.0, 16.0, np.inf)]),
    (b'"a,b","c""d"\n"x\ny",z\n', [S, S], {}, [(b"a,b", b'c"d'), (b"x\ny", b"z")]),
    (b'"a\r\n\r\nb",""\n', [S, "q"], {}, [(b"a\r\n\r\nb", b"q")]),
    (b'"1","2.5"', [I, F], {}, [(1, 2.5)]),
    (b'"a,b\n', [S, S], {"use_quote_delim": False}, [(b'"a', b"b")]),
    (b"h,k\n1,NA\n", [I, 5.0], {"header": True, "na_value": "NA"}, [(1, 5.0)]),
    (b"1;2;3\n", [I, I], {"field_delim": ";", "select_cols": [0, 2]}, [(1, 3)]),
    (b"1;2;3\n", [I, I], {"field_delim": ";", "exclude_cols": [1]}, [(1, 3)]),
    (b"\xef\xbb\xbf1,\xc3\xa9\xff\n", [I, S], {}, [(1, b"\xc3\xa9\xff")]),  # TensorFlow refuses
    (b"1e50,,\n", [F, "", np.int64(3)], {}, [(np.inf, b"", 3)]),
]
REFUSED = [
    (b"1\n", [I, I], {}, "2 fields. Got 1"),
    (b"1,2\n", [I], {}, "1 fields. Got 2"),
    (b"1;2\n", [I], {"field_delim": ";", "select_cols": [2]}, "1 fields. Got 0"),
    (b"x\n", [I], {}, "field 0 must be int32. Got 'x' in the row at byte 0.*header=True"),
    (b"1\n1.5\n", [I], {}, "Got '1.5' in the row at byte 2. Give the column a dtype that"),
    (gzip.compress(b"1\n", mtime=0), [I], {}, "first bytes of gzip. Pass compression_type='GZIP'"),
    (b"1.0\n", [I], {}, "must be int32"),
    (b"99999999999\n", [I], {}, "must be int32"),
    (b"1_0\n", [I], {}, "must be int32"),
    (b"1,\n", [I, S], {}, "field 1 must have a value"),
    (b'a"b,c\n', [S, S], {}, "a quote within"),
    (b'"a"b,c\n', [S, S], {}, "more behind"),
    (b'"a,b\n', [S, S], {}, "quotes must be closed"),
]


def plain(data: Dataset) -> list[tuple]:
    """The elements as Python's values."""
    return [tuple(value.item() for value in row) for row in data]


@pytest.mark.parametrize(("content", "defaults", "options", "expected"), READ)
def test_rows_are_read(tmp_path, content, defaults, options, expected):
    (tmp_path / "a.csv").write_bytes(content)
    data = CsvDataset(tmp_path / "a.csv", defaults, **options)
    assert plain(data) == expected
    assert len(data.element_spec) == len(defaults)


@pytest.mark.parametrize(("content", "defaults", "options", "error"), REFUSED)
def test_a_row_that_cannot_be_read_is_told(tmp_path, content, defaults, options, error):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=error):
        list(CsvDataset(tmp_path / "a.csv", defaults, **options))


def test_the_rows_after_a_damaged_one_can_be_read(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'1,2\nx,3\n5" pipe,1\n5\n6,7\n"8",9\n')
    data = CsvDataset(tmp_path / "a.csv", [I, I])
    assert plain(data.ignore_errors()) == [(1, 2), (6, 7), (8, 9)]


def test_positions_are_exact_between_rows_of_several_lines(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b'h,k\n"x\ny",1\nz,2\n')
    data = CsvDataset([tmp_path / "a", tmp_path / "b"], [S, I], header=True)
    everything, iterator = plain(data), iter(data)
    for begun in range(5):
        other = iter(data)
        other.restore(iterator.state())
        assert plain(other) == everything[begun:]
        next(iterator, None)


def test_wrong_arguments_are_told(tmp_path):
    for arguments, error in [
        ({"record_defaults": "int32"}, "a list"),
        ({"record_defaults": ["int16"]}, "dtype float32, float64"),
        ({"record_defaults": [[1, 2]]}, "one value"),
        ({"record_defaults": [I], "field_delim": "ab"}, "one character"),
        ({"record_defaults": [I], "select_cols": [0, 1]}, "1 for 2"),
        ({"record_defaults": [I, I], "select_cols": [1, 0]}, "rise"),
        ({"record_defaults": [I], "select_cols": [1], "exclude_cols": [1]}, "alone"),
    ]:
        with pytest.raises(ArgumentError, match=error):
            CsvDataset(tmp_path / "a", **arguments)


@pytest.fixture
def table(tmp_path):
    """A file, and the pattern it matches."""
    (tmp_path / "m1.csv").write_text("a,b,c,d,e\n1,2.5,x,10000000000,\n2,,y,3,\n,1,,4,\n")
    return f"{tmp_path}/m*.csv"


def test_columns_have_the_dtypes_that_fit(table):
    data = make_csv_dataset(table, 2, num_epochs=1, shuffle=False)
    dtypes = {name: spec.dtype for name, spec in data.element_spec.items()}
    assert dtypes == {"a": "int32", "b": "float32", "c": "string", "d": "int64", "e": "string"}
    found = [{name: column.tolist() for name, column in batch.items()} for batch in data]
    assert found == [
        {"a": [1, 2], "b": [2.5, 0.0], "c": [b"x", b"y"], "d": [10**10, 3], "e": [b"", b""]},
        {"a": [0], "b": [1.0], "c": [b""], "d": [4], "e": [b""]},
    ]


def test_columns_are_picked_and_one_is_the_label(table):
    data = make_csv_dataset(
        table, 2, label_name="c", select_columns=["c", "a"], num_epochs=1, shuffle=False
    )
    (features, label), _ = data
    assert (list(features), label.tolist()) == (["a"], [b"x", b"y"])
    endless = make_csv_dataset(
        table, 2, column_defaults=[0, F, "q", "int64", ""], ignore_errors=True
    )
    assert endless.element_spec["a"].shape == (2,)
    assert sorted({a for batch in endless.take(6) for a in batch["a"].tolist()}) == [0, 1]
    with pytest.raises(DataError, match="field 1 must have a value"):
        list(make_csv_dataset(table, 2, column_defaults=[0, F, "q", "int64", ""], num_epochs=1))
    named = make_csv_dataset(table, 4, "vwxyz", header=False, num_epochs=1, shuffle=False)
    assert next(iter(named))["v"].tolist() == [b"a", b"1", b"2", b""]


def test_what_make_csv_dataset_cannot_mean_is_told(table, tmp_path):
    for arguments, error in [
        ({"label_name": "zz"}, "'zz' for a, b, c"),
        ({"select_columns": ["zz"]}, "'zz'"),
        ({"column_defaults": [0]}, "1 for 5"),
        ({"header": False}, "column_names must be given"),
        ({"column_names": list("aabcd")}, "must differ"),
        ({"column_names": list("abcd")}, "4 fields"),
    ]:
        with pytest.raises((ArgumentError, DataError), match=error):
            make_csv_dataset(table, 2, **arguments)
    (tmp_path / "m2.csv").write_text("b,a\n1,2\n")
    with pytest.raises(DataError, match="one header"):
        make_csv_dataset(table, 2)
