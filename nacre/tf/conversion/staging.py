"""Blocks as parts of a compiled program: choices, and loops that carry what they set."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from nacre import ops
from nacre.core import tree
from nacre.core.attempts import Attempt, to_undo
from nacre.core.errors import TracedValueError, message
from nacre.core.tracing import is_tracer
from nacre.core.variable import Variable
from nacre.data import HostTensor
from nacre.ops.control import while_loop_with_gradient
from nacre.tf.conversion.jumps import VALUE
from nacre.tf.tensor_array import TensorArray
from nacre.tf.values import tensor

_LISTS = (list, dict, set)


class Block(NamedTuple):
    """What a block of statements does to variables.

    Attributes:
        read: Gives the values of those it sets.
        write: Sets them.
        names: Their names.
        later: Those that are read elsewhere in the function.
        changed: What its statements may change in place: (name, look, whether it is outside of
            the function).
        stops: The line of a `raise` within it.
        line: Its line.
    """

    read: Callable[[], tuple[Any, ...]]
    write: Callable[[Any], None]
    names: tuple[str, ...]
    later: tuple[str, ...]
    changed: tuple[tuple[str, Callable[[], Any], bool], ...]
    stops: int | None
    line: int

    def check(self) -> None:
        """Refuse what a program cannot do in only some of its runs."""
        if self.stops is not None:
            raise refused(self.stops, "a `raise` that depends on the value of a tensor")
        for name, look, is_outside in self.changed:
            try:
                value = look()
            except (NameError, AttributeError, LookupError):
                continue
            if is_outside and type(value) in (list, dict):
                to_undo(functools.partial(_put_back, value, copy.copy(value)), True)
            elif value is None or isinstance(value, _LISTS):
                self._refuse_change(name, "sets" if value is None else "changes in place")

    def check_kept(self) -> None:
        """Refuse tensors in a list of the script's: they stand for values of one turn or way.

        Other items are what the trace has done, once, as in TensorFlow.
        """
        for name, look, is_outside in self.changed:
            if is_outside and type(value := look()) in (list, dict):
                items = value if isinstance(value, list) else value.values()
                if any(is_tracer(leaf) for item in items for leaf in tree.flatten(item)):
                    self._refuse_change(name, "changes in place")

    def _refuse_change(self, name: str, does: str) -> NoReturn:
        raise refused(self.line, f"one that depends on a tensor, and {does} '{name}'")


def _put_back(value: Any, before: Any) -> None:
    value.clear()
    value.update(before) if isinstance(value, dict) else value.extend(before)


class Undefined:
    """A variable that has no value, or has one only if the program goes one of several ways.

    Args:
        name: Its name.
        line: The line of the block that may set it; None where nothing has.
    """

    def __init__(self, name: str, line: int | None = None) -> None:
        self._nacre_name, self._nacre_line = name, line

    def refuse(self, *_: Any) -> NoReturn:
        """Say so: it is read."""
        if self._nacre_line is None:
            raise UnboundLocalError(f"variable '{self._nacre_name}' is read before it has a value")
        raise refused(
            self._nacre_line,
            f"'{self._nacre_name}', which has a value only if a tensor of the program is true",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        self.refuse()

    __call__ = __getitem__ = __iter__ = __bool__ = __add__ = __iadd__ = __radd__ = refuse
    __mul__ = __imul__ = __rmul__ = __sub__ = __isub__ = __rsub__ = __truediv__ = refuse
    __itruediv__ = __ifloordiv__ = __ipow__ = __imod__ = __iand__ = __ior__ = refuse
    __rtruediv__ = __lt__ = __gt__ = __le__ = __ge__ = __neg__ = __pow__ = refuse
    __jax_array__ = refuse


def refused(line: int, what: str) -> TracedValueError:
    """What is raised where a block cannot be a part of a program."""
    return TracedValueError(
        message(
            f"line {line}",
            "a block of a compiled function must set the same variables, to tensors of the same "
            "shapes and dtypes, whichever way it goes",
            what,
            "Set them to tensors alike in both ways and before a loop, with tf.TensorArray in "
            "place of lists.",
        )
    )


class _Again(Exception):
    """A block was traced with too little known; what is known now is kept."""


# ------------------------------------------------------------------ values as arrays


class Same:
    """A leaf that is no tensor, and must be the same whichever way a program goes."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Same):
            return False
        if self.value is other.value:
            return True
        kinds = (str, bytes, type(None), np.dtype)
        return isinstance(self.value, kinds) and self.value == other.value

    def __hash__(self) -> int:
        return 0


