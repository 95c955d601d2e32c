"""What a format has: its forms of ops, and what of a graph has none, all of it at once.

A target's folder declares forms with `Forms.form`, one function an op, in files a family each:

    @FORMS.form("relu", "tanh")
    def _whole(make: Maker, node: Node, inputs: Sequence[str]) -> str: ...

What a form is called with is the target's own affair. Ops without one are opened into simpler ones
first (`passes.openings`), so that a target may begin with few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from nacre.core.errors import UnsupportedOpError, listed, message
from nacre.export.graph.ir import Graph, Node, Value

# Of a node: what to write instead of it, None where it has a form.
Limit = Callable[[Node], str | None]
F = TypeVar("F", bound=Callable[..., object])


class Forms(Generic[F]):
    """The forms of ops in a format, by name.

    Example:
        >>> FORMS = Forms()
        >>> @FORMS.form("add", "sub")
        ... def binary(make, node, inputs): ...
        >>> sorted(FORMS.by_op)
        ['add', 'sub']
    """

    def __init__(self) -> None:
        self.by_op: dict[str, F] = {}
        self.limits: dict[str, Limit] = {}

    def form(self, *ops: str, limit: Limit | None = None) -> Callable[[F], F]:
        """Declare the form of ops.

        Args:
            ops: Their names.
            limit: Says of a node what it has no form for.
        """

        def declare(form: F) -> F:
            for op in ops:
                assert op not in self.by_op, op
                self.by_op[op] = form
                if limit is not None:
                    self.limits[op] = limit
            return form

        return declare


@dataclass(frozen=True)
class Support:
    """What a format can hold.

    Attributes:
        title: The format, as messages call it.
        forms: Its forms of ops, by name.
        limits: What nodes of these have no form.
        dtypes: Those it has; None for all of the graph's.
        advice: Of ops without a form: what to write instead.
        instead: What else a model that does not fit can become, for messages.
        most_bytes: Of all weights together; None where there is no limit.
        of_value: What keeps a value from the format, such as how many axes it has; '' for nothing.
        of_input: The same for what a model is given.
    """

    title: str
    forms: Mapping[str, object]
    limits: Mapping[str, Limit] = field(default_factory=dict)
    dtypes: frozenset[str] | None = None
    advice: Mapping[str, str] = field(default_factory=dict)
    instead: str = "save as .keras"
    most_bytes: int | None = None
    of_value: Callable[[Value], str] = lambda _: ""
    of_input: Callable[[Value], str] = lambda _: ""

    def has(self, node: Node) -> bool:
        """Whether a node has a form, but for its dtypes."""
        limit = self.limits.get(node.op)
        return node.op in self.forms and (limit is None or limit(node) is None)

    def gaps(self, graph: Graph) -> list[str]:
        """What has no form: op or dtype, the layer it comes from, what to write instead."""
        found: dict[str, None] = {}
        for value in (*graph.inputs, *(w.value for w in graph.weights)):
            if self.dtypes is not None and value.dtype not in self.dtypes:
                found[f"{value.dtype} of '{value.name}'."] = None
        for value in graph.inputs:
            if fault := self.of_input(value):
                found[f"input '{value.name}' {value.type}: {fault}."] = None
        for node in graph.all_nodes():
            found.update(dict.fromkeys(self._gaps_of(node)))
        size = sum(weight.data.nbytes for weight in graph.weights)
        if self.most_bytes is not None and size > self.most_bytes:
            found[f"weights of {size:,} bytes; it holds {self.most_bytes:,}."] = None
        return list(found)

    def refuse(self, graphs: Sequence[Graph], who: str) -> None:
        """Raise where something in these graphs has no form.

        Raises:
            UnsupportedOpError: It has none; names all.
        """
        found = list(dict.fromkeys(gap for graph in graphs for gap in self.gaps(graph)))
        if found:
            raise UnsupportedOpError(
                message(
                    who,
                    f"each op must have a form in {self.title}",
                    f"{len(found)} without one: "
                    + listed([gap.rstrip(".") for gap in found], 10, "; "),
                    f"Write it in another way, or {self.instead}.",
                )
            )

    def _gaps_of(self, node: Node) -> Iterator[str]:
        place = f" in '{node.layer}'" if node.layer else ""
        limit = self.limits.get(node.op)
        if node.op not in self.forms:
            yield f"{node.op}{place} {_types(node)}. {self.advice.get(node.op, '')}".rstrip()
        elif limit is not None and (instead := limit(node)) is not None:
            yield f"{node.op}{place} {_types(node)}. {instead}".rstrip()
        else:
            for value in node.outputs:
                if self.dtypes is not None and value.dtype not in self.dtypes:
                    yield f"{value.dtype} of {node.op}{place}."
                elif fault := self.of_value(value):
                    yield f"{node.op}{place} {_types(node)}: {fault}."


def _types(node: Node) -> str:
    return f"({', '.join(str(v.type) for v in node.inputs if v is not None)})"


__all__ = ["Forms", "Limit", "Support"]
