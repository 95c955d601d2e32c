"""Files that versions of Keras from 2.12 to 3.15 wrote open, compute the same and train on the same.

Each archive in `reference/versions` holds the files of one version; `reference/make_versions.py`
wrote them.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import NotBuiltError, SerializationError
from nacre.core.tree import flatten
from nacre.datasets.download import unpack_tar
from nacre.saving import load_model
from tests.cases.models import arrange
from tests.cases.version_models import VERSION_CASES, VERSION_CASES_BY_ID, VersionCase
from tests.saving.helpers import all_of, difference

VERSIONS = Path(__file__).parents[1] / "reference" / "versions"
NAMES = sorted(path.name.removesuffix(".tar.xz") for path in VERSIONS.glob("*.tar.xz"))
ENDINGS = (".keras", ".h5", "", ".config")
# Whole models go through all their forms once; a form has the same program as the one before it.
PAIRS = [
    pytest.param(name, case.id, marks=() if case.id == "functional_named" else pytest.mark.slow)
    for name in NAMES
    for case in VERSION_CASES
]


def unpack(name: str, folder: Path) -> Path:
    """The folder with a version's files in it."""
    unpack_tar(VERSIONS / f"{name}.tar.xz", folder)
    return folder


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: Any) -> Any:
    """The folder of a version's files, unpacked when it is first asked for."""
    folders: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in folders:
            folders[name] = unpack(name, tmp_path_factory.mktemp(name))
        return folders[name]

    return folder


def stored(folder: Path, case: str, what: str) -> Any:
    with np.load(folder / "expected.npz") as arrays:
        beginning = f"{case}/{what}"
        found = {
            name[len(beginning) :].lstrip("_"): arrays[name]
            for name in arrays.files
            if name == beginning or name.startswith(f"{beginning}_")
        }
    return arrange(found) if found else None


def reset(model: Any) -> None:
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False):
            layer.reset_state()


def predicted(model: Any, inputs: Any) -> Any:
    reset(model)
    found = model.predict(inputs, verbose=0, batch_size=6)
    reset(model)
    return found


Computed = dict[Any, tuple[Any, Any, Any]]


@pytest.fixture(scope="module")
def computed() -> Computed:
    """What models computed, by all that decides it: files of several versions open as the same."""
    return {}


def numbers_of(model: Any, inputs: Any, target: Any, known: Computed) -> tuple[Any, Any, Any]:
    """What a model predicts, how many variables it trains, and what it predicts after a step."""
    given = [
        (np.asarray(x).dtype, np.shape(x), np.asarray(x).tolist())
        for x in flatten((inputs, target))
    ]
    key = (all_of(model), str(given))
    if key not in known:
        found, trained = predicted(model, inputs), len(model.trainable_weights)
        resumed = None
        if target is not None:
            model.train_on_batch(inputs, target)
            resumed = predicted(model, inputs)
        known[key] = found, trained, resumed
    return known[key]


def opened(path: Path, case: VersionCase) -> Any:
    classes = case.own_classes(nacre) if case.own_classes else {}
    return load_model(path, classes, safe_mode=case.is_safe)


@pytest.mark.parametrize(("name", "case_id"), PAIRS)
def test_file_of_a_version_opens_computes_the_same_and_trains_on(name, case_id, unpacked, computed):
    folder, case = unpacked(name), VERSION_CASES_BY_ID[case_id]
    inputs = stored(folder, case_id, "input")
    paths = [path for end in ENDINGS if (path := folder / f"{case_id}{end}").exists()]
    facts = json.loads((folder / "expected.json").read_text())[case_id]
    resumed = stored(folder, case_id, "resumed_prediction")
    for path in paths:
        if lacks_vocabulary(path, case_id):
            continue
        # Keras before 3.6 trains a layer that was made with trainable=False.
        was_trained = case_id == "frozen" and len(facts["trainable"]) > 4
        with pytest.warns(UserWarning, match="fresh state") if was_trained else nullcontext():
            model = opened(path, case)
        is_compared = not was_trained and not trains_otherwise(name, case_id)
        is_trained = is_compared and resumed is not None
        target = stored(folder, case_id, "target") if is_trained else None
        found, trained, found_later = numbers_of(model, inputs, target, computed)
        wanted = stored(folder, case_id, "prediction")
        assert difference(found, wanted) < case.tolerance, path.name
        assert not is_compared or trained == len(facts["trainable"]), path.name
        if is_trained:
            # Keras 2 leaves Nadam's running product out of these, and does not keep it by its formula.
            is_left_out = name.startswith("keras-2") and case_id == "embedding" and path.suffix
            tolerance = 1e-4 if is_left_out else case.tolerance
            assert difference(found_later, resumed) < tolerance, path.name


def trains_otherwise(name: str, case_id: str) -> bool:
    """Whether Keras computes something else in `fit` than in a call: before 3.9 Discretization cuts
    numbers to whole ones there."""
    return case_id == "words" and name in ("keras-3.0.5", "keras-3.3.3", "keras-3.8.0")


def lacks_vocabulary(path: Path, case_id: str) -> bool:
    """Whether it is of a format that Keras leaves vocabularies out of."""
    return path.suffix == ".h5" and case_id in ("words", "text")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case_id", ["words", "text"])
def test_a_file_without_its_vocabulary_says_so(name, case_id, unpacked):
    path = unpacked(name) / f"{case_id}.h5"
    if path.exists():
        model = load_model(path)
        with pytest.raises(NotBuiltError, match="vocabulary must be known"):
            model.predict(stored(unpacked(name), case_id, "input"), verbose=0)


@pytest.mark.parametrize("name", NAMES)
def test_code_in_a_file_of_any_version_is_not_run(name, unpacked):
    for ending in (".keras", ".h5"):
        with pytest.raises(SerializationError, match="must not run code"):
            load_model(unpacked(name) / f"code{ending}")
