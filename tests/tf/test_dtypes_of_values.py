"""`x.dtype` and `x.device`: what scripts are told, and what libraries are."""

from __future__ import annotations

import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre.tf as tf
from nacre.tf.methods import take_methods_back

VALUES: dict[str, Any] = {
    "array": lambda: tf.constant([1.0]) + 1,
    "host": lambda: tf.constant([1, 2], tf.int64),
    "text": lambda: tf.constant("a"),
    "variable": lambda: tf.Variable(1.0),
    "weight": lambda: tf.keras.layers.Embedding(2, 3).add_weight(shape=(2,)),
    "ragged": lambda: tf.ragged.constant([[1], [2, 3]]),
    "symbol": lambda: tf.keras.Input((2,), dtype="int32"),
    "spec": lambda: tf.TensorSpec([None], tf.bfloat16),
    "half": lambda: tf.cast([1.0], tf.bfloat16),
}


@pytest.mark.parametrize("kind", VALUES)
def test_scripts_are_told_dtypes_of_tf(kind: str) -> None:
    dtype = VALUES[kind]().dtype
    expected = {
        "host": "int64", "text": "string", "ragged": "int32", "symbol": "int32",
        "spec": "bfloat16", "half": "bfloat16",
    }.get(kind, "float32")  # fmt: skip
    assert dtype is getattr(tf, expected) and {dtype: 1}[getattr(tf, expected)] == 1
    assert str(dtype) == f"<dtype: '{expected}'>" and repr(dtype) == f"tf.{expected}"
    assert dtype.is_floating == (expected in ("float32", "bfloat16"))
    assert dtype.base_dtype == expected == dtype.name


def test_they_are_taken_wherever_a_dtype_is() -> None:
    x = tf.constant([1.5, 2.5])
    assert np.zeros(2, x.dtype).dtype == np.zeros(2, x.dtype.as_numpy_dtype).dtype == np.float32
    assert jnp.zeros(2, x.dtype).dtype == jnp.float32
    assert tf.cast([1, 2], x.dtype).numpy().tolist() == [1.0, 2.0]
    assert tf.keras.layers.Dense(1, dtype=x.dtype)(x[None]).dtype == x.dtype
    assert tf.Variable([1, 2], dtype=x.dtype).dtype is x.dtype and x.dtype.max > 1e38
    assert np.issubdtype(x.dtype, np.floating) and np.result_type(x.numpy(), x.dtype) == np.float32


def test_in_compiled_functions_and_transformations_too() -> None:
    seen: list[Any] = []

    @tf.function
    def f(x: Any) -> Any:
        seen.append(x.dtype)
        return tf.cast(x, tf.float16) if x.dtype.is_integer else x

    assert f(tf.constant(1)).dtype is tf.float16 and f(tf.constant(1.0)).dtype is tf.float32
    assert seen == [tf.int32, tf.float32] and all(type(s) is tf.DType for s in seen)
    jax.jit(jax.grad(lambda x: seen.append(x.dtype) or x * x))(tf.constant(2.0))
    assert seen[-1] is tf.float32


def test_libraries_are_told_what_they_are_elsewhere() -> None:
    library = types.ModuleType("library")
    text = "def dtype_of(x):\n    return x.dtype\ndef device_of(x):\n    return x.device\n"
    exec(compile(text, "/usr/lib/site-packages/library.py", "exec"), vars(library))
    x = tf.constant([1.0])
    assert type(library.dtype_of(x)) is not tf.DType and library.dtype_of(x).kind == "f"
    assert isinstance(library.device_of(x), jax.Device)
    assert library.dtype_of(tf.constant("a")).kind == "O"


def test_devices_have_tensorflows_names() -> None:
    for x in (tf.constant([1.0]), tf.constant(1)):
        assert x.device == "/job:localhost/replica:0/task:0/device:CPU:0" and "GPU" not in x.device


def test_nothing_of_it_is_left_when_methods_are_taken_back() -> None:
    x = tf.constant([1.0])
    take_methods_back()
    assert x.dtype == np.dtype("float32") and isinstance(x.dtype, np.dtype)
    assert isinstance(x.device, jax.Device)


def test_sparse_tensors_are_tensors_and_print_as_such() -> None:
    x = tf.SparseTensor([[0, 1]], [5.0], [2, 2])
    assert tf.is_tensor(x) and not isinstance(x, tf.Tensor)
    assert str(x).startswith("SparseTensor(indices=tf.Tensor([[0 1]], shape=(1, 2), dtype=int64)")
    assert str(tf.constant([[1], [2]])).startswith("tf.Tensor(\n[[1]\n")
    assert repr(tf.constant([[1]])).endswith("numpy=array([[1]], dtype=int32)>")
    assert str(tf.zeros((0, 3))) == "tf.Tensor([], shape=(0, 3), dtype=float32)"


def test_iterators_are_read_by_functions_that_run_as_plain_python() -> None:
    @tf.function
    def two(batches: Any) -> Any:
        total = tf.constant(0, tf.int64)
        for _ in tf.range(2):
            total += next(batches)
        return total

    batches = iter(tf.data.Dataset.range(5))
    with pytest.warns(UserWarning, match="elements of an iterator"):
        assert int(two(batches)) == 1
    assert int(two(batches)) == 5
    with pytest.raises(tf.errors.OutOfRangeError):
        two(batches)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "make", [lambda x: x, lambda x: tf.Variable(x)], ids=["tensor", "variable"]
)
def test_floats_of_16_bits_stay_so_when_they_meet_numpys(dtype: str, make: Any) -> None:
    x = make(tf.cast([1.0, 2.0], dtype))
    for other in (np.float64(2.5), np.float32(2.5), np.array([2.5, 2.5]), np.ones(2, "float32")):
        for found in (x * other, other * x, x - other, other / x):
            assert found.dtype == dtype
        assert (x > other).dtype is tf.bool
    assert (tf.constant([1.0]) * np.ones(1)).dtype is tf.float32
