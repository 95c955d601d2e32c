"""Loops and branches: each holds graphs, which are handed all that they use.

Keys are handed to nobody: within the graphs a key is one as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nacre.export.capture.jaxpr import Body, Equation, body_of, scan_counts, size_of, type_of
from nacre.export.capture.lower import KEY_VALUE, MISSING, Lowering, primitive
from nacre.export.graph.ir import Graph, Value


def _graph(
    low: Lowering, name: str, body: Body, given: Sequence[Any], results: Sequence[bool] | None
) -> tuple[Graph | None, list[bool]]:
    """A function as a graph, with an input for each value among `given`; None where something in it
    has no form. Of its results those are kept that are values, or those that `results` says."""
    inner = low.inner(name)
    inputs: list[Any] = []
    for index, (value, variable) in enumerate(zip(given, body.inputs, strict=True)):
        if isinstance(value, Value):
            inputs.append(inner.make.input(f"in_{index}", *type_of(variable)))
        else:
            inputs.append(value)
    found = inner.run(body, inputs)
    if any(value is MISSING for value in found):
        return None, []
    kept = [value is not KEY_VALUE for value in found] if results is None else list(results)
    outputs = [value for value, keep in zip(found, kept, strict=True) if keep]
    if any(value is KEY_VALUE for value in outputs):
        return None, []
    return inner.make.finish([(f"out_{i}", value) for i, value in enumerate(outputs)]), kept


def _spread(results: Sequence[Value], kept: Sequence[bool]) -> list[Any]:
    """Results in their places, keys in the others."""
    values = iter(results)
    return [next(values) if keep else KEY_VALUE for keep in kept]


@primitive("scan")
def _scan(low: Lowering, equation: Equation, *values: Any) -> Any:
    params = equation.params
    constants, carries = scan_counts(params)
    body = body_of(params["jaxpr"])
    # A state that is a key stays one; one that becomes a key was never more.
    carried = [isinstance(v, Value) for v in values[constants : constants + carries]]
    given = list(values)
    for index, is_value in enumerate(carried):
        if not is_value:
            given[constants + index] = KEY_VALUE
    graph, kept = _graph(low, "body", body, given, None)
    if graph is None or kept[:carries] != carried:
        return [MISSING] * len(equation.outputs)
    counts = [sum(isinstance(v, Value) for v in part) for part in (
        given[:constants], given[constants : constants + carries])]  # fmt: skip
    results = low.add_graphs(
        "scan",
        [v for v in given if isinstance(v, Value)],
        {"body": graph},
        constants=counts[0],
        carries=counts[1],
        length=size_of(params["length"]),
        reverse=bool(params["reverse"]),
    )
    return _spread(results, kept)


@primitive("while")
def _while(low: Lowering, equation: Equation, *values: Any) -> Any:
    params = equation.params
    of_condition, of_body = params["cond_nconsts"], params["body_nconsts"]
    fixed = list(values[: of_condition + of_body])
    state = list(values[of_condition + of_body :])
    carried = [isinstance(v, Value) for v in state]
    condition, body = body_of(params["cond_jaxpr"]), body_of(params["body_jaxpr"])
    # Both graphs take the constants of both: those of the other are variables that nothing reads.
    others_of_condition, others_of_body = body.inputs[:of_body], condition.inputs[:of_condition]
    condition = replace(
        condition,
        inputs=(
            *condition.inputs[:of_condition],
            *others_of_condition,
            *condition.inputs[of_condition:],
        ),
    )
    body = replace(body, inputs=(*others_of_body, *body.inputs))
    given = [*fixed, *state]
    tested, _ = _graph(low, "condition", condition, given, None)
    graph, _ = _graph(low, "body", body, given, carried)
    if tested is None or graph is None:
        return [MISSING] * len(equation.outputs)
    results = low.add_graphs(
        "while",
        [v for v in given if isinstance(v, Value)],
        {"condition": tested, "body": graph},
        constants=sum(isinstance(v, Value) for v in fixed),
    )
    return _spread(results, carried)


@primitive("cond")
def _cond(low: Lowering, equation: Equation, index: Value, *operands: Any) -> Any:
    branches = [body_of(branch) for branch in equation.params["branches"]]
    known = low.known(index)
    if known is not None:
        return low.run(branches[min(max(int(known), 0), len(branches) - 1)], operands)
    graphs: dict[str, Graph] = {}
    kept: list[bool] | None = None
    for number, branch in enumerate(branches):
        graph, kept = _graph(low, f"branch_{number}", branch, operands, kept)
        if graph is None:
            return [MISSING] * len(equation.outputs)
        graphs[f"branch_{number}"] = graph
    if index.dtype != "int32":
        index = low.add("cast", index, dtype="int32")
    values = [index, *(v for v in operands if isinstance(v, Value))]
    return _spread(low.add_graphs("switch", values, graphs), kept or [])


@primitive("platform_index")
def _platform(low: Lowering, equation: Equation) -> Value:
    """The branch that any platform can run."""
    platforms = equation.params["platforms"]
    index = next((i for i, names in enumerate(platforms) if names is None), len(platforms) - 1)
    return low.constant(index, "int32")
