"""Write `backend.npz`: what the uses of `tf.keras.backend` in `cases/backend.py` give in tf.keras 2."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import numpy as np
import tensorflow as tf
from cases import backend


def main() -> int:
    arrays = {}
    for name, value in list(vars(backend).items()):  # its functions take tensors alone
        if isinstance(value, np.ndarray):
            setattr(backend, name, tf.constant(value))
    for name, use in backend.CASES.items():
        for place, value in enumerate(tf.nest.flatten(use(tf.keras.backend))):
            arrays[f"{name}/{place}"] = np.asarray(value)
    oracle.write_arrays("backend", arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
