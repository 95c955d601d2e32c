"""Plans as compiled programs, with what strings and tables need on the host between them.

The steps of a plan fall into stages: those of an even number run on the host, one by one; those of
an odd number are compiled together, for each new shape. Numbers that are known on the host stay
there; what depends on constants alone is computed once.

Numbers have TensorFlow's dtypes, 64 bits among them, where nothing else traces around; within a
layer of a model they have JAX's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.context import current
from nacre.core.errors import listed, message
from nacre.core.strings import HostString
from nacre.core.tracing import is_bare, is_tracer
from nacre.core.typed_jax import setting
from nacre.core.warning import warn
from nacre.export.importers.tensorflow.joined import with_joined_padding
from nacre.export.importers.tensorflow.plan import MAKE_HANDLES, Plan, Ref, Step
from nacre.export.importers.tensorflow.run import Run, outputs_of, picked
from nacre.export.importers.tensorflow.values import (
    GraphError,
    Handle,
    NotKnownError,
    TensorList,
    is_known,
)
from nacre.export.importers.wide_work import noting
from nacre.layers.preprocessing.host_layer import Recording
from nacre.ops.kernels.placement import current_placement, own_program

_WHO = "function of a SavedModel"
_WEIGHTS = 1024  # numbers from which on a constant is an argument of the compiled program
_MOST_STATIC = 64  # numbers of an array that a program may be compiled for
_MOST_PROGRAMS = 64
_FREE = MAKE_HANDLES | {"Const"}

Values = dict[Ref, Any]


class Compiled:
    """A plan that is called with values; programs are kept for the shapes that came."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan = with_joined_padding(plan)
        self._free = _free(plan)
        stages = _stages(plan, self._free)
        self._stages = [
            (stage, [at for at, of in enumerate(stages) if of == stage])
            for stage in sorted({of for of in stages if of >= 0})
        ]
        self._wanted = [_wanted(plan, set(steps)) for _, steps in self._stages]
        self._constants: dict[int, Any] | None = None
        self._programs: dict[Any, Callable[..., Any]] = {}
        self._told: set[str] = set()

    def __call__(self, run: Run, arguments: Sequence[Any]) -> list[Any]:
        """The outputs; variables in `run` have their new values after it."""
        if is_bare() or setting("jax_enable_x64"):
            return self._called(run, arguments)
        with noting() as noted:
            found = self._called(run, arguments)
        if new := sorted(noted - self._told):
            self._told |= noted
            rule = "whole numbers of 64 bits are computed with 32 within a model's program"
            fix = (
                "Where 32 do not hold them: nacre.config.set_floatx('float64'), or call the "
                "SavedModel by itself, which has 64."
            )
            warn(message(_WHO, rule, listed(new), fix))
        return found

    def _called(self, run: Run, arguments: Sequence[Any]) -> list[Any]:
        alone = is_bare()
        wide = jax.enable_x64(True) if alone else contextlib.nullcontext()
        own = own_program() if alone else contextlib.nullcontext()
        run.stopped, run.is_within = {}, not alone
        with wide, own, np.errstate(all="ignore"):
            values: list[Any] = [None] * len(self.plan.steps)
            for at, value in self._constant_values(run).items():
                values[at] = value
            used = self._variables(run, arguments, values)
            staged = self._staged(run, arguments, values)
            for (stage, steps), wanted in zip(self._stages, self._wanted, strict=True):
                if staged and not stage % 2:
                    continue
                if stage % 2:
                    self._run_compiled(stage, steps, wanted, run, values, used)
                    continue
                for at in steps:
                    values[at] = outputs_of(self.plan.steps[at], run, arguments, values)
            outputs = [picked(values, ref) for ref in self.plan.outputs]
            if run.stopped:  # by steps of the host, within another program
                is_wrong = jnp.any(jnp.stack(list(run.stopped.values())))
                for handle in run.written:
                    run.values[handle] = _spoilt(run.values[handle], is_wrong)
                outputs = [_spoilt(v, is_wrong) if _is_array(v) else v for v in outputs]
            return outputs

    def _staged(self, run: Run, arguments: Sequence[Any], values: list[Any]) -> bool:
        """Where this is part of the program of a model: the host's steps, which were made before.

        What they give is recorded for each batch, and taken in the program; what follows from the
        shapes of strings is known in both.
        """
        calls = current().host_calls
        if (
            calls is None or not self._host_steps
        ):  # asked in a model alone: others need no such split
            return False
        for at, step in enumerate(self.plan.steps):
            if step.argument is not None:
                values[at] = (arguments[step.argument],)
        if isinstance(calls, Recording):
            for at in self._host_steps:
                values[at] = outputs_of(self.plan.steps[at], run, arguments, values)
            calls.add([_narrow(picked(values, ref)) for ref in self._handed])
            return True
        found = dict(zip(self._handed, calls.take(_WHO), strict=True))
        for at in self._host_steps:
            values[at] = _told_by_shapes(self.plan.steps[at], run, arguments, values)
        for (at, index), value in found.items():
            kept = list(values[at] or ())
            kept += [None] * (index + 1 - len(kept))
            kept[index] = value if kept[index] is None else kept[index]
            values[at] = tuple(kept)
        return True

    @cached_property
    def _host_steps(self) -> list[int]:
        """Steps that the host makes.

        Raises:
            GraphError: It makes some of what a program gave.
        """
        steps = self.plan.steps
        hosts = [at for stage, of in self._stages if not stage % 2 for at in of]
        hosts = [at for at in hosts if steps[at].argument is None]
        before = {*hosts, *self._free, *(i for i, s in enumerate(steps) if s.argument is not None)}
        if any(ref[0] not in before for at in hosts for ref in steps[at].inputs):
            raise GraphError("strings are worked on after numbers, so no model with it trains")
        return hosts

    @cached_property
    def _handed(self) -> list[Ref]:
        """What steps on the host hand on to programs."""
        hosts = set(self._host_steps)
        others = (step for at, step in enumerate(self.plan.steps) if at not in hosts)
        taken = [ref for step in others for ref in step.inputs]
        return [ref for ref in dict.fromkeys([*self.plan.outputs, *taken]) if ref[0] in hosts]

    def _constant_values(self, run: Run) -> dict[int, Any]:
        """What depends on nothing that is given; large arrays of numbers as JAX's."""
        if self._constants is None:
            values: list[Any] = [None] * len(self.plan.steps)
            found: dict[int, Any] = {}
            # Kept for all calls, also those in which nothing else is of 64 bits.
            with jax.enable_x64(True), jax.ensure_compile_time_eval():
                for at in self._free:
                    values[at] = outputs_of(self.plan.steps[at], run, (), values)
                    found[at] = tuple(jnp.asarray(v) if _is_weight(v) else v for v in values[at])
            self._constants = found
        return self._constants

    def _variables(self, run: Run, arguments: Sequence[Any], values: list[Any]) -> list[Handle]:
        """Those that the plan can read."""
        if self.plan.hides_variables:
            return sorted(run.values, key=_name)
        made = [item for at in self._free for item in values[at] or ()]
        found = {v: None for v in (*arguments, *made) if isinstance(v, Handle)}
        return sorted(found, key=_name)

    def _run_compiled(
        self,
        stage: int,
        steps: list[int],
        wanted: list[Ref],
        run: Run,
        values: list[Any],
        used: list[Handle],
    ) -> None:
        inside = set(steps)
        fixed: Values = {}
        moving: Values = {}
        for at in steps:
            for ref in self.plan.steps[at].inputs:
                if ref[0] in inside:
                    continue
                value = picked(values, ref)
                is_constant = ref[0] in self._free and not isinstance(value, jax.Array)
                (fixed if is_constant or _is_fixed(value) else moving)[ref] = value
        stays = [value for ref, value in fixed.items() if ref[0] not in self._free]
        names = [h for h in used if h in run.values and not _is_fixed(run.values[h])]
        state = [_taken(run.values[handle]) for handle in names]
        found: tuple[Values, dict[Handle, Any]] | None = None
        # Known numbers as arguments, then as constants, then without a program.
        for held in ({}, {ref: value for ref, value in moving.items() if _is_small(value)}):
            loose = {ref: _taken(v) for ref, v in moving.items() if ref not in held}
            given = {**fixed, **held}
            program = self._program(stage, steps, wanted, given, held, stays, names, run)
            try:
                found = program(loose, state, run.fork())
                break
            except NotKnownError:
                continue
        if found is None:
            inner = run.apart(key=run.fork())
            results = self._computed(steps, wanted, inner, {**fixed, **moving})
            run.stop(inner.stopped or {})
            found = results, {handle: inner.values[handle] for handle in inner.written}
        for (at, index), value in found[0].items():
            kept = list(values[at] or ())
            kept += [None] * (index + 1 - len(kept))
            kept[index] = value
            values[at] = tuple(kept)
        for at in steps:
            values[at] = values[at] or ()
        for handle, value in found[1].items():
            run.assign(handle, value)

    def _computed(self, steps: list[int], wanted: list[Ref], run: Run, given: Values) -> Values:
        values: list[Any] = [None] * len(self.plan.steps)
        for (at, index), value in given.items():
            kept = list(values[at] or ())
            kept += [None] * (index + 1 - len(kept))
            kept[index] = value
            values[at] = tuple(kept)
        for at in steps:
            values[at] = outputs_of(self.plan.steps[at], run, (), values)
        return {ref: picked(values, ref) for ref in wanted}

    def _program(
        self,
        stage: int,
        steps: list[int],
        wanted: list[Ref],
        given: Values,
        held: Values,
        stays: list[Any],
        names: list[Handle],
        run: Run,
    ) -> Callable[..., Any]:
        """A compiled function of values, variables and a key."""
        told = tuple((ref, v.dtype.name, v.shape, v.tobytes()) for ref, v in held.items())
        place = is_bare(), current_placement()
        signature = (stage, told, place, tuple(names), tuple(map(id, stays)))
        kept = self._programs.get(signature)
        if kept is not None:
            return kept
        library, resources = run.library, run.resources
        others = {handle: v for handle, v in run.values.items() if _is_fixed(v)}
        varies = [handle.shape is None or None in handle.shape for handle in names]
        written: dict[Any, list[Handle]] = {}
        known: dict[Any, Values] = {}
        stopping: dict[Any, list[str]] = {}
        alone = is_bare()

        def compute(loose: Values, state: list[Any], key: Any, which: _Shapes) -> Any:
            current = {**others, **dict(zip(names, state, strict=True))}
            inner = Run(library, resources, current, key)
            inner.stopped, inner.is_within = {}, not alone
            results = self._computed(steps, wanted, inner, {**given, **loose})
            stopping[which] = list(inner.stopped)
            flags = jnp.stack(list(inner.stopped.values())) if inner.stopped else None
            written[which] = sorted(inner.written, key=_name)
            known[which] = {ref: v for ref, v in results.items() if not _is_array(v)}
            arrays = {ref: v for ref, v in results.items() if ref not in known[which]}
            new = [jnp.asarray(inner.values[handle]) for handle in written[which]]
            if alone or flags is None:
                return arrays, new, flags
            # Within another program nobody is there to be told: the numbers tell it.
            return (*_spoilt((arrays, new), jnp.any(flags)), None)

        compiled = jax.jit(compute, static_argnums=3)

        def call(loose: Values, state: list[Any], key: Any) -> Any:
            which = _Shapes((loose, [v for v, may in zip(state, varies, strict=True) if may]))
            arrays, new, stops = compiled(loose, state, key, which)
            if stops is not None and np.any(stops):
                raise GraphError(stopping[which][int(np.argmax(stops))])
            return {**arrays, **known[which]}, dict(zip(written[which], new, strict=True))

        if len(self._programs) >= _MOST_PROGRAMS:
            self._programs.clear()
        self._programs[signature] = call
        call.stays = stays  # pyright: ignore[reportFunctionMemberAccess] - so that ids are theirs
        return call


