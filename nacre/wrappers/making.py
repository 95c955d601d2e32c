"""The compiled model that a fit trains: fresh from a function, or a copy of a given model."""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nacre.core import tree
from nacre.core.errors import ArgumentError, NotCompiledError, message
from nacre.metrics import Metric
from nacre.models import Model, clone_model


def make_model(
    who: str,
    model: Any,
    arguments: Mapping[str, Any],
    x: Any,
    y: Any,
    *,
    with_weights: bool = False,
) -> Model:
    """A compiled model, as a rule with fresh weights.

    Args:
        who: The estimator's name, for messages.
        model: A compiled model, of which a copy is made, or a function that makes one.
        arguments: Further arguments of the function.
        x, y: The data, which the function gets as `X` and `y` where it takes them.
        with_weights: Whether the copy of a model starts with the weights of that.

    Raises:
        ArgumentError: There is neither a model nor a function that gives one.
        NotCompiledError: The model is not compiled.
    """
    if isinstance(model, Model):
        if arguments:
            raise ArgumentError(
                message(
                    who,
                    "model_kwargs are the arguments of a function that makes the model",
                    f"a model, and model_kwargs={dict(arguments)!r}",
                    "Pass a function as model, or no model_kwargs.",
                )
            )
        return _copy_compiled(_compiled(who, model), with_weights=with_weights)
    if not callable(model):
        raise ArgumentError(
            message(
                who,
                "model must be a compiled model or a function that returns one",
                f"{model!r}",
                "Pass model=build, where def build(X, y): ... returns a compiled model.",
            )
        )
    made = model(**_data_taken(model, x, y), **arguments)
    if not isinstance(made, Model):
        raise ArgumentError(
            message(
                who,
                "the function given as model must return a compiled model",
                f"{type(made).__name__} from {getattr(model, '__name__', repr(model))}",
                "Return the model at its end." if made is None else "",
            )
        )
    return _compiled(who, made)


def _data_taken(function: Callable[..., Any], x: Any, y: Any) -> dict[str, Any]:
    """X and y, as far as a function takes them: old ones (`build_fn`) take neither."""
    given = {"X": x, "y": y}
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # of some that are written in C nothing is known
        return given
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return given
    return {name: value for name, value in given.items() if name in parameters}


def _compiled(who: str, model: Model) -> Model:
    if not model.compiled or model.optimizer is None:
        raise NotCompiledError(
            message(
                who,
                "its model must be compiled with a loss and an optimizer",
                f"{model!r}, which is not",
                "Call model.compile(optimizer=..., loss=...) before.",
            )
        )
    return model


def _copy_compiled(model: Model, *, with_weights: bool) -> Model:
    """A copy that is compiled alike, with an optimizer and metrics of its own."""
    trainer = model._trainer
    assert trainer is not None  # it is compiled
    copy = clone_model(model)
    if with_weights and model.built:
        copy.set_weights(model.get_weights())
    given = {name: tree.map_structure(_own, spec) for name, spec in trainer.given.items()}
    copy.compile(
        optimizer=_remade(model.optimizer),
        loss=given["loss"],
        loss_weights=given["loss_weights"],
        metrics=given["metrics"],
        weighted_metrics=given["weighted_metrics"],
        run_eagerly=trainer.run_eagerly,
        steps_per_execution=trainer.steps_per_execution,
        jit_compile=trainer.jit_compile,
    )
    return copy


def _own(spec: Any) -> Any:
    return _remade(spec) if isinstance(spec, Metric) else spec  # it counts; losses do not


def _remade(thing: Any) -> Any:
    return type(thing).from_config(thing.get_config())


__all__ = ["make_model"]
