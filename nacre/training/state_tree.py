"""All variables of a model in training as nested dicts of arrays, in the structure of Keras.

Keys are the parts of a variable's path, as in `tree["trainable_variables"]["encoder"]["kernel"]`.
"""

# What only training asks of a model has a leading underscore, out of the way of people.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any

import numpy as np

from nacre.core.errors import ArgumentError, ShapeError, listed, message, nearest
from nacre.core.kinds import is_mapping
from nacre.core.names import free_name
from nacre.core.nested_dicts import nested, values_by_path
from nacre.core.variable import Variable

FORMATS = ("backend_tensor", "numpy_array")


def get_state_tree(model: Any, value_format: str) -> dict[str, dict[str, Any]]:
    """See `Model.get_state_tree`."""
    if value_format not in FORMATS:
        raise ArgumentError(
            message(
                f"{model._who()}.get_state_tree",
                "value_format must be 'backend_tensor' or 'numpy_array'",
                repr(value_format),
            )
        )
    as_array = value_format == "numpy_array"
    return {
        group: nested(
            {
                path: variable.numpy() if as_array else variable.value
                for path, variable in _by_path(variables).items()
            }
        )
        for group, variables in _groups(model).items()
    }


def set_state_tree(model: Any, state_tree: Any) -> None:
    """See `Model.set_state_tree`."""
    who = f"{model._who()}.set_state_tree"
    if not is_mapping(state_tree):
        rule, fix = "it takes nested dicts", "Pass what get_state_tree() gave."
        raise ArgumentError(message(who, rule, type(state_tree).__name__, fix))
    groups = _groups(model)
    for name in state_tree:
        if name not in groups:
            hint = nearest(str(name), groups)
            fix = f"Did you mean {hint!r}?" if hint else ""
            rule = f"the keys must be among {', '.join(groups)}"
            raise ArgumentError(message(who, rule, repr(name), fix))
    trainer = model._trainer
    if "optimizer_variables" in state_tree and trainer is not None and trainer.optimizer:
        if model.built and not trainer.optimizer.built and model.trainable_variables:
            trainer.optimizer.build(model.trainable_variables)  # as the tree was made after that
            groups = _groups(model)
    pairs: list[tuple[Variable, Any]] = []
    unknown: list[str] = []
    for group, values in state_tree.items():
        known = _by_path(groups[group])
        if group == "optimizer_variables":
            known = _without_owner(known)
            values = {name: v for owned in values.values() for name, v in owned.items()}
        for path, value in values_by_path(values).items():
            if path in known:
                pairs.append((known[path], value))
            elif not _is_made_later(model, group):
                unknown.append("/".join((group, *path)))
    if unknown:
        rule = "each value must be one of the model's variables"
        fix = (
            "Give the layers the names they had (nacre.utils.clear_session() lets automatic names "
            "begin anew); leave out what the model does not have."
        )
        raise ArgumentError(message(who, rule, f"{len(unknown)} unknown: {listed(unknown)}", fix))
    _check_shapes(who, pairs)
    for variable, value in pairs:  # nothing was changed before everything was looked at
        variable.assign(value)


def _groups(model: Any) -> dict[str, list[Variable]]:
    optimizer = None if model._trainer is None else model._trainer.optimizer
    return {
        "trainable_variables": model.trainable_variables,
        "non_trainable_variables": model.non_trainable_variables,
        "optimizer_variables": [] if optimizer is None else list(optimizer.variables),
        "metrics_variables": model.metrics_variables,
    }


def _is_made_later(model: Any, group: str) -> bool:
    """Whether variables of a group are made by the first `fit`: metrics, which then begin anew."""
    trainer = model._trainer
    return group == "metrics_variables" and (trainer is None or trainer.outputs is None)


def _by_path(variables: list[Variable]) -> dict[tuple[str, ...], Variable]:
    """Variables by the parts of their paths; of several with one path each later has a number."""
    found: dict[tuple[str, ...], Variable] = {}
    seeds: list[str] = []
    for variable in variables:
        *outer, last = variable.path.split("/")
        if last == "seed_generator_state" and not outer:  # a generator has no name of its own
            outer = [free_name("seed_generator", seeds)]
            seeds += outer
        taken = [path[-1] for path in found if path[:-1] == tuple(outer)]
        found[(*outer, free_name(last, taken))] = variable
    return found


def _without_owner(
    variables: dict[tuple[str, ...], Variable],
) -> dict[tuple[str, ...], Variable]:
    """Paths without their first part: the name of an optimizer, which is mostly a made-up one."""
    return {path[1:]: variable for path, variable in variables.items()}


def _check_shapes(who: str, pairs: list[tuple[Variable, Any]]) -> None:
    wrong = [
        f"{variable.path} {np.shape(value)}, the model has {variable.shape}"
        for variable, value in pairs
        if tuple(np.shape(value)) != variable.shape
    ]
    if wrong:
        rule = "values must have the shapes of the variables"
        raise ShapeError(message(who, rule, f"{len(wrong)} others: {listed(wrong)}"))


__all__ = ["get_state_tree", "set_state_tree"]
