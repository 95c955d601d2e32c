"""Arrays in files (h5py, zarr, mapped) go through every door by rows, never whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nacre as keras
from nacre import layers
from nacre.core.errors import DataError
from nacre.core.stored import StoredRows, as_mapped
from nacre.core.tracing import is_tracer

ROWS = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
SUMS = ROWS.sum(axis=1)
KINDS = ["chunks", "packed", "plain", "zarr"]


def summing() -> Any:
    """A model that adds up its columns and does not move."""
    dense = layers.Dense(1, kernel_initializer="ones", use_bias=False)
    model = keras.Sequential([keras.Input((4,)), dense])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """A function: kind, array -> the array in a file that is open for reading."""
    files: list[Any] = []

    def store(kind: str, array: np.ndarray = ROWS) -> Any:
        if kind == "zarr":
            zarr = pytest.importorskip("zarr")
            stored = zarr.create_array(
                str(tmp_path / "x.zarr"), shape=array.shape, chunks=(8, 2)[: array.ndim],
                dtype=array.dtype,
            )  # fmt: skip
            stored[:] = array
            return stored
        settings: Any = {"plain": {}, "chunks": {"chunks": (8, 4)[: array.ndim]}}.get(
            kind, {"chunks": (8, 2)[: array.ndim], "compression": "gzip"}
        )
        path = tmp_path / f"{kind}{len(files)}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=array, **settings)
        files.append(h5py.File(path, "r"))
        return files[-1]["x"]

    yield store
    for file in files:
        file.close()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are large, and memory is small."""
    monkeypatch.setattr("nacre.data.rows.READ_WHOLE_BYTES", 0)
    monkeypatch.setattr("nacre.data.sources.MAPPED_BUDGET_BYTES", 0)
    monkeypatch.setattr("nacre.data.sources.CHUNK_BYTES", 1)
    monkeypatch.setattr("nacre.data.sources.SCATTERED_CHUNK_BYTES", 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("large")
@pytest.mark.filterwarnings("ignore:.*reads about")
def test_a_large_file_goes_through_every_door(kind: str, opened: Any) -> None:
    model, x = summing(), opened(kind)
    logs = model.fit(x, SUMS, validation_data=(x, SUMS), batch_size=8, verbose=0).history
    assert logs["loss"][0] + logs["val_loss"][0] < 1e-9
    logs = model.fit(x, 0 * SUMS, validation_split=0.25, batch_size=8, verbose=0).history
    assert logs["loss"][0] == pytest.approx(np.square(SUMS[:45]).mean(), rel=1e-5)
    assert logs["val_loss"][0] == pytest.approx(np.square(SUMS[45:]).mean(), rel=1e-5)
    np.testing.assert_allclose(model.predict(x, batch_size=7, verbose=0)[:, 0], SUMS, rtol=1e-5)
    y = opened("chunks", ROWS[:, 0])
    expected = np.square(SUMS - ROWS[:, 0]).mean()
    assert model.evaluate(x, y, batch_size=9, verbose=0) == pytest.approx(expected, rel=1e-5)
    weighted = model.fit(x, 0 * SUMS, sample_weight=opened("plain", np.arange(60.0)), verbose=0)
    expected = (np.square(SUMS) * np.arange(60)).mean()
    assert weighted.history["loss"][0] == pytest.approx(expected, rel=1e-5)
    assert model.train_on_batch(x, SUMS) < 1e-9
    np.testing.assert_allclose(np.ravel(model(x)), SUMS, rtol=1e-5)


@pytest.mark.parametrize("kind", ["packed", "zarr"])
@pytest.mark.usefixtures("large")
@pytest.mark.filterwarnings("ignore:.*reads about")
def test_more_than_a_few_batches_are_never_read_at_once(
    kind: str, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    largest, plain = 0, StoredRows._part

    def watched(self: Any, first: int, stop: int) -> np.ndarray:
        nonlocal largest
        largest = max(largest, stop - first)
        return plain(self, first, stop)

    monkeypatch.setattr(StoredRows, "_part", watched)
    monkeypatch.setattr("nacre.core.stored.READ_BYTES", 1)
    monkeypatch.setattr("nacre.core.stored._GAP_BYTES", 0)
    model, x = summing(), opened(kind)
    model.fit(x, SUMS, batch_size=8, validation_split=0.2, verbose=0)
    model.evaluate(x, SUMS, batch_size=8, verbose=0)
    model.predict(x, batch_size=8, verbose=0)
    assert largest == 8


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_are_those_of_each_feature(kind: str, opened: Any, tmp_path: Path) -> None:
    layer = layers.Normalization()
    layer.adapt(opened(kind))
    np.testing.assert_allclose(np.ravel(layer.mean), ROWS.mean(axis=0), rtol=1e-4)
    bins = layers.Discretization(num_bins=3)
    bins.adapt(opened("packed"))
    expected = layers.Discretization(num_bins=3)
    expected.adapt(ROWS)
    np.testing.assert_allclose(bins.bin_boundaries, expected.bin_boundaries, rtol=1e-6)


@pytest.mark.parametrize("use", ["fit", "predict", "adapt", "call"])
def test_a_file_that_is_closed_says_so(use: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        x = file.create_dataset("x", data=ROWS)
    model = summing()
    calls: dict[str, Any] = {
        "fit": lambda: model.fit(x, SUMS, verbose=0),
        "predict": lambda: model.predict(x, verbose=0),
        "adapt": lambda: layers.Normalization().adapt(x),
        "call": lambda: model(x),
    }
    with pytest.raises(DataError, match=r"must stay open.*file is closed.*with h5py.File"):
        calls[use]()


@pytest.mark.usefixtures("large")
def test_integers_in_a_large_file_become_floats_for_inputs_of_floats(opened: Any) -> None:
    wide = np.full((20, 4), 5_000_000_000)
    np.testing.assert_allclose(
        summing().predict(opened("packed", wide), verbose=0), 4.0 * wide[0, 0]
    )


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("dtype", [">f4", np.longdouble])
def test_an_array_that_lies_in_its_file_as_it_is_is_mapped(
    opened: Any, tmp_path: Path, dtype: Any
) -> None:
    plain = opened("plain", ROWS.astype(dtype))
    mapped = as_mapped(plain)
    assert mapped is not None and np.array_equal(mapped, ROWS)
    np.testing.assert_allclose(summing().predict(plain, verbose=0)[:, 0], SUMS, rtol=1e-5)
    assert as_mapped(opened("packed")) is None
    with h5py.File(tmp_path / "written.h5", "w") as file:  # what is written may not be there yet
        assert as_mapped(file.create_dataset("x", data=ROWS)) is None


def test_another_file_of_the_same_name_is_not_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        with h5py.File(tmp_path / folder / "x.h5", "w") as file:
            file["x"] = ROWS
    monkeypatch.chdir(tmp_path / "a")
    with h5py.File("x.h5", "r") as file:
        assert as_mapped(file["x"]) is not None
        monkeypatch.chdir(tmp_path / "b")
        assert as_mapped(file["x"]) is None


def test_each_chunk_of_a_pick_is_read_once(monkeypatch: pytest.MonkeyPatch, opened: Any) -> None:
    monkeypatch.setattr("nacre.core.stored.READ_BYTES", 1)
    monkeypatch.setattr("nacre.core.stored._GAP_BYTES", 0)
    read: list[int] = []
    plain = StoredRows._part
    monkeypatch.setattr(
        StoredRows, "_part",
        lambda self, first, stop: (read.append(first // 8), plain(self, first, stop))[1],
    )  # fmt: skip
    rows = StoredRows(opened("packed"))[4:60]
    wanted = np.array([50, 3, 3, 0, 41, 12, 55, 13])
    assert np.array_equal(rows[wanted], ROWS[4:][wanted])
    assert read == sorted(set(read)) == [0, 2, 5, 6, 7]


@pytest.mark.parametrize("kind", ["packed", "zarr"])
@pytest.mark.usefixtures("large")
def test_small_batches_unpack_a_chunk_once_or_twice(
    kind: str, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, plain = 0, StoredRows._part

    def counted(self: Any, first: int, stop: int) -> np.ndarray:
        nonlocal reads
        reads += 1
        return plain(self, first, stop)

    monkeypatch.setattr(StoredRows, "_part", counted)
    found = summing().predict(opened(kind), batch_size=1, verbose=0)
    np.testing.assert_allclose(found[:, 0], SUMS, rtol=1e-5)
    assert reads <= 10  # for 8 chunks: a few rows are looked at before

    rows = StoredRows(opened("packed"))
    first = np.asarray(rows[9:11])
    assert np.array_equal(first, ROWS[9:11])
    first[:] = 0  # is the caller's own
    assert np.array_equal(np.asarray(rows[9:12]), ROWS[9:12])
    assert np.array_equal(np.asarray(rows[6:10][1:3]), ROWS[7:9])


def test_what_is_written_between_two_passes_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        array = file.create_dataset("x", data=ROWS[:8], chunks=(8, 4))
        rows = StoredRows(array)
        before = [np.asarray(rows[i : i + 2]) for i in range(0, 8, 2)]
        array[:] = 0
        after = [np.asarray(rows[i : i + 2]) for i in range(0, 8, 2)]
    assert np.array_equal(np.concatenate(before), ROWS[:8]) and not np.concatenate(after).any()


# ------------------------------------------------------------------ the order of samples


def seen_batches(x: Any, **settings: Any) -> list[list[float]]:
    """The batches a model is given, of rows that are one number each."""
    seen: list[list[float]] = []

    class Noting(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            if not is_tracer(inputs):
                seen.append(np.ravel(inputs).tolist())
            return self.dense(inputs)

    model = Noting()
    model.build((None, 1))
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(x, np.zeros(len(x)), batch_size=3, verbose=0, **settings)
    return seen


def test_shuffled_batches_stay_batches_of_neighbours() -> None:
    keras.utils.set_random_seed(1)
    x = np.arange(20, dtype="float32")[:, None]
    seen = seen_batches(x, shuffle="batch", epochs=2)[-14:]
    whole = [list(map(float, range(i, i + 3))) for i in range(0, 18, 3)]
    for epoch in (seen[:7], seen[7:]):
        assert sorted(epoch[:6]) == whole and epoch[:6] != whole
        assert epoch[6] == [18.0, 19.0]
    assert seen[:7] != seen[7:]


@pytest.mark.usefixtures("large")
def test_a_file_whose_chunks_are_read_again_and_again_is_told_once(
    opened: Any, recwarn: pytest.WarningsRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nacre.training.inputs._told_of_reads", set())
    model, packed = summing(), opened("packed")
    with pytest.warns(UserWarning, match=r"fit, x: .*reads about [4-8] times.*batches of 8"):
        model.fit(packed, SUMS, batch_size=8, verbose=0)
    recwarn.clear()
    model.fit(packed, SUMS, batch_size=8, verbose=0)
    for shuffle in ("batch", False):
        model.fit(opened("packed"), SUMS, batch_size=8, shuffle=shuffle, verbose=0)
    model.fit(opened("plain"), SUMS, batch_size=8, verbose=0)
    assert not recwarn.list


# ------------------------------------------------------------------ other ways in


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_large", [False, True])
def test_a_data_set_has_the_rows_of_a_file(
    kind: str, is_large: bool, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_large:
        monkeypatch.setattr("nacre.data.rows.READ_WHOLE_BYTES", 0)
    dataset = keras.data.Dataset.from_tensor_slices({"x": opened(kind), "y": SUMS})
    assert dataset.element_spec["x"].shape == (4,)
    batches = list(dataset.batch(16).as_numpy_iterator())
    assert np.array_equal(np.concatenate([batch["x"] for batch in batches]), ROWS)
    shuffled = np.stack([e["x"] for e in dataset.shuffle(60, seed=1).as_numpy_iterator()])
    assert np.array_equal(np.sort(shuffled, axis=0), np.sort(ROWS, axis=0))


@pytest.mark.parametrize("kind", ["packed", "plain"])
@pytest.mark.usefixtures("large")
def test_indices_in_a_large_file_are_looked_at_before_the_first_step(
    kind: str, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nacre.models.index_checks.READ_BYTES", 20 * 8)
    ids = np.zeros((60, 2), "int32")
    ids[47, 1] = 5
    inputs = keras.Input((2,), dtype="int32")
    model = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layers.Embedding(5, 2)(inputs))))
    model.compile("sgd", "mse")
    with pytest.raises(DataError, match=r"from 0 to 4. Got 5 in row 7.*counted from row 40 on"):
        model.fit(opened(kind, ids), SUMS, verbose=0)


def test_a_file_of_several_arrays_says_how_to_pass_one(opened: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=ROWS, b=SUMS)
    with np.load(tmp_path / "x.npz") as loaded:
        for x, name in ((opened("plain").parent, "x"), (loaded, "a")):
            for use in (lambda x=x: summing().fit(x, SUMS), lambda x=x: summing().predict(x)):
                with pytest.raises(DataError, match=rf"that holds '{name}'.*x\['{name}'\]"):
                    use()
