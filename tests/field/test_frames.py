"""Frames and columns of pandas, polars and Arrow, as people have them, through every door of a model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import DataError

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

COLUMNS = {"a": [1.0, 2.0, 3.0], "b": [True, False, True], "c": [1, 2, 3], "d": [0.5, 0.5, 0.5]}
ROWS = np.array([[1, 1, 1, 0.5], [2, 0, 2, 0.5], [3, 1, 3, 0.5]], "float32")
SUMS = ROWS.sum(axis=1)
FRAME = pd.DataFrame(COLUMNS, index=["x", "y", "z"])
POLARS = pl.DataFrame(COLUMNS)


def summing(size: int = 4) -> Any:
    """A model that adds up its columns and does not move."""
    model = keras.Sequential(
        [keras.Input((size,)), layers.Dense(1, kernel_initializer="ones", use_bias=False)]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


FRAMES: dict[str, Any] = {
    "booleans beside floats": FRAME,
    "nullable": FRAME.astype({"a": "Float64", "b": "boolean", "c": "Int64", "d": "Float32"}),
    "small integers": FRAME.astype({"b": "uint8", "c": "int8"}),
    "nullable small integers": FRAME.astype({"b": "UInt8", "c": "Int8"}),
    "converted": FRAME.convert_dtypes(),
    "objects": FRAME.astype(object),
    "values of mixed columns": FRAME.to_numpy(),
    "categories of numbers": FRAME.assign(c=pd.Categorical([1, 2, 3])),
    "sparse columns": FRAME.astype({"b": pd.SparseDtype("int64", 0)}),
    "columns named twice": FRAME.set_axis(["a", "a", "b", "b"], axis=1),
    "dummies": pd.get_dummies(
        pd.DataFrame({"a": COLUMNS["a"], "k": ["u", "v", "u"]}), columns=["k"]
    ).assign(d=0.5)[["a", "k_u", "d"]].assign(c=[1, 2, 3])[["a", "k_u", "c", "d"]],
    "polars": POLARS,
    "polars decimals": POLARS.with_columns(pl.col("c").cast(pl.Decimal(10, 2))),
    "polars small integers": POLARS.with_columns(pl.col("c").cast(pl.UInt8)),
    "arrow": pa.table(COLUMNS),
    "arrow in chunks": pa.concat_tables([pa.table(COLUMNS)[:2], pa.table(COLUMNS)[2:]]),
    "arrow records": pa.RecordBatch.from_pydict(COLUMNS),
}  # fmt: skip


@pytest.mark.parametrize("form", FRAMES)
def test_columns_of_any_numbers_become_floats(form: str) -> None:
    model, x = summing(), FRAMES[form]
    for found in (model.predict(x, verbose=0), model.predict_on_batch(x), model(x)):
        assert np.ravel(found).tolist() == SUMS.tolist()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames_go_through_every_door(kind: str) -> None:
    model = summing()
    if kind == "pandas":
        x, y, weight = FRAMES["nullable"], pd.Series([1, 2, 3]), pd.Series([1.0, 0.0, 2.0])
    else:
        x, y, weight = POLARS, pl.Series("y", [1, 2, 3]), pl.Series([1.0, 0.0, 2.0])
    plain: Any = (ROWS, np.array([1, 2, 3]), np.array([1.0, 0.0, 2.0]))
    expected = model.evaluate(*plain[:2], sample_weight=plain[2], verbose=0)
    logs = model.fit(
        x, y, sample_weight=weight, validation_data=(x, y, weight), batch_size=3, verbose=0
    ).history
    assert logs["loss"][0] == logs["val_loss"][0] == pytest.approx(expected)
    assert model.evaluate(x, y, sample_weight=weight, verbose=0) == pytest.approx(expected)
    assert model.train_on_batch(x, y, sample_weight=weight) == pytest.approx(expected)
    assert model.test_on_batch(x, y, sample_weight=weight) == pytest.approx(expected)
    held = model.fit(x, y, batch_size=2, validation_split=0.4, shuffle=False, verbose=0).history
    assert held["val_loss"][0] == pytest.approx(float((SUMS[1:] - [2, 3]).__pow__(2).mean()))

    def batches() -> Any:
        yield x, y, weight

    assert model.fit(batches(), verbose=0).history["loss"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "y", [pd.Series([1, 2, 3]), pd.DataFrame({"y": [1.0, 2, 3]}), pd.Index([1, 2, 3]),
          pd.RangeIndex(1, 4), pd.Series([1, 2, 3], dtype="Int64").array,
          pd.Series(["1", "2", "3"], dtype="category").cat.codes + 1, pl.DataFrame({"y": [1, 2, 3]})],
)  # fmt: skip
def test_targets_may_be_a_column_of_any_kind(y: Any) -> None:
    model = summing()
    expected = model.evaluate(ROWS, np.array([1.0, 2, 3]), verbose=0)
    assert model.evaluate(FRAME, y, verbose=0) == pytest.approx(expected)


def test_columns_by_name_feed_the_inputs_of_their_names() -> None:
    inputs = {name: keras.Input((1,), name=name) for name in COLUMNS}
    model = keras.Model(inputs, layers.Add()(list(inputs.values())))
    for frame in (FRAMES["nullable"], POLARS):
        found = model.predict({name: frame[name] for name in reversed(COLUMNS)}, verbose=0)
        assert found.ravel().tolist() == SUMS.tolist()


def test_columns_of_strings_reach_layers_that_take_strings() -> None:
    lookup = layers.StringLookup(vocabulary=["rome", "oslo"])
    for column in (pd.Series(["oslo", "rome"]), pd.Series(["oslo", "rome"], dtype="category"),
                   pl.Series(["oslo", "rome"]), pl.Series(["oslo", "rome"], dtype=pl.Categorical)):  # fmt: skip
        assert np.asarray(lookup(column)).tolist() == [2, 1]
        other = layers.StringLookup()
        other.adapt(column)
        assert sorted(other.get_vocabulary()[1:]) == ["oslo", "rome"]


def test_layers_adapt_to_frames() -> None:
    for frame in (FRAME, FRAMES["nullable"], POLARS):
        layer = layers.Normalization()
        layer.adapt(frame)
        np.testing.assert_allclose(np.ravel(layer.mean), ROWS.mean(axis=0), rtol=1e-6)


GONE = FRAME.assign(c=pd.array([1, None, 3], dtype="Int64"))
REFUSED: dict[str, tuple[Any, str]] = {
    "nullable": (GONE, r"column 'c': .*missing.*row 1 \(index 'y'\)"),
    "default index": (GONE.reset_index(drop=True), r"column 'c': .*first in row 1\. Fill"),
    "objects": (FRAME.assign(a=[1.0, None, 2.0]).astype(object).replace({np.nan: None}),
                "column 'a': .*row 1"),
    "several": (GONE.assign(b=pd.array([None, None, True], dtype="boolean")),
                r"2 columns: .*column 'b': 2 missing.*row 0.*; column 'c': 1 missing.*row 1"),
    "polars several": (pl.DataFrame({**COLUMNS, "b": [None, 1, 2], "c": [1, None, 3]}),
                       r"2 columns: .*column 'b': 1 .*row 0; column 'c': 1 .*row 1"),
    "booleans": (FRAME.assign(b=pd.array([None, True, False], dtype="boolean")),
                 "column 'b': .*row 0"),
    "categories": (FRAME.assign(c=pd.Categorical([1, 2, None])), "column 'c': .*row 2"),
    "strings": (FRAME.assign(c=["u", "v", "w"]),
                r"strings in column 'c', such as 'u'.*get_dummies.*dict\(frame\)"),
    "strings among numbers": (FRAME.assign(c=pd.Series([1, "n/a", 3], index=FRAME.index)),
                              "column 'c': .*'n/a' in row 1.*to_numeric"),
    "times": (FRAME.assign(c=pd.to_datetime(["2020-01-01"] * 3)), "column 'c': dates and times"),
    "zoned times": (FRAME.assign(c=pd.to_datetime(["2020-01-01"] * 3, utc=True)), "'c': dates"),
    "durations": (FRAME.assign(c=pd.to_timedelta([1, 2, 3], unit="s")), "column 'c': dates"),
    "periods": (FRAME.assign(c=pd.period_range("2020", periods=3, freq="D")), "column 'c': dates"),
    "arrays": (FRAME.assign(c=[np.ones(2)] * 3), "arrays in column 'c'.*np.stack"),
    "no rows": (FRAME[:0], "at least one row"),
    "polars missing": (pl.DataFrame({**COLUMNS, "c": [1, None, 3]}), "column 'c': .*row 1"),
    "polars strings": (POLARS.with_columns(pl.Series("c", ["u", "v", "w"])), "strings in column 'c'"),
    "polars times": (POLARS.with_columns(c=pl.date(2020, 1, 1)), "column 'c': dates"),
    "polars lazy": (POLARS.lazy(), r"LazyFrame. Call frame.collect\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_number_is_told_with_its_column_and_row(kind: str) -> None:
    frame, message = REFUSED[kind]
    with pytest.raises(DataError, match=f"(?s)fit.*{message}"):
        summing().fit(frame, np.ones(len(FRAME) if kind != "no rows" else 0), verbose=0)


@pytest.mark.parametrize("door", ["predict", "evaluate", "test_on_batch", "call", "held out"])
def test_a_missing_value_is_told_at_every_door(door: str) -> None:
    model, y = summing(), np.ones(3)
    calls: dict[str, Any] = {
        "predict": lambda: model.predict(GONE, verbose=0),
        "evaluate": lambda: model.evaluate(ROWS, GONE["c"], verbose=0),
        "test_on_batch": lambda: model.test_on_batch(GONE, y),
        "call": lambda: model(GONE),
        "held out": lambda: model.fit(ROWS, y, validation_data=(GONE, y), verbose=0),
    }
    with pytest.raises(DataError, match=r"column 'c': .*row 1 \(index 'y'\)"):
        calls[door]()


def test_nan_in_a_column_of_floats_is_a_number() -> None:
    frame = FRAME.assign(a=[1.0, np.nan, 3.0])
    assert np.isnan(summing().predict(frame, verbose=0)).ravel().tolist() == [False, True, False]


def test_rows_are_paired_by_position_never_by_index() -> None:
    y = pd.Series([1.0, 2.0, 3.0], index=["z", "y", "x"])
    model = summing()
    expected = model.evaluate(ROWS, np.array([1.0, 2, 3]), verbose=0)
    with pytest.warns(UserWarning, match="paired by position, never by index"):
        assert model.evaluate(FRAME, y, verbose=0) == pytest.approx(expected)
    # No word where an index says nothing: a default one, or one that names other rows.
    for index in (None, ["p", "q", "r"], ["x", "y", "z"]):
        assert model.evaluate(FRAME, pd.Series([1.0, 2, 3], index=index), verbose=0) is not None
    shuffled = FRAME.reset_index(drop=True)
    assert model.evaluate(shuffled, pd.Series([1.0, 2, 3], index=[2, 1, 0]), verbose=0) is not None


def test_large_integers_beside_floats_are_told() -> None:
    frame = FRAME.assign(c=[123_456_789, 2, 3])
    with pytest.warns(UserWarning, match="column 'c': integers above"):
        summing().predict(frame, verbose=0)


# -------------------------------------------------------------------- Arrow


def test_columns_of_arrow_are_inputs_and_targets_and_not_batches() -> None:
    table = pa.table({**COLUMNS, "k": ["u", "v", "u"], "when": pa.array([1, 2, 3], pa.date32())})
    model = summing(1)
    logs = model.fit(table.select(["a"]), table["c"], verbose=0).history
    assert logs["loss"] == [0.0]
    named = keras.Sequential([keras.Input((1,), name="a"), layers.Rescaling(2.0)])
    assert named.predict({"a": table["a"]}, verbose=0).ravel().tolist() == [2, 4, 6]
    lookup = layers.StringLookup(vocabulary=["u", "v"])
    assert np.asarray(lookup(table["k"])).tolist() == [1, 2, 1]
    scale = layers.Normalization()
    scale.adapt(table.select(["a", "c"]))
    assert np.ravel(scale.mean).tolist() == [2, 2]
    with pytest.raises(DataError, match="all be numbers, or all strings. Got strings in column .k"):
        model.predict(table.select(["a", "k"]))
    with pytest.raises(DataError, match="column 'when': dates and times must first become"):
        model.predict(table.select(["when"]))


def test_missing_values_of_arrow_are_refused_with_column_and_row() -> None:
    gap = pa.table({"a": [1, None], "b": [1.0, 2.0], "k": ["u", None]})
    with pytest.raises(DataError, match="column 'a': every value must be there. Got 1 .* row 1"):
        summing(2).predict(gap.select(["a", "b"]))
    with pytest.raises(DataError, match="Got 1 missing value.*fillna.*"):
        layers.StringLookup(vocabulary=["u"])(gap["k"])


def test_data_sets_and_feature_spaces_take_tables_of_arrow() -> None:
    table = pa.table({"a": [1.0, 3.0], "k": ["u", "v"]})
    rows = keras.data.Dataset.from_tensor_slices((dict(zip(table.column_names, table.columns)),))
    assert next(iter(rows))[0]["k"] == b"u"
    space = keras.utils.FeatureSpace({"a": "float", "k": "string_categorical"})
    space.adapt(table)
    assert np.asarray(space(table)).shape == (2, 4)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1.0, 2.0], "b": ["u", "v"]}),
        pl.DataFrame({"a": [1.0, 2.0], "b": ["u", "v"]}),
        pa.table({"a": [1.0, 2.0], "b": ["u", "v"]}),
    ],
    ids=["pandas", "polars", "Arrow"],
)
def test_the_words_for_strings_beside_numbers_are_code_that_works(frame: Any) -> None:
    with pytest.raises(DataError, match="must all be numbers, or all strings") as told:
        summing().predict(frame, verbose=0)
    fix = str(told.value)
    names = {"frame": frame, "table": frame, "pandas": pd}
    encoded = eval(fix.partition("first, as ")[2].partition(" does")[0], names)
    assert list(encoded.columns) == ["a", "b_u", "b_v"]
    columns = eval(fix.rpartition("of its own: ")[2].removesuffix("."), names)
    inputs = {"a": keras.Input((1,)), "b": keras.Input((1,), dtype="string")}
    looked_up = layers.StringLookup(vocabulary=["u", "v"])(inputs["b"])
    model = keras.Model(inputs, layers.Add()([inputs["a"], keras.ops.cast(looked_up, "float32")]))
    np.testing.assert_array_equal(model.predict(columns, verbose=0), [[2.0], [4.0]])
