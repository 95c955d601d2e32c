"""Whether a file computes in its runtime what the model computes, and where it first differs.

The model itself is what is right. A call is tried for a batch of two and of one, for the sizes that
Python asked for, and for samples that the caller gives. Where a number differs, the file is written
once more with a result for each layer, and these are compared with the graph in NumPy
(`graph.evaluate`): the first layer that differs is named.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes  # noqa: F401 - NumPy knows bfloat16 by it
import numpy as np

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, FileFormatError, UnsupportedError, message
from nacre.core.memory import give_back_memory
from nacre.core.regions import Content, as_bytes
from nacre.export.accuracy import hits
from nacre.export.capture import Captured
from nacre.export.capture.program import compiled
from nacre.export.graph.evaluate import bound_sizes, evaluate
from nacre.export.graph.ir import Graph, Node, Output, Value
from nacre.export.graph.opset import OPSET
from nacre.export.passes import drop_dead_code
from nacre.export.targets.target import Array, Request, Run, Runtime, Target, Tolerance
from nacre.export.trials import WIDE, Tries, asked_sizes, groups_of_sizes, tells_more

Call = Callable[..., Any]
_FEW_NODES = 60  # whose ops, compiled one by one, other models have compiled already
_NEAR = 1e-3  # to the middle between two whole numbers
_LAST_DIGITS = 2.0**-21  # of float32, which has 24 bits
# Ops whose numbers are among those they take, or their negatives.
_KEEP_SIZE = frozenset(
    "reshape transpose slice broadcast_to relu relu6 abs neg reverse select concat max min".split()
)


@dataclass(frozen=True)
class Compared:
    """One call that was compared.

    Attributes:
        of: What it was called with, in words.
        difference: The largest difference of two numbers.
        relative: The same, of the largest number of its output.
        squares, model_squares: The sums of the squares of all differences, and of all numbers of
            the model.
        labelled: How many samples of it had a label.
        right, model_right: How many of these the file, and the model, are right of.
    """

    of: str
    difference: float
    relative: float
    squares: float = 0.0
    model_squares: float = 0.0
    labelled: int = 0
    right: int = 0
    model_right: int = 0


class Answered(NamedTuple):
    """A call in words, its arrays, what the model gives, and the labels of its samples; how much
    larger than 1 its numbers are, and so the rounding of what is computed of them."""

    of: str
    arrays: list[Array]
    rights: list[Array]
    labels: Array | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Verification:
    """Compares a written file with what it was made of.

    Args:
        target: The format.
        remade: Makes what is written once more: it may be large, and is needed where something
            differs alone.
        tolerance: How far numbers may be apart, `tolerance_for` says it.
        chosen: Arrays to call it with in place of drawn ones, as the format says.
        captured: What the graph was made of, with its arguments.
        call: The model, as it was captured: inference of the same structure of arguments.
        runtime: What runs the file.
        samples: Structures of arguments to try besides, as `call` takes them.
        who: What writes.
        labels: For each of the samples, in their order, the right answers; empty for none.
    """

    target: Target
    remade: Callable[[], Request]
    tolerance: Tolerance
    chosen: Sequence[Sequence[Array]]
    captured: Captured
    call: Call
    runtime: Runtime
    samples: Sequence[Any]
    who: str
    labels: Sequence[Any] = ()

    @functools.cached_property
    def _program(self) -> Callable[[Sequence[Array]], list[Any]] | None:
        """The model as one program, which is worth compiling where there is much of it. Numbers of
        64 bits are given to the model itself, which knows what to make of them."""
        is_plain = all(s.dtype != "string" and "64" not in s.dtype for s in self.captured.inputs)
        is_much = len(self.captured.graph.nodes) > _FEW_NODES
        return compiled(self.captured, self.call) if is_plain and is_much else None

    def answers(self) -> list[Answered]:
        """What the model gives, for each call to compare; nothing where it draws numbers."""
        if not can_compare(self.captured.graph):
            return []
        found = list(self._drawn())
        for number, sample in enumerate(self.samples):
            arrays = self._arrays_of(sample)
            labels = np.asarray(self.labels[number]) if self.labels else None
            call = Answered(f"sample {number}", arrays, self._answers(arrays), labels)
            self._hits(call.rights, labels)  # which raises for labels that do not fit
            found.append(call)
        self.__dict__.pop("_program", None)  # a large network's takes half as much as its weights
        return found

    def compare(self, path: Path, answers: Sequence[Answered], is_large: bool) -> list[Compared]:
        """What was compared, one for each call.

        Raises:
            FileFormatError: The runtime does not take the file, or a number differs.
        """
        if is_large:
            give_back_memory()  # of what was written
        run = self._opened(path)
        if is_large:
            give_back_memory()  # of the file's text, which a runtime makes its own arrays of
        return [self._compare(run, call) for call in answers]

    def _arrays_of(self, sample: Any) -> list[Array]:
        """A sample in the dtypes of the inputs, as the model takes it too."""
        leaves, specs = tree.flatten(sample), self.captured.inputs
        if len(leaves) != len(specs):
            rule = f"each of samples must be the inputs of one call, {len(specs)} arrays"
            fix = "Pass a list of calls: samples=[[x1, x2]], or samples=[{'a': x1, 'b': x2}]."
            raise ArgumentError(message(self.who, rule, f"one of {len(leaves)}", fix))
        return [
            np.asarray(x, object if spec.dtype == "string" else spec.dtype)
            for x, spec in zip(leaves, specs, strict=True)
        ]

    def _opened(self, path: Path) -> Run:
        try:
            return self.runtime.open(path)
        except Exception as error:  # of whatever kind the runtime raises
            raise self._fault(f"it does not take the file: {_first_line(error)}") from error

    def _drawn(self) -> Iterator[Answered]:
        """Inputs that the model takes, in words and as arrays in the graph's order, and what it
        gives of them."""
        for number, given in enumerate(self.chosen):
            arrays = list(given)
            yield Answered(f"representative sample {number}", arrays, self._answers(arrays))
        if self.chosen:
            return
        graph, tries = self.captured.graph, Tries(self.captured)
        for values, usual in itertools.product(tries.values, groups_of_sizes(graph)):
            calls = [(sizes, *self._call(values(sizes), tries)) for sizes in usual]
            if all(rights is None for _, _, rights in calls):
                continue
            first = next(sizes for sizes, _, rights in calls if rights is not None)
            asked = asked_sizes(self.captured, first)
            for sizes, arrays, rights in itertools.chain(
                calls, ((sizes, *self._call(values(sizes), tries)) for sizes in asked)
            ):
                if rights is not None:
                    said = ", ".join(f"{name} {size}" for name, size in sizes.items())
                    yield Answered(said or "drawn inputs", arrays, rights)
            if self.tolerance in (self.target.tolerance, self.target.narrow):
                yield from self._wide(next(c for c in calls if c[2] is not None), tries)
            return
        if not self.samples:
            raise UnsupportedError(
                message(
                    self.who,
                    "what is written is called and compared with the model",
                    f"a model that takes none of the inputs tried: {tries.refusal}",
                    "Give some: samples=[x].",
                )
            )

    def _wide(
        self, usual: tuple[Mapping[str, int], list[Array], list[Array] | None], tries: Tries
    ) -> Iterator[Answered]:
        """One more call with numbers from far around 0, or above it, of sizes that were called.

        Not of a file that is meant to be less exact: how much depends on the numbers.
        """
        sizes, _, known = usual
        for values in tries.wide:
            arrays, rights = self._call(values(sizes), tries)
            if rights is not None and known is not None and tells_more(known, rights):
                said = ", ".join(f"{name} {size}" for name, size in sizes.items())
                of = f"numbers up to {WIDE:.0f}" + (f", {said}" if said else "")
                yield Answered(of, arrays, rights, scale=WIDE)
                return

    def _call(
        self, named: Mapping[str, Array], tries: Tries
    ) -> tuple[list[Array], list[Array] | None]:
        """Inputs in the graph's order, and what the model gives; None where it takes no such."""
        arrays = [named[s.name] for s in self.captured.inputs]
        try:
            return arrays, self._answers(arrays)
        except ValueError as error:
            tries.refusal = str(error).split("\n")[0]
            return arrays, None

    def _answers(self, arrays: Sequence[Array]) -> list[Array]:
        """What the model gives."""
        if self._program is not None:
            with contextlib.suppress(Exception):  # what cannot be compiled whole says why below
                return [np.asarray(x) for x in self._program(arrays)]
        named = dict(zip((s.name for s in self.captured.inputs), arrays, strict=True))
        args, kwargs = _filled(self.captured.structure, named)
        with scope.StatelessScope():  # leaves states of layers as they are
            return [np.asarray(x) for x in tree.flatten(self.call(*args, **kwargs))]

    def _hits(self, outputs: Sequence[Array], labels: Array | None) -> int:
        return 0 if labels is None else hits(outputs[0], labels, f"{self.who}: labels")

    def _compare(self, run: Run, call: Answered) -> Compared:
        of, arrays, rights, labels, scale = call
        tolerance = self.tolerance.times(scale)
        try:
            found = [np.asarray(x) for x in run(arrays)]
        except Exception as error:  # of whatever kind the runtime raises
            where = self._first_difference(arrays)
            raise self._fault(f"it does not run it ({of}): {_first_line(error)}{where}") from error
        largest, relative, squares, model_squares = 0.0, 0.0, 0.0, 0.0
        for output, one, right in zip(self.captured.graph.outputs, found, rights, strict=True):
            if one.shape != right.shape:
                got = f"output '{output.name}' has shape {one.shape}, the model's {right.shape}"
                raise self._fault(f"{got} ({of}){self._first_difference(arrays)}")
            place = first_far(one, right, tolerance)
            if place is not None and is_rounding(
                self.captured.graph, output.value, arrays, one, right
            ):
                place = None
            if place is not None:
                numbers = f"{one[place]} where the model gives {right[place]}"
                got = f"output '{output.name}' at {place} is {numbers} ({of})"
                raise self._fault(got + self._first_difference(arrays))
            one_largest, one_relative = _differences(one, right)
            largest, relative = max(largest, one_largest), max(relative, one_relative)
            one_squares, one_model = _squares(one, right)
            squares, model_squares = squares + one_squares, model_squares + one_model
        if labels is None:
            return Compared(of, largest, relative, squares, model_squares)
        counts = labels.shape[0], self._hits(found, labels), self._hits(rights, labels)
        return Compared(of, largest, relative, squares, model_squares, *counts)

    def _first_difference(self, arrays: Sequence[Array]) -> str:
        """Which layer is the first that differs, for the end of a sentence."""
        request = self.remade()
        probes = list(probes_of(request.graph))
        for size in (len(probes), 1):  # all at once; one by one where the runtime takes not all
            for start in range(0, len(probes), size or 1):
                try:
                    found = self._probed(request, probes[start : start + size], arrays)
                except Exception:  # of whatever kind: then the next way
                    found = None
                if found:
                    return f". The first layer that differs is {found}"
        return ""

    def _probed(
        self, request: Request, probes: Sequence[tuple[Node, Value]], arrays: Sequence[Array]
    ) -> str | None:
        """The first layer that differs, in words; None where none of these does."""
        graph = probing(request.graph, probes)
        outputs, right = graph.outputs, evaluate(graph, arrays).outputs
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"probes{self.target.suffix}"
            content = self.target.write(replace(request, graph=graph, file_name=path.name))
            write_plainly(path, content)
            found = self.runtime.open(path)(arrays)
        wanted = [right[name] for name, _ in outputs]
        rounds = functools.partial(is_rounding, graph)
        return first_that_differs(probes, found, wanted, self.tolerance, arrays, rounds)

    def _fault(self, got: str) -> FileFormatError:
        rule = f"{self.runtime.name} must compute with the file what the model computes"
        fix = "Please report this model; what was there before is untouched. verify=False writes "
        return FileFormatError(message(self.who, rule, got, fix + "it all the same."))


