"""Branches and loops: of TensorFlow 2 as functions, of TensorFlow 1 `Switch` and `Merge`.

A branch whose condition is known is taken while the program is traced. A loop that runs a number of
times that is known (over the steps of a sequence) becomes a scan, which has a gradient; another
becomes a `while_loop`, which has none backwards. Where nothing is traced, loops run in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.dtypes import float0

from nacre.core import safety
from nacre.core.tracing import is_bare, is_tracer
from nacre.export.importers.tensorflow.plan import Plan
from nacre.export.importers.tensorflow.registry import Node, op
from nacre.export.importers.tensorflow.run import Run, execute, outputs_of, picked
from nacre.export.importers.tensorflow.values import (
    DEAD,
    GraphError,
    Handle,
    NotKnownError,
    Ragged,
    TensorList,
    is_known,
)

_UNROLLED = 512  # turns of a loop that are written one after the other where no scan can be made
_COUNTED = 1_000_000  # turns that are counted before a loop is run


def _as_bool(value: Any) -> bool | None:
    """A condition, or None where it is known only when the program runs."""
    if is_tracer(value):
        return None
    found = np.asarray(value)
    if found.ndim:
        return found.size > 0
    return bool(found.item())


def _is_static(value: Any) -> bool:
    """Whether a value is none that a compiled program computes with."""
    return isinstance(value, Handle | Ragged) or (is_known(value) and value.dtype == object)


@op("If", "StatelessIf", shared=True)
def _if(run: Run, node: Node, condition: Any, *inputs: Any) -> Any:
    taken = _as_bool(condition)
    if taken is not None:
        return tuple(run.call(node["then_branch" if taken else "else_branch"].name, inputs))
    flag = condition if condition.dtype == bool else condition != 0
    names = [node["else_branch"].name, node["then_branch"].name]
    return _choose(run, flag.astype(jnp.int32), names, inputs)


@op("Case", "StatelessCase", shared=True)
def _case(run: Run, node: Node, index: Any, *inputs: Any) -> Any:
    names = [branch.name for branch in node["branches"]]
    if is_tracer(index):
        outside = (index < 0) | (index >= len(names))
        return _choose(run, jnp.where(outside, len(names) - 1, index), names, inputs)
    at = int(np.asarray(index))
    return tuple(run.call(names[at if 0 <= at < len(names) else -1], inputs))


def _choose(run: Run, index: Any, names: Sequence[str], inputs: Sequence[Any]) -> Any:
    """The outputs of one of several functions, chosen when the program runs."""
    trials = [_trial(run, run.library.plan_of(name), inputs) for name in names]
    written = _by_name({handle for trial in trials for handle in trial.written})
    stops = list(dict.fromkeys(told for trial in trials for told in trial.stops))

    def branch(name: str) -> Callable[[], Any]:
        def compute() -> Any:
            inner = run.apart(key=run.fork())
            outputs = execute(run.library.plan_of(name), inner, inputs)
            values = [jnp.asarray(inner.read(h)) for h in written]
            return [_computed(v) for v in outputs], values, _flags(inner, stops)

        return compute

    outputs, values, found = lax.switch(index, [branch(name) for name in names])
    run.stop(found)
    for handle, value in zip(written, values, strict=True):
        run.assign(handle, value)
    return tuple(outputs)


def _computed(value: Any) -> Any:
    if isinstance(value, TensorList):
        return value
    if _is_static(value):
        raise NotKnownError("strings or handles out of a branch that is chosen in the run")
    return jnp.asarray(value)


@dataclass
class _Trial:
    """What a function gives, as shapes and dtypes, or as arrays where those are known.

    Attributes:
        written: The variables that it assigns.
        stops: What TensorFlow may stop at in it.
    """

    outputs: list[Any]
    written: set[Handle]
    stops: list[str]


def _trial(run: Run, plan: Plan, inputs: Sequence[Any]) -> _Trial:
    found: list[Any] = []
    trial = _Trial([], set(), [])

    def compute() -> Any:
        inner = run.apart(key=run.fork())
        found[:] = execute(plan, inner, inputs)
        trial.written, trial.stops = inner.written, list(inner.stopped or ())
        return [None if _is_static(v) or is_known(v) else v for v in found]

    shapes = jax.eval_shape(compute)
    trial.outputs = [v if s is None else s for v, s in zip(found, shapes, strict=True)]
    return trial


def _by_name(handles: Iterable[Handle]) -> list[Handle]:
    return sorted(handles, key=lambda handle: handle.name)


def _flags(run: Run, stops: Iterable[str], before: Mapping[str, Any] | None = None) -> Any:
    """For all that may be stopped at, whether it was by now."""
    found = run.stopped or {}
    no = jnp.zeros((), bool)
    return {
        told: jnp.asarray(found.get(told, no)) | (no if before is None else before[told])
        for told in stops
    }


# --- loops ----------------------------------------------------------------------------------------


@op("While", "StatelessWhile", shared=True)
def _while(run: Run, node: Node, *inputs: Any) -> Any:
    loop = _Loop(
        run, run.library.plan_of(node["cond"].name), run.library.plan_of(node["body"].name)
    )
    if is_bare():
        return tuple(loop.in_python(list(inputs)))
    return tuple(loop.traced(list(inputs)))


class _Loop:
    def __init__(self, run: Run, condition: Plan, body: Plan) -> None:
        self.run, self.condition, self.body = run, condition, body

    def in_python(self, values: list[Any]) -> list[Any]:
        """Turn by turn, with values that are there."""
        while True:
            (goes_on,) = execute(self.condition, self.run, values)
            found = _as_bool(goes_on)
            if found is None:
                raise NotKnownError("whether a loop goes on")
            if not found:
                return values
            safety.reserve_steps(len(self.body.steps), "a loop of a TensorFlow graph")
            values = execute(self.body, self.run, values)

    def traced(self, values: list[Any]) -> list[Any]:
        known = self._stay_known(values)
        turns = self._count(values, known)
        if turns is None:
            return self._while(values, known)
        count, last = turns
        if count == 0:
            return values
        try:
            return self._scan(values, known, count, last)
        except (NotKnownError, _ChangesError):
            if count > _UNROLLED:
                raise
            for _ in range(count):
                values = execute(self.body, self.run, values)
            return values

    def _stay_known(self, values: list[Any]) -> set[int]:
        """The places of values that are known at first and after each turn."""
        known = {i for i, v in enumerate(values) if is_known(v) or _is_static(v)}
        while True:
            start = [v if i in known else _abstract(v) for i, v in enumerate(values)]
            found = _outputs_under(self, self.body, start)
            stays = {i for i in known if is_known(found[i]) or _is_static(found[i])}
            if stays == known:
                return known
            known = stays

    def _count(self, values: list[Any], known: set[int]) -> tuple[int, list[Any]] | None:
        """How often the loop runs, and the known values at its end; None where it is not known."""
        needed = _pruned(self.body, sorted(known))
        last = list(values)

        def simulate() -> int | None:
            current = [v if i in known else _abstract_now(v) for i, v in enumerate(values)]
            for turn in range(_COUNTED):
                (goes_on,) = execute(self.condition, self._trial_run(), current)
                if is_tracer(goes_on):
                    return None
                if not _as_bool(goes_on):
                    last[:] = current
                    return turn
                for place, value in needed(self._trial_run(), current).items():
                    if is_tracer(value):
                        return None
                    current[place] = value
            return None

        count: list[int | None] = []
        try:
            jax.eval_shape(lambda: count.append(simulate()))
        except NotKnownError:
            return None
        return None if count[0] is None else (count[0], last)

    def _trial_run(self) -> Run:
        return self.run.apart(key=self.run.fork())

    def _scan(self, values: list[Any], known: set[int], count: int, last: list[Any]) -> list[Any]:
        run = self.run
        history = self._history(values, known, count)
        places = [i for i in range(len(values)) if i not in known]
        start, written, _ = self._carried(values, known)
        key = run.fork()

        def turn(carry: Any, each: Any) -> Any:
            step, moving = each
            arrays, state = carry
            current = list(values)
            for place, value in zip(places, arrays, strict=True):
                current[place] = value
            for place, value in moving.items():
                current[place] = value
            inner_key = None if key is None else jax.random.fold_in(key, step)
            own = {**run.values, **dict(zip(written, state, strict=True))}
            inner = run.apart(own, inner_key)
            found = execute(self.body, inner, current)
            after = [_like(found[place], a) for place, a in zip(places, arrays, strict=True)]
            return (after, [jnp.asarray(inner.read(h)) for h in written]), inner.stopped or {}

        (arrays, state), stopped = lax.scan(
            turn, (start, [jnp.asarray(run.read(h)) for h in written]), (jnp.arange(count), history)
        )
        run.stop({told: jnp.any(flags) for told, flags in stopped.items()})
        for handle, value in zip(written, state, strict=True):
            run.assign(handle, value)
        result = list(last)
        for place, value in zip(places, arrays, strict=True):
            result[place] = value
        return result

    def _history(self, values: list[Any], known: set[int], count: int) -> dict[int, Any]:
        """Known values that change, one after the other: [turns, ...]."""
        needed = _pruned(self.body, sorted(known))
        rows: dict[int, list[Any]] = {i: [] for i in known if not _is_static(values[i])}

        def simulate() -> None:
            current = [v if i in known else _abstract_now(v) for i, v in enumerate(values)]
            for _ in range(count):
                for place in rows:
                    rows[place].append(current[place])
                for place, value in needed(self._trial_run(), current).items():
                    current[place] = value

        jax.eval_shape(simulate)
        changing = {i: r for i, r in rows.items() if any(not np.array_equal(r[0], v) for v in r)}
        if any(v.shape != r[0].shape for r in changing.values() for v in r):
            raise _ChangesError
        return {place: np.stack(row) for place, row in changing.items()}

    def _carried(
        self, values: list[Any], known: set[int]
    ) -> tuple[list[Any], list[Handle], list[str]]:
        """Values at the beginning in the shapes that they have after a turn; what is assigned, and
        what may be stopped at."""
        trial = _trial(
            self.run, self.body, [v if i in known else _strong(v) for i, v in enumerate(values)]
        )
        shapes = trial.outputs
        start: list[Any] = []
        for i, value in enumerate(values):
            if i in known:
                continue
            after = shapes[i]
            if isinstance(value, TensorList):
                if len(after) != len(value):
                    raise _ChangesError
                if value.stacked is None and after.stacked is not None:
                    value = TensorList(
                        jnp.zeros(after.stacked.shape, after.stacked.dtype),
                        0,
                        after.shape,
                        after.dtype,
                    )
                start.append(
                    TensorList(_strong(value.stacked), after.size, after.shape, after.dtype)
                )
            else:
                value = _strong(value)
                if tuple(after.shape) != tuple(value.shape):
                    raise _ChangesError
                start.append(value)
        return start, _by_name(trial.written), trial.stops

    def _while(self, values: list[Any], known: set[int]) -> list[Any]:
        run = self.run
        fixed = {i for i in known if _is_static(values[i]) or self._is_constant(values, i)}
        places = [i for i in range(len(values)) if i not in fixed]
        moving = [v if i in fixed else _strong(v) for i, v in enumerate(values)]
        start, written, in_body = self._carried(moving, fixed)
        in_condition = _trial(run, self.condition, moving).stops
        stops = list(dict.fromkeys([*in_body, *in_condition]))
        key = run.fork()

        def filled(arrays: Any) -> list[Any]:
            current = list(values)
            for place, value in zip(places, arrays, strict=True):
                current[place] = value
            return current

        def inner(state: Any, step: Any) -> Run:
            inner_key = None if key is None else jax.random.fold_in(key, step)
            return run.apart({**run.values, **dict(zip(written, state, strict=True))}, inner_key)

        def asked(carry: Any) -> tuple[Any, Run]:
            arrays, state, step, _ = carry
            this = inner(state, step)
            (found,) = execute(self.condition, this, filled(arrays))
            return jnp.reshape(jnp.asarray(found, bool), ()), this

        def goes_on(carry: Any) -> Any:
            found, _ = asked(carry)
            for flag in carry[-1].values():  # what comes of a wrong turn need not end
                found &= ~flag
            return found

        def turn(carry: Any) -> Any:
            arrays, state, step, flags = carry
            this = inner(state, step)
            if in_condition:  # a condition gives no more than whether it goes on
                this.stop(asked(carry)[1].stopped or {})
            found = execute(self.body, this, filled(arrays))
            after = [_like(found[p], a) for p, a in zip(places, arrays, strict=True)]
            values = [jnp.asarray(this.read(h)) for h in written]
            return after, values, step + 1, _flags(this, stops, flags)

        begin = (
            start,
            [jnp.asarray(run.read(h)) for h in written],
            jnp.asarray(0, jnp.int32),
            {told: jnp.zeros((), bool) for told in stops},
        )
        end = lax.while_loop(goes_on, turn, begin)
        arrays, state, _, found = end
        run.stop(found)
        if in_condition:
            run.stop(asked(end)[1].stopped or {})
        for handle, value in zip(written, state, strict=True):
            run.assign(handle, value)
        return filled(arrays)

    def _is_constant(self, values: list[Any], place: int) -> bool:
        """Whether the body gives a known value back as it is."""
        at, _ = self.body.outputs[place]
        step = self.body.steps[at]
        while step.node.op == "Identity" and step.inputs:
            at, _index = step.inputs[0]
            step = self.body.steps[at]
        return step.argument == place


class _ChangesError(Exception):
    """Shapes differ from turn to turn."""


def _strong(value: Any) -> Any:
    """As an array of JAX, of a dtype that does not give way to others."""
    if value is None or isinstance(value, TensorList):
        return value
    found = jnp.asarray(value)
    return lax.convert_element_type(found, found.dtype)


def _like(value: Any, before: Any) -> Any:
    if isinstance(before, TensorList):
        return TensorList(jnp.asarray(value.stacked), before.size, before.shape, before.dtype)
    return jnp.asarray(value).astype(before.dtype)


def _abstract(value: Any) -> Any:
    return value


def _abstract_now(value: Any) -> Any:
    """A value that counts as one that is not known, within a trial."""
    if isinstance(value, TensorList):
        return jax.tree.map(_abstract_now, value)
    if is_tracer(value) or value is None:
        return value
    return lax.optimization_barrier(jnp.asarray(value))


def _outputs_under(loop: _Loop, plan: Plan, values: list[Any]) -> list[Any]:
    """What a plan gives, in a trial: arrays of NumPy where they are known."""
    found: list[Any] = []

    def compute() -> None:
        current = [v if is_known(v) or _is_static(v) else _abstract_now(v) for v in values]
        found[:] = execute(plan, loop._trial_run(), current)  # pyright: ignore[reportPrivateUsage]

    jax.eval_shape(compute)
    return found


def _pruned(plan: Plan, places: list[int]) -> Callable[[Run, list[Any]], dict[int, Any]]:
    """A function that computes some of a plan's outputs alone."""
    wanted: set[int] = set()
    waiting = [plan.outputs[place][0] for place in places]
    while waiting:
        at = waiting.pop()
        if at not in wanted:
            wanted.add(at)
            waiting += [of for of, _ in plan.steps[at].inputs]
    order = sorted(wanted)

    def compute(run: Run, arguments: list[Any]) -> dict[int, Any]:
        values: list[Any] = [None] * len(plan.steps)
        for at in order:
            values[at] = outputs_of(plan.steps[at], run, arguments, values)
        return {place: picked(values, plan.outputs[place]) for place in places}

    return compute


