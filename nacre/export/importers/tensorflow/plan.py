"""Graphs as plans: the nodes that are needed, in an order, calls of functions put in their place.

A step takes outputs of earlier ones. What has to run before it without giving it anything (`^node`,
and all that a function was called after) is among `after`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax

from nacre.core.errors import UnsupportedError, listed, message
from nacre.core.wire.tensorflow.graph import (
    FunctionDef,
    GraphDef,
    NameAttrList,
    NodeDef,
    OpDef,
)
from nacre.export.importers.tensorflow.registry import (
    OPS,
    Node,
    Op,
    is_function,
    place_of,
    value_of,
    values_of,
)
from nacre.export.importers.tensorflow.values import GraphError, known

Ref = tuple[int, int]  # a step, and which of its outputs

_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "TPUPartitionedCall")
MAKE_HANDLES = frozenset(("VarHandleOp", "VariableV2", "Variable"))
_MOST_STEPS = 2_000_000
_DEEPEST = 60  # functions within functions


@dataclass
class Step:
    """A node of a plan.

    Attributes:
        argument: Which argument it is, of one that is none of the graph's nodes.
    """

    node: Node
    op: Op
    inputs: list[Ref]
    after: list[int]
    argument: int | None = None


@dataclass
class Plan:
    """Steps in an order, and which outputs are asked for.

    Attributes:
        names: Of arguments.
        needs_host: Some steps run there.
        is_random: Some draw random numbers.
        hides_variables: Functions that it calls in branches and loops make handles of their own.
    """

    steps: list[Step] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    outputs: list[Ref] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    needs_host: bool = False
    is_random: bool = False
    hides_variables: bool = False


@dataclass(frozen=True)
class Gradient:
    """A gradient that a function was given by `tf.custom_gradient`.

    Attributes:
        function: Takes gradients of results and of arguments, then what it captured; gives
            gradients of the arguments.
        within: The function whose tensors it captured.
        captured: Those, as `node:0`.
        gives: For each of the node's inputs, or of its last ones, which of the function's outputs
            is its gradient; None for a result, and for what has none.
    """

    function: str
    within: str
    captured: tuple[str, ...]
    gives: tuple[int | None, ...]


def _nothing(node: Node, *inputs: Any) -> Any:
    return ()


_ARGUMENT = Op(_nothing)
_BARRIER = Op(_nothing, is_known=True)


class Library:
    """A graph with its functions.

    Args:
        graph: The graph.
        definitions: Of the ops in it, where the file has them.
        gradients: By the name that nodes have for them.
    """

    def __init__(
        self,
        graph: GraphDef,
        definitions: Sequence[OpDef] = (),
        gradients: Mapping[str, Gradient] | None = None,
    ) -> None:
        self._gradients = gradients or {}
        self.nodes = {node.name: node for node in graph.node}
        library = graph.library
        functions = library.function if library is not None else []
        self.functions = {f.signature.name: f for f in functions if f.signature is not None}
        self._defaults = {
            found.name: {a.name: value_of(a.default_value) for a in found.attr if a.default_value}
            for found in definitions
        }
        self._plans: dict[str, Plan] = {}
        self._unfinished: set[str] = set()

    def node(self, found: NodeDef, given: Mapping[str, Any]) -> Node:
        """A node with the values of its attributes; `given` are those of the function it is in."""
        attributes = dict(self._defaults.get(found.op, {}))
        for name, value in found.attr.items():
            if value.placeholder is not None:
                attributes[name] = given.get(value.placeholder)
        attributes.update((k, v) for k, v in values_of(found.attr).items() if v is not None)
        return Node(found.op, found.name, attributes)

    def gradient_of(self, found: NodeDef, within: str) -> Gradient | None:
        """The gradient that a node says it has, where the file holds it."""
        told = found.attr.get("_gradient_op_type")
        if found.op != "IdentityN" or told is None or told.s is None:
            return None
        gradient = self._gradients.get(told.s.decode("utf-8", "replace"))
        is_here = gradient is not None and (not gradient.captured or gradient.within == within)
        return gradient if is_here else None

    def function(self, name: str) -> FunctionDef:
        found = self.functions.get(name)
        if found is None or found.signature is None:
            raise GraphError(f"there is no function '{name}' in the file")
        return found

    def plan_of(self, name: str) -> Plan:
        """The plan of a function, whose arguments are given when it runs."""
        if name in self._unfinished:
            raise GraphError(f"function '{name}' calls itself")
        if name not in self._plans:
            self._unfinished.add(name)
            try:
                self._plans[name] = self._planned(name)
            finally:
                self._unfinished.discard(name)
        return self._plans[name]

    def _planned(self, name: str) -> Plan:
        builder = _Builder(self)
        found = self.function(name)
        assert found.signature is not None
        plan = builder.plan
        bound = {arg.name: [builder.argument(arg.name)] for arg in found.signature.input_arg}
        outs, _ = builder.add_function(found, bound, {}, [], 0)
        plan.outputs = outs
        plan.output_names = [arg.name for arg in found.signature.output_arg]
        return builder.finished()

    def plan_for(
        self, feeds: Sequence[str], fetches: Sequence[str], targets: Sequence[str] = ()
    ) -> Plan:
        """The plan that gives tensors of the graph, `name:0`, from those that are fed.

        Args:
            targets: Nodes that have to run besides.
        """
        builder = _Builder(self)
        bound = {_tensor(feed): builder.argument(feed) for feed in feeds}
        scope = _Scope(builder, self.nodes, {}, {}, bound, 0, is_main=True)
        scope.add([_tensor(name)[0] for name in fetches] + list(targets), [])
        builder.plan.outputs = [scope.ref(*_tensor(name)) for name in fetches]
        builder.plan.output_names = list(fetches)
        ends = [at for name in targets for at in scope.ends(name)]
        builder.barrier(ends)
        return builder.finished()

    def missing(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Types of nodes in functions, and those they call, that no function is registered for."""
        found: dict[str, list[str]] = {}
        waiting, seen = list(names), set(names)
        while waiting:
            name = waiting.pop()
            for node in self.function(name).node_def:
                if not self.is_known(node.op):
                    found.setdefault(node.op, []).append(f"{name}/{node.name}")
                for inner in _functions_in(node):
                    if inner in self.functions and inner not in seen:
                        seen.add(inner)
                        waiting.append(inner)
        return found

    def is_known(self, name: str) -> bool:
        return name in OPS or name in _CALLS or name in self.functions


