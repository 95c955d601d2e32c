"""One step as a pure function: (values, batch) -> (values, loss, logs)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.registry import is_builtin
from nacre.core.variable import Variable
from nacre.training.absent import without_absent
from nacre.training.compile import CompiledTraining
from nacre.training.state import State, Values

Batch = tuple[Any, Any, Any]
StepResult = tuple[Values, Any, dict[str, Any]]


def train_step(
    model: Any, trainer: CompiledTraining, state: State
) -> Callable[[Values, Batch], StepResult]:
    """The step of training: predictions, loss, gradients, update, metrics."""
    if custom_step(model, "train_step") is not None:
        return _custom_train_step(model, state)
    optimizer = trainer.optimizer

    def step(values: Values, batch: Batch) -> StepResult:
        x, y, sample_weight = batch
        x, y = without_absent(x, y, sample_weight)

        def compute(trainable: list[Any]) -> tuple[Any, Any]:
            current = {**values, "trainable": trainable}
            with (
                scope.StatelessScope(state.pairs(current), collect_losses=True) as inner,
                scope.entered_call(scope.CallContext(model, True)),
            ):
                y_pred = model(x, training=True)
                loss = _compute_loss(model, x, y, y_pred, sample_weight, True)
                logs = _update_metrics(model, trainer, x, y, y_pred, sample_weight, loss)
                scaled = optimizer.scale_loss(loss) if hasattr(optimizer, "scale_loss") else loss
                rest = {
                    name: [
                        _current(inner, v, old)
                        for v, old in zip(state.groups[name], values[name], strict=True)
                    ]
                    for name in ("other", "metrics")
                }
            return scaled, (loss, rest, logs)

        (_, (loss, rest, logs)), gradients = jax.value_and_grad(compute, has_aux=True)(
            values["trainable"]
        )
        if not values["trainable"]:  # nothing to train, which was said
            new = {"trainable": [], "optimizer": values["optimizer"], **rest}
            return {name: new[name] for name in values}, loss, logs
        trainable, optimizer_values = optimizer.stateless_apply(
            values["optimizer"], gradients, values["trainable"]
        )
        new = {"trainable": list(trainable), "optimizer": list(optimizer_values), **rest}
        return {name: new[name] for name in values}, loss, logs

    return step


def test_step(
    model: Any, trainer: CompiledTraining, state: State
) -> Callable[[Values, Batch], StepResult]:
    """The step of evaluation: predictions, loss, metrics."""
    custom = custom_step(model, "test_step")

    def step(values: Values, batch: Batch) -> StepResult:
        if custom is not None:
            return _run_custom_test(model, state, values, batch)
        x, y, sample_weight = batch
        x, y = without_absent(x, y, sample_weight)
        with (
            scope.StatelessScope(state.pairs(values), collect_losses=True) as inner,
            scope.entered_call(scope.CallContext(model, False)),
        ):
            y_pred = model(x, training=False)
            loss = _compute_loss(model, x, y, y_pred, sample_weight, False)
            logs = _update_metrics(model, trainer, x, y, y_pred, sample_weight, loss)
            new = dict(values)
            for name in ("other", "metrics"):
                new[name] = [
                    _current(inner, v, old)
                    for v, old in zip(state.groups[name], values[name], strict=True)
                ]
        return new, loss, logs

    return step


def _compute_loss(model: Any, x: Any, y: Any, y_pred: Any, weight: Any, training: bool) -> Any:
    parameters = inspect.signature(model.compute_loss).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    extra = {"training": training} if takes_all or "training" in parameters else {}
    loss = model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight, **extra)
    loss = jnp.asarray(loss)
    if loss.ndim != 0:
        raise ArgumentError(
            message(
                f"{type(model).__name__}.compute_loss",
                "it must return one number",
                f"an array of shape {loss.shape}",
                "Return its mean: nacre.ops.mean(loss).",
            )
        )
    return loss


def _update_metrics(
    model: Any, trainer: CompiledTraining, x: Any, y: Any, y_pred: Any, weight: Any, loss: Any
) -> dict[str, Any]:
    still = jax.lax.stop_gradient
    rows = next((leaf.shape[0] for leaf in tree.flatten(x) if hasattr(leaf, "shape")), 1)
    trainer.loss_tracker.update_state(still(loss), sample_weight=rows)
    # The predictions keep their masks, which are found by the identity of the tensors.
    quiet = tree.map_structure(lambda leaf: _still(leaf), y_pred)
    logs = model.compute_metrics(x, y, quiet, sample_weight=weight)
    return logs if isinstance(logs, dict) else {}


def _still(leaf: Any) -> Any:
    if not hasattr(leaf, "dtype"):
        return leaf
    quiet = jax.lax.stop_gradient(leaf)
    mask = scope.get_mask(leaf)
    if mask is not None:
        scope.set_mask(quiet, mask)
    return quiet


def _current(inner: scope.StatelessScope, variable: Variable, old: Any) -> Any:
    value = inner.get_current_value(variable)
    return old if value is None else value


# -------------------------------------------------------------------- overridden steps


def custom_step(model: Any, name: str) -> Any:
    """The user's own `train_step` or `test_step`, or None."""
    return getattr(type(model), name, None)


def overrides(model: Any, name: str) -> bool:
    """Whether the user's class has its own method of this name."""
    for base in type(model).__mro__:
        if name in vars(base):
            return not is_builtin(base)
    return False


def reports_itself(model: Any) -> bool:
    """Whether the user's class says what a step reports."""
    return overrides(model, "compute_metrics") or overrides(model, "get_metrics_result")


def _custom_train_step(model: Any, state: State) -> Callable[[Values, Batch], StepResult]:
    _require_stateless(model, "train_step")

    def step(values: Values, batch: Batch) -> StepResult:
        given = tuple(values[n] for n in ("trainable", "other", "optimizer", "metrics"))
        with scope.entered_call(None):
            logs, new = model.train_step(given, _data(batch))
        new_values = dict(
            zip(("trainable", "other", "optimizer", "metrics"), map(list, new), strict=True)
        )
        logs = dict(logs)
        loss = jnp.asarray(logs.get("loss", 0.0), jnp.float32)
        return {name: new_values[name] for name in values}, loss, logs

    return step


def _run_custom_test(model: Any, state: State, values: Values, batch: Batch) -> StepResult:
    _require_stateless(model, "test_step")
    given = tuple(values[n] for n in ("trainable", "other", "metrics"))
    logs, new = model.test_step(given, _data(batch))
    new_values = dict(zip(("trainable", "other", "metrics"), map(list, new), strict=True))
    logs = dict(logs)
    return {**values, **new_values}, jnp.asarray(logs.get("loss", 0.0), jnp.float32), logs


def _require_stateless(model: Any, name: str) -> None:
    function = getattr(type(model), name)
    names = list(inspect.signature(function).parameters)[1:]
    if len(names) != 2:
        raise ArgumentError(
            message(
                f"{type(model).__name__}.{name}",
                "it must take (self, state, data) and return (logs, state)",
                f"(self, {', '.join(names)})",
                "state is (trainable_variables, non_trainable_variables, optimizer_variables, "
                "metrics_variables); compute with stateless_call and optimizer.stateless_apply.",
            )
        )


def _data(batch: Batch) -> Any:
    x, y, weight = batch
    if weight is not None:
        return x, y, weight
    return (x, y) if y is not None else (x,)
