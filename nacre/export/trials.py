"""What a written file is called with to compare it with memory: sizes and values that make sense.

Each call is tried for a batch of two, for one of one, and for the sizes that Python asked for while
it was traced (`capture.decisions`): what `if x.shape[0] == 1` chooses has no place in a graph for
any size. Numbers that pick elements (of an embedding's table, say) are drawn below the count of
them, texts among the words that tables know. The others are drawn from 0 to 1 first, which nearly
every model takes, and once more from far around 0: what a file does wrong below 0, above 1 or
between whole numbers is not to be seen from there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from nacre.export.capture import Captured
from nacre.export.capture.signature import BATCH, Spec
from nacre.export.graph.ir import Graph, Node, Value
from nacre.export.graph.sizes import size_value, symbols_in

Array: TypeAlias = np.ndarray[Any, Any]
Values: TypeAlias = Callable[[Mapping[str, int]], dict[str, Array]]

# Of axes that may have any but the batch; the first are too small for some.
SIZES = (8, 32, 128, 256)
_LARGEST = 1 << 12  # of sizes that Python asked for
_FREE = 8  # below this are whole numbers that pick nothing
WIDE = 8.0  # how far from 0 the wide draws go: past the bends of relu6 and hard_sigmoid
_GRID = 64  # up to so many numbers are quarters, each once: no two are equal, some are whole
_UNKNOWN = "nacre"  # a word that no vocabulary need have
_WORDS = 1000


class Tries:
    """What a call is tried with: drawn numbers below what they pick from, else ones, else zeros.

    Attributes:
        values: Sizes -> arrays by the names of inputs, the best first.
        wide: Numbers from -8 to 8, then, where these are none for the model, from 0 to 8; empty
            where no input is free to have others than drawn ones.
        refusal: What memory said to the last ones.
    """

    def __init__(self, captured: Captured) -> None:
        self._captured = captured
        self._limits = limits_of_indices(captured.graph)
        self._words = words_in(captured.graph)
        self.refusal = ""
        self.values: tuple[Values, ...] = (
            self._drawn,
            partial(self._all, 1),
            partial(self._all, 0),
        )
        self._free = free_inputs(captured.graph)
        self._has_steps = any(node.op in _STEPS for node in captured.graph.all_nodes())
        self.wide: tuple[Values, ...] = (
            (partial(self._widely, -WIDE), partial(self._widely, 0.0)) if self._free else ()
        )

    def _shapes(self, sizes: Mapping[str, int]) -> Iterator[tuple[Spec, Value, tuple[int, ...]]]:
        for spec, value in zip(self._captured.inputs, self._captured.graph.inputs, strict=True):
            yield spec, value, tuple(size_value(size, sizes) for size in value.shape)

    def _drawn(self, sizes: Mapping[str, int]) -> dict[str, Array]:
        random = np.random.default_rng(0)
        return {
            spec.name: _draw(random, spec.dtype, shape, self._limits.get(value), self._words)
            for spec, value, shape in self._shapes(sizes)
        }

    def _widely(self, low: float, sizes: Mapping[str, int]) -> dict[str, Array]:
        random, found = np.random.default_rng(1), self._drawn(sizes)
        for spec, value, shape in self._shapes(sizes):
            if value in self._free:
                found[spec.name] = _draw_wide(random, spec.dtype, shape, low, self._has_steps)
        return found

    def _all(self, number: int, sizes: Mapping[str, int]) -> dict[str, Array]:
        return {
            spec.name: np.full(shape, str(number), object)
            if spec.dtype == "string"
            else np.full(shape, number, spec.dtype)
            for spec, _, shape in self._shapes(sizes)
        }


def _draw(
    random: np.random.Generator,
    dtype: str,
    shape: tuple[int, ...],
    limit: int | None,
    words: Sequence[str],
) -> Array:
    """Values of a dtype; those that pick elements below the number of them."""
    if dtype == "string":
        count = int(np.prod(shape))
        words_in_turn = itertools.cycle(words)
        texts = [" ".join(itertools.islice(words_in_turn, 1 + i % 3)) for i in range(count)]
        return np.array(texts, object).reshape(shape)
    if dtype == "bool":
        return random.random(shape) < 0.5
    if "float" in dtype:
        return (random.random(shape) * (limit or 1)).astype(dtype)
    if "complex" in dtype:
        return (random.random(shape) + 1j * random.random(shape)).astype(dtype)
    return random.integers(0, min(limit or _FREE, np.iinfo(dtype).max), shape).astype(dtype)


def _draw_wide(
    random: np.random.Generator, dtype: str, shape: tuple[int, ...], low: float, has_steps: bool
) -> Array:
    """Values of a dtype from `low` to 8, without 0 where they begin there.

    Few are quarters, so that some are whole or halves: not where something is rounded on the way,
    as what lies just on a step falls to either side of it.
    """
    count = int(np.prod(shape))
    if "int" in dtype:
        return random.integers(int(low), int(WIDE), shape, endpoint=True).astype(dtype)
    if "complex" in dtype:
        parts = random.uniform(low, WIDE, (2, *shape))
        return (parts[0] + 1j * parts[1]).astype(dtype)
    if count > _GRID or has_steps:
        return (WIDE - random.uniform(0, WIDE - low, shape)).astype(dtype)
    step = (WIDE - low) / _GRID
    return (WIDE - step * random.permutation(_GRID)[:count]).reshape(shape).astype(dtype)


# Where numbers near to each other may give others that are far from each other.
_STEPS = frozenset("round floor ceil rem cast div".split())
# Ops with an input, by its place, that picks or shifts: what it may be, others than drawn ones need
# not be.
_PICKS = {
    "gather": (1,), "gather_nd": (1,), "scatter_nd": (1,), "one_hot": (0,),
    "segment_sum": (1,), "segment_prod": (1,), "segment_max": (1,), "segment_min": (1,),
    "shift_left": (0, 1), "shift_right": (0, 1), "shift_right_signed": (0, 1),
    "text_of_index": (0,), "random_uniform": (0,), "random_normal": (0,), "random_bits": (0,),
}  # fmt: skip
_PICKS_BEHIND = {"dynamic_slice": 1, "dynamic_update_slice": 2}  # from this place on
# What they give is in its range whatever they take, or is no number that came in.
_CLOSED = frozenset(
    "argmax argmin top_k sort searchsorted size iota text_lookup text_hash text_cross".split()
)


def free_inputs(graph: Graph) -> set[Value]:
    """Inputs whose numbers may be any: they pick nothing, and no loop ends by them."""
    numbers = [v for v in graph.inputs if v.dtype not in ("bool", "string")]
    sources: dict[Value, set[Value]] = {value: {value} for value in numbers}
    bound: set[Value] = {v for v in numbers if v.dtype.startswith("uint")}
    for node in graph.nodes:
        given = [value for value in node.inputs if value is not None]
        reached = {source for value in given for source in sources.get(value, ())}
        for value in _picking(node):
            bound |= sources.get(value, set())
        if node.op not in _CLOSED:
            sources |= {v: reached for v in node.outputs if v.dtype != "bool"}
    return set(numbers) - bound


def _picking(node: Node) -> Sequence[Value]:
    """The inputs of a node that pick, shift, or say when a loop ends."""
    if node.op == "while" or (node.op in ("scan", "switch") and _picks_within(node)):
        places = range(len(node.inputs))
    elif node.op in _PICKS_BEHIND:
        places = range(_PICKS_BEHIND[node.op], len(node.inputs))
    else:
        places = _PICKS.get(node.op, ())
    found = (node.inputs[i] for i in places if i < len(node.inputs))
    return [value for value in found if value is not None]


def _picks_within(node: Node) -> bool:
    return any(
        inner.op in _PICKS or inner.op in _PICKS_BEHIND or inner.op == "while"
        for graph in node.graphs.values()
        for inner in graph.all_nodes()
    )


def tells_more(usual: Sequence[Any], wide: Sequence[Any]) -> bool:
    """Whether results of wide draws are to be compared: they are finite where those from 0 to 1
    were. A model of logarithms was not made for numbers below 0, and runtimes do as they like with
    what comes of NaN."""
    return all(
        np.asarray(x).dtype.kind not in "fcV" or _is_finite(x) or not _is_finite(y)
        for x, y in zip(wide, usual, strict=True)
    )


def _is_finite(array: Any) -> bool:
    array = np.asarray(array)
    if array.dtype.kind not in "fcV":
        return True
    return bool(np.isfinite(array if array.dtype.kind == "c" else array.astype("float64")).all())


def limits_of_indices(graph: Graph) -> dict[Value, int]:
    """Inputs whose numbers, perhaps moved or computed with, pick elements -> how many there are.

    Of several the fewest.
    """
    sources: dict[Value, set[Value]] = {value: {value} for value in graph.inputs}
    found: dict[Value, int] = {}
    for node in graph.nodes:
        given = [value for value in node.inputs if value is not None]
        count = _count_to_pick_from(node)
        for value in sources.get(given[-1], ()) if count is not None else ():
            found[value] = min(count or 1, found.get(value, count or 1))
        numbers = given if node.op == "cast" else [v for v in given if "int" in v.dtype]
        if node.op in ("gather", "gather_nd"):
            numbers = given[:1]  # what was picked, whatever picked it
        reached = {source for value in numbers for source in sources.get(value, ())}
        sources |= {value: reached for value in node.outputs if "int" in value.dtype}
    return found


def _count_to_pick_from(node: Node) -> int | None:
    """How many elements the last input picks from, where that is known."""
    if node.op == "one_hot":
        return node.attributes["num_classes"]
    if node.op not in ("gather", "gather_nd"):
        return None
    first = node.inputs[0]
    if first is None:
        return None
    if node.op == "gather":
        size = first.shape[node.attributes["axis"]]
        return size if isinstance(size, int) else None
    indices = node.inputs[1]
    count = indices.shape[-1] if indices is not None else 0
    sizes = [n for n in first.shape[:count] if isinstance(n, int)] if isinstance(count, int) else []
    return min(sizes, default=None)


def words_in(graph: Graph) -> list[str]:
    """Words that its tables know, and one that they need not know."""
    keys = [
        key
        for node in graph.all_nodes()
        if node.op == "text_lookup"
        for key in node.attributes["keys"]
        if key
    ]
    return [*keys[:_WORDS], _UNKNOWN]


# --- sizes ----------------------------------------------------------------------------------------


def _symbols(graph: Graph) -> list[str]:
    return sorted(symbols_in(*(size for value in graph.inputs for size in value.shape)))


def groups_of_sizes(graph: Graph) -> Iterator[list[dict[str, int]]]:
    """A batch of two and one of one, with other axes of about a size, for each size to try."""
    symbols, axes = _symbols(graph), graph.symbols()
    others = [name for name in symbols if name != BATCH]
    for size in SIZES if others else SIZES[:1]:
        known = {name: max(1, size // axes[name].multiple) for name in others}
        yield [{BATCH: n, **known} for n in (2, 1)] if BATCH in symbols else [known]


def asked_sizes(captured: Captured, usual: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """The sizes that Python asked for, one at a time, which are not compared anyway."""
    known = {*usual}
    for decision in captured.decisions:
        for name in sorted(symbols_in(decision.size) & known):
            sizes = next(
                (
                    {**usual, name: number}
                    for number in _candidates(decision.number)
                    if size_value(decision.size, {**usual, name: number}) == decision.number
                ),
                None,
            )
            if sizes is not None and (len(symbols_in(decision.size)) > 1 or sizes != usual):
                yield sizes


def _candidates(number: int) -> Iterator[int]:
    """Sizes to look among; the number itself first."""
    if 0 < number <= _LARGEST:
        yield number
    yield from range(1, 65)


__all__ = [
    "SIZES",
    "WIDE",
    "Array",
    "Tries",
    "Values",
    "asked_sizes",
    "free_inputs",
    "groups_of_sizes",
    "limits_of_indices",
    "tells_more",
    "words_in",
]
