"""Calling functions of the user's: how elements are handed over, what is told when one fails."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, DataError, message
from nacre.core.numbers import as_whole
from nacre.data.dataset import elements as el


def call(function: Callable[..., Any], element: Any, who: str, number: int | None) -> Any:
    """What a function makes of an element, as it returns it; a tuple is handed over as arguments.

    Raises:
        DataError: The function failed; its own exception is the cause.
    """
    try:
        return function(*element) if type(element) is tuple else function(element)
    except Exception as error:
        raise failed(function, error, who, number) from error


def failed(function: Any, error: Exception, who: str, number: int | None) -> DataError:
    """The error for a function that failed."""
    name = getattr(function, "__name__", None) or type(function).__name__
    at = "" if number is None else f" at element {number}"
    return DataError(
        message(
            who,
            f"the function {name!r} must not fail",
            f"{type(error).__name__}: {error}{at}",
            "Its own traceback stands above.",
        )
    )


class Failure:
    """Stands in the place of an element that could not be made."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    # What pickle leaves out of an error that comes from a process: its cause and its traceback.
    def __getstate__(self) -> Any:
        text = "".join(traceback.format_exception(self.error.__cause__ or self.error))
        return self.error, _if_picklable(self.error.__cause__), f"In a worker process:\n{text}"

    def __setstate__(self, state: Any) -> None:
        self.error, cause, text = state
        self.error.__cause__ = cause
        (cause or self.error).add_note(text)


def _if_picklable(error: BaseException | None) -> BaseException | None:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return None
    return error


def made(value: Any, who: str) -> Any:
    """What a function returned, as an element. A list at the top is a tuple, as for tf.data."""
    if type(value) is list:
        value = tuple(value)
    return el.to_element(value, who)


def call_predicate(function: Callable[..., Any], element: Any, who: str, number: int) -> bool:
    """Whether a predicate says yes.

    Raises:
        DataError: It failed, or gives something else than one boolean.
    """
    result = call(function, element, who, number)
    kind = type(result)
    if kind is bool or kind is np.bool_:
        return bool(result)
    dtype = getattr(result, "dtype", None)
    if dtype != np.bool_ or getattr(result, "shape", None) != ():
        shown = f"{kind.__name__} {str(result)[:60]}" + (f" of dtype {dtype}" if dtype else "")
        raise DataError(
            message(
                who,
                "the predicate must give one boolean",
                shown,
                "Compare or reduce: x > 0, np.all(x > 0), x.any().",
            )
        )
    return bool(result)


def dataset_of(value: Any, who: str) -> Any:
    """The node of a data set that a function returned.

    Raises:
        DataError: It is something else.
    """
    node = getattr(value, "_dataset_node", None)
    if node is None:
        raise DataError(
            message(
                who,
                "the function must return a Dataset",
                f"{type(value).__name__} {str(value)[:60]}",
                "Return Dataset.from_tensor_slices(value); for one element from each take map.",
            )
        )
    return node


def whole_argument(who: str, name: str, value: Any, least: int | None = None) -> int:
    """An argument that is a whole number, also as an array without axes.

    Raises:
        ArgumentError: It is none, or too small.
    """
    found = as_whole(value)
    if found is None and not isinstance(value, bool) and hasattr(value, "__index__"):
        found = value.__index__()
    if found is None or (least is not None and found < least):
        rule = f"{name} must be a whole number" + ("" if least is None else f" of at least {least}")
        raise ArgumentError(message(who, rule, repr(value)[:60]))
    return found


__all__ = ["Failure", "call", "call_predicate", "dataset_of", "failed", "made", "whole_argument"]
