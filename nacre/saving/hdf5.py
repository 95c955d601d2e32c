"""Reading and writing HDF5 with care: plain arrays and attributes, nothing that points outside.

An HDF5 file may hold links to other files, arrays whose bytes lie in other files, groups that hold
themselves, and declared sizes far above what is stored. None of these is followed or allocated.
Every question to the library is asked here, so that a damaged file is one error that names it.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
import weakref
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import ml_dtypes
import numpy as np

from nacre.core.errors import FileFormatError, NacreError, message
from nacre.core.origins import is_own_bug_whatever_was_read
from nacre.core.regions import Meanwhile, Region, StoredPart
from nacre.core.variable import Variable
from nacre.saving.hdf5_text import Contents, DamagedError

# The first eight bytes of every HDF5 file: "III.A. Disk Format: Level 0A - Format Signature and
# Superblock" of the HDF5 File Format Specification 3.0.
SIGNATURE = b"\x89HDF\r\n\x1a\n"

# Root attribute of nacre's: place -> CRC-32 of the array there, as JSON; for texts with the length
# before it, as a text of another length was changed on purpose: a disk changes bits, not lengths,
# and people do edit configs. HDF5 itself has checksums for arrays in pieces alone.
CHECKSUMS = "nacre_checksums"

# Keras spreads an attribute over `name0`, `name1`, ... when it is above HDF5's 64 kB for a header.
_MAX_PARTS = 10_000
# What arrays may be larger than the bytes stored for them, all of a file together: by this factor
# of the file's size, and these bytes. Trained weights hardly compress.
_MAX_RATIO = 100
_RATIO_MATTERS_ABOVE = 64 << 20
_MAX_DEPTH = 100
# Checksums of larger arrays are taken in threads, while the next array is read or written.
_LARGE_BYTES = 1 << 20
_MAX_PENDING = 4


@dataclass(frozen=True)
class Elsewhere:
    """An array that a file tells of and does not hold: it is read where it is."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Outline:
    """A file of names and shapes, whose arrays are all elsewhere.

    Attributes:
        content: The file.
        arrays: Place in it -> the array.
        size: Bytes of what they are read from.
    """

    content: bytes
    arrays: Mapping[str, Elsewhere]
    size: int

    def __len__(self) -> int:
        return self.size


class _FileState:
    """What we keep of an open file: its bytes, its checksums, how much was unpacked so far."""

    def __init__(self, contents: Contents | None, who: str) -> None:
        self.contents = contents
        self.who = who
        self.checksums: dict[str, str] = {}
        self.excess: dict[int, int] = {}
        self.has_checksums = False
        self.region: Region | None = None  # of a file that is being written
        self.pending: list[tuple[str, Meanwhile]] = []  # place -> its checksum, soon
        self.opened: Region | None = None  # of a file within another
        self.elsewhere: Mapping[str, Elsewhere] = {}  # place -> an array of an outline
        self.whole: Meanwhile | None = None  # whether the file's bytes have their checksum, soon

    def settle(self) -> None:
        """Wait for what is being compared."""
        pending, self.pending = self.pending, []
        for place, found in pending:
            _refuse_checksum(found.wait(), self, place)
        if self.whole is not None and not self.whole.wait():
            raise FileFormatError(
                message(
                    self.who,
                    "a .keras file must be a complete zip archive",
                    "weights of another checksum than the archive says",
                    "It may be damaged or only partly copied: fetch it again.",
                )
            )


# By HDF5's number of the file; a file that is opened otherwise is not in it.
_states: weakref.WeakValueDictionary[int, _FileState] = weakref.WeakValueDictionary()


