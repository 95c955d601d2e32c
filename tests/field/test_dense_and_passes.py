"""What was refused although its meaning is clear: sparse rows, more steps than data, nothing to
train, names of initializers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import ArgumentError, DTypeError, UnknownNameError
from nacre.data import rows as data_rows

sparse = pytest.importorskip("scipy.sparse")

DENSE = np.array([[0, 2, 0, 0], [1, 0, 0, 3], [0, 0, 0, 0], [0, 0, 4, 0], [5, 0, 0, 0]], "float32")
Y = np.arange(5.0).astype("float32")


def small(learning_rate: float = 0.1, size: int = 4) -> Any:
    model = keras.Sequential([keras.Input((size,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(learning_rate), "mse")
    return model


# -------------------------------------------------------------------- sparse matrices of SciPy


@pytest.mark.parametrize(
    "form", ["csr_matrix", "csc_matrix", "coo_matrix", "lil_matrix", "csr_array"]
)
def test_sparse_rows_train_like_dense_ones(form: str) -> None:
    x = getattr(sparse, form)(DENSE)
    models = [small(), small()]
    for model, rows in zip(models, (DENSE, x), strict=True):
        model.fit(rows, Y, batch_size=2, epochs=2, shuffle=False, validation_split=0.4, verbose=0)
    for one, other in zip(*(m.get_weights() for m in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    model = models[0]
    assert model.evaluate(x, Y, verbose=0) == pytest.approx(model.evaluate(DENSE, Y, verbose=0))
    for found in (model.predict(x, batch_size=2, verbose=0), model.predict_on_batch(x), model(x)):
        np.testing.assert_allclose(found, model.predict(DENSE, verbose=0), rtol=1e-6)
    assert np.isfinite(model.train_on_batch(x, Y))


def test_entries_that_stand_there_twice_are_added() -> None:
    twice = sparse.coo_matrix(([1.0, 2.0, 4.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 4))
    model = keras.Sequential([keras.Input((4,)), layers.Rescaling(1.0)])
    assert model.predict(twice, verbose=0).tolist() == [[0, 3, 0, 0], [4, 0, 0, 0]]
    unsorted = sparse.csr_matrix(([1.0, 2.0], [3, 0], [0, 2, 2]), shape=(2, 4))
    assert model.predict(unsorted, verbose=0).tolist() == [[2, 0, 0, 1], [0, 0, 0, 0]]


def test_the_whole_is_never_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    plain = data_rows.SparseRows.__array__

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal largest
        largest = max(largest, len(self))
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(data_rows.SparseRows, "__array__", watched)
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 1)
    x = sparse.random(4000, 1000, density=0.001, format="csr", dtype="float32", random_state=0)
    model = small(0.01, size=1000)
    model.fit(x, np.ones(4000), batch_size=500, verbose=0)
    model.evaluate(x, np.ones(4000), batch_size=500, verbose=0)
    model.predict(x, batch_size=500, verbose=0)
    assert largest == 500


def test_sparse_batches_and_a_generator_of_them() -> None:
    def batches() -> Iterator[Any]:
        for start in (0, 2):
            yield sparse.csr_matrix(DENSE[start : start + 2]), Y[start : start + 2]

    plain, model = small(), small()
    plain.fit(DENSE[:4], Y[:4], batch_size=2, shuffle=False, verbose=0)
    model.fit(batches(), verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], plain.get_weights()[0], rtol=1e-6)


def test_layers_adapt_to_sparse_rows() -> None:
    layer = layers.Normalization()
    layer.adapt(sparse.csr_matrix(DENSE))
    np.testing.assert_allclose(np.ravel(layer.mean), DENSE.mean(axis=0), rtol=1e-6)


# -------------------------------------------------------------------- sparse=True

SPARSE_LAYERS: dict[str, Any] = {
    "CategoryEncoding": lambda **k: layers.CategoryEncoding(4, **k),
    "IntegerLookup": lambda **k: layers.IntegerLookup(
        vocabulary=[1, 2, 3], output_mode="multi_hot", **k
    ),
    "StringLookup": lambda **k: layers.StringLookup(
        vocabulary=["1", "2", "3"], output_mode="count", **k
    ),
    "Hashing": lambda **k: layers.Hashing(4, output_mode="one_hot", **k),
    "Discretization": lambda **k: layers.Discretization([1.5, 2.5], output_mode="multi_hot", **k),
    "TextVectorization": lambda **k: layers.TextVectorization(
        vocabulary=["1", "2", "3"], output_mode="multi_hot", **k
    ),
}


@pytest.mark.parametrize("name", SPARSE_LAYERS)
def test_sparse_outputs_are_dense_and_that_is_said_and_kept(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = SPARSE_LAYERS[name]
    x = np.array([["1"], ["3"]]) if name[0] in "ST" else np.array([[1], [3]])
    with pytest.warns(UserWarning, match="outputs are dense") as said:
        layer = make(sparse=True)
    assert len(said) == 1
    plain = make()
    np.testing.assert_array_equal(layer(x), plain(x))
    assert layer.get_config()["sparse"] is True and not plain.get_config().get("sparse")
    with pytest.warns(UserWarning, match="outputs are dense"):
        again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(x), plain(x))
    monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "16")
    with pytest.raises(ArgumentError, match="must fit into.*smaller batch"):
        layer(x)
    plain(x)  # what was never asked to be sparse is as large as it is


# -------------------------------------------------------------------- more steps than data


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Any:
        return DENSE[2 * index : 2 * index + 2], Y[2 * index : 2 * index + 2]


class Walkable:
    """An iterable without a length, which can be walked again."""

    def __iter__(self) -> Iterator[Any]:
        data = Batches()
        return (data[index] for index in range(2))


@pytest.mark.parametrize("kind", ["arrays", "streamed", "dataset", "iterable"])
def test_an_epoch_longer_than_the_data_goes_on_from_its_beginning(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "streamed":
        monkeypatch.setenv("NACRE_DEVICE_BUDGET_BYTES", "1")
    plain, model = small(), small()
    given: dict[str, Any] = {"shuffle": False, "verbose": 0}
    plain.fit(DENSE[:4], Y[:4], batch_size=2, epochs=5, **given)
    data: tuple[Any, ...] = (DENSE[:4], Y[:4], 2)  # the last is the batch size
    if kind in ("dataset", "iterable"):
        data = (Batches() if kind == "dataset" else Walkable(),)
    with pytest.warns(UserWarning, match="goes on with them from their beginning") as said:
        history = model.fit(*data, steps_per_epoch=5, epochs=2, **given)
    assert len(said) == 1 and len(history.history["loss"]) == 2
    np.testing.assert_allclose(model.get_weights()[0], plain.get_weights()[0], rtol=1e-5)


def test_a_smaller_last_batch_comes_round_again() -> None:
    plain, model = small(), small()
    plain.fit(DENSE, Y, batch_size=2, epochs=3, shuffle=False, verbose=0)
    with pytest.warns(UserWarning, match="5 steps.*fewer|9 steps"):
        model.fit(DENSE, Y, batch_size=2, steps_per_epoch=9, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], plain.get_weights()[0], rtol=1e-5)


def test_a_generator_of_one_pass_ends_training_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="training ends here"):
        history = small().fit(iter(Walkable()), steps_per_epoch=5, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 1


def test_an_iterable_that_is_used_up_ends_training() -> None:
    class Once:
        def __init__(self) -> None:
            self.walk = iter(Walkable())

        def __iter__(self) -> Iterator[Any]:
            return self.walk

    with pytest.warns(UserWarning, match="training ends here"):
        small().fit(Once(), steps_per_epoch=5, epochs=2, verbose=0)


# -------------------------------------------------------------------- nothing to train


def test_fit_of_a_frozen_model_computes_and_changes_nothing() -> None:
    model = small()
    model.trainable = False
    model.compile("adam", "mse", metrics=["mae"])
    before = model.get_weights()
    with pytest.warns(UserWarning, match="nothing to train"):
        logs = model.fit(DENSE, Y, batch_size=2, validation_data=(DENSE, Y), verbose=0).history
    assert logs["loss"][0] == pytest.approx(logs["val_loss"][0], rel=1e-5)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.warns(UserWarning, match="nothing to train"):
        model.train_on_batch(DENSE, Y)


def test_a_model_without_weights_can_be_evaluated_by_fit() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Rescaling(2.0)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="nothing to train"):
        model.fit(DENSE, 2 * DENSE, verbose=0)


# -------------------------------------------------------------------- names of initializers


def test_a_variable_takes_the_name_of_an_initializer() -> None:
    assert keras.Variable("ones", shape=(2,)).numpy().tolist() == [1.0, 1.0]
    assert keras.Variable("zeros", shape=(2,), dtype="int32").numpy().tolist() == [0, 0]
    assert keras.Variable(initializer="glorot_uniform", shape=(2, 3)).shape == (2, 3)
    with pytest.raises(UnknownNameError, match="'onse'.*Did you mean 'ones'"):
        keras.Variable("onse", shape=(2,))
    with pytest.raises(ArgumentError, match="shape must be given"):
        keras.Variable("ones")


def test_integers_of_64_bits_do_not_wrap_in_a_variable() -> None:
    with pytest.raises(DTypeError, match="5000000000 in row 0"):
        keras.Variable(np.array([5_000_000_000]))


class Counted(keras.utils.PyDataset):
    def __init__(self, length: Any) -> None:
        super().__init__()
        self.length = length

    def __len__(self) -> Any:
        return self.length

    def __getitem__(self, index: int) -> Any:
        return DENSE, Y


class Alike:
    """No PyDataset, but made like one."""

    def __init__(self, length: Any) -> None:
        self.length = length

    __len__, __getitem__ = Counted.__len__, Counted.__getitem__

    def on_epoch_end(self) -> None:
        pass


@pytest.mark.parametrize("of", [Counted, Alike])
def test_a_number_of_batches_from_np_ceil_is_that_number(of):
    model = small()
    model.fit(of(np.ceil(5 / 2)), epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 6
    assert model.predict(of(np.ceil(5 / 2)), verbose=0).shape == (15, 1)


@pytest.mark.parametrize("of", [Counted, Alike])
def test_half_a_batch_is_refused_with_what_to_write(of):
    with pytest.raises(ValueError, match="np.ceil"):
        small().fit(of(5 / 2), verbose=0)