@dataclass(frozen=True)
class _Spec:
    """The kind of a leaf that is a tensor."""

    shape: tuple[int, ...]
    dtype: Any


@dataclass(frozen=True)
class _Cells:
    """The kind of a `TensorArray`: how many places, and what stands in each."""

    size: int
    dtype: Any
    grows: bool
    inner: _Spec | None


_NUMBERS = (bool, int, float, complex, np.generic)


def encoded(value: Any) -> tuple[Any, list[Any]]:
    """The layout of a value, and its arrays.

    The layout is a structure of `_Spec`, `_Cells` and `Same`; None for `Undefined`.
    """
    if type(value) is Undefined:
        return None, []
    arrays: list[Any] = []

    def leaf(item: Any) -> Any:
        if isinstance(item, TensorArray):
            buffer = item.buffer()
            if buffer is None:
                return _Cells(item.length, item.dtype, item.dynamic_size, None)
            arrays.append(buffer)
            inner = _Spec(tuple(buffer.shape[1:]), buffer.dtype)
            return _Cells(item.length, item.dtype, item.dynamic_size, inner)
        if isinstance(item, Variable):
            item = item.value
        is_number = isinstance(item, _NUMBERS)
        if is_number or isinstance(item, jax.Array | HostTensor | np.ndarray):
            array = tensor(item)
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "OSU":
                arrays.append(jnp.asarray(array))
                return _Spec(tuple(arrays[-1].shape), arrays[-1].dtype)
        return Same(item)

    return tree.map_structure(leaf, value), arrays


def decoded(layout: Any, arrays: Iterator[Any]) -> Any:
    """A value of a layout, of arrays."""

    def leaf(kind: Any) -> Any:
        if isinstance(kind, Same):
            return kind.value
        if isinstance(kind, _Cells):
            made = TensorArray(kind.dtype, kind.size, kind.grows)
            return made if kind.inner is None else made.holding(next(arrays))
        return next(arrays)

    return tree.map_structure(leaf, layout)


def _zeros(layout: Any) -> Any:
    """A value of a layout, where none is asked for."""
    arrays = [jnp.zeros(kind.shape, kind.dtype) for kind in _specs(layout)]
    return decoded(layout, iter(arrays))


def _specs(layout: Any) -> list[_Spec]:
    found: list[_Spec] = []

    def leaf(kind: Any) -> Any:
        if isinstance(kind, _Spec):
            found.append(kind)
        elif isinstance(kind, _Cells) and kind.inner is not None:
            found.append(_Spec((kind.size, *kind.inner.shape), kind.inner.dtype))
        return kind

    tree.map_structure(leaf, layout)
    return found


def _is_filled_of(empty: Any, full: Any) -> bool:
    """Whether two layouts differ in arrays that are written in one of them only."""
    if empty is None or full is None:
        return False
    differs = False

    def leaf(a: Any, b: Any) -> Any:
        nonlocal differs
        if isinstance(a, _Cells) and isinstance(b, _Cells) and a.size == b.size:
            differs = differs or (a.inner is None and b.inner is not None)
            return a
        if a != b:
            raise ValueError
        return a

    try:
        tree.map_structure(leaf, empty, full)
    except (ValueError, TypeError):
        return False
    return differs


# ------------------------------------------------------------------ choices


def chosen(pred: Any, body: Callable[[], Any], orelse: Callable[[], Any], block: Block) -> None:
    """Run one of two blocks, as `pred` says when the program runs, and set what they set."""

    def run(function: Callable[[], Any]) -> tuple[Any, ...]:
        function()
        return block.read()

    layouts, arrays = _either(pred, (body, orelse), block, run, block.names)
    found = iter(arrays)
    values = [
        Undefined(name, block.line) if layout is None else decoded(layout, found)
        for name, layout in zip(block.names, layouts, strict=True)
    ]
    block.write(tuple(values))


