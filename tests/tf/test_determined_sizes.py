"""Saved functions whose signatures leave sizes open that weights determine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre.tf as tf
from nacre.core.errors import NacreError

X = np.random.default_rng(0).random((5, 4)).astype("float32")
OPEN = (None, None)


def saved(compute: Callable[[Any], Any], folder: Path, shape: Any = OPEN) -> tuple[Any, Any]:
    module = tf.Module()
    module.compute = tf.function(compute, input_signature=[tf.TensorSpec(shape, tf.float32)])
    tf.saved_model.save(module, str(folder))
    return module.compute, tf.saved_model.load(str(folder)).compute


def kernel(*shape: int) -> Any:
    return tf.Variable(tf.reshape(tf.range(float(np.prod(shape))), shape))


def layered() -> Any:
    layer = tf.keras.layers.Dense(2)
    layer(X)
    return layer


CASES: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "a product": lambda: with_kernel((4, 3), lambda x, w: x @ w),
    "a square": lambda: with_kernel((4, 4), lambda x, w: x @ w),
    "a sum": lambda: with_kernel((4,), lambda x, w: x - w),
    "both": lambda: with_kernel((4, 4), lambda x, w: (x - w[0]) @ w),
    "columns": lambda: with_kernel(
        (6, 2),
        lambda x, w: tf.concat([x[:, :-1], tf.one_hot(tf.cast(x[:, -1], "int32"), 3)], 1) @ w,
    ),
    "twice": lambda: with_kernel((8, 3), lambda x, w: tf.concat([x, x], 1) @ w),
    "rows": lambda: with_kernel((4, 2), lambda x, w: tf.reshape(x, [-1, 4]) @ w),
    "a layer": lambda: layered(),
}


def with_kernel(shape: Any, compute: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    weights = kernel(*shape)
    return lambda x: compute(x, weights)


@pytest.mark.parametrize("name", CASES)
def test_the_function_is_written_for_the_size_its_weights_have(name: str, tmp_path: Path) -> None:
    compute, loaded = saved(CASES[name](), tmp_path / "m")
    for rows in (5, 2):
        np.testing.assert_allclose(loaded(X[:rows]), compute(tf.constant(X[:rows])), rtol=1e-5)
    with pytest.raises(NacreError):
        loaded(np.ones((2, 9), "float32"))


def test_a_size_that_nothing_determines_stays_open(tmp_path: Path) -> None:
    compute, loaded = saved(lambda x: tf.reduce_sum(x, 1), tmp_path / "m")
    for shape in ((2, 3), (4, 9)):
        x = tf.ones(shape)
        assert loaded(x).numpy().tolist() == compute(x).numpy().tolist()


def test_a_table_that_is_cut_to_an_open_size_is_long_enough_for_it(tmp_path: Path) -> None:
    table = kernel(300, 4)

    def placed(x: Any) -> Any:
        return x + table[tf.newaxis, : tf.shape(x)[1]]

    compute, loaded = saved(placed, tmp_path / "m", (None, None, 4))
    for length in (2, 5, 300):
        x = tf.ones((3, length, 4))
        np.testing.assert_allclose(loaded(x), compute(x))
    with pytest.raises(NacreError):
        loaded(tf.ones((3, 301, 4)))


def test_weights_that_contradict_one_another_are_an_error(tmp_path: Path) -> None:
    one, other = kernel(4), kernel(5)
    with pytest.raises(NacreError):
        saved(lambda x: (x + one, x + other), tmp_path / "m")


def test_a_function_that_only_changes_a_variable_does_so_in_the_file_too(tmp_path: Path) -> None:
    class Kept(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.number = tf.Variable(1.0)

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
        def change(self, number: Any) -> None:
            self.number.assign(number)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def times(self, x: Any) -> Any:
            return x * self.number

    module = Kept()
    tf.saved_model.save(module, str(tmp_path / "m"))
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    assert loaded.times(tf.constant([3.0])).numpy().tolist() == [3.0]
    loaded.change(tf.constant(2.0))
    assert loaded.times(tf.constant([3.0])).numpy().tolist() == [6.0]
    assert module.number.numpy() == 1.0  # writing it changed nothing
