"""Recording what runs: every primitive of JAX's that touches a watched array, in order.

While tapes record, a trace of theirs is JAX's current one. It lets the trace below do the work (so
arrays stay arrays, and within `jit` its tracers stay tracers), and gives each tape that watches an
operand a `Step`. Arrays are told apart by identity. So whatever hands back an array it was given,
and means another one, gets an object of its own here: results of `stop_gradient` and of functions
with derivatives of their own, and what is read from a variable after an assignment.

Private names of JAX's, all in this file: `Trace`, `EvalTrace`, `trace_ctx`, `set_current_trace`,
`jaxpr_as_fun` and `eval_jaxpr` of `jax._src.core`, the `stores` of what it gives to a trace for a
function with derivatives of its own, `StoreException` of `jax._src.linear_util`, and
`jax._src.array.ArrayImpl`.
"""

# JAX's own insides, which this is made of, have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Generator, Hashable, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import core
from jax._src.array import ArrayImpl
from jax._src.linear_util import StoreException
from jax.interpreters import ad, batching, mlir

from nacre.core import pieces
from nacre.core.equations import PROGRAMS
from nacre.core.errors import ArgumentError, message
from nacre.core.recent import Recent
from nacre.core.tracing import is_tracer, new_primitive

Arrays = Sequence[Any]  # arrays, tracers, or numbers that a primitive takes
Positions = tuple[int, ...]

_MAX_FUNCTIONS = 1024  # functions whose compiled derivatives are remembered


# ------------------------------------------------------------------ what can be differentiated


class Function:
    """Something that turns arrays into arrays and can run again, mostly a primitive of JAX's.

    Args:
        call: `(*operands)` -> list of outputs.
        key: What tells it from others, where its derivatives are worth compiling; else None.
        reach: For each output the positions of the operands it is a differentiable function of;
            None for all.
        parts: What it runs as, where some of its outputs are computed from others.
    """

    def __init__(
        self,
        call: Callable[..., list[Any]],
        key: Hashable = None,
        reach: pieces.Reach | None = None,
        parts: Parts | None = None,
    ) -> None:
        self.call, self.key, self.parts = call, key, parts
        self._reach = reach
        self._made: dict[Hashable, Any] = {}

    def reaches(self, operand: int, output: int) -> bool:
        """Whether a gradient flows from an output to an operand."""
        return self._reach is None or operand in self._reach[output]

    def with_pullback(self, operands: Arrays, wanted: Positions) -> tuple[list[Any], Any]:
        """The outputs, and the function that takes gradients of the inexact ones to gradients of
        the operands at `wanted`; it holds what the derivative needs of the run."""
        return _with_pullback(self.call, operands, wanted)

    def derivative(self, wanted: Positions, given: Positions) -> Function:
        """A function of the operands and of the gradients of the outputs at `given`, which gives
        those of the operands at `wanted`. It runs this function anew."""
        made = self._made.get((wanted, given))
        if made is None:
            run = self.call  # not this object, which keeps what is made here

            def back(*arrays: Any) -> list[Any]:
                operands = arrays[: len(arrays) - len(given)]
                gradients = dict(zip(given, arrays[len(operands) :], strict=True))
                outputs, pullback = _with_pullback(run, operands, wanted)
                return pull(pullback, outputs, gradients)

            key = None if self.key is None else (self.key, wanted, given)
            call: Any = back if key is None else jax.jit(back)
            made = self._made.setdefault((wanted, given), Function(call, key))
        return made


def _with_pullback(
    call: Callable[..., list[Any]], operands: Arrays, wanted: Positions
) -> tuple[list[Any], Any]:
    def floats(*values: Any) -> tuple[list[Any], list[Any]]:
        arguments = list(operands)
        for i, value in zip(wanted, values, strict=True):
            arguments[i] = value
        pairs = [(x, _is_inexact(x)) for x in call(*arguments)]
        return [x for x, yes in pairs if yes], [None if yes else x for x, yes in pairs]

    chosen = [operands[i] for i in wanted]
    outputs, pullback, others = jax.vjp(floats, *chosen, has_aux=True)
    return _merged(outputs, others), pullback


class Parts(NamedTuple):
    """A call that runs piece by piece, and what runs for each."""

    cut: pieces.Cut
    functions: Sequence[Function | Parts]


def pull(pullback: Any, outputs: Arrays, gradients: dict[int, Any]) -> list[Any]:
    """The gradients of operands, of those of some outputs, by position."""
    return list(
        pullback(
            [
                gradients[i] if i in gradients else jnp.zeros(x.shape, x.dtype)
                for i, x in enumerate(outputs)
                if _is_inexact(x)
            ]
        )
    )