def chosen_value(
    pred: Any, body: Callable[[], Any], orelse: Callable[[], Any], block: Block
) -> Any:
    """What one of two blocks returns."""
    (layout,), arrays = _either(
        pred, (body, orelse), block, lambda function: (function(),), (f"{VALUE}_of_return",)
    )
    return decoded(layout, iter(arrays))


def _either(
    pred: Any,
    ways: tuple[Callable[[], Any], Callable[[], Any]],
    block: Block,
    run: Callable[[Callable[[], Any]], tuple[Any, ...]],
    names: Sequence[str],
) -> tuple[list[Any], list[Any]]:
    """Layouts and arrays of what the one or the other way gives.

    The first way that is traced says what there is; where the second knows more (a value where the
    first has none) both are traced again.
    """
    before = block.read()
    layouts: list[Any] = [None] * len(names)
    dropped: set[int] = set()
    traced = 0

    def way(function: Callable[[], Any]) -> Callable[[], list[Any]]:
        def branch() -> list[Any]:
            nonlocal traced
            block.write(before)
            with Attempt() as attempt:
                try:
                    values = run(function)
                finally:
                    block.write(before)
                if traced == 0:
                    attempt.undo(runs_again=False)  # only one of the two ways is gone
            traced += 1
            arrays: list[Any] = []
            for at, value in enumerate(values):
                arrays += _merged(at, value)
            return arrays

        return branch

    def _merged(at: int, value: Any) -> list[Any]:
        layout, found = encoded(value)
        if at in dropped:
            return []
        known, is_first = layouts[at], traced == 1
        if known is None:
            if layout is None:
                return []
            layouts[at] = layout
            if is_first:
                return found
            if names[at].startswith(VALUE):
                raise _Again
            dropped.add(at)
            raise _Again
        if layout == known:
            return found
        if layout is None:
            if names[at].startswith(VALUE):
                return encoded(_zeros(known))[1]
            dropped.add(at)
            raise _Again
        if _is_filled_of(known, layout):
            layouts[at] = layout
            raise _Again
        if _is_filled_of(layout, known):
            return encoded(_zeros(known))[1]
        raise refused(block.line, _difference(names[at], known, layout))

    for _ in range(2 * len(names) + 2):
        traced = 0
        with Attempt() as attempt:
            block.check()
            try:
                arrays = ops.cond(pred, way(ways[0]), way(ways[1]))
            except _Again:
                attempt.undo()
                continue
            block.check_kept()
        return [None if i in dropped else x for i, x in enumerate(layouts)], list(arrays)
    raise refused(block.line, "values that differ each time they are traced")


def _difference(name: str, one: Any, other: Any) -> str:
    what = "what is returned" if name.startswith(VALUE) else f"'{name}'"
    return f"{what}, {_shown(one)} or {_shown(other)}"


def _shown(layout: Any) -> str:
    if isinstance(layout, _Spec):
        return f"{layout.dtype}{list(layout.shape)}"
    if isinstance(layout, Same):
        return f"a {type(layout.value).__name__}" if layout.value is not None else "None"
    return f"a {type(layout).__name__}".replace("_Cells", "TensorArray")


# ------------------------------------------------------------------ loops


