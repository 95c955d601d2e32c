"""`FeatureSpace` and the layers that take strings: the numbers of real Keras, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, saving
from nacre.core.errors import ArgumentError, DataError, DTypeError, NotBuiltError
from nacre.utils import FeatureSpace
from tests.cases.feature_space import (
    COLUMNS,
    NEW_ROWS,
    SPACES,
    STRING_LAYERS,
    TEXTS,
    columns_of,
    make_space,
)

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="module")
def expected() -> Any:
    return np.load(REFERENCE / "feature_space.npz")


def adapted(name: str) -> tuple[Any, dict[str, Any]]:
    spec = SPACES[name]
    space = make_space(FeatureSpace, spec)
    space.adapt(columns_of(spec, COLUMNS))
    return space, spec


@pytest.mark.parametrize("table", ["known", "new"])
@pytest.mark.parametrize("name", SPACES)
def test_a_space_gives_the_numbers_of_keras(name: str, table: str, expected: Any) -> None:
    space, spec = adapted(name)
    output = space(columns_of(spec, COLUMNS if table == "known" else NEW_ROWS))
    parts = output if isinstance(output, dict) else {"": output}
    beginning = f"{name}/{table}/"
    names = [key.removeprefix(beginning) for key in expected.files if key.startswith(beginning)]
    assert sorted(parts) == sorted(names)
    for key, value in parts.items():
        np.testing.assert_allclose(value, expected[f"{beginning}{key}"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", STRING_LAYERS)
def test_layers_of_strings_give_the_numbers_of_keras(name: str, expected: Any) -> None:
    kind, arguments, data, inputs = STRING_LAYERS[name]
    layer = getattr(layers, kind)(**arguments)
    layer.adapt(np.array(data))
    output = layer(np.array(inputs))
    np.testing.assert_allclose(output, expected[f"layers/{name}"], rtol=1e-6)
    assert str(output.dtype) in ("int32", "float32")


@pytest.mark.parametrize("name", STRING_LAYERS)
def test_symbolic_outputs_have_the_shape_and_dtype_of_real_ones(name: str) -> None:
    kind, arguments, data, inputs = STRING_LAYERS[name]
    layer = getattr(layers, kind)(**arguments)
    layer.adapt(np.array(data))
    is_text = isinstance(inputs[0], str)
    symbolic = layer(nacre.Input((1,), dtype="string" if is_text else "int32"))
    real = layer(np.array(inputs)[:, None])
    assert symbolic.dtype == str(real.dtype)
    assert symbolic.ndim == real.ndim
    assert all(n in (None, m) for n, m in zip(symbolic.shape, real.shape, strict=True))


@pytest.mark.parametrize("name", SPACES)
def test_one_row_is_encoded_like_the_same_row_in_a_batch(name: str) -> None:
    space, spec = adapted(name)
    columns = columns_of(spec, COLUMNS)
    batch = space(columns)
    one = space({key: values[1] for key, values in columns.items()})
    parts = batch if isinstance(batch, dict) else {"": batch}
    rows = one if isinstance(one, dict) else {"": one}
    for key, value in parts.items():
        np.testing.assert_array_equal(rows[key], value[1])


def rows_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def batches_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    return [{k: np.array(v[i : i + 4]) for k, v in columns.items()} for i in (0, 4)]


FORMS = {
    "arrays": lambda c: {k: np.array(v) for k, v in c.items()},
    "objects": lambda c: {k: np.array(v, dtype=object) for k, v in c.items()},
    "columns of one": lambda c: {k: np.array(v)[:, None] for k, v in c.items()},
    "rows": rows_of,
    "batches": batches_of,
    "a generator": lambda c: (batch for batch in batches_of(c)),
    "pairs with targets": lambda c: [(batch, np.ones(1)) for batch in batches_of(c)],
}


@pytest.mark.parametrize("form", FORMS)
def test_adapt_takes_a_table_in_many_forms(form: str, expected: Any) -> None:
    spec = SPACES["every_kind"]
    columns = columns_of(spec, COLUMNS)
    space = make_space(FeatureSpace, spec)
    space.adapt(FORMS[form](columns))
    np.testing.assert_allclose(space(columns), expected["every_kind/known/"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_data_frame_is_a_table(library: str, expected: Any) -> None:
    spec = SPACES["every_kind"]
    columns = columns_of(spec, COLUMNS)
    frame = pytest.importorskip(library).DataFrame(
        {name: list(column) for name, column in columns.items()}
    )
    space = make_space(FeatureSpace, spec)
    space.adapt(frame)
    np.testing.assert_allclose(space(frame), expected["every_kind/known/"], rtol=1e-5, atol=1e-6)


def test_adapting_again_forgets_what_was_seen() -> None:
    space = FeatureSpace({"city": "string_categorical", "age": "float_normalized"})
    space.adapt({"city": ["a", "b", "c"], "age": [1.0, 2.0, 3.0]})
    space.adapt({"city": ["z"], "age": [4.0, 6.0]})
    assert space.preprocessors["city"].get_vocabulary() == ["[UNK]", "z"]
    np.testing.assert_allclose(space({"city": "z", "age": 6.0}), [1.0, 0.0, 1.0])


def test_a_space_without_statistics_needs_no_adapt() -> None:
    space = FeatureSpace({"a": "float", "b": FeatureSpace.string_hashed(3)})
    assert space({"a": [1.0], "b": ["x"]}).shape == (1, 4)


def test_a_space_keeps_its_numbers_in_a_file(tmp_path: Path) -> None:
    space, spec = adapted("every_kind")
    path = str(tmp_path / "space.keras")
    space.save(path)
    again = saving.load_model(path)
    columns = columns_of(spec, NEW_ROWS)
    np.testing.assert_array_equal(again(columns), space(columns))
    assert [one.preprocessor.get_config() for one in again.features.values()] == [
        one.preprocessor.get_config() for one in space.features.values()
    ]


def test_a_space_of_keras_opens(expected: Any) -> None:
    space = saving.load_model(str(REFERENCE / "files/strings/feature_space.keras"))
    columns = columns_of(SPACES["every_kind"], NEW_ROWS)
    np.testing.assert_allclose(space(columns), expected["every_kind/new/"], rtol=1e-5, atol=1e-6)


def test_weights_of_tf_idf_come_back_from_a_file_of_keras(expected: Any) -> None:
    model = saving.load_model(str(REFERENCE / "files/strings/text_weights.keras"))
    output = model.predict(np.array(TEXTS), verbose=0)
    np.testing.assert_allclose(output, expected["text_model"], rtol=1e-5)


TARGETS = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0])


def make_model(space: Any) -> Any:
    x = layers.Dense(8, activation="relu")(space.get_encoded_features())
    model = nacre.Model(space.get_inputs(), layers.Dense(1, activation="sigmoid")(x))
    model.compile(nacre.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model


def test_a_model_over_raw_columns_learns_and_is_saved(tmp_path: Path) -> None:
    space, spec = adapted("crosses")
    columns = {k: np.array(v) for k, v in columns_of(spec, COLUMNS).items()}
    model = make_model(space)
    history = model.fit(columns, TARGETS, epochs=60, verbose=0)
    assert history.history["loss"][-1] < 0.1 < history.history["loss"][0]
    predictions = model.predict(columns, verbose=0)
    encoded = space(columns)
    inner = nacre.Model(space.get_encoded_features(), model.output)
    np.testing.assert_allclose(inner.predict(encoded, verbose=0), predictions, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(columns, verbose=0), predictions, rtol=1e-6)
    np.testing.assert_allclose(again(columns), predictions, rtol=1e-5)


def test_a_space_is_a_layer_of_a_model() -> None:
    space, spec = adapted("every_kind")
    columns = {k: np.array(v) for k, v in columns_of(spec, COLUMNS).items()}

    class Scores(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.space, self.dense = space, layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.dense(self.space(inputs))

    model = Scores()
    model.compile("adam", "mse")
    model.fit(columns, TARGETS, verbose=0, epochs=2)
    expected = space(columns) @ model.dense.kernel.numpy() + model.dense.bias.numpy()
    np.testing.assert_allclose(model.predict(columns, verbose=0), expected, rtol=1e-4, atol=1e-5)
    batches = ({k: v[i : i + 3] for k, v in columns.items()} for i in (0, 3))
    np.testing.assert_allclose(model.predict(batches, verbose=0), expected, rtol=1e-4, atol=1e-5)
    symbolic = nacre.Model(space.get_inputs(), model.dense(space(space.get_inputs())))
    np.testing.assert_allclose(symbolic.predict(columns, verbose=0), expected, rtol=1e-4, atol=1e-5)


REFUSED = [
    (lambda: FeatureSpace({}), ArgumentError, r"at least one column. Got \{\}"),
    (lambda: FeatureSpace({"a": "floats"}), ArgumentError, r"'a'.*'floats'.*Did you mean 'float'"),
    (
        lambda: FeatureSpace({"a": "float"}, output_mode="list"),
        ArgumentError,
        "output_mode.*'list'",
    ),
    (
        lambda: FeatureSpace({"a": "float"}, crosses=[("a", "b")]),
        ArgumentError,
        r"features \['a'\]. Got \('a', 'b'\)",
    ),
    (lambda: FeatureSpace.cross(("a", "b"), 3, "count"), ArgumentError, "output_mode.*'count'"),
    (
        lambda: FeatureSpace({"a": "string_categorical"})({"a": ["x"]}),
        NotBuiltError,
        r"features \['a'\] must be adapted first.*Call adapt",
    ),
    (
        lambda: FeatureSpace({"a": "string_categorical"}).get_inputs(),
        NotBuiltError,
        "Call adapt",
    ),
    (
        lambda: FeatureSpace({"a": "float"})([1.0]),
        ArgumentError,
        "a dict: column -> values. Got list",
    ),
    (
        lambda: FeatureSpace({"a": "float", "b": "float"})({"a": [1.0]}),
        DataError,
        r"missing: \['b'\]",
    ),
    (lambda: FeatureSpace({"a": "float_normalized"}).adapt([1.0]), DataError, "of float"),
    (lambda: FeatureSpace({"a": "float_normalized"}).adapt([]), DataError, "Got no rows"),
    (
        lambda: FeatureSpace({"a": "float"})({"a": ["x"]}),
        DTypeError,
        "'a'.*numbers.*Make it a 'string_categorical' feature",
    ),
    (
        lambda: FeatureSpace({"a": "string_hashed"})({"a": [1]}),
        DTypeError,
        "'a'.*must be strings.*int64.*'integer_categorical'",
    ),
    (
        lambda: FeatureSpace({"a": FeatureSpace.string_hashed(3, output_mode="int")}),
        DTypeError,
        "'a'.*joins floats. Got indices of dtype int32.*output_mode='one_hot'",
    ),
]


@pytest.mark.parametrize(("act", "error", "text"), REFUSED)
def test_mistakes_are_told(act: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        act()
