"""What JAX and NumPy refuse, said in the words of nacre's errors: who, rule, what came, the fix.

An op is a plain JAX function and checks little itself. What JAX then raises names its own
primitives (`dot_general`, `shift_left`) and not the op that was called. Here such an error gets
the op's name, the arguments it came with, and what to do about it. Its class stays one the caller
would catch: a `ValueError` is still one. What is wrong in nacre itself, or in code of the user's,
passes as it is.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np

from nacre.core.config import is_traceback_filtering_enabled
from nacre.core.errors import ArgumentError, DTypeError, NacreError, PositionError, ShapeError
from nacre.core.errors import message as told
from nacre.core.leftovers import lost
from nacre.core.origins import is_own_bug, origin
from nacre.core.strings import is_text

P = ParamSpec("P")
R = TypeVar("R")

# What may come out of a function of arrays for an argument of the wrong kind. What stays as it is:
# errors that ask for the values of traced tensors, those about sizes known only as symbols, and an
# attribute, a name or an assertion that fails in nacre's own code.
EXPLAINED = (
    AssertionError,
    AttributeError,
    IndexError,
    NameError,
    NotImplementedError,
    OverflowError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
_AS_THEY_ARE = (NacreError, jax.errors.JAXTypeError)
_SYMBOLIC_SIZES = ("InconclusiveDimensionOperation", "UnexpectedDimVar")

_NO_STRINGS = "its tensors must be numbers, as a device has no strings"
# What does the same in NumPy, on strings too.
_NUMPYS = {
    "concatenate", "equal", "expand_dims", "flip", "moveaxis", "not_equal", "repeat", "reshape",
    "roll", "split", "squeeze", "stack", "swapaxes", "take", "tile", "transpose", "unique", "where",
}  # fmt: skip
_A_TENSOR = "a tensor must be numbers, nested lists of them, an array, a variable or a tensor"
# Part of JAX's text -> (the rule, the fix); None keeps JAX's words for the rule.
_RULES: tuple[tuple[str, str | None, str], ...] = (
    (
        r"axis \S+ is out of bounds for array of dimension 0",
        "a tensor without axes has no such axis",
        "Leave the axis out, or give the tensor an axis with expand_dims.",
    ),
    (
        r"axis (?P<axis>-?\d+) is out of bounds for array of dimension (?P<rank>\d+)",
        "an axis of a tensor of rank {rank} is one from -{rank} to {last}",
        "Choose one.",
    ),
    (
        r"[Ss]hapes must be.*\bNone\b|'int' and 'NoneType'",
        "sizes must be known; that of a batch is None while a model is described",
        "Write it in a layer's call, where ops.shape(x) has numbers; or make it of a tensor, as in "
        "zeros_like(x[:, :1]).",
    ),
    (
        r"unbound axis name|interpreted as an integer|[Ss]hapes must be|must have every element",
        "axes and sizes must be whole numbers, sizes not negative",
        "Choose such numbers.",
    ),
    (r"duplicate|repeated axis|isn't a permutation", None, "Name every axis once."),
    (
        r"[Ii]ncompatible shapes|[Ii]ncompatible for broadcast|broadcast",
        "shapes must broadcast: counted from the last axis, sizes are equal or one of them is 1",
        "Reshape one of them, or give it axes of size 1 with expand_dims.",
    ),
    (
        r"contracting dimensions|size mismatch|not aligned|Size of label",
        None,
        "Give both the same size along the axes that are summed over; transpose turns a matrix.",
    ),
    (r"reshape array", None, "Keep the number of elements; -1 stands for one size to work out."),
    (r"[Cc]annot concatenate", None, "Make the other axes equal, or use stack for a new axis."),
    (r"equal division", None, "Use array_split for parts of different sizes."),
    (
        r"does not accept dtype|does not support|not well defined for|must be integer|not inexact|"
        r"Unsupported input type|does not accept",
        None,
        "Change the dtype first: cast(x, 'int32'), or the dtype that fits.",
    ),
    (
        r"not a valid (value|JAX array type)|[Cc]annot interpret value|expected ArrayLike|"
        r"inhomogeneous|requires ndarray or scalar|could not convert string|could not be converted|"
        r"not a valid JAX type|setting an array element",
        _A_TENSOR,
        "Turn it into a NumPy array of numbers first.",
    ),
)
_OTHERWISE = "See help(nacre.ops.{op}) for what it takes."


def explained(op: str, arguments: dict[str, Any], error: Exception) -> Exception:
    """The error to raise in place of `error`, which came out of the op called `op`.

    Args:
        op: The op's name, without the underscore of an inner form.
        arguments: What it was called with, by parameter.
        error: What JAX, NumPy or Python raised; returned as it is when it tells enough.

    Example:
        >>> error = ValueError("axis 2 is out of bounds for array of dimension 1")
        >>> str(explained("sort", {"x": [1], "axis": 2}, error))
        'sort: an axis of a tensor of rank 1 is one from -1 to 0. Got x=[1], axis=2. Choose one.'
    """
    if isinstance(error, jax.errors.UnexpectedTracerError):
        return lost(op)
    if isinstance(error, _AS_THEY_ARE) or type(error).__name__ in _SYMBOLIC_SIZES:
        return error
    text = _one_line(error)
    got = ", ".join(f"{name}={_shown(value)}" for name, value in arguments.items())
    if any(_is_text_array(leaf) for leaf in jax.tree.leaves(list(arguments.values()))):
        return DTypeError(told(op, _NO_STRINGS, got, _fix_of_strings(op)))
    rule, fix = _found_rule(text) or (text, _OTHERWISE.format(op=op))
    return _class_for(error, text)(told(op, _as_rule(rule), got or "no arguments", fix))


def _is_text_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "OUST" and is_text(value)


def _fix_of_strings(op: str) -> str:
    layers = "StringLookup, TextVectorization or Hashing"
    if op == "cast":
        return (
            f"Numbers written as strings: x.astype('float32') of NumPy; for others take {layers}."
        )
    numpys = f"np.{op} works on them; " if op in _NUMPYS else ""
    return f"Strings stay in NumPy: {numpys}{layers} make numbers of them."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _found_rule(text: str) -> tuple[str, str] | None:
    """The rule and the fix for what JAX or NumPy said; None for words of nobody known."""
    for pattern, words, advice in _RULES:
        found = re.search(pattern, text)
        if found is not None:
            parts = found.groupdict()
            if "rank" in parts:
                parts["last"] = str(int(parts["rank"]) - 1)
            return text if words is None else words.format(**parts), advice
    return None


def explained_call(
    op: str,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    error: Exception,
) -> Exception:
    """The error to raise for a call of `op`; `error` itself where the caller's own code made it."""
    try:
        arguments = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return error  # a missing or unknown argument: Python has named it
    if any(callable(value) for value in arguments.values()):
        return error
    if is_own_bug(error) or origin(error) == "user":
        return error
    return explained(op.lstrip("_"), arguments, error)


