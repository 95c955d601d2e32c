"""Weights as arrays by name, the variables' paths: `.safetensors` and `.npz`.

They hold the weights alone: no optimizer, no seeds, no vocabularies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import jax.numpy as jnp
import numpy as np

from nacre.core.errors import FileFormatError, message
from nacre.core.regions import Content
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.core.wire import npz, safetensors
from nacre.saving.array_order import base_name, is_renumbered, pairs_by_names
from nacre.saving.files import Source
from nacre.saving.legacy_layout import unique_names
from nacre.saving.weights import Differences, LoadStep, mismatch, refuse_difference, run_steps
from nacre.training import state_file

ENDINGS = (".safetensors", ".npz")

# What `__metadata__` says of a file, where other libraries write 'pt' or 'np'.
METADATA = {"format": "nacre"}


Streams = dict[str, safetensors.Stream]  # name -> array, which is read when it is written


def to_content(model: Any, ending: str) -> tuple[Content, Streams]:
    """A file of a model's weights, and the arrays in it.

    Args:
        ending: One of `ENDINGS`.
    """
    variables = list(model.weights)
    dtype_for = _of_numpy if ending == ".npz" else _of_safetensors
    pairs = zip(unique_names(variables), variables, strict=True)
    streams = {name: _stream(variable, dtype_for) for name, variable in pairs}
    if ending == ".npz":
        return partial(npz.write, arrays={n: s.read for n, s in streams.items()}), streams
    return partial(safetensors.write, streams=streams, metadata=METADATA), streams


def _stream(
    variable: Variable, dtype_for: Callable[[np.dtype[Any]], np.dtype[Any]]
) -> safetensors.Stream:
    dtype = dtype_for(jnp.dtype(variable.own_dtype))
    shape = tuple(variable.shape)
    return safetensors.Stream(dtype, shape, lambda: variable.on_host().astype(dtype, copy=False))


def _of_numpy(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """One that `numpy.load` knows, which holds the same numbers."""
    if dtype.kind in "biufc" and dtype.isbuiltin == 1:
        return dtype
    return np.dtype("float32" if _kind(dtype) == "float" else "int8")


def _of_safetensors(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype if dtype in safetensors.NAMES else _of_numpy(dtype)


def check(path: Path, arrays: Streams, who: str) -> None:
    """Raise unless a written file holds exactly these arrays.

    Raises:
        FileFormatError: An array is missing or differs.
    """
    reader = npz.Reader if path_is_npz(path) else safetensors.Reader
    with reader(path, who) as file:
        for name, stream in arrays.items():
            entry = file.entries.get(name)
            fits = entry is not None and (entry.shape, entry.dtype) == (stream.shape, stream.dtype)
            refuse_difference(file.read(name) if fits else None, stream.read(), name, who)


def path_is_npz(path: Path) -> bool:
    """Whether a file that has just been written is an archive."""
    with open(path, "rb") as file:
        return npz.is_beginning(file.read(512))


def load(model: Any, source: Source, skip_mismatch: bool) -> None:
    """Set a model's weights from a file.

    Raises:
        WeightsMismatchError: They do not fit; everything is listed, and nothing was changed.
        FileFormatError: It is damaged.
    """
    place: Path | bytes = source.content or b"" if source.path is None else source.path
    if source.kind == "npz":
        with npz.Reader(place, source.who) as archive:
            set_weights(model, archive, source.who, skip_mismatch)
        return
    with safetensors.Reader(place, source.who) as file:
        if file.metadata.get("format") == state_file.FORMAT:
            raise FileFormatError(
                message(
                    source.who,
                    "the file must hold weights alone",
                    "the state of a training",
                    "Use fit(..., resume=folder) to go on with it.",
                )
            )
        set_weights(model, file, source.who, skip_mismatch)


class ArrayReader(Protocol):
    """An open file of arrays by name, with dtype and shape of each."""

    @property
    def entries(self) -> Mapping[str, Any]:
        """Name -> what an array is."""
        ...

    def read(self, name: str) -> np.ndarray:
        """The numbers of an array."""
        ...

    def settle(self) -> None:
        """Wait until what was read has been compared with its checksums."""
        ...


def set_weights(model: Any, file: ArrayReader, who: str, skip_mismatch: bool) -> None:
    """Set a model's weights from an open file; see `load`."""
    variables = list(model.weights)
    wanted = dict(zip(unique_names(variables), variables, strict=True))
    places = _places(wanted, file)
    differences = Differences()
    steps: list[LoadStep] = []
    for name, variable in wanted.items():
        if (place := places.get(name)) is None:
            differences.missing.append(name)
            continue
        entry = file.entries[place]
        own_dtype = jnp.dtype(variable.own_dtype)
        if entry.shape != variable.shape:
            differences.shapes.append(f"{name}   file {entry.shape}   model {variable.shape}")
        elif _kind(entry.dtype) != _kind(own_dtype):
            # Whole numbers of a quantized weight would be far too large as floats.
            differences.shapes.append(f"{name}   file {entry.dtype}   model {own_dtype}")
        else:
            steps.append(_step(file, place, variable, who))
    differences.extra = [name for name in file.entries if name not in set(places.values())]
    if differences or differences.extra:
        file.settle()  # damage is told first, which changes names too
        # A name too many says that the model is another one: `dense` may be another layer then.
        if not skip_mismatch:
            raise mismatch(who, model, differences)
        warn(
            f"{who}, loaded into '{model.name}': {differences.counts()}; these were left as they "
            f"are.{differences.lines()}",
        )
    run_steps(steps, settle=file.settle)


