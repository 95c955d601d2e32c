"""One step as a pure function: (values, batch) -> (values, loss, logs)."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

import jax

from nacre.core import scope, tree
from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_dict
from nacre.core.protocols import TrainedModel, TrainingOptimizer, overrides
from nacre.core.state import State, Values
from nacre.losses.checking import as_returned_array
from nacre.training.absent import without_absent
from nacre.training.augmentation import Augmentation, Part, main_targets, mixed_targets
from nacre.training.compile import CompiledTraining
from nacre.training.pure_losses import loss_of
from nacre.training.state import CHANGING

Batch = tuple[Any, Any, Any]
StepResult = tuple[Values, Any, dict[str, Any]]


def train_step(
    model: Any, trainer: CompiledTraining, state: State, is_all_present: bool = False
) -> Callable[[Values, Batch], StepResult]:
    """The step of training: predictions, loss, gradients, update, metrics.

    Args:
        model, trainer: The model, and what `compile` made.
        state: The variables.
        is_all_present: Whether none of the weights that will come is 0.
    """
    augmentation = cast("Augmentation | None", trainer.augmentation)
    optimizer = trainer.optimizer_in_use
    has_own_loss = overrides(model, "compute_loss")

    def step(values: Values, batch: Batch) -> StepResult:
        x, y, sample_weight = batch
        parts: list[Part] = []
        if augmentation is not None:
            values, x, parts = augmentation.apply(model, state, values, batch)
            y, sample_weight = _targets(parts, has_own_loss, augmentation.who)
        weights = [] if is_all_present else _weights(model, trainer, sample_weight)
        x, y, absent = without_absent(x, y, weights, narrowest_dtype(model))
        mixed = tuple(parts) if len(parts) > 1 and not has_own_loss else ()

        def compute(trainable: list[Any]) -> tuple[Any, Any]:
            current = {**values, "trainable": trainable}
            with (
                scope.StatelessScope(state.pairs(current), collect_losses=True) as inner,
                scope.entered_call(scope.CallContext(model, True), absent),
            ):
                y_pred = model(x, training=True)
                with scope.mixed_here(mixed):
                    loss = _compute_loss(model, x, y, y_pred, sample_weight, True)
                logs = _update_metrics(model, trainer, x, y, y_pred, sample_weight, loss)
                scaled = optimizer.scale_loss(loss)
                rest = values_in(inner, state, CHANGING)
            return scaled, (loss, rest, logs)

        (_, (loss, rest, logs)), gradients = jax.value_and_grad(compute, has_aux=True)(
            values["trainable"]
        )
        new = {**values, **rest}
        if values["trainable"]:  # else there is nothing to train, which was said
            new = _updated(optimizer, state, new, gradients)
        return new, loss, logs

    return step


def _targets(parts: list[Part], are_mixed: bool, who: str) -> tuple[Any, Any]:
    return mixed_targets(parts, who) if are_mixed else main_targets(parts)


def augmented(
    model: Any,
    trainer: CompiledTraining,
    state: State,
    step: Callable[[Values, Batch], StepResult],
) -> Callable[[Values, Batch], StepResult]:
    """A user's own step of training, on augmented batches where that is asked for."""
    augmentation = cast("Augmentation | None", trainer.augmentation)
    if augmentation is None:
        return step

    def run(values: Values, batch: Batch) -> StepResult:
        values, x, parts = augmentation.apply(model, state, values, batch)
        return step(values, (x, *mixed_targets(parts, augmentation.who)))

    return run


def test_step(
    model: TrainedModel, trainer: CompiledTraining, state: State
) -> Callable[[Values, Batch], StepResult]:
    """The step of evaluation: predictions, loss, metrics."""

    def step(values: Values, batch: Batch) -> StepResult:
        x, y, sample_weight = batch
        weights = _weights(model, trainer, sample_weight)
        x, y, absent = without_absent(x, y, weights, narrowest_dtype(model))
        with (
            scope.StatelessScope(state.pairs(values), collect_losses=True) as inner,
            scope.entered_call(scope.CallContext(model, False), absent),
        ):
            y_pred = model(x, training=False)
            loss = _compute_loss(model, x, y, y_pred, sample_weight, False)
            logs = _update_metrics(model, trainer, x, y, y_pred, sample_weight, loss)
            new = {**values, **values_in(inner, state, CHANGING)}
        return new, loss, logs

    return step


def narrowest_dtype(model: Any) -> str | None:
    """float16 where a layer computes in it, whose numbers end at 65504; else None."""
    dtypes = {layer.compute_dtype for layer in model._inventory().layers}
    return "float16" if "float16" in dtypes else None


def _weights(model: Any, trainer: CompiledTraining, sample_weight: Any) -> list[Any]:
    """The weights of each output that counts; of a loss of the user's own, all there are."""
    if overrides(model, "compute_loss") or trainer.outputs is None:
        return tree.flatten(sample_weight)
    return trainer.weights_that_count(sample_weight)


def _compute_loss(
    model: TrainedModel, x: Any, y: Any, y_pred: Any, weight: Any, training: bool
) -> Any:
    loss = loss_of(model, x, y, y_pred, weight, training)
    loss = as_returned_array(f"{type(model).__name__}.compute_loss", loss)
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
    model: TrainedModel,
    trainer: CompiledTraining,
    x: Any,
    y: Any,
    y_pred: Any,
    weight: Any,
    loss: Any,
) -> dict[str, Any]:
    batch_size = next((leaf.shape[0] for leaf in tree.flatten(x) if hasattr(leaf, "shape")), 1)
    trainer.loss_tracker.update_state(jax.lax.stop_gradient(loss), sample_weight=batch_size)
    # The predictions keep their masks, which are found by the identity of the tensors.
    y_pred = tree.map_structure(_without_gradient, y_pred)
    logs = model.compute_metrics(x, y, y_pred, sample_weight=weight)
    return logs if is_dict(logs) else {}


def _without_gradient(leaf: Any) -> Any:
    if not hasattr(leaf, "dtype"):
        return leaf
    stopped = jax.lax.stop_gradient(leaf)
    mask = scope.get_mask(leaf)
    if mask is not None:
        scope.set_mask(stopped, mask)
    return stopped


def values_in(inner: scope.StatelessScope, state: State, names: Iterable[str]) -> Values:
    """The values that a scope has for the variables of groups."""
    return {
        name: [inner.get_current_value(variable) for variable in state.groups[name]]
        for name in names
    }


def _updated(
    optimizer: TrainingOptimizer, state: State, values: Values, gradients: list[Any]
) -> Values:
    """All values after the optimizer's step."""
    own = list(optimizer.variables)
    with scope.StatelessScope(state.pairs(values)) as inner:
        by_variable = {id(v): value for v, value in state.pairs(values)}
        # A variable that became the learning rate while the state is this one is read from outside.
        values_of_own = [by_variable[id(v)] if id(v) in by_variable else v.value for v in own]
        trainable, new_own = optimizer.stateless_apply(
            values_of_own, gradients, values["trainable"]
        )
        # What a rule of the user's assigns besides, as to an optimizer that it wraps.
        others = values_in(inner, state, [name for name in CHANGING if name in values])
    by_variable |= {id(v): value for v, value in state.pairs(others)}
    by_variable |= {id(v): value for v, value in zip(own, new_own, strict=True)}
    by_variable |= {
        id(v): value for v, value in zip(state.groups["trainable"], trainable, strict=True)
    }
    return {name: [by_variable[id(v)] for v in state.groups[name]] for name in values}
