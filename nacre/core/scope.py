"""Functional scope and call context: how stateful code becomes a pure function.

Inside a `StatelessScope` reading a variable gives the value the scope holds for it and assigning
changes only the scope. A step of training is then a pure function of arrays. What is in force where
is in the context of the code under way (`core.context`), so models may be used from many threads at
once.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# A leading underscore is private to the folder, not to the class.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.core.context import changed, current, put
from nacre.core.kinds import is_numpy_array

if TYPE_CHECKING:
    from nacre.core.absence import Absent
    from nacre.core.context import MixedTargets
    from nacre.core.variable import Variable


class StatelessScope:
    """Variable values live in this scope instead of in the variables.

    Scopes nest: what the innermost does not hold is looked for in those around it. Keys that a
    `SeedGenerator` gives out are counted in the scope that holds its state, so that code within
    may be traced in a loop, a branch or a function of JAX.

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
        # id(layer) -> (layer, what it added in its last call), where each keeps its own.
        self.losses_of: dict[int, tuple[Any, list[Any]]] | None = None
        self.initialize_variables = initialize_variables
        self.losses: list[Any] = []
        self.outer: StatelessScope | None = None
        self._values: dict[int, Any] = {}
        self._variables: dict[int, Variable] = {}  # keeps the ids alive
        self._draws: dict[int, int] = {}  # keys given out, by the id of the generator's state
        self._made: set[int] = set()  # ids of the variables that were made within
        # Of the outputs of calls that ended within, as in `CallContext`.
        self._masks: dict[int, tuple[Any, Any]] = {}
        self._logits: dict[int, tuple[Any, Any]] = {}
        for variable, value in state_mapping or ():
            self._values[id(variable)] = value
            self._variables[id(variable)] = variable

    def __repr__(self) -> str:
        return f"<StatelessScope of {len(self._values)} variables>"

    def add_loss(self, loss: Any) -> None:
        """Keep a loss term."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Variable, Any]) -> None:
        """Give a variable a new value within the scope."""
        variable, value = update
        key = id(variable)
        if current().program is not None and not any(key in s._values for s in _scopes()):
            record_outside(variable, True)  # else its new value would be lost with the scope
        self._values[key] = value
        self._variables[key] = variable
        self._draws.pop(key, None)

    def hold(self, variable: Variable, value: Any) -> None:
        """Let a variable have a value that it was not assigned."""
        self._values[id(variable)] = value
        self._variables[id(variable)] = variable

    def get_current_value(self, variable: Variable) -> Any:
        """The value within the scope, or None when it has none."""
        value = self._values.get(id(variable))
        if is_numpy_array(value):  # assigned, and read now for the first time
            value = self._values[id(variable)] = _on_device(value)
        count = self._draws.get(id(variable))
        if not count:
            return value
        return (variable.own_value() if value is None else value) + _as_counter(count)

    def unread_value(self, variable: Variable) -> Any:
        """The same for a program: numbers that nobody read yet are still on the host."""
        value = self._values.get(id(variable))
        return value if is_numpy_array(value) else self.get_current_value(variable)

    def has_drawn(self, state: Variable) -> bool:
        """Whether keys were drawn here from the generator of this state."""
        return bool(self._draws.get(id(state)))

    def forget_draws(self) -> None:
        """Let generators give the same keys again: what ran was a trial."""
        self._draws.clear()

    def assigned(self) -> list[Variable]:
        """The variables that have a value here."""
        return [self._variables[key] for key in self._values]

    def __enter__(self) -> StatelessScope:
        self.outer = current().scope
        put(scope=self)
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        put(scope=self.outer)
        if self.outer is None and kind is None and self._draws:
            self._advance_generators()

    def _advance_generators(self) -> None:
        """Let generators that no scope held go on behind the keys they gave out."""
        if is_tracing_program() or current().finds_shapes:
            return  # their states become inputs of the program; or nothing was really drawn
        for key, count in self._draws.items():
            if key not in self._values:
                variable = self._variables[key]
                variable.assign(np.asarray(variable.own_value()) + _as_counter(count))


def in_stateless_scope() -> bool:
    """True inside a `StatelessScope`."""
    return current().scope is not None


def outside_scopes() -> changed:
    """Leave all scopes: variables are read and assigned themselves."""
    return changed(scope=None)


def value_in_scopes(variable: Variable) -> Any:
    """What the innermost scope that holds a variable has for it, or None."""
    scope = current().scope
    while scope is not None:
        value = scope.get_current_value(variable)
        if value is not None:
            return value
        scope = scope.outer
    return None


class ProgramRun:
    """One run of a program's Python: which variables it used that no scope holds.

    Args:
        is_traced: Whether it is traced; else it runs with real values, and what it reads need not
            be handed in.
        checks: The `RunChecks` of the program, for those made while it runs.
    """

    __slots__ = (
        "checks",
        "created",
        "first_keys",
        "hand_in",
        "is_traced",
        "made_of_tensors",
        "numbers_read",
        "outside",
    )

    def __init__(self, is_traced: bool, checks: Any = None) -> None:
        self.is_traced, self.checks = is_traced, checks
        self.outside: dict[int, Variable] = {}
        self.numbers_read: dict[int, tuple[Variable, Any]] = {}  # whose numbers Python asked for
        self.created: set[int] = set()  # ids of the variables made within
        self.made_of_tensors: list[Variable] = []  # those whose first value is a traced one
        # What such a variable is read as, where it becomes an input of what is traced.
        self.hand_in: Callable[[Variable, Any], Any] | None = None
        self.first_keys: dict[int, Any] = {}  # of generators made within, by their state's id

    def __repr__(self) -> str:
        return f"<ProgramRun {'traced' if self.is_traced else 'with real values'}>"


def running_program(run: ProgramRun | None) -> changed:
    """The code within is a program's, or, with None, nobody's."""
    return changed(program=run)


def traced_program() -> ProgramRun | None:
    """The run of one of nacre's own programs that is traced here, if any."""
    run = current().program
    return run if run is not None and run.is_traced else None


