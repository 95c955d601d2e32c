"""Arrays of strings: NumPy arrays on the host, as JAX has no strings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nacre.core.errors import DataError, DTypeError, message
from nacre.core.kinds import is_numpy_array


class HostString:
    """Stands for an array of strings where only its shape is known: inside a traced program.

    Layers that take strings know what to do with it; any use as numbers is refused.

    Args:
        shape: Its shape.
        values: The strings, where a trace is made to find out what the host has to do.
    """

    dtype = "string"

    def __init__(self, shape: Any, values: np.ndarray | None = None) -> None:
        self.shape = tuple(shape)
        self.values = values

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> HostString:
        values = np.empty(self.shape, bool) if self.values is None else self.values
        picked = values[key]
        if isinstance(picked, str | np.generic):  # one of them
            picked = np.asarray(picked)
        return HostString(np.shape(picked), None if self.values is None else picked)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        self._refuse()

    def __jax_array__(self) -> Any:
        self._refuse()

    def _refuse(self) -> Any:
        raise strings_refused(f"Strings of shape {self.shape}", "a use as numbers")

    def __repr__(self) -> str:
        return f"<HostString shape={self.shape}>"


class Text(NamedTuple):
    """What goes into a compiled program in the place of strings.

    Attributes:
        rows: An array without values, of the strings' shape and a last axis of size 0.
    """

    rows: Any


class Staged(NamedTuple):
    """Inputs of a model whose layers that take strings have done their part on the host.

    Attributes:
        inputs: The inputs; a `Text` stands where there were strings.
        results: What those layers gave, in the order of their calls; a `Text` for strings.
    """

    inputs: Any
    results: Any


def is_text(value: Any) -> bool:
    """True for strings: NumPy arrays of them, symbolic tensors, `HostString`, str and bytes."""
    if is_numpy_array(value):
        return value.dtype.kind in "US" or (value.dtype.kind == "O" and _all_strings(value))
    if isinstance(value, str | bytes | HostString):
        return True
    dtype = getattr(value, "dtype", None)
    return isinstance(dtype, str) and dtype == "string"


def text_array(values: Any) -> np.ndarray:
    """Values as `np.asarray` takes them, but strings of Python's with all their characters.

    NumPy's strings of one width drop zero bytes at their ends, so those become Python objects.
    """
    array = np.asarray(values)
    if array.dtype.kind in "US" and not isinstance(values, np.ndarray | np.generic):
        objects = np.asarray(values, object)
        texts = (item for item in objects.flat if isinstance(item, str | bytes))
        if any(text[-1:] in ("\0", b"\0") for text in texts):
            return objects
    return array


def _all_strings(array: np.ndarray) -> bool:
    return array.size > 0 and all(isinstance(item, str | bytes) for item in array.ravel())


def refuse_missing(array: np.ndarray, who: str) -> None:
    """Raise for an array of Python objects that holds strings and something else."""
    others = [item for item in array.ravel() if not isinstance(item, str | bytes)]
    if others and len(others) < array.size:
        raise DataError(
            message(
                who,
                "an array with strings must hold strings only",
                f"{len(others)} other value(s), such as {others[0]!r}",
                "Give missing strings a name first: column.fillna(''), or convert all with "
                "astype(str).",
            )
        )


def strings_refused(who: str, what: str) -> DTypeError:
    """The error for strings where numbers are needed."""
    return DTypeError(
        message(
            who,
            "strings must first become numbers",
            what,
            "Put TextVectorization, StringLookup or Hashing between the string input and this.",
        )
    )


__all__ = [
    "HostString", "Staged", "Text", "is_text", "refuse_missing", "strings_refused", "text_array",
]  # fmt: skip
