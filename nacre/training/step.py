"""One step as a pure function: (values, batch) -> (values, loss, logs)."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp

from nacre.core import scope, tree
from nacre.core.absence import Absent
from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_dict, is_mapping
from nacre.core.protocols import TrainedModel, TrainingOptimizer, overrides
from nacre.core.state import OUTSIDE, State, Values
from nacre.core.variable import Variable
from nacre.data.batches import pack_x_y_sample_weight
from nacre.training.absent import without_absent
from nacre.training.compile import CompiledTraining
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
    if custom_step(model, "train_step") is not None:
        return _custom_step(model, "train_step", state)
    optimizer = trainer.optimizer_in_use

    def step(values: Values, batch: Batch) -> StepResult:
        x, y, sample_weight = batch
        weights = [] if is_all_present else _weights(model, trainer, sample_weight)
        x, y, absent = without_absent(x, y, weights, _narrowest_dtype(model))

        def compute(trainable: list[Any]) -> tuple[Any, Any]:
            current = {**values, "trainable": trainable}
            with (
                scope.StatelessScope(state.pairs(current), collect_losses=True) as inner,
                scope.entered_call(scope.CallContext(model, True), absent),
            ):
                y_pred = model(x, training=True)
                loss = _compute_loss(model, x, y, y_pred, sample_weight, True)
                logs = _update_metrics(model, trainer, x, y, y_pred, sample_weight, loss)
                scaled = optimizer.scale_loss(loss)
                rest = _values_in(inner, state, CHANGING)
            return scaled, (loss, rest, logs)

        (_, (loss, rest, logs)), gradients = jax.value_and_grad(compute, has_aux=True)(
            values["trainable"]
        )
        new = {**values, **rest}
        if values["trainable"]:  # else there is nothing to train, which was said
            new = _updated(optimizer, state, new, gradients)
        return new, loss, logs

    return step


def test_step(
    model: TrainedModel, trainer: CompiledTraining, state: State
) -> Callable[[Values, Batch], StepResult]:
    """The step of evaluation: predictions, loss, metrics."""
    if custom_step(model, "test_step") is not None:
        return _custom_step(model, "test_step", state)

    def step(values: Values, batch: Batch) -> StepResult:
        x, y, sample_weight = batch
        weights = _weights(model, trainer, sample_weight)
        x, y, absent = without_absent(x, y, weights, _narrowest_dtype(model))
        with (
            scope.StatelessScope(state.pairs(values), collect_losses=True) as inner,
            scope.entered_call(scope.CallContext(model, False), absent),
        ):
            y_pred = model(x, training=False)
            loss = _compute_loss(model, x, y, y_pred, sample_weight, False)
            logs = _update_metrics(model, trainer, x, y, y_pred, sample_weight, loss)
            new = {**values, **_values_in(inner, state, CHANGING)}
        return new, loss, logs

    return step


def _narrowest_dtype(model: Any) -> str | None:
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


def _values_in(inner: scope.StatelessScope, state: State, names: Iterable[str]) -> Values:
    """The values that a scope has for the variables of groups."""
    return {
        name: [inner.get_current_value(variable) for variable in state.groups[name]]
        for name in names
    }


def _updated(
    optimizer: TrainingOptimizer, state: State, values: Values, gradients: list[Any]
) -> Values:
    """All values after the optimizer's step."""
    by_variable = {id(v): value for v, value in state.pairs(values)}
    own = list(optimizer.variables)
    # A variable that became the learning rate while the state is this one is read from outside.
    values_of_own = [by_variable[id(v)] if id(v) in by_variable else v.value for v in own]
    trainable, new_own = optimizer.stateless_apply(values_of_own, gradients, values["trainable"])
    by_variable |= {id(v): value for v, value in zip(own, new_own, strict=True)}
    by_variable |= {
        id(v): value for v, value in zip(state.groups["trainable"], trainable, strict=True)
    }
    return {name: [by_variable[id(v)] for v in state.groups[name]] for name in values}


# -------------------------------------------------------------------- overridden steps


def custom_step(model: object, name: str) -> Any:
    """The user's own `train_step` or `test_step`, a function of its class, or None."""
    return getattr(type(model), name, None)


def reports_itself(model: TrainedModel) -> bool:
    """Whether the user's class says what a step reports."""
    return overrides(model, "compute_metrics") or overrides(model, "get_metrics_result")


