"""From a traced function to a graph: each equation by the rule of its primitive.

What can be worked out at once is: a node of which all inputs are known becomes a constant. Keys of
random numbers have no place in a graph, nor has what is computed from them; the ops that draw have
none (`KEY_VALUE`). Where something has no form in the graph, the walk goes on with `MISSING` in its
place, so that one error tells all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from nacre.core.errors import UnsupportedOpError, listed, message
from nacre.core.wide import WIDE_CALL
from nacre.export.capture import jaxpr
from nacre.export.capture.jaxpr import Body, Equation
from nacre.export.capture.texts import TEXT_DTYPE
from nacre.export.graph.ir import Builder, Graph, Value
from nacre.export.graph.opset import Type
from nacre.export.graph.rules import same_shape
from nacre.export.passes.constants import known_results
from nacre.ops.named import parse_name


class _Special:
    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


KEY_VALUE = _Special("KEY_VALUE")
MISSING = _Special("MISSING")

# A value of the graph, or one of the two above.
Known: TypeAlias = Any
Rule: TypeAlias = Callable[..., Any]

PRIMITIVES: dict[str, Rule] = {}
COMPOSITES: dict[str, Rule] = {}
DRAWS: dict[str, Rule] = {}  # functions of jax.random, by the name of their inner function


class NoForm(Exception):
    """Raised by a rule: this use of a primitive has no form in the graph, and why."""


def primitive(*names: str) -> Callable[[Rule], Rule]:
    """The rule of primitives: (lowering, equation, *values) -> value, or values."""

    def declare(rule: Rule) -> Rule:
        for name in names:
            assert name not in PRIMITIVES, name
            PRIMITIVES[name] = rule
        return rule

    return declare


def composite(*names: str) -> Callable[[Rule], Rule]:
    """The rule of composite ops of nacre's: (lowering, call) -> value, values, or None where it has
    to be made of its primitives."""

    def declare(rule: Rule) -> Rule:
        for name in names:
            assert name not in COMPOSITES, name
            COMPOSITES[name] = rule
        return rule

    return declare


class Call:
    """A composite op with its operands.

    Attributes:
        op: Its name.
        inputs: Value of each operand, by parameter; those that are None are not there.
        attributes: Its attributes, as plain data.
        types: Types of the results.
    """

    def __init__(
        self, op: str, inputs: Mapping[str, Value], attributes: dict[str, Any], types: list[Type]
    ) -> None:
        self.op, self.inputs, self.attributes, self.types = op, inputs, attributes, types

    def __getitem__(self, name: str) -> Any:
        return self.attributes[name]

    def given(self, *names: str) -> list[Value | None]:
        """The values of parameters, None for those that are not there."""
        return [self.inputs.get(name) for name in names]


class Lowering:
    """Walks over a traced function and makes a graph.

    Args:
        make: What makes the graph.
        layer: Path of the layer around.
        missing: What had no form so far; shared by the graphs within graphs.
    """

    def __init__(
        self, make: Builder, layer: str = "", missing: list[tuple[str, str]] | None = None
    ) -> None:
        self.make = make
        self.layer = layer
        self.missing: list[tuple[str, str]] = [] if missing is None else missing
        self._known: dict[Value, np.ndarray] = {}
        self._made_by: dict[Value, int] = {}

    # ---------------------------------------------------------------- nodes

    def add(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """A node with one result, or the constant that it gives."""
        (value,) = self.add_all(op, *inputs, **attributes)
        return value

    def add_all(self, op: str, *inputs: Value | None, **attributes: Any) -> tuple[Value, ...]:
        """A node, or the constants that it gives."""
        plain = {name: _plain(value) for name, value in attributes.items()}
        results = self.make.add_all(op, inputs, plain, layer=self.layer)
        node = self.make.nodes[-1]
        arrays = known_results(node, self._known)
        if arrays is not None:
            self.make.nodes.pop()
            return tuple(map(self.constant, arrays))
        for value in results:
            self._made_by[value] = len(self.make.nodes) - 1
        return results

    def add_graphs(
        self, op: str, inputs: Sequence[Value], graphs: Mapping[str, Graph], **attributes: Any
    ) -> tuple[Value, ...]:
        """A node of control flow."""
        return self.make.add_all(op, inputs, attributes, graphs=graphs, layer=self.layer)

    def constant(self, data: Any, dtype: str | None = None) -> Value:
        """A constant."""
        array = np.asarray(data, dtype)
        value = self.make.constant(array)
        self._known[value] = array
        return value

    def number(self, value: Any, like: Value) -> Value:
        """A scalar constant of another value's dtype."""
        return self.constant(value, like.dtype)

    def known(self, value: Value) -> np.ndarray | None:
        """The array that a value is, None where only a run tells."""
        return self._known.get(value)

    def maker(self, value: Value) -> Any:
        """The node of this graph that made a value, None where there is none."""
        index = self._made_by.get(value)
        return None if index is None else self.make.nodes[index]

    # ---------------------------------------------------------------- walking

    def run(self, body: Body, inputs: Sequence[Known]) -> list[Known]:
        """The results of a traced function for values of its inputs."""
        values: dict[Any, Known] = dict(zip(body.inputs, inputs, strict=True))
        for variable, array in body.constants:
            values[variable] = self._constant_of(variable, array)
        for equation in body.equations:
            given = [self._read(values, atom) for atom in equation.inputs]
            results = self._equation(equation, given)
            values.update(zip(equation.outputs, results, strict=True))
        return [self._read(values, atom) for atom in body.outputs]

    def _constant_of(self, variable: Any, array: Any) -> Known:
        if jaxpr.type_of(variable).dtype == jaxpr.KEY:
            return KEY_VALUE
        return self.constant(np.asarray(array))

    def _read(self, values: dict[Any, Known], atom: Any) -> Known:
        array = jaxpr.literal(atom)
        return values[atom] if array is None else self.constant(array)

    def _equation(self, equation: Equation, given: list[Known]) -> list[Known]:
        around = self.layer
        self.layer = "/".join(filter(None, (around, equation.layer)))
        try:
            results = self._results(equation, given)
        finally:
            self.layer = around
        for value, variable in zip(results, equation.outputs, strict=True):
            if isinstance(value, Value):
                wanted = jaxpr.type_of(variable)
                is_text = value.dtype == "string" and wanted.dtype == TEXT_DTYPE
                fits = (is_text or value.dtype == wanted.dtype) and same_shape(
                    value.shape, wanted.shape
                )
                assert fits, f"{equation.primitive} {equation.params}: {value.type}, not {wanted}"
        return results

    def _results(self, equation: Equation, given: list[Known]) -> list[Known]:
        inner = _function_of(equation)
        if inner is not None:
            return self._call(equation, jaxpr.body_of(inner), given)
        rule = PRIMITIVES.get(equation.primitive)
        body = jaxpr.expanded(equation) if rule is None else None
        if body is not None:
            return self.run(body, given)
        if rule is None:
            return self._note_missing(equation, "")
        if any(value is MISSING for value in given):
            return [MISSING] * len(equation.outputs)
        if any(value is KEY_VALUE for value in given) and equation.primitive not in _TAKE_KEYS:
            return [KEY_VALUE] * len(equation.outputs)
        given = self._as_traced(equation, given)
        try:
            results = rule(self, equation, *given)
        except NoForm as reason:
            return self._note_missing(equation, str(reason))
        return list(results) if isinstance(results, tuple | list) else [results]

    def _as_traced(self, equation: Equation, given: list[Known]) -> list[Known]:
        """Values in the dtypes that were traced: inputs of a model may have 64 bits."""
        stay = _TAKE_64_BITS.get(equation.primitive, ())
        dtypes = [jaxpr.type_of(atom).dtype for atom in equation.inputs]
        return [
            self.add("cast", value, dtype=dtype)
            if isinstance(value, Value) and (value.dtype, dtype) in _NARROWED and at not in stay
            else value
            for at, (value, dtype) in enumerate(zip(given, dtypes, strict=True))
        ]

    def _call(self, equation: Equation, body: Body, given: list[Known]) -> list[Known]:
        """A call of a function: a composite op, a draw, or what it is made of."""
        name = str(equation.params.get("name", ""))
        if all(isinstance(value, Value) for value in given):
            call = _composite_call(name, equation, given)
            rule = None if call is None else COMPOSITES.get(call.op)
            if rule is not None:
                count = len(self.make.nodes)
                try:
                    results = rule(self, call)
                except NoForm:
                    results = None
                if results is not None:
                    found = list(results) if isinstance(results, tuple | list) else [results]
                    wanted = [jaxpr.type_of(variable).dtype for variable in equation.outputs]
                    if [value.dtype for value in found] == wanted:
                        return found
                del self.make.nodes[count:]
        elif name in DRAWS and not any(value is MISSING for value in given):
            results = DRAWS[name](self, equation, *given)
            if results is not None:
                return [results]
        return self.run(body, given)

    def _note_missing(self, equation: Equation, reason: str) -> list[Known]:
        types = [jaxpr.type_of(atom) for atom in (*equation.inputs, *equation.outputs)]
        first = types[0] if types else ""
        place = f" in '{self.layer}'" if self.layer else ""
        text = f"{equation.primitive}{place} ({first})" + (f": {reason}" if reason else "")
        self.missing.append((equation.primitive, text))
        return [MISSING] * len(equation.outputs)

    # ---------------------------------------------------------------- graphs within

    def inner(self, name: str) -> Lowering:
        """What makes a graph within this one."""
        return Lowering(Builder(name), self.layer, self.missing)


