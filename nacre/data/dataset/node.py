"""`Node` and `Cursor`: a data set is a tree of nodes, which is only a description; going over it is
done by a cursor of each node, which asks those of the nodes it stands on.

A cursor tells its position as plain data (`state`), and takes it (`restore`). What it gave out is
what counts, not what it read ahead.

Nodes that only pick and order rows of arrays do not look at elements at all: their cursors have
`rows`, and tell numbers of rows (`positions`), so that whole batches are gathered from
`from_tensor_slices(...).shuffle(...).batch(...)`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from nacre.core.errors import DataError, NacreError, message
from nacre.core.host_random import host_random_state, set_host_random_state
from nacre.data.dataset.elements import mapped
from nacre.data.dataset.marks import add_to
from nacre.data.dataset.seeds import Passes, Place
from nacre.data.dataset.spec import RowSpec, TensorSpec, merged, spec_of, zeros

INFINITE = -1
UNKNOWN = -2
AUTOTUNE = -1
EXAMPLES = 3  # how many elements are looked at for a spec that nothing tells


@dataclass(frozen=True)
class Opening:
    """How a data set is gone over.

    Args:
        is_peek: Only to see an element or two: no threads, and no pass that counts.
        watch: Wraps each cursor, to measure it.
        place: The element that a function made the data set of, if one did.
    """

    is_peek: bool = False
    watch: Any = None
    place: Place | None = None

    @property
    def leaves_no_trace(self) -> bool:
        """Whether the passes after it have the orders they would have had without it."""
        return self.is_peek or self.watch is not None

    def passes(self, given: Passes) -> Passes:
        """The passes over a node that draws."""
        return given if self.place is None else self.place.passes(given)

    def within(self, place: Place) -> Opening:
        """The same, for a data set that a function makes."""
        return Opening(self.is_peek, self.watch, place)


class Rows(ABC):
    """Rows that can be picked by their numbers."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def row(self, position: int) -> Any:
        """One of them, as an element."""

    @abstractmethod
    def gather(self, positions: np.ndarray) -> Any:
        """Some of them stacked."""


class Cursor(ABC):
    """Where one is within the elements of a node.

    Attributes:
        rows: What the elements are rows of, where `positions` can be asked for; else None.
        inputs: The cursors it asks.
    """

    rows: Rows | None = None
    inputs: tuple[Cursor, ...] = ()

    @abstractmethod
    def __next__(self) -> Any:
        """The next element."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def positions(self, count: int) -> np.ndarray:
        """The numbers of the next rows, at most `count`; none at the end."""
        raise AssertionError("there are no rows")

    @abstractmethod
    def state(self) -> Any:
        """Where it is: plain data and arrays of numbers."""

    @abstractmethod
    def restore(self, state: Any) -> None:
        """Go on where a state was taken."""

    def states_of_inputs(self) -> list[Any]:
        """Where each of the cursors it asks is."""
        return [cursor.state() for cursor in self.inputs]

    def restore_inputs(self, states: list[Any]) -> None:
        """Have each of them go on where its state was taken."""
        for cursor, state in zip(self.inputs, states, strict=True):
            cursor.restore(state)

    def close(self) -> None:
        """End threads; there are no more elements."""
        for cursor in self.inputs:
            cursor.close()

    def interrupt(self) -> None:
        """End workers, also for a thread that waits for one within this cursor; it is closed by
        that thread. Any other thread may ask for it."""
        for cursor in self.inputs:
            cursor.interrupt()


class Node(ABC):
    """What a data set is made of.

    Args:
        inputs: The nodes it stands on.
    """

    name = "Dataset"  # as messages name it

    def __init__(self, *inputs: Node) -> None:
        self.inputs = inputs
        self._spec: list[Any] = []

    @abstractmethod
    def make_cursor(self, opening: Opening) -> Cursor:
        """A cursor at the beginning."""

    @abstractmethod
    def make_spec(self) -> Any:
        """The spec of the elements."""

    @abstractmethod
    def cardinality(self) -> int:
        """How many elements there are, `INFINITE` or `UNKNOWN`."""

    def known_spec(self) -> Any:
        """The spec where it is certain, without running a user's function; else NotKnown."""
        specs = [node.known_spec() for node in self.inputs]
        if any(spec is NOT_KNOWN for spec in specs):
            return NOT_KNOWN
        return self.spec()

    def open(self, opening: Opening) -> Cursor:
        """A cursor at the beginning, watched where that is asked for."""
        cursor = self.make_cursor(opening)
        return cursor if opening.watch is None else opening.watch(self, cursor)

    def spec(self) -> Any:
        """The spec of the elements, found once. Functions that are called to see what they make
        leave random numbers as they were."""
        if not self._spec:
            before = host_random_state()
            try:
                self._spec.append(self.make_spec())
            finally:
                set_host_random_state(before)
        return self._spec[0]

    def describe(self) -> str:
        """What it is made of, in words."""
        parts = ", ".join(node.describe() for node in self.inputs)
        return self.name.removeprefix("Dataset.") + (f"({parts})" if parts else "")

    def own_source(self) -> Any:
        """What its elements are made of, where it holds that: numbers, elements; else None."""
        return None

    def source_mark(self) -> str:
        """Digits that differ where the arrays and numbers differ that it is made of.

        Of large arrays samples count; of functions of Python nothing does.
        """
        digest = hashlib.blake2b(digest_size=16)
        add_to(digest, self.own_source())
        for node in self.inputs:
            digest.update(node.source_mark().encode())
        return digest.hexdigest()

    def examples(self, most: int = EXAMPLES) -> list[Any]:
        """The first elements, to find out what there is to know of them."""
        cursor = self.open(Opening(is_peek=True))
        found: list[Any] = []
        try:
            while len(found) < most:
                found.append(next(cursor))
        except StopIteration:
            pass
        finally:
            cursor.close()
        return found

    def examples_or_zeros(self) -> list[Any]:
        """The first elements; where there are none, or they cannot be made, one of zeros."""
        try:
            found = self.examples()
        except NacreError:
            found = []
        if found:
            return found
        return [zeros(self.spec())]

    def kept(self) -> list[Any]:
        """The elements of a data set that is an element itself, for a state."""
        raise DataError(
            message(
                self.name,
                "a state can hold windows, not other data sets within elements",
                "a data set that a function made",
                "Take its elements with flat_map or interleave before elements are kept.",
            )
        )


