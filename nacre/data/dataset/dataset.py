"""`Dataset`: the names and the meaning of tf.data, on NumPy and Python's threads.

One class with all transformations, each a few lines that make a node (see `node.py`); hence its
length.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core.errors import (
    ArgumentError,
    ClosedError,
    DataError,
    NotThereError,
    UnsupportedError,
    message,
    refuse_unknown,
)
from nacre.data.dataset import (
    batching,
    combining,
    filtering,
    generators,
    grouping,
    mapping,
    ordering,
    saving,
    sources,
)
from nacre.data.dataset import elements as el
from nacre.data.dataset.caching import Cache
from nacre.data.dataset.calls import call, made, whole_argument
from nacre.data.dataset.host_tensor import HostTensor
from nacre.data.dataset.interleaving import Interleave
from nacre.data.dataset.listing import matching_files
from nacre.data.dataset.node import (
    AUTOTUNE,
    INFINITE,
    NOT_KNOWN,
    UNKNOWN,
    Cursor,
    Node,
    Opening,
    set_dataset_class,
)
from nacre.data.dataset.options import Options
from nacre.data.dataset.parts import note_pairs, note_part
from nacre.data.dataset.prefetching import Prefetch
from nacre.data.dataset.profiling import Measuring, Profile, profile_of
from nacre.data.dataset.seeds import Passes
from nacre.data.dataset.shuffling import Shuffle
from nacre.data.dataset.spec import RaggedSpec, dtype_name, host_dtype, merged


class NumpyIterator(Iterator[Any]):
    """Goes over the elements of a `Dataset` once, as plain NumPy arrays, numbers and bytes.

    Args:
        elements: An iterator of the data set's.

    Example:
        >>> Dataset.range(2).as_numpy_iterator().next()
        np.int64(0)
    """

    def __init__(self, elements: Iterator[Any]) -> None:
        self._elements = elements

    def __next__(self) -> Any:
        return el.as_numpy(next(self._elements))

    def next(self) -> Any:
        """The next element; raises StopIteration at the end."""
        return next(self)


class DatasetIterator(Iterator[Any]):
    """Goes over the elements of a `Dataset` once, and knows where it is.

    `state` is plain data and arrays of numbers; an iterator over the same pipeline that is given
    it, in any process, gives the elements that were left, in the same order. What is drawn in data
    sets that functions make, as those of `interleave`, is part of it; random numbers that functions
    draw themselves are not. Threads end with `close`, when the iterator is dropped, and when
    Python ends.

    Example:
        >>> numbers = Dataset.range(5).shuffle(5, seed=1)
        >>> first = iter(numbers)
        >>> begun, state = [int(next(first)), int(next(first))], first.state()
        >>> second = iter(numbers)
        >>> second.restore(state)
        >>> [int(n) for n in first] == [int(n) for n in second]
        True
    """

    def __init__(self, node: Node, watch: Any = None) -> None:
        self._node = node
        self._opening = Opening(watch=watch)
        self._cursor: Cursor | None = node.open(self._opening)
        self._end: Any = None  # the state at the end

    # A state also says which pass it was, so that after one at the end the next pass follows.
    tells_pass = True

    def __next__(self) -> Any:
        if self._cursor is None:
            raise StopIteration
        try:
            return next(self._cursor)
        except StopIteration:
            self._end = self.state()
            self.close()  # its threads have nothing to do any more
            raise

    def get_next(self) -> Any:
        """The next element; raises StopIteration at the end."""
        return next(self)

    next = get_next

    @property
    def element_spec(self) -> Any:
        """The spec of the elements."""
        return self._node.spec()

    def state(self) -> Any:
        """Where it is. Elements that were made ahead, or lie in a buffer, are part of it."""
        if self._cursor is not None:
            return {"pipeline": self._node.describe(), "at": self._cursor.state()}
        if self._end is None:
            raise ClosedError(
                message("DatasetIterator.state", "the iterator must be open", "a closed one")
            )
        return self._end

    def restore(self, state: Any) -> None:
        """Go on where `state` was taken, over the same pipeline.

        Raises:
            DataError: It was taken of another one.
        """
        own = self._node.describe()
        given = state.get("pipeline") if isinstance(state, Mapping) else None
        if given != own:
            shown = f"one of {given}" if given else f"{type(state).__name__}"
            raise DataError(
                message("DatasetIterator.restore", f"the state must be one of {own}", shown)
            )
        if self._cursor is not None:
            self._cursor.close()
        self._cursor = self._node.open(self._opening)
        self._cursor.restore(copy.deepcopy(state["at"]))

    def close(self) -> None:
        """End its threads; there are no more elements."""
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            cursor.close()

    def interrupt(self) -> None:
        """End its workers, also for another thread that waits for an element."""
        cursor = self._cursor
        if cursor is not None:
            cursor.interrupt()

    def __del__(self) -> None:
        if getattr(self, "_cursor", None) is not None:
            self.close()


class Dataset:
    """Elements one after another, made when they are asked for: tf.data's names and meaning.

    A data set is a description that never changes: each method gives a new one. Going over it
    (`for element in dataset`, `fit(dataset)`) makes its elements.

    An element is a tensor, or a tuple, dict or named tuple of them; a list is a tensor. Tensors are
    `HostTensor`s, which are NumPy arrays with `numpy()`; functions of `map` and the others get
    these, run as plain Python, and may return NumPy's, JAX's or Python's numbers: an int becomes
    int32, a float float32, as for tf.data. Strings are `bytes`, UTF-8 where str was given.

    What differs from tf.data: functions are not traced, so they may do anything, and `element_spec`
    is found by looking at the first elements; the same seed shuffles into another order; arrays
    of more than 256 MB are not copied, so they must not be written to afterwards.

    Source: tf.data of TensorFlow 2.21, whose behaviour was compared.
    Example:
        >>> data = Dataset.from_tensor_slices(([1, 2, 3, 4], [0, 0, 1, 1]))
        >>> data = data.map(lambda x, y: (x * 10, y)).batch(2)
        >>> [x.tolist() for x, y in data]
        [[10, 20], [30, 40]]
    """

    def __init__(self, node: Node, options: Options | None = None) -> None:
        if not isinstance(node, Node):
            raise ArgumentError(
                message(
                    "Dataset",
                    "it is made by its methods",
                    type(node).__name__,
                    "Call Dataset.from_tensor_slices(arrays).",
                )
            )
        self._dataset_node = node
        self._options = options or Options()

    def _then(self, node: Node) -> Dataset:
        return Dataset(node, self._options)

    if not TYPE_CHECKING:  # a checker would take any name for one of its attributes

        def __getattr__(self, name: str) -> Any:
            if name in ("class_names", "file_paths"):
                rule = f"{name} belongs to the data set that a loader of folders gives"
                got = "one that a method such as map or take made of it, or another data set"
                fix = f"Ask before: data = image_dataset_from_directory(...); names = data.{name}."
                raise NotThereError(message("Dataset", rule, got, fix))
            text = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(text, name=name, obj=self)

    # -------------------------------------------------------------------- where they begin

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The rows of arrays, one an element.

        Args:
            tensors: Arrays with rows on their first axis, nested; also frames and columns of
                pandas, polars and Arrow (a tensor a column of pandas: `dict(frame)`), SciPy's
                sparse matrices and memory-mapped files, whose rows are read when asked for; and
                `Ragged`s, whose rows come together again by `padded_batch` and `ragged_batch`.
                Arrays of up to 256 MB are copied, larger ones looked at.
            name: Accepted for compatibility.

        Raises:
            DataError: Numbers of rows differ.
        Example:
            >>> [int(x) for x in Dataset.from_tensor_slices([1, 2])]
            [1, 2]
        """
        return Dataset(sources.Slices(tensors))

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """One element.

        Args:
            tensors: It.
            name: Accepted for compatibility.

        Example:
            >>> [x.tolist() for x in Dataset.from_tensors([1, 2])]
            [[1, 2]]
        """
        return Dataset(sources.Kept([el.to_element(tensors, "Dataset.from_tensors")]))

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What a generator function yields. It is never read further than elements are used.

        Args:
            generator: A function that begins a new generator each time.
            output_types: Dtypes of the elements, nested as these are.
            output_shapes: Their shapes.
            args: Arguments of the function, which it gets as arrays.
            output_signature: `TensorSpec`s in the place of both. Without any of them elements are
                taken as they come, which tf.data refuses.
            name: Accepted for compatibility.

        Raises:
            DataError: An element is not as was told.
        Example:
            >>> def squares():
            ...     yield from (n * n for n in range(3))
            >>> [int(x) for x in Dataset.from_generator(squares)]
            [0, 1, 4]
        """
        who = "Dataset.from_generator"
        signature = generators.signature_of(output_types, output_shapes, output_signature, who)
        given = tuple(el.tensor(value, who).numpy() for value in args or ())
        return Dataset(generators.Generated(generator, given, signature))

    @staticmethod
    def range(*args: Any, **kwargs: Any) -> Dataset:
        """Whole numbers: `range(stop)`, `range(start, stop)`, `range(start, stop, step)`.

        Args:
            *args: As for Python's range.
            **kwargs: `output_type`, the dtype, int64 by default; `name`.

        Example:
            >>> [int(x) for x in Dataset.range(1, 8, 3)]
            [1, 4, 7]
        """
        who = "Dataset.range"
        output_type = kwargs.pop("output_type", "int64")
        kwargs.pop("name", None)
        refuse_unknown(who, kwargs, ["output_type", "name"])
        if not 1 <= len(args) <= 3:
            raise ArgumentError(
                message(who, "it takes stop, or start, stop and step", f"{len(args)} arguments")
            )
        names = ["stop"] if len(args) == 1 else ["start", "stop", "step"]
        numbers = [whole_argument(who, n, value) for n, value in zip(names, args, strict=False)]
        if len(numbers) == 3 and numbers[2] == 0:
            raise ArgumentError(message(who, "step must not be 0", "0"))
        return Dataset(sources.Range(range(*numbers), host_dtype(dtype_name(output_type))))

    @staticmethod
    def counter(
        start: int = 0, step: int = 1, dtype: Any = "int64", name: str | None = None
    ) -> Dataset:
        """Numbers from `start` on, without end.

        Args:
            start, step: The first number, and the distance.
            dtype: The dtype.
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.counter(5, 2).take(2)]
            [5, 7]
        """
        who = "Dataset.counter"
        first, by = whole_argument(who, "start", start), whole_argument(who, "step", step)
        return Dataset(sources.Counter(first, by, host_dtype(dtype_name(dtype))))

    @staticmethod
    def random(
        seed: int | None = None,
        rerandomize_each_iteration: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Random whole numbers from 0 to 2**32 - 1, int64, without end.

        Args:
            seed: What they follow from; see `shuffle`.
            rerandomize_each_iteration: Whether each pass draws others.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.random(seed=4).take(3)
            >>> list(data.as_numpy_iterator()) == list(data.as_numpy_iterator())
            True
        """
        return Dataset(sources.Random(seed, bool(rerandomize_each_iteration)))

    @staticmethod
    def list_files(
        file_pattern: Any,
        shuffle: bool | None = None,
        seed: int | None = None,
        name: str | None = None,
    ) -> Dataset:
        """The paths of the files that match a pattern.

        Args:
            file_pattern: A pattern such as 'data/*/part-?.txt', or a list of them. Files whose
                names begin with a dot match only where the pattern has it.
            shuffle: Whether they come in random order, another in each pass; True by default. Else
                they are sorted.
            seed: What the order follows from; see `shuffle`.
            name: Accepted for compatibility.

        Raises:
            DataError: No file matches.
        Example:
            >>> import pathlib, tempfile
            >>> folder = pathlib.Path(tempfile.mkdtemp())
            >>> for name in "ab":
            ...     (folder / name).touch()
            >>> files = Dataset.list_files(f"{folder}/*", shuffle=False)
            >>> [pathlib.Path(path.item().decode()).name for path in files]
            ['a', 'b']
        """
        who = "Dataset.list_files"
        node = sources.Slices(matching_files(file_pattern, who))
        if shuffle is False:
            return Dataset(node)
        return Dataset(Shuffle(node, node.count, Passes(seed, True, who)))

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements of several data sets side by side, as many as the shortest has.

        Args:
            *args: Data sets, or one structure of them.
            datasets: The structure, under its old name.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.zip(Dataset.range(3), Dataset.range(5, 7))
            >>> [(int(a), int(b)) for a, b in data]
            [(0, 5), (1, 6)]
        """
        who = "Dataset.zip"
        if args and datasets is not None:
            raise ArgumentError(message(who, "data sets must be given once", "args and datasets"))
        structure = datasets if datasets is not None else args[0] if len(args) == 1 else args
        nodes: list[Node] = []

        def number(value: Any) -> Any:
            if isinstance(value, Dataset):
                nodes.append(value._dataset_node)
                return len(nodes) - 1
            if not el.is_structure(value):
                raise ArgumentError(
                    message(
                        who,
                        "it takes data sets, in tuples or dicts",
                        f"{type(value).__name__}",
                        "Write Dataset.zip(a, b), or Dataset.zip((a, b)).",
                    )
                )
            return el.rebuilt(value, [number(item) for _, item in el.children(value)])

        numbered = number(structure)
        if not nodes:
            raise ArgumentError(message(who, "there must be at least one data set", "none"))
        note_pairs(nodes)
        return Dataset(_zipped(numbered, nodes))

    # -------------------------------------------------------------------- functions

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        synchronous: bool | None = None,
        use_unbounded_threadpool: bool = False,
        name: str | None = None,
        *,
        processes: int | None = None,
    ) -> Dataset:
        """What a function makes of each element.

        Args:
            map_func: The function. A tuple is handed over as arguments; a list that it returns is a
                tuple. What it gets cannot be written to; `x += 1` makes a new array.
            num_parallel_calls: How many threads call it; None calls it where the element is asked
                for; `AUTOTUNE` takes one thread a processor. Quick functions get many elements at
                once, so threads never make them slow.
            deterministic: False gives elements as they are ready; by default in their order.
            synchronous, use_unbounded_threadpool, name: Accepted for compatibility.
            processes: How many worker processes call it, in place of threads: for functions that
                are at work in Python itself for milliseconds an element. They begin in each pass,
                which takes about a second; the function is sent to them by pickle. Elements come in
                the same order, and random numbers (`random`, `np.random`, generators the function
                reads) begin anew for each element, by a number drawn when the pass begins. See
                `PyDataset` for how processes begin and end.

        Raises:
            DataError: The function failed, with its own exception as the cause; the elements after
                that one can still be asked for. Or it returned what is no tensor.
            WorkerError: A process died, or a thread or process is at one task for 60 seconds.
            SerializationError: The function cannot be sent to processes.
        Example:
            >>> [int(x) for x in Dataset.range(3).map(lambda x: x * x)]
            [0, 1, 4]
        """
        who = "Dataset.map"
        _refuse_uncallable(map_func, who, "map_func")
        threads = _parallel(num_parallel_calls, who)
        count = 0 if processes is None else whole_argument(who, "processes", processes, 1)
        is_ordered = self._options.deterministic if deterministic is None else deterministic
        node = mapping.Map(self._dataset_node, map_func, threads, is_ordered is not False, count)
        return self._then(node)

    def filter(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of which a function says True.

        Args:
            predicate: Element -> one boolean.
            name: Accepted for compatibility.

        Raises:
            DataError: It gives something else, such as an array of booleans.
        Example:
            >>> [int(x) for x in Dataset.range(5).filter(lambda x: x % 2 == 0)]
            [0, 2, 4]
        """
        _refuse_uncallable(predicate, "Dataset.filter", "predicate")
        return self._then(mapping.Filter(self._dataset_node, predicate))

    def flat_map(self, map_func: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of the data sets that a function makes of each element.

        Args:
            map_func: Element -> `Dataset`.
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.range(4).flat_map(Dataset.range)]
            [0, 0, 1, 0, 1, 2]
        """
        who = "Dataset.flat_map"
        _refuse_uncallable(map_func, who, "map_func")
        return self._then(Interleave(self._dataset_node, map_func, 1, 1, 1, who))

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: int | None = None,
        block_length: int | None = None,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
        *,
        processes: int | None = None,
    ) -> Dataset:
        """Like `flat_map`, with several of the data sets open at once, in turn.

        Args:
            map_func: Element -> `Dataset`.
            cycle_length: How many are open; by default, and with `AUTOTUNE`, 4 on every machine.
            block_length: How many elements each gives in its turn, 1 by default.
            num_parallel_calls: With more than one, a thread for each open data set reads ahead.
            deterministic: The order is kept all the same.
            name: Accepted for compatibility.
            processes: How many worker processes make the data sets and go over them, in place of
                threads: where that is work in Python itself, such as parsing. The order, what is
                shuffled and the position are the same; see `map` for processes.

        Raises:
            DataError: The function failed, or returned what is no `Dataset`.
            WorkerError: A process died, or is at one task for 60 seconds.
            SerializationError: The function cannot be sent to processes.
        Example:
            >>> data = Dataset.range(1, 4).interleave(
            ...     lambda x: Dataset.from_tensors(x).repeat(3), cycle_length=2, block_length=2)
            >>> [int(x) for x in data]
            [1, 1, 2, 2, 1, 2, 3, 3, 3]
        """
        who = "Dataset.interleave"
        _refuse_uncallable(map_func, who, "map_func")
        cycle = 4 if cycle_length in (None, AUTOTUNE) else cycle_length
        cycle = whole_argument(who, "cycle_length", cycle, 1)
        block = whole_argument(who, "block_length", 1 if block_length is None else block_length, 1)
        threads = _parallel(num_parallel_calls, who)
        count = 0 if processes is None else whole_argument(who, "processes", processes, 1)
        return self._then(
            Interleave(self._dataset_node, map_func, cycle, block, threads, who, count)
        )

    def scan(
        self, initial_state: Any, scan_func: Callable[..., Any], name: str | None = None
    ) -> Dataset:
        """What a function makes of each element and of what it kept of those before.

        Args:
            initial_state: What is kept before the first.
            scan_func: (kept, element) -> (kept, what is given).
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.range(4).scan(0, lambda total, x: (total + x, total + x))
            >>> [int(x) for x in data]
            [0, 1, 3, 6]
        """
        who = "Dataset.scan"
        _refuse_uncallable(scan_func, who, "scan_func")
        initial = el.to_element(initial_state, who)
        return self._then(mapping.Scan(self._dataset_node, initial, scan_func))

    def take_while(self, predicate: Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements before the first of which a function says False.

        Args:
            predicate: Element -> one boolean.
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.range(9).take_while(lambda x: x < 2)]
            [0, 1]
        """
        _refuse_uncallable(predicate, "Dataset.take_while", "predicate")
        return self._then(ordering.TakeWhile(self._dataset_node, predicate))

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function makes of the whole data set.

        Args:
            transformation_func: Dataset -> `Dataset`.

        Example:
            >>> len(Dataset.range(9).apply(lambda data: data.take(3)))
            3
        """
        result = transformation_func(self)
        if not isinstance(result, Dataset):
            raise DataError(
                message(
                    "Dataset.apply", "the function must return a Dataset", type(result).__name__
                )
            )
        return result

    # -------------------------------------------------------------------- together and apart

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: int | None = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Elements stacked. After slices of arrays, shuffled or not, whole batches are gathered.

        Args:
            batch_size: How many.
            drop_remainder: Whether a smaller last batch is left out.
            num_parallel_calls, deterministic, name: Accepted for compatibility.

        Raises:
            DataError: Shapes differ, or dtypes; see `padded_batch`.
        Example:
            >>> [x.tolist() for x in Dataset.range(5).batch(2)]
            [[0, 1], [2, 3], [4]]
        """
        size = whole_argument("Dataset.batch", "batch_size", batch_size, 1)
        return self._then(batching.Batch(self._dataset_node, size, bool(drop_remainder)))

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Elements stacked, filled up behind to one size.

        Args:
            batch_size: How many.
            padded_shapes: The shape of each tensor, None or -1 for the largest size of the batch;
                by default this holds of all sizes.
            padding_values: What is filled in, one value or one for each tensor; 0 or b"".
            drop_remainder: Whether a smaller last batch is left out.
            name: Accepted for compatibility.

        Raises:
            DataError: An element is larger than its padded shape.
        Example:
            >>> data = Dataset.range(1, 4).map(lambda n: np.full(n, n))
            >>> [x.tolist() for x in data.padded_batch(2)]
            [[[1, 0], [2, 2]], [[3, 3, 3]]]
        """
        size = whole_argument("Dataset.padded_batch", "batch_size", batch_size, 1)
        return self._then(
            batching.PaddedBatch(
                self._dataset_node, size, bool(drop_remainder), padded_shapes, padding_values
            )
        )

    def ragged_batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        row_splits_dtype: Any = "int64",
        name: str | None = None,
    ) -> Dataset:
        """Elements of different lengths together, as a `Ragged`: values and row splits.

        Tensors without axes are stacked, and so are those whose shapes the source fixes. More axes
        of them than the first are ragged where the source leaves their sizes open or, where it
        tells no shapes, where they differ within a batch. `fit` fills all up, with a mask.

        Args:
            batch_size: How many.
            drop_remainder: Whether a smaller last batch is left out.
            row_splits_dtype: 'int64' or 'int32'.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.range(1, 4).map(lambda n: np.full(n, n))
            >>> [x.to_list() for x in data.ragged_batch(2)]
            [[[1], [2, 2]], [[3, 3, 3]]]
        """
        size = whole_argument("Dataset.ragged_batch", "batch_size", batch_size, 1)
        dtype = host_dtype(dtype_name(row_splits_dtype))
        return self._then(
            batching.RaggedBatch(self._dataset_node, size, bool(drop_remainder), dtype)
        )

    def unbatch(self, name: str | None = None) -> Dataset:
        """The rows of elements, one an element.

        Args:
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.range(3).batch(2).unbatch()]
            [0, 1, 2]
        """
        return self._then(batching.Unbatch(self._dataset_node))

    def rebatch(
        self, batch_size: Any, drop_remainder: bool = False, name: str | None = None
    ) -> Dataset:
        """Batches of other sizes out of batches.

        Args:
            batch_size: How many rows, or a list of sizes that are taken in turn.
            drop_remainder: Whether a smaller last batch is left out.
            name: Accepted for compatibility.

        Example:
            >>> [x.tolist() for x in Dataset.range(6).batch(4).rebatch([2, 1])]
            [[0, 1], [2], [3, 4], [5]]
        """
        given = batch_size if np.ndim(batch_size) and len(batch_size) else [batch_size]
        sizes = [whole_argument("Dataset.rebatch", "batch_size", size, 1) for size in given]
        return self._then(batching.Rebatch(self._dataset_node, sizes, bool(drop_remainder)))

    # -------------------------------------------------------------------- which, in which order

    def shuffle(
        self,
        buffer_size: Any,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = True,
        name: str | None = None,
    ) -> Dataset:
        """Elements in random order: each is drawn from a buffer, and the next takes its place.

        A buffer as large as the data gives every order alike. Of rows of arrays only their numbers
        are in the buffer, so that costs nothing.

        Args:
            buffer_size: The size of the buffer; None, or `UNKNOWN_CARDINALITY`: all.
            seed: What the order follows from, together with `set_random_seed`; the same in every
                process. Without one it follows from `set_random_seed`. The order is not the one of
                TensorFlow for this seed.
            reshuffle_each_iteration: Whether each pass has an order of its own.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.range(5).shuffle(5, seed=1, reshuffle_each_iteration=False)
            >>> order = [int(x) for x in data]
            >>> sorted(order), order == [int(x) for x in data]
            ([0, 1, 2, 3, 4], True)
        """
        who = "Dataset.shuffle"
        size = 2**62
        if buffer_size is not None:
            size = whole_argument(who, "buffer_size", buffer_size)
            if size == UNKNOWN:
                size = 2**62
            size = whole_argument(who, "buffer_size", size, 1)
        passes = Passes(seed, reshuffle_each_iteration is not False, who)
        return self._then(Shuffle(self._dataset_node, size, passes))

    def repeat(self, count: int | None = None, name: str | None = None) -> Dataset:
        """The elements over and over.

        Args:
            count: How many times; None or -1: without end.
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.range(2).repeat(2)]
            [0, 1, 0, 1]
        """
        times = -1 if count is None else whole_argument("Dataset.repeat", "count", count)
        return self._then(ordering.Repeat(self._dataset_node, times))

    def take(self, count: int, name: str | None = None) -> Dataset:
        """The first elements.

        Args:
            count: How many; -1: all.
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.range(9).take(2)]
            [0, 1]
        """
        number = whole_argument("Dataset.take", "count", count)
        note_part(self._dataset_node, "take", number)
        return self._then(ordering.Take(self._dataset_node, number))

    def skip(self, count: int, name: str | None = None) -> Dataset:
        """All but the first elements.

        With `take` it splits data, where `shuffle` above gives each pass the same order; a warning
        tells where it does not.

        Args:
            count: How many are left out; -1: all.
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.range(4).skip(2)]
            [2, 3]
        """
        number = whole_argument("Dataset.skip", "count", count)
        note_part(self._dataset_node, "skip", number)
        return self._then(ordering.Skip(self._dataset_node, number))

    def shard(self, num_shards: int, index: int, name: str | None = None) -> Dataset:
        """Every `num_shards`-th element, from number `index` on.

        Args:
            num_shards: How many parts there are.
            index: Which of them.
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.range(7).shard(3, 1)]
            [1, 4]
        """
        who = "Dataset.shard"
        count = whole_argument(who, "num_shards", num_shards, 1)
        which = whole_argument(who, "index", index, 0)
        if which >= count:
            raise ArgumentError(
                message(who, f"index must be from 0 to num_shards - 1 ({count - 1})", f"{which}")
            )
        note_part(self._dataset_node, "shard", count, which)
        return self._then(ordering.Shard(self._dataset_node, count, which))

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """These elements, and then those of another data set.

        Args:
            dataset: The other one.
            name: Accepted for compatibility.

        Raises:
            DataError: Their elements have other structures or dtypes.
        Example:
            >>> [int(x) for x in Dataset.range(2).concatenate(Dataset.range(2))]
            [0, 1, 0, 1]
        """
        other = node_of(dataset, "Dataset.concatenate")
        return self._then(ordering.Concatenate(self._dataset_node, other))

    def enumerate(self, start: int = 0, name: str | None = None) -> Dataset:
        """Elements with their numbers before them, int64.

        Args:
            start: The first number.
            name: Accepted for compatibility.

        Example:
            >>> [(int(i), int(x)) for i, x in Dataset.range(7, 9).enumerate()]
            [(0, 7), (1, 8)]
        """
        first = whole_argument("Dataset.enumerate", "start", start)
        return self._then(ordering.Enumerate(self._dataset_node, first))

    def unique(self, name: str | None = None) -> Dataset:
        """Each element once, where it comes first.

        Args:
            name: Accepted for compatibility.

        Example:
            >>> [int(x) for x in Dataset.from_tensor_slices([1, 2, 1]).unique()]
            [1, 2]
        """
        return self._then(filtering.Unique(self._dataset_node))

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        """The elements that can be made; those of which a function fails are left out.

        Args:
            log_warning: Whether a warning tells of each.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.range(-1, 2).map(lambda x: 2 // int(x)).ignore_errors()
            >>> [int(x) for x in data]
            [-2, 2]
        """
        return self._then(filtering.IgnoreErrors(self._dataset_node, bool(log_warning)))

    @staticmethod
    def choose_from_datasets(
        datasets: Any, choice_dataset: Dataset, stop_on_empty_dataset: bool = True
    ) -> Dataset:
        """Elements of the data sets whose numbers another one gives.

        Args:
            datasets: A list of data sets.
            choice_dataset: Gives whole numbers.
            stop_on_empty_dataset: Whether all is over when the first of them is; else those that
                are over are passed by.

        Example:
            >>> a, b = Dataset.range(3), Dataset.range(10, 13)
            >>> choice = Dataset.from_tensor_slices([0, 1, 1])
            >>> [int(x) for x in Dataset.choose_from_datasets([a, b], choice)]
            [0, 10, 11]
        """
        who = "Dataset.choose_from_datasets"
        nodes = _nodes_of(datasets, who)
        choice = node_of(choice_dataset, who)
        return Dataset(combining.Choose(nodes, choice, bool(stop_on_empty_dataset)))

    @staticmethod
    def sample_from_datasets(
        datasets: Any,
        weights: Any = None,
        seed: int | None = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
    ) -> Dataset:
        """Elements of data sets that are drawn at random.

        Args:
            datasets: A list of data sets.
            weights: How often each is drawn, also a data set of such weights; alike by default.
            seed: What is drawn follows from it; see `shuffle`.
            stop_on_empty_dataset: Whether all is over when the first of them is; else the others go
                on.
            rerandomize_each_iteration: Whether each pass draws anew.

        Example:
            >>> a, b = Dataset.range(2), Dataset.range(10, 12)
            >>> sorted(int(x) for x in Dataset.sample_from_datasets([a, b], seed=1))
            [0, 1, 10, 11]
        """
        who = "Dataset.sample_from_datasets"
        nodes = _nodes_of(datasets, who)
        each = weights._dataset_node if isinstance(weights, Dataset) else None
        given = None if each is not None else weights
        passes = Passes(seed, bool(rerandomize_each_iteration), who)
        return Dataset(combining.Sample(nodes, given, passes, bool(stop_on_empty_dataset), each))

    def rejection_resample(
        self,
        class_func: Callable[..., Any],
        target_dist: Any,
        initial_dist: Any = None,
        seed: int | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Pairs (class, element), elements left out so that classes come as a distribution says.

        Args:
            class_func: Element -> its class, from 0.
            target_dist: The share of each class that is wanted.
            initial_dist: The share that each has; by default what was seen so far.
            seed: What is left out follows from it; see `shuffle`.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.range(1000).rejection_resample(
            ...     lambda x: int(x % 4 == 0), [0.5, 0.5], [0.75, 0.25], seed=1)
            >>> classes = [int(c) for c, x in data]
            >>> classes.count(1) == 250, 200 < classes.count(0) < 300
            (True, True)
        """
        who = "Dataset.rejection_resample"
        _refuse_uncallable(class_func, who, "class_func")
        passes = Passes(seed, True, who)
        return self._then(
            combining.Resample(self._dataset_node, class_func, target_dist, initial_dist, passes)
        )

    # -------------------------------------------------------------------- groups

    def window(
        self,
        size: int,
        shift: int | None = None,
        stride: int = 1,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Elements together as data sets; of a tuple each part is a data set of its own.

        Args:
            size: How many elements a window has.
            shift: How far windows are apart; `size` by default, so that they follow one another.
            stride: How far the elements of a window are apart.
            drop_remainder: Whether windows with fewer elements are left out.
            name: Accepted for compatibility.

        Example:
            >>> windows = Dataset.range(5).window(3, shift=1, drop_remainder=True)
            >>> [x.tolist() for x in windows.flat_map(lambda w: w.batch(3))]
            [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
        """
        who = "Dataset.window"
        width = whole_argument(who, "size", size, 1)
        by = width if shift is None else whole_argument(who, "shift", shift, 1)
        apart = whole_argument(who, "stride", stride, 1)
        return self._then(
            grouping.Window(self._dataset_node, width, by, apart, bool(drop_remainder))
        )

    def group_by_window(
        self,
        key_func: Callable[..., Any],
        reduce_func: Callable[..., Any],
        window_size: int | None = None,
        window_size_func: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Elements of one key together, and what a function makes of each such window.

        Args:
            key_func: Element -> its key, a whole number.
            reduce_func: (key, `Dataset` of the window) -> `Dataset`.
            window_size: How many elements of a key make a window.
            window_size_func: Key -> this number.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.range(6).group_by_window(
            ...     lambda x: x % 2, lambda key, window: window.batch(2), window_size=2)
            >>> [x.tolist() for x in data]
            [[0, 2], [1, 3], [4], [5]]
        """
        who = "Dataset.group_by_window"
        _refuse_uncallable(key_func, who, "key_func")
        _refuse_uncallable(reduce_func, who, "reduce_func")
        size = grouping.window_size_of(window_size, window_size_func, who)
        return self._then(
            grouping.GroupByWindow(self._dataset_node, key_func, reduce_func, size, who)
        )

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Any,
        bucket_batch_sizes: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        pad_to_bucket_boundary: bool = False,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Batches of elements of like length, padded.

        Args:
            element_length_func: Element -> its length.
            bucket_boundaries: Where each bucket ends and the next begins.
            bucket_batch_sizes: The batch size of each bucket, one more than boundaries.
            padded_shapes, padding_values: See `padded_batch`.
            pad_to_bucket_boundary: Whether batches are filled up to the longest that their bucket
                holds: in the axes that have the length of each element.
            no_padding: Whether elements are stacked as they are.
            drop_remainder: Whether smaller last batches are left out.
            name: Accepted for compatibility.

        Example:
            >>> data = Dataset.range(1, 5).map(lambda n: np.full(n, n))
            >>> data = data.bucket_by_sequence_length(len, [3], [2, 2])
            >>> [x.tolist() for x in data]
            [[[1, 0], [2, 2]], [[3, 3, 3, 0], [4, 4, 4, 4]]]
        """
        who = "Dataset.bucket_by_sequence_length"
        _refuse_uncallable(element_length_func, who, "element_length_func")
        options = {"padded_shapes": padded_shapes, "padding_values": padding_values}
        buckets = grouping.Buckets(
            element_length_func,
            bucket_boundaries,
            bucket_batch_sizes,
            None if no_padding else options,
            bool(pad_to_bucket_boundary),
            bool(drop_remainder),
        )
        return self._then(
            grouping.GroupByWindow(
                self._dataset_node, buckets.key, buckets.batch, buckets.size, who
            )
        )

    # -------------------------------------------------------------------- speed

    def cache(self, filename: str = "", name: str | None = None) -> Dataset:
        """Elements kept from the first whole pass on, in memory or in a file.

        Args:
            filename: Empty, for memory. Else elements are written to the folder `filename` +
                '.cache', and read from there also by later processes; delete it where what makes
                the elements has changed. A pass that ends early keeps nothing.
            name: Accepted for compatibility.

        Raises:
            DataError: The file was written by a pipeline of other stages.
        Example:
            >>> data = Dataset.range(3).map(lambda x: np.random.random()).cache()
            >>> list(data.as_numpy_iterator()) == list(data.as_numpy_iterator())
            True
        """
        who = "Dataset.cache"
        if isinstance(filename, str) and not filename:
            return self._then(Cache(self._dataset_node))
        path = saving.folder_path(filename, who)
        folder = path.with_name(path.name + ".cache")
        return self._then(saving.FileCache(self._dataset_node, folder, False, who))

    def snapshot(
        self,
        path: str,
        compression: str | None = "AUTO",
        reader_func: Callable[..., Any] | None = None,
        shard_func: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Elements written to a folder in the first whole pass, and read from there by later ones.

        Args:
            path: The folder; see `cache`.
            compression: 'AUTO' or 'GZIP' compress each element; None does not.
            reader_func: Makes the data set of a `Dataset` of the data sets that were written, of
                which there is one.
            shard_func: Accepted for compatibility: there is one file.
            name: Accepted for compatibility.

        Raises:
            DataError: The folder was written by a pipeline of other stages, or from other arrays or
                numbers; what functions of Python make is not compared.
        Example:
            >>> import tempfile
            >>> data = Dataset.range(3).snapshot(tempfile.mkdtemp() + "/range")
            >>> [int(x) for x in data], [int(x) for x in data]
            ([0, 1, 2], [0, 1, 2])
        """
        who = "Dataset.snapshot"
        folder, packs = saving.folder_path(path, who), saving.is_compressed(compression, who)
        data = self._then(saving.FileCache(self._dataset_node, folder, packs, who))
        return data if reader_func is None else _read_by(reader_func, data, who)

    def save(
        self,
        path: str,
        compression: str | None = None,
        shard_func: Callable[..., Any] | None = None,
        checkpoint_args: Any = None,
    ) -> None:
        """Write all elements to a folder, for `load`. What it held is replaced when all are there.

        Args:
            path: The folder; it is made.
            compression: 'GZIP' compresses each element.
            shard_func: Accepted for compatibility: there is one file, in the order of the elements.
            checkpoint_args: Not supported.

        Raises:
            UnsupportedError: `checkpoint_args` are given.
        Source:
            tf.data.Dataset.save of TensorFlow 2.21, whose format is another one: neither reads the
            other's. `TFRecordWriter` writes what both read.
        Example:
            >>> import tempfile
            >>> path = tempfile.mkdtemp() + "/range"
            >>> Dataset.range(3).save(path)
            >>> [int(x) for x in Dataset.load(path)]
            [0, 1, 2]
        """
        who = "Dataset.save"
        if checkpoint_args is not None:
            rule, fix = "elements are written in one go", "Leave checkpoint_args out."
            raise UnsupportedError(message(who, rule, "checkpoint_args", fix))
        saving.save(self._dataset_node, path, compression, who)

    @staticmethod
    def load(
        path: str,
        element_spec: Any = None,
        compression: str | None = None,
        reader_func: Callable[..., Any] | None = None,
        wait: bool = False,
    ) -> Dataset:
        """The elements that `save` wrote.

        Args:
            path: The folder.
            element_spec: What they must be, where that is to be checked.
            compression: Accepted for compatibility: the file says it.
            reader_func: See `snapshot`.
            wait: Accepted for compatibility: a folder that is there is whole.

        Raises:
            DataError: There is nothing, or it has another spec.
            FileFormatError: It is damaged.
        """
        who = "Dataset.load"
        node = saving.Saved(saving.folder_path(path, who) / saving.FILE, who)
        if element_spec is not None:
            try:
                merged(element_spec, node.spec())
            except ValueError as error:
                rule = f"its elements must be {element_spec}"
                raise DataError(message(who, rule, f"{node.spec()}: {error}")) from None
        data = Dataset(node)
        return data if reader_func is None else _read_by(reader_func, data, who)

    def prefetch(self, buffer_size: int, name: str | None = None) -> Dataset:
        """Elements made ahead by a thread.

        Args:
            buffer_size: How many; `AUTOTUNE`: 4.
            name: Accepted for compatibility.

        Example:
            >>> len(list(Dataset.range(3).prefetch(AUTOTUNE)))
            3
        """
        who = "Dataset.prefetch"
        size = AUTOTUNE if buffer_size is None else buffer_size
        size = whole_argument(who, "buffer_size", size, -1)
        return self._then(Prefetch(self._dataset_node, size))

    def profile(self, max_elements: int | None = None, max_seconds: float = 5.0) -> Profile:
        """Go over the elements, and tell where the time goes: which stage is the brake.

        Args:
            max_elements: How many elements at most.
            max_seconds: How long at most.

        Example:
            >>> def slow(x):
            ...     time.sleep(0.001)
            ...     return x
            >>> found = Dataset.range(50).map(slow).batch(5).profile()
            >>> found.elements, found.brake.name
            (10, 'map slow')
        """
        measuring = Measuring()
        iterator = DatasetIterator(self._dataset_node, measuring.watch)
        begin, count = time.perf_counter(), 0
        try:
            while count != max_elements and time.perf_counter() - begin < max_seconds:
                next(iterator)
                count += 1
        except StopIteration:
            pass
        finally:
            seconds = time.perf_counter() - begin
            iterator.close()
        return profile_of(measuring, self._dataset_node, count, seconds)

    def options(self) -> Options:
        """The options; see `with_options`."""
        return copy.deepcopy(self._options)

    def with_options(self, options: Options, name: str | None = None) -> Dataset:
        """The same elements with other options. Of tf.data's only `deterministic` has a meaning.

        Args:
            options: The options.
            name: Accepted for compatibility.

        Example:
            >>> options = Options()
            >>> options.deterministic = False
            >>> Dataset.range(3).with_options(options).options().deterministic
            False
        """
        if not isinstance(options, Options):
            given = type(options).__name__
            raise ArgumentError(message("Dataset.with_options", "options must be Options", given))
        return Dataset(self._dataset_node, self._options.merge(options))

    # -------------------------------------------------------------------- using it

    def __iter__(self) -> DatasetIterator:
        return DatasetIterator(self._dataset_node)

    def as_numpy_iterator(self) -> NumpyIterator:
        """The elements as plain NumPy arrays, numbers and bytes.

        Example:
            >>> list(Dataset.range(2).as_numpy_iterator())
            [np.int64(0), np.int64(1)]
        """
        return NumpyIterator(iter(self))

    def reduce(
        self, initial_state: Any, reduce_func: Callable[..., Any], name: str | None = None
    ) -> Any:
        """All elements made into one by a function.

        Args:
            initial_state: What to begin with.
            reduce_func: (state, element) -> state.
            name: Accepted for compatibility.

        Example:
            >>> int(Dataset.range(5).reduce(0, lambda total, x: total + x))
            10
        """
        who = "Dataset.reduce"
        _refuse_uncallable(reduce_func, who, "reduce_func")
        state = el.to_element(initial_state, who)
        iterator = iter(self)
        try:
            for number, element in enumerate(iterator):
                state = made(call(reduce_func, (state, element), who, number), who)
        finally:
            iterator.close()
        return state

    def get_single_element(self, name: str | None = None) -> Any:
        """The element of a data set that has one.

        Args:
            name: Accepted for compatibility.

        Raises:
            DataError: There is none, or more than one.
        Example:
            >>> int(Dataset.range(7, 8).get_single_element())
            7
        """
        who = "Dataset.get_single_element"
        iterator = iter(self)
        try:
            found = [element for element, _ in zip(iterator, range(2), strict=False)]
        finally:
            iterator.close()
        if len(found) != 1:
            got = "none" if not found else "more"
            raise DataError(message(who, "there must be exactly one element", got))
        return found[0]

    @property
    def element_spec(self) -> Any:
        """What is known of the elements: `TensorSpec`s, nested as the elements are.

        What a function of `map` makes is found by calling it for the first elements.

        Example:
            >>> Dataset.range(3).batch(2).element_spec
            TensorSpec(shape=(None,), dtype='int64')
        """
        return self._dataset_node.spec()

    def cardinality(self) -> HostTensor:
        """How many elements there are, int64: `INFINITE_CARDINALITY` or `UNKNOWN_CARDINALITY` else.

        Example:
            >>> int(Dataset.range(3).batch(2).cardinality())
            2
        """
        return el.sealed(np.array(self._dataset_node.cardinality(), np.int64))

    def __len__(self) -> int:
        count = self._dataset_node.cardinality()
        if count >= 0:
            return count
        what = "one without end" if count == INFINITE else "one whose length is not known"
        raise TypeError(
            message(
                "len(dataset)", "the data set must have a known length", what,
                "Pass steps_per_epoch, or call dataset.cardinality().",
            )
        )  # fmt: skip

    @property
    def _holds_batches(self) -> bool:
        """Whether elements are batched somewhere: then a first axis may be that of samples."""
        waiting: list[Node] = [self._dataset_node]
        while waiting:
            node = waiting.pop()
            if isinstance(node, batching.Batch):
                return True
            waiting.extend(node.inputs)
        return False

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        spec = self._dataset_node.known_spec()  # no function is called to show it
        shown = "" if spec is NOT_KNOWN else f" element_spec={spec}"
        return f"<{type(self._dataset_node).__name__} Dataset{shown}>"


set_dataset_class(Dataset)


def holds_ragged_inputs(dataset: Dataset) -> bool:
    """Whether the inputs of a data set of batches are ragged."""
    waiting: list[Node] = [dataset._dataset_node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, batching.RaggedBatch):
            spec = dataset.element_spec
            inputs = spec[0] if isinstance(spec, tuple) and spec else spec
            return any(isinstance(leaf, RaggedSpec) for leaf in el.leaves(inputs))
        waiting.extend(node.inputs)
    return False


def _zipped(structure: Any, nodes: list[Node]) -> Node:
    """Data sets side by side; rows of arrays of one length are rows of a structure of arrays."""
    if all(type(node) is sources.Slices for node in nodes):
        slices: list[Any] = nodes
        if len({node.count for node in slices}) == 1:
            arrays = [node.arrays for node in slices]
            return sources.Slices(ordering.placed(structure, arrays))
    return ordering.Zip(structure, *nodes)


def _read_by(function: Callable[..., Any], data: Dataset, who: str) -> Dataset:
    _refuse_uncallable(function, who, "reader_func")
    result = function(Dataset(sources.Kept([data])))
    if not isinstance(result, Dataset):
        rule = "reader_func must return a Dataset"
        raise DataError(message(who, rule, type(result).__name__))
    return result


def _refuse_uncallable(function: Any, who: str, name: str) -> None:
    if not callable(function):
        raise ArgumentError(message(who, f"{name} must be a function", type(function).__name__))


def _parallel(value: Any, who: str) -> int:
    if value is None:
        return 1
    number = whole_argument(who, "num_parallel_calls", value)
    if number < 1 and number != AUTOTUNE:
        rule = "num_parallel_calls must be positive, AUTOTUNE or None"
        raise ArgumentError(message(who, rule, f"{number}"))
    return mapping.threads_of(number)


def node_of(value: Any, who: str) -> Node:
    """The node of what must be a data set."""
    if not isinstance(value, Dataset):
        raise ArgumentError(message(who, "it takes a Dataset", type(value).__name__))
    return value._dataset_node


def _nodes_of(values: Any, who: str) -> list[Node]:
    nodes = [node_of(value, who) for value in values]
    if not nodes:
        raise ArgumentError(message(who, "there must be at least one data set", "none"))
    return nodes


__all__ = ["Dataset", "DatasetIterator", "holds_ragged_inputs", "node_of"]