def is_rounding(
    graph: Graph, value: Value, arrays: Sequence[Array], one: Array, right: Array
) -> bool:
    """Whether numbers of a graph's value differ by rounding alone: whole ones by one, where what
    they were made of lies so near to the middle that any rounding of it tips it to either side;
    others by what is left of two numbers that nearly are the same.

    Args:
        graph: What computes it.
        value: Which of its values.
        arrays: What the graph is given.
        one, right: Two arrays of numbers for the value.
    """
    if one.dtype == np.float32 and right.dtype == np.float32:
        return _is_difference(graph, value, arrays, one, right)
    source = _made_whole(graph, value)
    if source is None or one.dtype.kind not in "iu":
        return False
    before = evaluate(graph, arrays).values[source.value.name]
    from_middle = np.abs(before - np.floor(before) - (0.5 if source.is_rounded else 0))
    from_middle = from_middle if source.is_rounded else np.minimum(from_middle, 1 - from_middle)
    steps = np.abs(one.astype("int64") - right.astype("int64"))
    near = np.broadcast_to(from_middle < _NEAR, right.shape)
    return bool(np.all((steps == 0) | ((steps == 1) & near)))


def _is_difference(
    graph: Graph, value: Value, arrays: Sequence[Array], one: Array, right: Array
) -> bool:
    """Whether what differs is what is left of two numbers that are nearly the same: some digits
    of them, which any other order of operations changes."""
    parts = _parts_of_sums(graph, value)
    if not parts:
        return False
    known = evaluate(graph, arrays).values
    numbers = [known[part.name] for part in parts]
    largest = max(float(np.abs(x[np.isfinite(x)]).max(initial=0)) for x in numbers)
    return bool(np.all(np.isclose(one, right, 0, _LAST_DIGITS * largest, equal_nan=True)))


