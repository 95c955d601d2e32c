"""Models of scikit-learn and LightGBM in ONNX files give what ONNX Runtime gives for them."""

import json
from pathlib import Path

import numpy as np
import pytest

import nacre
from nacre.core.wire import onnx as wire
from nacre.models import load_model
from tests.export.importers.test_onnx import model, node, open_model, value

FILES = Path(__file__).parents[2] / "reference" / "files" / "sklearn"
NAMES = sorted(path.stem for path in FILES.glob("*.onnx"))
MAPS = json.loads((FILES / "maps.json").read_text())


def wanted(name: str) -> list:
    with np.load(FILES / "outputs.npz") as held:
        arrays = {key: held[key] for key in held.files}
    keys = [f"{name}/{at}" for at in range(3)]
    maps = {k: [{c: s for c, s in row} for row in rows] for k, rows in MAPS.items()}
    return [maps.get(key, arrays.get(key)) for key in keys if key in maps or key in arrays]


def compare(found, other) -> None:
    if isinstance(other, list):  # of a dict a row
        assert [list(row) for row in found] == [list(row) for row in other]
        found, other = (np.array([list(row.values()) for row in v]) for v in (found, other))
    found = np.asarray(found)
    assert found.shape == other.shape
    if other.dtype.kind == "U":
        assert found.tolist() == other.tolist()
        return
    assert found.dtype == other.dtype
    np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-5)


def rows() -> np.ndarray:
    with np.load(FILES / "outputs.npz") as held:
        return held["input"]


@pytest.mark.parametrize("name", NAMES)
def test_labels_and_scores_are_those_of_onnx_runtime(name):
    loaded = load_model(FILES / f"{name}.onnx")
    for call in (loaded, lambda x: loaded.predict(x, verbose=0)):
        found = call(rows())
        for got, other in zip(
            found if isinstance(found, list) else [found], wanted(name), strict=True
        ):
            compare(got, other)


def test_one_row_gives_what_it_gives_among_others():
    loaded = load_model(FILES / "vectors.onnx")
    labels, shares = loaded.predict(rows()[2:3], verbose=0)
    compare(labels, wanted("vectors")[0][2:3])
    compare(shares, wanted("vectors")[1][2:3])


def test_a_file_of_trees_is_a_layer_of_another_model():
    loaded = load_model(FILES / "forest.onnx")
    x = nacre.Input((4,))
    labels, shares = loaded(x)
    both = nacre.Model(x, [labels, nacre.layers.Rescaling(2.0)(shares)])
    found = both.predict(rows(), verbose=0)
    np.testing.assert_array_equal(found[0], wanted("forest")[0])
    np.testing.assert_allclose(found[1], 2 * wanted("forest")[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "keys", "values", "x", "y"),
    [
        ("int64", [3, 1, 3], [30.0, 10.0, 33.0], [1, 3, 7], [10.0, 33.0, -1.0]),
        ("int64", [5, (1 << 32) + 5], [1.0, 2.0], [5, 6], [1.0, -1.0]),  # alike in 32 bits
        ("float32", [1.5, float("nan")], [1.0, 2.0], [1.5, float("nan"), 2.0], [1.0, 2.0, -1.0]),
    ],
)
def test_numbers_of_a_table_are_looked_up_in_a_compiled_program(kind, keys, values, x, y):
    table = node("LabelEncoder", "x", "y", domain="ai.onnx.ml", default_float=-1.0)
    which, number = ("ints", wire.INTS) if kind == "int64" else ("floats", wire.FLOATS)
    name = "keys_int64s" if kind == "int64" else "keys_floats"
    table.attribute.append(wire.AttributeProto(name=name, type=number, **{which: keys}))
    held = wire.AttributeProto(name="values_floats", type=wire.FLOATS, floats=values)
    table.attribute.append(held)
    read = wire.ModelProto.read(
        model([table], [value("x", "batch", dtype=kind)], [value("y", "batch")])
    )
    read.opset_import.append(wire.OperatorSetIdProto(domain="ai.onnx.ml", version=3))
    data = read.write()
    loaded = open_model(data, "m.onnx", "m")
    np.testing.assert_array_equal(loaded.predict(np.array(x, kind), verbose=0), y)


def one_hot(kind: str, zeros: int = 1, **categories) -> bytes:
    made = node("OneHotEncoder", "x", "y", domain="ai.onnx.ml")
    made.attribute.append(wire.AttributeProto(name="zeros", type=wire.INT, i=zeros))
    for name, items in categories.items():
        which, number = ("ints", wire.INTS) if name == "cats_int64s" else ("strings", wire.STRINGS)
        made.attribute.append(wire.AttributeProto(name=name, type=number, **{which: items}))
    read = wire.ModelProto.read(
        model([made], [value("x", "batch", dtype=kind)], [value("y", "batch", 3)])
    )
    read.opset_import.append(wire.OperatorSetIdProto(domain="ai.onnx.ml", version=3))
    return read.write()


@pytest.mark.parametrize(
    ("kind", "categories", "x", "places"),
    [
        ("string", {"cats_strings": [b"a", b"b", "é".encode()]}, ["é", "q", "a"], [2, None, 0]),
        ("float32", {"cats_int64s": [3, 1, -1]}, [1.7, 9.0, -1.2], [1, None, 2]),
        ("int64", {"cats_int64s": [3, 1, 1 << 33]}, [1 << 33, 3, (1 << 33) + 1], [2, 0, None]),
    ],
)
def test_categories_have_a_place_each_and_others_none(kind, categories, x, places):
    loaded = open_model(one_hot(kind, **categories), "m.onnx", "m")
    given = np.array(x, object if kind == "string" else kind)
    expected = [[float(at == place) for at in range(3)] for place in places]
    for found in (loaded(given), loaded.predict(given, verbose=0)):
        assert np.asarray(found).dtype == np.float32
        np.testing.assert_array_equal(found, expected)


def test_a_category_that_a_file_does_not_allow_is_no_category():
    loaded = open_model(one_hot("float32", 0, cats_int64s=[3, 1, 2]), "m.onnx", "m")
    found = loaded.predict(np.array([1.0, 7.0], "float32"), verbose=0)
    assert found[0].tolist() == [0, 1, 0] and np.isnan(found[1]).all()