def _functions_in(node: NodeDef) -> Iterator[str]:
    for value in node.attr.values():
        if value.func is not None:
            yield value.func.name
        if value.list is not None:
            yield from (found.name for found in value.list.func)
    yield node.op  # a function may be called as if it were an op


def _tensor(name: str) -> tuple[str, int]:
    """`node:1` as the node and the output."""
    node, _, index = name.partition(":")
    return node, int(index or 0) if (index or "0").isdigit() else 0


def _with_known_inputs(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of strings, which the host alone has, and of numbers that a program computed."""

    def run(node: Node, *inputs: Any) -> Any:
        return function(node, *[known(v) if isinstance(v, jax.Array) else v for v in inputs])

    return run


class _Builder:
    """What gathers the steps of a plan."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.plan = Plan()
        self.missing: dict[str, list[str]] = {}

    def argument(self, name: str) -> Ref:
        place = len(self.plan.names)
        self.plan.names.append(name)
        self.plan.steps.append(Step(Node("_Arg", name), _ARGUMENT, [], [], place))
        return len(self.plan.steps) - 1, 0

    def step(self, node: Node, inputs: list[Ref], after: list[int]) -> int:
        found = OPS.get(node.op)
        if found is None:
            self.missing.setdefault(node.op, []).append(node.name)
            found = _ARGUMENT
        for value in node.attributes.values():
            for function in value if isinstance(value, list) else (value,):
                if is_function(function):
                    node.needs_host |= self._look_into(function.name)
        uses_strings = node.uses_strings()
        if found.is_host or uses_strings:
            self.plan.needs_host |= node.op != "Const"
        if uses_strings and found.is_known and not found.is_shared:
            found = replace(found, function=_with_known_inputs(found.function))
        self.plan.is_random |= found.is_random
        if len(self.plan.steps) > _MOST_STEPS:
            raise GraphError(f"a graph of more than {_MOST_STEPS} nodes")
        self.plan.steps.append(Step(node, found, inputs, after))
        return len(self.plan.steps) - 1

    def _look_into(self, name: str) -> bool:
        """What a function that a node has among its attributes needs; whether the host."""
        for kind, nodes in self.library.missing([name]).items():
            self.missing.setdefault(kind, []).extend(nodes)
        if not self.missing:
            inner = self.library.plan_of(name)
            self.plan.needs_host |= inner.needs_host
            self.plan.is_random |= inner.is_random
            makes = any(step.node.op in MAKE_HANDLES for step in inner.steps)
            self.plan.hides_variables |= makes or inner.hides_variables
            return inner.needs_host
        return False

    def barrier(self, after: list[int]) -> list[int]:
        """One step that comes after others, in place of them."""
        if len(after) <= 1:
            return after
        self.plan.steps.append(Step(Node("NoOp", ""), _BARRIER, [], sorted(set(after))))
        return [len(self.plan.steps) - 1]

    def add_function(
        self,
        function: FunctionDef,
        bound: Mapping[str, list[Ref]],
        given: Mapping[str, Any],
        after: list[int],
        depth: int,
    ) -> tuple[list[Ref], list[int]]:
        """Add the steps of a function; gives its outputs, and what has run when it has ended."""
        assert function.signature is not None
        if depth > _DEEPEST:
            raise GraphError(f"functions within functions, more than {_DEEPEST} deep")
        nodes = {node.name: node for node in function.node_def}
        scope = _Scope(self, nodes, bound, given, {}, depth, within=function.signature.name)
        outputs = [function.ret.get(arg.name, arg.name) for arg in function.signature.output_arg]
        effects = list(function.control_ret.values())
        scope.add([name.split(":")[0] for name in outputs] + effects, after)
        refs = [scope.named(name) for name in outputs]
        ends = [at for name in effects for at in scope.ends(name)]
        return refs, ends + [at for at, _ in refs]

    def finished(self) -> Plan:
        if self.missing:
            raise missing_ops(self.missing)
        return self.plan


def missing_ops(missing: Mapping[str, Sequence[str]]) -> UnsupportedError:
    """The error that tells all types of nodes that no function is registered for."""
    told = [
        f"{kind} ({listed([str(name) for name in dict.fromkeys(nodes)], 3)})"
        for kind, nodes in sorted(missing.items())
    ]
    return UnsupportedError(
        message(
            "TensorFlow graph",
            "it must be made of ops that nacre computes",
            f"{len(told)} that it does not: {listed(told, 200)}",
            "Register them: nacre.saving.tensorflow_op('Name')(lambda node, x: ...).",
        )
    )


class _Scope:
    """The nodes of a graph or of one call of a function, by their names."""

    def __init__(
        self,
        builder: _Builder,
        nodes: Mapping[str, NodeDef],
        bound: Mapping[str, list[Ref]],
        given: Mapping[str, Any],
        fed: Mapping[tuple[str, int], Ref],
        depth: int,
        is_main: bool = False,
        within: str = "",
    ) -> None:
        self._within = within
        self._builder, self._nodes, self._bound = builder, nodes, bound
        self._given, self._fed, self._depth, self._is_main = given, fed, depth, is_main
        self._outputs: dict[str, list[Ref] | int] = {}  # a node's outputs, or its step
        self._ends: dict[str, list[int]] = {}
        self._made: dict[str, Node] = {}
        self._fed_nodes = {name for name, _ in fed}

    def ref(self, name: str, index: int) -> Ref:
        """An output of a node, counted."""
        if (name, index) in self._fed:
            return self._fed[name, index]
        if name in self._bound:
            refs = self._bound[name]
        else:
            found = self._outputs[name]
            if isinstance(found, int):
                return found, index
            refs = found
        if index >= len(refs):
            raise GraphError(f"'{name}' has no output {index}")
        return refs[index]

    def named(self, name: str) -> Ref:
        """An output as it is told in this scope: `node:1`, in a function `node:output:1`."""
        node, *rest = name.split(":")
        if len(rest) == 2 and node in self._made and isinstance(self._outputs[node], int):
            return self.ref(node, place_of(self._made[node], rest[0], int(rest[1])))
        return self.ref(node, int(rest[-1]) if rest else 0)

    def ends(self, name: str) -> list[int]:
        """The steps that have run when a node has."""
        if name in self._bound:
            return [at for at, _ in self._bound[name]]
        return self._ends[name]

    def add(self, needed: Sequence[str], after: list[int]) -> None:
        """Add the nodes that are needed, and all before them."""
        waiting: list[tuple[str, bool]] = [(name, False) for name in reversed(needed)]
        opened: set[str] = set()
        while waiting:
            name, is_ready = waiting.pop()
            if name in self._ends or name in self._bound:
                continue
            found = self._nodes.get(name)
            if found is None:
                raise GraphError(f"there is no node '{name}', which another takes")
            if is_ready:
                opened.discard(name)
                self._add_node(found, after)
                continue
            if name in opened:
                raise GraphError(
                    f"a loop of nodes at '{name}': loops of TensorFlow 1 cannot be read; save it "
                    "again with tf.function"
                )
            opened.add(name)
            waiting.append((name, True))
            if name in self._fed_nodes and (name, 0) in self._fed:
                continue
            gradient = self._builder.library.gradient_of(found, self._within)
            for text in (*found.input, *(gradient.captured if gradient is not None else ())):
                inner = text[1:] if text[:1] == "^" else text.split(":")[0]
                if inner not in self._ends and inner not in self._bound:
                    waiting.append((inner, False))

    def _add_node(self, found: NodeDef, after: list[int]) -> None:
        name = found.name
        if (name, 0) in self._fed:
            at = self._fed[name, 0]
            self._outputs[name], self._ends[name] = [at], [at[0]]
            return
        library = self._builder.library
        inputs = [self._taken(text) for text in found.input if text[:1] != "^"]
        before = [at for text in found.input if text[:1] == "^" for at in self.ends(text[1:])]
        node = library.node(found, self._given)
        gradient = library.gradient_of(found, self._within)
        if gradient is not None:
            node, inputs = self._with_gradient(node, gradient, inputs)
        called = _called(node, library)
        if called is None:
            op = OPS.get(node.op)
            if op is not None and (op.is_shared or op.is_host):
                before += after
            at = self._builder.step(node, inputs, before)
            self._outputs[name], self._ends[name], self._made[name] = at, [at], node
            return
        function = library.function(called.name)
        assert function.signature is not None
        given = {**self._given, **node.attributes, **values_of(called.attr)}
        bound = _bind(function.signature, inputs, given)
        start = self._builder.barrier([*before, *after, *(at for at, _ in inputs)])
        refs, ends = self._builder.add_function(function, bound, given, start, self._depth + 1)
        self._outputs[name], self._ends[name] = refs, self._builder.barrier(ends) or start

    def _with_gradient(
        self, node: Node, gradient: Gradient, inputs: list[Ref]
    ) -> tuple[Node, list[Ref]]:
        """The node as one that has this gradient; it takes what that captured, too."""
        attributes = {**node.attributes, "gradient": gradient, "count": len(inputs)}
        found = Node("_CustomGradient", node.name, attributes)
        for at, _ in inputs:
            self._builder.plan.steps[at].node.has_gradient = True
        return found, inputs + [self.ref(*_tensor(name)) for name in gradient.captured]

    def _taken(self, text: str) -> Ref:
        return self.ref(*_tensor(text)) if self._is_main else self.named(text)


def _called(node: Node, library: Library) -> NameAttrList | None:
    """The function that a node calls."""
    if node.op in _CALLS:
        found: NameAttrList = node["f"]
        return found
    return NameAttrList(name=node.op) if node.op in library.functions else None


def _bind(signature: OpDef, inputs: list[Ref], given: Mapping[str, Any]) -> dict[str, list[Ref]]:
    """The inputs by the names of arguments, of which one may take several."""
    bound: dict[str, list[Ref]] = {}
    at = 0
    for arg in signature.input_arg:
        many = given.get(arg.number_attr or arg.type_list_attr)
        count = len(many) if isinstance(many, list) else int(many) if many is not None else 1
        if not (arg.number_attr or arg.type_list_attr):
            count = 1
        bound[arg.name] = inputs[at : at + count]
        at += count
    if at != len(inputs):
        raise GraphError(
            f"function '{signature.name}' takes {at} inputs and is given {len(inputs)}"
        )
    return bound


__all__ = ["Library", "Plan", "Ref", "Step", "missing_ops"]
