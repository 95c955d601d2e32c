"""Errors that come up while what a file describes is made: they name the file, whoever raised them.

A damaged config can make any line of nacre's fail, in any way. What a class of the user's raises
is passed on as it is, as its author wants to see it.
"""

from __future__ import annotations

import json
import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any

from nacre.core.errors import FileFormatError, NacreError, message
from nacre.core.traceback import is_internal

_LIBRARIES = ("numpy", "h5py", "ml_dtypes")


@contextmanager
def naming(file: str, part: str) -> Iterator[None]:
    """Errors raised within name the file and the part of it that was being read.

    Args:
        file: How errors call the file, such as `'model.keras'` in quotation marks.
        part: Member or attribute, such as `config.json`.

    Raises:
        FileFormatError: What was raised was no error of nacre's, nor did it pass through code of
            the user's. It stays as the cause, as it may be a fault of nacre's.
    Example:
        >>> from nacre.core.errors import FileFormatError
        >>> try:
        ...     with naming("'m.keras'", "config.json"):
        ...         {}["layers"]
        ... except FileFormatError as error:
        ...     print(str(error)[:61])
        'm.keras', config.json: it must describe what can be made her
    """
    try:
        yield
    except NacreError as error:
        if file not in str(error):
            error.args = (f"{file}, {part}: {error.args[0] if error.args else error}",)
        raise
    except Exception as error:
        if passed_users_code(error):
            raise
        text = str(error).splitlines()[0][:200] if str(error) else ""
        raise FileFormatError(
            message(
                f"{file}, {part}",
                "it must describe what can be made here",
                f"something that ends in {type(error).__name__}: {text}",
                "It may be damaged, or changed by hand.",
            )
        ) from error


def read_json(content: bytes | str, what: str, who: str) -> Any:
    """JSON as plain data.

    Raises:
        FileFormatError: It is not JSON, or nested too deeply to be a model.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(
            message(who, f"{what} must be JSON", f"{type(error).__name__}: {str(error)[:100]}")
        ) from None


def passed_users_code(error: BaseException) -> bool:
    """Whether an error came through code that is neither nacre's nor of a library it stands on.

    To be asked where the error is caught: the frame that caught it does not count.
    """
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        is_compiled = name.startswith("<") or name.endswith((".pyx", ".pxd"))
        if not (is_compiled or is_internal(name) or name.startswith(_libraries())):
            if not (name.startswith(_stdlib()) and "-packages" not in name):
                return True
        trace = trace.tb_next
    return False


@cache
def _stdlib() -> tuple[str, ...]:
    return tuple(sysconfig.get_path(key) + os.sep for key in ("stdlib", "platstdlib"))


@cache
def _libraries() -> tuple[str, ...]:
    specs = [find_spec(name) for name in _LIBRARIES]
    folders = [spec.submodule_search_locations for spec in specs if spec is not None]
    return tuple(os.path.join(folder, "") for found in folders for folder in found or ())


__all__ = ["naming", "passed_users_code", "read_json"]
