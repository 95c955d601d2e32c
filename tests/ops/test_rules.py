"""What every op promises besides its numbers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nacre.ops as ops
from nacre.core import config
from nacre.core.symbolic import KerasTensor
from nacre.core.variable import Variable
from nacre.ops.kernels import convolution as kernels
from nacre.ops.kernels.placement import inside_loop


def test_importing_ops_is_quick_after_jax() -> None:
    code = (
        "import jax, jax.numpy, time; t = time.process_time(); import nacre.ops;"
        "print(time.process_time() - t)"
    )
    seconds = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(2)
    ]
    assert min(seconds) < 0.25


def test_variables_and_lists_are_tensors_everywhere() -> None:
    v = Variable([1.0, 2.0])
    assert ops.add(v, v).tolist() == [2.0, 4.0]
    assert ops.concatenate([v, [3.0]]).tolist() == [1.0, 2.0, 3.0]
    assert ops.stack([v, v]).shape == (2, 2)
    assert ops.sum([v, v]).tolist() == 6.0
    assert ops.softmax(v).shape == (2,)
    assert ops.where(v > 1, v, 0).tolist() == [0.0, 2.0]


def test_integers_become_floatx() -> None:
    before = config.floatx()
    try:
        config.set_floatx("bfloat16")
        assert ops.sqrt([4, 9]).dtype == "bfloat16"
        assert ops.mean([4, 9]).dtype == "bfloat16"
        assert ops.divide(1, [4, 9]).dtype == "bfloat16"
        assert ops.zeros(2).dtype == "bfloat16"
    finally:
        config.set_floatx(before)


def test_a_convolution_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    x, kernel = jnp.ones((1, 6, 17, 2)), jnp.ones((3, 3, 2, 4))
    seen = []
    original = kernels.convolution

    def spy(*args: Any, placement: str, **kwargs: Any) -> Any:
        seen.append(placement)
        return original(*args, placement=placement, **kwargs)

    monkeypatch.setattr(kernels, "convolution", spy)
    ops.conv(x, kernel)
    with inside_loop():
        ops.conv(x, kernel)
    assert seen == ["plain", "loop"]


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_channels_first_is_channels_last_turned(padding: str) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 7, 6, 3)).astype("float32")
    kernel = random.normal(size=(3, 3, 3, 4)).astype("float32")
    turned = np.moveaxis(x, -1, 1)
    last = ops.conv(x, kernel, 2, padding, "channels_last")
    first = ops.conv(turned, kernel, 2, padding, "channels_first")
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, rtol=1e-4, atol=1e-4)
    for pool in (ops.max_pool, ops.average_pool):
        first = pool(turned, 2, 2, padding, "channels_first")
        last = pool(x, 2, 2, padding, "channels_last")
        np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: ops.reshape(x, (-1, 12)), (None, 12)),
        (lambda x: ops.concatenate([x, x], axis=1), (None, 8, 3)),
        (lambda x: ops.mean(x, axis=1), (None, 3)),
        (lambda x: ops.one_hot(ops.cast(x, "int32"), 5), (None, 4, 3, 5)),
        (lambda x: ops.einsum("bij,jk->bik", x, np.ones((3, 2), "float32")), (None, 4, 2)),
        (lambda x: ops.conv(x, np.ones((2, 3, 5), "float32")), (None, 3, 5)),
        (lambda x: ops.max_pool(x, 2), (None, 2, 3)),
        (lambda x: ops.layer_normalization(x), (None, 4, 3)),
        (lambda x: ops.top_k(x, 2)[0], (None, 4, 2)),
        (lambda x: ops.rearrange(x, "b t c -> b (t c)"), (None, 12)),
        (lambda x: ops.repeat(x, 2, axis=1), (None, 8, 3)),
        (lambda x: ops.pad(x, ((0, 0), (1, 1), (0, 0))), (None, 6, 3)),
        (lambda x: ops.unstack(x, axis=1)[0], (None, 3)),
        (lambda x: ops.moments(x, (1,))[1], (None, 3)),
        (lambda x: ops.flip(x, axis=1), (None, 4, 3)),
        (lambda x: ops.sort(x, axis=1), (None, 4, 3)),
        (lambda x: ops.take(x, [0, 1], axis=1), (None, 2, 3)),
        (lambda x: ops.logical_not(x), (None, 4, 3)),
    ],
)
def test_shape_is_known_for_any_batch(call: object, shape: tuple[int | None, ...]) -> None:
    assert call(KerasTensor((None, 4, 3))).shape == shape


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ops.conv(np.ones((1, 5, 3)), np.ones((2, 2, 4))), "must be a multiple"),
        (lambda: ops.conv(np.ones((5, 3)), np.ones((2, 2, 4))), "1 to 3 spatial"),
        (lambda: ops.conv(np.ones((1, 5, 3)), np.ones((2, 3, 4)), padding="full"), "'same'"),
        (lambda: ops.max_pool(np.ones((5, 3)), 2), "1 to 3 spatial"),
        (lambda: ops.categorical_crossentropy(np.ones((2, 3)), np.ones((2, 4))), "same shape"),
        (lambda: ops.sparse_categorical_crossentropy([0], np.ones((2, 4))), "axis of classes"),
        (lambda: ops.multi_hot([0, 1]), "num_classes must be given"),
        (lambda: ops.inv(np.ones((2, 3))), "square"),
        (lambda: ops.rearrange(np.ones((2, 3)), "a b -> a c"), "same axes"),
        (lambda: ops.ctc_decode(np.ones((1, 2, 3)), [2], strategy="best"), "'greedy'"),
        (lambda: ops.segment_sum([1, 2], [0]), "first axes of data"),
        (lambda: ops.normalize([1.0], order=0), "order must be a positive int"),
    ],
)
def test_messages_name_the_rule(call: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_losses_have_finite_gradients_at_the_edges() -> None:
    target = np.array([[0.0, 1.0]], "float32")
    for loss in (ops.binary_crossentropy, ops.categorical_crossentropy):
        slope = jax.grad(lambda p, loss=loss: loss(target, p).sum())(jnp.array([[1.0, 0.0]]))
        assert np.isfinite(slope).all()


def test_ctc_loss_has_finite_gradients() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    loss = lambda x: ops.ctc_loss([[1, 2], [3, 0]], x, [2, 1], [6, 4]).sum()
    slope = jax.grad(loss)(logits)
    assert np.isfinite(slope).all()
    assert (slope[1, 4:] == 0).all()


def test_beam_search_finds_what_all_alignments_say() -> None:
    # Every label sequence of three frames by hand: the beam is wide enough to be exact.
    logits = np.random.default_rng(1).normal(size=(1, 3, 3)).astype("float32")
    p = np.exp(logits[0]) / np.exp(logits[0]).sum(1, keepdims=True)
    totals: dict[tuple[int, ...], float] = {}
    for path in np.ndindex(3, 3, 3):
        labels = tuple(c for i, c in enumerate(path) if c and (i == 0 or path[i - 1] != c))
        totals[labels] = totals.get(labels, 0.0) + float(np.prod(p[range(3), path]))
    best = sorted(totals.items(), key=lambda item: -item[1])[:4]
    found, scores = ops.ctc_decode(logits, [3], strategy="beam_search", beam_width=30, top_paths=4)
    for (labels, total), row, score in zip(best, np.asarray(found)[:, 0], scores[0], strict=True):
        assert tuple(c for c in row if c >= 0) == labels
        assert float(score) == pytest.approx(np.log(total), abs=1e-4)


def test_gradient_of_products_of_segments_goes_through_zeros() -> None:
    data = jnp.array([2.0, 3.0, 0.0, 5.0, 0.0, 0.0])
    total = lambda data: ops.segment_prod(data, jnp.array([0, 0, 1, 1, 2, 2]), 3).sum()
    np.testing.assert_allclose(jax.grad(total)(data), [3, 2, 5, 0, 0, 0])
    assert jax.hessian(total)(data)[0, 1] == 1
