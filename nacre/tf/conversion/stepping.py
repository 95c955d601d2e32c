"""Loops over data sets: a data set gives its batches one by one, and each turn is compiled.

The function around such a loop runs as plain Python, rewritten; the loop's body is a function of
what it carries from turn to turn and of the batch, traced once for each shape of these, as a whole
function is.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import threading
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any

import jax
import numpy as np

from nacre.core import readings, tree
from nacre.core.attempts import Attempt
from nacre.core.errors import TracedValueError
from nacre.core.tracing import is_tracing
from nacre.core.variable import Variable
from nacre.core.warning import warn
from nacre.data import Dataset, HostTensor
from nacre.tf.conversion.calls import Numbered
from nacre.tf.conversion.staging import Block, Same, Undefined, decoded, encoded
from nacre.tf.tensor_array import TensorArray
from nacre.tf.values import traced_function
from nacre.training.function import Function

_DEPTH = 4  # of lists within one another; deeper ones are told by which object they are


class _Running(threading.local):
    """How many functions around run rewritten, with values."""

    depth = 0


_running = _Running()


@contextlib.contextmanager
def compiled_turns() -> Generator[None]:
    """A block whose loops over data sets compile their turns."""
    _running.depth += 1
    try:
        yield
    finally:
        _running.depth -= 1


def takes(iterable: Any) -> bool:
    """Whether a loop is one over a data set whose turns are to be compiled."""
    inner = iterable.items if isinstance(iterable, Numbered) else iterable
    return _running.depth > 0 and isinstance(inner, Dataset) and not is_tracing()


def run_turns(
    iterable: Any, more: Callable[[], Any] | None, body: Callable[[Any], None], block: Block
) -> None:
    """`for item in iterable: body(item)`, each turn compiled, as long as `more()` holds."""
    turn, is_given = _turn_of(body, block), [type(v) is not Undefined for v in block.read()]
    for item in iterable:
        if isinstance(iterable, Numbered):
            item = (np.int64(item[0]), item[1])
        if turn is not None and not turn.run(item, body, block, is_given):
            turn = None
        if turn is None:
            body(item)
        if more is not None and not more():
            return


# ------------------------------------------------------------------ one turn


class _Layout:
    """What a turn begins with or leads to besides arrays; by which object it is."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Any, ...]) -> None:
        self.parts = parts


class _Held:
    """Something of the function around that a turn uses, by which object it is.

    Args:
        value: It.
        content: What it holds; see `_content`.
    """

    __slots__ = ("content", "value")

    def __init__(self, value: Any, content: Any) -> None:
        self.value, self.content = value, content


class _Turn:
    """The body of a loop as a compiled function.

    Args:
        body: It, of one call of the function around; of later calls it is another with other
            variables around, and the first one is traced in its place.
        block: What it does to variables.
    """

    def __init__(self, body: types.FunctionType, block: Block) -> None:
        self._body, self._block = body, block
        self._cells = _cells_of(body, block)
        self._layouts: list[_Layout] = []
        self._held: dict[int, list[_Held]] = {}

        def one_turn(layout: Any, arrays: Any, item: Any, around: Any) -> Any:
            return self._traced(layout, arrays, item, around)

        one_turn.__name__ = one_turn.__qualname__ = f"the loop over a data set, line {block.line}"
        self._function = Function(one_turn)

    def run(self, item: Any, body: types.FunctionType, block: Block, is_given: list[bool]) -> bool:
        """One turn of a call; False where it cannot be compiled and nothing was done.

        Args:
            item: The batch.
            body, block: Those of this call.
            is_given: Which variables have a value before the loop; others are each turn's own.
        """
        if not all(map(_is_numbers, tree.flatten(item))):
            return False
        before = block.read()
        own = [v if is_kept else Undefined("") for v, is_kept in zip(before, is_given, strict=True)]
        parts, arrays = _all_encoded(tuple(own), drops_objects=True)
        around = [self._around(cell) for cell in _cells_of(body, block).values()]
        present = self._block.read()  # of the call that was traced, which may be this one
        try:
            with Attempt() as attempt:
                try:
                    after, found = self._function(self._known(parts), arrays, item, around)
                except _NEED_VALUES as error:
                    if isinstance(error, AttributeError) and not isinstance(
                        error.obj, jax.core.Tracer
                    ):
                        raise
                    attempt.undo()
                    block.write(before)
                    warn(
                        f"tf.function: the loop over a data set, line {block.line}, runs as plain "
                        f"Python, not compiled, as it needs the values of tensors: {error}"
                    )
                    return False
        finally:
            self._block.write(present)
        stream = iter(found)
        ends = [_value("", part, stream, block.line) for part in after.parts]
        is_set = [part is not None for part in after.parts]
        block.write(tuple(a if own else b for a, b, own in zip(ends, before, is_set, strict=True)))
        return True

    def _traced(self, layout: _Layout, arrays: Any, item: Any, around: list[Any]) -> Any:
        """What a turn does, while it is traced."""
        cells, stream = list(self._cells.values()), iter(arrays)
        kept = [cell.cell_contents for cell in cells]
        names = zip(self._block.names, layout.parts, strict=True)
        before = self._block.read()
        try:
            for cell, value in zip(cells, around, strict=True):
                cell.cell_contents = value.value if type(value) is _Held else value
            self._block.write(tuple(_value(n, part, stream, None) for n, part in names))
            self._block.check()
            with traced_function():
                self._body(item)
            self._block.check_kept()
            parts, found = _all_encoded(self._block.read())
            return _Layout(parts), found
        finally:
            for cell, value in zip(cells, kept, strict=True):
                cell.cell_contents = value
            self._block.write(before)
            for value in around:
                if type(value) is _Held:  # what the trace itself changed is no reason for another
                    value.content = _content(value.value)

    def _known(self, parts: tuple[Any, ...]) -> _Layout:
        """One object for equal layouts, by which the function tells its calls apart."""
        for known in self._layouts:
            if known.parts == parts:
                return known
        self._layouts.append(_Layout(parts))
        return self._layouts[-1]

    def _around(self, cell: types.CellType) -> Any:
        value = cell.cell_contents
        if isinstance(value, jax.Array | HostTensor) and _is_numbers(value):
            return value
        if isinstance(value, bool | int | float | str | None):
            return value  # by its value, as an argument of the function would be
        content, states = _content(value), self._held.setdefault(id(value), [])
        for known in states:
            if readings.is_same(known.content, content):
                return known
        states.append(_Held(value, content))
        return states[-1]


