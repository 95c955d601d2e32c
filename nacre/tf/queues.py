"""`tf.queue`: queues of tensors on the host, which threads fill and empty."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, TracedValueError, message
from nacre.core.tracing import is_tracing
from nacre.data.dataset.spec import Shape, as_shape, shape_fits
from nacre.tf.dtypes import DType, as_dtype
from nacre.tf.failures import CancelledError
from nacre.tf.shapes import TensorShape
from nacre.tf.sizes import plain
from nacre.tf.values import landed, tensor


class QueueBase:
    """A queue of tensors, or of several at a time.

    Putting into a full queue waits, and taking out of an empty one, until another thread has made
    room, or put something in, or has closed it.

    Args:
        capacity: How many elements it holds at most; any number where it is negative.
        dtypes: The dtype of an element, or a list of those of its tensors.
        shapes: Their shapes, in a list; by default any.
        names: Their names: elements are dicts then.
        shared_name: Accepted for compatibility.
        name: A name, for messages.

    Raises:
        ArgumentError: An element has other tensors than was said; or another dtype.
        ShapeError: Or another shape.
        CancelledError: Something is put into a closed queue.
        StopIteration: Nothing will come any more; `tf.errors.OutOfRangeError` in scripts.
        TracedValueError: It is used in a function that is being compiled.
    Source:
        TensorFlow 2.15, tf.queue. Differs: it works with values alone, so a `tf.function` that uses
        it runs as plain Python.
    """

    def __init__(
        self,
        capacity: Any,
        dtypes: Any,
        shapes: Any = None,
        names: Sequence[str] | None = None,
        shared_name: str | None = None,
        name: str = "queue",
    ) -> None:
        given = list(dtypes) if isinstance(dtypes, list | tuple) else [dtypes]
        self._dtypes: list[DType] = [as_dtype(dtype) for dtype in given]
        self._shapes = self._all_shapes(shapes)
        self._names = None if names is None else [names] if isinstance(names, str) else list(names)
        if self._names is not None and len(self._names) != len(given):
            rule = f"there must be {len(given)} names, one for each tensor"
            raise ArgumentError(message(self._who("names"), rule, f"{len(self._names)}"))
        self._capacity, self._name = int(plain(capacity)), name
        self._items: list[list[Any]] = []
        self._is_closed = False
        self._change = threading.Condition()

    def _all_shapes(self, shapes: Any) -> list[Shape]:
        count = len(self._dtypes)
        if shapes is None:
            return [None] * count
        are_several = isinstance(shapes, list | tuple) and not isinstance(shapes, TensorShape)
        are_several = are_several and all(
            isinstance(shape, list | tuple) or shape is None for shape in shapes
        )
        # One shape may stand for a list of one.
        found = [as_shape(s) for s in shapes] if are_several and shapes else [as_shape(shapes)]
        if len(found) != count:
            rule = f"there must be {count} shapes, one for each tensor"
            raise ArgumentError(message(self._who("shapes"), rule, f"{len(found)}"))
        return found

    def _who(self, what: str) -> str:
        return f"tf.queue.{type(self).__name__}.{what}"

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def names(self) -> list[str] | None:
        """The names of an element's tensors, if they have some."""
        return self._names

    @property
    def dtypes(self) -> list[DType]:
        """The dtypes of an element's tensors."""
        return list(self._dtypes)

    @property
    def shapes(self) -> list[Any]:
        """Their shapes, None for any."""
        return [None if shape is None else TensorShape(shape) for shape in self._shapes]

    @property
    def queue_ref(self) -> QueueBase:
        """The queue."""
        return self

    @staticmethod
    def from_list(index: Any, queues: Sequence[QueueBase]) -> QueueBase:
        """One of several queues of the same dtypes, by its number.

        Args:
            index: The number.
            queues: The queues.
        """
        if len({tuple(dtype.name for dtype in queue.dtypes) for queue in queues}) > 1:
            rule = "queues must have the same dtypes"
            raise ArgumentError(message("tf.queue.QueueBase.from_list", rule, "several"))
        return queues[int(plain(index))]

    # ------------------------------------------------------------ in

    def enqueue(self, vals: Any, name: str | None = None) -> None:
        """Put an element in, behind all others.

        Args:
            vals: Its tensor, a list of its tensors, or a dict where they have names.
            name: Accepted for compatibility.
        """
        self._refuse_traced("enqueue")
        self._put(self._components(vals, "enqueue", self._shapes))

    def enqueue_many(self, vals: Any, name: str | None = None) -> None:
        """Put the rows of tensors in, one an element.

        Args:
            vals: As for `enqueue`, each with an axis more in front.
            name: Accepted for compatibility.
        """
        self._refuse_traced("enqueue_many")
        shapes = [None if shape is None else (None, *shape) for shape in self._shapes]
        columns = self._components(vals, "enqueue_many", shapes)
        counts = {len(column) if column.ndim else -1 for column in columns}
        if len(counts) != 1 or -1 in counts:
            rule = "all tensors must have the same number of rows"
            shown = ", ".join(str(tuple(column.shape)) for column in columns)
            raise ShapeError(message(self._who("enqueue_many"), rule, f"shapes {shown}"))
        for row in range(counts.pop()):
            self._put([column[row] for column in columns])

    def _components(self, vals: Any, what: str, shapes: Sequence[Shape]) -> list[Any]:
        if self._names is not None:
            if not isinstance(vals, Mapping) or set(vals) != set(self._names):
                rule = f"an element must be a dict of {', '.join(self._names)}"
                raise ArgumentError(message(self._who(what), rule, repr(vals)[:60]))
            vals = [vals[name] for name in self._names]
        parts = list(vals) if isinstance(vals, list | tuple) else [vals]
        if len(parts) != len(self._dtypes):
            rule = f"an element must have {len(self._dtypes)} tensor(s)"
            fix = "Of several tensors pass a list, of one queue.enqueue([x])."
            raise ArgumentError(message(self._who(what), rule, f"{len(parts)}", fix))
        made = [tensor(part, dtype) for part, dtype in zip(parts, self._dtypes, strict=True)]
        for part, shape in zip(made, shapes, strict=True):
            if not shape_fits(part.shape, shape):
                rule = f"a tensor must have the shape {shape}"
                raise ShapeError(message(self._who(what), rule, str(tuple(part.shape))))
        return made

    def _put(self, item: list[Any]) -> None:
        with self._change:
            while not self._is_closed and 0 <= self._capacity <= len(self._items):
                self._change.wait()
            if self._is_closed:
                rule, fix = "nothing is put into a closed queue", "Close it when all is in."
                raise CancelledError(message=message(self._who("enqueue"), rule, "", fix))
            self._add(item)
            self._change.notify_all()

    def _add(self, item: list[Any]) -> None:
        self._items.append(item)

    # ------------------------------------------------------------ out

    def dequeue(self, name: str | None = None) -> Any:
        """Take an element out.

        Args:
            name: Accepted for compatibility.

        Returns:
            Its tensor; a list of several; a dict where they have names.
        """
        self._refuse_traced("dequeue")
        return self._shown(self._taken("dequeue", 1, is_less_enough=False)[0])

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        """Take so many elements out, each tensor with an axis more in front.

        Args:
            n: How many; where fewer are left in a closed queue, that is its end.
            name: Accepted for compatibility.
        """
        return self._many("dequeue_many", int(plain(n)), is_less_enough=False)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        """The same; what is left in a closed queue is taken, though it may be fewer.

        Args:
            n: How many.
            name: Accepted for compatibility.
        """
        return self._many("dequeue_up_to", int(plain(n)), is_less_enough=True)

    def _many(self, what: str, count: int, is_less_enough: bool) -> Any:
        self._refuse_traced(what)
        self._check_shapes(what)
        items = self._taken(what, count, is_less_enough)
        return self._shown([self._stacked(items, place) for place in range(len(self._dtypes))])

    def _check_shapes(self, what: str) -> None:
        if any(shape is None or None in shape for shape in self._shapes):
            rule = "elements of one shape are taken together"
            fix = "Give the queue its shapes=, or take tf.queue.PaddingFIFOQueue."
            raise ShapeError(message(self._who(what), rule, f"shapes={self._shapes}", fix))

    def _stacked(self, items: list[list[Any]], place: int) -> Any:
        if not items:
            sizes = [0 if size is None else size for size in self._shapes[place] or ()]
            return tensor(np.zeros((0, *sizes), self._dtypes[place].as_numpy_dtype))
        return landed(np.stack([np.asarray(item[place]) for item in items]))

    def _taken(self, what: str, count: int, is_less_enough: bool) -> list[list[Any]]:
        found: list[list[Any]] = []
        with self._change:
            try:
                while len(found) < count:
                    if self._may_take():
                        found.append(self._take())
                        self._change.notify_all()  # there is room
                    elif not self._is_closed:
                        self._change.wait()
                    elif found and is_less_enough:
                        break
                    else:
                        got = f"{len(found)} left in a closed queue"
                        rule = f"there must be {count} element(s)"
                        raise StopIteration(message(self._who(what), rule, got))
            except BaseException:
                self._items[:0] = found
                self._change.notify_all()
                raise
        return found

    def _may_take(self) -> bool:
        return bool(self._items)

    def _take(self) -> list[Any]:
        return self._items.pop(0)

    def _shown(self, parts: list[Any]) -> Any:
        if self._names is not None:
            return dict(zip(self._names, parts, strict=True))
        return parts[0] if len(parts) == 1 else parts

    # ------------------------------------------------------------ all

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> None:
        """Let nothing in any more; what is in can be taken out.

        Args:
            cancel_pending_enqueues: Whether threads that wait to put something in give up; they do.
            name: Accepted for compatibility.
        """
        self._refuse_traced("close")
        with self._change:
            self._is_closed = True
            self._change.notify_all()

    def is_closed(self, name: str | None = None) -> Any:
        """Whether it was closed, as a tensor.

        Args:
            name: Accepted for compatibility.
        """
        self._refuse_traced("is_closed")
        return tensor(self._is_closed)

    def size(self, name: str | None = None) -> Any:
        """How many elements are in, int32.

        Args:
            name: Accepted for compatibility.
        """
        self._refuse_traced("size")
        with self._change:
            return tensor(len(self._items), "int32")

    def _refuse_traced(self, what: str) -> None:
        if is_tracing():
            rule = "a queue is on the host, with values"
            fix = "Call it outside of compiled functions, or in a tf.py_function."
            raise TracedValueError(message(self._who(what), rule, "a call while tracing", fix))


