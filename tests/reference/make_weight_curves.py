"""Write `weight_curves.npz`: fifty steps of Keras for weights, masks and accumulation."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import keras
from cases.weight_curves import CURVES, run


def main() -> int:
    arrays = {}
    for curve in CURVES:
        for name, value in run(keras, curve, knows_classes=False).items():
            arrays[f"{curve.id}/{name}"] = value.astype("float32")
    oracle.write_arrays("weight_curves", arrays)
    return 0


if __name__ == "__main__":
    sys.exit(main())
