"""The built-in steps as methods of a model: what `super().train_step(data)` does.

Within a step that is compiled, or in a block in which variables have their values in a scope, they
are part of what surrounds them. Called by themselves they run the program that `train_on_batch`
runs, without setting metrics back.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false
# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_list
from nacre.core.state import OUTSIDE, State, Values
from nacre.core.tracing import is_tracing
from nacre.core.typed_jax import spec_of
from nacre.core.variable import Variable
from nacre.data.batches import unpack_x_y_sample_weight
from nacre.training import evaluation, fitting, prepare
from nacre.training.compile import CompiledTraining
from nacre.training.own_steps import GROUPS, StepName
from nacre.training.state import training_state
from nacre.training.step import Batch, StepResult, test_step, train_step


def base_step(model: Any, name: StepName, state: Any, data: Any) -> Any:
    """Run the built-in step; see `Trainable.train_step`.

    Args:
        model: Whose variables, losses and metrics.
        name: Which of the steps.
        state: The values of the variables, in the form that is given them; in the other form the
            batch.
        data: The batch, or nothing.
    """
    if data is None:
        state, data = None, state
    who = f"{type(model).__name__}.{name}"
    if data is None:
        raise ArgumentError(message(who, "it takes a batch", "no argument"))
    batch = unpack_x_y_sample_weight(data)
    if name == "predict_step":
        return _predict(model, state, batch[0], who)
    trainer = prepare.require_compiled(model, "fit" if name == "train_step" else "evaluate")
    if state is not None:
        return _with_state(model, trainer, name, state, batch, who)
    if scope.in_stateless_scope() or is_tracing():
        return _in_scope(model, trainer, name, batch)
    run = fitting.train_one_step if name == "train_step" else evaluation.test_one_step
    return run(model, trainer, batch, who)


def _predict(model: Any, state: Any, x: Any, who: str) -> Any:
    if state is None:
        return model(x, training=False)
    values = _checked(state, GROUPS["predict_step"], who)
    trainable, others = values.values()
    return model.stateless_call(trainable, others, x, training=False)


def _with_state(
    model: Any, trainer: CompiledTraining, name: StepName, given: Any, batch: Batch, who: str
) -> tuple[dict[str, Any], tuple[list[Any], ...]]:
    """(logs, new values), a pure function of values."""
    values = _checked(given, GROUPS[name], who)
    trainer.targets_of_step.note(batch[1])
    _make_ready(model, trainer, name, batch)
    state = _state_here(model, trainer, name)
    for group, own in values.items():
        if len(own) != len(state.groups[group]):
            rule = f"the state must hold {len(state.groups[group])} {group} values"
            raise ArgumentError(message(who, rule, str(len(own)), _STATE))
    new, logs = _run(model, trainer, name, state, values, batch)
    return logs, tuple(new[group] for group in values)


_STATE = (
    "It holds the values of model.trainable_variables, model.non_trainable_variables, "
    "model.optimizer.variables (for training) and model.metrics_variables, in this order."
)


def _checked(state: Any, groups: Sequence[str], who: str) -> Values:
    """The values of a state that was given, by group."""
    if not is_list(state) or len(state) != len(groups):
        count = len(state) if is_list(state) else type(state).__name__
        rule = f"the state must be a tuple of {len(groups)} lists"
        raise ArgumentError(message(who, rule, f"{count}", _STATE))
    return {
        name: [v.value if isinstance(v, Variable) else v for v in group]
        for name, group in zip(groups, state, strict=True)
    }


def _in_scope(
    model: Any, trainer: CompiledTraining, name: StepName, batch: Batch
) -> dict[str, Any]:
    """On the values that variables have here, which it sets anew; gives the logs."""
    trainer.targets_of_step.note(batch[1])
    _make_ready(model, trainer, name, batch)
    state = _state_here(model, trainer, name)
    groups = GROUPS[name]
    values = {group: [v.raw_value for v in state.groups[group]] for group in groups}
    new, logs = _run(model, trainer, name, state, values, batch)
    _assign(state, values, new, groups)
    return logs


def _run(
    model: Any,
    trainer: CompiledTraining,
    name: StepName,
    state: State,
    values: Values,
    batch: Batch,
) -> tuple[Values, dict[str, Any]]:
    """New values and logs; what a scope around holds of other variables is set in place."""
    step = _STEPS[name](model, trainer, state)
    outside = {OUTSIDE: [v.raw_value for v in state.groups[OUTSIDE]]}
    new, _, logs = step({**values, **outside}, batch)
    _assign(state, outside, new, [OUTSIDE])
    if not logs:  # the user's `compute_metrics` gave nothing back
        with scope.StatelessScope(state.pairs(new)):
            logs = model.get_metrics_result()
    return new, logs


_STEPS: dict[str, Callable[[Any, CompiledTraining, State], Callable[..., StepResult]]] = {
    "train_step": train_step,
    "test_step": test_step,
}


def _assign(state: State, old: Values, new: Values, groups: Sequence[str]) -> None:
    for group in groups:
        for variable, before, value in zip(
            state.groups[group], old[group], new[group], strict=True
        ):
            if value is not before:
                variable.assign(value)


def _state_here(model: Any, trainer: CompiledTraining, name: StepName) -> State:
    """The variables of the step, and all others that have a value in the scopes around."""
    optimizer = trainer.optimizer if name == "train_step" else None
    state = training_state(model, optimizer, model.metrics)
    state.extend(scope.variables_in_scopes())
    return state


def _make_ready(model: Any, trainer: CompiledTraining, name: StepName, batch: Batch) -> None:
    """Build the model, losses, metrics and the optimizer, where nothing did before."""
    x, y, _ = batch
    training = name == "train_step"
    if not model.built or trainer.needs_binding(y):
        specs = tree.map_structure(_spec_or_none, x)
        y_pred = prepare.predictions_spec(model, specs, training)
        trainer.bind_to(model, y, y_pred)
    if training and not trainer.optimizer_in_use.built:
        trainer.optimizer_in_use.build(model.trainable_variables)


def _spec_or_none(leaf: Any) -> Any:
    return None if leaf is None else spec_of(leaf)


__all__ = ["base_step"]