def _parts_of_sums(graph: Graph, value: Value) -> list[Value]:
    """What the sums and differences are made of that a value has its numbers from."""
    makers, found, stack, seen = graph.producers(), list[Value](), [value], {value}
    while stack:
        node = makers.get(stack.pop())
        given = [] if node is None else [v for v in node.inputs if v is not None]
        floats = [v for v in given if v.dtype == "float32"]
        if node is not None and node.op in ("add", "sub"):
            found += floats
        elif node is not None and node.op in _KEEP_SIZE:
            stack += [v for v in floats if v not in seen]
            seen.update(floats)
    return found


@dataclass(frozen=True)
class _Made:
    """What whole numbers were made of: floats, rounded to the nearest one or cut off."""

    value: Value
    is_rounded: bool


def _made_whole(graph: Graph, value: Value) -> _Made | None:
    """The floats that whole numbers are made of, element by element; None where there are none."""
    makers, shape = graph.producers(), value.shape
    while (node := makers.get(value)) is not None:
        first = node.inputs[0] if node.inputs else None
        if first is None or first.shape != shape:
            return None
        if node.op == "round":
            return _Made(first, True)
        if node.op == "cast" and "float" in first.dtype and "int" in node.outputs[0].dtype:
            before = makers.get(first)
            while before is not None and before.op in ("clamp", "max", "min"):
                inner = before.inputs[0]
                before = makers.get(inner) if inner is not None else None
            if before is None or before.op != "round":
                return _Made(first, False)
            source = before.inputs[0]
            return None if source is None else _Made(source, True)
        if node.op not in ("cast", "clamp", "max", "min", "reshape"):
            return None
        value = first
    return None


