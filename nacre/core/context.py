"""What is being computed, traced, called or read just now: one immutable value.

All that code under way finds out without being handed it stands in one `Context`: whose values
variables have, which layer is being called, in which program, at which place, under which names.
`print(nacre.core.context.current())` in a debugger shows it. A context never changes; a block
(`changed`) puts another one in its place and then the former one back. What is found out on the
way (the variables a program used, the masks of a call) is noted in the objects it points to.

Each thread, and each task of asyncio, has its own. A thread that works for another one, as the
compiler of a training's last batch, is given a function that is `carried`.

What lives as long as a thread or the process is no part of it: counts of names, caches, and whether
a thread is inside nacre (`core.traceback`).
"""

from __future__ import annotations

import contextvars
import operator
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from nacre.core.absence import Absent
    from nacre.core.identity import Numbers, Objects
    from nacre.core.layout import Layout
    from nacre.core.leftovers import Leftovers
    from nacre.core.program import Program
    from nacre.core.safety import Reading
    from nacre.core.scope import CallContext, ProgramRun, StatelessScope

P = ParamSpec("P")
R = TypeVar("R")


class MixedTargets(Protocol):
    """The targets of one of the samples that each sample of a batch is mixed of."""

    @property
    def y(self) -> Any:
        """The targets."""
        ...

    @property
    def weight(self) -> Any:
        """Their sample weights."""
        ...

    @property
    def share(self) -> Any:
        """How much of each sample it is, (batch,)."""
        ...


