"""Operators of tensors with lists and arrays: eager and compiled, what TensorFlow gives."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf

# What TensorFlow 2.15 and 2.21 give, both ways: an expression, its dtype and its values.
GIVEN: list[tuple[str, str, Any]] = [
    ("x * [1., 2.]", "float32", [1, 4]),
    ("[1., 2.] + x", "float32", [2, 4]),
    ("x + (1, 2)", "float32", [2, 4]),
    ("[1., 3.] - x", "float32", [0, 1]),
    ("[1., 2.] / x", "float32", [1, 1]),
    ("x ** [2., 2.]", "float32", [1, 4]),
    ("x // [2., 2.]", "float32", [0, 1]),
    ("x % [2., 2.]", "float32", [1, 0]),
    ("x == [1., 5.]", "bool", [True, False]),
    ("x != [1., 2.]", "bool", [False, False]),
    ("x < [2., 2.]", "bool", [True, False]),
    ("[2, 2] > i", "bool", [True, False]),
    ("i * [3, 4]", "int32", [3, 8]),
    ("[3, 4] * i", "int32", [3, 8]),
    ("i == [1, 3]", "bool", [True, False]),
    ("i + np.array([1, 2])", "int32", [2, 4]),
    ("np.arange(2) + i", "int32", [1, 3]),
    ("i * np.int64(3)", "int32", [3, 6]),
    ("np.int64(3) * i", "int32", [3, 6]),
    ("np.int64(3) - i", "int32", [2, 1]),
    ("np.float64(3) ** i", "int32", [3, 9]),
    ("np.float32(3) / i", "float64", [3, 1.5]),
    ("np.float32(2.5) * i", "int32", [2, 4]),
    ("np.int64(2) > i", "bool", [True, False]),
    ("np.int64(2) == i", "bool", [False, True]),
    ("np.float64(3) * x", "float32", [3, 6]),
    ("x + np.array([1., 2.])", "float32", [2, 4]),
    ("b & [True, True]", "bool", [True, False]),
    ("b == [True, True]", "bool", [True, False]),
    ("x + [tf.constant(1.), 2.]", "float32", [2, 4]),
    ("x[None] @ [[1.], [2.]]", "float32", [[5]]),
]


def values() -> dict[str, Any]:
    return {
        "x": tf.constant([1.0, 2.0]), "i": tf.constant([1, 2]), "b": tf.constant([True, False]),
    }  # fmt: skip


@pytest.mark.parametrize(("expression", "dtype", "wanted"), GIVEN)
@pytest.mark.parametrize("is_compiled", [False, True])
def test_an_operator_takes_lists(
    expression: str, dtype: str, wanted: Any, is_compiled: bool
) -> None:
    run = eval(f"lambda x, i, b: {expression}", {"tf": tf, "np": np})
    found = (tf.function(run) if is_compiled else run)(**values())
    assert found.dtype == tf.as_dtype(dtype) and found.numpy().tolist() == wanted


# What TensorFlow 2.15 gives: a quotient of truths and numbers of NumPy's; the others are errors.
OF_TRUTHS: list[tuple[str, str | None, Any]] = [
    ("b / np.float32(2.5)", "float32", [0.4, 0.0]),
    ("b / np.float64(2.5)", "float64", [0.4, 0.0]),
    ("b / np.int64(2)", "float64", [0.5, 0.0]),
    ("b / np.array([2, 4])", "float64", [0.5, 0.0]),
    *((f"b {sign} np.float32(2.5)", None, None) for sign in "+ - * // % ** < >=".split()),
    *((f"b {sign} 2", None, None) for sign in "+ - * / // % ** < >=".split()),
    *((f"2 {sign} b", None, None) for sign in "+ - * / // % **".split()),
    *((f"b {sign} b", None, None) for sign in "+ - * / // % ** < >=".split()),
    ("b / [1., 2.]", None, None),
    ("i * b", None, None),
    ("b * x", None, None),
    ("-b", None, None),
    ("abs(b)", None, None),
]


def test_a_function_of_numpys_is_numpys() -> None:
    i = values()["i"]
    found = np.multiply(np.float32(2.5), i)
    assert np.asarray(found).tolist() == [2.5, 5.0] and np.add.reduce(i) == 3
    assert [np.asarray(part).tolist() for part in np.divmod(i, 2)] == [[0, 1], [1, 0]]
    filled = np.zeros(2, np.int32)
    assert np.add(i, 1, out=filled) is filled and filled.tolist() == [2, 3]


@pytest.mark.parametrize("of", "reduce_sum reduce_max reduce_mean abs negative square".split())
def test_functions_of_numbers_refuse_truths(of: str) -> None:
    operate = getattr(tf, of)
    for run in (operate, tf.function(operate)):
        with pytest.raises(TypeError, match="bool"):
            run(values()["b"])


@pytest.mark.parametrize("of", "add multiply maximum less divide".split())
def test_functions_of_two_numbers_refuse_truths(of: str) -> None:
    with pytest.raises(TypeError, match="bool"):
        getattr(tf, of)(values()["b"], values()["b"])


@pytest.mark.parametrize("of", ["host", "device", "variable", "function"])
def test_truths_are_no_numbers(of: str) -> None:
    given = values()
    if of == "device":
        given["b"] = given["x"] < 2.0
    elif of == "variable":
        given["b"] = tf.Variable(given["b"])
    for expression, dtype, wanted in OF_TRUTHS:
        run = eval(f"lambda x, i, b: {expression}", {"tf": tf, "np": np})
        run = tf.function(run) if of == "function" else run
        if dtype is None:
            with pytest.raises(TypeError, match="must have one dtype|does not take truths"):
                run(**given)
        else:
            found = run(**given)
            assert found.dtype == tf.as_dtype(dtype), expression
            assert found.numpy().tolist() == pytest.approx(wanted), expression


def test_a_variable_takes_lists() -> None:
    weight = tf.Variable([1.0, 2.0])
    assert (weight * [1.0, 2.0]).numpy().tolist() == [1, 4]
    assert ([1.0, 2.0] * weight).numpy().tolist() == [1, 4]
    assert (weight == [1.0, 5.0]).numpy().tolist() == [True, False]


@pytest.mark.parametrize(
    "expression", ["i + [1.5, 2]", "x + ['a', 'b']", "i // [0, 1]", "i % 0", "4 // (i - 1)"]
)
def test_what_has_no_value_is_refused(expression: str) -> None:
    with pytest.raises((tf.errors.InvalidArgumentError, ValueError, TypeError)):
        eval(expression, {"tf": tf} | values())


_OTHERS: dict[str, Callable[[], Any]] = {
    "whole": lambda: tf.constant([1, 2]),
    "whole variable": lambda: tf.Variable([1, 2]),
    "float32": lambda: tf.constant([1.0, 2.0]),
    "variable": lambda: tf.Variable([1.0, 2.0]),
    "float64": lambda: tf.constant([1.0, 2.0], tf.float64),
    "float16": lambda: tf.constant([1.0, 2.0], tf.float16),
    "truth": lambda: tf.constant([True, False]),
}
_GROUPS = [{"whole", "whole variable"}, {"float32", "variable"}]


@pytest.mark.parametrize("operate", [operator.add, operator.truediv, operator.pow, operator.lt])
@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(_OTHERS, 2)))
def test_tensors_of_two_dtypes_are_refused(operate: Any, one: str, other: str) -> None:
    if {one, other} in _GROUPS:
        assert operate(_OTHERS[one](), _OTHERS[other]()).shape == (2,)
        return
    with pytest.raises(TypeError, match=r"one dtype.*tf\.cast"):
        operate(_OTHERS[one](), _OTHERS[other]())


def test_tensors_of_two_dtypes_are_refused_in_functions() -> None:
    for other in (tf.constant([1, 2]), tf.constant([1.0, 2.0], tf.float64)):
        with pytest.raises(TypeError, match="one dtype"):
            tf.function(lambda x, y: x * y)(tf.constant([1.0, 2.0]), other)


@pytest.mark.parametrize("kind", ["int32", "int64", "uint8"])
def test_a_float_of_pythons_is_refused_beside_whole_numbers(kind: str) -> None:
    for x in (tf.constant([1, 2], kind), tf.Variable([1, 2], dtype=kind)):
        for meet in (lambda x: x + 1.5, lambda x: 1.5 * x, lambda x: x / 2.0, lambda x: x > 0.5):
            with pytest.raises(TypeError, match="one dtype"):
                meet(x)


@pytest.mark.parametrize("kind", ["int32", "int64", "uint8", "float16", "float32", "float64"])
def test_arrays_of_numpys_become_what_the_tensor_is(kind: str) -> None:
    for x in (tf.constant([1, 2], kind), tf.Variable([1, 2], dtype=kind)):
        for array in (np.array([3, 4]), np.array([3.0, 4.0]), np.array([3.0, 4.0], "float32")):
            for found in (x + array, array + x, tf.add(x, array)):
                assert found.dtype == kind and found.numpy().tolist() == [4, 6]


def test_whole_numbers_are_divided_as_in_tensorflow() -> None:
    divide = tf.function(lambda a, b: (a / b, a / 2, 3 / a, tf.divide(a, b), tf.truediv(a, 2)))
    for kind, wanted in (("int32", "float64"), ("int64", "float64"), ("uint8", "float32")):
        a, b, v = (
            tf.constant([5, 6], kind),
            tf.constant([2, 4], kind),
            tf.Variable([5, 6], dtype=kind),
        )
        for found in (*divide(a, b), a / b, a / 2, v / b, v / 2, b / v):
            assert found.dtype == wanted
        assert divide(a, b)[0].numpy().tolist() == [2.5, 1.5] == (v / b).numpy().tolist()


@pytest.mark.parametrize("kind", ["bool", "int32", "int64", "float32"])
def test_truths_are_of_the_dtype_that_is_told(kind: str) -> None:
    for made in (tf.constant([True, False], kind), tf.Variable([True, False], dtype=kind)):
        assert made.numpy().tolist() == [True, False]
    assert tf.constant(True, tf.as_dtype(kind)).dtype == tf.as_dtype(kind)


def test_strings_are_joined_and_compared_with_texts() -> None:
    words = tf.constant(["a", "b"])
    assert (words + "x").numpy().tolist() == [b"ax", b"bx"]
    assert ("x" + words).numpy().tolist() == [b"xa", b"xb"]
    assert (words[0] + "z").numpy() == b"az"
    assert (words == "a").numpy().tolist() == [True, False]


def test_matrices_are_printed_from_a_line_of_their_own() -> None:
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    assert str(x) == "tf.Tensor(\n[[1. 2.]\n [3. 4.]], shape=(2, 2), dtype=float32)"
    assert repr(x).startswith("<tf.Tensor: shape=(2, 2), dtype=float32, numpy=\narray([[1., 2.],")
    assert str(x[0]) == "tf.Tensor([1. 2.], shape=(2,), dtype=float32)"


def test_shapes_that_do_not_fit_are_refused_as_tensorflow_refuses_them() -> None:
    f, m = tf.constant([1.0, 2.0, 3.0]), tf.constant([[1.0, 2.0], [3.0, 4.0]])
    for wrong in (
        lambda: f + tf.constant([1.0, 2.0]),
        lambda: f * m,
        lambda: m @ tf.constant([[1.0, 2.0, 3.0]]),
        lambda: tf.Variable([1.0, 2.0]) - f,
        lambda: tf.reduce_sum(f, axis=3),
        lambda: tf.reduce_mean(m, axis=[0, -3]),
        lambda: tf.boolean_mask(f, [True]),
        lambda: tf.boolean_mask(m, [True, False, True], axis=1),
        lambda: tf.function(lambda x: x + tf.constant([1.0, 2.0]))(f),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match="shape"):
            wrong()
    assert tf.boolean_mask(m, [False, True], axis=1).numpy().tolist() == [[2.0], [4.0]]
    assert (m @ f[:2, None]).shape == (2, 1) and tf.reduce_sum(m, axis=[-1, 0]) == 10.0
