"""The table of compiled kernels: what it says is when they are used."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from nacre.ops.kernels.native import table


def sized(*shape, dtype="float32"):
    return jax.ShapeDtypeStruct(shape, dtype)


def attention(head=16, queries=8, keys=8, dtype="float32", **options):
    shapes = [(4, queries, 2, head), (4, keys, 2, head), (4, keys, 2, head)]
    return table.AttentionWork(*(sized(*shape, dtype=dtype) for shape in shapes), **options)


def recurrent(batch=4, units=8, dtype="float32", is_classic=True):
    weights = (sized(3, 4 * units), sized(units, 4 * units), None)
    return table.RecurrentWork(sized(batch, 5, 3, dtype=dtype), weights, is_classic)


def convolution(*shape, dtype="float32"):
    return table.ConvolutionWork(sized(*shape, dtype=dtype), sized(3, 3, 4, 4))


def pooling(channels=16, taps=9, tiles=False):
    return table.PoolingWork(sized(2, 8, 8, channels), taps, tiles)


def adam(*shape, dtype="float32", gradient=None, is_classic=True):
    arrays = [[sized(*shape, dtype=dtype)] for _ in range(3)]
    return table.AdamWork(*arrays, [gradient or arrays[0][0]], is_classic)


def dense(rows=64, features=32, units=48, dtype="float32", kernel=None, bias=None):
    kernel = sized(features, units, dtype=dtype) if kernel is None else kernel
    return table.DenseWork(sized(2, rows, features, dtype=dtype), kernel, bias)


def bytes_product(rows=3, features=64, units=64, dtype="float32", scale=64, **options):
    x, numbers = sized(rows, features, dtype=dtype), sized(features, units, dtype="int8")
    return table.QuantizedWork(x, numbers, sized(scale), **options)


def nibbles(rows=3, features=64, units=128, dtype="float32", zeros=128):
    x, packed = sized(rows, features, dtype=dtype), sized(features, units // 2, dtype="int8")
    return table.NibblesWork(x, packed, sized(2, units), sized(2, zeros, dtype="int8"))


def test_weights_of_bytes_need_no_zero_points():
    work = table.NibblesWork(sized(3, 64), sized(64, 128, dtype="int8"), sized(128), None)
    assert all(condition.holds(work) for condition in table.NIBBLES.conditions)
    others = [
        table.NibblesWork(work.x, work.packed, sized(1, 128), None),
        table.NibblesWork(work.x, sized(64, 128, dtype="uint8"), work.scale, None),
    ]
    for other in others:
        assert not all(condition.holds(other) for condition in table.NIBBLES.conditions)


def layer_norm(*shape, size=None, is_last=True, dtype="float32"):
    scale = sized(shape[-1] if size is None else size, dtype=dtype)
    return table.LayerNormWork(sized(*shape, dtype=dtype), scale, None, is_last)


def scores(*shape, axis=-1, dtype="float32"):
    return table.ScoresWork(sized(*shape, dtype=dtype), axis)


def guard(*shapes, dtype="float32"):
    arrays = [sized(*shape, dtype=dtype) for shape in shapes]
    return table.GuardWork(arrays, arrays, 1)


(SYMBOL,) = jax.export.symbolic_shape("b")
# A kernel, work it takes, and work that each of its conditions refuses, in their order.
ROWS = [
    (
        table.ATTENTION,
        attention(),
        [
            attention(bias=sized(8, 8)),
            attention(queries=0),
            attention(dtype="bfloat16"),
            attention(head=512),
            attention(queries=7),
            attention(mask=sized(8, 8)),
        ],
    ),
    (
        table.FEW_QUERIES,
        attention(queries=7, keys=16),
        [
            attention(bias=sized(8, 8)),
            attention(queries=0),
            attention(dtype="bfloat16"),
            attention(head=512),
            attention(queries=8, keys=16),
            attention(queries=7, keys=15),
            attention(queries=7, keys=16, mask=sized(8, 8)),
        ],
    ),
    (
        table.RECURRENT,
        recurrent(),
        [recurrent(is_classic=False), recurrent(batch=0), recurrent(dtype="float64")],
    ),
    (
        table.CONVOLUTION,
        convolution(2, 8, 8, 4),
        [
            convolution(SYMBOL, 8, 8, 4),
            convolution(2, 8, 8, 4, dtype="float16"),
            convolution(2**31, 8, 8, 4),
        ],
    ),
    (
        table.MAX_POOLING,
        pooling(),
        [
            table.PoolingWork(sized(0, 8, 8, 16), 9, False),
            table.PoolingWork(sized(2, 8, 8, 16, dtype="int32"), 9, False),
            pooling(channels=8),
            pooling(tiles=True),
        ],
    ),
    (
        table.AVERAGE_POOLING,
        pooling(tiles=True),
        [
            table.PoolingWork(sized(SYMBOL, 8, 8, 16), 9, False),
            table.PoolingWork(sized(2, 8, 8, 16, dtype="bfloat16"), 9, False),
            pooling(taps=81),
            pooling(tiles=True, taps=4),
        ],
    ),
    (
        table.DENSE,
        dense(bias=sized(48)),
        [
            dense(bias=sized(1)),
            dense(rows=SYMBOL),
            dense(dtype="bfloat16"),
            dense(rows=3, units=4096),
            dense(rows=4, units=31),
        ],
    ),
    (
        table.HALVES,
        dense(dtype="bfloat16"),
        [
            dense(dtype="bfloat16", bias=sized(1)),
            dense(dtype="bfloat16", rows=SYMBOL),
            dense(dtype="bfloat16", bias=sized(48)),
            dense(dtype="bfloat16", rows=3, units=4096),
            dense(dtype="bfloat16", rows=4, units=31),
        ],
    ),
    (
        table.QUANTIZED,
        bytes_product(bias=sized(64)),
        [
            bytes_product(is_plain=False),
            bytes_product(scale=1),
            bytes_product(rows=SYMBOL),
            bytes_product(dtype="bfloat16"),
            bytes_product(features=63),
        ],
    ),
    (
        table.NIBBLES,
        nibbles(),
        [
            nibbles(zeros=64),
            nibbles(rows=SYMBOL),
            nibbles(dtype="bfloat16"),
            nibbles(rows=65),
            nibbles(features=63),
        ],
    ),
    (
        table.HIGHEST,
        scores(128, 32, axis=1),
        [
            scores(128, 32, axis=0),
            scores(SYMBOL, 32),
            scores(128, 32, dtype="bfloat16"),
            scores(256, 31),
        ],
    ),
    (
        table.CROSS_ENTROPY,
        scores(2, 64, 96),
        [
            scores(2, 64, 96, axis=1),
            scores(0, 96),
            scores(128, 96, dtype="float64"),
            scores(128, 95),
        ],
    ),
    (
        table.ACTIVATION,
        table.ActivationWork(sized(64, 64)),
        [
            table.ActivationWork(sized(SYMBOL, 64)),
            table.ActivationWork(sized(64, 64, dtype="bfloat16")),
            table.ActivationWork(sized(64, 63)),
        ],
    ),
    (
        table.LAYER_NORM,
        layer_norm(2, 64, 64),
        [
            layer_norm(2, 64, 64, is_last=False),
            layer_norm(SYMBOL, 64, 64),
            layer_norm(2, 64, 64, dtype="float16"),
            layer_norm(8, 8),
        ],
    ),
    (
        table.ADAM,
        adam(128, 128),
        [
            adam(128, 128, is_classic=False),
            adam(128, 0),
            adam(128, 128, dtype="bfloat16"),
            adam(128, 128, gradient=sized(128)),
            adam(64, 63),
        ],
    ),
    (
        table.GUARD,
        guard(*[(3,)] * 32),
        [guard((0,), *[(3,)] * 31), guard(*[(3,)] * 32, dtype="bfloat16"), guard((3,))],
    ),
]


def test_every_kernel_has_a_row_of_examples():
    assert [kernel for kernel, *_ in ROWS] == list(table.KERNELS)


@pytest.mark.parametrize(("kernel", "taken", "refused"), ROWS, ids=[k.name for k, *_ in ROWS])
def test_each_condition_refuses_what_it_says(kernel, taken, refused, monkeypatch):
    monkeypatch.setenv("NACRE_NATIVE", "0")  # nothing is built for it
    assert "switched off" in kernel.refusal(taken)
    for condition, work in zip(kernel.conditions, refused, strict=True):
        assert kernel.refusal(work) == f"needs {condition.text}"
        assert kernel.when_used(work, "own") == "never"


def test_where_a_kernel_takes_part():
    if table.RECURRENT.refusal(recurrent()):
        pytest.skip(table.RECURRENT.refusal(recurrent()))
    for placement, use in {"own": "always", "loop": "always", "plain": "in gradients"}.items():
        assert table.RECURRENT.when_used(recurrent(), placement) == use
    slow_alone = recurrent(batch=1, units=512)
    assert table.RECURRENT.when_used(slow_alone, "own") == "in gradients"
    assert table.RECURRENT.when_used(recurrent(batch=1, units=64), "own") == "always"


def test_a_switch_thrown_between_a_forward_pass_and_its_gradient_breaks_nothing(monkeypatch):
    from nacre.ops.kernels import convolution as kernels

    x, kernel = jnp.ones((2, 5, 5, 3)), jnp.ones((3, 3, 3, 4))
    run = lambda x: kernels.convolution(x, kernel, strides=(1, 1), padding="same", placement="own")
    y, back = jax.vjp(run, x)
    monkeypatch.setenv("NACRE_NATIVE", "0")
    (dx,) = back(jnp.ones_like(y))
    assert dx.shape == x.shape
