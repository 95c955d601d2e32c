"""Reading and writing HDF5 with care: plain arrays and attributes, nothing that points outside.

An HDF5 file may hold links to other files, arrays whose bytes lie in other files, and declared
sizes far above what is stored. None of these is followed or allocated.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import h5py
import ml_dtypes
import numpy as np

from nacre.core.errors import FileFormatError, message

# The first eight bytes of every HDF5 file: "III.A. Disk Format: Level 0A - Format Signature and
# Superblock" of the HDF5 File Format Specification 3.0.
SIGNATURE = b"\x89HDF\r\n\x1a\n"

# Keras spreads an attribute over `name0`, `name1`, ... when it is above HDF5's 64 kB for a header.
_MAX_PARTS = 10_000


def open_file(source: Any, who: str) -> h5py.File:
    """Open a file for reading from its path, its bytes or a file object.

    Raises:
        FileFormatError: It is damaged or no HDF5 file.
    """
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    try:
        return h5py.File(source, "r")
    except OSError as error:
        raise FileFormatError(
            message(
                who,
                "it must be a whole HDF5 file",
                f"a file that HDF5 cannot open ({str(error).splitlines()[0][:120]})",
                "It may be damaged or only partly copied: fetch it again.",
            )
        ) from None


def child(group: h5py.Group, name: str, who: str) -> Any:
    """The group or dataset called `name`, or None.

    Raises:
        FileFormatError: The name is a link, to another file or within this one.
    """
    current = group
    for part in name.split("/"):
        if not isinstance(current, h5py.Group):
            return None
        link = current.get(part, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise FileFormatError(
                message(
                    who,
                    "a weights file must hold its arrays itself",
                    f"a link at {current.name.rstrip('/')}/{part}",
                    "Do not open files of this kind from people you do not trust.",
                )
            )
        current = current.get(part)
    return current


def subgroup(group: h5py.Group, name: str, who: str) -> h5py.Group | None:
    """The group called `name`, or None."""
    found = child(group, name, who)
    return found if isinstance(found, h5py.Group) else None


def check_dataset(dataset: h5py.Dataset, who: str) -> None:
    """Refuse arrays whose bytes lie elsewhere, and kinds of data that weights never have."""
    reason = None
    if dataset.is_virtual or dataset.external:
        reason = "an array whose bytes lie in other files"
    elif dataset.dtype.kind not in "fiub" and dataset.dtype != np.dtype("V2"):
        if h5py.check_string_dtype(dataset.dtype) is None:
            reason = f"data of type {dataset.dtype}"
    if reason:
        raise FileFormatError(
            message(who, "a weights file must hold plain arrays", f"{reason} at {dataset.name}")
        )


def shape_of(dataset: h5py.Dataset) -> tuple[int, ...]:
    """The declared shape; reads nothing."""
    return tuple(int(n) for n in dataset.shape or ())


def read_array(dataset: h5py.Dataset, who: str) -> np.ndarray:
    """The values. Check the shape first: it is allocated here.

    bfloat16 has no HDF5 type; Keras writes its two bytes as opaque data.
    """
    check_dataset(dataset, who)
    if dataset.shape is None:
        return np.zeros((0,), "float32")
    values = dataset[()]
    if dataset.dtype == np.dtype("V2"):
        return np.asarray(values).view(ml_dtypes.bfloat16)
    return np.asarray(values)


class Arrays(Mapping[str, Any]):
    """The arrays of one group as a mapping, each read when asked for; for `load_own_variables`."""

    def __init__(self, group: h5py.Group | None, who: str) -> None:
        self._group = group
        self._who = who
        self.attrs = {} if group is None else group.attrs

    def dataset(self, name: str) -> h5py.Dataset | None:
        """The dataset itself, for its shape."""
        found = None if self._group is None else child(self._group, name, self._who)
        return found if isinstance(found, h5py.Dataset) else None

    def __getitem__(self, name: str) -> np.ndarray:
        found = self.dataset(name)
        if found is None:
            raise KeyError(name)
        return read_array(found, self._who)

    def __iter__(self) -> Iterator[str]:
        names = (
            [] if self._group is None else [n for n in self._group if self.dataset(n) is not None]
        )
        return iter(sorted(names, key=lambda n: (len(n), n) if n.isdigit() else (0, n)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def attribute(group: h5py.Group, name: str) -> Any:
    """An attribute, joined when it was spread over parts; None when it is not there."""
    if name in group.attrs:
        return group.attrs[name]
    parts = []
    for index in range(_MAX_PARTS):
        if f"{name}{index}" not in group.attrs:
            break
        parts.append(np.atleast_1d(group.attrs[f"{name}{index}"]))
    return np.concatenate(parts) if parts else None


def text_attribute(group: h5py.Group, name: str) -> str | None:
    """An attribute that holds text, in either of HDF5's two forms."""
    value = attribute(group, name)
    if value is None:
        return None
    if isinstance(value, np.ndarray):
        value = b"".join(_bytes(v) for v in value.ravel())
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def names_attribute(group: h5py.Group, name: str) -> list[str] | None:
    """An attribute that holds a list of names; None when it is not there."""
    value = attribute(group, name)
    if value is None:
        return None
    return (
        [_bytes(v).decode("utf-8") for v in np.atleast_1d(value).ravel()] if np.size(value) else []
    )


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytes | np.bytes_) else str(value).encode("utf-8")


def write_names(group: h5py.Group, name: str, values: list[str]) -> None:
    """Write a list of names. Texts of any length do not count towards the 64 kB of a header."""
    kind = h5py.string_dtype("utf-8")
    group.attrs.create(name, np.array(values, dtype=object), shape=(len(values),), dtype=kind)


def write_array(group: h5py.Group, name: str, values: Any) -> None:
    """Write one array. The same array gives the same bytes: no times are stored."""
    array = np.asarray(values)
    if array.dtype == ml_dtypes.bfloat16:
        dataset = group.create_dataset(name, data=array.view(np.dtype("V2")))
        dataset.attrs["dtype"] = "bfloat16"
        return
    if array.dtype.kind in "OU":
        group.create_dataset(name, data=array.astype(object), dtype=h5py.string_dtype("utf-8"))
        return
    group.create_dataset(name, data=array)


class Writer:
    """A new HDF5 file in memory; `bytes()` closes it and gives its content.

    Example:
        >>> with Writer() as writer:
        ...     write_array(writer.root, "a", [1.0])
        >>> writer.content[:4] == SIGNATURE[:4]
        True
    """

    content: bytes = b""

    def __enter__(self) -> Writer:
        self.root = h5py.File("weights", "w", driver="core", backing_store=False)
        return self

    def __exit__(self, kind: Any, *rest: object) -> None:
        if kind is None:
            self.root.flush()
            self.content = self.root.id.get_file_image()
        self.root.close()


__all__ = [
    "SIGNATURE", "Arrays", "Writer", "attribute", "check_dataset", "child", "names_attribute",
    "open_file", "read_array", "shape_of", "subgroup", "text_attribute", "write_array",
    "write_names",
]  # fmt: skip
