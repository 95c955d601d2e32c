"""`tf.experimental.numpy`: NumPy's names on tensors of the host, of the device, and on symbols."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.tf import methods, numpy_random
from nacre.tf import numpy_names as tnp  # a face of `tensorflow.experimental.numpy`


def test_it_is_a_module_of_tensorflow() -> None:
    assert tf.experimental.numpy.sum([1, 2]).numpy() == 3
    assert tf.experimental.numpy.random.randn(2, 3).shape == (2, 3)
    with pytest.raises(AttributeError, match="StructuredTensor"):
        tf.experimental.StructuredTensor  # noqa: B018


def test_numbers_of_the_host_have_64_bits_as_in_numpy() -> None:
    assert tnp.asarray(1).dtype == tf.int64 and tnp.asarray(1.0).dtype == tf.float64
    assert tnp.ones([2]).dtype == tf.float64
    assert isinstance(tnp.ones([2]), tf.Tensor)
    assert (tnp.ones([2], tnp.float32)).dtype == tf.float32
    assert tnp.array(5, ndmin=2).shape == (1, 1) and tnp.ones([2, 3], tf.int32).dtype == tf.int32


def test_fewer_bits_where_they_are_preferred() -> None:
    try:
        tnp.experimental_enable_numpy_behavior(prefer_float32=True)
        assert tnp.add(1.0, 2.0).dtype == tf.float32 and tnp.asarray(1).dtype == tf.int32
    finally:
        tnp.experimental_enable_numpy_behavior()
        methods._follows_numpy[0] = False
    assert tnp.add(1.0, 2.0).dtype == tf.float64


@pytest.mark.parametrize(
    ("one", "other", "want"),
    [
        ("int32", "float32", "float64"),
        ("float32", "float64", "float64"),
        ("int8", "int32", "int32"),
    ],
)
def test_operators_let_dtypes_meet_once_a_script_asks(one: str, other: str, want: str) -> None:
    x, y = tf.constant([1], one), tf.constant([2], other)
    with pytest.raises(TypeError, match="must have one dtype"):
        x + y
    try:
        tnp.experimental_enable_numpy_behavior()
        assert (x + y).dtype == want and (y - x).numpy().tolist() == [1]
    finally:
        methods._follows_numpy[0] = False


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("sum", ([[1.0, 2.0], [3.0, 4.0]], 0)),
        ("matmul", ([[1.0, 2.0]], [[3.0], [4.0]])),
        ("where", ([True, False], [1.0, 2.0], [3.0, 4.0])),
        ("concatenate", ([[1.0], [2.0]],)),
        ("einsum", ("ij,ij->i", [[1.0, 2.0]], [[3.0, 4.0]])),
        ("cumsum", ([1.0, 2.0],)),
    ],
)
def test_functions_are_the_same_on_the_host_and_on_the_device(name: str, args: Any) -> None:
    want = getattr(np, name)(*args)
    assert getattr(tnp, name)(*args).numpy() == pytest.approx(want)
    given = [tf.constant(arg) if isinstance(arg, list) else arg for arg in args]
    found = getattr(tnp, name)(*given)
    assert found.numpy() == pytest.approx(want) and found.shape == want.shape


def test_tapes_and_compiled_functions_see_them() -> None:
    w = tf.Variable([1.0, -2.0])

    @tf.function
    def loss() -> Any:
        return tnp.sum(tnp.square(tnp.maximum(w, 0) * 3))

    with tf.GradientTape() as tape:
        value = loss()
    assert value.numpy() == 9 and tape.gradient(value, w).numpy().tolist() == [18, 0]


def test_symbolic_tensors_pass_through() -> None:
    x = tf.keras.Input((3,))
    model = tf.keras.Model(x, tnp.maximum(x, 0))
    assert model(tf.constant([[-1.0, 2.0, 0.0]])).numpy().tolist() == [[0, 2, 0]]
    with pytest.raises(NotImplementedError, match="takes no symbolic tensor"):
        tnp.ix_(x)


def test_random_numbers_repeat_from_their_seed() -> None:
    drawn = []
    for _ in range(2):
        numpy_random.seed(3)
        drawn.append([numpy_random.randn(2).numpy().tolist(), numpy_random.randint(9).numpy()])
    assert drawn[0] == drawn[1] and numpy_random.rand(2).dtype == tf.float64


def test_numpys_own_functions_give_numpys_own_values_of_tensors() -> None:
    total = np.sum(tf.constant([1, 2]))
    assert type(total) is np.int64 and str(total) == "3"  # NumPy adds up with 64 bits
    assert type(np.concatenate([tf.constant([1]), tf.constant([2])])) is np.ndarray
    with pytest.raises(TypeError, match="tensors do not change"):
        tf.constant([1, 2])[0] = 3


@pytest.mark.parametrize("mode", ["all", "safe"])
def test_other_ways_for_dtypes_to_meet_are_told_not_to_be_here(mode: str) -> None:
    try:
        with pytest.warns(UserWarning, match=f"dtype_conversion_mode='{mode}' is not here"):
            tnp.experimental_enable_numpy_behavior(dtype_conversion_mode=mode)
        total = tf.constant(1, tf.int32) + tf.constant(0.5, tf.float32)
        assert total.dtype == tf.float64  # as is said
    finally:
        methods._follows_numpy[0] = False