def _spoilt(values: Any, is_wrong: Any) -> Any:
    """Numbers as they are, or NaN where something is wrong; whole ones the smallest there is.

    By a product, so that gradients are NaN as well; it changes no bit of the others.
    """
    factor = jnp.where(is_wrong, jnp.nan, 1.0)

    def of(value: Any) -> Any:
        kind = value.dtype
        if jnp.issubdtype(kind, jnp.floating):
            return value * factor.astype(kind)
        if jnp.issubdtype(kind, jnp.complexfloating):
            return jnp.where(is_wrong, jnp.asarray(jnp.nan, kind), value)
        if jnp.issubdtype(kind, jnp.integer):
            return jnp.where(is_wrong, jnp.iinfo(kind).min, value)
        return value

    return jax.tree.map(of, values)


class _Shapes:
    """Shapes and dtypes, by which what a trace found is kept."""

    def __init__(self, values: Any) -> None:  # Any: a tree of arrays
        leaves, tree = jax.tree.flatten(values)
        self._told = (tree, tuple((np.shape(leaf), str(leaf.dtype)) for leaf in leaves))

    def __hash__(self) -> int:
        return hash(self._told)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shapes) and self._told == other._told


def _narrow(value: Any) -> Any:
    """A value of the host as the program of a model takes it."""
    if not is_known(value) or value.dtype == object:
        raise GraphError("strings go from the host into the program of a model")
    return _in_32_bits(value)


