"""Write `metrics.npz` / `.json`: the result of every metric case after each update."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import keras
import numpy as np
from cases.metrics import METRIC_CASES
from cases.spec import Spec, build, draw, generator


def run_case(case):
    random = generator(case.id)
    metric = build(Spec(case.metric, case.kwargs, namespace="metrics"), keras)
    arrays = {}
    for batch in range(case.num_batches):
        drawn = [draw(spec, random) for spec in case.arguments]
        for i, array in enumerate(drawn):
            arrays[f"batch_{batch}_argument_{i}"] = array
        weight = None
        if case.sample_weight is not None:
            weight = draw(case.sample_weight, random)
            arrays[f"batch_{batch}_sample_weight"] = weight
        metric.update_state(*drawn, sample_weight=weight) if weight is not None else (
            metric.update_state(*drawn)
        )
        arrays[f"result_{batch}"] = np.asarray(metric.result())
    variables = [[v.name, list(v.shape), v.dtype] for v in metric.variables]
    facts = {"config": oracle.stable_config(metric), "variables": variables}
    return arrays, facts


def main() -> int:
    arrays, facts, failed = {}, {}, []
    for case in METRIC_CASES:
        try:
            found, facts[case.id] = run_case(case)
        except Exception as error:
            failed.append(case.id)
            print(case.id, type(error).__name__, str(error)[:400])
            continue
        if not all(np.isfinite(a).all() for a in found.values()):
            print("not finite:", case.id, [v for k, v in found.items() if not np.isfinite(v).all()])
        arrays.update({f"{case.id}/{key}": value for key, value in found.items()})
    print("failed:", failed)
    oracle.write_arrays("metrics", arrays)
    oracle.write_facts("metrics", facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