# The order of the groups in the state that a user's own step takes.
_GROUPS = {
    "train_step": ("trainable", "other", "optimizer", "metrics"),
    "test_step": ("trainable", "other", "metrics"),
}


def _custom_step(model: Any, name: str, state: State) -> Callable[[Values, Batch], StepResult]:
    takes_state = _takes_state(model, name)

    def step(values: Values, batch: Batch) -> StepResult:
        own, method = _own_batch(model, batch), getattr(model, name)
        if takes_state:
            return _explicit(method, _GROUPS[name], state, values, *own)
        return _in_place(method, state, values, *own)

    return step


def _explicit(
    method: Callable[..., Any],
    names: tuple[str, ...],
    state: State,
    values: Values,
    batch: Batch,
    absent: Absent | None,
) -> StepResult:
    """A user's own step, which is given the state and returns the new one."""
    given = tuple(values[name] for name in names)
    # What the step does not name, as the global random generator, goes on in a scope around it.
    with (
        scope.StatelessScope(state.pairs({OUTSIDE: values[OUTSIDE]})) as inner,
        scope.entered_call(None, absent),
    ):
        logs, new = method(given, pack_x_y_sample_weight(*batch))
        outside = _values_in(inner, state, [OUTSIDE])
    logs = dict(logs)
    new_values = dict(zip(names, map(list, new), strict=True))
    loss = jnp.asarray(logs.get("loss", 0.0), jnp.float32)
    return {**values, **new_values, **outside}, loss, logs


def _own_batch(model: Any, batch: Batch) -> tuple[Batch, Absent | None]:
    """A batch for a user's own step, cleaned like any other, and what is absent from it.

    A third part of whole numbers may be anything there, as labels of a second kind, whose 0 says
    nothing of a sample.
    """
    x, y, sample_weight = batch
    weights = tree.flatten(sample_weight)
    if any(jnp.issubdtype(w.dtype, jnp.integer) for w in weights if w is not None):
        return batch, None
    x, y, absent = without_absent(x, y, weights, _narrowest_dtype(model))
    return (x, y, sample_weight), absent


def _in_place(
    method: Callable[..., Any], state: State, values: Values, batch: Batch, absent: Absent | None
) -> StepResult:
    """A user's own step as in tf.keras, which reads and assigns variables: with a gradient tape and
    `optimizer.apply_gradients`."""
    inner = scope.StatelessScope(state.pairs(values))
    inner.losses_of = {}
    with inner, scope.entered_call(None, absent):
        logs = _as_logs(method(pack_x_y_sample_weight(*batch)), method)
        new = _values_in(inner, state, values)
    loss = jnp.asarray(logs.get("loss", 0.0), jnp.float32)
    return new, loss, logs


def _as_logs(logs: Any, method: Callable[..., Any]) -> dict[str, Any]:
    """What a step reports, one number a name."""
    if not is_mapping(logs):
        raise ArgumentError(
            message(
                method.__qualname__,
                "it must return what is to be reported, a dict of names and numbers",
                "None" if logs is None else type(logs).__name__,
                "return {m.name: m.result() for m in self.metrics}",
            )
        )
    found: dict[str, Any] = {}
    for name, value in logs.items():
        if is_mapping(value):  # of a metric with several results
            found.update(value)
        else:
            found[name] = value.value if isinstance(value, Variable) else value
    for name, value in found.items():
        if jnp.size(value) != 1:
            raise ArgumentError(
                message(
                    method.__qualname__,
                    "what it reports must be numbers",
                    f"'{name}' of shape {jnp.shape(value)}",
                    f"Report its mean: nacre.ops.mean({name}).",
                )
            )
    return {name: jnp.reshape(jnp.asarray(value), ()) for name, value in found.items()}


def _takes_state(model: Any, name: str) -> bool:
    """Whether a user's own step is the pure form, (self, state, data); else it is (self, data)."""
    names = list(inspect.signature(custom_step(model, name)).parameters)[1:]
    if len(names) not in (1, 2):
        raise ArgumentError(
            message(
                f"{type(model).__name__}.{name}",
                "it must take (self, data), and assign to variables, or (self, state, data) and "
                "return (logs, state)",
                f"(self, {', '.join(names)})",
                "state is (trainable_variables, non_trainable_variables, optimizer_variables, "
                "metrics_variables).",
            )
        )
    return len(names) == 2
