"""Let nacre write the models of `cases/graphs.py`, for `check_nacre_files.py` to open in Keras.

Usage: python write_graphs.py FOLDER        (with nacre)
       KERAS_BACKEND=jax python check_nacre_files.py FOLDER        (with Keras)
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT.parent), str(ROOT.parent.parent)]

import numpy as np  # noqa: E402
from cases.graphs import GRAPH_CASES, MASKED, computed, set_weights  # noqa: E402

import nacre  # noqa: E402


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for case in GRAPH_CASES:
        nacre.backend.clear_session()
        model = case.builder(nacre)
        if case.id in MASKED:  # as Keras computes them: written by Keras, opened here
            model = nacre.models.load_model(ROOT / "files" / "graphs" / f"{case.id}.keras")
        set_weights(case.id, model)
        arrays |= computed(case.id, model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(folder / f"{case.id}.keras")
            if case.id not in ("twice_in_a_stack", "shared_three_deep"):  # nor its own by Keras
                model.save(folder / f"{case.id}.h5")
            if case.keras_can:  # from JSON Keras makes a shared layer once for each graph
                model.save_weights(folder / f"{case.id}.weights.h5")
                (folder / f"{case.id}.json").write_text(model.to_json(), encoding="utf-8")
    np.savez_compressed(folder / "expected.npz", **arrays)


if __name__ == "__main__":
    main()