def is_tracing_program() -> bool:
    """True while one of nacre's own programs is traced."""
    return traced_program() is not None


def record_outside(variable: Variable, is_assigned: bool = False) -> None:
    """Record that a variable in no scope was read or assigned."""
    run = current().program
    if run is not None and (is_assigned or run.is_traced):
        run.outside[id(variable)] = variable


def read_outside(variable: Variable, value: Any) -> Any:
    """Record that a variable in no scope is read; what it is read as."""
    run = current().program
    if run is None or not run.is_traced:
        return value
    run.outside[id(variable)] = variable
    if run.hand_in is None or id(variable) in run.created or current().finds_shapes:
        return value
    return run.hand_in(variable, value)


def record_number_read(variable: Variable, value: Any) -> None:
    """Record that Python read the number of a variable in no scope, as in `if beta > 0`."""
    context = current()
    run = context.program
    if run is not None and run.is_traced and not context.finds_shapes:
        run.numbers_read[id(variable)] = variable, value


def record_created(variable: Variable) -> None:
    """Record a new variable with the program and the scopes that run, if any."""
    if (run := current().program) is not None:
        run.created.add(id(variable))
    for scope in _scopes():
        scope._made.add(id(variable))


def record_made_of_tensor(variable: Variable) -> None:
    """Record that a new variable's first value is one that a program under trace computes."""
    if (run := current().program) is not None:
        run.made_of_tensors.append(variable)


def begin_with_key(state: Variable, key: Any) -> None:
    """Let a generator that is made while a program is traced give keys from this one on.

    Its seed would be a number of the one trace, and what it draws the same at every run.
    """
    if (run := current().program) is not None:
        run.first_keys[id(state)] = _fold_in(key, 0)


def get_stateless_scope() -> StatelessScope | None:
    """The innermost `StatelessScope`, or None."""
    return current().scope


# ------------------------------------------------------------------ random numbers and loops


def next_key_data(state: Variable) -> Any:
    """The next key of a generator whose state is read in a scope: uint32 of shape (2,).

    The state itself is only read: it may be traced outside of the loop, or of the user's own
    function of JAX, that draws here. The scope that holds it counts, and gives the state behind
    the last key. In the body of a loop the number of the iteration is folded in.
    """
    context = current()
    scope = context.scope
    assert scope is not None
    while id(state) not in scope._values and scope.outer is not None:
        scope = scope.outer
    key = id(state)
    base = scope._values.get(key)
    if base is None:
        base = read_outside(state, state.own_value())
        created = None if context.program is None else context.program.first_keys.get(key)
        base = base if created is None else created
        scope._variables[key] = state
    count = scope._draws.get(key, 0)
    scope._draws[key] = count + 1
    data = base + _as_counter(count) if count else base
    for iteration in context.iterations:
        data = _fold_in(data, iteration)
    return data


def _on_device(value: np.ndarray) -> Any:
    import jax

    return jax.device_put(value)


def _as_counter(count: int) -> np.ndarray:
    return np.array([0, count], dtype="uint32")


def _fold_in(data: Any, iteration: Any) -> Any:
    import jax

    from nacre.core.typed_jax import as_key

    return jax.random.key_data(jax.random.fold_in(as_key(data), iteration))


