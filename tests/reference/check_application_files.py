"""Ready-made networks as files, between nacre, Keras 3 and tf.keras 2.15: each reads what others wrote.

`python -m tests.reference.check_application_files write FOLDER LIBRARY [FAMILY ...]` with each
library, then the same with `read`. LIBRARY is `nacre`, `keras` or `tf.keras`. A small network of
each family, with weights by a rule, is written as `.keras`, `.h5`, `.weights.h5`, and those of
tf.keras 2.15 alone as a folder too; what reads it compares all weights, which must be the same bits, and outputs.
tf.keras 2.15 opens no `.keras` and `.h5` of newer ones, whoever wrote them; what nacre writes for it
(`compat="keras-2.15"`) it does. What was seen stands in
`application_files.json` beside this file: by reader and writer, the largest difference of outputs
as a share of the largest output, or what was said.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.cases import applications as cases

RESULTS = Path(__file__).with_name("application_files.json")
ENDINGS = (".keras", ".h5", ".weights.h5")
FOR_KERAS_2 = "_keras2.h5"


def library(name: str) -> tuple[Any, str]:
    """The library, and its name with a version where there are several."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    if name == "tf.keras":
        tensorflow = importlib.import_module("tensorflow")
        return tensorflow.keras, f"tf.keras {tensorflow.__version__}"
    module = importlib.import_module(name)
    return module, name if name == "nacre" else f"Keras {module.__version__}"


def built(keras: Any, family: str) -> Any:
    keras.backend.clear_session()
    name, arguments = cases.SMALL[family]
    return getattr(keras.applications, name)(**cases.small(arguments))


def outputs(model: Any, family: str) -> np.ndarray:
    x = cases.pictures(cases.SMALL[family][1]["input_shape"])
    return np.asarray(model(x, training=False), np.float64)


def families(keras: Any, names: list[str]) -> list[str]:
    """Those that the library has, of the named ones or of all."""
    return [
        family
        for family in names or cases.FAMILIES
        if hasattr(keras.applications, cases.SMALL[family][0])
    ]


def endings(family: str) -> tuple[str, ...]:
    """The forms of its files; Keras 3 reads no folder as a model."""
    return (*ENDINGS, "", FOR_KERAS_2) if family in cases.OLD_FAMILIES else ENDINGS


def write(folder: Path, who: str, names: list[str]) -> None:
    keras, version = library(who)
    place = folder / version
    place.mkdir(parents=True, exist_ok=True)
    for family in families(keras, names):
        model = built(keras, family)
        cases.fill(model)
        np.save(place / f"{family}.npy", outputs(model, family))
        for ending in endings(family):
            path = place / f"{family}{ending}"
            if ending == ".weights.h5":
                model.save_weights(path)
            elif ending != FOR_KERAS_2:
                model.save(path)
            elif who == "nacre":
                model.save(path, compat="keras-2.15")
        print(f"{version} wrote {family}", flush=True)


def opened(keras: Any, path: Path, family: str, ending: str) -> Any:
    if ending == ".weights.h5":
        model = built(keras, family)
        model.load_weights(path)
        return model
    # Keras finds the layers of ConvNeXt and InceptionResNetV2 in no `.h5` file, of its own either.
    # Those it finds are not named: its op `Add` would be taken for the layer.
    kinds = {type(layer).__name__: type(layer) for layer in built(keras, family).layers}
    classes = {name: kind for name, kind in kinds.items() if not hasattr(keras.layers, name)}
    keras.backend.clear_session()
    return keras.models.load_model(path, custom_objects=classes, compile=False)


def compared(keras: Any, path: Path, family: str, ending: str) -> float | str:
    """The difference of outputs, or what went wrong."""
    wanted = np.load(path.with_name(f"{family}.npy"))
    try:
        model = opened(keras, path, family, ending)
        found = model.get_weights()
        cases.fill(model)
        given = model.get_weights()
        if not all(np.array_equal(a, b) for a, b in zip(found, given, strict=True)):
            return "weights differ"
        return float(f"{abs(outputs(model, family) - wanted).max() / abs(wanted).max():.1e}")
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def read(folder: Path, who: str, names: list[str]) -> None:
    keras, version = library(who)
    for place in sorted(folder.iterdir()):
        if place.name == version:
            continue
        key = f"{version} reads {place.name}"
        for family in families(keras, names):
            for ending in endings(family):
                path = place / f"{family}{ending}"
                if path.exists():
                    remember(key, path.name, compared(keras, path, family, ending))


def remember(key: str, name: str, found: float | str) -> None:
    print(f"{key}: {name} {found}", flush=True)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    known.setdefault(key, {})[name] = found
    ordered = {one: dict(sorted(known[one].items())) for one in sorted(known)}
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    what, folder, who, *names = sys.argv[1:]
    {"write": write, "read": read}[what](Path(folder), who, names)
