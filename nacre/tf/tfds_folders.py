"""Folders that `tensorflow_datasets` prepared: what they tell of themselves, and their records."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core.errors import AbsentFileError, DataError, UnsupportedError, listed, message
from nacre.core.interop import optional_import
from nacre.data import TFRecordDataset
from nacre.data.files.example import parsed_example
from nacre.tf.tfds_features import Feature, of_json

_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"  # tensorflow_datasets 4.9's default
_FORMATS = ("tfrecord", "array_record")


def data_dir(given: Any = None) -> Path:
    """Where sets are looked for: what is given, `TFDS_DATA_DIR`, `~/tensorflow_datasets`."""
    place = given or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(os.path.expanduser(os.fspath(place)))


def find(name: str, version: str | None, given: Any) -> Path | None:
    """The folder of a set, of its newest version where none is said.

    Args:
        name: 'mnist', or 'glue/cola' with its config.
        version: '3.0.1', '1.*.*'; None for the newest.
        given: The folder of all sets.
    """
    home = data_dir(given) / name
    if not home.is_dir():
        return None
    found = _newest(home, version)
    if found is None and "/" not in name:
        configs = sorted(child for child in home.iterdir() if child.is_dir())
        several = [folder for child in configs if (folder := _newest(child, version)) is not None]
        if len(several) > 1:
            names = listed([f"{name}/{folder.parent.name}" for folder in several])
            rule = "a set with several configs must be named with one"
            raise AbsentFileError(message("tfds.load", rule, f"'{name}'", f"There are {names}."))
        found = several[0] if several else None
    return found


def _newest(home: Path, version: str | None) -> Path | None:
    wanted = None if version in (None, "*", "*.*.*") else str(version).split(".")
    found = []
    for child in home.iterdir():
        parts = child.name.split(".")
        if len(parts) != 3 or not all(part.isdecimal() for part in parts):
            continue
        if not (child / "dataset_info.json").is_file():
            continue
        if wanted is None or all(a in ("*", b) for a, b in zip(wanted, parts)):
            found.append((tuple(map(int, parts)), child))
    return max(found)[1] if found else None


@dataclass(frozen=True)
class SplitInfo:
    """A split.

    Attributes:
        name: Its name.
        num_examples: How many examples it has.
        shard_lengths: How many each of its files has.
        filenames: The names of these files.
        num_bytes: How many bytes they are.
    """

    name: str
    num_examples: int
    shard_lengths: tuple[int, ...] = ()
    filenames: tuple[str, ...] = ()
    num_bytes: int = 0

    @property
    def num_shards(self) -> int:
        """How many files it has."""
        return len(self.shard_lengths)


class Folder:
    """A prepared folder.

    Args:
        path: The folder of one version.

    Raises:
        AbsentFileError: It has no `dataset_info.json` or no `features.json`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told = self._json("dataset_info.json")
        self.format = str(self.told.get("fileFormat", "tfrecord")).lower()
        if self.format not in _FORMATS:
            rule = f"files must be {' or '.join(_FORMATS)}"
            raise UnsupportedError(message(f"tfds folder '{path}'", rule, f"'{self.format}'"))

    def _json(self, name: str) -> dict[str, Any]:
        file = self.path / name
        if not file.is_file():
            rule = "a prepared folder has dataset_info.json and features.json"
            raise AbsentFileError(message(f"tfds folder '{self.path}'", rule, f"no {name}"))
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return found

    @functools.cached_property
    def features(self) -> Feature:
        """What its examples are."""
        return of_json(self._json("features.json"), self.path)

    @functools.cached_property
    def splits(self) -> dict[str, SplitInfo]:
        """Its splits by name."""
        return {split["name"]: self._split(split) for split in self.told.get("splits", ())}

    def _split(self, told: dict[str, Any]) -> SplitInfo:
        lengths = tuple(int(length) for length in told.get("shardLengths", ()))
        template = told.get("filepathTemplate") or _TEMPLATE
        names = tuple(
            template.format(
                DATASET=self.told["name"],
                SPLIT=told["name"],
                FILEFORMAT=self.format,
                SHARD_INDEX=f"{index:05d}",
                NUM_SHARDS=f"{len(lengths):05d}",
                SHARD_X_OF_Y=f"{index:05d}-of-{len(lengths):05d}",
            )
            for index in range(len(lengths))
        )
        size = int(told.get("numBytes", 0))
        return SplitInfo(told["name"], sum(lengths), lengths, names, size)

    @property
    def supervised(self) -> Any:
        """The keys of input and target, nested as they are told; None where nothing is told."""
        told = self.told.get("supervisedKeys")
        if not told:
            return None
        return _keys(told) if "tuple" not in told else tuple(map(_keys, told["tuple"]["items"]))

    def records(self, split: str, start: int, stop: int, shards: Sequence[int]) -> Iterator[bytes]:
        """Records of a split from a place to another, the files in the order that is told."""
        info = self.splits[split]
        starts = np.cumsum([0, *info.shard_lengths])
        for shard in shards:
            first = max(start - int(starts[shard]), 0)
            last = min(stop - int(starts[shard]), info.shard_lengths[shard])
            if first < last:
                yield from self._of_file(info.filenames[shard], first, last)

    def _of_file(self, name: str, first: int, last: int) -> Iterator[bytes]:
        file = self.path / name
        if not file.is_file():
            rule = "its files must be there"
            raise AbsentFileError(message(f"tfds folder '{self.path}'", rule, f"no '{name}'"))
        if self.format == "array_record":
            module = optional_import(
                "array_record.python.array_record_module", extra="array_record", who="tfds.load"
            )
            reader = module.ArrayRecordReader(os.fspath(file))
            try:
                yield from reader.read(first, last)
            finally:
                reader.close()
            return
        count = 0
        for record in TFRecordDataset(os.fspath(file)).skip(first).take(last - first):
            count += 1
            yield np.asarray(record).item()
        if count < last - first:
            rule = f"'{name}' must hold as many records as dataset_info.json says"
            raise DataError(message(f"tfds folder '{self.path}'", rule, f"{first + count}"))

    def example(self, record: bytes) -> dict[str, np.ndarray]:
        """What a record holds, by name."""
        return parsed_example(record, f"tfds folder '{self.path}'")


def _keys(told: dict[str, Any]) -> Any:
    """Keys nested as `supervisedKeys` tells them."""
    if "tuple" in told:
        return tuple(map(_keys, told["tuple"]["items"]))
    if "dict" in told:
        return {name: _keys(inner) for name, inner in told["dict"]["dict"].items()}
    return told["featureKey"]


__all__ = ["Folder", "SplitInfo", "data_dir", "find"]
