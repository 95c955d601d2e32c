"""Models and stored files, as the tests of this folder need them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

import nacre
from nacre.core.errors import SerializationError
from tests.cases.models import MODEL_CASES_BY_ID, ModelCase, arrange, spread
from tests.cases.spec import draw, generator

FILES = Path(__file__).resolve().parent.parent / "reference" / "files"
FOLDERS = ("", "legacy", "tensorflow")


@functools.cache
def expected(folder: str) -> Any:
    """The stored arrays of one folder of files."""
    return np.load(FILES / folder / "expected.npz", allow_pickle=False)


def stored(folder: str, model: str, what: str) -> Any:
    """Inputs, targets or predictions of one stored model, arranged; None when there are none."""
    arrays, beginning = expected(folder), f"{model}/{what}"
    found = {
        name[len(beginning) :].lstrip("_"): arrays[name]
        for name in arrays.files
        if name == beginning or name.startswith(f"{beginning}_")
    }
    return arrange(found) if found else None


def difference(got: Any, wanted: Any) -> float:
    """The largest |got - wanted| / (1 + |wanted|) over all outputs."""
    got, wanted = spread(got), spread(wanted)
    assert set(got) == set(wanted)
    return max(
        float(np.max(np.abs(np.asarray(got[k]) - wanted[k]) / (1 + np.abs(wanted[k]))))
        for k in wanted
    )


def data_of(case: ModelCase) -> tuple[Any, Any]:
    """Inputs and targets of a model case."""
    random = generator(case.id)
    inputs = {name: draw(spec, random) for name, spec in spread(case.inputs).items()}
    targets = {name: draw(spec, random) for name, spec in spread(case.targets).items()}
    return arrange(inputs), arrange(targets)


def trained(name: str) -> tuple[Any, Any, Any]:
    """A compiled model after two steps, its inputs and its targets."""
    nacre.utils.set_random_seed(1)
    case = MODEL_CASES_BY_ID[name]
    inputs, targets = data_of(case)
    model = case.builder(nacre)
    if case.needs_adapt:
        model.get_layer("normalization").adapt(inputs)
    for _ in range(2):
        model.train_on_batch(inputs, targets)
    return model, inputs, targets


def small(units: int = 2, name: str | None = None) -> Any:
    """An uncompiled model of two Dense layers."""
    return nacre.Sequential(
        [
            nacre.Input((3,)),
            nacre.layers.Dense(4, activation="relu", name="hidden"),
            nacre.layers.Dense(units, name="head"),
        ],
        name=name,
    )


def all_of(model: Any) -> tuple[Any, ...]:
    """What decides how a model computes and trains: its configs, and every variable in order.

    The optimizer gets another name, which decides nothing.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        optimizer.name = "optimizer"  # forms and versions give it different ones
    variables = [*model.variables, *(optimizer.variables if optimizer is not None else [])]
    trained = [variable.path for variable in model.trainable_variables]
    masks = [getattr(m, "_masks_end_at_ops", None) for m in (model, *model._flatten_layers())]
    try:
        configs = json.dumps([model.to_json(), model.get_compile_config()], sort_keys=True)
    except SerializationError:  # opened from its functions, it has no config: equal to none
        return (object(),)
    values = [np.asarray(variable) for variable in variables]
    return (
        configs,
        *trained,
        *masks,
        *((value.dtype, value.shape, value.tobytes()) for value in values),
    )
