"""`compute_loss` of a model as a function of the values of its variables."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from nacre.core import scope
from nacre.core.errors import ArgumentError, message
from nacre.core.variable import Variable

Groups = tuple[Any, Any, Any]  # values of the trainable, non-trainable and metrics variables


def stateless_compute_loss(
    model: Any, values: Groups, arguments: tuple[Any, Any, Any, Any, bool]
) -> tuple[Any, tuple[list[Any], list[Any], list[Any]]]:
    """See `Model.stateless_compute_loss`.

    Args:
        model: The model.
        values: Of its variables.
        arguments: x, y, y_pred, sample_weight and training.
    """
    x, y, y_pred, weight, training = arguments
    variables = _variables(model, values)
    with scope.StatelessScope(_pairs(model, variables, values)) as inner:
        loss = loss_of(model, x, y, y_pred, weight, training)
        new = tuple([inner.get_current_value(v) for v in group] for group in variables)
    trainable, others, metrics = new
    return loss, (trainable, others, metrics)


def compute_loss_and_updates(
    model: Any,
    values: Groups,
    batch: tuple[Any, Any, Any],
    training: bool,
    optimizer_values: Sequence[Any] | None,
) -> tuple[Any, tuple[Any, Any, list[Any], list[Any]]]:
    """See `Model.compute_loss_and_updates`."""
    x, y, weight = batch
    variables = _variables(model, values)
    pairs = _pairs(model, variables, values)
    with scope.StatelessScope(pairs, collect_losses=True) as inner:
        with scope.entered_call(scope.CallContext(model, training)):
            y_pred = model(x, training=training)
            loss = loss_of(model, x, y, y_pred, weight, training)
        others, metrics = ([inner.get_current_value(v) for v in group] for group in variables[1:])
    scaled, optimizer = loss, getattr(model, "optimizer", None)
    if training and optimizer is not None:
        given = [v.value for v in optimizer.variables]
        scaled = optimizer.stateless_scale_loss(optimizer_values or given, loss)
    return scaled, (loss, y_pred, others, metrics)


def loss_of(model: Any, x: Any, y: Any, y_pred: Any, weight: Any, training: bool) -> Any:
    """What the model's `compute_loss` gives, which a user may have written without `training`."""
    parameters = inspect.signature(model.compute_loss).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    extra = {"training": training} if takes_all or "training" in parameters else {}
    return model.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight, **extra)


def _variables(model: Any, values: Groups) -> tuple[list[Variable], ...]:
    """The variables that values are given for. The first batch may make metrics, behind those that
    there are: they are left alone."""
    metrics = model.metrics_variables
    given = values[2]
    return (
        model.trainable_variables,
        model.non_trainable_variables,
        metrics[: len(given)] if given else [],
    )


_NAMES = ("trainable_variables", "non_trainable_variables", "metrics_variables")


def _pairs(
    model: Any, variables: Sequence[Sequence[Variable]], values: Groups
) -> list[tuple[Variable, Any]]:
    pairs: list[tuple[Variable, Any]] = []
    for name, own, given in zip(_NAMES, variables, values, strict=True):
        given = list(given)
        if len(own) != len(given):
            rule = f"{name} must hold {len(own)} values"
            raise ArgumentError(message(model._who(), rule, str(len(given))))
        pairs += [
            (v, g.value if isinstance(g, Variable) else g) for v, g in zip(own, given, strict=True)
        ]
    return pairs


__all__ = ["compute_loss_and_updates", "loss_of", "stateless_compute_loss"]
