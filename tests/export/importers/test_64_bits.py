"""What a file computes with 64 bits is computed with 64 bits, wherever the model stands."""

import os
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import DTypeError
from nacre.core.wide import in_64_bits
from nacre.export.importers.imported import ImportedModel
from nacre.export.importers.litert.program import open_model as open_lite
from nacre.models import load_model
from tests.export.importers.test_onnx import model, node, open_model, tensor, value
from tests.export.importers.test_tflite_operators import K, file_of

LARGE = 1_700_000_000_123  # a time in milliseconds
Row = tuple[bytes, np.ndarray, Any]


def one(op: str, inputs: str, dtype: str, given: str, tensors=(), sizes=("batch",), out=("batch",),
        **attributes) -> bytes:  # fmt: skip
    return model(
        [node(op, inputs, "y", **attributes)], [value("x", *sizes, dtype=given)],
        [value("y", *out, dtype=dtype)], tensors,
    )  # fmt: skip


def whole(*values: int, dtype: str = "int64") -> np.ndarray:
    return np.array(values, dtype)


def hashed(dtype: str = "int64", given: str = "int64") -> bytes:
    """x * 2654435761 mod 1000003, in `dtype`."""
    cast = [node("Cast", "x", "i", to=7)] if given != "int64" else [node("Identity", "x", "i")]
    return model(
        [*cast, node("Mul", "i m", "p"), node("Mod", "p n", "h"), node("Cast", "h", "y", to=1)],
        [value("x", "batch", dtype=given)], [value("y", "batch")],
        [tensor("m", whole(2654435761)), tensor("n", whole(1000003))],
    )  # fmt: skip


