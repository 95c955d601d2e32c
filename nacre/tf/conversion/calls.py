"""Calls within rewritten code: functions of the user's are rewritten too, a few mean more."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import readings
from nacre.core.errors import TracedSizeError, TracedValueError, message
from nacre.core.tracing import is_tracer, is_tracing
from nacre.core.variable import Variable
from nacre.data import Dataset, HostTensor
from nacre.data.dataset.dataset import DatasetIterator
from nacre.tf.conversion.finding import find
from nacre.tf.conversion.rewriting import OURS, rewritten_code
from nacre.tf.values import Tensor, tensor

LEFT_ALONE = "_nacre_not_rewritten"  # the mark of `tf.autograph.experimental.do_not_convert`


class Counted:
    """`tf.range` whose numbers the program computes: only a `for` of rewritten code takes it.

    Args:
        start, limit, delta: As `tf.range` has them.
    """

    def __init__(self, start: Any, limit: Any, delta: Any) -> None:
        first = next(x for x in (start, limit, delta) if is_tracer(x))
        self.start, self.limit, self.delta = (
            jnp.asarray(tensor(x)).astype(first.dtype) for x in (start, limit, delta)
        )

    def _refuse(self, *_: Any) -> Any:
        raise TracedSizeError(
            message(
                "tf.range",
                "its numbers must be known when a function is compiled, but in `for i in "
                "tf.range(n):`",
                "one that ends where a tensor says",
                "Loop over it, or pass Python numbers.",
            )
        )

    __iter__ = __len__ = __add__ = __radd__ = __mul__ = __rmul__ = __getitem__ = _refuse
    __sub__ = __rsub__ = __truediv__ = __lt__ = __gt__ = __le__ = __ge__ = __neg__ = _refuse
    __jax_array__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse()


class Numbered:
    """`enumerate` of a tensor.

    Args:
        items: The tensor.
        start: The first number.
    """

    def __init__(self, items: Any, start: int) -> None:
        self.items, self.start = items, start

    def __iter__(self) -> Any:
        return iter(enumerate(iter(self.items), self.start))


def _range(function: Callable[..., Any]) -> Callable[..., Any]:
    def ranged(start: Any, limit: Any = None, delta: Any = 1, *args: Any, **kwargs: Any) -> Any:
        first, last = (0, start) if limit is None else (start, limit)
        values = [x.value if isinstance(x, Variable) else x for x in (first, last, delta)]
        if any(map(is_tracer, values)):
            return Counted(*values)
        if function is range and any(isinstance(x, Tensor) for x in values):
            from nacre.tf.rows import made

            return made("", "range")(*values)
        return (
            function(*(x for x in (start, limit) if x is not None), delta, *args, **kwargs)
            if (limit is not None)
            else function(start, *args, **kwargs)
        )

    return ranged


def _int(x: Any = 0, *args: Any) -> Any:
    return x.astype("int32") if is_tracer(x) else int(x, *args)


def _float(x: Any = 0.0) -> Any:
    return x.astype("float32") if is_tracer(x) else float(x)


def _bool(x: Any = False) -> Any:
    return x.astype(bool) if is_tracer(x) else bool(x)


def _enumerate(items: Any, start: int = 0) -> Any:
    if is_tracer(items) or isinstance(items, HostTensor | Dataset):
        return Numbered(items, start)
    return enumerate(items, start)


def _extreme(function: Callable[..., Any], of_two: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) > 1 and any(map(is_tracer, args)):
            return functools.reduce(of_two, [jnp.asarray(tensor(x)) for x in args])
        return function(*args, **kwargs)

    return extreme


def _every(function: Callable[..., Any], join: Callable[..., Any]) -> Callable[..., Any]:
    def every(items: Any) -> Any:
        if is_tracer(items):
            return join(items)
        found = list(items)
        if any(map(is_tracer, found)):
            return join(jnp.stack([jnp.asarray(tensor(x)).astype(bool) for x in found]))
        return function(found)

    return every


def _next(items: Any, *default: Any) -> Any:
    _refuse_elements(items)
    return next(items, *default)


def _refuse_elements(items: Any) -> None:
    """A program would have the one element of its trace for good."""
    if isinstance(items, DatasetIterator) and is_tracing():
        rule = "a compiled function has no elements of an iterator, which gives them one by one"
        fix = "Take them outside: step(next(batches))."
        raise TracedValueError(message("next", rule, "an iterator of a data set", fix))


_MEANT: dict[Any, Callable[..., Any]] = {
    next: _next,
    range: _range(range),
    int: _int,
    float: _float,
    bool: _bool,
    enumerate: _enumerate,
    max: _extreme(max, jnp.maximum),
    min: _extreme(min, jnp.minimum),
    all: _every(all, jnp.all),
    any: _every(any, jnp.any),
}


@functools.cache
def _tf_range() -> tuple[Any, Any]:
    from nacre.tf.rows import made

    face = made("", "range")
    return face, _range(face)


def call_value(found: Any) -> Any:
    """What is called where code calls an attribute `value`: that of a variable gives itself.

    Args:
        found: The attribute.
    """
    return (lambda: found) if isinstance(found, jax.Array) else call(found)


def call(function: Any) -> Any:
    """What is called where code calls a function.

    Args:
        function: It.
    """
    kind = type(function)
    if kind is types.FunctionType:
        if function is _tf_range()[0]:
            return _tf_range()[1]
        return rewritten(function)
    if kind is types.MethodType:
        inner = function.__func__
        if inner is DatasetIterator.get_next:
            _refuse_elements(function.__self__)
        if type(inner) is types.FunctionType and (made := rewritten(inner)) is not inner:
            return types.MethodType(made, function.__self__)
        return function
    if kind is functools.partial and type(function.func) is types.FunctionType:
        return functools.partial(rewritten(function.func), *function.args, **function.keywords)
    if kind in (type, types.BuiltinFunctionType):
        try:
            return _MEANT.get(function, function)
        except TypeError:  # one of an object that has no hash
            return function
    own = kind.__dict__.get("__call__")
    if type(own) is types.FunctionType and (made := rewritten(own)) is not own:
        return types.MethodType(made, function)
    return function


# ------------------------------------------------------------------ functions

# By the id of their code, which is kept, as code is equal to other code of other files.
_made: dict[int, tuple[types.CodeType, types.CodeType | None]] = {}


def rewritten(function: types.FunctionType) -> types.FunctionType:
    """A function of the user's, rewritten; others, and those that cannot be, as they are.

    Args:
        function: A function of Python.
    """
    code = function.__code__
    if OURS in code.co_freevars or getattr(function, LEFT_ALONE, False):
        return function
    if not readings.is_users(function):
        return function
    if not readings.is_users_name(function.__globals__.get("__name__") or ""):
        return function  # a function of ours under the name of the user's that it stands for
    if id(code) not in _made:
        found = find(function) if _may_use_tensors(function) else None
        _made[id(code)] = (code, None if found is None else rewritten_code(found, code))
    new = _made[id(code)][1]
    if new is None:
        return function
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    from nacre.tf.conversion import meaning

    cells[OURS] = types.CellType(meaning)
    closure = tuple(cells[name] for name in new.co_freevars)
    made = types.FunctionType(new, function.__globals__, function.__name__, None, closure)
    made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    made.__dict__.update(function.__dict__)
    made.__qualname__, made.__module__ = function.__qualname__, function.__module__
    made.__doc__ = function.__doc__
    return made


def _may_use_tensors(function: types.FunctionType) -> bool:
    """Whether a function is of a script, or of an installed package that imports TensorFlow."""
    if "-packages" not in function.__code__.co_filename:
        return True
    return any(getattr(value, "_stands_in", False) is True for value in _modules_of(function))


def _modules_of(function: types.FunctionType) -> list[types.ModuleType]:
    return [x for x in function.__globals__.values() if isinstance(x, types.ModuleType)]


def converted(function: Any) -> Any:
    """A function, a method, a partial or an object that is called, rewritten where it is one."""
    return call(function)


__all__ = ["LEFT_ALONE", "Counted", "Numbered", "call", "call_value", "converted", "rewritten"]
