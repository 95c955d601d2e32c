"""Steps that a user's class has, or an object of it was given, in place of the built-in ones.

Both forms of Keras are taken: `(self, data)` reads and assigns variables, as in tf.keras, with a
gradient tape and `optimizer.apply_gradients`; `(self, state, data)` is given the values of all
variables and returns the new ones, as in Keras on JAX.
"""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal

import jax.numpy as jnp

from nacre.core import scope, tree
from nacre.core.absence import Absent
from nacre.core.errors import ArgumentError, message
from nacre.core.kinds import is_mapping
from nacre.core.protocols import TrainedModel, overrides
from nacre.core.state import OUTSIDE, State, Values
from nacre.core.user_code import as_traced
from nacre.core.variable import Variable, note_trainable_change, trainable_flags_version
from nacre.data.batches import pack_x_y_sample_weight
from nacre.training.absent import without_absent
from nacre.training.compile import CompiledTraining
from nacre.training.step import Batch, StepResult, narrowest_dtype, values_in

StepName = Literal["train_step", "test_step", "predict_step"]

# The order of the groups in the state that a step which is given it takes.
GROUPS: dict[StepName, tuple[str, ...]] = {
    "train_step": ("trainable", "other", "optimizer", "metrics"),
    "test_step": ("trainable", "other", "metrics"),
    "predict_step": ("trainable", "other"),
}
_IN_WORDS = {
    "trainable": "trainable_variables",
    "other": "non_trainable_variables",
    "optimizer": "optimizer_variables",
    "metrics": "metrics_variables",
}


def custom_step(model: object, name: StepName) -> Callable[..., Any] | None:
    """The step that the user's class, or the object itself, has in place of the built-in one.

    Where a class makes the function that runs steps itself, that function is it.
    """
    if overrides(model, f"make_{name.removesuffix('step')}function"):
        return _StepOfFunction(model, name)
    if name in vars(model) or overrides(model, name):
        return getattr(model, name)
    return None


class _StepOfFunction:
    """A step, (data), by the function of an iterator that a user's class makes.

    Args:
        model: The model.
        name: Which of the steps.
    """

    def __init__(self, model: Any, name: StepName) -> None:
        self._model, self._kind = model, name.removesuffix("step")
        self.__qualname__ = f"{type(model).__name__}.make_{self._kind}function"

    def __call__(self, data: Any) -> Any:
        """What the function gives for an iterator over this one batch."""
        made = getattr(self._model, f"make_{self._kind}function")()
        function = made if callable(made) else getattr(self._model, f"{self._kind}function", None)
        if not callable(function):
            rule = f"it must return a function of an iterator, or set self.{self._kind}function"
            raise ArgumentError(message(self.__qualname__, rule, "neither"))
        try:
            return function(iter([data]))
        except StopIteration:
            rule, got = "its function takes one batch in each call", "a second next(iterator)"
            fix = "Give larger batches, and cut them: x[:half], x[half:]."
            raise ArgumentError(message(self.__qualname__, rule, got, fix)) from None


def step_on_variables(model: Any, name: StepName, data: Any) -> Any:
    """Run the step of a model, in whichever form it has, on its variables.

    Args:
        model, name: Whose step, and which.
        data: The batch.
    """
    method = getattr(model, name)
    is_own = name in vars(model) or overrides(model, name)
    if not is_own or not takes_state_first(model, name, method):
        return method(data)
    held = {
        "trainable": model.trainable_variables,
        "other": model.non_trainable_variables,
        "optimizer": getattr(getattr(model, "optimizer", None), "variables", []),
        "metrics": model.metrics_variables,
    }
    if name == "predict_step":
        return prediction_by(model, method)(data)
    groups = [held[group] for group in GROUPS[name]]
    values = tuple([v.raw_value for v in group] for group in groups)
    result, new = method(values, data)
    for variables, old, group in zip(groups, values, new, strict=True):
        for variable, before, value in zip(variables, old, group, strict=True):
            if value is not before:
                variable.assign(value)
    return result


def reports_itself(model: TrainedModel) -> bool:
    """Whether the user's class says what a step reports."""
    return overrides(model, "compute_metrics") or overrides(model, "get_metrics_result")


def own_step(
    model: Any,
    trainer: CompiledTraining,
    name: StepName,
    method: Callable[..., Any],
    state: State,
) -> Callable[[Values, Batch], StepResult]:
    """A step of the user's as a pure function.

    Args:
        model, trainer: The model, and what `compile` made.
        name, method: Its method of that name.
        state: The variables.
    """
    takes_state = takes_state_first(model, name, method)

    def step(values: Values, batch: Batch) -> StepResult:
        own, absent = _own_batch(model, batch)
        run = as_traced(method)
        with trainer.targets_of_step.given(own[1]), flags_of_one_step(model):
            if takes_state:
                return _explicit(run, GROUPS[name], state, values, own, absent)
            return _in_place(run, state, values, own, absent)

    return step


