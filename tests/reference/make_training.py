"""Write `training.npz` / `.json`: ten steps of every training case, then evaluate and predict.

Run it once, then with KERAS_BACKEND=tensorflow for the few cases whose numbers come from there.
Names of cases as arguments: these are tried and printed, nothing is written.
"""

from __future__ import annotations

import json
import sys

import oracle  # isort: skip
import keras
import numpy as np
from cases.training import TRAINING_CASES
from cases.training_case import data_of, run_training


def main() -> int:
    chosen = sys.argv[1:]
    backend = keras.backend.backend()
    arrays, facts, failed = {}, {}, []
    if backend != "jax":  # add to what is there
        with np.load(oracle.FOLDER / "training.npz") as archive:
            arrays.update(archive)
        facts.update(json.loads((oracle.FOLDER / "training.json").read_text(encoding="utf-8")))
    for case in TRAINING_CASES:
        if case.backend != backend or (chosen and case.id not in chosen):
            continue
        print(case.id, flush=True)
        keras.backend.clear_session()
        keras.utils.set_random_seed(1)
        try:
            data = data_of(case)
            found, facts[case.id] = run_training(case, keras, data)
        except Exception as error:
            failed.append(case.id)
            print("  ", type(error).__name__, str(error)[:600])
            continue
        found = {
            name: np.asarray(value, "float32") if value.dtype.kind == "f" else value
            for name, value in {**data, **found}.items()
        }
        if not all(np.isfinite(a).all() for a in found.values()):
            print("   not finite")
        if chosen:
            print({n: v for n, v in found.items() if n.startswith("log_")}, facts[case.id])
        arrays.update({f"{case.id}/{name}": value for name, value in found.items()})
    print("failed:", failed)
    if not chosen:
        oracle.write_arrays("training", arrays)
        oracle.write_facts("training", facts)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
