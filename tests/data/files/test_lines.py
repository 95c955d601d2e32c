"""Lines, records of one size and lists of files: what tf.data gives, exact positions."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest

from nacre.core.errors import DataError
from nacre.data import Dataset, FixedLengthRecordDataset, TextLineDataset
from nacre.data.streams import Stream


def test_lines_have_no_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\n\n\xff\x00d\r\r\nlast")
    expected = [b"one", b"two", b"", b"\xff\x00d", b"last"]
    assert list(TextLineDataset(path).as_numpy_iterator()) == expected
    (tmp_path / "b").write_bytes(b"")
    files = [tmp_path / "b", str(path), os.fsencode(path)]
    assert list(TextLineDataset(files).as_numpy_iterator()) == expected * 2
    for name, packed in (("GZIP", gzip.compress), ("ZLIB", zlib.compress)):
        content = packed(path.read_bytes())
        (tmp_path / name).write_bytes(content + content if name == "GZIP" else content)
        found = list(TextLineDataset(tmp_path / name, name, 7).as_numpy_iterator())
        joined = [*expected[:-1], b"lastone", *expected[1:]]
        assert found == (joined if name == "GZIP" else expected)


def test_records_of_one_size_stand_between_header_and_footer(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"HHabcdefFFFFF")
    (tmp_path / "a.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name, compression in (("a.bin", None), ("a.gz", "GZIP")):
        data = FixedLengthRecordDataset(tmp_path / name, 3, 2, 5, compression_type=compression)
        assert list(data.as_numpy_iterator()) == [b"abc", b"def"]
        for wrong in ((4, 2, 5), (3, 2, 4), (3, 20, 0), (3, 5, 9)):
            data = FixedLengthRecordDataset(tmp_path / name, *wrong, None, compression)
            with pytest.raises(DataError, match=f"whole records of {wrong[0]} bytes"):
                list(data)


@pytest.mark.parametrize("compression", ["", "ZLIB"])
def test_positions_are_exact_at_every_element(tmp_path, compression):
    for n in range(2):
        content = b"".join(b"%02d\n" % i for i in range(n, n + 3))
        (tmp_path / f"{n}").write_bytes(zlib.compress(content) if compression else content)
    files = Dataset.list_files(f"{tmp_path}/*", shuffle=False)
    for data in (
        TextLineDataset(files, compression),
        TextLineDataset(files, compression, num_parallel_reads=2),
        FixedLengthRecordDataset(files, 2, 2, 3, None, compression),
        FixedLengthRecordDataset(files, 3, compression_type=compression),
    ):
        everything = list(data.as_numpy_iterator())
        assert len(everything) in (4, 6)
        iterator = iter(data)
        for begun in range(len(everything) + 1):
            state, other = iterator.state(), iter(data)
            other.restore(state)
            assert [x.item() for x in other] == everything[begun:]
            next(iterator, None)


def test_a_compressed_file_that_is_read_as_text_is_told(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    with pytest.raises(DataError, match="first bytes of gzip. Pass compression_type='GZIP'"):
        list(TextLineDataset(tmp_path / "a.gz"))
    assert len(list(TextLineDataset(tmp_path / "a.gz", "GZIP"))) == 2


def test_a_file_that_became_shorter_is_told(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one\ntwo\nthree\n")
    iterator = iter(TextLineDataset(path))
    next(iterator), next(iterator)
    state = iterator.state()
    path.write_bytes(b"one\n")
    other = iter(TextLineDataset(path))
    other.restore(state)
    with pytest.raises(DataError, match="go on at byte 8"):
        next(other)


def test_files_are_listed_sorted_or_in_an_order_of_each_pass(tmp_path):
    for name in ("b.txt", "a.txt", "c.png", "d.txt", "e.txt", "f.txt"):
        (tmp_path / name).touch()
    files = Dataset.list_files(f"{tmp_path}/*.txt", shuffle=False)
    names = [os.path.basename(path).decode() for path in files.as_numpy_iterator()]
    assert names == ["a.txt", "b.txt", "d.txt", "e.txt", "f.txt"]
    several = Dataset.list_files([tmp_path / "c*", f"{tmp_path}/[ac].*"], shuffle=False)
    assert [path.item()[-5:] for path in several] == [b"a.txt", b"c.png"]
    drawn = Dataset.list_files(f"{tmp_path}/*.txt", seed=1)
    passes = [list(drawn.as_numpy_iterator()) for _ in range(4)]
    assert len({tuple(order) for order in passes}) > 1
    again = Dataset.list_files(f"{tmp_path}/*.txt", seed=1)
    assert [list(again.as_numpy_iterator()) for _ in range(4)] == passes
    assert len(drawn) == 5
    with pytest.raises(DataError, match=r"\*\.zip"):
        Dataset.list_files(f"{tmp_path}/*.zip")


def test_bytes_that_were_given_back_are_read_again(tmp_path):
    (tmp_path / "a").write_bytes(b"abc\ndefg\nh")
    stream = Stream(str(tmp_path / "a"), "", 0, None, "test")
    stream.unread(stream.read(7))
    assert (stream.at, stream.read(2), stream.at) == (0, b"ab", 2)
    assert [stream.readline() for _ in range(4)] == [b"c\n", b"defg\n", b"h", b""]
    stream.close()
