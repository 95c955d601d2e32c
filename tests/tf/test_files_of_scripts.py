"""`tf.io.gfile.GFile`, and what libraries do with one."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import nacre.tf as tf


def test_a_file_takes_texts_and_bytes_and_tells_its_size(tmp_path: Path) -> None:
    path = str(tmp_path / "a.txt")
    with tf.io.gfile.GFile(path, "w") as file:
        file.write("a\r\nbé\n")
        file.write(b"c")
        assert (file.size(), file.name, file.mode) == (8, path, "w")
    with tf.io.gfile.GFile(path) as file:
        assert (file.readline(), list(file), file.read()) == ("a\n", ["bé\n", "c"], "")
        file.seek(1)
        assert (file.read(1), file.tell()) == ("\r", 2)
    with tf.io.gfile.GFile(path, "rb") as file:
        assert file.read() == b"a\r\nb\xc3\xa9\nc"


def test_libraries_read_and_write_one(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = str(tmp_path / "file")
    with tf.io.gfile.GFile(path, "w") as file:
        pandas.DataFrame({"a": [1, 2]}).to_csv(file, index=False)
    with tf.io.gfile.GFile(path) as file:
        assert pandas.read_csv(file).shape == (2, 1)
    with tf.io.gfile.GFile(path) as file:
        assert list(csv.reader(file)) == [["a"], ["1"], ["2"]]
    with tf.io.gfile.GFile(path, "w") as file:
        json.dump({"a": 1}, file)
    with tf.io.gfile.GFile(path) as file:
        assert json.load(file) == {"a": 1}
    with tf.io.gfile.GFile(path, "wb") as file:
        np.save(file, np.arange(3))
    with tf.io.gfile.GFile(path, "rb") as file:
        assert np.load(file).tolist() == [0, 1, 2]
    with tf.io.gfile.GFile(path, "wb") as file:
        pickle.dump([1], file)
    with tf.io.gfile.GFile(path, "rb") as file:
        assert pickle.load(file) == [1]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tf.io.gfile.GFile(str(tmp_path / "none"))