class _NotKnown:
    """Stands where only running a user's function would tell."""


NOT_KNOWN = _NotKnown()


def spec_by_examples(node: Node, made: Any, given: Any = None) -> Any:
    """The spec of what a function makes, from what it makes of the first elements.

    Sizes that differ are None, and so are those that follow sizes which the spec of the function's
    elements does not fix: it is called once more with another size. tf.data traces functions
    instead, and knows without elements.

    Args:
        node: The node the function's elements come from.
        made: Element -> what the function makes of it.
        given: The spec of the function's elements; that of the node by default.

    Raises:
        DataError: The function failed; or there are no elements, and it does not take zeros.
    """
    given = node.spec() if given is None else given
    found = node.examples_or_zeros()
    spec = spec_of(made(found[0]))
    for element in found[1:]:
        try:
            spec = merged(spec, spec_of(made(element)))
        except ValueError as error:
            raise DataError(
                message(
                    node.name, "a function must give elements of one structure and dtype",
                    f"{error}", "Convert what it returns: np.asarray(value, 'float32').",
                )
            ) from None  # fmt: skip
    # Nothing has a size that is 0 for good.
    spec = mapped(without_zeros, spec)
    return _varied(given, spec, made, found[0])


def without_zeros(leaf: Any) -> Any:
    """The spec of a leaf that was seen, its sizes of 0 not known."""
    if type(leaf) is not TensorSpec or 0 not in (leaf.shape or ()):
        return leaf
    return TensorSpec(tuple(n or None for n in leaf.shape or ()), leaf.dtype)


def _varied(given: Any, spec: Any, made: Any, element: Any) -> Any:
    """The spec without the sizes that follow from sizes which are not fixed."""
    varies: list[bool] = []
    mapped(lambda s: varies.append(s.shape is None or None in s.shape), _tensors(given))
    if not any(varies):
        return spec

    def other(leaf: Any, leaf_spec: Any) -> Any:
        shape = leaf_spec.shape
        for axis in range(leaf.ndim):
            if leaf.shape[axis] and (shape is None or shape[axis] is None):
                size = leaf.shape[axis]
                leaf = np.take(leaf, np.arange(size + 1), axis, mode="clip")
        return leaf

    try:
        return merged(spec, spec_of(made(mapped(other, element, given))))
    except Exception:
        sizes = {
            n
            for leaf, leaf_spec in _pairs(element, given)
            for axis, n in enumerate(leaf.shape)
            if leaf_spec.shape is None or leaf_spec.shape[axis] is None
        }

        def loosened(leaf: Any) -> Any:
            if type(leaf) is not TensorSpec or leaf.shape is None:
                return leaf
            return TensorSpec(tuple(None if n in sizes else n for n in leaf.shape), leaf.dtype)

        return mapped(loosened, spec)


def _tensors(spec: Any) -> Any:
    return mapped(lambda s: s if type(s) in (TensorSpec, RowSpec) else None, spec)


def _pairs(element: Any, spec: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    mapped(lambda leaf, leaf_spec: found.append((leaf, leaf_spec)), element, spec)
    return found


_dataset_class: list[Callable[[Node], Any]] = []


def set_dataset_class(kind: Callable[[Node], Any]) -> None:
    """Tell what makes a data set of a node: the class stands above this file."""
    _dataset_class[:] = [kind]


def as_dataset(node: Node) -> Any:
    """A node as users see it."""
    return _dataset_class[0](node)


def times(first: int, count: int) -> int:
    """The cardinality of so many passes."""
    if first == 0 or count == 0:
        return 0
    if count < 0:
        return INFINITE
    return first * count if first >= 0 else first


__all__ = [
    "AUTOTUNE", "INFINITE", "NOT_KNOWN", "UNKNOWN", "Cursor", "Node", "Opening", "Rows",
    "as_dataset", "set_dataset_class", "spec_by_examples", "times", "without_zeros",
]  # fmt: skip