def _merged(floats: Arrays, others: Arrays) -> list[Any]:
    stream = iter(floats)
    return [next(stream) if x is None else x for x in others]


def _is_inexact(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


_functions = Recent(_MAX_FUNCTIONS)
# Of primitives that run a program, by the program: with a model its own and their derivatives go.
_functions_of_programs: weakref.WeakKeyDictionary[Any, Recent] = weakref.WeakKeyDictionary()


def _function_of(primitive: Any, params: dict[str, Any]) -> Function:
    weak, programs = _weakened(params)
    key: Hashable = (primitive, tuple(sorted(weak.items())))
    try:
        hash(key)
    except TypeError:
        return _new_function(primitive, params, params, None)
    kept = _functions
    if programs:
        found = _functions_of_programs.get(programs[0])
        if found is None:
            found = _functions_of_programs.setdefault(programs[0], Recent(_MAX_FUNCTIONS))
        kept = found
    return kept.get(key, lambda: _new_function(primitive, params, weak, key))


def _new_function(
    primitive: Any, params: dict[str, Any], weak: dict[str, Any], key: Hashable
) -> Function:
    """Args: see `_function_of`; `weak` are the parameters as the function keeps them: without
    keeping programs alive."""

    def call(*operands: Any) -> list[Any]:
        outputs = primitive.bind(*operands, **_with_programs(weak))
        return list(outputs) if primitive.multiple_results else [outputs]

    if primitive.name in pieces.ENDS:
        return Function(call, key, reach=(frozenset(),))
    inner = params.get("jaxpr") if primitive.name in pieces.OPENED else None
    if inner is None:
        return Function(call, key)
    return Function(call, key, pieces.reach_of(inner), _parts_of(inner))


class _WeakPrograms:
    """Weak references to programs among parameters, which somebody else keeps.

    Args:
        programs: Those of one parameter.
        is_one: Whether the parameter is the program; else it is a tuple of them.
    """

    __slots__ = ("is_one", "programs")

    def __init__(self, programs: Sequence[Any], is_one: bool) -> None:
        self.programs = tuple(map(weakref.ref, programs))
        self.is_one = is_one

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _WeakPrograms) and self.programs == other.programs

    def __hash__(self) -> int:
        return hash(self.programs)

    def value(self) -> Any:
        found = tuple([program() for program in self.programs])
        return found[0] if self.is_one else found


