"""Whole numbers of 8 and 16 bits in those of 32, and quantized weights as what they stand for."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nacre
from nacre import layers, ops
from nacre.core.errors import ArgumentError
from nacre.export.capture import capture
from nacre.export.graph.evaluate import evaluate
from nacre.export.graph.ir import Graph
from nacre.export.graph.verify import verify
from nacre.export.passes import cleaned
from nacre.export.passes.whole_numbers import NARROW, unpack_weights, widen_whole_numbers
from nacre.export.targets import find_target
from nacre.export.targets.openvino.signs import keep_bits
from nacre.testing.target import runtime_of


def graph_of(f: Any, *dtypes: str) -> Graph:
    inputs = [nacre.Input((None,), dtype=dtype) for dtype in dtypes]
    return capture(nacre.Model(inputs, f(*inputs))).graph


def dtypes_in(graph: Graph) -> set[str]:
    values = [*graph.inputs, *(w.value for w in graph.weights)]
    return {v.dtype for v in [*values, *(v for n in graph.all_nodes() for v in n.outputs)]}


def ends(dtype: str) -> np.ndarray:
    """Numbers at the ends of a dtype, around 0, and of many kinds of bits."""
    kind = np.iinfo(dtype)
    few = [kind.min, kind.min + 1, -17, -1, 0, 1, 2, 9, 100, kind.max - 1, kind.max]
    return np.array([[n for n in few if kind.min <= n <= kind.max]], dtype)


UNARY = {
    "double": lambda x: x + x,
    "negative": lambda x: -x,
    "abs": ops.abs,
    "square": lambda x: x * x,
    "sum": lambda x: ops.sum(x, axis=1),
    "not": ops.bitwise_not,
    "left": lambda x: ops.left_shift(x, 3),
    "right": lambda x: ops.right_shift(x, 3),
    "less one": lambda x: x - 1,
    "quotient": lambda x: ops.floor_divide(x, 3),
    "rest": lambda x: ops.mod(x, 7),
    "max": lambda x: ops.max(x, axis=1),
    "xor": lambda x: ops.bitwise_xor(x, 5),
}


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16"])
def test_all_numbers_are_those_of_the_short_dtype(dtype: str) -> None:
    x = ends(dtype)
    for name, f in UNARY.items():
        graph = graph_of(f, dtype)
        wide = verify(widen_whole_numbers(graph))
        if name == "square" and "16" in dtype:  # beyond what all formats compute exactly
            assert dtypes_in(wide) & NARROW
            continue
        if not dtypes_in(wide) & NARROW:
            before, after = (evaluate(g, [x.astype(g.inputs[0].dtype)]) for g in (graph, wide))
            for one, other in zip(before.outputs.values(), after.outputs.values(), strict=True):
                np.testing.assert_array_equal(other, one, err_msg=name)
        else:
            assert name == "right" and dtype.startswith("int"), name


@pytest.mark.parametrize("source", ["int8", "uint8", "int16", "uint16", "int32", "bool"])
def test_casts_wrap_as_before(source: str) -> None:
    x = np.array([[False, True]]) if source == "bool" else ends(source)
    for dtype in sorted(NARROW):
        graph = graph_of(lambda x, d=dtype: ops.cast(ops.cast(x, d), "float32"), source)
        wide = verify(widen_whole_numbers(graph))
        assert not dtypes_in(wide) & NARROW
        before = evaluate(graph, [x]).outputs
        after = evaluate(wide, [x.astype(wide.inputs[0].dtype)]).outputs
        for one, other in zip(before.values(), after.values(), strict=True):
            np.testing.assert_array_equal(other, one, err_msg=f"{source} {dtype}")


def test_floats_beyond_a_dtype_become_its_ends() -> None:
    x = np.array([[-300.0, -128.9, -0.7, 0.0, 3.9, 127.2, 400.0]], "float32")
    graph = graph_of(lambda x: ops.cast(ops.cast(x, "int8"), "float32"), "float32")
    found = evaluate(widen_whole_numbers(graph), [x]).outputs
    np.testing.assert_array_equal(next(iter(found.values())), [[-128, -128, 0, 0, 3, 127, 127]])


def quantized(mode: str, kind: str) -> tuple[Any, np.ndarray]:
    nacre.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    if kind == "dense":
        model = nacre.Sequential([nacre.Input((9,)), layers.Dense(32), layers.Dense(5)])
        x = random.normal(size=(4, 9)).astype("float32")
    else:
        model = nacre.Sequential([nacre.Input((6,), dtype="int32"), layers.Embedding(50, 16)])
        x = random.integers(0, 50, (4, 6)).astype("int32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.quantize(mode)
    return model, x


@pytest.mark.parametrize(
    ("mode", "kind"), itertools.product(["int8", "int4"], ["dense", "embedding"])
)
def test_quantized_weights_are_what_they_stand_for(mode: str, kind: str) -> None:
    model, x = quantized(mode, kind)
    graph = cleaned(capture(model).graph)
    unpacked = verify(cleaned(unpack_weights(graph)))
    wide = verify(widen_whole_numbers(unpacked))
    assert not dtypes_in(wide) & NARROW
    paths = [w.path for w in wide.weights]
    assert len(set(paths)) == len(paths)
    assert {path.rpartition("/")[2] for path in paths} <= {
        "kernel", "kernel_scale", "bias", "embeddings", "embeddings_scale", "embeddings_zero",
        "g_idx",
    }  # fmt: skip
    if (mode, kind) == ("int4", "dense"):
        assert len(wide.nodes) == 4, "two products and two sums"
    for one in (unpacked, wide):
        found = next(iter(evaluate(one, [x]).outputs.values()))
        np.testing.assert_allclose(found, np.asarray(model(x)), rtol=1e-5, atol=1e-6)


def test_what_is_not_quantized_stays_as_it_is() -> None:
    model = nacre.Sequential([nacre.Input((3,)), layers.Dense(2)])
    graph = capture(model).graph
    assert widen_whole_numbers(unpack_weights(graph)) is graph


@pytest.mark.parametrize("format", ["coreml", "tfjs"])
def test_formats_of_32_bits_take_quantized_models_and_pictures(format: str, tmp_path: Path) -> None:
    try:
        runtime_of(find_target(format, "test"))
    except ArgumentError as error:  # where nothing runs the format
        pytest.skip(str(error))
    picture = nacre.Input((4, 4, 1), dtype="uint8")
    y = layers.Flatten()(layers.Rescaling(1 / 255)(picture))
    model = nacre.Model(picture, layers.Dense(64)(layers.Dense(32)(y)))
    model.quantize("int8")
    x = np.arange(32).reshape(2, 4, 4, 1).astype("uint8") * 8
    report = model.export(tmp_path / "m", format=format, samples=x, verbose=False)
    assert report is not None and report.is_verified
    assert list(report.inputs.values()) == ["int32[batch, 4, 4, 1]"]
    assert "is uint8, and int32 there" in str(report)
    if format == "tfjs":
        weights = next((tmp_path / "m").glob("*.bin")).stat().st_size
        assert weights < 2 * (16 * 32 + 32 * 64), "a byte for each number"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_shifts_are_quotients_and_products_without_a_rest(dtype: str) -> None:
    x = ends(dtype)
    for f, shift in itertools.product((ops.left_shift, ops.right_shift), (0, 1, 4, 7, 9)):
        graph = cleaned(graph_of(lambda x, f=f, s=shift: f(x, s), dtype))
        kept = verify(keep_bits(graph))
        assert not {"shift_left", "shift_right"} & {node.op for node in kept.nodes}
        before, after = (next(iter(evaluate(g, [x]).outputs.values())) for g in (graph, kept))
        np.testing.assert_array_equal(after, before, err_msg=f"{f} {shift}")


def test_negative_numbers_become_unsigned_bit_by_bit() -> None:
    for source, dtype in itertools.product(["int8", "int16", "int32"], ["uint8", "uint16"]):
        graph = graph_of(lambda x, d=dtype: ops.cast(x, d), source)
        before, after = (evaluate(g, [ends(source)]).outputs for g in (graph, keep_bits(graph)))
        for one, other in zip(before.values(), after.values(), strict=True):
            np.testing.assert_array_equal(other, one)
