"""Write `functions.npz` / `.json`: activations, regularizers, constraints and initializers."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import jax
import jax.numpy as jnp
import keras
import numpy as np
from cases.functions import FUNCTION_CASES, INITIALIZER_CASES
from cases.spec import Spec, build, draw, generator

NUM_DRAWS = 8


def run_function(case):
    random = generator(case.id)
    arrays = {f"input_{i}": draw(spec, random) for i, spec in enumerate(case.inputs)}
    inputs = [jnp.asarray(value) for value in arrays.values()]
    target = build(case.target, keras)
    output = target(*inputs, **case.kwargs)
    arrays["output"] = np.asarray(output)
    if case.has_gradient:
        cotangent = random.uniform(-1, 1, output.shape).astype("float32")
        arrays["cotangent"] = cotangent
        total = lambda *values: (target(*values, **case.kwargs) * cotangent).sum()
        arrays["grad_input_0"] = np.asarray(jax.grad(total)(*inputs))
    facts = {}
    if case.target.is_call:
        facts["config"] = oracle.stable_config(target)
    return arrays, facts


def run_initializer(case):
    """Exact values, or mean, deviation and reach over several seeds."""
    if case.is_exact:
        initializer = build(Spec(case.initializer, case.kwargs, namespace="initializers"), keras)
        value = np.asarray(initializer(case.shape, dtype="float32"))
        return {"output": value}, {"config": oracle.stable_config(initializer)}
    values = []
    for seed in range(NUM_DRAWS):
        kwargs = {**case.kwargs, "seed": seed}
        initializer = build(Spec(case.initializer, kwargs, namespace="initializers"), keras)
        values.append(np.asarray(initializer(case.shape, dtype="float32"), "float64"))
    values = np.stack(values)
    statistics = {
        "mean": values.mean(),
        "std": values.std(),
        "min": values.min(),
        "max": values.max(),
        "count": values.size,
    }
    initializer = build(Spec(case.initializer, case.kwargs, namespace="initializers"), keras)
    return {}, {
        "statistics": {key: float(value) for key, value in statistics.items()},
        "config": oracle.stable_config(initializer),
    }


def main() -> int:
    arrays, facts, failed = {}, {}, []
    work = [("", run_function, case) for case in FUNCTION_CASES]
    work += [("initializer_", run_initializer, case) for case in INITIALIZER_CASES]
    for prefix, run, case in work:
        try:
            found, facts[prefix + case.id] = run(case)
        except Exception as error:
            failed.append(prefix + case.id)
            print(case.id, type(error).__name__, str(error)[:400])
            continue
        if not all(np.isfinite(a).all() for a in found.values()):
            print("not finite:", case.id)
        arrays.update({f"{prefix}{case.id}/{key}": value for key, value in found.items()})
    print("failed:", failed)
    oracle.write_arrays("functions", arrays)
    oracle.write_facts("functions", facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
