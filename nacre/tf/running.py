"""Where and how code runs: eager or traced, on which device, with calls of Python and prints."""

from __future__ import annotations

import contextlib
import functools
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Any

import jax
import numpy as np

from nacre.core.errors import ArgumentError, TracedValueError, message
from nacre.core.symbolic import KerasTensor
from nacre.core.tracing import is_tracer, is_tracing
from nacre.core.variable import Variable
from nacre.data import HostTensor, Ragged
from nacre.data.dataset.sparse import SparseEntries
from nacre.export.importers.tensorflow.ops.strings import shown
from nacre.tf.arguments import t
from nacre.tf.dtypes import DType
from nacre.tf.shapes import TensorShape
from nacre.tf.values import tensor


def executing_eagerly() -> bool:
    """Whether Python runs with values, not while a function is traced."""
    return not is_tracing()


def is_tensor(x: Any) -> bool:
    """Whether it is a tensor, of whatever form, or a variable."""
    from nacre.tf.sparse_tensors import SparseTensor

    kinds = jax.Array | HostTensor | Variable | KerasTensor | Ragged | SparseTensor
    return isinstance(x, kinds)


def static_value(x: Any) -> Any:
    """The values where they are known, else None."""
    return None if is_tracer(x) or isinstance(x, KerasTensor) else np.asarray(x)


def group(*inputs: Any, **kwargs: Any) -> None:
    """Nothing: what was called has run."""


class no_scope:
    """A block that changes nothing: code runs in its order, on the device there is.

    Args:
        args, kwargs: What TensorFlow's scope takes.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


_unheard: list[None] = []  # one for each block in which nothing is printed


@contextlib.contextmanager
def without_printing() -> Generator[None]:
    """A block in which functions run on numbers that are nobody's, so that `tf.print` is silent."""
    jax.effects_barrier()  # what was asked for before is printed
    _unheard.append(None)
    try:
        yield
        jax.effects_barrier()
    finally:
        _unheard.pop()


def print_tensors(
    *inputs: Any,
    output_stream: Any = None,
    summarize: int = 3,
    sep: str = " ",
    end: str = "\n",
    name: str | None = None,
) -> None:
    """Print tensors, in a compiled function each time it runs.

    Args:
        inputs: What to print: tensors, texts, structures.
        output_stream: `sys.stdout` or another file, or 'file://PATH', to whose end it is added; by
            default `sys.stderr`.
        summarize: How many numbers at each end of an axis.
        sep, end: Texts between and behind.
        name: Accepted for compatibility.
    """
    import sys

    if isinstance(output_stream, str):
        _path_of(output_stream)  # refused when it is called, not when a program runs
    leaves, structure = jax.tree.flatten(list(inputs))
    leaves = [leaf.value if isinstance(leaf, Variable) else leaf for leaf in leaves]
    places = [i for i, value in enumerate(leaves) if isinstance(value, jax.Array)]

    def show(*values: Any) -> None:
        if _unheard:
            return
        filled = list(leaves)
        for place, value in zip(places, values, strict=True):
            filled[place] = value
        shown = jax.tree.unflatten(structure, filled)
        texts = [_printed(value, summarize) for value in shown]
        if isinstance(output_stream, str):
            with open(_path_of(output_stream), "a", encoding="utf-8") as file:
                print(*texts, sep=sep, end=end, file=file)
        else:
            print(*texts, sep=sep, end=end, file=output_stream or sys.stderr)

    traced = [leaves[i] for i in places]
    if is_tracing():  # at each run, also of what is known while it is traced
        jax.debug.callback(show, *traced, ordered=True)
    else:
        show(*traced)


def _path_of(stream: str) -> str:
    if not stream.startswith("file://"):
        rule = "output_stream must be an open file, or 'file://PATH'"
        raise ArgumentError(message("tf.print", rule, repr(stream)))
    return stream.removeprefix("file://")


