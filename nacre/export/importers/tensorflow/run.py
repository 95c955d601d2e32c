"""One run of a plan: step by step, with the values of variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nacre.core.errors import SerializationError, ShapeError, UnsupportedError, message
from nacre.core.origins import (
    is_own_bug_whatever_was_read,
    is_unforeseen,
    passed_users_code,
)
from nacre.core.tracing import is_tracer
from nacre.core.wire.bundle import Bundle
from nacre.export.importers.tensorflow.plan import Library, Plan, Step
from nacre.export.importers.tensorflow.registry import STOPS, DataType, Node
from nacre.export.importers.tensorflow.values import (
    DEAD,
    GraphError,
    Handle,
    NotKnownError,
    is_known,
)
from nacre.export.importers.wide_work import note_narrowed

# Ops that take a variable of TensorFlow 1 itself; the others take its value.
TAKES_REFERENCES = frozenset(
    ("Assign", "AssignAdd", "AssignSub", "IsVariableInitialized", "ScatterUpdate", "ScatterAdd")
)
_SMALL = 4096  # numbers that are computed while a program is traced


class Resources:
    """Variables and tables by the names under which nodes share them.

    Args:
        folder: The one file paths may lead to; None for none.
    """

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder
        self.bundles: dict[Path, Bundle] = {}
        self._handles: dict[tuple[str, str, str], Handle] = {}

    def handle(self, kind: str, container: str, name: str) -> Handle:
        """The handle of a name, which is made when it is first asked for."""
        key = (kind, container, name)
        if key not in self._handles:
            self._handles[key] = Handle(kind, name)
        return self._handles[key]

    def variables(self) -> list[Handle]:
        return [handle for handle in self._handles.values() if handle.kind == "variable"]


class Run:
    """What the steps of one run share.

    Attributes:
        values: Of variables, as they stand now.
        written: Those that were assigned to.
        folder: Where a checkpoint that is restored lies.
        stopped: What TensorFlow would stop at, in words, each with whether it does, where only
            the program tells; None where nobody asks, as in a gradient.
        is_within: It is part of another program, which cannot be stopped: numbers tell it.
    """

    def __init__(
        self,
        library: Library,
        resources: Resources,
        values: dict[Handle, Any],
        key: Any = None,
    ) -> None:
        self.library, self.resources, self.values = library, resources, values
        self.written: set[Handle] = set()
        self.stopped: dict[str, Any] | None = None
        self.is_within = False
        self._key, self._drawn = key, 0

    def read(self, handle: Handle) -> Any:
        if handle not in self.values:
            raise GraphError(f"the variable '{handle.name}' is read before it has a value")
        return self.values[handle]

    def assign(self, handle: Handle, value: Any) -> None:
        self.values[handle] = value
        self.written.add(handle)

    def key(self) -> Any:
        """A key for random numbers, another each time."""
        if self._key is None:
            raise GraphError("random numbers are drawn where no key was given")
        self._drawn += 1
        return jax.random.fold_in(self._key, self._drawn)

    def fork(self) -> Any:
        """A key of its own for what is run apart; None where there is none."""
        return None if self._key is None else self.key()

    def apart(self, values: dict[Handle, Any] | None = None, key: Any = None) -> Run:
        """A run of its own, as a branch or a turn of a loop is, with the same variables or others.

        What it would stop at is its own: `stop` takes it over.
        """
        inner = Run(
            self.library, self.resources, dict(self.values) if values is None else values, key
        )
        inner.stopped = None if self.stopped is None else {}
        inner.is_within = self.is_within
        return inner

    def stop(self, found: Mapping[str, Any]) -> None:
        """Note what TensorFlow would stop at, beside what was noted."""
        if self.stopped is not None:
            for told, flag in found.items():
                before = self.stopped.get(told)
                self.stopped[told] = flag if before is None else before | flag

    def call(self, name: str, arguments: Sequence[Any]) -> list[Any]:
        """Call a function of the library."""
        return execute(self.library.plan_of(name), self, arguments)


def execute(plan: Plan, run: Run, arguments: Sequence[Any]) -> list[Any]:
    """The outputs of a plan."""
    if len(arguments) != len(plan.names):
        raise GraphError(f"{len(plan.names)} arguments are needed, {len(arguments)} were given")
    values: list[Any] = [None] * len(plan.steps)
    for at, step in enumerate(plan.steps):
        values[at] = outputs_of(step, run, arguments, values)
    return [picked(values, ref) for ref in plan.outputs]


def picked(values: Sequence[Any], ref: tuple[int, int]) -> Any:
    at, index = ref
    found = values[at]
    if index >= len(found):
        raise GraphError(f"output {index} is taken of a node that gives {len(found)}")
    return found[index]


def outputs_of(step: Step, run: Run, arguments: Sequence[Any], values: Sequence[Any]) -> Any:
    """The outputs of a step, as a tuple."""
    if step.argument is not None:
        return (arguments[step.argument],)
    inputs = [picked(values, ref) for ref in step.inputs]
    node, op = step.node, step.op
    if node.op not in TAKES_REFERENCES:
        inputs = [
            run.read(v) if isinstance(v, Handle) and v.kind == "reference" else v for v in inputs
        ]
    if node.op != "Merge" and any(value is DEAD for value in inputs):
        return (DEAD,) * 8
    if any(values[at] and values[at][0] is DEAD for at in step.after) and node.op != "Merge":
        return (DEAD,) * 8
    try:
        if node.op in STOPS:
            _look_for_stops(node, run, inputs)
        if op.is_shared:
            found = op.function(run, node, *inputs)
        elif op.is_known or op.is_host or not _is_small(inputs):
            found = op.function(node, *inputs)
        else:  # stays known
            with jax.ensure_compile_time_eval():
                found = jax.tree.map(np.asarray, op.function(node, *inputs))
    except (NotKnownError, SerializationError):  # the second of memory that a file asks for
        raise
    except GraphError as error:
        raise _failed(node, inputs, error) from error
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        if passed_users_code(error):  # of an op of the user's own
            error.add_note(f"In node '{node.name}' ({node.op}) of a graph of TensorFlow.")
            raise
        raise (_fallen if is_unforeseen(error) else _failed)(node, inputs, error) from error
    except (AttributeError, AssertionError) as error:
        if passed_users_code(error) or is_own_bug_whatever_was_read(error):
            raise
        raise _failed(node, inputs, error) from error
    if isinstance(found, tuple):
        outputs: tuple[Any, ...] = found
    else:
        outputs = (found,)
    told = [node.attributes.get(name) for name in ("DstT", "T", "dtype", "Tout")]
    if any(isinstance(kind, DataType) and kind in _WIDE for kind in told):
        note_narrowed(node.op, f"{node.op} '{node.name}'", inputs, outputs)
    return tuple(map(_as_array, outputs))


_WIDE = frozenset((2, 9, 23))  # DT_DOUBLE, DT_INT64, DT_UINT64


def _look_for_stops(node: Node, run: Run, inputs: Sequence[Any]) -> None:
    """Raise for what TensorFlow stops at, or note it where the program alone tells.

    Raises:
        GraphError: It would stop.
    """
    given: list[Any] = [
        run.read(v) if isinstance(v, Handle) and v.kind in ("variable", "reference") else v
        for v in inputs
    ]
    for stop in STOPS[node.op]:
        if run.is_within and stop.gives_nan and jnp.issubdtype(given[0].dtype, jnp.inexact):
            continue
        flag = stop.is_met(node, *given)
        if flag is None:
            continue
        if is_tracer(flag):
            run.stop({f"{stop.what} by node '{node.name}' ({node.op})": flag})
        elif bool(flag):
            raise GraphError(stop.what)


def _as_array(value: Any) -> Any:
    """A single number or string of NumPy's as an array of no axes."""
    if isinstance(value, bytes):
        return np.asarray(value, object)
    return np.asarray(value) if isinstance(value, np.generic) else value