class OpenFile(h5py.File):
    """An HDF5 file whose bytes can be read beside the library."""

    def __init__(self, source: Any, who: str, verify: bool = True) -> None:
        region = source.open() if isinstance(source, StoredPart) else None
        arrays: Mapping[str, Elsewhere] = {}
        if isinstance(source, Outline):
            source, arrays = io.BytesIO(source.content), source.arrays
        try:
            super().__init__(source if region is None else region, "r")
            own = source.getvalue() if isinstance(source, io.BytesIO) else source
            self._nacre = _FileState(Contents(own, who), who)
        except BaseException:
            if region is not None:
                region.file.close()
            raise
        self._nacre.opened, self._nacre.elsewhere = region, arrays
        _states[_address(self)[0]] = self._nacre
        if verify and isinstance(source, StoredPart) and source.crc is not None:
            self._nacre.whole = Meanwhile(lambda: _has_crc(source))

    def close(self) -> None:
        """Close the file and its bytes."""
        state = getattr(self, "_nacre", None)
        if state is not None and state.contents is not None:
            state.contents.close()
        super().close()
        if state is not None and state.opened is not None:
            state.opened.file.close()


def _has_crc(part: StoredPart) -> bool:
    region = part.open()
    try:
        return region.crc32() == part.crc
    finally:
        region.file.close()


def settle(item: Any) -> None:
    """Wait until what was read of a file so far has been compared with its checksums: large arrays
    are while others are read.

    Raises:
        FileFormatError: It has others.
    """
    state = _state_of(item)
    if state is not None:
        state.settle()


def open_file(source: Any, who: str, verify: bool = True) -> h5py.File:
    """Open a file for reading from its path, its bytes or a file object.

    Args:
        source: Path, bytes, a file object in memory, a part of a file, or an outline.
        who: The file, for errors.
        verify: Whether arrays are compared with the checksums in the file when they are read.

    Raises:
        FileFormatError: It is damaged or no HDF5 file.
    """
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    elif not isinstance(source, io.BytesIO | StoredPart | Outline):
        source = os.fspath(source)
    try:
        file = OpenFile(source, who, verify)
    except FileNotFoundError:
        raise
    except Exception as error:
        if is_own_bug_whatever_was_read(error):
            raise
        raise FileFormatError(
            message(
                who,
                "it must be a complete HDF5 file",
                f"a file that HDF5 cannot open ({_first_line(error)})",
                "It may be damaged or only partly copied: fetch it again.",
            )
        ) from None
    if verify:
        try:
            file._nacre.checksums = _read_checksums(file)
        except BaseException:
            file.close()
            raise
    return file


def image_of(file: h5py.File, who: str) -> bytes:
    """The bytes of a file that somebody holds open.

    Raises:
        FileFormatError: It is closed.
    """
    try:
        file.flush()
        return bytes(file.id.get_file_image())
    except (ValueError, RuntimeError, OSError) as error:
        got = f"an h5py.File that cannot be read ({_first_line(error)})"
        raise FileFormatError(message(who, "the file must be open", got)) from None


def copy_into(file: h5py.File, content: bytes, names: Collection[str], who: str) -> None:
    """Put the groups and attributes of a file in the place of those in one that is open.

    Args:
        file: The open one.
        content: The bytes of the other.
        names: Groups and beginnings of attributes that are taken away before, as what was there may
            have had more than what comes.
        who: What errors call it.

    Raises:
        FileFormatError: It is closed, or open for reading alone.
    """
    try:
        with h5py.File(io.BytesIO(content), "r") as source:
            for name in [name for name in file if name in names]:
                del file[name]
            for name in [n for n in file.attrs if n.startswith(tuple(names))]:
                del file.attrs[name]
            for name in source:
                source.copy(name, file)
            for name, value in source.attrs.items():
                file.attrs.create(name, value, dtype=source.attrs.get_id(name).dtype)
        file.flush()
    except (ValueError, KeyError, RuntimeError, OSError) as error:
        got = f"an h5py.File that cannot be written to ({_first_line(error)})"
        fix = "Open it with h5py.File(path, 'w'), or save to the path itself."
        raise FileFormatError(message(who, "the file must be open for writing", got, fix)) from None


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _state_of(item: Any) -> _FileState | None:
    """The state of the file that an object is in."""
    try:
        return _states.get(_address(item)[0])
    except Exception:  # its header is damaged
        return None


