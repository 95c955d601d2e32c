"""Whether code that came with a file may be run. It may not, unless the user says so."""

from __future__ import annotations

import threading

from nacre.core.held import Held


class _Local(threading.local):
    is_trusted = False


_local = _Local()
_enabled = [False]


def enable_unsafe_deserialization() -> None:
    """Let every file read in this process run code it holds, as `safe_mode=False` does for one.

    Example:
        >>> import nacre
        >>> nacre.config.enable_unsafe_deserialization()                          # doctest: +SKIP
    """
    _enabled[0] = True


def may_run_code(safe_mode: bool | None = None) -> bool:
    """Whether a config being read may run code: by the argument, the config around it, or the user.

    Example:
        >>> may_run_code(), may_run_code(safe_mode=False)
        (False, True)
    """
    return safe_mode is False or _local.is_trusted or _enabled[0]


def reading(safe_mode: bool | None) -> Held:
    """While a config is read: what was allowed for it is allowed for the configs within it."""
    return Held(_local, "is_trusted", _local.is_trusted or safe_mode is False)