def cause_shown(error: Exception) -> Exception | None:
    """The error itself where it may be nacre's own, or where full tracebacks are asked for.

    Left out is what JAX or NumPy says: nacre's error tells the same, in words of the op.
    """
    if not is_traceback_filtering_enabled():
        return error
    is_a_librarys = origin(error) == "library" or _found_rule(_one_line(error)) is not None
    return None if is_a_librarys else error


def _as_rule(text: str) -> str:
    """JAX's first sentence, of a length that fits a message."""
    sentence = text.split(". ")[0]
    return sentence if len(sentence) <= 300 else sentence[:300] + " …"


def _class_for(error: Exception, text: str) -> type[NacreError]:
    if isinstance(error, IndexError):
        return PositionError
    if "dtype" not in text and re.search(r"[Ss]hape|dimension|rank|permutation", text):
        return ShapeError
    return DTypeError if isinstance(error, TypeError | AttributeError) else ArgumentError


def _shown(value: Any) -> str:
    """An argument in plain Python: of a tensor its dtype and shape, of a long list the start."""
    if isinstance(getattr(value, "shape", None), tuple) and hasattr(value, "dtype"):
        shape = ", ".join(str(size) for size in value.shape)
        return f"{value.dtype}({shape})"
    if isinstance(value, list | tuple) and any(hasattr(item, "shape") for item in value):
        inner = ", ".join(_shown(item) for item in value[:10])
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + " …"


def explains(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: what goes wrong in a function that is no op is told as an op would."""

    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except EXPLAINED as error:
            better = explained_call(function.__name__, signature, args, kwargs, error)
            if better is error:
                raise
            raise better from cause_shown(error)

    return call
