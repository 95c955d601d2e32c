"""Functional scope and call context: how stateful code becomes a pure function.

Inside a `StatelessScope` reading a variable gives the value the scope holds for it and assigning
changes only the scope. A step of training is then a pure function of arrays. All state here is
per thread, so models may be used from many threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nacre.core.held import Held

if TYPE_CHECKING:
    from nacre.core.variable import Variable


class _Local(threading.local):
    stateless: StatelessScope | None = None
    call: CallContext | None = None
    autocast: str | None = None
    in_symbolic: bool = False
    masks_end_at_ops: bool = False
    forced_masks: bool | None = None
    given: dict[int, Any] | None = None
    reads: dict[int, Variable] | None = None


_local = _Local()


class StatelessScope:
    """Variable values live in this scope instead of in the variables.

    Args:
        state_mapping: Pairs (variable, value) to start from.
        collect_losses: Gather what `add_loss` adds.
        initialize_variables: Accepted for compatibility with Keras.

    Example:
        >>> from nacre.core.variable import Variable
        >>> v = Variable(1.0)
        >>> with StatelessScope([(v, 5.0)]) as scope:
        ...     _ = v.assign(v.value + 1.0)
        >>> float(scope.get_current_value(v)), float(v.value)
        (6.0, 1.0)
    """

    def __init__(
        self,
        state_mapping: Iterable[tuple[Variable, Any]] | None = None,
        collect_losses: bool = False,
        initialize_variables: bool = True,
    ) -> None:
        self.collect_losses = collect_losses
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        self._values: dict[int, Any] = {}
        self._variables: dict[int, Variable] = {}  # keeps the ids alive
        for variable, value in state_mapping or ():
            self._values[id(variable)] = value
            self._variables[id(variable)] = variable

    def add_loss(self, loss: Any) -> None:
        """Keep a loss term."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Give a variable a new value within the scope."""
        variable, value = update
        self._values[id(variable)] = value
        self._variables[id(variable)] = variable

    def get_current_value(self, variable: Variable) -> Any:
        """The value within the scope, or None when it has none."""
        return self._values.get(id(variable))

    def __enter__(self) -> StatelessScope:
        self._before = _local.stateless
        _local.stateless = self
        return self

    def __exit__(self, *args: object) -> None:
        _local.stateless = self._before


def in_stateless_scope() -> bool:
    """True inside a `StatelessScope`."""
    return _local.stateless is not None


def value_in_scopes(variable: Variable) -> Any:
    """What the innermost scope holds for a variable, or a program was given for it, or None."""
    scope = _local.stateless
    value = None if scope is None else scope.get_current_value(variable)
    if value is None and _local.given is not None:
        value = _local.given.get(id(variable))
    return value


def values_given(values: dict[int, Any]) -> Held:
    """Values of variables, by their id, that are read where no scope holds them."""
    return Held(_local, "given", values)


def reads_noted(reads: dict[int, Variable]) -> Held:
    """Note in `reads` the variables that are read and for which there is no other value."""
    return Held(_local, "reads", reads)


def note_read(variable: Variable) -> None:
    """A variable that no scope holds was read."""
    if _local.reads is not None:
        _local.reads[id(variable)] = variable


def get_stateless_scope() -> StatelessScope | None:
    """The innermost `StatelessScope`, or None."""
    return _local.stateless


class CallContext:
    """What one outermost layer call shares with the calls inside it.

    Attributes:
        training: The `training` flag in force, None when nobody said.
        masks: id(tensor) -> (tensor, mask); the tensor is kept so that its id stays its own.
        logits: id(probabilities) -> (probabilities, the logits they were made of).
        path: Names of the layers being called, outermost first.
        carries: Whether the layer being called lets masks travel through the ops it calls.
        carried: id(tensor) -> the tensor, for those whose mask came through an op.
        recorder: Told of every layer and op call by `explain_masks`; None otherwise.
    """

    __slots__ = (
        "carried",
        "carries",
        "entry",
        "logits",
        "masks",
        "path",
        "recorder",
        "training",
    )

    def __init__(self, entry: Any, training: bool | None) -> None:
        self.entry = entry
        self.training = training
        self.masks: dict[int, tuple[Any, Any]] = {}
        self.logits: dict[int, tuple[Any, Any]] = {}
        self.path: list[str] = []
        self.carries = False
        self.carried: dict[int, Any] = {}
        self.recorder: Any = None


def call_context() -> CallContext | None:
    """The context of the outermost layer call under way, or None."""
    return _local.call


def entered_call(context: CallContext | None) -> Held:
    """Make `context` the current one."""
    return Held(_local, "call", context)


def autocast_dtype() -> str | None:
    """The dtype float variables are read in, or None for their own."""
    return _local.autocast


def autocast(dtype: str | None) -> Held:
    """Read float variables as `dtype` inside."""
    return Held(_local, "autocast", dtype)


def in_symbolic_scope() -> bool:
    """True while output shapes are being found and no real values exist."""
    return _local.in_symbolic


def symbolic_scope() -> Held:
    """Mark that only shapes are being found."""
    return Held(_local, "in_symbolic", True)


def masks_end_at_ops() -> bool:
    """Whether ops pass no masks on, as in Keras: within a model that Keras wrote."""
    return _local.masks_end_at_ops if _local.forced_masks is None else _local.forced_masks


def masks_ending_at_ops(ends: bool) -> Held:
    """Say whether masks end at ops inside."""
    return Held(_local, "masks_end_at_ops", ends)


def forcing_masks(ends: bool) -> Held:
    """Say it over what the models inside say, to see what it changes."""
    return Held(_local, "forced_masks", ends)


def get_mask(tensor: Any) -> Any:
    """The mask that travels with a tensor, or None."""
    mask = getattr(tensor, "_keras_mask", None)
    if mask is not None:
        return mask
    context = _local.call
    if context is not None:
        found = context.masks.get(id(tensor))
        if found is not None:
            return found[1]
    return None


def set_mask(tensor: Any, mask: Any) -> None:
    """Let a mask travel with a tensor.

    Arrays and symbolic tensors carry it as an attribute; tracers cannot, their masks live in the
    call context.
    """
    try:
        tensor._keras_mask = mask
    except AttributeError:
        if _local.call is not None:
            _local.call.masks[id(tensor)] = (tensor, mask)


def note_logits(probabilities: Any, logits: Any) -> None:
    """Remember, within the call under way, what a softmax or sigmoid was applied to.

    A cross-entropy of these probabilities can then be computed from the logits, which loses no
    digits and costs less.
    """
    if _local.call is not None:
        _local.call.logits[id(probabilities)] = (probabilities, logits)


def logits_of(probabilities: Any) -> Any:
    """The logits these very probabilities were made of in this call, or None."""
    found = _local.call.logits.get(id(probabilities)) if _local.call is not None else None
    return None if found is None else found[1]
