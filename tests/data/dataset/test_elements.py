"""Elements of a `Dataset`: what becomes a tensor, and what a tensor can do."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict, namedtuple
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from nacre.core.errors import DataError, ShapeError
from nacre.data import Dataset, HostTensor, TensorSpec

Pair = namedtuple("Pair", "first second")


@dataclasses.dataclass
class Example:
    """A structure of a user's own."""

    image: Any
    label: Any


def only(value: Any) -> Any:
    """A value as the one element of a data set."""
    return next(iter(Dataset.from_tensors(value)))


def returned(value: Any) -> Any:
    """A value as what a function of map gives."""
    return next(iter(Dataset.range(1).map(lambda x: value)))


@pytest.mark.parametrize("through", [only, returned])
@pytest.mark.parametrize(
    ("given", "dtype", "shape"),
    [(1, "int32", ()), (2**40, "int64", ()), (1.5, "float32", ()), (True, "bool", ()),
     (1j, "complex64", ()), ("a", "object", ()), (b"\0a\0", "object", ()),
     (np.int64(1), "int64", ()), (np.float64(1), "float64", ()), (np.array([1.0]), "float64", (1,)),
     (jnp.ones((2, 3)), "float32", (2, 3)), (jnp.ones(2, "bfloat16"), "bfloat16", (2,)),
     (range(3), "int32", (3,))],
)  # fmt: skip
def test_values_become_tensors_as_for_tf_data(
    through: Any, given: Any, dtype: str, shape: Any
) -> None:
    tensor = through(given)
    assert type(tensor) is HostTensor
    assert (str(tensor.dtype), tensor.shape) == (dtype, shape)


@pytest.mark.parametrize(
    ("given", "dtype", "shape"),
    [([1, 2], "int32", (2,)), ([[1, 2.5]], "float32", (1, 2)), (["a", "b"], "object", (2,)),
     ([np.int64(1), 2], "int64", (2,)), ([1, np.int64(2)], "int64", (2,)),
     ([], "float32", (0,)), ([np.ones(2), np.ones(2)], "float64", (2, 2)), ([2**40], "int64", (1,))],
)  # fmt: skip
def test_a_list_is_one_tensor(given: Any, dtype: str, shape: Any) -> None:
    tensor = only(given)
    assert (str(tensor.dtype), tensor.shape) == (dtype, shape)


def test_a_list_that_a_function_returns_is_a_tuple() -> None:
    assert [type(part) for part in returned([1, 2.0])] == [HostTensor, HostTensor]


def test_structures_keep_their_kind() -> None:
    given = {"b": (1, Pair(2, None)), "a": OrderedDict(z=Example(np.ones(2), "x"))}
    element = only(given)
    assert list(element) == ["b", "a"] and type(element["b"][1]) is Pair
    assert element["b"][1].second is None and type(element["a"]["z"]) is Example
    (batch,) = Dataset.from_tensors(given).repeat(2).batch(2)
    assert batch["a"]["z"].image.shape == (2, 2) and batch["b"][1].first.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("given", "rule"),
    [([[1], [1, 2]], "rows of one length"), ([["a"], ["b", "c"]], "rows of one length"),
     (object(), "must be tensors"), (np.array(["2020-01-01"], "M8[D]"), "numbers or strings"),
     (np.ma.masked_array([1.0], [True]), "no masked values"), (2**70, "64 bits"),
     (np.array([1, None], object), "every value must be there")],
)  # fmt: skip
def test_what_is_no_tensor_is_told(given: Any, rule: str) -> None:
    with pytest.raises(DataError, match=f"^Dataset.from_tensors: .*{rule}"):
        Dataset.from_tensors(given)