class Body:
    """The body of a loop, or the branches of a condition, run as functions without side effects.

    What it assigns to variables is returned, and keys drawn in it are new in every iteration.

    Args:
        variables: What it assigns, as far as it is known; see `found`.

    Example:
        >>> from nacre.core.variable import Variable
        >>> v = Variable(1.0)
        >>> with Body([v]) as body, body.iteration(0, [3.0]) as new:
        ...     _ = v.assign(v.value + 1.0)
        >>> float(body.values(new)[0]), float(v.value)
        (4.0, 1.0)
    """

    def __init__(self, variables: list[Variable]) -> None:
        self.variables = variables
        self.found: dict[int, Variable] = {}
        self._own: StatelessScope | None = None
        self._start: list[dict[int, int]] = []
        self._high: list[dict[int, int]] = []

    def __enter__(self) -> Body:
        if current().scope is None:
            self._own = StatelessScope()
            self._own.__enter__()
        self._start = [dict(scope._draws) for scope in _scopes()]
        self._high = [dict(draws) for draws in self._start]
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._set_draws(self._high)
        if self._own is not None:
            self._own.__exit__(kind, error, traceback)
            if kind is None:  # nobody's scope: what was assigned belongs in the variables
                for variable in self._own.assigned():
                    variable.assign(self._own.get_current_value(variable))

    def forget_draws(self) -> None:
        """The body is going to be traced anew: keys it drew count as not given out."""
        self._high = [dict(draws) for draws in self._start]

    def iteration(self, number: Any, values: Sequence[Any]) -> _Iteration:
        """One run of the body.

        Args:
            number: What tells it from other iterations; None for a branch, which runs once.
            values: The values of `variables`.
        """
        return _Iteration(self, number, values)

    def values(self, scope: StatelessScope) -> list[Any]:
        """What the variables are at the end of an iteration."""
        return [scope.get_current_value(variable) for variable in self.variables]

    def _set_draws(self, draws: list[dict[int, int]]) -> None:
        for scope, counts in zip(_scopes(), draws, strict=True):
            scope._draws = dict(counts)

    def _note_draws(self) -> None:
        # JAX may trace a body more than once, or run it once an iteration: the count is the same.
        for scope, counts in zip(_scopes(), self._high, strict=True):
            for key, count in scope._draws.items():
                counts[key] = max(count, counts.get(key, 0))


class _Iteration:
    def __init__(self, body: Body, number: Any, values: Sequence[Any]) -> None:
        self._body, self._number = body, number
        self._scope = StatelessScope(zip(body.variables, values, strict=True))

    def __enter__(self) -> StatelessScope:
        self._body._set_draws(self._body._start)
        context = current()
        self._iterations = context.iterations
        if self._number is not None:
            put(iterations=(*self._iterations, self._number))
        outer = context.scope
        assert outer is not None
        self._scope.collect_losses = outer.collect_losses
        return self._scope.__enter__()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._scope.__exit__(kind, error, traceback)
        put(iterations=self._iterations)
        self._body._note_draws()
        known = {id(variable) for variable in self._body.variables} | self._scope._made
        self._body.found.update({id(v): v for v in self._scope.assigned() if id(v) not in known})


def variables_in_scopes() -> list[Variable]:
    """The variables that have a value in the scopes around."""
    return list({id(v): v for scope in _scopes() for v in scope.assigned()}.values())


def _scopes() -> list[StatelessScope]:
    found: list[StatelessScope] = []
    scope = current().scope
    while scope is not None:
        found.append(scope)
        scope = scope.outer
    return found


