"""Write `files/graphs/`: models of `cases/graphs.py` saved by real Keras, and what they compute.

Usage: KERAS_BACKEND=jax python make_graphs.py
"""

from __future__ import annotations

import zipfile

import oracle  # isort: skip
import keras
import numpy as np
from cases.graphs import GRAPH_CASES, computed, set_weights

FOLDER = oracle.FOLDER / "files" / "graphs"
# `.h5` too, where Keras 3.15.1 opens its own.
WITH_H5 = (
    "nested_three_deep", "sequential_twice", "shared_three_deep", "mask_through_layers",
    "starts_in_the_middle",
)  # fmt: skip

# Keras opens none of these files of its own: it stores the arrays of the layer once.
KERAS_CANNOT_REOPEN = (
    "shared_by_two_models_and_outside", "shared_with_a_sequential", "shared_model",
)  # fmt: skip


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for case in GRAPH_CASES:
        keras.utils.set_random_seed(1)
        keras.backend.clear_session()
        model = case.builder(keras)
        set_weights(case.id, model)
        arrays |= computed(case.id, model)
        if case.keras_can or case.id in KERAS_CANNOT_REOPEN:
            save(model, case.id)
        if case.id in WITH_H5:
            model.save(FOLDER / f"{case.id}.h5")
    built_by_fit(arrays)
    np.savez_compressed(FOLDER / "expected.npz", **arrays)
    size = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{FOLDER}: {len(arrays)} arrays, {size / 1e3:.0f} kB")


def save(model: keras.Model, name: str) -> None:
    """A `.keras` file, its members compressed: the folder is a tenth as large."""
    path = FOLDER / f"{name}.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED)


def built_by_fit(arrays: dict[str, np.ndarray]) -> None:
    """A stack without an input: `fit` on 6 rows in batches of 4 ends with a batch of 2."""
    x = np.random.default_rng(0).uniform(-1, 1, (6, 3)).astype("float32")
    model = keras.Sequential([keras.layers.Dense(4, name="a"), keras.layers.Dense(2, name="b")])
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((6, 2), "float32"), batch_size=4, verbose=0, shuffle=False)
    save(model, "built_by_fit")
    model.save(FOLDER / "built_by_fit.h5")
    arrays["built_by_fit/x_0"], arrays["built_by_fit/y_0"] = x, model.predict(x, verbose=0)
    arrays["built_by_fit/count"] = np.asarray(model.count_params())


if __name__ == "__main__":
    main()