class _Carried:
    """What a loop carries from turn to turn: the variables of its block that have a value."""

    def __init__(self, block: Block, before: tuple[Any, ...], fills: dict[int, Any]) -> None:
        self._block, self._before, self._fills = block, before, fills
        self.layouts: list[Any] = []
        self.start: list[Any] = []
        for at, value in enumerate(before):
            given = _zeros(fills[at]) if at in fills else value
            layout, arrays = encoded(given)
            self.layouts.append(layout)
            self.start += arrays

    def set(self, arrays: Sequence[Any]) -> None:
        """Set the variables to what a turn begins with."""
        self._block.write(self.values(arrays))

    def values(self, arrays: Sequence[Any], is_over: bool = False) -> tuple[Any, ...]:
        """The variables' values."""
        found = iter(arrays)
        names = self._block.names
        empty = [Undefined(n, self._block.line) if is_over else Undefined(n) for n in names]
        return tuple(
            empty[i] if layout is None else decoded(layout, found)
            for i, layout in enumerate(self.layouts)
        )

    def after(self, wants_last: bool) -> list[Any]:
        """The arrays that a turn has led to.

        Args:
            wants_last: Whether variables that only the turns set have a value in the end.
        """
        out: list[Any] = []
        for at, value in enumerate(self._block.read()):
            name, known = self._block.names[at], self.layouts[at]
            layout, arrays = encoded(value)
            if known is None:
                is_value = name.startswith(VALUE)
                if layout is not None and (is_value or (wants_last and name in self._block.later)):
                    self._fills[at] = layout
                    raise _Again
                continue
            if layout == known:
                out += arrays
            elif _is_filled_of(known, layout):
                self._fills[at] = layout
                raise _Again
            else:
                got = "nothing" if layout is None else ""
                told = f"'{name}' without a value" if got else _difference(name, known, layout)
                raise refused(self._block.line, f"{told}, before and after a turn of a loop")
        return out


def _carrying(block: Block, run: Callable[[_Carried], list[Any]]) -> None:
    """Trace a loop, again where a turn shows more of what it carries, and set what it leads to."""
    before, fills = block.read(), dict[int, Any]()
    for _ in range(2 * len(block.names) + 2):
        carried = _Carried(block, before, fills)
        with Attempt() as attempt:
            block.check()
            try:
                arrays = run(carried)
                block.check_kept()
            except _Again:
                attempt.undo()
                continue
            finally:
                block.write(before)
        block.write(carried.values(arrays, is_over=True))
        return
    raise refused(block.line, "values that differ each time they are traced")


def looped(test: Callable[[], Any], body: Callable[[], None], block: Block) -> None:
    """A `while` as the program's own."""

    def run(carried: _Carried) -> list[Any]:
        def holds(*arrays: Any) -> Any:
            carried.set(arrays[1:])
            return jnp.asarray(test()).astype(bool).reshape(())

        def turn(*arrays: Any) -> list[Any]:
            carried.set(arrays[1:])
            body()
            return [arrays[0] + 1, *carried.after(wants_last=False)]

        return list(while_loop_with_gradient(holds, turn, [jnp.int32(0), *carried.start]))[1:]

    _carrying(block, run)


def counted(
    numbers: Any, more: Callable[[], Any] | None, body: Callable[[Any], None], block: Block
) -> None:
    """A `for` over a range whose end the program computes."""
    start, limit, delta = numbers.start, numbers.limit, numbers.delta

    def run(carried: _Carried) -> list[Any]:
        def holds(*arrays: Any) -> Any:
            at = arrays[0]
            is_left = jnp.where(delta > 0, at < limit, at > limit)
            if more is None:
                return is_left
            carried.set(arrays[1:])
            return jnp.logical_and(is_left, jnp.asarray(more()).astype(bool))

        def turn(*arrays: Any) -> list[Any]:
            carried.set(arrays[1:])
            body(arrays[0])
            return [arrays[0] + delta, *carried.after(wants_last=False)]

        return list(while_loop_with_gradient(holds, turn, [start, *carried.start]))[1:]

    _carrying(block, run)


def stepped(rows: Any, start: int | None, turn: Callable[[Any], None], block: Block) -> None:
    """A `for` over the first axis of a tensor.

    Args:
        rows: The tensor.
        start: The first number of the rows, where they are numbered.
        turn: What is done with each.
        block: What it sets.
    """
    rows = jnp.asarray(tensor(rows))
    count = rows.shape[0]

    def run(carried: _Carried) -> list[Any]:
        def step(state: list[Any], row: Any) -> tuple[list[Any], Any]:
            carried.set(state[1:])
            turn(row if start is None else (state[0], row))
            return [state[0] + 1, *carried.after(wants_last=count > 0)], None

        begin = [jnp.int32(start or 0), *carried.start]
        return list(ops.scan(step, begin, rows)[0])[1:]

    _carrying(block, run)


__all__ = [
    "Block", "Same", "Undefined", "chosen", "chosen_value", "counted", "decoded", "encoded",
    "looped", "refused", "stepped",
]  # fmt: skip