@contextlib.contextmanager
def _damage_explained(item: Any, who: str = "") -> Iterator[None]:
    """Around one call of the HDF5 library, and nothing else: what it raises is damage."""
    try:
        yield
    except NacreError:
        raise
    except Exception as error:
        if is_own_bug_whatever_was_read(error):
            raise
        state = _state_of(item)
        name = who or (state.who if state else "HDF5 file")
        raise FileFormatError(
            message(
                name,
                "the file must be intact",
                f"damage at {_shown_name(item)} ({_first_line(error)})",
                "It may be damaged or only partly copied: fetch it again.",
            )
        ) from None


def _place_of(dataset: h5py.Dataset) -> str:
    """Its path in the file, without a slash before."""
    return _shown_name(dataset).lstrip("/")


def _shown_name(item: Any) -> str:
    try:
        return item.name or "a nameless place"
    except Exception:
        return "a place that cannot be named"


def member_names(group: h5py.Group, who: str = "") -> list[str]:
    """Names in a group, in the library's order."""
    with _damage_explained(group, who):
        return _names_as_text(list(group))


def _names_as_text(names: list[Any]) -> list[str]:
    """Names as h5py gives them: one that is no UTF-8 is `bytes`."""
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"the name {name!r}, which is no text")
    return names


def address(item: Any, who: str = "") -> tuple[int, int]:
    """The file's number, and where the object's header lies: equal for two names of one object."""
    with _damage_explained(item, who):
        return _address(item)


def _address(item: Any) -> tuple[int, int]:
    info = h5py.h5g.get_objinfo(item.id)
    low, high = info.objno  # two numbers where C's `long` has 32 bits
    return info.fileno[0], low + (high << 32)


def child(group: h5py.Group, name: str, who: str) -> Any:
    """The group or dataset called `name`, or None.

    As HDF5 takes a path: one slash or several between two names, and one before them begins at the
    file's own group.

    Raises:
        FileFormatError: The name is a link, to another file or within this one.
    """
    parts = [part for part in name.split("/") if part]
    current = group.file["/"] if name.startswith("/") else group
    for part in parts:
        if not isinstance(current, h5py.Group):
            return None
        with _damage_explained(current, who):
            kind = _link_kind(current, part)
        if kind is None:
            return None
        if kind != h5py.h5l.TYPE_HARD:
            raise FileFormatError(
                message(
                    who,
                    "a weights file must hold its arrays itself",
                    f"a link at {_shown_name(current).rstrip('/')}/{part}",
                    "Do not open files of this kind from people you do not trust.",
                )
            )
        with _damage_explained(current, who):
            # By the opened link: `get` answers None for what is there and cannot be read.
            current = current[part]
    return current if parts else None


def _link_kind(group: h5py.Group, name: str) -> int | None:
    """The kind of a link, None where there is none; below h5py's `get`, which is slow."""
    links, key = group.id.links, name.encode("utf-8", "surrogateescape")
    return int(links.get_info(key).type) if name and links.exists(key) else None


def subgroup(group: h5py.Group, name: str, who: str) -> h5py.Group | None:
    """The group called `name`, or None."""
    found = child(group, name, who)
    return found if isinstance(found, h5py.Group) else None