def _printed(value: Any, summarize: int) -> str:
    """A value as `tf.print` writes it: arrays by their numbers, others as Python does."""
    if isinstance(value, SparseEntries):
        names = {"indices": value.indices, "values": value.values, "shape": value.dense_shape}
        parts = [f"{name}={shown(np.asarray(part), summarize)}" for name, part in names.items()]
        return f"'SparseTensor({', '.join(parts)})'"
    if isinstance(value, str) and not isinstance(value, DType):
        return value
    if isinstance(value, Variable):
        value = value.numpy()
    if isinstance(value, Ragged):
        return "[" + ", ".join(_row_printed(row) for row in value) + "]"
    if isinstance(value, np.ndarray | np.generic | jax.Array | bytes):
        return shown(np.asarray(value), summarize)
    return repr(_with_bare_arrays(value, summarize))


def _with_bare_arrays(value: Any, summarize: int) -> Any:
    """A structure with texts that show themselves in the places of arrays."""

    def within(item: Any) -> Any:
        return _with_bare_arrays(item, summarize)

    if isinstance(value, TensorShape):
        return value
    if isinstance(value, tuple):
        parts = [within(item) for item in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [within(item) for item in value]
    if isinstance(value, dict):
        pairs = {key: within(item) for key, item in value.items()}
        return OrderedDict(pairs) if isinstance(value, OrderedDict) else pairs
    if isinstance(value, Variable | Ragged | np.ndarray | np.generic | jax.Array):
        return _Bare(_printed(value, summarize))
    return value


def _row_printed(row: Any) -> str:
    if isinstance(row, Ragged):
        return _printed(row, -1)
    return _listed(np.asarray(row).tolist())


def _listed(value: Any) -> str:
    """A value of a row as `tf.strings.as_string` writes it, and texts with quotes."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_listed, value)) + "]"
    if isinstance(value, bytes):
        return f"'{value.decode(errors='replace')}'"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, float) else str(value)


class _Bare(str):
    """A text that shows itself without quotes."""

    def __repr__(self) -> str:
        return str(self)


class UnconnectedGradients:
    """What stands for gradients of what a target does not depend on."""

    NONE = "none"
    ZERO = "zero"


def py_function(func: Any = None, inp: Any = None, Tout: Any = None, name: Any = None) -> Any:
    """Call a function of Python with tensors, outside of compiled programs; without a function it
    is a decorator that makes such calls.

    Args:
        func: The function.
        inp: Its arguments.
        Tout: The dtype of what it gives, or a list of them.
        name: Accepted for compatibility.
    """
    if func is None:
        return _decorator(py_function, Tout=Tout, name=name)
    return _called("tf.py_function", func, [t(x) for x in inp], Tout)


def _decorator(caller: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def call(*args: Any, **kwargs: Any) -> Any:
            return caller(functools.partial(func, **kwargs), list(args), **options)

        return call

    return decorate


def numpy_function(
    func: Any = None, inp: Any = None, Tout: Any = None, stateful: bool = True, name: Any = None
) -> Any:
    """The same with arrays of NumPy for arguments; a decorator where there is no function."""
    if func is None:
        return _decorator(numpy_function, Tout=Tout, stateful=stateful, name=name)
    _refuse_traced("tf.numpy_function", inp)
    plain_arrays = [np.asarray(t(x)) for x in inp]
    given = [x if x.ndim else x[()] for x in plain_arrays]
    return _called("tf.numpy_function", func, given, Tout)


def _called(who: str, func: Any, inp: list[Any], kinds: Any) -> Any:
    _refuse_traced(who, inp)
    found = func(*inp)
    if isinstance(kinds, list | tuple):
        if found is None and not kinds:  # it was called for what it does
            return []
        found = found if isinstance(found, list | tuple) else [found]
        return [tensor(x, kind) for x, kind in zip(found, kinds, strict=True)]
    return None if kinds is None else tensor(found, kinds)


def _refuse_traced(who: str, inp: Any) -> None:
    if any(map(is_tracer, inp)):
        raise TracedValueError(
            message(
                who,
                "it runs Python with values, which a compiled function does not have",
                "a call within tf.function",
                "Call it outside, or in Dataset.map.",
            )
        )