# --- of TensorFlow 1 ------------------------------------------------------------------------------


@op("Switch", "RefSwitch", host=True)
def _switch(node: Node, value: Any, condition: Any) -> Any:
    taken = _as_bool(condition)
    if taken is None:
        raise NotKnownError("which way a switch takes")
    return (DEAD, value) if taken else (value, DEAD)


@op("Merge", "RefMerge", host=True)
def _merge(node: Node, *values: Any) -> Any:
    for index, value in enumerate(values):
        if value is not DEAD:
            return value, np.asarray(index, np.int32)
    return DEAD, DEAD


@op("Enter", "Exit", "NextIteration", "LoopCond", "RefEnter")
def _frames(node: Node, *values: Any) -> Any:
    raise GraphError("a part of a loop of TensorFlow 1 outside of its loop")


# --- gradients of their own -----------------------------------------------------------------------


@op("_CustomGradient", shared=True)
def _custom_gradient(run: Run, node: Node, *inputs: Any) -> Any:
    """The inputs as they are, with the gradient that `tf.custom_gradient` gave them."""
    gradient, count = node["gradient"], node["count"]
    values, captured = inputs[:count], inputs[count:]
    if all(is_known(value) for value in inputs):
        return values
    library, resources = run.library, run.resources
    state = {h: run.read(h) for h in captured if isinstance(h, Handle) and h.kind == "variable"}
    others = [None if _is_given(value) else value for value in captured]

    @jax.custom_vjp
    def identity(values: Any, captured: Any, state: Any) -> Any:
        return values

    def forward(values: Any, captured: Any, state: Any) -> Any:
        return values, (values, captured, state)

    def backward(kept: Any, found: Any) -> Any:
        values, captured, state = kept
        inner = Run(library, resources, dict(zip(handles, state, strict=True)))
        given = [_filled(v, g) for v, g in zip(values, found, strict=True)]
        rest = [v if o is None else o for v, o in zip(captured, others, strict=True)]
        outputs = inner.call(gradient.function, [*given, *rest])
        first = len(values) - len(gradient.gives)
        gradients = [None] * first + [None if p is None else outputs[p] for p in gradient.gives]
        of_values = tuple(_gradient_of(v, g) for v, g in zip(values, gradients, strict=True))
        nothing = jax.tree.map(lambda v: _gradient_of(v, None), (captured, state))
        return of_values, *nothing

    identity.defvjp(forward, backward)
    handles = list(state)
    arrays = tuple(v if _is_given(v) else None for v in captured)
    given = tuple(jnp.asarray(value) for value in values)
    return identity(given, arrays, [jnp.asarray(value) for value in state.values()])


def _is_given(value: Any) -> bool:
    return isinstance(value, jax.Array)


def _filled(value: Any, gradient: Any) -> Any:
    """The gradient of a result; of whole numbers, which have none, zeros in their dtype."""
    return jnp.zeros(value.shape, value.dtype) if gradient.dtype == float0 else gradient


def _gradient_of(value: Any, gradient: Any) -> Any:
    if not jnp.issubdtype(value.dtype, jnp.inexact):
        return np.zeros(value.shape, float0)
    if gradient is None:
        return jnp.zeros(value.shape, value.dtype)
    return jnp.asarray(gradient, value.dtype)
