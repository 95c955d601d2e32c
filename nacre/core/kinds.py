"""What a value of no known type is, asked so that a type checker follows.

After `isinstance(value, list)` a checker knows that there are items, and complains of each that it
does not know what it is. After these they may be anything, which is what a user hands over.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from nacre.core.tensors import WholeNumber


def is_list(value: object) -> TypeIs[list[Any] | tuple[Any, ...]]:
    """Whether it is a list or a tuple.

    Example:
        >>> is_list([1]), is_list((1,)), is_list({1: 2})
        (True, True, False)
    """
    return isinstance(value, list | tuple)


def is_dict(value: object) -> TypeIs[dict[Any, Any]]:
    """Whether it is a dict.

    Example:
        >>> is_dict({1: 2}), is_dict([1])
        (True, False)
    """
    return isinstance(value, dict)


def is_buffer(value: object) -> TypeIs[range | memoryview | array[Any]]:
    """Whether it holds numbers in a row, and is neither a list nor an array of NumPy's.

    Example:
        >>> is_buffer(range(3)), is_buffer(memoryview(b"ab")), is_buffer([1])
        (True, True, False)
    """
    return isinstance(value, range | memoryview | array)


def loaded(module: str) -> ModuleType | None:
    """A module, if something already imported it; never imports, and never waits for it.

    One that another thread is importing just now, whose names are only partly there, is not loaded
    yet: nothing that is handed in is of its classes.

    Where nacre stands in for a package (`nacre.install`), that one is not loaded: its classes
    answer for nacre's own arrays.

    Args:
        module: The module's full name.
    """
    found = sys.modules.get(module)
    if getattr(found, "_stands_in", False) is True:
        return None
    # What Python's import system itself asks: true from the module's first line to its last.
    is_partly = getattr(getattr(found, "__spec__", None), "_initializing", False) is True
    return None if is_partly else found


def is_of_library(value: object, module: str, *names: str) -> bool:
    """Whether it is of one of a module's classes, when that is already loaded; never imports.

    A module of that name may be another one, such as a user's own `datasets.py`, or half loaded by
    another thread: it has no such classes then.

    Args:
        value: Anything.
        module: The module's full name.
        names: The classes.

    Example:
        >>> is_of_library(np.ones(2), "numpy", "ndarray"), is_of_library(1, "numpy", "nothing")
        (True, False)
    """
    found = loaded(module)
    if found is None:
        return False
    kinds = [getattr(found, name, None) for name in names]
    return any([isinstance(kind, type) and isinstance(value, kind) for kind in kinds])


def is_mapping(value: object) -> TypeIs[Mapping[Any, Any]]:
    """Whether it is a dict or like one.

    Example:
        >>> is_mapping({1: 2}), is_mapping([1])
        (True, False)
    """
    return isinstance(value, Mapping)


def is_numpy_array(value: object) -> TypeIs[np.ndarray[Any, Any]]:
    """Whether it is an array of NumPy's.

    Example:
        >>> import numpy as np
        >>> is_numpy_array(np.ones(3)), is_numpy_array(np.float32(1)), is_numpy_array([1])
        (True, False, False)
    """
    return isinstance(value, np.ndarray)


def is_int(value: object) -> TypeIs[WholeNumber]:
    """Whether it is an int of Python's or NumPy's; a bool of Python's is one.

    Example:
        >>> import numpy as np
        >>> is_int(3), is_int(np.int8(3)), is_int(3.0)
        (True, True, False)
    """
    return isinstance(value, int | np.integer)


def is_number(value: object) -> TypeIs[int | float | np.number[Any]]:
    """Whether it is a real or complex number of NumPy's, or an int or float of Python's.

    Example:
        >>> import numpy as np
        >>> is_number(0.5), is_number(np.int8(3)), is_number("3")
        (True, True, False)
    """
    return isinstance(value, int | float | np.number)


def is_numpy_scalar(value: object) -> TypeIs[np.generic[Any]]:
    """Whether it is a number, string or date of NumPy's.

    Example:
        >>> import numpy as np
        >>> is_numpy_scalar(np.float32(1)), is_numpy_scalar(1.0), is_numpy_scalar(np.ones(3))
        (True, False, False)
    """
    return isinstance(value, np.generic)


__all__ = [
    "is_dict",
    "is_int",
    "is_list",
    "is_mapping",
    "is_number",
    "is_numpy_array",
    "is_numpy_scalar",
    "is_of_library",
    "loaded",
]
