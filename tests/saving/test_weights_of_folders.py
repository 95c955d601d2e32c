"""Weights are set from whole models in folders too; files without names of layers are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers
from nacre.core.errors import FileFormatError, WeightsMismatchError
from nacre.datasets.download import unpack_tar
from nacre.saving import load_model
from tests.saving.helpers import FILES, small

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


def compiled(name: str) -> Any:
    model = small(name=name)
    model.compile(nacre.optimizers.Adam(0.1, gradient_accumulation_steps=4), "mse")
    return model


def state(model: Any) -> list[Any]:
    return [variable.numpy() for variable in (*model.weights, *model.optimizer.variables)]


def same(found: list[Any], wanted: list[Any]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A SavedModel folder, and the state of the model in it."""
    model = compiled("first")
    model.fit(X, np.ones((4, 2)), 1, epochs=2, verbose=0)
    path = tmp_path_factory.mktemp("folders") / "m"
    model.save(path, verify=False)
    return path, state(model)


@pytest.mark.parametrize("is_text", [False, True])
def test_weights_and_optimizer_come_from_a_folder(folder: Any, is_text: bool) -> None:
    path, wanted = folder
    model = compiled("second")
    model.load_weights(str(path) if is_text else path)
    assert same(state(model), wanted)


def test_a_model_is_built_for_what_a_folder_says(folder: Any) -> None:
    path, wanted = folder
    model = nacre.Sequential([layers.Dense(4), layers.Dense(2)])
    model.load_weights(path)
    assert same(model.get_weights(), wanted[:4])


def test_a_folder_that_does_not_fit_says_all_and_changes_nothing(folder: Any) -> None:
    path, _ = folder
    model = small(units=5)
    before = model.get_weights()
    with pytest.raises(WeightsMismatchError, match="2 shapes differ"):
        model.load_weights(path)
    assert same(model.get_weights(), before)
    with pytest.warns(UserWarning, match="2 shapes differ"):
        model.load_weights(path, skip_mismatch=True)
    assert same(model.get_weights()[2:], before[2:])
    assert not np.array_equal(model.get_weights()[0], before[0])
    with pytest.raises(FileFormatError, match="by_name=True needs"):
        model.load_weights(path, by_name=True)


def test_weights_come_from_a_folder_of_tf_keras(tmp_path: Path) -> None:
    archive = FILES.parent / "versions" / "keras-2.15.0.tar.xz"
    unpack_tar(archive, tmp_path)
    path = tmp_path / "cnn_batch_normalization"
    whole = load_model(path)
    model = nacre.models.clone_model(whole)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.load_weights(path)
    assert same(model.get_weights(), whole.get_weights())
    (path / "variables" / "variables.index").unlink()
    with pytest.raises(FileFormatError, match="must hold its variables"):
        model.load_weights(path)


OF_OTHERS = {
    "ONNX": FILES / "onnx" / "attention_14.onnx",
    "torch.export": FILES / "onnx" / "attention.pt2",
    "TF.js": FILES / "tfjs" / "dense",
}


BEGINNINGS = {"TFLite": ("m.tflite", b"\0\0\0\0TFL3"), "frozen graph": ("m.pb", b"\x0a\x04\x0a")}


@pytest.mark.parametrize("kind", [*OF_OTHERS, *BEGINNINGS])
def test_files_without_names_of_layers_set_no_weights_and_say_so(kind: str, tmp_path: Path) -> None:
    path = OF_OTHERS.get(kind)
    if path is None:
        name, content = BEGINNINGS[kind]
        path = tmp_path / name
        path.write_bytes(content)
    model = small()
    before = model.get_weights()
    with pytest.raises(FileFormatError, match=rf"names of layers.*{kind}.*load_model"):
        model.load_weights(path)
    assert same(model.get_weights(), before)


@pytest.mark.parametrize("name", ["a/b", "a//b", "/a", "a/"])
@pytest.mark.parametrize("file", ["m.h5", "w.h5"])
def test_slashes_in_names_come_back_from_h5(name: str, file: str, tmp_path: Path) -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(2, name=name), layers.Dense(2)])
    if file == "m.h5":
        model.save(tmp_path / file)
        other = load_model(tmp_path / file)
    else:
        model.save_weights(tmp_path / file)
        other = nacre.models.clone_model(model)
        other.set_weights([np.zeros_like(weight) for weight in other.get_weights()])
        other.load_weights(tmp_path / file)
    assert same(other.get_weights(), model.get_weights())
    assert other.layers[0].name == name


@pytest.mark.parametrize("names", [("/",), (".",), ("a", "a/"), ("/a", "a"), ("a/b", "a//./b")])
@pytest.mark.parametrize("file", ["m.h5", "w.h5"])
def test_names_that_are_one_place_in_h5_are_refused(
    names: tuple[str, ...], file: str, tmp_path: Path
) -> None:
    model = nacre.Sequential([nacre.Input((2,)), *(layers.Dense(2, name=name) for name in names)])
    save = model.save if file == "m.h5" else model.save_weights
    with pytest.raises(FileFormatError, match=rf"paths that differ.*'{names[-1]}'.*\.keras"):
        save(tmp_path / file)
    assert not list(tmp_path.iterdir())
    model.save(tmp_path / "m.keras")
    assert same(load_model(tmp_path / "m.keras").get_weights(), model.get_weights())


@pytest.mark.parametrize("name", ["m.tf", "v1.2", "run-2026.11.30-12:05", "loss.02-0.53"])
def test_names_as_scripts_of_tf_keras_have_them_are_folders_and_checkpoints(
    name: str, tmp_path: Path
) -> None:
    model = small()
    model.save(tmp_path / name, verify=False)
    assert (tmp_path / name / "saved_model.pb").is_file()
    assert same(load_model(tmp_path / name).get_weights(), model.get_weights())
    (tmp_path / "w").mkdir()
    model.save_weights(tmp_path / "w" / name)
    other = small()
    other.load_weights(tmp_path / "w" / name)
    assert same(other.get_weights(), model.get_weights())


def test_an_ending_that_is_no_formats_is_still_refused(tmp_path: Path) -> None:
    for name in ("m.pkl", "m.kers", "m.h6x"):
        for save in (small().save, small().save_weights):
            with pytest.raises(FileFormatError, match="path must end in"):
                save(tmp_path / name)