def tolerance_for(target: Target, request: Request, captured: Captured) -> Tolerance:
    """How far numbers of a file may be from the model's."""
    lossy = target.tolerance_of(request)
    if lossy is not None:
        return lossy
    values: list[Value] = []
    for graph in (captured.graph, request.graph):  # one may be in more bits
        values += [*graph.inputs, *(w.value for w in graph.weights)]
        values += [v for node in graph.all_nodes() for v in node.outputs]
    is_narrow = any(v.dtype in ("float16", "bfloat16") for v in values)
    return target.narrow if is_narrow else target.tolerance


def can_compare(graph: Graph) -> bool:
    """Whether two runs of a graph give the same numbers."""
    return not any(OPSET[node.op].is_random for node in graph.all_nodes())


def write_plainly(path: Path, files: Mapping[str, Content]) -> None:
    """Write a file and those beside it, or a folder of files, where nothing is."""
    folder = path.parent if "" in files else path
    for name, content in files.items():
        at = folder / name if name else path
        if name.endswith("/"):
            at.mkdir(parents=True, exist_ok=True)
            continue
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(as_bytes(content))


def probes_of(graph: Graph) -> Iterator[tuple[Node, Value]]:
    """What leaves each layer, for others or as a result, with the node that makes it, in the order
    they run."""
    makers, leaving = graph.producers(), {value for _, value in graph.outputs}
    for node in graph.nodes:
        given = (v for v in node.inputs if v in makers)
        leaving |= {v for v in given if v is not None and makers[v].layer != node.layer}
    for node in graph.nodes:
        if node.op != "constant":
            yield from ((node, value) for value in node.outputs if value in leaving)


