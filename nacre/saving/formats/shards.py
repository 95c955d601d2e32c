"""Weights spread over several files: `name.weights.json` lists which shard holds which group.

Layout as Keras 3.15 writes it: `{"metadata": {"total_size"}, "weight_map": {"/group/vars":
[files]}}` and shards `name_00000.weights.h5`, ... with the groups of an ordinary `.weights.h5`.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import h5py

from nacre.core.errors import ArgumentError, FileFormatError, message
from nacre.saving import archive, hdf5, weights
from nacre.saving.atomic import write_file

_GIGABYTE = 1024**3  # unit of max_shard_size


def save(groups: list[weights.Group], path: Path, max_shard_size: float, who: str) -> None:
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
            while rest and size + next(iter(rest.values())).nbytes <= limit:
                name = next(iter(rest))
                taken[name] = rest.pop(name)
                size += taken[name].nbytes
                total += taken[name].nbytes
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
                        f"{limit:.0f} bytes, and {array.nbytes} in '{group.path}/vars/{name}'",
                    )
                )
            shards.append([])
            size = 0
    _write(shards, path, total, who)


def _write(shards: list[list[weights.Group]], path: Path, total: int, who: str) -> None:
    beginning = path.name.removesuffix(".weights.json")
    places: dict[str, list[str]] = {}
    for index, groups in enumerate(shards):
        name = f"{beginning}_{index:05}.weights.h5"
        with hdf5.Writer() as writer:
            weights.write(writer.root, groups)
        write_file(path.with_name(name), writer.content, partial(_check, groups=groups, who=who))
        for group in groups:
            places.setdefault(f"/{group.path}/vars".replace("//", "/"), []).append(name)
    listing = {"metadata": {"total_size": float(total)}, "weight_map": places}
    write_file(path, json.dumps(listing, indent=4).encode(), lambda _: None)


def _check(source: Any, groups: list[weights.Group], who: str) -> None:
    with hdf5.open_file(source, who) as file:
        weights.compare(file, groups, who)


def open_joined(path: Path, who: str) -> h5py.File:
    """All shards of a list as one file in memory.

    Raises:
        FileFormatError: The list is damaged, or a shard is missing or lies in another folder.
    """
    listing = archive.read_json(path.read_bytes(), "the list of shards", who)
    places = listing.get("weight_map") if isinstance(listing, dict) else None
    if not isinstance(places, dict):
        raise FileFormatError(message(who, "it must have a 'weight_map'", "none"))
    names = sorted({str(name) for shards in places.values() for name in shards})
    joined = h5py.File("joined", "w", driver="core", backing_store=False)
    for name in names:
        shard = path.with_name(name) if Path(name).name == name else None
        if shard is None or not shard.is_file():
            joined.close()
            raise FileFormatError(
                message(who, "its shards must lie beside it", f"no '{name}' in '{path.parent}'")
            )
        with hdf5.open_file(str(shard), f"'{name}'") as file:
            _copy(file, joined, f"'{name}'")
    return joined


def _copy(source: h5py.Group, target: h5py.Group, who: str) -> None:
    target.attrs.update(dict(source.attrs))
    for name in source:
        item = hdf5.child(source, name, who)
        if isinstance(item, h5py.Group):
            _copy(item, target.require_group(name), who)
        elif name not in target:
            hdf5.check_dataset(item, who)
            if item.id.get_storage_size() * 100 < item.nbytes - (64 << 20):
                raise FileFormatError(
                    message(
                        who,
                        "arrays must be stored whole",
                        f"{item.nbytes} bytes declared at {item.name}",
                    )
                )
            source.copy(item, target, name=name)


__all__ = ["open_joined", "save"]
