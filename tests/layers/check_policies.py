"""Every layer of the tables under dtype policies, in a process of its own.

    python -m tests.layers.check_policies float32 float64  # 64-bit numbers are on: who asked for
                                                           # float32 does not notice
    python -m tests.layers.check_policies mixed_float16 mixed_bfloat16

Prints one line for each broken promise and exits with the number of broken cases.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np

import nacre
from nacre.core.dtypes import use_64_bits
from nacre.core.policies import get_policy, set_dtype_policy
from tests.cases.reading import numbered
from tests.cases.spec import LayerCase
from tests.layers.reference import (
    ARRAYS,
    CASES,
    FACTS,
    FIRST_CASES,
    built_layer,
    reference_weights,
    run_pure,
)

# Multiples of the case's own closeness to float32, from the digits of the compute dtype: inputs
# and weights are rounded to it, and sums of some ten terms are compared.
SLACK = {"float64": 10.0, "mixed_float16": 2000.0, "mixed_bfloat16": 16000.0}


def promised(name: str, dtype: str) -> str:
    """The dtype that takes the place of one in a float32 layer."""
    return dtype if name == "float32" else name


def wrong_dtypes(case: LayerCase, layer: Any, policy: Any) -> Iterator[str]:
    """Outputs and variables of another dtype than promised; found by tracing."""
    arrays, facts = ARRAYS[case.id], FACTS[case.id]
    values = [v.value for v in layer.weights]
    outputs = jax.eval_shape(lambda w: run_pure(case, layer, arrays, w, False)[0], values)
    found = [
        (f"output {i}", str(output.dtype), promised(name, policy.compute_dtype))
        for i, (output, name) in enumerate(zip(outputs, facts["output_dtypes"], strict=True))
    ]
    for variable, weight in zip(layer.weights, facts["weights"], strict=True):
        found.append(
            (variable.path, variable.dtype, promised(weight["dtype"], policy.variable_dtype))
        )
    for what, got, expected in found:
        if got != expected:
            yield f"{what} is {got}, not {expected}"


def wrong_numbers(case: LayerCase, layer: Any, slack: float, is_trained: bool) -> Iterator[str]:
    """Outputs far from the float32 reference, and gradients that are not finite."""
    arrays = ARRAYS[case.id]
    weights = [
        jnp.asarray(value, dtype=variable.dtype)
        for value, variable in zip(reference_weights(case), layer.weights, strict=True)
    ]
    trained = [i for i, v in enumerate(layer.weights) if v.trainable and is_trained]

    def run(values: list[Any]) -> Any:
        whole = list(weights)
        for i, value in zip(trained, values, strict=True):
            whole[i] = value
        outputs = run_pure(case, layer, arrays, whole, False)[0]
        floats = [y for y in outputs if jnp.issubdtype(y.dtype, jnp.floating)]
        return sum(jnp.sum(jnp.sin(y.astype("float32"))) for y in floats), outputs

    if trained:
        gradients, outputs = jax.jit(jax.grad(run, has_aux=True))([weights[i] for i in trained])
        if not all(np.isfinite(np.asarray(g, "float32")).all() for g in gradients):
            yield "a gradient is not finite"
    else:
        outputs = jax.jit(run)([])[1]
    for got, expected in zip(outputs, numbered(arrays, "output"), strict=True):
        if expected.dtype.kind == "f":
            difference = np.abs(np.asarray(got, "float64") - expected) / (1 + np.abs(expected))
            worst = float(np.nanmax(difference, initial=0.0))
            if not worst <= slack * case.tolerance:
                yield f"differs by {worst:.1e} from float32"


def main(name: str) -> int:
    """Check all cases under a policy."""
    if name == "float32":
        use_64_bits()
    elif name == "float64":
        nacre.config.set_floatx("float64")
    else:
        set_dtype_policy(name)
    assert bool(jax.config.jax_enable_x64) == name.startswith("float")
    policy = get_policy(name)
    first = {case.id for case in FIRST_CASES if not case.has_randomness}
    broken = 0
    for case in CASES:
        try:
            layer = built_layer(case)
            lines = list(wrong_dtypes(case, layer, policy))
            if case.id in first and name in SLACK:
                # bfloat16 has the range of float32: its gradients are no less finite.
                lines += wrong_numbers(case, layer, SLACK[name], name != "mixed_bfloat16")
        except Exception as error:
            lines = [f"{type(error).__name__}: {str(error)[:200]}"]
        broken += bool(lines)
        for line in lines:
            print(f"{case.id}: {line}")
    print(f"{name}: {len(CASES)} cases, {broken} broken")
    return broken


if __name__ == "__main__":
    sys.exit(min(100, sum(map(main, sys.argv[1:]))))