HASHED = [5 * 2654435761 % 1000003, (1 << 30) * 2654435761 % 1000003]
TABLE: dict[str, Row] = {
    "a time is taken and a time given": (
        one("Sub", "x k", "int64", "int64", [tensor("k", whole(1_700_000_000_000))]),
        whole(LARGE, LARGE + 7), whole(123, 130),
    ),
    "a product beyond 32 bits": (
        one("Mul", "x k", "int64", "int64", [tensor("k", whole(1000))]),
        whole(LARGE // 1000, 7), whole(LARGE // 1000 * 1000, 7000),
    ),
    "unsigned numbers": (
        one("Add", "x k", "uint64", "uint64", [tensor("k", whole(1 << 62, dtype="uint64"))]),
        whole(1 << 63, 1, dtype="uint64"), whole(3 << 62, (1 << 62) + 1, dtype="uint64"),
    ),
    "32 unsigned bits as 64": (
        one("Cast", "x", "int64", "uint32", to=7), whole(4_000_000_000, 1, dtype="uint32"),
        whole(4_000_000_000, 1),
    ),
    "running sums": (
        one("CumSum", "x a", "int64", "int64", [tensor("a", np.array(0))], ("n",), ("n",)),
        whole(1 << 30, 1 << 30, 1 << 30), whole(1 << 30, 1 << 31, 3 << 30),
    ),
    "floats as whole numbers": (
        one("Cast", "x", "int64", "float32", to=7), np.array([2.0**40, -3.0], "float32"),
        whole(1 << 40, -3),
    ),
    "a sum of doubles": (
        one("ReduceSum", "x a", "float64", "float64", [tensor("a", whole(1))], ("batch", 3),
            keepdims=0),
        np.array([[1e15, 0.25, 0.5], [1.0, 2.0, 4.0]]), np.array([1e15 + 0.75, 7.0]),
    ),
    "doubles of floats": (
        one("Cast", "x", "float64", "float32", to=11), np.array([0.1], "float32"),
        np.array([0.1], "float32").astype("float64"),
    ),
    "places of the largest": (
        one("ArgMax", "x", "int64", "float32", (), ("batch", 3), axis=1, keepdims=0),
        np.array([[0, 2, 1], [3, 2, 1]], "float32"), whole(1, 0),
    ),
    "sizes": (
        one("Shape", "x", "int64", "float32", (), ("batch", 3), (2,)), np.ones((2, 3), "float32"),
        whole(2, 3),
    ),
    "arithmetic between": (hashed(given="int32"), whole(5, 1 << 30, dtype="int32"),
                           np.array(HASHED, "float32")),
}  # fmt: skip


def between(op: str, given: str, wide: int, tensors=(), inputs="a", **attributes) -> bytes:
    """What an operator makes of x in a type of 64 bits, as floats of 32."""
    return model(
        [node("Cast", "x", "a", to=wide), node(op, inputs, "b", **attributes),
         node("Cast", "b", "y", to=1)],
        [value("x", 2, dtype=given)], [value("y", 2)], tensors,
    )  # fmt: skip


_PLACES = [
    tensor("zeros", whole(0, 0)),
    tensor("i", whole(1, 1)),
    tensor("ii", whole(1, 1)[:, None]),
]
TABLE |= {
    "numbers that are added in one place": (
        between("ScatterElements", "int32", 7, _PLACES[:2], "zeros i a", reduction="add"),
        whole(2_000_000_000, 2_000_000_000, dtype="int32"), np.array([0, 4e9], "float32"),
    ),
    "numbers that are added in one row": (
        between("ScatterND", "int32", 7, _PLACES[::2], "zeros ii a", reduction="add"),
        whole(2_000_000_000, 2_000_000_000, dtype="int32"), np.array([0, 4e9], "float32"),
    ),
    "negative numbers as unsigned ones": (
        between("Identity", "int32", 13), whole(-1, 5, dtype="int32"),
        np.array([2.0**64, 5], "float32"),
    ),
    "all bits but one": (
        between("BitwiseNot", "uint8", 13), whole(1, 0, dtype="uint8"),
        np.array([2.0**64, 2.0**64], "float32"),
    ),
}  # fmt: skip


def opened(data: bytes) -> ImportedModel:
    found = open_model(data, "m.onnx", "m")
    assert isinstance(found, ImportedModel)
    return found


def same(found: Any, wanted: np.ndarray) -> None:
    found = np.asarray(found)
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("case", TABLE)
def test_calls_and_predictions_have_the_dtypes_and_all_the_digits_of_the_file(case, tmp_path):
    data, x, wanted = TABLE[case]
    read = opened(data)
    same(read(x), wanted)
    same(read.predict(x, verbose=0), wanted)
    same(read.predict_on_batch(x), wanted)
    same(read.signatures["main"](x)["y"], wanted)
    same(read({"x": x}), wanted)


def test_they_are_the_same_after_saving_and_for_another_batch(tmp_path):
    data, x, wanted = TABLE["a time is taken and a time given"]
    path = tmp_path / "m.keras"
    opened(data).save(path)
    again = load_model(path)
    same(again.predict(np.tile(x, 40), batch_size=32, verbose=0), np.tile(wanted, 40))
    same(again(x[:1]), wanted[:1])


def test_arithmetic_of_64_bits_stays_so_within_another_model_that_trains():
    x = whole(5, 1 << 30, dtype="int32")
    mine = nacre.Sequential([opened(hashed(given="int32")), layers.Reshape((1,)), layers.Dense(1)])
    before = mine.layers[-1].get_weights()
    wanted = np.array(HASHED, "float32")[:, None] @ before[0] + before[1]
    np.testing.assert_allclose(mine(x), wanted, rtol=1e-6)
    np.testing.assert_allclose(mine.predict(x, verbose=0), wanted, rtol=1e-6)
    mine.compile("sgd", "mse")
    loss = mine.fit(x, np.zeros(2), epochs=1, batch_size=2, verbose=0).history["loss"][0]
    np.testing.assert_allclose(loss, np.mean(np.square(wanted)), rtol=1e-5)


def test_gradients_pass_through_doubles():
    kernel = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    read = opened(
        model(
            [
                node("Cast", "x", "d", to=11),
                node("MatMul", "d k", "p"),
                node("Cast", "p", "y", to=1),
            ],
            [value("x", "batch", 3)],
            [value("y", "batch", 2)],
            [tensor("k", kernel)],
        )
    )
    x = jnp.asarray([[1.0, 2.0, 3.0]])
    tape = nacre.GradientTape()
    with tape:
        loss = ops.sum(ops.square(read(x)))
    (gradient,) = tape.gradient(loss, read.trainable_variables)
    y = np.asarray(x) @ kernel
    np.testing.assert_allclose(gradient, np.asarray(x).T @ (2 * y), rtol=1e-6)
    read.compile("sgd", "mse")
    read.fit(np.asarray(x), np.zeros((1, 2)), verbose=0)
    assert not np.allclose(read.get_weights()[0], kernel)


def test_whole_numbers_that_a_model_around_cannot_hold_are_an_error():
    read = opened(TABLE["a product beyond 32 bits"][0])
    around = nacre.Sequential([read, layers.Reshape((1,)), layers.Dense(1)])
    around.compile("sgd", "mse")
    weights = around.get_weights()
    large, small = whole(LARGE // 1000, 7, -LARGE // 1000), whole(7, -7, 7)
    told = r"output 'y' must fit in 32 bits\. Got 1\.7e\+12\."
    zeros = np.zeros((3, 1), "float32")
    runs: dict[str, Any] = {
        "called": lambda x: around(jnp.asarray(x)),
        "predict": lambda x: around.predict(x, verbose=0),
        "train_on_batch": lambda x: around.train_on_batch(x, zeros),
        "compiled": nacre.function(lambda x: around(x)),
    }
    for run in runs.values():
        with pytest.raises(DTypeError, match=told):
            run(large.astype("int32"))
        for before, now in zip(weights, around.get_weights(), strict=True):
            np.testing.assert_array_equal(before, now)
    wanted = small[:, None] * 1000.0 @ weights[0]
    np.testing.assert_allclose(runs["predict"](small), wanted, rtol=1e-5)
    np.testing.assert_array_equal(read.predict(large, verbose=0), large * 1000)


@pytest.mark.parametrize(
    ("name", "format"), [("again.onnx", "onnx"), ("again.stablehlo", "stablehlo")]
)
def test_a_model_around_whole_numbers_is_exported(name, format, tmp_path):
    pytest.importorskip("onnxruntime" if format == "onnx" else "flatbuffers")
    around = nacre.Sequential([opened(TABLE["a product beyond 32 bits"][0])])
    report = around.export(tmp_path / name, format=format, verbose=False)
    assert report is not None
    assert report.is_verified


def test_inputs_that_a_model_around_cannot_hold_are_refused():
    around = nacre.Sequential([opened(TABLE["a product beyond 32 bits"][0])])
    with pytest.raises(DTypeError, match="whole numbers must fit into int32"):
        around.predict(whole(LARGE), verbose=0)


def test_doubles_that_no_variable_holds_stay_and_are_told():
    kernel = np.array([[0.1], [0.2]])
    data = model(
        [node("MatMul", "x k", "y")], [value("x", "batch", 2, dtype="float64")],
        [value("y", "batch", 1, dtype="float64")], [tensor("k", kernel)],
    )  # fmt: skip
    with pytest.warns(UserWarning, match=r"Got k, which stay .*set_floatx\('float64'\)"):
        read = opened(data)
    x = np.array([[1.0, 3.0]])
    same(read.predict(x, verbose=0), x @ kernel)
    assert not read.trainable_variables


def test_it_is_exported_with_what_it_computes(tmp_path):
    pytest.importorskip("onnxruntime")
    read = opened(hashed(given="int32"))
    read.export(tmp_path / "again.onnx", format="onnx", verbose=False)
    again = load_model(tmp_path / "again.onnx")
    np.testing.assert_array_equal(again(whole(5, 1 << 30, dtype="int32")), HASHED)


@pytest.mark.slow
def test_a_process_of_64_bits_has_them_everywhere():
    code = """
import numpy as np, nacre
nacre.config.set_floatx("float64")
from tests.export.importers.test_64_bits import TABLE, opened, same
for data, x, wanted in TABLE.values():
    same(opened(data).predict(x, verbose=0), wanted)
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def multiplied(x: Any, factor: Any) -> Any:
    wide = x.astype("float64") * 3 + factor.astype("int64") * 3_000_000_000 % 1000
    return wide.astype("float32"), jnp.argmax(wide)


def test_what_is_computed_in_64_bits_is_mapped_and_differentiated_twice():
    x, k = jnp.arange(3.0), jnp.asarray(7)
    found = jax.jit(lambda x: in_64_bits(multiplied, x, k))(x)
    np.testing.assert_array_equal(found[0], np.arange(3) * 3)
    rows = jax.vmap(lambda row: in_64_bits(multiplied, row, k)[0])(jnp.stack([x, x + 1]))
    np.testing.assert_array_equal(rows[1], np.arange(1, 4) * 3)

    def cubed(x: Any) -> Any:
        return in_64_bits(lambda x: jnp.sum(x.astype("float64") ** 3).astype("float32"), x)

    slope = jax.jit(jax.grad(cubed))
    np.testing.assert_allclose(slope(x), 3 * np.arange(3) ** 2)
    np.testing.assert_allclose(jax.grad(lambda x: jnp.sum(slope(x)))(x), 6 * np.arange(3))


LITE: dict[str, tuple[list[Any], str, list[Any]]] = {
    "MUL": ([whole(5, 1 << 30), K(whole(2654435761, 3))], "int64", [13272178805, 3 << 30]),
    "ADD": ([whole(1 << 40, 7), K(whole(1 << 41, 1))], "int64", [3 << 40, 8]),
    "CAST": ([np.array([2.0**40, 3], "float32")], "int64", [1 << 40, 3]),
    "CUMSUM": ([whole(1 << 31, 1 << 31), K(np.array(0, "int32"))], "int64", [1 << 31, 1 << 32]),
    "FLOOR_MOD": ([whole(1 << 40, 7), K(whole(97, 3))], "int64", [(1 << 40) % 97, 1]),
    "ARG_MAX": ([np.array([[0, 2], [3, 1]], "float32"), K(np.array(1, "int32"))], "int64", [1, 0]),
}


@pytest.mark.parametrize("op", LITE)
def test_operators_of_tflite_have_all_digits(op):
    inputs, dtype, wanted = LITE[op]
    read = open_lite(file_of((op, {}, inputs, [dtype]), None), "m.tflite", "m")
    same(read(inputs[0]), whole(*wanted))
    same(read.predict(inputs[0], verbose=0), whole(*wanted))
