"""Weights spread over several files: `name.weights.json` lists which shard holds which group.

Layout as Keras 3.15 writes it: `{"metadata": {"total_size"}, "weight_map": {"/group/vars":
[files]}}` and shards with the groups of an ordinary `.weights.h5`. Keras calls them
`name_00000.weights.h5` and overwrites them in place; nacre's names hold a hash of the content,
`name_00000_1f2e3d4c5b6a.weights.h5`. Keras reads these from the list, but opens its own name of the
first shard before; that name is a second one of the first file.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from nacre.core import temporary
from nacre.core.atomic import errors_name_target, write_file
from nacre.core.errors import ArgumentError, FileFormatError, message
from nacre.core.file_errors import read_json
from nacre.core.regions import as_bytes
from nacre.core.save_turn import one_save_at_a_time
from nacre.core.variable import Variable
from nacre.saving import hdf5, weights
from nacre.saving.archive import refuse_link
from nacre.saving.assets import is_plain_name

_GIGABYTE = 1024**3  # unit of max_shard_size


def save(
    groups: list[weights.Group], path: Path, max_shard_size: float, who: str, verify: bool = True
) -> None:
    """Write groups over shards, then the list, so that the list never names a missing shard.

    Raises:
        ArgumentError: The limit is no positive number, or one array is above it.
    """
    if not isinstance(max_shard_size, int | float) or max_shard_size <= 0:
        raise ArgumentError(
            message(
                who, "max_shard_size must be a positive number of gigabytes", repr(max_shard_size)
            )
        )
    limit = max_shard_size * _GIGABYTE
    shards: list[list[weights.Group]] = [[]]
    size = total = 0
    for group in groups:
        rest = dict(group.arrays)
        while True:
            taken = {}
            while rest and size + _bytes_of(next(iter(rest.values()))) <= limit:
                name = next(iter(rest))
                taken[name] = rest.pop(name)
                size += _bytes_of(taken[name])
                total += _bytes_of(taken[name])
            if taken or not group.arrays:
                shards[-1].append(weights.Group(group.path, group.name, taken))
            if not rest:
                break
            if size == 0:
                name, array = next(iter(rest.items()))
                raise ArgumentError(
                    message(
                        who,
                        "max_shard_size must be at least the size of the largest array",
                        f"{limit:.0f} bytes, and {_bytes_of(array)} in '{group.path}/vars/{name}'",
                    )
                )
            shards.append([])
            size = 0
    with one_save_at_a_time(path.parent):
        _write(shards, path, total, who, verify)


def _bytes_of(array: np.ndarray | Variable) -> int:
    if isinstance(array, Variable):
        return array.size * jnp.dtype(array.own_dtype).itemsize
    return array.nbytes


def _write(
    shards: list[list[weights.Group]], path: Path, total: int, who: str, verify: bool
) -> None:
    """Write shards under names no list has yet, then the list, then delete the old list's shards.

    A shard's name holds a hash of its content. So a save that is killed at any moment leaves the
    old list with its own shards, and a shard that was exchanged or damaged is noticed.
    """
    # Its presence tells other processes that shards without a list are not left over.
    marker = temporary.temporary_name(path)
    temporary.clean(path)
    old, before, made = _listed(path), _own_shards(path), set[str]()
    try:
        with errors_name_target(path):
            marker.touch()
        places: dict[str, list[str]] = {}
        for index, groups in enumerate(shards):
            content = as_bytes(weights.content(groups))
            name = f"{_beginning(path)}_{index:05}_{_digest(content)}.weights.h5"
            check = partial(_check, groups=groups, who=who)
            write_file(path.with_name(name), content, check if verify else None, part_of=path)
            made.add(name)
            for group in groups:
                places.setdefault(f"/{group.path}/vars".replace("//", "/"), []).append(name)
        listing = {"metadata": {"total_size": float(total)}, "weight_map": places}
        text = json.dumps(listing, indent=4).encode()
        write_file(path, text, partial(_check_list, text=text, who=who))
        _give_keras_name(path, min(made))
        if not temporary.is_being_written(path, own_temporary=marker):
            keras_name = f"{_beginning(path)}_00000.weights.h5"
            for name in (old | _own_shards(path)) - made - {keras_name}:
                temporary.remove(path.with_name(name))
    except BaseException:
        for name in made - before - _listed(path):
            temporary.remove(path.with_name(name))
        raise
    finally:
        temporary.remove(marker)


def _give_keras_name(path: Path, first: str) -> None:
    """Let the first shard be found by the name that Keras gives it; nacre has no need of it."""
    beside = temporary.temporary_name(path)
    with contextlib.suppress(OSError):
        try:
            os.link(path.with_name(first), beside)
        except OSError:  # a file system without links
            shutil.copyfile(path.with_name(first), beside)
        os.replace(beside, path.with_name(f"{_beginning(path)}_00000.weights.h5"))
    temporary.remove(beside)


def _beginning(path: Path) -> str:
    return path.name.removesuffix(".weights.json")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _own_shards(path: Path) -> set[str]:
    """Shards of this list's name in the folder, whether a list names them or not."""
    pattern = re.compile(rf"{re.escape(_beginning(path))}_\d{{5}}_[0-9a-f]{{12}}\.weights\.h5")
    return {name for name in os.listdir(path.parent) if pattern.fullmatch(name)}


