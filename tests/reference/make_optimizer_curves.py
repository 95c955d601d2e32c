"""Write `optimizer_curves.npz`: fifty steps of every optimizer, by default and with options."""

from __future__ import annotations

import oracle  # isort: skip
import keras
import numpy as np
from cases.optimizer_curves import CURVES, NUM_STEPS, STORED_STEPS, gradients, problem
from cases.spec import Spec, build


def main() -> None:
    arrays = {}
    first, x, y = problem()
    for case in CURVES:
        optimizer = build(Spec(case.optimizer, case.kwargs, namespace="optimizers"), keras)
        weights = [keras.Variable(w, name=f"weight_{i}") for i, w in enumerate(first)]
        losses, stored = [], []
        for step in range(1, NUM_STEPS + 1):
            loss, found = gradients([np.asarray(w.value) for w in weights], x, y, step)
            losses.append(loss)
            tensors = [keras.ops.convert_to_tensor(g) for g in found]
            optimizer.apply_gradients(list(zip(tensors, weights, strict=True)))
            if step in STORED_STEPS:
                stored.append(np.concatenate([np.asarray(w.value).ravel() for w in weights]))
        arrays[f"{case.id}/weights"] = np.stack(stored)
        arrays[f"{case.id}/losses"] = np.asarray(losses, "float32")
    oracle.write_arrays("optimizer_curves", arrays)


if __name__ == "__main__":
    main()
