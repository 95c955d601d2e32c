"""Write `files/`: models saved by real Keras, with what they must compute.

Usage: KERAS_BACKEND=jax python make_files.py            → files/
       KERAS_BACKEND=tensorflow python make_files.py     → files/tensorflow/ (fewer models)
       KERAS_BACKEND=jax python make_files.py compare    compares the two layouts

With the legacy environment (tf_keras, Keras 2): python make_files.py legacy → files/legacy/
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import oracle  # isort: skip
import h5py
import numpy as np
from cases.models import MODEL_CASES, TRAINING_STEPS, ModelCase, arrange, spread
from cases.spec import draw, generator

FILES = oracle.FOLDER / "files"
TENSORFLOW_TOO = ("sequential_dense", "cnn_batch_normalization", "recurrent", "functional_named")


def data_of(case: ModelCase) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    random = generator(case.id)
    inputs = {name: draw(spec, random) for name, spec in spread(case.inputs).items()}
    targets = {name: draw(spec, random) for name, spec in spread(case.targets).items()}
    if case.id == "recurrent":
        inputs[""][::2, 3:] = 0.0  # time steps for the Masking layer to skip
    return inputs, targets


def key(prefix: str, name: str) -> str:
    return f"{prefix}_{name}" if name else prefix


def train_and_record(case: ModelCase, library: Any) -> tuple[Any, dict, dict]:
    """Build, train two steps, and write down what the model then computes."""
    library.utils.set_random_seed(1)
    library.backend.clear_session()
    inputs, targets = data_of(case)
    model = case.builder(library)
    if case.needs_adapt:
        model.get_layer("normalization").adapt(inputs[""])
    model(arrange(inputs))
    random = generator(f"{case.id} weights")
    for weight in model.trainable_weights:  # no zero biases: they would hide mistakes
        name = getattr(weight, "path", weight.name)
        value = oracle.weight_values(random, name, tuple(weight.shape), "float32")
        weight.assign(value * 0.7)
    for _ in range(TRAINING_STEPS):
        model.train_on_batch(arrange(inputs), arrange(targets))
    model.reset_metrics()
    arrays = {key("input", name): value for name, value in inputs.items()}
    arrays |= {key("target", name): value for name, value in targets.items()}
    predictions = spread(model.predict(arrange(inputs), verbose=0))
    arrays |= {key("prediction", name): value for name, value in predictions.items()}
    evaluated = model.evaluate(arrange(inputs), arrange(targets), verbose=0, return_dict=True)
    arrays |= {f"weight_{i}": np.asarray(w) for i, w in enumerate(model.get_weights())}
    facts = {
        "evaluate": {name: float(value) for name, value in evaluated.items()},
        "weights": [getattr(w, "path", w.name) for w in model.weights],
    }
    return model, arrays, facts


def resume(case: ModelCase, model: Any, arrays: dict) -> None:
    """One more training step, from the saved optimizer state on."""
    if case.has_randomness:
        return
    inputs, targets = data_of(case)
    model.train_on_batch(arrange(inputs), arrange(targets))
    predictions = spread(model.predict(arrange(inputs), verbose=0))
    arrays |= {key("resumed_prediction", name): value for name, value in predictions.items()}


def write_model(model: Any, case: ModelCase, folder: Path) -> None:
    model.save_weights(folder / f"{case.id}.weights.h5")
    if case.is_serializable:
        model.save(folder / f"{case.id}.keras")
        model.save(folder / f"{case.id}.h5")
        text = json.dumps(json.loads(model.to_json()), separators=(",", ":"))
        (folder / f"{case.id}.json").write_text(text + "\n", encoding="utf-8")


def read_back(case: ModelCase, folder: Path, library: Any) -> dict[str, str]:
    """Whether the library opens its own files: "compiled", "uncompiled", or the error."""
    found = {}
    for ending in (".keras", ".h5") if case.is_serializable else ():
        for compiled in (True, False):
            try:
                model = library.models.load_model(folder / f"{case.id}{ending}", compile=compiled)
                inputs = arrange(data_of(case)[0])
                model.predict(inputs, verbose=0)
                found[ending] = "compiled" if compiled else "uncompiled"
                break
            except Exception as error:
                found[ending] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return found


def write_expected(folder: Path, arrays: dict, facts: dict) -> None:
    np.savez_compressed(folder / "expected.npz", **arrays)
    text = json.dumps(facts, indent=1)
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{folder}: {size / 1e3:.0f} kB")


def write_keras3() -> None:
    import keras

    is_jax = keras.backend.backend() == "jax"
    folder = FILES if is_jax else FILES / "tensorflow"
    folder.mkdir(parents=True, exist_ok=True)
    everything: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for case in MODEL_CASES:
        if not is_jax and case.id not in TENSORFLOW_TOO:
            continue
        print(case.id, flush=True)
        model, arrays, facts[case.id] = train_and_record(case, keras)
        facts[case.id]["keras_version"] = keras.__version__
        facts[case.id]["backend"] = keras.backend.backend()
        facts[case.id]["optimizer"] = [[v.path, list(v.shape)] for v in model.optimizer.variables]
        write_model(model, case, folder)
        facts[case.id]["keras_reads"] = read_back(case, folder, keras)
        resume(case, model, arrays)
        everything.update({f"{case.id}/{name}": value for name, value in arrays.items()})
    if not is_jax:
        export_saved_model(folder)
    write_expected(folder, everything, facts)


def export_saved_model(folder: Path) -> None:
    """`model.export`: an inference SavedModel folder by Keras 3."""
    import keras

    model = keras.models.load_model(folder / "sequential_dense.keras")
    model.export(folder / "sequential_dense_exported", format="tf_saved_model", verbose=False)


def write_keras2() -> None:
    """The same models by Keras 2: `.h5`, weights, the old `.keras`, and SavedModel folders."""
    import tf_keras

    folder = FILES / "legacy"
    folder.mkdir(parents=True, exist_ok=True)
    everything: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for case in MODEL_CASES:
        if not case.in_legacy:
            continue
        print(case.id, flush=True)
        model, arrays, facts[case.id] = train_and_record(case, tf_keras)
        facts[case.id]["keras_version"] = tf_keras.__version__
        facts[case.id]["optimizer"] = [[v.name, list(v.shape)] for v in model.optimizer.variables]
        model.save(folder / f"{case.id}.h5")
        model.save_weights(folder / f"{case.id}_weights.h5")
        if case.id in ("sequential_dense", "cnn_batch_normalization", "functional_named"):
            model.save(folder / f"{case.id}.keras")
        if case.id in ("sequential_dense", "cnn_first_layer_shape"):
            model.save(folder / f"{case.id}_saved_model", save_format="tf")
        if case.id == "sequential_dense":
            model.save_weights(folder / "sequential_dense_checkpoint")
        (folder / f"{case.id}.json").write_text(model.to_json() + "\n", encoding="utf-8")
        resume(case, model, arrays)
        everything.update({f"{case.id}/{name}": value for name, value in arrays.items()})
    write_expected(folder, everything, facts)


def layout(path: Path) -> dict[str, Any]:
    """Names, shapes and dtypes in an HDF5 file (also the one inside a `.keras`)."""
    if path.suffix == ".keras":
        import io

        with zipfile.ZipFile(path) as archive:
            source: Any = io.BytesIO(archive.read("model.weights.h5"))
            found: dict[str, Any] = {"config": json.loads(archive.read("config.json"))}
    else:
        source, found = path, {}
    with h5py.File(source) as file:
        file.visititems(
            lambda name, item: found.__setitem__(
                name, (item.shape, str(item.dtype)) if isinstance(item, h5py.Dataset) else "group"
            )
        )
        found["attributes"] = sorted(file.attrs)
    return found


def differing(one: Any, other: Any, where: str) -> list[str]:
    """Where two nested values differ, one line each; memory addresses do not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted((set(one) | set(other)) - {"shared_object_id"})
        return [
            line
            for name in names
            for line in differing(one.get(name), other.get(name), f"{where}/{name}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for i, (a, b) in pairs for line in differing(a, b, f"{where}/{i}")]
    return [] if one == other else [f"{where}: {one} | {other}"]


def compare_layouts() -> int:
    """Print where files by the two backends differ."""
    differences = 0
    for path in sorted((FILES / "tensorflow").glob("*")):
        if path.suffix not in (".keras", ".h5"):
            continue
        ours, theirs = layout(FILES / path.name), layout(path)
        for name in sorted(set(ours) | set(theirs)):
            for line in differing(ours.get(name), theirs.get(name), name):
                differences += 1
                print(path.name, line)
    print("differences:", differences)
    return 0


def main() -> int:
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "compare":
        return compare_layouts()
    if what == "legacy":
        write_keras2()
    else:
        write_keras3()
    return 0


if __name__ == "__main__":
    sys.exit(main())