_TAKE_KEYS = {"random_bits", "while", "scan", "cond"}
# What JAX traced with 32 bits where an input of the model has 64.
_NARROWED = {
    ("int64", "int32"),
    ("uint64", "uint32"),
    ("float64", "float32"),
    ("complex128", "complex64"),
}
# Inputs that may keep them, by their place: ids of words, and places, which are not wrapped.
_TAKE_64_BITS = {"text_op": (0,), "convert_element_type": (0,), "gather": (1,)}

# Primitives that call a function as it is, by the parameter that holds it.
_CALLS = {
    "call": "call_jaxpr",
    "composite": "jaxpr",
    "custom_vmap_call": "call",
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "core_closed_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
    WIDE_CALL: "jaxpr",
}


def _function_of(equation: Equation) -> Any:
    """The function an equation calls, None for one that is computed otherwise."""
    name = _CALLS.get(equation.primitive)
    return None if name is None else equation.params.get(name, equation.params.get("jaxpr"))


def _composite_call(name: str, equation: Equation, given: list[Any]) -> Call | None:
    found = parse_name(name)
    if found is None:
        return None
    op, attributes, ranks = found
    if [len(value.shape) for value in given] != list(ranks.values()):
        return None  # made of the call by a transform
    types = [jaxpr.type_of(variable) for variable in equation.outputs]
    return Call(op, dict(zip(ranks, given, strict=True)), attributes, types)


def _plain(attribute: Any) -> Any:
    """An attribute with Python's numbers in the place of NumPy's."""
    if isinstance(attribute, tuple):
        return tuple(map(_plain, attribute))
    return attribute.item() if isinstance(attribute, np.generic) else attribute


def refuse_missing(name: str, missing: Sequence[tuple[str, str]]) -> None:
    """Raise one error that lists all that has no form in the graph."""
    if not missing:
        return
    texts = list(dict.fromkeys(text for _, text in missing))
    kinds = sorted({kind for kind, _ in missing})
    raise UnsupportedOpError(
        message(
            f"capture of '{name}'",
            "each thing a model computes must have a form in the graph",
            f"{len(kinds)} without one ({', '.join(kinds)}):\n  " + listed(texts, separator="\n  "),
            "Write it with other ops of nacre.ops, or leave these layers out of what is exported.",
        )
    )
