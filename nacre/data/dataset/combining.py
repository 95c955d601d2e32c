"""Elements of one of several data sets at a time: chosen, drawn, or let through by class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nacre.core.errors import DataError, message
from nacre.core.numbers import as_whole
from nacre.data.dataset.calls import call, made
from nacre.data.dataset.node import INFINITE, NOT_KNOWN, UNKNOWN, Cursor, Node, Opening
from nacre.data.dataset.ordering import OneCursor, OneInput, checked_merge
from nacre.data.dataset.seeds import Passes, probabilities
from nacre.data.dataset.spec import TensorSpec


class _OneOfMany(Node):
    """A node that gives elements of one of its inputs at a time."""

    def __init__(self, nodes: Sequence[Node], stops: bool) -> None:
        super().__init__(*nodes)
        self.stops = stops  # whether it ends with the first that ends
        if all(node.known_spec() is not NOT_KNOWN for node in self.choices()):
            self.spec()  # refuses what does not fit, now

    def choices(self) -> Sequence[Node]:
        """The nodes it chooses among."""
        return self.inputs

    def make_spec(self) -> Any:
        spec = self.choices()[0].spec()
        for node in self.choices()[1:]:
            spec = checked_merge(spec, node.spec(), self.name)
        return spec

    def cardinality(self) -> int:
        counts = [node.cardinality() for node in self.choices()]
        return INFINITE if all(count == INFINITE for count in counts) else UNKNOWN


class _OneOfManyCursor(Cursor):
    """The cursor of such a node."""

    def __init__(self, node: _OneOfMany, opening: Opening) -> None:
        self._stops = node.stops
        self.inputs = tuple(one.open(opening) for one in node.inputs)
        self._over = [False] * len(node.choices())
        self._is_over = False

    def _is_at_end(self) -> bool:
        return self._is_over or all(self._over)

    def _next_of(self, which: int) -> Any:
        """The next element of one of the data sets.

        Raises:
            StopIteration: It has none, and is over.
        """
        try:
            return next(self.inputs[which])
        except StopIteration:
            self._over[which] = True
            self._is_over = self._stops
            raise

    def state(self) -> Any:
        return {
            "ups": self.states_of_inputs(),
            "over": list(self._over),
            "is_over": self._is_over,
        }

    def restore(self, state: Any) -> None:
        self.restore_inputs(state["ups"])
        self._over, self._is_over = list(state["over"]), state["is_over"]


class Choose(_OneOfMany):
    """Elements of the data sets whose numbers another one gives."""

    name = "Dataset.choose_from_datasets"

    def __init__(self, nodes: Sequence[Node], choice: Node, stops: bool) -> None:
        self._count = len(nodes)
        super().__init__([*nodes, choice], stops)

    def choices(self) -> Sequence[Node]:
        return self.inputs[: self._count]

    def make_cursor(self, opening: Opening) -> Cursor:
        return ChooseCursor(self, opening)

    def cardinality(self) -> int:
        return UNKNOWN


class ChooseCursor(_OneOfManyCursor):
    """See `Choose`."""

    def __init__(self, node: Choose, opening: Opening) -> None:
        super().__init__(node, opening)
        self._node, self._seen = node, 0

    def __next__(self) -> Any:
        while not self._is_at_end():
            number = next(self.inputs[-1])
            self._seen += 1
            which = as_whole(number)
            if which is None or not 0 <= which < len(self._over):
                raise DataError(
                    message(
                        self._node.name,
                        f"choice_dataset must give whole numbers from 0 to {len(self._over) - 1}",
                        f"{number} at element {self._seen - 1}",
                    )
                )
            if self._over[which]:
                continue
            try:
                return self._next_of(which)
            except StopIteration:
                continue
        raise StopIteration

    def state(self) -> Any:
        return {**super().state(), "seen": self._seen}

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._seen = state["seen"]


class Sample(_OneOfMany):
    """Elements of data sets that are drawn by weights; of one that is over no more."""

    name = "Dataset.sample_from_datasets"

    def __init__(
        self, nodes: Sequence[Node], weights: Any, passes: Passes, stops: bool, each: Node | None
    ) -> None:
        self._count, self.passes, self.each = len(nodes), passes, each
        self.weights = np.ones(len(nodes)) if weights is None else np.asarray(weights, np.float64)
        if each is None:
            probabilities(self.weights, len(nodes), self.name)  # refuses what makes no sense
        super().__init__([*nodes, *([] if each is None else [each])], stops)

    def choices(self) -> Sequence[Node]:
        return self.inputs[: self._count]

    def make_cursor(self, opening: Opening) -> Cursor:
        return SampleCursor(self, opening)


class SampleCursor(_OneOfManyCursor):
    """See `Sample`."""

    def __init__(self, node: Sample, opening: Opening) -> None:
        super().__init__(node, opening)
        self._node = node
        self._passes = opening.passes(node.passes)
        self._draws = self._passes.draws(self._passes.begin(opening.leaves_no_trace))
        self._drawn = 0
        self._bounds: list[float] | None = None

    def _next_bounds(self) -> list[float]:
        """Up to where a random number picks each of the data sets that are left."""
        if self._node.each is not None:
            weights = np.asarray(next(self.inputs[-1]), np.float64)
        elif self._bounds is not None:
            return self._bounds
        else:
            weights = self._node.weights
        left = np.where(self._over, 0.0, weights)
        if not left.any():
            raise StopIteration
        self._bounds = probabilities(left, len(self._over), self._node.name)
        return self._bounds

    def __next__(self) -> Any:
        while not self._is_at_end():
            bounds = self._next_bounds()
            drawn = self._draws.at(self._drawn)
            self._drawn += 1
            which = next(i for i, bound in enumerate(bounds) if drawn < bound or bound == 1.0)
            try:
                return self._next_of(which)
            except StopIteration:
                self._bounds = None
        raise StopIteration

    def state(self) -> Any:
        return {
            **super().state(),
            "drawn": self._drawn,
            "seed": self._passes.seed,
            "pass": self._draws.number,
        }

    def restore(self, state: Any) -> None:
        super().restore(state)
        self._drawn, self._bounds = state["drawn"], None
        self._draws = self._passes.resume(state["seed"], state["pass"])


class Resample(OneInput):
    """Elements that are let through so often that classes come as a distribution says."""

    name = "Dataset.rejection_resample"

    def __init__(
        self,
        node: Node,
        class_func: Callable[..., Any],
        target: Any,
        initial: Any,
        passes: Passes,
    ) -> None:
        super().__init__(node)
        self.class_func, self.passes = class_func, passes
        count = len(np.ravel(target))
        self.target = np.diff(probabilities(target, count, self.name), prepend=0.0)
        self.initial = None
        if initial is not None:
            self.initial = np.diff(probabilities(initial, count, self.name), prepend=0.0)

    def make_cursor(self, opening: Opening) -> Cursor:
        return ResampleCursor(self, self.input.open(opening), opening)

    def make_spec(self) -> Any:
        examples = self.input.examples(1)
        dtype = "int32" if not examples else self.class_of(examples[0], 0)[1].dtype
        return (TensorSpec((), dtype), self.input.spec())

    def known_spec(self) -> Any:
        return NOT_KNOWN

    def cardinality(self) -> int:
        return UNKNOWN

    def class_of(self, element: Any, number: int) -> tuple[int, Any]:
        """The class of an element, as a number and as a tensor."""
        found = made(call(self.class_func, element, self.name, number), self.name)
        which = as_whole(found)
        if which is None or not 0 <= which < len(self.target):
            raise DataError(
                message(
                    self.name,
                    f"class_func must give whole numbers from 0 to {len(self.target) - 1}",
                    f"{found} at element {number}",
                )
            )
        return which, found


class ResampleCursor(OneCursor):
    """See `Resample`. Where no distribution is told, it is what was seen so far."""

    picks_rows = False

    def __init__(self, node: Resample, up: Cursor, opening: Opening) -> None:
        super().__init__(up)
        self._node = node
        self._passes = opening.passes(node.passes)
        self._draws = self._passes.draws(self._passes.begin(opening.leaves_no_trace))
        self._seen = np.zeros(len(node.target), np.int64)

    def __next__(self) -> Any:
        node = self._node
        while True:
            element = next(self._up)
            number = int(self._seen.sum())
            which, tensor = node.class_of(element, number)
            self._seen[which] += 1
            initial = self._seen / self._seen.sum() if node.initial is None else node.initial
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = np.where(initial > 0, node.target / initial, 0.0)
            most = ratios.max()
            if most > 0 and self._draws.at(number) * most < ratios[which]:
                return tensor, element

    def state(self) -> Any:
        return {
            "up": self._up.state(),
            "seen": self._seen.copy(),
            "seed": self._passes.seed,
            "pass": self._draws.number,
        }

    def restore(self, state: Any) -> None:
        self._up.restore(state["up"])
        self._seen = np.array(state["seen"])
        self._draws = self._passes.resume(state["seed"], state["pass"])


__all__ = ["Choose", "Resample", "Sample"]
