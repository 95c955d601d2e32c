"""Call in real TensorFlow a SavedModel of every layer of the table, and open it with tf.keras 2.15.

`python -m tests.reference.check_layer_models write FOLDER` with nacre, then the same with `read`
where TensorFlow is installed, 2.15 or newer; `make interop` does both. What was seen stands in
`layer_models.json` beside this file, by version: how many layers agree, and which differ, why.
Compared are calls with `training` False and, where nothing is drawn, True; with tf.keras 2.15 what
the layers give that it makes of the folder's configs.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).with_name("layer_models.json")
CASES = "layers.pkl"
NEAR = 2e-4
# What TensorFlow itself does otherwise than it says, seen without any file.
OF_TENSORFLOW = {
    "max_pooling2d_first": "2.15 pools channels first on the CPU wrongly: so does tf.nn.max_pool2d",
    "average_pooling2d_first": "2.15 pools channels first on the CPU wrongly, as above",
}


def write(folder: Path) -> None:
    """A model of each row of the table, with what nacre gives."""
    import nacre
    from nacre.core import tree
    from tests.contracts import layer_rows

    found: dict[str, Any] = {}
    for row in layer_rows.ROWS:
        nacre.utils.set_random_seed(1)
        positional, keywords = layer_rows.call_of(row)
        keywords = {name: value for name, value in keywords.items() if name != "training"}
        layer = layer_rows.built(row)
        arrays: list[Any] = []

        def as_input(leaf: Any, arrays: list[Any] = arrays) -> Any:
            if not hasattr(leaf, "shape") or not np.ndim(leaf):
                return leaf
            array = np.asarray(leaf)
            arrays.append(array)
            text = array.dtype.kind in "OSU"
            name, kind = f"x{len(arrays) - 1}", "string" if text else array.dtype.name
            return nacre.Input(array.shape[1:], dtype=kind, name=name)

        case: dict[str, Any] = {"class": row.layer, "is_random": row.has_randomness}
        found[row.id] = case
        try:
            args, kwargs = tree.map_structure(as_input, (list(positional), dict(keywords)))
            inputs = [leaf for leaf in tree.flatten((args, kwargs)) if hasattr(leaf, "dtype")]
            model = nacre.Model(inputs, layer(*args, **kwargs))
            layer.set_weights(layer_rows.weights_of(row, layer))
            given = arrays if len(arrays) > 1 else arrays[0]
            flat = lambda y: [np.asarray(leaf) for leaf in tree.flatten(y)]
            case["x"], case["y"] = arrays, flat(model(given, training=False))
            model.save(folder / "layers" / row.id, verify=False)
            if not row.has_randomness:
                case["trained"] = flat(model(given, training=True))
        except Exception as error:
            case["refused"] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
            print(row.id, case["refused"], flush=True)
    (folder / CASES).write_bytes(pickle.dumps(found))


def difference(got: Any, wanted: list[np.ndarray]) -> str | None:
    """What differs; None where nothing does."""
    import tensorflow as tf

    arrays = [np.asarray(a) for a in tf.nest.flatten(got)]
    if len(arrays) != len(wanted):
        return f"{len(arrays)} outputs in place of {len(wanted)}"
    for a, b in zip(arrays, wanted, strict=True):
        if a.shape != b.shape:
            return f"shape {a.shape} in place of {b.shape}"
        if a.dtype.kind in "OSU" or b.dtype.kind in "OSU":
            words = [t.decode() if isinstance(t, bytes) else str(t) for t in a.ravel().tolist()]
            if words != [str(t) for t in b.ravel().tolist()]:
                return "other texts"
            continue
        a, b = (v.astype("complex128" if v.dtype.kind == "c" else "float64") for v in (a, b))
        near = np.isclose(a, b, NEAR, NEAR, equal_nan=True)
        if not near.all():
            return f"numbers, by up to {np.nanmax(np.abs(a - b)):.3g}"
    return None


def read_layer(path: str, case: dict[str, Any]) -> dict[str, str]:
    """What differs, by what was called."""
    import tensorflow as tf

    given = [tf.constant(x) for x in case["x"]]
    x: Any = given if len(given) > 1 else given[0]
    seen: dict[str, str | None] = {}

    def compare(what: str, call: Any, wanted: list[np.ndarray]) -> None:
        try:
            seen[what] = difference(call(), wanted)
        except Exception as error:
            seen[what] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"

    try:
        model = tf.saved_model.load(path)
    except Exception as error:
        return {"load": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"}
    compare("call", lambda: model(x), case["y"])
    if tf.__version__.startswith("2.15"):
        compare("tf.keras", lambda: tf.keras.models.load_model(path)(x, training=False), case["y"])
    if "trained" in case:  # last, as statistics change
        compare("training", lambda: model(x, training=True), case["trained"])
    return {what: found for what, found in seen.items() if found is not None}


def read(folder: Path, names: list[str]) -> None:
    """Compare all, or what is named."""
    import tensorflow as tf

    cases = pickle.loads((folder / CASES).read_bytes())
    differing: dict[str, Any] = {}
    count = 0
    for name in names or cases:
        if "refused" in cases[name]:
            continue
        found = read_layer(str(folder / "layers" / name), cases[name])
        count += 1
        if found:
            why = {"why": OF_TENSORFLOW[name]} if name in OF_TENSORFLOW else {}
            differing[name] = {**found, **why}
            print(name, found, flush=True)
    print(f"{count} layers, {len(differing)} differ")
    if names:
        return
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    known["refused"] = {name: c["refused"] for name, c in cases.items() if "refused" in c}
    known[f"TensorFlow {tf.__version__}"] = {"compared": count, "differing": differing}
    RESULTS.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        read(Path(sys.argv[2]), sys.argv[3:])
