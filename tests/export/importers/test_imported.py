"""A program of another format as a model: called, trained, saved, exported."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import nacre
from nacre.core.errors import NacreError
from nacre.export.importers import imported
from nacre.export.importers.imported import Call, Port, Weight, model_of


class Affine:
    """x @ kernel + offset, and how often it was called."""

    kind, has_64_bits = "affine", False

    def __init__(self, kernel: np.ndarray) -> None:
        x, y = Port("x", "float32", (None, 3)), Port("y", "float32", (None, 2))
        count = Port("calls", "int32", ())
        self.calls = {"main": Call((x,), (y,)), "both": Call((x, x._replace(name="z")), (y, count))}
        self.weights = {
            "layer/kernel": Weight(kernel, True),
            "layer/offset": Weight(np.ones(2, "float32"), True),
            "calls": Weight(np.array(0, "int32"), False),
        }

    def compute(
        self, call: str, weights: Mapping[str, Any], arrays: Sequence[Any]
    ) -> tuple[list[Any], dict[str, Any]]:
        given = sum(arrays[1:], arrays[0])
        y = given @ weights["layer/kernel"] + weights["layer/offset"]
        count = weights["calls"] + 1
        return [y, count][: len(self.calls[call].outputs)], {"calls": count}

    def without_weights(self) -> bytes:
        return b"affine"


def opened(data: bytes, who: str) -> Affine:
    assert data == b"affine", who
    return Affine(np.zeros((3, 2), "float32"))


KERNEL = np.arange(6, dtype="float32").reshape(3, 2)
X = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]], "float32")


@pytest.fixture(autouse=True)
def _kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(imported.KINDS, "affine", f"{__name__}:opened")


def test_a_program_is_called_by_position_and_by_name():
    model = model_of(Affine(KERNEL), "m")
    wanted = X @ KERNEL + 1
    np.testing.assert_allclose(model(X), wanted)
    np.testing.assert_allclose(model({"x": X}), wanted)
    np.testing.assert_allclose(model.predict(X, verbose=0), wanted)
    assert (model.input_names, model.output_names) == (["x"], ["y"])
    assert model.output_shape == (None, 2)
    found = model.signatures["both"](X, z=X)
    np.testing.assert_allclose(found["y"], 2 * X @ KERNEL + 1)


def test_a_signature_says_what_is_missing_and_unknown():
    both = model_of(Affine(KERNEL)).signatures["both"]
    for args, kwargs in (((X,), {}), ((X, X), {"x": X}), ((X,), {"w": X}), ((X, X, X), {})):
        with pytest.raises(NacreError, match="x, z"):
            both(*args, **kwargs)


def test_a_signature_takes_a_dict_and_another_name_is_told():
    signatures = model_of(Affine(KERNEL)).signatures
    found = signatures["both"]({"z": X, "x": 2 * X})
    np.testing.assert_allclose(found["y"], 3 * X @ KERNEL + 1)
    with pytest.raises(NacreError, match="x, z"):
        signatures["both"]({"x": X, "w": X})
    with pytest.raises(KeyError, match="main, both"):
        signatures["serving_default"]


def test_what_a_program_changes_is_kept():
    model = model_of(Affine(KERNEL))
    model(X)
    model.predict(X, verbose=0)
    counts = [v for v in model.non_trainable_variables if v.name == "calls"]
    assert int(counts[0].value) == 2


def test_its_weights_train_in_a_model_of_ones_own_and_stay_when_frozen():
    inner = model_of(Affine(KERNEL))
    model = nacre.Sequential([nacre.Input((3,)), inner, nacre.layers.Dense(1)])
    model.compile("sgd", "mse")
    before = inner.get_weights()[0]
    model.fit(X, np.ones((2, 1)), verbose=0)
    after = inner.get_weights()[0]
    assert not np.allclose(before, after)
    inner.trainable = False
    model.compile("sgd", "mse")
    model.fit(X, np.ones((2, 1)), verbose=0)
    np.testing.assert_array_equal(after, inner.get_weights()[0])


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_it_is_saved_whole_with_what_was_trained(tmp_path, ending):
    model = model_of(Affine(KERNEL), "m")
    model.trainable_variables[0].assign(KERNEL + 1)
    model.save(tmp_path / f"m{ending}")
    again = nacre.models.load_model(tmp_path / f"m{ending}")
    np.testing.assert_allclose(again(X), X @ (KERNEL + 1) + 1)
    assert list(again.signatures) == ["main", "both"]
    assert again.output_names == ["y"]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_model_that_holds_it_is_saved(tmp_path, ending):
    model = nacre.Sequential([model_of(Affine(KERNEL), "m"), nacre.layers.Dense(1)])
    wanted = model(X)
    model.save(tmp_path / f"m{ending}")
    np.testing.assert_allclose(nacre.models.load_model(tmp_path / f"m{ending}")(X), wanted)


def test_its_json_makes_one_of_the_same_structure():
    again = nacre.models.model_from_json(model_of(Affine(KERNEL), "m").to_json())
    again.set_weights([KERNEL, *again.get_weights()[1:]])
    np.testing.assert_allclose(again(X), X @ KERNEL + 1)


def test_copies_of_it_compute_with_its_weights_which_no_initializer_makes():
    kernel = np.arange(6, dtype="float32").reshape(3, 2)
    model, x = model_of(Affine(kernel)), np.eye(3, dtype="float32")
    for copied in (model, nacre.Sequential([model, nacre.layers.ReLU()])):
        copy = nacre.models.clone_model(copied)
        np.testing.assert_array_equal(copy(x), kernel + 1)
        copy.set_weights([np.zeros_like(w) for w in copy.get_weights()])
    np.testing.assert_array_equal(model(x), kernel + 1)


def test_it_is_exported_for_any_batch(tmp_path):
    model = model_of(Affine(KERNEL), "m")
    report = model.export(tmp_path / "m", format="npz", verbose=False)
    assert report is not None and list(report.outputs) == ["y"]


def test_a_damaged_program_in_a_config_is_one_clear_error():
    config = model_of(Affine(KERNEL)).imported.get_config()
    for change in ({"content": "no base64"}, {"content": "AAAA"}, {"kind": "none"}, {"kind": [1]},
                   {"call": "other"}, {"content": 3}):  # fmt: skip
        with pytest.raises(NacreError):
            imported.ImportedGraph.from_config(json.loads(json.dumps({**config, **change})))


def test_a_size_that_a_program_fixes_is_told():
    with pytest.raises(NacreError, match="3"):
        model_of(Affine(KERNEL)).signatures["main"](np.ones((2, 4), "float32"))
