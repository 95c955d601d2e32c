"""The gate that everything a file describes goes through, closed unless the user opens it.

While a config is read, the context says whether its author is trusted (`Context.gate`). Three
things ask it: code in a config (pickled lambdas and modules), paths of files beside it, and memory
for what it describes. The outermost call decides, by its `safe_mode`; nothing within can open a
closed gate, neither a config inside a config nor a `from_config` that asks for `safe_mode=False`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import PurePath
from types import TracebackType
from typing import Any, TypeVar

from nacre.core.context import current, put
from nacre.core.errors import SerializationError, message
from nacre.core.kinds import is_dict, is_list

F = TypeVar("F", bound=Callable[..., Any])

_enabled = [False]


def enable_unsafe_deserialization() -> None:
    """Let every file read in this process run code it holds, as `safe_mode=False` does for one.

    Example:
        >>> import nacre
        >>> nacre.config.enable_unsafe_deserialization()                          # doctest: +SKIP
    """
    _enabled[0] = True


def may_run_code(safe_mode: bool | None = None) -> bool:
    """Whether a config being read may run code: the user says so, or the call that reads it does.

    Args:
        safe_mode: What the asking function was called with; it counts where nothing is being read.

    Example:
        >>> may_run_code(), may_run_code(safe_mode=False)
        (False, True)
        >>> with reading(True):
        ...     may_run_code(safe_mode=False)
        False
    """
    gate = current().gate
    return _enabled[0] or (safe_mode is False if gate is None else gate.is_trusted)


class Reading:
    """One block of `reading`."""

    def __init__(self, safe_mode: bool | None, config: Any) -> None:
        self.is_trusted = safe_mode is False
        self.config = config
        self.outer: Reading | None = None
        self.outermost = self
        self.reserved_bytes = 0
        self.allowed_bytes: int | None = None

    def __enter__(self) -> Reading:
        self.outer = current().gate
        if self.outer is not None:
            self.is_trusted = self.outer.is_trusted
            self.outermost = self.outer.outermost
        put(gate=self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        put(gate=self.outer)
        if self.outer is None and isinstance(error, RecursionError):
            raise SerializationError(
                message(
                    "a config",
                    "it must not be nested deeper than Python can follow",
                    "lists or objects within one another, too deep",
                    "Do not open files of this kind from people you do not trust.",
                )
            ) from error


def reading(safe_mode: bool | None, config: Any = None) -> Reading:
    """The block in which a config is read and what it describes is made.

    Args:
        safe_mode: False trusts its author; only the outermost block's word counts.
        config: The config, for `refuse_path`.

    Raises:
        SerializationError: What is read is nested too deeply.
    Example:
        >>> with reading(False), reading(True):
        ...     may_run_code()
        True
    """
    return Reading(safe_mode, config)


def is_reading() -> bool:
    """Whether a config of somebody who is not trusted is being read in this thread."""
    return current().gate is not None and not may_run_code()


def reads_config(from_config: F) -> F:
    """Mark a `from_config`: what it makes goes through the gate, also when it is called directly.

    Example:
        >>> class Box:
        ...     @classmethod
        ...     @reads_config
        ...     def from_config(cls, config):
        ...         return is_reading()
        >>> Box.from_config({}), is_reading()
        (True, False)
    """

    @functools.wraps(from_config)
    def gated(cls: Any, config: Any, *args: Any, **kwargs: Any) -> Any:
        with reading(None, config):
            return from_config(cls, config, *args, **kwargs)

    return gated  # type: ignore[return-value]


def refuse_path(path: str | os.PathLike[str], who: str) -> None:
    """Raise when a path stands in a config that is being read: its author is to read no files here.

    A path that the code of a user's class gives, such as a constant in its constructor, passes.

    Raises:
        SerializationError: The path, or an end of it with a folder, stands in the config.
    """
    if not is_reading():
        return
    gate = current().gate
    while gate is not None:
        if _names(gate.config, PurePath(path)):
            raise SerializationError(
                message(
                    who,
                    "opening a file or a config must not read other files it names",
                    f"the vocabulary file {str(path)!r}",
                    "If you trust its author: load_model(path, safe_mode=False), or "
                    "deserialize_keras_object(config, safe_mode=False). Better: pass the tokens "
                    "themselves to the layer, and save again.",
                )
            )
        gate = gate.outer


def _names(config: Any, path: PurePath) -> bool:
    if is_dict(config):
        return any(_names(part, path) for pair in config.items() for part in pair)
    if is_list(config):
        return any(_names(item, path) for item in config)
    if not isinstance(config, str | PurePath):
        return False
    parts = PurePath(config).parts
    whole = path.parts
    is_within = len(parts) > 1 and any(
        whole[start : start + len(parts)] == parts for start in range(len(whole))
    )
    return parts == whole or is_within


# -------------------------------------------------------------------- memory

# Large first values of weights wait until they are asked for; mostly the file's replace them.
# What else is made while a file is opened: states of optimizers (up to three times the weights),
# and weights that the file holds in fewer bits (up to eight times).
_FILE_SIZES = 8
# Tables of metrics and the like, which no file holds.
_BESIDES_BYTES = 128 << 20
# Where there is no file to compare with: quantized weights, values of initializers of the user's.
_CONFIG_BYTES = 512 << 20
# What one step of a loop takes in a program: measured, a few operations of some hundred bytes each.
_STEP_BYTES = 4096


def set_file_size(size_bytes: int) -> None:
    """Tell the gate how large the file is that is being opened; it bounds what may be made."""
    if (gate := current().gate) is not None:
        gate.outermost.allowed_bytes = _FILE_SIZES * size_bytes + _BESIDES_BYTES


def reserve(size_bytes: int, who: str) -> None:
    """Ask for memory, before it is taken, for something that a config describes.

    Args:
        size_bytes: How much.
        who: What it is for.

    Raises:
        SerializationError: It is out of proportion to the file, or too much for a config alone.
    """
    innermost = current().gate
    if innermost is None or not is_reading():
        return
    gate = innermost.outermost
    gate.reserved_bytes += size_bytes
    allowed = _CONFIG_BYTES if gate.allowed_bytes is None else gate.allowed_bytes
    if gate.reserved_bytes <= allowed:
        return
    source = "a config" if gate.allowed_bytes is None else "a file"
    raise SerializationError(
        message(
            who,
            f"what is made while {source} is opened must take no more than {allowed:,} bytes, "
            "besides weights that wait for their values",
            f"{gate.reserved_bytes:,} bytes",
            "If you trust its author: load_model(path, safe_mode=False), or "
            "deserialize_keras_object(config, safe_mode=False).",
        )
    )


def reserve_steps(count: int, who: str) -> None:
    """`reserve` for a loop that is written out in a program, step by step, before anything runs."""
    reserve(count * _STEP_BYTES, who)
