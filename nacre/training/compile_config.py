"""The arguments of `compile` as plain data, for files, and back."""

from __future__ import annotations

from typing import Any

from nacre.core import identity
from nacre.core.errors import (
    SerializationError,
    message,
)
from nacre.core.kinds import is_dict, is_list
from nacre.core.lambdas import is_lambda
from nacre.core.registry import deserialize_keras_object, plain_config
from nacre.core.variable import Variable
from nacre.training.compile import CompiledTraining
from nacre.training.state import tell_paths


def compile_config(trainer: CompiledTraining) -> dict[str, Any]:
    """The arguments of `compile`, as plain data in Keras's form."""
    return {
        "optimizer": plain_config(trainer.optimizer),
        "loss": _plain(trainer.given["loss"]),
        "loss_weights": _plain(trainer.given["loss_weights"]),
        "metrics": _plain(trainer.given["metrics"]),
        "weighted_metrics": _plain(trainer.given["weighted_metrics"]),
        "run_eagerly": trainer.run_eagerly,
        "steps_per_execution": trainer.steps_per_execution or 1,
        "jit_compile": trainer.jit_compile if isinstance(trainer.jit_compile, bool) else True,
    }


def _plain(spec: Any) -> Any:
    if is_dict(spec):
        return {k: _plain(v) for k, v in spec.items()}
    if is_list(spec):
        return [_plain(v) for v in spec]
    if isinstance(spec, Variable):  # in a file it is the number that it holds now
        return float(spec)
    if isinstance(spec, type):
        spec = spec()  # a class stands for an object of it, and its name may be another one's too
    if is_lambda(spec) and identity.held() is None:
        # A model whose layers hold no code stays one that opens everywhere.
        raise SerializationError(
            message(
                "compile",
                "losses, metrics and weights of losses in a file must have names",
                "a lambda",
                "Write it as a named function and register it with "
                "@nacre.saving.register_keras_serializable().",
            )
        )
    return plain_config(spec)


def compile_from_config(model: Any, config: dict[str, Any]) -> None:
    """Compile a model with what `compile_config` gave."""
    arguments = deserialize_keras_object(dict(config))
    steps = arguments.get("steps_per_execution")
    if isinstance(steps, int) and steps == 1:  # as Keras writes it where nothing was given
        arguments["steps_per_execution"] = None
    known = (
        "optimizer loss loss_weights metrics weighted_metrics run_eagerly steps_per_execution "
        "jit_compile"
    ).split()
    model.compile(**{k: arguments[k] for k in known if k in arguments})
    if model.built and model.optimizer is not None:
        tell_paths(model, model.optimizer)
        model.optimizer.build(model.trainable_variables)
        model._trainer.has_trained = True


__all__ = ["compile_config", "compile_from_config"]
