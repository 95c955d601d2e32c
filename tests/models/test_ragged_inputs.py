"""`Input(ragged=True)`: rows of different lengths, where nothing that fills them up counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import UnsupportedError
from nacre.data import Dataset, Ragged

ROWS = [[3, 0, 1], [2], [0, 0], [1, 2, 3, 1, 2]]  # 0 is a value as any other


def ragged(rows: Any = ROWS, dtype: str = "int64") -> Ragged:
    splits = np.cumsum([0, *map(len, rows)])
    return Ragged(np.concatenate([np.asarray(row, dtype) for row in rows]), splits)


def model_of(*parts: Any, dtype: str = "int64", shape: Any = (None,)) -> nacre.Sequential:
    return nacre.Sequential([nacre.Input(shape, dtype=dtype, ragged=True), *parts])


def recurrent() -> nacre.Sequential:
    nacre.utils.set_random_seed(1)
    return model_of(layers.Embedding(5, 4), layers.LSTM(3), layers.Dense(1))


def one_by_one(model: Any, rows: Any = ROWS) -> np.ndarray:
    return np.concatenate([np.asarray(model(np.asarray([row]))) for row in rows])


STACKS: dict[str, Any] = {
    "both ways": lambda: [layers.Bidirectional(layers.GRU(2)), layers.Dense(1)],
    "average": lambda: [layers.Dropout(0.5), layers.GlobalAveragePooling1D()],
    "step by step": lambda: [
        layers.TimeDistributed(layers.Dense(2)),
        layers.LSTM(2, return_sequences=True),
        layers.GlobalAveragePooling1D(),
    ],
}


@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)
def test_a_row_gives_what_it_gives_alone(stack: Any) -> None:
    model = model_of(layers.Embedding(5, 4), *stack())
    wanted = one_by_one(model)
    np.testing.assert_allclose(model.predict(ragged(), batch_size=3, verbose=0), wanted, atol=1e-6)
    np.testing.assert_allclose(model(ragged()), wanted, atol=1e-6)


def test_training_sees_rows_alone() -> None:
    model, same = recurrent(), recurrent()
    y = np.array([[1.0], [0.0], [1.0], [0.0]], np.float32)
    for one in (model, same):
        one.compile(nacre.optimizers.SGD(0.5), "mse")
    model.fit(ragged(), y, batch_size=4, shuffle=False, verbose=0)
    wide = ragged([*ROWS[:3], [1, 2, 3, 1, 2], [0] * 9])  # a longer row fills all others up more
    weights = np.array([1.0, 1.0, 1.0, 1.0, 0.0])
    same.fit(
        wide, np.concatenate([y, y[:1]]), sample_weight=weights * 1.25, batch_size=5, verbose=0
    )
    for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    loss = model.evaluate(ragged(), y, verbose=0)
    assert loss == pytest.approx(float(np.mean((one_by_one(model) - y) ** 2)), rel=1e-4)
    assert model.test_on_batch(ragged(), y) == pytest.approx(loss, rel=1e-4)


def test_data_sets_of_rows_and_of_rows_beside_arrays_train() -> None:
    ids = nacre.Input((None,), dtype="int32", ragged=True, name="ids")
    extra = nacre.Input((2,), name="extra")
    pooled = layers.GlobalAveragePooling1D()(layers.Embedding(5, 2)(ids))
    model = nacre.Model([ids, extra], layers.Concatenate()([pooled, extra]))
    arrays = {"ids": ragged(), "extra": np.ones((4, 2), np.float32)}
    wanted = model.predict(arrays, verbose=0)
    assert wanted[:, 2:].tolist() == [[1, 1]] * 4
    data = Dataset.from_tensor_slices((arrays, np.zeros((4, 4), np.float32))).batch(3)
    np.testing.assert_allclose(model.predict(data, verbose=0), wanted, atol=1e-6)
    model.compile("sgd", "mse")
    history = model.fit(data, validation_data=data, epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0] and len(history["val_loss"]) == 2


def test_vectors_in_rows_and_rows_in_rows() -> None:
    vectors = ragged([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]], "float32")
    model = model_of(layers.GlobalAveragePooling1D(), dtype="float32", shape=(None, 2))
    assert model.predict(vectors, verbose=0).tolist() == [[2, 3], [5, 6]]
    nested = Ragged(ragged([[1.0, 2.0], [3.0], [4.0]], "float32"), [0, 2, 3])
    seen: list[Any] = []

    class Sums(layers.Layer):
        def call(self, x: Any, mask: Any = None) -> Any:
            if mask is None:  # while shapes are found
                return ops.sum(x, axis=(1, 2))
            seen.append(mask.shape)
            return ops.sum(ops.where(mask, x, 0.0), axis=(1, 2))

    model = model_of(Sums(), dtype="float32", shape=(None, None))
    assert np.asarray(model(nested)).ravel().tolist() == [6, 4] and len(seen[-1]) == 3


def test_what_loses_the_ends_of_rows_is_refused() -> None:
    class Plain(layers.Layer):
        def call(self, x: Any) -> Any:
            return ops.mean(x, 1)

    for part in (layers.Flatten(), Plain(), layers.Lambda(lambda x: x[:, 0]), layers.Conv1D(2, 2)):
        with pytest.raises(ValueError, match="is lost"):
            model_of(layers.Embedding(5, 4), part).predict(ragged(), verbose=0)
    ids = nacre.Input((None,), dtype="int64", ragged=True)
    model = nacre.Model(ids, ops.max(layers.Embedding(5, 4)(ids), 1))
    with pytest.raises(ValueError, match="is lost"):
        model(ragged())


def test_rows_that_cannot_be_told_are_refused() -> None:
    model = recurrent()
    cases: list[tuple[Any, str]] = [
        (ragged([[9]]), "from 0 to 4"),
        (ragged([[-(2**31)]]), "must not hold"),
        (ragged([[1.5]], "float32"), "dtype int64"),
    ]
    for rows, said in cases:
        with pytest.raises(ValueError, match=said):
            model.predict(rows, verbose=0)
    for shape, dtype, said in (((3,), "int32", "a size None"), ((None,), "string", "floats")):
        with pytest.raises(ValueError, match=said):
            nacre.Input(shape, dtype=dtype, ragged=True)

    class Outer(nacre.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def call(self, x: Any) -> Any:
            return self.inner(x)

    with pytest.raises(ValueError, match="inputs of the model itself"):
        Outer().predict(ragged(), verbose=0)


def test_files_of_nacre_keep_it_and_others_refuse_it(tmp_path: Path) -> None:
    model = recurrent()
    wanted = model.predict(ragged(), verbose=0)
    model.save(tmp_path / "m.keras")
    again = nacre.models.load_model(tmp_path / "m.keras")
    assert np.array_equal(again.predict(ragged(), verbose=0), wanted)
    around = model_of(model)
    assert np.array_equal(around.predict(ragged(), verbose=0), wanted)
    for format in ("tf_saved_model", "onnx"):
        with pytest.raises(UnsupportedError, match="ragged=True"):
            model.export(tmp_path / "other", format=format, verbose=False)
