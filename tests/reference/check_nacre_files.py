"""Open files written by nacre with real Keras and compare predictions.

Usage: python check_nacre_files.py FOLDER [--tolerance 1e-6]

FOLDER holds `expected.npz` with keys `<model>/x_<i>` and `<model>/y_<i>`, and for each model any
of `<model>.keras`, `<model>.h5`, `<model>.weights.h5` (the last needs `<model>.json`, the text of
`to_json()`). A suffix that is no number is a name: `x_left`, `y_value` for dict inputs and outputs.
Optional: `<model>/count`, the number of parameters, compared for `.keras` files; and
`<model>/target_<i>` and `<model>/resumed_y_<i>`: the loaded model trains one step on
the batch and is compared again, which proves that the optimizer state travelled too (`.keras`
only: Keras restores no optimizer from JSON, nor from `.h5`, which train on with a fresh one).
Prints one line per file; the exit status is 1 when any file differs or does not open.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import oracle  # isort: skip  # noqa: F401  (sets the environment up)
import keras
import numpy as np
from cases.models import arrange, spread

ENDINGS = (".keras", ".h5", ".weights.h5")


def load_expected(folder: Path) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """`{model: {"x": {suffix: array}, "y": ..., "target": ..., "resumed_y": ...}}`."""
    models: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    with np.load(folder / "expected.npz", allow_pickle=False) as archive:
        for name in archive.files:
            model, key = name.rsplit("/", 1)
            for kind in ("resumed_y", "target", "count", "x", "y"):
                if key == kind or key.startswith(f"{kind}_"):
                    suffix = key[len(kind) + 1 :]
                    models.setdefault(model, {}).setdefault(kind, {})[suffix] = archive[name]
                    break
    return models


def arranged(arrays: dict[str, np.ndarray]) -> Any:
    """One array, a list, or a dict, by the suffixes."""
    return arrays["0"] if set(arrays) == {"0"} else arrange(arrays)


def largest_difference(got: Any, expected: dict[str, np.ndarray]) -> float:
    """The largest |got - expected| / (1 + |expected|) over all outputs."""
    outputs = {name or "0": np.asarray(value) for name, value in spread(got).items()}
    expected = {name or "0": value for name, value in expected.items()}
    if set(outputs) != set(expected):
        raise ValueError(f"outputs are {sorted(outputs)}, expected {sorted(expected)}")
    worst = 0.0
    for name, value in expected.items():
        if outputs[name].shape != value.shape:
            raise ValueError(f"output {name}: shape {outputs[name].shape}, not {value.shape}")
        difference = np.abs(outputs[name].astype("float64") - value) / (1 + np.abs(value))
        worst = max(worst, float(difference.max(initial=0.0)))
    return worst


def load(path: Path, ending: str) -> Any:
    if ending == ".weights.h5":
        architecture = path.with_name(path.name.removesuffix(ending) + ".json")
        model = keras.models.model_from_json(architecture.read_text(encoding="utf-8"))
        model.load_weights(path)
        return model
    return keras.models.load_model(path)


def check(path: Path, ending: str, expected: dict[str, dict[str, np.ndarray]]) -> list[tuple]:
    """Rows (what, difference or the error's text)."""
    try:
        model = load(path, ending)
        inputs = arranged(expected["x"])
        if isinstance(inputs, dict) and set(inputs) <= {str(i) for i in range(len(inputs))}:
            inputs = [inputs[str(i)] for i in range(len(inputs))]
        rows = [("predict", largest_difference(model.predict(inputs, verbose=0), expected["y"]))]
        if "count" in expected and ending == ".keras":
            # Keras unties layers of nested models when it reads its older formats.
            rows.append(("count", abs(float(model.count_params() - expected["count"][""]))))
        can_train = model.compiled and "resumed_y" in expected and "target" in expected
        if can_train:
            loss = np.asarray(model.train_on_batch(inputs, arranged(expected["target"])))
            rows.append(("trains", 0.0 if np.isfinite(loss).all() else float("inf")))
        if can_train and ending == ".keras":
            after = model.predict(inputs, verbose=0)
            rows.append(("resume", largest_difference(after, expected["resumed_y"])))
        return rows
    except Exception as error:
        return [("open", f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-6)
    options = parser.parse_args()
    num_bad = num_files = 0
    print(f"{'file':44} {'check':8} {'difference':>12}")
    for model, expected in sorted(load_expected(options.folder).items()):
        for ending in ENDINGS:
            path = options.folder / f"{model}{ending}"
            if not path.exists() or (
                ending == ".weights.h5" and not (options.folder / f"{model}.json").exists()
            ):
                continue
            num_files += 1
            for what, result in check(path, ending, expected):
                is_good = isinstance(result, float) and result <= options.tolerance
                num_bad += not is_good
                shown = f"{result:12.2e}" if isinstance(result, float) else result
                print(f"{path.name:44} {what:8} {shown} {'ok' if is_good else 'DIFFERS'}")
    print(f"{num_files} files, {num_bad} differences, Keras {keras.__version__}")
    return 1 if num_bad or not num_files else 0


if __name__ == "__main__":
    sys.exit(main())