def _weakened(params: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Parameters of a primitive with weak references to programs, and the programs."""
    weak, programs = params, list[Any]()
    for name, value in params.items():
        is_one = isinstance(value, PROGRAMS)
        if is_one or (type(value) is tuple and value and isinstance(value[0], PROGRAMS)):
            if weak is params:
                weak = dict(params)
            own = [value] if is_one else list(value)
            weak[name] = _WeakPrograms(own, is_one)
            programs += own
    return weak, programs


def _with_programs(weak: dict[str, Any]) -> dict[str, Any]:
    return {n: v.value() if type(v) is _WeakPrograms else v for n, v in weak.items()}


def _parts_of(inner: Any) -> Parts | None:
    cut = pieces.cut_of(inner)
    return None if cut is None else Parts(cut, [_part(piece) for piece in cut.pieces])


def _part(piece: pieces.Piece) -> Function | Parts:
    if piece.cut is not None:
        return Parts(piece.cut, [_part(inner) for inner in piece.cut.pieces])
    return Function(jax.jit(piece.run), ("piece", piece.jaxpr), pieces.reach_of(piece.jaxpr))


# ------------------------------------------------------------------ the recording itself


class Step:
    """One thing that ran.

    Attributes:
        function: What ran.
        operands: What it was given.
        outputs: What came out.
        wanted: The positions of the operands that some tape watches.
        pullback: See `Function.with_pullback`; None where the derivative runs the function anew.
        held: What the function needs to run anew, and does not keep itself.
    """

    __slots__ = ("function", "held", "operands", "outputs", "pullback", "wanted")

    def __init__(
        self,
        function: Function,
        operands: Arrays,
        outputs: list[Any],
        wanted: Positions,
        pullback: Any,
        held: Any = None,
    ) -> None:
        self.function, self.operands, self.outputs = function, operands, outputs
        self.wanted, self.pullback, self.held = wanted, pullback, held


class Tape(Protocol):
    """What a recorder knows of a tape."""

    @property
    def active(self) -> set[int]:
        """The ids of the arrays it watches, and of what was computed from them."""
        ...

    def add(self, step: Step) -> None:
        """Take in a step one of whose operands is active."""
        ...

    def wants(self, variable: Any) -> bool:
        """Whether it watches what is read from a variable."""
        ...

    def note_read(self, variable: Any, value: Any) -> None:
        """Take in that `value` was read from a variable it wants."""
        ...


class Recorder(core.Trace):
    """The trace that is current while tapes record.

    Args:
        parent: The trace below, which does the work.
    """

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.is_eager = isinstance(parent, core.EvalTrace)
        self.tapes: list[Tape] = []
        # id(variable) -> its array, and what stands for it since the tapes last changed.
        self._read: dict[int, tuple[Any, Any]] = {}

    def process_primitive(self, primitive: Any, tracers: Any, params: Any, /) -> Any:
        if not self._is_watched(tracers):
            with core.set_current_trace(self.parent):
                return primitive.bind(*tracers, **params)
        if self.is_eager and primitive.name == "while":
            function = self._counted_loop(tracers, params)
        else:
            function = _function_of(primitive, params)
        if function.parts is not None:
            return self._run_parts(function.parts, list(tracers))
        outputs = self.run(function, list(tracers), params)
        return outputs if primitive.multiple_results else outputs[0]

    def _run_parts(self, parts: Parts, operands: list[Any]) -> list[Any]:
        """Run a call as several steps: what it gives back on the way may be a source."""
        cut = parts.cut
        known = {**cut.constants, **dict(zip(cut.inputs, operands, strict=True))}
        for piece, function in zip(cut.pieces, parts.functions, strict=True):
            values = self._values(piece.operands, known)
            found = (
                self._run_parts(function, values)
                if isinstance(function, Parts)
                else self.run(function, values)
            )
            known.update(zip(piece.outputs, found, strict=True))
        outputs = self._values(cut.outputs, known)
        seen = {id(x) for x in operands}
        for i, x in enumerate(outputs):
            if id(x) in seen:
                outputs[i] = self.run(_AGAIN, [x])[0]
            seen.add(id(outputs[i]))
        return outputs

    def _values(self, atoms: Sequence[Any], known: dict[Any, Any]) -> list[Any]:
        with core.set_current_trace(self.parent):
            return [pieces.value_of(x, known) for x in atoms]

    def stage_value(self, val: Any) -> Any:
        if self._is_watched([val]):
            return val
        with core.set_current_trace(self.parent):
            return self.parent.stage_value(val)

    def process_call(self, primitive: Any, f: Any, tracers: Any, params: Any, /) -> Any:
        return self.process_primitive(primitive, tracers, params)

    def process_custom_jvp_call(
        self, primitive: Any, fun: Any, jvp: Any, tracers: Any, /, **params: Any
    ) -> Any:
        return self._staged("process_custom_jvp_call", (primitive, fun, jvp), tracers, params)

    def process_custom_vjp_call(
        self, primitive: Any, fun: Any, fwd: Any, bwd: Any, tracers: Any, /, **params: Any
    ) -> Any:
        return self._staged("process_custom_vjp_call", (primitive, fun, fwd, bwd), tracers, params)

    def _staged(self, kind: str, parts: Any, tracers: Any, params: Any) -> Any:
        """A function with derivatives of its own. It may run once, so it is staged, and what was
        staged can run again and be differentiated by its own rule."""

        def call(*operands: Any) -> Any:
            return getattr(core.trace_ctx.trace, kind)(*parts, operands, **params)

        with core.set_current_trace(self.parent):
            if not self._is_watched(tracers):
                return call(*tracers)
            closed = jax.make_jaxpr(call)(*tracers)
        if self._is_watched(closed.consts):
            raise ArgumentError(
                message(
                    "GradientTape",
                    "a function with a gradient of its own takes what has a gradient as arguments",
                    "a watched array, or a variable, that it uses besides",
                    "Pass it as an argument, or use ops.stop_gradient(x) of it.",
                )
            )
        function = Function(lambda *xs: core.eval_jaxpr(closed.jaxpr, closed.consts, *xs))
        outputs = self.run(function, list(tracers))
        own, rule = ([s for s in part.stores if s is not None] for part in parts[1:3])
        if rule and all(
            map(_is_filled, rule)
        ):  # both ran; JAX expects one, where it differentiates this
            for store in own:
                store.reset()
        return outputs

    def _counted_loop(self, tracers: Any, params: dict[str, Any]) -> Function:
        """A loop of unknown length, which has a derivative once the number of turns is known."""
        conditions, bodies = params["cond_nconsts"], params["body_nconsts"]
        fixed = tracers[:conditions]
        held, state = tracers[conditions : conditions + bodies], tracers[conditions + bodies :]

        def body(values: Any) -> list[Any]:
            return list(core.jaxpr_as_fun(params["body_jaxpr"])(*held, *values))

        def one(carry: Any) -> Any:
            return carry[0] + 1, body(carry[1])

        def goes_on(carry: Any) -> Any:
            return core.jaxpr_as_fun(params["cond_jaxpr"])(*fixed, *carry[1])[0]

        with core.set_current_trace(self.parent):
            turns = int(jax.lax.while_loop(goes_on, one, (jnp.int32(0), list(state)))[0])

        def call(*operands: Any) -> list[Any]:
            held, state = (
                operands[conditions : conditions + bodies],
                operands[conditions + bodies :],
            )
            step = core.jaxpr_as_fun(params["body_jaxpr"])
            return jax.lax.scan(
                lambda carry, _: (list(step(*held, *carry)), None), list(state), None, turns
            )[0]

        return Function(call)

    def run(self, function: Function, operands: list[Any], held: Any = None) -> list[Any]:
        """Run something, for the tapes that watch an operand to take in; for `held` see `Step`."""
        tapes = [t for t in self.tapes if any(id(x) in t.active for x in operands)]
        wanted = tuple(
            i for i, x in enumerate(operands) if any(id(x) in tape.active for tape in tapes)
        )
        with core.set_current_trace(self.parent):
            outputs, pullback = self._outputs(function, operands, wanted)
            seen = {id(x) for x in operands if isinstance(x, jax.Array)}
            for i, x in enumerate(outputs):
                if id(x) in seen:
                    outputs[i] = same(x)
                seen.add(id(outputs[i]))
        step = Step(function, [_plain(x) for x in operands], outputs, wanted, pullback, held)
        for tape in tapes:
            tape.add(step)
        return outputs

    def _outputs(
        self, function: Function, operands: list[Any], wanted: Positions
    ) -> tuple[list[Any], Any]:
        # Where arrays are at hand the derivative runs the function anew, in one compiled program
        # with its way back. Within a program that would do the work twice. (Two programs, one
        # handing over what the other needs, may round one value differently for two of its uses,
        # and JAX's own gradient of a maximum asks whether the two are equal.)
        if self.is_eager or not wanted:
            return list(function.call(*operands)), None
        try:
            return function.with_pullback([_plain(x) for x in operands], wanted)
        except (TypeError, ValueError, NotImplementedError):
            # It has no derivative, which matters when somebody asks for it, and is said then.
            return list(function.call(*operands)), None

    def _is_watched(self, operands: Any) -> bool:
        return any(id(x) in tape.active for tape in self.tapes for x in operands)

    # ---------------------------------------------------------------- variables and tapes

    def read(self, variable: Any, value: Any) -> Any:
        """What stands for the value of a variable, an object of its own where a tape watches."""
        wanting = [tape for tape in self.tapes if tape.wants(variable)]
        knowing = [tape for tape in self.tapes if id(value) in tape.active]
        known = self._read.get(id(variable))
        if known is not None and known[0] is value:
            own = known[1]
        elif knowing:  # it stands for the variable in a scope, and was computed from what is known
            own = self.run(_AGAIN, [value])[0]
        elif wanting:
            with core.set_current_trace(self.parent):
                own = same(value) if self.is_eager else _same.bind(value)
        else:
            return value
        self._read[id(variable)] = value, own
        for tape in wanting:
            if tape not in knowing:
                tape.note_read(variable, own)
        return own

    def apart(self, value: Any) -> Any:
        """A value of which no tape knows what it was computed from."""
        if not self._is_watched([value]):
            return value
        with core.set_current_trace(self.parent):
            return same(value) if self.is_eager else _same.bind(value)

    def may_hold(self, value: Any) -> bool:
        """Whether a value was there before what the trace below is for; else it is a loop's."""
        if not is_tracer(value):
            return True
        trace: Any = self.parent
        while trace is not None and trace is not value._trace:
            trace = getattr(trace, "parent", None) or getattr(trace, "parent_trace", None)
        return trace is not None

    def forget_read(self) -> None:
        """What is read from now on is not what was read before."""
        self._read.clear()

    def add(self, tape: Tape) -> None:
        """Let a tape record."""
        if not self.tapes:
            _recorders().append(self)
        self.tapes.append(tape)
        self.forget_read()
        _count(1)
        core.trace_ctx.set_trace(self)

    def remove(self, tape: Tape) -> None:
        """Let a tape record no longer."""
        self.tapes = [t for t in self.tapes if t is not tape]
        self.forget_read()
        _count(-1)
        if not self.tapes:
            _local.recorders = [r for r in _recorders() if r is not self]
            if core.trace_ctx.trace is self:
                core.trace_ctx.set_trace(self.parent)


def _is_filled(store: Any) -> bool:
    """Whether a function that was given to a trace has put the structure of its results here."""
    try:
        store.val  # noqa: B018
    except StoreException:
        return False
    return True


def _plain(x: Any) -> Any:
    """An operand as a compiled derivative takes it."""
    if isinstance(x, jax.Array | np.ndarray):
        return x
    return np.asarray(x, dtype=getattr(x, "dtype", None))


# Not in the context of `core.context`: tapes record what runs in JAX's current trace, which is the
# thread's own, so nothing of this can be carried into another one.
_local = threading.local()
recording_tapes = 0  # in all threads
_lock = threading.Lock()


def _count(change: int) -> None:
    global recording_tapes
    with _lock:
        recording_tapes += change


def _recorders() -> list[Recorder]:
    """Those of this thread whose tapes record, outermost first."""
    if not hasattr(_local, "recorders"):
        _local.recorders = []
    return _local.recorders


def current_recorder() -> Recorder | None:
    """The recorder whose tapes record what runs here and now, or None."""
    if not recording_tapes:
        return None
    trace = core.trace_ctx.trace
    return trace if isinstance(trace, Recorder) else None


def recorder_here() -> Recorder:
    """The recorder that a new tape joins."""
    found = current_recorder()
    if found is not None:
        return found
    parent = core.trace_ctx.trace
    if not isinstance(parent, core.EvalTrace):
        return Recorder(parent)
    # One a thread: JAX remembers calls by the trace they ran in.
    eager = getattr(_local, "eager", None)
    if eager is None:
        eager = _local.eager = Recorder(parent)
    return eager


def has_tape_below() -> bool:
    """Whether tapes see what runs here: at once, or as what `jax.vmap` or `jax.grad` make of it."""
    trace: Any = core.trace_ctx.trace if recording_tapes else None
    while trace is not None and not isinstance(trace, Recorder):
        is_staged = type(trace).__name__ == "DynamicJaxprTrace"  # they see the whole of it later
        trace = None if is_staged else getattr(trace, "parent_trace", None)
    return trace is not None


def read(variable: Any, value: Any) -> Any:
    """What stands for the value of a variable for the tapes that record; also in the body of a loop
    or a branch, which takes from outside what it reads."""
    for recorder in _recorders():
        if recorder.may_hold(value):
            value = recorder.read(variable, value)
    return value


def apart(value: Any) -> Any:
    """What a variable is assigned: for tapes it is read anew, not computed."""
    recorder = current_recorder()
    return value if recorder is None else recorder.apart(value)


@contextlib.contextmanager
def paused() -> Generator[None]:
    """Let no tape of this trace record what runs inside."""
    recorder, recorders = current_recorder(), _recorders()
    _local.recorders = []
    try:
        with (
            contextlib.nullcontext()
            if recorder is None
            else core.set_current_trace(recorder.parent)
        ):
            yield
    finally:
        _local.recorders = recorders


def is_eager() -> bool:
    """Whether tapes record here and now, and no trace of JAX's but theirs is under way."""
    recorder = current_recorder()
    return recorder is not None and recorder.is_eager


# ------------------------------------------------------------------ the same array, another object


def same(x: Any) -> Any:
    """Another object for the same array, which costs nothing; gradients flow through."""
    if type(x) is ArrayImpl:
        return _new_object(x)
    return _same.bind(x)


def _new_object(x: Any) -> Any:
    shards = [shard.data for shard in x.addressable_shards]
    if len(shards) == 1:
        shards = [x]
    return ArrayImpl(x.aval, x.sharding, shards, committed=x._committed, _skip_checks=True)


def _copied(x: Any) -> Any:
    if type(x) is ArrayImpl:
        return _new_object(x)
    # An array that waits on the host, or what is no plain array, such as keys of `jax.random`.
    return jax.device_put(x) if isinstance(x, np.ndarray) else x.copy()


_same = new_primitive("same")
_same.def_impl(_copied)
_same.def_abstract_eval(lambda x: x)
ad.deflinear2(_same, lambda gradient, _: [gradient])
batching.defvectorized(_same)
mlir.register_lowering(_same, lambda _, x: [x])

_AGAIN = Function(lambda x: [_same.bind(x)], "again")


__all__ = [
    "Function", "Recorder", "Step", "Tape", "apart", "current_recorder", "has_tape_below",
    "is_eager", "paused", "pull", "read", "recorder_here", "same",
]  # fmt: skip
