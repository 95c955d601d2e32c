"""Write `preprocessing.npz` and `.json`: hashes, changed pictures, spectrograms, configs."""

from __future__ import annotations

import sys

import oracle  # isort: skip
import keras
import numpy as np
from cases.layers_preprocessing import GIVEN_CASES, PREPROCESSING_CASES
from cases.spec import build_layer, draw, generator


def run_case(case):
    random = generator(case.id)
    inputs = [draw(spec, random) for spec in case.inputs]
    layer = build_layer(case, keras)
    given = [inputs] if case.call_style == "list" else inputs
    output = layer(*given, **case.call_kwargs)
    arrays = {f"input_{i}": value for i, value in enumerate(inputs)}
    arrays["output"] = np.asarray(output)
    return arrays, {"config": oracle.stable_config(layer)}


def run_given(name, kind, kwargs):
    random = generator(name)
    images = random.uniform(0, 255, (4, 8, 10, 3)).astype("float32")
    labels = np.eye(4, dtype="float32")
    layer = getattr(keras.layers, kind)(seed=3, **kwargs)
    drawn = layer.get_random_transformation(images, training=True)
    arrays = {"images": images, "labels": labels}
    arrays["output"] = np.asarray(layer.transform_images(images, drawn))
    if kind in ("MixUp", "CutMix"):
        arrays["output_labels"] = np.asarray(layer.transform_labels(labels, drawn))
    for key, value in drawn.items():
        if hasattr(value, "shape"):
            arrays[f"drawn_{key}"] = np.asarray(value)
    return arrays, {"config": oracle.stable_config(layer)}


def main() -> int:
    arrays, facts = {}, {}
    work = [(case.id, run_case, (case,)) for case in PREPROCESSING_CASES]
    work += [(case[0], run_given, case) for case in GIVEN_CASES]
    for name, run, arguments in work:
        found, facts[name] = run(*arguments)
        arrays.update({f"{name}/{key}": value for key, value in found.items()})
    oracle.write_arrays("preprocessing", arrays)
    oracle.write_facts("preprocessing", facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
