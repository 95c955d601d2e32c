"""Lambdas in configs: written as Keras writes them, read back only when that runs nothing foreign.

A lambda has no name, so a config can only hold its compiled code. Running code that came with a
file is refused unless the file is trusted; a lambda this very process has written is known by its
code and given back as it is, without looking at the code in the file.
"""

from __future__ import annotations

import builtins
import codecs
import json
import marshal
import platform
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import SerializationError, message
from nacre.core.kinds import is_numpy_scalar

# JSON of a written lambda -> the function. What a process wrote, it may read back.
_WRITTEN: dict[str, Callable[..., Any]] = {}
# CPython's bytecode changes with the minor version; code of another one can crash the process.
_PYTHON = ".".join(platform.python_version_tuple()[:2])


def is_lambda(function: Any) -> bool:
    """True for a function written as a lambda expression."""
    return isinstance(function, types.LambdaType) and function.__name__ == "<lambda>"


def dump(function: Any) -> dict[str, Any]:
    """The code, defaults and closure of a lambda, as plain data.

    Args:
        function: The lambda.

    Raises:
        SerializationError: It closes over something a file cannot hold.
    Example:
        >>> sorted(dump(lambda x: x + 1))
        ['closure', 'code', 'defaults', 'python']
    """
    try:
        closure = [_plain(cell.cell_contents) for cell in function.__closure__ or ()]
        defaults = [_plain(value) for value in function.__defaults__ or ()]
        text = json.dumps([closure, defaults])
    except (TypeError, ValueError):
        raise SerializationError(
            message(
                "saving a lambda",
                "what it uses from around it must be numbers, strings or lists of them",
                f"{function.__code__.co_freevars} around {function.__qualname__}",
                "Write it as a named function and register it with "
                "@nacre.saving.register_keras_serializable().",
            )
        ) from None
    code = codecs.encode(marshal.dumps(function.__code__), "base64").decode("ascii")
    _WRITTEN[_key(code, text)] = function
    return {
        "code": code,
        "defaults": defaults or None,
        "closure": closure or None,
        "python": _PYTHON,
    }


def _plain(value: Any) -> Any:
    return value.item() if is_numpy_scalar(value) else value


def known(config: dict[str, Any]) -> Callable[..., Any] | None:
    """The function of this process that a dumped config was made of, or None."""
    code, defaults, closure = _parts(config)
    return _WRITTEN.get(_key(code, json.dumps([closure or [], defaults or []])))


def load(config: dict[str, Any]) -> Callable[..., Any]:
    """A function from the code a config holds. For trusted configs only.

    Raises:
        SerializationError: The code is of another version of Python, or no code.
    """
    version = config.get("python", _PYTHON)
    code, defaults, closure = _parts(config)
    try:
        if version != _PYTHON:
            raise ValueError(f"code of Python {version}")
        compiled = marshal.loads(codecs.decode(code.encode("ascii"), "base64"))
        cells = tuple(types.CellType(value) for value in closure or ())
        # Names the lambda uses are looked up here; what Keras's lambdas mostly use is offered.
        return types.FunctionType(compiled, _globals(), None, tuple(defaults or ()) or None, cells)
    except (ValueError, TypeError, EOFError) as error:
        raise SerializationError(
            message(
                "opening a lambda",
                f"its code must be of Python {_PYTHON}",
                str(error),
                "Open the file with the Python that wrote it, or build the model in code and "
                "load its weights.",
            )
        ) from error


def _parts(config: dict[str, Any]) -> tuple[str, Any, Any]:
    """(code, defaults, closure): Keras writes them by name in layers, as a list elsewhere."""
    try:
        if "value" in config:
            code, defaults, closure = config["value"]
        else:
            code, defaults, closure = config["code"], config.get("defaults"), config.get("closure")
    except (LookupError, TypeError, ValueError, AttributeError):
        code = defaults = closure = None
    if not isinstance(code, str):
        raise SerializationError(
            message("opening a lambda", "its config must hold its code", repr(config)[:100])
        )
    return code, defaults, closure


def _key(code: str, around: str) -> str:
    return f"{code}\n{around}"


def _globals() -> dict[str, Any]:
    nacre = sys.modules["nacre"]
    return {
        "__builtins__": builtins,
        "np": np,
        "numpy": np,
        "keras": nacre,
        "K": nacre.backend,
        "ops": nacre.ops,
    }