def walk(
    group: h5py.Group, who: str, is_skipped: Callable[[str, h5py.Group], bool] | None = None
) -> Iterator[tuple[str, Any]]:
    """(path, group or dataset) of all there is below a group, each object once.

    A group may be its own member, or be there under many names, and then has no end of paths.

    Args:
        group: Where to begin.
        who: The file, for errors.
        is_skipped: (name of a group, group) -> whether to skip its contents.
    """
    seen = {address(group, who)}
    pending = [("", group, 0)]
    while pending:
        path, current, depth = pending.pop()
        for name in member_names(current, who):
            item = child(current, name, who)
            where = address(item, who)
            if where in seen:
                continue
            seen.add(where)
            yield f"{path}{name}", item
            if isinstance(item, h5py.Group) and not (is_skipped and is_skipped(name, item)):
                if depth > _MAX_DEPTH:
                    rule = f"groups must lie at most {_MAX_DEPTH} deep"
                    raise FileFormatError(message(who, rule, "more"))
                pending.append((f"{path}{name}/", item, depth + 1))


# -------------------------------------------------------------------- arrays


def check_dataset(dataset: h5py.Dataset, who: str) -> None:
    """Refuse arrays whose bytes lie elsewhere, and kinds of data that weights never have."""
    reason = None
    with _damage_explained(dataset, who):
        dtype = dataset.dtype
        if dataset.is_virtual or dataset.external:
            reason = "an array whose bytes lie in other files"
        elif dtype.kind not in "fiub" and dtype != np.dtype("V2"):
            if h5py.check_string_dtype(dtype) is None:
                reason = f"data of type {dtype}"
    if reason:
        raise FileFormatError(
            message(
                who, "a weights file must hold plain arrays", f"{reason} at {_shown_name(dataset)}"
            )
        )


def shape_of(dataset: h5py.Dataset) -> tuple[int, ...]:
    """The declared shape; reads nothing."""
    with _damage_explained(dataset):
        return tuple(int(n) for n in dataset.shape or ())


def is_int8(dataset: h5py.Dataset) -> bool:
    """Whether the values are whole numbers of one byte."""
    with _damage_explained(dataset):
        return bool(dataset.dtype == np.int8)


def read_array(dataset: h5py.Dataset, who: str) -> np.ndarray:
    """The values. Check the shape first: it is allocated here.

    bfloat16 has no HDF5 type; Keras writes its two bytes as opaque data.

    Raises:
        FileFormatError: It is no plain array, is far larger than what is stored of it, or its
            checksum is another.
    """
    check_dataset(dataset, who)
    state = _state_of(dataset)
    if state is not None and state.elsewhere:
        found = state.elsewhere.get(_place_of(dataset))
        if found is not None:
            return found.read()
    _refuse_bombs(dataset, state, who)
    with _damage_explained(dataset, who):
        if dataset.shape is None:
            return np.zeros((0,), "float32")
        if h5py.check_string_dtype(dataset.dtype) is not None:
            return _read_texts(dataset, state)
        values = np.asarray(dataset[()])
        if dataset.dtype == np.dtype("V2"):
            values = values.view(ml_dtypes.bfloat16)
    if state is not None and state.checksums:
        _verify(values, state, _place_of(dataset))
    return values


def read_numbers(dataset: h5py.Dataset, who: str) -> np.ndarray:
    """The values for a variable.

    Raises:
        FileFormatError: As `read_array`, and when they are texts.
    """
    values = read_array(dataset, who)
    if values.dtype.kind in "OSU":
        raise FileFormatError(
            message(who, "variables must be set from numbers", f"texts at {_shown_name(dataset)}")
        )
    return values


def _read_texts(dataset: h5py.Dataset, state: _FileState | None) -> np.ndarray:
    if state is None or state.contents is None:
        return np.asarray(dataset[()])
    texts = state.contents.dataset_texts(_address(dataset)[1])
    values = np.empty(len(texts), object)
    values[:] = texts
    return values.reshape(dataset.shape)


