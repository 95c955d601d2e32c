"""Errors that come up while what a file describes is made: they name the file, whoever raised them.

A damaged config can make any line of nacre's fail, in many ways. What a class of the user's raises
is passed on as it is, as its author wants to see it; so is what no file can cause.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from nacre.core.errors import FileFormatError, NacreError, message
from nacre.core.origins import is_own_bug_whatever_was_read, passed_users_code


@contextmanager
def naming(file: str, part: str) -> Generator[None]:
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
        if passed_users_code(error) or is_own_bug_whatever_was_read(error):
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


__all__ = ["naming", "read_json"]