def _places(wanted: dict[str, Variable], file: ArrayReader) -> dict[str, str]:
    """Name of a variable -> name in the file: the same, or one of which only numbers differ."""
    same = _same_names(list(wanted), list(file.entries))
    if len(same) == len(wanted) or len(file.entries) != len(wanted):
        return same
    ours, theirs = list(wanted), list(file.entries)
    pairs = pairs_by_names(
        ours,
        [variable.shape for variable in wanted.values()],
        theirs,
        [entry.shape for entry in file.entries.values()],
    )
    if pairs is None or not all(is_renumbered(ours[i], theirs[j]) for i, j in pairs):
        return same
    return {ours[i]: theirs[j] for i, j in pairs}


def _same_names(ours: list[str], theirs: list[str]) -> dict[str, str]:
    """Names of both sides; the number of the model's own name, which begins all, does not count."""
    roots = [{name.partition("/")[0] for name in names} for names in (ours, theirs)]
    if all(len(root) == 1 for root in roots):
        root, other = (root.pop() for root in roots)
        if root != other and base_name(root) == base_name(other):
            renamed = {root + name.removeprefix(other): name for name in theirs}
            return {name: renamed[name] for name in ours if name in renamed}
    return {name: name for name in ours if name in set(theirs)}


def _step(file: ArrayReader, place: str, variable: Variable, who: str) -> LoadStep:
    def read() -> list[np.ndarray]:
        values = file.read(place)
        if _kind(values.dtype) == "integer":
            narrow = values.astype(jnp.dtype(variable.own_dtype))
            if not np.array_equal(narrow, values):
                raise FileFormatError(
                    message(
                        who,
                        f"'{place}' must have whole numbers that {variable.own_dtype} holds",
                        f"{values.dtype} from {values.min()} to {values.max()}",
                    )
                )
        return [values]

    def assign(arrays: list[np.ndarray]) -> None:
        variable.take(arrays[0])

    return LoadStep(read, assign)


def _kind(dtype: Any) -> str:
    """'float', 'integer', 'complex' or 'bool'."""
    for name, kind in (
        ("float", jnp.floating), ("integer", jnp.integer), ("complex", jnp.complexfloating),
    ):  # fmt: skip
        if jnp.issubdtype(dtype, kind):
            return name
    return "bool"


__all__ = ["ENDINGS", "METADATA", "ArrayReader", "check", "load", "set_weights", "to_content"]
