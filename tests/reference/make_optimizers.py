"""Write `optimizers.npz` / `.json`: ten steps of every optimizer case, and schedule values."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import keras
import numpy as np
from cases.optimizers import (
    NUM_STEPS,
    OPTIMIZER_CASES,
    SCHEDULES,
    STORED_STEPS,
    VARIABLE_SHAPES,
)
from cases.spec import Spec, build, generator


def shared_arrays() -> dict[str, np.ndarray]:
    """The first values of the variables and the gradients of every step, the same for all."""
    random = generator("optimizers")
    arrays = {}
    for i, shape in enumerate(VARIABLE_SHAPES):
        arrays[f"shared/initial_{i}"] = random.uniform(-1, 1, shape).astype("float32")
    for step in range(1, NUM_STEPS + 1):
        for i, shape in enumerate(VARIABLE_SHAPES):
            gradient = random.normal(0, 1, shape)
            gradient[random.random(shape) < 0.1] = 0.0
            arrays[f"shared/gradient_{step}_{i}"] = gradient.astype("float32")
    return arrays


def run_case(case, arrays):
    optimizer = build(Spec(case.optimizer, case.kwargs, namespace="optimizers"), keras)
    variables = [
        keras.Variable(arrays[f"shared/initial_{i}"], name=f"variable_{i}")
        for i in range(len(VARIABLE_SHAPES))
    ]
    config = oracle.stable_config(optimizer)
    found = {}
    for step in range(1, NUM_STEPS + 1):
        gradients = [arrays[f"shared/gradient_{step}_{i}"] for i in range(len(variables))]
        gradients = [keras.ops.convert_to_tensor(g) for g in gradients]
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))
        if step in STORED_STEPS:
            for i, variable in enumerate(variables):
                found[f"{case.id}/step_{step}_{i}"] = np.asarray(variable.value)
    for i, variable in enumerate(optimizer.variables):
        found[f"{case.id}/state_{i}"] = np.asarray(variable.value)
    state = [
        {"name": v.name, "path": v.path, "shape": list(v.shape), "dtype": v.dtype}
        for v in optimizer.variables
    ]
    if case.kwargs.get("use_ema"):
        optimizer.finalize_variable_values(variables)
        for i, variable in enumerate(variables):
            found[f"{case.id}/final_{i}"] = np.asarray(variable.value)
    facts = {"state": state, "config": config, "iterations": int(optimizer.iterations)}
    return found, facts


def main() -> int:
    arrays = shared_arrays()
    facts = {}
    failed = []
    for case in OPTIMIZER_CASES:
        try:
            found, facts[case.id] = run_case(case, arrays)
        except Exception as error:
            failed.append(case.id)
            print(case.id, type(error).__name__, error)
            continue
        arrays.update(found)
    for case in SCHEDULES:
        schedule = build(Spec(case.schedule, case.kwargs, namespace="optimizers.schedules"), keras)
        values = [float(schedule(step)) for step in case.steps]
        arrays[f"schedule_{case.id}/values"] = np.asarray(values, "float32")
        arrays[f"schedule_{case.id}/steps"] = np.asarray(case.steps, "int32")
        facts[f"schedule_{case.id}"] = {"config": oracle.stable_config(schedule)}
    print("failed:", failed)
    oracle.write_arrays("optimizers", arrays)
    oracle.write_facts("optimizers", facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