def _listed(path: Path) -> set[str]:
    """Shards that the list at `path` names and that have its name; none where there is no list."""
    try:
        names = _names_in(read_json(path.read_bytes(), "the list of shards", path.name), path.name)
    except (OSError, FileFormatError):  # what cannot be read is replaced, its shards stay
        return set()
    pattern = re.compile(rf"{re.escape(_beginning(path))}_\d+(_[0-9a-f]+)?\.weights\.h5")
    return {name for name in names if pattern.fullmatch(name)}


def _check(source: Any, groups: list[weights.Group], who: str) -> None:
    with hdf5.open_file(str(source), who, verify=False) as file:
        weights.compare(file, groups, who)


def _check_list(path: Path, text: bytes, who: str) -> None:
    if path.read_bytes() != text:
        raise FileFormatError(
            message(who, "what was written must be what is in memory", "another list of shards")
        )


def _names_in(listing: Any, who: str) -> list[str]:
    places = listing.get("weight_map") if isinstance(listing, dict) else None
    names = list(places.values()) if isinstance(places, dict) else None
    if names is None or not all(isinstance(shards, list) for shards in names):
        rule = "it must have a 'weight_map' from groups to lists of files"
        raise FileFormatError(message(who, rule, "another list"))
    return sorted({str(name) for shards in names for name in shards})


def open_joined(path: Path, who: str) -> h5py.File:
    """All shards of a list as one file in memory.

    Raises:
        FileFormatError: The list is damaged, or a shard is missing, lies in another folder, or is
            not the one that was written with the list.
    """
    names = _names_in(read_json(path.read_bytes(), "the list of shards", who), who)
    joined = h5py.File("joined", "w", driver="core", backing_store=False)
    try:
        for name in names:
            shard = path.with_name(name) if is_plain_name(name) else None
            if shard is None or not shard.is_file():
                raise FileFormatError(
                    message(who, "its shards must lie beside it", f"no '{name}' in '{path.parent}'")
                )
            refuse_link(shard, who)
            _check_digest(shard)
            with hdf5.open_file(str(shard), f"'{name}'", verify=False) as file:
                _copy(file, joined, f"'{name}'")
    except BaseException:
        joined.close()
        raise
    return joined


def _check_digest(shard: Path) -> None:
    """Compare a shard with the hash in its name; Keras's names have none."""
    match = re.search(r"_\d{5}_([0-9a-f]{12})\.weights\.h5$", shard.name)
    if match is None:
        return
    with open(shard, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(match[1]):
        raise FileFormatError(
            message(
                f"'{shard.name}'",
                "a shard's content must be what its name says",
                "another content",
                "It is damaged: fetch it again. If it was changed on purpose, take the twelve "
                "digits out of its name and of the list.",
            )
        )


def _copy(source: h5py.Group, target: h5py.Group, who: str) -> None:
    _copy_attributes(source, target)
    for place, item in hdf5.walk(source, who):
        if isinstance(item, h5py.Group):
            _copy_attributes(item, target.require_group(place))
        elif place not in target:
            values = hdf5.read_array(item, who)
            is_bfloat16 = values.dtype == ml_dtypes.bfloat16
            target[place] = values.view("V2") if is_bfloat16 else values


def _copy_attributes(source: h5py.Group, target: h5py.Group) -> None:
    for name, value in hdf5.Arrays(source, "").attrs.items():
        if isinstance(value, list):
            hdf5.write_names(target, name, value)
        else:
            target.attrs[name] = value


__all__ = ["open_joined", "save"]