def probing(graph: Graph, probes: Sequence[tuple[Node, Value]]) -> Graph:
    """The graph up to these numbers, which are its outputs."""
    outputs = tuple(Output(f"probe_{i}", value) for i, (_, value) in enumerate(probes))
    return drop_dead_code(replace(graph, outputs=outputs, updates=()))


def first_that_differs(
    probes: Sequence[tuple[Node, Value]],
    found: Sequence[Any],
    right: Sequence[Array],
    tolerance: Tolerance,
    arrays: Sequence[Array] = (),
    rounds: Callable[..., bool] = lambda *_: False,
) -> str | None:
    """The first layer that differs, with both numbers; None where none of these does.

    Args:
        arrays: What the layers are computed of.
        rounds: Whether a value differs by rounding alone: `is_rounding` of a graph.
    """
    for (node, value), one, wanted in zip(probes, map(np.asarray, found), right, strict=True):
        place = first_far(one, wanted, tolerance)
        if place is None or (one.shape == wanted.shape and rounds(value, arrays, one, wanted)):
            continue
        if one.shape != wanted.shape:
            return f"'{node.layer or node.op}' ({node.op}): shape {one.shape}, not {wanted.shape}"
        numbers = f"{one[place]} where {wanted[place]} is right"
        return f"'{node.layer or node.op}' ({node.op}): {numbers}"
    return None


def first_far(found: Array, right: Array, tolerance: Tolerance) -> tuple[int, ...] | None:
    """Where two arrays of one shape first differ by more than rounding; None where nowhere."""
    if found.shape != right.shape:
        return ()
    if right.dtype.kind in "OSUT":
        far = np.array([_text(a) != _text(b) for a, b in zip(found.flat, right.flat)], bool)
        far = far.reshape(right.shape)
    elif right.dtype.kind in "biu":
        far = found != right
    else:
        wide = np.complex128 if right.dtype.kind == "c" else np.float64
        one, other = found.astype(wide), right.astype(wide)
        finite = np.abs(other[np.isfinite(other)])
        largest = float(finite.max()) if finite.size else 1.0
        relative, of_largest = tolerance
        far = ~np.isclose(one, other, relative, of_largest * largest, equal_nan=True)
    return tuple(int(i) for i in np.argwhere(far)[0]) if far.any() else None


def _differences(found: Array, right: Array) -> tuple[float, float]:
    """The largest difference, and the same of the largest number."""
    one, other = _finite(found, right)
    if not other.size:
        return 0.0, 0.0
    largest, scale = float(np.abs(one - other).max()), float(np.abs(other).max())
    return largest, largest / scale if scale else largest


def _squares(found: Array, right: Array) -> tuple[float, float]:
    """The sums of the squares of the differences, and of what is right."""
    one, other = _finite(found, right)
    return float((np.abs(one - other) ** 2).sum()), float((np.abs(other) ** 2).sum())


def _finite(found: Array, right: Array) -> tuple[Array, Array]:
    """The numbers that are finite in both, in 64 bits; none of texts and truths."""
    if right.dtype.kind in "OSUTb":
        return np.zeros(0), np.zeros(0)
    wide = np.complex128 if right.dtype.kind == "c" else np.float64
    one, other = found.astype(wide), right.astype(wide)
    finite = np.isfinite(other) & np.isfinite(one)
    return one[finite], other[finite]


def _filled(structure: Any, arrays: Mapping[str, Array]) -> Any:
    """Arrays in the places of their names."""
    return tree.map_structure(
        lambda leaf: arrays.get(leaf, leaf) if isinstance(leaf, str) else leaf, structure
    )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).strip().split("\n") if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


__all__ = [
    "Answered", "Compared", "Verification", "bound_sizes", "can_compare", "first_far",
    "first_that_differs", "is_rounding", "probes_of", "probing", "tolerance_for", "write_plainly",
]  # fmt: skip
