"""What a call of `fit` is going to log, found before its first step: names, sizes, directions."""

# JAX leaves arguments of its functions without types.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping
from typing import Any

import jax

from nacre.callbacks.run_plan import Log, RunPlan
from nacre.core.kinds import is_dict
from nacre.core.protocols import TrainedModel
from nacre.metrics.direction import direction_of
from nacre.metrics.metric import Metric
from nacre.training.compile import CompiledTraining
from nacre.training.own_steps import custom_step, reports_itself


def run_plan(
    model: TrainedModel,
    trainer: CompiledTraining,
    *,
    first_epoch: int,
    epochs: int,
    steps: int | None,
    validated: Collection[int] | None,
) -> RunPlan:
    """What is known of a training before its first step."""
    is_open = reports_itself(model) or trainer.run_eagerly
    return RunPlan(
        functools.cache(lambda: _logs(model, trainer)),
        first_epoch,
        epochs,
        steps,
        validated,
        train_is_open=is_open or custom_step(model, "train_step") is not None,
        validation_is_open=is_open or custom_step(model, "test_step") is not None,
    )


def _logs(model: TrainedModel, trainer: CompiledTraining) -> Mapping[str, Log]:
    found: dict[str, Log] = {}
    for name, metric in trainer.named_metrics(model):
        direction = direction_of(metric)
        # Without a compiled step a metric's Python may need real values: it is not run for this.
        result = None if trainer.run_eagerly else _result_spec(metric)
        if is_dict(result):
            found.update({key: Log(_size(value), direction) for key, value in result.items()})
        else:
            found[name] = Log(_size(result), direction)
    return found


def _result_spec(metric: Metric) -> Any:
    """Shapes of what a metric gives, by tracing its `result`."""
    values = [jax.ShapeDtypeStruct(v.shape, jax.numpy.dtype(v.dtype)) for v in metric.variables]
    return jax.eval_shape(metric.stateless_result, values)


def _size(spec: Any) -> int | None:
    return math.prod(spec.shape) if hasattr(spec, "shape") else None