class FIFOQueue(QueueBase):
    """A queue: what is put in first comes out first. See `QueueBase`.

    Example:
        >>> queue = FIFOQueue(3, ["int32", "string"])
        >>> queue.enqueue([1, "a"])
        >>> [part.item() for part in queue.dequeue()]
        [1, b'a']
    """

    def __init__(
        self,
        capacity: Any,
        dtypes: Any,
        shapes: Any = None,
        names: Sequence[str] | None = None,
        shared_name: str | None = None,
        name: str = "fifo_queue",
    ) -> None:
        super().__init__(capacity, dtypes, shapes, names, shared_name, name)


class PaddingFIFOQueue(QueueBase):
    """A queue whose elements may differ in sizes that are None in `shapes`.

    What is taken together is filled up with zeros, or empty strings. See `QueueBase`.
    """

    def __init__(
        self,
        capacity: Any,
        dtypes: Any,
        shapes: Any,
        names: Sequence[str] | None = None,
        shared_name: str | None = None,
        name: str = "padding_fifo_queue",
    ) -> None:
        super().__init__(capacity, dtypes, shapes, names, shared_name, name)

    def _check_shapes(self, what: str) -> None:
        if any(shape is None for shape in self._shapes):
            rule, fix = "the number of axes must be known", "Pass shapes=[[None]]."
            raise ShapeError(message(self._who(what), rule, "any shape", fix))

    def _stacked(self, items: list[list[Any]], place: int) -> Any:
        parts = [np.asarray(item[place]) for item in items]
        if len({part.shape for part in parts}) <= 1:
            return super()._stacked(items, place)
        sizes = np.max([part.shape for part in parts], 0).tolist()
        fill = b"" if parts[0].dtype.kind == "O" else 0
        out = np.full((len(parts), *sizes), fill, parts[0].dtype)
        for row, part in zip(out, parts, strict=True):
            row[tuple(map(slice, part.shape))] = part
        return landed(out)


