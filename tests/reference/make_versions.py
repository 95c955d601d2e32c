"""Write `versions/<name>.tar.xz`: models saved by one version of Keras, with what they compute.

Usage: python make_versions.py [keras2|keras3] [id of a case ...]

The version is that of the environment. Each archive holds `<case>.keras`, `.h5`, `.weights.h5`,
from tf.keras 2 the folder `<case>` (a SavedModel) and `<case>.config` for one written without
traces; `expected.npz` and `expected.json` as in `files/` (see `make_files.py`).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # layers of strings need it

import oracle  # isort: skip
import make_files
import numpy as np
from cases.models import TRAINING_STEPS, arrange, spread
from cases.spec import generator
from cases.version_models import VERSION_CASES, VersionCase
from make_files import key

FOLDER = oracle.FOLDER / "versions"
WITHOUT_TRACES = ("functional_named", "own_layer", "words")


def library_of(name: str) -> Any:
    if name == "keras2":
        import tensorflow as tf

        return tf.keras
    import keras

    if not hasattr(keras.mixed_precision, "LossScaleOptimizer"):
        keras.mixed_precision.LossScaleOptimizer = keras.optimizers.LossScaleOptimizer
    return keras


def given(arrays: Any) -> Any:
    """Inputs as the library takes them: tensors, as strings must be."""
    import tensorflow as tf

    def one(array: np.ndarray) -> Any:
        return tf.constant(array.tolist() if array.dtype.kind == "U" else array)

    return arrange({name: one(array) for name, array in spread(arrays).items()})


def name_of(weight: Any) -> str:
    """A weight's path, or its name; tables of tf.keras 2 have neither."""
    return getattr(weight, "path", None) or getattr(weight, "name", "table")


def reset(model: Any) -> None:
    """The states of recurrent layers back to zeros."""
    for layer in model._flatten_layers() if hasattr(model, "_flatten_layers") else []:
        if getattr(layer, "stateful", False):
            getattr(layer, "reset_states", getattr(layer, "reset_state", None))()


def predicted(model: Any, inputs: Any) -> dict[str, np.ndarray]:
    reset(model)
    found = spread(model(given(inputs), training=False))
    reset(model)
    return {name: np.asarray(value) for name, value in found.items()}


def record(case: VersionCase, library: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The model after some steps of training, and what it computes."""
    library.utils.set_random_seed(1)
    library.backend.clear_session()
    inputs, targets = (arrange(arrays) for arrays in make_files.data_of(case))
    model = case.builder(library)
    if case.needs_adapt:
        model.get_layer("normalization").adapt(inputs)
    model(given(inputs))
    random = generator(f"{case.id} weights")
    adapted = [layer for layer in model.layers if hasattr(layer, "adapt")]
    aside = {id(weight) for layer in adapted for weight in layer.weights}
    for weight in model.weights:  # frozen ones too; no zero biases: they would hide mistakes
        name = name_of(weight)
        if id(weight) in aside or any(word in name for word in ("seed", "state")):
            continue
        value = oracle.weight_values(random, name, tuple(weight.shape), "float32")
        weight.assign(value * 0.7)
    for _ in range(TRAINING_STEPS):
        reset(model)
        model.train_on_batch(given(inputs), given(targets))
    arrays = {key("input", name): value for name, value in spread(inputs).items()}
    arrays |= {key("target", name): value for name, value in spread(targets).items()}
    arrays |= {key("prediction", n): value for n, value in predicted(model, inputs).items()}
    facts = {
        "weights": [name_of(weight) for weight in model.weights],
        "trainable": [name_of(weight) for weight in model.trainable_weights],
    }
    return model, arrays, facts


def resume(case: VersionCase, model: Any, arrays: dict[str, Any]) -> None:
    """One step more from the saved state."""
    if case.has_randomness:
        return
    inputs, targets = (arrange(found) for found in make_files.data_of(case))
    reset(model)
    model.train_on_batch(given(inputs), given(targets))
    found = predicted(model, inputs)
    arrays |= {key("resumed_prediction", name): value for name, value in found.items()}


def write(case: VersionCase, model: Any, folder: Path, is_keras2: bool) -> dict[str, str]:
    """Every form the version can write; what it cannot is told by its error."""
    forms = {".weights.h5": lambda p: model.save_weights(p)}
    if case.is_serializable:
        forms |= {".keras": lambda p: model.save(p), ".h5": lambda p: model.save(p)}
    if is_keras2:
        forms[""] = lambda p: model.save(p, save_format="tf")
        if case.id in WITHOUT_TRACES:
            forms[".config"] = lambda p: model.save(p, save_format="tf", save_traces=False)
    refused = {}
    for ending, save in forms.items():
        path = folder / f"{case.id}{ending}"
        try:
            save(str(path))
        except Exception as error:
            refused[ending] = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
            shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)
    return refused


def pack(folder: Path, name: str) -> None:
    """The archive of a folder, the same bytes for the same files."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.tar.xz"

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
        return info

    with tarfile.open(path, "w:xz", preset=9) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.name != "fingerprint.pb":
                archive.add(file, str(file.relative_to(folder)), filter=plain)
    print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    name, *chosen = sys.argv[1:] or ["keras3"]
    library = library_of(name)
    import keras

    version = keras.__version__
    folder = Path(tempfile.mkdtemp())
    everything: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    for case in VERSION_CASES:
        if chosen and case.id not in chosen:
            continue
        print(case.id, flush=True)
        model, arrays, facts[case.id] = record(case, library)
        facts[case.id]["refused"] = write(case, model, folder, name == "keras2")
        if facts[case.id]["refused"]:
            print("   ", facts[case.id]["refused"])
        resume(case, model, arrays)
        everything |= {f"{case.id}/{n}": value for n, value in arrays.items()}
    facts["keras_version"] = version
    np.savez(folder / "expected.npz", **everything)
    text = json.dumps(facts, indent=1) + "\n"
    (folder / "expected.json").write_text(text, encoding="utf-8")
    if not chosen:
        pack(folder, f"keras-{version}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