def test_strings_are_bytes_whatever_is_in_them() -> None:
    texts = ["é", "", "long enough"]
    raw = [b"\xff\xd8\0\0", b"", b"\0"]
    data = Dataset.from_tensor_slices((texts, raw))
    assert [(t.numpy(), r.numpy()) for t, r in data] == list(
        zip([t.encode() for t in texts], raw, strict=True)
    )
    (batch,) = data.batch(3)
    assert batch[1].tolist() == raw and batch[0].dtype == object
    assert Dataset.from_tensor_slices(np.array(["a", "bc"])).batch(
        2
    ).get_single_element().tolist() == [b"a", b"bc"]
    assert bool(only("é") == "é") and (batch[0] == "é").tolist() == [True, False, False]


def test_a_tensor_does_what_tutorials_write() -> None:
    images = np.arange(24, dtype="uint8").reshape(2, 3, 4)
    names = ["cat", "dog"]
    for batch, labels in Dataset.from_tensor_slices((images, [1, 0])).batch(2).take(1):
        assert batch[0].numpy().astype("uint8").shape == (3, 4)
        assert names[labels[0]] == "dog" and names[labels[1].numpy()] == "cat"
        assert [int(label) for label in labels] == [1, 0] and f"{labels[0]}" == "1"
        assert isinstance(labels[0].numpy(), np.int32) and labels[0].shape == ()
        batch.set_shape([None, 3, 4])
        with pytest.raises(ShapeError, match=r"must be \(None, 3\). Got \(2, 3, 4\)"):
            batch.set_shape([None, 3])


def test_small_integers_are_divided_in_float32() -> None:
    x = only(np.array([0, 255], "uint8"))
    assert (x / 255).dtype == (x / 255.0).dtype == "float32" and (x / 255).tolist() == [0.0, 1.0]
    assert (1 / only(np.int8(2))).dtype == "float32" and (only(np.int32(3)) / 2).dtype == "float64"


def test_nobody_writes_into_what_a_dataset_holds() -> None:
    given = np.zeros((2, 2))
    data = Dataset.from_tensor_slices(given)

    def add(x: Any) -> Any:
        x += 1  # a new array
        x *= 2
        return x

    assert [x.tolist() for x in data.map(add)] == [[2, 2], [2, 2]] and not given.any()
    with pytest.raises(ValueError, match="read-only"):
        next(iter(data))[0] = 1
    copy = next(iter(data)).numpy()
    copy[0] = 5
    assert not given.any()


def test_an_array_that_is_filled_anew_does_not_change_data_made_of_it() -> None:
    buffer, parts = np.zeros(2), []
    for number in range(2):
        buffer[:] = number
        parts.append(Dataset.from_tensor_slices((buffer, {"a": buffer})))
        parts.append(Dataset.from_tensors(buffer).unbatch().map(lambda x: (x, {"a": x})))
    buffer[:] = 9
    assert [[float(x) for x, _ in part] for part in parts] == [[0, 0], [0, 0], [1, 1], [1, 1]]


def test_a_buffer_that_a_function_fills_anew_is_copied() -> None:
    buffer = np.zeros(3)

    def fill(i: Any) -> Any:
        buffer[:] = i
        return buffer

    expected = [[0, 0, 0], [1, 1, 1]]
    ways = [fill, lambda i: (fill(i),), lambda i: fill(i)[:], lambda i: {"a": fill(i)}]
    for way in ways:
        (batch,) = Dataset.range(2).map(way).batch(2)
        assert np.ravel(list(batch.values()) if isinstance(batch, dict) else batch).tolist() == np.ravel(expected).tolist()  # fmt: skip

    def generate() -> Any:
        for i in range(2):
            buffer[:] = i
            yield buffer

    (batch,) = Dataset.from_generator(generate).batch(2)
    assert batch.tolist() == expected


def test_specs_of_all_kinds_of_dtypes_are_equal() -> None:
    spec = TensorSpec([None, -1, 3], np.float32)
    assert spec == TensorSpec((None, None, 3), "float32") and spec.shape == (None, None, 3)
    assert {TensorSpec((), d).dtype for d in (str, bytes, object, "string", "<U3")} == {"string"}
    assert TensorSpec(None).shape is None
