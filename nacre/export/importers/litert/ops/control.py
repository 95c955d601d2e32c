"""Branches, loops, subgraphs that are called, and variables that outlive a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import ShapeError
from nacre.export.importers.litert.registry import (
    Step,
    StepError,
    as_array,
    is_known,
    jax_dtype,
    op,
)

# A loop whose steps are counted beforehand; of more, JAX counts when it runs.
_MOST_STEPS = 20_000
# Steps that are written out one by one, where shapes differ between them.
_MOST_WRITTEN = 256


@op("CALL", scales=True)
def _call(step: Step, *values: Any) -> list[Any]:
    return step.run.call(int(step["subgraph"]), values)


@op("CALL_ONCE", scales=True)
def _call_once(step: Step) -> list[Any]:
    return []  # the file's reader has done it


@op("IF", scales=True)
def _if(step: Step, condition: Any, *values: Any) -> list[Any]:
    branches = [int(step[f"{n}_subgraph_index"]) for n in ("then", "else")]
    if is_known(condition):
        return step.run.call(branches[0 if bool(np.all(condition)) else 1], values)
    kinds = [_kind(tensor) for tensor in step.outputs]
    moving, join = _split(values)

    def branch(index: int) -> Any:
        def compute(given: Sequence[Any]) -> list[Any]:
            found = step.run.call_inside(index, join(given))
            return [jnp.asarray(v).astype(k) for v, k in zip(found, kinds, strict=True)]

        return compute

    is_true = jnp.asarray(condition).reshape(())
    return jax.lax.cond(is_true, branch(branches[0]), branch(branches[1]), moving)


def _kind(tensor: Any) -> Any:
    return jax_dtype(tensor.dtype)


def _split(values: Sequence[Any]) -> tuple[list[Any], Any]:
    """Arrays of JAX, and what puts them back among what is known."""
    places = [i for i, v in enumerate(values) if isinstance(v, jax.Array)]

    def join(given: Sequence[Any]) -> list[Any]:
        found = list(values)
        for i, v in zip(places, given, strict=True):
            found[i] = v
        return found

    return [values[i] for i in places], join


@op("WHILE", scales=True)
def _while(step: Step, *values: Any) -> list[Any]:
    """A loop. Where the number of its steps follows from what is known, it is a scan, which has a
    gradient."""
    condition, body = (int(step[f"{n}_subgraph_index"]) for n in ("cond", "body"))
    graph = step.run.graph_of(body)
    if not len(values) == len(graph.inputs) == len(graph.outputs):
        raise StepError("the loop's variables are not as many as its body's")
    moving = [i for i, (a, b) in enumerate(zip(graph.inputs, graph.outputs, strict=True)) if a != b]
    count = _count(step, condition, body, values, moving)

    def joined(given: Sequence[Any]) -> list[Any]:
        found = list(values)
        for i, v in zip(moving, given, strict=True):
            found[i] = v
        return found

    def advanced(given: Sequence[Any]) -> list[Any]:
        found = step.run.call_inside(body, joined(given))
        return [found[i] for i in moving]

    kinds = [_kind(graph.tensors[graph.inputs[i]]) for i in moving]
    try:
        state = [as_array(values[i]).astype(k) for i, k in zip(moving, kinds, strict=True)]
        fixed = lambda found: [as_array(v).astype(k) for v, k in zip(found, kinds, strict=True)]
        if count is None:
            goes_on = lambda s: jnp.asarray(step.run.call_inside(condition, joined(s))[0]).reshape(
                ()
            )
            return joined(jax.lax.while_loop(goes_on, lambda s: fixed(advanced(s)), state))
        return joined(jax.lax.scan(lambda s, _: (fixed(advanced(s)), None), state, length=count)[0])
    except (TypeError, ShapeError):
        if count is None or count > _MOST_WRITTEN:
            raise
    found = [values[i] for i in moving]
    for _ in range(count):  # sizes that follow from the step: each one on its own
        found = advanced(found)
    return joined(found)


def _count(
    step: Step, condition: int, body: int, values: Sequence[Any], moving: Sequence[int]
) -> int | None:
    """How many steps a loop makes, where what decides it is known."""
    needed = step.run.needed(condition, [0])
    while True:
        more = needed | step.run.needed(body, sorted(needed & set(moving)))
        if more == needed:
            break
        needed = more
    decides = sorted(needed)
    if not all(is_known(values[i]) and values[i] is not None for i in decides) or any(
        values[i].dtype == object for i in decides
    ):
        return None
    state = list(values)
    for number in range(_MOST_STEPS):
        goes_on = step.run.part(condition, [0], state, decides)
        if goes_on is None:
            return None
        if not bool(np.all(goes_on[0])):
            return number
        wanted = [i for i in decides if i in moving]
        found = step.run.part(body, wanted, state, decides)
        if found is None:
            return None
        for i, v in zip(wanted, found, strict=True):
            state[i] = v
    return None


# --- variables ------------------------------------------------------------------------------------


class Handle:
    """A variable by its name."""

    def __init__(self, name: str) -> None:
        self.name = name


@op("VAR_HANDLE", scales=True)
def _var_handle(step: Step) -> Handle:
    container, name = step["container"] or "", step["shared_name"] or ""
    return Handle(f"{container}/{name}" if container else str(name))


@op("READ_VARIABLE", scales=True)
def _read_variable(step: Step, handle: Any) -> Any:
    if not isinstance(handle, Handle):
        raise StepError("a variable is read that is none")
    return step.run.read(handle.name)


@op("ASSIGN_VARIABLE", scales=True)
def _assign_variable(step: Step, handle: Any, value: Any) -> list[Any]:
    if not isinstance(handle, Handle):
        raise StepError("a variable is assigned that is none")
    step.run.assign(handle.name, value)
    return []
