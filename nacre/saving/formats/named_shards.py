"""Weights by name over several safetensors files, with an index, as on the Hugging Face hub.

`model.safetensors.index.json` is `{"metadata": {"total_size"}, "weight_map": {name: file}}`, beside
`model-00001-of-00002.safetensors` and so on. (Read off repositories of the hub and files that the
package `transformers` writes.) The index of nacre's notes the checksum of each file, so that one of
another save is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nacre.core import temporary
from nacre.core.atomic import write_file
from nacre.core.errors import ArgumentError, FileFormatError, message
from nacre.core.file_errors import read_json
from nacre.core.kinds import is_dict
from nacre.core.regions import Region
from nacre.core.save_turn import one_save_at_a_time
from nacre.core.wire import safetensors
from nacre.saving.archive import refuse_link
from nacre.saving.assets import is_plain_name
from nacre.saving.formats import named_arrays
from nacre.saving.safetensors_index import ENDING, WHOLE, index_in, index_of

_CHECKSUMS = "nacre.crc32"
_UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_MAX_SHARDS = 100_000  # names have five digits


def limit_of(size: Any, who: str) -> float:
    """Bytes a file may have: of a number, in gigabytes, or of a text such as '5GB'.

    Raises:
        ArgumentError: It is neither, or not above 0.
    """
    limit = 0.0
    if isinstance(size, str):
        found = re.fullmatch(r"\s*([\d.]+)\s*([KMG]I?B)\s*", size.upper())
        if found is not None and found[1].count(".") <= 1 and found[1] != ".":
            limit = float(found[1]) * _UNITS[found[2]]
    elif isinstance(size, int | float) and not isinstance(size, bool):
        limit = size * 2**30
    if limit > 0:
        return limit
    rule = "max_shard_size must be a positive number of gigabytes, or a text such as '5GB'"
    raise ArgumentError(message(who, rule, repr(size)))


def parts_of(
    streams: Mapping[str, safetensors.Stream], limit: float
) -> list[dict[str, safetensors.Stream]]:
    """The arrays of each file, in order; one that is above the limit has a file of its own."""
    parts: list[dict[str, safetensors.Stream]] = [{}]
    size = 0
    for name, stream in streams.items():
        if parts[-1] and size + stream.size > limit:
            parts.append({})
            size = 0
        parts[-1][name] = stream
        size += stream.size
    return parts


def save(model: Any, path: Path, limit: float, who: str, verify: bool = True) -> None:
    """Write a model's weights over several files, then the index that names them.

    The files have names that the index there does not list, so that the old ones are whole until
    the new index is in place; then they are taken away. Every file holds the weights alone.

    Raises:
        FileFormatError: What was written differs from memory.
    """
    _, streams = named_arrays.to_content(model, ".safetensors")
    with one_save_at_a_time(path.parent):
        _write(parts_of(streams, limit), path, who, verify)


def _write(parts: list[dict[str, safetensors.Stream]], path: Path, who: str, verify: bool) -> None:
    index = index_of(path)
    old = _own_files(index)
    names = _names(index, len(parts), old)
    made: list[Path] = []
    checksums: dict[str, str] = {}
    try:
        for name, part in zip(names, parts, strict=True):

            def fill(region: Region, name: str = name, part: Any = part) -> None:
                checksums[name] = safetensors.write(region, part, named_arrays.METADATA)

            file = index.with_name(name)
            check = partial(named_arrays.check, arrays=part, who=who)
            write_file(file, fill, check if verify else None, part_of=index)
            made.append(file)
        text = index_text(dict(zip(names, parts, strict=True)), checksums)
        write_file(index, text, part_of=index)
    except BaseException:
        for file in made:
            temporary.remove(file)
        raise
    for name in old - set(names):
        temporary.remove(index.with_name(name))
    temporary.remove(index.with_name(index.name.removesuffix(".index.json")))  # an older whole file


def index_text(
    parts: Mapping[str, Mapping[str, safetensors.Stream]], checksums: Mapping[str, str]
) -> bytes:
    """The index of files: name of each -> its arrays."""
    total = sum(stream.size for part in parts.values() for stream in part.values())
    metadata: dict[str, Any] = {"total_size": total, _CHECKSUMS: dict(checksums)}
    places = {array: name for name, part in parts.items() for array in part}
    return json.dumps({"metadata": metadata, "weight_map": places}, indent=2).encode()


def shard_name(stem: str, number: int, count: int) -> str:
    """What a file is called.

    Example:
        >>> shard_name("model", 1, 3)
        'model-00001-of-00003.safetensors'
    """
    return f"{stem}-{number:05d}-of-{count:05d}.safetensors"


def _names(index: Path, count: int, old: set[str]) -> list[str]:
    stem = index.name.removesuffix(ENDING)
    names: list[str] = []
    for beginning in (stem, f"{stem}-b"):
        names = [shard_name(beginning, number, count) for number in range(1, count + 1)]
        if not old & set(names):
            return names
    return names


def _own_files(index: Path) -> set[str]:
    """Files that the index there lists and that have its name; none where it cannot be read."""
    try:
        places, _ = _listed(index, index.name)
    except (OSError, FileFormatError):
        return set()
    stem = re.escape(index.name.removesuffix(ENDING))
    pattern = re.compile(rf"{stem}(-b)?-\d{{5}}-of-\d{{5}}\.safetensors")
    return {name for name in places.values() if pattern.fullmatch(name)}


def _listed(index: Path, who: str) -> tuple[dict[str, str], dict[str, str]]:
    """(name of an array -> file, file -> checksum where it is noted)."""
    listing = read_json(index.read_bytes(), "the index", who)
    places = listing.get("weight_map") if is_dict(listing) else None
    if not is_dict(places) or not all(isinstance(name, str) for name in places.values()):
        rule = "it must have a 'weight_map' from names to files"
        raise FileFormatError(message(who, rule, "another index"))
    metadata = listing.get("metadata")
    found = metadata.get(_CHECKSUMS) if is_dict(metadata) else None
    checksums = {str(k): str(v) for k, v in found.items()} if is_dict(found) else {}
    return {str(name): file for name, file in places.items()}, checksums


class Reader:
    """The arrays of an index, each read from its file when it is asked for.

    Attributes:
        entries: Name -> what an array is.

    Raises:
        FileFormatError: The index is damaged, or a file is missing, lies in another folder, or is
            not the one that was written with it.
    """

    def __init__(self, index: Path, who: str) -> None:
        self.entries: dict[str, safetensors.Entry] = {}
        self._readers: dict[str, safetensors.Reader] = {}
        places, checksums = _listed(index, who)
        files = dict.fromkeys(places.values())
        if len(files) > _MAX_SHARDS:
            rule = f"an index must list at most {_MAX_SHARDS} files"
            raise FileFormatError(message(who, rule, str(len(files))))
        with ExitStack() as opened:
            readers: dict[str, safetensors.Reader] = {}
            for name in files:
                file = index.with_name(name) if is_plain_name(name) else None
                if file is None or not file.is_file():
                    rule, got = "its files must lie beside it", f"no '{name}' in '{index.parent}'"
                    raise FileFormatError(message(who, rule, got))
                refuse_link(file, who)
                reader = opened.enter_context(safetensors.Reader(file, f"'{name}'"))
                if checksums.get(name, reader.checksum) != reader.checksum:
                    rule = f"'{name}' must be the file that was written with the index"
                    fix = "Fetch all of its files again."
                    raise FileFormatError(message(who, rule, "another one", fix))
                readers[name] = reader
            for array, name in places.items():
                if array not in readers[name].entries:
                    rule = "every array it lists must be in its file"
                    raise FileFormatError(message(who, rule, f"no '{array}' in '{name}'"))
                self.entries[array] = readers[name].entries[array]
                self._readers[array] = readers[name]
            self._opened = opened.pop_all()

    def read(self, name: str) -> np.ndarray:
        """The numbers of an array, copied."""
        return self._readers[name].read(name)

    def settle(self) -> None:
        """Wait until the files have been compared with their checksums."""
        for reader in dict.fromkeys(self._readers.values()):
            reader.settle()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._opened.__exit__(*raised)


def opened(path: Path, who: str) -> Reader | safetensors.Reader:
    """The arrays of an index, or those in a folder that has an index or one whole file."""
    index = index_in(path)
    if index is not None:
        return Reader(index, who)
    file = path / WHOLE
    refuse_link(file, who)
    return safetensors.Reader(file, who)


def forget(path: Path) -> None:
    """Take away what is there of files with an index, as one whole file has taken their place."""
    index = index_of(path)
    if index.is_file():
        files = _own_files(index)
        temporary.remove(index)
        for name in files:
            temporary.remove(index.with_name(name))


__all__ = [
    "Reader", "forget", "index_text", "limit_of", "opened", "parts_of", "save", "shard_name",
]  # fmt: skip