def _refuse_bombs(dataset: h5py.Dataset, state: _FileState | None, who: str) -> None:
    with _damage_explained(dataset, who):
        declared = math.prod(shape_of(dataset)) * dataset.dtype.itemsize
        stored = min(dataset.id.get_storage_size(), declared)
        size = stored
        if state is not None and state.contents is not None:
            size = state.contents.size
            stored = min(stored, size)
        total = declared - stored
        if state is not None:
            state.excess[_address(dataset)[1]] = total
            total = sum(state.excess.values())
    if total > _MAX_RATIO * size + _RATIO_MATTERS_ABOVE:
        raise FileFormatError(
            message(
                who,
                "arrays must have the size of what is stored of them",
                f"{declared} bytes declared at {_shown_name(dataset)}, {stored} stored",
                "Do not open files of this kind from people you do not trust.",
            )
        )


class Arrays(Mapping[str, Any]):
    """The arrays of one group as a mapping, each read when asked for; for `load_own_variables`."""

    def __init__(self, group: h5py.Group | None, who: str) -> None:
        self._group = group
        self._who = who
        self._opened: dict[str, h5py.Dataset | None] = {}
        self.attrs: Mapping[str, Any] = {} if group is None else _Attributes(group)

    def dataset(self, name: str) -> h5py.Dataset | None:
        """The dataset itself, for its shape."""
        if name not in self._opened:
            found = None if self._group is None else child(self._group, name, self._who)
            self._opened[name] = found if isinstance(found, h5py.Dataset) else None
        return self._opened[name]

    def __getitem__(self, name: str) -> np.ndarray:
        found = self.dataset(name)
        if found is None:
            raise KeyError(name)
        return read_array(found, self._who)

    def shape(self, name: str) -> tuple[int, ...]:
        """The declared shape of an array that a list in the file says is there."""
        return shape_of(self._listed(name))

    def numbers(self, name: str) -> np.ndarray:
        """The values for a variable, which are no texts."""
        return read_numbers(self._listed(name), self._who)

    def check(self) -> None:
        """Read every array and let it go again."""
        for name in self:
            self[name]

    def _listed(self, name: str) -> h5py.Dataset:
        found = self.dataset(name)
        if found is None:
            place = "" if self._group is None else _shown_name(self._group)
            raise FileFormatError(
                message(
                    self._who,
                    "every array it lists must be in it",
                    f"no '{name}' in {place}",
                    "It may be only partly written: fetch it again.",
                )
            )
        return found

    def __iter__(self) -> Iterator[str]:
        names = [] if self._group is None else member_names(self._group, self._who)
        names = [name for name in names if self.dataset(name) is not None]
        return iter(sorted(names, key=lambda n: (len(n), n) if n.isdigit() else (0, n)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


# -------------------------------------------------------------------- attributes


class _Attributes(Mapping[str, Any]):
    """The attributes of a group: texts as `str`, lists of them as arrays of `str`, and numbers."""

    def __init__(self, group: h5py.Group) -> None:
        self._group = group

    def __getitem__(self, name: str) -> Any:
        value = _attribute(self._group, name)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        with _damage_explained(self._group):
            return iter(_names_as_text(list(self._group.attrs)))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def has_attribute(group: h5py.Group, name: str) -> bool:
    """Whether an attribute is there; reads nothing."""
    with _damage_explained(group):
        return name in group.attrs


def _attribute(group: h5py.Group, name: str) -> Any:
    """A text, a list of texts, or numbers; None when it is not there."""
    state = _state_of(group)
    with _damage_explained(group):
        if state is None or state.contents is None:  # a file that this process has made itself
            return _plain(group.attrs[name]) if name in group.attrs else None
        try:
            value = state.contents.attribute(_address(group)[1], name)
        except DamagedError as error:
            raise ValueError(f"attribute '{name}': {error}") from None
        if value is None:
            return None
        if value.texts is None:
            return group.attrs[name]
        texts = [text.decode("utf-8") for text in value.texts]
        return texts[0] if value.is_single else texts


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        return [_text(item) for item in value.ravel()]
    return _text(value) if isinstance(value, bytes) else value


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _joined(group: h5py.Group, name: str) -> Any:
    """An attribute, joined when it was spread over parts; None when it is not there."""
    value = _attribute(group, name)
    if value is not None:
        return value
    parts: list[str] = []
    for index in range(_MAX_PARTS):
        part = _attribute(group, f"{name}{index}")
        if part is None:
            break
        parts += [part] if isinstance(part, str) else [str(item) for item in part]
    return parts or None


def text_attribute(group: h5py.Group, name: str) -> str | None:
    """An attribute that holds text, in either of HDF5's two forms."""
    value = _joined(group, name)
    if value is None:
        return None
    text = "".join(value) if isinstance(value, list) else str(value)
    state = _state_of(group)
    if state is not None and state.checksums:
        _verify(text, state, f"{_shown_name(group).strip('/')}@{name}")
    return text


def names_attribute(group: h5py.Group, name: str) -> list[str] | None:
    """An attribute that holds a list of names; None when it is not there."""
    value = _joined(group, name)
    if value is None:
        return None
    return [value] if isinstance(value, str) else [str(item) for item in np.ravel(value)]


# -------------------------------------------------------------------- checksums


def checksum(values: np.ndarray | str) -> str:
    """CRC-32 of an array's type, shape and bytes (the lowest first); of a text, length and CRC."""
    if isinstance(values, str):
        text = values.encode("utf-8")
        return f"{len(text)} {zlib.crc32(text):08x}"
    if sys.byteorder == "big":
        values = values.byteswap()
    start = zlib.crc32(f"{values.dtype.name}{values.shape}".encode())
    return f"{zlib.crc32(bytes_of(values), start):08x}"


def bytes_of(values: np.ndarray) -> memoryview:
    """An array's bytes in its order, without a copy where they already lie so."""
    return np.ascontiguousarray(values).reshape(-1).view("uint8").data


def _verify(values: np.ndarray | str, state: _FileState, place: str) -> None:
    if place not in state.checksums:
        return
    if isinstance(values, np.ndarray) and values.nbytes >= _LARGE_BYTES:
        state.pending.append((place, Meanwhile(lambda: checksum(values))))
        if len(state.pending) > _MAX_PENDING:
            oldest, found = state.pending.pop(0)
            _refuse_checksum(found.wait(), state, oldest)
        return
    found = checksum(values)
    is_edited_text = isinstance(values, str) and (
        found.split(" ")[0] != state.checksums[place].split(" ")[0]
    )
    if not is_edited_text:
        _refuse_checksum(found, state, place)


def _refuse_checksum(found: str, state: _FileState, place: str) -> None:
    if found == state.checksums[place]:
        return
    raise FileFormatError(
        message(
            state.who,
            "what it holds must have the checksum it was written with",
            f"another one for '{place}'",
            "It is damaged: fetch it again. If it was changed on purpose, take the checksums out: "
            f"del h5py.File(path, 'a').attrs['{CHECKSUMS}'].",
        )
    )


def _read_checksums(file: h5py.File) -> dict[str, str]:
    text = text_attribute(file, CHECKSUMS)
    if text is None:
        return {}
    try:
        return {str(place): str(value) for place, value in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise FileFormatError(
            message(
                file._nacre.who,
                f"its attribute '{CHECKSUMS}' must be JSON",
                "a damaged one",
                "Fetch the file again.",
            )
        ) from None


def had_group(file: h5py.File, name: str) -> bool:
    """Whether a group was in the file when it was written, as far as its checksums tell."""
    state = _state_of(file)
    return state is not None and any(place.startswith(f"{name}/") for place in state.checksums)


# -------------------------------------------------------------------- writing


def write_names(group: h5py.Group, name: str, values: list[str]) -> None:
    """Write a list of names. Texts of any length do not count towards the 64 kB of a header."""
    kind = h5py.string_dtype("utf-8")
    group.attrs.create(name, np.array(values, dtype=object), shape=(len(values),), dtype=kind)


def write_array(group: h5py.Group, name: str, values: Any) -> None:
    """Write one array. The same array gives the same bytes: no times are stored."""
    array = host_array(values)
    state = _state_of(group)
    try:
        if array.dtype == ml_dtypes.bfloat16:
            dataset = group.create_dataset(name, data=array.view(np.dtype("V2")))
            dataset.attrs["dtype"] = "bfloat16"
        elif array.dtype.kind in "OU":
            kind = h5py.string_dtype("utf-8")
            dataset = group.create_dataset(name, data=array.astype(object), dtype=kind)
            return
        else:
            dataset = group.create_dataset(name, data=array)
    finally:
        if state is not None and state.region is not None:
            state.region.check()
    if state is not None and state.has_checksums:
        place = _place_of(dataset)
        if array.nbytes < _LARGE_BYTES:
            state.checksums[place] = checksum(array)
            return
        state.pending.append((place, Meanwhile(lambda: checksum(array))))
        if len(state.pending) > _MAX_PENDING:
            oldest, found = state.pending.pop(0)
            state.checksums[oldest] = found.wait()


def declare_array(group: h5py.Group, name: str, array: Elsewhere) -> None:
    """Tell of an array that is elsewhere; takes no room."""
    is_bfloat16 = array.dtype == ml_dtypes.bfloat16
    group.create_dataset(name, array.shape, np.dtype("V2") if is_bfloat16 else array.dtype)


def host_array(values: Any) -> np.ndarray:
    """An array for reading at once; of a variable what it holds, not a copy."""
    return values.on_host() if isinstance(values, Variable) else np.asarray(values)


def write_text(group: h5py.Group, name: str, text: str) -> None:
    """Write an attribute of text that has a checksum."""
    group.attrs[name] = text
    state = _state_of(group)
    if state is not None and state.has_checksums:
        state.checksums[f"{_shown_name(group).strip('/')}@{name}"] = checksum(text)


class Writer:
    """A new HDF5 file; leaving it closes it.

    Args:
        region: Where to write.
        checksums: Whether the file says the checksums of what `write_array` and `write_text` put
            into it; without use where the archive around it has some.

    Example:
        >>> def fill(region):
        ...     with Writer(region) as root:
        ...         write_array(root, "a", [1.0])
        >>> from nacre.core.regions import as_bytes
        >>> as_bytes(fill)[:4] == SIGNATURE[:4]
        True
    """

    def __init__(self, region: Region, checksums: bool = True) -> None:
        self._state = _FileState(None, "weights")
        self._state.region = region
        self._state.has_checksums = checksums

    def __enter__(self) -> h5py.File:
        assert self._state.region is not None
        self._root = h5py.File(self._state.region, "w")
        _states[_address(self._root)[0]] = self._state
        return self._root

    def __exit__(self, kind: Any, *rest: object) -> None:
        state, region = self._state, self._state.region
        pending = [(place, found.wait()) for place, found in state.pending]
        try:
            if kind is None and state.has_checksums:
                state.checksums.update(pending)
                # In the order of the file, whatever was ready first.
                places = sorted(state.checksums)
                found = {place: state.checksums[place] for place in places}
                if found:
                    self._root.attrs[CHECKSUMS] = json.dumps(found)
        finally:
            self._root.close()
        assert region is not None
        if kind is None:
            region.check()


__all__ = [
    "CHECKSUMS", "SIGNATURE", "Arrays", "Elsewhere", "Outline", "Writer", "address", "bytes_of",
    "check_dataset", "checksum", "child", "declare_array", "had_group", "has_attribute",
    "host_array", "is_int8", "member_names", "names_attribute", "open_file", "read_array",
    "read_numbers", "settle", "shape_of", "subgroup", "text_attribute", "walk", "write_array",
    "write_names", "write_text",
]  # fmt: skip
