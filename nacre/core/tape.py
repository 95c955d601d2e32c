"""`GradientTape`: gradients of what ran within a `with` block, as in tf.keras."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core import recording, tree
from nacre.core.attempts import to_undo
from nacre.core.errors import (
    ArgumentError,
    DTypeError,
    ShapeError,
    TapeError,
    message,
)
from nacre.core.typed_jax import map_rows
from nacre.core.variable import Variable, value_of
from nacre.core.warning import warn


class _Record:
    """What a tape took in: until its gradients are computed, or for good when it is persistent."""

    def __init__(self) -> None:
        self.steps: list[recording.Step] = []
        self.active: set[int] = set()
        self.watched: dict[int, Any] = {}  # id(array) -> the array, kept so that the id is its own
        self.variables: dict[int, Variable] = {}  # those read, in this order
        self.readings: dict[int, list[Any]] = {}  # id(variable) -> what was read from it
        self.wanted: dict[int, Variable] = {}  # those somebody asked to watch


class GradientTape:
    """Records what is computed within its `with` block, and differentiates it.

    Trainable variables that are read within the block are watched; arrays are after
    `watch(array)`. What is watched, and everything that is computed from it within the block, may
    be a source of gradients: of a compiled call what it gives back, such as the feature maps that
    a model gives beside its prediction. Inside `jit`, `fit` and loops of `ops` the tape becomes
    part of the one compiled program.

    Choose it for hand-written training steps; `jax.grad` of a function gives the same numbers.

    Args:
        persistent: Whether gradients may be asked for more than once. The tape then keeps what it
            recorded until it is deleted.
        watch_accessed_variables: Whether trainable variables are watched when they are read; else
            only those given to `watch`.

    Raises:
        TapeError: The tape is entered while it records, or a tape that is not persistent is asked
            twice.
    Source:
        TensorFlow 2.15, tf.GradientTape. Differs: gradients given with another shape than the
        target's are refused, not broadcast; only `jax.lax.while_loop` inside `jit` has none.
    Example:
        >>> x = jnp.asarray([1.0, 2.0])
        >>> with GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = jnp.sum(x * x)
        >>> tape.gradient(y, x).tolist()
        [2.0, 4.0]
        >>> v = Variable(3.0)
        >>> with GradientTape(persistent=True) as tape:
        ...     with GradientTape() as inner:
        ...         y = v * v * v
        ...     slope = inner.gradient(y, v)
        >>> float(slope), float(tape.gradient(slope, v))
        (27.0, 18.0)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent = persistent
        self._watch_accessed_variables = watch_accessed_variables
        self._record: _Record | None = _Record()
        self._recorder: recording.Recorder | None = None
        self._watched: tuple[Variable, ...] = ()

    # ------------------------------------------------------------ recording

    def __enter__(self) -> Self:
        if self._recorder is not None:
            rule = "a tape that records cannot be entered again"
            raise TapeError(message("GradientTape", rule, "a second `with`", "Make another tape."))
        if self._record is None:  # a tape that gave its gradients begins anew
            self._record = _Record()
        self._resume(recording.recorder_here())
        return self

    def __exit__(self, *_: object) -> None:
        if self._recorder is not None:  # else a gradient has ended it
            self._pause()

    def _resume(self, recorder: recording.Recorder) -> None:
        self._recorder = recorder
        recorder.add(self)

    def _pause(self) -> recording.Recorder:
        recorder, self._recorder = self._recorder, None
        assert recorder is not None
        recorder.remove(self)
        return recorder

    def watch(self, tensor: Any) -> None:
        """Watch arrays, or variables, from now on.

        Args:
            tensor: One, or a structure of them.

        Raises:
            ArgumentError: Something that cannot be told from its copies, such as a NumPy array.
        """
        record = self._recorded("watch")
        for leaf in tree.flatten(tensor):
            if isinstance(leaf, Variable):
                if _is_float(leaf.dtype, f"variable '{leaf.path}'"):
                    record.wanted[id(leaf)] = record.variables[id(leaf)] = leaf
                    if self._recorder is not None:
                        self._recorder.forget_read()
            elif _is_whole(leaf):
                _is_float(leaf.dtype, "a watched array")
            elif not isinstance(leaf, jax.Array):
                raise ArgumentError(
                    message(
                        "GradientTape.watch",
                        "it takes arrays of JAX's and variables",
                        f"{type(leaf).__name__}",
                        "Make an array of it first, and compute with that: "
                        "x = nacre.ops.convert_to_tensor(x).",
                    )
                )
            elif _is_float(leaf.dtype, "a watched array"):
                record.watched[id(leaf)] = leaf
                record.active.add(id(leaf))

    @contextlib.contextmanager
    def stop_recording(self) -> Generator[None]:
        """Record nothing of what runs in this block."""
        if self._recorder is None:
            raise TapeError(
                message(
                    "GradientTape.stop_recording",
                    "the tape must be recording",
                    "a call outside of its `with` block",
                )
            )
        recorder = self._pause()
        try:
            yield
        finally:
            self._resume(recorder)

    def reset(self) -> None:
        """Forget everything, as if the `with` block began here."""
        if self._recorder is None:
            rule, got = "the tape must be recording", "a call outside of its `with` block"
            raise TapeError(message("GradientTape.reset", rule, got))
        self._record = _Record()
        self._recorder.forget_read()

    def watched_variables(self) -> tuple[Variable, ...]:
        """The variables it watches, in the order they were first read."""
        return self._watched if self._record is None else tuple(self._record.variables.values())

    # What a recorder asks of it; see `recording.Tape`.

    @property
    def active(self) -> set[int]:
        """The ids of the arrays it watches, and of what was computed from them."""
        return self._recorded("active").active

    def add(self, step: recording.Step) -> None:
        """Take in a step one of whose operands is active."""
        record = self._recorded("add")
        active = [i for i in step.wanted if id(step.operands[i]) in record.active]
        outputs = [
            output
            for j, output in enumerate(step.outputs)
            if jnp.issubdtype(output.dtype, jnp.inexact)
            and any(step.function.reaches(i, j) for i in active)
        ]
        if outputs:
            record.steps.append(step)
            record.active.update(map(id, outputs))

    def wants(self, variable: Variable) -> bool:
        """Whether it watches what is read from a variable."""
        if self._watch_accessed_variables and variable.trainable:
            return jnp.issubdtype(variable.own_dtype, jnp.inexact)
        return id(variable) in self._recorded("wants").wanted

    def note_read(self, variable: Variable, value: Any) -> None:
        """Take in that `value` was read from a variable it wants."""
        record = self._recorded("note_read")
        record.variables.setdefault(id(variable), variable)
        if id(value) not in record.watched:
            record.watched[id(value)] = value
            record.active.add(id(value))
            record.readings.setdefault(id(variable), []).append(value)

    def _recorded(self, who: str) -> _Record:
        if self._record is None:
            raise TapeError(
                message(
                    f"GradientTape.{who}",
                    "a tape that is not persistent gives one set of gradients",
                    "a second call",
                    "Ask for all sources in one call, or make it with persistent=True.",
                )
            )
        return self._record

    # ------------------------------------------------------------ gradients

    def gradient(
        self,
        target: Any,
        sources: Any,
        output_gradients: Any = None,
        unconnected_gradients: Any = "none",
    ) -> Any:
        """Gradients of a target, or of the sum of several, with respect to sources.

        Args:
            target: An array or a structure of arrays; all their elements are added.
            sources: A variable, a watched array or something computed from these, or a structure
                of them.
            output_gradients: What to multiply each element of the targets by, in their structure;
                ones by default.
            unconnected_gradients: What stands for the gradient of a source that the target does
                not depend on: 'none' gives None, 'zero' zeros.

        Returns:
            The gradients, in the structure of `sources`.
        """
        fill = _fill("gradient", unconnected_gradients)
        if target is None:
            raise _no_target("gradient")
        flat_sources = tree.flatten(sources)
        for source in flat_sources:
            _require_source("gradient", source)
        targets = tree.flatten(target)
        for t in targets:
            if isinstance(t, jax.Array | Variable):
                _is_float(t.dtype, "a target")
        given = _output_gradients(targets, output_gradients)
        record = self._take("gradient")
        for t in targets:  # a variable itself, which nothing in the block has read
            is_source = isinstance(t, Variable) and any(t is source for source in flat_sources)
            if is_source and jnp.issubdtype(jnp.dtype(t.dtype), jnp.inexact):
                record.readings.setdefault(id(t), [value_of(t)])
        walk = _Walk(record, targets, flat_sources, recording.has_tape_below())
        found = walk.gradients([_start(t, g) for t, g in zip(targets, given, strict=True)])
        return _packed(
            sources, [_filled(g, s, fill) for g, s in zip(found, flat_sources, strict=True)]
        )

    def jacobian(
        self,
        target: Any,
        sources: Any,
        unconnected_gradients: Any = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The derivative of each element of the target with respect to each element of a source.

        Args:
            target: An array.
            sources: As in `gradient`.
            unconnected_gradients: As in `gradient`.
            parallel_iterations: Kept for compatibility.
            experimental_use_pfor: True computes all rows at once; False one after the other, which
                takes less memory.

        Returns:
            Arrays of the target's axes followed by the source's, in the structure of `sources`.
        """
        fill = _fill("jacobian", unconnected_gradients)
        target = _one_target("jacobian", target)
        flat_sources = tree.flatten(sources)
        for source in flat_sources:
            _require_source("jacobian", source)
        record = self._take("jacobian")
        walk = _Walk(record, [target], flat_sources, recording.has_tape_below())
        basis = jnp.eye(target.size, dtype=target.dtype).reshape(target.size, *target.shape)
        rows = walk.rows(basis, experimental_use_pfor)
        found: list[Any] = []
        for row, source in zip(rows, flat_sources, strict=True):
            if row is None:
                zeros = (
                    None
                    if fill == "none"
                    else jnp.zeros((*target.shape, *source.shape), source.dtype)
                )
                found.append(zeros)
            else:
                found.append(row.reshape(*target.shape, *row.shape[1:]))
        return _packed(sources, found)

    def batch_jacobian(
        self,
        target: Any,
        source: Any,
        unconnected_gradients: Any = "none",
        parallel_iterations: int | None = None,
        experimental_use_pfor: bool = True,
    ) -> Any:
        """The jacobian of each sample: of `target[b]` with respect to `source[b]`.

        Each sample of the target must depend on its own sample of the source alone; then this is
        the diagonal of `jacobian` along the batch axes, at the price of one sample's.

        Args:
            target: An array (batch, ...).
            source: An array (batch, ...).
            unconnected_gradients: As in `gradient`, but 'none' gives zeros too, as in TensorFlow.
            parallel_iterations: Kept for compatibility.
            experimental_use_pfor: As in `jacobian`.

        Returns:
            An array of shape (batch, *target.shape[1:], *source.shape[1:]).
        """
        _fill("batch_jacobian", unconnected_gradients)
        target = _one_target("batch_jacobian", target)
        _require_source("batch_jacobian", source)
        if target.ndim < 2 or len(source.shape) < 2 or target.shape[0] != source.shape[0]:
            raise ShapeError(
                message(
                    "GradientTape.batch_jacobian",
                    "target and source must have two axes or more, and the same batch size",
                    f"target {target.shape}, source {tuple(source.shape)}",
                    "jacobian() takes arrays of any shape.",
                )
            )
        record = self._take("batch_jacobian")
        walk = _Walk(record, [target], [source], recording.has_tape_below())
        batch, rest = target.shape[0], target.shape[1:]
        size = target.size // batch if batch else 0
        basis = jnp.broadcast_to(
            jnp.eye(size, dtype=target.dtype).reshape(size, 1, *rest), (size, batch, *rest)
        )
        (row,) = walk.rows(basis, experimental_use_pfor)
        shape = (batch, *rest, *source.shape[1:])
        if row is None:
            return jnp.zeros(shape, source.dtype)
        return jnp.moveaxis(row, 0, 1).reshape(shape)

    def _take(self, who: str) -> _Record:
        """What was recorded; a tape that is not persistent gives it away and ends."""
        record = self._recorded(who)
        if not self._persistent:
            recorder = None if self._recorder is None else self._pause()
            self._watched = tuple(record.variables.values())
            self._record = None

            def give_back() -> None:
                self._record = record
                if recorder is not None:
                    self._resume(recorder)

            to_undo(give_back)
        return record


class _Walk:
    """The way back from targets to sources.

    Args:
        record: What a tape took in.
        targets, sources: Flat lists.
        is_recorded: Whether other tapes, or this one, take in the gradients' own computation.
    """

    def __init__(
        self, record: _Record, targets: list[Any], sources: list[Any], is_recorded: bool
    ) -> None:
        self.steps, self.is_recorded = record.steps, is_recorded
        readings = record.readings
        self.targets = [
            readings.get(id(t), [None])[-1] if isinstance(t, Variable) else t for t in targets
        ]
        self.sources = [
            readings.get(id(s), [])
            if isinstance(s, Variable)
            else [s]
            if id(s) in record.active
            else []
            for s in sources
        ]
        self.reach = self._reached()
        ends = {id(t) for t in self.targets if t is not None}
        touched = [self.reach[key] for key in ends if key in self.reach]
        self.connected = [any(i in reached for reached in touched) for i in range(len(sources))]

    def _reached(self) -> dict[int, frozenset[int]]:
        """For the arrays on the way the numbers of the sources they depend on."""
        found: dict[int, frozenset[int]] = {}
        for number, arrays in enumerate(self.sources):
            for array in arrays:
                found[id(array)] = found.get(id(array), frozenset()) | {number}
        for step in self.steps:
            numbers = [found.get(id(x)) for x in step.operands]
            if not any(numbers):
                continue
            for j, output in enumerate(step.outputs):
                reached = frozenset[int]().union(
                    *(n for i, n in enumerate(numbers) if n and step.function.reaches(i, j))
                )
                if reached and jnp.issubdtype(output.dtype, jnp.inexact):
                    found[id(output)] = found.get(id(output), frozenset()) | reached
        return found

    def gradients(self, starts: Sequence[Any]) -> list[Any]:
        """The gradient for each source, None where the targets do not depend on it."""
        sums: dict[int, Any] = {}
        for target, start in zip(self.targets, starts, strict=True):
            if target is not None and id(target) in self.reach:
                _add(sums, target, _conjugate(start))
        ends = {id(array) for arrays in self.sources for array in arrays}
        for step in reversed(self.steps):
            given = {j: sums[id(x)] for j, x in enumerate(step.outputs) if id(x) in sums}
            if not given:
                continue
            for x in step.outputs:
                if id(x) not in ends:
                    sums.pop(id(x), None)
            wanted = tuple(i for i in step.wanted if id(step.operands[i]) in self.reach)
            if wanted:
                for i, gradient in zip(wanted, self._back(step, wanted, given), strict=True):
                    _add(sums, step.operands[i], gradient)
        return [
            self._source_gradient(arrays, sums) if is_connected else None
            for arrays, is_connected in zip(self.sources, self.connected, strict=True)
        ]

    def _source_gradient(self, arrays: list[Any], sums: dict[int, Any]) -> Any:
        total = None
        for array in arrays:
            gradient = sums.get(id(array))
            if gradient is not None:
                total = gradient if total is None else total + gradient
        return jnp.zeros(arrays[0].shape, arrays[0].dtype) if total is None else _conjugate(total)

    def _back(self, step: recording.Step, wanted: tuple[int, ...], given: dict[int, Any]) -> Any:
        if step.pullback is not None and not self.is_recorded:
            found = recording.pull(step.pullback, step.outputs, given)
            return [found[step.wanted.index(i)] for i in wanted]
        function = step.function.derivative(wanted, tuple(given))
        operands = [*step.operands, *given.values()]
        recorder = recording.current_recorder()
        if recorder is None:
            return function.call(*operands)
        return recorder.run(function, operands, step.held)

    def rows(self, basis: Any, at_once: bool) -> list[Any]:
        """The gradients for each row of `basis` as the target's, stacked."""

        def one(start: Any) -> list[Any]:
            return [g for g in self.gradients([start]) if g is not None]

        if not any(self.connected):
            return [None] * len(self.sources)
        stacked = iter(jax.vmap(one)(basis) if at_once else map_rows(one, basis))
        return [next(stacked) if is_connected else None for is_connected in self.connected]


def _conjugate(x: Any) -> Any:
    """Gradients of complex numbers are conjugates of JAX's, as in TensorFlow."""
    return jnp.conj(x) if jnp.issubdtype(x.dtype, jnp.complexfloating) else x


def _add(sums: dict[int, Any], array: Any, gradient: Any) -> None:
    known = sums.get(id(array))
    sums[id(array)] = gradient if known is None else known + gradient


# ------------------------------------------------------------------ arguments


def _is_float(dtype: Any, what: str) -> bool:
    if jnp.issubdtype(jnp.dtype(dtype), jnp.inexact):
        return True
    warn(
        f"GradientTape: {what} is {jnp.dtype(dtype).name}, and only floats have gradients, so "
        "there will be none. Cast it first, inside the tape."
    )
    return False


def _is_whole(value: Any) -> bool:
    """Whether it is an array of NumPy's that no gradient could reach: one of whole numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "iub"


def _fill(who: str, value: Any) -> str:
    text = getattr(value, "value", value)
    if text not in ("none", "zero"):
        raise ArgumentError(
            message(
                f"GradientTape.{who}", "unconnected_gradients must be 'none' or 'zero'", repr(value)
            )
        )
    return text


def _no_target(who: str) -> DTypeError:
    return DTypeError(
        message(
            f"GradientTape.{who}",
            "target must be an array, or a structure of arrays",
            "None",
            "Return the loss from the code inside the tape.",
        )
    )


def _one_target(who: str, target: Any) -> Any:
    if target is None:
        raise _no_target(who)
    if isinstance(target, Variable):
        return target
    if not isinstance(target, jax.Array):
        raise ArgumentError(
            message(f"GradientTape.{who}", "target must be one array", type(target).__name__)
        )
    return target


def _require_source(who: str, source: Any) -> None:
    if not isinstance(source, Variable | jax.Array) and not _is_whole(source):
        raise ArgumentError(
            message(
                f"GradientTape.{who}",
                "sources must be variables, or arrays of JAX's that the tape watched",
                type(source).__name__,
                "Make an array of it before the tape: x = nacre.ops.convert_to_tensor(x).",
            )
        )


def _output_gradients(targets: list[Any], given: Any) -> list[Any]:
    if given is None:
        return [None] * len(targets)
    gradients = tree.flatten(given)
    if len(gradients) != len(targets):
        raise ArgumentError(
            message(
                "GradientTape.gradient",
                "output_gradients must have the structure of target",
                f"{len(gradients)} for {len(targets)} targets",
            )
        )
    for target, gradient in zip(targets, gradients, strict=True):
        if gradient is not None and tuple(jnp.shape(gradient)) != tuple(target.shape):
            raise ShapeError(
                message(
                    "GradientTape.gradient",
                    "each of output_gradients must have its target's shape",
                    f"{tuple(jnp.shape(gradient))} for a target of {tuple(target.shape)}",
                )
            )
    return gradients


def _start(target: Any, gradient: Any) -> Any:
    dtype = target.own_dtype if isinstance(target, Variable) else jnp.result_type(target)
    if gradient is None:
        return jnp.ones(jnp.shape(target), dtype)
    value = gradient.value if isinstance(gradient, Variable) else gradient
    return jnp.asarray(value).astype(dtype)


def _filled(gradient: Any, source: Any, fill: str) -> Any:
    if gradient is None and fill == "zero":
        return jnp.zeros(source.shape, source.dtype)
    return gradient


def _packed(structure: Any, flat: list[Any]) -> Any:
    return tree.pack_sequence_as(structure, flat) if tree.is_nested(structure) else flat[0]


__all__ = ["GradientTape"]