class PriorityQueue(QueueBase):
    """A queue whose elements come out by their first tensor, a whole number: the smallest first.

    Args:
        capacity: How many elements it holds at most.
        types: The dtypes of the other tensors.
        shapes: Their shapes.
        names: Names of all tensors, the number's first.
        shared_name: Accepted for compatibility.
        name: A name.
    """

    def __init__(
        self,
        capacity: Any,
        types: Any,
        shapes: Any = None,
        names: Sequence[str] | None = None,
        shared_name: str | None = None,
        name: str = "priority_queue",
    ) -> None:
        others = list(types) if isinstance(types, list | tuple) else [types]
        every = None
        if shapes is not None:
            listed = shapes if len(others) != 1 or _is_list_of_shapes(shapes) else [shapes]
            every = [(), *[tuple(as_shape(shape) or ()) for shape in listed]]
        super().__init__(capacity, ["int64", *others], every, names, shared_name, name)

    def _add(self, item: list[Any]) -> None:
        bisect.insort(self._items, item, key=lambda one: int(one[0]))


def _is_list_of_shapes(shapes: Any) -> bool:
    return bool(shapes) and all(isinstance(shape, list | tuple) for shape in shapes)


class RandomShuffleQueue(QueueBase):
    """A queue whose elements come out in an order that is drawn.

    Args:
        capacity: How many elements it holds at most.
        min_after_dequeue: How many must stay in, so that the order is mixed well; none in a closed
            queue.
        dtypes, shapes, names: See `QueueBase`.
        seed: For the same order again.
        shared_name: Accepted for compatibility.
        name: A name.
    """

    def __init__(
        self,
        capacity: Any,
        min_after_dequeue: Any,
        dtypes: Any,
        shapes: Any = None,
        names: Sequence[str] | None = None,
        seed: Any = None,
        shared_name: str | None = None,
        name: str = "random_shuffle_queue",
    ) -> None:
        super().__init__(capacity, dtypes, shapes, names, shared_name, name)
        self._least = int(plain(min_after_dequeue))
        self._drawn: Callable[..., Any] = np.random.default_rng(_drawn_from(seed)).integers

    def _may_take(self) -> bool:
        return len(self._items) > (0 if self._is_closed else self._least)

    def _take(self) -> list[Any]:
        return self._items.pop(int(self._drawn(len(self._items))))


def _drawn_from(seed: Any) -> Any:
    """What the order is drawn from: the seeds of the queue and of the script."""
    from nacre.core.random import user_seed

    whole = user_seed()
    if seed is None and whole is None:
        return None
    return [0 if number is None else int(plain(number)) % 2**32 for number in (whole, seed)]


__all__ = ["FIFOQueue", "PaddingFIFOQueue", "PriorityQueue", "QueueBase", "RandomShuffleQueue"]