class HostCalls(Protocol):
    """Who answers the layers that work on the host while a model with some is compiled."""

    def call(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a layer gives for arguments."""
        ...


@dataclass(slots=True, eq=False, repr=False)
class _Fields:
    """The fields of a `Context`, which may be set while one is made.

    Attributes:
        scope: The innermost scope that variables have their values in.
        call: What the layer calls under way share.
        mixed: The targets that mixed samples of a training's step have, with their shares.
        absent: What is absent from the arrays that layers are called with, in a training's step.
        names: The name scopes around, outermost first.
        autocast: The dtype float variables are read in; None for their own.
        program: The run of a program whose Python this is.
        running_again: Programs that turned out to use more variables, and run a second time.
        iterations: What identifies the current iteration of each loop, outermost first.
        finds_shapes: Whether only shapes are being found, and no real values exist.
        masks_end_at_ops: Whether ops pass no masks on, as in a model that Keras wrote.
        forced_masks: The same, said over what the models within say.
        is_in_loop: Whether this is the body of a device loop.
        is_own_program: Whether nacre runs what is traced, so on this machine.
        keeps_old_values: Whether those that an update replaces are looked at after it.
        layout: How the variables and batches of programs that are made lie on several devices.
        asks_for_plain_xla: Whether no kernel is to be used.
        decomposes_ops: Whether composite ops run as the primitives they are made of.
        host_calls: Who answers the layers that work on the host.
        decoding: Position and memory of a decoder that generates (`layers.transformer.decoding`).
        custom_objects: Tables of what configs may name, outermost first.
        on_created: Told of each object that is made from a config.
        gate: The config that is being read, and whether its author is trusted.
        numbers, objects: Which layers are one object in the config that is written, or read.
        remat: Which layers made here are recomputed for the gradient.
        leftovers: What traced code sets and calls, to be cleared of tensors afterwards.
    """

    scope: StatelessScope | None = None
    call: CallContext | None = None
    mixed: tuple[MixedTargets, ...] = ()
    absent: Absent | None = None
    names: tuple[str, ...] = ()
    autocast: str | None = None
    program: ProgramRun | None = None
    running_again: tuple[Program, ...] = ()
    iterations: tuple[Any, ...] = ()
    finds_shapes: bool = False
    masks_end_at_ops: bool = False
    forced_masks: bool | None = None
    is_in_loop: bool = False
    is_own_program: bool = False
    keeps_old_values: bool = False
    layout: Layout | None = None
    asks_for_plain_xla: bool = False
    decomposes_ops: bool = False
    host_calls: HostCalls | None = None
    decoding: object | None = None
    custom_objects: tuple[dict[str, Any], ...] = ()
    on_created: Callable[[Any, dict[str, Any]], None] | None = None
    gate: Reading | None = None
    numbers: Numbers | None = None
    objects: Objects | None = None
    remat: object | None = None
    leftovers: Leftovers | None = None


class Context(_Fields):
    """What code under way finds out without being handed it; see `_Fields` for its fields.

    Example:
        >>> before = current()
        >>> with changed(autocast="bfloat16", names=("encoder",)):
        ...     current()
        Context(names=('encoder',), autocast='bfloat16')
        >>> current() is before
        True
    """

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Context does not change: use changed({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a Context does not change")

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in _Fields.__slots__}
        parts = [f"{k}={v!r}" for k, v in shown.items() if v is not getattr(NOTHING_UNDER_WAY, k)]
        return f"Context({', '.join(parts)})"


def _context(fields: _Fields) -> Context:
    # Both classes have the same slots. Setting each through `object.__setattr__`, as a frozen
    # dataclass does, takes three times as long, and a layer's call makes several contexts.
    fields.__class__ = Context
    return fields  # type: ignore[return-value]


def _copy(context: Context) -> _Fields:
    # Written out: `_Fields(*_values(context))` takes half as long again.
    return _Fields(
        context.scope,
        context.call,
        context.mixed,
        context.absent,
        context.names,
        context.autocast,
        context.program,
        context.running_again,
        context.iterations,
        context.finds_shapes,
        context.masks_end_at_ops,
        context.forced_masks,
        context.is_in_loop,
        context.is_own_program,
        context.keeps_old_values,
        context.layout,
        context.asks_for_plain_xla,
        context.decomposes_ops,
        context.host_calls,
        context.decoding,
        context.custom_objects,
        context.on_created,
        context.gate,
        context.numbers,
        context.objects,
        context.remat,
        context.leftovers,
    )


def _copy_with(context: Context, fields: dict[str, Any]) -> _Fields:
    copy = _copy(context)
    for name, value in fields.items():
        setattr(copy, name, value)
    return copy


# Outside of all calls, programs and blocks: this very object.
NOTHING_UNDER_WAY = _context(_Fields())
_values = operator.attrgetter(*_Fields.__slots__)
# Not `threading.local`: that is slower to read, mixes up tasks of asyncio that wait within a block,
# and cannot be carried into a thread.
_current: contextvars.ContextVar[Context] = contextvars.ContextVar(
    "nacre", default=NOTHING_UNDER_WAY
)

# The context in force. Not a function around it, as every op and every read of a variable asks.
current = _current.get


class changed:
    """A block in which some fields of the context have other values.

    Leaving it puts the whole context back that was there before: for blocks that no generator of
    the user's can be suspended in. Those the user opens put their own field back (`put`).

    Args:
        fields: Values by name. `Any`, as a block is made at every call of a layer; what gives a
            field a value in public is a function with a type, such as `scope.autocast`.
    """

    __slots__ = ("_before", "_fields")

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def __enter__(self) -> None:
        self._before = before = _current.get()
        _current.set(_context(_copy_with(before, self._fields)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _current.set(self._before)


class within_layer(changed):
    """The block in which a layer's `call` runs: what every call of every layer changes, in one.

    It sets its two fields itself, as going by their names takes half as long again.

    Args:
        name: The layer's name scope.
        autocast: The dtype float variables are read in.
    """

    __slots__ = ("_autocast", "_name")

    def __init__(self, name: str, autocast: str | None) -> None:
        self._name, self._autocast = name, autocast

    def __enter__(self) -> None:
        self._before = before = _current.get()
        copy = _copy(before)
        copy.names = (*before.names, self._name)
        copy.autocast = self._autocast
        _current.set(_context(copy))


def put(**fields: Any) -> None:
    """Give fields of the context other values, from here on: for the two ends of a block."""
    copy = _copy_with(_current.get(), fields)
    is_nothing = all(map(operator.is_, _values(copy), _values(NOTHING_UNDER_WAY)))
    _current.set(NOTHING_UNDER_WAY if is_nothing else _context(copy))


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """A function that runs in the present context, whichever thread calls it, and however often.

    So does what else code takes from around it: JAX's settings (`jax.default_matmul_precision`,
    `jax.default_device`, a mesh) and variables of `contextvars`.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(1) as pool, changed(autocast="float16"):
        ...     pool.submit(carried(lambda: current().autocast)).result()
        'float16'
    """
    from nacre.core.tracing import local_settings, with_settings

    context, settings = contextvars.copy_context(), local_settings()

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with with_settings(settings):
            return function(*args, **kwargs)

    def carrying(*args: P.args, **kwargs: P.kwargs) -> R:
        # A copy each time, as a context of Python's can be entered by one thread at a time.
        return context.copy().run(run, *args, **kwargs)

    return carrying


__all__ = [
    "NOTHING_UNDER_WAY",
    "Context",
    "HostCalls",
    "MixedTargets",
    "carried",
    "changed",
    "current",
    "put",
    "within_layer",
]