def _content(value: Any, depth: int = _DEPTH) -> Any:
    """What lists, dicts and arrays of NumPy hold, which may change between two calls while they
    stay the objects they are; all else is told by which object it is."""
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).digest()
    if depth and isinstance(value, dict):
        pairs = [(key, _content(item, depth - 1)) for key, item in value.items()]
        return dict, tuple(pairs)
    if depth and isinstance(value, list | tuple | set | collections.deque):
        return type(value), tuple(_content(item, depth - 1) for item in value)
    return value


def _value(name: str, layout: Any, arrays: Iterator[Any], line: int | None) -> Any:
    return Undefined(name, line) if layout is None else decoded(layout, arrays)


def _all_encoded(
    values: tuple[Any, ...], drops_objects: bool = False
) -> tuple[tuple[Any, ...], list[Any]]:
    """Layouts and arrays. Objects, such as a tape, are each turn's own: none goes into the next."""
    parts, arrays = list[Any](), list[Any]()
    for value in values:
        layout, found = encoded(value)
        if drops_objects and any(map(_is_object, tree.flatten(layout))):
            layout, found = None, []
        parts.append(layout)
        arrays += found
    return tuple(parts), arrays


def _is_object(part: Any) -> bool:
    return type(part) is Same and not isinstance(part.value, _PLAIN)


_PLAIN = (str, bytes, type(None), np.dtype)


def _is_numbers(leaf: Any) -> bool:
    if isinstance(leaf, TensorArray | Variable) or not hasattr(leaf, "dtype"):
        return False
    return isinstance(leaf, jax.Array) or (
        isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind in "biufc"
    )


def _cells_of(body: types.FunctionType, block: Block) -> dict[str, types.CellType]:
    """What a body reads of the function around, besides what the loop carries."""
    found = dict(zip(body.__code__.co_freevars, body.__closure__ or (), strict=True))
    return {name: cell for name, cell in found.items() if name not in block.names and _has(cell)}


def _has(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 (a cell without a value raises)
    except ValueError:
        return False
    return True


_NEED_VALUES = (
    TracedValueError, AttributeError, UnboundLocalError,
    jax.errors.JAXTypeError, jax.errors.JAXIndexError,
)  # fmt: skip

# By the id of the body's code, which is kept: the function around makes its bodies at each call.
_turns: dict[int, tuple[types.CodeType, dict[tuple[str, ...], _Turn]]] = {}


def _turn_of(body: Any, block: Block) -> _Turn | None:
    if type(body) is not types.FunctionType:
        return None
    code = body.__code__
    known = _turns.setdefault(id(code), (code, {}))[1]
    names = tuple(_cells_of(body, block))
    if names not in known:
        known[names] = _Turn(body, block)
    return known[names]


__all__ = ["compiled_turns", "run_turns", "takes"]
