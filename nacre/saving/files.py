"""Which kind of file something is, by its content; and errors that say what to do instead."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import h5py

from nacre.core import addresses
from nacre.core.atomic import recover
from nacre.core.errors import FileFormatError, WeightsMismatchError, message, nearest
from nacre.core.wire import npz, safetensors, tflite
from nacre.core.wire.bundle import files_of
from nacre.core.wire.tensorflow.saved_model import FILE
from nacre.saving import archive, hdf5, orbax
from nacre.saving.checkpoint_graph import find as find_checkpoint
from nacre.saving.safetensors_index import WHOLE, index_in

KINDS = {
    "native": "a .keras model",
    "native_folder": "an unzipped .keras model",
    "h5_model": "an .h5 model",
    "legacy_weights": "an .h5 file of weights",
    "weights": "a Keras 3 file of weights",
    "sharded_weights": "a list of weight shards",
    "named_folder": "an unzipped model with safetensors files",
    "named_shards": "an index of safetensors files of weights",
    "orbax": "a checkpoint of Orbax",
    "saved_model": "a SavedModel folder",
    "frozen_graph": "a frozen graph of TensorFlow",
    "checkpoint": "a checkpoint of TensorFlow",
    "safetensors": "a safetensors file of weights",
    "npz": "an .npz file of weights",
    "tflite": "a TFLite model",
    "tfjs": "a model of TF.js",
    "onnx": "a file of ONNX",
    "pt2": "an archive of torch.export",
}


_TFJS = "model.json"
# What `torch.export.save` writes, in a folder of any name; and `torch.save`, `torch.jit.save`.
_OF_PT2 = ("/archive_format", "serialized_exported_program.json")
_OF_TORCH = "/data.pkl"
# Tags of what may follow the version in a file of ONNX: producer, domain, graph, operator sets ...
_ONNX_FIELDS = frozenset((0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72))


class MissingFileError(FileFormatError, FileNotFoundError):
    """There is no file at the path."""


_Found = TypeVar("_Found")
_READINGS = 8  # of files that another save replaces meanwhile


def read_whole(filepath: Any, read: Callable[[], _Found]) -> _Found:
    """What `read` gives of a path; once more where another process has replaced it meanwhile.

    A folder, a checkpoint and large arrays are read in more than one step, and a save between two
    of them leaves parts of two files: their checksums differ, and nothing has been changed yet.

    Raises:
        NacreError: That of `read`, where the file is the one that it began with.
    """
    for _ in range(_READINGS):
        before = _state_of(filepath)
        try:
            return read()
        except (FileFormatError, WeightsMismatchError, OSError):
            if before is None or _state_of(filepath) == before:
                raise
    return read()


def _state_of(filepath: Any) -> tuple[tuple[int, ...], ...] | None:
    """What tells a file or folder at a path from a newer one; None for what is no path."""
    if not isinstance(filepath, str | os.PathLike):
        return None
    path = Path(os.fsdecode(filepath))
    prefix = find_checkpoint(path)
    found = []
    for part in (path, path / FILE, *(() if prefix is None else files_of(prefix)[:1])):
        try:
            status = part.stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except (OSError, ValueError):
            found.append(())
    return tuple(found)


class Source:
    """Something to read from: a path, an address, bytes, or a file object, opened once its kind is
    known.

    Attributes:
        name: How errors call it.
        kind: A key of `KINDS`.
    """

    def __init__(self, filepath: Any, who: str) -> None:
        self.path: Path | None = None
        self.content: bytes | None = None
        if isinstance(filepath, bytes | bytearray | memoryview):
            self.content, self.name = bytes(filepath), "bytes"
        elif isinstance(filepath, h5py.File):
            self.content, self.name = hdf5.image_of(filepath, who), "h5py.File"
        elif hasattr(filepath, "read"):
            self.content, self.name = (
                filepath.read(),
                getattr(filepath, "name", None) or "file object",
            )
            self.name = str(self.name)
        elif addresses.is_address(filepath):
            self.name = addresses.file_name(filepath)
            found = addresses.fetch(filepath, who)
            if found is None:
                raise MissingFileError(
                    message(who, "the file must exist", f"no '{self.name}' at the address")
                )
            if isinstance(found, Path):
                self.path = found
            else:
                self.content = found
        else:
            try:
                self.path = Path(os.fsdecode(filepath))
            except TypeError:
                raise FileFormatError(
                    message(
                        who, "filepath must be a path or a file object", type(filepath).__name__
                    )
                ) from None
            self.name = self.path.name or str(self.path)
        self.who = f"'{self.name}'"
        self.kind = self._kind(who)

    def content_bytes(self) -> bytes:
        """All of the file."""
        return (self.content or b"") if self.path is None else self.path.read_bytes()

    def opened(self) -> Any:
        """The path, or the content as a file object."""
        return str(self.path) if self.path is not None else io.BytesIO(self.content or b"")

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return len(self.content or b"") if self.path is None else self.path.stat().st_size

    # ------------------------------------------------------------ finding out

    def _kind(self, who: str) -> str:
        if self.path is not None:
            recover(self.path)
            if (prefix := find_checkpoint(self.path)) is not None:
                self.path = prefix
                return "checkpoint"
            if not os.path.isdir(self.path) and (index := index_in(self.path)) is not None:
                self.path = index
                return "named_shards"
            try:
                mode = self.path.stat().st_mode
            except FileNotFoundError:
                return self._missing(who)
            except (OSError, ValueError) as error:  # a name too long, or with a zero byte
                rule = "filepath must be a path"
                raise FileFormatError(message(who, rule, str(error))) from None
            if stat.S_ISDIR(mode):
                return self._folder_kind(who)
            if not stat.S_ISREG(mode):
                raise FileFormatError(
                    message(who, "the path must be a file's", f"'{self.name}', a device or pipe")
                )
            with open(self.path, "rb") as file:
                beginning = file.read(512)
        else:
            beginning = (self.content or b"")[:512]
        if npz.is_beginning(beginning):
            return "npz"
        if beginning.startswith(archive.SIGNATURE):
            return self._zip_kind(who)
        if beginning.startswith(hdf5.SIGNATURE):
            return self._h5_kind(who)
        if safetensors.is_beginning(beginning, self.size_bytes):
            return "safetensors"
        if beginning[4:8] == tflite.IDENTIFIER.encode():
            return "tflite"
        if _is_onnx(beginning):
            return "onnx"
        if beginning[:1] == b"\x0a" and self.path is not None and self.path.suffix == ".pb":
            return "frozen_graph"  # field 1 of a GraphDef: its nodes
        if beginning.lstrip()[:1] == b"{" and self.path is not None:
            if self.path.name.endswith(".weights.json"):
                return "sharded_weights"
            if self.path.suffix == ".json" and b'"modelTopology"' in self.path.read_bytes():
                return "tfjs"
        raise self._unknown(beginning, who)

    def _zip_kind(self, who: str) -> str:
        names = _zipped_names(self.opened())
        if any(name.endswith(_OF_PT2) for name in names):
            return "pt2"
        if any(name.endswith(_OF_TORCH) for name in names):
            rule = "the file must hold a model without a pickle"
            got = f"'{self.name}', weights or TorchScript of PyTorch, whose pickle is never opened"
            fix = (
                "In PyTorch: torch.export.save(torch.export.export(model.eval(), inputs), "
                "'model.pt2')."
            )
            raise FileFormatError(message(who, rule, got, fix))
        return "native"

    def _h5_kind(self, who: str) -> str:
        with hdf5.open_file(self.opened(), self.who, verify=False) as file:
            if hdf5.has_attribute(file, "model_config"):
                return "h5_model"
            names = hdf5.member_names(file)
            lists_layers = hdf5.names_attribute(file, "layer_names") is not None
            if lists_layers or "model_weights" in names:
                return "legacy_weights"
            if names:
                return "weights"
        raise FileFormatError(
            message(
                who, "the file must hold a model or weights", f"'{self.name}', an empty HDF5 file"
            )
        )

    def _folder_kind(self, who: str) -> str:
        assert self.path is not None
        names = set(os.listdir(self.path))
        if archive.CONFIG in names and archive.WEIGHTS in names:
            return "native_folder"
        if archive.CONFIG in names and (WHOLE in names or index_in(self.path) is not None):
            return "named_folder"
        if orbax.newest(self.path) is not None:
            return "orbax"
        if _TFJS in names and FILE not in names:
            self.path = self.path / _TFJS
            return "tfjs"
        if FILE in names:
            return "saved_model"
        if (index := index_in(self.path)) is not None:
            self.path = index
            return "named_shards"
        if "saved_model.pbtxt" in names:
            raise FileFormatError(
                message(
                    who,
                    "a SavedModel folder must hold saved_model.pb",
                    f"'{self.name}' with saved_model.pbtxt, the form for people to read",
                    "Open it in TensorFlow and save it again with as_text=False.",
                )
            )
        raise FileFormatError(
            message(
                who,
                "the path must be a model file",
                f"'{self.name}', a folder with {', '.join(sorted(names)[:5]) or 'nothing in it'}",
                "Give the path of a file of a model in it.",
            )
        )

    def _missing(self, who: str) -> str:
        assert self.path is not None
        folder = self.path.parent
        fix = f"The folder '{folder}' does not exist either."
        if folder.is_dir():
            usable = (".keras", ".h5", ".hdf5", ".onnx", ".tflite", ".pt2")
            names = sorted(os.listdir(folder))
            others = [name for name in names if name.endswith(usable)]
            near = _nearest_file(self.path.name, names)
            if near:
                fix = f"Did you mean {near!r}?"
            elif others:
                fix = f"Files there: {', '.join(others[:8])}."
            else:
                fix = f"There is no file of a model in '{folder.resolve()}'."
        raise MissingFileError(message(who, "the file must exist", f"'{self.path}'", fix))

    def _unknown(self, beginning: bytes, who: str) -> FileFormatError:
        if not beginning:
            what = "an empty file"
        elif beginning.startswith(b"version https://git-lfs"):
            what = "a Git LFS pointer, not the file it stands for"
        elif beginning.lstrip()[:1] == b"{":
            what = "JSON text"
        elif beginning.lstrip()[:1] == b"<":
            what = "a web page or XML"
        elif beginning[:1] == b"\x80":
            what = "a Python pickle, which is never opened"
        else:
            what = f"a file that begins with {beginning[:8]!r}"
        fixes = {
            "JSON text": "Use nacre.models.model_from_json for a config.",
            "a Git LFS pointer, not the file it stands for": "Run `git lfs pull`.",
        }
        fix = fixes.get(what, "It may be damaged or only partly copied: fetch it again.")
        rule = "the file must be .keras, .h5, .onnx, .tflite or .pt2 by its content"
        return FileFormatError(message(who, rule, f"'{self.name}', {what}", fix))


def _zipped_names(source: Any) -> list[str]:
    """Names of the files in an archive; none where it cannot be read."""
    try:
        with zipfile.ZipFile(source) as members:
            return members.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError):
        return []


def _is_onnx(beginning: bytes) -> bool:
    """Whether a file begins as a `ModelProto` of ONNX: its version, then one of the next fields.

    Version 3 is the oldest that has operator sets; a SavedModel's version is 1.
    """
    if len(beginning) < 3 or beginning[0] != 8:
        return False
    return 3 <= beginning[1] < 128 and beginning[2] in _ONNX_FIELDS


def _nearest_file(wanted: str, names: list[str]) -> str | None:
    """The file named most like `wanted`; an ending in common does not make names alike."""
    ending = wanted.partition(".")[2]
    by_stem = {
        name.partition(".")[0]: name
        for name in sorted(names, key=lambda name: name.partition(".")[2] == ending)
    }
    stem = nearest(wanted.partition(".")[0], by_stem)
    return None if stem is None else by_stem[stem]


__all__ = ["KINDS", "MissingFileError", "Source", "read_whole"]
