"""Data that would be read as something else: refused with array and row, or read as it is meant."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import (
    ArgumentError,
    DataError,
    DTypeError,
    LossInputError,
    NonFiniteError,
    ShapeError,
)

ROWS = np.arange(12, dtype="float32").reshape(3, 4)
SUMS = ROWS.sum(axis=1)
Y = np.array([1.0, 2.0, 3.0], "float32")
BIG = 5_000_000_000
DOORS = ["fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch",
         "call", "generator"]  # fmt: skip


def summing(begins_with_input: bool = True, size: int = 4) -> Any:
    """A model that adds up its columns and does not move."""
    dense = layers.Dense(1, kernel_initializer="ones", use_bias=False)
    model = keras.Sequential([keras.Input((size,)), dense] if begins_with_input else [dense])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def classes(loss: str = "sparse_categorical_crossentropy", units: int = 3) -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(units, "softmax")])
    model.compile("sgd", loss)
    return model


def through(door: str, model: Any, x: Any, y: Any = Y) -> Any:
    """What a door of the model gives for data: predictions, or the loss."""
    if door == "call":
        return np.asarray(model(x)).ravel()
    if door.startswith("predict"):
        return getattr(model, door)(x).ravel()
    if door == "generator":
        return model.fit((batch for batch in [(x, y)]), verbose=0).history["loss"][0]
    if door == "fit":
        return model.fit(x, y, batch_size=3, verbose=0).history["loss"][0]
    return getattr(model, door)(x, y)


# -------------------------------------------------------------------- refused, with the row

MASKED = np.ma.masked_greater(ROWS, 7)
REFUSED: dict[str, tuple[Any, str]] = {
    "masked": (MASKED, r"4 masked value\(s\), the first in row 2.*filled"),
    "times": (ROWS.astype("datetime64[s]"), "dates and times.*datetime64"),
    "durations": (ROWS.astype("timedelta64[s]"), "dates and times.*timedelta64"),
    "dates": (np.full((3, 4), datetime.date(2020, 1, 1), object), "dates and times.*in row 0"),
    "none": (np.array([[1.0] * 4, [1, 2, 3, None], [1.0] * 4], object), "Got None in row 1"),
    "list with none": ([[1.0] * 4, [1.0, None, 3.0, 4.0], [1.0] * 4], "Got None in row 1"),
    "strings": (np.array([["1"] * 4] * 3), "strings"),
    "string among objects": (np.array([[1, 2, 3, "4"]] * 3, object), "'4' in row 0"),
    "decimals": (np.full((3, 4), decimal.Decimal(1), object), r"Decimal 1 in row 0.*astype"),
    "ragged": ([[1.0, 2.0], [1.0, 2.0], [1.0]], r"\(2,\) in row 0, \(1,\) in row 2.*pad_sequences"),
    "fields": (np.zeros(3, [("a", "f4"), ("b", "f4")]), r"the fields \['a', 'b'\]"),
    "complex": (ROWS + 1j, "imaginary"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("door", ["fit", "predict", "predict_on_batch", "call", "generator"])
def test_inputs_that_are_no_numbers_are_refused(kind: str, door: str) -> None:
    x, message = REFUSED[kind]
    if door == "call" and kind in ("list with none", "ragged"):
        pytest.skip("nested lists in a call are a structure of inputs")
    with pytest.raises((DataError, DTypeError), match=f"(?s){message}"):
        through(door, summing(), x)


@pytest.mark.parametrize(
    ("y", "message"),
    [(np.ma.masked_equal([1, 2, 3], 2), "y: .*masked.*row 1"),
     (np.array(["2020-01-01"] * 3, "datetime64[D]"), "y: dates"), ([1.0, None, 3.0], "y: .*row 1"),
     (np.array(["1", "2", "3"]), r"targets: .*'1'.*astype\('float32'\)"),
     (np.array([b"a", b"b", b"a"]), "targets: .*strings"), (Y + 1j, "real numbers.*complex"),
     (np.array([[1.0], [2.0, 3.0], [1.0]], object), "y: .*rows of one length"),
     (np.float32(1.0), "y: .*first axis"), (Y[:2], "x: 3, y: 2"), ([], "Got 0 array")],
)  # fmt: skip
@pytest.mark.parametrize("door", ["fit", "evaluate"])
def test_targets_that_are_no_numbers_are_refused(y: Any, message: str, door: str) -> None:
    with pytest.raises((DataError, DTypeError, LossInputError), match=f"(?s){message}"):
        through(door, summing(), ROWS, y)


def test_complex_numbers_go_where_they_are_asked_for() -> None:
    x = keras.Input((4,), dtype="complex64")
    model = keras.Model(x, keras.ops.absolute(x))
    assert model.predict(ROWS + 0j, verbose=0).ravel().tolist() == ROWS.ravel().tolist()
    with pytest.raises(LossInputError, match="real numbers"):
        keras.losses.MeanSquaredError()(Y + 1j, Y)


# -------------------------------------------------------------------- read as they are meant


class Readable:
    """Like an array in a file: NumPy can read it, and it has a shape and a dtype."""

    shape, dtype = ROWS.shape, ROWS.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return ROWS

    def __len__(self) -> int:
        return len(ROWS)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return ROWS[rows]


READ: dict[str, Any] = {
    "objects": ROWS.astype(object),
    "objects of several types": np.array([[True, 1, np.float32(2), 3.0], *ROWS[1:]], object) * 1,
    "nothing masked": np.ma.masked_greater(ROWS, 100),
    "rows in a column": None,
    "matrix": None,
    "numbers of NumPy": [list(map(np.float32, row)) for row in ROWS],
    "in a file": Readable(),
    "booleans": ROWS > 5,
    "halves": ROWS.astype("float16"),
}


@pytest.mark.parametrize("kind", READ)
@pytest.mark.filterwarnings("ignore:.*matrix subclass")
def test_numbers_in_other_clothes_are_numbers(kind: str) -> None:
    model, x = summing(), READ[kind]
    if kind == "rows in a column":
        x = np.empty(3, object)
        x[:] = list(ROWS)
    elif kind == "matrix":
        x = np.asmatrix(ROWS)
    plain = np.asarray(x.tolist() if kind == "rows in a column" else x, "float32")
    plain = np.stack(plain.tolist()).astype("float32")
    model.fit(x, Y, verbose=0)
    assert model.predict(x, verbose=0).ravel().tolist() == plain.sum(axis=1).tolist()
    if not isinstance(x, list):
        assert np.ravel(model(x)).tolist() == plain.sum(axis=1).tolist()


def test_nan_in_the_data_is_passed_on_by_predict_as_in_keras() -> None:
    x = ROWS.copy()
    x[1, 2] = np.nan
    assert np.isnan(summing().predict(x, verbose=0)).ravel().tolist() == [False, True, False]


@pytest.mark.parametrize("hole", [np.nan, np.inf])
def test_what_stands_in_a_sample_of_weight_0_reaches_no_weight_and_no_statistic(
    hole: float,
) -> None:
    def trained(rows: np.ndarray) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        body = [keras.layers.BatchNormalization(), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((4,)), *body])
        model.compile("sgd", "mse")
        model.fit(rows, Y, sample_weight=[1.0, 0.0, 1.0], shuffle=False, verbose=0)
        return model.get_weights()

    x = ROWS.copy()
    x[1, 2] = hole
    for found, expected in zip(trained(x), trained(ROWS), strict=True):
        np.testing.assert_array_equal(found, expected)


# -------------------------------------------------------------------- labels


@pytest.mark.parametrize("door", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize(
    ("y", "message"),
    [([0.0, 1.5, 2.0], "first one 1.5 in row 1.*whole numbers"), ([0.0, 1.0, np.nan], "nan in row 2.*sample weight 0"),
     ([0, 1, 3], "from 0 to 2.*from 0 to 3"), ([0, -1, 2], "from -1 to 2"),
     (np.array([0, 1, 2**32 + 1]), "from 0 to 4294967297")],
)  # fmt: skip
def test_labels_that_are_no_classes_are_refused(y: Any, message: str, door: str) -> None:
    with pytest.raises(LossInputError, match=f"(?s){message}"):
        through(door, classes(), ROWS, np.asarray(y))


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int8", "int64", "uint64"])
def test_whole_labels_of_any_dtype_are_classes(dtype: str) -> None:
    model, y = classes(units=200), np.array([0, 1, 120])
    expected = model.evaluate(ROWS, y, verbose=0)
    assert model.evaluate(ROWS, y.astype(dtype), verbose=0) == pytest.approx(expected)
    y = np.array([255, 254, 3])
    model = classes(units=300)
    assert model.evaluate(ROWS, y.astype("uint8"), verbose=0) == pytest.approx(
        model.evaluate(ROWS, y, verbose=0)
    )


def test_to_categorical_cuts_no_fraction() -> None:
    assert keras.utils.to_categorical([0.0, 2.0]).shape == (2, 3)
    for labels in ([0, 1.5], [0.0, np.nan]):
        with pytest.raises(DataError, match="whole numbers. Got .* in row 1"):
            keras.utils.to_categorical(labels)


def test_booleans_are_labels() -> None:
    model = classes(units=2)
    y = np.array([True, False, True])
    expected = model.evaluate(ROWS, y.astype(int), verbose=0)
    assert model.evaluate(ROWS, y, verbose=0) == pytest.approx(expected)


def test_a_label_of_weight_0_is_absent() -> None:
    model = classes()
    for y in (np.array([0, -1, 2]), np.array([0.0, np.nan, 2.0])):
        loss = model.evaluate(ROWS, y, sample_weight=np.array([1.0, 0.0, 1.0]), verbose=0)
        assert np.isfinite(loss)
        with pytest.raises(LossInputError):
            model.evaluate(ROWS, y, sample_weight=np.array([1.0, 0.1, 1.0]), verbose=0)


# -------------------------------------------------------------------- integers of 64 bits


@pytest.mark.parametrize("begins_with_input", [True, False])
@pytest.mark.parametrize("door", DOORS)
def test_wide_integers_go_to_inputs_of_floats_as_floats(door: str, begins_with_input: bool) -> None:
    model = summing(begins_with_input)
    x = np.full((3, 4), BIG)
    with pytest.warns(UserWarning, match=r"integers above 2\*\*24 are rounded.*dtype='int32'"):
        found = through(door, model, x, np.full(3, 4.0 * BIG))
    if door in ("call", "predict", "predict_on_batch"):
        np.testing.assert_allclose(found, 4.0 * BIG)
    else:
        assert found == pytest.approx(0.0, abs=1e7)


def test_small_integers_are_no_news() -> None:
    for dtype in ("int64", "int32", "uint8"):
        model = summing()
        for door in DOORS:
            through(door, model, ROWS.astype(dtype))


@pytest.mark.parametrize("door", DOORS)
def test_wide_integers_are_refused_where_integers_are_asked_for(door: str) -> None:
    x = keras.Input((4,), dtype="int32")
    model = keras.Model(x, layers.Dense(1)(keras.ops.cast(x, "float32")))
    model.compile("sgd", "mse")
    rows = ROWS.astype("int64")
    through(door, model, rows)
    rows[2, 3] = -BIG
    with pytest.raises(DTypeError, match="must fit into int32. Got -5000000000 in row 2"):
        through(door, model, rows)


def test_wide_integers_are_refused_by_layers_and_ops() -> None:
    rows = np.array([[1], [BIG]])
    for use in (layers.Dense(1), layers.Embedding(5, 2), layers.Rescaling(2.0), keras.ops.abs,
                lambda x: keras.ops.add(x, 1), keras.ops.cast):  # fmt: skip
        arguments = (rows, "int32") if use is keras.ops.cast else (rows,)
        with pytest.raises(DTypeError, match=f"Got {BIG} in row 1"):
            use(*arguments)


def test_layers_of_the_host_keep_64_bits() -> None:
    ids = np.array([[BIG], [BIG + 1], [7]])
    assert layers.IntegerLookup(vocabulary=[BIG, BIG + 1])(ids).ravel().tolist() == [1, 2, 0]
    hashing = layers.Hashing(1000)
    bins = np.ravel(hashing(ids)).astype("float32")
    assert len(set(bins.tolist())) == 3 and bins[2] == np.ravel(hashing([7]))[0]
    x = keras.Input((1,), dtype="int64")
    floats = keras.ops.cast(hashing(x), "float32")
    model = keras.Model(x, layers.Dense(1, kernel_initializer="ones")(floats))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    for found in (model.predict(ids, verbose=0), model(ids), model.predict_on_batch(ids)):
        assert np.ravel(found).tolist() == bins.tolist()
    assert model.evaluate(ids, bins, verbose=0) == model.test_on_batch(ids, bins) == 0
    assert model.fit(ids, bins, verbose=0).history["loss"] == [0]
    assert model.fit(iter([(ids, bins)]), verbose=0).history["loss"] == [0]


def test_a_lookup_inside_a_model_refuses_what_32_bits_do_not_hold() -> None:
    x = keras.Input((1,), dtype="int64")
    model = keras.Model(x, layers.IntegerLookup(vocabulary=[7, 8])(x))
    assert model.predict(np.array([[7], [9]]), verbose=0).ravel().tolist() == [1, 0]
    with pytest.raises(DTypeError, match=f"Got {BIG} in row 0.*before the model"):
        model.predict(np.array([[BIG]]), verbose=0)


def test_wide_targets_are_floats() -> None:
    y = np.full(3, BIG)
    model = summing()
    expected = model.evaluate(ROWS, y.astype("float32"), verbose=0)
    for door in ("fit", "evaluate", "train_on_batch", "test_on_batch", "generator"):
        assert through(door, model, ROWS, y) == pytest.approx(expected, rel=1e-6)


def test_wide_integers_in_a_mapped_file(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((3, 4), BIG))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    np.testing.assert_allclose(summing().predict(mapped, verbose=0), 4.0 * BIG)
    with pytest.raises(DTypeError, match=f"y: .*Got {BIG} in row 0"):
        summing().fit(ROWS, mapped[:, 0], verbose=0)


# -------------------------------------------------------------------- names of inputs


def test_columns_nobody_asked_for_are_left_out_and_missing_ones_told() -> None:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b", optional=True)
    model = keras.Model({"a": a}, layers.Dense(1)(a))
    assert model.predict({"a": ROWS, "extra": ROWS}, verbose=0).shape == (3, 1)
    with pytest.raises(ShapeError, match=r"keys \['a'\].*missing: \['a'\]"):
        model.predict({"aa": ROWS}, verbose=0)
    assert b is not None


def test_shuffle_is_yes_or_no() -> None:
    for shuffle in ("yes", "no", 2, [True], 0.5):
        with pytest.raises(ArgumentError, match="shuffle must be True or False"):
            summing().fit(ROWS, Y, shuffle=shuffle, verbose=0)
    for shuffle in (True, False, np.True_, 0, 1, "batch"):
        summing().fit(ROWS, Y, shuffle=shuffle, verbose=0)


def test_a_loss_that_is_nan_names_where_the_data_is() -> None:
    x = ROWS.copy()
    x[2, 1] = np.nan
    with pytest.raises(NonFiniteError, match="x holds nan in row 2"):
        summing().fit(x, Y, verbose=0)
    with pytest.raises(NonFiniteError, match="y holds inf in row 0"):
        summing().fit(ROWS, np.array([np.inf, 1.0, 2.0]), verbose=0)


@pytest.mark.parametrize("rate", [-0.1, float("nan"), float("inf"), np.float32(-1)])
def test_a_learning_rate_is_not_negative(rate: Any) -> None:
    with pytest.raises(ArgumentError, match="learning_rate must be a finite number from 0"):
        keras.optimizers.SGD(rate)
    optimizer = keras.optimizers.Adam(0.0)
    with pytest.raises(ArgumentError, match="learning_rate must be a finite number from 0"):
        optimizer.learning_rate = rate


# -------------------------------------------------------------------- NumPy on symbolic tensors


def test_functions_of_numpy_on_symbolic_tensors_are_ops() -> None:
    x = keras.Input((4,))
    y = np.maximum(np.log(np.add(x, 1.0)), np.float32(0.5)) + np.ones(4, "float32") * x
    y = np.multiply(np.float32(2), y) - np.sqrt(np.abs(x))
    expected = 2 * (np.maximum(np.log(ROWS + 1), 0.5) + ROWS) - np.sqrt(ROWS)
    found = keras.Model(x, y).predict(ROWS, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.greater(x, 0).dtype == "bool"


@pytest.mark.parametrize(
    ("use", "message"),
    [(lambda x: np.add.reduce(x), r"numpy.add.reduce.*nacre.ops.sum"),
     (lambda x: np.log(x, where=True), r"numpy.log with where"),
     (lambda x: np.spacing(x), r"numpy.spacing.*functions of nacre.ops"),
     (lambda x: np.asarray(x), "become a NumPy array")],
)  # fmt: skip
def test_what_numpy_cannot_do_there_says_what_to_use(use: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"no values yet.*{message}"):
        use(keras.Input((4,)))