@contextmanager
def flags_of_one_step(model: Any) -> Generator[None]:
    """What a step sets `trainable` to holds within it, as in a GAN that freezes one part for the
    gradient of the other; each step begins with the flags that the training has."""
    version = trainable_flags_version()
    flags = [(layer, layer._trainable) for layer in model._inventory().layers]
    try:
        yield
    finally:
        if trainable_flags_version() != version:
            for layer, flag in flags:
                layer._trainable = flag
            note_trainable_change()


def _explicit(
    method: Callable[..., Any],
    names: tuple[str, ...],
    state: State,
    values: Values,
    batch: Batch,
    absent: Absent | None,
) -> StepResult:
    """A step which is given the state and returns the new one."""
    given = tuple(values[name] for name in names)
    # What the step does not name, as the global random generator, goes on in a scope around it.
    with (
        scope.StatelessScope(state.pairs({OUTSIDE: values[OUTSIDE]})) as inner,
        scope.entered_call(None, absent),
    ):
        logs, new = method(given, pack_x_y_sample_weight(*batch))
        outside = values_in(inner, state, [OUTSIDE])
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
    x, y, absent = without_absent(x, y, weights, narrowest_dtype(model))
    return (x, y, sample_weight), absent


def _in_place(
    method: Callable[..., Any], state: State, values: Values, batch: Batch, absent: Absent | None
) -> StepResult:
    """A step as in tf.keras, which reads and assigns variables."""
    inner = scope.StatelessScope(state.pairs(values))
    inner.losses_of = {}
    with inner, scope.entered_call(None, absent):
        logs = as_logs(method(pack_x_y_sample_weight(*batch)), method)
        new = values_in(inner, state, values)
    loss = jnp.asarray(logs.get("loss", 0.0), jnp.float32)
    return new, loss, logs


def as_logs(logs: Any, method: Callable[..., Any]) -> dict[str, Any]:
    """What a step reports, one number a name."""
    who = getattr(method, "__qualname__", repr(method))
    if not is_mapping(logs):
        raise ArgumentError(
            message(
                who,
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
                    who,
                    "what it reports must be numbers",
                    f"'{name}' of shape {jnp.shape(value)}",
                    f"Report its mean: nacre.ops.mean({name}).",
                )
            )
    return {name: jnp.reshape(jnp.asarray(value), ()) for name, value in found.items()}


def takes_state_first(model: object, name: StepName, method: Callable[..., Any]) -> bool:
    """Whether a step is the pure form, (self, state, data); else it is (self, data).

    One with `*args` hands on what comes, and is given the state, as in Keras on JAX.
    """
    parameters = inspect.signature(method).parameters.values()
    given = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        if len(given) <= 2:
            return len(given) != 1
    elif len(given) in (1, 2):
        return len(given) == 2
    state = ", ".join(_IN_WORDS[group] for group in GROUPS[name])
    returned = "outputs" if name == "predict_step" else "logs"
    names = ", ".join(p.name for p in given)
    raise ArgumentError(
        message(
            f"{type(model).__name__}.{name}",
            "it must take (self, data), and assign to variables, or (self, state, data) and "
            f"return ({returned}, state)",
            f"(self, {names})" if names else "(self)",
            f"state is ({state}).",
        )
    )


# -------------------------------------------------------------------- prediction


def prediction_of(model: Any) -> Callable[[Any], Any]:
    """What `predict` computes of a batch, variables as they are in the scope around.

    A `predict_step` of the user's is given the batch as `predict` got it, x or (x, y); else it is
    the call of the model on x.
    """
    method = custom_step(model, "predict_step")
    if method is None:
        return lambda x: model(x, training=False)
    return prediction_by(model, method)


def prediction_by(model: Any, method: Callable[..., Any]) -> Callable[[Any], Any]:
    """A `predict_step` of either form as a function of the batch."""
    if not takes_state_first(model, "predict_step", method):
        return lambda data: as_traced(method)(data)

    def run(data: Any) -> Any:
        others = model.non_trainable_variables
        values = [v.raw_value for v in model.trainable_variables], [v.raw_value for v in others]
        outputs, new = as_traced(method)(values, data)
        for variable, old, value in zip(others, values[1], _new_others(new, others), strict=True):
            if value is not old:
                variable.assign(value)
        return outputs

    return run


def _new_others(new: Any, others: list[Variable]) -> list[Any]:
    """The new values of the variables that are not trained: alone, or with the others' values."""
    new = list(new)
    if len(new) == 2 and all(isinstance(group, list | tuple) for group in new):
        new = list(new[1])
    return new if others else []


def batch_for_prediction(model: Any, batch: Batch) -> Any:
    """What `prediction_of` takes, from the parts of a batch."""
    if custom_step(model, "predict_step") is None:
        return batch[0]
    return pack_x_y_sample_weight(*batch)


__all__ = [
    "GROUPS",
    "StepName",
    "as_logs",
    "batch_for_prediction",
    "custom_step",
    "flags_of_one_step",
    "own_step",
    "prediction_by",
    "prediction_of",
    "reports_itself",
    "step_on_variables",
    "takes_state_first",
]
