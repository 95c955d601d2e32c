"""Forms that ops of the table of cases do not reach: whole numbers of few bits, many axes, ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import ops
from nacre.core.errors import UnsupportedOpError
from nacre.export.api import prepared
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Builder
from nacre.export.targets.litert.target import SUPPORT, TARGET
from nacre.export.targets.target import Request
from nacre.export.verification import write_plainly

pytest.importorskip("ai_edge_litert", reason="pip install ai-edge-litert")


def exported(outputs: Any, x: Any, tmp_path: Path) -> Any:
    report = nacre.Model(x, outputs).export(tmp_path / "m.tflite", verbose=False)
    assert report.is_verified and report.largest_difference < 1e-5
    return report


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32"])
def test_bits_of_few_bits(dtype: str, tmp_path: Path) -> None:
    x = nacre.Input((4,), dtype=dtype)
    found = [ops.right_shift(x, 2), ops.left_shift(x, 3), ops.bitwise_or(x, 3), x + x, x * 7]
    exported(found, x, tmp_path)


def test_quotients_without_sign(tmp_path: Path) -> None:
    make = Builder("quotients")
    x, y = (make.input(name, "uint32", (8,)) for name in "xy")
    graph = make.finish([("q", make.add("div", [x, y])), ("r", make.add("rem", [x, y]))])
    options = {key: option.default for key, option in TARGET.options.items()}
    path = tmp_path / "m.tflite"
    write_plainly(path, TARGET.write(Request(prepared(graph, TARGET), "q", options)))
    top = 2**32 - 1
    given = [
        np.array([top, top, top, 7, 2**31, top - 1, 5, 0], "uint32"),
        np.array([1, 3, top, 2, 2**31 + 1, 2**31, 0, 9], "uint32"),
    ]
    found = TARGET.runtimes[0].open(path)(given)
    for one, right in zip(found, evaluate(graph, given).outputs.values(), strict=True):
        np.testing.assert_array_equal(one, right)


def test_products_of_whole_numbers_are_exact(tmp_path: Path) -> None:
    x = nacre.Input((3, 4), dtype="int32")
    exported(ops.matmul(x * 1_000_003, ops.transpose(x, (0, 2, 1))), x, tmp_path)


@pytest.mark.parametrize("mode", ["int8", "int4"])
def test_quantized_models_are_written_as_they_are(mode: str, tmp_path: Path) -> None:
    nacre.utils.set_random_seed(0)
    x = nacre.Input((2, 2500))  # sums of more products than a float32 holds
    y = nacre.layers.Dense(4)(nacre.layers.Dense(8, activation="relu")(x))
    model = nacre.Model(x, y)
    model.quantize(mode)
    report = model.export(tmp_path / "m.tflite", verbose=False)
    assert report.is_verified and report.size_bytes < 2 * 2500 * 8


def test_inputs_and_constants_may_be_outputs(tmp_path: Path) -> None:
    x = nacre.Input((3,), name="x")
    y = nacre.layers.Dense(2)(x)

    class WithOnes(nacre.layers.Layer):
        def call(self, x: Any) -> Any:
            return {"same": x, "first": x * 2, "ones": ops.ones((2, 3))}

    exported({**WithOnes()(x), "second": y, "third": y, "whole": x}, x, tmp_path)


def test_many_axes(tmp_path: Path) -> None:
    x = nacre.Input((48,))
    wide = ops.reshape(x, (-1, 2, 2, 3, 2, 2))
    turned = ops.transpose(wide, (0, 2, 1, 4, 3, 5)) + ops.ones((2, 2, 2, 3, 2))
    exported([ops.max(turned, axis=2), ops.pad(wide, [[0, 0]] * 4 + [[1, 0], [0, 2]])], x, tmp_path)
    seven = ops.reshape(x, (-1, 2, 2, 3, 2, 2, 1))
    with pytest.raises(UnsupportedOpError, match="up to 6 axes"):
        exported(ops.transpose(seven, (0, 2, 1, 4, 3, 5, 6)), x, tmp_path)


def test_order_with_infinities_and_numbers_that_are_none(tmp_path: Path) -> None:
    x = nacre.Input((6,))
    model = nacre.Model(x, [ops.sort(x, axis=1), ops.argsort(x, axis=1)])
    given = np.array([[3, np.inf, -np.inf, np.nan, 0, -1]], "float32")
    assert model.export(tmp_path / "m.tflite", samples=given, verbose=False).is_verified


def test_the_reciprocal_root_of_zero_is_infinite(tmp_path: Path) -> None:
    x = nacre.Input((3,))
    cosine = nacre.layers.Dot(1, normalize=True)([x, x])
    model = nacre.Model(x, [ops.rsqrt(x), ops.minimum(ops.rsqrt(x), 10.0), cosine])
    zeros = np.array([[0, 4, 1], [0, 0, 0]], "float32")
    assert model.export(tmp_path / "m.tflite", samples=zeros, verbose=False).is_verified


def test_spectra(tmp_path: Path) -> None:
    x = nacre.Input((16,))
    exported(list(ops.rfft(x)), x, tmp_path)
    with pytest.raises(UnsupportedOpError, match="power of two"):
        exported(list(ops.rfft(x[:, :9])), x, tmp_path)


def test_dtypes_that_are_not_there_are_told(tmp_path: Path) -> None:
    x = nacre.Input((3,), dtype="string")
    with pytest.raises(UnsupportedOpError, match="string of"):
        exported(nacre.layers.StringLookup(vocabulary=["a"])(x), x, tmp_path)
    assert not list(tmp_path.iterdir())
    make = Builder("wide")  # a model of float64 would switch 64 bits on for all tests after it
    y = make.input("y", "float64", (3,))
    gaps = SUPPORT.gaps(make.finish([("z", make.add("add", [y, y]))]))
    assert any(gap.startswith("float64 of 'y'") for gap in gaps)


@pytest.mark.parametrize(
    ("time", "lengths"), [(None, (1, 64, 65, 150)), (130, (130,)), (70, (70,))]
)
def test_long_sequences_are_gone_through_in_blocks(
    time: int | None, lengths: tuple[int, ...], tmp_path: Path
) -> None:
    nacre.utils.set_random_seed(0)
    layers = nacre.layers
    x = nacre.Input((time, 3))
    both = layers.Bidirectional(layers.GRU(4, return_sequences=True))(layers.Masking()(x))
    model = nacre.Model(x, [both, ops.cumprod(x, axis=1), layers.LSTM(2, go_backwards=True)(x)])
    random = np.random.default_rng(0)
    given = [random.uniform(0.9, 1.1, (2, n, 3)).astype("float32") for n in lengths]
    for steps in given:
        steps[:, -3:] = 0  # are masked
    report = model.export(tmp_path / "m.tflite", samples=given, verbose=False)
    assert report.is_verified and report.largest_difference < 1e-5
    assert len(report.compared) >= 2 + len(lengths)


@pytest.mark.parametrize("dtype", ["uint32", "uint8"])
def test_drawn_bits_are_all_as_likely_and_others_at_each_run(dtype: str, tmp_path: Path) -> None:
    make = Builder("bits")
    make.input("x", "float32", (1,))
    attributes = {"shape": (20_000,), "dtype": dtype}
    graph = make.finish([("bits", make.add("random_bits", [], attributes))])
    options = {key: option.default for key, option in TARGET.options.items()}
    path = tmp_path / "m.tflite"
    write_plainly(path, TARGET.write(Request(prepared(graph, TARGET), "bits", options)))
    run = TARGET.runtimes[0].open(path)
    first, second = (run([np.zeros(1, "float32")])[0] for _ in range(2))
    assert first.dtype == np.dtype(dtype)
    assert (first != second).mean() > 0.99
    for bit in range(first.dtype.itemsize * 8):
        assert 0.47 < (first >> bit & 1).mean() < 0.53, bit


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_floats_that_no_whole_number_is_are_cast_as_the_model_casts_them(
    tmp_path: Path, dtype: str
) -> None:
    x = nacre.Input((9,), name="x")
    net = nacre.Model(x, nacre.ops.cast(x * 1.0, dtype))
    given = np.array([[np.nan, np.inf, -np.inf, 1e20, -1e20, 300.7, -300.7, -0.5, 3e9]], "float32")
    report: Any = net.export(tmp_path / "m.tflite", verbose=False, samples=[given])
    assert report.compared[-1].of == "sample 0"