class CallContext:
    """What one outermost layer call shares with the calls inside it.

    Attributes:
        training: The `training` flag in force, None when none was given.
        masks: id(tensor) -> (tensor, mask); the tensor is kept so that its id stays its own.
        logits: id(probabilities) -> (probabilities, the logits they were made of).
        path: Names of the layers being called, outermost first.
        propagates: Whether ops called by the layer under way propagate masks.
        propagated: id(tensor) -> the tensor, for those whose mask came from an op.
        recorder: Records every layer and op call for `explain_masks`; None otherwise.
        must_keep_masks: Whether there are inputs of rows of different lengths, whose masks must not
            be lost.
    """

    __slots__ = (
        "entry",
        "logits",
        "masks",
        "must_keep_masks",
        "path",
        "propagated",
        "propagates",
        "recorder",
        "training",
    )

    def __init__(self, entry: Any, training: bool | None) -> None:
        self.entry = entry
        self.training = training
        self.masks: dict[int, tuple[Any, Any]] = {}
        self.logits: dict[int, tuple[Any, Any]] = {}
        self.path: list[str] = []
        self.propagates = False
        self.propagated: dict[int, Any] = {}
        self.recorder: Any = None
        self.must_keep_masks = False

    def run_as_one(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run an op that propagates masks: the ops within it are parts of it, and do not."""
        self.propagates = False
        try:
            return function(*args, **kwargs)
        finally:
            self.propagates = True

    def __repr__(self) -> str:
        return f"<CallContext path={'/'.join(self.path)!r}, training={self.training}>"


def call_context() -> CallContext | None:
    """The context of the outermost layer call under way, or None."""
    return current().call


def absent_positions(shape: tuple[int, ...]) -> Any:
    """True for the samples, or their steps, that are absent from the training step under way.

    Args:
        shape: The shape of an array, the batch first, without the axes of features.

    Returns:
        An array of the first axes; None where nothing is absent, where that is unknown, or where
        the axes are not those of the batch.
    """
    absent = absent_from_call()
    return None if absent is None else absent.positions(shape)


def absent_from_call() -> Absent | None:
    """What is absent from the arrays of the call under way; None where unknown."""
    context = current()
    return None if context.call is None else context.absent


def absent_here(absent: Absent | None) -> changed:
    """Set what is absent from the arrays that layers inside are called with."""
    return changed(absent=absent)


def mixed_here(mixed: tuple[MixedTargets, ...]) -> changed:
    """Say of which targets the samples are mixed that losses inside are computed for."""
    return changed(mixed=mixed)


def mixed_targets() -> tuple[MixedTargets, ...]:
    """The targets that the samples of the step under way are mixed of; none where they are not."""
    return current().mixed


def entered_call(call: CallContext | None, absent: Absent | None = None) -> changed:
    """Make `call` the one under way.

    Args:
        call: What the calls inside share; None where those inside are outermost calls again.
        absent: What is absent from the arrays of these calls; None where unknown.
    """
    return changed(call=call, absent=absent)


def autocast_dtype() -> str | None:
    """The dtype float variables are read in, or None for their own."""
    return current().autocast


def autocast(dtype: str | None) -> changed:
    """Read float variables as `dtype` inside."""
    return changed(autocast=dtype)


def in_symbolic_scope() -> bool:
    """True while output shapes are being found and no real values exist."""
    return current().finds_shapes


class SymbolicScope:
    """A block in which only shapes are found, and no real values exist.

    Example:
        >>> with SymbolicScope():
        ...     in_symbolic_scope()
        True
        >>> in_symbolic_scope()
        False
    """

    def __enter__(self) -> SymbolicScope:
        self._before = current().finds_shapes
        put(finds_shapes=True)
        return self

    def __exit__(self, *_: object) -> None:
        put(finds_shapes=self._before)


def symbolic_scope() -> changed:
    """Mark that only shapes are being found."""
    return changed(finds_shapes=True)


def masks_end_at_ops() -> bool:
    """Whether ops pass no masks on, as in Keras: within a model that Keras wrote."""
    context = current()
    return context.masks_end_at_ops if context.forced_masks is None else context.forced_masks


def masks_ending_at_ops(ends: bool) -> changed:
    """Say whether masks end at ops inside."""
    return changed(masks_end_at_ops=ends)


def forcing_masks(ends: bool) -> changed:
    """Say it over what the models inside say, to see what it changes."""
    return changed(forced_masks=ends)


def get_mask(tensor: Any) -> Any:
    """The mask attached to a tensor, or None."""
    mask = getattr(tensor, "_keras_mask", None)
    if mask is not None:
        return mask
    call = current().call
    if call is not None:
        found = call.masks.get(id(tensor))
        if found is not None:
            return found[1]
    for around in _scopes():
        found = around._masks.get(id(tensor))
        if found is not None:
            return found[1]
    return None


def set_mask(tensor: Any, mask: Any) -> None:
    """Attach a mask to a tensor.

    Arrays and symbolic tensors carry it as an attribute; tracers cannot, their masks live in the
    call context.
    """
    try:
        tensor._keras_mask = mask
    except AttributeError:
        context = current()
        if (place := context.call or context.scope) is not None:
            masks = place.masks if isinstance(place, CallContext) else place._masks
            masks[id(tensor)] = (tensor, mask)


def keep_findings(call: CallContext, outputs: Iterable[Any]) -> None:
    """Keep what a call found about tensors that it gives, for losses and further calls, where they
    cannot carry it: in a step of the user's that is traced, say."""
    around = current().scope
    if around is None:
        return
    for tensor in outputs:
        for kept, found in ((around._masks, call.masks), (around._logits, call.logits)):
            if id(tensor) in found:
                kept[id(tensor)] = found[id(tensor)]


def note_logits(probabilities: Any, logits: Any) -> None:
    """Remember, within the call under way, what a softmax or sigmoid was applied to.

    A cross-entropy of these probabilities can then be computed from the logits, which loses no
    digits and costs less.
    """
    if (call := current().call) is not None:
        call.logits[id(probabilities)] = (probabilities, logits)


def logits_of(probabilities: Any) -> Any:
    """The logits these very probabilities were made of in this call, or None."""
    call = current().call
    found = None if call is None else call.logits.get(id(probabilities))
    for around in () if found is not None else _scopes():
        found = found or around._logits.get(id(probabilities))
    return None if found is None else found[1]
