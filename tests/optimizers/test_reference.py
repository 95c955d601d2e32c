"""Ten steps of every optimizer and every schedule, compared with stored numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nacre import optimizers
from nacre.core.registry import serialize_keras_object
from nacre.core.variable import Variable
from tests.cases.optimizers import (
    NUM_STEPS,
    OPTIMIZER_CASES,
    SCHEDULES,
    STORED_STEPS,
    VARIABLE_SHAPES,
)
from tests.cases.reading import load_facts, load_reference
from tests.cases.spec import Spec, build

LIBRARY = SimpleNamespace(optimizers=optimizers)


def make(case):
    return build(Spec(case.optimizer, case.kwargs, namespace="optimizers"), LIBRARY)


def first_variables():
    shared = load_reference("optimizers")["shared"]
    return [
        Variable(shared[f"initial_{i}"], name=f"variable_{i}") for i in range(len(VARIABLE_SHAPES))
    ]


@pytest.mark.parametrize("case", OPTIMIZER_CASES, ids=lambda case: case.id)
def test_ten_steps_give_the_stored_numbers(case):
    arrays = load_reference("optimizers")
    optimizer, variables = make(case), first_variables()
    for step in range(1, NUM_STEPS + 1):
        gradients = [arrays["shared"][f"gradient_{step}_{i}"] for i in range(len(variables))]
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))
        if step in STORED_STEPS:
            for i, variable in enumerate(variables):
                stored = arrays[case.id][f"step_{step}_{i}"]
                tolerance = 1e-6 if step == 1 else case.tolerance
                np.testing.assert_allclose(variable.numpy(), stored, rtol=tolerance, atol=tolerance)
    # In Keras averages move in every call of an accumulation, here with the updates.
    averages = optimizer.moving_averages if case.kwargs.get("gradient_accumulation_steps") else []
    for i, variable in enumerate(optimizer.variables):
        if any(variable is average for average in averages):
            continue
        stored = arrays[case.id][f"state_{i}"]
        np.testing.assert_allclose(variable.numpy(), stored, rtol=1e-4, atol=case.tolerance)
    if case.kwargs.get("use_ema") and not averages:
        optimizer.finalize_variable_values(variables)
        for i, variable in enumerate(variables):
            stored = arrays[case.id][f"final_{i}"]
            np.testing.assert_allclose(variable.numpy(), stored, rtol=1e-5, atol=case.tolerance)


@pytest.mark.parametrize("case", OPTIMIZER_CASES, ids=lambda case: case.id)
def test_state_names_order_and_config_are_those_stored(case):
    facts = load_facts("optimizers")[case.id]
    optimizer, variables = make(case), first_variables()
    optimizer.build(variables)
    found = [(v.path.split("/")[-1], v.name, v.shape, v.dtype) for v in optimizer.variables]
    stored = [
        (s["path"].split("/")[-1], s["name"], tuple(s["shape"]), s["dtype"]) for s in facts["state"]
    ]
    if case.optimizer == "Nadam":  # its last variable has an automatic, numbered name
        found[-1] = stored[-1] = ("variable", *found[-1][2:])
    assert found == stored
    mine, stored = serialize_keras_object(optimizer), facts["config"]
    mine["config"]["name"] = stored["config"]["name"] = "same"
    assert mine == stored


@pytest.mark.parametrize("case", SCHEDULES, ids=lambda case: case.id)
def test_schedule_gives_the_stored_numbers(case):
    stored = load_reference("optimizers")[f"schedule_{case.id}"]
    schedule = build(Spec(case.schedule, case.kwargs, namespace="optimizers.schedules"), LIBRARY)
    values = [float(schedule(step)) for step in case.steps]
    np.testing.assert_allclose(values, stored["values"], rtol=case.tolerance, atol=1e-8)
    facts = load_facts("optimizers")[f"schedule_{case.id}"]
    assert serialize_keras_object(schedule) == facts["config"]
