"""Write `losses.npz` / `.json`: the value of every loss case for each of its reductions."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import jax
import jax.numpy as jnp
import keras
import numpy as np
from cases.losses import LOSS_CASES
from cases.spec import Spec, build, draw, generator


def run_case(case):
    random = generator(case.id)
    arrays = {"y_true": draw(case.y_true, random), "y_pred": draw(case.y_pred, random)}
    weight = None
    if case.sample_weight is not None:
        weight = arrays["sample_weight"] = draw(case.sample_weight, random)
    for reduction in case.reductions:
        kwargs = {**case.kwargs, "reduction": reduction}
        loss = build(Spec(case.loss, kwargs, namespace="losses"), keras)
        value = loss(arrays["y_true"], arrays["y_pred"], sample_weight=weight)
        arrays[f"value_{reduction}"] = np.asarray(value)
    loss = build(Spec(case.loss, case.kwargs, namespace="losses"), keras)
    if case.has_gradient:
        gradient = jax.grad(lambda y: loss(arrays["y_true"], y, sample_weight=weight))
        arrays["grad_y_pred"] = np.asarray(gradient(jnp.asarray(arrays["y_pred"])))
    return arrays, {"config": oracle.stable_config(loss)}


def main() -> int:
    arrays, facts, failed = {}, {}, []
    for case in LOSS_CASES:
        try:
            found, facts[case.id] = run_case(case)
        except Exception as error:
            failed.append(case.id)
            print(case.id, type(error).__name__, str(error)[:400])
            continue
        if not all(np.isfinite(a).all() for a in found.values()):
            print(
                "not finite:", case.id, {k: v for k, v in found.items() if not np.isfinite(v).all()}
            )
        arrays.update({f"{case.id}/{key}": value for key, value in found.items()})
    print("failed:", failed)
    oracle.write_arrays("losses", arrays)
    oracle.write_facts("losses", facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