def _is_small(inputs: Sequence[Any]) -> bool:
    if not inputs or not all(is_known(value) for value in inputs):
        return False
    return sum(value.size for value in inputs) <= _SMALL


def _failed(node: Node, inputs: Sequence[Any], error: Exception) -> Exception:
    """What was given to a node, or the node itself, cannot be."""
    if isinstance(error, ShapeError):  # of a step within
        return error
    rule = f"node '{node.name}' ({node.op}) must be computed from what it is given"
    return ShapeError(message("TensorFlow graph", rule, f"{_shapes(inputs)}: {error}"))


def _fallen(node: Node, inputs: Sequence[Any], error: Exception) -> Exception:
    """The function of a node met something it is not made for: in the file, or a fault of ours."""
    return UnsupportedError(
        message(
            "TensorFlow graph",
            f"node '{node.name}' ({node.op}) must be of a form that nacre computes",
            f"{_shapes(inputs)}: {type(error).__name__}: {error}",
            "If TensorFlow runs this graph, this is a fault of nacre's: please report it with the "
            "traceback above.",
        )
    )


def _shapes(inputs: Sequence[Any]) -> str:
    arrays = [value for value in inputs if isinstance(value, np.ndarray | jax.Array)]
    return ", ".join(f"{array.dtype}{list(array.shape)}" for array in arrays) or "nothing"


__all__ = ["Resources", "Run", "execute", "outputs_of", "picked"]
