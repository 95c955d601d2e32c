"""Whose code raised an error: nacre's, that of a library it stands on, or the user's.

What JAX and NumPy say about the arguments they were given is told in nacre's words. What is wrong
in nacre itself (a missing attribute, an unknown name, a failed assertion) is not: it passes as it
is, with its traceback, so that it can be found.
"""

from __future__ import annotations

import dis
import os
import re
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from types import TracebackType
from typing import Literal

from nacre.core.errors import NacreError
from nacre.core.tracing import is_tracer

Origin = Literal["nacre", "library", "user"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SHAPES = os.path.join(os.path.dirname(__file__), "shape_inference.py")
_LIBRARIES = ("numpy", "h5py", "ml_dtypes", "opt_einsum", "scipy")
# Nothing that is given to nacre raises one of these; an attribute is another matter, see below.
_BUGS = (AttributeError, NameError, AssertionError)
# What a line raises that meets something it is not made for.
_FALLS = (TypeError, ValueError, LookupError, ArithmeticError)
_MISCALLED = re.compile(
    r"positional argument|unexpected keyword|keyword-only argument|multiple val"
)
_RAISING = frozenset(dis.opmap[name] for name in ("RAISE_VARARGS", "RERAISE"))


def is_internal(filename: str) -> bool:
    """Whether a frame of this file belongs to nacre, JAX or Python's import machinery."""
    if filename.startswith((_PACKAGE, "<frozen")):
        return True
    return any(filename.startswith(folder) for folder in _jax_folders())


def origin_of_frame(filename: str) -> Origin | None:
    """Whose a file is; None for Python's own, which do what they are called for."""
    if filename.startswith(_PACKAGE):
        return "nacre"
    if any(filename.startswith(folder) for folder in _jax_folders()):
        return "library"
    if filename.startswith(_library_folders()):
        return "library"
    is_compiled = filename.startswith("<frozen") or filename.endswith((".pyx", ".pxd"))
    is_pythons = filename.startswith(_stdlib()) and "-packages" not in filename
    return None if is_compiled or is_pythons else "user"


def origin(error: BaseException) -> Origin:
    """Whose code raised an error: that of the innermost frame, Python's own left out.

    An error without a traceback was raised by nobody yet, and counts as a library's.
    """
    found = _origins(error)
    return found[-1] if found else "library"


def _origins(error: BaseException) -> list[Origin]:
    """Of each frame, outermost first."""
    return [owner for owner in map(origin_of_frame, _files(error.__traceback__)) if owner]


def is_own_bug(error: BaseException) -> bool:
    """Whether an error tells of a fault in nacre, not of what it was given."""
    if not isinstance(error, _BUGS) or isinstance(error, NacreError):
        return False
    frames = _origins(error)
    if isinstance(error, AttributeError):
        if is_tracer(error.obj):
            frames = [owner for owner in frames if owner != "library"]
        elif frames[-2:] == ["user", "nacre"] and _is_raised(error):
            return False  # `ops.reluu`, or the output of a layer that was never called
    return frames[-1:] == ["nacre"]


def is_unforeseen(error: BaseException) -> bool:
    """Whether a line of nacre's fell over something, rather than raise an error.

    It may be a bug, or an argument that nothing checked: either way its place tells most. A call
    of the user's code with arguments it does not take is the user's to mend.
    """
    if not isinstance(error, _FALLS) or isinstance(error, NacreError) or origin(error) != "nacre":
        return False
    if type(error).__module__.startswith(("jax.", "jaxlib.")):
        return False  # raised by JAX, which may have cut its own frames off
    if isinstance(error, TypeError) and _MISCALLED.search(str(error)):
        return False
    return not _is_raised(error)


def _is_raised(error: BaseException) -> bool:
    """Whether the innermost line raises the error, rather than fall over something."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_code.co_code[last.tb_lasti] in _RAISING


def is_own_bug_whatever_was_read(error: BaseException) -> bool:
    """Whether an error tells of a fault in nacre that no content of a file can cause.

    A file that says "3" where a table should be makes code ask a text for its `items`.
    """
    if isinstance(error, AttributeError) and error.name is not None:
        if error.obj is None or isinstance(error.obj, str | int | float | list | tuple | dict):
            return False
    return is_own_bug(error)


def is_asked_by_user(traceback: TracebackType | None) -> bool:
    """Whether the last line outside JAX is none of nacre's own."""
    outside = [f for f in _files(traceback) if not any(map(f.startswith, _jax_folders()))]
    return not (outside and outside[-1].startswith(_PACKAGE))


def is_while_described(traceback: TracebackType | None) -> bool:
    """Whether an error came up while shapes were found for symbolic tensors."""
    return any(name == _SHAPES for name in _files(traceback))


def passed_users_code(error: BaseException) -> bool:
    """Whether an error came through code that is neither nacre's nor of a library it stands on.

    To be asked where the error is caught: the frame that caught it does not count.
    """
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    named = (name for name in _files(trace) if not name.startswith("<"))
    return any(origin_of_frame(name) == "user" for name in named)


def _files(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        yield traceback.tb_frame.f_code.co_filename
        traceback = traceback.tb_next


def _jax_folders() -> list[str]:
    """The folders of JAX's packages; a user's own folder may be called `jax` too."""
    found = [sys.modules[name] for name in ("jax", "jaxlib") if name in sys.modules]
    files = [os.path.abspath(module.__file__) for module in found if module.__file__]
    return [os.path.dirname(file) + os.sep for file in files]


@cache
def _stdlib() -> tuple[str, ...]:
    return tuple(sysconfig.get_path(key) + os.sep for key in ("stdlib", "platstdlib"))


@cache
def _library_folders() -> tuple[str, ...]:
    specs = [find_spec(name) for name in _LIBRARIES]
    folders = [spec.submodule_search_locations for spec in specs if spec is not None]
    return tuple(os.path.join(folder, "") for found in folders for folder in found or ())


__all__ = [
    "Origin", "is_asked_by_user", "is_internal", "is_own_bug", "is_own_bug_whatever_was_read",
    "is_unforeseen", "origin", "origin_of_frame", "passed_users_code",
]  # fmt: skip