def _told_by_shapes(
    step: Step, run: Run, arguments: Sequence[Any], values: Sequence[Any]
) -> tuple[Any, ...] | None:
    """The outputs of a step that follow from shapes of strings; None where they do not."""
    inputs = [picked(values, ref) if values[ref[0]] else None for ref in step.inputs]
    is_of_shape = step.node.op in ("Shape", "ShapeN", "Rank", "Size")
    given: list[Any] = []
    for value in inputs:
        value = np.empty(value.shape, object) if isinstance(value, HostString) else value
        if value is None or not is_known(value) or not step.op.is_known:
            return None
        if value.dtype == object and not is_of_shape:
            return None
        given.append(value)
    stand_ins = list(values)
    for ref, value in zip(step.inputs, given, strict=True):
        kept = list(stand_ins[ref[0]])
        kept[ref[1]] = value
        stand_ins[ref[0]] = tuple(kept)
    return outputs_of(step, run, arguments, stand_ins)


def _taken(value: Any) -> Any:
    """A value as a program takes it: within another program, 64 bits are 32.

    A new array: JAX keeps what it made of one, and would take it for a program of 64 bits, too.

    Raises:
        GraphError: A whole number does not fit.
    """
    if is_bare() or isinstance(value, TensorList) or is_tracer(value):
        return value
    return _in_32_bits(value)


