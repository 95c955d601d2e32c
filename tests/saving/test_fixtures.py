"""Every stored file of Keras 1, 2 and 3 opens, computes the same and goes on training the same."""

from __future__ import annotations

import numpy as np
import pytest

import nacre
from nacre.saving import load_model
from tests.cases.models import MODEL_CASES_BY_ID
from tests.saving.helpers import FILES, FOLDERS, difference, stored

MODELS = [
    (folder, path.name)
    for folder in FOLDERS
    for path in sorted((FILES / folder).glob("*.*"))
    if path.suffix in (".keras", ".h5") and "weights" not in path.name
]
WEIGHTS = [
    (folder, path.name)
    for folder in FOLDERS
    for path in sorted((FILES / folder).glob("*weights.h5"))
]


@pytest.mark.parametrize(("folder", "name"), MODELS)
def test_file_opens_predicts_and_resumes_as_in_keras(folder, name):
    model = load_model(FILES / folder / name)
    case = name.rsplit(".", 1)[0]
    inputs = stored(folder, case, "input")
    assert difference(model.predict(inputs, verbose=0), stored(folder, case, "prediction")) < 1e-6
    resumed = stored(folder, case, "resumed_prediction")
    if resumed is not None:
        model.train_on_batch(inputs, stored(folder, case, "target"))
        # Keras 2 leaves Nadam's running product out of the file, and does not keep it by the formula.
        tolerance = 1e-4 if (folder, case) == ("legacy", "embedding") else 1e-6
        assert difference(model.predict(inputs, verbose=0), resumed) < tolerance


@pytest.mark.parametrize(("folder", "name"), WEIGHTS)
def test_weights_file_fits_a_model_built_here(folder, name):
    case_id = name.replace(".weights.h5", "").replace("_weights.h5", "")
    model = MODEL_CASES_BY_ID[case_id].builder(nacre)
    inputs = stored(folder, case_id, "input")
    model(inputs)
    model.load_weights(FILES / folder / name)
    assert (
        difference(model.predict(inputs, verbose=0), stored(folder, case_id, "prediction")) < 1e-6
    )


def test_weights_come_out_of_whole_models_and_checkpoints_too():
    names = ("sequential_dense.keras", "sequential_dense.h5", "legacy/sequential_dense.h5")
    for name in (*names, "legacy/sequential_dense_checkpoint"):
        model = MODEL_CASES_BY_ID["sequential_dense"].builder(nacre)
        model.load_weights(FILES / name)
        folder = "legacy" if "legacy" in name else ""
        inputs = stored(folder, "sequential_dense", "input")
        wanted = stored(folder, "sequential_dense", "prediction")
        assert difference(model.predict(inputs, verbose=0), wanted) < 1e-6


@pytest.mark.parametrize("case", ["sequential_dense", "cnn_first_layer_shape"])
def test_a_savedmodel_folder_of_keras_2_is_its_layers_which_train_on(case):
    model = load_model(FILES / "legacy" / f"{case}_saved_model")
    inputs, target = stored("legacy", case, "input"), stored("legacy", case, "target")
    found = model.predict(inputs, verbose=0)
    assert difference(found, stored("legacy", case, "prediction")) < 1e-6
    model.train_on_batch(inputs, target)
    resumed = model.predict(inputs, verbose=0)
    assert difference(resumed, stored("legacy", case, "resumed_prediction")) < 1e-6


def test_compile_false_gives_an_uncompiled_model():
    model = load_model(FILES / "sequential_dense.keras", compile=False)
    assert not model.compiled
    assert np.isfinite(model.predict(np.ones((2, 4), "float32"), verbose=0)).all()