def _in_32_bits(value: Any) -> Any:
    """A value as JAX has it where 64 bits are not asked for.

    Raises:
        GraphError: A whole number does not fit.
    """
    kind = np.dtype(value.dtype)
    narrow = np.dtype(jax.dtypes.canonicalize_dtype(kind))
    if kind == narrow:
        return value
    array = np.asarray(value)
    if kind.kind in "iu" and array.size:
        limits = np.iinfo(narrow)
        if array.min() < limits.min or array.max() > limits.max:
            raise GraphError(f"whole numbers of 64 bits, within a program of 32: {array.max()}")
    return array.astype(narrow)


def _name(handle: Handle) -> str:
    return handle.name


def _is_array(value: Any) -> bool:
    """What a compiled program gives; known numbers, strings and handles it does not."""
    return isinstance(value, TensorList | jax.Array)


def _is_fixed(value: Any) -> bool:
    """What no compiled program takes: strings, handles, what is dead."""
    if is_known(value):
        return value.dtype == object
    return not _is_array(value)


def _is_small(value: Any) -> bool:
    return is_known(value) and value.dtype.kind in "iub" and value.size <= _MOST_STATIC


def _is_weight(value: Any) -> bool:
    return is_known(value) and value.size >= _WEIGHTS and value.dtype.kind not in "OiubV"


# --- stages ---------------------------------------------------------------------------------------


def _free(plan: Plan) -> list[int]:
    """Steps that depend on nothing that is given."""
    found: list[int] = []
    is_free: set[int] = set()
    for at, step in enumerate(plan.steps):
        inputs = {of for of, _ in step.inputs}
        computed = step.op.is_known and not step.op.is_shared and bool(inputs) and inputs <= is_free
        if (step.node.op in _FREE or computed) and step.argument is None and not step.after:
            is_free.add(at)
            found.append(at)
    return found


def _stages(plan: Plan, free: list[int]) -> list[int]:
    """For each step, when it runs: even numbers on the host, odd ones in a program; -1 before."""
    constants, found = set(free), list[int]()
    for at, step in enumerate(plan.steps):
        inputs = [found[of] for of, _ in step.inputs]
        least = max([*inputs, *(found[of] for of in step.after), 0])
        if at in constants:
            found.append(-1)
        elif step.argument is not None:
            found.append(0)
        elif _is_on_host(step, plan, inputs):
            found.append(least + least % 2)
        else:
            found.append(least + 1 - least % 2)
    return found


def _is_on_host(step: Step, plan: Plan, inputs: list[int]) -> bool:
    if step.op.is_host or step.node.uses_strings() or step.node.needs_host:
        return True
    is_known_there = all(stage <= 0 or stage % 2 == 0 for stage in inputs)
    return plan.needs_host and step.op.is_known and bool(inputs) and is_known_there


def _wanted(plan: Plan, inside: set[int]) -> list[Ref]:
    """Outputs of steps that others take, or that are asked for."""
    found = [ref for ref in plan.outputs if ref[0] in inside]
    for at, step in enumerate(plan.steps):
        if at not in inside:
            found += [ref for ref in step.inputs if ref[0] in inside]
    return list(dict.fromkeys(found))


__all__ = ["Compiled"]
